"""Images inside sequences go as a whole, in every profile: nobody looks at their pixels."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from deid.ports import Engines
from tests import pixel_samples as samples
from tests.factories import encode_as, encoded, make_ct

if TYPE_CHECKING:
    from deid.identity.keys import SiteKey

BASIC, KEEP_ALL, CONTENTS, MINIMAL = (
    {"dicom": {"filterProfile": profile}}
    for profile in (
        "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE",
        "KEEP_ALL_PROFILE",
        "DEIDENTIFY_TAG_CONTENTS",
        "MINIMAL_KEEP_LIST_PROFILE",
    )
)
KEEP_LIST = {"dicom": {"keepList": {"tags": ["IconImageSequence", "PixelData"]}}}
SHOWN = b"SMITH^JOHN-as-bits"
EVERY = pytest.mark.parametrize(
    "asked",
    [BASIC, KEEP_ALL, CONTENTS, MINIMAL, KEEP_LIST],
    ids=["basic", "keep_all", "tag_contents", "minimal", "keep_list"],
)


def icon(keyword: str = "PixelData", *, fragments: bool = False) -> Dataset:
    item = Dataset()
    item.Rows = item.Columns = 8
    item.SamplesPerPixel, item.PhotometricInterpretation = 1, "MONOCHROME2"
    item.BitsAllocated = item.BitsStored = 8
    item.HighBit, item.PixelRepresentation = 7, 0
    value = SHOWN.ljust(64)
    if fragments:
        value = encapsulate([value])
    setattr(item, keyword, value)
    if keyword == "PixelData":
        item["PixelData"].VR = "OB"
        item["PixelData"].is_undefined_length = fragments
    return item


def result_of(dataset: Dataset, asked: dict[str, Any], key: SiteKey) -> tuple[bytes, Dataset]:
    written, _outcome = samples.deidentified(encoded(dataset), asked, key)
    return written, pydicom.dcmread(io.BytesIO(written))


@EVERY
@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("syntax", [samples.EXPLICIT_LE, samples.IMPLICIT_LE, samples.EXPLICIT_BE])
def test_an_icon_goes_with_its_item_and_its_sequence(
    site_key: SiteKey, asked: dict[str, Any], syntax: str, *, undefined: bool
) -> None:
    dataset = encode_as(make_ct(), syntax)
    dataset.IconImageSequence = [icon()]
    dataset["IconImageSequence"].is_undefined_length = undefined
    written, result = result_of(dataset, asked, site_key)
    assert "IconImageSequence" not in result
    assert SHOWN not in written
    assert result.PixelData == dataset.PixelData


@EVERY
def test_an_icon_of_odd_length_goes(site_key: SiteKey, asked: dict[str, Any]) -> None:
    dataset = make_ct()
    item = icon()
    item.is_undefined_length_sequence_item = True
    dataset.IconImageSequence = [item]
    dataset["IconImageSequence"].is_undefined_length = True
    source = encoded(dataset)
    at = source.index(SHOWN)  # pydicom writes even lengths only
    source = (
        source[: at - 4] + (63).to_bytes(4, "little") + source[at : at + 63] + source[at + 64 :]
    )
    written, _outcome = samples.deidentified(source, asked, site_key)
    result = pydicom.dcmread(io.BytesIO(written))
    assert "IconImageSequence" not in result
    assert SHOWN not in written
    assert result.PixelData == dataset.PixelData


@EVERY
def test_an_encapsulated_icon_goes(site_key: SiteKey, asked: dict[str, Any]) -> None:
    dataset = make_ct()
    dataset.IconImageSequence = [icon(fragments=True)]
    written, result = result_of(dataset, asked, site_key)
    assert "IconImageSequence" not in result
    assert SHOWN not in written


@pytest.mark.parametrize("keyword", ["FloatPixelData", "DoubleFloatPixelData"])
def test_nested_floating_point_pixels_go(site_key: SiteKey, keyword: str) -> None:
    dataset = make_ct()
    dataset.IconImageSequence = [icon(keyword)]
    written, result = result_of(dataset, KEEP_ALL, site_key)
    assert "IconImageSequence" not in result
    assert SHOWN not in written


def test_items_beside_an_image_stay(site_key: SiteKey) -> None:
    dataset, before, after = make_ct(), Dataset(), Dataset()
    before.ReferencedFrameNumber, after.ReferencedFrameNumber = 1, 2
    inner = Dataset()
    inner.ReferencedFrameNumber = 3
    after.IconImageSequence = [icon()]
    after.PurposeOfReferenceCodeSequence = [inner]
    dataset.ReferencedImageSequence = [before, icon(), after]
    _written, result = result_of(dataset, KEEP_ALL, site_key)
    kept = result.ReferencedImageSequence
    assert [item.ReferencedFrameNumber for item in kept] == [1, 2]
    assert "IconImageSequence" not in kept[1]
    assert kept[1].PurposeOfReferenceCodeSequence[0].ReferencedFrameNumber == 3


def test_what_follows_the_pixels_of_an_item_does_not_save_it(site_key: SiteKey) -> None:
    dataset, item, deep = make_ct(), icon(), Dataset()
    deep.add_new(0x7FE30010, "LO", "MAKER")
    item.add_new(0x7FE10010, "LO", "MAKER")
    item.add_new(0x7FE11001, "SQ", [deep])
    dataset.ReferencedImageSequence = [item]
    written, result = result_of(dataset, KEEP_ALL, site_key)
    assert "ReferencedImageSequence" not in result
    assert SHOWN not in written


def test_images_in_private_sequences_go_even_where_everything_is_kept(site_key: SiteKey) -> None:
    dataset = make_ct()
    block = dataset.private_block(0x0029, "MAKER", create=True)
    block.add_new(0x01, "SQ", [icon()])
    block.add_new(0x02, "LO", "kept")
    written, result = result_of(dataset, KEEP_ALL, site_key)
    assert SHOWN not in written
    assert block.get_tag(0x01) not in result
    assert result[block.get_tag(0x02)].value == "kept"


CLEANING = {**KEEP_ALL, "image": {"textRedactionMode": "REDACT_ALL_TEXT"}}
NO_TEXT = Engines(samples.NothingFound)


@pytest.mark.parametrize(
    "picture",
    [
        b"\xff\xd8\xff\xe0" + SHOWN,
        b"\xff\x4f\xff\x51" + SHOWN,
        b"\x00\x00\x00\x0cjP  " + SHOWN,
        b"\x89PNG\r\n\x1a\n" + SHOWN,
        b"GIF89a" + SHOWN,
        b"II*\x00" + SHOWN,
        b"BM\x76\x01\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00" + SHOWN,
        bytes(128) + b"DICM" + SHOWN,
    ],
    ids=["jpeg", "j2k", "jp2", "png", "gif", "tiff", "bmp", "dicom"],
)
@pytest.mark.parametrize("vr", ["OB", "UN"])
@pytest.mark.parametrize("syntax", [samples.EXPLICIT_LE, samples.IMPLICIT_LE])
def test_pictures_in_private_elements_go_where_pixels_are_cleaned(
    site_key: SiteKey, picture: bytes, vr: str, syntax: str
) -> None:
    dataset = encode_as(make_ct(), syntax)
    block = dataset.private_block(0x0029, "MAKER", create=True)
    block.add_new(0x01, vr, picture + bytes(len(picture) % 2))
    block.add_new(0x02, "OB", b"\x01\x02BM or GIF of other data!")
    source = encoded(dataset)
    kept, _outcome = samples.deidentified(source, KEEP_ALL, site_key)
    assert SHOWN in kept
    written, _outcome = samples.deidentified(source, CLEANING, site_key, NO_TEXT)
    assert SHOWN not in written
    assert b"of other data" in written


def test_an_icon_in_a_private_sequence_of_unknown_vr_goes_where_pixels_are_cleaned(
    site_key: SiteKey,
) -> None:
    dataset = encode_as(make_ct(), samples.IMPLICIT_LE)
    block = dataset.private_block(0x0029, "MAKER", create=True)
    block.add_new(0x01, "SQ", [icon()])
    written, _outcome = samples.deidentified(encoded(dataset), CLEANING, site_key, NO_TEXT)
    assert SHOWN not in written
