"""From an action's word in the table to the function that does it."""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from deid.fhir import coded, forms, identified, leaves, people
from deid.fhir.leaves import REMOVED, REPLACED, UNRECOGNISED, malformed
from deid.fhir.references import parse_query
from deid.identity.labels import Label
from deid.tables.fhir import fhir_types

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.fhir.leaves import Leaf
    from deid.fhir.run import Run
    from deid.tables.fhir import FhirElement

PRIMITIVES: Final = frozenset(
    {
        "boolean", "integer", "positiveInt", "unsignedInt", "decimal", "time", "date", "dateTime", "instant",
        "code", "string", "markdown", "xhtml", "base64Binary", "id", "uri", "url", "canonical", "oid", "uuid",
    }
)  # fmt: skip
_SAMPLES: Final = re.compile(r"(?:(?:-?\d{1,7}(?:\.\d{1,6})?|[EUL])(?:\s+|\Z))+")
_RELATIONS: Final = frozenset({"self", "next", "previous", "prev", "first", "last", "alternate"})
_NO_ADDRESS: Final = "http://removed.invalid"


@cache
def actions() -> dict[str, str]:
    """Return what becomes of elements, by path and by type."""
    rows = csv.DictReader(
        (files("deid.tables") / "fhir_actions.csv").read_text("utf-8").splitlines()
    )
    return {row["path"]: row["action"] for row in rows}


def action_for(element: FhirElement, path: str) -> str:
    """Return the table's word for an element: by its path, else by its type; empty: its members' own."""
    known = actions()
    stem = f"{path.rpartition('.')[0]}.{element.stem}"
    return known.get(path) or known.get(stem) or known.get(element.type) or ""


def acting(element: FhirElement, path: str) -> tuple[Leaf, bool] | None:
    """Return what the table has done to an element, and whether it takes a repeating one's whole list.

    None where its members have actions of their own.
    """
    action = action_for(element, path)
    if not action:
        return None
    name, _colon, argument = action.partition(":")
    if name in _SIMPLE:
        return _SIMPLE[name](path), False
    if name in _WHOLE:
        return _WHOLE[name](path), True
    match name:
        case "code":
            return leaves.code(path, element.value_set), False
        case "met":
            return leaves.met_and_removed(path, argument), True
        case "token":
            return _token(path, Label[argument.upper()]), False
        case "uid":
            return identified.instance_uid(path, int(argument, 16)), False
        case "identifier":
            return None
    raise LookupError(action)


def _token(path: str, label: Label) -> Leaf:
    """Put a keyed token there."""
    info_type = {
        Label.ORGANIZATION: "ORGANIZATION_NAME",
        Label.LOCATION: "LOCATION",
    }.get(label, "GENERIC_ID")

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        new = run.plan.token(label, value.strip())
        if new != value:
            run.meets(value, info_type)
        run.actions[path, REPLACED] += 1
        return new

    return leaf


def _by_form(is_formed: Callable[[str], object]) -> Callable[[str], Leaf]:
    return lambda path: leaves.formed(path, lambda text, _run: bool(is_formed(text)))


def _by_terms(
    is_formed: Callable[[str, Callable[[str], bool]], bool],
) -> Callable[[str, Run], bool]:
    return lambda text, run: is_formed(text, run.plan.is_term)


def _link(path: str) -> Leaf:
    """Keep what links an answer to its question, such as ``/1.2.3``; a token for anything longer."""
    keep = leaves.formed(path, _by_terms(forms.is_link))

    def leaf(value: Any, run: Run) -> Any:
        kept = keep(value, run)
        if kept is not None:
            return kept
        if not value or run.plan.replacements.is_own_token(Label.RESOURCE, value):
            return value or None
        return run.plan.token(Label.RESOURCE, f"linkId|{value}")

    return leaf


def _type_name(path: str) -> Leaf:
    """Keep the name of a type of resource."""

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        if value.removeprefix("http://hl7.org/fhir/StructureDefinition/") in fhir_types():
            return value
        run.actions[path, UNRECOGNISED] += 1
        return None

    return leaf


def _version(path: str) -> Leaf:
    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        return identified.version(value, run)

    return leaf


def _request(path: str, replace: Callable[[str, Run], str | None]) -> Leaf:
    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        new = replace(value, run)
        run.actions[path, REMOVED if not new else REPLACED] += 1
        return new or None

    return leaf


def _no_address(path: str) -> Leaf:
    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        run.actions[path, REPLACED] += 1
        return _NO_ADDRESS

    return leaf


def _search(text: str, run: Run) -> str:
    return identified.replaced_query(parse_query(text.lstrip("?")), run.kind, run)


_SIMPLE: Final[dict[str, Callable[[str], Leaf]]] = {
    "boolean": leaves.boolean,
    "number": leaves.number,
    "time": leaves.time_of_day,
    "moment": leaves.moment,
    "years": leaves.years,
    "text": leaves.text,
    "term": leaves.term,
    "standard_url": leaves.standard_url,
    "oid": leaves.oid,
    "uuid": leaves.uuid,
    "kept": lambda _path: lambda value, _run: value,
    "version": _version,
    "version_text": _by_form(forms.is_version),
    "coding": coded.coding,
    "system": coded.system_uri,
    "unit": coded.unit_code,
    "reference": identified.reference_text,
    "type_name": _type_name,
    "samples": _by_form(_SAMPLES.fullmatch),
    "birth_date": people.birth_date,
    "link": _link,
    "word": lambda path: leaves.formed(path, _by_terms(forms.is_parameter_name)),
    "relation": lambda path: leaves.one_of(path, _RELATIONS),
    "no_address": _no_address,
    "request_url": lambda path: _request(path, identified.replaced_url),
    "search": lambda path: _request(path, _search),
    "etag": _by_form(forms.is_etag),
    "status": _by_form(forms.is_status),
}
_WHOLE: Final[dict[str, Callable[[str], Leaf]]] = {
    "removed": leaves.removed,
    "names_removed": people.names_removed,
    "addresses_removed": people.addresses_removed,
    "contacts_removed": people.contacts_removed,
    "pseudonym": people.pseudonym_for_names,
    "safe_address": people.safe_address,
}
