"""What workers answer about resources is checked field by field: they parse hostile input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from daemon.pipeline.fhir_messages import (
    document_from,
    document_message,
    retelling_from,
    retelling_message,
    retold_from,
    retold_message,
    sidecar_from,
    sidecar_message,
)
from daemon.pipeline.fhir_reading import read_document, read_sidecar
from daemon.pipeline.messages import MalformedAnswer
from daemon.records import Job, Origin, Receiver
from daemon.resources import (
    BY_COUNT,
    BY_ISSUE,
    Content,
    Retold,
    RetoldResource,
    Span,
    Token,
    ToRetell,
    is_later,
)
from daemon.workers.frames import Message

BUNDLE = (
    b'{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:1","resource":'
    b'{"resourceType":"Patient","id":"a","meta":{"lastUpdated":"2024-01-01T00:00:00Z"},"identifier":'
    b'[{"system":"s","value":"v"}]},"request":{"method":"PUT","url":"Patient/a","ifMatch":"1"}},'
    b'{"resource":{"resourceType":"Observation","effectiveDateTime":"2024","subject":'
    b'{"reference":"urn:uuid:1"}},"request":{"method":"POST","url":"Observation"}}]}'
)
JOB = ToRetell(
    7, "hash one", ("one",), "p", ("Patient/a",), (("PERSON_NAME", "x"),), (b"{}", b"{1}"), b"{2}"
)
CONTENT = Content("Patient", b"m", b"rest", (Token("identifier", "v", "s"),), (Span(1, 2),))
RETOLD = Retold(7, "hash one", (RetoldResource("one", "NEW", CONTENT, b"{}"),))


def test_a_document_comes_through_as_it_was_read() -> None:
    document = read_document(BUNDLE, {})
    assert document.bundle_type == "transaction"
    first, second = (each.resource for each in document.entries)
    assert first is not None
    assert second is not None
    assert (first.stated_ms, second.unresolved) == (1_704_067_200_000, ("urn:uuid:1",))
    assert document_from(document_message(document)) == document


def test_references_are_replaced_where_they_are_resolved() -> None:
    document = read_document(BUNDLE, {"urn:uuid:1": "Patient/new"})
    resource = document.entries[1].resource
    assert resource is not None
    assert b'"reference":"Patient/new"' in resource.content.rest
    assert resource.unresolved == ()
    assert document.entries[0].full_url == "urn:uuid:1"


def test_a_job_and_its_answer_come_through() -> None:
    assert retelling_from(retelling_message(JOB)) == JOB
    assert retold_from(retold_message(RETOLD), JOB) == RETOLD
    refused = Retold(7, "hash one", reason="malformed", where="x")
    assert retold_from(retold_message(refused), JOB) == refused


@pytest.mark.parametrize(
    "answer",
    [
        replace(RETOLD, number=8),
        replace(RETOLD, wanted="other"),
        replace(RETOLD, outputs=()),
        replace(RETOLD, outputs=(*RETOLD.outputs, *RETOLD.outputs)),
        replace(RETOLD, outputs=(RetoldResource("two", "NEW", CONTENT),)),
        replace(RETOLD, outputs=(RetoldResource("one", "../x", CONTENT),)),
        replace(RETOLD, reason="malformed"),
    ],
)
def test_an_answer_that_contradicts_the_job_or_itself_is_none(answer: Retold) -> None:
    with pytest.raises(MalformedAnswer, match="contradiction"):
        retold_from(retold_message(answer), JOB)


def spoilt(message: Message, **changes: Any) -> Message:
    return Message({**message.header, **changes}, message.fields)


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "7"},
        {"reason": None},
        {"outputs": [{"deidentifier": "one", "id": "NEW"}]},
        {
            "outputs": [
                {"deidentifier": "one", "id": "NEW", "content": {"type": "P", "lengths": [9, 99]}}
            ]
        },
        {"outputs": 5},
    ],
)
def test_an_answer_of_other_types_is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedAnswer):
        retold_from(spoilt(retold_message(RETOLD), **changes), JOB)


def test_a_document_of_other_types_is_none() -> None:
    message = document_message(read_document(BUNDLE, {}))
    for changes in ({"entries": [{"full_url": 1}]}, {"bundle_type": 3}, {"entries": None}):
        with pytest.raises(MalformedAnswer):
            document_from(spoilt(message, **changes))
    with pytest.raises(MalformedAnswer):
        document_from(Message(message.header, (b"",)))


def test_the_resources_of_a_file_are_those_of_the_file_that_was_asked_about() -> None:
    job = Job("a" * 32, Origin(Receiver.WATCH), Path("x"), Path("y"))
    document = read_sidecar(b'{"resourceType":"Patient","id":"a"}')
    found = sidecar_from(sidecar_message(job.receipt_id, document), job)
    assert found is not None
    assert found.sidecar == document
    assert sidecar_from(Message({}), job) is None
    for wrong in (
        sidecar_message("b" * 32, document),
        sidecar_message(job.receipt_id, replace(document, reason="malformed")),
        sidecar_message(job.receipt_id, read_sidecar(b"{")),
        sidecar_message(job.receipt_id, replace(document, pieces=1)),
    ):
        with pytest.raises(MalformedAnswer):
            sidecar_from(wrong, job)


@pytest.mark.parametrize(
    ("resource", "stated"),
    [
        (
            {"meta": {"lastUpdated": "2024-01-01T00:00:00Z"}, "issued": "2020-01-01"},
            1_704_067_200_000,
        ),
        (
            {"issued": "2024-01-01T00:00:00Z", "meta": {"versionId": "3"}},
            BY_ISSUE + 1_704_067_200_000,
        ),
        ({"meta": {"versionId": "3"}}, BY_COUNT + 3),
        ({"meta": {"versionId": "abc"}}, 0),
        ({"meta": {"versionId": "03"}}, 0),
        ({"meta": {"lastUpdated": "yesterday"}, "issued": 7}, 0),
        ({"meta": None, "issued": ["2024"]}, 0),
    ],
)
def test_a_version_says_when_it_came_to_be(resource: dict[str, Any], stated: int) -> None:
    body = orjson.dumps({"resourceType": "DiagnosticReport", **resource})
    document = read_document(body, {})
    found = document.entries[0].resource if document.entries else None
    assert (found.stated_ms if found else 0) == stated


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ('[{"resource":{"id":"1"}}]', "not_fhir"),
        ('[{"resource":{"id":"1","resourceType":["Patient"]}}]', "not_fhir"),
        ('[{"resource":{"id":"1","resourceType":{"a":1}}}]', "not_fhir"),
        ('[{"resource":[{"resourceType":"Patient"}]}]', "not_fhir"),
        ('[{"resource":"x"}]', "not_fhir"),
        ('{"resource":{"resourceType":"Patient"}}', "malformed"),
        ("null", "malformed"),
    ],
)
def test_a_bundle_with_what_is_no_resource_is_refused_whole_by_each_door(
    entry: str, reason: str
) -> None:
    body = f'{{"resourceType":"Bundle","type":"batch","entry":{entry}}}'.encode()
    for inside in (body, b'{"resourceType":"Bundle","entry":[{"resource":%s}]}' % body):
        dropped = read_sidecar(inside)
        assert (dropped.reason, dropped.entries) == ("malformed", ())
    posted = read_document(body, {})
    assert (posted.reason, posted.entries) == (reason, ())


def test_a_bundle_of_requests_without_resources_holds_none() -> None:
    body = (
        b'{"resourceType":"Bundle","entry":[{"request":{"method":"DELETE","url":"Patient/1"}},{}]}'
    )
    assert read_sidecar(body).reason == ""
    assert read_sidecar(b'{"resourceType":"Bundle"}').reason == ""


def test_issued_is_of_a_version_in_reports_and_observations_only() -> None:
    body = b'{"resourceType":"Condition","issued":"2024-01-01T00:00:00Z"}'
    found = read_document(body, {}).entries[0].resource
    assert found is not None
    assert found.stated_ms == 0


@pytest.mark.parametrize(
    ("stated", "than", "is_so"),
    [(9, 5, True), (5, 9, False), (5, 5, None), (0, 5, None), (5, 0, None), (BY_ISSUE + 9, 5, None),
     (BY_COUNT + 2, BY_COUNT + 1, True), (BY_ISSUE + 1, BY_ISSUE + 2, False),
     (BY_COUNT + 1, BY_ISSUE + 1, None)],
)  # fmt: skip
def test_only_times_of_one_kind_are_compared(stated: int, than: int, is_so: bool | None) -> None:
    assert is_later(stated, than) is is_so
