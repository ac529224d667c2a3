"""The output folder: names from replacement identifiers only, nothing half-written under them.

Everything is written under a name of ours first (``.dicomveil-*.part`` in the same folder), made
durable, then renamed. A run that was killed leaves such names behind; the next run removes them.
No name is ever resolved through a link inside the folder.

What is durable when: files are flushed in groups, in parallel, before they get their names;
folders are flushed once at the end of the run. After a power cut in the middle of a run every
file that is there is whole.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
from typing import TYPE_CHECKING

from daemon.batch.errors import BatchFailed, BatchRefused
from daemon.batch.sources import Sources, copy_all
from daemon.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from daemon.batch.inputs import Input

QUARANTINE = ".quarantine"
_PART = re.compile(r"\.dicomveil-[0-9a-f]+(?:-[0-9]+)?\.part")
_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDERS_KEPT_OPEN = 128
_COMPARE_BYTES = 1 << 20


def safe_component(identifier: str) -> str:
    """Return a replacement identifier as one name in a path.

    Pseudonyms and UIDs are safe as they are. Anything else (a configuration may keep or copy
    values) becomes a digest of itself, so that no identifier can climb out, hide or collide by
    being cut.
    """
    if _SAFE.fullmatch(identifier):
        return identifier
    return "x-" + hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def failure(error: OSError) -> BatchFailed:
    """Return what ends the run when the output folder does not take something."""
    return BatchFailed(errno.errorcode.get(error.errno or 0, "EIO"))


class OutputFolder:
    """The folder of one run, locked against another run.

    Raises
    ------
    BatchRefused
        If it is no folder, or another run writes to it.
    OSError
        If it cannot be written to.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileExistsError, NotADirectoryError) as error:
            raise BatchRefused(f"{path} is not a folder") from error
        try:
            fcntl.flock(self._root, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._root)
            if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                raise BatchRefused(f"another run is writing to {path}") from error
            raise
        self.path = path.absolute()
        self._id_key = hmac.digest(key, b"quarantine-id\x00", "sha256")
        self._run = secrets.token_hex(8)
        self._parts = 0
        self._placed: set[tuple[str, ...]] = set()
        self._open_folders: dict[tuple[str, ...], int] = {}
        self._to_flush: set[tuple[str, ...]] = set()
        self._quarantine: int | None = None
        self._remove_parts(self._root)
        with contextlib.suppress(FileNotFoundError):
            folder = os.open(QUARANTINE, _FOLDER_FLAGS, dir_fd=self._root)
            try:
                self._remove_parts(folder)
            finally:
                os.close(folder)

    def new_part(self) -> str:
        """Return the name of a file to be written, in this folder."""
        self._parts += 1
        return f".dicomveil-{self._run}-{self._parts}.part"

    def flush_part(self, part: str) -> None:
        """Make a written file durable. May be called on several threads."""
        descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._root)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove_part(self, part: str) -> None:
        """Remove a file that is not wanted, if it was written at all."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part, dir_fd=self._root)

    def place(self, part: str, identifiers: tuple[str, str, str, str]) -> tuple[str, str]:
        """Give a file its name.

        Parameters
        ----------
        identifiers
            Replacements of patient, study, series and instance.

        Returns
        -------
        tuple
            The name, relative to the folder, and ``""``, ``"duplicate"`` when this run has written
            the same bytes there, or ``"conflict"`` when it has written others; the part is gone.
        """
        *folders, name = (safe_component(each) for each in identifiers)
        way = (*folders, f"{name}.dcm")
        relative = "/".join(way)
        folder = self._folder(way[:-1])
        if way in self._placed:
            is_same = self._same(part, folder, way[-1])
            self.remove_part(part)
            return relative, "duplicate" if is_same else "conflict"
        os.rename(part, way[-1], src_dir_fd=self._root, dst_dir_fd=folder)
        self._placed.add(way)
        self._to_flush.add(way[:-1])
        return relative, ""

    def quarantine(self, source: Input, sources: Sources, document: dict[str, object]) -> str:
        """Copy an input into quarantine with its reason beside it; return its id.

        The id is a keyed digest of the content, so that a second run gives the same name; of what
        cannot be read it is one of the place.
        """
        folder = self._quarantine_folder()
        digest = hmac.new(self._id_key, digestmod="sha256")
        part = f".dicomveil-{secrets.token_hex(8)}.part"
        is_copied = source.can_be_copied
        if is_copied:
            try:
                with _new_file(folder, part) as write:
                    self._copy(source, sources, digest, write)
            except (OSError, Refused):
                os.unlink(part, dir_fd=folder)
                is_copied = False
        if not is_copied:
            place = f"{source.path}\x00{source.member}".encode("utf-8", "surrogateescape")
            digest = hmac.new(self._id_key, b"place\x00" + place, "sha256")
        quarantine_id = digest.hexdigest()[:32]
        if is_copied:
            name = quarantine_id + (".zip" if source.is_archive else ".dcm")
            os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
        reason = f".dicomveil-{secrets.token_hex(8)}.part"
        with _new_file(folder, reason) as write:
            write(json.dumps({"id": quarantine_id, **document}, indent=2).encode() + b"\n")
        os.rename(reason, f"{quarantine_id}.json", src_dir_fd=folder, dst_dir_fd=folder)
        return quarantine_id

    def finish(self) -> None:
        """Make all names durable."""
        above: set[tuple[str, ...]] = {()}
        for way in self._to_flush:
            above.update(way[:depth] for depth in range(1, len(way) + 1))
        for way in sorted(above):
            os.fsync(self._folder(way))
        if self._quarantine is not None:
            os.fsync(self._quarantine)

    def close(self) -> None:
        """Remove what was not finished, and let other runs in."""
        self._remove_parts(self._root)
        for descriptor in self._open_folders.values():
            os.close(descriptor)
        self._open_folders.clear()
        if self._quarantine is not None:
            self._remove_parts(self._quarantine)
            os.close(self._quarantine)
        os.close(self._root)

    def _copy(
        self, source: Input, sources: Sources, digest: hmac.HMAC, write: Callable[[bytes], None]
    ) -> None:
        def take(data: bytes) -> None:
            digest.update(data)
            write(data)

        if source.member is None:
            with open(source.path, "rb", buffering=0) as file:  # noqa: PTH123
                copy_all(file.read, take)
        else:
            with sources.open_member(source.path, source.member) as reader:
                copy_all(reader.read, take)

    def _folder(self, way: tuple[str, ...]) -> int:
        """Return the open folder, made where it is missing; only the last ones used stay open."""
        if not way:
            return self._root
        if (found := self._open_folders.pop(way, None)) is None:
            above = self._folder(way[:-1])
            with contextlib.suppress(FileExistsError):
                os.mkdir(way[-1], dir_fd=above)
            found = os.open(way[-1], _FOLDER_FLAGS, dir_fd=above)
        self._open_folders[way] = found
        if len(self._open_folders) > _FOLDERS_KEPT_OPEN:
            oldest = next(iter(self._open_folders))
            os.close(self._open_folders.pop(oldest))
        return found

    def _quarantine_folder(self) -> int:
        if self._quarantine is None:
            with contextlib.suppress(FileExistsError):
                os.mkdir(QUARANTINE, 0o700, dir_fd=self._root)
            self._quarantine = os.open(QUARANTINE, _FOLDER_FLAGS, dir_fd=self._root)
            os.fchmod(self._quarantine, 0o700)
        return self._quarantine

    def _same(self, part: str, folder: int, name: str) -> bool:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        with (
            os.fdopen(os.open(part, flags, dir_fd=self._root), "rb") as new,
            os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as old,
        ):
            while (data := new.read(_COMPARE_BYTES)) == old.read(_COMPARE_BYTES):
                if not data:
                    return True
        return False

    @staticmethod
    def _remove_parts(folder: int) -> None:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if _PART.fullmatch(entry.name)]
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)


@contextlib.contextmanager
def _new_file(folder: int, name: str) -> Iterator[Callable[[bytes], None]]:
    """Give the writer of a new file, 0600 and durable when the block ends."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(name, flags, 0o600, dir_fd=folder)

    def write(data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(descriptor, view) :]
        except OSError as error:
            raise failure(error) from error

    try:
        yield write
        try:
            os.fsync(descriptor)
        except OSError as error:
            raise failure(error) from error
    finally:
        os.close(descriptor)
