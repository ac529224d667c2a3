"""FHIR R4 as data: elements of types and resources, required value sets, HL7's codes and displays."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FHIR_EDITION: Final = "R4 (4.0.1)"
_BACKBONE: Final = frozenset({"BackboneElement", "Element"})


class FhirElement(NamedTuple):
    """An element of a type, as JSON names it: each type of a choice is an element of its own.

    Attributes
    ----------
    name
        Such as ``status`` or ``valueQuantity``.
    stem
        What the definition calls it: ``value`` of ``value[x]``, otherwise the name.
    type
        The type's name; of a backbone element, its path.
    required
        Whether it occurs at least once; for a choice, whether one of it does.
    is_list
        Whether it may occur more than once.
    targets
        The types of resources that a reference may point at.
    value_set
        Where a code has to come from; empty where another registry enumerates them, or nothing does.
    """

    name: str
    stem: str
    type: str
    required: bool
    is_list: bool
    targets: tuple[str, ...]
    value_set: str


@cache
def fhir_types() -> Mapping[str, Mapping[str, FhirElement]]:
    """Return the elements of each type, resource and backbone element, by their JSON names."""
    rows = [row for row in _rows("fhir_elements.csv") if row[0]]
    types: dict[str, dict[str, FhirElement]] = {}
    heads = {row[0] for row in rows if not row[1]}
    for path, minimum, maximum, kinds, targets, value_set, _version in rows:
        if not minimum:
            types.setdefault(path, {})
            continue
        owner, name = path.rsplit(".", 1)
        elements = types.setdefault(owner, {})
        is_choice = name.endswith("[x]")
        stem = name.removesuffix("[x]")
        for kind in kinds.split() or ["string"]:
            inner = kind.removeprefix("#")
            if kind in _BACKBONE and path not in heads:
                inner = path
            json_name = stem + inner[0].upper() + inner[1:] if is_choice else stem
            elements[json_name] = FhirElement(
                json_name,
                stem,
                inner,
                minimum != "0",
                maximum != "1",
                tuple(targets.split()),
                value_set,
            )
    return types


@cache
def fhir_versions() -> Mapping[str, str]:
    """Return R4 or R4B for each type and resource."""
    return {row[0]: row[6] for row in _rows("fhir_elements.csv") if "." not in row[0]}


@cache
def fhir_resources() -> frozenset[str]:
    """Return the names of the resources of R4."""
    return frozenset(
        row[0] for row in _rows("fhir_elements.csv") if row[3] == "resource" and row[6] == "R4"
    )


@cache
def value_sets() -> Mapping[str, frozenset[str]]:
    """Return the codes of the value sets that elements require."""
    return {url: frozenset(codes.split(" ")) for url, codes in _rows("fhir_value_sets.csv")}


@cache
def code_systems() -> Mapping[str, Mapping[str, str]]:
    """Return the displays of the codes of HL7's code systems, by system and code."""
    systems: dict[str, dict[str, str]] = {}
    for system, code, display in _rows("fhir_codes.csv"):
        systems.setdefault(system, {})[code] = display or code
    return systems


@cache
def iso_codes(kind: str) -> frozenset[str]:
    """Return ISO's codes of a kind: language, script, country, country3 or currency."""
    return frozenset(
        next(codes for each, _, codes in _rows("iso_codes.csv") if each == kind).split()
    )


def _rows(name: str) -> Iterator[list[str]]:
    text = (files("deid.tables") / name).read_text(encoding="utf-8")
    rows = csv.reader(text.splitlines())
    next(rows)
    return rows
