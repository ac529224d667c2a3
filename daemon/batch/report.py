"""The report that the user asked for: one JSON record per input, in the order of the inputs.

It names inputs as they were found, so it belongs to the identified side: mode 0600.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING, BinaryIO, Self

import orjson

from daemon.batch.errors import BatchRefused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LINES_SUFFIXES = (".jsonl", ".ndjson")
_SUFFIXES = (".json", *_LINES_SUFFIXES)


class Report:
    """A report being written; a context manager. It gets its name when the block ends.

    Also when the block ends by an interruption: then it has the records that there are.

    Raises
    ------
    BatchRefused
        If it cannot be written there, or its name is not a report's: what has that name already is
        replaced, and that must not be an instance.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._is_lines = path is not None and path.suffix.lower() in _LINES_SUFFIXES
        self._records = 0
        if path is None:
            return
        if path.suffix.lower() not in _SUFFIXES:
            raise BatchRefused(f"{path} does not end in {', '.join(_SUFFIXES)}, as a report does")
        if path.is_dir():
            raise BatchRefused(f"{path} is a folder")
        self._part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._file = os.fdopen(os.open(self._part, flags, 0o600), "wb", buffering=1 << 16)
        except OSError as error:
            raise BatchRefused(f"{path} cannot be written: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._file is None or self._path is None:
            return
        try:
            if not self._is_lines:
                self._file.write(b"\n]\n" if self._records else b"[]\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.replace(self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                self._file.close()
            self._part.unlink(missing_ok=True)
            raise

    def add(self, record: Mapping[str, object]) -> None:
        """Write one record."""
        if self._file is None:
            return
        if not self._is_lines:
            self._file.write(b",\n" if self._records else b"[\n")
        self._file.write(orjson.dumps(record) + (b"\n" if self._is_lines else b""))
        self._records += 1


def printable(name: str) -> str:
    """Return a path as text that JSON can hold; undecodable bytes are written in hexadecimal."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
