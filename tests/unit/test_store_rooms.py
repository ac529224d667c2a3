"""Policy knows no engine: SQL and its connections stay in one room."""

from __future__ import annotations

import re
from pathlib import Path

DAEMON = Path(__file__).parents[2] / "daemon"
SPEAK_SQL = {"store/sqlite", "receive/watch/record.py"}
"""The engine, and the small record of what was taken from a watched folder."""


def test_only_the_engine_imports_sqlite() -> None:
    found = {
        path.relative_to(DAEMON).as_posix()
        for path in DAEMON.rglob("*.py")
        if re.search(r"^\s*(import sqlite|from sqlite)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert found
    assert {name for name in found if not name.startswith(tuple(SPEAK_SQL))} == set()


def test_policy_has_no_words_of_sql() -> None:
    policy = [*(DAEMON / "store").glob("*.py"), *(DAEMON / "store" / "fsck").glob("*.py")]
    words = re.compile(r"\b(SELECT|INSERT INTO|DELETE FROM|PRAGMA|UPDATE \w+ SET)\b")
    assert [path.name for path in policy if words.search(path.read_text("utf-8"))] == []
