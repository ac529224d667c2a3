"""The standard's tables as data: pinned by checksum, and held against copies that were made independently.

A row that is lost from a table is lost from every test that asks the table what to expect; this one does not.
The copies in ``tests/standard`` are not made from ``deid/tables``. When an edition changes, both are changed.
"""

from __future__ import annotations

import csv
from hashlib import sha256
from pathlib import Path

import pytest

TABLES = Path(__file__).resolve().parents[2] / "deid" / "tables"
COPIES = Path(__file__).resolve().parents[1] / "standard"
LATER = {"e11": {"3004,007F"}}
"""Rows of an edition after the copy's, by their first column."""


def rows(path: Path) -> dict[tuple[str, ...], tuple[str, ...]]:
    with path.open(newline="", encoding="utf-8") as file:
        head, *found = [tuple(row) for row in csv.reader(file)]
    keys = 3 if head[0] in {"creator", "coding_scheme"} else 1
    by_key = {row[:keys]: row for row in found}
    assert len(by_key) == len(found), "a key stands twice"
    return by_key


@pytest.mark.parametrize("name", sorted(path.stem for path in COPIES.glob("*.csv")))
def test_a_table_is_what_the_independent_copy_is(name: str) -> None:
    ours, copy = rows(TABLES / f"{name}.csv"), rows(COPIES / f"{name}.csv")
    assert {key[0] for key in ours.keys() - copy.keys()} == LATER.get(name, set())
    assert copy.keys() - ours.keys() == set()
    assert {key: row for key, row in ours.items() if key in copy} == copy


@pytest.mark.parametrize(
    ("name", "checksum"),
    [
        ("attributes.csv", "be66161f99866464"),
        ("e11.csv", "4d7ddedfe656769c"),
        ("safe_private.csv", "74f1d78224e61d23"),
        ("structured_content.csv", "b0e054feb53578ab"),
        ("structured_content_retired.csv", "aa123641df0b2767"),
        ("transfer_syntaxes.csv", "6ae7d89f28a3eb9e"),
        ("uids.csv", "cafa3852b8e326b1"),
    ],
)
def test_a_table_does_not_change_unnoticed(name: str, checksum: str) -> None:
    found = sha256((TABLES / name).read_bytes()).hexdigest()[:16]
    assert found == checksum, f"{name} is {found} now: if that is meant, pin it here"


def test_what_identifies_by_itself_is_in_the_table() -> None:
    """Rows whose loss no other test saw."""
    actions = {row[2]: row[4] for row in rows(TABLES / "e11.csv").values()}
    assert actions["PatientName"] == "Z"
    assert actions["PatientSex"] == "Z"
    assert actions["EthnicGroup"] == "X"
    assert actions["StationName"] == "X/Z/D"
    assert actions["AcquisitionDeviceProcessingDescription"] == "X/D"
