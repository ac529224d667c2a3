"""A study's source and result in step: their pictures, what was filled and why, and their headers.

``/compare/{uid}`` shows the result and what the outcome record says of it, ``/source/compare/{uid}`` both;
there the UID may be that of either. Pictures come from the DICOMweb services; what shows them is
``static/compare.js``.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson
from aiohttp import web

from daemon.fhir import representation
from daemon.pages.contents import results_alone, side_by_side
from daemon.pages.differences import Change, compare, result_alone
from daemon.pages.resource_differences import compare_resources, resource_alone
from daemon.pages.view import SOURCE, Page
from daemon.reasons import REASONS
from dicomweb.links import attributes_of
from dicomweb.ports import Resource

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from daemon.pages.contents import Series
    from daemon.pages.differences import Row
    from daemon.pages.view import View
    from daemon.resources import ResourceVersion
    from daemon.store.studies import Pair, ResourcePair
    from dicomweb.ports import InstanceStore

T = TypeVar("T")
_UID: Final = r"{uid:[0-9.]{1,64}}"
_RECEIVED_ROOT: Final = "dicomweb/source/"
_RESULT_ROOT: Final = "dicomweb/deid/"
_MOST_ROWS: Final = 1000
MOST_AT_ONCE: Final = 2
"""Comparisons that are made at the same time; others wait."""
_WHY: Final = {
    "known_identifier": "names the patient",
    "all_text": "text",
    "by_hand": "drawn by hand",
    "unreadable": "text that cannot be read",
}


@dataclass(frozen=True, slots=True)
class _Header:
    """Which header is asked for, and which of its rows."""

    received: Resource | None
    result: Resource | None
    changes: frozenset[str]
    words: str

    @classmethod
    def of(cls, request: web.Request) -> _Header:
        """Read a request's query; raises HTTPNotFound where it names no instance."""
        query = request.query
        resources = {}
        for side in ("received", "result"):
            parts = query.get(side, "").split("/")
            is_one = len(parts) == 3 and all(_is_uid(part) for part in parts)
            resources[side] = Resource(*parts) if is_one else None
        given = query.getall("change", [])
        return cls(
            resources["received"],
            resources["result"],
            frozenset(given) or frozenset(Change) if "filtered" not in query else frozenset(given),
            query.get("words", "").strip()[:200],
        )

    def wanted(self, rows: Sequence[Row]) -> list[Row]:
        """Return the rows that are asked for."""
        return [row for row in rows if row.change in self.changes and row.has(self.words)]


def _routes(view: View) -> list[web.RouteDef]:
    compared = Compared(view)
    return [
        web.get("/compare", compared.choose),
        web.get(f"/compare/{_UID}", compared.show_result),
        web.get(f"/compare/{_UID}/study.json", compared.result_study),
        web.get(f"/compare/{_UID}/outcome.json", compared.result_outcome),
        web.get(f"/compare/{_UID}/header", compared.result_header),
        web.get(f"/compare/{_UID}/resources", compared.result_resources),
        web.get(f"{SOURCE}/compare/{_UID}/resources", compared.both_resources),
        web.get(f"{SOURCE}/compare/{_UID}", compared.show_both),
        web.get(f"{SOURCE}/compare/{_UID}/study.json", compared.both_studies),
        web.get(f"{SOURCE}/compare/{_UID}/outcome.json", compared.either_outcome),
        web.get(f"{SOURCE}/compare/{_UID}/header", compared.both_headers),
    ]


class Compared:
    """The handlers; what names people is only read by those of ``/source``.

    Parameters
    ----------
    title
        What the page is called.
    received_root, result_root
        Where the web services have the stores of the view, below their own root.
    at_once
        Lets so many comparisons be made at the same time.
    """

    def __init__(
        self,
        view: View,
        *,
        title: str = "Compare",
        received_root: str = _RECEIVED_ROOT,
        result_root: str = _RESULT_ROOT,
        at_once: asyncio.Semaphore | None = None,
    ) -> None:
        self._view = view
        self._at_once = at_once or asyncio.Semaphore(MOST_AT_ONCE)
        self._title = title
        self._roots = {"received_root": received_root, "result_root": result_root}

    async def choose(self, _request: web.Request) -> web.Response:
        """Lead to the studies, each of which leads here."""
        raise web.HTTPSeeOther("studies")

    async def show_result(self, request: web.Request) -> web.Response:
        """Show a result, and what was done to it."""
        uid = request.match_info["uid"]
        if not await self._view.results.locate(Resource(uid)):
            raise web.HTTPNotFound
        return self._page(request, uid, is_source=False)

    def show_trial(self, request: web.Request) -> web.Response:
        """Show both stores of the view, of which neither has a page of its own."""
        return self._page(request, request.match_info["uid"], is_source=True)

    async def show_both(self, request: web.Request) -> web.Response:
        """Show what came in beside its result."""
        uid = request.match_info["uid"]
        pairs = await self._pairs(uid)
        results = dict.fromkeys(each.result.study_uid for each in pairs if each.result is not None)
        return self._page(
            request,
            uid,
            is_source=True,
            result=next(iter(results), ""),
            others=[] if uid in results else list(results)[1:],
        )

    async def _apart(self, work: Callable[[], T]) -> T:
        """Work where the service can go on: headers of thousands of frames have as many items."""
        async with self._at_once:
            return await asyncio.to_thread(work)

    def _page(
        self,
        request: web.Request,
        uid: str,
        *,
        is_source: bool,
        result: str = "",
        others: Sequence[str] = (),
    ) -> web.Response:
        context = {
            "uid": uid,
            "is_source": is_source,
            "result": result if is_source else uid,
            "others": others,
            "title": self._title,
            **self._roots,
        }
        return self._view.page(request, "compare.html", context=context)

    async def result_study(self, request: web.Request) -> web.Response:
        """Tell what a result holds."""
        series = await results_alone(self._view.results, request.match_info["uid"])
        if not series:
            raise web.HTTPNotFound
        return self._study(series)

    async def both_studies(self, request: web.Request) -> web.Response:
        """Tell what a study holds on both sides."""
        pairs = await self._pairs(request.match_info["uid"])
        return self._study(await side_by_side(self._view.received, self._view.results, pairs))

    def _study(self, series: Sequence[Series]) -> web.Response:
        found = [each.json for each in series]
        return self._view.json(orjson.dumps({"series": found, "reasons": _reasons(series)}))

    async def _pairs(self, uid: str) -> Sequence[Pair]:
        pairs = await self._view.pairing.pairs(uid)
        if not pairs:
            raise web.HTTPNotFound
        studies = {each.result.study_uid for each in pairs if each.result is not None}
        if uid in studies or len(studies) < 2:
            return pairs
        # Of a received study that went several ways, one result is shown.
        first = next(each.result.study_uid for each in pairs if each.result is not None)
        return [each for each in pairs if each.result is None or each.result.study_uid == first]

    async def result_outcome(self, request: web.Request) -> web.Response:
        """Tell what was filled in a result."""
        return await self._outcome(request, self._view.pairing.outcome_of_result)

    async def either_outcome(self, request: web.Request) -> web.Response:
        """Tell what was filled, or why nothing came of an instance."""
        if request.query.get("of") == "received":
            return await self._outcome(request, self._view.pairing.outcome_of_received)
        return await self._outcome(request, self._view.pairing.outcome_of_result)

    async def _outcome(
        self, request: web.Request, read: Callable[[str], Awaitable[bytes]]
    ) -> web.Response:
        instance = request.query.get("instance", "")
        if not _is_uid(instance):
            raise web.HTTPNotFound
        outcome = orjson.loads(await read(instance) or b"{}")
        told = {
            "regions": [
                {**region, "why": _why(str(region["why"]))} for region in outcome.get("regions", ())
            ],
            "residuals": outcome.get("residuals", []),
            "warnings": outcome.get("warnings", []),
            "pixels_examined": outcome.get("pixels_examined", False),
        }
        return self._view.json(orjson.dumps(told))

    async def result_header(self, request: web.Request) -> web.Response:
        """Show a result's header, and what was done to each element."""
        asked = _Header.of(request)
        if asked.result is None or asked.received is not None:
            raise web.HTTPNotFound
        after = await _attributes(self._view.results, asked.result)
        uid = asked.result.sop_instance_uid or ""
        outcome = orjson.loads(await self._view.pairing.outcome_of_result(uid) or b"{}")
        rows = await self._apart(lambda: result_alone(after, outcome))
        return self._header(request, asked, rows, is_source=False)

    async def both_headers(self, request: web.Request) -> web.Response:
        """Show both headers beside each other."""
        asked = _Header.of(request)
        if asked.received is None and asked.result is None:
            raise web.HTTPNotFound
        before = await _attributes(self._view.received, asked.received)
        after = await _attributes(self._view.results, asked.result)
        rows = await self._apart(lambda: compare(before, after))
        return self._header(request, asked, rows, is_source=True)

    async def result_resources(self, request: web.Request) -> web.Response:
        """Show the resources of a result, and what was done to them."""
        uid = request.match_info["uid"]
        if not await self._view.results.locate(Resource(uid)):
            raise web.HTTPNotFound
        pairs = [each for each in await self._view.pairing.resources(uid) if each.result]
        tables = await self._apart(
            lambda: [
                (each, resource_alone(_json(each.result), orjson.loads(each.outcome or b"{}")))
                for each in pairs
            ]
        )
        return self._resources(request, tables, is_source=False)

    async def both_resources(self, request: web.Request) -> web.Response:
        """Show resources that came in beside their results."""
        pairs = await self._view.pairing.resources(request.match_info["uid"])
        tables = await self._apart(
            lambda: [
                (each, compare_resources(_json(each.received), _json(each.result)))
                for each in pairs
            ]
        )
        return self._resources(request, tables, is_source=True)

    def _resources(
        self,
        request: web.Request,
        tables: Sequence[tuple[ResourcePair, Sequence[Row]]],
        *,
        is_source: bool,
    ) -> web.Response:
        asked = _Header.of(request)
        shown = [
            {
                "type": pair.type,
                "reason": pair.reason if is_source else "",
                "has_result": pair.result is not None,
                "rows": asked.wanted(rows)[:_MOST_ROWS],
                "counts": _counts(rows),
            }
            for pair, rows in tables
        ]
        context = {"resources": shown, "is_source": is_source, "is_open": bool(asked.words)}
        return self._view.page(request, "resources.html", context=context)

    def _header(
        self, request: web.Request, asked: _Header, rows: Sequence[Row], *, is_source: bool
    ) -> web.Response:
        wanted = asked.wanted(rows)
        context = {
            "rows": wanted[:_MOST_ROWS],
            "further": max(0, len(wanted) - _MOST_ROWS),
            "counts": _counts(rows),
            "is_source": is_source,
        }
        return self._view.page(request, "header.html", context=context)


async def _attributes(store: InstanceStore, resource: Resource | None) -> Mapping[str, Any]:
    if resource is None:
        return {}
    found = await store.metadata(resource)
    if not found:
        raise web.HTTPNotFound
    return attributes_of(found[0])


def _counts(rows: Sequence[Row]) -> list[tuple[str, int]]:
    counts = Counter(row.change for row in rows)
    return [(change.value, counts[change]) for change in Change]


def _json(version: ResourceVersion | None) -> Mapping[str, Any]:
    """Return a resource; nothing where there is none, or it is deleted."""
    if version is None or version.is_deleted:
        return {}
    found: Mapping[str, Any] = orjson.loads(representation.resource(version))
    return found


def _reasons(series: Sequence[Series]) -> dict[str, str]:
    """Return what the reasons of refused instances mean, by reason code."""
    codes = {shown.reason for each in series for shown in each.instances} - {""}
    return {code: REASONS[code].means if code in REASONS else code for code in codes}


def _why(code: str) -> str:
    """Return in words why a region was filled."""
    kind, _colon, name = code.partition(":")
    if kind == "info_type":
        return f"looks like {name.replace('_', ' ').lower()}"
    if name == "ultrasound_regions":
        return "outside the ultrasound regions"
    if kind == "rule":
        return f"rule: {name.replace('_', ' ')}"
    return _WHY.get(code, code)


def _is_uid(text: str) -> bool:
    return 0 < len(text) <= 64 and not set(text) - set("0123456789.")


PAGE: Final = Page(_routes, "Compare", "/compare")
