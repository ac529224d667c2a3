"""Limits that aiohttp's server does not have: how many connections, and how long a header may take.

A client that connects and says nothing, or sends a header a byte at a time, holds an aiohttp server's
connection open for as long as it likes. Here such a connection is closed, and past a number of
connections the oldest silent one makes room, so that a talkative client gets in. Where all are being
answered, the one makes room that has stood still for longest: a body sent byte by byte, an answer that
nobody reads. What is held for those who do not read their answers is bounded, too: past some of them, or some
megabytes, one goes that reads nothing, of the peer that has most.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

_log = structlog.get_logger(__name__)

_CROWDED: Final = 0.75
"""From this part of the most connections on, it is watched which of them get on."""
_LOOK_S: Final = 0.5
_PROGRESS_BYTES: Final = 4096
_STALLED_S: Final = 3.0
_MOST_UNREAD: Final = 32
_MOST_UNREAD_BYTES: Final = 16 << 20
"""Answers that wait for their readers, at the same time: how many, and in the buffers of their connections."""
_UNREAD_S: Final = 1.0
"""Whoever reads nothing for so long may have to make room."""
_BYTES_ACKED_AND_RECEIVED: Final = struct.Struct("@QQ")
_OFFSET_IN_TCP_INFO: Final = 120  # linux/tcp.h, struct tcp_info: tcpi_bytes_acked


@dataclass(slots=True)
class _Reading:
    """How far the peer of an answer has read, and when it was last seen to read on."""

    moved: int
    moved_at: float


class ConnectionGuard:
    """Watches the connections of one server.

    Parameters
    ----------
    max_connections
        Open at the same time. Past it the oldest connection without a request is closed, unless its peer
        has fewer than the newcomer's, or else the one that has moved less than 4 KiB for longest, if that
        is 3 seconds, or else the new one.
    header_timeout_s
        From connection, or the first byte of a next request, to the end of that request's header.
    keepalive_timeout_s
        From the end of a response to the first byte of a next request; twice as long where the peer has
        not read all of the response.
    """

    def __init__(
        self, max_connections: int, header_timeout_s: float, keepalive_timeout_s: float
    ) -> None:
        self._max_connections = max_connections
        self._header_timeout_s = header_timeout_s
        self._keepalive_timeout_s = keepalive_timeout_s
        self._open: dict[asyncio.BaseTransport, GuardedConnection] = {}
        self._silent: dict[GuardedConnection, asyncio.TimerHandle] = {}
        self._looking: asyncio.TimerHandle | None = None
        self._unread: dict[GuardedConnection, _Reading] = {}
        self._making_room: asyncio.TimerHandle | None = None

    def guard(self, handler: asyncio.Protocol) -> GuardedConnection:
        """Return what to hand to the event loop in place of a new connection's handler."""
        return GuardedConnection(self, handler)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Stop the clock of a connection while a request of it is being answered."""
        transport = request.transport
        connection = self._open.get(transport) if transport is not None else None
        if connection is None:
            return await handler(request)
        self._stop_clock(connection)
        connection.is_answering = True
        connection.is_given_time = False
        try:
            return await handler(request)
        finally:
            connection.is_answering = False
            connection.has_begun = False
            if connection.transport in self._open:
                self._start_clock(connection, self._keepalive_timeout_s)

    def opened(self, connection: GuardedConnection, transport: asyncio.BaseTransport) -> None:
        """Count a connection and wait for its first request."""
        self._open[transport] = connection
        connection.moved_at = asyncio.get_running_loop().time()
        # The newcomer is silent as well, but may be about to speak.
        oldest_silent = self._oldest_silent(connection)
        self._start_clock(connection, self._header_timeout_s)
        if self._looking is None and self._is_crowded:
            self._look()
        if len(self._open) > self._max_connections:
            _log.warning("http_connection_rejected", reason="max_connections")
            self._close(oldest_silent or self._most_stalled() or connection)

    def _oldest_silent(self, newcomer: GuardedConnection) -> GuardedConnection | None:
        """Return whom to close for a newcomer: not one of a peer with fewer connections than his."""
        if len(self._open) <= self._max_connections:
            return None
        counts = Counter(each.peer for each in self._open.values())
        least = counts[newcomer.peer]
        return next((each for each in self._silent if counts[each.peer] >= least), None)

    def closed(self, connection: GuardedConnection) -> None:
        """Forget a connection."""
        self._stop_clock(connection)
        self._unread.pop(connection, None)
        if connection.transport is not None:
            self._open.pop(connection.transport, None)

    def heard(self, connection: GuardedConnection) -> None:
        """Shorten the wait when the first bytes of a next request have come."""
        if not connection.is_answering and not connection.has_begun:
            connection.has_begun = True
            self._start_clock(connection, self._header_timeout_s)

    def paused(self, connection: GuardedConnection) -> None:
        """Note an answer that waits for its reader; where that is too much, end one that reads nothing."""
        now = asyncio.get_running_loop().time()
        self._unread[connection] = _Reading(_bytes_moved(connection.transport), now)
        if self._making_room is None:
            self._make_room()

    def resumed(self, connection: GuardedConnection) -> None:
        """Note that an answer is read."""
        self._unread.pop(connection, None)

    @property
    def _is_too_much_unread(self) -> bool:
        if len(self._unread) > _MOST_UNREAD:
            return True
        return sum(each.unsent_bytes for each in self._unread) > _MOST_UNREAD_BYTES

    def _make_room(self) -> None:
        """End some that read nothing, now and for as long as there is too much."""
        self._making_room = None
        while self._is_too_much_unread:
            idle = self._most_idle()
            if idle is None:
                loop = asyncio.get_running_loop()
                self._making_room = loop.call_later(_UNREAD_S / 4, self._make_room)
                return
            _log.info("http_connection_rejected", reason="answer_not_read")
            self._close(idle)

    def _most_idle(self) -> GuardedConnection | None:
        """Return one that nothing was read of for a while, of the peer that has most; for longest."""
        counts = Counter(each.peer for each in self._unread)
        now = asyncio.get_running_loop().time()
        idle = []
        for each, reading in self._unread.items():
            moved = _bytes_moved(each.transport)
            if moved != reading.moved:
                reading.moved, reading.moved_at = moved, now
            if now - reading.moved_at >= _UNREAD_S:
                idle.append((-counts[each.peer], reading.moved_at, each))
        return min(idle, key=lambda each: each[:2], default=(None,))[-1]

    @property
    def _is_crowded(self) -> bool:
        return len(self._open) >= _CROWDED * self._max_connections

    def _look(self) -> None:
        """Note which connections get on, every now and then for as long as there are many."""
        self._looking = None
        if not self._is_crowded:
            return
        loop = asyncio.get_running_loop()
        for connection in self._open.values():
            moved = _bytes_moved(connection.transport)
            if moved >= connection.moved + _PROGRESS_BYTES:
                connection.moved, connection.moved_at = moved, loop.time()
        self._looking = loop.call_later(_LOOK_S, self._look)

    def _most_stalled(self) -> GuardedConnection | None:
        stalled = min(self._open.values(), key=lambda each: each.moved_at)
        is_stalled = asyncio.get_running_loop().time() - stalled.moved_at >= _STALLED_S
        return stalled if is_stalled else None

    def _start_clock(self, connection: GuardedConnection, seconds: float) -> None:
        self._stop_clock(connection)
        loop = asyncio.get_running_loop()
        self._silent[connection] = loop.call_later(seconds, self._expired, connection)

    def _stop_clock(self, connection: GuardedConnection) -> None:
        timer = self._silent.pop(connection, None)
        if timer is not None:
            timer.cancel()

    def _expired(self, connection: GuardedConnection) -> None:
        if connection.unsent_bytes and not connection.is_given_time:
            # It is not idle: aiohttp has taken over the answer whole, and the peer reads it still.
            connection.is_given_time = True
            self._start_clock(connection, self._keepalive_timeout_s)
            return
        _log.info("http_connection_expired", reason="no_request")
        self._close(connection)

    def _close(self, connection: GuardedConnection) -> None:
        transport = connection.transport
        self.closed(connection)
        if isinstance(transport, asyncio.Transport):
            transport.abort()


def _bytes_moved(transport: asyncio.BaseTransport | None) -> int:
    """Return how many bytes the peer has sent, and acknowledged, over the connection."""
    connection = None if transport is None else transport.get_extra_info("socket")
    if connection is None:
        return 0
    size = _OFFSET_IN_TCP_INFO + _BYTES_ACKED_AND_RECEIVED.size
    try:
        told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, size)
    except OSError:
        return 0
    if len(told) < size:
        return 0
    return sum(_BYTES_ACKED_AND_RECEIVED.unpack_from(told, _OFFSET_IN_TCP_INFO))


class GuardedConnection(asyncio.Protocol):
    """Passes everything on to aiohttp's handler, and tells the guard."""

    def __init__(self, guard: ConnectionGuard, handler: asyncio.Protocol) -> None:
        self.transport: asyncio.BaseTransport | None = None
        self.peer = ""
        self.has_begun = True
        self.is_answering = False
        self.is_given_time = False
        self.moved = 0
        self.moved_at = 0.0
        self._guard = guard
        self._handler = handler
        self._receive = handler.data_received

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        self.transport = transport
        name = transport.get_extra_info("peername")
        self.peer = str(name[0]) if name else ""
        self._handler.connection_made(transport)
        self._guard.opened(self, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._guard.closed(self)
        self._handler.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Notice the first bytes of a next request."""
        if not self.has_begun:
            self._guard.heard(self)
        self._receive(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._handler.eof_received()

    @property
    def unsent_bytes(self) -> int:
        """How much of an answer waits here."""
        transport = self.transport
        if not isinstance(transport, asyncio.WriteTransport) or transport.is_closing():
            return 0
        return transport.get_write_buffer_size()

    def pause_writing(self) -> None:
        """Pass it on, and say that an answer waits for its reader."""
        self._handler.pause_writing()
        self._guard.paused(self)

    def resume_writing(self) -> None:
        """Pass it on, and say that it is read."""
        self._handler.resume_writing()
        self._guard.resumed(self)
