"""Character sets: what is decoded is encoded again, and what a set cannot hold hurts nothing beside it."""

from __future__ import annotations

import pytest

from deid.encoding import character_sets as charset


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        ("ISO_IR 100", "Müller, Schädel"),
        ("ISO_IR 101", "Kovács Őrs"),
        ("ISO_IR 109", "Ĥ ĉ"),
        ("ISO_IR 110", "Āboliņš"),
        ("ISO_IR 126", "Παπάς"),
        ("ISO_IR 127", "صدر"),
        ("ISO_IR 138", "חזה"),
        ("ISO_IR 144", "голова"),
        ("ISO_IR 148", "Şahin"),
        ("ISO_IR 166", "ธนะ"),
        ("ISO_IR 192", "ü 山 흉"),
        ("ISO_IR 203", "€ ü"),
        ("ISO_IR 13", "CT ﾄｳﾌﾞ"),
        ("GB18030", "王 é"),
        ("GBK", "王"),
        ("\\ISO 2022 IR 58", "CT 胸部^王=东 x"),
        ("\\ISO 2022 IR 87", "CT 胸部"),
        ("\\ISO 2022 IR 149", "CT 흉부"),
        ("\\ISO 2022 IR 159", "CT 丂"),
        ("ISO 2022 IR 13\\ISO 2022 IR 87", "ﾔﾏ 山"),
        ("ISO 2022 IR 100\\ISO 2022 IR 144", "Müller Щ"),
    ],
)
def test_what_is_encoded_decodes_to_the_same(declared: str, text: str) -> None:
    encoded = charset.encode(text, declared)
    assert charset.is_readable(encoded, declared)
    assert charset.decode(encoded, declared) == text


def test_chinese_gets_its_escape_in_every_component() -> None:
    """PS3.5 K.2: ``Wang^XiaoDong=<ESC>$)A...^<ESC>$)A...``."""
    encoded = charset.encode("Wang^XiaoDong=王^小东", "\\ISO 2022 IR 58")
    assert encoded == b"Wang^XiaoDong=\x1b$)A\xcd\xf5^\x1b$)A\xd0\xa1\xb6\xab"


@pytest.mark.parametrize(
    ("declared", "text", "left"),
    [
        ("ISO_IR 100", "Schädel █ 山", "Schädel ? ?"),
        ("ISO_IR 13", "ﾄｳﾌﾞ █ 山", "ﾄｳﾌﾞ ? ?"),
        ("\\ISO 2022 IR 87", "胸部 █ Ж é", "胸部 ? Ж ?"),
        ("\\ISO 2022 IR 58", "胸部 Ã 흉", "胸部 ? ?"),
        ("", "Schädel", "Sch?del"),
    ],
)
def test_what_a_set_cannot_hold_becomes_a_question_mark_alone(
    declared: str, text: str, left: str
) -> None:
    assert charset.decode(charset.encode(text, declared), declared) == left


@pytest.mark.parametrize(
    "declared", ["", "ISO_IR 6", "ISO_IR 100", "ISO_IR 192", "\\ISO 2022 IR 87", "X"]
)
@pytest.mark.parametrize("raw", [b"M\xfcller", b"\x1b$Bx", b"\xff\xfe\x00", b"\x1b"])
def test_no_bytes_raise(declared: str, raw: bytes) -> None:
    assert isinstance(charset.decode(raw, declared), str)
    has_high_bytes = declared not in {"", "ISO_IR 6", "ISO_IR 192"}
    assert charset.is_readable(raw, declared) is (has_high_bytes and b"\x1b" not in raw)


def test_bytes_outside_what_is_declared_are_not_readable() -> None:
    assert not charset.is_readable(b"M\xfcller", "")
    assert not charset.is_readable(b"M\xfcller", "ISO_IR 192")
    assert charset.is_readable(b"M\xfcller", "ISO_IR 100")
    assert not charset.is_readable(b"CT\x00Blorg", "ISO_IR 100")
