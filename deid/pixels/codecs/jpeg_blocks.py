"""Fill parts of a sequential Huffman JPEG without decoding the rest (ISO/IEC 10918-1).

Works on the entropy-coded data of Process 1 (baseline) and of Process 2 and 4 with 8 or 12 bits
(extended sequential): the blocks of every MCU that a box touches become flat; the bits of all other
blocks are copied, except for the DC difference of the first block after a filled one, whose
coefficient stays what it was. Quantisation tables, Huffman codes and restart intervals stay.

The walk over the bits is made fast by asking, for every bit position at once, "if a DC (or AC) code
began here, how long would it be": one table look-up per coded symbol remains for the sequential part.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from deid.pixels.codecs.codestreams import (
    DHT,
    DNL,
    DQT,
    DRI,
    SOS,
    CodestreamBroken,
    jpeg_segments,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from deid.pixels.codecs.codestreams import MarkerSegment
    from deid.pixels.geometry import Box

_SEQUENTIAL = {0xC0, 0xC1}
_OTHER_FRAMES = {0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_END_OF_BLOCK = 0x00
_ZERO_RUN = 0xF0
# Steps of the AC walk are packed as length | advance << 5; these advances end a block.
_EOB_ADVANCE = 128
_INVALID_ADVANCE = 256


@dataclass(frozen=True, slots=True)
class _Component:
    identifier: int
    horizontal: int
    vertical: int
    quantisation: int


@dataclass(frozen=True, slots=True)
class _Huffman:
    """A table as DHT gives it: how many codes of each length 1 to 16, and their symbols."""

    counts: tuple[int, ...]
    symbols: bytes

    def codes(self) -> dict[int, tuple[int, int]]:
        """Return (code, length) by symbol (Annex C)."""
        table, code, at = {}, 0, 0
        for length, count in enumerate(self.counts, start=1):
            for symbol in self.symbols[at : at + count]:
                table[symbol] = (code, length)
                code += 1
            at += count
            code <<= 1
        return table

    def extended(self, wanted: Sequence[int]) -> _Huffman:
        """Return a table that has `wanted` symbols too and every old code unchanged.

        New codes are of 16 bits, in the code space that was left (at least the all-ones prefix,
        unless the longest codes are 16 bits already).
        """
        missing = [symbol for symbol in dict.fromkeys(wanted) if symbol not in self.codes()]
        used = sum(count << (16 - length) for length, count in enumerate(self.counts, start=1))
        if used + len(missing) > (1 << 16) - 1:
            raise CodestreamBroken("no room for a Huffman code")
        counts = (*self.counts[:15], self.counts[15] + len(missing))
        return _Huffman(counts, self.symbols + bytes(missing)) if missing else self

    def by_window(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return code length and symbol for every 16-bit window; length 0 where no code matches."""
        lengths = np.zeros(1 << 16, np.uint8)
        symbols = np.zeros(1 << 16, np.uint8)
        for symbol, (code, length) in self.codes().items():
            first = code << (16 - length)
            lengths[first : first + (1 << (16 - length))] = length
            symbols[first : first + (1 << (16 - length))] = symbol
        return lengths, symbols


@dataclass(slots=True)
class _Stream:
    """The decoder state that marker segments change on the way."""

    precision: int = 8
    rows: int = 0
    columns: int = 0
    components: list[_Component] = field(default_factory=list)
    quantisation: dict[int, int] = field(default_factory=dict)  # DC step by table
    huffman: dict[tuple[int, int], _Huffman] = field(default_factory=dict)
    restart_interval: int = 0


def wipe(codestream: bytes, boxes: Sequence[Box], fill: Sequence[int]) -> bytes:
    """Return the codestream with every MCU that a box touches filled flat.

    Parameters
    ----------
    codestream
        A whole JPEG, SOI to EOI.
    boxes
        In pixels; parts outside the frame are ignored.
    fill
        Sample value per component, 0 to 2**precision - 1, before any colour transform.

    Raises
    ------
    CodestreamBroken
        If it is not sequential Huffman JPEG, or its entropy-coded data do not decode.
    """
    stream, out, copied = _Stream(), [], 0
    for segment in jpeg_segments(codestream):
        _read(stream, codestream, segment)
        if segment.marker != SOS:
            continue
        scan_stop = _scan_stop(codestream, segment.stop)
        tables, data = _wipe_scan(
            stream, codestream, segment, codestream[segment.stop : scan_stop], boxes, fill
        )
        scan_start = segment.start - 4
        out += [codestream[copied:scan_start], tables]
        out += [codestream[scan_start : segment.stop], data]
        copied = scan_stop
    return b"".join([*out, codestream[copied:]])


def _scan_stop(codestream: bytes, start: int) -> int:
    found = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]").search(codestream, start)
    if found is None:
        raise CodestreamBroken("no EOI")
    return found.start()


def _read(stream: _Stream, codestream: bytes, segment: MarkerSegment) -> None:
    body = codestream[segment.start : segment.stop]
    try:
        if segment.marker in _SEQUENTIAL:
            stream.precision, stream.rows, stream.columns, _ = struct.unpack_from(">BHHB", body)
            stream.components = [
                _Component(identifier, sampling >> 4, sampling & 15, table)
                for identifier, sampling, table in struct.iter_unpack("3B", body[6:])
            ]
            if not stream.rows or not stream.columns:
                raise CodestreamBroken("size")
            if not all(part.horizontal and part.vertical for part in stream.components):
                raise CodestreamBroken("sampling factors")
        elif segment.marker in _OTHER_FRAMES or segment.marker == DNL:
            raise CodestreamBroken("not sequential Huffman")
        elif segment.marker == DQT:
            _read_quantisation(stream, body)
        elif segment.marker == DHT:
            _read_huffman(stream, body)
        elif segment.marker == DRI:
            (stream.restart_interval,) = struct.unpack(">H", body)
    except (struct.error, IndexError) as error:
        raise CodestreamBroken("marker segment") from error


def _read_quantisation(stream: _Stream, body: bytes) -> None:
    at = 0
    while at < len(body):
        is_wide, table = body[at] >> 4, body[at] & 15
        (step,) = struct.unpack_from(">H" if is_wide else ">B", body, at + 1)
        stream.quantisation[table] = max(step, 1)
        at += 1 + (128 if is_wide else 64)


def _read_huffman(stream: _Stream, body: bytes) -> None:
    at = 0
    while at < len(body):
        kind = (body[at] >> 4, body[at] & 15)
        counts = tuple(body[at + 1 : at + 17])
        symbols = body[at + 17 : at + 17 + sum(counts)]
        code = 0
        for count in counts:
            code = (code << 1) + count
        if len(counts) != 16 or len(symbols) != sum(counts) or code > 1 << 16:
            raise CodestreamBroken("Huffman table")
        stream.huffman[kind] = _Huffman(counts, symbols)
        at += 17 + len(symbols)


@dataclass(frozen=True, slots=True)
class _Scan:
    """The blocks of one scan in coding order.

    Attributes
    ----------
    components
        Those of this scan, in its order, with the keys of their DC and AC tables in `tables`.
    pattern
        For each block of an MCU, the position of its component.
    filled
        For each MCU, whether it is to be filled.
    """

    components: list[_Component]
    dc_keys: list[tuple[int, int]]
    ac_keys: list[tuple[int, int]]
    tables: dict[tuple[int, int], _Huffman]
    pattern: list[int]
    filled: NDArray[np.bool_]


def _wipe_scan(
    stream: _Stream,
    codestream: bytes,
    segment: MarkerSegment,
    data: bytes,
    boxes: Sequence[Box],
    fill: Sequence[int],
) -> tuple[bytes, bytes]:
    """Return marker segments to put before the scan header, and the scan's new data."""
    scan = _scan(stream, codestream[segment.start : segment.stop], boxes)
    order = {component.identifier: at for at, component in enumerate(stream.components)}
    levels = [
        _dc_level(
            fill[order[part.identifier]], stream.quantisation[part.quantisation], stream.precision
        )
        for part in scan.components
    ]
    intervals = _RESTART.split(data) if stream.restart_interval else [data]
    step = stream.restart_interval or len(scan.filled)
    if len(intervals) != -(-len(scan.filled) // step):
        raise CodestreamBroken("restart intervals")
    walked: dict[int, _Interval] = {}
    for at, part in enumerate(intervals):
        filled = scan.filled[at * step : (at + 1) * step]
        if filled.any():
            walked[at] = _Interval(scan, part, filled, levels)
    tables, added = dict(scan.tables), b""
    for key, table in scan.tables.items():
        wanted = sorted(set().union(*(part.symbols(key) for part in walked.values())))
        tables[key] = table.extended(wanted)
        if tables[key] is not table:
            body = bytes((key[0] << 4 | key[1], *tables[key].counts)) + tables[key].symbols
            added += struct.pack(">BBH", 0xFF, DHT, len(body) + 2) + body
            stream.huffman[key] = tables[key]
    codes = {key: table.codes() for key, table in tables.items()}
    out = []
    for at, part in enumerate(intervals):
        if at:
            out.append(bytes((0xFF, 0xD0 + (at - 1) % 8)))
        out.append(walked[at].rewritten(codes) if at in walked else part)
    return added, b"".join(out)


def _scan(stream: _Stream, header: bytes, boxes: Sequence[Box]) -> _Scan:
    by_identifier = {component.identifier: component for component in stream.components}
    count = header[0] if header else 0
    if not 1 <= count <= 4 or len(header) != 4 + 2 * count:
        raise CodestreamBroken("scan header")
    components, dc_keys, ac_keys = [], [], []
    tables: dict[tuple[int, int], _Huffman] = {}
    for identifier, selected in struct.iter_unpack("BB", header[1 : 1 + 2 * count]):
        if identifier not in by_identifier:
            raise CodestreamBroken("scan component")
        component = by_identifier[identifier]
        dc, ac = (0, selected >> 4), (1, selected & 15)
        if (
            dc not in stream.huffman
            or ac not in stream.huffman
            or component.quantisation not in stream.quantisation
        ):
            raise CodestreamBroken("table missing")
        components.append(component)
        dc_keys.append(dc)
        ac_keys.append(ac)
        tables |= {dc: stream.huffman[dc], ac: stream.huffman[ac]}
    widest = max(part.horizontal for part in stream.components)
    highest = max(part.vertical for part in stream.components)
    if len(stream.components) == 1:  # sampling factors mean nothing then (A.2.2)
        widest = highest = 1
    grid = _touched_mcus(stream.rows, stream.columns, 8 * highest, 8 * widest, boxes)
    if count > 1:
        pattern = [
            position
            for position, part in enumerate(components)
            for _ in range(part.horizontal * part.vertical)
        ]
        filled = grid.ravel()
    else:
        pattern = [0]
        only = components[0]
        across, down = (1, 1) if len(stream.components) == 1 else (only.horizontal, only.vertical)
        columns = _divided_up(_divided_up(stream.columns * across, widest), 8)
        rows = _divided_up(_divided_up(stream.rows * down, highest), 8)
        spread = np.repeat(np.repeat(grid, down, axis=0), across, axis=1)
        filled = spread[:rows, :columns].ravel()
    return _Scan(components, dc_keys, ac_keys, tables, pattern, filled)


def _divided_up(number: int, by: int) -> int:
    return -(-number // by)


def _touched_mcus(
    rows: int, columns: int, height: int, width: int, boxes: Sequence[Box]
) -> NDArray[np.bool_]:
    grid = np.zeros((-(-rows // height), -(-columns // width)), np.bool_)
    for box in boxes:
        inside = box.clipped(rows, columns)
        if inside is not None:
            grid[
                inside.top // height : -(-inside.bottom // height),
                inside.left // width : -(-inside.right // width),
            ] = True
    return grid


def _dc_level(sample: int, step: int, precision: int) -> int:
    # A flat block of value v has the DC coefficient 8 (v - 2**(P-1)); round away from zero, so
    # that black and white are reached in spite of the quantisation step.
    wanted = 8 * (sample - (1 << (precision - 1)))
    magnitude = -(-abs(wanted) // step)
    return magnitude if wanted > 0 else -magnitude


class _Interval:
    """One restart interval, walked: where its blocks begin, what their DC coefficients are."""

    def __init__(
        self, scan: _Scan, data: bytes, filled: NDArray[np.bool_], levels: Sequence[int]
    ) -> None:
        self._scan = scan
        plain = data.replace(b"\xff\x00", b"\xff")
        self._bits = np.unpackbits(np.frombuffer(plain, np.uint8))
        windows = _windows(plain)
        self._starts, self._stop = _walk(scan, windows, len(filled))
        self._component = np.tile(np.array(scan.pattern), len(filled))
        self._filled = np.repeat(filled, len(scan.pattern))
        self._code_stop, old = self._differences(windows, plain)
        self._new = np.zeros_like(old)
        for position, level in enumerate(levels):
            mine = self._component == position
            original = np.cumsum(old[mine])
            self._new[mine] = np.diff(np.where(self._filled[mine], level, original), prepend=0)
        self._changed = np.flatnonzero(self._filled | (self._new != old))

    def _differences(
        self, windows: NDArray[np.uint16], plain: bytes
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where each block's DC code with its extra bits ends, and the difference coded."""
        ends = np.zeros(len(self._starts), np.int64)
        values = np.zeros(len(self._starts), np.int64)
        padded = np.frombuffer(plain + bytes(8), np.uint8).astype(np.int64)
        for position, key in enumerate(self._scan.dc_keys):
            mine = np.flatnonzero(self._component == position)
            lengths, sizes = self._scan.tables[key].by_window()
            window = windows[self._starts[mine]]
            size = sizes[window].astype(np.int64)
            at = self._starts[mine] + lengths[window]
            first = at >> 3
            four = (
                (padded[first] << 24)
                | (padded[first + 1] << 16)
                | (padded[first + 2] << 8)
                | padded[first + 3]
            )
            value = (four >> (32 - (at & 7) - size)) & ((1 << size) - 1)
            is_negative = (size > 0) & (value < (1 << np.maximum(size - 1, 0)))
            values[mine] = np.where(is_negative, value - (1 << size) + 1, value)
            ends[mine] = at + size
        return ends, values

    def symbols(self, key: tuple[int, int]) -> set[int]:
        """Return the Huffman symbols that rewriting needs of one table."""
        if key[0] == 1:
            return {_END_OF_BLOCK} if key in self._scan.ac_keys else set()
        needed: set[int] = set()
        for position, used in enumerate(self._scan.dc_keys):
            if used == key:
                mine = self._changed[self._component[self._changed] == position]
                needed |= {_size(value) for value in np.unique(self._new[mine]).tolist()}
        return needed

    def rewritten(self, codes: dict[tuple[int, int], dict[int, tuple[int, int]]]) -> bytes:
        """Return the interval's bytes with filled blocks and corrected differences."""
        bits, pieces, copied = self._bits, [], 0
        ends = np.append(self._starts[1:], self._stop)
        end_of_block = [_bit_array(*codes[key][_END_OF_BLOCK]) for key in self._scan.ac_keys]
        coded: dict[tuple[int, int], NDArray[np.uint8]] = {}
        for block in self._changed.tolist():
            start = int(self._starts[block])
            component, difference = int(self._component[block]), int(self._new[block])
            if start > copied:
                pieces.append(bits[copied:start])
            dc = coded.get((component, difference))
            if dc is None:
                dc = _coded_difference(codes[self._scan.dc_keys[component]], difference)
                coded[component, difference] = dc
            pieces.append(dc)
            if self._filled[block]:
                pieces.append(end_of_block[component])
                copied = int(ends[block])
            else:
                copied = int(self._code_stop[block])
        pieces.append(bits[copied : self._stop])
        joined = np.concatenate(pieces)
        padding = np.ones(-len(joined) % 8, np.uint8)  # F.1.2.3
        packed = np.packbits(np.concatenate((joined, padding))).tobytes()
        return packed.replace(b"\xff", b"\xff\x00")


def _windows(plain: bytes) -> NDArray[np.uint16]:
    """Return the 16 bits that follow every bit position; ones beyond the end."""
    padded = np.frombuffer(plain + b"\xff\xff\xff", np.uint8).astype(np.uint32)
    three = (padded[:-2] << 16) | (padded[1:-1] << 8) | padded[2:]
    out = np.empty((len(three), 8), np.uint16)
    for shift in range(8):
        out[:, shift] = (three >> (8 - shift)) & 0xFFFF
    return out.ravel()


def _walk(scan: _Scan, windows: NDArray[np.uint16], mcus: int) -> tuple[NDArray[np.int64], int]:
    """Return the bit position of every block, and of the first bit after the last one."""
    ac = {key: _ac_steps(scan.tables[key], windows) for key in set(scan.ac_keys)}
    dc = {key: _dc_steps(scan.tables[key], windows) for key in set(scan.dc_keys)}
    pattern = [(dc[scan.dc_keys[part]], ac[scan.ac_keys[part]]) for part in scan.pattern]
    starts: list[int] = []
    at = 0
    try:
        for _ in range(mcus):
            for dc_steps, ac_steps in pattern:
                starts.append(at)
                at += dc_steps[at]
                coefficient = 1
                while coefficient < 64:
                    step = ac_steps[at]
                    at += step & 31
                    coefficient += step >> 5
                if coefficient != 64 and not _EOB_ADVANCE < coefficient < _EOB_ADVANCE + 64:
                    raise CodestreamBroken("entropy-coded data")
    except IndexError as error:
        raise CodestreamBroken("entropy-coded data end early") from error
    if at > len(windows) - 8:
        raise CodestreamBroken("entropy-coded data end early")
    return np.array(starts, np.int64), at


def _dc_steps(table: _Huffman, windows: NDArray[np.uint16]) -> memoryview:
    lengths, sizes = table.by_window()
    steps = lengths.astype(np.uint16) + sizes
    # An impossible code sends the walk beyond the end.
    steps[(lengths == 0) | (sizes > 16)] = 0xFFFF
    return memoryview(steps[windows].data)


def _ac_steps(table: _Huffman, windows: NDArray[np.uint16]) -> memoryview:
    lengths, symbols = table.by_window()
    size, run = symbols & 15, symbols >> 4
    bits = lengths.astype(np.uint16) + size
    advance = run.astype(np.uint16) + 1
    advance[symbols == _END_OF_BLOCK] = _EOB_ADVANCE
    advance[(size == 0) & (symbols != _END_OF_BLOCK) & (symbols != _ZERO_RUN)] = _INVALID_ADVANCE
    advance[lengths == 0] = _INVALID_ADVANCE
    steps: NDArray[Any] = bits | advance << 5
    return memoryview(steps[windows].data)


def _size(value: int) -> int:
    return abs(value).bit_length()


def _coded_difference(codes: dict[int, tuple[int, int]], value: int) -> NDArray[np.uint8]:
    size = _size(value)
    extra = value if value >= 0 else value + (1 << size) - 1
    return np.concatenate((_bit_array(*codes[size]), _bit_array(extra, size)))


def _bit_array(value: int, length: int) -> NDArray[np.uint8]:
    return np.array([value >> shift & 1 for shift in range(length - 1, -1, -1)], np.uint8)
