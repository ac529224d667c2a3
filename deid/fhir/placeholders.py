"""What stands where a required element would be left empty: what was valid stays valid."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from deid.fhir.extensions import DATA_ABSENT_REASON
from deid.tables.fhir import FhirElement, fhir_types, value_sets

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.fhir.run import Run

    StandIn = Callable[[dict[str, Any], dict[str, Any], Run], None]

ABSENT: Final = {"extension": [{"url": DATA_ABSENT_REASON, "valueCode": "masked"}]}
STANDS_IN: Final = "stood_in"
_REMOVED: Final = "REMOVED"
_TEXTS: Final = frozenset({"string", "markdown"})
_ADDRESSES: Final = frozenset({"uri", "url", "canonical"})
_NO_ADDRESS: Final = "urn:removed"
_OBJECTS: Final[dict[str, Any]] = {
    "Reference": {"display": _REMOVED},
    "CodeableConcept": {"text": _REMOVED},
    "HumanName": {"text": _REMOVED},
    "Identifier": {"value": _REMOVED},
    "Attachment": {"title": _REMOVED},
    "Annotation": {"text": _REMOVED},
}
_PRIMITIVE: Final = frozenset("abcdefghijklmnopqrstuvwxyz")


@cache
def stand_ins(path: str) -> tuple[tuple[frozenset[str], StandIn], ...]:
    """Return, for each element that a type requires, its names, and what puts a placeholder there."""
    groups: dict[str, list[FhirElement]] = {}
    for element in fhir_types()[path].values():
        if element.required:
            groups.setdefault(element.stem, []).append(element)
    return tuple(
        (
            frozenset({name for each in group for name in (each.name, f"_{each.name}")}),
            _standing_in(path, group),
        )
        for group in groups.values()
    )


def _standing_in(path: str, group: list[FhirElement]) -> StandIn:
    def stand_in(value: dict[str, Any], out: dict[str, Any], run: Run) -> None:
        present = next(
            (each for each in group if each.name in value or f"_{each.name}" in value), None
        )
        if present is None:
            return  # it was not valid before
        run.actions[f"{path}.{present.name}", STANDS_IN] += 1
        name, stands = placeholder(present)
        out[name] = stands

    return stand_in


def placeholder(element: FhirElement) -> tuple[str, Any]:
    """Return the name and value of what stands for an element."""
    name, kind = element.name, element.type
    value: Any
    if kind[:1] in _PRIMITIVE:
        value = _primitive(element)
        if value is None:
            return f"_{name}", [ABSENT] if element.is_list else ABSENT
    elif "." in kind:
        value = dict(placeholder(each) for each in _required(kind)) or ABSENT
    else:
        value = _OBJECTS.get(kind, ABSENT)
    return name, [value] if element.is_list else value


def _required(kind: str) -> list[FhirElement]:
    chosen: dict[str, FhirElement] = {}
    for each in fhir_types()[kind].values():
        if each.required:
            chosen.setdefault(each.stem, each)
    return list(chosen.values())


def _primitive(element: FhirElement) -> str | None:
    if element.type in _TEXTS:
        return _REMOVED
    if element.type in _ADDRESSES:
        return _NO_ADDRESS
    codes = value_sets().get(element.value_set, frozenset())
    return "unknown" if element.type == "code" and "unknown" in codes else None
