"""Finding out which studies received resources belong to, and what follows from it. Policy, over ports.

Looked at is what is marked, with all that hangs together with it by references; the ties themselves are
decided by `daemon.pipeline.ties`. What a resource tells of people is remembered with the instances of its
studies; where that is news, stored results of the studies are made again, and so are the results of their
resources.

A result is made of: the version of the resource, the deidentifiers, the patient, and everything that is known
of people by then. Their hash says whether what is there is still what it should be; so it does not matter in
which order anything came.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson

from daemon.fhir.representation import resource as represented
from daemon.pipeline.ties import (
    CONFLICTING_TIES,
    CONFLICTING_VERSIONS,
    SHARED,
    By,
    Conflict,
    Issuers,
    Sidecar,
    Tied,
    tie,
)
from daemon.records import MOST_KNOWN, Known
from daemon.resources import ToRetell
from daemon.store import redo
from daemon.store.knowing import known_of
from daemon.store.queries import Changed
from daemon.store.sidecar_rows import KeyKind, SidecarState
from daemon.store.sidecars import UNASSOCIATED, Sidecars
from daemon.store.study_ties import SEVERAL, studies_named, study_of, with_one_identity
from daemon.workers.reasons import WorkerReason

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from daemon.records import StoredInstance
    from daemon.store.ports import Session
    from daemon.store.rows import Identifier
    from daemon.store.sidecar_rows import SidecarRow, StudyRow
    from daemon.store.store_set import StoreSet

_AT_ONCE: Final = 200
_RECEIPT_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Association:
    """What a site decided.

    Attributes
    ----------
    issuers
        Issuer of Patient ID, and of accession numbers, by Identifier.system or assigner.
    sole
        The only deidentifier that a route names; empty if there are several. Then no other key can come, and
        what was posted need not wait for a study.
    configurations
        By deidentifier, a hash of what it is configured to do: results are made of that, too.
    unassociated_after_s
        How long a resource waits for its study.
    """

    issuers: Mapping[str, str]
    sole: str
    configurations: Mapping[str, str]
    unassociated_after_s: float


@dataclass(slots=True)
class Looked:
    """What a look came to.

    Attributes
    ----------
    is_more
        Whether there is more to look at.
    told_studies, told_patients
        Studies, and patients, of whose people something new is known; the studies' results are made again.
    redone
        How many instances that concerns.
    """

    is_more: bool = False
    told_studies: set[str] = field(default_factory=set)
    told_patients: set[str] = field(default_factory=set)
    redone: int = 0


class Associating:
    """Looks at resources whose ties may have changed; in the transaction of the session."""

    def __init__(self, stores: StoreSet, association: Association) -> None:
        self._stores = stores
        self._source = stores.fhir_source
        self._association = association
        self._sidecars = Sidecars(stores)

    def look(self, session: Session, now: float) -> Looked:
        """Look at what is marked, some of it if there is much."""
        looked = Looked()
        marked = session.sidecars.marked(self._source, _AT_ONCE)
        if not marked:
            return looked
        rows = self._together(session, marked)
        session.sidecars.unmark([*rows, *marked])
        found, studies = self._tied(session, rows)
        for number in [n for n, row in rows.items() if self._outlives(session, row, found.get(n))]:
            del rows[number]
        for number, row in rows.items():
            if row.type not in SHARED:
                self._record(session, row, found.get(number), studies)
        self._share(session, rows, found, studies, frozenset(marked))
        for number, row in rows.items():
            if row.type in SHARED:
                self._record(session, row, found.get(number), studies)
        for number, row in rows.items():
            self._tell(session, row, found.get(number), looked, now)
        for number in rows:
            now_so = session.sidecars.get(self._source, number)
            if now_so is not None:
                self._decide(session, now_so, found.get(number), studies)
        looked.is_more = bool(session.sidecars.marked(self._source, 1))
        return looked

    def _outlives(self, session: Session, row: SidecarRow, found: Tied | Conflict | None) -> bool:
        """Whether the studies of a resource are not kept any more: then its results stay, as theirs do."""
        return (
            found is None
            and bool(row.made)
            and bool(row.studies)
            and not any(session.studies.get(self._stores.source, uid) for uid in row.studies)
        )

    def mark_arrived(self, session: Session, instance: StoredInstance) -> None:
        """Let what an instance may be tied to be looked at."""
        keys = [
            (KeyKind.UID, instance.study_uid),
            (KeyKind.UID, instance.series_uid),
            (KeyKind.UID, instance.sop_instance_uid),
            (KeyKind.STUDY, instance.study_uid),
            (KeyKind.ACCESSION, instance.keys.get("AccessionNumber", "")),
            (KeyKind.PATIENT, instance.keys.get("PatientID", "")),
        ]
        found = {
            number
            for kind, value in keys
            if value
            for number in session.sidecars.having(self._source, kind, value)
        }
        session.sidecars.mark(sorted(found))

    def give_up(self, session: Session, now: float) -> int:
        """Put into quarantine what has waited too long; return how many."""
        before = now - self._association.unassociated_after_s
        found = session.sidecars.waiting_since(self._source, before, _AT_ONCE)
        for row in found:
            self._sidecars.refuse(session, row, UNASSOCIATED, row.type)
            session.sidecars.change(row.number, wanted="")
        return len(found)

    # -- what hangs together --

    def _together(self, session: Session, marked: Sequence[int]) -> dict[int, SidecarRow]:
        """Return rows and all that references join to them; not through what many share."""
        rows: dict[int, SidecarRow] = {}
        queue = list(marked)
        while queue:
            number = queue.pop()
            if number in rows:
                continue
            row = session.sidecars.get(self._source, number)
            if row is None or row.reason == CONFLICTING_VERSIONS:
                continue
            rows[number] = row
            if row.type not in SHARED:
                queue += self._sidecars.neighbours(session, row) - rows.keys()
        return dict(sorted(rows.items()))

    def _tied(
        self, session: Session, rows: Mapping[int, SidecarRow]
    ) -> tuple[dict[int, Tied | Conflict], dict[str, StudyRow]]:
        named = dict[str, set[str]]()
        for row in rows.values():
            of_row = studies_named(session, self._stores.source, row.ties)
            for named_uid, by in of_row.items():
                named.setdefault(named_uid, set()).update(by)
        of_source = self._stores.source
        studies = {uid: session.studies.get(of_source, uid) for uid in named}
        known = {uid: study for uid, study in studies.items() if study is not None}
        found = tie(
            [Sidecar(n, row.ties, row.drop_folder, row.drop_name) for n, row in rows.items()],
            with_one_identity([study_of(known[uid], named[uid]) for uid in sorted(known)]),
            Issuers(self._association.issuers),
        )
        for each in found.values():
            if isinstance(each, Tied):
                for uid in each.studies - known.keys():
                    study = session.studies.get(of_source, uid)
                    if study is not None:
                        known[uid] = study
        return found, known

    def _share(
        self,
        session: Session,
        rows: Mapping[int, SidecarRow],
        found: dict[int, Tied | Conflict],
        studies: dict[str, StudyRow],
        marked: Collection[int],
    ) -> None:
        """Give to what is shared the studies of all who refer to it, whether they were looked at or not.

        There may be millions of those. So they are asked for only where it may make a difference: when it was
        marked itself, or when one who refers to it was tied otherwise before.
        """
        told = {
            address
            for number, row in rows.items()
            if row.type not in SHARED and _studies_in(found.get(number)) != row.studies
            for address in row.ties.references
        }
        of = session.sidecars.studies_of_those_having
        for number, row in rows.items():
            here = found.get(number)
            if row.type not in SHARED or isinstance(here, Conflict):
                continue
            theirs = {*row.studies}
            if number in marked or not told.isdisjoint(row.ties.addresses):
                theirs = {
                    uid
                    for address in row.ties.addresses
                    for uid in of(self._source, KeyKind.REFERENCE, address)
                }
            if here is not None:
                theirs |= here.studies
            if theirs:
                found[number] = Tied(frozenset(theirs), "", By.REFERENCE)
            for uid in theirs - studies.keys():
                study = session.studies.get(self._stores.source, uid)
                if study is not None:
                    studies[uid] = study

    # -- what follows --

    def _record(
        self,
        session: Session,
        row: SidecarRow,
        found: Tied | Conflict | None,
        studies: Mapping[str, StudyRow],
    ) -> None:
        uids = sorted(found.studies & studies.keys()) if isinstance(found, Tied) else []
        patient = found.patient if isinstance(found, Tied) else ""
        if (tuple(uids), patient) != (row.studies, row.patient):
            session.sidecars.change(row.number, studies=tuple(uids), patient=patient)
            session.sidecars.tie(self._source, row.number, uids)

    def _tell(
        self,
        session: Session,
        row: SidecarRow,
        found: Tied | Conflict | None,
        looked: Looked,
        now: float,
    ) -> None:
        """Remember with the instances of its studies what a resource tells of people."""
        if not isinstance(found, Tied) or not row.identifiers:
            return
        source = self._stores.source
        for study_uid in sorted(found.studies):
            known = session.identifiers.known(source, study_uid, found.patient, MOST_KNOWN)
            if not set(row.identifiers) <= set(known):
                session.identifiers.add(source, study_uid, found.patient, row.identifiers)
            if not _is_news(known, row.identifiers):
                continue
            told = {study_uid}
            if found.patient:
                looked.told_patients.add(found.patient)
                told |= set(session.studies.of_patient(source, found.patient))
            self._do_again(session, told - looked.told_studies, looked, now)

    def _do_again(
        self, session: Session, studies: Iterable[str], looked: Looked, now: float
    ) -> None:
        for study_uid in sorted(studies):
            looked.told_studies.add(study_uid)
            changed = Changed()
            redo.redo_within(
                session, session.instances.of_study(self._stores.source, study_uid), now, changed
            )
            looked.redone += len(changed.changed)
            session.sidecars.mark(session.sidecars.having(self._source, KeyKind.STUDY, study_uid))

    def _decide(
        self,
        session: Session,
        row: SidecarRow,
        found: Tied | Conflict | None,
        studies: Mapping[str, StudyRow],
    ) -> None:
        sides = found.sides if isinstance(found, Conflict) else ()
        if isinstance(found, Tied) and found.patient.startswith(SEVERAL):
            sides = tuple((found.by, uid) for uid in sorted(found.studies))
        if sides:
            where = "; ".join(
                f"{by}: study of receipt {self._named(session, uid)}" for by, uid in sides
            )
            self._sidecars.refuse(session, row, CONFLICTING_TIES, where)
            session.sidecars.change(row.number, wanted="")
            return
        deidentifiers = {
            name
            for uid in row.studies
            for name in (studies[uid].deidentifiers if uid in studies else ())
        }
        if found is None and not row.is_dropped and self._association.sole:
            deidentifiers = {self._association.sole}
        if not deidentifiers:
            if row.state is not SidecarState.QUARANTINED or row.reason != UNASSOCIATED:
                self._sidecars.wait(session, row)
            return
        known = _known(session, self._stores, row)
        if known.is_cut:
            self._sidecars.refuse(session, row, WorkerReason.TOO_MANY_IDENTIFIERS, row.type)
            session.sidecars.change(row.number, wanted="")
            return
        job = job_of(session, self._stores, row, sorted(deidentifiers), known)
        wanted = self._wanted(row.version, job)
        if wanted == row.made_of:
            session.sidecars.change(
                row.number, state=SidecarState.DONE, wanted=wanted, reason="", where=""
            )
        elif row.wanted != wanted or row.state is not SidecarState.QUARANTINED:
            session.sidecars.change(
                row.number,
                state=SidecarState.READY,
                wanted=wanted,
                reason="",
                where="",
                kills=0 if row.wanted != wanted else row.kills,
                not_before=0.0,
            )

    def _named(self, session: Session, study_uid: str) -> str:
        receipts = session.instances.of_study(self._stores.source, study_uid)
        return min(receipts)[:_RECEIPT_SHOWN] if receipts else "none"

    def _wanted(self, version: int, job: ToRetell) -> str:
        made_by = [self._association.configurations.get(name, "") for name in job.deidentifiers]
        content = [
            made_by,
            job.deidentifiers,
            job.patient,
            job.known,
            [*map(_versioned, job.around)],
        ]
        digest = hashlib.sha256(orjson.dumps([version, *content]))
        return digest.hexdigest() + "".join(f" {name}" for name in job.deidentifiers)


def _known(session: Session, stores: StoreSet, row: SidecarRow) -> Known:
    """Return what is known of the people of all studies of a resource, and whether of one it is cut."""
    told = [known_of(session, stores.source, uid, row.patient) for uid in row.studies]
    known = {identifier for each in told for identifier in each.identifiers}
    return Known(tuple(sorted(known)), is_cut=any(each.is_cut for each in told))


def job_of(
    session: Session,
    stores: StoreSet,
    row: SidecarRow,
    deidentifiers: Sequence[str],
    known: Known | None = None,
) -> ToRetell:
    """Return what the results of a resource are made of, as things are now; `known` where it was asked for."""
    source = stores.fhir_source
    latest = session.resources.by_number(source, row.number)
    assert latest is not None
    known = known or _known(session, stores, row)
    around = []
    if not row.studies:
        numbers = {
            number
            for address in row.ties.patients
            for number in session.sidecars.having(source, KeyKind.ADDRESS, address)
        }
        for number in sorted(numbers - {row.number}):
            patient = session.resources.by_number(source, number)
            if patient is not None and patient.type == "Patient" and not patient.is_deleted:
                around.append(represented(patient))
    addresses: tuple[str, ...] = ()
    if row.patient:
        own = row.ties.addresses if row.type == "Patient" else ()
        addresses = tuple(dict.fromkeys([*own, *row.ties.patients]))
    return ToRetell(
        row.number,
        row.wanted,
        tuple(deidentifiers),
        row.patient,
        addresses,
        known.identifiers,
        tuple(around),
        represented(latest),
    )


def _studies_in(found: Tied | Conflict | None) -> tuple[str, ...]:
    return tuple(sorted(found.studies)) if isinstance(found, Tied) else ()


def _versioned(around: bytes) -> str:
    return hashlib.sha256(around).hexdigest()


def _is_news(known: Iterable[Identifier], told: Iterable[Identifier]) -> bool:
    """Whether something is told that is not made of what is known: a word, a number."""
    words = {word for _, value in known for word in _words(value)}
    return any(word not in words for _, value in told for word in _words(value))


def _words(value: str) -> list[str]:
    return re.findall(r"[^\W_]{2,}", value.casefold())
