"""What the judge of texts and numbers lets stay, and what not: found by the adversarial corpus."""

from __future__ import annotations

import struct

import pytest

import deid
from deid.encoding.character_sets import encode
from deid.tags.colour_profiles import is_colour_profile
from deid.tags.numbers import is_numbers, is_snomed_identifier
from deid.tags.recognition import may_stay, recognised

BASIC = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
LUT_EXPLANATION = 0x00283003
SOFTWARE_VERSIONS = 0x00181020
CODE_VALUE = 0x00080100
CODE_MEANING = 0x00080104


@pytest.mark.parametrize(
    "text",
    [
        "0551 7719 442", "555-0199-442", "555.019.9442", "078-05-1120", "44-71-902", "447 190 288",
        "M4471902", "2019/44719", "00:1B:44:11:3A:B7", "08/27/1941", "1941_08_27", "27.08.41",
        "Q U I L L E R", "Q.U.I.L.L.E.R", "Q_U_I_L_L_E_R", "Wu Ng", "Dr Xu", "Ma", "LEE", "EVA WU", "LI",
        "田中", "Ивана",
    ],
)  # fmt: skip
@pytest.mark.parametrize("tag", [LUT_EXPLANATION, SOFTWARE_VERSIONS])
def test_an_identifier_in_pieces_is_not_recognised(tag: int, text: str) -> None:
    assert not recognised(tag, "LO", text)


@pytest.mark.parametrize(
    "text",
    ["syngo CT VA48A", "5.3.1.3", "27.0.1.1810", "VB20A", "4.1.2\\5.0.1", "R17", "VA 4.2", "E11"],
)
def test_software_versions_stay(text: str) -> None:
    assert recognised(SOFTWARE_VERSIONS, "LO", text)


@pytest.mark.parametrize(
    "text",
    ["WINDOW1", "T2 AX FS", "1.5 x 1.5", "A B", "µm", "HU", "LIN", "FSE", "L4/L5", "axial 5.0"],
)
def test_short_technical_text_stays(text: str) -> None:
    assert recognised(LUT_EXPLANATION, "LO", text)


@pytest.mark.parametrize("value", ["582093085.0", "157849281E0", "+157849281", "0582093085"])
def test_a_long_number_is_no_measure_however_it_is_written(value: str) -> None:
    assert not recognised(0x00181130, "DS", value)


def test_a_dose_in_becquerel_is_a_measure() -> None:
    assert recognised(0x00181074, "DS", "370123457")


@pytest.mark.parametrize("digits", ["51185008", "39607008", "17621005", "77004003", "433466003"])
def test_a_concept_identifier_of_snomed_has_its_check_digit(digits: str) -> None:
    assert is_snomed_identifier(digits)
    assert recognised(CODE_VALUE, "SH", digits)


@pytest.mark.parametrize("digits", ["51185007", "583717225", "00000000", "448190288"])
def test_other_long_digits_are_no_code_value(digits: str) -> None:
    assert not recognised(CODE_VALUE, "SH", digits)


@pytest.mark.parametrize("meaning", ["^18^Fluorine", "Source image for image processing operation"])
def test_a_meaning_that_the_standard_prints_stays(meaning: str) -> None:
    assert recognised(CODE_MEANING, "LO", meaning)


def test_another_text_with_carets_does_not_stay() -> None:
    assert not recognised(CODE_MEANING, "LO", "^18^Fluorina")


@pytest.mark.parametrize(
    ("tag", "vr"),
    [(0x00280106, "US"), (0x00186020, "SL"), (0x00189345, "FD"), (0x00280009, "AT")],
)
def test_a_number_longer_than_its_multiplicity_is_no_number(tag: int, vr: str) -> None:
    assert not is_numbers(tag, vr, b"Fitznellvopus   ")


def test_a_table_that_reads_as_a_name_is_no_table() -> None:
    assert not is_numbers(0x00281201, "OW", b"Dvormondiuoley  ")


def test_ramps_of_numbers_are_tables_although_they_pass_through_letters() -> None:
    assert is_numbers(0x00281201, "OW", bytes(range(256)))
    assert is_numbers(0x00281201, "OW", struct.pack("<256H", *range(0, 65536, 256)))
    assert is_numbers(0x00660016, "OF", struct.pack("<6f", 1.5, 20.25, -3.0, 100.0, 80.5, 70.25))


def test_ordinary_numbers_are_numbers() -> None:
    assert is_numbers(0x00280010, "US", struct.pack("<H", 512))
    assert is_numbers(0x00189345, "FD", struct.pack("<d", 6.1))
    assert is_numbers(0x00181310, "US", struct.pack("<4H", 0, 256, 240, 0))


def test_a_colour_profile_may_not_hold_bytes_that_its_tag_table_does_not_name() -> None:
    profile = colour_profile(b"text\0\0\0\0sRGB\0\0\0\0")
    assert is_colour_profile(profile)
    longer = profile + b"Lindfeldrola"
    assert not is_colour_profile(len(longer).to_bytes(4, "big") + longer[4:])
    assert may_stay(0x00282000, "OB", profile, "")


def colour_profile(content: bytes) -> bytes:
    """Return an ICC profile with one tag (ICC.1 7.2, 7.3)."""
    at = 132 + 12
    table = (1).to_bytes(4, "big") + b"desc" + at.to_bytes(4, "big")
    table += len(content).to_bytes(4, "big")
    size = at + len(content)
    head = size.to_bytes(4, "big") + bytes(32) + b"acsp" + bytes(88)
    return head + table + content


@pytest.mark.parametrize(
    ("uid", "registered"),
    [
        ("1.2.840.10008.5.1.4.1.1.2", True), ("1.2.840.10008.9.9.9999", True),
        ("2.16.840.1.113883.6.96", True), ("1.2.840.10008.5.1.4.1.1.583717225", False),
        ("2.16.840.1.113883.3.44719", False), ("2.16.840.1.113883.6.583717225", False),
    ],
)  # fmt: skip
def test_a_uid_under_a_registered_root_with_a_long_component_is_not_registered(
    uid: str, registered: bool
) -> None:
    plan = deid.compile_plan(BASIC, deid.SiteKey(bytes(range(32))))
    assert plan.tags.is_registered(uid.encode()) is registered


def test_kanji_of_a_text_are_not_taken_for_an_abbreviation() -> None:
    raw = encode("田中", "ISO_IR 192")
    assert not may_stay(LUT_EXPLANATION, "LO", raw, "ISO_IR 192")
