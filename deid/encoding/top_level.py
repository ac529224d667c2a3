"""The top level of a data set, gone through once: where its elements stand, for every step that asks.

Most often a few facts are looked up; then only those are found, in a loop that reads no other header in full.
Steps that have to see each element, as those that look for pictures and overlays do, share one listing. It goes
as far as somebody asks, so that what makes no sense is found where it would be needed, and not before.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from deid.encoding.header import Element, index_top_level, skip_items, tag_name
from deid.encoding.transfer_syntaxes import IMPLICIT_LITTLE, UNDEFINED_LENGTH
from deid.encoding.value_representations import LONG_VRS, SHORT_VRS
from deid.errors import Reason, Unsafe

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from deid.encoding.header import Buffer, FileMeta
    from deid.encoding.instance import Instance
    from deid.encoding.transfer_syntaxes import Encoding


class Placed(NamedTuple):
    """An element of the top level: where it begins, where its value does, and where that ends.

    `vr` is as encoded, empty in Implicit VR.
    """

    tag: int
    start: int
    value: int
    stop: int
    vr: bytes
    is_undefined: bool


class _Begun(NamedTuple):
    """An element whose end nobody has asked for yet; `broken` says why it has none."""

    tag: int
    start: int
    value: int
    length: int
    vr: bytes
    broken: Unsafe | None = None


class TopLevel:
    """The top level of one instance.

    Parameters
    ----------
    instance
        The opened file.
    wanted
        The tags whose places are to be known.
    lists_all
        Whether steps will ask for each element (`each`).

    Attributes
    ----------
    found
        Where the wanted elements stand, the first of repeated ones.

    Raises
    ------
    Unsafe
        When lengths or nesting make no sense, up to the highest wanted tag.
    """

    def __init__(self, instance: Instance, wanted: Collection[int], *, lists_all: bool) -> None:
        self.meta: FileMeta = instance.meta
        self.data: Buffer = instance.data
        self.offset = instance.offset
        self.encoding: Encoding = instance.encoding
        self._begun: list[_Begun] = []
        self._stops: list[int] = []
        self._steps = self._go_through()
        self.found: dict[int, Element]
        if lists_all:
            self.found = self.places(wanted)
        else:
            try:
                self.found = index_top_level(self.data, self.offset, self.encoding, wanted)
            except struct.error as error:
                raise Unsafe(Reason.TRUNCATED) from error

    def places(self, wanted: Collection[int]) -> dict[int, Element]:
        """Return where elements stand in the listing; looking ends at the highest of their tags.

        Raises
        ------
        Unsafe
            When lengths or nesting make no sense.
        """
        found: dict[int, Element] = {}
        last = max(wanted)
        for number, begun in self._each_begun():
            if begun.tag > last:
                break
            if begun.broken is not None:
                raise begun.broken
            if begun.tag in wanted:
                found.setdefault(begun.tag, Element(begun.value, begun.length))
                if begun.tag == last:
                    break
            self._stop_of(number)
        return found

    def each(self, stop_before: int = 1 << 32) -> Iterator[Placed]:
        """Yield the elements below a tag, up to the first that is not.

        Raises
        ------
        Unsafe
            When lengths or nesting make no sense.
        """
        for number, begun in self._each_begun():
            if begun.tag >= stop_before:
                return
            yield Placed(
                begun.tag,
                begun.start,
                begun.value,
                self._stop_of(number),
                begun.vr,
                begun.length == UNDEFINED_LENGTH,
            )

    def _each_begun(self) -> Iterator[tuple[int, _Begun]]:
        number = 0
        while number < len(self._begun) or self._advance():
            yield number, self._begun[number]
            number += 1

    def _stop_of(self, number: int) -> int:
        while number >= len(self._stops):
            self._advance()
        return self._stops[number]

    def _advance(self) -> bool:
        """Begin the next element, after ending the last; False when there is none."""
        if self._begun and self._begun[-1].broken is not None:
            raise self._begun[-1].broken
        try:
            self._begun.append(next(self._steps))
        except StopIteration:
            return False
        except Unsafe as error:
            self._begun[-1] = self._begun[-1]._replace(broken=error)
            raise
        return True

    def _go_through(self) -> Iterator[_Begun]:
        source, encoding, end = self.data, self.encoding, len(self.data)
        unpack, long = encoding.header.unpack_from, encoding.long.unpack_from
        pos = self.offset
        while pos + 8 <= end:
            group, element, word, length = unpack(source, pos)
            tag, value, vr = group << 16 | element, pos + 8, b""
            broken: Unsafe | None = None
            if not encoding.explicit:
                length = long(source, pos + 4)[0]
            else:
                vr = encoding.vr_bytes(word)
                if vr in LONG_VRS:
                    if pos + 12 > end:
                        broken = Unsafe(Reason.TRUNCATED, tag_name(tag))
                    else:
                        length, value = long(source, value)[0], pos + 12
                elif vr not in SHORT_VRS:
                    broken = Unsafe(Reason.MALFORMED, tag_name(tag))
            yield _Begun(tag, pos, value, length, vr, broken)
            if length == UNDEFINED_LENGTH:
                inner = IMPLICIT_LITTLE if vr == b"UN" else encoding
                stop = skip_items(source, value, end, inner, 1)
            else:
                stop = value + length
                if stop > end:
                    raise Unsafe(Reason.LENGTH_PAST_END, tag_name(tag))
            self._stops.append(stop)
            pos = stop
