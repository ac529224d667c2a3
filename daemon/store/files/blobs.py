"""Blobs in a folder of this machine: ``ab/cd/<name>.dcm``, or ``.json``; ``abcd`` is how a name begins.

What a blob store has to keep stands in `daemon.store.blobs.Blobs`. Folders are 0700, files 0600.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from daemon.store.files.folders import (
    free_name,
    make_private_folder,
    sync_folder,
    sync_folders,
)
from daemon.store.layout import FILE_MODE, FOLDER_MODE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daemon.store.blobs import Move

_NAME_CHARACTERS = frozenset("0123456789abcdef-")
_SHORTEST_NAME = 32


class FileBlobs:
    """Blobs in a folder of this machine's file system. Implements `daemon.store.blobs.Blobs`."""

    def __init__(self, folder: Path, suffix: str = ".dcm") -> None:
        self.folder = make_private_folder(folder)
        self._suffix = suffix
        self._root = str(self.folder)
        self._durable: set[Path] = set()

    def path_of(self, name: str) -> Path:
        """Return the blob's path.

        Raises
        ------
        ValueError
            If the name is not one of ours.
        """
        if len(name) < _SHORTEST_NAME or not _NAME_CHARACTERS.issuperset(name):
            raise ValueError("not a blob name")
        return Path(f"{self._root}/{name[:2]}/{name[2:4]}/{name}{self._suffix}")

    def has(self, name: str) -> bool:
        """Tell whether the blob is there."""
        return self.path_of(name).is_file()

    def take(self, moves: Sequence[Move], *, flush: bool = False) -> list[bool]:
        """Move files in by rename, then fsync each folder that changed, once.

        Files must be on this file system. With `flush` their content is made durable first, all of
        them one after the other: the first flush commits the file system's journal for the rest,
        which costs far less than one at a time by the processes that wrote them. Returns, for each
        move, whether the blob is there now.

        Raises
        ------
        OSError
            If the disk refuses; then it may be repeated.
        """
        if flush:
            for move in moves:
                _flush(move.file)
        leaves = dict.fromkeys(self.path_of(move.name).parent for move in moves)
        try:
            return self._take_all(moves, list(leaves))
        except FileNotFoundError:
            # Somebody has removed a folder that was there, such as one that was empty: made again next time.
            self._durable.difference_update(leaves)
            raise

    def _take_all(self, moves: Sequence[Move], leaves: Sequence[Path]) -> list[bool]:
        fresh = [leaf for leaf in leaves if leaf not in self._durable]
        for leaf in fresh:
            leaf.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
            leaf.mkdir(mode=FOLDER_MODE, exist_ok=True)
        there = [self._take_one(move) for move in moves]
        # Folders that files leave need no fsync: should the old name come back after a power cut,
        # it is a second link to the same file, and the start of the daemon removes it.
        sync_folders(leaves)
        # A folder may stem from a process that died before its name was durable: once per process
        # the parents are synced, whoever made them.
        sync_folders(leaf.parent for leaf in fresh)
        if fresh:
            sync_folder(self.folder)
        self._durable.update(fresh)
        return there

    def _take_one(self, move: Move) -> bool:
        target = self.path_of(move.name)
        try:
            if move.file.stat().st_mode & 0o077:
                move.file.chmod(FILE_MODE)
            move.file.rename(target)
        except FileNotFoundError:
            return target.is_file()
        return True

    def remove(self, names: Sequence[str]) -> None:
        """Unlink blobs; those that are gone already are passed over."""
        for name in names:
            self.path_of(name).unlink(missing_ok=True)

    def names(self) -> Iterator[str]:
        """Walk the folder and yield the name of every blob."""
        for first in _entries(self.folder):
            for second in _entries(first):
                yield from self._names_in(second)

    def names_since(self, time: float) -> Iterator[str]:
        """Yield the names in folders that have changed since, as a folder does with each name it gets."""
        for first in _entries(self.folder):
            for second in _entries(first):
                if second.stat().st_mtime >= time:
                    yield from self._names_in(second)

    def beginning_with(self, prefix: str) -> list[str]:
        """Return the names that begin with these four or more characters."""
        names = self._names_in(self.folder / prefix[:2] / prefix[2:4])
        return [name for name in names if name.startswith(prefix)]

    def _names_in(self, folder: Path) -> list[str]:
        try:
            with os.scandir(folder) as entries:
                return [
                    entry.name.removesuffix(self._suffix)
                    for entry in entries
                    if entry.name.endswith(self._suffix)
                ]
        except FileNotFoundError:
            return []

    def size(self, name: str) -> int | None:
        """Return how many bytes the blob has, or None when it is not there."""
        try:
            return self.path_of(name).stat().st_size
        except FileNotFoundError:
            return None

    def open(self, name: str) -> BinaryIO:
        """Open the blob for reading."""
        return self.path_of(name).open("rb")

    def read(self, name: str, start: int, stop: int) -> bytes:
        """Return the bytes from `start` up to, not including, `stop`."""
        with self.open(name) as file:
            return os.pread(file.fileno(), max(0, stop - start), start)

    def local_path(self, name: str) -> Path:
        """Return the blob's path; see `path_of`."""
        return self.path_of(name)

    def set_aside(self, name: str, file: Path) -> None:
        """Move the blob out by rename, into a file of the same file system."""
        make_private_folder(file.parent)
        with suppress(FileNotFoundError):
            self.path_of(name).rename(free_name(file))
        sync_folder(file.parent)


def _flush(file: Path) -> None:
    """Make a file's content durable; one that was moved in before already is."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _entries(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
