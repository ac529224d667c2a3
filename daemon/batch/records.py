"""Files of records beside a run: JSON, JSON Lines or CSV, as the name's suffix says.

What they hold belongs to the identified side (where an input lay, who it was about): mode 0600, never inside
the output folder.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import io
import os
import re
import secrets
from typing import TYPE_CHECKING, Self

import orjson

from daemon.batch.errors import BatchFailed, BatchRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

_LINES_SUFFIXES = (".jsonl", ".ndjson")
_CSV = ".csv"
SUFFIXES = (".json", *_LINES_SUFFIXES, _CSV)


class Records:
    """A file of records being written; a context manager. It gets its name when the block ends.

    Also when the block ends by an interruption: then it has the records that there are. Folders above it
    that are missing are made, for the user alone.

    Parameters
    ----------
    path
        None writes nothing.
    columns
        Of a CSV file, in order; a record's other members are left out there.
    what
        What it is, in an error.
    out
        The output folder, which such a file never lies in.
    may_replace
        Whether a file of that name may be there, and goes.

    Raises
    ------
    BatchRefused
        If it cannot be written there, or its name has no suffix of `SUFFIXES`: what has that name already
        is replaced, and that must not be an instance.
    """

    def __init__(
        self,
        path: Path | None,
        columns: Sequence[str],
        *,
        what: str,
        out: Path | None,
        may_replace: bool = True,
    ) -> None:
        self.path = path
        self._may_replace = may_replace
        self._columns = columns
        self._descriptor: int | None = None
        self._buffer = bytearray()
        self._records = 0
        if path is None:
            return
        self._suffix = path.suffix.lower()
        if self._suffix not in SUFFIXES:
            raise BatchRefused(f"{path} does not end in {', '.join(SUFFIXES)}, as a {what} does")
        if path.is_dir():
            raise BatchRefused(f"{path} is a folder")
        if not may_replace and os.path.lexists(path):
            raise BatchRefused(f"{path} is there already; a {what} takes no file's place")
        if out is not None and out.resolve() in path.resolve().parents:
            raise BatchRefused(
                f"{path} is inside the output folder, and a {what} tells who people are; keep it"
                " where the inputs are kept"
            )
        self._part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._remove_leftovers(path)
            self._descriptor = os.open(self._part, flags, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        except OSError as error:
            raise BatchRefused(f"{path} cannot be written: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._descriptor is None or self.path is None:
            return
        if isinstance(raised, BatchRefused):  # nothing was done, and an earlier file stays
            self._part.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None
            return
        try:
            if self._suffix == ".json":
                self._buffer += b"\n]\n" if self._records else b"[]\n"
            elif self._suffix == _CSV and not self._records:
                self._buffer += self._row(self._columns)
            self._flush()
            os.fsync(self._descriptor)
            if self._may_replace:
                self._part.replace(self.path)
            else:  # one that came meanwhile is not this one's to replace
                self.path.hardlink_to(self._part)
                self._part.unlink()
        except OSError as error:
            self._part.unlink(missing_ok=True)
            raise self._failure(error) from error
        except BaseException:
            self._part.unlink(missing_ok=True)
            raise
        finally:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def is_wanted(self) -> bool:
        """Whether anything is written at all."""
        return self.path is not None

    def places(self) -> set[tuple[int, int]]:
        """Return device and inode of what is there under the names in use, so that no walk takes it."""
        found = set()
        if self._descriptor is not None and self.path is not None:
            status = os.fstat(self._descriptor)
            found.add((status.st_dev, status.st_ino))
            with contextlib.suppress(OSError):
                status = self.path.stat()
                found.add((status.st_dev, status.st_ino))
        return found

    def add(self, record: Mapping[str, object]) -> None:
        """Write one record."""
        if self._descriptor is None:
            return
        if self._suffix == _CSV:
            if not self._records:
                self._buffer += self._row(self._columns)
            self._buffer += self._row([_cell(record.get(name, "")) for name in self._columns])
        elif self._suffix == ".json":
            self._buffer += (b",\n" if self._records else b"[\n") + orjson.dumps(record)
        else:
            self._buffer += orjson.dumps(record) + b"\n"
        self._records += 1
        if len(self._buffer) >= 1 << 16:
            try:
                self._flush()
            except OSError as error:
                raise self._failure(error) from error

    def _flush(self) -> None:
        assert self._descriptor is not None
        view = memoryview(bytes(self._buffer))
        self._buffer.clear()
        while view:
            view = view[os.write(self._descriptor, view) :]

    def _failure(self, error: OSError) -> BatchFailed:
        return BatchFailed.of(error, str(self.path))

    @staticmethod
    def _row(cells: Sequence[str]) -> bytes:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(cells)
        return line.getvalue().encode("utf-8", "backslashreplace")

    @staticmethod
    def _remove_leftovers(path: Path) -> None:
        """Remove what a killed run left of the same file; a run that lives holds a lock on its own."""
        leftover = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}\.part")
        for each in path.parent.iterdir():
            if not leftover.fullmatch(each.name):
                continue
            with contextlib.suppress(OSError):
                descriptor = os.open(each, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    each.unlink()
                finally:
                    os.close(descriptor)


def printable(name: str) -> str:
    """Return a path as text that JSON can hold; undecodable bytes are written in hexadecimal."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return "" if value is None else str(value)
