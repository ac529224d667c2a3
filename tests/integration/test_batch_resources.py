"""``dicomveil deid`` over folders with FHIR resources, alone and beside instances."""

from __future__ import annotations

import gzip
import json
import zipfile
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from daemon.batch.request import BatchRequest
from daemon.batch.run import run_batch
from daemon.deidentifiers.configuration_files import resolve
from tests.benchmarks import fhir_people
from tests.factories import PATIENTS, encoded, make_ct
from tests.prepared import worker_ahead
from tests.sections import make_limits, make_pixels
from tests.service import ROOT
from tests.sidecar_samples import issuer_system, make_resources

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.batch.request import BatchSummary

KEY = bytes(range(32))
CONFIGURATION = {
    "dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"},
    "fhir": {},
}


def run(
    source: Path,
    out: Path,
    configuration: dict[str, Any] = CONFIGURATION,
    *,
    is_fork: bool = True,
    **changes: Any,
) -> BatchSummary:
    """Run by one worker: a fork, unless hashes have to differ from those of another run."""
    request = BatchRequest(
        inputs=[source],
        out=out,
        configuration=configuration,
        key=KEY,
        limits=make_limits(),
        pixels=make_pixels(),
        jobs=1,
    )
    with worker_ahead(ROOT) if is_fork else nullcontext() as ahead:
        return run_batch(replace(request, **changes), spawned=ahead)


def written(out: Path) -> dict[str, bytes]:
    """Return the files of resources by their names below the output folder."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("fhir/*"))
    }


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def sample(person: int = 0) -> tuple[bytes, list[dict[str, Any]]]:
    instance = make_ct(PATIENTS[person], rows=16)
    return encoded(instance), make_resources(instance, PATIENTS[person], f"p{person}")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


def test_resources_lie_beside_their_patients_studies_under_new_names(
    source: Path, tmp_path: Path
) -> None:
    instance, resources = sample()
    write(source, {"i.dcm": instance})
    write(source, {f"{each['id']}.json": json.dumps(each).encode() for each in resources})
    summary = run(source, tmp_path / "out")
    assert (summary.deidentified, summary.refused, summary.skipped) == (8, 0, 0)
    (image,) = (tmp_path / "out").rglob("*.dcm")
    pseudonym = str(pydicom.dcmread(image).PatientID)
    found = written(tmp_path / "out")
    of_patient = {name.split("/")[2].split("-")[0] for name in found if name.startswith(pseudonym)}
    assert of_patient == {
        "Patient", "ServiceRequest", "ImagingStudy", "DiagnosticReport", "Observation",
    }  # fmt: skip
    assert len(found) == 7
    everything = b"".join(found.values()).decode() + "".join(found)
    for original in ("denscheidt", "MRN-4711002", "p0", "5550142"):
        assert original not in everything


def test_the_order_of_files_and_whether_they_lie_in_archives_changes_nothing(
    source: Path, tmp_path: Path
) -> None:
    instance, resources = sample()
    files = {f"{n}.json": json.dumps(each).encode() for n, each in enumerate(resources)}
    write(source / "one", {"z.dcm": instance, **files})
    write(source / "two", {"0.dcm": instance})
    with zipfile.ZipFile(source / "two" / "a.zip", "w") as archive:
        for name, data in reversed(files.items()):
            archive.writestr(f"x/{name}", data)
    for name in ("one", "two"):
        run(source / name, tmp_path / name, is_fork=False)
    assert written(tmp_path / "one") == written(tmp_path / "two")
    assert len(written(tmp_path / "one")) == 7


def test_a_bundle_stays_a_bundle_and_lines_stay_lines_also_from_gzip(
    source: Path, tmp_path: Path
) -> None:
    instance, resources = sample()
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": each} for each in resources],
    }
    lines = b"".join(json.dumps(each).encode() + b"\n" for each in resources)
    write(
        source,
        {
            "i.dcm": instance,
            "b.json": json.dumps(bundle).encode(),
            "l.ndjson.gz": gzip.compress(lines),
        },
    )
    assert run(source, tmp_path / "out").deidentified == 3
    found = written(tmp_path / "out")
    (of_bundle,) = [data for name, data in found.items() if "/Bundle-" in name]
    (of_lines,) = [data for name, data in found.items() if name.endswith(".ndjson")]
    inner = [each["resource"] for each in json.loads(of_bundle)["entry"]]
    assert [json.loads(line) for line in of_lines.splitlines()] == inner
    assert len(inner) == 7


def test_resources_alone_join_across_files(source: Path, tmp_path: Path) -> None:
    _, resources = sample()
    system = issuer_system(PATIENTS[0])
    configuration = {
        **CONFIGURATION,
        "dicomveil": {"identityIssuers": {system: PATIENTS[0].issuer}},
    }
    write(source, {f"{n}.json": json.dumps(each).encode() for n, each in enumerate(resources)})
    run(source, tmp_path / "apart", configuration)
    apart = [json.loads(data) for data in written(tmp_path / "apart").values()]
    instance, _ = sample()
    write(source, {"i.dcm": instance})
    run(source, tmp_path / "beside", configuration)
    beside = [json.loads(data) for data in written(tmp_path / "beside").values()]
    assert sorted(map(json.dumps, apart)) == sorted(map(json.dumps, beside))


def test_what_a_resource_tells_cleans_the_images_of_its_study(source: Path, tmp_path: Path) -> None:
    instance = make_ct(PATIENTS[7], rows=16)
    instance.StudyDescription = "Chest, seen by Quillfeather"
    _, resources = encoded(instance), make_resources(instance, PATIENTS[7], "x")
    resources[1]["name"] = [{"family": "Quillfeather", "given": ["Ada"]}]
    write(source, {"i.dcm": encoded(instance)})
    write(source, {f"{n}.json": json.dumps(each).encode() for n, each in enumerate(resources)})
    run(source, tmp_path / "out", resolve("research"))
    (image,) = (tmp_path / "out").rglob("*.dcm")
    assert b"Quillfeather" not in image.read_bytes()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"resourceType":"Patient","id":"a","id":"b"}', "duplicate_name"),
        (b'{"resourceType":"Patient","name":[{"family":"M', "truncated"),
        (b'{"resourceType":"AuditEvent","id":"a"}', "resource_not_listed"),
    ],
)
def test_what_cannot_be_passed_on_is_refused_with_its_reason(
    source: Path, tmp_path: Path, data: bytes, reason: str
) -> None:
    write(source, {"r.json": data})
    summary = run(source, tmp_path / "out")
    assert summary.refused_for == {reason: 1}
    assert written(tmp_path / "out") == {}


def test_a_configuration_without_fhir_puts_resources_aside(source: Path, tmp_path: Path) -> None:
    _, resources = sample()
    write(source, {"r.json": json.dumps(resources[0]).encode()})
    summary = run(source, tmp_path / "out", {"dicom": CONFIGURATION["dicom"]})
    assert summary.refused_for == {"not_configured": 1}


def test_what_belongs_to_two_patients_is_refused(source: Path, tmp_path: Path) -> None:
    one, other = make_ct(PATIENTS[0], rows=16), make_ct(PATIENTS[7], rows=16)
    torn = make_resources(one, PATIENTS[0], "t")[3]
    torn["identifier"][0]["value"] = str(other.AccessionNumber)
    torn["note"] = [{"text": str(one.StudyInstanceUID)}]
    write(
        source,
        {"1.dcm": encoded(one), "2.dcm": encoded(other), "t.json": json.dumps(torn).encode()},
    )
    assert run(source, tmp_path / "out").refused_for == {"sidecar_conflict": 1}


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_of_two_versions_in_a_folder_the_later_counts_whatever_they_are_called(
    source: Path, tmp_path: Path, names: tuple[str, str]
) -> None:
    instance, resources = sample()
    report = next(each for each in resources if each["resourceType"] == "DiagnosticReport")
    report |= {"status": "preliminary", "issued": "2024-01-01T10:00:00Z"}
    amended = {**report, "status": "amended", "issued": "2024-01-02T10:00:00Z"}
    versions = zip(names, (report, amended), strict=True)
    files = {f"{name}.json": json.dumps(each).encode() for name, each in versions}
    write(source, {"i.dcm": instance, "p.json": json.dumps(resources[0]).encode(), **files})
    summary = run(source, tmp_path / "out")
    assert (summary.deidentified, summary.refused, summary.skipped) == (3, 0, 1)
    (told,) = [
        json.loads(data) for name, data in written(tmp_path / "out").items() if "Report" in name
    ]
    assert told["status"] == "amended"


def test_two_versions_of_which_none_says_that_it_is_later_are_both_refused(
    source: Path, tmp_path: Path
) -> None:
    one = {"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/1"}}
    other = {**one, "recordedDate": "2024-01-01"}
    write(
        source, {f"{n}.json": json.dumps(each).encode() for n, each in enumerate((one, other, one))}
    )
    assert run(source, tmp_path / "out").refused_for == {"sidecar_versions": 3}


def test_equal_ids_of_two_patients_are_no_versions(source: Path, tmp_path: Path) -> None:
    for person, folder in ((0, "north"), (7, "south")):
        instance = make_ct(PATIENTS[person], rows=16)
        patient = {**make_resources(instance, PATIENTS[person], "q")[0], "id": "1"}
        write(
            source,
            {
                f"{folder}/i.dcm": encoded(instance),
                f"{folder}/p.json": json.dumps(patient).encode(),
            },
        )
    summary = run(source, tmp_path / "out")
    assert (summary.deidentified, summary.refused) == (4, 0)


@pytest.mark.parametrize(
    ("person", "entity"), [(0, "LocalNamespaceEntityID"), (7, "UniversalEntityID")]
)
def test_an_accession_is_its_issuers_whom_the_images_name(
    source: Path, tmp_path: Path, person: int, entity: str
) -> None:
    files = {}
    for of, issuer in ((0, "North  RIS"), (7, "South RIS")):
        instance = make_ct(PATIENTS[of], rows=16 + of)
        instance.AccessionNumber = "A1"
        item = Dataset()
        setattr(item, entity, issuer)
        instance.IssuerOfAccessionNumberSequence = [item]
        files[f"{of}.dcm"] = encoded(instance)
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]}
    systems = {0: "urn:north", 7: "urn:south"}
    order = {
        "resourceType": "ServiceRequest",
        "id": "o",
        "status": "active",
        "intent": "order",
        "subject": {"display": "somebody"},
        "identifier": [{"type": kind, "system": systems[person], "value": "A1"}],
    }
    write(source, {**files, "order.json": json.dumps(order).encode()})
    issuers = {"urn:north": "NORTH RIS", "urn:south": "south ris"}
    run(source, tmp_path / "out", {**CONFIGURATION, "dicomveil": {"identityIssuers": issuers}})
    (name,) = written(tmp_path / "out")
    images = [pydicom.dcmread(path) for path in (tmp_path / "out").rglob("*.dcm")]
    (beside,) = [each for each in images if name.startswith(str(each.PatientID))]
    assert beside.Rows == 16 + person


def test_other_json_is_no_resource_and_is_passed_by(source: Path, tmp_path: Path) -> None:
    instance, _ = sample()
    write(source, {"notes.json": b'{"a": 1}', "i.dcm": instance})
    summary = run(source, tmp_path / "out")
    assert (summary.deidentified, summary.skipped, summary.refused) == (1, 1, 0)


def test_a_second_run_writes_the_same_again(source: Path, tmp_path: Path) -> None:
    instance, resources = sample()
    write(source, {"i.dcm": instance, "r.json": json.dumps(resources[0]).encode()})
    run(source, tmp_path / "out", is_fork=False)
    before = written(tmp_path / "out")
    assert run(source, tmp_path / "out", is_fork=False).deidentified == 2
    assert written(tmp_path / "out") == before


def test_of_very_many_people_in_one_file_nobody_is_left_in_others(tmp_path: Path) -> None:
    everybody = fhir_people.people(450)
    notes = fhir_people.write(tmp_path / "in", everybody, images=2)
    summary = run(tmp_path / "in", tmp_path / "out", fhir_people.CONFIGURATION)
    assert (summary.deidentified, summary.refused) == (notes + 3, 0)
    assert fhir_people.left(tmp_path / "out", everybody) == (0, notes + 3)
    said = [data for name, data in written(tmp_path / "out").items() if "Report" in name]
    assert sum(data.count(b"reviewed with") for data in said) == 450
    images = [pydicom.dcmread(path) for path in (tmp_path / "out").rglob("*.dcm")]
    assert {str(each.StudyDescription).split()[0] for each in images} == {"chest"}
