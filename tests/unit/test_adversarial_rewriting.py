"""What the engine writes in the place of what it takes out: found by the adversarial corpus."""

from __future__ import annotations

import io

import pydicom
import pytest

import deid
from deid.encoding.character_sets import is_readable
from deid.identity import values
from tests.adversarial.corpus import Draft

KEY = deid.SiteKey(bytes(range(32)))
BASIC = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
PLAN = deid.compile_plan({**BASIC, "dicomveil": {"burnedIn": "pass"}}, KEY)


def result_of(draft: Draft) -> pydicom.Dataset:
    content = draft.finish().content
    segments = deid.deidentify(content, PLAN).segments
    joined = b"".join(
        part if isinstance(part, bytes) else content[part.start : part.stop] for part in segments
    )
    return pydicom.dcmread(io.BytesIO(joined))


def test_what_stands_before_a_nul_stays_when_it_is_recognised() -> None:
    draft = Draft("unit/nul")
    draft.replace(0x00280004, "CS", b"MONOCHROME2\x00Brandgrav")
    draft.replace(0x00080008, "CS", b"ORIGINAL\\PRIMARY\x00Brandgrav")
    draft.replace(0x00180015, "CS", b"CHEST\x00Brandgrav")
    result = result_of(draft)
    assert result.BodyPartExamined == "CHEST"
    assert result.PhotometricInterpretation == "MONOCHROME2"
    assert list(result.ImageType) == ["ORIGINAL", "PRIMARY"]


def test_one_issued_number_among_measured_ones_is_the_only_one_to_go() -> None:
    draft = Draft("unit/numbers")
    draft.replace(0x00281051, "DS", b"400\\582093085")
    assert list(result_of(draft).WindowWidth) == [400, 1]


def test_a_value_that_goes_leaves_the_others_in_their_places() -> None:
    draft = Draft("unit/values")
    draft.replace(0x00180022, "CS", b"FAST_GEMS\\QUILLERGAST\\SAT")
    assert list(result_of(draft).ScanOptions) == ["FAST_GEMS", "", "SAT"]


def test_a_day_in_pieces_goes_as_a_whole() -> None:
    draft = Draft("unit/pieces")
    draft.replace(0x00180022, "CS", b"1941\\08\\27 ")
    assert not result_of(draft).get("ScanOptions")


def test_dummy_numbers_are_not_zero() -> None:
    assert values.dummy("DS", b"5\\7") == b"1\\1 "


def test_an_attribute_that_an_item_must_have_is_emptied_where_the_table_removes_it() -> None:
    draft = Draft("unit/type 2", "SR")
    request = pydicom.Dataset()
    request.RequestedProcedureID = "RP1"
    draft.dataset.ReferencedRequestSequence = [request]
    assert result_of(draft).ReferencedRequestSequence[0].RequestedProcedureID == ""


@pytest.mark.parametrize(
    ("raw", "declared", "readable"),
    [
        (b"plain text", "", True),
        (b"two\r\nlines", "", True),
        ("Schönhäuser".encode("latin-1"), "ISO_IR 100", True),
        ("Schönhäuser".encode("latin-1"), "", False),
        ("Schönhäuser".encode("latin-1"), "ISO_IR 6", False),
        ("Schönhäuser".encode("latin-1"), "ISO_IR 192", False),
        ("Zwingliberg".encode("utf-16-le"), "ISO_IR 192", False),
        (b"after\x00NUL", "", False),
        ("田中".encode("iso2022_jp"), "\\ISO 2022 IR 87", True),
        ("田中".encode("iso2022_jp"), "", False),
        (b"padded\x00", "", True),
    ],
)
def test_text_is_readable_only_in_the_sets_that_are_declared(
    raw: bytes, declared: str, *, readable: bool
) -> None:
    assert is_readable(raw, declared) is readable
