"""Outputs stay the same, byte for byte, unless a commit says which change and why."""

from __future__ import annotations

from tests.digests import table, written


def test_no_output_changes_unnoticed() -> None:
    before = {row["instance"]: row for row in written()}
    now = {row["instance"]: row for row in table()}

    assert now.keys() == before.keys()
    assert {name: row for name, row in now.items() if row != before[name]} == {}
