"""The first look: at every input, before anything is written.

How many there are, so that progress has a true total; which folders they lie in, where those need new names;
where text is cleaned, what every header tells of people, so that each instance is cleaned of what its whole
study tells, whatever the order.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import islice
from typing import TYPE_CHECKING, Final

from daemon.batch.sources import place_of
from daemon.workers.errors import WorkerKilled, WorkerRaised
from daemon.workers.frames import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from daemon.batch.inputs import Input
    from daemon.workers.pool import WorkerPool

AT_ONCE: Final = 256
_TOLD_EVERY = 1000


class Survey:
    """What is known of the inputs. Memory grows with their number only where text is cleaned.

    Attributes
    ----------
    total
        How many inputs there are.
    """

    def __init__(self) -> None:
        self.total = 0
        self._studies: dict[str, set[tuple[str, str]]] = {}
        self._study_of: dict[tuple[str, int | None], str] = {}

    def count(
        self, walker: Iterator[Input], see: Callable[[Input], None], tell: Callable[[], None]
    ) -> None:
        """Count the inputs, and let each be seen."""
        for source in walker:
            see(source)
            self.total += 1
            if self.total % _TOLD_EVERY == 0:
                tell()

    async def identify(self, walker: Iterator[Input], pool: WorkerPool) -> None:
        """Ask every header what it tells of people."""
        while some := await asyncio.to_thread(lambda: list(islice(walker, AT_ONCE))):
            readable = [source for source in some if not source.skip and not source.refuse]
            async with asyncio.TaskGroup() as group:
                for source in readable:
                    group.create_task(self._identify_one(pool, source))

    def known(self, source: Input) -> list[tuple[str, str]]:
        """Return infoType and value of what the study of an input tells of people."""
        study_uid = self._study_of.get((source.path, source.member), "")
        return sorted(self._studies.get(study_uid, ()))

    async def _identify_one(self, pool: WorkerPool, source: Input) -> None:
        try:
            answer = (await pool.run(Message(place_of(source)), source.size)).header
        except (WorkerKilled, WorkerRaised):
            return  # it will be set aside when its turn comes
        study_uid, known = answer.get("study_uid"), answer.get("known")
        if not isinstance(study_uid, str) or not study_uid or not isinstance(known, list):
            return
        study_uid = sys.intern(study_uid)
        self._study_of[source.path, source.member] = study_uid
        self._studies.setdefault(study_uid, set()).update(
            (str(info_type), str(value)) for info_type, value in known
        )
