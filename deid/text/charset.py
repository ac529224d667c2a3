"""Character sets of text values (PS3.5 6.1, PS3.3 C.12.1.1.2)."""

from __future__ import annotations

import unicodedata
import warnings
from functools import lru_cache
from typing import Final

from pydicom.charset import convert_encodings, decode_bytes, encode_string, python_encoding

DEFINED_TERMS: Final = frozenset(term for term in python_encoding if term) | {""}
_PRINTABLE: Final = bytes(range(0x20, 0x7F)) + b"\r\n\t\f"
_REMEMBERED: Final = 256
"""Bytes of the longest value that is remembered: names and numbers come again with each instance."""
_DELIMITERS: Final = {0x5C, 0x5E, 0x3D, 0x0D, 0x0A, 0x09, 0x0C}


@lru_cache(maxsize=256)
def encodings(declared: str) -> tuple[str, ...]:
    """Return Python codecs for a Specific Character Set value; Latin-1 for what is not defined."""
    terms = [term.strip() for term in declared.split("\\")]
    if any(term not in DEFINED_TERMS for term in terms):
        return ("iso8859",)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(convert_encodings(terms if len(terms) > 1 else terms[0]))


def decode(raw: bytes, declared: str) -> str:
    """Decode a text value. Bytes outside the declared sets become Latin-1 letters; nothing raises."""
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii")
    return _decoded(raw, declared) if len(raw) <= _REMEMBERED else _decode(raw, declared)


def _decode(raw: bytes, declared: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return decode_bytes(raw, list(encodings(declared)), _DELIMITERS)
    except (UnicodeError, LookupError, UserWarning):
        pass
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


_decoded = lru_cache(maxsize=4096)(_decode)


def is_readable(raw: bytes, declared: str) -> bool:
    """Whether a text value is one in the declared sets: it decodes, and holds no control characters.

    Where nothing is declared, only the default repertoire is readable (PS3.5 6.1.2.1).
    """
    stripped = raw.rstrip(b" \x00")
    if stripped.isascii() and b"\x1b" not in stripped:
        return not stripped.translate(None, _PRINTABLE)
    if not declared.replace("ISO_IR 6", "").strip("\\ "):
        return False
    if len(stripped) <= _REMEMBERED:
        return _remembered_as_readable(stripped, declared)
    return _decodes(stripped, declared)


def _decodes(stripped: bytes, declared: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            text = decode_bytes(stripped, list(encodings(declared)), _DELIMITERS)
    except (UnicodeError, LookupError, UserWarning):
        return False
    return not any(unicodedata.category(each) == "Cc" and each not in "\r\n\t\f" for each in text)


_remembered_as_readable = lru_cache(maxsize=4096)(_decodes)


def is_defined(declared: str) -> bool:
    """Whether every term of a Specific Character Set value is a defined one."""
    return all(term.strip() in DEFINED_TERMS for term in declared.split("\\"))


def encode(text: str, declared: str) -> bytes:
    """Encode a text value in the declared sets; what they cannot hold becomes a question mark."""
    if text.isascii():
        return text.encode("ascii")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return bytes(encode_string(text, list(encodings(declared))))
        except (UnicodeError, LookupError):
            return text.encode("ascii", "replace")
