"""What becomes of received resources: kept in the source, told again in the destination. Policy, over ports.

A resource that was dropped beside instances may come twice. The same content is nothing new; other content
takes its place when it says itself that it is the later version; where neither says so, or where the two tell
of different people, nobody knows which of them holds, and both stay in the source, as versions, and out of the
destination. A later one decides between two that say that they are of the same time.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from daemon.pipeline.ties import CONFLICTING_VERSIONS, is_of_another
from daemon.records import Receiver
from daemon.resources import Method, is_later
from daemon.store.sidecar_rows import KeyKind, Made, SidecarRow, SidecarState
from deid.fhir.ties import Ties

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from daemon.records import Origin
    from daemon.resources import Content, ReadResource, ResourceVersion, Retold
    from daemon.store.ports import Session
    from daemon.store.store_set import StoreSet

UNASSOCIATED: Final = "unassociated"
_ID_LENGTH: Final = 40
_RECOVERED: Final = "recovered"
"""In place of the hash of a folder."""


class Sidecars:
    """Received resources of the FHIR source store.

    Every method takes part in the transaction of its session.
    """

    def __init__(self, stores: StoreSet) -> None:
        self._source = stores.fhir_source
        self._destination = stores.fhir_destination

    def take(
        self, session: Session, resources: Iterable[ReadResource], origin: Origin, now: float
    ) -> None:
        """Keep the resources of a file that was dropped, or is taken back because its rows are gone."""
        if origin.receiver is Receiver.RECOVERED:  # where it lay, only the lost rows knew
            origin = replace(origin, drop_folder=_RECOVERED, drop_name="")
        for resource in resources:
            self._take(session, resource, origin, now)

    def _take(self, session: Session, resource: ReadResource, origin: Origin, now: float) -> None:
        content = resource.content
        resource_id = resource.id or _id_of(content)
        latest = session.resources.get(self._source, content.type, resource_id)
        is_back = origin.drop_folder == _RECOVERED
        if latest is not None and latest.is_deleted and is_back:
            return  # it was deleted since
        if latest is None or latest.is_deleted:
            self._add(session, resource, resource_id, origin, now, Method.CREATE)
            return
        row = session.sidecars.get(self._source, latest.number)
        stated = row.stated_ms if row is not None else 0
        later = is_later(resource.stated_ms, stated)
        if row is not None and row.reason == CONFLICTING_VERSIONS:
            if self._has_version(session, latest, content) or later is False:
                return
        elif _is_same(latest, content):
            if row is not None:
                is_nearer = (row.drop_folder, row.drop_name) > _place(origin)
                if is_nearer or later or (resource.stated_ms and not stated):
                    self._put(session, resource, latest, origin if is_nearer else row, now)
            return
        elif row is not None and is_of_another(row.ties, resource.ties):
            self._conflict(session, resource, latest, origin, now, 0)
            return
        if later is None:
            if is_back and row is not None and not row.is_dropped:
                return  # somebody posted what holds
            is_tie = resource.stated_ms and resource.stated_ms == stated
            self._conflict(session, resource, latest, origin, now, stated if is_tie else 0)
        elif later:
            self._add(session, resource, resource_id, origin, now, Method.UPDATE)

    def _has_version(self, session: Session, latest: ResourceVersion, content: Content) -> bool:
        versions = session.resources.history(
            self._source, latest.type, latest.id, None, latest.version
        )
        return any(_is_same(each, content) for each in versions)

    def _add(
        self,
        session: Session,
        resource: ReadResource,
        resource_id: str,
        origin: Origin,
        now: float,
        method: Method,
    ) -> None:
        version = session.resources.add_version(
            self._source,
            resource_id,
            resource.content,
            method=method,
            now_ms=int(now * 1000),
        )
        self._put(session, resource, version, origin, now)

    def _conflict(
        self,
        session: Session,
        resource: ReadResource,
        latest: ResourceVersion,
        origin: Origin,
        now: float,
        stated_ms: int,
    ) -> None:
        """Keep both, and pass neither on. Nothing is tied by them.

        Parameters
        ----------
        stated_ms
            What both say of their time, so that a later one decides; 0 where they do not say the same.
        """
        version = session.resources.add_version(
            self._source,
            latest.id,
            resource.content,
            method=Method.UPDATE,
            now_ms=int(now * 1000),
        )
        self.withdraw(session, version.number)
        self._mark_neighbours(session, version.number)
        session.sidecars.put(
            self._source,
            SidecarRow(
                version.number,
                version.type,
                version.id,
                version.version,
                now,
                origin.drop_folder,
                origin.drop_name,
                stated_ms,
                Ties(version.type),
                state=SidecarState.QUARANTINED,
                reason=CONFLICTING_VERSIONS,
                where=f"{version.type}: versions 1 to {version.version}",
            ),
        )
        session.sidecars.tie(self._source, version.number, ())

    def _put(
        self,
        session: Session,
        resource: ReadResource,
        version: ResourceVersion,
        origin: Origin | SidecarRow,
        now: float,
    ) -> None:
        self.put(session, resource, version, now, origin.drop_folder, origin.drop_name)

    def put(
        self,
        session: Session,
        resource: ReadResource,
        version: ResourceVersion,
        now: float,
        drop_folder: str = "",
        drop_name: str = "",
    ) -> None:
        """Note that a version is to be told again; what it is tied to is found out by whoever looks."""
        earlier = session.sidecars.get(self._source, version.number)
        if earlier is not None:
            # Those that it referred to before may hang on nothing now.
            self._mark_neighbours(session, version.number)
        session.sidecars.put(
            self._source,
            SidecarRow(
                version.number,
                version.type,
                version.id,
                version.version,
                now,
                drop_folder,
                drop_name,
                resource.stated_ms,
                resource.ties,
                resource.identifiers,
                made_of=earlier.made_of if earlier is not None else "",
                made=earlier.made if earlier is not None else (),
            ),
        )
        session.sidecars.tie(self._source, version.number, ())

    def forget(self, session: Session, number: int) -> None:
        """Note that a resource was deleted: its results are, too."""
        self.withdraw(session, number)
        self._mark_neighbours(session, number)
        session.sidecars.remove(number)

    def withdraw(self, session: Session, number: int) -> None:
        """Delete the results of a resource."""
        row = session.sidecars.get(self._source, number)
        if row is not None:
            self._delete(session, row.made)
            session.sidecars.set_outcome(number, b"")
            session.sidecars.change(number, made=(), made_of="")

    def settle(self, session: Session, retold: Retold, now: float) -> None:
        """Show what was made of a resource, or put it into quarantine; nothing if it changed meanwhile."""
        row = session.sidecars.get(self._source, retold.number)
        if row is None or row.state is not SidecarState.READY or row.wanted != retold.wanted:
            return
        if retold.reason:
            self.refuse(session, row, retold.reason, retold.where)
            return
        made = tuple(Made(each.deidentifier, each.content.type, each.id) for each in retold.outputs)
        self._delete(session, [each for each in row.made if each not in made])
        for each in retold.outputs:
            there = session.resources.get(self._destination, each.content.type, each.id)
            if there is None or there.is_deleted or not _is_same(there, each.content):
                session.resources.add_version(
                    self._destination,
                    each.id,
                    each.content,
                    method=Method.UPDATE,
                    now_ms=int(now * 1000),
                    deidentifier=each.deidentifier,
                    keeps_earlier=False,
                )
        outcomes = {each.deidentifier: json.loads(each.outcome or b"{}") for each in retold.outputs}
        session.sidecars.set_outcome(row.number, json.dumps(outcomes).encode())
        session.sidecars.change(
            row.number,
            state=SidecarState.DONE,
            reason="",
            where="",
            made=made,
            made_of=row.wanted,
            kills=0,
        )

    def refuse(self, session: Session, row: SidecarRow, reason: str, where: str) -> None:
        """Put a resource into quarantine; nothing is visible of it any more."""
        self.withdraw(session, row.number)
        session.sidecars.change(
            row.number, state=SidecarState.QUARANTINED, reason=reason, where=where
        )

    def wait(self, session: Session, row: SidecarRow) -> None:
        """Let a resource wait for a study; nothing is visible of it."""
        self.withdraw(session, row.number)
        session.sidecars.change(
            row.number,
            state=SidecarState.WAITING,
            reason="",
            where="",
            studies=(),
            patient="",
            wanted="",
        )

    def _delete(self, session: Session, made: Sequence[Made]) -> None:
        for each in made:
            session.resources.delete(
                self._destination, each.type, each.id, now_ms=0, keeps_earlier=False
            )

    def neighbours(self, session: Session, row: SidecarRow) -> set[int]:
        """Return the resources that one refers to, and those that refer to it."""
        having, ties = session.sidecars.having, row.ties
        keys = [
            *((KeyKind.ADDRESS, address) for address in ties.references),
            *((KeyKind.REFERENCE, address) for address in ties.addresses),
            *((KeyKind.IDENTIFIER, f"{kind}|{value}") for kind, _, value in ties.searches),
            *((KeyKind.SEARCH, f"{ties.type}|{each.value}") for each in ties.identifiers),
        ]
        found = {number for key in keys for number in having(self._source, *key)}
        return found - {row.number}

    def _mark_neighbours(self, session: Session, number: int) -> None:
        row = session.sidecars.get(self._source, number)
        if row is not None:
            session.sidecars.mark(sorted(self.neighbours(session, row)))


def _is_same(version: ResourceVersion, content: Content) -> bool:
    return (version.meta, version.rest) == (content.meta, content.rest)


def _id_of(content: Content) -> str:
    """Return an id for a resource that has none: the same for the same content."""
    digest = hashlib.sha256(b"\0".join((content.type.encode(), content.meta, content.rest)))
    return digest.hexdigest()[:_ID_LENGTH]


def _place(origin: Origin | SidecarRow) -> tuple[str, str]:
    return origin.drop_folder, origin.drop_name
