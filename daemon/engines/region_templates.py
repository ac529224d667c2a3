"""Reads the region templates that pixel cleaning is handed: the shipped ones, and a site's own."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from deid.pixels.templates import RegionTemplate, read_templates


def read_region_templates(*folders: Path) -> list[RegionTemplate]:
    """Read the shipped region templates, then the ``*.toml`` of a site's own folders, in order.

    Raises
    ------
    deid.errors.ConfigurationInvalid
        Naming file and template.
    OSError
        If a folder cannot be read.
    """
    templates = _templates_in(_shipped(), "config/regions/")
    for folder in folders:
        templates += _templates_in(folder, f"{folder}/")
    return templates


def _shipped() -> Path:
    """Return where the shipped ones lie: by spec, as importing `config` would bring pydantic into a worker."""
    package = find_spec("config")
    assert package is not None
    assert package.submodule_search_locations
    return Path(package.submodule_search_locations[0]) / "regions"


def _templates_in(folder: Path, place: str) -> list[RegionTemplate]:
    # `iterdir`, not `glob`, which finds nothing in a folder that does not exist.
    return [
        template
        for path in sorted(file for file in folder.iterdir() if file.suffix == ".toml")
        for template in read_templates(path.read_bytes(), where=f"{place}{path.name}")
    ]
