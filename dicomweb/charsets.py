"""Decoding text by Specific Character Set (PS3.3 C.12.1.1.2, PS3.5 6.1), never failing.

Python has the codecs; what is here is fast for the usual case, silent
(pydicom's own decoder warns, naming values), and turns what cannot be decoded into U+FFFD.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_ESC: Final = b"\x1b"
_FRAGMENTS: Final = re.compile(rb"^[^\x1b]+|\x1b[^\x1b]*")
# Of these, Python's codec reads the escape sequence itself.
_SELF_ESCAPED: Final = frozenset({"iso2022_jp", "iso2022_jp_2"})
# PS3.5 6.1.2.5.3: what ends the effect of an escape sequence.
_RESETS: Final = re.compile(rb"[\\\t\n\f\r]")
_RESETS_NAME: Final = re.compile(rb"[\\\t\n\f\r^=]")
# The default repertoire is ISO 646: bytes above it were never declared and mean nothing certain.
_DEFAULT: Final = "ascii"
_TABLE: Final = {
    "": _DEFAULT,
    "ISO_IR 6": _DEFAULT,
    "ISO_IR 13": "shift_jis",
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
    "ISO 2022 IR 6": _DEFAULT,
    "ISO 2022 IR 13": "shift_jis",
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
    "ISO 2022 IR 58": "gb2312",
    "ISO_IR 192": "UTF8",
    "GB18030": "GB18030",
    "ISO 2022 GBK": "GBK",
    "ISO 2022 58": "GB2312",
    "GBK": "GBK",
}
"""Python's codecs by defined term (PS3.3 Tables C.12-2 to C.12-5)."""
_ESCAPES: Final = {
    b"\x1b(B": _DEFAULT,
    b"\x1b-A": "latin_1",
    b"\x1b)I": "shift_jis",
    b"\x1b(J": "shift_jis",
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
    b"\x1b$)A": "gb2312",
}
"""What each escape sequence changes to (PS3.3 Tables C.12-3 and C.12-4)."""


class CharacterSet:
    """What Specific Character Set says at one place of a data set.

    In a PN value ``^`` and ``=`` too end the effect of an escape sequence.
    """

    __slots__ = ("_codec", "_extensions")

    def __init__(self, codec: str, extensions: frozenset[str]) -> None:
        self._codec = codec
        self._extensions = extensions

    def decode(self, value: bytes) -> str:
        """Return the text of an SH, LO, UC, ST, LT or UT value, U+FFFD for what is undeclared."""
        if _ESC not in value:
            return value.decode(self._codec, "replace")
        return self._decode_escaped(value, _RESETS)

    def decode_name(self, value: bytes) -> str:
        """Return the text of a person name."""
        if _ESC not in value:
            return value.decode(self._codec, "replace")
        return self._decode_escaped(value, _RESETS_NAME)

    def _decode_escaped(self, value: bytes, resets: re.Pattern[bytes]) -> str:
        return "".join(
            self._decode_fragment(fragment, resets) for fragment in _FRAGMENTS.findall(value)
        )

    def _decode_fragment(self, fragment: bytes, resets: re.Pattern[bytes]) -> str:
        if not fragment.startswith(_ESC):
            return fragment.decode(self._codec, "replace")
        size = 4 if fragment.startswith((b"\x1b$(", b"\x1b$)")) else 3
        codec = _ESCAPES.get(fragment[:size])
        if codec is None or (codec != _DEFAULT and codec not in self._extensions):
            return fragment.decode(self._codec, "replace")
        if codec in _SELF_ESCAPED:
            return fragment.decode(codec, "replace")
        text = fragment[size:]
        reset = resets.search(text)
        end = reset.start() if reset else len(text)
        return text[:end].decode(codec, "replace") + text[end:].decode(self._codec, "replace")


@lru_cache(maxsize=256)
def character_set(value: bytes) -> CharacterSet:
    """Return the character set for the value field of (0008,0005); unknown terms mean the default."""
    terms = [term.strip() for term in value.decode("ascii", "replace").rstrip("\0 ").split("\\")]
    found = [_codec_of(term) for term in terms]
    return CharacterSet(found[0], frozenset(found[1:]) | {found[0]})


def _codec_of(term: str) -> str:
    normal = re.sub(r"^ISO.?2022.IR.(?=\d)", "ISO 2022 IR ", term, flags=re.IGNORECASE)
    normal = re.sub(r"^ISO.?IR.?(?=\d)", "ISO_IR ", normal, flags=re.IGNORECASE)
    return _TABLE.get(normal, "utf_8" if term.lower() in {"utf-8", "utf8"} else _DEFAULT)
