"""``/viewer/``: the installed viewer, every store in it, or a page that says what to type.

Only what the table of the installation names is served, so that no path leads anywhere else; any other is the
viewer's own and gets its page. Nothing here tells of anybody: what is seen comes from the stores' doors.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import TYPE_CHECKING, Final

from aiohttp import web
from yarl import URL

from daemon.viewer.installation import installed, stamp
from daemon.viewer.page import CONFIGURATION, Source, configuration, first_page
from daemon.viewer.unpacking import INDEX
from dicomweb.conditional import is_known, not_modified

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from daemon.viewer.installation import File, Installation
    from daemon.viewer.page import Page

PATH: Final = "/viewer"
_KINDS: Final = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "ico": "image/x-icon",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "map": "application/json",
    "mjs": "text/javascript; charset=utf-8",
    "onnx": "application/octet-stream",
    "png": "image/png",
    "jpg": "image/jpeg",
    "svg": "image/svg+xml",
    "ttf": "font/ttf",
    "txt": "text/plain; charset=utf-8",
    "wasm": "application/wasm",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "xml": "application/xml",
}
_NAMED_BY_CONTENT: Final = re.compile(r"(?:^|\.)[0-9a-f]{16,}\.[a-z0-9]+$")
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
_TAG: Final = web.RequestKey("daemon.viewer.tag", str)
# Threads share memory (volumes, decoders) only in a page that no other origin shares its process with.
_HEADERS: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
# A worker goes by the policy of its own file. The decoders put their bindings together from text.
_WORKER: Final = (
    "default-src 'none'; script-src 'self' blob: 'unsafe-eval'; worker-src 'self' blob:;"
    " connect-src 'self' blob: data:; frame-ancestors 'none'"
)
_NOTHING: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def application(
    place: Path, sources: Callable[[], Awaitable[Sequence[Source]]], *, prefix: str = ""
) -> web.Application:
    """Return the service, to be mounted at `PATH`.

    Parameters
    ----------
    place
        Where installations lie. One that is made or replaced while the service runs is served at once.
    sources
        Returns the stores of now, the default one first.
    prefix
        Path that a proxy puts before ours, without a slash at its end.
    """
    viewer = _Viewer(place, sources, f"{prefix}{PATH}/")
    app = web.Application()
    app.add_routes(
        [
            web.get("", viewer.at_door),
            web.get("/", viewer.answer),
            web.get("/{path:.+}", viewer.answer),
        ]
    )
    app.on_response_prepare.append(_add_headers)
    return app


class _Viewer:
    def __init__(
        self, place: Path, sources: Callable[[], Awaitable[Sequence[Source]]], base: str
    ) -> None:
        self._place = place
        self._sources = sources
        self._base = base
        self._read_at: tuple[int, int] | None = None
        self._installed: Installation | None = None
        self._page: Page | None = None

    async def at_door(self, request: web.Request) -> web.StreamResponse:
        """Send who leaves out the slash to where the addresses in the page are right."""
        query = request.rel_url.raw_query_string
        target = f"{self._base}{'?' if query else ''}{query}"
        raise web.HTTPFound(URL(target, encoded=True))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a file of the viewer, or its page."""
        found = await self._current()
        if found is None or self._page is None:
            return _html(_NOT_INSTALLED, _NOTHING, status=404)
        path = request.match_info.get("path", "")
        if path == CONFIGURATION:
            script = configuration(await self._sources(), self._base)
            return _told(request, script.encode("utf-8"), _KINDS["js"])
        file = found.files.get(path)
        if file is not None and path != INDEX:
            return _sent(request, found.folder / path, file)
        if _looks_like_file(path):
            raise web.HTTPNotFound(text="the viewer has no such file\n")
        return _html(self._page.html, self._page.policy, request=request)

    async def _current(self) -> Installation | None:
        """Return what is installed now; looked at anew when that changes."""
        now = stamp(self._place)
        if now != self._read_at:
            self._installed, self._page = await asyncio.to_thread(self._read)
            self._read_at = now
        return self._installed

    def _read(self) -> tuple[Installation | None, Page | None]:
        found = installed(self._place)
        if found is None:
            return None, None
        built = (found.folder / INDEX).read_text("utf-8", "replace")
        return found, first_page(built, self._base)


def _looks_like_file(path: str) -> bool:
    """Tell what is missing from an address of the viewer's own; those have no ending that files have."""
    return path.rpartition("/")[2].rpartition(".")[2].lower() in _KINDS and "." in path


def _sent(request: web.Request, path: Path, file: File) -> web.StreamResponse:
    is_lasting = not file.is_adapted and _NAMED_BY_CONTENT.search(path.name) is not None
    etag = f'"{file.sha256[:32]}"'
    caching = _FOR_EVER if is_lasting else _ASK_AGAIN
    if is_known(request, etag):
        response: web.StreamResponse = not_modified(etag)
    else:
        kind = _KINDS.get(path.suffix[1:].lower(), "application/octet-stream")
        response = web.FileResponse(path, headers={"Content-Type": kind})
        request[_TAG] = etag
    response.headers["Cache-Control"] = caching
    if path.suffix in {".js", ".mjs"}:
        response.headers["Content-Security-Policy"] = _WORKER
    return response


def _told(request: web.Request, body: bytes, kind: str) -> web.Response:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if is_known(request, etag):
        response = not_modified(etag)
    else:
        response = web.Response(body=body, headers={"Content-Type": kind, "ETag": etag})
    response.headers["Cache-Control"] = _ASK_AGAIN
    return response


def _html(
    text: str, policy: str, *, request: web.Request | None = None, status: int = 200
) -> web.Response:
    body = text.encode("utf-8")
    response = (
        web.Response(status=status, body=body, headers={"Content-Type": _KINDS["html"]})
        if request is None
        else _told(request, body, _KINDS["html"])
    )
    response.headers["Content-Security-Policy"] = policy
    return response


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Content-Security-Policy", _NOTHING)
    if _TAG in request:
        # In place of the one that is made of a file's time and size.
        response.headers["ETag"] = request[_TAG]


_NOT_INSTALLED: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>dicomveil: no viewer is installed</title>
<meta name="viewport" content="width=device-width">
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;
padding:0 1rem}pre{padding:.8rem 1rem;border:1px solid;border-radius:.4rem;overflow-x:auto}</style></head>
<body><main><h1>No viewer is installed</h1>
<p>The OHIF viewer shows what is in the stores, here, once it is installed. On the machine that runs dicomveil,
as the user that runs it, type</p>
<pre><code>dicomveil viewer install</code></pre>
<p>which takes <code>@ohif/app</code> from the npm registry. Without npm, or without
internet, bring its package here and type</p>
<pre><code>dicomveil viewer install --from ohif-app.tgz</code></pre>
<p>Then load this page again; the service need not be started anew.</p></main></body></html>
"""
