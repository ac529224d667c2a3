"""What touches the file system of a watched folder.

Whoever can write to the folder may rename and replace anything in it while we look. So no path
below the root is ever resolved by name: folders are opened one in the other without following
links, what is taken is first moved to ``.taking`` in the root, which is ours alone (mode 0700),
and what counts is the file that is open, not what its name was. No descriptor stays open between
two calls but those of a claim, so that the folder can be unmounted.

Everything here blocks and is called on a thread.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import secrets
import stat
import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from daemon.receive.archive import has_end_record
from daemon.receive.faults import Fault
from daemon.receive.file_gate import judge_file
from daemon.receive.structure import Kind, Structure, examine
from daemon.receive.watch.claims import Claim, Wait
from daemon.receive.watch.descriptors import (
    FOLDER_FLAGS,
    Sink,
    bounded,
    copy,
    move_to_free_name,
    new_file,
    opened,
    pour,
    rename_to_new_name,
    signature,
    unlink,
)
from daemon.receive.watch.entries import files_below
from daemon.receive.watch.reasons import WatchReason
from daemon.receive.watch.settling import Found, Signature
from daemon.receive.watch.writers import Tail, Writers, tail_of, writers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from config.settings import Watch

TAKING = ".taking"
REFUSED = ".refused"
REASON_SUFFIX = ".reason.json"
# O_NONBLOCK: should a FIFO have come in place of the file, opening it must not wait for a writer.
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_REFUSED_KINDS = {
    Kind.DICOMDIR: WatchReason.DICOMDIR.value,
    Kind.OTHER: WatchReason.NOT_DICOM.value,
}
_INSTANCES = {Kind.PART10, Kind.BARE}
_MAY_COME_YET = {
    Fault.NOT_DICOM,
    Fault.DATA_SET_EMPTY,
    Fault.TRUNCATED,
    Fault.SOP_CLASS_MISSING,
    Fault.SOP_INSTANCE_MISSING,
    Fault.STUDY_MISSING,
    Fault.SERIES_MISSING,
}
"""What the beginning of an instance lacks, where it ends between two elements."""
_SHORTEST_BYTES = 132
"""No file of an instance is shorter than preamble and prefix (PS3.10 7.1): it may be the beginning of one."""
_ZEROS_S = 5.0
_MOST_LOOKS = 20_000


class _Look(NamedTuple):
    """What a file held when it was looked at, on the monotonic clock."""

    digest: bytes
    at: float


class FolderNotOursError(Exception):
    """Our own folder in the inbox belongs to somebody else: nothing may be moved into it."""


class Inbox:
    """The watched folder.

    Raises
    ------
    OSError
        From every method, when the folder is missing or not accessible.
    FolderNotOursError
        From those that move files.
    """

    def __init__(self, settings: Watch) -> None:
        self._settings = settings
        self._moves = settings.after != "keep"
        self._looks: dict[tuple[tuple[str, ...], str, bool], _Look] = {}
        self._held: set[str] = set()  # names in `.taking` that a claim of this run has
        self.passed_over: set[int] = set()
        """Error numbers of what the last scan could not look into; ENAMETOOLONG is too deep."""

    def identity(self) -> tuple[int, int]:
        """Return device and inode of the folder, which change when something is mounted over it."""
        status = self._settings.path.stat()
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "not a folder")
        return status.st_dev, status.st_ino

    def scan(
        self, taken: Container[Signature] = (), note: Callable[[Signature], None] | None = None
    ) -> Iterator[Found]:
        """Give everything that may be taken or refused, folder by folder.

        Hidden names and those of unfinished files are left out, and what `taken` holds; `note` is
        told of all signatures, those too.
        """
        with self._root() as root:
            if self._moves:
                yield from self._left_behind(root)
            self.passed_over = set()
            for found in files_below(root, (), self.passed_over):
                if note is not None:
                    note(found.signature)
                if found.signature not in taken:
                    yield found

    def claim(
        self, found: Found, *, patient: bool, stood_still_s: float = math.inf
    ) -> Claim | Wait:
        """Take hold of a file that has settled, if it is still the same and all of it is there.

        What somebody has open for writing is never claimed, and where that cannot be known, nothing that
        was not the same at two looks. With `patient`, a file that is visibly incomplete or not readable
        is waited for, too; without, it is claimed as it is.

        Parameters
        ----------
        stood_still_s
            How long it has been seen in this state.
        """
        with contextlib.ExitStack() as stack:
            root = stack.enter_context(self._root())
            try:
                folder = stack.enter_context(
                    self._ours(root, TAKING) if found.ours else opened(root, found.folder)
                )
            except (FileNotFoundError, NotADirectoryError):
                return Wait.GONE
            except OSError as error:
                if error.errno == errno.ELOOP:
                    return Wait.GONE
                raise
            try:
                status = os.stat(found.name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                return Wait.GONE
            if signature(status) != found.signature:
                return Wait.CHANGED
            if not stat.S_ISREG(status.st_mode):
                link = stat.S_ISLNK(status.st_mode)
                reason = WatchReason.SYMBOLIC_LINK if link else WatchReason.NOT_REGULAR
                return self._unopened(folder, found, reason)
            try:
                descriptor = os.open(found.name, _FILE_FLAGS, dir_fd=folder)
            except FileNotFoundError:
                return Wait.GONE
            except PermissionError:
                if patient:
                    return Wait.INCOMPLETE
                return self._unopened(folder, found, WatchReason.UNREADABLE)
            except OSError as error:
                if error.errno in {errno.ELOOP, errno.ENXIO}:
                    return Wait.CHANGED
                raise
            claim = Claim(secrets.token_hex(16), found, descriptor, held_name=found.name)
            try:
                wait = self._judge(claim, patient=patient, stood_still_s=stood_still_s)
                wait = wait or self._hold(root, folder, claim) or self._held_open(claim)
            except BaseException:
                claim.close()
                raise
            if wait is not None:
                claim.close()
                return wait
            return claim

    def _judge(self, claim: Claim, *, patient: bool, stood_still_s: float) -> Wait | None:
        """Note in the claim what the open file is, unless it is too early to say."""
        status = os.fstat(claim.descriptor)
        if not stat.S_ISREG(status.st_mode) or signature(status) != claim.found.signature:
            return Wait.CHANGED
        writers = writers_of(claim.descriptor)
        if writers is Writers.SOME:
            return Wait.HELD_OPEN
        if patient and self._may_be_filled_yet(claim, status.st_size, writers, stood_still_s):
            return Wait.INCOMPLETE
        claim.structure = examine(claim.descriptor, status.st_size)
        if claim.structure.kind is Kind.ZIP:
            if patient:
                with os.fdopen(os.dup(claim.descriptor), "rb") as file:
                    claim.structure = Structure(Kind.ZIP, has_end_record(file))
        elif status.st_size > self._settings.max_file_bytes:
            claim.refuse = WatchReason.TOO_LARGE
        claim.refuse = claim.refuse or _REFUSED_KINDS.get(claim.structure.kind, "")
        # A file of another user could be written to, by a descriptor, after it was renamed.
        claim.copy = status.st_nlink > 1 or status.st_uid != os.geteuid()
        if patient and not claim.structure.complete:
            return Wait.INCOMPLETE
        if patient and claim.structure.kind is Kind.OTHER and status.st_size < _SHORTEST_BYTES:
            return Wait.INCOMPLETE
        if writers is Writers.UNKNOWN and not self._is_as_before(claim):
            return Wait.INCOMPLETE
        if claim.structure.kind in _INSTANCES and not claim.refuse:
            fault = judge_file(claim.descriptor, status.st_size)
            if patient and fault in _MAY_COME_YET:
                return Wait.INCOMPLETE
            claim.refuse = fault or ""
        return None

    def _may_be_filled_yet(
        self, claim: Claim, size: int, writers: Writers, stood_still_s: float
    ) -> bool:
        """Whether the end of the file looks as if somebody had made room and will fill it.

        Many pictures are black at their end. Where nobody has the file open, such zeros are waited for
        as long as somebody takes who closes and opens it again; room never written to, longer.
        """
        tail = tail_of(claim.descriptor, size)
        if tail is Tail.ZEROS and writers is Writers.NONE:
            return stood_still_s < max(_ZEROS_S, 3 * self._settings.settle_s)
        return tail is not Tail.FILLED

    def _is_as_before(self, claim: Claim) -> bool:
        """Whether the content is what it was at an earlier look, a while ago."""
        now = time.monotonic()
        known = self._looks.get(claim.found.place)
        digest = pour(claim.descriptor, None)
        if known is None or known.digest != digest:
            if len(self._looks) >= _MOST_LOOKS:
                self._looks.clear()
            self._looks[claim.found.place] = _Look(digest, now)
            return False
        if now - known.at < self._settings.settle_s:
            return False
        del self._looks[claim.found.place]
        return True

    def _held_open(self, claim: Claim) -> Wait | None:
        """Look once more, now that nobody can open the file by its name."""
        if writers_of(claim.descriptor) is not Writers.SOME:
            return None
        self.put_back(claim)
        return Wait.HELD_OPEN

    def _hold(self, root: int, folder: int, claim: Claim) -> Wait | None:
        """Move the file to where nobody else can replace it, if it is to leave its folder."""
        found = claim.found
        if not self._moves or found.ours or claim.refuse:
            # It is there already, stays where it is, or goes straight to where refused files are.
            claim.held = os.dup(folder)
            return None
        held_name = bounded(f"{claim.id}.{found.name}")
        self._held.add(held_name)
        claim.release = partial(self._held.discard, held_name)
        with self._ours(root, TAKING) as taking:
            try:
                os.rename(found.name, held_name, src_dir_fd=folder, dst_dir_fd=taking)
            except FileNotFoundError:
                return Wait.GONE
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                # Something is mounted below the root: copied from there, then removed there.
                claim.held, claim.copy = os.dup(folder), True
                return None
            moved = os.stat(held_name, dir_fd=taking, follow_symlinks=False)
            if not os.path.samestat(moved, os.fstat(claim.descriptor)):
                # Another file than the one that is open; the next scan finds it in `.taking`.
                return Wait.GONE
            claim.held, claim.held_name = os.dup(taking), held_name
        return None

    def _unopened(self, folder: int, found: Found, reason: str) -> Claim:
        return Claim(
            secrets.token_hex(16),
            found,
            -1,
            held=os.dup(folder),
            held_name=found.name,
            refuse=reason,
        )

    def is_unchanged(self, claim: Claim) -> bool:
        """Return whether nobody wrote to the file since it was seen to have settled."""
        return signature(os.fstat(claim.descriptor)) == claim.found.signature

    def close_to_others(self, claim: Claim) -> None:
        """Give the file mode 0600 before it becomes part of the spool."""
        os.fchmod(claim.descriptor, 0o600)

    def put_back(self, claim: Claim) -> None:
        """Give a claimed file its name again, unless another file has it now.

        What cannot be put back stays in ``.taking`` and is found by the next scan.
        """
        if not self._moves or claim.found.ours or claim.held_name == claim.found.name:
            return
        with (
            contextlib.suppress(OSError),
            self._root() as root,
            opened(root, claim.found.folder) as folder,
        ):
            rename_to_new_name(claim.held, claim.held_name, folder, claim.found.name)

    def finish(self, claim: Claim) -> None:
        """Do with a file that was received durably what the settings say: delete or move it.

        What was renamed into the spool is not there any more, which is fine.
        """
        if self._settings.after == "delete":
            self._remove(claim)
        elif self._settings.after == "move":
            self._move(claim)

    def refuse(self, claim: Claim, reason: str) -> bool:
        """Move a file to ``.refused``, beside a new file that says why.

        Returns False when the folder does not let us: it is then left where it is.
        """
        try:
            with self._root() as root, self._ours(root, REFUSED) as refused:
                self._explain(refused, claim.id, reason, claim.found)
                try:
                    os.rename(claim.held_name, claim.id, src_dir_fd=claim.held, dst_dir_fd=refused)
                except OSError as error:
                    if error.errno != errno.EXDEV or claim.descriptor < 0:
                        unlink(refused, claim.id + REASON_SUFFIX)
                        if error.errno == errno.ENOENT:
                            return True
                        raise
                    copy(claim.descriptor, refused, claim.id)
                    self._remove(claim)
                os.fsync(refused)
        except OSError as error:
            if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM, errno.EXDEV}:
                return False
            raise
        return True

    @contextlib.contextmanager
    def refused_entry(self, claim: Claim, member: str, reason: str) -> Iterator[Sink]:
        """Give a new file in ``.refused`` for an archive's entry; durable when the block ends."""
        entry_id = secrets.token_hex(16)
        with self._root() as root, self._ours(root, REFUSED) as refused:
            with new_file(refused, entry_id) as file:
                yield file
            try:
                self._explain(refused, entry_id, reason, claim.found, member)
            except BaseException:
                unlink(refused, entry_id)
                raise

    def remove_empty(self, folder: tuple[str, ...], idle_s: float, now: float) -> bool:
        """Remove a sub-folder if it is empty and nothing happened in it for so long.

        Returns whether it is gone.
        """
        if not folder:
            return False
        try:
            with self._root() as root, opened(root, folder[:-1]) as above:
                status = os.stat(folder[-1], dir_fd=above, follow_symlinks=False)
                if now - status.st_mtime < idle_s:
                    return False
                os.rmdir(folder[-1], dir_fd=above)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def _remove(self, claim: Claim) -> None:
        try:
            status = os.stat(claim.held_name, dir_fd=claim.held, follow_symlinks=False)
        except FileNotFoundError:
            return
        # Only where the root could not take it in is this name open to others.
        if signature(status) == claim.found.signature:
            os.unlink(claim.held_name, dir_fd=claim.held)

    def _move(self, claim: Claim) -> None:
        """Move to the folder of finished files, under the folders it came in."""
        name = claim.held_name.partition(".")[2] if claim.found.ours else claim.found.name
        destination = self._settings.destination
        destination.mkdir(mode=0o700, exist_ok=True)
        with contextlib.ExitStack() as stack:
            folder = os.open(destination, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, folder)
            for part in claim.found.folder:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o700, dir_fd=folder)
                    os.fsync(folder)
                folder = os.open(part, FOLDER_FLAGS, dir_fd=folder)
                stack.callback(os.close, folder)
            if not move_to_free_name(claim.held, claim.held_name, folder, name or claim.id):
                copy(claim.descriptor, folder, bounded(f"{claim.id}.{name}"))
                self._remove(claim)
            os.fsync(folder)

    @contextlib.contextmanager
    def _root(self) -> Iterator[int]:
        root = os.open(self._settings.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield root
        finally:
            os.close(root)

    @contextlib.contextmanager
    def _ours(self, root: int, name: str) -> Iterator[int]:
        """Open a folder of our own in the root; made when missing, and not anybody else's."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=root)
        try:
            folder = os.open(name, FOLDER_FLAGS, dir_fd=root)
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENOTDIR}:
                raise FolderNotOursError from error
            raise
        try:
            status = os.fstat(folder)
            if status.st_uid != os.geteuid():
                raise FolderNotOursError
            if status.st_mode & 0o077:
                os.fchmod(folder, 0o700)
            yield folder
        finally:
            os.close(folder)

    def _left_behind(self, root: int) -> Iterator[Found]:
        try:
            taking = os.open(TAKING, FOLDER_FLAGS, dir_fd=root)
        except OSError:
            return
        try:
            with os.scandir(taking) as entries:
                for entry in entries:
                    if entry.name in self._held:
                        continue
                    with contextlib.suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        yield Found((), entry.name, signature(status), status.st_mode, ours=True)
        finally:
            os.close(taking)

    def _explain(
        self, refused: int, refused_id: str, reason: str, found: Found, member: str = ""
    ) -> None:
        """Write the reason file, with the name as it came: this is the identified side."""
        name = found.name.partition(".")[2] if found.ours else found.name
        document = {
            "id": refused_id,
            "reason": str(reason),
            "refused_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "name": "/".join((*found.folder, name)),
        }
        if member:
            document["member"] = member
        with new_file(refused, refused_id + REASON_SUFFIX) as file:
            file.write(json.dumps(document, indent=2).encode("ascii") + b"\n")
