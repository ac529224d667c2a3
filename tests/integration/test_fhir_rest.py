"""The FHIR service over the source store, as clients see it over HTTP."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.fhir_peer import Answer, FhirPeer
from tests.service import RunningDaemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "ZQXPHI"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("fhir")
    running = RunningDaemon(
        folder / "state",
        folder,
        settings="[workers]\ncount = 1\n[fhir]\nmax_body_bytes = 12000000\nmax_transaction_bytes = 2000000\n"
        "max_entries = 400\n",
        is_prepared=True,
    )
    running.start()
    yield running
    running.stop()


@pytest.fixture
def peer(daemon: RunningDaemon) -> FhirPeer:
    return FhirPeer(f"{daemon.http}/fhir/source")


def patient(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "gender": "female", **members}


def identified(value: str, system: str = "urn:oid:1.2.3") -> dict[str, Any]:
    return patient(identifier=[{"system": system, "value": value}])


def unique() -> str:
    return uuid4().hex


def refused(answer: Answer, status: int, code: str) -> None:
    assert answer.status == status, answer.body
    assert answer.json["resourceType"] == "OperationOutcome"
    assert [issue["code"] for issue in answer.json["issue"]] == [code]
    assert CANARY not in answer.body.decode()


# -- one resource --


def test_a_created_resource_gets_an_id_a_version_and_a_place(peer: FhirPeer) -> None:
    created = peer.create(patient(id="not-mine", birthDate="1970-02-03"))
    assert created.status == 201
    assert created.headers["ETag"] == 'W/"1"'
    said = created.json
    assert said["id"] != "not-mine"
    assert said["meta"]["versionId"] == "1"
    assert created.headers["Location"] == f"{peer.address}/Patient/{said['id']}/_history/1"
    read = peer.get(f"/Patient/{said['id']}")
    assert (read.status, read.json) == (200, said)
    assert read.headers["Content-Type"].startswith("application/fhir+json")


def test_decimals_meta_and_the_order_of_members_stay_as_they_came(peer: FhirPeer) -> None:
    resource = (
        b'{"resourceType":"Observation","status":"final","meta":{"profile":["http://a"],"versionId":"9"},'
        b'"code":{"text":"x"},"valueQuantity":{"value":72.500,"unit":"kg"},"component":[{"code":{"text":"y"},'
        b'"valueQuantity":{"value":1e3}}]}'
    )
    created = peer.ask("POST", "/Observation", resource)
    body = peer.get(f"/Observation/{created.json['id']}").body
    assert b'"value":72.500,' in body
    assert b'"value":1e3}' in body
    assert b'"profile":["http://a"]' in body
    assert created.json["meta"]["versionId"] == "1"


def test_what_was_never_there_is_not_found_and_what_was_deleted_is_gone(peer: FhirPeer) -> None:
    refused(peer.get("/Patient/nobody"), 404, "not-found")
    resource_id = peer.create(patient()).json["id"]
    assert peer.ask("DELETE", f"/Patient/{resource_id}").status == 204
    refused(peer.get(f"/Patient/{resource_id}"), 410, "deleted")
    refused(peer.get(f"/Patient/{resource_id}/_history/2"), 410, "deleted")
    assert peer.get(f"/Patient/{resource_id}/_history/1").status == 200
    assert peer.ask("DELETE", f"/Patient/{resource_id}").status == 204
    assert peer.get("/Patient", _id=resource_id).json["total"] == 0


def test_an_update_makes_a_version_and_each_can_be_read(peer: FhirPeer) -> None:
    resource_id = unique()
    first = peer.update(patient(id=resource_id))
    assert (first.status, first.headers["ETag"]) == (201, 'W/"1"')
    second = peer.update(patient(id=resource_id, gender="male"))
    assert (second.status, second.headers["ETag"]) == (200, 'W/"2"')
    assert peer.get(f"/Patient/{resource_id}/_history/1").json["gender"] == "female"
    history = peer.get(f"/Patient/{resource_id}/_history").json
    assert history["type"] == "history"
    assert [each["resource"]["gender"] for each in history["entry"]] == ["male", "female"]
    assert [each["request"]["method"] for each in history["entry"]] == ["PUT", "PUT"]
    page = peer.get(f"/Patient/{resource_id}/_history", _count="1")
    assert peer.get(page.link("next")).json["entry"][0]["resource"]["gender"] == "female"
    none = peer.get(f"/Patient/{resource_id}/_history", _count="0")
    assert (none.status, none.ids, none.link("next")) == (200, [], "")


def test_an_update_of_another_version_than_the_latest_is_refused(peer: FhirPeer) -> None:
    resource_id = peer.create(patient()).json["id"]
    changed = patient(id=resource_id, gender="other")
    assert peer.update(changed, If_Match='W/"1"').status == 200
    refused(peer.update(changed, If_Match='W/"1"'), 412, "conflict")
    refused(peer.update(changed, If_Match="nonsense"), 412, "conflict")
    refused(
        peer.ask("DELETE", f"/Patient/{resource_id}", headers={"If-Match": 'W/"1"'}),
        412,
        "conflict",
    )
    assert peer.get(f"/Patient/{resource_id}").json["meta"]["versionId"] == "2"


def test_a_version_that_cannot_be_is_none(peer: FhirPeer) -> None:
    resource_id = unique()
    changed = patient(id=resource_id)
    refused(peer.update(changed, If_Match='W/"0"'), 412, "conflict")
    refused(peer.get(f"/Patient/{resource_id}"), 404, "not-found")
    assert peer.update(changed, If_None_Match="*").status == 201
    refused(peer.update(changed, If_None_Match="*"), 412, "conflict")
    assert peer.ask("DELETE", f"/Patient/{resource_id}").status == 204
    # That it was deleted is the second version, and none that anybody changes.
    refused(peer.update(changed, If_Match='W/"2"'), 412, "conflict")
    assert peer.update(changed, If_None_Match="*").status == 201


def test_an_update_is_of_the_resource_that_its_address_names(peer: FhirPeer) -> None:
    one, other = unique(), unique()
    for given in (patient(id=other), patient(), {"resourceType": "Flag", "id": one}):
        refused(peer.ask("PUT", f"/Patient/{one}", given), 400, "invalid")
    for each in (one, other):
        assert peer.get(f"/Patient/{each}").status == 404
    assert peer.get(f"/Flag/{one}").status == 404


def patch(
    peer: FhirPeer,
    path: str,
    *operations: object,
    media_type: str = "application/json-patch+json",
    **headers: str,
) -> Answer:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return peer.ask("PATCH", path, [*operations], headers=given, media_type=media_type)


def test_a_patch_changes_a_part_and_makes_a_version(peer: FhirPeer) -> None:
    created = peer.create(patient(birthDate="1970-02-03", name=[{"family": "A"}])).json
    address = f"/Patient/{created['id']}"
    family = {"op": "replace", "path": "/name/0/family", "value": "B"}
    done = patch(peer, address, family, If_Match='W/"1"')
    assert (done.status, done.headers["ETag"]) == (200, 'W/"2"')
    assert done.json["name"] == [{"family": "B"}]
    assert done.json["birthDate"] == "1970-02-03"
    assert peer.get(address).json == done.json
    assert peer.get(f"{address}/_history/1").json == created
    assert patch(peer, address, family, media_type="application/json").headers["ETag"] == 'W/"3"'
    minimal = patch(peer, address, family, Prefer="return=minimal")
    assert (minimal.status, minimal.body) == (200, b"")
    refused(patch(peer, address, family, If_Match='W/"2"'), 412, "conflict")
    assert peer.get(address).json["meta"]["versionId"] == "4"


def test_a_patch_that_cannot_be_done_changes_nothing_and_says_why(peer: FhirPeer) -> None:
    resource_id = peer.create(patient(name=[{"family": CANARY}])).json["id"]
    address = f"/Patient/{resource_id}"
    good = {"op": "add", "path": "/active", "value": True}
    test = {"op": "test", "path": "/name/0/family", "value": f"{CANARY}2"}
    refused(patch(peer, address, good, test), 409, "conflict")
    refused(patch(peer, address, good, {"op": "remove", "path": f"/{CANARY}"}), 409, "conflict")
    refused(patch(peer, address, good, {"op": CANARY, "path": "/a"}), 400, "invalid")
    refused(peer.ask("PATCH", address, b"[", media_type="application/json"), 400, "invalid")
    wrong = {"op": "replace", "path": "/meta", "value": CANARY}
    refused(patch(peer, address, good, wrong), 422, "processing")
    for name, value in (("id", "another"), ("resourceType", "Person")):
        change = {"op": "replace", "path": f"/{name}", "value": value}
        refused(patch(peer, address, good, change), 400, "invalid")
    refused(patch(peer, address, good, media_type="application/fhir+json"), 415, "not-supported")
    refused(patch(peer, f"/Patient/{unique()}", good), 404, "not-found")
    assert "active" not in peer.get(address).json
    assert peer.ask("DELETE", address).status == 204
    refused(patch(peer, address, good), 410, "deleted")


def test_what_a_patch_made_is_deidentified_as_what_was_there(
    peer: FhirPeer, daemon: RunningDaemon
) -> None:
    results = FhirPeer(f"{daemon.http}/fhir/deid")

    def births() -> set[int]:
        found = results.get("/Patient", _count="1000").json.get("entry", [])
        return {each["resource"].get("multipleBirthInteger", 0) for each in found}

    created = peer.create(patient(multipleBirthInteger=71, name=[{"family": CANARY}])).json
    wait_until(lambda: 71 in births(), what="the patient is de-identified")
    change = {"op": "replace", "path": "/multipleBirthInteger", "value": 72}
    name = {"op": "add", "path": "/name/-", "value": {"text": f"{CANARY} again"}}
    assert patch(peer, f"/Patient/{created['id']}", change, name).status == 200
    wait_until(lambda: {71, 72} & births() == {72}, what="it is de-identified anew")
    assert CANARY not in results.get("/Patient", _count="1000").body.decode()


def test_a_conditional_patch_needs_to_mean_one_resource(peer: FhirPeer) -> None:
    value = unique()
    condition = f"/Patient?identifier=urn:oid:1.2.3|{value}"
    change = {"op": "replace", "path": "/gender", "value": "other"}
    refused(patch(peer, condition, change), 404, "not-found")
    resource_id = peer.create(identified(value)).json["id"]
    done = patch(peer, condition, change)
    assert (done.status, done.json["id"], done.json["gender"]) == (200, resource_id, "other")
    refused(patch(peer, condition, change, If_Match='W/"1"'), 412, "conflict")
    peer.create(identified(value))
    refused(patch(peer, condition, change), 412, "multiple-matches")
    refused(patch(peer, "/Patient", change), 400, "invalid")
    refused(patch(peer, "/Patient?name=x", change), 400, "invalid")


def test_a_conditional_create_makes_no_second_one(peer: FhirPeer) -> None:
    value = unique()
    condition = f"identifier=urn:oid:1.2.3|{value}"
    first = peer.create(identified(value), If_None_Exist=condition)
    second = peer.create(identified(value), If_None_Exist=condition)
    assert (first.status, second.status) == (201, 200)
    assert second.json["id"] == first.json["id"]
    peer.create(identified(value))
    refused(peer.create(identified(value), If_None_Exist=condition), 412, "multiple-matches")


def test_a_reader_that_knows_the_version_is_told_that_nothing_changed(peer: FhirPeer) -> None:
    resource_id = peer.create(patient()).json["id"]
    known = peer.ask("GET", f"/Patient/{resource_id}", headers={"If-None-Match": 'W/"1"'})
    assert (known.status, known.body) == (304, b"")


def test_a_client_may_prefer_not_to_be_sent_the_resource(peer: FhirPeer) -> None:
    assert peer.create(patient(), Prefer="return=minimal").body == b""
    said = peer.create(patient(), Prefer="return=OperationOutcome").json
    assert said["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("media_type", ["application/json", "application/fhir+json; charset=UTF-8"])
def test_plain_json_is_taken_and_answered_too(peer: FhirPeer, media_type: str) -> None:
    created = peer.ask(
        "POST",
        "/Patient",
        patient(),
        media_type=media_type,
        headers={"Accept": media_type},
    )
    assert created.status == 201
    assert created.headers["Content-Type"].split(";")[0] == media_type.split(";", maxsplit=1)[0]


# -- all of a patient --


@pytest.fixture(scope="module")
def record(daemon: RunningDaemon) -> str:
    """Return the id of a patient of whom there is something of every kind."""
    peer, name = FhirPeer(f"{daemon.http}/fhir/source"), unique()
    of = {"subject": {"reference": f"Patient/{name}"}}
    for each in (
        {"resourceType": "Practitioner", "id": f"doctor-{name}"},
        patient(
            id=name,
            multipleBirthInteger=88,
            generalPractitioner=[
                {"reference": f"Practitioner/doctor-{name}"},
                {"reference": f"https://elsewhere.example/fhir/Practitioner/stranger-{name}"},
            ],
        ),
        {"resourceType": "Practitioner", "id": f"stranger-{name}"},
        patient(id=f"other-{name}"),
        {"resourceType": "Observation", "id": f"old-{name}", "effectiveDateTime": "2020-05", **of},
        {
            "resourceType": "Observation",
            "id": f"new-{name}",
            "effectiveDateTime": "2024-05-06",
            **of,
        },
        {"resourceType": "Condition", "id": f"timeless-{name}", **of},
        {
            "resourceType": "Appointment",
            "id": f"visit-{name}",
            "start": "2022-02-02T08:00:00Z",
            "participant": [{"actor": of["subject"]}],
        },
        {
            "resourceType": "Observation",
            "id": f"of-other-{name}",
            "subject": {"reference": f"Patient/other-{name}"},
        },
    ):
        assert peer.update(each).status == 201
    return name


def everything(peer: FhirPeer, name: str, **parameters: str) -> list[str]:
    answer = peer.get(f"/Patient/{name}/$everything", **parameters)
    assert answer.json["type"] == "searchset"
    return [each.removesuffix(f"-{name}") for each in answer.ids]


def test_all_of_a_patient_is_he_what_tells_of_him_and_what_he_refers_to(
    peer: FhirPeer, record: str
) -> None:
    assert everything(peer, record) == [record, "doctor", "old", "new", "timeless", "visit"]
    entries = peer.get(f"/Patient/{record}/$everything").json["entry"]
    assert [each["search"]["mode"] for each in entries] == ["match", "include", *["match"] * 4]
    assert entries[0]["fullUrl"] == f"{peer.address}/Patient/{record}"
    kinds = everything(peer, record, _type="Observation,Practitioner")
    assert kinds == ["doctor", "old", "new"]
    assert everything(peer, record, start="2021", end="2023-12-31")[2:] == ["timeless", "visit"]
    assert everything(peer, record, end="2020")[2:] == ["old", "timeless"]
    assert everything(peer, record, _since="2999-01-01T00:00:00Z") == []


def test_all_of_a_patient_comes_in_pages(peer: FhirPeer, record: str) -> None:
    page = peer.get(f"/Patient/{record}/$everything", _count="1", end="2024-06-01")
    seen = page.ids
    while page.link("next"):
        page = peer.get(page.link("next"))
        assert len(page.ids) == 1
        seen += page.ids
    assert seen == peer.get(f"/Patient/{record}/$everything").ids
    none = peer.get(f"/Patient/{record}/$everything", _count="0")
    assert (none.ids, none.link("next")) == ([], "")


def test_all_of_nobody_is_not_found(peer: FhirPeer, record: str) -> None:
    refused(peer.get("/Patient/nobody/$everything"), 404, "not-found")
    for name, value in (
        ("_type", "Nothing"),
        ("start", "yesterday"),
        ("_since", "x"),
        ("_count", "-1"),
        ("_page_token", "x"),
        ("name", CANARY),
    ):
        refused(peer.get(f"/Patient/{record}/$everything", **{name: value}), 400, "invalid")
    twice = f"/Patient/{record}/$everything?_type=Patient&_type=Observation"
    refused(peer.get(twice), 400, "invalid")
    refused(peer.get(f"/Observation/old-{record}/$everything"), 404, "not-supported")
    gone = peer.create(patient()).json["id"]
    peer.ask("DELETE", f"/Patient/{gone}")
    refused(peer.get(f"/Patient/{gone}/$everything"), 410, "deleted")


def test_all_of_a_patient_is_told_of_results_too(daemon: RunningDaemon, record: str) -> None:
    results = FhirPeer(f"{daemon.http}/fhir/deid")

    def told() -> list[str]:
        found = results.get("/Patient", _count="1000").json.get("entry", [])
        his = [
            each["resource"] for each in found if each["resource"].get("multipleBirthInteger") == 88
        ]
        if not his:
            return []
        entries = results.get(f"/Patient/{his[0]['id']}/$everything").json["entry"]
        return [each["resource"]["resourceType"] for each in entries]

    kinds = ["Appointment", "Condition", "Observation", "Observation", "Patient", "Practitioner"]
    wait_until(lambda: sorted(told()) == kinds, what="the record is de-identified")
    assert told()[0] == "Patient"
    assert record not in results.get("/Patient", _count="1000").body.decode()


# -- what is refused --


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid"),
        (b"[]", 422, "processing"),
        (b'{"resourceType":"Patient","name":[{"family":"ZQXPHI"}]', 422, "processing"),
        (b'{"resourceType":"Patient","gender":"a","gender":"b"}', 422, "processing"),
        (b'{"resourceType":"Patient","name":' + b"[" * 300 + b"]" * 300 + b"}", 422, "processing"),
        (b'{"resourceType":"Patient","x":NaN}', 422, "processing"),
        (b'{"resourceType":"Patient","id":7}', 422, "processing"),
        (b'{"resourceType":"Patient","meta":[]}', 422, "processing"),
        (b'{"resourceType":"Observation"}', 400, "invalid"),
        (b'{"resourceType":"Bundle","type":"collection"}', 400, "invalid"),
        (b'{"resourceType":"Patient"}\n{"resourceType":"Patient"}', 422, "processing"),
        (b'"' + b"x" * 12_000_001 + b'"', 413, "too-long"),
    ],
)
def test_a_body_that_is_no_such_resource_is_refused(
    peer: FhirPeer, body: bytes, status: int, code: str
) -> None:
    refused(peer.ask("POST", "/Patient", body), status, code)


def test_what_is_no_fhir_in_json_is_not_taken_and_not_answered(peer: FhirPeer) -> None:
    xml = {"Accept": "application/fhir+xml"}
    refused(peer.ask("GET", "/Patient", headers=xml), 406, "not-supported")
    refused(peer.get("/Patient", _format="xml"), 406, "not-supported")
    refused(
        peer.ask("POST", "/Patient", b"<Patient/>", media_type="application/fhir+xml"),
        415,
        "not-supported",
    )
    refused(
        peer.ask("POST", "/Patient", patient(), headers={"Content-Encoding": "gzip"}),
        415,
        "not-supported",
    )


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/Nothing", 404, "not-found"),
        ("GET", "/Patient/a%2Fb", 404, "not-found"),
        ("GET", "/Patient/x/_history/no", 404, "not-found"),
        ("GET", "/nonsense", 404, "not-supported"),
        ("PATCH", "/Patient/x/_history/1", 405, "not-supported"),
        ("GET", "/Patient?favourite=ZQXPHI", 400, "invalid"),
        ("GET", "/Patient?_has:Observation:patient:code=ZQXPHI", 400, "invalid"),
        ("GET", "/Patient?_lastUpdated=ZQXPHI", 400, "invalid"),
        ("GET", "/Patient?_count=-1", 400, "invalid"),
        ("GET", "/Patient?_sort=name", 400, "invalid"),
        ("GET", "/Patient?identifier:of-type=x", 400, "invalid"),
    ],
)
def test_every_error_is_an_operation_outcome(
    peer: FhirPeer, method: str, path: str, status: int, code: str
) -> None:
    refused(peer.ask(method, path), status, code)


def test_the_store_of_results_is_read_only(daemon: RunningDaemon) -> None:
    results = FhirPeer(f"{daemon.http}/fhir/deid")
    refused(results.create(patient()), 405, "not-supported")
    refused(results.update(patient(id="x")), 405, "not-supported")
    refused(results.ask("DELETE", "/Patient/x"), 405, "not-supported")
    refused(patch(results, "/Patient/x"), 405, "not-supported")
    refused(patch(results, "/Patient?_id=x"), 405, "not-supported")
    refused(results.ask("POST", "/", {"resourceType": "Bundle"}), 405, "not-supported")
    statement = results.get("/metadata").json
    codes = {each["code"] for each in statement["rest"][0]["resource"][0]["interaction"]}
    assert codes == {"read", "vread", "history-instance", "search-type"}


def test_a_page_of_another_origin_cannot_write(peer: FhirPeer) -> None:
    refusal = peer.ask(
        "POST", "/Patient", patient(), headers={"Origin": "https://elsewhere.example"}
    )
    assert refusal.status == 403
    other_host = peer.ask("GET", "/Patient", headers={"Host": "elsewhere.example"})
    assert other_host.status == 421


# -- search --


def test_searches_find_by_identifier_patient_code_status_and_date(peer: FhirPeer) -> None:
    mark = unique()
    observation = {
        "resourceType": "Observation",
        "id": f"o-{mark}",
        "status": "final",
        "identifier": [{"system": "urn:obs", "value": mark}],
        "code": {"coding": [{"system": "http://loinc.org", "code": f"c-{mark}"}]},
        "subject": {"reference": f"Patient/p-{mark}"},
        "effectiveDateTime": "2026-03-04T05:06:07+01:00",
    }
    assert peer.update(observation).status == 201

    def ids(**parameters: str) -> list[str]:
        return peer.get("/Observation", **parameters).ids

    mine = [observation["id"]]
    assert ids(identifier=f"urn:obs|{mark}") == mine
    assert ids(identifier=mark) == mine
    assert ids(identifier=f"urn:other|{mark}") == []
    assert ids(code=f"http://loinc.org|c-{mark}", status="final") == mine
    assert ids(code=f"c-{mark}", status="cancelled") == []
    assert ids(patient=f"p-{mark}") == ids(patient=f"Patient/p-{mark}") == mine
    assert ids(subject=f"Patient/p-{mark}", date="2026-03-04") == mine
    assert ids(**{"subject:Patient": f"p-{mark}", "date": "ge2026-03"}) == mine
    assert ids(subject=f"Patient/p-{mark}", date="lt2026") == []
    assert ids(identifier=f"nothing,{mark}") == mine
    posted = peer.ask(
        "POST",
        "/Observation/_search",
        f"identifier={mark}".encode(),
        media_type="application/x-www-form-urlencoded",
    )
    assert posted.ids == mine


def test_a_posted_search_is_not_done_by_a_part_of_its_form(peer: FhirPeer) -> None:
    form = f"identifier={','.join(['x' * 200] * 400)}&status=final"
    for body, media_type in (
        (form.encode(), "application/x-www-form-urlencoded"),
        ("identifier=ü".encode(), "application/x-www-form-urlencoded"),
        (b'{"identifier":"x"}', "application/json"),
    ):
        answer = peer.ask("POST", "/Observation/_search", body, media_type=media_type)
        refused(answer, 400, "invalid")


def test_pages_are_linked_and_totals_counted(peer: FhirPeer) -> None:
    value = unique()
    made = [peer.create(identified(value)).json["id"] for _ in range(5)]
    page = peer.get("/Patient", identifier=value, _count="2")
    seen = page.ids
    assert page.json["total"] == 5
    while page.link("next"):
        page = peer.get(page.link("next"))
        seen += page.ids
    assert seen == made
    backwards = peer.get("/Patient", identifier=value, _sort="-_lastUpdated", _total="none")
    assert backwards.ids == made[::-1]
    assert "total" not in backwards.json
    count = peer.get("/Patient", identifier=value, _summary="count").json
    assert (count["total"], "entry" in count) == (5, False)
    assert peer.get("/Patient", identifier=value, _count="0").json["total"] == 5


# -- Bundles --


def entry(method: str, url: str, resource: object = None, **more: str) -> dict[str, Any]:
    request = {"method": method, "url": url}
    found: dict[str, Any] = {"request": request}
    for name, value in more.items():
        (found if name == "fullUrl" else request)[name] = value
    return found if resource is None else {**found, "resource": resource}


def bundle(kind: str, *entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def test_a_transaction_resolves_references_between_its_entries(peer: FhirPeer) -> None:
    value, known = unique(), unique()
    there = peer.create(identified(known)).json["id"]
    jane, study = f"urn:uuid:{uuid4()}", f"urn:uuid:{uuid4()}"
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "CT"},
        "subject": {"reference": jane},
        "imagingStudy": [{"reference": study}],
        "performer": [{"reference": f"Patient?identifier={known}"}],
        "presentedForm": [{"url": study}],
    }
    answer = peer.ask(
        "POST",
        "/",
        bundle(
            "transaction",
            entry("POST", "DiagnosticReport", report),
            entry(
                "POST",
                "Patient",
                identified(value),
                fullUrl=jane,
                ifNoneExist=f"identifier={known}",
            ),
            entry(
                "PUT",
                f"ImagingStudy/{value}",
                {"resourceType": "ImagingStudy", "status": "available", "id": value},
                fullUrl=study,
            ),
            entry("GET", f"Patient/{there}"),
        ),
    )
    assert answer.status == 200, answer.body
    assert answer.json["type"] == "transaction-response"
    statuses = [each["response"]["status"] for each in answer.json["entry"]]
    assert statuses == ["201", "200", "201", "200"]
    made = peer.get(f"/{answer.json['entry'][0]['response']['location']}").json
    assert made["subject"]["reference"] == f"Patient/{there}"
    assert made["imagingStudy"][0]["reference"] == f"ImagingStudy/{value}"
    assert made["performer"][0]["reference"] == f"Patient/{there}"
    assert made["presentedForm"][0]["url"] == f"ImagingStudy/{value}"


@pytest.mark.parametrize(
    ("bad", "status", "code"),
    [
        (entry("PUT", "Patient/other", patient(id="one")), 400, "invalid"),
        (entry("POST", "Patient", {"resourceType": "Observation"}), 400, "invalid"),
        (entry("PATCH", "Patient/x", patient()), 405, "not-supported"),
        (entry("PUT", "Patient/nobody", patient(id="nobody"), ifMatch='W/"3"'), 412, "conflict"),
        (entry("POST", "Nothing", {"resourceType": "Nothing"}), 422, "processing"),
        (
            entry(
                "POST", "Patient", patient(link=[{"other": {"reference": "Patient?identifier=zz"}}])
            ),
            412,
            "conflict",
        ),
    ],
)
def test_a_transaction_is_done_whole_or_not_at_all(
    peer: FhirPeer, bad: dict[str, Any], status: int, code: str
) -> None:
    value = unique()
    answer = peer.ask(
        "POST", "", bundle("transaction", entry("POST", "Patient", identified(value)), bad)
    )
    refused(answer, status, code)
    assert peer.get("/Patient", identifier=value).json["total"] == 0


def test_a_batch_does_what_it_can(peer: FhirPeer) -> None:
    value = unique()
    answer = peer.ask(
        "POST",
        "/",
        bundle(
            "batch",
            entry("POST", "Patient", identified(value)),
            entry("DELETE", "Patient/never-there"),
            entry("PUT", "Patient/a", patient(id="b")),
            entry("GET", f"Patient?identifier={value}"),
            entry("GET", "Patient/never-there"),
        ),
    ).json
    statuses = [each["response"]["status"] for each in answer["entry"]]
    assert statuses == ["201", "204", "400", "200", "404"]
    assert answer["entry"][3]["resource"]["total"] == 1
    assert answer["entry"][2]["response"]["outcome"]["resourceType"] == "OperationOutcome"


def test_what_a_batch_cannot_do_keeps_nothing_else_from_being_done(peer: FhirPeer) -> None:
    name = unique()
    answer = peer.ask(
        "POST",
        "/",
        bundle(
            "batch",
            entry("PUT", f"Patient/{name}", patient(id=name)),
            {
                **entry("PUT", f"Patient/{name}", patient(id=name)),
                "request": {
                    "method": "PUT",
                    "url": f"Patient/{name}",
                    "ifMatch": 'W/"7"',
                },
            },
            entry("PUT", f"Patient/{name}", patient(id=name, gender="male")),
            {
                **entry("PUT", f"Flag/{name}", {"resourceType": "Flag", "id": name}),
                "request": {
                    "method": "PUT",
                    "url": f"Flag/{name}",
                    "ifMatch": 'W/"1"',
                },
            },
            entry("POST", "Patient", identified(name)),
        ),
    ).json
    statuses = [each["response"]["status"] for each in answer["entry"]]
    assert statuses == ["201", "412", "200", "412", "201"]
    assert peer.get(f"/Patient/{name}").json["meta"]["versionId"] == "2"
    assert peer.get(f"/Flag/{name}").status == 404


def test_an_entry_is_not_done_without_what_it_depends_on(peer: FhirPeer) -> None:
    name = unique()
    there, gone = peer.create(identified(name)).json["id"], peer.create(patient()).json["id"]
    peer.ask("DELETE", f"/Patient/{gone}")
    changed = patient(id=there, gender="male")
    answer = peer.ask(
        "POST",
        "/",
        bundle(
            "batch",
            entry("PUT", f"Patient/{there}", changed, ifNoneMatch="*"),
            entry("PUT", f"Patient/{there}", changed, ifMatch='W/"7"'),
            entry("PUT", f"Patient/{there}?gender=other", changed),
            entry("PUT", f"Patient?identifier={name}", changed),
            entry("DELETE", f"Patient/{there}", ifMatch='W/"7"'),
            entry("DELETE", f"Patient?identifier={name}"),
            entry("DELETE", f"Patient/{there}?identifier=another"),
            entry("GET", f"Patient/{gone}"),
        ),
    ).json
    statuses = [each["response"]["status"] for each in answer["entry"]]
    assert statuses == ["412", "412", "405", "405", "412", "405", "405", "410"]
    assert peer.get(f"/Patient/{there}").json["meta"]["versionId"] == "1"


def test_a_transaction_whose_conditions_mean_too_much_is_not_done(peer: FhirPeer) -> None:
    value, made = unique(), unique()
    for _ in range(2):
        peer.create(identified(value))
    condition = f"identifier={value}"
    subject = {"subject": {"reference": f"Patient?{condition}"}}
    for bad, status, code in (
        ([entry("POST", "Flag", {"resourceType": "Flag", **subject})], 412, "multiple-matches"),
        ([entry("POST", "Patient", patient(), ifNoneExist=condition)], 412, "multiple-matches"),
        ([entry("PUT", f"Patient/{made}", patient(id=made))] * 2, 400, "invalid"),
        ([entry("DELETE", f"Patient/{made}"), entry("PUT", f"Patient/{made}", patient())], 400,
         "invalid"),
    ):  # fmt: skip
        good = entry("POST", "Patient", identified(made))
        refused(peer.ask("POST", "/", bundle("transaction", good, *bad)), status, code)
    assert peer.get("/Patient", identifier=made).json["total"] == 0
    assert peer.get(f"/Patient/{made}").status == 404


@pytest.mark.parametrize("is_turned", [False, True])
def test_a_transaction_makes_before_it_updates_whatever_its_order(
    peer: FhirPeer, is_turned: bool
) -> None:
    value = unique()
    entries = [
        entry("PUT", f"Patient/{value}", {**identified(value), "id": value}),
        entry("POST", "Patient", identified(value), ifNoneExist=f"identifier={value}"),
    ]
    answer = peer.ask("POST", "/", bundle("transaction", *entries[:: -1 if is_turned else 1]))
    assert answer.status == 200, answer.body
    assert [each["response"]["status"] for each in answer.json["entry"]] == ["201", "201"]
    assert peer.get("/Patient", identifier=value).json["total"] == 2


def test_a_transaction_makes_anew_what_it_deletes(peer: FhirPeer) -> None:
    """Deletes come first, so that the condition of a create finds nothing (R4, 3.1.0.11.2)."""
    value = unique()
    old, name = peer.create(identified(value)).json["id"], f"urn:uuid:{uuid4()}"
    flag = {"resourceType": "Flag", "status": "active", "code": {"text": "x"}}
    answer = peer.ask(
        "POST",
        "/",
        bundle(
            "transaction",
            entry("POST", "Flag", {**flag, "subject": {"reference": name}}),
            entry(
                "POST",
                "Patient",
                identified(value),
                fullUrl=name,
                ifNoneExist=f"identifier={value}",
            ),
            entry("DELETE", f"Patient/{old}"),
        ),
    )
    assert answer.status == 200, answer.body
    assert [each["response"]["status"] for each in answer.json["entry"]] == ["201", "201", "204"]
    (new,) = peer.get("/Patient", identifier=value).ids
    assert new != old
    assert answer.json["entry"][0]["resource"]["subject"] == {"reference": f"Patient/{new}"}
    assert peer.get(f"/Patient/{old}").status == 410


def test_a_conditional_reference_means_what_there_is_when_all_is_done(peer: FhirPeer) -> None:
    """They are resolved last: what is deleted is meant no more, and what is made may be (R4, 3.1.0.11.2)."""
    value, other, place = unique(), unique(), unique()
    old = peer.create(identified(value)).json["id"]
    peer.update({**identified(other), "id": place})
    flag = {"resourceType": "Flag", "status": "active", "code": {"text": "x"}}
    subject = {"subject": {"reference": f"Patient?identifier=urn:oid:1.2.3|{value}"}}

    def posted(*entries: dict[str, Any]) -> Answer:
        return peer.ask(
            "POST", "/", bundle("transaction", entry("POST", "Flag", flag | subject), *entries)
        )

    delete = entry("DELETE", f"Patient/{old}")
    refused(posted(delete), 412, "conflict")
    assert peer.get(f"/Patient/{old}").status == 200
    refused(posted(entry("POST", "Patient", identified(value))), 412, "multiple-matches")
    made = posted(delete, entry("POST", "Patient", identified(value)))
    assert made.status == 200, made.body
    (new,) = peer.get("/Patient", identifier=value).ids
    assert made.json["entry"][0]["resource"]["subject"] == {"reference": f"Patient/{new}"}
    # Who is updated says something else from then on.
    swapped = posted(
        entry("PUT", f"Patient/{new}", {**identified(other), "id": new}),
        entry("PUT", f"Patient/{place}", {**identified(value), "id": place}),
    )
    assert swapped.status == 200, swapped.body
    assert swapped.json["entry"][0]["resource"]["subject"] == {"reference": f"Patient/{place}"}


def test_a_transaction_that_reads_what_there_is_not_is_not_done(peer: FhirPeer) -> None:
    value = unique()
    gone = peer.create(patient()).json["id"]
    peer.ask("DELETE", f"/Patient/{gone}")
    make = entry("PUT", f"Patient/{value}", patient(id=value))
    for url, status, code in (
        ("Patient/nobody", 404, "not-found"),
        (f"Patient/{gone}", 410, "deleted"),
        ("Patient?favourite=ZQXPHI", 400, "invalid"),
        ("Nothing", 404, "not-found"),
    ):
        refused(peer.ask("POST", "/", bundle("transaction", make, entry("GET", url))), status, code)
        assert peer.get(f"/Patient/{value}").status == 404, url
    # What it makes it may read; what it deletes it learns to be gone.
    delete = entry("DELETE", f"Patient/{unique()}")
    reads = [entry("GET", f"Patient/{value}"), entry("GET", delete["request"]["url"])]
    answer = peer.ask("POST", "/", bundle("transaction", make, delete, *reads))
    assert answer.status == 200, answer.body
    statuses = [each["response"]["status"] for each in answer.json["entry"]]
    assert statuses == ["201", "204", "200", "404"]


def test_a_bundle_of_too_many_entries_is_not_done(peer: FhirPeer) -> None:
    value = unique()
    many = [entry("PUT", f"Patient/{value}", patient(id=value))] * 401
    for kind in ("batch", "transaction"):
        refused(peer.ask("POST", "/", bundle(kind, *many)), 422, "processing")
    assert peer.get(f"/Patient/{value}").status == 404


def large(kind: str, value: str) -> dict[str, Any]:
    """Return a Bundle that is too large to be held, of few entries."""
    note = [{"text": "x" * 30_000}]
    subject = {"identifier": {"system": "urn:oid:1.2.3", "value": value}}
    observation = {"resourceType": "Observation", "status": "final", "note": note}
    many = [
        entry("PUT", f"Observation/{value}-{at}", {**observation, "id": f"{value}-{at}"})
        for at in range(290)
    ]
    return bundle(
        kind,
        entry("POST", "Patient", identified(value)),
        *many,
        entry("PUT", "Observation/a", {**observation, "id": "b", "subject": subject}),
        entry("GET", f"Patient?identifier={value}"),
        entry("GET", f"Observation/{value}-7"),
    )


def test_a_large_batch_is_done_and_answered_as_a_small_one_is(
    peer: FhirPeer, daemon: RunningDaemon
) -> None:
    value = unique()
    answer = peer.ask("POST", "/", large("batch", value))
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/fhir+json")
    assert answer.json["type"] == "batch-response"
    entries = answer.json["entry"]
    assert [each["response"]["status"] for each in entries] == [*["201"] * 291, "400", "200", "200"]
    assert entries[7]["resource"]["id"] == f"{value}-6"
    assert entries[-2]["resource"]["total"] == 1
    assert entries[-1]["resource"]["id"] == f"{value}-7"
    assert peer.get(f"/Observation/{value}-289").status == 200
    assert not [*(daemon.state_dir / "work").glob("*.body"), *daemon.state_dir.rglob("*.pieces")]


def test_of_a_large_bundle_that_is_wrong_anywhere_nothing_is_done(peer: FhirPeer) -> None:
    value = unique()
    batch = json.dumps(large("batch", value)).encode()
    refused(peer.ask("POST", "/", batch[:-3]), 422, "processing")
    refused(peer.ask("POST", "/", large("transaction", value)), 413, "too-long")
    refused(peer.ask("POST", "/", large("collection", value)), 400, "invalid")
    refused(peer.ask("POST", "/", batch + b" " * 4_000_000), 413, "too-long")
    assert peer.get(f"/Observation/{value}-0").status == 404


# -- the whole store --


def test_the_statement_names_types_parameters_and_the_edition(peer: FhirPeer) -> None:
    said = peer.get("/metadata").json
    assert (said["resourceType"], said["fhirVersion"]) == ("CapabilityStatement", "4.0.1")
    resources = {each["type"]: each for each in said["rest"][0]["resource"]}
    assert {"Patient", "ImagingStudy", "ServiceRequest", "DiagnosticReport"} <= set(resources)
    names = {each["name"] for each in resources["Patient"]["searchParam"]}
    assert {
        "_id",
        "_lastUpdated",
        "identifier",
        "patient",
        "subject",
        "code",
        "status",
        "date",
    } == names
    assert {each["code"] for each in said["rest"][0]["interaction"]} == {"transaction", "batch"}


def test_everything_can_be_downloaded_a_line_each(peer: FhirPeer) -> None:
    made = peer.create(patient()).json
    answer = peer.get("/$export", _type="Patient")
    assert answer.headers["Content-Type"] == "application/fhir+ndjson"
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert made in lines
    assert {line["resourceType"] for line in lines} == {"Patient"}
    assert len(lines) == peer.get("/Patient", _summary="count").json["total"]
    refused(peer.get("/$export", _type="Patient,Nothing"), 400, "invalid")
    refused(peer.ask("GET", "/$export?_type=Patient&_type=Nothing"), 400, "invalid")
    flag = peer.create({"resourceType": "Flag"}).json
    twice = peer.ask("GET", "/$export?_type=Patient&_type=Flag").body.splitlines()
    assert {"Patient", "Flag"} == {json.loads(line)["resourceType"] for line in twice}
    assert flag in [json.loads(line) for line in twice]


def test_pages_of_long_resources_are_short_and_none_is_missing(peer: FhirPeer) -> None:
    """A thousand of the longest that may be posted are more than any memory holds."""
    mark = unique()
    subject = {"subject": {"reference": f"Patient/{mark}"}}
    peer.update(patient(id=mark))
    long = {
        "resourceType": "Flag",
        "status": "active",
        **subject,
        "code": {"text": "x" * 6_000_000},
    }
    made = [peer.create(long).json["id"] for _ in range(5)]
    for path in (f"/Flag?subject=Patient/{mark}", f"/Patient/{mark}/$everything"):
        pages = [peer.get(path)]
        while following := pages[-1].link("next"):
            pages.append(peer.get(following))
        assert all(len(each.body) < 20_000_000 for each in pages)
        found = [each for page in pages for each in page.ids]
        assert [each for each in found if each != mark] == made
        assert len(pages) == 3
    for _ in range(3):
        peer.update({**long, "id": mark})
    history = peer.get(f"/Flag/{mark}/_history")
    rest = peer.get(history.link("next"))
    assert [len(each.ids) for each in (history, rest)] == [2, 1]
    exported = lines_of(peer.get("/$export", _type="Flag"))
    assert {*made, mark} <= {each["id"] for each in exported}


def lines_of(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.body
    return [json.loads(line) for line in answer.body.splitlines()]


def test_what_was_changed_since_can_be_downloaded(peer: FhirPeer) -> None:
    """As who keeps a copy does it: from the latest change he knows of (Bulk Data Access 2.0.0)."""
    early, gone = peer.create(patient()).json, peer.create(patient()).json
    later = peer.create(patient()).json
    since = max(each["meta"]["lastUpdated"] for each in (early, gone, later))
    changed = early
    while changed["meta"]["lastUpdated"] <= since:  # times are of milliseconds
        changed = peer.update({**early, "gender": "male"}).json
    peer.ask("DELETE", f"/Patient/{gone['id']}")
    new = peer.create({"resourceType": "Flag"}).json
    assert lines_of(peer.get("/$export", _since=since)) == [changed, new]
    assert lines_of(peer.get("/$export", _since=since, _type="Flag")) == [new]
    # Another zone, with the plus sign of an address that nobody escaped.
    moment = datetime.fromisoformat(since).astimezone(timezone(timedelta(hours=2)))
    assert lines_of(peer.ask("GET", f"/$export?_since={moment.isoformat()}")) == [changed, new]
    just_before = (moment - timedelta(milliseconds=1)).isoformat()
    assert later in lines_of(peer.get("/$export", _since=just_before))
    assert lines_of(peer.get("/$export", _since="2999-01-01T00:00:00Z")) == []


@pytest.mark.parametrize(
    "query",
    ["_since=ZQXPHI", "_since=2020&_since=2021", "_outputFormat=text/csv", "_typeFilter=Patient%3F_id=a",
     "_elements=id", "_until=2020-01-01T00:00:00Z", "patient=Patient/a", "favourite=1"],
)  # fmt: skip
def test_a_download_by_what_is_not_understood_is_refused(peer: FhirPeer, query: str) -> None:
    refused(peer.ask("GET", f"/$export?{query}"), 400, "invalid")
    refused(
        peer.ask("GET", f"/$export?{query}", headers={"Prefer": "handling=strict"}), 400, "invalid"
    )


def test_who_would_rather_have_all_of_a_download_than_nothing_says_so(peer: FhirPeer) -> None:
    made = peer.create(patient()).json
    headers = {"Prefer": "respond-async, handling=lenient", "Accept": "application/fhir+ndjson"}
    query = "_typeFilter=Patient%3F_id=a&_outputFormat=application/fhir+ndjson&_format=json&_type=Patient"
    assert made in lines_of(peer.ask("GET", f"/$export?{query}", headers=headers))
    wrong = peer.ask("GET", "/$export?_since=yesterday&_elements=id", headers=headers)
    refused(wrong, 400, "invalid")


def test_what_was_acknowledged_is_there_after_a_kill(daemon: RunningDaemon) -> None:
    peer = FhirPeer(f"{daemon.http}/fhir/source")
    made = peer.create(patient()).json
    daemon.kill()
    daemon.start()
    again = FhirPeer(f"{daemon.http}/fhir/source")
    assert again.get(f"/Patient/{made['id']}").json == made


def test_no_value_of_a_refused_body_is_logged(daemon: RunningDaemon) -> None:
    peer = FhirPeer(f"{daemon.http}/fhir/source")
    broken = b'{"resourceType":"Patient","name":[{"family":"ZQXPHI"}],"name":[]}'
    refused(peer.ask("POST", "/Patient", broken), 422, "processing")
    refused(peer.get("/Patient", name=CANARY), 400, "invalid")
    assert CANARY not in daemon.log
