"""A DICOM JSON object and the bulk data that it names, as a Part 10 file (PS3.18 F.2, PS3.5 7)."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from struct import error as struct_error
from struct import pack
from typing import TYPE_CHECKING, Any, Final

from dicomweb.elements import NUMBER_FORMATS, PIXEL_DATA
from dicomweb.encodings import EXPLICIT_LITTLE, LONG_VRS, MAX_DEPTH, SHORT_VRS
from dicomweb.errors import DescribeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Attributes = Mapping[str, Any]

BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}")
_SINGLE: Final = frozenset({"LT", "ST", "UR", "UT"})
_TEXT: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_CHARACTER_SET: Final = 0x00080005
_CLASS: Final = "00080016"
_INSTANCE: Final = "00080018"
_UNDEFINED: Final = 0xFFFFFFFF


class Bulk:
    """Values by the address that names them.

    Parameters
    ----------
    parts
        Address to the bodies that have it as Content-Location: one, or one for each compressed frame.
    syntaxes
        Address to the transfer syntax of its bodies, where they are compressed.
    """

    def __init__(self, parts: Mapping[str, Sequence[bytes]], syntaxes: Mapping[str, str]) -> None:
        self._parts = parts
        self._syntaxes = syntaxes

    def bodies(self, address: str) -> Sequence[bytes]:
        """Return what an address names.

        Raises
        ------
        DescribeError
            If nothing does.
        """
        found = self._parts.get(address)
        if found is None:
            raise DescribeError("a BulkDataURI that no part has for its Content-Location")
        return found

    def syntax(self, address: str) -> str:
        """Return the transfer syntax of what an address names; empty where it is not compressed."""
        return self._syntaxes.get(address, "")


def encode(attributes: Attributes, bulk: Bulk) -> list[bytes]:
    """Return the pieces of a Part 10 file, in Explicit VR Little Endian or the syntax of its compressed pixels.

    Text is written in UTF-8, as JSON and XML hold it; Specific Character Set says so where there is any.

    Raises
    ------
    DescribeError
        If it is not a DICOM JSON object, or names bulk data that is not there.
    """
    try:
        address = attributes.get(f"{PIXEL_DATA:08X}", {}).get("BulkDataURI", "")
        syntax = bulk.syntax(address) or EXPLICIT_LITTLE
        body = _Writer(bulk, is_encapsulated=syntax != EXPLICIT_LITTLE).dataset(attributes, 0)
        meta = _meta(_uid(attributes, _CLASS), _uid(attributes, _INSTANCE), syntax)
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError, struct_error) as error:
        raise DescribeError("not a DICOM JSON object") from error
    return [bytes(128) + b"DICM" + meta, *body]


def _uid(attributes: Attributes, tag: str) -> bytes:
    values = attributes.get(tag, {}).get("Value") or [""]
    return _even(str(values[0]).encode("ascii"), b"\0")


def _meta(sop_class: bytes, sop_instance: bytes, syntax: str) -> bytes:
    elements = b"".join(
        _header(tag, vr, len(value)) + value
        for tag, vr, value in (
            (0x00020001, b"OB", b"\0\1"),
            (0x00020002, b"UI", sop_class),
            (0x00020003, b"UI", sop_instance),
            (0x00020010, b"UI", _even(syntax.encode("ascii"), b"\0")),
        )
    )
    return _header(0x00020000, b"UL", 4) + pack("<I", len(elements)) + elements


def _header(tag: int, vr: bytes, length: int) -> bytes:
    if vr in LONG_VRS:
        return pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, length)
    if length > 0xFFFF:  # does not fit: UN has room (PS3.5 6.2.2, note 7)
        return pack("<HH2sHI", tag >> 16, tag & 0xFFFF, b"UN", 0, length)
    return pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, length)


def _even(value: bytes, padding: bytes) -> bytes:
    return value + padding * (len(value) % 2)


class _Writer:
    def __init__(self, bulk: Bulk, *, is_encapsulated: bool) -> None:
        self._bulk = bulk
        self._is_encapsulated = is_encapsulated

    def dataset(self, attributes: Attributes, depth: int) -> list[bytes]:
        """Return pieces, so that long values are not copied."""
        if depth > MAX_DEPTH:
            raise DescribeError("nested too deep")
        tags = {}
        for name, attribute in attributes.items():
            if not _TAG.fullmatch(name):
                raise DescribeError("an attribute that is not named by its tag")
            tag = int(name, 16)
            # File meta information and group lengths are made anew (F.2.2).
            if tag >> 16 != 2 and tag & 0xFFFF:
                tags[tag] = attribute
        tags.pop(_CHARACTER_SET, None)
        if not depth:  # items inherit it
            tags[_CHARACTER_SET] = {"vr": "CS", "Value": ["ISO_IR 192"]}
        pieces: list[bytes] = []
        for tag in sorted(tags):
            pieces += self._element(tag, tags[tag], depth)
        return pieces

    def _element(self, tag: int, attribute: Attributes, depth: int) -> list[bytes]:
        vr = _one_of(attribute["vr"], attribute.get("Value", ()))
        encoded = vr.encode("ascii")
        if encoded not in LONG_VRS | SHORT_VRS:
            raise DescribeError("an unknown Value Representation")
        if vr == "SQ":
            items: list[bytes] = []
            for each in attribute.get("Value", ()):
                inner = self.dataset(each or {}, depth + 1)
                items += (_item(sum(map(len, inner))), *inner)
            return [_header(tag, b"SQ", sum(map(len, items))), *items]
        if tag == PIXEL_DATA and not depth and self._is_encapsulated:
            pieces = [_header(tag, b"OB", _UNDEFINED), _item(0)]
            for frame in self._bulk.bodies(attribute["BulkDataURI"]):
                padding = b"\0" * (len(frame) % 2)
                pieces += (_item(len(frame) + len(padding)), frame, padding)
            return [*pieces, b"\xfe\xff\xdd\xe0\0\0\0\0"]
        value = self._value(vr, attribute)
        return [_header(tag, encoded, len(value)), value]

    def _value(self, vr: str, attribute: Attributes) -> bytes:
        if "BulkDataURI" in attribute:
            bodies = self._bulk.bodies(attribute["BulkDataURI"])
            if len(bodies) != 1:
                raise DescribeError("several parts for one value")
            return _even(bodies[0], b" " if vr in _TEXT else b"\0")
        if "InlineBinary" in attribute:
            try:
                return _even(b64decode(attribute["InlineBinary"], validate=True), b"\0")
            except binascii.Error as error:
                raise DescribeError("InlineBinary that is not in base64") from error
        values = attribute.get("Value", [])
        if not isinstance(values, list):
            raise DescribeError("a Value that is no array")
        if vr in BINARY and values:
            raise DescribeError("a binary value that is not in InlineBinary")
        numbers = NUMBER_FORMATS.get(vr.encode("ascii"))
        if numbers is not None:
            convert: Callable[[Any], Any] = float if numbers[0] in "fd" else int
            return pack(f"<{len(values)}{numbers[0]}", *map(convert, values))
        if vr == "AT":
            return b"".join(
                pack("<HH", int(each[:4], 16), int(each[4:], 16)) for each in values if each
            )
        texts = [_text(vr, each) for each in values]
        if vr in _SINGLE and len(texts) > 1:
            raise DescribeError("several values of a VR that has one")
        return _even("\\".join(texts).encode("utf-8"), b"\0" if vr == "UI" else b" ")


def _one_of(vr: str, values: Sequence[Any]) -> str:
    """Return the VR that is meant by the dictionary's alternatives, which some libraries write."""
    if " or " not in vr:
        return vr
    if "OW" in vr:
        return "OW"
    return "SS" if any(isinstance(each, int) and each < 0 for each in values) else "US"


def _text(vr: str, value: Any) -> str:
    if value is None:
        return ""
    if vr == "PN":
        if not isinstance(value, dict):
            raise DescribeError("a person name without component groups")
        return "=".join(str(value.get(group, "")) for group in _GROUPS).rstrip("=")
    if isinstance(value, dict | list):
        raise DescribeError("a value of another kind than its VR")
    if vr == "DS" and isinstance(value, float):
        return _decimal(value)
    if vr == "IS":
        return str(int(value))
    return str(value)


def _decimal(value: float) -> str:
    """Return a number in at most 16 characters (PS3.5 6.2)."""
    text = repr(value)
    for digits in range(15, 4, -1):
        if len(text) <= 16:
            break
        text = f"{value:.{digits}g}"
    return text.removesuffix(".0")


def _item(length: int) -> bytes:
    return pack("<HHI", 0xFFFE, 0xE000, length)
