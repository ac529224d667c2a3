"""One DICOM store as the web services read it. Implements `dicomweb.ports.InstanceStore`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from daemon.errors import StoreUnavailable
from dicomweb.errors import StoreAway
from dicomweb.ports import InstanceFile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from daemon.store.blobs import Blobs
    from daemon.store.ports import Database, Session
    from daemon.store.rows import LocatedInstance, Store
    from dicomweb.ports import Match, Query, Resource

T = TypeVar("T")


class DicomStoreAway(StoreUnavailable, StoreAway):
    """A DICOM store cannot be read now, as both sides call it."""


class DicomStore:
    """Rows by the engine, files by the blobs."""

    def __init__(self, store: Store, database: Database, blobs: Blobs) -> None:
        self.store: Final = store
        self.blobs: Final = blobs
        self._database = database
        self._caught_up: Callable[[], Awaitable[None]] | None = None

    def read_after(self, caught_up: Callable[[], Awaitable[None]]) -> None:
        """Have each request wait until what was acknowledged before it is shown.

        One for an instance waits only when it is not there: an instance that is there does not change.
        """
        self._caught_up = caught_up

    async def _catch_up(self) -> None:
        if self._caught_up is not None:
            await self._caught_up()

    async def search(self, query: Query) -> list[Match]:
        """Return at most `limit` matches after `offset`, as `Query.sort` says."""
        if not query.continues:
            await self._catch_up()
        return await self._read(lambda session: session.instances.search(self.store, query))

    async def metadata(self, resource: Resource) -> list[bytes]:
        """Return the prepared DICOM JSON object of each instance; empty when there is none."""
        return await self._of(
            resource, lambda session: session.instances.metadata(self.store, resource)
        )

    async def locate(self, resource: Resource) -> list[InstanceFile]:
        """Return the files of a study, series or instance; empty when there is none."""

        def read(session: Session) -> list[LocatedInstance]:
            return session.instances.locate(self.store, resource)

        located: list[LocatedInstance] = []
        if resource.sop_instance_uid is not None:
            with suppress(StoreUnavailable):
                located = self._database.look_up(read)
        if not located:
            located = await self._of(resource, read)
        return [
            InstanceFile(
                study_uid=each.study_uid,
                series_uid=each.series_uid,
                sop_instance_uid=each.sop_instance_uid,
                sop_class_uid=each.sop_class_uid,
                transfer_syntax_uid=each.transfer_syntax_uid,
                number_of_frames=each.number_of_frames,
                path=self._path(each.blob),
                size=each.size,
            )
            for each in located
        ]

    async def was_deleted(self, resource: Resource) -> bool:
        """Tell whether what is not there, or anything of it, was there once."""
        return await self._read(lambda session: session.deletions.has(self.store, resource))

    async def _of(self, resource: Resource, read: Callable[[Session], list[T]]) -> list[T]:
        if resource.sop_instance_uid is not None and (found := await self._read(read)):
            return found
        await self._catch_up()
        return await self._read(read)

    async def _read(self, function: Callable[[Session], T]) -> T:
        try:
            return await self._database.read(function)
        except StoreUnavailable as error:
            raise DicomStoreAway(
                "the store cannot be read now; ask again later", error.code
            ) from error

    def _path(self, blob: str) -> Path:
        # The services map and send files of this machine (`dicomweb.bodies`).
        path = self.blobs.local_path(blob)
        if path is None:
            raise DicomStoreAway("the blobs of this store have no files on this machine")
        return path
