"""The reader of request bodies over worker processes."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from daemon.errors import StoreUnavailable
from daemon.fhir.errors import Unavailable, Unprocessable
from daemon.workers.errors import PoolClosed, WorkerKilled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from pathlib import Path

    from daemon.resources import ReadDocument


class ReadByWorkers:
    """Implements `daemon.fhir.ports.Reader`.

    Parameters
    ----------
    ask, patched, write_pieces
        Ask a worker (`daemon.pipeline.instance_workers.InstanceWorkers`).
    read_pieces
        Opens what a worker wrote (`daemon.pipeline.fhir_large.read_pieces`).
    work
        A folder that is emptied at each start.
    """

    def __init__(
        self,
        ask: Callable[[bytes, Mapping[str, str] | None], Awaitable[ReadDocument]],
        patched: Callable[[bytes, bytes], Awaitable[ReadDocument]],
        write_pieces: Callable[[Path, Path, int], Awaitable[ReadDocument]],
        read_pieces: Callable[[Path], Iterator[ReadDocument]],
        work: Path,
    ) -> None:
        self._ask = ask
        self._patched = patched
        self._write_pieces = write_pieces
        self._read_pieces = read_pieces
        self._work = work

    async def read(self, body: bytes, resolved: Mapping[str, str] | None = None) -> ReadDocument:
        """Return what a body says.

        Raises
        ------
        Unavailable, Unprocessable
        """
        with _told_to_clients():
            return await self._ask(body, resolved)

    async def patched(self, resource: bytes, patch: bytes) -> ReadDocument:
        """Return what a resource says after a patch; raises as `read`."""
        with _told_to_clients():
            return await self._patched(resource, patch)

    def place(self) -> Path:
        """Return where a body that is too large to be held may be written."""
        return self._work / f"{uuid.uuid4().hex}.body"

    async def read_large(self, body: Path) -> Pieces:
        """Return what such a body says; raises as `read`."""
        pieces = body.with_suffix(".pieces")
        size = (await asyncio.to_thread(body.stat)).st_size
        try:
            with _told_to_clients():
                summary = await self._write_pieces(body, pieces, size)
            return Pieces(summary, await asyncio.to_thread(self._read_pieces, pieces))
        finally:
            await asyncio.to_thread(pieces.unlink, missing_ok=True)


class Pieces:
    """Implements `daemon.fhir.ports.LargeDocument`."""

    def __init__(self, summary: ReadDocument, documents: Iterator[ReadDocument]) -> None:
        self.summary = summary
        self._documents = documents

    async def next(self) -> ReadDocument | None:
        """Return some entries more."""
        return await asyncio.to_thread(_next, self._documents)


def _next(documents: Iterator[ReadDocument]) -> ReadDocument | None:
    return next(documents, None)


@contextmanager
def _told_to_clients() -> Iterator[None]:
    try:
        yield
    except WorkerKilled as error:
        raise Unprocessable(f"the body cannot be read: {error.reason.value}") from error
    except (PoolClosed, StoreUnavailable) as error:
        raise Unavailable("nobody can read it now; send it again later") from error
