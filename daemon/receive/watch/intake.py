"""The way of bytes from a watched folder into the spool: on threads, until there is room, ended at once."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import structlog

from daemon.errors import SpoolFull, StoreUnavailable
from daemon.receive.watch.drops import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from daemon.ports import Spool
    from daemon.receive.watch.descriptors import Sink
    from daemon.receive.watch.drops import Drop
    from daemon.receive.watch.events import WatchEvents
    from daemon.records import Origin, Receipt

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")
_THREADS = 4
_FIRST_BACKOFF_S = 0.25


class Stopping(Exception):
    """The receiver ends: what is under way is given up, and nothing of it was received."""


class Intake:
    """What one watched folder has in common with the archives in it, while it runs.

    Parameters
    ----------
    retry_s
        Longest time between two attempts while the spool is full.
    """

    def __init__(self, spool: Spool, origin: Origin, events: WatchEvents, retry_s: float) -> None:
        self._spool = spool
        self._origin = origin
        self._events = events
        self._retry_s = retry_s
        self._stopping = asyncio.Event()
        self._halt = threading.Event()
        self._threads: ThreadPoolExecutor | None = None
        self._is_full = False

    @property
    def is_stopping(self) -> bool:
        """Whether nothing more may be begun."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Have threads ready."""
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="watch")

    def stop(self) -> None:
        """Begin nothing more, and wait for room no longer."""
        self._stopping.set()

    async def until_stopped(self) -> None:
        """Wait for `stop`."""
        await self._stopping.wait()

    def halt(self) -> None:
        """Have what is being poured end with `Stopping`."""
        self._halt.set()

    def close(self) -> None:
        """Wait for the threads to end."""
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None

    async def in_thread(self, function: Callable[[], _T]) -> _T:
        """Run on a thread; when cancelled, wait for it: it may use what is about to close."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, function)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            self._halt.set()
            await asyncio.wait([future])
            if not future.cancelled():
                future.exception()
            raise

    async def copy(self, fill: Callable[[Sink], Awaitable[None]], drop: Drop = UNKNOWN) -> None:
        """Receive what `fill` writes, which is asked again when there was no room for all of it."""
        await self._durably(partial(self._write, fill, self._origin_of(drop)))

    async def adopt(self, path: Path, drop: Drop = UNKNOWN) -> None:
        """Receive a file by renaming it.

        Raises
        ------
        CrossDevice, PermissionError
            When it has to be copied.
        FileNotFoundError
            When somebody has removed it.
        """
        await self._durably(partial(self._take, path, self._origin_of(drop)))

    def _origin_of(self, drop: Drop) -> Origin:
        return replace(self._origin, drop_folder=drop.folder, drop_name=drop.name)

    def interruptible(self, sink: Sink | None) -> Sink:
        """Return a sink that passes everything on to another until `halt`, then raises `Stopping`."""
        return _Interruptible(sink, self._halt)

    async def _write(self, fill: Callable[[Sink], Awaitable[None]], origin: Origin) -> Receipt:
        file = self._spool.open(origin)
        try:
            await fill(self.interruptible(file))
            return await file.commit()
        except BaseException:
            file.abort()
            raise

    async def _take(self, path: Path, origin: Origin) -> Receipt:
        # The spool may not be left alone with a path whose descriptor is about to be closed.
        adopting = asyncio.ensure_future(self._spool.adopt(path, origin))
        try:
            return await asyncio.shield(adopting)
        except asyncio.CancelledError:
            await asyncio.wait([adopting])
            raise
        except StoreUnavailable:
            # Should somebody have removed the file meanwhile, waiting would not bring it back.
            path.lstat()  # noqa: ASYNC240 - in an open folder of ours
            raise

    async def _durably(self, attempt: Callable[[], Awaitable[Receipt]]) -> None:
        """Try until the spool has room; nothing is lost and nothing grows meanwhile."""
        delay_s = _FIRST_BACKOFF_S
        while True:
            try:
                receipt = await attempt()
            except (SpoolFull, StoreUnavailable) as error:
                if not self._is_full:
                    self._is_full = True
                    _log.warning("watch_paused", reason=type(error).__name__)
            else:
                if self._is_full:
                    self._is_full = False
                    _log.info("watch_resumed")
                self._events.instance_received(receipt.size)
                return
            try:
                async with asyncio.timeout(delay_s):
                    await self._stopping.wait()
                raise Stopping
            except TimeoutError:
                delay_s = min(2 * delay_s, self._retry_s)


class _Interruptible:
    def __init__(self, sink: Sink | None, halt: threading.Event) -> None:
        self._sink = sink
        self._halt = halt

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._halt.is_set():
            raise Stopping
        if self._sink is not None:
            self._sink.write(data)
