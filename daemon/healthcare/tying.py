"""Which studies of a dataset a resource of the same dataset belongs to: by the ties of `daemon.pipeline.ties`.

A resource is looked at with those around it: what it refers to, and of its patient the resources that name
studies. Names that one side tells are known to the other by this, and both give the patient one pseudonym.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from daemon.fhir.representation import resource as represented
from daemon.healthcare.batches import insisting
from daemon.pipeline.ties import SHARED, Conflict, Issuers, Sidecar, Study, Tied, tie
from daemon.records import MOST_KNOWN, Known
from daemon.resources import ResourceQuery, TokenFilter, TokenTest
from daemon.store.knowing import known_of
from daemon.store.study_ties import SEVERAL, studies_named, study_of, with_one_identity
from daemon.workers.reasons import WorkerReason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.healthcare.batches import Memory
    from daemon.pipeline.changing import ChangingWorkers
    from daemon.records import OwnDeidentifier
    from daemon.resources import ReadResource, ResourceVersion
    from daemon.store.ports import Database, Session
    from daemon.store.rows import Store

_MOST_AROUND: Final = 32
_MOST_NAMING: Final = 8
_MOST_BYTES: Final = 16384
"""Of a resource that is remembered."""
_NAME_STUDIES: Final = ("DiagnosticReport", "ImagingStudy", "ServiceRequest")
"""Types that say by UID or accession number which study they are about."""


@dataclass(slots=True)
class Found:
    """What a resource belongs to, with those around it.

    Attributes
    ----------
    tied
        By the numbers of resources; those that belong to nobody are left out.
    read
        What was read of them.
    stores
        By study, the DICOM stores that have it.
    """

    tied: dict[int, Tied | Conflict] = field(default_factory=dict)
    read: dict[int, ReadResource] = field(default_factory=dict)
    stores: dict[str, list[Store]] = field(default_factory=dict)

    def is_contradictory(self, number: int) -> bool:
        """Tell whether a resource would belong to two patients."""
        found = self.tied.get(number)
        return isinstance(found, Conflict) or (
            isinstance(found, Tied) and found.patient.startswith(SEVERAL)
        )

    def known(self, session: Session, number: int) -> Known:
        """Return what the studies of a resource tell of people."""
        found = self.tied.get(number)
        if not isinstance(found, Tied):
            return Known()
        told = [
            known_of(session, store, uid, found.patient)
            for uid in found.studies
            for store in self.stores.get(uid, ())
        ]
        known = {identifier for each in told for identifier in each.identifiers}
        return Known(tuple(sorted(known)), is_cut=any(each.is_cut for each in told))

    def tell(self, session: Session) -> None:
        """Remember with the studies what the resources tell of people."""
        for number, found in self.tied.items():
            told = self.read[number].identifiers
            if not isinstance(found, Tied) or self.is_contradictory(number) or not told:
                continue
            for uid in sorted(found.studies):
                for store in self.stores.get(uid, ()):
                    known = session.identifiers.known(store, uid, found.patient, MOST_KNOWN)
                    if not set(told) <= set(known):
                        session.identifiers.add(store, uid, found.patient, told)


class Tying:
    """Ties resources of one FHIR store to the studies of some DICOM stores."""

    def __init__(
        self,
        database: Database,
        workers: ChangingWorkers,
        resources: Store,
        instances: Sequence[Store],
        own: OwnDeidentifier,
        memory: Memory,
    ) -> None:
        self._memory = memory
        self._database = database
        self._workers = workers
        self._resources = resources
        self._instances = instances
        section = json.loads(own.configuration).get("dicomveil") or {}
        self._issuers = Issuers(section.get("identityIssuers") or {})

    async def of(self, version: ResourceVersion) -> Found:
        """Return what a resource belongs to; nothing is known of what cannot be read."""
        found = Found()
        queue = deque([(version, True)])
        while queue and len(found.read) < _MOST_AROUND:
            each, is_to_follow = queue.popleft()
            if each.number in found.read:
                continue
            read = await self._read(each)
            if read is None:
                continue
            found.read[each.number] = read
            around = await self._around(read, is_to_follow=is_to_follow)
            queue.extend((other, is_first) for other, is_first in around)
        studies, found.stores = await self._database.read(
            lambda session: self._studies(session, found.read)
        )
        found.tied = tie(
            [Sidecar(number, each.ties) for number, each in found.read.items()],
            with_one_identity([studies[uid] for uid in sorted(studies)]),
            self._issuers,
        )
        return found

    async def _read(self, version: ResourceVersion) -> ReadResource | None:
        key = ("read", version.number, version.version)
        known: ReadResource | None = self._memory.get(key)
        if known is not None:
            return known
        body = represented(version)
        document = await insisting(lambda: self._workers.read_document(body))
        if isinstance(document, WorkerReason) or not document.entries:
            return None
        read = document.entries[0].resource
        if read is not None and len(body) <= _MOST_BYTES:
            self._memory.put(key, read)
        return read

    async def _around(
        self, read: ReadResource, *, is_to_follow: bool
    ) -> list[tuple[ResourceVersion, bool]]:
        """Return the resources around one, each with whether those around it count as well."""
        if read.content.type in SHARED or not is_to_follow:
            return []

        def look(session: Session) -> list[tuple[ResourceVersion, bool]]:
            referred = [self._at(session, address) for address in read.ties.references]
            near = [each for each in referred if each is not None]
            patients = [each for each in near if each.type == "Patient"]
            if read.content.type == "Patient":
                patients = [each for each in [self._at(session, f"Patient/{read.id}")] if each]
            naming = [
                other
                for each in patients
                for other in self._memory.of(
                    ("naming", each.number), partial(self._naming_studies, session, each.id)
                )
            ]
            # What a patient's other resources refer to is not this one's.
            return [(each, each.type != "Patient") for each in near] + [
                (each, False) for each in naming
            ]

        return await self._database.read(look)

    def _at(self, session: Session, address: str) -> ResourceVersion | None:
        kind, _, resource_id = address.partition("/")
        if not resource_id or "/" in resource_id:
            return None
        found = session.resources.get(self._resources, kind, resource_id)
        return None if found is None or found.is_deleted else found

    def _naming_studies(self, session: Session, patient_id: str) -> list[ResourceVersion]:
        tests = (TokenTest(f"Patient/{patient_id}"),)
        return [
            each
            for kind in _NAME_STUDIES
            for name in ("patient", "subject")
            for each in session.resources.search(
                self._resources,
                ResourceQuery(kind, (TokenFilter(name, tests),), limit=_MOST_NAMING),
            )
        ]

    def _studies(
        self, session: Session, resources: Mapping[int, ReadResource]
    ) -> tuple[dict[str, Study], dict[str, list[Store]]]:
        """Return the studies that resources may mean, and the stores that have them."""
        studies: dict[str, Study] = {}
        stores: dict[str, list[Store]] = {}
        for store in self._instances:
            named: dict[str, set[str]] = {}
            for number, each in resources.items():
                key = ("named", store.id, number)
                of_this = self._memory.of(key, partial(studies_named, session, store, each.ties))
                for study, uids in of_this.items():
                    named.setdefault(study, set()).update(uids)
            for uid, uids in named.items():
                found = self._memory.of(
                    ("study", store.id, uid), partial(_study, session, store, uid)
                )
                if found is None:
                    continue
                earlier = studies.setdefault(uid, found)
                studies[uid] = replace(earlier, uids=earlier.uids | uids)
                stores.setdefault(uid, []).append(store)
        return studies, stores


def _study(session: Session, store: Store, uid: str) -> Study | None:
    row = session.studies.get(store, uid)
    return None if row is None else study_of(row, set())
