"""Reading the bytes of an input, wherever they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon.batch.archives.gzip_stream import GzipStream
from daemon.batch.archives.stretches import StretchReader
from daemon.receive.archive import Archive, ArchiveLimits, EntryReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from io import FileIO

    from daemon.batch.inputs import Input

    Reader = FileIO | EntryReader | StretchReader | GzipStream

_CHUNK_BYTES = 1 << 20


def place_of(source: Input) -> dict[str, Any]:
    """Return what a worker has to know to open an input, for the header of its job."""
    return {
        "path": source.unpacked.path if source.unpacked is not None else source.path,
        "member": source.member,
        "stretches": source.stretches,
        "is_gzip": source.is_gzip,
    }


def is_file(place: Mapping[str, Any]) -> bool:
    """Return whether an input is a file by itself, which can be mapped where it lies."""
    return place["member"] is None and not place["is_gzip"]


class Sources:
    """Opens inputs; the last zip archive stays open, as its entries come in a row."""

    def __init__(self, limits: ArchiveLimits) -> None:
        self._limits = limits
        self._path = ""
        self._archive: Archive | None = None

    def open(self, place: Mapping[str, Any]) -> Reader:
        """Return a reader of the bytes of an input (`place_of`). Raises `Refused` or OSError."""
        path: str = place["path"]
        if is_file(place):
            return open(path, "rb", buffering=0)  # noqa: PTH123
        if place["is_gzip"]:
            return GzipStream(path, self._limits, self._limits.entry_bytes)
        if place["stretches"] is not None:
            return StretchReader(path, place["stretches"])
        return self._open_entry(path, place["member"])

    def _open_entry(self, path: str, member: int) -> EntryReader:
        if self._archive is None or self._path != path:
            self.close()
            file = open(path, "rb")  # noqa: PTH123, SIM115 - the archive closes it
            try:
                self._archive = Archive(file, self._limits)
            except BaseException:
                file.close()
                raise
            self._path, self._file = path, file
        return self._archive.open(member)

    def close(self) -> None:
        """Close what is open. May be called twice."""
        if self._archive is not None:
            self._archive.__exit__()
            self._file.close()
            self._archive = None


def copy_all(read: Callable[[int], bytes], write: Callable[[bytes], object]) -> int:
    """Copy to the end; return how many bytes that were."""
    size = 0
    while data := read(_CHUNK_BYTES):
        write(data)
        size += len(data)
    return size
