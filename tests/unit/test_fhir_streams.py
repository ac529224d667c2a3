"""Large documents come out as small ones do, and in little memory."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from deid import Reason, Unsafe
from deid.fhir import streams
from deid.fhir.context import Context
from deid.fhir.deidentify import deidentify
from deid.fhir.splitting import BundleParts
from deid.fhir.streams import Streamed, deidentify_stream
from deid.identity.identifiers import KnownIdentifier
from tests.benchmarks.fhir_people import people
from tests.benchmarks.fhir_record import record
from tests.fhir_samples import bundle, fhir_plan, resource

if TYPE_CHECKING:
    from deid.fhir.plan import FhirPlan


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take everything for large, and read it in many pieces."""
    monkeypatch.setattr(streams, "SMALL", 200)
    monkeypatch.setattr(streams, "_BATCH", 5_000)
    monkeypatch.setattr("deid.fhir.splitting._CHUNK", 777)


def streamed(
    source: bytes, context: Context | None = None, plan: FhirPlan | None = None
) -> tuple[bytes, Streamed]:
    pieces: list[bytes] = []
    result = deidentify_stream(
        BytesIO(source), pieces.append, plan or fhir_plan(), context or Context()
    )
    return b"".join(pieces), result


def test_a_bundle_comes_out_as_it_does_whole() -> None:
    source = orjson.dumps({**record(120), "timestamp": "2024-01-01T00:00:00Z", "total": 120})
    whole = deidentify(source, fhir_plan())
    content, result = streamed(source)
    assert orjson.loads(content) == orjson.loads(whole.content)
    assert result.pseudonyms == whole.pseudonyms
    actions = dict(whole.outcome.actions)
    assert {key: result.outcome.actions[key] for key in actions if key[0] != "Bundle"} == {
        key: count for key, count in actions.items() if key[0] != "Bundle"
    }


@pytest.mark.parametrize("option", [orjson.OPT_INDENT_2, 0])
def test_how_it_is_written_makes_no_difference(option: int) -> None:
    source = orjson.dumps(record(40), option=option)
    assert orjson.loads(streamed(source)[0]) == orjson.loads(
        deidentify(source, fhir_plan()).content
    )


def test_ndjson_comes_out_as_it_does_whole() -> None:
    lines = [orjson.dumps(each["resource"]) for each in record(120)["entry"]]
    source = b"\n".join(lines) + b"\n"
    whole = deidentify(source, fhir_plan())
    content, _result = streamed(source)
    assert content == whole.content


def test_a_name_that_stands_far_away_is_found() -> None:
    far = [resource("Observation", id=str(index), code={"text": "Heart"}) for index in range(60)]
    subject = {"reference": "Patient/1"}
    last = resource("Observation", id="l", subject=subject, status="final", code={"text": "Head"})
    document = bundle(resource("Patient", id="1", name=[{"family": "Head"}]), *far, last)
    content, result = streamed(orjson.dumps(document))
    assert b'"Head"' not in content
    assert content.count(b'"Heart"') == 60
    assert result.outcome.residuals


def test_patients_found_first_are_known_everywhere() -> None:
    by_number, number = "Patient?identifier=urn:h|7", {"system": "urn:h", "value": "7"}
    order = [
        resource("Observation", subject={"reference": by_number}, effectiveDateTime="2024-01-01"),
        *[resource("Observation", id=f"x{index}") for index in range(80)],
        resource("Patient", id="1", identifier=[number], deceasedDateTime="2024-01-01"),
        resource("Patient", id="2"),
    ]
    new = orjson.loads(streamed(orjson.dumps(bundle(*order)))[0])
    first, patient = new["entry"][0]["resource"], new["entry"][-2]["resource"]
    assert first["effectiveDateTime"] == patient["deceasedDateTime"]


def test_a_large_resource_is_taken_too() -> None:
    one = resource("Observation", id="o", status="final", note=[{"text": "x" * 5000}])
    assert orjson.loads(streamed(orjson.dumps(one))[0])["note"] == [{"text": "REMOVED"}]


def test_a_large_list_is_no_bundle_though_it_has_entries() -> None:
    entries = [{"item": {"reference": f"Patient/{at}"}} for at in range(99)]
    source = orjson.dumps(resource("List", id="l", status="current", mode="working", entry=entries))
    content, result = streamed(source)
    assert content == deidentify(source, fhir_plan()).content
    assert content.count(b'"item"') == 99
    assert (result.type, bool(result.id)) == ("List", True)


SOURCE = orjson.dumps(bundle(*[resource("Patient", id=str(index)) for index in range(30)]))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (SOURCE[:-10], Reason.TRUNCATED),
        (SOURCE[: len(SOURCE) // 2], Reason.TRUNCATED),
        (SOURCE[:-1] + b',"entry":[]}', Reason.DUPLICATE_NAME),
        (SOURCE[:-1] + b',"type":"batch"}', Reason.DUPLICATE_NAME),
        (SOURCE[:-1] + b',"entr\\u0079":[{"a":1}]}', Reason.DUPLICATE_NAME),
        (SOURCE.replace(b'"id":"7"', b'"id":"7","id":"8"'), Reason.DUPLICATE_NAME),
        (SOURCE.replace(b'"id":"7"', b'"id":"7","a":NaN'), Reason.NUMBER_REFUSED),
        (SOURCE + b"x", Reason.MALFORMED),
        (SOURCE.replace(b'"entry"', b'"entr\\u0079"'), Reason.MALFORMED),
        (SOURCE.decode().encode("utf-16"), Reason.CHARACTER_ENCODING),
        (b"\n".join([SOURCE[:600]] * 3), Reason.TRUNCATED),
        (
            orjson.dumps(resource("Patient")) + b'\n{"resourceType":"Patient","id":"' + b"x" * 600,
            Reason.TRUNCATED,
        ),
    ],
)
def test_what_is_refused_whole_is_refused_in_pieces(source: bytes, reason: Reason) -> None:
    with pytest.raises(Unsafe) as refusal:
        streamed(source)
    assert refusal.value.reason is reason


@pytest.mark.parametrize(
    "among",
    [b"[0]", b"[:]", b'["x"]', b"[[{}]]", b"[null]", b"[{},]", b"[{} {}]", b"[,{}]", b"[{},0,{}]"],
)
def test_nothing_but_entries_passes_for_them(among: bytes) -> None:
    source = b'{"resourceType":"Bundle",' + b" " * 900 + b'"entry":' + among + b"}"
    with pytest.raises(Unsafe) as refusal:
        streamed(source)
    assert refusal.value.reason is Reason.MALFORMED


def test_lines_that_may_not_pass_keep_none_of_the_others_from_passing() -> None:
    events = [orjson.dumps(resource("AuditEvent", id=f"{at:0>90}")) for at in range(200)]
    patient = orjson.dumps(resource("Patient", id="1"))
    source = b"\n".join([*events, patient, *events]) + b"\n"
    content, result = streamed(source)
    whole = deidentify(source, fhir_plan())
    assert content == whole.content
    assert result.outcome.actions["Resource", "removed"] == 400
    assert whole.outcome.actions["Resource", "removed"] == 400
    with pytest.raises(Unsafe) as refusal:
        streamed(b"\n".join(events) + b"\n")
    assert refusal.value.reason is Reason.RESOURCE_NOT_LISTED


def test_a_byte_order_mark_stands_at_the_beginning_alone() -> None:
    mark = b"\xef\xbb\xbf"
    lines = [orjson.dumps(resource("Patient", id=f"{at:0>90}")) for at in range(20)]
    for plain in (SOURCE, b"\n".join(lines)):
        assert orjson.loads(streamed(mark + plain)[0].splitlines()[0])
        assert streamed(mark + plain)[0] == streamed(plain)[0]
    with pytest.raises(Unsafe) as refusal:
        streamed(b"\n".join([*lines, mark + lines[0]]))
    assert refusal.value.reason is Reason.MALFORMED


def test_entries_are_found_whatever_stands_in_strings() -> None:
    entries: list[dict[str, Any]] = [
        {"a": '"entry":[{]}', "b": "\\"},
        {"c": [[{}]], "entry": [1]},
        {},
    ]
    document = {"type": "entry", "x": [{"entry": [1]}], "entry": entries, "y": "]}"}
    parts = BundleParts(BytesIO(orjson.dumps(document)))
    assert [orjson.loads(each) for each in parts.entries()] == entries
    assert orjson.loads(parts.skeleton()) == {**document, "entry": []}


def test_of_very_many_people_nobody_is_left_in_texts_far_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "MOST_AT_ONCE", 40)
    everybody = people(120)
    staff = [
        resource("Practitioner", id=each.number, name=[{"family": each.family}])
        for each in everybody
    ]
    notes = [
        resource(
            "Observation",
            id=f"o{each.number}",
            status="final",
            code={"text": "Heart"},
            note=[{"text": f"no change, seen with {each.family.lower()} at rest"}],
        )
        for each in everybody
    ]
    source = b"\n".join(map(orjson.dumps, (*notes, *staff))) + b"\n"
    content, _result = streamed(source, plan=fhir_plan(fhirText="inspect"))
    assert content.count(b"no change, seen with") == 120
    assert content.count(b'"Heart"') == 120
    for each in everybody:
        assert each.family.lower().encode() not in content


def test_a_document_of_very_many_people_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deid.fhir.deidentify.MOST_OF_ONE", 30)
    everybody = people(60)
    said = ", ".join(each.family.lower() for each in everybody)
    patient = resource("Patient", id="p", name=[{"family": "Vandersteen", "given": ["Io"]}])
    note = resource(
        "Observation",
        id="n",
        status="final",
        code={"text": "Head"},
        bodySite={"text": "Heart"},
        note=[{"text": f"at rest with {said}; v a n d e r s t e e n"}],
    )
    staff = [
        resource("Practitioner", id=each.number, name=[{"family": each.family}])
        for each in everybody
    ]
    named = resource("Practitioner", id="h", name=[{"family": "Head"}])
    for level in ("inspect", "remove"):
        made = deidentify(
            orjson.dumps(bundle(patient, note, named, *staff)), fhir_plan(fhirText=level)
        )
        assert b'"Head"' not in made.content
        assert b'"Heart"' in made.content
        assert (b"at rest with" in made.content) == (level == "inspect")
        assert b"v a n d" not in made.content
        for each in everybody:
            assert each.family.lower().encode() not in made.content


def test_what_is_known_from_elsewhere_may_be_very_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deid.fhir.deidentify.MOST_OF_ONE", 30)
    everybody = people(60)
    known = tuple(KnownIdentifier(each.family, "PERSON_NAME") for each in everybody)
    said = ", ".join(each.family.lower() for each in everybody)
    note = resource("Observation", id="n", status="final", note=[{"text": f"at rest with {said}"}])
    plan = fhir_plan(fhirText="inspect")
    made = deidentify(orjson.dumps(note), plan, Context(known=known)).content
    assert b"at rest with" in made
    for each in everybody:
        assert each.family.lower().encode() not in made
        assert each.family.lower().encode() in deidentify(orjson.dumps(note), plan).content
