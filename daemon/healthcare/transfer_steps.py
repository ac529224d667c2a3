"""Instances between a store and a folder of this machine, as steps of operations."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from daemon.errors import StoreUnavailable
from daemon.healthcare.batches import BATCH, Counted, Item, Made
from daemon.healthcare.files import made_folder, opened
from daemon.healthcare.instance_pages import next_wanted
from daemon.healthcare.uploads import StoreUploads, UploadRefused
from daemon.store.operation_rows import Failure
from daemon.store.settling import BLOB_MISSING
from dicomweb.errors import InstanceRefused, StoreFull

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.healthcare.batches import Task
    from daemon.store.ports import Session
    from daemon.store.rows import IndexedInstance

_CHUNK_BYTES: Final = 1 << 20
_REFUSED: Final = "not_dicom"
UNREADABLE: Final = "unreadable"
UNWRITABLE: Final = "unwritable"
_IN_THE_WAY: Final = frozenset(
    {errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR}
)
"""What is so until somebody clears the folder up; a full disk passes."""


class TransferStep:
    """What all ways have in common: what was transferred is durable before it is counted."""

    def __init__(self, task: Task) -> None:
        self._stores = task.stores
        self._workers = task.workers
        self._operation = task.operation
        self._step = task.step
        self._store = task.source
        self._memory = task.memory

    async def prepare(self, made: Sequence[Made]) -> None:
        """Do nothing: each job has done it."""

    def settle(self, session: Session, made: Sequence[Made]) -> Counted:
        """Count."""
        del session
        failures = [
            Failure(self._store.id, each.number, each.reason, each.where)
            for each in made
            if each.reason
        ]
        return Counted(sum(each.count for each in made if not each.reason), failures)

    async def clear(self, made: Sequence[Made]) -> None:
        """Do nothing: nothing is left."""


class ImportStep(TransferStep):
    """Files into a store, by the door of STOW-RS. Implements `daemon.healthcare.batches.Batch`."""

    async def next_items(self) -> tuple[int, Sequence[Item]]:
        """Return the next files, which are counted from 1."""
        after = self._operation.after
        files = (self._step.only or ())[after : after + BATCH]
        items = [
            Item(number, partial(self._take, number, Path(each)))
            for number, each in enumerate(files, after + 1)
        ]
        return after + len(files), items

    async def _take(self, number: int, path: Path) -> Made:
        try:
            descriptor = await asyncio.to_thread(opened, path)
        except OSError:
            return Made(number, reason=UNREADABLE)
        upload = None
        try:
            upload = StoreUploads(self._store, self._stores, self._workers, _Unheard()).open("")
            while chunk := await asyncio.to_thread(os.read, descriptor, _CHUNK_BYTES):
                upload.write(chunk)
            await upload.finish()
        except UploadRefused as refused:
            return Made(number, reason=refused.reason)
        except InstanceRefused:
            return Made(number, reason=_REFUSED)
        except StoreFull as error:
            raise StoreUnavailable("no room") from error
        except OSError:
            return Made(number, reason=UNREADABLE)
        finally:
            os.close(descriptor)
            if upload is not None:
                upload.abort()
        return Made(number)


class ExportStep(TransferStep):
    """A store's instances into a folder. Implements `daemon.healthcare.batches.Batch`."""

    async def next_items(self) -> tuple[int, Sequence[Item]]:
        """Return the next instances that are wanted."""
        after = self._operation.after
        last, wanted = await next_wanted(self._stores, self._store, self._step, after)
        return last, [Item(each.id, partial(self._put, each)) for each in wanted]

    async def _put(self, instance: IndexedInstance) -> Made:
        blob = self._stores.stores.blobs_of(self._store).local_path(instance.blob)
        folder = Path(self._step.folder, instance.study_uid, instance.series_uid)
        target = folder / f"{instance.sop_instance_uid}.dcm"
        try:
            if blob is None:
                return Made(instance.id, reason=BLOB_MISSING)
            await asyncio.to_thread(_copied, blob, target, self._operation.id)
        except FileNotFoundError:
            return Made(instance.id, reason=BLOB_MISSING)
        except OSError as error:
            if is_in_the_way(error):
                return Made(instance.id, reason=UNWRITABLE)
            raise StoreUnavailable("the folder refuses") from error
        return Made(instance.id)


class _Unheard:
    """Nobody counts what an operation imports but the operation."""

    def instance_received(self, size: int) -> None:
        """Do nothing."""

    def instance_refused(self, reason: str) -> None:
        """Do nothing."""


def is_in_the_way(error: OSError) -> bool:
    """Tell whether something else has the name of a file that is to be written, or of a folder above it."""
    return error.errno in _IN_THE_WAY


def _copied(blob: Path, target: Path, operation: int) -> None:
    with blob.open("rb") as source:
        written(target, source, operation)


def written(target: Path, content: IO[bytes], operation: int) -> None:
    """Write a file so that its name is there only when all of it is; an earlier one of that name goes.

    Parameters
    ----------
    operation
        Who writes: another may write the same file at the same time.
    """
    made_folder(target.parent)
    partial_name = target.with_suffix(f".{operation}.part")
    descriptor = os.open(partial_name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            shutil.copyfileobj(content, file, _CHUNK_BYTES)
            file.flush()
            os.fsync(file.fileno())
        partial_name.rename(target)
    except OSError:
        with suppress(OSError):
            partial_name.unlink()
        raise
