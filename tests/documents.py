"""JSON documents by kind and key, of which `tests.document_engine` makes everything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3


class Documents:
    """JSON documents by kind and key; everything else here is made of these."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def get(self, kind: str, key: str) -> Any:
        row = self.connection.execute(
            "SELECT body FROM documents WHERE kind = ? AND key = ?", (kind, key)
        ).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, kind: str, key: str, body: Any) -> None:
        self.connection.execute(
            "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (kind, key, json.dumps(body))
        )

    def delete(self, kind: str, key: str) -> None:
        self.connection.execute("DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key))

    def all(self, kind: str) -> list[Any]:
        rows = self.connection.execute(
            "SELECT body FROM documents WHERE kind = ? ORDER BY key", (kind,)
        )
        return [json.loads(body) for (body,) in rows.fetchall()]

    def next_number(self, of: str) -> int:
        number = int(self.get("number", of) or 0) + 1
        self.put("number", of, number)
        return number
