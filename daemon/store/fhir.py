"""One FHIR store as the web services read and change it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from daemon.errors import SpoolFull, StoreUnavailable
from daemon.fhir.errors import Conflict, MultipleMatches, PreconditionFailed, Unavailable
from daemon.fhir.ports import Changed, Wish
from daemon.resources import PAGE_BYTES, Method
from daemon.store.sidecars import Sidecars
from daemon.store.whole import to_its_end

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from daemon.fhir.ports import Change
    from daemon.resources import Everything, ResourceQuery, ResourceVersion
    from daemon.store.ports import Database, Session
    from daemon.store.posted import Posted
    from daemon.store.rows import Store
    from daemon.store.store_set import StoreSet

_METHODS: Final = {Wish.CREATE: Method.CREATE, Wish.UPDATE: Method.UPDATE}


class FhirStore:
    """Implements `daemon.fhir.ports.ResourceStore`."""

    def __init__(self, store: Store, database: Database) -> None:
        self.store: Final = store
        self._database = database

    async def get(self, resource_type: str, resource_id: str) -> ResourceVersion | None:
        """Return the latest version, which may say that the resource is deleted."""
        return await self._database.read(
            lambda session: session.resources.get(self.store, resource_type, resource_id)
        )

    async def version(
        self, resource_type: str, resource_id: str, version: int
    ) -> ResourceVersion | None:
        """Return a version."""
        return await self._database.read(
            lambda session: session.resources.version(
                self.store, resource_type, resource_id, version
            )
        )

    async def history(
        self, resource_type: str, resource_id: str, before: int | None, limit: int
    ) -> list[ResourceVersion]:
        """Return versions, the latest first."""
        return await self._database.read(
            lambda session: session.resources.history(
                self.store, resource_type, resource_id, before, limit, most_bytes=PAGE_BYTES
            )
        )

    async def search(self, query: ResourceQuery) -> list[ResourceVersion]:
        """Return resources that pass every filter, in the order of the query."""
        return await self._database.read(
            lambda session: session.resources.search(self.store, query, most_bytes=PAGE_BYTES)
        )

    async def count(self, query: ResourceQuery) -> int:
        """Return how many pass."""
        return await self._database.read(lambda session: session.resources.count(self.store, query))

    async def everything(self, wanted: Everything) -> list[ResourceVersion]:
        """Return what is in a patient's compartment, and what the patient refers to."""
        return await self._database.read(
            lambda session: session.resources.everything(self.store, wanted, most_bytes=PAGE_BYTES)
        )

    async def page(
        self, after: int, limit: int, types: Sequence[str] = (), *, since_ms: int = -1
    ) -> list[ResourceVersion]:
        """Return resources of these types, changed since, whose numbers are greater, in that order."""
        return await self._database.read(
            lambda session: session.resources.page(
                self.store, after, limit, types, since_ms=since_ms, most_bytes=PAGE_BYTES
            )
        )


class FhirSink:
    """Implements `daemon.fhir.ports.ResourceSink`.

    Parameters
    ----------
    clock
        Seconds since 1970.
    changed
        Called after each change that was kept.
    store
        Another than the source: what it holds is nobody's sidecar.
    noted
        Told of each change, in its transaction.
    posted
        Keeps what was changed in files, too.
    """

    def __init__(
        self,
        stores: StoreSet,
        database: Database,
        *,
        clock: Callable[[], float] = time.time,
        changed: Callable[[], None] = lambda: None,
        store: Store | None = None,
        noted: Callable[[Session, Store, ResourceVersion], None] | None = None,
        posted: Posted | None = None,
    ) -> None:
        self._noted = noted
        self._store = store or stores.fhir_source
        self._sidecars = Sidecars(stores) if store is None else None
        self._posted = posted
        self._changed = changed
        self._database = database
        self._clock = clock

    async def change(self, changes: Sequence[Change]) -> list[Changed]:
        """Do all of it, durably, or nothing.

        Raises
        ------
        PreconditionFailed, MultipleMatches, Conflict, Unavailable
            Nothing of it was done.
        """
        # A client that leaves takes neither the copy of his rows along nor what follows from them.
        return await to_its_end(self._change(changes))

    async def _change(self, changes: Sequence[Change]) -> list[Changed]:
        now_ms = int(self._clock() * 1000)

        def apply(session: Session) -> list[Changed]:
            return [self._apply(session, change, now_ms) for change in changes]

        try:
            done = await self._database.write(apply)
        except (SpoolFull, StoreUnavailable) as error:
            raise Unavailable("no room now; send it again later") from error
        self._changed()
        if self._posted is not None:
            try:
                await asyncio.to_thread(self._posted.keep, changes, done)
            except OSError as error:
                raise Unavailable("no room now; send it again later") from error
        return done

    def _apply(self, session: Session, change: Change, now_ms: int) -> Changed:
        store = self._store
        if session.stores.find(store.dataset, store.kind, store.name) != store:
            raise Conflict("the store was deleted meanwhile")
        there = _found(session, self._store, change)
        if there is not None:
            return Changed(there, was_there=True)
        latest = session.resources.get(self._store, change.type, change.id)
        _check_version(change, latest)
        if change.wish is Wish.DELETE:
            deleted = session.resources.delete(self._store, change.type, change.id, now_ms=now_ms)
            if deleted is not None:
                self._note(session, deleted)
                if self._sidecars is not None:
                    self._sidecars.forget(session, deleted.number)
            return Changed(deleted)
        assert change.resource is not None
        version = session.resources.add_version(
            self._store,
            change.id,
            change.resource.content,
            method=_METHODS[change.wish],
            now_ms=now_ms,
        )
        self._note(session, version)
        if self._sidecars is not None:
            self._sidecars.put(session, change.resource, version, now_ms / 1000)
        return Changed(version, is_new=latest is None or latest.is_deleted)

    def _note(self, session: Session, version: ResourceVersion) -> None:
        if self._noted is not None:
            self._noted(session, self._store, version)


def _found(session: Session, store: Store, change: Change) -> ResourceVersion | None:
    """Return the resource that a conditional create means, if there is one."""
    if change.if_none_exist is None:
        return None
    found = session.resources.search(store, change.if_none_exist)
    if len(found) > 1:
        raise MultipleMatches("If-None-Exist means more than one resource")
    was_found = found[0].id if found else ""
    if change.was_found is not None and change.was_found != was_found:
        raise Conflict("what a condition means has changed meanwhile")
    return found[0] if found else None


def _check_version(change: Change, latest: ResourceVersion | None) -> None:
    """Refuse a change of another version than the client knows."""
    if not change.if_match:
        return
    is_there = latest is not None and not latest.is_deleted
    number = latest.version if latest is not None and is_there else -1
    if number != change.if_match:
        raise PreconditionFailed("the latest version is not the one that is asked for")
