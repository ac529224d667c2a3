"""The De-identify page over a running service: checked, tried, begun, followed, cancelled."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.factories import PATIENTS, encoded, make_ct
from tests.scu import PlainScu, dataset_of
from tests.service import RunningDaemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = "projects/local/locations/local/datasets/default/dicomStores/source"
BASIC = json.dumps({"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}})
NAME = str(PATIENTS[0].name).partition("^")[0]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    """Run a service that holds one study of two instances, of which one will be refused."""
    folder = tmp_path_factory.mktemp("deidentify")
    (folder / "state").mkdir(mode=0o700)
    daemon = RunningDaemon(folder / "state", folder, is_prepared=True)
    daemon.start()
    try:
        with PlainScu(daemon.dimse_port) as scu:
            for number in (1, 2):
                dataset = make_ct(rows=16, instance=number)
                if number == 2:
                    dataset.BurnedInAnnotation = "YES"
                uid = str(dataset.SOPInstanceUID)
                assert scu.store(dataset_of(encoded(dataset)), uid.encode()) == 0
        daemon.wait_until_settled(2)
        yield daemon
    finally:
        daemon.stop()
    daemon.assert_no_traceback()


def post(daemon: RunningDaemon, path: str, **form: str) -> tuple[int, str, str]:
    """Return status, page and address of what a form leads to."""
    body = urllib.parse.urlencode(form).encode()
    request = urllib.request.Request(daemon.http + path, data=body)
    try:
        with urllib.request.urlopen(request, timeout=240) as answer:
            return answer.status, answer.read().decode(), answer.url
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.url


def page(daemon: RunningDaemon, address: str) -> str:
    status, body = daemon.get(address.removeprefix(daemon.http), accept="text/html")
    assert status == 200
    return body.decode()


def until_done(daemon: RunningDaemon, address: str) -> str:
    found: list[str] = []

    def is_done() -> bool:
        found[:] = [page(daemon, address)]
        return 'hx-trigger="every 1s"' not in found[0]

    wait_until(is_done, what="the operation has ended")
    return found[0]


def form(**changes: str) -> dict[str, Any]:
    return {
        "source": SOURCE,
        "preset": "pasted",
        "config": BASIC,
        "destination": "hospital/clean",
        **changes,
    }


def test_a_configuration_is_checked_as_it_is_typed(daemon: RunningDaemon) -> None:
    checks = {
        "at line 1, column 12": '{"dicom": {',
        "dicom.filterProfile has no choice of that name; did you mean": BASIC.replace(
            "BASIC", "BASIK"
        ),
        "the configuration is no JSON object": "[]",
        "Starts from the Basic Application Level Confidentiality Profile": BASIC,
        "Paste a DeidentifyConfig": "",
    }
    for said, typed in checks.items():
        _, shown, _ = post(daemon, "/deidentify/check", preset="pasted", config=typed)
        assert said in shown
    assert "Valid" in post(daemon, "/deidentify/check", preset="research", config="")[1]
    assert post(daemon, "/deidentify/check", preset="../x", config="")[0] == 404


def test_a_store_is_de_identified_into_one_that_is_made(daemon: RunningDaemon) -> None:
    status, _, address = post(daemon, "/source/deidentify/start", **form())
    assert (status, "/deidentify/operation?name=projects" in address) == (200, True)
    shown = until_done(daemon, address)
    assert "1 done, 1 not done, 0 to do" in shown
    assert "pixels not cleaned" in shown
    assert "Text is likely in its pixels" in shown
    assert NAME not in shown
    assert "operations/" in page(daemon, "/deidentify")
    store = "/v1/projects/local/locations/local/datasets/hospital/dicomStores/clean"
    found = json.loads(daemon.get(f"{store}/dicomWeb/instances")[1])
    assert len(found) == 1
    assert NAME not in json.dumps(found)


def test_a_trial_shows_what_would_become_and_leaves_nothing(daemon: RunningDaemon) -> None:
    waiting = daemon.command("quarantine", "list", "--json").stdout
    _, chosen, _ = post(daemon, "/source/deidentify/studies", **form(destination=""))
    study = re.findall(r'name="study" required value="([\d.]+)"', chosen)[0]
    assert NAME in chosen
    _, _, address = post(daemon, "/source/deidentify/dry", **form(destination="", study=study))
    shown = until_done(daemon, address)
    assert "1 done, 1 not done, 0 to do" in shown
    refused = shown.partition("Not done</h2>")[2]
    assert "Begin another operation whose configuration cleans pixels" in refused
    assert "retry" not in refused
    number = re.findall(r"source/deidentify/trials/(\d+)", shown)[0]
    compared = f"/source/deidentify/trials/{number}"
    study_json = json.loads(daemon.get(f"{compared}/study.json")[1])
    (series,) = study_json["series"]
    states = {bool(each["result"]): each["state"] for each in series["instances"]}
    assert states == {True: "stored", False: "quarantined"}
    (done,) = [each for each in series["instances"] if each["result"]]
    sides = {
        name: "/".join(done[name][part] for part in ("study", "series", "instance"))
        for name in ("received", "result")
    }
    header = page(daemon, f"{compared}/header?{urllib.parse.urlencode(sides)}")
    assert "PatientName" in header
    assert NAME in header
    root = re.findall(r'data-result-root="([^"]+)"', page(daemon, compared))[0]
    study, series_uid, instance = sides["result"].split("/")
    picture = f"/{root}studies/{study}/series/{series_uid}/instances/{instance}/rendered"
    assert daemon.get(picture, accept="image/png")[0] == 200
    outcome = json.loads(daemon.get(f"{compared}/outcome.json?instance={instance}")[1])
    assert outcome == {"regions": [], "residuals": [], "warnings": [], "pixels_examined": False}
    assert daemon.get("/source/deidentify/trials/999")[0] == 404
    # Nobody is asked to decide about what a trial refused, and nothing went to the destination.
    assert daemon.command("quarantine", "list", "--json").stdout == waiting
    assert "dry-runs" not in page(daemon, "/deidentify").partition("Operations</h2>")[0]


def test_trials_do_not_add_up(daemon: RunningDaemon) -> None:
    _, chosen, _ = post(daemon, "/source/deidentify/studies", **form())
    study = re.findall(r'name="study" required value="([\d.]+)"', chosen)[0]
    for _ in range(4):
        _, _, address = post(daemon, "/source/deidentify/dry", **form(study=study))
        until_done(daemon, address)
    stores = "/v1/projects/local/locations/local/datasets/dry-runs/dicomStores"
    assert len(json.loads(daemon.get(stores)[1])["dicomStores"]) == 3


def test_what_cannot_be_begun_says_why_and_keeps_what_was_typed(daemon: RunningDaemon) -> None:
    faults = {
        "did you mean ATTRIBUTE_CONFIDENTIALITY": form(config=BASIC.replace("BASIC", "BASIK")),
        "written as DATASET/STORE": form(destination="clean"),
        "is configured to write by itself": form(destination="default/deid"),
        "there is no such": form(source=SOURCE.replace("source", "nowhere")),
    }
    for said, wrong in faults.items():
        status, shown, _ = post(daemon, "/source/deidentify/start", **wrong)
        assert (status, said in shown) == (400, True), said
        assert "filterProfile" in shown
    _, shown, _ = post(daemon, "/source/deidentify/dry", **form(study="../.."))
    assert "No study was chosen" in shown


def test_a_dataset_is_de_identified_into_a_new_one_and_can_be_cancelled(
    daemon: RunningDaemon,
) -> None:
    dataset = SOURCE.partition("/dicomStores")[0]
    _, _, address = post(
        daemon, "/source/deidentify/start", **form(source=dataset, destination="whole")
    )
    name = urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)["name"][0]
    status, _, address = post(daemon, "/source/deidentify/cancel", name=name)
    assert status == 200
    until_done(daemon, address)
    assert post(daemon, "/source/deidentify/cancel", name="x")[0] == 404
    assert daemon.get("/deidentify/operation?name=x")[0] == 404


def test_what_a_trial_did_is_known_after_a_restart(daemon: RunningDaemon) -> None:
    _, chosen, _ = post(daemon, "/source/deidentify/studies", **form())
    study = re.findall(r'name="study" required value="([\d.]+)"', chosen)[0]
    cleaned = json.dumps({**json.loads(BASIC), "image": {"textRedactionMode": "REDACT_ALL_TEXT"}})
    asked = form(study=study, config=cleaned)
    _, _, address = post(daemon, "/source/deidentify/dry", **asked)
    number = re.findall(r"source/deidentify/trials/(\d+)", until_done(daemon, address))[0]
    compared = f"/source/deidentify/trials/{number}"

    def outcomes() -> list[Any]:
        (series,) = json.loads(daemon.get(f"{compared}/study.json")[1])["series"]
        results = [each["result"]["instance"] for each in series["instances"] if each["result"]]
        return [
            json.loads(daemon.get(f"{compared}/outcome.json?instance={each}")[1])
            for each in results
        ]

    before = outcomes()
    assert [each["pixels_examined"] for each in before] == [True, True]
    daemon.stop()
    daemon.start()
    assert outcomes() == before
