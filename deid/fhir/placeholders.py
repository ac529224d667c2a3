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
_EMPTY_NARRATIVE: Final = {
    "status": "empty",
    "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{_REMOVED}</p></div>',
}
_ONE_OF: Final[dict[str, tuple[tuple[str, ...], str, Any]]] = {
    "Composition.section": (("text", "entry", "section"), "text", _EMPTY_NARRATIVE),  # cmp-1
    "Consent": (("policy", "policyRule"), "policyRule", {"text": _REMOVED}),  # ppc-1
    "Immunization.education": (("documentType", "reference"), "documentType", _REMOVED),  # imm-1
    "NutritionOrder": (
        ("oralDiet", "supplement", "enteralFormula"),
        "oralDiet",
        {"instruction": _REMOVED},
    ),  # nor-1
    "Observation.referenceRange": (("low", "high", "text"), "text", _REMOVED),  # obs-3
}
"""Invariants that one of some elements is there: the elements, and what stands in."""
_DEPENDENT: Final[dict[str, tuple[tuple[str, tuple[str, ...]], ...]]] = {
    "FamilyMemberHistory": (("estimatedAge", ("ageAge", "ageRange", "ageString")),),  # fhs-2
    "Quantity": (("code", ("system",)),),  # qty-3
    "Age": (("code", ("system",)),),
    "Count": (("code", ("system",)),),
    "Distance": (("code", ("system",)),),
    "Duration": (("code", ("system",)),),
}
"""Invariants that an element is there only beside others: the element, and those of which one is needed."""
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
    ) + _of_invariants(path)


def _of_invariants(path: str) -> tuple[tuple[frozenset[str], StandIn], ...]:
    if path not in _ONE_OF:
        return ()
    names, chosen, stands = _ONE_OF[path]

    def stand_in(value: dict[str, Any], out: dict[str, Any], run: Run) -> None:
        if not value.keys().isdisjoint(names):
            run.actions[f"{path}.{chosen}", STANDS_IN] += 1
            out[chosen] = stands

    return ((frozenset(names), stand_in),)


def depends(path: str, name: str) -> bool:
    """Whether an element of a type stays only beside others."""
    return any(name == each for each, _needed in _DEPENDENT.get(path, ()))


def without_dependents(path: str) -> Callable[..., dict[str, Any]] | None:
    """Return what removes elements that may not be there without others; None where none depends."""
    if path == "Parameters.parameter":  # inv-1
        values = frozenset(fhir_types()[path]) - {"id", "extension", "name"}
        return _whole_or_nothing(values, values)
    if path == "MolecularSequence.referenceSeq":  # msq-5, msq-6
        kept = frozenset({"referenceSeqId", "referenceSeqPointer"})
        return _whole_or_nothing(kept, kept | {"genomeBuild", "referenceSeqString"})
    dependents = _DEPENDENT.get(path)
    if dependents is None:
        return None

    def after(value: dict[str, Any], out: dict[str, Any], _run: Run) -> dict[str, Any]:
        for name, needed in dependents:
            if (
                name in out
                and out.keys().isdisjoint(needed)
                and not value.keys().isdisjoint(needed)
            ):
                del out[name]
        return out

    return after


def _whole_or_nothing(
    needed: frozenset[str], given: frozenset[str]
) -> Callable[..., dict[str, Any]]:
    """Return what leaves nothing of an object that had one of `given` and has none of `needed` any more."""

    def after(value: dict[str, Any], out: dict[str, Any], _run: Run) -> dict[str, Any]:
        is_left = not out.keys().isdisjoint(needed) or value.keys().isdisjoint(given)
        return out if is_left else {}

    return after


def _standing_in(path: str, group: list[FhirElement]) -> StandIn:
    def stand_in(value: dict[str, Any], out: dict[str, Any], run: Run) -> None:
        present = next(
            (each for each in group if each.name in value or f"_{each.name}" in value), None
        )
        if present is None:
            return  # it was not valid before
        run.actions[f"{path}.{present.name}", STANDS_IN] += 1
        name, stands = placeholder(present)
        if stands is ABSENT or stands == [ABSENT]:  # another of the choice may say it in words
            name, stands = placeholder(
                next((each for each in group if each.type == "string"), present)
            )
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
