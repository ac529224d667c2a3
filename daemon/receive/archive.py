"""Zip archives: their entries as streams, and what refuses them.

Names inside an archive never become paths, so nothing can climb out of a folder; they are kept
only for the report that the person who owns the files asked for. What an archive claims about
sizes is not believed: bytes are counted as they come out of the decompressor, and a limit on
their number, on their ratio to the archive and on the number of entries stops a bomb early.

Only stored and deflated entries are read. The other methods of the format let a small input ask
for gigabytes of memory (LZMA's dictionary, bzip2's blocks) and no DICOM software writes them.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, TYPE_CHECKING, BinaryIO, Self

from daemon.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

_END = b"PK\x05\x06"  # APPNOTE 4.3.16
_END_BYTES = 22
_LOCATOR64 = b"PK\x06\x07"  # APPNOTE 4.3.15
_LOCATOR64_BYTES = 20
_END64 = b"PK\x06\x06"  # APPNOTE 4.3.14
_END64_BYTES = 56
_LONGEST_COMMENT = 0xFFFF
_SMALLEST_ENTRY = 46
_USUAL_ENTRY = 512
_RATIO_COUNTS_FROM = 64 << 20
_ENCRYPTED = 0x1 | 0x40
_SYSTEM_UNIX = 3


class ArchiveReason(StrEnum):
    """Why an archive, or one entry of it, was refused."""

    BROKEN = "archive_broken"
    TOO_MANY_ENTRIES = "archive_too_many_entries"
    BOMB = "archive_bomb"
    ENCRYPTED = "archive_encrypted"
    METHOD = "archive_method"
    NESTED = "archive_nested"
    NOT_READ = "archive_not_read"
    NOT_REGULAR = "not_regular"
    TOO_LARGE = "too_large"


WHOLE = frozenset({ArchiveReason.BROKEN, ArchiveReason.TOO_MANY_ENTRIES, ArchiveReason.BOMB})
"""Reasons that end the reading of an archive, not only of one entry."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """How much an archive may unfold.

    Attributes
    ----------
    entries
        Most entries, folders included.
    total_bytes
        Most bytes that all entries read so far may have given.
    ratio
        Most bytes out for each byte of the archive; looked at once 64 MiB have come out.
    entry_bytes
        Most bytes of one entry.
    """

    entries: int = 100_000
    total_bytes: int = 256 << 30
    ratio: int = 200
    entry_bytes: int = 16 << 30


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in an archive.

    Attributes
    ----------
    index
        Place in the archive's directory, from 0, folders counted; opens the entry.
    name
        As the archive says, which may name a patient: for the report or a reason file only.
    reason
        Why it cannot be read, or empty.
    """

    index: int
    name: str
    size: int
    reason: str = ""


def has_end_record(file: BinaryIO) -> bool:
    """Return whether the end record is there, without which a zip is incomplete."""
    return _directory_size(file) is not None


class Archive:
    """A zip archive opened for reading; a context manager. Not for use by two threads at once.

    Raises
    ------
    Refused
        With an `ArchiveReason`: no end record, too many entries, a directory that makes no sense.
    """

    def __init__(self, file: BinaryIO, limits: ArchiveLimits) -> None:
        self._limits = limits
        directory_bytes = _directory_size(file)
        if directory_bytes is None:
            raise Refused(ArchiveReason.BROKEN)
        # `zipfile` reads the whole directory into memory, so its size is bounded before.
        if directory_bytes > limits.entries * (_SMALLEST_ENTRY + _USUAL_ENTRY):
            raise Refused(ArchiveReason.TOO_MANY_ENTRIES)
        self._bytes = file.seek(0, 2)
        try:
            self._zip = zipfile.ZipFile(file)
        except (
            zipfile.BadZipFile,
            ValueError,
            OSError,
            struct.error,
            NotImplementedError,
        ) as error:
            raise Refused(ArchiveReason.BROKEN) from error
        self._infos = self._zip.infolist()
        if len(self._infos) > limits.entries:
            raise Refused(ArchiveReason.TOO_MANY_ENTRIES)
        self._out = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._zip.close()

    def entries(self, *, hidden: bool = False) -> Iterator[Entry]:
        """Give every file in the archive's own order, without folders; hidden ones if asked for."""
        for index, info in enumerate(self._infos):
            if not info.is_dir() and (hidden or not _is_hidden(info.filename)):
                yield Entry(index, info.filename, info.file_size, _reason(info, self._limits))

    def open(self, index: int) -> EntryReader:
        """Return a reader of an entry that has no `reason`. Raises `Refused`."""
        try:
            stream = self._zip.open(self._infos[index])
        except (zipfile.BadZipFile, ValueError, OSError, struct.error, RuntimeError) as error:
            raise Refused(ArchiveReason.BROKEN) from error
        return EntryReader(self, stream, self._limits.entry_bytes)

    def count(self, more: int) -> None:
        """Add to what came out; raises `Refused` past the limits."""
        self._out += more
        if self._out > self._limits.total_bytes or (
            self._out > _RATIO_COUNTS_FROM and self._out > self._limits.ratio * self._bytes
        ):
            raise Refused(ArchiveReason.BOMB)


class EntryReader:
    """The bytes of one entry; a context manager. The check sum is verified at the end."""

    def __init__(self, archive: Archive, stream: IO[bytes], most_bytes: int) -> None:
        self._archive = archive
        self._most_bytes = most_bytes
        self._stream = stream
        self._entry_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stream.close()

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes, empty at the end. Raises `Refused`."""
        try:
            data = self._stream.read(count)
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError) as error:
            raise Refused(ArchiveReason.BROKEN) from error
        self._entry_bytes += len(data)
        if self._entry_bytes > self._most_bytes:
            raise Refused(ArchiveReason.TOO_LARGE)
        self._archive.count(len(data))
        return data


def _reason(info: zipfile.ZipInfo, limits: ArchiveLimits) -> str:
    mode = info.external_attr >> 16 if info.create_system == _SYSTEM_UNIX else 0
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        return ArchiveReason.NOT_REGULAR
    if info.flag_bits & _ENCRYPTED:
        return ArchiveReason.ENCRYPTED
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return ArchiveReason.METHOD
    if info.file_size > limits.entry_bytes:
        return ArchiveReason.TOO_LARGE
    return ""


def _is_hidden(name: str) -> bool:
    # Desktop systems add their own notes (.DS_Store, __MACOSX/._name) to what people put in.
    parts = name.replace("\\", "/").split("/")
    return parts[0] == "__MACOSX" or parts[-1].startswith(".")


def _directory_size(file: BinaryIO) -> int | None:
    """Return the bytes of the central directory as the end record states them; None without one."""
    size = file.seek(0, 2)
    tail_bytes = min(size, _END_BYTES + _LONGEST_COMMENT)
    file.seek(size - tail_bytes)
    tail = file.read(tail_bytes)
    at = tail.rfind(_END)
    while at >= 0:
        if at + _END_BYTES <= len(tail):
            (comment,) = struct.unpack_from("<H", tail, at + 20)
            if at + _END_BYTES + comment <= len(tail):
                break
        at = tail.rfind(_END, 0, at)
    else:
        return None
    (directory,) = struct.unpack_from("<I", tail, at + 12)
    locator_at = size - tail_bytes + at - _LOCATOR64_BYTES
    if locator_at >= 0:
        file.seek(locator_at)
        locator = file.read(_LOCATOR64_BYTES)
        if locator.startswith(_LOCATOR64):
            (end64_at,) = struct.unpack_from("<Q", locator, 8)
            # zipfile looks right before the locator, whatever the locator says.
            for place in (locator_at - _END64_BYTES, end64_at):
                if 0 <= place < size:
                    file.seek(place)
                    end64 = file.read(_END64_BYTES)
                    if end64.startswith(_END64) and len(end64) == _END64_BYTES:
                        directory = max(
                            directory if directory != 0xFFFFFFFF else 0,
                            struct.unpack_from("<Q", end64, 40)[0],
                        )
    return int(directory)
