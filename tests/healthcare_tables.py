"""Make the tables of ``daemon/healthcare`` from the discovery documents of the Healthcare API's own client.

``python -m tests.healthcare_tables`` writes them; a test compares. What is kept is which methods and fields
there are, no text.
"""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any, Final

from googleapiclient import discovery_cache

VERSIONS: Final = ("v1", "v1beta1")
FOLDER: Final = Path(__file__).parent.parent / "daemon" / "healthcare"
_BODIES: Final = (
    "CancelOperationRequest",
    "Dataset",
    "DeidentifyDatasetRequest",
    "DeidentifyDicomStoreRequest",
    "DeidentifyFhirStoreRequest",
    "DicomStore",
    "ExportDicomDataRequest",
    "ExportResourcesRequest",
    "FhirStore",
    "ImportDicomDataRequest",
    "ImportResourcesRequest",
)
# What it may hold is known to `deid.configuration`, which refuses the rest.
_CONFIGURATION: Final = "DeidentifyConfig"


def document(version: str) -> dict[str, Any]:
    """Return the discovery document that comes with the client."""
    content = discovery_cache.get_static_doc("healthcare", version)
    assert content is not None
    found: dict[str, Any] = json.loads(content)
    return found


def methods(version: str) -> dict[str, tuple[str, str]]:
    """Return verb and path of every method by its name, the path without the version in front."""
    found: dict[str, tuple[str, str]] = {}

    def walk(resources: dict[str, Any]) -> None:
        for resource in resources.values():
            for method in resource.get("methods", {}).values():
                path = method.get("flatPath", method["path"]).removeprefix(f"{version}/")
                found[method["id"].removeprefix("healthcare.")] = (method["httpMethod"], path)
            walk(resource.get("resources", {}))

    walk(document(version)["resources"])
    return found


def methods_table() -> str:
    """Return the methods of both versions as CSV; of paths, parameters are marked and not named."""
    known = {version: methods(version) for version in VERSIONS}
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(("method", "verb", "path", "versions"))
    for name in sorted({name for each in known.values() for name in each}):
        versions = [version for version in VERSIONS if name in known[version]]
        ((verb, path),) = {known[version][name] for version in versions}
        rows.writerow((name, verb, re.sub(r"\{[^}]*\}", "{}", path), " ".join(versions)))
    return out.getvalue()


def _kind(field: dict[str, Any], wanted: set[str]) -> str:
    if "$ref" in field:
        wanted.add(field["$ref"])
        return str(field["$ref"])
    if field["type"] == "array":
        return f"[{_kind(field['items'], wanted)}"
    if field["type"] == "object":
        return "object"
    kind = field.get("format", field["type"])
    return kind if kind in {"int64", "int32"} else str(field["type"])


def schemas_table() -> str:
    """Return the fields of every message that a request's body may hold, with their kinds, as JSON."""
    table = {}
    for version in VERSIONS:
        schemas = document(version)["schemas"]
        wanted, known = set(_BODIES), dict[str, dict[str, str]]()
        while wanted - known.keys():
            name = min(wanted - known.keys())
            if name == _CONFIGURATION:
                known[name] = {}
                continue
            fields = schemas[name].get("properties", {})
            known[name] = {key: _kind(field, wanted) for key, field in sorted(fields.items())}
        table[version] = dict(sorted(known.items()))
    return json.dumps(table, indent=1) + "\n"


TABLES: Final = {"methods.csv": methods_table, "messages.json": schemas_table}


if __name__ == "__main__":
    for file, make in TABLES.items():
        (FOLDER / file).write_text(make(), "utf-8")
