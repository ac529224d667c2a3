"""Pictures and decoded frames for the web services. Implements `dicomweb.ports.Imaging`.

The processes are started when the first is asked for. What was drawn is kept for a while, by the file and
what was asked: stored files never change. A file that took a process down is not tried again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final, Self

import structlog

from daemon.workers.errors import PoolClosed, WorkerKilled, WorkerRaised, WorkerStartFailed
from daemon.workers.frames import Message
from daemon.workers.pool import WorkerPool
from dicomweb.errors import BadRequest, FileDamaged, NotRenderable, StoreFull
from dicomweb.ports import NativeForm

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from daemon.workers.limits import Limits
    from daemon.workers.pool import PoolFigures
    from dicomweb.ports import InstanceFile, Picture

_log = structlog.get_logger(__name__)
_MOST_WAITING: Final = 64
_MOST_DEADLY: Final = 4096
_MOST_FORMS: Final = 4096
_NICENESS: Final = 5
_LONGEST_S: Final = 20.0
"""Of CPU for a picture or a frame, beside what the size of the file adds."""
_MOST_KILLS: Final = 2


class Pictures:
    """Draws and decodes in a few processes; an async context manager, which ends them.

    Parameters
    ----------
    limits
        Of a process; somebody waits for what it does, so it goes before those that de-identify.
    count
        Processes.
    kept_bytes
        Pictures that are kept, together.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        count: int = 1,
        kept_bytes: int = 64 << 20,
        figures: PoolFigures | None = None,
    ) -> None:
        self._pool = WorkerPool(
            "daemon.rendering.work:start",
            {},
            b"",
            count=count,
            limits=replace(limits, niceness=_NICENESS, timeout_s=min(limits.timeout_s, _LONGEST_S)),
            figures=figures,
        )
        self._starting = asyncio.Lock()
        self._is_started = False
        self._waiting = 0
        self._kept: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()
        self._kept_bytes = kept_bytes
        self._held_bytes = 0
        self._forms: OrderedDict[Path, NativeForm] = OrderedDict()
        self._kills: OrderedDict[Path, int] = OrderedDict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_started:
            await self._pool.close()

    async def draw(self, file: InstanceFile, picture: Picture) -> bytes:
        """Return an encoded picture; raises as `dicomweb.ports.Imaging`."""
        key = (file.path, picture)
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        asked = asdict(replace(picture, state=None))
        if picture.state is not None:
            asked["state"] = {"path": str(picture.state.path), "size": picture.state.size}
        answer = await self._asked(file, {"kind": "draw", "picture": asked})
        (drawn,) = answer.fields
        self._keep(key, drawn)
        return drawn

    async def native_form(self, file: InstanceFile) -> NativeForm:
        """Return what decoding will give; raises as `dicomweb.ports.Imaging`."""
        found = self._forms.get(file.path)
        if found is not None:
            return found
        told = (await self._asked(file, {"kind": "native_form"})).header
        changes = {int(tag): bytes.fromhex(value) for tag, value in told["changes"].items()}
        form = NativeForm(
            int(told["frames"]), int(told["frame_bytes"]), int(told["bits_allocated"]), changes
        )
        self._forms[file.path] = form
        while len(self._forms) > _MOST_FORMS:
            self._forms.popitem(last=False)
        return form

    async def decode(self, file: InstanceFile, frame: int) -> bytes:
        """Return the samples of a frame; raises as `dicomweb.ports.Imaging`."""
        answer = await self._asked(file, {"kind": "decode", "frame": frame})
        return answer.fields[0]

    def _keep(self, key: tuple[Any, ...], drawn: bytes) -> None:
        if len(drawn) > self._kept_bytes // 4:
            return
        self._held_bytes += len(drawn) - len(self._kept.pop(key, b""))
        self._kept[key] = drawn
        while self._held_bytes > self._kept_bytes:
            self._held_bytes -= len(self._kept.popitem(last=False)[1])

    async def _asked(self, file: InstanceFile, job: dict[str, Any]) -> Message:
        if self._kills.get(file.path, 0) >= _MOST_KILLS:
            raise NotRenderable("the pixels need more time or memory than they may have")
        if self._waiting >= _MOST_WAITING:
            raise StoreFull("too many pictures are being drawn")
        self._waiting += 1
        try:
            return await self._run(file, job)
        finally:
            self._waiting -= 1

    async def _run(self, file: InstanceFile, job: dict[str, Any]) -> Message:
        await self._start()
        job |= {"path": str(file.path), "size": file.size}
        try:
            answer = await self._pool.run(Message(job), file.size)
        except WorkerKilled as killed:
            self._kills[file.path] = self._kills.get(file.path, 0) + 1
            while len(self._kills) > _MOST_DEADLY:
                self._kills.popitem(last=False)
            _log.warning("rendering_worker_lost", reason=killed.reason.value)
            raise NotRenderable("the pixels need more time or memory than they may have") from None
        except PoolClosed as closed:
            raise StoreFull("the service is stopping") from closed
        except WorkerRaised as raised:
            _log.error("rendering_failed", place=str(raised))
            if raised.type_name in {"FileNotFoundError", "OSError"}:
                raise FileDamaged("a stored file is gone") from None
            raise NotRenderable("the pixels cannot be decoded") from None
        if answer.header.get("outside"):
            raise BadRequest("the region of viewport is outside of the image")
        refused = answer.header.get("refused")
        if refused is not None:
            raise NotRenderable(f"the instance cannot be rendered: {refused}")
        return answer

    async def _start(self) -> None:
        if self._is_started:
            return
        async with self._starting:  # others may wait here for the first
            await self._start_once()

    async def _start_once(self) -> None:
        if not self._is_started:
            try:
                await self._pool.start()
            except WorkerStartFailed as failed:
                _log.error("rendering_not_started", place=str(failed))
                raise StoreFull("no picture can be drawn now") from None
            self._is_started = True
