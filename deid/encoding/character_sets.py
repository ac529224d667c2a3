"""Character sets of text values (PS3.5 6.1, PS3.3 C.12.1.1.2)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from deid.encoding.code_extensions import (
    CHINESE,
    CODECS,
    DEFAULT,
    KATAKANA,
    codecs_of,
    decode_escaped,
    encode_extended,
)

DEFINED_TERMS: Final = frozenset(CODECS)
_PRINTABLE: Final = bytes(range(0x20, 0x7F)) + b"\r\n\t\f"
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
_ESCAPE: Final = b"\x1b"
_MAX_REMEMBERED: Final = 256


@lru_cache(maxsize=256)
def encodings(declared: str) -> tuple[str, ...]:
    """Return Python codecs for a Specific Character Set value; Latin-1 for what is not defined."""
    terms = [term.strip() for term in declared.split("\\")]
    if any(term not in DEFINED_TERMS for term in terms):
        return (DEFAULT,)
    return codecs_of(terms)


def decode(raw: bytes, declared: str) -> str:
    """Decode a text value. Bytes outside the declared sets become Latin-1 letters; nothing raises."""
    if raw.isascii() and _ESCAPE not in raw:
        return raw.decode("ascii")
    text = _strictly(bytes(raw), declared)
    if text is not None:
        return text
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _strictly(raw: bytes, declared: str) -> str | None:
    """Return a value that decodes in the declared sets; None if it does not."""
    return (_remembered if len(raw) <= _MAX_REMEMBERED else _decoded)(raw, declared)


def _decoded(raw: bytes, declared: str) -> str | None:
    codecs = encodings(declared)
    try:
        if _ESCAPE not in raw:
            # Without escapes every character is in the first set (PS3.5 6.1.2.5.3).
            return raw.decode(codecs[0])
        text = decode_escaped(raw, codecs)
        # Python's codec leaves the escape to Chinese in the text.
        return text.replace(_TO_CHINESE.decode("ascii"), "") if CHINESE in codecs else text
    except (UnicodeError, LookupError):
        return None


# A series repeats its names and descriptions in every instance.
_remembered = lru_cache(maxsize=4096)(_decoded)


def is_readable(raw: bytes, declared: str) -> bool:
    """Whether a text value is one in the declared sets: it decodes, and holds no control characters.

    Where nothing is declared, only the default repertoire is readable (PS3.5 6.1.2.1).
    """
    stripped = raw.rstrip(b" \x00")
    if stripped.isascii() and _ESCAPE not in stripped:
        return not stripped.translate(None, _PRINTABLE)
    if not declared.replace("ISO_IR 6", "").strip("\\ "):
        return False
    text = _strictly(bytes(stripped), declared)
    return text is not None and not _UNPRINTABLE.search(text)


def is_defined(declared: str) -> bool:
    """Whether every term of a Specific Character Set value is a defined one."""
    return all(term.strip() in DEFINED_TERMS for term in declared.split("\\"))


def encode(text: str, declared: str) -> bytes:
    """Encode a text value in the declared sets; each character that they cannot hold becomes a question mark.

    Where nothing is declared, that is every one outside the default repertoire (PS3.5 6.1.2.1).
    """
    if text.isascii():
        return text.encode("ascii")
    if not declared.replace("ISO_IR 6", "").strip("\\ "):
        return text.encode("ascii", "replace")
    codecs = encodings(declared)
    if len(codecs) == 1 and codecs[0] != KATAKANA:
        return text.encode(codecs[0], "replace")
    text = "".join(each if _holds(codecs, each) else "?" for each in text)
    if len(codecs) == 1:
        return text.encode(KATAKANA, "replace")
    try:
        encoded = encode_extended(text, codecs)
    except (UnicodeError, LookupError):
        encoded = b""
    if decode(encoded, declared) == text:
        return encoded
    return _in_chinese(text) if CHINESE in codecs else text.encode("ascii", "replace")


@lru_cache(maxsize=4096)
def _holds(codecs: tuple[str, ...], character: str) -> bool:
    """Whether one of the sets has a character. ISO_IR 13 has single bytes of its codec alone."""
    for codec in codecs:
        try:
            encoded = character.encode("ascii" if codec == DEFAULT else codec)
        except UnicodeError:
            continue
        if codec != KATAKANA or len(encoded) == 1:
            return True
    return False


def _in_chinese(text: str) -> bytes:
    """Encode in ISO 2022 IR 58, whose escape stands before it in every value, component and line.

    The encoder above leaves the escape out where the first set is the default one (PS3.5 6.1.2.5.3, K.2).
    """
    parts = re.split(r"([\\^=\r\n\f\t])", text)
    return b"".join(
        part.encode("ascii") if part.isascii() else _TO_CHINESE + part.encode("gb2312", "replace")
        for part in parts
    )


_TO_CHINESE: Final = b"\x1b$)A"
