"""Cleaning an instance: modes, rules, objects that are refused, and every way to fail closed."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deid.errors import ConfigurationInvalid, Reason, Unsafe
from deid.identity.identifiers import KnownIdentifier
from deid.pixels.cleaning import PixelCleaning
from deid.pixels.codecs.table import CODECS
from deid.pixels.geometry import Box
from deid.pixels.overlays import clean_overlay
from deid.pixels.ports import TextRegion
from tests import pixel_samples as samples

PERSON = (
    KnownIdentifier("SMITH^JOHN", "PERSON_NAME"),
    KnownIdentifier("H6051369", "MEDICAL_RECORD_NUMBER"),
)


def _instance(*texts: str, known: Any = PERSON, **more: Any) -> Any:
    frame = samples.texture(rows=240, columns=320) // 4
    for number, text in enumerate(texts):
        frame = (
            samples.with_text(frame * 4, text, at=(30, 40 + 50 * number))
            if not number
            else _add(frame, text, 40 + 50 * number)
        )
    return samples.make_instance(
        samples.EXPLICIT_LE, [frame], samples.attributes(frame, **more), known=known
    )


def _add(frame: Any, text: str, top: int) -> Any:
    added = samples.with_text(np.zeros_like(frame), text, at=(30, top))
    return np.maximum(frame, added)


def _clean(instance: Any, mode: str = "REDACT_ALL_TEXT", **options: Any) -> Any:
    options.setdefault("untrusted", ())
    return PixelCleaning(mode, samples.detector(), **options).clean(instance)


def test_all_text_goes() -> None:
    cleaned = _clean(_instance("SMITH^JOHN", "kVp 120"))
    assert {region.why for region in cleaned.regions} == {"all_text"}
    assert len(cleaned.regions) >= 2
    assert cleaned.examined_all


def test_sensitive_text_goes_and_machine_settings_stay() -> None:
    cleaned = _clean(_instance("SMITH^JOHN", "kVp 120"), "REDACT_SENSITIVE_TEXT")
    assert {region.why for region in cleaned.regions} == {"known_identifier"}
    assert all(region.top < 60 for region in cleaned.regions)


def test_text_that_stays_keeps_its_letters_between_lines_that_go() -> None:
    frame = samples.texture(rows=240, columns=320) // 8
    lines = ("SMITH JOHN", "kVp 120", "ID H6051369")
    tops = [60 + 16 * number for number in range(3)]
    for text, top in zip(lines, tops, strict=True):
        frame = _add(frame, text, top)
    instance = samples.make_instance(
        samples.EXPLICIT_LE, [frame], samples.attributes(frame), known=PERSON
    )
    cleaned = _clean(instance, "REDACT_SENSITIVE_TEXT")
    filled = np.zeros((240, 320), np.bool_)
    for region in cleaned.regions:
        filled[region.top : region.top + region.height, region.left :][:, : region.width] = True
    ink = [
        _add(np.zeros_like(frame), text, top)[..., 0] > 128
        for text, top in zip(lines, tops, strict=True)
    ]
    assert [bool(filled[letters].mean() > 0.9) for letters in ink] == [True, False, True]
    assert filled[ink[1]].mean() < 0.1


class _Finds:
    """A detector that answers with these regions."""

    def __init__(self, *regions: TextRegion) -> None:
        self._regions = list(regions)

    def find(self, pictures: Any, *, needs_reading: bool = True) -> list[list[TextRegion]]:
        return [self._regions for _ in pictures]


@pytest.mark.parametrize(("apart", "goes"), [(2, True), (60, False)])
def test_pieces_of_one_line_are_judged_together_too(apart: int, goes: bool) -> None:
    day = TextRegion(Box(20, 40, 30, 16), 0.9, "27", 0.97)
    month = TextRegion(Box(50 + apart, 40, 90, 16), 0.9, "FEB 2013", 0.97)
    found = _Finds(day, month)
    cleaned = PixelCleaning("REDACT_SENSITIVE_TEXT", found, untrusted=()).clean(_instance())
    covered = {region.left < 30 for region in cleaned.regions}
    assert (True in covered) == goes


def test_lines_that_stand_beside_each_other_are_not_one_line() -> None:
    name = TextRegion(Box(40, 20, 22, 100), 0.9, "SMITH", 0.97)
    place = TextRegion(Box(66, 20, 22, 80), 0.9, "Loc -34.5", 0.97)
    found = _Finds(name, place)
    cleaned = PixelCleaning("REDACT_SENSITIVE_TEXT", found, untrusted=()).clean(_instance())
    assert [region.left < 40 for region in cleaned.regions] == [True]


def test_no_text_changes_and_examines_nothing() -> None:
    cleaned = _clean(_instance("SMITH^JOHN"), "REDACT_NO_TEXT")
    assert cleaned.segments is None
    assert not cleaned.examined_all


def test_a_frame_without_text_is_examined_and_left_alone() -> None:
    cleaned = _clean(_instance())
    assert cleaned.segments is None
    assert cleaned.regions == ()
    assert cleaned.examined_all


def test_excluded_info_types_stay() -> None:
    instance = _instance("SMITH^JOHN", "12 JUN 2014")
    excluded = {"exclude_info_types": ["PERSON_NAME"]}
    why = {region.why for region in _clean(instance, "REDACT_SENSITIVE_TEXT", **excluded).regions}
    assert "known_identifier" not in why
    assert "info_type:DATE" in why


def test_info_types_and_modes_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigurationInvalid):
        PixelCleaning("REDACT_ALL_TEXT", samples.NothingFound(), additional_info_types=["DATE"])
    with pytest.raises(ConfigurationInvalid):
        PixelCleaning("REDACT_NO_TEXT", samples.NothingFound(), exclude_info_types=["DATE"])


def test_a_region_never_tells_its_text() -> None:
    cleaned = _clean(_instance("SMITH^JOHN"), "REDACT_SENSITIVE_TEXT")
    assert "SMITH" not in repr(cleaned)


def test_ultrasound_outside_its_regions_is_blank() -> None:
    region = {
        "RegionLocationMinX0": 40,
        "RegionLocationMinY0": 60,
        "RegionLocationMaxX1": 299,
        "RegionLocationMaxY1": 219,
    }
    instance = _instance(Modality="US", SequenceOfUltrasoundRegions=[region])
    cleaned = _clean(instance)
    after = samples.samples_of(samples.written(instance, cleaned))
    before = samples.samples_of(instance)
    kept = Box(40, 60, 260, 160)
    mask = samples.outside(kept, 240, 320)
    assert (after[mask] == 0).all()
    assert (after[~mask] == before[~mask]).all()
    assert {found.why for found in cleaned.regions} == {"rule:ultrasound_regions"}
    off = _clean(instance, blank_outside_ultrasound_regions=False)
    assert off.segments is None


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, Reason.SCREEN_CAPTURE),
        ({"ConversionType": "WSD"}, Reason.SCREEN_CAPTURE),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, Reason.SCREEN_CAPTURE),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"}, Reason.DOCUMENT_NOT_CLEANED),
    ],
)
def test_objects_that_cannot_be_trusted_are_refused(more: dict[str, Any], reason: Reason) -> None:
    frame = samples.texture()
    described = samples.attributes(frame) | more
    instance = samples.make_instance(samples.EXPLICIT_LE, [frame], described)
    with pytest.raises(Unsafe) as refused:
        PixelCleaning("REDACT_ALL_TEXT", samples.NothingFound()).clean(instance)
    assert refused.value.reason is reason
    trusting = PixelCleaning("REDACT_ALL_TEXT", samples.NothingFound(), untrusted=())
    assert trusting.clean(instance).examined_all


def _refused(instance: Any, **options: Any) -> Reason:
    with pytest.raises(Unsafe) as refused:
        samples.filling(samples.BOX, **options).clean(instance)
    return refused.value.reason


def test_video_without_a_decoder_is_refused() -> None:
    frame = samples.texture(samples=3)
    for last in ("100", "102", "107"):
        syntax = f"1.2.840.10008.1.2.4.{last}"
        instance = samples.make_instance(
            syntax, [frame], samples.attributes(frame), encoded=[b"\0\0\1\xb3"]
        )
        assert _refused(instance) is Reason.VIDEO_NOT_CLEANED


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.110", "1.2.3"])
def test_a_transfer_syntax_that_is_not_understood_is_refused(syntax: str) -> None:
    frame = samples.texture()
    instance = samples.make_instance(syntax, [frame], samples.attributes(frame), encoded=[b"ab"])
    assert _refused(instance) is Reason.PIXELS_UNDECODABLE


@pytest.mark.parametrize("syntax", list(CODECS))
@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
def test_a_frame_that_cannot_be_decoded_is_refused(syntax: str, damage: str) -> None:
    frame = samples.texture()
    whole = samples.encode(syntax, frame)
    broken = {"cut": whole[: len(whole) // 2], "garbage": bytes(range(256)) * 8, "empty": b""}
    instance = samples.make_instance(
        syntax, [frame], samples.attributes(frame), encoded=[broken[damage]]
    )
    assert _refused(instance) is Reason.PIXELS_UNDECODABLE


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("Rows", 0),
        ("Columns", None),
        ("Rows", 60000),
        ("BitsAllocated", 12),
        ("BitsStored", 9),
        ("HighBit", 3),
        ("SamplesPerPixel", 2),
        ("PhotometricInterpretation", "CMYK"),
        ("NumberOfFrames", "many"),
        ("NumberOfFrames", 3),
    ],
)
def test_a_description_that_does_not_fit_its_pixels_is_refused(keyword: str, value: Any) -> None:
    frame = samples.texture()
    instance = samples.make_instance(samples.EXPLICIT_LE, [frame], samples.attributes(frame))
    instance = replace(instance, attributes={**instance.attributes, keyword: value})
    assert _refused(instance) is Reason.PIXELS_UNDECODABLE


def test_a_codestream_of_another_size_than_the_dataset_says_is_refused() -> None:
    frame = samples.texture()
    larger = samples.texture(rows=200, columns=200)
    # RLE has no size of its own; what is too much there is cleared, as after the last row.
    for syntax in CODECS.keys() - {samples.RLE}:
        instance = samples.make_instance(
            syntax, [frame], samples.attributes(frame), encoded=[samples.encode(syntax, larger)]
        )
        assert _refused(instance) is Reason.PIXELS_UNDECODABLE


def test_a_detector_that_fails_refuses_the_instance_without_telling_why() -> None:
    class Failing:
        def find(self, pictures: Any, *, needs_reading: bool = True) -> Any:
            raise RuntimeError("saw SMITH^JOHN")

    frame = samples.texture()
    instance = samples.make_instance(samples.EXPLICIT_LE, [frame], samples.attributes(frame))
    with pytest.raises(Unsafe) as refused:
        PixelCleaning("REDACT_ALL_TEXT", Failing(), untrusted=()).clean(instance)
    assert refused.value.reason is Reason.PIXELS_NOT_CLEANED
    assert "SMITH" not in str(refused.value)


def test_running_out_of_memory_is_not_mistaken_for_a_bad_frame() -> None:
    class Greedy:
        def find(self, pictures: Any, *, needs_reading: bool = True) -> Any:
            raise MemoryError

    frame = samples.texture()
    instance = samples.make_instance(samples.EXPLICIT_LE, [frame], samples.attributes(frame))
    with pytest.raises(MemoryError):
        PixelCleaning("REDACT_ALL_TEXT", Greedy(), untrusted=()).clean(instance)


def test_progressive_jpeg_with_something_to_fill_is_refused() -> None:
    frame = samples.texture()
    out = BytesIO()
    Image.fromarray(frame[..., 0]).save(out, "JPEG", progressive=True)
    instance = samples.make_instance(
        samples.JPEG_BASELINE, [frame], samples.attributes(frame), encoded=[out.getvalue()]
    )
    assert _refused(instance) is Reason.PIXELS_UNDECODABLE


def test_text_in_an_overlay_plane_goes_and_graphics_stay() -> None:
    plane = np.zeros((128, 200), np.uint8)
    plane[90:91, 10:150] = 1
    text = samples.with_text(np.zeros((128, 200, 1), np.uint8), "JOHN SMITH", at=(20, 40))[..., 0]
    plane |= (text > 128).astype(np.uint8)
    data = np.packbits(plane.ravel(), bitorder="little").tobytes()
    cleaner = PixelCleaning("REDACT_ALL_TEXT", samples.detector(), untrusted=())
    after = clean_overlay(cleaner, data, 128, 200)
    assert after is not None
    bits = np.unpackbits(np.frombuffer(after, np.uint8), bitorder="little").reshape(128, 200)
    assert bits[20:60].sum() == 0
    assert bits[90, 10:150].all()


def test_an_overlay_without_text_is_left_alone() -> None:
    data = np.packbits(np.eye(64, dtype=np.uint8).ravel(), bitorder="little").tobytes()
    cleaner = PixelCleaning("REDACT_ALL_TEXT", samples.NothingFound(), untrusted=())
    assert clean_overlay(cleaner, data, 64, 64) is None


def test_an_overlay_that_is_too_short_is_refused() -> None:
    cleaner = PixelCleaning("REDACT_ALL_TEXT", samples.NothingFound(), untrusted=())
    with pytest.raises(Unsafe):
        clean_overlay(cleaner, b"\0" * 10, 64, 64)


class _SeesALineAndAPiece:
    """A detector that sees a word that may stay, and what lies within it."""

    def __init__(self, piece: TextRegion) -> None:
        self._found = [TextRegion(Box(30, 20, 100, 20), 0.9, "PORTAL VENOUS", 0.99), piece]

    def find(self, pictures: Any, *, needs_reading: bool = True) -> list[list[TextRegion]]:
        return [self._found for _ in pictures]


@pytest.mark.parametrize(
    ("piece", "reason"),
    [
        (TextRegion(Box(60, 22, 30, 16), 0.6), "unreadable"),
        (TextRegion(Box(60, 26, 16, 7), 0.3, "CX", 0.7), "unreadable"),
        (TextRegion(Box(60, 21, 58, 18), 1.0, is_code=True), "bar_code"),
    ],
    ids=["not read", "read otherwise", "squares"],
)
@pytest.mark.parametrize("frames", [1, 2, 6])
def test_a_piece_of_a_line_is_filled_where_a_later_frame_may_show_something_there(
    frames: int, piece: TextRegion, reason: str
) -> None:
    frame = samples.texture(rows=96, columns=160)
    instance = samples.make_instance(
        samples.EXPLICIT_LE, [frame] * frames, samples.attributes(frame, NumberOfFrames=frames)
    )
    cleaner = PixelCleaning("REDACT_SENSITIVE_TEXT", _SeesALineAndAPiece(piece), untrusted=())
    reasons = {region.why for region in cleaner.clean(instance).regions}
    assert reasons == ({reason} if frames > 1 else set())


class _SeesACodeAndLetters:
    """A detector that sees a code, and letters in it or beside it."""

    def __init__(self, letters: Box) -> None:
        code = TextRegion(Box(60, 30, 44, 40), 1.0, is_code=True)
        self._found = [TextRegion(letters, 0.9), code]

    def find(self, pictures: Any, *, needs_reading: bool = True) -> list[list[TextRegion]]:
        return [self._found for _ in pictures]


@pytest.mark.parametrize(
    ("letters", "around"),
    [(Box(58, 29, 47, 42), 3), (Box(52, 29, 52, 48), 3 + 24), (Box(20, 30, 40, 40), 3 + 20)],
    ids=["the code", "more than the code", "beside it"],
)
def test_what_is_seen_as_letters_in_a_code_has_a_code_s_margins(letters: Box, around: int) -> None:
    frame = samples.texture(rows=96, columns=160)
    instance = samples.make_instance(samples.EXPLICIT_LE, [frame], samples.attributes(frame))
    cleaner = PixelCleaning("REDACT_ALL_TEXT", _SeesACodeAndLetters(letters), untrusted=())
    regions = cleaner.clean(instance).regions
    assert min(region.left for region in regions) == max(letters.left - around, 0)
