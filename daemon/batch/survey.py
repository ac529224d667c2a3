"""The first look: at every input, before anything is written.

How many there are, so that progress has a true total; which folders they lie in, where those need new names;
where text is cleaned, what every header tells of people, so that each instance is cleaned of what its whole
study tells, whatever the order.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from itertools import islice
from typing import TYPE_CHECKING, Final

from daemon.batch.associating import Associations
from daemon.batch.crowds import CROWD
from daemon.batch.errors import BatchFailed
from daemon.batch.sources import place_of
from daemon.workers.errors import WorkerKilled, WorkerRaised
from daemon.workers.frames import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from daemon.batch.crowds import Place
    from daemon.batch.inputs import Input
    from daemon.workers.pool import WorkerPool

AT_ONCE: Final = 256
_TOLD_EVERY = 1000
_START: Final = 64
_BEFORE_JSON: Final = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"
_SUFFIXES: Final = (".json", ".ndjson")


class Survey:
    """What is known of the inputs. Memory grows with their number only where text is cleaned.

    Attributes
    ----------
    total
        How many inputs there are.
    may_have_resources
        Whether some of them may hold FHIR resources, so that all have to be looked at.
    """

    def __init__(self, issuers: Mapping[str, str] | None = None) -> None:
        self.total = 0
        self.may_have_resources = False
        self._studies: dict[str, set[tuple[str, str]]] = {}
        self._study_of: dict[tuple[str, int | None], str] = {}
        self._crowds: dict[str, Place] = {}
        self._associations = Associations(issuers or {})

    def count(
        self, walker: Iterator[Input], see: Callable[[Input], None], tell: Callable[[], None]
    ) -> None:
        """Count the inputs, and let each be seen."""
        for source in walker:
            see(source)
            self.may_have_resources = self.may_have_resources or _may_have_resources(source)
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
        self._associations.associate(self._studies)

    def known(self, source: Input) -> list[tuple[str, str]]:
        """Return infoType and value of what the study of an input tells of people; and whose resources are."""
        of_resources = self._associations.known(source)
        if of_resources:
            return list(of_resources)
        study_uid = self._study_of.get((source.path, source.member), "")
        return sorted(self._studies.get(study_uid, ()))

    def crowds(self, known: Iterable[tuple[str, str]]) -> list[Place]:
        """Return where the crowds among what is known lie (`daemon.batch.crowds`)."""
        return [self._crowds[digest] for kind, digest in known if kind == CROWD]

    async def _identify_one(self, pool: WorkerPool, source: Input) -> None:
        try:
            answer = (await pool.run(Message(place_of(source)), source.size)).header
        except (WorkerKilled, WorkerRaised):
            return  # it will be set aside when its turn comes
        if "errno" in answer:
            raise BatchFailed(str(answer["errno"]))
        resources = answer.get("resources")
        if isinstance(resources, list):
            with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
                digest, *place = answer["crowd"]
                if digest:
                    self._crowds[digest] = place[0], place[1]
                self._associations.add_resources(source, resources, digest)
            return
        study_uid, known = answer.get("study_uid"), answer.get("known")
        if not isinstance(study_uid, str) or not study_uid or not isinstance(known, list):
            return
        study_uid = sys.intern(study_uid)
        self._study_of[source.path, source.member] = study_uid
        facts = answer.get("facts")
        self._associations.add_instance(source, study_uid, facts if isinstance(facts, dict) else {})
        self._studies.setdefault(study_uid, set()).update(
            (str(info_type), str(value)) for info_type, value in known
        )


def _may_have_resources(source: Input) -> bool:
    """Look at the first bytes of a file, or at the name of what lies in an archive."""
    if source.skip or source.refuse:
        return False
    if source.member is not None or source.is_gzip:
        name = (source.member_name or source.path).lower().removesuffix(".gz")
        return name.endswith(_SUFFIXES)
    try:
        with open(source.path, "rb", buffering=0) as file:  # noqa: PTH123 - strings, as everywhere in a walk
            return file.read(_START).lstrip(_BEFORE_JSON)[:1] == b"{"
    except OSError:
        return False
