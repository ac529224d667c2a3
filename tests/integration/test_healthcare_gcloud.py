"""The real gcloud as the command line, and the commands that Google's tutorial prints."""

from __future__ import annotations

import json
import os
import subprocess
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest

from daemon.synthetic.ultrasound import make_us
from tests.factories import encoded, make_ct
from tests.healthcare_client import (
    DATASETS,
    ask,
    client,
    done,
    make_dataset,
    make_store,
    retrieve,
    search,
    store_instance,
)
from tests.pixel_samples import with_text
from tests.service import RunningDaemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.peer("gcloud")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("healthcare")
    running = RunningDaemon(folder / "state", folder, is_prepared=True)
    running.start()
    yield running
    running.stop()


class Shell:
    """Runs commands with the five variables that the documentation names."""

    def __init__(self, folder: Path, address: str) -> None:
        token = folder / "token.txt"
        token.write_text("nobodys-token\n")
        self._folder = folder
        self._environment = {
            **os.environ,
            "CLOUDSDK_CONFIG": str(folder / "gcloud"),
            "CLOUDSDK_CORE_PROJECT": "my-proj",
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
            "CLOUDSDK_HEALTHCARE_LOCATION": "us-central1",
            "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token),
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_HEALTHCARE": f"{address}/",
            "HOST": address,
        }

    def run(self, command: str, status: int = 0) -> str:
        done = subprocess.run(
            ["bash", "-c", command],
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == status, said
        return said


@pytest.fixture
def shell(daemon: RunningDaemon, tmp_path: Path) -> Shell:
    return Shell(tmp_path, daemon.http)


@pytest.fixture
def service(daemon: RunningDaemon) -> Iterator[Any]:
    with client(daemon.http) as made:
        yield made


def test_gcloud_makes_tells_deidentifies_and_deletes(
    daemon: RunningDaemon, shell: Shell, service: Any
) -> None:
    assert "Created dataset [hospital]" in shell.run("gcloud healthcare datasets create hospital")
    assert "hospital" in shell.run("gcloud healthcare datasets list")
    full = f"{DATASETS}/datasets/hospital"
    assert f"name: {full}" in shell.run("gcloud healthcare datasets describe hospital")
    for name in ("one", "two"):
        made = shell.run(f"gcloud healthcare dicom-stores create {name} --dataset=hospital")
        assert f"Created dicomStore [{name}]" in made
        shell.run(f"gcloud healthcare fhir-stores create {name} --dataset=hospital --version=R4")
    store_instance(service, f"{full}/dicomStores/one", encoded(make_ct()))
    said = shell.run(
        "gcloud healthcare dicom-stores deidentify one --dataset=hospital"
        f" --destination-store={full}/dicomStores/two"
    )
    assert "done." in said
    # Google's prints the source, too.
    assert f"name: {full}/dicomStores/one" in said
    metrics = shell.run("gcloud healthcare dicom-stores metrics two --dataset=hospital")
    assert "instanceCount: '1'" in metrics
    said = shell.run(
        "gcloud healthcare fhir-stores deidentify one --dataset=hospital --async"
        f" --destination-store={full}/fhirStores/two"
    )
    assert "operations/" in said
    target = f"{DATASETS}/datasets/research"
    said = shell.run(
        "gcloud healthcare datasets deidentify hospital --default-fhir-config"
        f" --destination-dataset={target}"
    )
    assert "done." in said
    listed = shell.run("gcloud healthcare operations list --dataset=hospital")
    assert listed.count("True") == 4
    number = listed.splitlines()[1].split()[0]
    said = shell.run(f"gcloud healthcare operations describe {number} --dataset=hospital")
    assert "done: true" in said
    assert "DeidentifyDataset" in said
    said = shell.run(
        "gcloud healthcare dicom-stores import gcs one --dataset=hospital --gcs-uri=gs://b/x", 1
    )
    assert "there is no Google Cloud Storage here" in said
    assert "STOW-RS" in said
    shell.run("gcloud healthcare dicom-stores delete two --dataset=hospital --quiet")
    shell.run("gcloud healthcare datasets delete research --quiet")
    assert ask(f"{daemon.http}/v1/{target}").status == 404


TAGS = """gcloud VERSION healthcare datasets deidentify SOURCE \\
    --location=us-central1 \\
    --dicom-filter-tags=PatientID,StudyDescription,Modality \\
    --text-redaction-mode=all \\
    --destination-dataset=projects/my-proj/locations/us-central1/datasets/TARGET
"""
HELP = """gcloud VERSION healthcare datasets deidentify SOURCE \\
    --destination-dataset=projects/my-proj/locations/\\
us-central1/datasets/TARGET --default-fhir-config \\
    --dicom-filter-tags=MediaStorageSOPClassUID,SeriesInstanceUID,\\
StudyInstanceUID
"""


def test_flags_that_name_tags_and_text_do_the_same_in_ga_and_beta(
    daemon: RunningDaemon, shell: Shell, service: Any
) -> None:
    dataset = make_dataset(service, "flags")
    store = make_store(service, dataset, "images")
    make_store(service, dataset, "told", fhir=True)
    original = make_us(frames=1)
    pixels = with_text(original.pixel_array.reshape(240, 320, 3), "Ottilie 19430717")
    original.PixelData = pixels.tobytes()
    store_instance(service, store, encoded(original))
    plain = make_dataset(service, "plain")
    store_instance(service, make_store(service, plain, "images"), encoded(make_ct()))
    make_store(service, plain, "told", fhir=True)

    def run(line: str, version: str) -> tuple[pydicom.Dataset, str]:
        target = f"flags-{'beta' if version else 'ga'}-{'tags' if line == TAGS else 'help'}"
        source = "flags" if line == TAGS else "plain"
        for name, value in (("VERSION ", version), ("SOURCE", source), ("TARGET", target)):
            line = line.replace(name, value)
        assert "done." in shell.run(line)
        clean = f"{DATASETS}/datasets/{target}"
        (found,) = search(service, f"{clean}/dicomStores/images")
        uids = [found[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")]
        body = retrieve(daemon.http, f"{clean}/dicomStores/images", *uids)
        return pydicom.dcmread(BytesIO(body)), clean

    for version in ("", "beta "):
        cleaned, clean = run(TAGS, version)
        assert "PatientName" not in cleaned
        assert cleaned.Modality == original.Modality
        assert_written_over(original, cleaned)
        assert ask(f"{daemon.http}/v1/{clean}/fhirStores/told").status == 404
    cleaned, clean = run(HELP, "beta ")
    assert "Modality" not in cleaned
    assert cleaned.SOPClassUID == make_ct().SOPClassUID
    assert ask(f"{daemon.http}/v1/{clean}/fhirStores/told").status == 200
    target = make_store(service, dataset, "again")
    said = shell.run(
        "gcloud beta healthcare dicom-stores deidentify images --dataset=flags"
        f" --destination-store={target} --text-redaction-mode=all"
        " --dicom-filter-tags=PatientID,Modality"
    )
    assert "done." in said
    told = make_store(service, dataset, "clean", fhir=True)
    said = shell.run(
        "gcloud beta healthcare fhir-stores deidentify told --dataset=flags"
        f" --destination-store={told} --async"
    )
    assert "operations/" in said


# -- the two use cases of the tutorial, as it prints them but for host and names --

REDACT_ALL = """curl -X POST \\
    -H "Authorization: Bearer "$(gcloud auth print-access-token) \\
    -H "Content-Type: application/json; charset=utf-8" \\
    --data "{
      'destinationDataset': 'projects/my-proj/locations/us-central1/datasets/TARGET',
      'config': {
        'dicom': {
          'keepList': {
            'tags': ['PatientID', 'StudyDescription', 'Modality']
          }
        },
        'image': {
          'textRedactionMode': 'REDACT_ALL_TEXT'
        }
      }
    }" "$HOST/v1/projects/my-proj/locations/us-central1/datasets/SOURCE:deidentify"
"""
KEEP_LIST = """          'keepList': {
            'tags': ['PatientID', 'StudyDescription', 'Modality']
          }
"""
MINIMAL = "          'filterProfile': 'MINIMAL_KEEP_LIST_PROFILE'\n"
TAG_CONTENTS = """curl -X POST \\
    -H "Authorization: Bearer "$(gcloud auth print-access-token) \\
    -H "Content-Type: application/json; charset=utf-8" \\
    --data "{
      'destinationDataset': 'projects/my-proj/locations/us-central1/datasets/TARGET',
      'config': {
        'dicom': {
          'filterProfile': 'DEIDENTIFY_TAG_CONTENTS'
        },
        'text': {
          'transformations': [
            {'infoTypes': ['PERSON_NAME'], 'redactConfig': {}},
            {'infoTypes': ['PHONE_NUMBER'], 'characterMaskConfig': {'maskingCharacter': ''}},
            {'infoTypes': ['DATE', 'DATE_OF_BIRTH'], 'dateShiftConfig': {
              'cryptoKey': 'U2FsdGVkX19bS2oZsdbK9X5zi2utBn22uY+I2Vo0zOU='}}
          ]
        },
        'image': {
          'textRedactionMode': 'REDACT_SENSITIVE_TEXT'
        }
      }
    }" "$HOST/v1/projects/my-proj/locations/us-central1/datasets/SOURCE:deidentify"
"""


def deidentified(
    daemon: RunningDaemon, shell: Shell, service: Any, name: str, command: str
) -> tuple[pydicom.Dataset, pydicom.Dataset]:
    """Run a command over a dataset with one ultrasound instance; return that, and what became of it."""
    store = make_store(service, make_dataset(service, name), "images")
    original = make_us(frames=1)
    family = str(original.PatientName.family_name)
    pixels = with_text(original.pixel_array.reshape(240, 320, 3), f"{family} 19430717")
    original.PixelData = pixels.tobytes()
    store_instance(service, store, encoded(original))
    command = command.replace("SOURCE", name).replace("TARGET", f"{name}-clean")
    said = shell.run(command)
    operation = json.loads(said[said.index("{") : said.index("}") + 1])
    assert operation.keys() == {"name"}
    number = operation["name"].rpartition("/")[2]
    ended = done(service, operation)
    assert ended["metadata"]["counter"] == {"success": "1"}, ended
    assert "done: true" in shell.run(
        f"gcloud healthcare operations describe {number} --dataset={name}"
    )
    clean = f"{DATASETS}/datasets/{name}-clean/dicomStores/images"
    (found,) = search(service, clean)
    uids = [found[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")]
    return original, pydicom.dcmread(BytesIO(retrieve(daemon.http, clean, *uids)))


def assert_written_over(original: pydicom.Dataset, cleaned: pydicom.Dataset) -> None:
    """Check that the bright text is gone, and the picture below it is as it was."""
    before, after = (each.pixel_array.reshape(240, 320, 3) for each in (original, cleaned))
    text = before[:48].max(axis=2) > 200
    assert text.sum() > 50
    assert (after[:48].max(axis=2)[text] > 200).mean() < 0.02
    assert np.array_equal(before[80:], after[80:])


def test_the_first_use_case_keeps_what_it_lists_and_no_text_in_pixels(
    daemon: RunningDaemon, shell: Shell, service: Any
) -> None:
    original, cleaned = deidentified(daemon, shell, service, "case-1", REDACT_ALL)
    assert "PatientName" not in cleaned
    assert cleaned.Modality == original.Modality
    assert cleaned.SOPInstanceUID != original.SOPInstanceUID
    assert_written_over(original, cleaned)
    assert "case-1-clean" in shell.run("gcloud healthcare datasets list")
    shell.run("gcloud healthcare datasets delete case-1-clean --quiet")


def test_the_first_use_case_keeps_only_what_an_image_needs_where_it_says_so(
    daemon: RunningDaemon, shell: Shell, service: Any
) -> None:
    assert KEEP_LIST in REDACT_ALL
    command = REDACT_ALL.replace(KEEP_LIST, MINIMAL)
    original, cleaned = deidentified(daemon, shell, service, "case-1b", command)
    assert not {"PatientName", "PatientBirthDate", "StudyDescription"} & set(cleaned.dir())
    assert (cleaned.Rows, cleaned.Columns) == (original.Rows, original.Columns)
    assert_written_over(original, cleaned)


def test_the_second_use_case_shifts_dates_and_takes_names_out(
    daemon: RunningDaemon, shell: Shell, service: Any
) -> None:
    original, cleaned = deidentified(daemon, shell, service, "case-2", TAG_CONTENTS)
    assert str(original.PatientName) not in str(cleaned)
    assert cleaned.StudyDate != original.StudyDate
    assert cleaned.Rows == original.Rows
    assert_written_over(original, cleaned)
