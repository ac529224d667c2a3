"""Received resources on their way, and the studies that they belong to, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Unpack

import orjson

from daemon.pipeline.fhir_messages import ties_document, ties_from
from daemon.store.sidecar_rows import KeyKind, Made, SidecarRow, SidecarState, StudyRow
from daemon.store.sqlite import packing
from dicomweb.attributes import normalise

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from daemon.store.rows import Store
    from daemon.store.sidecar_rows import SidecarChange
    from deid.fhir.ties import Ties

_ROW: Final = (
    "SELECT s.*, r.type, r.fhir_id FROM fhir_sidecars s JOIN fhir_resources r ON r.id = s.resource"
)
_COLUMN_OF: Final = {"where": "where_"}


class SidecarTables:
    """Implements `daemon.store.sidecar_rows.SidecarRows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, store: Store, row: SidecarRow) -> None:
        """Write a row in place of an earlier one, and let it be looked at."""
        self._connection.execute(
            "INSERT OR REPLACE INTO fhir_sidecars (resource, store_id, version, received_at, drop_folder,"
            " drop_name, stated_ms, ties, identifiers, state, reason, where_, studies, patient, wanted,"
            " made_of, made, kills, is_marked)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
            (
                row.number,
                store.id,
                row.version,
                row.received_at,
                row.drop_folder,
                row.drop_name,
                row.stated_ms,
                orjson.dumps(ties_document(row.ties)),
                orjson.dumps(row.identifiers),
                row.state.value,
                row.reason,
                row.where,
                orjson.dumps(row.studies).decode(),
                row.patient,
                row.wanted,
                row.made_of,
                _made(row.made),
                row.kills,
            ),
        )
        self._connection.execute(
            "DELETE FROM fhir_keys WHERE resource = ? AND kind <> ?",
            (row.number, KeyKind.STUDY.value),
        )
        self._connection.executemany(
            "INSERT OR IGNORE INTO fhir_keys (store_id, kind, value, resource) VALUES (?, ?, ?, ?)",
            [(store.id, kind.value, value, row.number) for kind, value in keys_of(row.ties)],
        )

    def get(self, store: Store, number: int) -> SidecarRow | None:
        """Return a row."""
        found = self._some(f"{_ROW} WHERE s.resource = ? AND s.store_id = ?", number, store.id)
        return found[0] if found else None

    def change(self, number: int, **changes: Unpack[SidecarChange]) -> None:
        """Change what is named."""
        given: dict[str, Any] = {**changes}
        if "studies" in given:
            given["studies"] = orjson.dumps(given["studies"]).decode()
        if "made" in given:
            given["made"] = _made(given["made"])
        columns = ", ".join(f"{_COLUMN_OF.get(name, name)} = ?" for name in given)
        self._connection.execute(
            f"UPDATE fhir_sidecars SET {columns} WHERE resource = ?",  # noqa: S608 - names of a typed dictionary
            (*given.values(), number),
        )

    def tie(self, store: Store, number: int, studies: Sequence[str]) -> None:
        """Let a resource be found by these studies, and no others."""
        self._connection.execute(
            "DELETE FROM fhir_keys WHERE resource = ? AND kind = ?", (number, KeyKind.STUDY.value)
        )
        self._connection.executemany(
            "INSERT INTO fhir_keys (store_id, kind, value, resource) VALUES (?, ?, ?, ?)",
            [(store.id, KeyKind.STUDY.value, study, number) for study in studies],
        )

    def outcome(self, number: int) -> bytes:
        """Return what was done to a resource."""
        row = self._connection.execute(
            "SELECT packed FROM fhir_outcomes WHERE resource = ?", (number,)
        ).fetchone()
        return b"" if row is None else packing.unpack(row[0], packing.OUTCOME)

    def set_outcome(self, number: int, outcome: bytes) -> None:
        """Keep what was done in place of an earlier record."""
        self._connection.execute("DELETE FROM fhir_outcomes WHERE resource = ?", (number,))
        if outcome:
            self._connection.execute(
                "INSERT INTO fhir_outcomes (resource, packed) VALUES (?, ?)",
                (number, packing.pack(outcome, packing.OUTCOME)),
            )

    def remove(self, number: int) -> None:
        """Forget a row, and what was done."""
        for table in ("fhir_keys", "fhir_outcomes", "fhir_sidecars"):
            self._connection.execute(f"DELETE FROM {table} WHERE resource = ?", (number,))  # noqa: S608 - fixed names

    def mark(self, numbers: Sequence[int]) -> None:
        """Let rows be looked at."""
        self._mark(numbers, 1)

    def unmark(self, numbers: Sequence[int]) -> None:
        """Note that rows were looked at."""
        self._mark(numbers, 0)

    def _mark(self, numbers: Sequence[int], mark: int) -> None:
        self._connection.executemany(
            "UPDATE fhir_sidecars SET is_marked = ? WHERE resource = ? AND is_marked <> ?",
            [(mark, number, mark) for number in numbers],
        )

    def mark_all(self, store: Store) -> None:
        """Let every row be looked at."""
        self._connection.execute(
            "UPDATE fhir_sidecars SET is_marked = 1 WHERE store_id = ?", (store.id,)
        )

    def marked(self, store: Store, limit: int) -> list[int]:
        """Return rows that are to be looked at, in the order of storing."""
        return self._numbers(
            "SELECT resource FROM fhir_sidecars WHERE store_id = ? AND is_marked = 1"
            " ORDER BY resource LIMIT ?",
            store.id,
            limit,
        )

    def having(self, store: Store, kind: KeyKind, value: str) -> list[int]:
        """Return the rows with a key, in the order of storing."""
        return self._numbers(
            "SELECT resource FROM fhir_keys WHERE store_id = ? AND kind = ? AND value = ?"
            " ORDER BY resource",
            store.id,
            kind.value,
            value,
        )

    def studies_of_those_having(self, store: Store, kind: KeyKind, value: str) -> list[str]:
        """Return the studies that the rows with a key are tied to, each once, in order."""
        rows = self._connection.execute(
            "SELECT DISTINCT t.value FROM fhir_keys k JOIN fhir_keys t"
            " ON t.resource = k.resource AND t.kind = 'study'"
            " WHERE k.store_id = ? AND k.kind = ? AND k.value = ? ORDER BY t.value",
            (store.id, kind.value, value),
        )
        return [row[0] for row in rows]

    def due(self, store: Store, now: float, limit: int) -> list[SidecarRow]:
        """Return rows that are ready and whose time has come."""
        return self._some(
            f"{_ROW} WHERE s.store_id = ? AND s.state = 'ready' AND s.not_before <= ?"
            " ORDER BY s.resource LIMIT ?",
            store.id,
            now,
            limit,
        )

    def waiting_since(self, store: Store, before: float, limit: int) -> list[SidecarRow]:
        """Return rows that have waited for a study since before that time."""
        return self._some(
            f"{_ROW} WHERE s.store_id = ? AND s.state = 'waiting' AND s.received_at < ?"
            " ORDER BY s.resource LIMIT ?",
            store.id,
            before,
            limit,
        )

    def in_state(self, store: Store, state: SidecarState, limit: int) -> list[SidecarRow]:
        """Return rows in a state, in the order of storing."""
        return self._some(
            f"{_ROW} WHERE s.store_id = ? AND s.state = ? ORDER BY s.resource LIMIT ?",
            store.id,
            state.value,
            limit,
        )

    def counts(self, store: Store) -> dict[tuple[SidecarState, str], int]:
        """Return how many there are, by state and reason."""
        rows = self._connection.execute(
            "SELECT state, reason, count(*) FROM fhir_sidecars WHERE store_id = ? GROUP BY 1, 2",
            (store.id,),
        )
        return {(SidecarState(state), reason): count for state, reason, count in rows}

    def is_empty(self, store: Store) -> bool:
        """Tell whether there is none."""
        return not self._numbers(
            "SELECT resource FROM fhir_sidecars WHERE store_id = ? LIMIT 1", store.id
        )

    def _numbers(self, sql: str, *values: object) -> list[int]:
        return [number for (number,) in self._connection.execute(sql, values)]

    def _some(self, sql: str, *values: object) -> list[SidecarRow]:
        return [
            SidecarRow(
                row["resource"],
                row["type"],
                row["fhir_id"],
                row["version"],
                row["received_at"],
                row["drop_folder"],
                row["drop_name"],
                row["stated_ms"],
                ties_from(orjson.loads(row["ties"])),
                tuple((kind, value) for kind, value in orjson.loads(row["identifiers"])),
                SidecarState(row["state"]),
                row["reason"],
                row["where_"],
                tuple(orjson.loads(row["studies"])),
                row["patient"],
                row["wanted"],
                row["made_of"],
                tuple(Made(*each) for each in orjson.loads(row["made"])),
                row["kills"],
            )
            for row in self._connection.execute(sql, values)
        ]


def _made(made: Sequence[Made]) -> str:
    return orjson.dumps([[*each] for each in made]).decode()


def keys_of(ties: Ties) -> Iterator[tuple[KeyKind, str]]:
    """Yield what a resource is found by."""
    yield from ((KeyKind.UID, uid) for uid in sorted(ties.uids))
    yield from ((KeyKind.ACCESSION, each.value) for each in ties.accessions)
    yield from ((KeyKind.PATIENT, each.value) for each in ties.patient_identifiers)
    yield from ((KeyKind.ADDRESS, each) for each in ties.addresses)
    yield from ((KeyKind.REFERENCE, each) for each in ties.references)
    yield from ((KeyKind.IDENTIFIER, f"{ties.type}|{each.value}") for each in ties.identifiers)
    yield from ((KeyKind.SEARCH, f"{kind}|{value}") for kind, _, value in ties.searches)


class StudyTables:
    """Implements `daemon.store.sidecar_rows.StudyRows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def with_uid(self, store: Store, uid: str) -> list[str]:
        """Return the studies that are called so, or have a series or an instance that is."""
        return self._uids(
            "SELECT StudyInstanceUID FROM studies WHERE store_id = ?1 AND StudyInstanceUID = ?2"
            " UNION SELECT t.StudyInstanceUID FROM series e JOIN studies t ON t.id = e.study_id"
            " WHERE e.store_id = ?1 AND e.SeriesInstanceUID = ?2"
            " UNION SELECT t.StudyInstanceUID FROM instances i JOIN studies t ON t.id = i.study_id"
            " WHERE i.store_id = ?1 AND i.SOPInstanceUID = ?2",
            store.id,
            uid,
        )

    def with_accession(self, store: Store, accession: str) -> list[str]:
        """Return the studies with an accession number."""
        return self._uids(
            "SELECT StudyInstanceUID FROM studies WHERE store_id = ? AND AccessionNumber = ?",
            store.id,
            normalise("AccessionNumber", accession),
        )

    def with_patient_id(self, store: Store, patient_id: str) -> list[str]:
        """Return the studies with a Patient ID."""
        return self._uids(
            "SELECT StudyInstanceUID FROM studies WHERE store_id = ? AND PatientID = ?",
            store.id,
            normalise("PatientID", patient_id),
        )

    def of_patient(self, store: Store, patient: str) -> list[str]:
        """Return the studies that name a patient."""
        return self._uids(
            "SELECT study_uid FROM study_patients WHERE store_id = ? AND patient = ?",
            store.id,
            patient,
        )

    def get(self, store: Store, study_uid: str) -> StudyRow | None:
        """Return a study."""
        row = self._connection.execute(
            "SELECT t.id, j.attributes FROM studies t JOIN study_json j ON j.id = t.id"
            " WHERE t.store_id = ? AND t.StudyInstanceUID = ?",
            (store.id, study_uid),
        ).fetchone()
        if row is None:
            return None
        patients = self._connection.execute(
            "SELECT patient FROM study_patients WHERE store_id = ? AND study_uid = ? AND patient <> ''"
            " ORDER BY 1",
            (store.id, study_uid),
        )
        receipts = self._connection.execute(
            "SELECT DISTINCT o.deidentifier, r.drop_folder, r.drop_name"
            " FROM series e JOIN instances i ON i.series_id = e.id JOIN receipts r ON r.id = i.receipt_id"
            " LEFT JOIN instances o ON o.receipt_id = r.id AND o.store_id <> i.store_id"
            " WHERE e.study_id = ?",
            (row["id"],),
        ).fetchall()
        return StudyRow(
            study_uid,
            row["attributes"],
            tuple(patient for (patient,) in patients),
            tuple(sorted({name for name, _, _ in receipts if name})),
            tuple(sorted({(folder, name) for _, folder, name in receipts if folder})),
        )

    def _uids(self, sql: str, *values: object) -> list[str]:
        return sorted(uid for (uid,) in self._connection.execute(sql, values))
