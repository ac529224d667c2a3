"""Copies of what was refused, where the user asked for them: outside the output folder, under names of ours.

They are originals, so the folder belongs to the identified side: 0700, its files 0600.
"""

from __future__ import annotations

import contextlib
import fcntl
import hmac
import json
import os
import re
import secrets
from typing import TYPE_CHECKING

from daemon.batch.errors import BatchFailed, BatchRefused
from daemon.batch.inputs import contains
from daemon.batch.sources import Sources, copy_all, place_of
from daemon.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from daemon.batch.inputs import Input

_PART = re.compile(r"\.dicomveil-[0-9a-f]{16}\.part")
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class QuarantineFolder:
    """The folder that ``--quarantine`` names; without one nothing is copied.

    Raises
    ------
    BatchRefused
        If it is the output folder, or one lies in the other; if it is an input, or holds one; or if it
        cannot be made.
    """

    def __init__(
        self, path: Path | None, key: bytes, out: Path | None, inputs: Sequence[Path]
    ) -> None:
        self._path = path
        self._folder = -1
        if path is None:
            return
        if out is not None and (contains(out, path) or contains(path, out)):
            raise BatchRefused(
                f"the quarantine {path} and the output folder {out} lie in each other; what is refused is"
                " identified and stays apart from what is clean"
            )
        if any(contains(path, each) for each in inputs):
            raise BatchRefused(f"the quarantine {path} holds an input; name a folder of its own")
        self._id_key = hmac.digest(key, b"quarantine-id\x00", "sha256")
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder = os.open(path, _FOLDER_FLAGS)
            os.fchmod(self._folder, 0o700)
            self._remove_leftovers()
        except OSError as error:
            raise BatchRefused(f"{path} cannot be a quarantine: {error.strerror}") from error

    def places(self) -> set[tuple[int, int]]:
        """Return device and inode of the folder, so that no walk enters it."""
        if self._folder < 0:
            return set()
        status = os.fstat(self._folder)
        return {(status.st_dev, status.st_ino)}

    def copy(self, source: Input, sources: Sources, document: dict[str, object]) -> str:
        """Copy an input with its reason beside it; return its id, or nothing where nobody asked.

        The id is a keyed digest of the content, so that a second run gives the same name; of what
        cannot be read it is one of the place.
        """
        if self._folder < 0:
            return ""
        digest = hmac.new(self._id_key, digestmod="sha256")
        part = f".dicomveil-{secrets.token_hex(8)}.part"
        is_copied = source.can_be_copied
        try:
            if is_copied:
                try:
                    with self._new_file(part) as write:
                        self._copy(source, sources, digest, write)
                except (OSError, Refused):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(part, dir_fd=self._folder)
                    is_copied = False
            if not is_copied:
                place = f"{source.path}\x00{source.member}".encode("utf-8", "surrogateescape")
                digest = hmac.new(self._id_key, b"place\x00" + place, "sha256")
            quarantine_id = digest.hexdigest()[:32]
            if is_copied:
                self._rename(part, quarantine_id + (source.archive_suffix or ".dcm"))
            with self._new_file(part) as write:
                write(json.dumps({"id": quarantine_id, **document}, indent=2).encode() + b"\n")
            self._rename(part, f"{quarantine_id}.json")
        except OSError as error:
            raise BatchFailed.of(error, str(self._path)) from error
        return quarantine_id

    def finish(self) -> None:
        """Make all names durable."""
        if self._folder >= 0:
            os.fsync(self._folder)

    def close(self) -> None:
        """Let go of the folder. May be called twice."""
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    def _rename(self, part: str, name: str) -> None:
        os.rename(part, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)

    @staticmethod
    def _copy(
        source: Input, sources: Sources, digest: hmac.HMAC, write: Callable[[bytes], None]
    ) -> None:
        def take(data: bytes) -> None:
            digest.update(data)
            write(data)

        with sources.open(place_of(source)) as reader:
            copy_all(reader.read, take)

    def _remove_leftovers(self) -> None:
        """Remove what a killed run left, unless another run is at work here."""
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for name in os.listdir(self._folder):  # noqa: PTH208 - by descriptor
                if _PART.fullmatch(name):
                    os.unlink(name, dir_fd=self._folder)
        fcntl.flock(self._folder, fcntl.LOCK_SH)

    @contextlib.contextmanager
    def _new_file(self, name: str) -> Iterator[Callable[[bytes], None]]:
        """Give the writer of a new file, 0600 and durable when the block ends."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(name, flags, 0o600, dir_fd=self._folder)

        def write(data: bytes) -> None:
            view = memoryview(data)
            try:
                while view:
                    view = view[os.write(descriptor, view) :]
            except OSError as error:
                raise BatchFailed.of(error, str(self._path)) from error

        try:
            yield write
            try:
                os.fsync(descriptor)
            except OSError as error:
                raise BatchFailed.of(error, str(self._path)) from error
        finally:
            os.close(descriptor)
