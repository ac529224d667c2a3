"""Whether a text that no table names may stay: everything in it has to be recognised.

Table E.1-1 is the floor. Elements outside it carry text too (a code's meaning, a software version, a
label), and what somebody typed there is not safe because no table mentions it. A text stays when each
of its words is one that the standard, its codes or the makers of devices use, or is a short number.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final

from pydicom._dicom_dict import DicomDictionary
from pydicom._private_dict import private_dictionaries
from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import dictionary_keyword
from pydicom.sr._concepts_dict import concepts

_TOKEN: Final = re.compile(r"[^\W_]+", re.UNICODE)
_CAMEL: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NUMBER: Final = re.compile(r"[+-]?\d*(\.\d*)?([eE][+-]?\d{1,3})?\Z")
_RECOGNISED_DIGITS: Final = 5
_MIXED: Final = re.compile(r"(?=.*\d)[A-Za-z]{0,4}\d{1,5}[A-Za-z]{0,3}\d{0,3}\Z")
_DATE_LIKE: Final = re.compile(
    r"(?<!\d)(19|20)\d\d[-./ ]?(0[1-9]|1[0-2])[-./ ]?([0-2]\d|3[01])(?!\d)"
    r"|(?<!\d)([0-2]?\d|3[01])[-./](0?[1-9]|1[0-2])[-./](19|20)?\d\d(?!\d)"
)
_MACHINE_TAGS: Final = frozenset(
    {
        0x00181016, 0x00181018, 0x00181019, 0x00181020, 0x00181210, 0x00180024, 0x00181250,
        0x00181251, 0x00189005, 0x00189041, 0x00181160, 0x00181180, 0x00181022, 0x00080100,
        0x00080102, 0x00080103, 0x00080119, 0x00080120,
    }
)  # fmt: skip
"""Software, coils, kernels, sequences and codes: shapes such as ``VB20A`` or ``0.1.2b`` are usual."""
_CODE_VALUE: Final = 0x00080100
_CODE_DIGITS: Final = 18
_MOST_DIGITS: Final = 7
_MAKER_TAGS: Final = frozenset({0x00080070, 0x00081090})
"""Manufacturer and model: what the maker of a device calls itself is in no vocabulary."""
_VERSION: Final = re.compile(r"[A-Za-z]{0,3}\d{1,4}[A-Za-z]{0,2}\d{0,2}\Z")


@cache
def vocabulary() -> frozenset[str]:
    """Return the recognised words, in lower case."""
    words: set[str] = set()
    for _vr, _vm, name, _retired, keyword in DicomDictionary.values():
        words.update(_words(name))
        words.update(part.lower() for part in _CAMEL.findall(keyword))
    for name, *_rest in UID_dictionary.values():
        words.update(_words(name))
    schemes: dict[str, dict[str, dict[str, tuple[str, list[int]]]]] = concepts  # type: ignore[assignment]
    for scheme in schemes.values():
        for meanings in scheme.values():
            for meaning, _cids in meanings.values():
                words.update(_words(meaning))
    for creator, block in private_dictionaries.items():
        words.update(_words(creator))
        for entry in block.values():
            words.update(_words(entry[2]))
    words.update((files("deid.tables") / "words.txt").read_text(encoding="utf-8").split())
    return frozenset(words)


def recognised(tag: int, vr: str, text: str) -> bool:
    """Whether a decoded value holds nothing but what is recognised.

    Parameters
    ----------
    tag
        The element; names of devices and codes may have shapes that others may not.
    vr
        The VR the value is read as.
    text
        The whole value, backslashes included.
    """
    text = text.strip(" \x00")
    if not text:
        return True
    if vr in ("IS", "DS"):
        return all(_is_measure(part.strip()) for part in text.split("\\"))
    if "\x00" in text or "^" in text:
        return False
    if vr == "UR":
        return False
    if _DATE_LIKE.search(text):
        return False
    if tag in _MAKER_TAGS:
        return True
    words = vocabulary()
    machine = tag in _MACHINE_TAGS
    if tag == _CODE_VALUE and text.isdigit():
        return len(text) <= _CODE_DIGITS
    return all(_is_recognised_token(token, words, machine) for token in _TOKEN.findall(text))


def _is_measure(part: str) -> bool:
    """Whether a number looks measured or counted, not issued: record numbers are long and not round."""
    if not _NUMBER.match(part):
        return False
    digits = part.lstrip("+-0")
    return not digits.isdigit() or len(digits.rstrip("0")) <= _MOST_DIGITS


def is_colour_profile(value: bytes) -> bool:
    """Whether bytes are an ICC profile by signature and size, and carry no free text but a name.

    ICC.1 7.2: the size stands in the first four bytes, ``acsp`` at 36.
    """
    return (
        len(value) >= 128
        and value[36:40] == b"acsp"
        and int.from_bytes(value[:4], "big") in (len(value), len(value) - 1)
    )


def _is_recognised_token(token: str, words: frozenset[str], machine: bool) -> bool:
    if token.isdigit():
        return len(token) <= _RECOGNISED_DIGITS
    lower = token.lower()
    if len(token) <= 2 or lower in words:
        return True
    if len(token) == 3 and token.isascii() and token.isupper():
        return True
    if lower.endswith("s") and lower[:-1] in words:
        return True
    if machine and _VERSION.match(token):
        return True
    return bool(_MIXED.match(token)) and len(token) <= 8


def _words(name: str) -> set[str]:
    return {token.lower() for token in _TOKEN.findall(name)}


def keyword_of(tag: int) -> str:
    """Return a tag's keyword, or an empty string."""
    try:
        return dictionary_keyword(tag)
    except KeyError:
        return ""
