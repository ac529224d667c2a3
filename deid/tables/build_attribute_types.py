"""Build `attribute_types.json` from the standard's tables that the highdicom distribution carries.

A development script: ``python -m deid.tables.build_attribute_types > deid/tables/attribute_types.json``.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from pydicom.datadict import tag_for_keyword

_STRENGTH = {"1": 1, "1C": 1, "2": 2, "2C": 2}


def build() -> dict[str, Any]:
    """Return the table: modules hold ``{parent tag: {tag: 1 or 2}}``, tags as 8 hex digits.

    Where a module lists an attribute under several paths with one parent, the stronger type counts.
    The parent of a top-level attribute is the empty string. Type 3 is left out.
    """
    folder = files("highdicom") / "_standard"
    modules = json.loads((folder / "module_attribute_map.json").read_text())
    iods = json.loads((folder / "iod_module_map.json").read_text())
    sop_classes = json.loads((folder / "sop_class_iod_map.json").read_text())
    result: dict[str, Any] = {
        "origin": f"highdicom {version('highdicom')}, _standard folder (MIT)",
        "modules": {},
        "iods": {name: [m["key"] for m in members] for name, members in iods.items()},
        "sop_classes": sop_classes,
    }
    for name, attributes in modules.items():
        types: dict[str, dict[str, int]] = {}
        for attribute in attributes:
            strength = _STRENGTH.get(attribute["type"])
            tag = tag_for_keyword(attribute["keyword"])
            if strength is None or tag is None:
                continue
            parent = ""
            if attribute["path"]:
                parent_tag = tag_for_keyword(attribute["path"][-1])
                if parent_tag is None:
                    continue
                parent = f"{parent_tag:08X}"
            row = types.setdefault(parent, {})
            key = f"{tag:08X}"
            row[key] = min(strength, row.get(key, 9))
        result["modules"][name] = types
    return result


if __name__ == "__main__":
    json.dump(build(), sys.stdout, separators=(",", ":"), sort_keys=True)
    sys.stdout.write("\n")
