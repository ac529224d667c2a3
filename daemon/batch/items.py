"""One input on its way through a run, and the answer that it gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daemon.batch.request import BatchState
from daemon.batch.settlement import IDENTIFIERS, is_clean, refused
from daemon.workers.reasons import WorkerReason

if TYPE_CHECKING:
    import asyncio

    from daemon.batch.inputs import Input
    from daemon.batch.journal import Done

_ANSWERED = {
    BatchState.DEIDENTIFIED.value,
    BatchState.REFUSED.value,
    BatchState.SKIPPED.value,
}


@dataclass(slots=True)
class Item:
    """One input on its way."""

    source: Input
    part: str = ""
    known: tuple[tuple[str, str], ...] = ()
    done: Done | None = None
    answer: asyncio.Task[dict[str, Any]] | None = None

    async def result(self) -> dict[str, Any]:
        """Return its answer, as soon as there is one."""
        if self.answer is not None:
            return await self.answer
        if self.source.skip:
            return {"state": BatchState.SKIPPED.value, "reason": self.source.skip}
        return refused(self.source.refuse)


async def as_it_was(done: Done) -> dict[str, Any]:
    """Return the answer that an instance of an earlier run had."""
    return {"state": BatchState.DEIDENTIFIED.value, "reason": "", "method": list(done.method)}


def checked(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a worker's answer, which is input too: the worker parses what came from outside."""
    known = ("reason", "where", *IDENTIFIERS)
    is_sound = (
        answer.get("state") in _ANSWERED
        and all(isinstance(answer.get(name, ""), str) for name in known)
        and (not is_clean(answer) or all(answer.get(name) for name in IDENTIFIERS))
    )
    return answer if is_sound else refused(WorkerReason.WORKER_CRASHED)
