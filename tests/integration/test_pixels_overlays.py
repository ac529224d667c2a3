"""Overlay planes through the whole engine: cleaned where they stay, gone where nobody can clean them."""

from __future__ import annotations

import io
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from deid.errors import Reason, Unsafe
from deid.ports import DrawnBox
from tests import pixel_samples as samples
from tests.conftest import program
from tests.factories import encode_as, encoded, make_ct, make_pr, make_us

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from deid.identity.keys import SiteKey

ROWS, COLUMNS = 101, 203  # odd on purpose: frames do not begin on a byte
CLEAN_GRAPHICS = samples.configuration(options=["clean_graphics"])
KEEP_ALL = samples.configuration(profile="KEEP_ALL_PROFILE")


def plane(*, with_name: bool = True) -> NDArray[Any]:
    """Return a bitmap with a line, and a name above it."""
    bits = np.zeros((ROWS, COLUMNS), np.uint8)
    bits[80, 10:150] = 1
    if with_name:
        blank = np.zeros((ROWS, COLUMNS, 1), np.uint8)
        bits |= samples.with_text(blank, "JOHN SMITH", at=(20, 40))[..., 0] > 128
    return bits


def add_overlay(
    dataset: Dataset, *planes: NDArray[Any], group: int = 0x6000, vr: str = "OW", **changes: Any
) -> None:
    """Add an overlay; `changes` sets its elements by number (``e0010=None`` removes one)."""
    rows, columns = planes[0].shape
    elements = {
        0x0010: ("US", rows),
        0x0011: ("US", columns),
        0x0022: ("LO", "Thistlemoor's arrow"),
        0x0040: ("CS", "G"),
        0x0050: ("SS", [1, 1]),
        0x0100: ("US", 1),
        0x0102: ("US", 0),
        0x1500: ("LO", "Smith"),
        0x4000: ("LT", "seen by Dr. Smith"),
    }
    if len(planes) > 1:
        elements |= {0x0015: ("IS", len(planes)), 0x0051: ("US", 1)}
    data = np.packbits(np.concatenate([each.ravel() for each in planes]), bitorder="little")
    raw = data.tobytes()
    elements[0x3000] = (vr, raw + bytes(len(raw) % 2))
    for name, change in changes.items():
        elements[int(name[1:], 16)] = change
    for number, element in elements.items():
        if element is not None:
            dataset.add_new(group << 16 | number, *element)


def planes_of(dataset: Dataset, group: int = 0x6000, frames: int = 1) -> NDArray[Any]:
    """Return the planes as a reader sees them."""
    raw = dataset[group, 0x3000].value
    bits = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")
    return bits[: frames * ROWS * COLUMNS].reshape(frames, ROWS, COLUMNS)


def result_of(dataset: Dataset, asked: dict[str, Any], key: SiteKey) -> Dataset:
    written, _outcome = samples.deidentified(encoded(dataset), asked, key)
    return pydicom.dcmread(io.BytesIO(written))


def overlay_tags(dataset: Dataset) -> set[int]:
    return {element.tag for element in dataset if element.tag >> 24 == 0x60}


@pytest.mark.parametrize("asked", [CLEAN_GRAPHICS, KEEP_ALL], ids=["clean_graphics", "keep_all"])
@pytest.mark.parametrize("vr", ["OB", "OW"])
def test_a_plane_that_stays_loses_its_text_and_keeps_its_graphics(
    site_key: SiteKey, asked: dict[str, Any], vr: str
) -> None:
    dataset = make_ct(rows=32)
    add_overlay(dataset, plane(), vr=vr)
    result = result_of(dataset, asked, site_key)
    assert (planes_of(result)[0] == plane(with_name=False)).all()
    assert (result[0x6000, 0x0010].value, result[0x6000, 0x0011].value) == (ROWS, COLUMNS)


def test_what_people_write_about_a_plane_goes(site_key: SiteKey) -> None:
    dataset = make_ct(rows=32)
    add_overlay(dataset, plane())
    result = result_of(dataset, CLEAN_GRAPHICS, site_key)
    assert not {0x60000022, 0x60001500, 0x60004000} & overlay_tags(result)


@pytest.mark.parametrize(
    "asked",
    [
        samples.configuration(),
        samples.configuration(""),
        samples.configuration("", options=["clean_graphics"]),
        samples.configuration(profile="MINIMAL_KEEP_LIST_PROFILE"),
        {**KEEP_ALL, "dicom": {"removeList": {"tags": ["SoftwareVersions"]}}},
    ],
    ids=["basic", "no pixels", "nobody to clean", "minimal", "remove list"],
)
def test_a_plane_that_goes_leaves_nothing_that_describes_it(
    site_key: SiteKey, asked: dict[str, Any]
) -> None:
    dataset = make_ct(rows=32)
    add_overlay(dataset, plane())
    add_overlay(dataset, plane(with_name=False), group=0x6002)
    assert overlay_tags(result_of(dataset, asked, site_key)) == set()


def test_without_pixel_cleaning_keep_all_keeps_planes_as_they_are(site_key: SiteKey) -> None:
    dataset = make_ct(rows=32)
    add_overlay(dataset, plane())
    asked = samples.configuration("", profile="KEEP_ALL_PROFILE")
    assert (planes_of(result_of(dataset, asked, site_key))[0] == plane()).all()


def test_every_frame_of_every_plane_is_cleaned(site_key: SiteKey) -> None:
    dataset = make_ct(rows=32)
    add_overlay(dataset, plane(with_name=False), plane(), plane())
    add_overlay(dataset, plane(), group=0x601E)
    result = result_of(dataset, CLEAN_GRAPHICS, site_key)
    assert (planes_of(result, frames=3) == plane(with_name=False)).all()
    assert (planes_of(result, 0x601E)[0] == plane(with_name=False)).all()
    assert result[0x6000, 0x0015].value == 3


@pytest.mark.parametrize("vr", ["OB", "OW"])
def test_big_endian_words_are_cleaned_where_they_belong(
    tmp_path: Path, site_key: SiteKey, vr: str
) -> None:
    dataset = encode_as(make_ct(rows=32), samples.EXPLICIT_BE)
    add_overlay(dataset, plane(), vr=vr)
    if vr == "OW":
        raw = np.frombuffer(dataset[0x6000, 0x3000].value, np.uint8)
        dataset[0x6000, 0x3000].value = raw.reshape(-1, 2)[:, ::-1].tobytes()
    result = result_of(dataset, CLEAN_GRAPHICS, site_key)
    raw = np.frombuffer(result[0x6000, 0x3000].value, np.uint8)
    if vr == "OW":
        raw = raw.reshape(-1, 2)[:, ::-1].ravel()
    bits = np.unpackbits(raw, bitorder="little")[: ROWS * COLUMNS].reshape(ROWS, COLUMNS)
    assert (bits == plane(with_name=False)).all()


@pytest.mark.peer("dcmconv", "gdcmconv")
@pytest.mark.parametrize("syntax", [samples.EXPLICIT_BE, samples.IMPLICIT_LE])
def test_dcmtk_and_gdcm_read_the_plane_as_we_cleaned_it(
    tmp_path: Path, site_key: SiteKey, syntax: str
) -> None:
    source = tmp_path / "source.dcm"
    dataset = make_ct(rows=32)
    add_overlay(dataset, plane())
    dataset.save_as(source)
    there, back = tmp_path / "there.dcm", tmp_path / "back.dcm"
    option = "+tb" if syntax == samples.EXPLICIT_BE else "+ti"
    subprocess.run([str(program("dcmconv")), option, str(source), str(there)], check=True)
    written, _ = samples.deidentified(there.read_bytes(), CLEAN_GRAPHICS, site_key)
    there.write_bytes(written)
    for command in (["dcmconv", "+te"], ["gdcmconv", "--raw"]):
        found = program(command[0])
        subprocess.run([str(found), *command[1:], str(there), str(back)], check=True, timeout=240)
        assert (planes_of(pydicom.dcmread(back))[0] == plane(with_name=False)).all()


def test_presentation_states_have_planes_too(site_key: SiteKey) -> None:
    dataset = make_pr()
    add_overlay(dataset, plane())
    result = result_of(dataset, CLEAN_GRAPHICS, site_key)
    assert (planes_of(result)[0] == plane(with_name=False)).all()


def test_the_sensitive_mode_keeps_what_does_not_identify(site_key: SiteKey) -> None:
    blank = np.zeros((ROWS, COLUMNS, 1), np.uint8)
    bits = (samples.with_text(blank, "kVp 120", at=(20, 40))[..., 0] > 128).astype(np.uint8)
    dataset = make_ct(rows=32)
    add_overlay(dataset, bits)
    asked = samples.configuration("REDACT_SENSITIVE_TEXT", options=["clean_graphics"])
    assert (planes_of(result_of(dataset, asked, site_key))[0] == bits).all()


@pytest.mark.parametrize(
    "asked",
    [CLEAN_GRAPHICS, KEEP_ALL, samples.configuration("")],
    ids=["clean_graphics", "keep_all", "basic"],
)
def test_a_plane_in_unused_bits_goes_with_what_describes_it(
    site_key: SiteKey, asked: dict[str, Any]
) -> None:
    dataset = make_ct(rows=64)
    hidden = dataset.pixel_array.astype(np.uint16) & 0x0FFF | 0x8000
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 0
    dataset.PixelData = hidden.tobytes()
    add_overlay(dataset, plane(), e3000=None, e0100=("US", 16), e0102=("US", 15))
    result = result_of(dataset, asked, site_key)
    assert overlay_tags(result) == set()
    assert (np.frombuffer(result.PixelData, "<u2") == hidden.ravel() & 0x0FFF).all()


def test_a_plane_in_unused_bits_of_pixels_that_nobody_decodes_is_refused(site_key: SiteKey) -> None:
    dataset = encode_as(make_ct(rows=64), samples.RLE)
    add_overlay(dataset, plane(), e3000=None, e0100=("US", 16), e0102=("US", 15))
    with pytest.raises(Unsafe) as refused:
        result_of(dataset, samples.configuration(""), site_key)
    assert refused.value.reason is Reason.PIXELS_NOT_CLEANED
    assert refused.value.where == "(6000,0102)"
    passing = samples.configuration("", dicomveil={"burnedIn": "pass"})
    assert overlay_tags(result_of(dataset, passing, site_key)) == set()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"e0010": None}, Reason.PIXELS_UNDECODABLE),
        ({"e0010": ("US", 0)}, Reason.PIXELS_UNDECODABLE),
        ({"e0010": ("US", 65535), "e0011": ("US", 65535)}, Reason.PIXELS_UNDECODABLE),
        ({"e0011": ("US", [203, 203])}, Reason.PIXELS_UNDECODABLE),
        ({"e0010": ("LO", "many")}, Reason.PIXELS_UNDECODABLE),
        ({"e0015": ("IS", "2")}, Reason.PIXELS_UNDECODABLE),
        ({"e0015": ("IS", "0")}, Reason.PIXELS_UNDECODABLE),
        ({"e0015": ("IS", "-1")}, Reason.PIXELS_UNDECODABLE),
        ({"e0100": ("US", 16)}, Reason.PIXELS_UNDECODABLE),
        ({"e0102": ("US", 12)}, Reason.PIXELS_UNDECODABLE),
        ({"e3000": ("OW", b"")}, Reason.PIXELS_UNDECODABLE),
        ({"e3000": ("OW", bytes(100))}, Reason.PIXELS_UNDECODABLE),
    ],
)
@pytest.mark.parametrize("asked", [CLEAN_GRAPHICS, KEEP_ALL], ids=["clean_graphics", "keep_all"])
def test_a_plane_whose_size_makes_no_sense_is_refused(
    site_key: SiteKey, asked: dict[str, Any], changes: dict[str, Any], reason: Reason
) -> None:
    dataset = make_ct(rows=32)
    add_overlay(dataset, plane(), **changes)
    with pytest.raises(Unsafe) as refused:
        result_of(dataset, asked, site_key)
    assert refused.value.reason is reason


@pytest.mark.parametrize("asked", [CLEAN_GRAPHICS, KEEP_ALL], ids=["clean_graphics", "keep_all"])
@pytest.mark.parametrize("where", ["twice", "after the pixels"])
def test_a_plane_that_could_be_looked_past_is_refused(
    site_key: SiteKey, asked: dict[str, Any], where: str
) -> None:
    dataset = make_ct(rows=32)
    add_overlay(dataset, plane())
    source = encoded(dataset)
    at = source.index(b"\x00\x60\x00\x30OW")
    size = 12 + len(dataset[0x6000, 0x3000].value)
    element = source[at : at + size]
    if where == "twice":
        source = source[:at] + element + source[at:]
    else:
        source = source[:at] + source[at + size :] + element
    with pytest.raises(Unsafe) as refused:
        samples.deidentified(source, asked, site_key)
    assert refused.value.reason in {Reason.MALFORMED, Reason.PIXELS_UNDECODABLE}


def test_bits_after_the_last_frame_go(site_key: SiteKey) -> None:
    dataset = make_ct(rows=32)
    add_overlay(dataset, plane(with_name=False))
    dataset[0x6000, 0x3000].value += b"SMITH^JOHN"
    result = result_of(dataset, CLEAN_GRAPHICS, site_key)
    assert (planes_of(result)[0] == plane(with_name=False)).all()
    assert b"SMITH" not in result[0x6000, 0x3000].value


def test_the_smallest_plane_is_examined_and_stays(site_key: SiteKey) -> None:
    dataset = make_ct(rows=32)
    add_overlay(dataset, np.ones((1, 1), np.uint8))
    assert result_of(dataset, CLEAN_GRAPHICS, site_key)[0x6000, 0x3000].value == b"\x01\x00"


def test_planes_inside_sequences_go(site_key: SiteKey) -> None:
    dataset, item = make_ct(rows=32), Dataset()
    add_overlay(item, plane())
    item.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.ReferencedImageSequence = [item]
    for asked in (CLEAN_GRAPHICS, KEEP_ALL):
        result = result_of(dataset, asked, site_key)
        assert not [e for e in result.iterall() if e.tag >> 24 == 0x60]


def test_texts_of_a_presentation_state_go_and_its_shapes_stay(site_key: SiteKey) -> None:
    dataset, annotation, text, shape = make_pr(), Dataset(), Dataset(), Dataset()
    text.BoundingBoxAnnotationUnits, text.UnformattedTextValue = "PIXEL", "as told to Dr. Smith"
    text.BoundingBoxTopLeftHandCorner = [1.0, 2.0]
    text.BoundingBoxBottomRightHandCorner = [10.0, 20.0]
    shape.GraphicAnnotationUnits, shape.GraphicType, shape.GraphicFilled = "PIXEL", "POLYLINE", "N"
    shape.GraphicDimensions, shape.NumberOfGraphicPoints = 2, 2
    shape.GraphicData = [1.0, 2.0, 3.0, 4.0]
    annotation.GraphicLayer = "LAYER1"
    annotation.TextObjectSequence, annotation.GraphicObjectSequence = [text], [shape]
    dataset.GraphicAnnotationSequence = [annotation]
    (result,) = result_of(dataset, CLEAN_GRAPHICS, site_key).GraphicAnnotationSequence
    assert "Smith" not in result.TextObjectSequence[0].UnformattedTextValue
    assert result.TextObjectSequence[0].BoundingBoxTopLeftHandCorner == [1.0, 2.0]
    assert result.GraphicObjectSequence[0].GraphicData == [1.0, 2.0, 3.0, 4.0]


BESIDE = DrawnBox(1, 0, 0, 4, 4)
NAME = DrawnBox(0, 15, 5, 30, 20)


def released(dataset: Dataset, asked: dict[str, Any], key: SiteKey, *drawn: DrawnBox) -> Dataset:
    """Return the result of an instance over which a person drew boxes."""
    written, _outcome = samples.deidentified(encoded(dataset), asked, key, drawn=drawn)
    return pydicom.dcmread(io.BytesIO(written))


def test_boxes_by_hand_keep_no_plane_that_nobody_has_cleaned(site_key: SiteKey) -> None:
    dataset = make_ct(rows=32)
    add_overlay(dataset, plane())
    asked = samples.configuration("", options=["clean_graphics"])
    assert overlay_tags(released(dataset, asked, site_key, BESIDE)) == set()


def test_boxes_by_hand_leave_nothing_of_a_plane_in_unused_bits(site_key: SiteKey) -> None:
    dataset = make_ct(rows=32)
    dataset.BitsStored, dataset.HighBit = 12, 11
    words = np.frombuffer(dataset.PixelData, np.uint16) & 0x0FFF | 0x8000
    dataset.PixelData = words.tobytes()
    for number, value in ((0x0010, 32), (0x0011, 32), (0x0100, 16), (0x0102, 15)):
        dataset.add_new(0x60000000 | number, "US", value)
    asked = samples.configuration("", profile="KEEP_ALL_PROFILE")
    result = released(dataset, asked, site_key, BESIDE)
    assert overlay_tags(result) == set()
    after = np.frombuffer(result.PixelData, np.uint16)
    is_negative = after >> 11 & 1 == 1
    unused = after >> 12
    assert set(unused[~is_negative]) <= {0}
    assert set(unused[is_negative]) <= ({15} if dataset.PixelRepresentation else {0})


@pytest.mark.parametrize("text", ["", "REDACT_ALL_TEXT"], ids=["no pixels", "cleaned"])
def test_a_box_by_hand_empties_planes_where_it_lies_on_the_image(
    site_key: SiteKey, text: str
) -> None:
    dataset = make_ct(rows=32)
    bits = np.ones((ROWS, COLUMNS), np.uint8)
    add_overlay(dataset, bits, e0050=("SS", [-3, 6]))
    add_overlay(dataset, bits, group=0x6002)
    asked = samples.configuration(text, profile="KEEP_ALL_PROFILE")
    result = released(dataset, asked, site_key, NAME)
    for group, top, left in ((0x6000, -4, 5), (0x6002, 0, 0)):
        expected = bits.copy()
        rows = slice(NAME.top - top, NAME.top - top + NAME.height)
        columns = slice(NAME.left - left, NAME.left - left + NAME.width)
        expected[rows, columns] = 0
        assert (planes_of(result, group)[0] == expected).all()


def test_a_box_in_a_frame_empties_the_frame_of_a_plane_that_lies_on_it(site_key: SiteKey) -> None:
    dataset = make_us(rows=64, frames=3)
    bits = np.ones((ROWS, COLUMNS), np.uint8)
    add_overlay(dataset, bits, bits, e0051=("US", 2))
    add_overlay(dataset, bits, group=0x6002)
    asked = samples.configuration("", profile="KEEP_ALL_PROFILE")
    result = released(dataset, asked, site_key, NAME._replace(frame=3))
    inside = (slice(NAME.top, NAME.top + NAME.height), slice(NAME.left, NAME.left + NAME.width))
    first, second = planes_of(result, frames=2)
    assert first.all()
    assert not second[inside].any()
    # What says nothing of frames lies on all of them.
    assert not planes_of(result, 0x6002)[0][inside].any()
