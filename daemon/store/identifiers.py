"""What the source store knows of the people of a study, for the workers that clean its instances.

The daemon writes it with the index (`daemon.store.sqlite.indexing`); a worker is another process and reads the
database by itself, the instance at hand being the only one that it otherwise sees. Instances of a study that
are processed at the same time do not know each other yet: what is known only grows.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from daemon.store.sqlite.connections import connect, translated
from deid import KnownIdentifier

if TYPE_CHECKING:
    from pathlib import Path


class StudyIdentifiers:
    """Identifiers by study; a connection is opened when the first study is asked for."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._connection: sqlite3.Connection | None = None

    def of(self, study_uid: str) -> tuple[KnownIdentifier, ...]:
        """Return what headers of a study's instances told so far.

        Raises
        ------
        StoreUnavailable
            When the database cannot be read now.
        """
        try:
            if self._connection is None:
                self._connection = connect(self._database, query_only=True)
            rows = self._connection.execute(
                "SELECT k.value, k.info_type FROM source_identifiers k"
                " JOIN source_studies s ON s.id = k.study_id WHERE s.StudyInstanceUID = ?",
                (study_uid,),
            ).fetchall()
        except sqlite3.Error as error:
            raise translated(error) from error
        return tuple(KnownIdentifier(*row) for row in rows)
