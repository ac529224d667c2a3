"""What the probes ask of a state folder, answered from it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from daemon.errors import FolderUnavailable
from daemon.observe.health import Standing
from daemon.store import queries

if TYPE_CHECKING:
    from daemon.store.ports import Session
    from daemon.store.stores import Stores


class StoreProbe:
    """Implements `daemon.observe.health.Probed`."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def touch(self) -> None:
        """Write something to the database, and see that every folder on the way is there.

        Raises
        ------
        FolderUnavailable
            Naming the first that is not.
        SpoolFull, StoreUnavailable
            As the database refuses.
        """
        await self._stores.database.touch()
        layout = self._stores.layout
        for folder in (layout.spool, layout.work, *map(layout.blobs, self._stores.stores.in_use)):
            if not os.access(folder, os.W_OK | os.X_OK):
                code = "EACCES" if folder.exists() else "ENOENT"
                raise FolderUnavailable(folder.name, code)

    def free_bytes(self) -> int:
        """Return the room on the disk of the state folder."""
        disk = os.statvfs(self._stores.layout.state_dir)
        return disk.f_bavail * disk.f_frsize

    async def standing(self) -> Standing:
        """Count from what the database tallies, not from the rows."""
        return await self._stores.database.read(_standing)


def _standing(session: Session) -> Standing:
    waiting, size = session.figures.waiting()
    return Standing(queries.counts(session), waiting, size, session.figures.oldest_waiting())
