"""Character sets by their defined terms, and text that changes between them (PS3.3 C.12.1.1.2, PS3.5 6.1.2)."""

from __future__ import annotations

import codecs as python_codecs
import contextlib
import re
from typing import Final

DEFAULT: Final = "iso8859"
"""The default repertoire, which is ASCII (PS3.5 6.1.2.1); Python's codec takes Latin-1 with it."""
CHINESE: Final = "iso_ir_58"
KATAKANA: Final = "shift_jis"

CODECS: Final = {
    "": DEFAULT,
    "ISO_IR 6": DEFAULT,
    "ISO_IR 13": KATAKANA,
    "ISO_IR 100": "latin_1",
    "ISO_IR 101": "iso8859_2",
    "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4",
    "ISO_IR 126": "iso_ir_126",
    "ISO_IR 127": "iso_ir_127",
    "ISO_IR 138": "iso_ir_138",
    "ISO_IR 144": "iso_ir_144",
    "ISO_IR 148": "iso_ir_148",
    "ISO_IR 166": "iso_ir_166",
    "ISO_IR 203": "iso8859_15",
    "ISO 2022 IR 6": DEFAULT,
    "ISO 2022 IR 13": KATAKANA,
    "ISO 2022 IR 87": "iso2022_jp",
    "ISO 2022 IR 100": "latin_1",
    "ISO 2022 IR 101": "iso8859_2",
    "ISO 2022 IR 109": "iso8859_3",
    "ISO 2022 IR 110": "iso8859_4",
    "ISO 2022 IR 126": "iso_ir_126",
    "ISO 2022 IR 127": "iso_ir_127",
    "ISO 2022 IR 138": "iso_ir_138",
    "ISO 2022 IR 144": "iso_ir_144",
    "ISO 2022 IR 148": "iso_ir_148",
    "ISO 2022 IR 149": "euc_kr",
    "ISO 2022 IR 159": "iso2022_jp_2",
    "ISO 2022 IR 166": "iso_ir_166",
    "ISO 2022 IR 58": CHINESE,
    "ISO_IR 192": "UTF8",
    "GB18030": "GB18030",
    "ISO 2022 GBK": "GBK",
    "ISO 2022 58": "GB2312",
    "GBK": "GBK",
}
"""Python's codecs by defined term (PS3.3 Tables C.12-2 to C.12-5; the last three of CP 1234)."""

_STAND_ALONE: Final = frozenset({"ISO_IR 192", "GBK", "GB18030"})
"""Not to be mixed with others (PS3.5 6.1.2.5.4)."""
ESCAPES: Final = {
    b"\x1b(B": DEFAULT,
    b"\x1b-A": "latin_1",
    b"\x1b)I": KATAKANA,
    b"\x1b(J": KATAKANA,
    b"\x1b$B": "iso2022_jp",
    b"\x1b-B": "iso8859_2",
    b"\x1b-C": "iso8859_3",
    b"\x1b-D": "iso8859_4",
    b"\x1b-F": "iso_ir_126",
    b"\x1b-G": "iso_ir_127",
    b"\x1b-H": "iso_ir_138",
    b"\x1b-L": "iso_ir_144",
    b"\x1b-M": "iso_ir_148",
    b"\x1b-T": "iso_ir_166",
    b"\x1b$)C": "euc_kr",
    b"\x1b$(D": "iso2022_jp_2",
    b"\x1b$)A": CHINESE,
}
"""What each escape sequence changes to (PS3.3 Tables C.12-3 and C.12-4)."""
_READ_WITH_ESCAPE: Final = frozenset({"iso2022_jp", "iso2022_jp_2", CHINESE})
"""Codecs that take their own escape sequence."""
_CHANGES_TO: Final = {codec: escape for escape, codec in ESCAPES.items() if codec != KATAKANA}
_ROMAJI_ESCAPE: Final = b"\x1b(J"
_KATAKANA_ESCAPE: Final = b"\x1b)I"
_JAPANESE: Final = frozenset({"iso2022_jp", "iso2022_jp_2"})
"""Codecs after which the first set has to be called back."""
_LONG_ESCAPES: Final = (b"\x1b$(", b"\x1b$)")
_FRAGMENT: Final = re.compile(rb"^[^\x1b]+|\x1b[^\x1b]*")
_DELIMITER: Final = re.compile(rb"[\\^=\r\n\t\f]")
"""What goes back to the first set (PS3.5 6.1.2.5.3)."""


def codecs_of(terms: list[str]) -> tuple[str, ...]:
    """Return the codecs of the values of Specific Character Set, all of which are defined terms.

    A set that stands alone is the only one where it comes first, and is passed over elsewhere.
    """
    if len(terms) > 1 and terms[0] in _STAND_ALONE:
        terms = terms[:1]
    return tuple(
        CODECS[term] for index, term in enumerate(terms) if index == 0 or term not in _STAND_ALONE
    )


def decode_escaped(raw: bytes, codecs: tuple[str, ...]) -> str:
    """Decode a value with escape sequences.

    Raises
    ------
    UnicodeError
        When a part is not in its set.
    LookupError
        When an escape sequence is none, or changes to a set that is not declared.
    """
    return "".join(_decoded(fragment, codecs) for fragment in _FRAGMENT.findall(raw))


def _decoded(fragment: bytes, codecs: tuple[str, ...]) -> str:
    if not fragment.startswith(b"\x1b"):
        return fragment.decode(codecs[0])
    length = 4 if fragment.startswith(_LONG_ESCAPES) else 3
    codec = ESCAPES[fragment[:length]]
    if codec != DEFAULT and codec not in codecs:
        raise LookupError("an escape to a set that is not declared")
    if codec in _READ_WITH_ESCAPE:
        return fragment.decode(codec)
    fragment = fragment[length:]
    delimiter = _DELIMITER.search(fragment)
    end = delimiter.start() if delimiter else len(fragment)
    return fragment[:end].decode(codec) + fragment[end:].decode(codecs[0])


def encode_extended(text: str, codecs: tuple[str, ...]) -> bytes:
    """Encode a value in one of several sets, or each part in the set that reaches farthest.

    Raises
    ------
    UnicodeError
        When a character is in none of them.
    """
    for index, codec in enumerate(codecs):
        try:
            encoded = _encoded(text, codec)
        except UnicodeError:
            continue
        if index > 0 and codec not in _READ_WITH_ESCAPE:
            encoded = _escape_to(codec, encoded) + encoded
        return encoded + _called_back(codec, codecs)
    if len(codecs) == 1:
        raise UnicodeError("a character is not in the declared set")
    return _encoded_in_parts(text, codecs)


def _encoded_in_parts(text: str, codecs: tuple[str, ...]) -> bytes:
    parts = []
    codec = DEFAULT
    while text:
        reach = 0
        for candidate in codecs:
            end = _reach(text, candidate)
            if end > reach:
                reach, codec = end, candidate
        if not reach:
            raise UnicodeError("a character is in none of the declared sets")
        encoded = _encoded(text[:reach], codec)
        parts += [encoded] if codec in _READ_WITH_ESCAPE else [_escape_to(codec, encoded), encoded]
        text = text[reach:]
    return b"".join(parts) + _called_back(codec, codecs)


def _reach(text: str, codec: str) -> int:
    """Return how many characters from the beginning a set has."""
    try:
        _encoded(text, codec)
    except UnicodeEncodeError as error:
        return error.start
    return len(text)


def _escape_to(codec: str, encoded: bytes) -> bytes:
    if codec == KATAKANA:
        return _KATAKANA_ESCAPE if encoded[0] >= 0x80 else _ROMAJI_ESCAPE
    return _CHANGES_TO.get(codec, b"")


def _called_back(codec: str, codecs: tuple[str, ...]) -> bytes:
    """Return the escape to the first set, where the last one needs it."""
    return _escape_to(codecs[0], b"\x00") if codec in _JAPANESE else b""


def _encoded(text: str, codec: str) -> bytes:
    if codec == KATAKANA:
        return _in_jis_x_0201(text)
    if codec in _JAPANESE:
        return _in_jis(text, codec)
    return text.encode(codec)


def _in_jis_x_0201(text: str) -> bytes:
    """Encode letters of one half, either Romaji (ISO-IR 14) or Katakana (ISO-IR 13)."""
    encoded = b""
    for at, character in enumerate(text):
        byte = b""
        with contextlib.suppress(UnicodeEncodeError):
            byte = character.encode(KATAKANA)
        if len(byte) != 1 or (encoded and (byte[0] ^ encoded[0]) & 0x80):
            raise UnicodeEncodeError(KATAKANA, text, at, len(text), "not in this half of the set")
        encoded += byte
    return encoded


def _in_jis(text: str, codec: str) -> bytes:
    """Encode characters of JIS X 0208 or 0212 alone; the escape stands before them, and none behind."""
    encoder = python_codecs.getincrementalencoder(codec)()
    encoded = b""
    for at, character in enumerate(text):
        try:
            more = encoder.encode(character)
        except UnicodeEncodeError:
            more = b"\x1b"
        if more.startswith(_CHANGES_TO[codec] if at == 0 else b"\x1b") != (at == 0):
            raise UnicodeEncodeError(codec, text, at, len(text), "not in this set")
        encoded += more
    return encoded
