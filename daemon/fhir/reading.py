"""The reader of request bodies over worker processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.errors import StoreUnavailable
from daemon.fhir.errors import Unavailable, Unprocessable
from daemon.workers.errors import PoolClosed, WorkerKilled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from daemon.resources import ReadDocument


class ReadByWorkers:
    """Implements `daemon.fhir.ports.Reader`.

    Parameters
    ----------
    ask
        Asks a worker (`daemon.pipeline.instance_workers.InstanceWorkers.read_document`).
    """

    def __init__(
        self, ask: Callable[[bytes, Mapping[str, str] | None], Awaitable[ReadDocument]]
    ) -> None:
        self._ask = ask

    async def read(self, body: bytes, resolved: Mapping[str, str] | None = None) -> ReadDocument:
        """Return what a body says.

        Raises
        ------
        Unavailable, Unprocessable
        """
        try:
            return await self._ask(body, resolved)
        except WorkerKilled as error:
            raise Unprocessable(f"the body cannot be read: {error.reason.value}") from error
        except (PoolClosed, StoreUnavailable) as error:
            raise Unavailable("nobody can read it now; send it again later") from error
