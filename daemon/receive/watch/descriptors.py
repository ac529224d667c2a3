"""Files and folders by open descriptors, never by a path that somebody else could redirect meanwhile.

Everything here blocks and is called on a thread.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from typing import TYPE_CHECKING, Protocol

from daemon.receive.watch.settling import Signature

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK_BYTES = 1 << 20
_LONGEST_NAME = 255
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EACCES}


class Sink(Protocol):
    """Where bytes are poured."""

    def write(self, data: bytes | bytearray | memoryview) -> object:
        """Take bytes."""


def pour(descriptor: int, sink: Sink | None, head: bytes = b"") -> bytes:
    """Write `head` and the whole file to `sink`; return the SHA-256 of the file's own bytes.

    With no sink the file is only read, which tells whether it still is what was poured before.
    """
    digest = hashlib.sha256()
    if sink is not None and head:
        sink.write(head)
    position = 0
    while data := os.pread(descriptor, _CHUNK_BYTES, position):
        digest.update(data)
        if sink is not None:
            sink.write(data)
        position += len(data)
    return digest.digest()


@contextlib.contextmanager
def opened(root: int, way: tuple[str, ...]) -> Iterator[int]:
    """Open a folder below the root, each step without following links."""
    folder = os.dup(root)
    try:
        for name in way:
            inner = os.open(name, FOLDER_FLAGS, dir_fd=folder)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def signature(status: os.stat_result) -> Signature:
    """Return what tells this file, as it is now, from all others."""
    return Signature(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class NewFile:
    """A file being written that nobody else can read."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._digest = hashlib.sha256()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of the data: the system may take a part only, when a disk is nearly full."""
        self._digest.update(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def prove(self) -> None:
        """Have the disk hold it, read it back, and compare.

        Raises
        ------
        OSError
            When the disk does not give back what was written (EIO), or could not take it.
        """
        os.fsync(self._descriptor)
        # What was only kept in memory would prove nothing.
        os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        if pour(self._descriptor, None) != self._digest.digest():
            raise OSError(errno.EIO, "the copy differs")


@contextlib.contextmanager
def new_file(folder: int, name: str) -> Iterator[NewFile]:
    """Make a file that is whole, on the disk, and there by that name, when the block ends; else it is gone.

    Raises
    ------
    FileExistsError
        When the name is taken.
    OSError
        When the disk does not take it, or gives back something else.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        file = NewFile(descriptor)
        yield file
        file.prove()
        os.fsync(folder)
    except BaseException:
        unlink(folder, name)
        raise
    finally:
        os.close(descriptor)


def copy(descriptor: int, folder: int, name: str) -> None:
    """Copy an open file, so that the original is no longer needed when this returns.

    Raises
    ------
    OSError
        As `new_file`; or when the original is not the same when read again (EIO).
    """
    with new_file(folder, name) as file:
        read = pour(descriptor, file)
    if read != pour(descriptor, None):
        unlink(folder, name)
        raise OSError(errno.EIO, "the original changed")


def unlink(folder: int, name: str) -> None:
    """Remove a name, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def bounded(name: str) -> str:
    """Return what of a name a file system takes."""
    return os.fsdecode(os.fsencode(name)[:_LONGEST_NAME])


def rename_to_new_name(source: int, name: str, target: int, new_name: str) -> None:
    """Rename without replacing anything. Raises `FileExistsError`."""
    try:
        os.link(name, new_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A file system without hard links: the check and the rename are two steps there.
        try:
            os.stat(new_name, dir_fd=target, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
            return
        raise FileExistsError(errno.EEXIST, "exists") from error
    os.unlink(name, dir_fd=source)


def move_to_free_name(source: int, name: str, target: int, wanted: str) -> bool:
    """Rename to `wanted`, or `wanted`.1, .2 ... if taken; False across devices."""
    number = 0
    while True:
        candidate = wanted if number == 0 else f"{bounded(wanted)[:200]}.{number}"
        try:
            rename_to_new_name(source, name, target, candidate)
        except FileExistsError:
            number += 1
        except OSError as error:
            if error.errno == errno.EXDEV:
                return False
            raise
        else:
            return True
