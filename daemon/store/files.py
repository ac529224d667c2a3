"""Folders and renames that survive a power cut, and that nobody else can read."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def make_private_folder(path: Path) -> Path:
    """Create the folder and those above it if need be, durably; take away the rights of others."""
    if not path.is_dir():
        make_private_folder(path.parent) if not path.parent.is_dir() else None
        path.mkdir(mode=FOLDER_MODE, exist_ok=True)
        sync_folder(path.parent)
    if path.stat().st_mode & 0o077:
        path.chmod(FOLDER_MODE)
    return path


@contextmanager
def open_folder(path: Path) -> Iterator[int]:
    """Yield a descriptor of a folder that is not a link."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Make the names in the folder durable."""
    with open_folder(path) as descriptor:
        os.fsync(descriptor)


def sync_folders(paths: Iterable[Path]) -> None:
    """Make the names in several folders durable, each folder once."""
    for path in dict.fromkeys(paths):
        sync_folder(path)


def remove_if_there(path: Path) -> bool:
    """Unlink the file; tell whether it was there."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
