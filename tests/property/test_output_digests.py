"""Outputs stay the same, byte for byte, unless a commit says which change and why."""

from __future__ import annotations

import pytest

from tests.digests import table, written


@pytest.mark.timeout(900)  # half a minute of work, which a machine of many makes ten
def test_no_output_changes_unnoticed() -> None:
    before = {row["instance"]: row for row in written()}
    now = {row["instance"]: row for row in table()}

    assert now.keys() == before.keys()
    assert {name: row for name, row in now.items() if row != before[name]} == {}
