"""Pixels are cleaned only where burned-in text is likely: `"dicomveil": {"pixels": "likely"}`."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
from pydicom.uid import UID

from config import presets
from deid.configuration.document import parse_configuration
from deid.engine import deidentify
from deid.errors import ConfigurationInvalid, Reason, Unsafe
from deid.identity.keys import SiteKey
from deid.pixels.geometry import Box
from deid.pixels.ports import TextRegion
from deid.plan import compile_plan
from deid.ports import Engines
from tests import pixel_samples as samples
from tests.factories import encoded, make_ct

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = SiteKey(bytes(range(32)))
DEFAULT: dict[str, Any] = dict(presets.resolve("default"))
ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


class _Finds:
    """Finds one box in each picture, and remembers how many it was shown."""

    def __init__(self) -> None:
        self.shown = 0

    def find(
        self, pictures: Sequence[Any], *, needs_reading: bool = True
    ) -> list[list[TextRegion]]:
        self.shown += len(pictures)
        return [[TextRegion(Box(2, 2, 20, 8), 1.0)] for _ in pictures]


def _source(**changes: str) -> bytes:
    dataset = make_ct(rows=64, columns=64)
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    if "SOPClassUID" in changes:
        dataset.file_meta.MediaStorageSOPClassUID = UID(changes["SOPClassUID"])
    return encoded(dataset)


def _cleaned(source: bytes, detector: _Finds) -> Any:
    return samples.deidentified(source, DEFAULT, KEY, Engines(detector=lambda: detector))


@pytest.mark.parametrize(
    "changes",
    [
        {"SOPClassUID": ULTRASOUND, "Modality": "US"},
        {"BurnedInAnnotation": "YES"},
        {"Modality": "ES"},
    ],
    ids=["by class", "by annotation", "by modality"],
)
def test_what_is_likely_to_carry_text_is_cleaned(changes: dict[str, str]) -> None:
    detector = _Finds()
    written, outcome = _cleaned(_source(**changes), detector)
    assert detector.shown == 1
    assert [region.why for region in outcome.regions] == ["all_text"]
    assert pydicom.dcmread(io.BytesIO(written)).BurnedInAnnotation == "NO"


def test_what_is_not_likely_to_stays_bit_by_bit_and_is_not_looked_at() -> None:
    detector, source = _Finds(), _source()
    written, outcome = _cleaned(source, detector)
    after, before = pydicom.dcmread(io.BytesIO(written)), pydicom.dcmread(io.BytesIO(source))
    assert detector.shown == 0
    assert not outcome.regions
    assert after.PixelData == before.PixelData
    assert "BurnedInAnnotation" not in after
    codes = {item.CodeValue for item in after.DeidentificationMethodCodeSequence}
    assert "113101" not in codes


def test_what_is_not_likely_to_comes_out_as_under_the_basic_profile() -> None:
    source = _source()
    basic = dict(presets.resolve("basic"))
    by_default, _ = _cleaned(source, _Finds())
    assert by_default == samples.deidentified(source, basic, KEY)[0]


def test_what_cannot_be_trusted_even_so_is_refused() -> None:
    with pytest.raises(Unsafe) as refused:
        _cleaned(_source(SOPClassUID=SECONDARY_CAPTURE, Modality="OT"), _Finds())
    assert refused.value.reason is Reason.SCREEN_CAPTURE


def test_without_a_detector_it_is_refused_as_under_the_basic_profile() -> None:
    with pytest.raises(Unsafe) as refused:
        deidentify(_source(SOPClassUID=ULTRASOUND, Modality="US"), compile_plan(DEFAULT, KEY))
    assert refused.value.reason is Reason.PIXELS_NOT_CLEANED


@pytest.mark.parametrize(
    "more",
    [
        {"dicomveil": {"pixels": "likely", "burnedIn": "pass"}},
        {"dicomveil": {"pixels": "likely"}, "image": {"textRedactionMode": "REDACT_NO_TEXT"}},
    ],
    ids=["burnedIn", "no text"],
)
def test_contradictions_are_named(more: dict[str, Any]) -> None:
    asked = json.loads(json.dumps(DEFAULT)) | more
    with pytest.raises(ConfigurationInvalid, match=r"dicomveil.*pixels"):
        parse_configuration(asked)
