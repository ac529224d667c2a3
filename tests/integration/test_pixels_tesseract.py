"""Tesseract as a text detector: found words, nothing left on disk, killed when it hangs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from daemon.engines.tesseract import Tesseract, TesseractFailed, make_paranoid_detector
from deid.errors import Reason, Unsafe
from deid.pixels.cleaning import PixelCleaning
from deid.pixels.geometry import Box
from deid.pixels.ports import Picture
from tests import pixel_samples as samples

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.peer("tesseract")

ROWS, COLUMNS = 200, 320


def _frame() -> Any:
    return samples.with_text(np.zeros((ROWS, COLUMNS, 1), np.uint8), at=(60, 100))


def _picture() -> Picture:
    grey = _frame()[..., 0]
    return Picture(np.repeat(grey[..., None], 3, axis=2), grey)


def _covers(regions: Any) -> bool:
    letters = Box(62, 89, 88, 10)
    covered = np.zeros((ROWS, COLUMNS), np.bool_)
    for region in regions:
        box = region.box
        covered[max(box.top, 0) : box.bottom, max(box.left, 0) : box.right] = True
    part = covered[letters.top : letters.bottom, letters.left : letters.right]
    return bool(part.mean() > 0.8)


def test_tesseract_finds_text() -> None:
    (regions,) = Tesseract().find([_picture()])
    assert _covers(regions)


def test_tesseract_finds_turned_text() -> None:
    upright = _picture()
    assert upright.contrast is not None
    turned = Picture(
        np.ascontiguousarray(np.rot90(upright.display, -1)),
        np.ascontiguousarray(np.rot90(upright.contrast, -1)),
    )
    (regions,) = Tesseract().find([turned])
    assert any(region.box.height > 60 for region in regions)


def test_nothing_is_written_to_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = Tesseract()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    tmp_path.chmod(0o500)
    before = tmp_path.stat().st_mtime_ns
    detector.find([_picture()])
    assert tmp_path.stat().st_mtime_ns == before
    assert not list(tmp_path.iterdir())


def test_a_tesseract_that_hangs_is_killed_and_the_instance_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = Tesseract(timeout_s=0.3)
    hanging = tmp_path / "tesseract"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o700)
    monkeypatch.setattr(detector, "_program", str(hanging))
    with pytest.raises(TesseractFailed):
        detector.find([_picture()])
    instance = samples.make_instance(samples.EXPLICIT_LE, [_frame()], samples.attributes(_frame()))
    with pytest.raises(Unsafe) as refused:
        PixelCleaning("REDACT_ALL_TEXT", detector, untrusted=()).clean(instance)
    assert refused.value.reason is Reason.PIXELS_NOT_CLEANED


def test_a_tesseract_that_crashes_refuses_the_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = Tesseract()
    crashing = tmp_path / "tesseract"
    crashing.write_text("#!/bin/sh\ncat >/dev/null\nkill -SEGV $$\n")
    crashing.chmod(0o700)
    monkeypatch.setattr(detector, "_program", str(crashing))
    with pytest.raises(TesseractFailed):
        detector.find([_picture()])


def test_the_paranoid_setting_finds_what_either_engine_finds() -> None:
    (regions,) = make_paranoid_detector().find([_picture()])
    assert _covers(regions)
