"""Tells open pages that something has changed, by server-sent events (HTML, "Server-sent events").

An event is the name of a subject and nothing else: ``studies``, ``quarantine``, or ``status`` for every few
seconds. A page that hears it asks anew for what it shows. The stores are looked at once a second, for all
listeners together, and not at all while nobody listens; what changes within that time is one event.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from daemon.errors import DaemonError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.pages.ports import Marks

_log = structlog.get_logger(__name__)

_INTERVAL_S: Final = 1.0
_STATUS_S: Final = 5.0
_SILENCE_S: Final = 15.0
"""After so long without an event a line is sent that says nothing: proxies end silent connections."""
_MOST_LISTENERS: Final = 32
_HEADERS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Accel-Buffering": "no",
}


class Events:
    """Looks at the marks of the stores for as long as somebody listens.

    Parameters
    ----------
    most_listeners
        One more is answered 503.
    """

    def __init__(
        self,
        stores: Marks,
        *,
        interval_s: float = _INTERVAL_S,
        most_listeners: int = _MOST_LISTENERS,
    ) -> None:
        self._stores = stores
        self._interval_s = interval_s
        self._most_listeners = most_listeners
        self._listeners: set[asyncio.Event] = set()
        self._marks: Mapping[str, str] = {}
        self._looking: asyncio.Task[None] | None = None
        self._has_looked = asyncio.Event()
        self._is_stopping = False

    async def stop(self) -> None:
        """End every stream, so that the listener need not wait for them."""
        self._is_stopping = True
        self._has_looked.set()
        for listener in self._listeners:
            listener.set()
        await self._look_no_more()

    async def listen(self, request: web.Request) -> web.StreamResponse:
        """Answer the stream of events."""
        if self._is_stopping or len(self._listeners) >= self._most_listeners:
            return web.Response(
                status=503, text="too many listeners\n", headers={"Retry-After": "10"}
            )
        listener = asyncio.Event()
        self._listeners.add(listener)
        try:
            if self._looking is None:
                self._has_looked.clear()
                self._looking = asyncio.create_task(self._keep_looking())
            # What changes from the first word on is told: it differs from what was there by then.
            await self._has_looked.wait()
            response = web.StreamResponse(headers=_HEADERS)
            await response.prepare(request)
            with suppress(ConnectionError):
                await self._tell(response, listener)
            return response
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                await self._look_no_more()

    async def _tell(self, response: web.StreamResponse, listener: asyncio.Event) -> None:
        told = self._marks
        await response.write(b": listening\n\n")
        while not self._is_stopping:
            listener.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(listener.wait(), _SILENCE_S)
            now = self._marks
            changed = [name for name, mark in now.items() if told.get(name, mark) != mark]
            told = now
            text = "".join(f"event: {name}\ndata: changed\n\n" for name in changed)
            await response.write(text.encode() or b":\n\n")

    async def _keep_looking(self) -> None:
        while True:
            try:
                marks = await self._look()
            except DaemonError as error:
                _log.warning("looking_failed", error=type(error).__name__)
                marks = dict(self._marks)
            if marks != self._marks:
                self._marks = marks
                for listener in self._listeners:
                    listener.set()
            self._has_looked.set()
            await asyncio.sleep(self._interval_s)

    async def _look(self) -> dict[str, str]:
        tick = int(asyncio.get_running_loop().time() / _STATUS_S)
        return {**await self._stores.marks(), "status": str(tick)}

    async def _look_no_more(self) -> None:
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
