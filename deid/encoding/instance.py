"""A Part 10 file opened: its file meta read, its data set inflated and found to be encoded as declared."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.encoding.character_sets import decode
from deid.encoding.header import (
    Buffer,
    Element,
    FileMeta,
    each_item,
    index_top_level,
    item_encoding,
    read_file_meta,
    text_of,
)
from deid.encoding.inflate import inflated
from deid.encoding.transfer_syntaxes import DEFLATED, Encoding, encoding_of
from deid.encoding.value_representations import LONG_VRS, SHORT_VRS
from deid.errors import Reason, Unsafe
from deid.tables.dictionary import tag_for_keyword

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_IDENTITY: Final = frozenset({0x00080016, 0x00080018, 0x0020000D, 0x0020000E})


class Instance(NamedTuple):
    """An opened file.

    Attributes
    ----------
    data, offset
        The bytes that hold the data set (the file itself, unless it was deflated), and where it begins in
        them.
    """

    meta: FileMeta
    data: Buffer
    offset: int
    encoding: Encoding

    def places(self, wanted: Collection[int]) -> dict[int, Element]:
        """Return where the wanted elements of the top level stand (`deid.encoding.header.index_top_level`).

        Raises
        ------
        Unsafe
            When lengths or nesting make no sense.
        """
        try:
            return index_top_level(self.data, self.offset, self.encoding, wanted)
        except struct.error as error:
            raise Unsafe(Reason.TRUNCATED) from error


def open_instance(source: Buffer) -> Instance:
    """Open a whole Part 10 file.

    Raises
    ------
    Unsafe
        When it is not a DICOM instance, cannot be inflated within the limits, or is not encoded as its
        transfer syntax says.
    """
    meta = read_file_meta(source)
    data, offset = source, meta.dataset_offset
    if meta.transfer_syntax_uid in DEFLATED:
        data, offset = inflated(source, offset), 0
    encoding = encoding_of(meta.transfer_syntax_uid)
    _check_encoding(data, offset, encoding)
    return Instance(meta, data, offset, encoding)


def _check_encoding(source: Buffer, pos: int, encoding: Encoding) -> None:
    """Compare the first element with what the transfer syntax promises.

    Raises
    ------
    Unsafe
        `TRANSFER_SYNTAX_MISMATCH` when the data set is plainly encoded in another way.
    """
    if pos + 8 > len(source):
        raise Unsafe(Reason.TRUNCATED, "data set")
    vr = source[pos + 4 : pos + 6]
    looks_explicit = vr in LONG_VRS or vr in SHORT_VRS
    group = encoding.short.unpack_from(source, pos)[0]
    if looks_explicit != encoding.explicit or group > 0x7FE0:
        raise Unsafe(Reason.TRANSFER_SYNTAX_MISMATCH, "first element")


@dataclass(frozen=True, slots=True)
class Header:
    """Facts of one instance, original values included: never for logs.

    Attributes
    ----------
    values
        The requested attributes that are present, by keyword: decoded, split, stripped.
    """

    transfer_syntax_uid: str
    dataset_offset: int
    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    values: Mapping[str, tuple[str, ...]]

    def first(self, keyword: str) -> str:
        """Return the first value of a requested attribute, or an empty string."""
        found = self.values.get(keyword, ())
        return found[0] if found else ""


def read_header(source: Buffer, keywords: Iterable[str] = ()) -> Header:
    """Return the identity of an instance and the values of some top-level attributes.

    Parameters
    ----------
    source
        A whole Part 10 file.
    keywords
        Attributes to read beside the identity. Unknown keywords are ignored; only short values are read.

    Raises
    ------
    Unsafe
        When the file is not a DICOM instance or its structure makes no sense.
    """
    instance = open_instance(source)
    data = instance.data
    wanted = {keyword: tag for keyword in keywords if (tag := tag_for_keyword(keyword)) is not None}
    tags = {tag for tag in wanted.values() if tag < 0x7FE00000} | _IDENTITY | {0x00080005}
    found = instance.places(tags)

    def ascii_text(tag: int) -> str:
        return text_of(data, found.get(tag)).decode("ascii", "replace")

    charset = ascii_text(0x00080005)
    values = {
        keyword: _decoded(text_of(data, found[tag]), charset)
        for keyword, tag in wanted.items()
        if tag in found
    }
    return Header(
        instance.meta.transfer_syntax_uid,
        instance.meta.dataset_offset,
        ascii_text(0x00080016),
        ascii_text(0x00080018),
        ascii_text(0x0020000D),
        ascii_text(0x0020000E),
        values,
    )


def read_items(source: Buffer, sequence: str, keywords: Iterable[str]) -> list[dict[str, str]]:
    """Return the first values of some attributes in each item of a sequence of the top level, by keyword.

    Raises
    ------
    Unsafe
        As `read_header`.
    """
    instance = open_instance(source)
    data = instance.data
    tag = tag_for_keyword(sequence)
    found = instance.places({0x00080005, tag} if tag is not None else ())
    if tag is None or tag not in found:
        return []
    place = found[tag]
    wanted = {keyword: inner for keyword in keywords if (inner := tag_for_keyword(keyword))}
    encoding = item_encoding(data, place, instance.encoding)
    charset = text_of(data, found.get(0x00080005)).decode("ascii", "replace")
    items = []
    for start, stop in each_item(data, place, len(data), encoding):
        inside = index_top_level(data, start, encoding, wanted.values(), end=stop)
        items.append(
            {
                keyword: _decoded(text_of(data, inside[inner]), charset)[0]
                for keyword, inner in wanted.items()
                if inner in inside
            }
        )
    return items


def _decoded(raw: bytes, charset: str) -> tuple[str, ...]:
    return tuple(part.strip(" \x00") for part in decode(raw, charset).split("\\"))
