"""One stored instance, described once: its DICOM JSON and what searches need (PS3.18 annex F, 10.6).

What is written here is served as it is, so that a metadata request is a concatenation. The work runs
in a worker process, once per stored instance; pixel data and other bulk is stepped over, never read.
"""

from __future__ import annotations

import math
import re
from base64 import b64encode
from dataclasses import dataclass, field
from struct import unpack
from typing import TYPE_CHECKING, Any, Final

import orjson

from dicomweb.attributes import KEYS, LEVELS, normalise, tag_of, tags_of
from dicomweb.charsets import CharacterSet, character_set
from dicomweb.dictionary import attributes
from dicomweb.elements import (
    LUT_DESCRIPTOR,
    NUMBER_FORMATS,
    PIXEL_DATA,
    PIXEL_REPRESENTATION,
    WORD_BYTES,
    Cursor,
    disambiguated_vr,
    elements,
    is_private_creator,
    items,
    looked_up_vr,
    nested,
    open_dataset,
    private_block,
    read_file_meta,
    swapped,
)
from dicomweb.encodings import LONG_VRS, SHORT_VRS
from dicomweb.errors import DescribeError, NoIdentity

if TYPE_CHECKING:
    from collections.abc import Callable

    from dicomweb.elements import Buffer
    from dicomweb.ports import Level

    Attribute = dict[str, Any]
    Attributes = dict[str, Attribute]

__all__ = [
    "KEY_TAGS",
    "LEVEL_TAGS",
    "DescribeError",
    "Description",
    "describe",
    "keys_of",
    "level_of",
]

INLINE_BINARY_MAX_BYTES: Final = 1024
"""Longer values of OB, OD, OF, OL, OV, OW and UN become a BulkDataURI."""
INLINE_VALUE_MAX_BYTES: Final = 65536
"""Longer values of numbers and texts become a BulkDataURI."""
MAX_INFLATED_BYTES: Final = 1 << 30

_CHARACTER_SET: Final = 0x00080005
_LUT_DESCRIPTOR: Final = f"{LUT_DESCRIPTOR:08X}"
_UTF8: Final[Attribute] = {"vr": "CS", "Value": ["ISO_IR 192"]}
_UID: Final = re.compile(r"[0-9]+(?:\.[0-9]+)*")


@dataclass(frozen=True, slots=True)
class Description:
    """What a store keeps of one instance, apart from where its bytes are.

    Attributes
    ----------
    metadata
        The DICOM JSON object, complete, attributes in ascending order. Each BulkDataURI in it is
        relative to the DICOMweb service's root (``studies/1.2/series/...``).
    study, series, instance
        DICOM JSON objects with the attributes of that level (`dicomweb.attributes.LEVELS`).
    keys
        Searchable values by keyword (`dicomweb.attributes.KEYS`), as `normalise` makes them; absent
        attributes are absent, empty ones empty, several values joined by backslash.
    """

    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    number_of_frames: int
    metadata: bytes
    study: bytes
    series: bytes
    instance: bytes
    keys: dict[str, str] = field(default_factory=dict)


def describe(buffer: Buffer, *, max_inflated_bytes: int = MAX_INFLATED_BYTES) -> Description:
    """Describe a whole Part 10 file.

    Parameters
    ----------
    buffer
        The file's bytes, or a read-only map of it: only headers and short values are touched.
    max_inflated_bytes
        Upper limit for the data set of a deflated file.

    Raises
    ------
    DescribeError
        If it cannot be walked, is nested deeper than 32, or lacks one of its four UIDs.
    """
    meta = read_file_meta(buffer)
    cursor = open_dataset(buffer, meta, max_inflated_bytes=max_inflated_bytes)
    attributes = _dataset(cursor, len(cursor.data), _Context(character_set(b""), False, ""))
    study_uid = _required_uid(attributes, "StudyInstanceUID")
    series_uid = _required_uid(attributes, "SeriesInstanceUID")
    sop_instance_uid = _required_uid(attributes, "SOPInstanceUID")
    sop_class_uid = _required_uid(attributes, "SOPClassUID")
    root = f"studies/{study_uid}/series/{series_uid}/instances/{sop_instance_uid}/bulkdata/"
    metadata = orjson.dumps(attributes).replace(
        b'"BulkDataURI":"', b'"BulkDataURI":"' + root.encode()
    )
    return Description(
        study_uid=study_uid,
        series_uid=series_uid,
        sop_instance_uid=sop_instance_uid,
        sop_class_uid=sop_class_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        number_of_frames=_number_of_frames(attributes),
        metadata=metadata,
        study=_level(attributes, "study"),
        series=_level(attributes, "series"),
        instance=_level(attributes, "instance", meta.transfer_syntax_uid),
        keys=keys_of(attributes),
    )


@dataclass(slots=True)
class _Context:
    """What the meaning of a value depends on; items inherit it from their surroundings."""

    text: CharacterSet
    signed: bool
    path: str


def _dataset(cursor: Cursor, stop: int, context: _Context) -> Attributes:
    data = cursor.data
    implicit = cursor.implicit
    creators: dict[int, str] = {}
    found: Attributes = {}
    previous = -1
    ascending = True
    for tag, encoded_vr, length in elements(cursor, stop):
        if tag & 0xFFFF == 0:  # group lengths are not part of the model (PS3.18 F.2.2)
            continue
        if tag <= previous:
            ascending = False
        previous = tag
        name = _NAMES.get(tag) or f"{tag:08X}"
        vr = encoded_vr
        if implicit or vr == b"UN":
            vr = looked_up_vr(tag, length, creators)
            if b" " in vr:
                descriptor = found.get(_LUT_DESCRIPTOR, {}).get("Value", [0])
                vr = disambiguated_vr(tag, vr, signed=context.signed, lut_entries=descriptor[0])
        if vr not in _EMPTY:
            raise DescribeError(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) stands outside a sequence")
        if length == 0:
            found[name] = _EMPTY[vr]
            continue
        if vr == b"SQ":
            found[name] = _sequence(cursor, encoded_vr, name, stop, length, context)
            continue
        if tag == PIXEL_DATA or length > INLINE_VALUE_MAX_BYTES:
            found[name] = _bulk(vr, context, name)
            continue
        start = cursor.position
        value = data[start : start + length]
        convert = _CONVERTERS.get(vr)
        if convert is not None:
            if vr == b"AT" and cursor.big:
                value = swapped(value, WORD_BYTES.get(vr, 1))
            found[name] = convert(value, context.text)
        elif vr in NUMBER_FORMATS:
            found[name] = _numbers(vr, value, big=cursor.big and encoded_vr != b"UN")
        elif length > INLINE_BINARY_MAX_BYTES:
            found[name] = _bulk(vr, context, name)
        else:
            found[name] = _inline(vr, value, big=cursor.big)
        if tag & 0x10000:
            if is_private_creator(tag):
                creator = value.decode("ascii", "replace").strip(" \0")
                creators[private_block(tag)] = creator
        elif tag == _CHARACTER_SET:
            context.text = character_set(value)
            found[name] = _UTF8
        elif tag == PIXEL_REPRESENTATION:
            context.signed = value[:2] in {b"\x01\x00", b"\x00\x01"}
    return found if ascending else dict(sorted(found.items()))


def _sequence(
    cursor: Cursor, encoded_vr: bytes, name: str, stop: int, length: int, context: _Context
) -> Attribute:
    inner = nested(cursor, encoded_vr)
    values = []
    for number, item_stop in enumerate(items(inner, length, stop), start=1):
        path = f"{context.path}{name}/{number}/"
        values.append(_dataset(inner, item_stop, _Context(context.text, context.signed, path)))
    cursor.position = inner.position
    return {"vr": "SQ", "Value": values} if values else {"vr": "SQ"}


def _bulk(vr: bytes, context: _Context, name: str) -> Attribute:
    return {"vr": vr.decode(), "BulkDataURI": context.path + name}


def _inline(vr: bytes, value: bytes, *, big: bool) -> Attribute:
    """Return a binary value as it is in little endian (PS3.18 F.2.7)."""
    if big:
        value = swapped(value, WORD_BYTES.get(vr, 1))
    return {"vr": vr.decode(), "InlineBinary": b64encode(value).decode()}


def _numbers(vr: bytes, value: bytes, *, big: bool) -> Attribute:
    code, size = NUMBER_FORMATS[vr]
    count = len(value) // size
    numbers: list[Any] = list(unpack(f"{'>' if big else '<'}{count}{code}", value[: count * size]))
    if code in "fd" and not all(map(math.isfinite, numbers)):
        # JSON has no such numbers; PS3.18 F.2.5 leaves null, which says "no value".
        numbers = [number if math.isfinite(number) else None for number in numbers]
    return {"vr": vr.decode(), "Value": numbers} if numbers else {"vr": vr.decode()}


def _tags(value: bytes, _text: CharacterSet) -> Attribute:
    words = unpack(f"<{len(value) // 4 * 2}H", value[: len(value) // 4 * 4])
    tags = [
        f"{group:04X}{element:04X}" for group, element in zip(words[::2], words[1::2], strict=True)
    ]
    return {"vr": "AT", "Value": tags}


def _plain(vr: str) -> Callable[[bytes, CharacterSet], Attribute]:
    """Return the converter of a VR in the default character repertoire, with several values."""

    def convert(value: bytes, _text: CharacterSet) -> Attribute:
        string = value.decode("ascii", "replace")
        if "\\" not in string:
            string = string.strip(" \0")
            return {"vr": vr, "Value": [string]} if string else {"vr": vr}
        return _several(vr, [part.strip(" \0") or None for part in string.split("\\")])

    return convert


def _localised(vr: str) -> Callable[[bytes, CharacterSet], Attribute]:
    """Return the converter of LO, SH and UC: by character set, with several values."""

    def convert(value: bytes, text: CharacterSet) -> Attribute:
        string = value.decode() if value.isascii() and b"\x1b" not in value else text.decode(value)
        if "\\" not in string:
            string = string.strip(" \0")
            return {"vr": vr, "Value": [string]} if string else {"vr": vr}
        return _several(vr, [part.strip(" \0") or None for part in string.split("\\")])

    return convert


def _single(vr: str) -> Callable[[bytes, CharacterSet], Attribute]:
    """Return the converter of ST, LT, UT and UR: one value, in which a backslash is a character."""

    def convert(value: bytes, text: CharacterSet) -> Attribute:
        string = text.decode(value).rstrip(" \0")
        return {"vr": vr, "Value": [string]} if string else {"vr": vr}

    return convert


def _names(value: bytes, text: CharacterSet) -> Attribute:
    """Convert PN: up to three component groups (PS3.5 6.2.1, PS3.18 F.2.2)."""
    string = value.decode() if value.isascii() and b"\x1b" not in value else text.decode_name(value)
    return _several("PN", [_name_groups(name) for name in string.split("\\")])


def _name_groups(name: str) -> dict[str, str] | None:
    groups = name.strip(" \0").split("=")
    found = {
        key: stripped
        for key, group in zip(_NAME_GROUPS, groups, strict=False)
        if (stripped := group.strip(" \0"))
    }
    return found or None


def _decimals(value: bytes, _text: CharacterSet) -> Attribute:
    return _several("DS", [_decimal(part) for part in value.split(b"\\")])


def _decimal(value: bytes) -> float | str | None:
    """Return the number, or the text where it is none that JSON can hold."""
    if value.translate(None, b"0123456789+-.eE \0") == b"":
        value = value.strip(b" \0")
        if not value:
            return None
        try:
            number = float(value)
        except ValueError:
            pass
        else:
            if math.isfinite(number):
                return number
    return value.decode("ascii", "replace").strip(" \0")


def _integers(value: bytes, _text: CharacterSet) -> Attribute:
    return _several("IS", [_integer(part) for part in value.split(b"\\")])


def _integer(value: bytes) -> int | str | None:
    value = value.strip(b" \0")
    if not value:
        return None
    if len(value) <= 12 and value.translate(None, b"0123456789+-") == b"":
        try:
            return int(value)
        except ValueError:
            pass
    return value.decode("ascii", "replace")


def _several(vr: str, values: list[Any]) -> Attribute:
    """Return the attribute; an empty value among others is null, nothing at all is left out."""
    if values == [None]:
        return {"vr": vr}
    return {"vr": vr, "Value": values}


_NAME_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_CONVERTERS: Final[dict[bytes, Callable[[bytes, CharacterSet], Attribute]]] = {
    **{vr.encode(): _plain(vr) for vr in ("AE", "AS", "CS", "DA", "DT", "TM", "UI")},
    **{vr.encode(): _localised(vr) for vr in ("LO", "SH", "UC")},
    **{vr.encode(): _single(vr) for vr in ("LT", "ST", "UR", "UT")},
    b"PN": _names,
    b"DS": _decimals,
    b"IS": _integers,
    b"AT": _tags,
}
_EMPTY: Final[dict[bytes, Attribute]] = {vr: {"vr": vr.decode()} for vr in LONG_VRS | SHORT_VRS}
_NAMES: Final = {tag: f"{tag:08X}" for tag in attributes()}
LEVEL_TAGS: Final = {level: tags_of(keywords) for level, keywords in LEVELS.items()}
"""Tags of the attributes of each level."""
KEY_TAGS: Final = [(keyword, [tag_of(part) for part in keyword.split(".")]) for keyword in KEYS]
"""Each searchable keyword with its tag, and that of the attribute in its items where it has any."""
_AVAILABLE_TRANSFER_SYNTAX: Final = tag_of("AvailableTransferSyntaxUID")


def level_of(attributes: Attributes, level: Level) -> Attributes:
    """Return what searches tell of a level: no values by BulkDataURI, which are those of an instance alone."""
    return _without_bulk({tag: attributes[tag] for tag in LEVEL_TAGS[level] if tag in attributes})


def _without_bulk(attributes: Attributes) -> Attributes:
    return {
        tag: {**element, "Value": [_without_bulk(item or {}) for item in element["Value"]]}
        if element["vr"] == "SQ" and "Value" in element
        else element
        for tag, element in attributes.items()
        if "BulkDataURI" not in element
    }


def _level(attributes: Attributes, level: Level, transfer_syntax_uid: str = "") -> bytes:
    if transfer_syntax_uid:
        available = {"vr": "UI", "Value": [transfer_syntax_uid]}
        attributes = {**attributes, _AVAILABLE_TRANSFER_SYNTAX: available}
    own = {tag: attributes[tag] for tag in LEVEL_TAGS[level] if tag in attributes}
    told = orjson.dumps(own)
    return orjson.dumps(_without_bulk(own)) if b'"BulkDataURI":' in told else told


def keys_of(attributes: Attributes) -> dict[str, str]:
    """Return what attributes are found by (`Description.keys`)."""
    keys = {}
    for keyword, (tag, *rest) in KEY_TAGS:
        attribute = attributes.get(tag)
        if attribute is None:
            continue
        if rest:
            found = [
                _text_of(item[rest[0]])
                for item in attribute.get("Value", ())
                if item and rest[0] in item
            ]
            if found:
                keys[keyword] = normalise(keyword, "\\".join(found))
        else:
            keys[keyword] = normalise(keyword, _text_of(attribute))
    return keys


def _text_of(attribute: Attribute) -> str:
    return "\\".join(_value_text(value) for value in attribute.get("Value", ()))


def _value_text(value: str | float | dict[str, str] | None) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return "=".join(value.get(group, "") for group in _NAME_GROUPS).rstrip("=")
    return str(value)


def _required_uid(attributes: Attributes, keyword: str) -> str:
    values = attributes.get(tag_of(keyword), {}).get("Value", [])
    uid = values[0] if len(values) == 1 else ""
    if not isinstance(uid, str) or len(uid) > 64 or not _UID.fullmatch(uid):
        raise NoIdentity(f"no usable {keyword}")
    return uid


def _number_of_frames(attributes: Attributes) -> int:
    """Return Number of Frames; 1 where it is absent and there are pixels, else 0."""
    values = attributes.get("00280008", {}).get("Value", [])
    if values and isinstance(values[0], int) and values[0] > 0:
        return values[0]
    has_pixels = not _PIXEL_NAMES.isdisjoint(attributes)
    return 1 if has_pixels else 0


_PIXEL_NAMES: Final = frozenset({"7FE00008", "7FE00009", "7FE00010"})
