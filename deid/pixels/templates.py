"""Region templates: where known machines burn text in, as a site or we have recorded it.

A template file is TOML. Each ``[[template]]`` says which instances it fits and what is filled::

    [[template]]
    name = "acme-us-header"             # shows up in outcomes as rule:template:acme-us-header
    manufacturer = "ACME*"              # globs, case-insensitive; absent fits all
    model = "SonoPlus ?"
    software_versions = "*"
    modality = "US"
    sop_class_uid = "1.2.840.10008.5.1.4.1.1.6.1"
    rows = 768                          # absent fits all
    columns = 1024
    fill = [[0, 0, 1024, 48]]           # left, top, width, height in pixels of the frame
    keep = [[0, 48, 1024, 720]]         # alternatively: everything outside these is filled

Parts outside the frame are ignored. Every template that fits is applied.
"""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from deid.errors import ConfigurationInvalid
from deid.pixels.description import first_number
from deid.pixels.geometry import Box, outside

_ATTRIBUTES = {
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
    "software_versions": "SoftwareVersions",
    "modality": "Modality",
    "sop_class_uid": "SOPClassUID",
}


@dataclass(frozen=True, slots=True)
class RegionTemplate:
    """One entry of a template file; an empty pattern or 0 fits everything."""

    name: str
    manufacturer: str = ""
    model: str = ""
    software_versions: str = ""
    modality: str = ""
    sop_class_uid: str = ""
    rows: int = 0
    columns: int = 0
    fill: tuple[Box, ...] = ()
    keep: tuple[Box, ...] = ()

    def fits(self, attributes: Mapping[str, Any]) -> bool:
        """Whether an instance with these attributes is of that kind."""
        for name, keyword in _ATTRIBUTES.items():
            pattern = getattr(self, name)
            if pattern and not fnmatch.fnmatchcase(_text(attributes, keyword), pattern.upper()):
                return False
        sizes = ((self.rows, "Rows"), (self.columns, "Columns"))
        return all(not size or first_number(attributes, key) == size for size, key in sizes)

    def boxes(self, rows: int, columns: int) -> list[Box]:
        """Return what is to be filled in a frame of that size."""
        wanted = [*self.fill, *(outside(self.keep, rows, columns) if self.keep else ())]
        clipped = (box.clipped(rows, columns) for box in wanted)
        return [box for box in clipped if box is not None]


def read_templates(document: bytes, *, where: str = "regions") -> list[RegionTemplate]:
    """Parse one template file.

    Raises
    ------
    ConfigurationInvalid
        Naming `where` and each template with a problem.
    """
    try:
        parsed = tomllib.loads(document.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationInvalid([f"{where}: not valid TOML"]) from error
    problems: list[str] = []
    templates: list[RegionTemplate] = []
    unknown = set(parsed) - {"template"}
    problems += [f"{where}: unknown table {name!r}" for name in sorted(unknown)]
    for number, entry in enumerate(parsed.get("template", []), start=1):
        at = f"{where}: template {number}"
        wrong = _problems(entry)
        problems += [f"{at}: {problem}" for problem in wrong]
        if not wrong:
            boxes = {
                key: tuple(Box(*box) for box in entry.get(key, ())) for key in ("fill", "keep")
            }
            templates.append(RegionTemplate(**{**entry, **boxes}))
    if problems:
        raise ConfigurationInvalid(problems)
    return templates


def template_document(template: RegionTemplate) -> str:
    """Return a template as an entry of a template file."""
    lines = ["[[template]]"]
    for field in fields(template):
        value = getattr(template, field.name)
        if not value:
            continue
        if isinstance(value, tuple):
            boxes = ", ".join(f"[{', '.join(str(number) for number in box)}]" for box in value)
            lines.append(f"{field.name} = [{boxes}]")
        elif isinstance(value, str):
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'{field.name} = "{escaped}"')
        else:
            lines.append(f"{field.name} = {value}")
    return "\n".join(lines) + "\n"


def _problems(entry: Any) -> list[str]:
    if not isinstance(entry, Mapping):
        return ["is not a table"]
    known = {field.name: field for field in fields(RegionTemplate)}
    problems = [f"unknown key {key!r}" for key in entry if key not in known]
    if not isinstance(entry.get("name"), str) or not entry.get("name"):
        problems.append("needs a name")
    problems += [
        f"{key} must be a text" for key in _ATTRIBUTES if not isinstance(entry.get(key, ""), str)
    ]
    problems += [
        f"{key} must be a positive number"
        for key in ("rows", "columns")
        if key in entry and (not isinstance(entry[key], int) or entry[key] < 1)
    ]
    for key in ("fill", "keep"):
        boxes = entry.get(key, [])
        if not isinstance(boxes, Sequence) or not all(_is_box(box) for box in boxes):
            problems.append(f"{key} must be a list of [left, top, width, height]")
    if not entry.get("fill") and not entry.get("keep"):
        problems.append("needs fill or keep")
    return problems


def _is_box(box: Any) -> bool:
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(isinstance(number, int) for number in box)
        and min(box) >= 0
        and min(box[2:]) > 0
    )


def _text(attributes: Mapping[str, Any], keyword: str) -> str:
    value = attributes.get(keyword)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        value = "\\".join(str(part) for part in value)
    return str(value or "").strip().upper()
