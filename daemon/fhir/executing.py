"""What a Bundle asks for, done, and the entries of the answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import orjson

from daemon.fhir import representation
from daemon.fhir.bundles import asked, in_order, refuse_twice, resolve
from daemon.fhir.errors import Conflict, FhirError, Unavailable, Unprocessable
from daemon.fhir.ports import Changed, Wish

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

    from daemon.fhir.bundles import Asked, Reading
    from daemon.fhir.ports import Change, Reader, ResourceSink, ResourceStore
    from daemon.resources import ReadDocument

_AT_ONCE: Final = 100
"""Changes of a batch that share a flush to the disk."""
_TRIES: Final = 3
"""How often a transaction is begun anew because somebody made what it had not found."""


class Executing:
    """Does what one Bundle asks for.

    Parameters
    ----------
    answer
        Answers what an entry asks to read: its address, then that of the store.
    root
        The address of the store.
    """

    def __init__(
        self,
        store: ResourceStore,
        sink: ResourceSink,
        reader: Reader,
        *,
        is_type: Callable[[str], bool],
        answer: Callable[[str, str], Awaitable[tuple[bytes, str]]],
        root: str,
    ) -> None:
        self._store = store
        self._sink = sink
        self._reader = reader
        self._is_type = is_type
        self._answer = answer
        self._root = root

    async def execute(self, body: bytes, document: ReadDocument) -> list[bytes]:
        """Return the entries of the answer, in the order of those that asked.

        Raises
        ------
        FhirError
            When a transaction cannot be done; nothing of it was.
        """
        if document.bundle_type == "batch":
            return await self.batch(document)
        for attempt in range(_TRIES):
            try:
                return await self._transaction(body, document)
            except Conflict:
                if attempt == _TRIES - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def batch(self, document: ReadDocument) -> list[bytes]:
        """Return the entries of the answer to a batch, or to some entries of one."""
        changes, readings, answers = await asyncio.to_thread(self._asked_of_batch, document)
        for some in _apart(changes):
            answers |= await self._changed(some)
        return _in_order(answers | await self._readings(readings))

    def _asked_of_batch(
        self, document: ReadDocument
    ) -> tuple[list[Asked], list[Reading], dict[int, bytes]]:
        """Return what entries ask for, and the answers to those that cannot be done."""
        changes, readings, wrong = asked(document.entries, _new_id, self._is_type)
        return changes, readings, {each: _error_entry(error) for each, error in wrong.items()}

    async def _changed(self, some: list[Asked]) -> dict[int, bytes]:
        """Do some changes of a batch, at once where all of them can be done."""
        try:
            done = await self._sink.change([each.change for each in some])
        except FhirError as error:
            # When there is no room it is no entry's fault, and all may be done already.
            if len(some) == 1 or isinstance(error, Unavailable):
                return dict.fromkeys((each.position for each in some), _error_entry(error))
            answers: dict[int, bytes] = {}
            for each in some:
                answers |= await self._changed([each])
            return answers
        return self._entries(some, done)

    async def _transaction(self, body: bytes, document: ReadDocument) -> list[bytes]:
        # Of ten thousand entries each step takes a tenth of a second: beside the loop.
        changes, readings = await asyncio.to_thread(self._asked, document)
        unresolved = await asyncio.to_thread(_unresolved, document)
        resolved = await resolve(self._store, changes, unresolved)
        if resolved:
            document = await self._reader.read(body, resolved)
            if document.reason:
                raise Unprocessable("the Bundle cannot be read with its references resolved")
            ids = {each.position: each.change for each in changes}
            changes, readings = await asyncio.to_thread(self._asked, document, ids)
        await self._refuse_unanswerable(readings, changes)
        ordered = in_order(changes)
        done = await self._sink.change([each.change for each in ordered])
        answers = await asyncio.to_thread(self._entries, ordered, done)
        return _in_order(answers | await self._readings(readings))

    async def _refuse_unanswerable(
        self, readings: Sequence[Reading], changes: Sequence[Asked]
    ) -> None:
        """Raise what an entry that reads would be answered: once the others are done it is too late for that.

        Of what the transaction itself changes nobody can say it before.
        """
        own = {f"{each.change.type}/{each.change.id}" for each in changes}
        for reading in readings:
            if reading.url not in own:
                await self._read(reading)

    async def _readings(self, readings: Iterable[Reading]) -> dict[int, bytes]:
        """Return the answers to entries that read; what is wrong with one is told in its place."""
        answers = {}
        for reading in readings:
            try:
                answers[reading.position] = await self._read(reading)
            except FhirError as error:
                answers[reading.position] = _error_entry(error)
        return answers

    def _asked(
        self, document: ReadDocument, known: Mapping[int, Change] | None = None
    ) -> tuple[list[Asked], Sequence[Reading]]:
        """Return what entries ask for; with the ids and findings that are known already."""
        changes, readings, wrong = asked(document.entries, _new_id, self._is_type)
        for position in sorted(wrong):
            raise wrong[position]
        if known is not None:
            for each in changes:
                before = known[each.position]
                each.change = replace(each.change, id=before.id, was_found=before.was_found)
        refuse_twice(changes)
        return changes, readings

    async def _read(self, reading: Reading) -> bytes:
        body, etag = await self._answer(reading.url, self._root)
        response = {"status": "200", **({"etag": etag} if etag else {})}
        return representation.entry("", body, response=response)

    def _entries(self, some: Iterable[Asked], done: Iterable[Changed]) -> dict[int, bytes]:
        return {
            each.position: self._entry(each, changed)
            for each, changed in zip(some, done, strict=True)
        }

    def _entry(self, each: Asked, changed: Changed) -> bytes:
        version = changed.version
        if each.change.wish is Wish.DELETE or version is None:
            return representation.entry("", b"", response={"status": "204"})
        address = f"{self._root}/{version.type}/{version.id}"
        response = {
            "status": "201" if changed.is_new else "200",
            "location": f"{version.type}/{version.id}/_history/{version.version}",
            "etag": representation.etag(version),
            "lastModified": representation.instant(version.updated_ms),
        }
        return representation.entry(address, representation.resource(version), response=response)


def _unresolved(document: ReadDocument) -> list[str]:
    return sorted(
        {
            reference
            for entry in document.entries
            if entry.resource is not None
            for reference in entry.resource.unresolved
        }
    )


def _apart(changes: Sequence[Asked]) -> Iterator[list[Asked]]:
    """Yield changes in their order, some at a time, and never two of one resource at the same time."""
    some: dict[tuple[str, str], Asked] = {}
    for each in changes:
        key = (each.change.type, each.change.id)
        if key in some or len(some) == _AT_ONCE:
            yield list(some.values())
            some.clear()
        some[key] = each
    if some:
        yield list(some.values())


def _in_order(answers: Mapping[int, bytes]) -> list[bytes]:
    return [answers[position] for position in sorted(answers)]


def _error_entry(error: FhirError) -> bytes:
    outcome = representation.outcome("error", error.issue, str(error))
    return orjson.dumps({"response": {"status": str(error.status), "outcome": outcome}})


def _new_id() -> str:
    return str(uuid4())
