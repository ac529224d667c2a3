"""What is left of what was planted, what is lost of what must stay, and what both sides tell of a patient."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import orjson

from deid import Unsafe, compile_plan, deidentify, read_identifiers
from deid.fhir.context import Context
from deid.fhir.deidentify import deidentify as deidentify_resources
from deid.identity.keys import SiteKey, patient_identity
from tests.benchmarks.fhir_leaks.by_hand import digits_of, places
from tests.benchmarks.fhir_leaks.corpus import Document, Person, people, systems
from tests.factories import encoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deid.plan import Plan

KEY: Final = SiteKey(bytes(range(11, 43)))
LEVELS: Final = ("remove", "inspect", "paranoid")
_CANARY: Final = re.compile(r"Qz\d+xv\d+")
_ENCODED: Final = re.compile(rb'"([A-Za-z0-9+/]{16,}={0,2})"')
_LEAST: Final = 4


@dataclass
class Tally:
    """What was counted."""

    documents: int = 0
    types: set[str] = field(default_factory=set)
    planted: int = 0
    kinds_of_places: set[str] = field(default_factory=set)
    leaks: list[str] = field(default_factory=list)
    keeps: int = 0
    lost: list[str] = field(default_factory=list)
    references: int = 0
    astray: list[str] = field(default_factory=list)
    dates: int = 0
    moved_apart: list[str] = field(default_factory=list)
    unlike_images: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    outputs: list[tuple[bytes, bytes]] = field(default_factory=list)


def plan(level: str = "remove") -> Plan:
    """Return the plan that instances and resources go by."""
    return compile_plan(
        {
            "dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"},
            "fhir": {},
            "dicomveil": {
                "options": ["retain_modified_dates"],
                "fhirText": level,
                "identityIssuers": {
                    system: issuer or "NONE" for system, issuer in systems().items()
                },
            },
        },
        KEY,
    )


def scored(level: str = "remove", most: int = 8) -> Tally:
    """De-identify the corpus of so many patients and count."""
    tally, made = Tally(), plan(level)
    assert made.fhir is not None
    for person in people(most):
        identity = patient_identity("", person.patient.patient_id, "")
        images = read_identifiers(encoded(person.dataset))
        context = Context({person.address: identity}, identity, images)
        shift = _images(person, made, tally)
        known = tuple(_known(person))
        for document in person.documents:
            tally.documents += 1
            tally.types |= _types(document.content)
            result = _result(document.to_bytes(), made, context, tally, document.name)
            if result is None:
                continue
            tally.outputs.append((document.to_bytes(), result))
            _leaks(document, result, known, tally)
            _keeps(document, orjson.loads(result), shift, made, tally)
        for name, content in places(person):
            tally.documents += 1
            tally.types |= _types(content)
            tally.planted += 1
            tally.kinds_of_places.add(name)
            source = orjson.dumps(content)
            result = _result(source, made, context, tally, name)
            if result is not None:
                tally.outputs.append((source, result))
                tally.leaks += [f"{name}: {each}" for each in _left(result, known)]
    return tally


def _result(source: bytes, made: Plan, context: Context, tally: Tally, name: str) -> bytes | None:
    assert made.fhir is not None
    try:
        return deidentify_resources(source, made.fhir, context).to_bytes()
    except Unsafe as refusal:
        tally.refused[f"{refusal.reason} at {refusal.where} ({name})"] += 1
        return None


def _types(content: Any) -> set[str]:
    if isinstance(content, list):
        return set().union(*map(_types, content))
    if not isinstance(content, dict):
        return set()
    own = {content["resourceType"]} if isinstance(content.get("resourceType"), str) else set()
    return own.union(*(_types(each) for each in content.values()))


def _known(person: Person) -> Iterator[str]:
    """Yield what tells of a person wherever it stands, in lower case."""
    patient, born = person.patient, person.patient.birth_date
    year, month, day = born[:4], born[4:6], born[6:]
    for name in (patient.name, patient.referring_physician, patient.operator):
        yield from (
            part for group in name.split("=") for part in re.split(r"[\^ ]", group) if len(part) > 1
        )
    yield from (
        patient.patient_id,
        patient.telephone,
        patient.address,
        patient.institution,
        patient.ward,
    )
    yield digits_of(patient)
    yield from (f"{year}-{month}-{day}", f"{day}.{month}.{year}", f"{year}{month}{day}")
    yield str(person.dataset.AccessionNumber)
    yield from (
        str(person.dataset[each].value)
        for each in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    )
    yield from ("999-00-1234", "hospital.example", "11.575", "48.137")


_TITLES: Final = frozenset({"dr.", "mrs.", "phd", "mudr.", "mary"})


def _left(result: bytes, known: tuple[str, ...]) -> list[str]:
    """Return what is left of a person in a result, as text, escaped or in base64."""
    texts = [result.decode("utf-8").lower()]
    for found in _ENCODED.finditer(result):
        try:
            texts.append(base64.b64decode(found[1]).decode("utf-8").lower())
        except (binascii.Error, UnicodeDecodeError):
            continue
    left = []
    for each in known:
        word = each.lower()
        if word in _TITLES:
            continue
        pattern = re.compile(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])")
        left += [each for text in texts if word in text and pattern.search(text)]
    return left


def _leaks(document: Document, result: bytes, known: tuple[str, ...], tally: Tally) -> None:
    for path, text in document.places.items():
        tally.planted += 1
        tally.kinds_of_places.add(path)
        canary = _CANARY.search(text)
        if canary is not None and canary[0].lower().encode() in result.lower():
            tally.leaks.append(f"{path}: a canary")
    tally.leaks += [f"{document.name}: {each}" for each in _left(result, known)]


def _keeps(document: Document, new: Any, shift: int, made: Plan, tally: Tally) -> None:
    assert made.fhir is not None
    for path, value in document.kept.items():
        found = _at(new, path)
        tally.keeps += 1
        if found != value:
            tally.lost.append(path)
    for path, moment in document.dates.items():
        found = _at(new, path)
        tally.dates += 1
        is_moved = (
            isinstance(found, str) and _days(moment, found) == shift and found[10:] == moment[10:]
        )
        if not is_moved:
            tally.moved_apart.append(path)
    for path, address in document.references.items():
        found = _at(new, path)
        tally.references += 1
        kind, original = address.split("/")
        if found != f"{kind}/{made.fhir.resource_id(kind, original)}":
            tally.astray.append(path)
    if document.name == "study":
        _study(document, new, shift, tally)


def _at(new: Any, path: str) -> Any:
    """Return what stands at a path, each list's only item; None where nothing does."""
    at = new
    for part in path.split(".")[1:]:
        at = at[0] if isinstance(at, list) and at else at
        if not isinstance(at, dict) or part not in at:
            return None
        at = at[part]
    return at[0] if isinstance(at, list) and at else at


def _days(old: str, new: str) -> int:
    try:
        return (date.fromisoformat(new[:10]) - date.fromisoformat(old[:10])).days
    except ValueError:
        return 0


def _study(document: Document, new: Any, shift: int, tally: Tally) -> None:
    """Count a study's references to its own resources, and the distances between its dates."""
    ids = {f"{each['resource']['resourceType']}/{each['resource']['id']}" for each in new["entry"]}
    for each in _all(new, "reference"):
        tally.references += 1
        if each not in ids:
            tally.astray.append(f"study: {each.partition('/')[0]}")
    olds = {(kind, name): value for kind, name, value in _moments(document.content)}
    for kind, name, value in _moments(new):
        tally.dates += 1
        if _days(olds[kind, name], value) != shift:
            tally.moved_apart.append(f"study: {kind}.{name}")


def _all(value: Any, name: str) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _all(each, name)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key == name:
                yield each
            else:
                yield from _all(each, name)


def _moments(content: Any) -> Iterator[tuple[str, str, str]]:
    for entry in content["entry"]:
        resource = entry["resource"]
        for name in ("started", "authoredOn", "effectiveDateTime", "issued", "birthDate"):
            if name in resource:
                yield resource["resourceType"], name, resource[name]


def _images(person: Person, made: Plan, tally: Tally) -> int:
    """Compare what a patient's resources say with what their image says; return the shift of its dates."""
    from io import BytesIO  # noqa: PLC0415

    import pydicom  # noqa: PLC0415

    assert made.fhir is not None
    source = encoded(person.dataset)
    result = deidentify(source, made)
    content = b"".join(
        part if isinstance(part, bytes) else source[part.start : part.stop]
        for part in result.segments
    )
    image = pydicom.dcmread(BytesIO(content))
    study = next(each for each in person.documents if each.name == "study")
    found = deidentify_resources(study.to_bytes(), made.fhir)
    new = {
        each["resource"]["resourceType"]: each["resource"]
        for each in orjson.loads(found.to_bytes())["entry"]
    }
    patient, imaging, order = new["Patient"], new["ImagingStudy"], new["ServiceRequest"]
    pairs = {
        "pseudonym": (found.pseudonyms, (str(image.PatientID),)),
        "name": (patient["name"], [{"family": str(image.PatientName)}]),
        "number": (patient["identifier"][0]["value"], str(image.PatientID)),
        "study": (imaging["identifier"][0]["value"], f"urn:oid:{image.StudyInstanceUID}"),
        "series": (imaging["series"][0]["uid"], str(image.SeriesInstanceUID)),
        "instance": (imaging["series"][0]["instance"][0]["uid"], str(image.SOPInstanceUID)),
        "accession": (imaging["identifier"][1]["value"], str(image.AccessionNumber)),
        "order": (order["identifier"][0]["value"], str(image.AccessionNumber)),
        "day": (imaging["started"][:10].replace("-", ""), str(image.StudyDate)),
    }
    tally.unlike_images += [name for name, (ours, theirs) in pairs.items() if ours != theirs]
    old = str(person.dataset.StudyDate)
    return _days(f"{old[:4]}-{old[4:6]}-{old[6:]}", imaging["started"])
