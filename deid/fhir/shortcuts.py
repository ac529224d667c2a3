"""Two types that a record repeats most, each decided once: the same concept is the same in every resource."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from deid.fhir.leaves import Leaf
    from deid.fhir.run import Run

_MEMO_ENTRIES: Final = 50_000
_CONCEPT: Final = frozenset({"coding", "text"})
_REFERENCE: Final = frozenset({"reference", "display"})


def concept(walk: Leaf) -> Leaf:
    """Return what walks a CodeableConcept, and remembers what came of it where nobody's names decide."""

    def leaf(value: Any, run: Run) -> Any:
        plan = run.plan
        if run.forbidden is not None or plan.inspects or type(value) is not dict:
            return walk(value, run)
        key = _key(value)
        try:
            found = plan.concepts.get(key) if key else None
        except TypeError:  # it holds more than texts
            key = ()
        if not key:
            return walk(value, run)
        if found is None:
            found = _decided(walk, value, run)
            if len(plan.concepts) < _MEMO_ENTRIES:
                plan.concepts[key] = found
        out, opened, actions = found
        if opened:
            run.open.update(opened)
        for action, count in actions:
            run.actions[action] += count
        return out

    return leaf


def _key(value: dict[str, Any]) -> tuple[Any, ...]:
    """Return what tells a concept from all others, the order of its members included; empty if unusual."""
    codings = value.get("coding")
    if type(codings) is not list or not _CONCEPT.issuperset(value):
        return ()
    if len(codings) == 1 and type(coding := codings[0]) is dict:
        return (*value, value.get("text"), *coding, *coding.values())
    key = [*value, value.get("text")]
    for each in codings:
        if type(each) is not dict:
            return ()
        key += (len(each), *each, *each.values())
    return tuple(key)


def _decided(
    walk: Leaf, value: dict[str, Any], run: Run
) -> tuple[Any, tuple[str, ...], tuple[tuple[tuple[str, str], int], ...]]:
    """Return what comes of a concept, the strings that stay in it, and what was done."""
    before = run.open, run.actions
    run.open, run.actions = set(), Counter()
    try:
        out = walk(value, run)
        return out, tuple(run.open), tuple(run.actions.items())
    finally:
        run.open, run.actions = before


def reference(walk: Leaf, text: Leaf, display: Leaf) -> Leaf:
    """Return what walks a Reference; one of nothing but an address and a display without its detours.

    Parameters
    ----------
    text, display
        What becomes of the two.
    """

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not dict or not _REFERENCE.issuperset(value):
            return walk(value, run)
        if "display" in value:
            display(value["display"], run)
        if "reference" not in value:
            return None
        new = text(value["reference"], run)
        return None if new is None else {"reference": new}

    return leaf
