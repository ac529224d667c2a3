"""Tar archives: the headers, one after the other (POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar's own).

Written here because a general reader believes what headers claim: it takes an extended header of any size into
memory. Links, devices and sparse files have no bytes of their own to read and are named as what they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from daemon.batch.archives.stretches import Member
from daemon.errors import Refused
from daemon.receive.archive import ArchiveReason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daemon.batch.archives.stretches import ReadAt
    from daemon.receive.archive import ArchiveLimits

BLOCK: Final = 512
_LONGEST_EXTENSION = 1 << 20
_ZEROS_AT_ONCE = 1 << 20
_CHECK_AT, _CHECK_END = 148, 156
_REGULAR: Final = b"0\x007"
_NOT_REGULAR: Final = b"12346"
_FOLDERS: Final = b"5D"
_SPARSE: Final = b"S"
_CONTINUED: Final = b"M"
_LABEL: Final = b"V"


@dataclass(slots=True)
class _Extension:
    """What the headers before a member say of it."""

    name: bytes | None = None
    size: int | None = None
    is_sparse: bool = False
    records: dict[bytes, bytes] = field(default_factory=dict)


def is_tar_header(block: bytes, *, is_marked: bool = True) -> bool:
    """Return whether a block is a header: its check sum is right, and the mark is there if it has to be."""
    if len(block) < BLOCK or not block[0]:
        return False
    if is_marked and block[257:262] != b"ustar":
        return False
    return _checks(block)


def tar_members(read_at: ReadAt, size: int | None, limits: ArchiveLimits) -> Iterator[Member]:
    """Give every file of the archive, folders left out.

    Parameters
    ----------
    read_at
        Asked for ascending offsets only, but for blocks right before.
    size
        Bytes of the archive; None when only reading on will tell.

    Raises
    ------
    Refused
        With an `ArchiveReason` of `daemon.receive.archive.WHOLE`: cut off, damaged, or too much of it.
    """
    position = 0
    count = 0
    extension = _Extension()
    while True:
        block = read_at(position, BLOCK)
        if not block:
            return
        if len(block) < BLOCK:
            if block.strip(b"\x00"):
                raise Refused(ArchiveReason.BROKEN)
            return
        if not block.strip(b"\x00"):
            # Two such blocks end an archive; another may follow, as where several were joined.
            position = _after_zeros(read_at, position)
            continue
        if not _checks(block):
            raise Refused(ArchiveReason.BROKEN)
        kind, held = block[156:157], _number(block[124:136])
        if kind in (b"1", b"2"):
            held = 0  # a link has no bytes, whatever its header says
        start = position + BLOCK
        if kind in (b"x", b"X", b"g", b"L", b"K"):
            _read_extension(extension, kind, read_at, start, held)
            position = start + _padded(held)
            continue
        if extension.size is not None and kind not in (b"1", b"2"):
            held = extension.size
        if kind == _SPARSE:
            start = _after_sparse_map(read_at, position, block)
        position = start + _padded(held)
        if held and (
            position - _padded(held) + held > size
            if size is not None
            else not read_at(start + held - 1, 1)
        ):
            raise Refused(ArchiveReason.BROKEN)
        count += 1
        if count > limits.entries:
            raise Refused(ArchiveReason.TOO_MANY_ENTRIES)
        name = extension.name if extension.name is not None else _name(block)
        is_sparse = extension.is_sparse or kind == _SPARSE
        extension = _Extension()
        if kind in _FOLDERS or kind == _LABEL or (kind in _REGULAR and name.endswith(b"/")):
            continue
        yield _member(kind, name, start, held, is_sparse=is_sparse, limits=limits)


def _member(
    kind: bytes, name: bytes, start: int, size: int, *, is_sparse: bool, limits: ArchiveLimits
) -> Member:
    told = name.decode("utf-8", "surrogateescape")
    if kind in _NOT_REGULAR:
        return Member(told, 0, reason=ArchiveReason.NOT_REGULAR)
    if is_sparse or kind == _CONTINUED:
        return Member(told, size, reason=ArchiveReason.METHOD)
    if size > limits.entry_bytes:
        return Member(told, size, reason=ArchiveReason.TOO_LARGE)
    return Member(told, size, ((start, size),))


def _read_extension(
    extension: _Extension, kind: bytes, read_at: ReadAt, start: int, held: int
) -> None:
    """Take what an extended header says of the next member (pax ``x``, GNU ``L``); nothing of all (``g``)."""
    if held > _LONGEST_EXTENSION:
        raise Refused(ArchiveReason.BROKEN)
    content = read_at(start, held)
    if len(content) < held:
        raise Refused(ArchiveReason.BROKEN)
    if kind == b"L":
        extension.name = content.rstrip(b"\x00")
    elif kind in (b"x", b"X"):
        for keyword, value in _records(content):
            if keyword == b"path":
                extension.name = value
            elif keyword == b"size":
                if not value.isdigit() or len(value) > 20:
                    raise Refused(ArchiveReason.BROKEN)
                extension.size = int(value)
            elif keyword.startswith(b"GNU.sparse."):
                extension.is_sparse = True


def _records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give keyword and value of each pax record: its length, a space, ``keyword=value``, a line end."""
    at = 0
    while at < len(content) and content[at : at + 1] != b"\x00":
        space = content.find(b" ", at, at + 12)
        digits = content[at:space]
        if space < 0 or not digits.isdigit():
            raise Refused(ArchiveReason.BROKEN)
        end = at + int(digits)
        keyword, equals, value = content[space + 1 : end - 1].partition(b"=")
        if end <= space or end > len(content) or not equals or content[end - 1 : end] != b"\n":
            raise Refused(ArchiveReason.BROKEN)
        yield keyword, value
        at = end


def _after_zeros(read_at: ReadAt, position: int) -> int:
    """Return where the next block lies that is not zero, or where the archive ends."""
    while chunk := read_at(position, _ZEROS_AT_ONCE):
        rest = chunk.lstrip(b"\x00")
        if rest:
            return position + (len(chunk) - len(rest)) // BLOCK * BLOCK
        position += len(chunk)
    return position


def _after_sparse_map(read_at: ReadAt, position: int, block: bytes) -> int:
    """Return where the data of an old GNU sparse file begins: behind the blocks that continue its map."""
    is_continued, at = block[482], position + BLOCK
    while is_continued:
        more = read_at(at, BLOCK)
        if len(more) < BLOCK:
            raise Refused(ArchiveReason.BROKEN)
        is_continued, at = more[504], at + BLOCK
    return at


def _name(block: bytes) -> bytes:
    name, prefix = block[:100].split(b"\x00")[0], b""
    if block[257:263] == b"ustar\x00":
        prefix = block[345:500].split(b"\x00")[0]
    return prefix + b"/" + name if prefix else name


def _padded(count: int) -> int:
    return (count + BLOCK - 1) // BLOCK * BLOCK


def _checks(block: bytes) -> bool:
    try:
        stated = _number(block[_CHECK_AT:_CHECK_END])
    except Refused:
        return False
    others = block[:_CHECK_AT] + block[_CHECK_END:]
    spaces = 32 * (_CHECK_END - _CHECK_AT)
    unsigned = sum(others) + spaces
    # Some old programs added the bytes as signed ones.
    return stated in {unsigned, unsigned - 256 * sum(each > 127 for each in others)}


def _number(digits: bytes) -> int:
    """Return a number in octal digits, or in base 256 where the first bit is set (GNU)."""
    if digits[0] == 0x80:
        return int.from_bytes(digits[1:], "big")
    text = digits.split(b"\x00")[0].strip()
    if not text:
        return 0
    try:
        value = int(text, 8)
    except ValueError:
        raise Refused(ArchiveReason.BROKEN) from None
    if value < 0:
        raise Refused(ArchiveReason.BROKEN)
    return value
