"""The first page: what there is to look at, and where programs begin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from daemon.pages.view import Page

if TYPE_CHECKING:
    from daemon.pages.view import View


def _routes(view: View) -> list[web.RouteDef]:
    async def show(request: web.Request) -> web.Response:
        served, own = view.addresses
        return view.page(request, "start.html", context={"served": served, "own": own})

    return [web.get("/", show)]


PAGE: Final = Page(_routes)
