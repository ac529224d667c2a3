"""A person's identifiers in disguise: what is found, what only looks like it, and that its signs are seen."""

# ruff: noqa: RUF001 - letters of other scripts are what is tested

from __future__ import annotations

import struct

import pytest

from deid.identity import binary
from deid.identity.forms import prepare
from deid.identity.residual import Forbidden
from deid.identity.signs import Signs
from tests.adversarial.exports import PEOPLE, fields, filled, templates
from tests.adversarial.people import person
from tests.adversarial.probes import DAYS, MEASURES, NAMES, NUMBERS
from tests.adversarial.wire import element

UID = "1.2.840.99.3.123456789012.5"
WHO = prepare(
    [
        ("Tannberg^Ortrud", "PERSON_NAME"),
        ("K70617781", "MEDICAL_RECORD_NUMBER"),
        ("19610909", "DATE_OF_BIRTH"),
        ("20170825", "DATE"),
    ],
    [UID],
)


@pytest.mark.parametrize(
    "text",
    [
        "T A N N B E R G", "O-R-T-R-U-D", "TAN NBE RG", "G R E B N N A T", "%54%61%6E%6E%62%65%72%67",
        "T&#97;nnberg",
        "=54=61=6E=6E=62=65=72=67", "VGFubmJlcmc=", "pt VGFubmJlcmcsIE9ydHJ1ZA==", "54616e6e62657267", "Tan***",
        "Tannb...", "Tan…", "ortxxxx", "T*nn*erg", "Tango Alfa November November Bravo Echo Romeo Golf",
        "T4nnb3rg",
        "84 65 78 78 66 69 82 71", "20-1-14-14-2-5-18-7", "OT7781", "pt TO61 ok", "O.T. 1961", "7781OT",
        "tanort61",
        "ⓉⒶⓃⓃⒷⒺⓇⒼ", "Ｔａｎｎｂｅｒｇ", "𝐓𝐚𝐧𝐧𝐛𝐞𝐫𝐠", "T\u200ba\u200bn\u200bn\u200bberg",
    ],
)  # fmt: skip
def test_a_name_in_disguise_is_found_in_a_text(text: str) -> None:
    assert WHO.occurs_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "0617781", "7061778", "70.617.781", "70 61 77 81", "7-0-6-1-7-7-8-1", "70x61x77x81", "18771607",
        "****7781",
        "seven zero six one seven seven eight one", "null sechs eins sieben sieben acht eins", "7O6l778l",
        "MNA3MDYxNzc4MQ", "25|08|2017", "25*8*2017", "25 8 17", "2017.237", "2017237", "8/25/17", "25/8/2560",
        "106/8/25",
        "1503662400", "2457991", "1.3.12.2.1107.5.2.20170825142233", UID,
    ],
)  # fmt: skip
def test_a_number_or_day_in_disguise_is_found_in_a_text(text: str) -> None:
    if text.startswith("MNA"):
        text = "NzA2MTc3ODE="
    assert WHO.occurs_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "T2 AX FS", "T A N", "OTHER 61 mm", "syngo MR E11", "VB20A", "TE 61", "CT61", "tan 61 deg",
        "1.5 x 1.5 x 3", "706 17",
        "2017.5", "week 34", "10:11:12", "T2*", "ort...hogonal axes", "O T", "84 65 78", "20-1-14",
        "ISO_10918_1", "1.2.840.99.3",
        "delta echo train", "seven slices, zero gap", "%54", "50 % of 7781", "in berg", "25 8 18",
        "2560 x 25 x 8.1", "2017.238",
    ],
)  # fmt: skip
def test_what_only_resembles_it_is_not_found(text: str) -> None:
    assert WHO.find(text) == []


@pytest.mark.parametrize(
    "value",
    [
        "70617781", "7061.7781", "0617781", "617781", "-70617781", "7.0617781E7", "70617781.0",
        "1\\70617781\\2", "19610909",
        "25082017", "2017.237", "25\\8\\2017",
    ],
)  # fmt: skip
def test_a_number_of_somebodys_is_found_among_measured_ones(value: str) -> None:
    assert WHO.occurs_in(value, vr="DS")


@pytest.mark.parametrize(
    "value",
    [
        "706.17", "7781", "61.7781", "1706177811", "2017", "25\\8\\17", "25.8", "1961.5", "196109", "0.617",
        "120\\80",
        "-180.5\\-180.5\\1770.6",
    ],
)  # fmt: skip
def test_a_measured_number_that_coincides_in_fewer_than_seven_digits_stays(value: str) -> None:
    assert not WHO.occurs_in(value, vr="DS")


@pytest.mark.parametrize(
    "value",
    ["1.0\\0.0\\0.0\\0.0\\1.0\\0.0", "1000000", "1000000.0", "0.0000001", "10.0\\0.0\\0.00\\1.0"],
)
def test_a_number_of_zeros_is_not_found_among_measured_ones(value: str) -> None:
    who = prepare([("ADM-100000001", "GENERIC_ID"), ("S10000001", "GENERIC_ID")])
    assert not who.occurs_in(value, vr="DS")


@pytest.mark.parametrize("value", ["100000001", "10000001.0", "1\\100000001", "1.00000001E8"])
def test_a_number_of_zeros_is_found_whole(value: str) -> None:
    who = prepare([("ADM-100000001", "GENERIC_ID"), ("S10000001", "GENERIC_ID")])
    assert who.occurs_in(value, vr="DS")


@pytest.mark.parametrize("vr", ["UI", "DA", "DT", "TM", "AS"])
def test_values_that_have_rules_of_their_own_are_left_to_them(vr: str) -> None:
    assert not WHO.occurs_in("20170825", vr=vr)


@pytest.mark.parametrize(
    ("vr", "raw"),
    [
        ("UL", struct.pack("<I", 70617781)), ("UL", struct.pack(">I", 70617781)),
        ("SL", struct.pack("<i", 19610909)),
        ("UV", struct.pack("<Q", 70617781)), ("FD", struct.pack("<d", 70617781.0)),
        ("FD", struct.pack("<2d", 1.0, 7061.7781)),
        ("US", struct.pack("<3H", 1961, 9, 9)),
    ],
)  # fmt: skip
def test_binary_numbers_of_somebodys_are_found(vr: str, raw: bytes) -> None:
    who = Forbidden(
        [(b"K70617781", "MEDICAL_RECORD_NUMBER", ""), (b"19610909", "DATE_OF_BIRTH", "")]
    )
    assert who.occurs_in(raw, "", vr=vr)
    assert who.may_occur_in([b"\x22\x00\x42\x16" + vr.encode() + b"\x08\x00" + raw])


@pytest.mark.parametrize(
    ("vr", "raw"),
    [
        ("US", struct.pack("<2H", 512, 512)), ("UL", struct.pack("<I", 706177)),
        ("FD", struct.pack("<3d", 0.5, 61.7781, 9.9)),
        ("FL", struct.pack("<2f", 1.5, 2017.0)), ("US", struct.pack("<2H", 1961, 9)),
    ],
)  # fmt: skip
def test_other_binary_numbers_stay(vr: str, raw: bytes) -> None:
    who = Forbidden(
        [(b"K70617781", "MEDICAL_RECORD_NUMBER", ""), (b"19610909", "DATE_OF_BIRTH", "")]
    )
    assert not who.occurs_in(raw, "", vr=vr)


def test_a_table_of_numbers_is_no_text_of_digits() -> None:
    assert binary.as_text("US", bytes(1000)) == ""


@pytest.mark.parametrize("number", range(0, 12, 2))
def test_whatever_is_found_shows_a_sign_when_it_is_encoded(number: int) -> None:
    who = person(number)
    pairs = [
        (f"{who.family}^{who.given}", "PERSON_NAME"), (who.patient_id, "MEDICAL_RECORD_NUMBER"),
        (f"{who.born:%Y%m%d}", "DATE_OF_BIRTH"), (f"{who.studied:%Y%m%d}", "DATE"),
    ]  # fmt: skip
    known, signs = prepare(pairs), Signs(pairs)
    unseen = []
    for forms, vr in ((NAMES, "LO"), (NUMBERS, "LO"), (DAYS, "LO"), (MEASURES, "DS")):
        for name, form in forms.items():
            text = form(who)
            stretch = element(0x00080060, "CS", b"CT") + element(0x00283003, vr, text.encode())
            seen = signs.may_stand_in(stretch), signs.may_stand_in_elements([stretch[10:]])
            if known.occurs_in(text, vr=vr) and not all(seen):
                unseen.append((name, text))
    assert unseen == []


@pytest.mark.parametrize("name", ["exports", "exports_judged"])
@pytest.mark.parametrize("number", PEOPLE[:3])
def test_whatever_is_found_of_what_exporters_write_shows_a_sign(number: int, name: str) -> None:
    who = person(number)
    pairs = [
        (f"{who.family}^{who.given}", "PERSON_NAME"), (who.patient_id, "MEDICAL_RECORD_NUMBER"),
        (f"{who.born:%Y%m%d}", "DATE_OF_BIRTH"), (f"{who.studied:%Y%m%d}", "DATE"),
    ]  # fmt: skip
    known, signs = prepare(pairs), Signs(pairs)
    unseen = []
    for template in templates(name):
        text, _ = filled(template, fields(who))
        is_plain = who.letters.lower() in text.lower()  # others find that
        if (
            known.occurs_in(text)
            and not is_plain
            and not signs.may_stand_in_elements([element(0x00283003, "LO", text.encode())])
        ):
            unseen.append((template.text, text))
    assert unseen == []


@pytest.mark.parametrize("start", ["AAAADSAA", "AAAAISAA", "AAAAUIAA"])
def test_a_text_without_a_header_is_not_read_as_if_it_had_one(start: str) -> None:
    who = Forbidden([(b"Tannberg^Ortrud", "PERSON_NAME", "")])
    assert who.may_occur_in([f"{start[:6]} T A N N B E R G".encode()])
    assert who.may_occur_in([f"{start} 84 65 78 78 66 69 82 71".encode()])


def test_a_blob_is_blanked_in_its_place_and_keeps_its_length_and_all_other_bytes() -> None:
    who = Forbidden(
        [
            (b"Tannberg^Ortrud", "PERSON_NAME", ""),
            (b"20170825", "DATE", ""),
            (b"K70617781", "MEDICAL_RECORD_NUMBER", ""),
        ]
    ).of_instance([UID.encode() + b"\0"])
    blob = (
        b"SV10\x04\x03\x02\x01" + b"StudyDate\x00\x00\x00\x0820170825\x00\x01"
        + b"Tannberg, Ortrud\x00\xff\xfe\x07"
        + "Tannberg".encode("utf-16-le") + struct.pack("<I", 70617781) + b"\x02" + UID.encode()
        + b"\x00B_value 1000\x00"
    )  # fmt: skip
    clean = who.blanked(blob)
    assert len(clean) == len(blob)
    assert clean.startswith(b"SV10\x04\x03\x02\x01StudyDate\x00\x00\x00\x0800000000\x00\x01")
    assert clean.endswith(b"\x00B_value 1000\x00")
    for trace in (
        b"20170825",
        b"Tannberg",
        b"Ortrud",
        "Tannberg".encode("utf-16-le"),
        UID.encode(),
    ):
        assert trace not in clean
    assert struct.pack("<I", 70617781) not in clean


def test_a_blob_about_somebody_else_stays_byte_by_byte() -> None:
    who = Forbidden([(b"Tannberg^Ortrud", "PERSON_NAME", ""), (b"20170825", "DATE", "")])
    blob = (
        b"SV10\x04\x03\x02\x01ImageNumber\x00\x0812\x00MrProtocol TE 61 b=1000 0.20170826 1.5\x00"
        + bytes(range(256))
    )
    assert who.blanked(blob) == blob


@pytest.mark.parametrize(
    ("first", "second"), [(b"Tann", b"berg"), (b"grebn", b"nat"), (b"ort", b"rud")]
)
def test_letters_of_two_texts_are_no_name_together(first: bytes, second: bytes) -> None:
    signs = Signs([("Tannberg^Ortrud", "PERSON_NAME")])
    assert signs.may_stand_in_any([first + b" " + second])
    assert not signs.may_stand_in_any([first, second])


@pytest.mark.parametrize(("first", "second"), [("room 7061", "7781 steps"), ("7061", "7781")])
def test_digits_of_two_texts_are_no_number_together(first: str, second: str) -> None:
    signs = Signs([("K70617781", "MEDICAL_RECORD_NUMBER")])
    one, other = first.encode(), second.encode()
    assert signs.may_stand_in_any([one + b" " + other])
    assert not signs.may_stand_in_any([one, other])
    assert not signs.may_stand_in_elements(
        [element(0x00081030, "LO", one), element(0x0008103E, "LO", other)]
    )


BEYOND_ASCII: dict[str, list[str | bytes]] = {
    "Zörgel^Tübke": [
        "Z ö r g e l", "Z.ö.r.g.e.l", "Z-Ö-R-G-E-L", "Z o e r g e l", "WsO2cmdlbA==",
        "x WsO2cmdlbCBUw7xia2U= y",
        "5ac3b67267656c", "5a:c3:b6:72:67:65:6c", "=?UTF-8?B?WsO2cmdlbA==?=", "Z\\u246?rgel", "Z\\'f6rgel",
    ],
    "Жуковка^Зоя": [
        "Ж у к о в к а", "Ж.У.К.О.В.К.А", "0JbRg9C60L7QstC60LA=", "d096d183d0bad0bed0b2d0bad0b0",
        "\\u1046?\\u1091?\\u1082?\\u1086?\\u1074?\\u1082?\\u1072?", "Ж у к о в к а".encode("iso8859-5"),
    ],
    "Χατζής^Πέτρος": ["Χ α τ ζ ή ς", "Χ-Α-Τ-Ζ-Ή-Σ", "zqfOsc+EzrbOrs+C", "cea7ceb1cf84ceb6ceaecf82"],
    "Kitou^Yuma=鬼頭^悠真": ["6ay86aCt", "e9acbce9a0ad", "\\u9b3c\\u982d", "%E9%AC%BC%E9%A0%AD", "鬼 頭"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, texts in BEYOND_ASCII.items() for text in texts]
)
def test_a_name_beyond_ascii_is_found_in_disguise_and_shows_a_sign(
    name: str, text: str | bytes
) -> None:
    known = [(name, "PERSON_NAME")]
    encoded = text if isinstance(text, bytes) else text.encode()
    assert Signs(known).may_stand_in(b"\nCT " + encoded + b" nativ\n")
    assert prepare(known).occurs_in(encoded.decode("utf-8" if text != encoded else "iso8859-5"))


@pytest.mark.parametrize(
    "text",
    [
        "M o r g e n", "z b r g l", "Zorge", "Z o r g", "Wsn2cmdlbA==", "5ac3b6726765",
        "Z\\u247?rgel", "Z\\'f7rgel",
        "Ж у к о", "к о в к а", "0JbRg9C60L7QstC6", "Жуковский район", "Χ α τ", "Χρόνος", "鬼", "鬼 島",
        "頭部CT単純",
        "\\u9b3c\\u5cf6", "%E9%AC%BC", "Tür", "T-R-U-E", "60 80 74",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", list(BEYOND_ASCII))
def test_what_is_no_whole_name_beyond_ascii_is_not_found(name: str, text: str) -> None:
    assert not prepare([(name, "PERSON_NAME")]).occurs_in(text)
