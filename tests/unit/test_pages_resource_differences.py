"""Two FHIR resources beside each other, and a result beside its outcome record."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.pages.resource_differences import compare_resources, resource_alone


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"gender": "male"}, {"gender": "male"}, {"Patient.gender": ("male", "male", "kept")}),
        ({"id": "1"}, {"id": "2"}, {"Patient.id": ("1", "2", "changed")}),
        ({"birthDate": "1957"}, {}, {"Patient.birthDate": ("1957", "", "removed")}),
        ({}, {"active": True}, {"Patient.active": ("", "true", "added")}),
        ({"active": False}, {"active": True}, {"Patient.active": ("false", "true", "changed")}),
        (
            {"name": [{"given": ["A", "B"]}, {"family": "C"}]},
            {"name": [{"given": ["A"]}]},
            {
                "Patient.name[0].given[0]": ("A", "A", "kept"),
                "Patient.name[0].given[1]": ("B", "", "removed"),
                "Patient.name[1].family": ("C", "", "removed"),
            },
        ),
        # A null keeps the place of a value that has nothing but an extension (FHIR R4, 2.6.2.3).
        (
            {"given": [None, "B"], "_given": [{"id": "x"}, None]},
            {"given": [None, "B"]},
            {"Patient.given[1]": ("B", "B", "kept"), "Patient._given[0].id": ("x", "", "removed")},
        ),
        ({"sort": 0}, {"sort": 0}, {"Patient.sort": ("0", "0", "kept")}),
        ({"x": {"y": "1"}}, {"x": "2"}, {"Patient.x.y": ("1", "", "removed")}),
    ],
)  # fmt: skip
def test_each_value_has_its_path_and_what_became_of_it(
    before: dict[str, Any], after: dict[str, Any], expected: dict[str, tuple[str, str, str]]
) -> None:
    head = {"resourceType": "Patient"}
    rows = compare_resources(head | before, head | after)[1:]
    assert {row.path: (row.before, row.after, row.change.value) for row in rows} == expected


def test_a_result_alone_tells_what_was_done_and_no_value_of_what_was_there() -> None:
    result = {"resourceType": "Patient", "id": "K", "name": [{"family": "K"}], "gender": "male"}
    outcome = {
        "elements": [
            ["Patient.address", "removed", 2],
            ["Patient.id", "replaced", 1],
            ["Patient.name", "replaced", 1],
        ]
    }
    rows = {row.path: (row.change.value, row.action) for row in resource_alone(result, outcome)}
    assert rows == {
        "Patient.resourceType": ("kept", ""),
        "Patient.id": ("changed", "replaced"),
        "Patient.name[0].family": ("changed", "replaced"),
        "Patient.gender": ("kept", ""),
        "Patient.address": ("removed", "removed 2 times"),
    }
    assert {row.before for row in resource_alone(result, outcome)} == {""}
