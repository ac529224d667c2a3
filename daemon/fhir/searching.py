"""What a search asks for: parameters to a query, and the links to its other pages (FHIR R4, 3.1.1).

A parameter that would let less pass and is not known is refused: leaving it out would answer more than was
asked for. What only changes how an answer looks is passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from daemon.fhir.errors import BadRequest
from daemon.resources import (
    ID,
    DateFilter,
    DateTest,
    Filter,
    IdFilter,
    Order,
    Place,
    ResourceQuery,
    Span,
    TokenFilter,
    TokenTest,
    number_in,
    span_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daemon.resources import ResourceVersion

_NAMED: Final = re.compile(r"[a-z][A-Za-z0-9-]{0,40}(?::[A-Za-z-]{1,20})?")
"""What is a parameter's name rather than a value that slipped."""
TOKENS: Final = ("identifier", "code", "status")
REFERENCES: Final = ("patient", "subject")
PARAMETERS: Final = {
    "_id": "token",
    "_lastUpdated": "date",
    **dict.fromkeys(TOKENS, "token"),
    **dict.fromkeys(REFERENCES, "reference"),
    "date": "date",
}
"""What can be searched for, and the type of the parameter."""

_SUBJECTS: Final = ("Patient", "Group", "Device", "Location")
"""What a subject may be that is named by its id alone."""
_FILTERING: Final = frozenset(
    {"_content", "_filter", "_has", "_list", "_profile", "_query", "_security", "_source", "_tag"}
    | {"_text", "_type"}
)
"""Parameters of all resources that let less pass, and are not known here."""
_PAGE: Final = "_page"
_USUAL_COUNT: Final = 50
_MOST_VALUES: Final = 500
_MOST_FILTERS: Final = 50
"""Conditions that have to hold together; a store takes some hundreds."""
_MOST_TESTS: Final = 4 * _MOST_VALUES
"""Values of all conditions together; a subject's without a type counts once for each that it may be."""


@dataclass(frozen=True, slots=True)
class Search:
    """A search as it was asked for.

    Attributes
    ----------
    parameters
        Those that were understood, as they were given, without what tells the page.
    wants_total
        Whether to count.
    wants_resources
        Whether to answer more than how many there are.
    """

    query: ResourceQuery
    parameters: tuple[tuple[str, str], ...]
    wants_total: bool = True
    wants_resources: bool = True

    @property
    def one_more(self) -> ResourceQuery:
        """The query for this page and the one after it, to know whether there is one."""
        return replace(self.query, limit=self.query.limit + 1)

    def address(self, base: str, after: ResourceVersion | None = None) -> str:
        """Return the address of this page, or of that which follows a resource."""
        pairs = [*self.parameters, ("_count", str(self.query.limit))]
        place = self.query.after if after is None else Place(after.number, after.updated_ms)
        if place is not None:
            pairs.append((_PAGE, f"{place.number}-{place.updated_ms}"))
        return f"{base}/{self.query.type}?{urlencode(pairs)}"


def parse(resource_type: str, pairs: Iterable[tuple[str, str]], *, max_results: int) -> Search:
    """Return the search that parameters ask for.

    Raises
    ------
    BadRequest
        Naming the parameter.
    """
    filters: list[Filter] = []
    understood: list[tuple[str, str]] = []
    order, after, limit = Order.STORED, None, count("", max_results)
    wants_total = wants_resources = True
    for name, value in pairs:
        if name == "_count":
            limit = count(value, max_results)
            continue
        if name == _PAGE:
            after = _place(value)
            continue
        if name == "_sort":
            order = _order(value)
        elif name == "_total":
            wants_total = value != "none"
        elif name == "_summary":
            if value != "count":
                continue
            wants_resources = False
        elif name.partition(":")[0] in PARAMETERS:
            filters.append(_filter(name, value))
            if len(filters) > _MOST_FILTERS:
                raise BadRequest(f"more than {_MOST_FILTERS} conditions in a search")
            if sum(len(each.any_of) for each in filters) > _MOST_TESTS:
                raise BadRequest("more values than a search may have in all its conditions")
        elif not name.startswith("_") or name.partition(":")[0] in _FILTERING:
            told = (
                f"the search parameter {name}" if _NAMED.fullmatch(name) else "a search parameter"
            )
            raise BadRequest(f"{told} is not supported; see the CapabilityStatement")
        else:
            continue
        understood.append((name, value))
    wants_resources = wants_resources and limit > 0
    query = ResourceQuery(resource_type, tuple(filters), order, after, limit)
    return Search(query, tuple(understood), wants_total, wants_resources)


def conditional(resource_type: str, pairs: Iterable[tuple[str, str]]) -> ResourceQuery:
    """Return the search of a conditional request, which needs to find two to know that it is not one."""
    search = parse(resource_type, pairs, max_results=2)
    if not search.query.filters:
        raise BadRequest("a condition needs a search parameter that is supported")
    return ResourceQuery(resource_type, search.query.filters, limit=2)


def _filter(name: str, value: str) -> Filter:
    name, _colon, modifier = name.partition(":")
    alternatives = _split(value, ",")
    if not value or len(alternatives) > _MOST_VALUES:
        raise BadRequest(f"{name} has no value, or too many")
    if name in REFERENCES:
        return TokenFilter(
            name, tuple(test for each in alternatives for test in _reference(name, modifier, each))
        )
    if modifier:
        raise BadRequest(f"{name} is not supported with a modifier")
    if name == "_id":
        if not all(ID.fullmatch(each) for each in alternatives):
            raise BadRequest("_id is no id")
        return IdFilter(tuple(alternatives))
    if PARAMETERS[name] == "date":
        dates = tuple(_date(name, each) for each in alternatives)
        return DateFilter(dates, is_of_update=name == "_lastUpdated")
    return TokenFilter(name, tuple(_token(each) for each in alternatives))


def _token(text: str) -> TokenTest:
    parts = _split(text, "|")
    if len(parts) == 1:
        return TokenTest(_plain(parts[0]))
    system, value = parts[0], "|".join(parts[1:])
    return TokenTest(_plain(value) or None, _plain(system))


def _reference(name: str, modifier: str, text: str) -> list[TokenTest]:
    text = _plain(text)
    if "/" in text or ":" in text:
        return [TokenTest(text)]
    if modifier and not modifier.isalpha():
        raise BadRequest(f"{name} is not supported with that modifier")
    types = (modifier,) if modifier else ("Patient",) if name == "patient" else _SUBJECTS
    return [TokenTest(f"{each}/{text}") for each in types]


def _date(name: str, text: str) -> tuple[DateTest, Span]:
    prefix, rest = (text[:2], text[2:]) if text[:2].isalpha() else ("eq", text)
    # A plus sign in a query string means a space; no date has one.
    span = span_of(rest.replace(" ", "+"))
    if prefix not in list(DateTest) or span is None:
        raise BadRequest(f"{name} is no date")
    return DateTest(prefix), span


def count(value: str, max_results: int) -> int:
    """Return how many resources a page has; empty is what is usual."""
    if not value:
        return min(_USUAL_COUNT, max_results)
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise BadRequest("_count is no number")
    return min(int(value), max_results)


def _order(value: str) -> Order:
    try:
        return Order(value)
    except ValueError:
        raise BadRequest("_sort is supported by _lastUpdated only") from None


def _place(value: str) -> Place:
    number, _dash, time_ms = (number_in(each) for each in value.partition("-"))
    if number is None or time_ms is None:
        raise BadRequest("_page is not what a link said")
    return Place(number, time_ms)


def _split(text: str, separator: str) -> list[str]:
    """Split at separators that have no backslash before them (FHIR R4, 3.1.1.4.0.1)."""
    return re.split(rf"(?<!\\){re.escape(separator)}", text)


def _plain(text: str) -> str:
    return re.sub(r"\\([,|$\\])", r"\1", text)
