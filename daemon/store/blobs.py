"""What policy asks of whoever keeps the blobs: files, whole, by names of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class Move(NamedTuple):
    """A finished file that shall become the blob `name`."""

    file: Path
    name: str


class Blobs(Protocol):
    """Where one store keeps its files: whole, under names of our own, each written once and never changed.

    - A name is 32 or more characters from ``0-9a-f-`` and made by us. Nothing from outside is ever part
      of it.
    - A blob is there whole or not at all. `take` moves finished files in; after it returns, they are
      durable under their new names. (An object store uploads here, with create-only semantics.)
    - Taking the same file again after a crash is harmless: what was already moved stays where it is.
    - A blob never changes. New content gets a new name; the index row switches, then the old blob is
      removed.
    - Removing a blob that is not there is not an error. Rows go first, blobs second.
    - The index decides what is visible. A blob without a row is garbage, never an answer.
    """

    def take(self, moves: Sequence[Move], *, flush: bool = False) -> list[bool]:
        """Move files in, durably; False for each whose file is neither outside nor already in.

        `flush` says that their content may not be on the disk yet.
        """

    def remove(self, names: Sequence[str]) -> None:
        """Remove blobs; those that are gone already are passed over."""

    def has(self, name: str) -> bool:
        """Tell whether the blob is there."""

    def size(self, name: str) -> int | None:
        """Return how many bytes it has, or None when it is not there."""

    def open(self, name: str) -> BinaryIO:
        """Open it for reading; raises `FileNotFoundError` when it is not there."""

    def read(self, name: str, start: int, stop: int) -> bytes:
        """Return the bytes from `start` up to, not including, `stop`."""

    def local_path(self, name: str) -> Path | None:
        """Return where a reader of this machine finds the blob, as a quicker way; None if nowhere."""

    def names(self) -> Iterator[str]:
        """Yield the name of every blob, in no particular order."""

    def names_since(self, time: float) -> Iterator[str]:
        """Yield the names of blobs that may have been taken after that time: all of those, perhaps others."""

    def beginning_with(self, prefix: str) -> list[str]:
        """Return the names that begin with these (four or more) characters."""

    def set_aside(self, name: str, file: Path) -> None:
        """Move a blob out of the store, into a file of this machine; nothing if it is not there."""
