"""Received resources and their studies, in `tests.document_engine`: every look-up looks at everything."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Unpack

from daemon.pipeline.fhir_messages import ties_document, ties_from
from daemon.store.sidecar_rows import KeyKind, Made, SidecarRow, SidecarState, StudyRow
from daemon.store.sqlite.sidecars import keys_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from daemon.store.rows import Store
    from daemon.store.sidecar_rows import SidecarChange
    from tests.documents import Documents

KIND = "sidecar"


class DocumentSidecars:
    """Implements `daemon.store.sidecar_rows.SidecarRows`."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def put(self, store: Store, row: SidecarRow) -> None:
        earlier = self._documents.get(KIND, _key(row.number))
        body = {
            "store": store.id,
            "row": {**asdict(row), "ties": ties_document(row.ties)},
            "tied": earlier["tied"] if earlier else [],
            "is_marked": True,
            "not_before": 0.0,
        }
        self._documents.put(KIND, _key(row.number), body)

    def _bodies(self, store: Store) -> list[Any]:
        return [each for each in self._documents.all(KIND) if each["store"] == store.id]

    def get(self, store: Store, number: int) -> SidecarRow | None:
        body = self._documents.get(KIND, _key(number))
        return None if body is None or body["store"] != store.id else _row(body)

    def change(self, number: int, **changes: Unpack[SidecarChange]) -> None:
        body = self._documents.get(KIND, _key(number))
        for name, value in changes.items():
            (body if name == "not_before" else body["row"])[name] = value
        self._documents.put(KIND, _key(number), body)

    def tie(self, store: Store, number: int, studies: Sequence[str]) -> None:
        self._set(number, "tied", list(studies))

    def outcome(self, number: int) -> bytes:
        return (self._documents.get("told", _key(number)) or "").encode()

    def set_outcome(self, number: int, outcome: bytes) -> None:
        self._documents.put("told", _key(number), outcome.decode())

    def remove(self, number: int) -> None:
        self._documents.delete(KIND, _key(number))
        self._documents.delete("told", _key(number))

    def mark(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._set(number, "is_marked", value=True)

    def unmark(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._set(number, "is_marked", value=False)

    def mark_all(self, store: Store) -> None:
        self.mark([each["row"]["number"] for each in self._bodies(store)])

    def _set(self, number: int, name: str, value: object) -> None:
        body = self._documents.get(KIND, _key(number))
        if body is not None:
            self._documents.put(KIND, _key(number), {**body, name: value})

    def marked(self, store: Store, limit: int) -> list[int]:
        found = [b["row"]["number"] for b in self._bodies(store) if b["is_marked"]]
        return sorted(found)[:limit]

    def having(self, store: Store, kind: KeyKind, value: str) -> list[int]:
        found = []
        for body in self._bodies(store):
            keys = [*keys_of(_row(body).ties), *((KeyKind.STUDY, uid) for uid in body["tied"])]
            if (kind, value) in keys:
                found.append(body["row"]["number"])
        return sorted(found)

    def studies_of_those_having(self, store: Store, kind: KeyKind, value: str) -> list[str]:
        having = set(self.having(store, kind, value))
        bodies = [body for body in self._bodies(store) if body["row"]["number"] in having]
        return sorted({uid for body in bodies for uid in body["tied"]})

    def _rows(self, store: Store, passes: Callable[[Any], bool], limit: int) -> list[SidecarRow]:
        found = [_row(body) for body in self._bodies(store) if passes(body)]
        return sorted(found, key=lambda row: row.number)[:limit]

    def due(self, store: Store, now: float, limit: int) -> list[SidecarRow]:
        return self._rows(
            store,
            lambda body: body["row"]["state"] == SidecarState.READY and body["not_before"] <= now,
            limit,
        )

    def waiting_since(self, store: Store, before: float, limit: int) -> list[SidecarRow]:
        return self._rows(
            store,
            lambda body: (
                body["row"]["state"] == SidecarState.WAITING and body["row"]["received_at"] < before
            ),
            limit,
        )

    def in_state(self, store: Store, state: SidecarState, limit: int) -> list[SidecarRow]:
        return self._rows(store, lambda body: body["row"]["state"] == state, limit)

    def counts(self, store: Store) -> dict[tuple[SidecarState, str], int]:
        found: dict[tuple[SidecarState, str], int] = {}
        for body in self._bodies(store):
            key = (SidecarState(body["row"]["state"]), body["row"]["reason"])
            found[key] = found.get(key, 0) + 1
        return found

    def is_empty(self, store: Store) -> bool:
        return not self._bodies(store)


def _key(number: int) -> str:
    return f"{number:020}"


def _row(body: Any) -> SidecarRow:
    known = body["row"]
    return replace(
        SidecarRow(**{**known, "ties": ties_from(known["ties"])}),
        state=SidecarState(known["state"]),
        identifiers=tuple((kind, value) for kind, value in known["identifiers"]),
        studies=tuple(known["studies"]),
        made=tuple(Made(*each) for each in known["made"]),
    )


class DocumentStudies:
    """Implements `daemon.store.sidecar_rows.StudyRows`."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def _instances(self, store: Store) -> list[Any]:
        found = self._documents.all("instance")
        return [each for each in found if each["indexed"]["store_id"] == store.id]

    def _with(self, store: Store, passes: Callable[[Any], bool]) -> list[str]:
        return sorted(
            {b["indexed"]["study_uid"] for b in self._instances(store) if passes(b["stored"])}
        )

    def with_uid(self, store: Store, uid: str) -> list[str]:
        names = ("study_uid", "series_uid", "sop_instance_uid")
        return self._with(store, lambda stored: uid in [stored[name] for name in names])

    def with_accession(self, store: Store, accession: str) -> list[str]:
        return self._with(store, lambda s: s["keys"].get("AccessionNumber") == accession)

    def with_patient_id(self, store: Store, patient_id: str) -> list[str]:
        return self._with(store, lambda s: s["keys"].get("PatientID") == patient_id)

    def of_patient(self, store: Store, patient: str) -> list[str]:
        known = [b for b in self._documents.all("known") if b["store"] == store.id]
        return sorted({b["study"] for b in known if b["patient"] == patient})

    def get(self, store: Store, study_uid: str) -> StudyRow | None:
        of_study = [b for b in self._instances(store) if b["indexed"]["study_uid"] == study_uid]
        if not of_study:
            return None
        receipts = [
            self._documents.get("receipt", b["indexed"]["receipt_id"])["receipt"] for b in of_study
        ]
        known = [
            b["patient"]
            for b in self._documents.all("known")
            if (b["store"], b["study"]) == (store.id, study_uid) and b["patient"]
        ]
        drops = {(r["origin"]["drop_folder"], r["origin"]["drop_name"]) for r in receipts}
        return StudyRow(
            study_uid,
            of_study[0]["stored"]["study"].encode(),
            tuple(sorted(set(known))),
            tuple(sorted(self._deidentifiers({r["id"] for r in receipts}))),
            tuple(sorted(drop for drop in drops if drop[0])),
        )

    def _deidentifiers(self, receipts: set[str]) -> set[str]:
        found = [each["indexed"] for each in self._documents.all("instance")]
        return {i["deidentifier"] for i in found if i["receipt_id"] in receipts} - {""}
