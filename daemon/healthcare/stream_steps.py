"""What streams do with what was noted for them (`daemon.healthcare.streams`), some at a time.

A note is settled with the result of what it was about: what changed again meanwhile stays noted.
"""

from __future__ import annotations

import json
import time
from functools import partial
from typing import TYPE_CHECKING

import orjson

import deid
from daemon.healthcare.batches import BATCH, Counted, Item
from daemon.healthcare.dicom_step import DicomStep
from daemon.healthcare.fhir_step import FhirStep
from deid.errors import Unsafe
from deid.fhir.deidentify import deidentify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.healthcare.batches import Made
    from daemon.resources import ResourceVersion
    from daemon.store.ports import Session
    from daemon.store.rows import IndexedInstance
    from deid.fhir.plan import FhirPlan


class StreamInstances(DicomStep):
    """Instances that were stored. Implements `daemon.healthcare.batches.Batch`."""

    _gone: tuple[int, ...] = ()

    async def next_items(self) -> tuple[int, Sequence[Item]]:
        """Return what is noted; the first number grows when there is something to do."""

        def read(session: Session) -> dict[int, IndexedInstance | None]:
            noted = session.operations.changed(self.operation.id, BATCH)
            return {each: self._instance(session, each) for each in noted}

        found = await self.stores.database.read(read)
        self.originals = {each: there for each, there in found.items() if there is not None}
        self._gone = tuple(found.keys() - self.originals.keys())
        after = self.operation.after + bool(found)
        return after, [
            Item(number, partial(self.deidentify, each)) for number, each in self.originals.items()
        ]

    def settle(self, session: Session, made: Sequence[Made]) -> Counted:
        """Make outputs visible, and forget what was noted of them."""
        counted = super().settle(session, made)
        settled = [
            each.number
            for each in made
            if self._instance(session, each.number) in {None, self.originals[each.number]}
        ]
        session.operations.settle_changed(self.operation.id, [*settled, *self._gone])
        return counted

    def _instance(self, session: Session, number: int) -> IndexedInstance | None:
        page = session.instances.page(self.source, number - 1, 1)
        return page[0] if page and page[0].id == number else None


class StreamResources(FhirStep):
    """Resources that changed. Implements `daemon.healthcare.batches.Batch`."""

    _versions: dict[int, ResourceVersion]
    _noted: tuple[int, ...] = ()

    async def next_items(self) -> tuple[int, Sequence[Item]]:
        """Return what is noted; the first number grows when there is something to do."""

        def read(session: Session) -> list[tuple[ResourceVersion, list[bytes]]]:
            self._noted = tuple(session.operations.changed(self.operation.id, BATCH))
            latest = (session.resources.by_number(self.source, each) for each in self._noted)
            there = [each for each in latest if each is not None]
            return [
                (each, [] if each.is_deleted else self.patients(session, each)) for each in there
            ]

        found = await self.database.read(read)
        self._versions = {version.number: version for version, _ in found}
        wanted = [each for each in found if not each[0].is_deleted]
        after = self.operation.after + bool(self._noted)
        return after, [Item(each[0].number, partial(self.deidentify, *each)) for each in wanted]

    def settle(self, session: Session, made: Sequence[Made]) -> Counted:
        """Make results visible, delete those of what was deleted, and forget what was noted."""
        counted = super().settle(session, made)
        done = {each.number for each in made}
        for number in self._noted:
            before = self._versions.get(number)
            if before is None or before.is_deleted:
                if before is not None:
                    self._delete(session, before)
                    counted.success += 1
            elif number not in done:
                continue
            now = session.resources.by_number(self.source, number)
            if now is None or before is None or now.version == before.version:
                session.operations.settle_changed(self.operation.id, [number])
        return counted

    def _delete(self, session: Session, version: ResourceVersion) -> None:
        plan = deid.compile_plan(json.loads(self.own.configuration), deid.SiteKey(self.own.key))
        assert plan.fhir is not None  # a stream of resources has a section for them
        session.resources.delete(
            self.destination,
            version.type,
            _id_of_result(version, plan.fhir),
            now_ms=int(time.time() * 1000),
        )


def _id_of_result(version: ResourceVersion, plan: FhirPlan) -> str:
    """Return the id that a resource has as a result; empty for what is never passed on.

    What makes results is asked: a configuration may keep ids.
    """
    head = {"resourceType": version.type, "id": version.id}
    try:
        (made,) = deidentify(orjson.dumps(head), plan).document.resources
    except Unsafe:
        return ""
    return str(made.get("id", ""))
