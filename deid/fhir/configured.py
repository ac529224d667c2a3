"""What a configuration's paths say of an element: right-anchored, by names of fields and of types."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from deid.fhir import leaves
from deid.fhir.acting import action_for
from deid.fhir.coded import is_system
from deid.fhir.decimals import MARK
from deid.fhir.leaves import CLEANED, REMOVED, REPLACED
from deid.fhir.policy import Verb
from deid.tables.fhir import fhir_types, value_sets

if TYPE_CHECKING:
    from deid.fhir.leaves import Leaf
    from deid.fhir.plan import FhirPlan
    from deid.fhir.policy import FhirPolicy
    from deid.fhir.run import Run
    from deid.tables.fhir import FhirElement

Trail = tuple[frozenset[str], ...]

WITHIN: Final = frozenset({Verb.KEEP, Verb.CLEAN, Verb.HASH, Verb.MASK, Verb.SHIFT})
"""What is said of an object, and so of everything in it."""
TEXTS: Final = frozenset(
    {"code", "id", "markdown", "oid", "string", "uri", "url", "canonical", "uuid", "xhtml"}
)
DATES: Final = frozenset({"date", "dateTime", "instant"})
_NAMES_THINGS: Final = frozenset(
    {
        "kept", "link", "no_address", "oid", "reference", "request_url", "search", "type_name", "uid", "uuid",
        "version",
    }
)  # fmt: skip
"""Actions of our own on strings that are no text: what points at them has to go on pointing there."""
_ADDRESSES: Final = frozenset({"uri", "url", "canonical"})
_NAMESPACE: Final = "http://www.w3.org/1999/xhtml"
_WORD_CHARACTER: Final = re.compile(r"[^\s]")


class Verdict(NamedTuple):
    """What is said of an element, and the trail that leads to it."""

    verb: Verb | None
    trail: Trail


def verdict(
    element: FhirElement, trail: Trail, inherited: Verb | None, policy: FhirPolicy
) -> Verdict:
    """Return what a configuration says of an element; the first rule that matches decides."""
    if not policy.rules:
        return Verdict(inherited, ())
    trail = (*trail, *steps(element))[-_longest(policy) :]
    for rule in policy.rules:
        if any(_matches(path, trail) for path in rule.paths):
            return Verdict(None if rule.verb is Verb.DEFAULT else rule.verb, trail)
    return Verdict(inherited, trail)


def reaches(element: FhirElement, trail: Trail, policy: FhirPolicy) -> bool:
    """Whether a configuration names something within an element, so that it cannot be treated as a whole."""
    if not policy.rules:
        return False
    return any(
        any(_matches(path, (*trail, *steps(child))) for path in rule.paths)
        for child in fhir_types().get(element.type, {}).values()
        for rule in policy.rules
    )


def _longest(policy: FhirPolicy) -> int:
    return max(len(path) for rule in policy.rules for path in rule.paths)


def _matches(path: tuple[str, ...], trail: Trail) -> bool:
    return len(path) <= len(trail) and all(
        part in names for part, names in zip(reversed(path), reversed(trail), strict=False)
    )


def steps(element: FhirElement) -> Trail:
    """Return the parts by which a path may name an element: two for one of a choice."""
    kind = element.type.rpartition(".")[2]
    type_name = kind[:1].upper() + kind[1:]
    if element.stem == element.name:
        return (frozenset({element.name, type_name, *_ALIASES.get(element.type, ())}),)
    stem = element.stem
    return (
        frozenset({stem, stem[:1].upper() + stem[1:]}),
        frozenset({type_name, kind, *_ALIASES.get(element.type, ())}),
    )


_ALIASES: Final[dict[str, tuple[str, ...]]] = {"code": ("LanguageCode", "AdministrativeGenderCode")}
"""Names that the Healthcare API has for special codes."""


@cache
def choices() -> dict[str, tuple[str, str]]:
    """Return the parts of names that are one of a choice: ``deceasedAge`` is ``deceased``, ``Age``."""
    return {
        each.name: (each.stem, each.name.removeprefix(each.stem))
        for elements in fhir_types().values()
        for each in elements.values()
        if each.stem != each.name
    }


def parts_of(path: str) -> tuple[str, ...]:
    """Return the parts of a configuration's path, those of choices apart."""
    parts: list[str] = []
    for part in path.split("."):
        parts += choices().get(part, (part,))
    return tuple(parts)


def leaf(verb: Verb, element: FhirElement, path: str, plan: FhirPlan, otherwise: Leaf) -> Leaf:
    """Return what a verb does to a primitive element; `otherwise` is what our own rules do."""
    match verb:
        case Verb.KEEP:
            return _kept
        case Verb.CLEAN:
            if element.type in DATES:
                return leaves.moment(path)
            return _cleaned(path, element) if is_text(element, path) else otherwise
        case Verb.HASH | Verb.MASK:
            if element.type in TEXTS or element.type == "decimal":
                return _hashed(path) if verb is Verb.HASH else _masked(path, plan)
            return leaves.removed(path)
        case Verb.SHIFT:
            return leaves.moment(path) if element.type in DATES else leaves.removed(path)
    return otherwise


def _kept(value: Any, _run: Run) -> Any:
    return value


def is_text(element: FhirElement, path: str) -> bool:
    """Whether an element is one that can be cleaned: no id, reference, number or UID, which name things."""
    return (
        element.type in TEXTS and action_for(element, path).partition(":")[0] not in _NAMES_THINGS
    )


def _cleaned(path: str, element: FhirElement) -> Leaf:
    kind = element.type
    codes = value_sets().get(element.value_set, frozenset()) if kind == "code" else frozenset()

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise leaves.malformed(path)
        if value in codes:
            return value
        if kind in _ADDRESSES and (run.plan.is_definition(value) or is_system(value)):
            return value if run.keeps(path, value) else None
        parts = value.split(_NAMESPACE) if kind == "xhtml" else [value]
        left = _NAMESPACE.join(run.plan.cleaned(each, run.known, run.shift) for each in parts)
        if left != value:
            run.actions[path, CLEANED] += 1
        return leaves.found_harmless(path, left, run)

    return leaf


def _hashed(path: str) -> Leaf:
    def leaf(value: Any, run: Run) -> Any:
        run.actions[path, REPLACED] += 1
        return run.plan.hashed(str(value).removeprefix(MARK)) if type(value) is str else None

    return leaf


def _masked(path: str, plan: FhirPlan) -> Leaf:
    character = plan.policy.masking_character

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str or value[:1] == MARK:
            run.actions[path, REMOVED] += 1
            return None
        run.actions[path, REPLACED] += 1
        return _WORD_CHARACTER.sub(character, value)

    return leaf
