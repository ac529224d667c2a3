"""Bundles that ask for something: a batch entry by entry, a transaction whole or not at all (R4, 3.1.0.11).

::

    read the body           a worker: entries, and the references that only the store can resolve
    look conditions up      ids of what there is already, new ids for what is made
    read it again           a worker: the same with those references replaced
    change                  one transaction, in which the conditions are looked up once more

Reading twice costs less than to hand parsed resources to and fro; most Bundles have nothing to resolve and are
read once.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote

from daemon.fhir import searching
from daemon.fhir.afterwards import Afterwards, stored
from daemon.fhir.errors import (
    BadRequest,
    FhirError,
    MultipleMatches,
    NotAllowed,
    PreconditionFailed,
    Unprocessable,
)
from daemon.fhir.ports import Change, Wish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from daemon.fhir.ports import ResourceStore
    from daemon.resources import ReadEntry, ReadResource, ResourceQuery

ETAG: Final = re.compile(r'(?:W/)?"([0-9]{1,15})"')
_TYPE_AND_ID: Final = re.compile(r"([A-Z][A-Za-z]{1,63})/([A-Za-z0-9.-]{1,64})")
_WISHES: Final = {"POST": Wish.CREATE, "PUT": Wish.UPDATE, "DELETE": Wish.DELETE}
_FIRST_TO_LAST: Final = {Wish.DELETE: 0, Wish.CREATE: 1, Wish.UPDATE: 2}
"""The order in which a transaction does what it asks for, whatever the order of its entries."""


@dataclass(slots=True)
class Asked:
    """An entry that shall change something, with the id of what it is about.

    Attributes
    ----------
    position
        Of the entry, from 0.
    """

    position: int
    entry: ReadEntry
    change: Change


@dataclass(frozen=True, slots=True)
class Reading:
    """An entry that asks for something to be read: the path below the store's address."""

    position: int
    url: str


def refuse_wrong_type(document_type: str) -> None:
    """Refuse a Bundle that asks for nothing."""
    if document_type not in {"transaction", "batch"}:
        raise BadRequest("only Bundles of type transaction or batch are posted to the store itself")


def asked(
    entries: Sequence[ReadEntry], new_id: Callable[[], str], is_type: Callable[[str], bool]
) -> tuple[list[Asked], list[Reading], dict[int, FhirError]]:
    """Return what entries ask for: changes, readings, and what is wrong with the others by their positions."""
    changes: list[Asked] = []
    readings: list[Reading] = []
    wrong: dict[int, FhirError] = {}
    for position, each in enumerate(entries):
        try:
            if each.method in {"GET", "HEAD"}:
                readings.append(Reading(position, each.url))
            else:
                changes.append(Asked(position, each, change_of(each, new_id, is_type)))
        except FhirError as error:
            wrong[position] = error
    return changes, readings, wrong


def change_of(
    entry: ReadEntry, new_id: Callable[[], str], is_type: Callable[[str], bool]
) -> Change:
    """Return the change that an entry asks for.

    Raises
    ------
    BadRequest, NotAllowed, Unprocessable, PreconditionFailed
    """
    wish = _WISHES.get(entry.method)
    if wish is None:
        raise NotAllowed("request.method of an entry is not supported")
    path, _mark, query = entry.url.partition("?")
    if query:
        raise NotAllowed("conditional update and delete are not supported")
    if wish is Wish.CREATE:
        condition = condition_of(path, entry.if_none_exist) if entry.if_none_exist else None
        resource_type = _type(path, is_type)
        return Change(
            wish, resource_type, new_id(), _resource(entry, path), if_none_exist=condition
        )
    matched = _TYPE_AND_ID.fullmatch(path)
    if matched is None:
        raise BadRequest("request.url of an entry is not a type and an id")
    resource_type, resource_id = _type(matched[1], is_type), matched[2]
    if_match = version_of(entry.if_match)
    if wish is Wish.DELETE:
        return Change(wish, resource_type, resource_id, if_match=if_match)
    resource = _resource(entry, resource_type)
    if entry.resource is not None and entry.resource.id not in {"", resource_id}:
        raise BadRequest("an entry's resource has another id than its request.url")
    if entry.if_none_match == "*":
        if_match = -1
    return Change(wish, resource_type, resource_id, resource, if_match=if_match)


def _resource(entry: ReadEntry, resource_type: str) -> ReadResource:
    if entry.resource is None:
        raise BadRequest("an entry has no resource")
    if entry.resource.content.type != resource_type:
        raise BadRequest("an entry's resource is of another type than its request.url")
    return entry.resource


def _type(name: str, is_type: Callable[[str], bool]) -> str:
    if not is_type(name):
        raise Unprocessable("a resource is of a type that R4 does not have")
    return name


def version_of(if_match: str) -> int:
    """Return the version that If-Match asks for; 0 for none."""
    if not if_match:
        return 0
    found = ETAG.fullmatch(if_match.strip())
    if found is None:
        raise PreconditionFailed("If-Match is no version of ours")
    return int(found[1]) or -2


def condition_of(resource_type: str, query: str) -> ResourceQuery:
    """Return the search of If-None-Exist."""
    text = query.partition("?")[2] if "?" in query else query
    return searching.conditional(resource_type, parse_qsl(text, keep_blank_values=True))


async def resolve(
    store: ResourceStore, changes: Sequence[Asked], unresolved: Iterable[str]
) -> dict[str, str]:
    """Return what references of a transaction shall be instead.

    Each conditional create is looked up and told in its change (`Change.was_found`), and what its entry is
    called means what was found. What the transaction itself deletes is found no more; and a conditional
    reference may mean what it makes.
    """
    means: dict[str, str] = {}
    deleted: defaultdict[str, set[str]] = defaultdict(set)
    for each in changes:
        if each.change.wish is Wish.DELETE:
            deleted[each.change.type].add(each.change.id)
    for each in changes:
        change = each.change
        meant = change.id
        if change.if_none_exist is not None:
            found = await stored(store, change.if_none_exist, without=deleted[change.type])
            if len(found) > 1:
                raise MultipleMatches("a condition means more than one resource")
            was_found = next(iter(found), "")
            meant = was_found or change.id
            each.change = replace(change, was_found=was_found)
        if each.entry.full_url and change.wish is not Wish.DELETE:
            means[each.entry.full_url] = f"{change.type}/{meant}"
    resolved = {each: means[each] for each in unresolved if each in means}
    conditional = [each for each in unresolved if "?" in each and each not in resolved]
    if conditional:
        done = [each.change for each in changes if not each.change.was_found]
        afterwards = await asyncio.to_thread(Afterwards, store, done)
        for reference in conditional:
            resource_type, _mark, query = reference.partition("?")
            condition = searching.conditional(resource_type, parse_qsl(unquote(query)))
            meant = await afterwards.only(condition)
            if not meant:
                raise PreconditionFailed("a conditional reference means no resource")
            resolved[reference] = f"{resource_type}/{meant}"
    return resolved


def refuse_twice(changes: Iterable[Asked]) -> None:
    """Refuse a transaction that changes one resource more than once."""
    seen = set()
    for each in changes:
        key = (each.change.type, each.change.id)
        if key in seen:
            raise BadRequest("a transaction changes one resource twice")
        seen.add(key)


def in_order(changes: Iterable[Asked]) -> list[Asked]:
    """Return what a transaction asks for in the order in which it is done."""
    return sorted(changes, key=lambda each: _FIRST_TO_LAST[each.change.wish])
