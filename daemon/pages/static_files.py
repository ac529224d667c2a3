"""Scripts, styles and pictures of the pages: a few files of the package, held in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from aiohttp import web

from daemon.pages.view import Page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.pages.view import View

_TYPES: Final = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is answered."""

    body: bytes
    media_type: str
    etag: str


@cache
def static_files() -> Mapping[str, StaticFile]:
    """Return the files by name."""
    folder = resources.files("daemon.pages") / "static"
    return {
        each.name: StaticFile(
            body,
            _TYPES[f".{each.name.rpartition('.')[2]}"],
            hashlib.sha256(body).hexdigest()[:32],
        )
        for each in folder.iterdir()
        for body in [each.read_bytes()]
    }


async def _static_file(request: web.Request) -> web.Response:
    file = static_files().get(request.match_info["name"])
    if file is None:
        raise web.HTTPNotFound
    asked = request.if_none_match or ()
    is_known = any(each.value == file.etag for each in asked)
    response = web.Response(
        status=304 if is_known else 200,
        body=None if is_known else file.body,
        content_type=file.media_type,
        charset=None if is_known else "utf-8",
        headers=_HEADERS,
    )
    response.etag = file.etag
    return response


def _routes(_view: View) -> list[web.RouteDef]:
    return [web.get(r"/static/{name:[\w.-]+}", _static_file)]


PAGE: Final = Page(_routes)
