"""Folders and renames that survive a power cut, and that nobody else can read."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from daemon.errors import DaemonError, SpoolFull, StoreUnavailable
from daemon.store.layout import FILE_MODE, FOLDER_MODE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

_CHUNK_BYTES: Final = 1 << 20
_FULL_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def refusal(error: OSError) -> DaemonError:
    """Return the daemon's error for a refusal by the disk; without foreign text."""
    if error.errno in _FULL_ERRNOS:
        return SpoolFull("the disk is full")
    code = errno.errorcode.get(error.errno or 0, "?")
    return StoreUnavailable(f"the disk refused: {code}", code)


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


def current_folder(descriptor: int, path: Path) -> int:
    """Return the descriptor of an open folder, or where another has taken its place, that of the other."""
    if os.path.samestat(os.fstat(descriptor), path.stat()):
        return descriptor
    other = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    os.close(descriptor)
    return other


def sync_folder(path: Path) -> None:
    """Make the names in the folder durable."""
    with open_folder(path) as descriptor:
        os.fsync(descriptor)


def sync_folders(paths: Iterable[Path]) -> None:
    """Make the names in several folders durable, each folder once."""
    for path in dict.fromkeys(paths):
        sync_folder(path)


def flush(path: Path) -> None:
    """Make the content of a file durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_name(path: Path) -> Path:
    """Return the path, with a number behind it if something is there already."""
    number, free = 0, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.name}.{number}")
    return free


def remove_if_there(path: Path) -> bool:
    """Unlink the file; tell whether it was there."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def write_private(path: Path, content: BinaryIO) -> None:
    """Write a file of our own anew from a stream; nobody else can read it."""
    path.unlink(missing_ok=True)
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, FILE_MODE), "wb") as file:
        shutil.copyfileobj(content, file, _CHUNK_BYTES)
