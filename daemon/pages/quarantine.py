"""What was refused, for a person to decide: by reason, with the remedy, one or many at a time.

``/quarantine`` tells reasons, counts and places, which name nobody. Pictures, and everything that decides,
stand below ``/source/quarantine``: whoever may not see the source cannot release or remove any of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from aiohttp import web

from daemon.pages.view import SOURCE, Page
from daemon.reasons import REASONS, Advice, remedy_of_operation
from daemon.records import State
from daemon.store.deciding import DecisionInvalid, checked_reviewer
from daemon.store.decision_rows import Choice, Decider, Place
from deid.ports import DrawnBox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from multidict import MultiMapping

    from daemon.pages.ports import Review
    from daemon.pages.view import View
    from daemon.store.queries import Changed
    from daemon.store.reviewing import Refused

_ADDRESS: Final = "/quarantine"
_IDENTIFIED: Final = f"{SOURCE}/quarantine"
_MOST: Final = 24
_MOST_CHOSEN: Final = 10_000
_MOST_DRAWN_TOGETHER: Final = 200
_ID: Final = re.compile(r"[0-9a-f]{32}")
_NUMBER: Final = re.compile(r"\d{1,6}")
_FIELDS: Final = ("frame", "left", "top", "width", "height")
_UNROUTED: Final = Advice(
    "No route matched: nobody says which deidentifier it is for.",
    "Add a route, or retry it with a deidentifier.",
)
_UNKNOWN: Final = Advice("Not a known reason.", "")
_STATES: Final = {
    State.RECEIVED: "being processed",
    State.STORED: "done",
    State.QUARANTINED: "quarantined",
    State.UNROUTED: "not routed",
    State.DUPLICATE: "received twice",
    State.DISCARDED: "discarded",
}
_CHOICES: Final = {
    Choice.RETRY: "retry",
    Choice.RELEASE: "release after filling",
    Choice.DISCARD: "discard",
}


class _Wrong(Exception):
    """What a form says makes no sense; its text is for the person who sent it."""


def _routes(view: View) -> list[web.RouteDef]:
    pages = _Pages(view, view.review)
    return [
        web.get(_ADDRESS, pages.show),
        web.get(f"{_IDENTIFIED}/review", pages.review),
        web.get(f"{_IDENTIFIED}/pictures/{{id:[0-9a-f]{{32}}}}", pages.picture),
        web.get(f"{_IDENTIFIED}/decisions", pages.decisions),
        web.post(f"{_IDENTIFIED}/decide", pages.decide),
    ]


def advice_for(reason: str) -> Advice:
    """Return what a reason code says, and what can be done."""
    return _UNROUTED if reason == State.UNROUTED else REASONS.get(reason, _UNKNOWN)


class _Pages:
    """Handlers over what is asked of the quarantine."""

    def __init__(self, view: View, quarantine: Review) -> None:
        self._view = view
        self._quarantine = quarantine

    async def show(self, request: web.Request) -> web.Response:
        """Show the reasons, and what waits for one of them."""
        counts = await self._quarantine.counts()
        reason = request.query.get("reason", "")
        if reason not in counts:
            reason = next(iter(counts), "")
        offset = _offset(request)
        shown = await self._quarantine.refused(reason, _MOST + 1, offset) if reason else []
        of_operations = await self._quarantine.of_operations(reason)
        return self._view.page(
            request,
            "quarantine.html",
            context={
                "reasons": [(code, count, advice_for(code)) for code, count in counts.items()],
                "reason": reason,
                "count": counts.get(reason, 0),
                "of_operations": of_operations,
                "is_decided_here": of_operations < counts.get(reason, 0),
                "advice": advice_for(reason),
                "remedy": remedy_of_operation(reason) if of_operations else "",
                "refused": shown[:_MOST],
                "first": offset + 1,
                "here": urlencode({"reason": reason, "offset": offset}),
                "earlier": _page(reason, max(0, offset - _MOST)) if offset else None,
                "later": _page(reason, offset + _MOST) if len(shown) > _MOST else None,
                "deidentifiers": self._quarantine.deidentifiers,
            },
        )

    async def review(self, request: web.Request) -> web.Response:
        """Show one instance large, to draw boxes on; others may share them."""
        try:
            chosen = await self._chosen(request.query)
        except _Wrong as wrong:
            return self._refuse(request, wrong)
        if not chosen:
            raise web.HTTPNotFound
        return self._review(request, chosen)

    def _review(
        self,
        request: web.Request,
        chosen: Sequence[Refused],
        *,
        problem: str = "",
        drawn: Sequence[DrawnBox] = (),
    ) -> web.Response:
        first = next((each for each in chosen if each.picture is not None), chosen[0])
        return self._view.page(
            request,
            "review.html",
            status=400 if problem else 200,
            context={
                "shown": first,
                "advice": advice_for(first.receipt.reason or first.receipt.state),
                "others": [each for each in chosen if each is not first],
                "deidentifiers": self._quarantine.deidentifiers,
                "problem": problem,
                "drawn": drawn,
            },
        )

    async def picture(self, request: web.Request) -> web.Response:
        """Lead to the picture of a refused instance, which the source draws."""
        resource = await self._quarantine.picture(request.match_info["id"])
        if resource is None:
            raise web.HTTPNotFound
        uids = (resource.study_uid, resource.series_uid or "", resource.sop_instance_uid or "")
        study, series, instance = (quote(uid, safe="") for uid in uids)
        frame = request.query.get("frame", "")
        number = int(frame) if _NUMBER.fullmatch(frame) else 1
        address = (
            f"../../../dicomweb/source/studies/{study}/series/{series}/instances/{instance}"
            f"/frames/{max(number, 1)}/{'thumbnail' if 'small' in request.query else 'rendered'}"
        )
        return web.Response(status=302, headers={"Location": address, "Cache-Control": "no-store"})

    async def decisions(self, request: web.Request) -> web.Response:
        """Show what was decided, newest first, and what became of each."""
        return await self._decisions(request, None)

    async def _decisions(self, request: web.Request, changed: Changed | None) -> web.Response:
        offset = _offset(request)
        made = await self._quarantine.decisions(_MOST + 1, offset)
        return self._view.page(
            request,
            "decisions.html",
            context={
                "made": made[:_MOST],
                "changed": changed,
                "states": _STATES,
                "choices": _CHOICES,
                "here": f"offset={offset}",
                "earlier": f"offset={max(0, offset - _MOST)}" if offset else None,
                "later": f"offset={offset + _MOST}" if len(made) > _MOST else None,
            },
        )

    async def decide(self, request: web.Request) -> web.Response:
        """Do what a form says, and show what became of it."""
        form = await self._view.form(request)
        try:
            chosen = await self._ids(form)
            if form.get("choice") == Choice.DISCARD and "confirmed" not in form:
                return self._ask(request, form, len(chosen))
            return await self._decisions(request, await self._apply(form, chosen))
        except DecisionInvalid as invalid:
            wrong = _Wrong(str(invalid))
        except _Wrong as said:
            wrong = said
        if form.get("choice") != Choice.RELEASE or not chosen:
            return self._refuse(request, wrong)
        waiting = await self._quarantine.chosen(chosen[:_MOST_DRAWN_TOGETHER])
        if not waiting:
            return self._refuse(request, wrong)
        return self._review(request, waiting, problem=str(wrong))

    async def _apply(self, form: MultiMapping[Any], chosen: Sequence[str]) -> Changed:
        decider = Decider(Place.PAGE, checked_reviewer(str(form.get("reviewer", ""))))
        deidentifier = str(form.get("deidentifier", ""))
        if deidentifier and deidentifier not in self._quarantine.deidentifiers:
            raise _Wrong("There is no deidentifier of that name.")
        match form.get("choice"):
            case Choice.RETRY:
                return await self._quarantine.retry(chosen, decider, deidentifier)
            case Choice.RELEASE:
                drawn = drawn_boxes(form)
                return await self._quarantine.release(chosen, decider, deidentifier, drawn)
            case Choice.DISCARD:
                return await self._quarantine.discard(chosen, decider)
            case "forget":
                return await self._quarantine.forget(chosen, decider)
        raise _Wrong("Nothing was chosen to be done.")

    def _ask(self, request: web.Request, form: MultiMapping[Any], count: int) -> web.Response:
        said = [(name, str(value)) for name, value in form.items() if name != "confirmed"]
        return self._view.page(request, "discard.html", context={"said": said, "count": count})

    async def _ids(self, form: MultiMapping[Any]) -> Sequence[str]:
        reason = str(form.get("all_of", ""))
        if reason:
            return await self._quarantine.ids_of(reason)
        found = [str(each) for each in form.getall("id", ())]
        if not found:
            raise _Wrong("No instance was chosen.")
        if len(found) > _MOST_CHOSEN or not all(_ID.fullmatch(each) for each in found):
            raise _Wrong("That is no list of instances.")
        return list(dict.fromkeys(found))

    async def _chosen(self, query: MultiMapping[Any]) -> Sequence[Refused]:
        ids = (await self._ids(query))[:_MOST_DRAWN_TOGETHER]
        waiting = await self._quarantine.chosen(ids)
        found = [each for each in waiting if not each.is_of_operation]
        if waiting and not found:
            raise _Wrong("Operations refused these: begin another between the same stores.")
        return found

    def _refuse(self, request: web.Request, wrong: _Wrong) -> web.Response:
        return self._view.page(
            request, "undecided.html", status=400, context={"problem": str(wrong)}
        )


def drawn_boxes(form: MultiMapping[Any]) -> list[DrawnBox]:
    """Return the boxes of a form; rows in which nothing is said about a place are none.

    Raises
    ------
    DecisionInvalid
        When a row is not five numbers.
    """
    boxes = []
    rows = zip(*(form.getall(name, ()) for name in _FIELDS), strict=False)
    for number, row in enumerate(rows, 1):
        said = [str(each).strip() for each in row]
        if not any(said[1:]):
            continue
        if not all(_NUMBER.fullmatch(each) for each in said):
            raise DecisionInvalid(f"box {number} needs whole numbers for frame, place and size")
        boxes.append(DrawnBox(*map(int, said)))
    return boxes


def _offset(request: web.Request) -> int:
    given = request.query.get("offset", "")
    return int(given) if _NUMBER.fullmatch(given) else 0


def _page(reason: str, offset: int) -> str:
    return urlencode({"reason": reason, "offset": offset})


PAGE: Final = Page(_routes, "Quarantine", _ADDRESS)
