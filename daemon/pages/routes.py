"""Every page of the room in one place, and the fence around them."""

from __future__ import annotations

from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Final

from aiohttp import web

from daemon.pages import compare, deidentify, quarantine, start, static_files, status, studies
from daemon.pages.view import SOURCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp.typedefs import Handler

    from daemon.pages.events import Events
    from daemon.pages.view import Page, View

PAGES: Final[Sequence[Page]] = (
    start.PAGE,
    studies.PAGE,
    compare.PAGE,
    quarantine.PAGE,
    deidentify.PAGE,
    status.PAGE,
    static_files.PAGE,
)


def routes(view: View, events: Events) -> list[web.RouteDef]:
    """Return all addresses that people may look at.

    Whoever may ask at all has passed the checks of Host and Origin (`daemon.web.callers`); what a page would
    change is sent by POST, and relies on the latter.
    """
    navigation = [page for page in PAGES if page.label]
    view = replace(view, navigation=navigation)
    found = [route for page in PAGES for route in page.routes(view)]
    allowed = [each for each in found if view.sees_source or not _is_identified(each.path)]
    fenced = [
        web.RouteDef(each.method, each.path, _fenced(each.handler, view), each.kwargs)
        for each in allowed
    ]
    return [*fenced, web.get("/events", events.listen)]


def _is_identified(path: str) -> bool:
    return path == SOURCE or path.startswith(f"{SOURCE}/")


def _fenced(handler: Handler, view: View) -> Handler:
    """Let what is not there be told by a page, too."""

    @wraps(handler)
    async def fenced(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return view.page(request, "not_found.html", status=404)

    return fenced
