"""Listening for associations, and stopping without breaking what is under way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from daemon.receive.dimse.admission import Admission
from daemon.receive.dimse.association import Association
from daemon.receive.dimse.events import NoEvents
from daemon.receive.dimse.service import Service

if TYPE_CHECKING:
    import ssl

    from config.settings import Dimse
    from daemon.ports import Spool
    from daemon.receive.dimse.events import ReceiverEvents

log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

_BACKLOG = 256


class DimseServer:
    """The Storage and Verification SCP.

    Parameters
    ----------
    settings
        Address, limits and policies. With port 0 the kernel chooses; `port` then tells.
    spool
        Where instances are made durable before they are acknowledged.
    events
        Told of associations and instances, for counters.
    tls
        Server-side context; None is plain TCP.
    """

    def __init__(
        self,
        settings: Dimse,
        spool: Spool,
        events: ReceiverEvents | None = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._settings = settings
        self._spool = spool
        self._events = events or NoEvents()
        self._tls = tls
        self._service: Service[Association] | None = None
        self._listener: asyncio.Server | None = None
        self._running: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()

    @property
    def port(self) -> int:
        """The port bound, once started; useful where the setting is 0."""
        assert self._listener is not None
        return int(self._listener.sockets[0].getsockname()[1])

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._service is not None and self._service.is_stopping

    async def start(self) -> None:
        """Bind and accept associations. Raises `OSError` when the address cannot be bound."""
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running = asyncio.create_task(self._run(started), name="dimse")
        await started

    async def stop(self, *, drain_s: float) -> None:
        """Stop listening, let messages under way be answered, then end every association.

        Parameters
        ----------
        drain_s
            How long messages under way may take; connections still open then are closed, their
            instances unacknowledged.
        """
        if self._service is None or self._listener is None or self._running is None:
            return
        self._listener.close()
        self._service.is_stopping = True
        for association in list(self._service.connections):
            association.drain()
        try:
            async with asyncio.timeout(drain_s):
                if self._service.connections:
                    await self._service.all_gone.wait()
        except TimeoutError:
            log.warning(
                "drain_timed_out", receiver="dimse", associations=len(self._service.connections)
            )
        for association in list(self._service.connections):
            association.kill()
        self._stopped.set()
        await self._running
        log.info("receiver_stopped", receiver="dimse")

    async def _run(self, started: asyncio.Future[None]) -> None:
        """Hold the tasks that make instances durable, from start to stop."""
        async with asyncio.TaskGroup() as tasks:
            service: Service[Association] = Service(
                self._settings, self._spool, self._events, Admission(self._settings), tasks
            )
            try:
                self._listener = await self._listen(service)
            except OSError as error:
                started.set_exception(error)
                return
            self._service = service
            log.info(
                "receiver_started",
                receiver="dimse",
                address=self._settings.host,
                port=self.port,
            )
            started.set_result(None)
            await self._stopped.wait()

    async def _listen(self, service: Service[Association]) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(
            lambda: Association(service),
            self._settings.host,
            self._settings.port,
            backlog=_BACKLOG,
            ssl=self._tls,
            ssl_handshake_timeout=self._settings.artim_timeout_s if self._tls else None,
        )
