"""From element to element of a data set while its bytes arrive, without keeping them.

Only what addresses an instance is read; values are stepped over. How much of this runs on the event
loop is bounded by the number of elements: after so many the walk says no more than what it found.
"""

from __future__ import annotations

import zlib
from struct import Struct
from typing import TYPE_CHECKING, Final

from deid.encoding.transfer_syntaxes import DEFLATED, MAX_DEPTH, UNDEFINED_LENGTH, encoding_of
from deid.encoding.value_representations import LONG_VRS, SHORT_VRS

if TYPE_CHECKING:
    from collections.abc import Callable

    Bytes = bytes | bytearray | memoryview

SOP_CLASS: Final = 0x00080016
SOP_INSTANCE: Final = 0x00080018
STUDY: Final = 0x0020000D
SERIES: Final = 0x0020000E

_WANTED: Final = frozenset({SOP_CLASS, SOP_INSTANCE, STUDY, SERIES})
_WANTED_NUMBERS: Final = frozenset(tag & 0xFFFF for tag in _WANTED)
_TELLING_GROUPS: Final = frozenset({0x0002, 0xFFFE})
"""Of File Meta Information, and of items: their elements say where the walk is."""
_ITEM: Final = 0xFFFEE000
_ENDS: Final = frozenset({0xFFFEE00D, 0xFFFEE0DD})
_DEEPEST: Final = 2 * MAX_DEPTH  # sequences and their items
_LONGEST_UID: Final = 66
_TOO_LONG: Final = b"..."
_MOST_ELEMENTS: Final = 50_000
_MOST_UNADDRESSED: Final = 5_000_000
"""Sequences of group 0008 may refer to all of a large study, and stand before two of the UIDs."""
_MOST_INFLATED: Final = 4 << 20
_PREAMBLE_BYTES: Final = 128
_LITTLE: Final = (Struct("<HH2sH"), Struct("<HHI"), Struct("<I"))
_BIG: Final = (Struct(">HH2sH"), Struct(">HHI"), Struct(">I"))


class DataSetWalk:
    """Fed a data set piece by piece; tells what was seen.

    Attributes
    ----------
    uids
        Values of the top level's SOP Class, SOP Instance, Study and Series Instance UID by tag, without
        their padding, as they stand; of one that is too long for a UID, what is no UID either.
    received
        Bytes so far.
    is_dicom
        False once the very beginning is no element of any encoding.
    holds_file_meta
        Whether an element of group 0002 stands at the top level, or a whole file in the data set's
        place.
    is_blind
        Whether the walk has given up: what follows is unknown, and may be whole.
    """

    def __init__(self, transfer_syntax_uid: str) -> None:
        self.uids: dict[int, bytes] = {}
        self.received = 0
        self.is_dicom = True
        self.holds_file_meta = False
        self.is_blind = False
        self._syntax = transfer_syntax_uid
        self._inflate: Callable[[Bytes, int], bytes] | None = None
        self._inflated = 0
        if transfer_syntax_uid in DEFLATED:
            self._inflate = zlib.decompressobj(-zlib.MAX_WBITS).decompress
        self._explicit: bool | None = None
        self._structs = _BIG if encoding_of(transfer_syntax_uid).big_endian else _LITTLE
        self._outside: list[bool] = []
        self._rest: bytes = b""
        self._skip = 0
        self._elements = 0

    @property
    def has_begun(self) -> bool:
        """Whether an element, or what looks like one, was seen."""
        return self._explicit is not None or self._inflate is not None or self.holds_file_meta

    @property
    def is_cut_short(self) -> bool:
        """Whether the data set, if it ended here, would end within an element or a sequence.

        A header that was begun counts, but not zeros, with which some writers fill up.
        """
        if self.is_blind or self._inflate is not None:
            return False
        return bool(self._skip or self._outside or self._rest.strip(b"\0"))

    @property
    def skippable(self) -> int:
        """How many of the next bytes lie within a value that is not looked at."""
        return 0 if self._inflate is not None else self._skip

    def skip(self, count: int) -> None:
        """Take so many bytes as fed; no more than `skippable`."""
        self._skip -= count
        self.received += count

    def feed(self, data: Bytes) -> None:
        """Take the next bytes."""
        size = len(data)
        self.received += size
        if self.is_blind:
            return
        if self._inflate is not None:
            self._feed_deflated(data)
        elif self._skip >= size:
            self._skip -= size
        else:
            self._walk(data)

    def _feed_deflated(self, data: Bytes) -> None:
        assert self._inflate is not None
        room = _MOST_INFLATED - self._inflated
        try:
            inflated = self._inflate(data, room)
        except zlib.error:
            self.is_dicom = self.is_dicom and self._inflated > 0
            self.is_blind = True
            return
        self._inflated += len(inflated)
        if self._skip >= len(inflated):
            self._skip -= len(inflated)
        else:
            self._walk(inflated)
        # Whether a deflated data set is whole is for the worker to say: here it would cost all of it.
        if len(self.uids) == len(_WANTED) or len(inflated) >= room:
            self.is_blind = True

    def _walk(self, data: Bytes) -> None:
        position, self._skip = self._skip, 0
        if self._rest:
            data = self._rest + bytes(data[position:])
            position, self._rest = 0, b""
        if self._explicit is None and not self._begin(data):
            return
        position = self._step_through(data, position)
        size = len(data)
        if self.is_blind:
            return
        if position > size:
            self._skip = position - size
        elif position < size:
            self._rest = bytes(data[position:])

    def _begin(self, data: Bytes) -> bool:
        """Tell the encoding from the first element; False when there is too little of it."""
        if len(data) < _PREAMBLE_BYTES + 4 and not bytes(data[:4]).strip(b"\0"):
            self._rest = bytes(data)
            return False
        start = bytes(data[:8])
        if b"DICM" in (start[:4], bytes(data[_PREAMBLE_BYTES : _PREAMBLE_BYTES + 4])):
            self.holds_file_meta = self.is_blind = True
            return False
        if len(start) < 8:
            self._rest = start
            return False
        vr = start[4:6]
        # A sender that says one VR encoding and uses the other is told apart here, so that the
        # instance can at least be addressed; that it is wrong is for the worker to say.
        self._explicit = vr in LONG_VRS or vr in SHORT_VRS
        group = self._structs[1].unpack(start)[0]
        if self._structs is _BIG and not self._explicit:
            self._structs = _LITTLE
            group = _LITTLE[1].unpack(start)[0]
        # Of an instance the first is of group 0008. Without a VR to know it by, that is all there is to go by.
        if not self._explicit and not 0x0002 <= group <= 0x0008:
            self.is_dicom = False
            self.is_blind = True
            return False
        return True

    def _step_through(self, data: Bytes, position: int) -> int:
        """Return where the next header starts: before the end if it is not all there, or behind it."""
        size = len(data)
        short, implicit, long = self._structs
        unpack_short, unpack_implicit, unpack_long = (
            short.unpack_from,
            implicit.unpack_from,
            long.unpack_from,
        )
        explicit, outside = self._explicit, self._outside
        most = _MOST_ELEMENTS if len(self.uids) == len(_WANTED) else _MOST_UNADDRESSED
        left, is_lost = most - self._elements, False
        while position + 8 <= size:
            left -= 1
            if left < 0:
                self.is_blind = True
                break
            group, number, vr, length = unpack_short(data, position)
            value = position + 8
            # Nearly all are of this kind; what each costs is most of what a door does for an instance.
            if (
                explicit
                and vr in SHORT_VRS
                and number not in _WANTED_NUMBERS
                and group not in _TELLING_GROUPS
            ):
                position = value + length
                continue
            if not explicit or group == 0xFFFE:
                length = unpack_implicit(data, position)[2]
            elif vr in LONG_VRS:
                if position + 12 > size:
                    break
                (length,) = unpack_long(data, value)
                value += 4
            elif vr not in SHORT_VRS:
                is_lost = True
                break
            if length == UNDEFINED_LENGTH:
                if len(outside) >= _DEEPEST:
                    self.is_blind = True
                    break
                outside.append(bool(explicit))
                # PS3.5 6.2.2: a UN value of undefined length is encoded as Implicit VR Little Endian.
                explicit = explicit and vr != b"UN"
                position = value
                continue
            tag = group << 16 | number
            if group == 0xFFFE:
                if tag in _ENDS:
                    if not outside:
                        is_lost = True
                        break
                    explicit = outside.pop()
                    position = value
                    continue
                # Items of what is not a sequence of undefined length hold fragments, or are passed over
                # whole: their elements are not ours.
            elif not outside:
                if group == 0x0002:
                    self.holds_file_meta = self.is_blind = True
                    break
                if tag in _WANTED:
                    if length > _LONGEST_UID:
                        self.uids[tag] = _TOO_LONG
                    elif value + length > size:
                        break
                    else:
                        self.uids[tag] = bytes(data[value : value + length]).rstrip(b"\0 ")
            position = value + length
        self._explicit = explicit
        self._elements = most - left
        if is_lost:
            self._lost()
        return position

    def _lost(self) -> None:
        self.is_dicom = self._elements > 1
        self.is_blind = True
