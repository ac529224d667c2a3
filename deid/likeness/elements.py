"""The elements of one level of a data set as they stand, in whatever encoding, and whether two values agree.

Readers elsewhere skip what they do not want and forgive what they can pass over. Here nothing is passed over:
what makes no sense is `Unsafe`, and then two instances count as different.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.encoding.header import skip_items, tag_name
from deid.encoding.transfer_syntaxes import (
    IMPLICIT_LITTLE,
    MAX_DEPTH,
    UNDEFINED_LENGTH,
    Encoding,
)
from deid.encoding.value_representations import BINARY, LONG_VRS, SHORT_VRS
from deid.errors import Reason, Unsafe
from deid.tables.dictionary import attributes, repeating_attribute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.encoding.header import Buffer

PIXEL_DATA: Final = 0x7FE00010
_LENGTH_TO_END: Final = 0x00080001
_TRAILING_PADDING: Final = 0xFFFCFFFC
_WORD_BYTES: Final = {
    **dict.fromkeys((b"AT", b"OW", b"SS", b"US"), 2),
    **dict.fromkeys((b"FL", b"OF", b"OL", b"SL", b"UL"), 4),
    **dict.fromkeys((b"FD", b"OD", b"OV", b"SV", b"UV"), 8),
}
_CHUNK: Final = 1 << 20
_PADDING: Final = b" \0"


class Level(NamedTuple):
    """A data set or an item: the bytes that hold it, where its elements begin and end, how they are encoded."""

    data: Buffer
    start: int
    stop: int
    encoding: Encoding
    depth: int = 0


class Encoded(NamedTuple):
    """One element where it stands.

    Attributes
    ----------
    vr
        As written; empty where none is, or UN.
    start, stop
        Of the value; for one of undefined length up to and including its delimiter.
    """

    tag: int
    vr: bytes
    start: int
    stop: int
    is_undefined: bool
    level: Level

    @property
    def inner(self) -> Encoding:
        """How its items are encoded: without a VR of its own in Implicit VR Little Endian (PS3.5 6.2.2)."""
        return self.level.encoding if self.vr else IMPLICIT_LITTLE

    @property
    def word_bytes(self) -> int:
        """How many bytes change places: more than 1 for numbers in big endian."""
        return _WORD_BYTES.get(self.vr, 1) if self.level.encoding.big_endian else 1


def elements_of(level: Level) -> list[Encoded]:
    """Return what a level says, by tag: without what only tells how it is encoded.

    Group lengths (PS3.5 7.2), Length to End, Data Set Trailing Padding (PS3.10 7.2; dcmtk pads items, too).

    Raises
    ------
    Unsafe
        When lengths or nesting make no sense.
    """
    found = [each for each in _walk(level) if not _tells_of_encoding(each.tag)]
    return sorted(found, key=lambda each: each.tag)


def _tells_of_encoding(tag: int) -> bool:
    return not tag & 0xFFFF or tag in {_LENGTH_TO_END, _TRAILING_PADDING}


def _walk(level: Level) -> Iterator[Encoded]:
    data, pos, stop, encoding, depth = level
    while pos < stop:
        if not depth and data[pos : pos + 8].strip(b"\0") == b"" and _is_blank(data, pos, stop):
            return
        if pos + 8 > stop:
            raise Unsafe(Reason.TRUNCATED)
        group, number, word, length = encoding.header.unpack_from(data, pos)
        tag, vr, start = group << 16 | number, b"", pos + 8
        if not encoding.explicit:
            length = encoding.long.unpack_from(data, pos + 4)[0]
        else:
            vr = encoding.vr_bytes(word)
            if vr in LONG_VRS:
                if pos + 12 > stop:
                    raise Unsafe(Reason.TRUNCATED, tag_name(tag))
                length, start = encoding.long.unpack_from(data, start)[0], pos + 12
            elif vr not in SHORT_VRS:
                raise Unsafe(Reason.MALFORMED, tag_name(tag))
            vr = b"" if vr == b"UN" else vr
        is_undefined = length == UNDEFINED_LENGTH
        if is_undefined:
            inner = encoding if vr else IMPLICIT_LITTLE
            pos = skip_items(data, start, stop, inner, depth + 1)
        else:
            pos = start + length
        if pos > stop:
            raise Unsafe(Reason.LENGTH_PAST_END, tag_name(tag))
        yield Encoded(tag, vr, start, pos, is_undefined, level)


def _is_blank(data: Buffer, pos: int, stop: int) -> bool:
    return all(not data[at : at + _CHUNK].strip(b"\0") for at in range(pos, stop, _CHUNK))


def items_of(element: Encoded) -> list[Level]:
    """Return the items of a sequence, or of an encapsulated value (PS3.5 7.5, A.4).

    Raises
    ------
    Unsafe
        When it is none, or something of it belongs to no item.
    """
    data, encoding, depth = element.level.data, element.inner, element.level.depth + 1
    if depth > MAX_DEPTH:
        raise Unsafe(Reason.NESTING_TOO_DEEP)
    found = []
    pos, stop = element.start, element.stop
    while pos < stop:
        if pos + 8 > stop:
            raise Unsafe(Reason.TRUNCATED, "sequence item")
        group, number, length = encoding.item.unpack_from(data, pos)
        pos += 8
        if group == 0xFFFE and number == 0xE0DD and pos == stop:
            break
        if group != 0xFFFE or number != 0xE000:
            raise Unsafe(Reason.MALFORMED, "sequence item")
        if length == UNDEFINED_LENGTH:
            end = _end_of_item(Level(data, pos, stop, encoding, depth))
            found.append(Level(data, pos, end, encoding, depth))
            pos = end + 8
        else:
            found.append(Level(data, pos, pos + length, encoding, depth))
            pos += length
        if pos > stop:
            raise Unsafe(Reason.LENGTH_PAST_END, "sequence item")
    return found


def _end_of_item(level: Level) -> int:
    """Return where the delimiter of an item of undefined length stands."""
    delimiter = level.encoding.item_header(0xE00D, 0)[:4]
    pos = level.start
    while level.data[pos : pos + 4] != delimiter:
        # One element at a time: what follows the delimiter belongs to others.
        element = next(_walk(level._replace(start=pos)), None)
        if element is None:
            raise Unsafe(Reason.TRUNCATED, "item without its delimiter")
        pos = element.stop
    return pos


def agreed_vr(first: Encoded, second: Encoded) -> bytes | None:
    """Return the VR of two elements of one tag; None where they say different ones.

    Where one does not say, the other does; where none does, the dictionary (empty for what it does not know, or
    leaves open). Of those that the dictionary leaves open, such as ``OB or OW``, each is as good.
    """
    listed = dictionary_vrs(first.tag)
    if first.vr and second.vr and first.vr != second.vr:
        return first.vr if {first.vr, second.vr} <= listed else None
    return first.vr or second.vr or (next(iter(listed)) if len(listed) == 1 else b"")


@cache
def dictionary_vrs(tag: int) -> frozenset[bytes]:
    """Return the VRs that the data dictionary allows for a tag (PS3.6)."""
    entry = attributes().get(tag) or repeating_attribute(tag)
    names = entry.vr.split(" or ") if entry else ()
    return frozenset(name.encode("ascii") for name in names if len(name) == 2)


def have_same_value(first: Encoded, second: Encoded, vr: bytes) -> bool:
    """Compare two values that are no sequences, whatever their byte order and padding (PS3.5 6.2)."""
    if vr and vr.decode("ascii") not in BINARY and vr != b"UN":
        texts = (each.level.data[each.start : each.stop] for each in (first, second))
        return len({text.rstrip(_PADDING) for text in texts}) == 1
    first, second = sorted((first, second), key=_length)
    if _length(first) != _length(second):
        has_padding = _length(first) % 2 and _length(second) == _length(first) + 1
        if not has_padding or second.level.data[second.stop - 1] != 0:
            return False
        second = second._replace(stop=second.stop - 1)
    return have_same_bytes(first, second, _length(first))


def have_same_bytes(first: Encoded, second: Encoded, count: int) -> bool:
    """Compare the first so many bytes of two values, as they would be in little endian."""
    return all(
        little_endian(first, at, min(at + _CHUNK, count))
        == little_endian(second, at, min(at + _CHUNK, count))
        for at in range(0, count, _CHUNK)
    )


def little_endian(element: Encoded, begin: int, end: int) -> bytes:
    """Return bytes of a value, those of numbers in the order of little endian."""
    raw = element.level.data[element.start + begin : element.start + end]
    size = element.word_bytes
    if size == 1 or len(raw) % size:
        return raw
    turned = bytearray(raw)
    for offset in range(size):
        turned[offset::size] = raw[size - 1 - offset :: size]
    return bytes(turned)


def _length(element: Encoded) -> int:
    return element.stop - element.start
