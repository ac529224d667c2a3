"""Which stored files can be sent, and what is said of those that are not there, before an answer begins.

Once the head of an answer is out, a file that is missing or short can only be told by breaking off, and a
client would lose with it all that is sound.
"""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING, Final

import structlog

from dicomweb.errors import FileDamaged, Gone, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dicomweb.ports import InstanceFile, InstanceStore, Resource

log = structlog.get_logger()
_FEW: Final = 8
"""Files asked for in the loop: a thread would take longer than the system calls."""


async def intact(files: Sequence[InstanceFile]) -> list[InstanceFile]:
    """Return the files that are there in their whole length.

    Raises
    ------
    FileDamaged
        If none is.
    """
    found = _intact(files) if len(files) <= _FEW else await asyncio.to_thread(_intact, files)
    if len(found) < len(files):
        log.error("stored_files_damaged", count=len(files) - len(found))
    if not found:
        raise FileDamaged("no file of the resource is whole")
    return found


def _intact(files: Sequence[InstanceFile]) -> list[InstanceFile]:
    return [file for file in files if _is_intact(file)]


def _is_intact(file: InstanceFile) -> bool:
    try:
        status = file.path.stat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == file.size


async def missing(store: InstanceStore, resource: Resource) -> NotFound:
    """Return what tells that a store has nothing of a resource: it never had, or not any more."""
    if await store.was_deleted(resource):
        return Gone("the resource was deleted")
    return NotFound("no such resource")
