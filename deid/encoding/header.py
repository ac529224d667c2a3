"""Walk over the encoded elements of a data set: where they stand, without their values.

The reader is bounded: it never recurses deeper than 32, never trusts a length, and touches only the bytes
of headers, so that a hostile file costs no more than its own size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from mmap import mmap
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.encoding.transfer_syntaxes import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    MAX_DEPTH,
    UNDEFINED_LENGTH,
    Encoding,
    is_known,
)
from deid.encoding.value_representations import LONG_VRS, SHORT_VRS
from deid.errors import Reason, Unsafe

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

PREAMBLE: Final = 128
DICOMDIR_CLASS: Final = "1.2.840.10008.1.3.10"
_MAX_UID: Final = 64
_MAX_FACT_BYTES: Final = 4096
_PIXELS: Final = 0x7FE00010
NOT_SHORT: Final = bytes(_MAX_FACT_BYTES + 1)
"""Stands for a value that is longer than any fact."""

Buffer = bytes | mmap
"""The whole file. Slicing must give bytes: `bytes` and `mmap` do, `memoryview` does not."""


@dataclass(frozen=True, slots=True)
class FileMeta:
    """The File Meta Information (PS3.10 7.1), as far as it matters.

    `dataset_offset` is where the data set begins in the file.
    """

    transfer_syntax_uid: str
    media_storage_sop_class_uid: str
    dataset_offset: int


class Element(NamedTuple):
    """Where one top-level element's value stands; `length` is undefined for some sequences and pixels."""

    start: int
    length: int


def read_file_meta(source: Buffer) -> FileMeta:
    """Read the File Meta Information of a Part 10 file.

    Raises
    ------
    Unsafe
        `NOT_DICOM` without the prefix ``DICM`` at 128; `TRUNCATED`; `TRANSFER_SYNTAX_UNKNOWN`;
        `DICOMDIR` for a media directory.
    """
    if len(source) < PREAMBLE + 4 or source[PREAMBLE : PREAMBLE + 4] != b"DICM":
        raise Unsafe(Reason.NOT_DICOM)
    end = len(source)
    pos = PREAMBLE + 4
    uids = {0x0002: "", 0x0010: ""}
    unpack, long = EXPLICIT_LITTLE.header.unpack_from, EXPLICIT_LITTLE.long.unpack_from
    while pos + 8 <= end:
        group, element, word, length = unpack(source, pos)
        if group != 2:
            break
        value = pos + 8
        if word.to_bytes(2, "little") in LONG_VRS:
            if pos + 12 > end:
                raise Unsafe(Reason.TRUNCATED, "file meta information")
            length = long(source, pos + 8)[0]
            value = pos + 12
        if value + length > end:
            raise Unsafe(Reason.TRUNCATED, "file meta information")
        if element in uids:
            uids[element] = _uid(source[value : value + min(length, _MAX_UID + 2)])
        pos = value + length
    transfer_syntax_uid = uids[0x0010]
    if uids[0x0002] == DICOMDIR_CLASS:
        raise Unsafe(Reason.DICOMDIR)
    if not is_known(transfer_syntax_uid):
        raise Unsafe(Reason.TRANSFER_SYNTAX_UNKNOWN, "(0002,0010)")
    return FileMeta(transfer_syntax_uid, uids[0x0002], pos)


def index_top_level(
    source: Buffer,
    pos: int,
    encoding: Encoding,
    wanted: Collection[int],
    *,
    end: int | None = None,
) -> dict[int, Element]:
    """Return where the wanted elements of a data set, or of an item that ends at `end`, stand.

    Values are not read. Reading stops after the highest wanted tag. The first of repeated elements counts.

    Raises
    ------
    Unsafe
        When lengths or nesting make no sense.
    """
    found: dict[int, Element] = {}
    end = len(source) if end is None else end
    wanted = frozenset(wanted)
    marks, last = _marks(wanted, encoding)
    unpack = encoding.head.unpack_from
    limit = end - 8
    while pos <= limit:
        head, length = unpack(source, pos)
        try:
            mark = marks[head]
        except KeyError:
            mark = _mark(head, wanted, last, encoding)
            if len(marks) < _MAX_MARKS:
                marks[head] = mark
        if not mark:
            after = pos + 8 + length
            if after <= end:
                pos = after
                continue
        value = pos + 8
        if mark & _BEYOND:
            break
        tag = mark >> _TAG_SHIFT
        if mark & _NO_VR:
            raise Unsafe(Reason.MALFORMED, tag_name(tag))
        if mark & _LONG:
            if pos + 12 > end:
                raise Unsafe(Reason.TRUNCATED, tag_name(tag))
            length = encoding.long.unpack_from(source, value)[0]
            value = pos + 12
        if mark & _WANTED and tag not in found:
            found[tag] = Element(value, length)
            if tag == last:
                break
        if length == UNDEFINED_LENGTH:
            inner = IMPLICIT_LITTLE if head[4:] == b"UN" else encoding
            pos = skip_items(source, value, end, inner, 1)
        else:
            pos = value + length
            if pos > end:
                raise Unsafe(Reason.LENGTH_PAST_END, tag_name(encoding.tag_of(head)))
    return found


_WANTED: Final = 1
_LONG: Final = 2
_NO_VR: Final = 4
_BEYOND: Final = 8
_TAG_SHIFT: Final = 4
_MAX_MARKS: Final = 20_000


@lru_cache(maxsize=64)
def _marks(wanted: frozenset[int], _encoding: Encoding) -> tuple[dict[bytes, int], int]:
    """Return the memory of what the heads of elements mean to who wants these tags; and the highest of them.

    Most mean nothing: 0.
    """
    return {}, max(wanted)


def _mark(head: bytes, wanted: frozenset[int], last: int, encoding: Encoding) -> int:
    """Return what a head means, with its tag in the upper bits; 0 when it can be passed over."""
    tag, vr = encoding.tag_of(head), head[4:]
    mark = _WANTED if tag in wanted else 0
    if tag > last:
        mark = _BEYOND
    elif encoding.explicit and vr not in SHORT_VRS:
        mark |= _LONG if vr in LONG_VRS else _NO_VR
    return mark and tag << _TAG_SHIFT | mark


def each_top_level(
    source: Buffer, pos: int, encoding: Encoding, stop_before: int, *, end: int | None = None
) -> Iterator[tuple[int, int, int]]:
    """Yield tag, start and end of the top-level elements below a tag, up to `end`.

    Raises
    ------
    Unsafe
        When lengths or nesting make no sense.
    """
    end = len(source) if end is None else end
    explicit = encoding.explicit
    unpack, long = encoding.header.unpack_from, encoding.long.unpack_from
    while pos + 8 <= end:
        group, element, word, length = unpack(source, pos)
        tag = group << 16 | element
        if tag >= stop_before:
            return
        value = pos + 8
        if not explicit:
            length = long(source, pos + 4)[0]
        elif word in encoding.long_words:
            if pos + 12 > end:
                raise Unsafe(Reason.TRUNCATED, tag_name(tag))
            length = long(source, value)[0]
            value = pos + 12
        elif word not in encoding.short_words:
            raise Unsafe(Reason.MALFORMED, tag_name(tag))
        if length == UNDEFINED_LENGTH:
            is_un = explicit and source[pos + 4 : pos + 6] == b"UN"
            after = skip_items(source, value, end, IMPLICIT_LITTLE if is_un else encoding, 1)
        else:
            after = value + length
            if after > end:
                raise Unsafe(Reason.LENGTH_PAST_END, tag_name(tag))
        yield tag, pos, after
        pos = after


def each_item(
    source: Buffer, element: Element, end: int, encoding: Encoding
) -> Iterator[tuple[int, int]]:
    """Yield where the elements of each item of a sequence begin and end (PS3.5 7.5).

    Parameters
    ----------
    element
        The sequence's value; its length may be undefined.
    end
        Where it ends at the latest.

    Raises
    ------
    Unsafe
        When lengths or nesting make no sense.
    """
    pos = element.start
    undefined = element.length == UNDEFINED_LENGTH
    stop = end if undefined else min(end, pos + element.length)
    while pos + 8 <= stop:
        group, number, length = encoding.item.unpack_from(source, pos)
        pos += 8
        if group != 0xFFFE or number not in (0xE000, 0xE0DD):
            raise Unsafe(Reason.MALFORMED, "sequence item")
        if number == 0xE0DD:
            return
        if length == UNDEFINED_LENGTH:
            after = _skip_item_content(source, pos, stop, encoding, 1)
            yield pos, after - 8
        else:
            after = pos + length
            if after > stop:
                raise Unsafe(Reason.LENGTH_PAST_END, "sequence item")
            yield pos, after
        pos = after


def item_encoding(source: Buffer, element: Element, encoding: Encoding) -> Encoding:
    """Return how a sequence's items are encoded: inside UN Implicit VR Little Endian (PS3.5 6.2.2)."""
    is_un = encoding.explicit and source[element.start - 8 : element.start - 6] == b"UN"
    return IMPLICIT_LITTLE if is_un else encoding


def skip_items(source: Buffer, pos: int, end: int, encoding: Encoding, depth: int) -> int:
    """Return the position after a value of undefined length (PS3.5 7.5.2, A.4)."""
    if depth > MAX_DEPTH:
        raise Unsafe(Reason.NESTING_TOO_DEEP)
    unpack = encoding.item.unpack_from
    while pos + 8 <= end:
        group, element, length = unpack(source, pos)
        pos += 8
        if group != 0xFFFE:
            raise Unsafe(Reason.MALFORMED, "sequence item")
        if element == 0xE0DD:
            return pos
        if element != 0xE000:
            raise Unsafe(Reason.MALFORMED, "sequence item")
        if length != UNDEFINED_LENGTH:
            pos += length
            if pos > end:
                raise Unsafe(Reason.LENGTH_PAST_END, "sequence item")
            continue
        pos = _skip_item_content(source, pos, end, encoding, depth)
    raise Unsafe(Reason.TRUNCATED, "sequence without its delimiter")


def _skip_item_content(source: Buffer, pos: int, end: int, encoding: Encoding, depth: int) -> int:
    unpack, long = encoding.header.unpack_from, encoding.long.unpack_from
    while pos + 8 <= end:
        group, element, word, length = unpack(source, pos)
        if group == 0xFFFE:
            if element != 0xE00D:
                raise Unsafe(Reason.MALFORMED, "sequence item")
            return pos + 8
        value = pos + 8
        inner = encoding
        if encoding.explicit:
            vr = encoding.vr_bytes(word)
            if vr in LONG_VRS:
                if pos + 12 > end:
                    break
                length = long(source, pos + 8)[0]
                value = pos + 12
                inner = IMPLICIT_LITTLE if vr == b"UN" else encoding
            elif vr not in SHORT_VRS:
                raise Unsafe(Reason.MALFORMED, tag_name(group << 16 | element))
        else:
            length = long(source, pos + 4)[0]
        if length == UNDEFINED_LENGTH:
            pos = skip_items(source, value, end, inner, depth + 1)
        else:
            pos = value + length
            if pos > end:
                raise Unsafe(Reason.LENGTH_PAST_END, tag_name(group << 16 | element))
    raise Unsafe(Reason.TRUNCATED, "item without its delimiter")


def text_of(source: Buffer, element: Element | None) -> bytes:
    """Return a short value's bytes, stripped of padding; empty when absent or not short."""
    if element is None or element.length == UNDEFINED_LENGTH or element.length > _MAX_FACT_BYTES:
        return b""
    return source[element.start : element.start + element.length].strip(b" \x00")


def short_values(
    source: Buffer, found: Mapping[int, Element], tags: Iterable[int]
) -> tuple[bytes | None, ...]:
    """Return the value fields of elements, None for what is absent; what is not short, as no short one is.

    Instances of a series have most of them in common: what follows from them need be worked out only once.
    """
    return tuple(
        [
            None
            if (element := found.get(tag)) is None
            else source[element.start : element.start + element.length]
            if element.length <= _MAX_FACT_BYTES
            else NOT_SHORT
            for tag in tags
        ]
    )


def tag_name(tag: int) -> str:
    """Return a tag as the standard prints it: ``(0010,0020)``."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _uid(raw: bytes) -> str:
    return raw.strip(b" \x00").decode("ascii", "replace")
