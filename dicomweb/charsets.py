"""Decoding text by Specific Character Set (PS3.3 C.12.1.1.2, PS3.5 6.1), never failing.

Python has the codecs; what is here is fast for the usual case, silent, and turns what cannot be decoded into
U+FFFD.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from dicomweb.encodings import CODECS, DEFAULT_CODEC, ESCAPES

_ESC: Final = b"\x1b"
_FRAGMENTS: Final = re.compile(rb"^[^\x1b]+|\x1b[^\x1b]*")
# Of these, Python's codec reads the escape sequence itself.
_SELF_ESCAPED: Final = frozenset({"iso2022_jp", "iso2022_jp_2"})
# PS3.5 6.1.2.5.3: what ends the effect of an escape sequence.
_RESETS: Final = re.compile(rb"[\\\t\n\f\r]")
_RESETS_NAME: Final = re.compile(rb"[\\\t\n\f\r^=]")


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
        codec = ESCAPES.get(fragment[:size])
        if codec is None or (codec != DEFAULT_CODEC and codec not in self._extensions):
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
    return CODECS.get(normal, "utf_8" if term.lower() in {"utf-8", "utf8"} else DEFAULT_CODEC)
