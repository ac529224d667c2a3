"""What a search finds once a transaction has made and deleted what it asks for (FHIR R4, 3.1.0.11.2).

Its deletes come first, then what it creates and what it updates; conditional references are resolved last:
against the store as it will be, not as it is.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from daemon.fhir.errors import MultipleMatches
from daemon.fhir.ports import Wish
from daemon.resources import DateFilter, DateTest, IdFilter, Place, TokenFilter

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from daemon.fhir.ports import Change, ResourceStore
    from daemon.resources import Content, Filter, ResourceQuery, Span, TokenTest

_PAGE: Final = 100


class Afterwards:
    """The store as it will be.

    Parameters
    ----------
    changes
        All that the transaction changes. Conditional creates are those that find nothing.
    """

    def __init__(self, store: ResourceStore, changes: Iterable[Change]) -> None:
        self._store = store
        self._changed: defaultdict[str, set[str]] = defaultdict(set)
        self._told: defaultdict[tuple[str, str, str | None], list[Change]] = defaultdict(list)
        for each in changes:
            if each.wish is not Wish.CREATE:
                self._changed[each.type].add(each.id)
            if each.resource is not None:
                # By each of its tokens, so that not all have to be looked at for each reference.
                tokens = {(token.name, token.value) for token in each.resource.content.tokens}
                for name, value in (*tokens, ("", None)):
                    self._told[each.type, name, value].append(each)

    async def only(self, query: ResourceQuery) -> str:
        """Return the id of the only resource that passes, or an empty one when there is none.

        Raises
        ------
        MultipleMatches
        """
        found = await stored(self._store, query, without=self._changed[query.type])
        found |= await asyncio.to_thread(self._made, query)
        if len(found) > 1:
            raise MultipleMatches("a condition means more than one resource")
        return next(iter(found), "")

    def _made(self, query: ResourceQuery) -> set[str]:
        return {
            each.id
            for each in self._perhaps(query)
            if each.resource is not None
            and all(_passes(one, each.id, each.resource.content) for one in query.filters)
        }

    def _perhaps(self, query: ResourceQuery) -> Iterable[Change]:
        for each in query.filters:
            if isinstance(each, TokenFilter) and all(test.value for test in each.any_of):
                keys = [(query.type, each.name, test.value) for test in each.any_of]
                return [change for key in keys for change in self._told.get(key, ())]
        return self._told.get((query.type, "", None), ())


async def stored(
    store: ResourceStore, query: ResourceQuery, *, without: Collection[str]
) -> set[str]:
    """Return the ids of two resources that pass, of one or of none; leaves out some."""
    found: set[str] = set()
    query = replace(query, limit=query.limit if not without else _PAGE)
    while page := await store.search(query):
        found.update(each.id for each in page if each.id not in without)
        # A page may end before its limit, but not before two.
        if len(found) > 1 or len(page) < min(query.limit, 2):
            break
        query = replace(query, after=Place(page[-1].number, page[-1].updated_ms))
    return found


def _passes(each: Filter, resource_id: str, content: Content) -> bool:
    match each:
        case IdFilter():
            return resource_id in each.any_of
        case TokenFilter():
            return any(
                token.name == each.name and _is(token.value, token.system, test)
                for token in content.tokens
                for test in each.any_of
            )
        case DateFilter(is_of_update=True):
            return False  # nobody knows yet when it will have been
        case _:
            return any(
                _holds(test, date, span) for date in content.dates for test, span in each.any_of
            )


def _is(value: str, system: str, test: TokenTest) -> bool:
    return test.value in (None, value) and test.system in (None, system)


def _holds(test: DateTest, date: Span, searched: Span) -> bool:
    """Compare as the store does (FHIR R4, 3.1.1.4.5)."""
    (first, last), (low, high) = date, searched
    is_within = first >= low and last <= high
    return {
        DateTest.EQUAL: is_within,
        DateTest.NOT_EQUAL: not is_within,
        DateTest.GREATER: last > high,
        DateTest.LESS: first < low,
        DateTest.GREATER_OR_EQUAL: last > high or is_within,
        DateTest.LESS_OR_EQUAL: first < low or is_within,
        DateTest.STARTS_AFTER: first > high,
        DateTest.ENDS_BEFORE: last < low,
        DateTest.APPROXIMATELY: first <= high and last >= low,
    }[test]
