"""Very many people told of in one file, and written of in others.

A document of 8 MiB and more tells of a patient and of thousands of practitioners. Notes and images of that
patient name them plainly, in small letters, as no rule for words would find them.
"""

from __future__ import annotations

import json
import re
from itertools import islice, product
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pydicom

from daemon.deidentifiers.configuration_files import resolve
from deid.identity.views import words
from tests.factories import PATIENTS, encoded, make_ct
from tests.sidecar_samples import make_resources

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SYLLABLES: Final = words(
    "bal dro fen gur hesk jov kel lum morg nyr pelt quas rhod silv thar uln vask wex yor zind"
    " brak clev dunt frem grix"
)
_LINES: Final = 200
_LEAST_BYTES: Final = 9 << 20
_WORD: Final = re.compile(r"[a-z0-9]+")
CONFIGURATION: Final = {**resolve("research"), "fhir": {}, "image": {}}
CONFIGURATION["dicomveil"] = {**CONFIGURATION.get("dicomveil", {}), "fhirText": "inspect"}


class Person(NamedTuple):
    """Somebody of whom a document tells."""

    family: str
    given: str
    number: str


def people(count: int) -> list[Person]:
    """Return so many people, each with a family name of its own (at most 390 000)."""
    names = islice(product(_SYLLABLES, repeat=4), 0, None, max(1, len(_SYLLABLES) ** 4 // count))
    return [
        Person(
            "".join(name).capitalize(),
            _SYLLABLES[number % 25].capitalize() + _SYLLABLES[number // 25 % 25],
            f"q{number * 7919 % 1_000_000:06d}v",
        )
        for number, name in enumerate(islice(names, count))
    ]


def write(folder: Path, everybody: list[Person], images: int) -> int:
    """Write the document, notes that name everybody, and images that name a few; return the notes."""
    folder.mkdir(parents=True)
    instance = make_ct(PATIENTS[0], rows=16)
    resources = make_resources(instance, PATIENTS[0], "crowd")
    with (folder / "everybody.ndjson").open("wb") as file:
        for each in (*resources, *map(_practitioner, everybody)):
            file.write(json.dumps(each).encode() + b"\n")
        if file.tell() < _LEAST_BYTES:
            file.write(json.dumps(_padding(_LEAST_BYTES - file.tell())).encode() + b"\n")
    report = next(each for each in resources if each["resourceType"] == "DiagnosticReport")
    notes = 0
    for at in range(0, len(everybody), _LINES):
        said = ". ".join(map(_said, everybody[at : at + _LINES]))
        note = {**report, "id": f"note-{at}", "conclusion": said}
        (folder / f"note-{at}.json").write_text(json.dumps(note), "utf-8")
        notes += 1
    for number in range(images):
        named = everybody[number * len(everybody) // images]
        instance.SOPInstanceUID = f"2.25.{4711 + number}"
        instance.file_meta.MediaStorageSOPInstanceUID = instance.SOPInstanceUID
        instance.StudyDescription = f"chest {named.family.lower()}"
        (folder / f"{number}.dcm").write_bytes(encoded(instance))
    return notes


def left(out: Path, everybody: list[Person]) -> tuple[int, int]:
    """Return how many names and numbers are left in what was written, and how many texts there are."""
    wanted = {part.lower() for each in everybody for part in (each.family, each.number)}
    found: set[str] = set()
    texts = 0
    for text in _texts(out):
        texts += 1
        found |= wanted.intersection(_WORD.findall(text.lower()))
    return len(found), texts


def _texts(out: Path) -> Iterator[str]:
    for path in out.rglob("fhir/*"):
        yield path.read_text("utf-8")
    for path in out.rglob("*.dcm"):
        yield str(pydicom.dcmread(path).get("StudyDescription", ""))


def _said(person: Person) -> str:
    return f"reviewed with {person.family.lower()} today, see {person.number}"


def _practitioner(person: Person) -> dict[str, Any]:
    return {
        "resourceType": "Practitioner",
        "id": f"p-{person.number}",
        "identifier": [{"system": "urn:staff", "value": person.number}],
        "name": [{"family": person.family, "given": [person.given]}],
        "telecom": [
            {"system": "phone", "value": f"555-{person.number[1:4]}-9{person.number[4:7]}"}
        ],
        "address": [{"line": [f"{person.number[1:4]} {person.given} Way"], "city": "Ulnbrak"}],
    }


def _padding(size: int) -> dict[str, Any]:
    """Return a resource of about that size, of which nothing stays."""
    div = '<div xmlns="http://www.w3.org/1999/xhtml">' + "lorem " * (size // 6) + "</div>"
    return {
        "resourceType": "Basic",
        "id": "padding",
        "code": {"text": "padding"},
        "text": {"status": "generated", "div": div},
    }
