"""Resources between a FHIR store and files of this machine, as steps of operations.

A line of a file is a resource or a Bundle (NDJSON); or the whole file is one of them. Resources come with their
ids, and take the place of what the store has under them; references are not checked. What goes out lies in
files of one type each, which are written whole or not at all. A whole file of more than 8 MiB is read by a
worker first, all of it, and then stored piece by piece.
"""

from __future__ import annotations

import asyncio
import io
import os
import time
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daemon.errors import StoreUnavailable
from daemon.fhir.representation import resource as represented
from daemon.healthcare import streams
from daemon.healthcare.batches import Counted, Item, Made, insisting
from daemon.healthcare.files import opened
from daemon.healthcare.transfer_steps import (
    UNREADABLE,
    UNWRITABLE,
    TransferStep,
    is_in_the_way,
    written,
)
from daemon.pipeline.fhir_large import read_pieces
from daemon.resources import ID, PAGE_BYTES, Method
from daemon.store.operation_rows import Failure
from daemon.workers.reasons import WorkerReason
from deid.errors import Reason
from deid.fhir.pieces import SMALL
from deid.tables.fhir import fhir_resources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from daemon.resources import Content, ReadDocument, ReadResource, ResourceVersion
    from daemon.store.ports import Session

_OFFSET_BITS: Final = 40
"""Of a place in files: which of them it is, and a byte in it."""
_MOST_LINE_BYTES: Final = 64 << 20
_MOST_BATCH_BYTES: Final = 8 << 20
_LINES_AT_ONCE: Final = 200
"""They share a transaction, and a flush of the file beside it."""
_PAGE: Final = 5000
_COUNT: Final = (1 << 40) - 1
_TOO_LARGE: Final = "too_large"
_WHOLE: Final = "whole"
_PLACE: Final = (1 << _OFFSET_BITS) - 1
_PIECES: Final = "pieces"
_PIECES_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a file, or why there is none."""

    place: int
    text: bytes = b""
    reason: str = ""

    @property
    def where(self) -> str:
        """The place for people; names of files may name patients."""
        return (
            f"file {(self.place >> _OFFSET_BITS) + 1}, byte {self.place & (1 << _OFFSET_BITS) - 1}"
        )


class ImportResourcesStep(TransferStep):
    """Files into a FHIR store. Implements `daemon.healthcare.batches.Batch`."""

    _now_ms = 0

    async def next_items(self) -> tuple[int, Sequence[Item]]:
        """Return the next lines and the place behind the last."""
        files = [Path(each) for each in self._step.only or ()]
        number, place = self._operation.after >> _OFFSET_BITS, self._operation.after & _PLACE
        is_whole = self._step.folder == _WHOLE and number < len(files)
        if is_whole and await asyncio.to_thread(_is_large, files[number]):
            return await self._next_pieces(files[number], number, place)
        after, lines = await asyncio.to_thread(
            _lines, files, self._operation.after, is_whole=self._step.folder == _WHOLE
        )
        return after, [Item(each.place, partial(self._read, each)) for each in lines]

    async def _next_pieces(self, path: Path, number: int, place: int) -> tuple[int, Sequence[Item]]:
        """Return some pieces of a file that is too large to be read whole; a place in it is that of a piece."""
        here, following = number << _OFFSET_BITS | place, (number + 1) << _OFFSET_BITS
        pieces = self._memory.get((_PIECES, number))
        if pieces is None or pieces.at != place:
            pieces = _Pieces(self._stores.layout.work / f"{self._operation.id}-{number}.pieces")
            reason = await self._written(path, pieces)
            if reason:
                pieces.path.unlink(missing_ok=True)
                failure = Made(here, reason=reason, where=_Line(here).where)
                return following, [Item(here, partial(_given, failure))]
            self._memory.put((_PIECES, number), pieces)
            await asyncio.to_thread(pieces.go_to, place)
        found = await asyncio.to_thread(pieces.next, _PIECES_AT_ONCE)
        items = [
            Item(here + at, partial(_given, made_of(here + at, document)))
            for at, document in enumerate(found)
        ]
        return (here + len(found) if len(found) == _PIECES_AT_ONCE else following), items

    async def _written(self, path: Path, pieces: _Pieces) -> str:
        """Have a worker write the pieces of a file; return why it cannot, or nothing."""
        try:
            size = await asyncio.to_thread(_size, path)
        except OSError:
            return UNREADABLE
        document = await insisting(lambda: self._workers.write_pieces(path, pieces.path, size))
        return document.value if isinstance(document, WorkerReason) else document.reason

    async def _read(self, line: _Line) -> Made:
        if line.reason:
            return Made(line.place, reason=line.reason, where=line.where)
        document = await insisting(lambda: self._workers.read_document(line.text))
        if isinstance(document, WorkerReason):
            return Made(line.place, reason=document.value, where=line.where)
        resolved = _resolved(document)
        if resolved:
            again = await insisting(lambda: self._workers.read_document(line.text, resolved))
            if isinstance(again, WorkerReason):
                return Made(line.place, reason=again.value, where=line.where)
            document = again
        return made_of(line.place, document)

    async def prepare(self, made: Sequence[Made]) -> None:
        """Keep what is new in a file beside the rows, too."""
        read = [resource for each in made for resource in each.read]

        def new(session: Session) -> list[ReadResource]:
            found: list[ReadResource] = []
            told: dict[tuple[str, str], Content] = {}
            for each in read:
                key = (each.content.type, each.id)
                is_there = (
                    told[key] == each.content if key in told else self._is_there(session, each)
                )
                told[key] = each.content
                if not is_there:
                    found.append(each)
            return found

        news = await self._stores.database.read(new)
        self._now_ms = int(time.time() * 1000)
        try:
            posted = self._stores.posted(self._store)
            await asyncio.to_thread(posted.keep_imported, news, self._now_ms)
        except OSError as error:
            raise StoreUnavailable("no room") from error

    def settle(self, session: Session, made: Sequence[Made]) -> Counted:
        """Store what was read; what is there already is no new version."""
        counted, now_ms = Counted(), self._now_ms
        for each in made:
            if each.reason:
                failure = Failure(self._store.id, each.number, each.reason, each.where)
                counted.failures.append(failure)
            for resource in each.read:
                self._store_resource(session, resource, now_ms)
                counted.success += 1
        return counted

    def _store_resource(self, session: Session, resource: ReadResource, now_ms: int) -> None:
        content = resource.content
        if self._is_there(session, resource):
            return
        version = session.resources.add_version(
            self._store, resource.id, content, method=Method.UPDATE, now_ms=now_ms
        )
        streams.note_resource(session, self._store, version)

    def _is_there(self, session: Session, resource: ReadResource) -> bool:
        content = resource.content
        latest = session.resources.get(self._store, content.type, resource.id)
        said = None if latest is None or latest.is_deleted else (latest.meta, latest.rest)
        return said == (content.meta, content.rest)


class _Pieces:
    """A file of pieces (`daemon.pipeline.fhir_large`), read in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.at = 0
        self._documents: Iterator[ReadDocument] = iter(())

    def go_to(self, place: int) -> None:
        """Begin at a piece; what there is before it was stored. The file is gone with whoever reads it."""
        self._documents = read_pieces(self.path)
        self.path.unlink()
        self.at = place
        for _ in range(place):
            next(self._documents, None)

    def next(self, count: int) -> list[ReadDocument]:
        """Return the next pieces; fewer at the end."""
        found = list(islice(self._documents, count))
        self.at += len(found)
        return found


async def _given(made: Made) -> Made:
    return made


def made_of(place: int, document: ReadDocument) -> Made:
    """Return the resources of a line or a piece; those without an address of FHIR have no place in a store."""
    found = [each.resource for each in document.entries if each.resource is not None]
    known = [each for each in found if each.content.type in fhir_resources()]
    named = tuple(each for each in known if ID.fullmatch(each.id))
    reason = document.reason
    if not reason and len(named) < len(found):
        is_odd = len(named) < len(known)
        reason = (Reason.MALFORMED if is_odd else Reason.RESOURCE_NOT_LISTED).value
    return Made(place, read=named, reason=reason, where=_Line(place).where if reason else "")


def _is_large(path: Path) -> bool:
    try:
        return _size(path) > SMALL
    except OSError:
        return False


def _size(path: Path) -> int:
    descriptor = opened(path)
    try:
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def _resolved(document: ReadDocument) -> Mapping[str, str]:
    """Return what a Bundle's references to its own entries are when these are resources of the store."""
    ids = {
        each.full_url: f"{each.resource.content.type}/{each.resource.id}"
        for each in document.entries
        if each.full_url and each.resource is not None and each.resource.id
    }
    return {
        reference: ids[reference]
        for each in document.entries
        if each.resource is not None
        for reference in each.resource.unresolved
        if reference in ids
    }


def _lines(files: Sequence[Path], after: int, *, is_whole: bool) -> tuple[int, list[_Line]]:
    """Return some lines from a place on, and the place behind them; at the end, the same place."""
    lines: list[_Line] = []
    size = 0
    while len(lines) < _LINES_AT_ONCE and size < _MOST_BATCH_BYTES:
        number, offset = after >> _OFFSET_BITS, after & (1 << _OFFSET_BITS) - 1
        if number >= len(files):
            break
        next_file = (number + 1) << _OFFSET_BITS
        try:
            with os.fdopen(opened(files[number]), "rb") as file:
                file.seek(offset)
                text = file.read(_MOST_LINE_BYTES + 1) if is_whole else _line(file)
                end = file.tell()
        except OSError:
            lines.append(_Line(after, reason=UNREADABLE))
            after = next_file
            continue
        is_there = bool(text.strip())
        if len(text) > _MOST_LINE_BYTES:
            lines.append(_Line(after, reason=_TOO_LARGE))
        elif is_there:
            lines.append(_Line(after, text))
        size += len(text)
        after = next_file if is_whole or not text else number << _OFFSET_BITS | end
    return after, lines


def _line(file: io.BufferedReader) -> bytes:
    """Return a line; of one that is longer than any resource, more than may be, after skipping the rest."""
    text = file.readline(_MOST_LINE_BYTES + 1)
    if len(text) > _MOST_LINE_BYTES:
        while (rest := file.readline(_MOST_BATCH_BYTES)) and not rest.endswith(b"\n"):
            pass
    return text


class ExportResourcesStep(TransferStep):
    """A store's resources of one type into files. Implements `daemon.healthcare.batches.Batch`."""

    async def next_items(self) -> tuple[int, Sequence[Item]]:
        """Return the next resources as one item: a file."""
        after, (wanted, *_) = self._operation.after, self._step.only or ("",)

        def read(session: Session) -> list[ResourceVersion]:
            return session.resources.page(
                self._store, after, _PAGE, (wanted,), most_bytes=PAGE_BYTES
            )

        page = [
            each
            for each in await self._stores.database.read(read)
            if each.number <= self._step.last
        ]
        since = self._step.changed_since_ms
        chosen = [each for each in page if not since or each.updated_ms > since]
        last = page[-1].number if page else after
        return last, [Item(last, partial(self._put, wanted, chosen))] if chosen else []

    async def _put(self, wanted: str, chosen: Sequence[ResourceVersion]) -> Made:
        target = Path(self._step.folder, f"{wanted}-{chosen[0].number & _COUNT:08d}.ndjson")
        text = b"".join(represented(each) + b"\n" for each in chosen)
        try:
            await asyncio.to_thread(written, target, io.BytesIO(text), self._operation.id)
        except OSError as error:
            if is_in_the_way(error):
                return Made(chosen[-1].number, reason=UNWRITABLE, where=target.name)
            raise StoreUnavailable("the folder refuses") from error
        return Made(chosen[-1].number, count=len(chosen))
