"""What pixel cleaning may look at, read from the header, and writing back what it changes."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from deid.encoding.character_sets import decode
from deid.encoding.header import tag_name, text_of
from deid.encoding.transfer_syntaxes import UNDEFINED_LENGTH
from deid.errors import Reason, Unsafe
from deid.identity import values
from deid.identity.identifiers import KnownIdentifier
from deid.ports import PixelInstance
from deid.tables.dictionary import dictionary_vr, tag_for_keyword
from deid.tables.load import confidentiality_by_tag

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from deid.encoding.header import Buffer
    from deid.encoding.top_level import TopLevel
    from deid.encoding.transfer_syntaxes import Encoding

PIXEL_DATA: Final = 0x7FE00010
FLOATS: Final = {0x7FE00008: "OF", 0x7FE00009: "OD"}
"""Float and Double Float Pixel Data, and their value representations."""
DOCUMENT: Final = 0x00420011
_LONG_FORM: Final = frozenset((b"OB", b"OD", b"OF", b"OW", b"UN"))
_PHRASE_VRS: Final = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_LEAST_PHRASE: Final = 4
_GROUPS: Final = frozenset({0x0008, 0x0018, 0x0020, 0x0028, 0x7FE0})
_EXTENDED_OFFSETS: Final = (0x7FE00001, 0x7FE00002)


def known_phrases(top: TopLevel, charset: str) -> tuple[KnownIdentifier, ...]:
    """Return the top-level texts that Table E.1-1 names: contextual phrases, to be known where seen.

    Raises
    ------
    Unsafe
        When lengths or nesting make no sense.
    """
    found = top.places(_described())
    phrases = []
    for element in found.values():
        raw = text_of(top.data, element)
        phrases += [
            KnownIdentifier(value.strip(), "GENERIC_ID")
            for value in decode(raw, charset).split("\\")
            if len(value.strip()) >= _LEAST_PHRASE
        ]
    return tuple(phrases)


@cache
def _described() -> frozenset[int]:
    return frozenset(
        tag
        for tag in confidentiality_by_tag()
        if dictionary_vr(tag) in _PHRASE_VRS and tag >> 16 > 4
    )


def pixel_instance(top: TopLevel, tag: int, known: Sequence[KnownIdentifier]) -> PixelInstance:
    """Gather what pixel cleaning may look at.

    The header's structure has been checked by then (depth, lengths), so that pydicom may decode it.

    Raises
    ------
    Unsafe
        `PIXELS_UNDECODABLE` when the header cannot be decoded, `LENGTH_PAST_END`.
    """
    # Slow to import, and most plans leave pixels alone.
    from pydicom.filereader import read_dataset  # noqa: PLC0415

    data, encoding, pixels = top.data, top.encoding, top.found[tag]
    head = data[top.offset : pixels.start]
    # The element's own header is cut off: the data set ends where Pixel Data begins.
    size = 12 if encoding.explicit and head[-8:-6] in _LONG_FORM else 8
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = read_dataset(
                io.BytesIO(head[:-size]),
                is_implicit_VR=not encoding.explicit,
                is_little_endian=not encoding.big_endian,
            )
            attributes = _attributes(dataset)
    except Exception as error:  # pydicom fails in a dozen ways; all mean the same here
        raise Unsafe(Reason.PIXELS_UNDECODABLE, "header") from error
    vr = head[-size:][4:6].decode("latin-1") if encoding.explicit else "OW"
    attributes["PixelDataVR"] = FLOATS.get(tag, vr)
    stop = pixels.start + pixels.length
    if pixels.length == UNDEFINED_LENGTH:
        stop = _end_of_items(data, pixels.start, encoding)
    elif stop > len(data):
        raise Unsafe(Reason.LENGTH_PAST_END, tag_name(tag))
    return PixelInstance(
        top.meta.transfer_syntax_uid,
        attributes,
        data,
        pixels.start,
        stop,
        encoding.big_endian,
        known,
    )


def encoded_changes(
    changes: Mapping[str, Any], attributes: Mapping[str, Any], encoding: Encoding
) -> list[tuple[int, bytes]]:
    """Return changed attributes as ``(tag, encoded element)``; an empty element removes."""
    elements = []
    for keyword, value in changes.items():
        tag = tag_for_keyword(keyword)
        if tag is None:
            raise Unsafe(Reason.PIXELS_NOT_CLEANED, keyword)
        if value is None:
            elements.append((tag, b""))
            continue
        vr = dictionary_vr(tag) or "UN"
        if " or " in vr:
            vr = "SS" if attributes.get("PixelRepresentation") == 1 else "US"
        elements.append((tag, encoding.element(tag, vr.encode(), _encoded(vr, value, encoding))))
    return elements


def _encoded(vr: str, value: Any, encoding: Encoding) -> bytes:
    if isinstance(value, bytes):
        return values.even(value)
    many = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    if vr in ("US", "SS", "UL", "SL"):
        order = ">" if encoding.big_endian else "<"
        code = {"US": "H", "SS": "h", "UL": "L", "SL": "l"}[vr]
        return struct.pack(f"{order}{len(many)}{code}", *(int(each) for each in many))
    return values.even("\\".join(str(each) for each in many).encode("ascii"), b" ")


def _attributes(dataset: Dataset) -> dict[str, Any]:
    return {
        element.keyword: _plain(element.value)
        for element in dataset
        if element.tag.group in _GROUPS and element.keyword
    }


def _plain(value: Any) -> Any:
    from pydicom.dataset import Dataset  # noqa: PLC0415 - as above

    if isinstance(value, Dataset):
        return {element.keyword: _plain(element.value) for element in value if element.keyword}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(each) for each in value]
    return value


def _end_of_items(data: Buffer, pos: int, encoding: Encoding) -> int:
    """Return where the Sequence Delimitation Item stands (PS3.5 A.4)."""
    unpack = encoding.item.unpack_from
    while pos + 8 <= len(data):
        group, element, length = unpack(data, pos)
        if group != 0xFFFE or length == UNDEFINED_LENGTH:
            break
        if element == 0xE0DD:
            return pos
        pos += 8 + length
    raise Unsafe(Reason.TRUNCATED, "(7FE0,0010)")
