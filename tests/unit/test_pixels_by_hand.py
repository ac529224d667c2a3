"""Boxes that a person drew: what they fill, what they let pass, and what they never do."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

import deid
from deid.errors import Reason, Unsafe
from deid.identity.identifiers import KnownIdentifier
from deid.pixels.cleaning import PixelCleaning
from deid.pixels.geometry import Box
from deid.pixels.ports import TextRegion
from deid.ports import DrawnBox, Engines
from tests import pixel_samples as samples
from tests.factories import encoded, make_ct

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = deid.SiteKey(bytes(range(32)))
BASIC: dict[str, Any] = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
BOX = DrawnBox(0, 8, 4, 40, 16)
ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6.1"


class _Finds:
    """A detector that answers with these regions."""

    def __init__(self, *regions: TextRegion) -> None:
        self._regions = list(regions)

    def find(
        self, pictures: Sequence[Any], *, needs_reading: bool = True
    ) -> list[list[TextRegion]]:
        return [self._regions for _ in pictures]


def _frames(count: int = 1) -> list[Any]:
    return [samples.texture(number + 1) for number in range(count)]


def _instance(*drawn: DrawnBox, frames: int = 1, **more: Any) -> Any:
    made = _frames(frames)
    instance = samples.make_instance(samples.EXPLICIT_LE, made, samples.attributes(made[0], **more))
    return replace(instance, drawn=drawn)


def _is_flat(frame: Any, box: DrawnBox) -> bool:
    area = frame[box.top : box.top + box.height, box.left : box.left + box.width]
    return bool(np.ptp(area) == 0)


def _boxes(cleaned: Any) -> list[tuple[int, ...]]:
    return [
        (each.frame, each.left, each.top, each.width, each.height)
        for each in cleaned.regions
        if each.why == "by_hand"
    ]


def test_a_box_is_filled_in_every_frame_and_nothing_else_changes() -> None:
    instance = _instance(BOX, frames=3)
    cleaned = PixelCleaning.filling_only().clean(instance)
    after = samples.written(instance, cleaned)
    apart = samples.outside(Box(*BOX[1:]))
    for number in range(3):
        frame = samples.samples_of(after, number)
        assert _is_flat(frame, BOX)
        assert (frame[apart] == samples.samples_of(instance, number)[apart]).all()
    assert _boxes(cleaned) == [(number, *BOX[1:]) for number in (1, 2, 3)]
    assert cleaned.examined_all
    assert cleaned.by_hand


def test_a_box_of_one_frame_leaves_the_others_as_they_are() -> None:
    box = BOX._replace(frame=2)
    instance = _instance(box, frames=3)
    cleaned = PixelCleaning.filling_only().clean(instance)
    after = samples.written(instance, cleaned)
    assert [_is_flat(samples.samples_of(after, each), box) for each in range(3)] == [0, 1, 0]
    for number in (0, 2):
        assert (samples.samples_of(after, number) == samples.samples_of(instance, number)).all()


@pytest.mark.parametrize(
    "box",
    [
        BOX._replace(left=samples.COLUMNS),
        BOX._replace(top=-30, height=10),
        BOX._replace(frame=2),
        BOX._replace(frame=-1),
        BOX._replace(width=0),
    ],
    ids=["right of it", "above it", "no such frame", "before the first", "empty"],
)
def test_a_box_outside_the_picture_is_refused(box: DrawnBox) -> None:
    with pytest.raises(Unsafe) as caught:
        PixelCleaning.filling_only().clean(_instance(BOX, box))
    assert (caught.value.reason, caught.value.where) == (
        Reason.PIXELS_NOT_CLEANED,
        "box 2 by hand lies outside",
    )


def test_a_picture_of_which_nothing_would_be_left_is_refused() -> None:
    upper = DrawnBox(0, 0, 0, samples.COLUMNS, samples.ROWS // 2)
    lower = upper._replace(top=samples.ROWS // 2, height=samples.ROWS)
    with pytest.raises(Unsafe) as caught:
        PixelCleaning.filling_only().clean(_instance(upper, lower, frames=2))
    assert caught.value.reason is Reason.TOO_MUCH_TEXT
    PixelCleaning.filling_only().clean(_instance(upper, lower._replace(frame=1), frames=2))


def test_what_is_found_is_filled_beside_the_boxes() -> None:
    found = TextRegion(Box(20, 40, 30, 10), 0.9)
    cleaned = PixelCleaning("REDACT_ALL_TEXT", _Finds(found)).clean(_instance(BOX))
    assert {each.why for each in cleaned.regions} == {"all_text", "by_hand"}


def _mostly_text(*drawn: DrawnBox, mode: str = "REDACT_SENSITIVE_TEXT") -> Any:
    """Clean a picture in which nearly all is taken for text, and one piece reads as a known name."""
    doubtful = TextRegion(Box(2, 24, samples.COLUMNS - 4, samples.ROWS - 26), 0.9, "", 0.0)
    name = TextRegion(Box(60, 6, 30, 8), 0.9, "SMITH JOHN", 0.97)
    cleaning = PixelCleaning(mode, _Finds(doubtful, name), most_filled={"others": 0.25})
    instance = replace(_instance(*drawn), known=(KnownIdentifier("SMITH^JOHN", "PERSON_NAME"),))
    return cleaning.clean(instance)


@pytest.mark.parametrize("mode", ["REDACT_SENSITIVE_TEXT", "REDACT_ALL_TEXT"])
def test_above_the_ceiling_boxes_stand_for_doubtful_text_and_a_read_name_still_goes(
    mode: str,
) -> None:
    with pytest.raises(Unsafe) as caught:
        _mostly_text(mode=mode)
    assert caught.value.reason is Reason.TOO_MUCH_TEXT
    cleaned = _mostly_text(BOX, mode=mode)
    assert {each.why for each in cleaned.regions} == {"known_identifier", "by_hand"}


def test_what_would_still_fill_more_than_the_ceiling_is_refused_again() -> None:
    name = TextRegion(Box(2, 24, samples.COLUMNS - 4, samples.ROWS - 26), 0.9, "SMITH JOHN", 0.97)
    cleaning = PixelCleaning("REDACT_ALL_TEXT", _Finds(name), most_filled={"others": 0.25})
    instance = replace(_instance(BOX), known=(KnownIdentifier("SMITH^JOHN", "PERSON_NAME"),))
    with pytest.raises(Unsafe) as caught:
        cleaning.clean(instance)
    assert caught.value.reason is Reason.TOO_MUCH_TEXT


def test_a_code_that_covers_all_is_left_to_the_boxes() -> None:
    code = TextRegion(Box(2, 24, samples.COLUMNS - 4, samples.ROWS - 26), 0.9, is_code=True)
    cleaning = PixelCleaning("REDACT_ALL_TEXT", _Finds(code), most_filled={"others": 0.25})
    cleaned = cleaning.clean(_instance(BOX))
    assert {each.why for each in cleaned.regions} == {"by_hand"}


def test_an_object_that_is_not_trusted_passes_with_boxes_only() -> None:
    capture: dict[str, Any] = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "Modality": "OT"}
    cleaning = PixelCleaning("REDACT_ALL_TEXT", samples.NothingFound())
    with pytest.raises(Unsafe) as caught:
        cleaning.clean(_instance(ConversionType="SD", **capture))
    assert caught.value.reason is Reason.SCREEN_CAPTURE
    assert _boxes(cleaning.clean(_instance(BOX, ConversionType="SD", **capture)))


def test_a_frame_that_cannot_be_decoded_is_refused_with_boxes_too() -> None:
    instance = replace(_instance(BOX), stop=20)
    with pytest.raises(Unsafe) as caught:
        PixelCleaning.filling_only().clean(instance)
    assert caught.value.reason is Reason.PIXELS_UNDECODABLE


# -- the whole instance --


def _ultrasound(**changes: Any) -> bytes:
    dataset = make_ct(rows=64, columns=64)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = pydicom.uid.UID(ULTRASOUND)
    dataset.Modality = "US"
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    return encoded(dataset)


def _deidentified(
    source: bytes, *drawn: DrawnBox, asked: dict[str, Any] = BASIC, **engines: Any
) -> tuple[pydicom.Dataset, deid.Outcome]:
    made = Engines(**engines) if engines else None
    result = deid.deidentify(source, deid.compile_plan(asked, KEY, engines=made), drawn=drawn)
    content = b"".join(
        source[part.start : part.stop] if isinstance(part, deid.Span) else part
        for part in result.segments
    )
    return pydicom.dcmread(io.BytesIO(content)), result.outcome


def test_what_was_refused_for_its_pixels_is_released_with_boxes_and_says_so() -> None:
    source = _ultrasound(BurnedInAnnotation="YES")
    with pytest.raises(Unsafe) as caught:
        _deidentified(source)
    assert caught.value.reason is Reason.PIXELS_NOT_CLEANED
    written, outcome = _deidentified(source, BOX)
    assert _is_flat(written.pixel_array, BOX)
    assert written.BurnedInAnnotation == "NO"
    assert list(written.DeidentificationMethod)[1:] == ["dicomveil 0.1 regions by hand"]
    assert "113101" in {item.CodeValue for item in written.DeidentificationMethodCodeSequence}
    assert [each.why for each in outcome.regions] == ["by_hand"]
    assert outcome.pixels_examined


def test_boxes_change_no_name_that_stands_for_anything() -> None:
    plain, _ = _deidentified(encoded(make_ct(rows=64, columns=64)))
    boxed, _ = _deidentified(encoded(make_ct(rows=64, columns=64)), BOX)
    for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert plain[keyword].value == boxed[keyword].value
    assert plain.DeidentificationMethod != boxed.DeidentificationMethod


def test_without_boxes_an_account_tells_of_no_hand() -> None:
    written, _ = _deidentified(encoded(make_ct(rows=64, columns=64)))
    assert "hand" not in str(written.DeidentificationMethod)


def test_an_account_of_boxes_outlasts_a_second_step() -> None:
    first, _ = _deidentified(encoded(make_ct(rows=64, columns=64)), BOX)
    second, _ = _deidentified(encoded(first))
    assert "dicomveil 0.1 regions by hand" in list(second.DeidentificationMethod)


def test_boxes_are_filled_where_the_configuration_looks_at_likely_pictures_only() -> None:
    source = encoded(make_ct(rows=64, columns=64))
    asked = {**samples.configuration(), "dicomveil": {"pixels": "likely"}}
    written, _ = _deidentified(source, BOX, asked=asked, detector=samples.NothingFound)
    assert _is_flat(written.pixel_array, BOX)


def test_a_refusal_of_the_header_stays_one() -> None:
    source = _ultrasound(SOPClassUID="1.2.3.4")
    with pytest.raises(Unsafe) as caught:
        _deidentified(source, BOX)
    assert caught.value.reason is Reason.SOP_CLASS_UNKNOWN


def test_an_icon_does_not_show_what_was_filled() -> None:
    icon = pydicom.Dataset()
    icon.Rows = icon.Columns = 8
    icon.SamplesPerPixel, icon.PhotometricInterpretation = 1, "MONOCHROME2"
    icon.BitsAllocated = icon.BitsStored = 8
    icon.HighBit, icon.PixelRepresentation, icon.PixelData = 7, 0, bytes(range(64))
    kept = {"dicom": {"filterProfile": "KEEP_ALL_PROFILE"}}
    source = encoded(make_ct(rows=64, columns=64))
    dataset = pydicom.dcmread(io.BytesIO(source))
    dataset.IconImageSequence = [icon]
    written, _ = _deidentified(encoded(dataset), BOX, asked=kept)
    assert "IconImageSequence" not in written


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless])
@pytest.mark.parametrize("colours", [1, 3])
def test_a_box_is_filled_whatever_the_encoding(syntax: str, colours: int) -> None:
    frame = samples.texture(samples=colours)
    described = samples.attributes(frame)
    raw = None if syntax == ExplicitVRLittleEndian else [samples.encode(syntax, frame)]
    instance = samples.make_instance(syntax, [frame], described, encoded=raw)
    instance = replace(instance, drawn=(BOX,))
    after = samples.written(instance, PixelCleaning.filling_only().clean(instance))
    assert _is_flat(samples.samples_of(after)[..., 0], BOX)


def test_a_box_in_a_lossy_frame_is_filled_in_its_blocks() -> None:
    frame = samples.texture()
    raw = [samples.encode(JPEGBaseline8Bit, frame)]
    instance = samples.make_instance(
        JPEGBaseline8Bit, [frame], samples.attributes(frame), encoded=raw
    )
    cleaned = PixelCleaning.filling_only().clean(replace(instance, drawn=(BOX,)))
    after = samples.samples_of(samples.written(instance, cleaned))
    area = after[BOX.top : BOX.top + BOX.height, BOX.left : BOX.left + BOX.width]
    assert np.ptp(area) <= 8
