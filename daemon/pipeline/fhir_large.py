"""Files of resources that are too large for one answer: read in pieces, which travel in a file.

::

    the received file    read strictly, a resource at a time, in the worker
    the job's output     pieces of some resources each, as frames; thrown away where a resource is wrong
    the answer           how many pieces there are
    the store            takes a piece in one transaction (`daemon.store.sidecar_pieces`)

So neither process holds more than a few megabytes of the file. As all of it was read before the first piece is
taken, it is taken whole or not at all; and as what is there already is nothing new, a file whose taking was cut
short is taken again from its beginning.
"""

from __future__ import annotations

import gzip
import io
import os
import zlib
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Final

from daemon.pipeline.fhir_messages import document_from, document_message
from daemon.pipeline.fhir_reading import (
    read_entry,
    read_resource,
    read_sidecar,
    refer,
    type_of_bundle,
)
from daemon.pipeline.messages import MalformedAnswer
from daemon.resources import ReadDocument, ReadEntry
from daemon.workers.announcing import announce
from daemon.workers.frames import Decoder, FrameError, Kind, encode
from deid.errors import Reason, Unsafe
from deid.fhir.pieces import (
    SMALL,
    as_bundle,
    batches,
    entries_of,
    kind_of_large,
    pieces,
    skeleton_of,
)
from deid.fhir.reading import Kind as Document
from deid.fhir.reading import read_resource as read_bytes
from deid.fhir.splitting import BundleParts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from _typeshed import WriteableBuffer

    from deid.fhir.entries import Entry

_GZIP: Final = b"\x1f\x8b"
_CHUNK: Final = 1 << 18
_PIECE_BYTES: Final = 1 << 18
_PIECE_ENTRIES: Final = 200
_FREE_BYTES: Final = 64 << 20
_MOST_RATIO: Final = 200
"""As of deflated data sets (`deid.encoding.inflate`): no text that anybody wrote shrinks so much."""


class Unpacked(io.RawIOBase):
    """The text of a file, unpacked if it is in gzip; it can be gone through more than once.

    Parameters
    ----------
    file
        Read from its beginning, whatever its position; not closed.
    most_bytes
        Of the text.

    Raises
    ------
    Unsafe
        While reading: INFLATE_LIMIT past the limit, or past 64 MiB when it grows more than 200 times;
        TRUNCATED or MALFORMED for a broken stream.
    """

    def __init__(self, file: IO[bytes], most_bytes: int) -> None:
        file.seek(0)
        self._file = file
        self._is_packed = file.read(len(_GZIP)) == _GZIP
        size = file.seek(0, os.SEEK_END)
        if self._is_packed:
            most_bytes = min(most_bytes, max(_FREE_BYTES, _MOST_RATIO * size))
        elif size > most_bytes:
            raise Unsafe(Reason.INFLATE_LIMIT)
        self._most_bytes = most_bytes
        self._announced = 0
        self._begin()

    def _begin(self) -> None:
        self._file.seek(0)
        self._inner: IO[bytes] = (
            gzip.GzipFile(fileobj=self._file) if self._is_packed else self._file  # type: ignore[assignment]
        )
        self._at = 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be gone back in."""
        return True

    def tell(self) -> int:
        """Return how much was read."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go back to the beginning; nowhere else."""
        if offset or whence != os.SEEK_SET:
            raise io.UnsupportedOperation("seek")
        self._begin()
        return 0

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read some bytes."""
        view = memoryview(buffer).cast("B")
        try:
            data = self._inner.read(len(view))
        except EOFError as error:
            raise Unsafe(Reason.TRUNCATED) from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise Unsafe(Reason.MALFORMED) from error
        self._at += len(data)
        if self._at > self._most_bytes:
            raise Unsafe(Reason.INFLATE_LIMIT)
        if self._is_packed and self._at > self._announced:
            # Time is allowed for the bytes of the file, which are few.
            self._announced = self._at + _FREE_BYTES
            announce(0, _FREE_BYTES)
        view[: len(data)] = data
        return len(data)


def unpacked(file: IO[bytes], most_bytes: int) -> io.BufferedReader:
    """Return the text of a file, buffered; see `Unpacked`."""
    return io.BufferedReader(Unpacked(file, most_bytes), _CHUNK)


def read_file(
    file: IO[bytes], most_bytes: int, pieces_to: Callable[[], AbstractContextManager[int]]
) -> ReadDocument:
    """Return the resources of a file, or what is told of one that is too large for that.

    Parameters
    ----------
    most_bytes
        Of the text, unpacked.
    pieces_to
        Opens where pieces are written; it is closed with an error where these are to be thrown away.
    """
    try:
        text = unpacked(file, most_bytes)
        start = text.read(SMALL + 1)
        if len(start) <= SMALL:
            return read_sidecar(start)
        del start
        with pieces_to() as descriptor, open(descriptor, "wb", closefd=False) as target:
            return _write_pieces(text, target.write)
    except Unsafe as unsafe:
        return ReadDocument(reason=unsafe.reason.value, where=unsafe.where)


def read_linked(file: IO[bytes], most_bytes: int, write: Callable[[bytes], object]) -> ReadDocument:
    """Write the resources of a document as pieces, with references to its own entries as they are in a store.

    Parameters
    ----------
    write
        What was written is to be thrown away where the answer has a reason.
    """
    try:
        text = unpacked(file, most_bytes)
        kind = kind_of_large(text)
        addresses = {
            each.full_url: f"{each.resource.get('resourceType')}/{each.resource['id']}"
            for each in pieces(text, kind)
            if each.full_url and each.resource.get("id")
        }
        entries = (_linked(each, addresses) for each in pieces(text, kind))
        return _written(entries, write)
    except Unsafe as unsafe:
        return ReadDocument(reason=unsafe.reason.value, where=unsafe.where)


def _linked(entry: Entry, addresses: Mapping[str, str]) -> ReadEntry:
    refer(entry.resource, addresses)
    return ReadEntry(entry.full_url, resource=read_resource(entry, frozenset()))


def read_requests(
    file: IO[bytes], most_bytes: int, write: Callable[[bytes], object]
) -> ReadDocument:
    """Write what a Bundle asks for as pieces, as `daemon.pipeline.fhir_reading.read_document` returns it."""
    try:
        text = unpacked(file, most_bytes)
        if kind_of_large(text) is not Document.BUNDLE:
            return ReadDocument(reason=Reason.NOT_FHIR.value, where="Bundle")
        parts = BundleParts(text)
        written = _written(_requests(parts), write)
        bundle = skeleton_of(parts)
    except Unsafe as unsafe:
        return ReadDocument(reason=unsafe.reason.value, where=unsafe.where)
    if bundle["resourceType"] != "Bundle":
        return ReadDocument(reason=Reason.NOT_FHIR.value, where="Bundle")
    return replace(written, bundle_type=type_of_bundle(bundle))


def _requests(parts: BundleParts) -> Iterator[ReadEntry]:
    position = 0
    for batch in batches(parts.entries(), _PIECE_BYTES):
        bundle = read_bytes(as_bundle(batch))
        for each in entries_of(bundle):
            position += 1
            yield read_entry(each, frozenset(), f"entry {position}")


def _write_pieces(source: IO[bytes], write: Callable[[bytes], object]) -> ReadDocument:
    kind = kind_of_large(source)
    entries = (
        ReadEntry(each.full_url, resource=read_resource(each, frozenset()))
        for each in pieces(source, kind)
    )
    return replace(_written(entries, write), bundle_type=kind.value)


def _written(entries: Iterable[ReadEntry], write: Callable[[bytes], object]) -> ReadDocument:
    count = total = size = 0
    waiting: list[ReadEntry] = []
    for entry in entries:
        waiting.append(entry)
        total += 1
        size += len(entry.resource.content.rest) if entry.resource is not None else 0
        if size >= _PIECE_BYTES or len(waiting) == _PIECE_ENTRIES:
            write(_piece(waiting))
            count, size = count + 1, 0
            waiting.clear()
    if waiting:
        write(_piece(waiting))
        count += 1
    return ReadDocument(pieces=count, total=total)


def _piece(entries: list[ReadEntry]) -> bytes:
    return encode(Kind.REPLY, document_message(ReadDocument(tuple(entries))))


def read_pieces(path: Path) -> Iterator[ReadDocument]:
    """Open a file of pieces, and return an iterator over them.

    Raises
    ------
    MalformedAnswer
        When something else is in the file: a worker wrote it, and a worker parses hostile input.
    OSError
        When the file cannot be opened, or read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    return _pieces_in(os.fdopen(descriptor, "rb", buffering=0))


def _pieces_in(file: io.FileIO) -> Iterator[ReadDocument]:
    decoder = Decoder()
    with file:
        while data := file.read(_CHUNK):
            try:
                frames = decoder.feed(data)
            except FrameError as error:
                raise MalformedAnswer("frame") from error
            for frame in frames:
                document = document_from(frame.message)
                if document.reason:
                    raise MalformedAnswer("contradiction")
                yield document
