"""Blobs: whole files under names of our own, each written once and never changed.

The contract, so that an object store can stand in for the folder later:

- A name is 32 or more characters from ``0-9a-f-`` and made by us. Nothing from outside is ever part
  of it.
- A blob is there whole or not at all. `take` moves finished files in; after it returns, they are
  durable under their new names. (An object store uploads here, with create-only
  semantics.)
- Taking the same file again after a crash is harmless: what was already moved stays where it is.
- A blob never changes. New content gets a new name; the index row switches, then the old blob is
  removed.
- Removing a blob that is not there is not an error. Rows go first, blobs second.
- The index decides what is visible. A blob without a row is garbage, never an answer.

In the folder: ``ab/cd/<name>.dcm`` where ``abcd`` are the first four characters; folders 0700,
files 0600.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from daemon.store.files import (
    FILE_MODE,
    FOLDER_MODE,
    make_private_folder,
    sync_folder,
    sync_folders,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SUFFIX = ".dcm"
_NAME_CHARACTERS = frozenset("0123456789abcdef-")
_SHORTEST_NAME = 32


class Move(NamedTuple):
    """A finished file that shall become the blob `name`."""

    file: Path
    name: str


class Blobs(Protocol):
    """Where one store keeps its files (see the contract above)."""

    def take(self, moves: Sequence[Move], *, flush: bool = False) -> list[bool]:
        """Move files in, durably; False for each whose file is neither outside nor already in.

        `flush` says that their content may not be on the disk yet.
        """

    def remove(self, names: Sequence[str]) -> None:
        """Remove blobs; those that are gone already are passed over."""

    def has(self, name: str) -> bool:
        """Tell whether the blob is there."""

    def path_of(self, name: str) -> Path:
        """Return where the blob is (or would be) for a reader on this machine."""

    def names(self) -> Iterator[str]:
        """Yield the name of every blob, in no particular order."""

    def names_in_folder_of(self, prefix: str) -> list[str]:
        """Return at least the names that start with these (four or more) characters."""


class FileBlobs:
    """Blobs in a folder of this machine's file system."""

    def __init__(self, folder: Path) -> None:
        self.folder = make_private_folder(folder)
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
        return self.folder / name[:2] / name[2:4] / (name + _SUFFIX)

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
                yield from _blob_names(second)

    def names_in_folder_of(self, prefix: str) -> list[str]:
        """Return the names that start with the first four characters given."""
        return _blob_names(self.folder / prefix[:2] / prefix[2:4])


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


def _blob_names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [
                entry.name.removesuffix(_SUFFIX)
                for entry in entries
                if entry.name.endswith(_SUFFIX)
            ]
    except FileNotFoundError:
        return []
