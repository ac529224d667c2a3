"""ISO 9660 images, as burnt to discs for patients: the directories of the first volume (ECMA-119).

Levels 1 to 3. Names are the short ones of the standard, without Joliet's or Rock Ridge's: they stand in the
report only. Nothing in an image is believed beyond its size: directories are visited once, lie in the image,
and are bounded in depth, bytes and entries.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from daemon.batch.archives.stretches import Member
from daemon.errors import Refused
from daemon.receive.archive import ArchiveReason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daemon.batch.archives.stretches import ReadAt, Stretch
    from daemon.receive.archive import ArchiveLimits

_SECTOR: Final = 2048
_FIRST_DESCRIPTOR: Final = 16
_MOST_DESCRIPTORS: Final = 64
_PRIMARY, _TERMINATOR = 1, 255
_UDF: Final = (b"NSR02", b"NSR03")
_ASSOCIATED, _DIRECTORY, _MULTI_EXTENT = 0x04, 0x02, 0x80
_SMALLEST_RECORD: Final = 34
_MOST_DIRECTORY_BYTES: Final = 64 << 20
_DEEPEST: Final = 64
_RATIO_COUNTS_FROM: Final = 64 << 20


class _Record(NamedTuple):
    """A directory record (ECMA-119 9.1)."""

    name: bytes
    stretch: Stretch
    flags: int
    is_interleaved: bool


def iso_members(read_at: ReadAt, size: int, limits: ArchiveLimits) -> Iterator[Member]:
    """Give every file of the image, in the order of its directories.

    Raises
    ------
    Refused
        With an `ArchiveReason` of `daemon.receive.archive.WHOLE` for an image that is damaged or claims too
        much; with ``archive_not_read`` for one whose files are in its UDF part only.
    """
    block_bytes, root, has_udf = _volume(read_at)
    visited = {root[0]}
    waiting: list[tuple[str, Stretch, int]] = [("", root, 1)]
    directory_bytes = entries = total = files = 0
    members: list[Member] = []
    while waiting:
        above, (offset, count), depth = waiting.pop()
        directory_bytes += count
        if directory_bytes > _MOST_DIRECTORY_BYTES:
            raise Refused(ArchiveReason.TOO_MANY_ENTRIES)
        content = read_at(offset, count)
        if len(content) < count:
            raise Refused(ArchiveReason.BROKEN)
        inner: list[tuple[str, Stretch, int]] = []
        parts: list[Stretch] = []
        for record in _records(content, block_bytes):
            entries += 1
            if entries > limits.entries:
                raise Refused(ArchiveReason.TOO_MANY_ENTRIES)
            name = above + record.name.split(b";")[0].rstrip(b".").decode("latin-1")
            if record.flags & _DIRECTORY:
                if record.stretch[0] in visited:
                    continue
                if depth >= _DEEPEST:
                    raise Refused(ArchiveReason.BROKEN)
                visited.add(record.stretch[0])
                inner.append((f"{name}/", record.stretch, depth + 1))
                continue
            parts.append(record.stretch)
            total += record.stretch[1]
            if total > limits.total_bytes or (
                total > _RATIO_COUNTS_FROM and total > limits.ratio * size
            ):
                raise Refused(ArchiveReason.BOMB)
            if record.flags & _MULTI_EXTENT:
                continue
            members.append(_member(name, tuple(parts), record, size, limits))
            files += 1
            parts = []
        if parts:
            raise Refused(ArchiveReason.BROKEN)  # the last part of a file is missing
        waiting += reversed(inner)
    if has_udf and files <= 1:
        # What Windows burns has one file here, which says that the others are in the UDF part.
        raise Refused(ArchiveReason.NOT_READ)
    yield from members


def _member(
    name: str, stretches: tuple[Stretch, ...], record: _Record, size: int, limits: ArchiveLimits
) -> Member:
    held = sum(count for _, count in stretches)
    reason = ""
    if record.flags & _ASSOCIATED:
        reason = ArchiveReason.NOT_REGULAR
    elif record.is_interleaved:
        reason = ArchiveReason.METHOD
    elif held > limits.entry_bytes:
        reason = ArchiveReason.TOO_LARGE
    elif any(count and offset + count > size for offset, count in stretches):
        reason = ArchiveReason.BROKEN
    return Member(name, held, () if reason else stretches, reason)


def _volume(read_at: ReadAt) -> tuple[int, Stretch, bool]:
    """Return the size of a block, where the root directory lies, and whether there is a UDF part, too."""
    found: tuple[int, Stretch] | None = None
    has_udf = False
    is_open = True
    for number in range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + _MOST_DESCRIPTORS):
        descriptor = read_at(number * _SECTOR, _SECTOR)
        identifier = descriptor[1:6]
        if len(descriptor) < _SECTOR:
            break
        if identifier == b"CD001" and is_open:
            if descriptor[0] == _PRIMARY and found is None:
                (block_bytes,) = struct.unpack_from("<H", descriptor, 128)
                if block_bytes not in {512, 1024, 2048}:
                    raise Refused(ArchiveReason.BROKEN)
                root = _record(descriptor[156:190], block_bytes)
                if root is None or not root.flags & _DIRECTORY:
                    raise Refused(ArchiveReason.BROKEN)
                found = (block_bytes, root.stretch)
            is_open = descriptor[0] != _TERMINATOR
        elif identifier in _UDF:
            has_udf = True
        elif identifier not in (b"BEA01", b"TEA01", b"BOOT2"):
            break
    if found is None:
        raise Refused(ArchiveReason.NOT_READ if has_udf else ArchiveReason.BROKEN)
    return *found, has_udf


def _records(content: bytes, block_bytes: int) -> Iterator[_Record]:
    """Give the records of a directory but for itself and the one above; none crosses a sector (6.8.1.1)."""
    at = 0
    while at < len(content):
        length = content[at]
        if length == 0:
            at = (at // _SECTOR + 1) * _SECTOR
            continue
        record = _record(content[at : at + length], block_bytes)
        if record is None:
            raise Refused(ArchiveReason.BROKEN)
        if record.name not in (b"\x00", b"\x01"):
            yield record
        at += length


def _record(raw: bytes, block_bytes: int) -> _Record | None:
    if len(raw) < _SMALLEST_RECORD or len(raw) < 33 + raw[32] or not raw[32]:
        return None
    (block,) = struct.unpack_from("<I", raw, 2)
    (count,) = struct.unpack_from("<I", raw, 10)
    # An extended attribute record lies before the file's own bytes (9.1.2).
    return _Record(
        raw[33 : 33 + raw[32]],
        ((block + raw[1]) * block_bytes, count),
        raw[25],
        is_interleaved=bool(raw[26] or raw[27]),
    )
