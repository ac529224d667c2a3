"""How the work goes, for people: what `dicomveil status` and ``/metrics`` say, and the last hour drawn."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import orjson
from aiohttp import web

from daemon.pages.quarantine import advice_for
from daemon.pages.view import Page
from daemon.records import State

if TYPE_CHECKING:
    from daemon.pages.view import View

_ADDRESS: Final = "/status"
_WORDS: Final = {
    State.RECEIVED: "waiting or being processed",
    State.STORED: "done",
    State.QUARANTINED: "quarantined",
    State.UNROUTED: "not routed",
    State.DUPLICATE: "received twice",
    State.DISCARDED: "discarded",
}
_RECEIVERS: Final = {
    "dimse": "C-STORE",
    "stow": "STOW-RS",
    "watch": "watched folders",
    "recovered": "found again",
}


def _routes(view: View) -> list[web.RouteDef]:
    async def show(request: web.Request) -> web.Response:
        now = time.time()
        status = await view.status()
        oldest = status.oldest_waiting_at
        return view.page(
            request,
            "status.html",
            context={
                "status": status,
                "waiting": status.states[State.RECEIVED],
                "oldest_s": None if oldest is None else max(0.0, now - oldest),
                "states": [
                    (word, status.states[state])
                    for state, word in _WORDS.items()
                    if status.states[state]
                ],
                "quarantine": [
                    (code, count, advice_for(code)) for code, count in status.quarantine.items()
                ],
                "receivers": _RECEIVERS,
            },
        )

    async def history(_request: web.Request) -> web.Response:
        return view.json(orjson.dumps(view.history.columns()))

    return [web.get(_ADDRESS, show), web.get(f"{_ADDRESS}/history.json", history)]


PAGE: Final = Page(_routes, "Status", _ADDRESS)
