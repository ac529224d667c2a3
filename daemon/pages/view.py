"""What each page is made with: templates, the stores it may read, and the head of its answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from daemon.pages import wording

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from multidict import MultiDictProxy

    from daemon.observe.history import History
    from daemon.pages.ports import Console, Pairing, Progress, Review
    from daemon.store.queries import Status
    from dicomweb.ports import InstanceStore

SOURCE: Final = "/source"
"""What names people stands below this alone, so that one rule of a proxy shuts it."""

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:;"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page, or a group of pages, as `daemon.pages.routes` lists it.

    Attributes
    ----------
    routes
        Its addresses. Those below `SOURCE` are left out where nobody may see the source.
    label, address
        What the navigation calls it, and where that leads; without a label it is not in there.
    """

    routes: Callable[[View], Iterable[web.RouteDef]]
    label: str = ""
    address: str = ""


@dataclass(frozen=True)
class View:
    """What a page may read, and how it answers.

    Attributes
    ----------
    received, results
        The stores of what came in, and of what may leave.
    review
        What was refused, and what is decided of it.
    status, history
        How the work stands, and how it went in the last hour.
    console
        What is de-identified on demand.
    sees_source
        Whether the pages below `SOURCE` are there.
    has_viewer
        Tells whether a viewer is installed at ``/viewer/`` now.
    addresses
        Where programs may begin to read: of what is served, and of the service itself.
    public_root
        Address under which clients reach the service, or empty.
    form_timeout_s
        How long a form may take to come.
    """

    received: InstanceStore
    results: InstanceStore
    progress: Progress
    pairing: Pairing
    review: Review
    status: Callable[[], Awaitable[Status]]
    history: History
    console: Console
    sees_source: bool = True
    has_viewer: Callable[[], bool] = bool
    addresses: tuple[Sequence[str], Sequence[str]] = ((), ())
    public_root: str = ""
    form_timeout_s: float = 30.0
    navigation: Sequence[Page] = field(default=(), repr=False)

    def page(
        self,
        request: web.Request,
        template: str,
        *,
        status: int = 200,
        context: Mapping[str, object] | None = None,
    ) -> web.Response:
        """Answer a page in HTML.

        Templates reach what the service has by ``up``: relative addresses hold whatever prefix a proxy adds.
        """
        text = _TEMPLATES.get_template(template).render(
            up=_up(request),
            path=request.path,
            navigation=self.navigation,
            sees_source=self.sees_source,
            has_viewer=self.has_viewer(),
            **(context or {}),
        )
        return web.Response(text=text, status=status, content_type="text/html", headers=_HEADERS)

    def json(self, body: bytes) -> web.Response:
        """Answer what scripts of the pages ask for."""
        text = wording.seen_text(body.decode())
        return web.Response(text=text, content_type="application/json", headers=_HEADERS)

    def root(self, request: web.Request) -> str:
        """Return the address of the service as a program is given it, without a slash at the end."""
        return self.public_root.rstrip("/") or f"{request.scheme}://{request.host}"

    async def form(self, request: web.Request) -> MultiDictProxy[Any]:
        """Return the fields of a form that was posted.

        Raises
        ------
        web.HTTPBadRequest
            If the body is no form, or not in the encoding that it names.
        web.HTTPRequestTimeout
            If it does not come to its end.
        """
        try:
            async with asyncio.timeout(self.form_timeout_s):
                return await request.post()
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="the form stood still for too long") from None
        except (ValueError, LookupError, RuntimeError, AssertionError):
            raise web.HTTPBadRequest(text="the form cannot be read") from None


def _up(request: web.Request) -> str:
    return "../" * (request.path.count("/") - 1) or "./"


_TEMPLATES: Final = Environment(
    loader=PackageLoader("daemon.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=wording.seen,
)
_TEMPLATES.filters |= {
    name: getattr(wording, name) for name in ("duration", "instant", "marked", "rate", "size")
}
