"""Two headers beside each other, and a result beside its outcome record."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.pages.differences import Change, compare, result_alone


def text(value: str, vr: str = "LO") -> dict[str, Any]:
    return {"vr": vr, "Value": [value]} if value else {"vr": vr}


def sequence(*items: dict[str, Any]) -> dict[str, Any]:
    return {"vr": "SQ", "Value": list(items)}


def became(before: dict[str, Any], after: dict[str, Any]) -> dict[str, str]:
    return {row.path: row.change.value for row in compare(before, after)}


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (text("A"), text("A"), Change.KEPT),
        (text("A"), text("B"), Change.CHANGED),
        (text("A"), text(""), Change.CHANGED),
        (text(""), text(""), Change.KEPT),
        ({"vr": "LO", "Value": []}, text(""), Change.KEPT),
        (text("A"), text("A", "SH"), Change.CHANGED),
        (text("A"), None, Change.REMOVED),
        (None, text("A"), Change.ADDED),
        ({"vr": "OB", "InlineBinary": "AAAA"}, {"vr": "OB", "InlineBinary": "AAAA"}, Change.KEPT),
        (
            {"vr": "OB", "InlineBinary": "AAAA"},
            {"vr": "OB", "InlineBinary": "AAAB"},
            Change.CHANGED,
        ),
        # The address names the instance; whether the bytes are the same, the pictures show.
        ({"vr": "OW", "BulkDataURI": "a"}, {"vr": "OW", "BulkDataURI": "b"}, Change.KEPT),
    ],
)
def test_an_element_was_kept_changed_removed_or_added(
    before: dict[str, Any] | None, after: dict[str, Any] | None, change: Change
) -> None:
    old = {} if before is None else {"00081010": before}
    new = {} if after is None else {"00081010": after}
    (row,) = compare(old, new)
    assert (row.change, row.path, row.name) == (change, "(0008,1010)", "StationName")


def test_sequences_are_unfolded_at_every_depth_item_beside_item() -> None:
    inner = sequence({"00080104": text("Chest")}, {"00080104": text("Doe")})
    before = {"00400275": sequence({"00400007": text("Doe"), "00081032": inner})}
    after = {"00400275": sequence({"00081032": sequence({"00080104": text("Chest")})})}
    assert became(before, after) == {
        "(0040,0275)": "changed",
        "(0040,0275)[1].(0008,1032)": "changed",
        "(0040,0275)[1].(0008,1032)[1].(0008,0104)": "kept",
        "(0040,0275)[1].(0008,1032)[2].(0008,0104)": "removed",
        "(0040,0275)[1].(0040,0007)": "removed",
    }
    depths = [row.depth for row in compare(before, after)]
    assert depths == [0, 1, 2, 2, 1]


def test_values_are_shown_as_people_read_them() -> None:
    header: dict[str, Any] = {
        "00080008": {"vr": "CS", "Value": ["ORIGINAL", None, "AXIAL"]},
        "00100010": {
            "vr": "PN",
            "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}],
        },
        "00281050": {"vr": "DS", "Value": [40.5, 300]},
        "00080080": {"vr": "LO"},
        "7FE00010": {"vr": "OW", "BulkDataURI": "x"},
        "00081140": {"vr": "SQ"},
        "00204000": text("x" * 1000, "LT"),
    }
    shown = {row.name: row.after for row in compare({}, header)}
    assert shown["ImageType"] == "ORIGINAL\\\\AXIAL"
    assert shown["PatientName"] == "Yamada^Tarou=山田^太郎"
    assert shown["WindowCenter"] == "40.5\\300"
    assert shown["InstitutionName"] == "(empty)"
    assert shown["PixelData"] == "(stored beside the header)"
    assert shown["ReferencedImageSequence"] == "0 items"
    assert len(shown["ImageComments"]) < 500


def test_a_result_alone_tells_what_was_done_and_no_value_of_what_was_there() -> None:
    result = {
        "00080018": text("2.25.1", "UI"),
        "00080060": text("CT", "CS"),
        "00100010": text("", "PN"),
        "00120062": text("YES", "CS"),
        "00400275": sequence({"00400007": text("Chest")}),
    }
    outcome = {
        "elements": [
            ["(0008,0018)", "replaced", 1],
            ["(0008,0080)", "removed", 1],
            ["(0010,0010)", "emptied", 1],
            ["(0012,0062)", "set", 1],
            ["(0040,0007)", "cleaned", 1],
            ["(0040,0275)", "recurse", 1],
            ["(0040,1001)", "removed", 3],
        ]
    }
    rows = {row.path: (row.change.value, row.action) for row in result_alone(result, outcome)}
    assert rows == {
        "(0008,0018)": ("changed", "replaced"),
        "(0008,0060)": ("kept", ""),
        "(0008,0080)": ("removed", "removed"),
        "(0010,0010)": ("changed", "emptied"),
        "(0012,0062)": ("added", "set"),
        "(0040,0275)": ("kept", ""),
        "(0040,0275)[1].(0040,0007)": ("changed", "cleaned"),
        "(0040,1001)": ("removed", "removed 3 times"),
    }
    assert {row.before for row in result_alone(result, outcome)} == {""}


@pytest.mark.parametrize("words", ["patientname", "(0010,", "DOE", "jane"])
def test_a_row_is_found_by_path_keyword_and_both_values(words: str) -> None:
    (row,) = compare({"00100010": text("Doe")}, {"00100010": text("Jane")})
    assert row.has(words)
    assert not row.has("smith")
