"""A resource changed by a JSON Patch: RFC 6902, and what FHIR asks of the result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from daemon.pipeline.fhir_patching import read_patched
from daemon.resources import PATCH_CONFLICT, PATCH_MALFORMED

if TYPE_CHECKING:
    from daemon.resources import ReadDocument

RESOURCE = (
    b'{"resourceType":"Patient","id":"p","meta":{"versionId":"3","lastUpdated":"2024-01-01T00:00:00Z",'
    b'"profile":["urn:a"]},"active":true,"name":[{"family":"A","given":["B","C"]},{"family":"D"}],'
    b'"multipleBirthInteger":2,"extension":[{"url":"urn:m/~x","valueDecimal":1.50}]}'
)


def patched(*operations: object, resource: bytes = RESOURCE) -> ReadDocument:
    return read_patched(resource, json.dumps(operations).encode())


def rest(document: ReadDocument) -> dict[str, Any]:
    assert document.reason == ""
    read = document.entries[0].resource
    assert read is not None
    made: dict[str, Any] = json.loads(b"{" + read.content.rest + b"}")
    return made


def names(*operations: object) -> object:
    return rest(patched(*operations)).get("name")


def op(name: str, path: str, **members: object) -> dict[str, object]:
    return {"op": name, "path": path, **members}


def test_each_operation_does_what_the_rfc_says() -> None:
    a, d = {"family": "A", "given": ["B", "C"]}, {"family": "D"}
    new = {"family": "N"}
    assert names(op("add", "/name/0", value=new)) == [new, a, d]
    assert names(op("add", "/name/2", value=new)) == [a, d, new]
    assert names(op("add", "/name/-", value=new)) == [a, d, new]
    assert names(op("add", "/name/1/use", value="old")) == [a, {**d, "use": "old"}]
    assert names(op("add", "/name/1/family", value="E")) == [a, {"family": "E"}]
    assert names(op("remove", "/name/0/given/1")) == [{**a, "given": ["B"]}, d]
    assert names(op("remove", "/name")) is None
    assert names(op("replace", "/name/0/given/0", value="X")) == [{**a, "given": ["X", "C"]}, d]
    assert names(op("replace", "/name", value=[new])) == [new]
    assert names(op("move", "/name/0", **{"from": "/name/1"})) == [d, a]
    assert names(op("move", "/name/1/text", **{"from": "/name/0/family"})) == [
        {"given": ["B", "C"]},
        {**d, "text": "A"},
    ]
    assert names(op("copy", "/name/-", **{"from": "/name/0"})) == [a, d, a]
    assert names(op("test", "/name/0/given", value=["B", "C"])) == [a, d]
    assert names() == [a, d]


def test_a_copy_is_not_what_it_was_copied_from() -> None:
    made = names(
        op("copy", "/name/-", **{"from": "/name/1"}), op("replace", "/name/1/family", value="E")
    )
    assert made == [{"family": "A", "given": ["B", "C"]}, {"family": "E"}, {"family": "D"}]


def test_numbers_stay_as_they_were_written_and_are_compared_by_what_they_are() -> None:
    document = patched(
        op("test", "/extension/0/valueDecimal", value=1.5),
        op("test", "/multipleBirthInteger", value=2.0),
        op("replace", "/active", value=False),
    )
    read = document.entries[0].resource
    assert read is not None
    assert b'"valueDecimal":1.50' in read.content.rest
    given = b'[{"op":"add","path":"/extension/-","value":{"url":"u","valueDecimal":2.500}}]'
    read = read_patched(RESOURCE, given).entries[0].resource
    assert read is not None
    assert b'"valueDecimal":2.500' in read.content.rest


def test_names_with_slashes_and_tildes_are_found() -> None:
    resource = b'{"resourceType":"Basic","id":"b","a/b":{"m~n":1}}'
    made = rest(patched(op("replace", "/a~1b/m~0n", value=2), resource=resource))
    assert made == {"a/b": {"m~n": 2}}


def test_the_whole_may_be_replaced_by_another_of_its_kind() -> None:
    whole = {"resourceType": "Patient", "id": "p", "gender": "other"}
    assert rest(patched(op("replace", "", value=whole))) == {"gender": "other"}


def test_what_a_version_is_called_is_not_for_a_patch_to_say() -> None:
    read = (
        patched(
            op("test", "/meta/versionId", value="3"), op("replace", "/meta/versionId", value="9")
        )
        .entries[0]
        .resource
    )
    assert read is not None
    assert read.content.meta == b'"profile":["urn:a"]'
    assert read.stated_ms == 0


@pytest.mark.parametrize(
    "operation",
    [
        op("test", "/active", value=False),
        op("test", "/active", value=1),
        op("test", "/name/0/given", value=["C", "B"]),
        op("test", "/name/1", value={"family": "D", "use": "old"}),
        op("test", "/multipleBirthInteger", value="2"),
        op("test", "/nothing", value=None),
        op("remove", "/nothing"),
        op("remove", "/name/2"),
        op("remove", "/name/-"),
        op("remove", "/name/01"),
        op("remove", "/name/\u0660"),
        op("remove", "/active/x"),
        op("replace", "/nothing", value=1),
        op("replace", "/name/2", value={}),
        op("add", "/name/3", value={}),
        op("add", "/nothing/x", value=1),
        op("add", "/active/x", value=1),
        op("move", "/name/0", **{"from": "/nothing"}),
        op("copy", "/name/0", **{"from": "/name/7"}),
    ],
)
def test_what_does_not_fit_the_resource_is_a_conflict(operation: dict[str, object]) -> None:
    document = patched(op("add", "/gender", value="other"), operation)
    assert (document.reason, document.where) == (PATCH_CONFLICT, "operation 2")


@pytest.mark.parametrize(
    "patch",
    [
        b"{}",
        b'"x"',
        b"[1]",
        b"[[]]",
        b'[{"op":"add"}]',
        b'[{"op":"add","path":"/active"}]',
        b'[{"op":"test","path":"/active"}]',
        b'[{"op":"replace","path":"/active"}]',
        b'[{"op":"move","path":"/active"}]',
        b'[{"op":"copy","path":"/active","from":7}]',
        b'[{"op":"merge","path":"/active","value":1}]',
        b'[{"path":"/active","value":1}]',
        b'[{"op":["add"],"path":"/active","value":1}]',
        b'[{"op":"add","path":"active","value":1}]',
        b'[{"op":"add","path":7,"value":1}]',
        b'[{"op":"add","path":"/a~2","value":1}]',
        b'[{"op":"move","from":"/name","path":"/name/0"}]',
        b'[],"id":[]',
        b"[" + b",".join([b'{"op":"test","path":"/active","value":true}'] * 1001) + b"]",
    ],
)
def test_what_is_no_patch_is_malformed(patch: bytes) -> None:
    assert read_patched(RESOURCE, patch).reason == PATCH_MALFORMED


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        (b'[{"op":"remove","path":""}]', "not_fhir"),
        (b'[{"op":"replace","path":"","value":[]}]', "not_fhir"),
        (b'[{"op":"remove","path":"/resourceType"}]', "not_fhir"),
        (b'[{"op":"replace","path":"/meta","value":"x"}]', "malformed"),
        (b'[{"op":"replace","path":"/id","value":{}}]', "malformed"),
    ],
)
def test_what_makes_no_resource_is_refused_for_what_it_is(patch: bytes, reason: str) -> None:
    assert read_patched(RESOURCE, patch).reason == reason


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        (b"[", "malformed"),
        (b"\xff\xfe[\0]\0", "character_encoding"),
        (b'[{"op":"add","op":"remove","path":"/active"}]', "duplicate_name"),
        (b'[{"op":"add","path":"/a","value":1234567890123456789012}]', "number_refused"),
        (b'[{"op":"add","path":"/a","value":' + b"[" * 90 + b"]" * 90 + b"}]", "nesting_too_deep"),
    ],
)
def test_what_is_no_json_is_no_patch(patch: bytes, reason: str) -> None:
    document = read_patched(RESOURCE, patch)
    assert (document.reason, document.where) == (PATCH_MALFORMED, reason)


def test_copies_of_copies_end() -> None:
    doubling = [op("copy", "/name/-", **{"from": "/name"})] * 40
    assert patched(*doubling).reason == "nesting_too_deep"
    flat = [op("copy", f"/x{at}", **{"from": ""}) for at in range(40)]
    assert patched(*flat).reason == "nesting_too_deep"
