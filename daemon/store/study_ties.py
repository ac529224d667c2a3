"""The studies that a resource may mean, and what they tell that ties it to them. Policy, over ports."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from daemon.pipeline.ties import Study, folded, plain
from deid.identity.keys import parts_of_identity, patient_identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from daemon.store.ports import Session
    from daemon.store.rows import Store
    from daemon.store.sidecar_rows import StudyRow
    from deid.fhir.ties import Ties

_MOST_UIDS: Final = 5000
SEVERAL: Final = "several:"
"""How the identity of a study's patients begins when there are more than one."""


def studies_named(session: Session, store: Store, ties: Ties) -> dict[str, set[str]]:
    """Return the studies of a store that a resource may mean, each with those of its UIDs that mean it."""
    found: dict[str, set[str]] = {}
    for uid in sorted(ties.uids)[:_MOST_UIDS]:
        for study in session.studies.with_uid(store, uid):
            found.setdefault(study, set()).add(uid)
    for issued in ties.accessions:
        for study in session.studies.with_accession(store, issued.value):
            found.setdefault(study, set())
    for issued in ties.patient_identifiers:
        for study in session.studies.with_patient_id(store, issued.value):
            found.setdefault(study, set())
    return found


def study_of(row: StudyRow, uids: set[str]) -> Study:
    """Return a study as `tie` takes it, from its attributes in DICOM JSON."""
    attributes = orjson.loads(row.attributes)
    patient_id = _first(attributes, "00100020")
    issuer = _first(attributes, "00100021")
    patients = _named_patients(row.patients) or [patient_identity(issuer, patient_id, row.uid)]
    accession = _first(attributes, "00080050")
    return Study(
        row.uid,
        patients[0] if len(patients) == 1 else f"{SEVERAL}{row.uid}",
        frozenset({(issuer, patient_id)} if patient_id else ()),
        frozenset((plain(each), accession) for each in _accession_issuers(attributes) if accession),
        frozenset(filter(None, [_first(attributes, "00100030")])),
        frozenset(filter(None, map(folded, _families(attributes)))),
        frozenset(uids),
        frozenset(row.drops),
    )


def _named_patients(patients: Iterable[str]) -> list[str]:
    """Return the patients of a study: some of its instances name the issuer and some do not."""
    parts = sorted(map(parts_of_identity, patients))
    named = {patient_id for issuer, patient_id in parts if issuer}
    return [
        patient_identity(issuer, patient_id, "")
        for issuer, patient_id in parts
        if issuer or patient_id not in named
    ]


def with_one_identity(studies: Sequence[Study]) -> list[Study]:
    """Give a patient whose issuer one study names the same identity in those that name none."""
    issuers: dict[str, set[str]] = {}
    for study in studies:
        issuer, patient_id = parts_of_identity(study.patient)
        issuers.setdefault(patient_id, set()).update({issuer} - {""})
    found = []
    for study in studies:
        issuer, patient_id = parts_of_identity(study.patient)
        named = issuers[patient_id]
        if patient_id and not issuer and len(named) == 1:
            identity = patient_identity(next(iter(named)), patient_id, "")
            found.append(replace(study, patient=identity))
        else:
            found.append(study)
    return found


def _first(attributes: Mapping[str, Any], tag: str) -> str:
    values = attributes.get(tag, {}).get("Value") or [""]
    return values[0] if isinstance(values[0], str) else ""


def _accession_issuers(attributes: Mapping[str, Any]) -> list[str]:
    """Return what Issuer of Accession Number Sequence says: local or universal entity ID, or nothing."""
    items = attributes.get("00080051", {}).get("Value") or []
    found = [
        _first(item, tag)
        for item in items
        if isinstance(item, dict)
        for tag in ("00400031", "00400032")
    ]
    return [each for each in found if each] or [""]


def _families(attributes: Mapping[str, Any]) -> list[str]:
    values = attributes.get("00100010", {}).get("Value") or []
    groups = [group for value in values if isinstance(value, dict) for group in value.values()]
    return [group.partition("^")[0] for group in groups if isinstance(group, str)]
