"""Kinds of instances under a configuration that cleans pixels: floats, documents, none, hidden ones."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest

from deid.errors import Reason, Unsafe
from deid.pixels.geometry import Box
from deid.pixels.templates import RegionTemplate
from deid.ports import Engines
from tests import pixel_samples as samples
from tests.factories import (
    encode_as,
    encoded,
    make_ct,
    make_document,
    make_ko,
    make_pr,
    make_rtstruct,
    make_sr,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydicom.dataset import Dataset

    from deid.identity.keys import SiteKey

CLEAN = samples.configuration()
KEEP_ALL = samples.configuration(profile="KEEP_ALL_PROFILE")


def result_of(source: bytes, asked: dict[str, Any], key: SiteKey) -> Dataset:
    return pydicom.dcmread(io.BytesIO(samples.deidentified(source, asked, key)[0]))


def refusal(source: bytes, asked: dict[str, Any], key: SiteKey) -> Unsafe:
    with pytest.raises(Unsafe) as refused:
        samples.deidentified(source, asked, key)
    return refused.value


def make_map(keyword: str, *, text: str = "SMITH^JOHN") -> Dataset:
    """Make an instance of two frames of floats; a name is in the second."""
    dataset = make_ct(rows=120, columns=200)
    del dataset.PixelData
    frames = [samples.texture(seed, rows=120, columns=200) for seed in (1, 2)]
    frames[1] = samples.with_text(frames[1], text, at=(20, 60))
    values = np.stack([frame[..., 0] for frame in frames]) * 1.5e-3 - 0.1
    values[0, 0, 0] = np.nan
    dataset.NumberOfFrames = 2
    setattr(
        dataset, keyword, values.astype("<f4" if keyword == "FloatPixelData" else "<f8").tobytes()
    )
    for gone in ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"):
        dataset.pop(gone, None)
    return dataset


@pytest.mark.parametrize("keyword", ["FloatPixelData", "DoubleFloatPixelData"])
@pytest.mark.parametrize("syntax", [samples.EXPLICIT_LE, samples.IMPLICIT_LE])
def test_a_name_among_floats_is_filled_and_all_other_values_stay(
    site_key: SiteKey, keyword: str, syntax: str
) -> None:
    dataset = make_map(keyword)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    dtype = "<f4" if keyword == "FloatPixelData" else "<f8"
    written, outcome = samples.deidentified(encoded(dataset), CLEAN, site_key)
    result = pydicom.dcmread(io.BytesIO(written))
    before = np.frombuffer(dataset[keyword].value, dtype).reshape(2, 120, 200)
    after = np.frombuffer(result[keyword].value, dtype).reshape(2, 120, 200)
    assert 2 in {region.frame for region in outcome.regions}
    assert (after[1, 48:60, 22:110] == before[1].min()).all()
    assert (before[:, 90:] == after[:, 90:]).all()
    assert np.isnan(after[0, 0, 0])
    assert result.BurnedInAnnotation == "NO"


def test_floats_without_text_stay_byte_for_byte(site_key: SiteKey) -> None:
    dataset = make_map("FloatPixelData", text="")
    result = result_of(encoded(dataset), CLEAN, site_key)
    assert result.FloatPixelData == dataset.FloatPixelData
    assert result.BurnedInAnnotation == "NO"


def test_floats_that_are_too_few_are_refused(site_key: SiteKey) -> None:
    dataset = make_map("FloatPixelData")
    dataset.NumberOfFrames = 3
    assert refusal(encoded(dataset), CLEAN, site_key).reason is Reason.PIXELS_UNDECODABLE


def test_two_kinds_of_pixel_data_are_refused(site_key: SiteKey) -> None:
    dataset = make_ct(rows=16)
    dataset.FloatPixelData = bytes(16 * 16 * 4)
    unsafe = refusal(encoded(dataset), CLEAN, site_key)
    assert (unsafe.reason, unsafe.where) == (Reason.PIXELS_UNDECODABLE, "(7FE0,0008)")


@pytest.mark.parametrize("make", [make_sr, make_pr, make_ko, make_rtstruct])
def test_instances_without_pixels_pass_and_nothing_is_said_of_pixels(
    site_key: SiteKey, make: Callable[[], Dataset]
) -> None:
    written, outcome = samples.deidentified(encoded(make()), CLEAN, site_key)
    result = pydicom.dcmread(io.BytesIO(written))
    assert "BurnedInAnnotation" not in result
    assert "113101" not in {each.CodeValue for each in result.DeidentificationMethodCodeSequence}
    assert not outcome.pixels_examined


def test_an_image_whose_pixels_are_elsewhere_is_not_said_to_be_examined(site_key: SiteKey) -> None:
    dataset = make_ct()
    del dataset.PixelData
    result = result_of(encoded(dataset), CLEAN, site_key)
    assert "BurnedInAnnotation" not in result
    assert "113101" not in {each.CodeValue for each in result.DeidentificationMethodCodeSequence}


def test_a_document_that_stays_is_refused_where_pixels_are_to_be_cleaned(site_key: SiteKey) -> None:
    dataset = make_document()
    dataset.BurnedInAnnotation = "NO"
    assert refusal(encoded(dataset), KEEP_ALL, site_key).reason is Reason.DOCUMENT_NOT_CLEANED
    # The Basic Profile puts an empty one in its place.
    assert len(result_of(encoded(dataset), CLEAN, site_key).EncapsulatedDocument) < 500


@pytest.mark.parametrize("asked", [CLEAN, KEEP_ALL], ids=["basic", "keep_all"])
@pytest.mark.parametrize(
    "hidden", ["behind a higher tag", "a second time"], ids=["behind", "again"]
)
def test_pixels_that_could_be_looked_past_are_refused(
    site_key: SiteKey, asked: dict[str, Any], hidden: str
) -> None:
    source = encoded(make_ct(rows=16))
    at = source.index(b"\xe0\x7f\x10\x00OW")
    padding = b"\xfc\xff\xfc\xffOB\0\0\x04\0\0\0\0\0\0\0"
    source = source[:at] + padding + source[at:] if "behind" in hidden else source + source[at:]
    assert refusal(source, asked, site_key).reason is Reason.MALFORMED


@pytest.mark.parametrize("make", [make_ct, lambda: make_map("FloatPixelData")])
def test_pixels_that_are_cut_off_are_refused(
    site_key: SiteKey, make: Callable[[], Dataset]
) -> None:
    assert refusal(encoded(make())[:-7], CLEAN, site_key).reason is Reason.LENGTH_PAST_END


def test_what_follows_the_data_set_is_dropped_as_without_cleaning(site_key: SiteKey) -> None:
    source = encoded(make_ct(rows=16)) + b"SMITH^JOHN was here" * 3
    written, _outcome = samples.deidentified(source, CLEAN, site_key)
    assert b"was here" not in written


@pytest.mark.parametrize("filled", [False, True])
def test_samples_that_read_like_a_short_name_do_not_hold_an_instance_back(
    site_key: SiteKey, *, filled: bool
) -> None:
    dataset = make_ct(rows=64, PatientName="LEE^BO")
    dataset.BitsStored, dataset.HighBit = 16, 15
    dataset.PixelData = b" lee " + dataset.PixelData[5:-5] + b" lee "
    template = RegionTemplate("test", fill=(Box(0, 30, 8, 8),))
    engines = Engines(samples.NothingFound, lambda: [template] if filled else [])
    written, outcome = samples.deidentified(encoded(dataset), CLEAN, site_key, engines)
    assert bool(outcome.regions) is filled
    assert written.count(b" lee ") == 2


def test_big_endian_floats_keep_their_byte_order(site_key: SiteKey) -> None:
    dataset = encode_as(make_ct(rows=4), samples.EXPLICIT_BE)
    values = samples.with_text(samples.texture(rows=120, columns=200), at=(20, 60))[..., 0]
    dataset.Rows, dataset.Columns = values.shape
    dataset.FloatPixelData = values.astype(">f4").tobytes()
    del dataset.PixelData
    result = result_of(encoded(dataset), CLEAN, site_key)
    after = np.frombuffer(result.FloatPixelData, ">f4").reshape(values.shape)
    assert (after[48:60, 22:110] == values.min()).all()
    assert (after[90:] == values[90:]).all()


def make_written(*lines: str, **changes: Any) -> Dataset:
    """Make an instance with these lines of text in its pixels."""
    frame = samples.texture(rows=300, columns=420) // 8
    for number, line in enumerate(lines):
        ink = samples.with_text(np.zeros_like(frame), line, at=(30, 40 + 45 * number))
        frame = np.maximum(frame, ink)
    dataset = make_ct(PatientName="SMITH^JOHN", PatientID="H6051369", **changes)
    for keyword, value in samples.attributes(frame, bits=8).items():
        if keyword not in {"PlanarConfiguration", "Modality", "SOPClassUID"}:
            setattr(dataset, keyword, value)
    for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue"):
        dataset.pop(keyword, None)
    dataset.PixelData = frame.tobytes()
    return dataset


LINES = ("SMITH^JOHN", "kVp 120", "12 JUN 2014", "LEFT KNEE")
PROFILE = "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"


def asked_by_tag(mode: str, *, keeps: bool = False) -> dict[str, Any]:
    verb = {"keepTag": {}} if keeps else {"cleanImageTag": {"textRedactionMode": mode}}
    asked: dict[str, Any] = {"profileType": PROFILE}
    asked["actions"] = [{"queries": ["PixelData"], **verb}]
    if keeps:
        asked["options"] = {"cleanImage": {"textRedactionMode": mode}}
    return {"dicomTagConfig": asked}


def asked_by_option(**image: Any) -> dict[str, Any]:
    return {"dicomTagConfig": {"profileType": PROFILE, "options": {"cleanImage": image}}}


SENSITIVE = "REDACT_SENSITIVE_TEXT"


@pytest.mark.parametrize(
    ("asked", "gone"),
    [
        (samples.configuration(), {0, 1, 2, 3}),
        (samples.configuration("REDACT_NO_TEXT"), set()),
        (samples.configuration(SENSITIVE), {0, 2}),
        (samples.configuration("REDACT_SENSITIVE_TEXT_CLEAN_DESCRIPTORS"), {0, 2, 3}),
        (asked_by_option(textRedactionMode="REDACT_ALL_TEXT"), {0, 1, 2, 3}),
        (asked_by_option(textRedactionMode=SENSITIVE), {0, 2}),
        (
            asked_by_option(textRedactionMode=SENSITIVE, customRegexes=[{"pattern": "(?i)kvp"}]),
            {0, 1, 2},
        ),
        (asked_by_option(additionalInfoTypes=["PERSON_NAME"]), {0, 2}),
        (asked_by_tag("REDACT_ALL_TEXT"), {0, 1, 2, 3}),
        (asked_by_tag(SENSITIVE), {0, 2}),
        (asked_by_tag(SENSITIVE, keeps=True), set()),
    ],
    ids=[
        "all",
        "none",
        "sensitive",
        "descriptors",
        "option all",
        "option sensitive",
        "custom",
        "additional",
        "tag all",
        "tag sensitive",
        "tag kept",
    ],
)
def test_each_way_to_ask_takes_out_what_it_says(
    site_key: SiteKey, asked: dict[str, Any], gone: set[int]
) -> None:
    source = encoded(make_written(*LINES, SeriesDescription="Left knee"))
    written, outcome = samples.deidentified(source, asked, site_key)
    assert {(region.top + 12) // 45 for region in outcome.regions} == gone
    result = pydicom.dcmread(io.BytesIO(written))
    codes = {each.CodeValue for each in result.DeidentificationMethodCodeSequence}
    assert ("113101" in codes) is outcome.pixels_examined is bool(gone)
    assert result.get("BurnedInAnnotation") == ("NO" if gone else None)
    assert b"SMITH" not in outcome.to_json()
