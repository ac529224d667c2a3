"""Types and places to what walks them, made once each from tables and the configuration.

A node is a function of a value and the run; it returns the new value, or None where nothing may stand. Those of
objects look up each member's name: a name that the type does not have goes, whatever it holds.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from deid.fhir import ages, coded, configured, identified, leaves, shortcuts
from deid.fhir.acting import PRIMITIVES, acting, action_for
from deid.fhir.attachments import with_text
from deid.fhir.extensions import extensions
from deid.fhir.labelling import labelled
from deid.fhir.leaves import malformed
from deid.fhir.placeholders import stand_ins, without_dependents
from deid.fhir.policy import FhirProfile, Verb
from deid.fhir.resources import contained, entry, resource
from deid.fhir.siblings import merge_siblings
from deid.tables.fhir import FhirElement, fhir_resources, fhir_types

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.fhir.leaves import Leaf
    from deid.fhir.plan import FhirPlan
    from deid.fhir.run import Run

    Before = Callable[[dict[str, Any], Run], dict[str, Any]]
    After = Callable[[dict[str, Any], dict[str, Any], Run], dict[str, Any]]

UNKNOWN: Final = "unknown"
_IN_WORDS: Final = frozenset({"text", "term"})
_DATA: Final = frozenset({"Attachment", "Binary"})


class Place(NamedTuple):
    """Where a node stands.

    Attributes
    ----------
    type
        The type, or the path of a backbone element.
    owner
        Of an Identifier, what it belongs to; of a Reference, the types it may point at, with strokes.
    trail
        The steps that lead there, each with its names, as far as the configuration's paths reach; empty
        where it has none, so that all places of a type share a node.
    inherited
        What the configuration says of everything within.
    """

    type: str
    owner: str = ""
    trail: configured.Trail = ()
    inherited: Verb | None = None


def node_for(kind: str, plan: FhirPlan) -> Leaf:
    """Return what walks a resource of a type."""
    found: Leaf | None = plan.resources.get(kind)
    if found is None:
        found = plan.resources[kind] = _resource(kind, plan)
    return found


def _resource(kind: str, plan: FhirPlan) -> Leaf:
    inherited = None
    if plan.policy.keeps_unmatched or plan.policy.profile is FhirProfile.KEEP_ALL:
        inherited = Verb.KEEP
    elif plan.policy.profile is FhirProfile.CLEAN_ALL:
        inherited = Verb.CLEAN
    trail: configured.Trail = (frozenset({kind}),) if plan.policy.rules else ()
    return _object(Place(kind, "", trail, inherited), plan)


def _object(place: Place, plan: FhirPlan) -> Leaf:
    """Return what walks an object at a place."""
    found: Leaf | None = plan.nodes.get(place)
    if found is None:
        if len(plan.nodes) > _MOST_NODES:
            plan.nodes.clear()
        found = _made(place, plan)
        if place.inherited is None and not place.trail:
            found = _shortened(place, found)
        plan.nodes[place] = found
    return found


def _shortened(place: Place, walk: Leaf) -> Leaf:
    if place.type == "CodeableConcept":
        return shortcuts.concept(walk)
    if place.type == "Reference":
        text = identified.reference_text("Reference.reference")
        display = identified.displayed("Reference.display", tuple(place.owner.split("|")))
        return shortcuts.reference(walk, text, display)
    return walk


_MOST_NODES: Final = 20_000


def _made(place: Place, plan: FhirPlan) -> Leaf:
    path = place.type
    elements = fhir_types()[path]
    members = _Members(place, plan)
    get = members.known.get
    required = stand_ins(path)
    keeps = place.inherited is Verb.KEEP
    before = None if keeps else _before(place)
    after = _after(place)
    extension = partial(_object, Place("Extension", "", place.trail, place.inherited), plan)

    def walk(value: Any, run: Run) -> Any:
        if type(value) is not dict:
            raise malformed(path)
        if before is not None:
            value = before(value, run)
        out: dict[str, Any] = {}
        has_siblings = False
        for name, each in value.items():
            member = get(name) or members.find(name)
            if member is not None:
                new = member(each, run)
                if new is not None:
                    out[name] = new
            elif name[:1] == "_":
                has_siblings = True
            else:
                run.actions[path, UNKNOWN] += 1
        if has_siblings:
            merge_siblings(value, out, elements, path, run, extension)
        for names, stand_in in required:
            if names.isdisjoint(out):
                stand_in(value, out, run)
        if after is not None:
            out = after(value, out, run)
        return out or None

    return walk


def _before(place: Place) -> Before | None:
    """Return what happens to an object of a type before its members are looked at."""
    if place.type == "Identifier":
        return identified.identifier_parts(place.type, place.owner)
    if place.type in ages.QUANTITIES:
        return ages.capped(place.type)
    if place.type == "Range":
        return ages.capped_range
    return ages.labelled_ages(place.type)


def _after(place: Place) -> After | None:
    """Return what happens to what is left of an object of a type."""
    if place.type in _DATA and place.inherited is not Verb.KEEP:
        return with_text(place.type)
    dependents = without_dependents(place.type)
    if place.type not in fhir_resources() or place.type == "Bundle" or place.inherited is not None:
        return dependents  # what is kept or only cleaned is not said to be pseudonymised
    if dependents is None:
        return labelled
    return lambda value, out, run: labelled(value, dependents(value, out, run), run)


class _Members:
    """The members of a type at a place, each made when its name is first met.

    Attributes
    ----------
    known
        Those that were met.
    """

    def __init__(self, place: Place, plan: FhirPlan) -> None:
        self.known: dict[str, Leaf] = {}
        self._place, self._plan = place, plan
        self._elements = fhir_types()[place.type]
        self._is_resource = place.type in fhir_resources()

    def find(self, name: str) -> Leaf | None:
        """Return what walks a member; None where the type has none of that name."""
        element = self._elements.get(name)
        if element is not None:
            made = self.known[name] = _member(element, self._place, self._plan)
            return made
        if name == "resourceType" and self._is_resource:
            self.known[name] = _stays
            return _stays
        return None  # not remembered: anybody may write anything


def _stays(value: Any, _run: Run) -> Any:
    return value


def _member(element: FhirElement, place: Place, plan: FhirPlan) -> Leaf:
    path = f"{place.type}.{element.name}"
    if element.type == "Resource":
        return (
            contained(path, node_for) if element.name == "contained" else resource(path, node_for)
        )
    verdict = configured.verdict(element, place.trail, place.inherited, plan.policy)
    inner = Place(element.type, _owner(element, place), verdict.trail, verdict.verb)
    if element.type == "Extension":
        generic = inner._replace(inherited=None if verdict.verb is Verb.REMOVE else verdict.verb)
        return extensions(path, lambda: _object(generic, plan))
    if verdict.verb is Verb.REMOVE:
        return leaves.removed(path)
    if path == "Bundle.entry":
        return _listed(path, entry(path, lambda: _object(inner, plan)))
    if element.type in PRIMITIVES:
        leaf, takes_list = _primitive(element, path, place, verdict.verb, plan)
    elif verdict.verb in configured.WITHIN:
        leaf, takes_list = _object(inner, plan), False
        is_whole = not configured.reaches(element, verdict.trail, plan.policy)
        if verdict.verb is Verb.CLEAN and element.type == "Coding" and is_whole:
            leaf = coded.cleaned_coding(path, leaf)
    else:
        is_whole = not configured.reaches(element, verdict.trail, plan.policy)
        found = acting(element, path) if is_whole else None
        leaf, takes_list = (_object(inner, plan), False) if found is None else found
    return _listed(path, leaf) if element.is_list and not takes_list else leaf


def _primitive(
    element: FhirElement, path: str, place: Place, verb: Verb | None, plan: FhirPlan
) -> tuple[Leaf, bool]:
    is_own = place.type in fhir_resources()
    if element.name == "id" and (verb not in configured.WITHIN or (is_own and verb is Verb.CLEAN)):
        return (identified.resource_id(path, place.type) if is_own else leaves.removed(path)), False
    if place.type == "Reference" and element.name == "display" and verb not in configured.WITHIN:
        return identified.displayed(path, tuple(place.owner.split("|"))), False
    found = acting(element, path)
    if found is None:
        raise LookupError(path)
    if verb is Verb.TRANSFORM and action_for(element, path) in _IN_WORDS:
        return leaves.removed(path), False
    if verb is None or verb is Verb.TRANSFORM:
        return found
    return configured.leaf(verb, element, path, plan, found[0]), False


def _owner(element: FhirElement, place: Place) -> str:
    if element.type == "Reference":
        return "|".join(element.targets)
    if element.type == "Identifier":
        return place.owner if place.type == "Reference" else place.type
    return ""


def _listed(path: str, inner: Leaf) -> Leaf:
    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not list:
            raise malformed(path)
        if len(value) == 1 and value[0] is not None:  # as most have
            new = inner(value[0], run)
            return None if new is None else [new]
        return [
            new for each in value if each is not None and (new := inner(each, run)) is not None
        ] or None

    return leaf
