"""What headers of source instances tell of people, by study and by patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from daemon.store.rows import Identifier, Store


class IdentifierTable:
    """Implements `daemon.store.ports.IdentifierRows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(
        self, store: Store, study_uid: str, patient: str, identifiers: Sequence[Identifier]
    ) -> None:
        """Remember identifiers under a study, and under a patient unless that is empty."""
        if patient:
            self._connection.execute(
                "INSERT OR IGNORE INTO study_patients (store_id, study_uid, patient) VALUES (?, ?, ?)",
                (store.id, study_uid, patient),
            )
        self._connection.executemany(
            "INSERT OR IGNORE INTO identifiers (store_id, subject, info_type, value)"
            " VALUES (?, ?, ?, ?)",
            [
                (store.id, subject, *identifier)
                for subject in _subjects(study_uid, patient)
                for identifier in identifiers
            ],
        )

    def note_unnamed(self, store: Store, study_uid: str) -> None:
        """Remember that an instance of a study has no Patient ID, by a row without a patient."""
        self._connection.execute(
            "INSERT OR IGNORE INTO study_patients (store_id, study_uid, patient) VALUES (?, ?, '')",
            (store.id, study_uid),
        )

    def known(self, store: Store, study_uid: str, patient: str, limit: int) -> list[Identifier]:
        """Return at most so many different identifiers of a study and of a patient."""
        subjects = _subjects(study_uid, patient)
        marks = ", ".join("?" * len(subjects))
        rows = self._connection.execute(
            "SELECT DISTINCT info_type, value FROM identifiers"  # noqa: S608 - marks only
            f" WHERE store_id = ? AND subject IN ({marks}) LIMIT ?",
            (store.id, *subjects, limit),
        )
        return [(info_type, value) for info_type, value in rows]

    def forget_study(self, store: Store, study_uid: str) -> None:
        """Forget what is known of a study, and of its patients that no other study names."""
        patients = self._connection.execute(
            "DELETE FROM study_patients WHERE store_id = ? AND study_uid = ? RETURNING patient",
            (store.id, study_uid),
        ).fetchall()
        self._forget(store, f"study:{study_uid}")
        for (patient,) in patients:
            others = self._connection.execute(
                "SELECT 1 FROM study_patients WHERE store_id = ? AND patient = ? LIMIT 1",
                (store.id, patient),
            )
            if others.fetchone() is None:
                self._forget(store, f"patient:{patient}")

    def divided(self, store: Store) -> tuple[int, int]:
        """Return how many studies name more than one patient, and how many Patient IDs several issuers gave.

        A study that names one in some instances and none in others counts, too. An identity is the length
        of the issuer, the issuer and the Patient ID, with strokes between them.
        """
        [(studies,)] = self._connection.execute(
            "SELECT COUNT(*) FROM (SELECT 1 FROM study_patients WHERE store_id = ?"
            " GROUP BY study_uid HAVING COUNT(*) > 1)",
            (store.id,),
        )
        [(patient_ids,)] = self._connection.execute(
            "SELECT COUNT(*) FROM (SELECT 1 FROM (SELECT DISTINCT patient FROM study_patients"
            " WHERE store_id = ? AND CAST(patient AS INTEGER) > 0) GROUP BY"
            " substr(patient, instr(patient, '|') + CAST(patient AS INTEGER) + 2) HAVING COUNT(*) > 1)",
            (store.id,),
        )
        return studies, patient_ids

    def _forget(self, store: Store, subject: str) -> None:
        self._connection.execute(
            "DELETE FROM identifiers WHERE store_id = ? AND subject = ?", (store.id, subject)
        )


def _subjects(study_uid: str, patient: str) -> list[str]:
    return [f"study:{study_uid}", *([f"patient:{patient}"] if patient else [])]
