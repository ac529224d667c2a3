"""The studies of a store: newest first, filtered, a page at a time, and how far each is.

What may leave is listed at ``/studies``, what came in at ``/source/studies``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import orjson
from aiohttp import web

from daemon.pages.attributes import number, text, texts
from daemon.pages.view import SOURCE, Page
from daemon.records import State
from dicomweb.ports import Query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from daemon.pages.view import View
    from dicomweb.ports import InstanceStore

_MOST: Final = 25
_MOST_OFFSET: Final = 2**31 - 1
_DATE: Final = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_FILTERS: Final = ("patient_id", "patient_name", "from", "to", "modality", "description")
_KEYWORDS: Final = {
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "modality": "ModalitiesInStudy",
    "description": "StudyDescription",
}
_WORDS: Final = {
    State.STORED: "done",
    State.RECEIVED: "waiting",
    State.QUARANTINED: "quarantined",
    State.UNROUTED: "not routed",
    State.DUPLICATE: "received twice",
    State.DISCARDED: "discarded",
}


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two stores, as this page shows it."""

    title: str
    address: str
    store_name: str
    store: InstanceStore
    progress: Callable[[Sequence[str]], Awaitable[Mapping[str, Mapping[State, int]]]]


@dataclass(frozen=True, slots=True)
class Row:
    """A study as a line of the table.

    Attributes
    ----------
    received
        How many instances of it came in; 0 where that is not known any more.
    states
        How many of these are how far, in words.
    """

    uid: str
    date: str
    patient_id: str
    patient_name: str
    modalities: str
    description: str
    series: int
    instances: int
    received: int
    states: Sequence[tuple[str, int]]


def _routes(view: View) -> list[web.RouteDef]:
    results = Side("Results", "/studies", "deid", view.results, view.progress.of_results)
    received = Side(
        "Received", f"{SOURCE}/studies", "source", view.received, view.progress.of_received
    )
    return [_route(view, side) for side in (results, received)]


def _route(view: View, side: Side) -> web.RouteDef:
    async def show(request: web.Request) -> web.Response:
        filters = {name: request.query.get(name, "").strip() for name in _FILTERS}
        offset = _offset(request)
        problem, matches = _matches(filters)
        rows = [] if problem else await _rows(side, matches, offset)
        return view.page(
            request,
            "studies.html",
            context={
                "side": side,
                "is_source": side.address.startswith(SOURCE),
                "filters": filters,
                "problem": problem,
                "rows": rows[:_MOST],
                "here": _address(filters, offset),
                "earlier": None if offset == 0 else _address(filters, max(0, offset - _MOST)),
                "later": None if len(rows) <= _MOST else _address(filters, offset + _MOST),
                "first": offset + 1,
                "dicomweb": f"{view.root(request)}/dicomweb/{side.store_name}",
            },
        )

    return web.get(side.address, show)


def _offset(request: web.Request) -> int:
    given = request.query.get("offset", "")
    return min(int(given), _MOST_OFFSET) if given.isascii() and given.isdigit() else 0


def _address(filters: Mapping[str, str], offset: int) -> str:
    """Return the query part of the address that shows a page."""
    given = {name: value for name, value in filters.items() if value}
    return urlencode({**given, **({"offset": str(offset)} if offset else {})})


def _matches(filters: Mapping[str, str]) -> tuple[str, dict[str, list[str]]]:
    """Return what is wrong with the filters, and what they ask of the store."""
    matches = {
        keyword: [f"*{_without_wildcards(filters[name])}*"]
        for name, keyword in _KEYWORDS.items()
        if filters[name]
    }
    days = [_DATE.fullmatch(filters[name]) for name in ("from", "to")]
    if any(filters[name] and day is None for name, day in zip(("from", "to"), days, strict=True)):
        return "A date is written as year, month and day: 2026-03-31.", {}
    earliest, latest = ("" if day is None else "".join(day.groups()) for day in days)
    if earliest or latest:
        matches["StudyDate"] = [f"{earliest}-{latest}"]
    return "", matches


def _without_wildcards(value: str) -> str:
    return value.strip("*")


async def _rows(side: Side, matches: Mapping[str, Sequence[str]], offset: int) -> list[Row]:
    """Return a page of studies and one more, if there is one."""
    found = await side.store.search(
        Query("study", matches, None, fuzzy=False, limit=_MOST + 1, offset=offset)
    )
    studies = [orjson.loads(match.attributes) for match in found]
    uids = [text(study, "StudyInstanceUID") for study in studies]
    progress = await side.progress(uids)
    return [
        _row(study, uid, progress.get(uid, {})) for uid, study in zip(uids, studies, strict=True)
    ]


def _row(study: Mapping[str, object], uid: str, states: Mapping[State, int]) -> Row:
    day = _DATE.fullmatch(text(study, "StudyDate"))
    return Row(
        uid=uid,
        date="" if day is None else "-".join(day.groups()),
        patient_id=text(study, "PatientID"),
        patient_name=text(study, "PatientName"),
        modalities=", ".join(texts(study, "ModalitiesInStudy")),
        description=text(study, "StudyDescription"),
        series=number(study, "NumberOfStudyRelatedSeries"),
        instances=number(study, "NumberOfStudyRelatedInstances"),
        received=sum(states.values()),
        states=[(word, states[state]) for state, word in _WORDS.items() if states.get(state)],
    )


PAGE: Final = Page(_routes, "Studies", "/studies")
