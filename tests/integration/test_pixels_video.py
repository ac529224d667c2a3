"""Video, with PyAV beside us: it is not among our dependencies (docs/pixels.md, requirements/video.in)."""

from __future__ import annotations

import importlib
import io
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from deid.errors import Reason, Unsafe
from deid.identity.identifiers import KnownIdentifier
from deid.pixels.cleaning import PixelCleaning
from deid.pixels.codecs.video import video_cleaner
from deid.ports import DrawnBox
from tests import pixel_samples as samples

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROWS, COLUMNS, FRAMES = 192, 320, 8
_KINDS = [
    ("1.2.840.10008.1.2.4.100", "mpeg2video", "mpegts"),
    ("1.2.840.10008.1.2.4.102", "libx264", "mp4"),
    ("1.2.840.10008.1.2.4.107", "libx265", "mp4"),
]


_loaded: dict[str, ModuleType] = {}


@pytest.fixture(autouse=True)
def pyav(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Import PyAV from where `make test` put it; other tests have none."""
    monkeypatch.syspath_prepend(Path(sys.prefix) / "video")
    sys.modules.update(_loaded)
    yield importlib.import_module("av")
    for name in [name for name in sys.modules if name.partition(".")[0] == "av"]:
        _loaded[name] = sys.modules.pop(name)


def _stream(encoder: str, container: str, text: str, *, is_typed: bool = False) -> bytes:
    av: Any = importlib.import_module("av")
    out = io.BytesIO()
    with av.open(out, "w", format=container) as target:
        stream = target.add_stream(encoder, rate=25)
        stream.width, stream.height, stream.pix_fmt = COLUMNS, ROWS, "yuv420p"
        for number in range(FRAMES):
            shade = samples.texture(number, rows=ROWS, columns=COLUMNS) // 4
            shown = text[: number + 1] if is_typed else text
            frame = samples.with_text(shade, shown, at=(40, 100)) if shown else shade
            frame[140:] = shade[140:]
            rgb = np.repeat(frame, 3, axis=2)
            target.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        target.mux(stream.encode(None))
    return out.getvalue()


def _instance(syntax: str, stream: bytes, frames: int = FRAMES) -> Any:
    rgb = np.zeros((ROWS, COLUMNS, 3), np.uint8)
    described = samples.attributes(rgb, "YBR_PARTIAL_420")
    made = samples.make_instance(syntax, [rgb], described, encoded=[stream], offsets=False)
    return replace(made, attributes={**made.attributes, "NumberOfFrames": frames})


def _cleaner(mode: str = "REDACT_ALL_TEXT") -> PixelCleaning:
    video = video_cleaner()
    assert video is not None
    return PixelCleaning(mode, samples.detector(), untrusted=(), video=video)


@pytest.mark.parametrize(("syntax", "encoder", "container"), _KINDS)
def test_text_in_a_video_is_filled_in_every_frame(
    syntax: str, encoder: str, container: str, pyav: Any
) -> None:
    instance = _instance(syntax, _stream(encoder, container, "SMITH^JOHN"))
    cleaned = _cleaner().clean(instance)
    assert {region.frame for region in cleaned.regions} == set(range(1, FRAMES + 1))
    value = samples.value_of(instance, cleaned)
    with pyav.open(io.BytesIO(value[16:])) as container_read:
        shown = [frame.to_ndarray(format="gray") for frame in container_read.decode(video=0)]
    assert len(shown) == FRAMES
    assert all(frame[88:100, 42:150].max() < 40 for frame in shown)
    assert all(frame[140:].max() > 20 for frame in shown)
    assert cleaned.changes["LossyImageCompression"] == "01"


def test_an_identifier_that_is_typed_into_a_video_is_read_whole(pyav: Any) -> None:
    syntax, encoder, container = _KINDS[1]
    instance = replace(
        _instance(syntax, _stream(encoder, container, "H6051369", is_typed=True)),
        known=(KnownIdentifier("H6051369", "MEDICAL_RECORD_NUMBER"),),
    )
    cleaned = _cleaner("REDACT_SENSITIVE_TEXT").clean(instance)
    with pyav.open(io.BytesIO(samples.value_of(instance, cleaned)[16:])) as container_read:
        *_, last = [frame.to_ndarray(format="gray") for frame in container_read.decode(video=0)]
    assert last[88:100, 42:130].max() < 40


def test_a_box_drawn_by_hand_is_filled_in_every_frame_of_a_video(pyav: Any) -> None:
    syntax, encoder, container = _KINDS[1]
    instance = replace(
        _instance(syntax, _stream(encoder, container, "")), drawn=[DrawnBox(2, 40, 88, 112, 16)]
    )
    cleaned = PixelCleaning.filling_only(video_cleaner()).clean(instance)
    assert {(each.frame, each.why) for each in cleaned.regions} == {
        (number, "by_hand") for number in range(1, FRAMES + 1)
    }
    assert cleaned.by_hand
    value = samples.value_of(instance, cleaned)
    with pyav.open(io.BytesIO(value[16:])) as container_read:
        shown = [frame.to_ndarray(format="gray") for frame in container_read.decode(video=0)]
    assert all(frame[90:102, 44:148].max() < 40 for frame in shown)


def test_a_video_without_text_is_kept_byte_for_byte() -> None:
    instance = _instance(_KINDS[1][0], _stream(*_KINDS[1][1:], ""))
    cleaned = _cleaner().clean(instance)
    assert cleaned.segments is None
    assert cleaned.examined_all


@pytest.mark.parametrize("cut", [0, 500, -2000])
def test_a_broken_video_is_refused(cut: int) -> None:
    stream = _stream(*_KINDS[0][1:], "SMITH^JOHN")
    instance = _instance(_KINDS[0][0], stream[:cut])
    with pytest.raises(Unsafe) as refused:
        _cleaner().clean(instance)
    assert refused.value.reason in {Reason.VIDEO_NOT_CLEANED, Reason.PIXELS_UNDECODABLE}


def test_a_video_with_fewer_frames_than_it_says_is_refused() -> None:
    stream = _stream(*_KINDS[1][1:], "")
    with pytest.raises(Unsafe):
        _cleaner().clean(_instance(_KINDS[1][0], stream, FRAMES + 1))


def test_without_pyav_there_is_no_video_cleaner(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    assert video_cleaner() is None
