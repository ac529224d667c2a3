"""Load the standard's tables once, into plain dicts."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

EDITION = "2026d"

OPTION_COLUMNS = {
    "rtnSafePrivOpt": "retain_safe_private",
    "rtnUIDsOpt": "retain_uids",
    "rtnDevIdOpt": "retain_device_identity",
    "rtnInstIdOpt": "retain_institution_identity",
    "rtnPatCharsOpt": "retain_patient_characteristics",
    "rtnLongFullDatesOpt": "retain_full_dates",
    "rtnLongModifDatesOpt": "retain_modified_dates",
    "cleanDescOpt": "clean_descriptors",
    "cleanStructContOpt": "clean_structured_content",
    "cleanGraphOpt": "clean_graphics",
}


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of PS3.15 Table E.1-1.

    Attributes
    ----------
    tag
        As printed: ``0008,0012``, or a family such as ``60xx,3000``.
    basic
        The Basic Profile's action code: D, Z, X, U or a compound of them.
    options
        Option name (the values of `OPTION_COLUMNS`) to ``K`` or ``C``.
    """

    tag: str
    name: str
    keyword: str
    basic: str
    options: dict[str, str]


@cache
def confidentiality_rows() -> tuple[TableRow, ...]:
    """Return every row of Table E.1-1, families (``50xx``, ``60xx``, private) included."""
    rows = csv.DictReader(_text("e11.csv").splitlines())
    return tuple(
        TableRow(
            row["tag"],
            row["name"],
            row["keyword"],
            row["basic"],
            {name: row[column] for column, name in OPTION_COLUMNS.items() if row[column]},
        )
        for row in rows
    )


@cache
def confidentiality_by_tag() -> dict[int, TableRow]:
    """Return the rows that name one tag, by tag."""
    return {
        int(row.tag.replace(",", ""), 16): row
        for row in confidentiality_rows()
        if len(row.tag) == 9 and "x" not in row.tag
    }


@dataclass(frozen=True, slots=True)
class ContentRow:
    """One row of PS3.15 Table E.3.4-1: a content item by concept name (upper-case scheme, code) and value type.

    `basic` is X, D or X/D; `options` as in `TableRow`.
    """

    scheme: str
    code: str
    value_type: str
    meaning: str
    basic: str
    options: dict[str, str]


@cache
def content_items() -> tuple[ContentRow, ...]:
    """Return the rows of Table E.3.4-1, then those of its retired SNOMED codes (PS3.16 Annex O)."""
    return tuple(
        ContentRow(
            row["coding_scheme"].upper(),
            row["code_value"],
            row["value_type"],
            row["meaning"],
            row["basic"],
            {name: row[column] for column, name in OPTION_COLUMNS.items() if row.get(column)},
        )
        for name in ("structured_content.csv", "structured_content_retired.csv")
        for row in csv.DictReader(_text(name).splitlines())
    )


@cache
def _attribute_types() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(_text("attribute_types.json"))
    return table


@cache
def iods_by_sop_class() -> dict[str, str]:
    """Return the IOD of each SOP class whose attribute types are known (PS3.4 B.5)."""
    return dict(_attribute_types()["sop_classes"])


@cache
def attribute_types(sop_class_uid: str) -> dict[tuple[int, int], int] | None:
    """Return ``(parent sequence tag or 0, tag) -> 1 or 2`` for a SOP class; None if its IOD is unknown.

    1 stands for Types 1 and 1C, 2 for 2 and 2C (PS3.5 7.4). What is absent is Type 3 or not in the IOD.
    Functional group macros are listed under their own sequences.
    """
    table = _attribute_types()
    iod = table["sop_classes"].get(sop_class_uid)
    if iod is None:
        return None
    types: dict[tuple[int, int], int] = {}
    for module in table["iods"].get(iod, ()):
        for parent, attributes in table["modules"].get(module, {}).items():
            parent_tag = int(parent, 16) if parent else 0
            for tag, strength in attributes.items():
                key = (parent_tag, int(tag, 16))
                types[key] = min(strength, types.get(key, 9))
    return types


@cache
def safe_private_elements() -> dict[tuple[str, int, int], str]:
    """Return ``(creator, group, element in its block) -> VR`` of Table E.3.10-1 (VR may be empty)."""
    return {
        (row["creator"], int(row["group"], 16), int(row["element"], 16)): row["vr"]
        for row in csv.DictReader(_text("safe_private.csv").splitlines())
    }


@cache
def burned_in_likely() -> tuple[frozenset[str], frozenset[str]]:
    """Return the SOP Class UIDs and the modalities whose pixels are likely to carry text."""
    rows = list(csv.DictReader(_text("burned_in.csv").splitlines()))
    return (
        frozenset(row["value"] for row in rows if row["kind"] == "sop_class"),
        frozenset(row["value"] for row in rows if row["kind"] == "modality"),
    )


def _text(name: str) -> str:
    return (files("deid.tables") / name).read_text(encoding="utf-8")
