"""Response bodies made of bytes and of stretches of files, sent without holding them in memory."""

from __future__ import annotations

import asyncio
import io
import os
import re
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from aiohttp import web

from dicomweb.elements import swapped
from dicomweb.errors import RangeNotSatisfiable
from dicomweb.media import MULTIPART
from dicomweb.segments import Made, Segment, Span

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from pathlib import Path

SENDFILE_MIN_BYTES: Final = 64 * 1024
"""Shorter stretches are read and written: the system call's set-up costs more than the copy."""
WHOLE_BYTES: Final = 64 * 1024
"""Bodies up to this are read whole: what a connection takes at once, whoever reads it."""
CHUNK_BYTES: Final = 256 * 1024
_RANGE: Final = re.compile(r"bytes=(?P<first>[0-9]{0,18})-(?P<last>[0-9]{0,18})")
SENT_AT_ONCE_BYTES: Final = 4 * 1024 * 1024
"""What the kernel copies while nobody looks whether the client still reads."""


@dataclass(frozen=True, slots=True)
class Part:
    """One representation: what it is, and its bytes.

    Attributes
    ----------
    location
        Content-Location, or empty.
    make
        Where the bytes have to be made first: called when their turn comes, instead of `segments`.
        Such a body has no length in advance. What cannot be made breaks the answer off.
    is_dear
        Whether making them costs so much that it is not done twice.
    """

    content_type: str
    segments: Sequence[Segment]
    location: str = ""
    make: Callable[[], Awaitable[Sequence[Segment]]] | None = None
    is_dear: bool = False

    @property
    def size(self) -> int:
        """Length of the body in bytes."""
        return size_of(self.segments)


def size_of(segments: Iterable[Segment]) -> int:
    """Return the length of segments in bytes."""
    return sum(len(s) if isinstance(s, bytes) else s.count for s in segments)


async def send(
    request: web.Request,
    parts: Sequence[Part],
    *,
    multipart: bool,
    send_timeout_s: float,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """Answer with parts, in one multipart/related body or as the one representation there is.

    The length is known before the first byte goes out, so that a client sees when a body was cut
    short. Short bodies are read whole and go out with their heads; of longer ones nothing is read
    ahead, and a client that reads slowly is waited for.

    Parameters
    ----------
    send_timeout_s
        How long the client may take to read `SENT_AT_ONCE_BYTES`; then the connection is dropped.
    """
    boundary = secrets.token_hex(16) if multipart else None
    # Of aiohttp's two kinds this one sends its head with what follows, in one write.
    response = web.Response(status=status, headers=headers)
    if not multipart and status == 200:
        parts = [_ranged(request, response, parts[0])]
    kind = parts[0].content_type
    if boundary is not None:
        kind = f'{MULTIPART}; type="{kind.partition(";")[0]}"; boundary={boundary}'
    elif parts[0].location:
        response.headers["Content-Location"] = parts[0].location
    response.headers["Content-Type"] = kind
    if any(part.make is not None for part in parts):
        # In chunks, as no length is known.
        return await _sent(
            request, web.StreamResponse(status=response.status, headers=response.headers),
            parts, boundary, send_timeout_s,
        )  # fmt: skip
    length = _length(parts, boundary)
    if length <= WHOLE_BYTES and request.method != "HEAD":
        body = _whole(parts, boundary)
        if body is not None:
            response.body = body
            return response
    response.headers["Content-Length"] = str(length)
    return await _sent(request, response, parts, boundary, send_timeout_s)


def _length(parts: Iterable[Part], boundary: str | None) -> int:
    if boundary is None:
        return sum(part.size for part in parts)
    framing = len(_closing(boundary))
    return framing + sum(part.size + len(_opening(part, boundary)) + 2 for part in parts)


def _whole(parts: Iterable[Part], boundary: str | None) -> bytes | None:
    """Return the bytes of a body, None where some of them have to be made."""
    pieces = []
    with _OpenFile() as files:
        for part in parts:
            if boundary is not None:
                pieces.append(_opening(part, boundary))
            for segment in part.segments:
                if isinstance(segment, Made):
                    return None
                pieces.append(
                    segment
                    if isinstance(segment, bytes)
                    else swapped(
                        files.read(segment, segment.start, segment.count), segment.word_bytes
                    )
                )
            if boundary is not None:
                pieces.append(b"\r\n")
    if boundary is not None:
        pieces.append(_closing(boundary))
    return b"".join(pieces)


async def _sent(
    request: web.Request,
    response: web.StreamResponse,
    parts: Sequence[Part],
    boundary: str | None,
    send_timeout_s: float,
) -> web.StreamResponse:
    """Send a body piece by piece."""
    if request.method == "HEAD":
        await response.prepare(request)
        return response
    with _Sender(request, response, send_timeout_s) as sender:
        sender.check(parts)
        await response.prepare(request)
        try:
            for part in parts:
                await sender.send_part(part, boundary)
            if boundary is not None:
                await sender.send(_closing(boundary))
            await sender.flush()
        except Exception:
            # The head is out: the only way left to say that this went wrong is to break off.
            if request.transport is not None:
                request.transport.abort()
            raise
    await response.write_eof()
    return response


def _ranged(request: web.Request, response: web.StreamResponse, part: Part) -> Part:
    """Return the part of a representation that the client asks for, and say so (RFC 9110 14).

    One range; of several, and of what cannot be cut, it gets the whole, as it may.

    Raises
    ------
    RangeNotSatisfiable
    """
    if part.make is not None or not all(map(_can_be_cut, part.segments)):
        return part
    response.headers["Accept-Ranges"] = "bytes"
    if request.method != "GET":  # of no other method is a range defined (RFC 9110 14.2)
        return part
    total = part.size
    match = _RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    if match is None or not (match["first"] or match["last"]):
        return part
    condition = request.headers.get("If-Range")
    if condition is not None and condition != response.headers.get("ETag"):
        return part
    if match["first"]:
        start = int(match["first"])
        stop = min(int(match["last"]) + 1, total) if match["last"] else total
        if match["last"] and int(match["last"]) < start:
            return part
    else:
        start, stop = max(total - int(match["last"]), 0), total
    if start >= total or start >= stop:
        raise RangeNotSatisfiable(total)
    response.set_status(206)
    response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{total}"
    return replace(part, segments=_cut(part.segments, start, stop))


def _can_be_cut(segment: Segment) -> bool:
    return isinstance(segment, bytes) or (isinstance(segment, Span) and segment.word_bytes == 1)


def _cut(segments: Iterable[Segment], start: int, stop: int) -> list[Segment]:
    cut: list[Segment] = []
    at = 0
    for segment in segments:
        size = size_of([segment])
        low, high = max(start - at, 0), min(stop - at, size)
        if low < high:
            if isinstance(segment, Span):
                cut.append(replace(segment, start=segment.start + low, count=high - low))
            elif isinstance(segment, bytes):
                cut.append(segment[low:high])
        at += size
    return cut


def _opening(part: Part, boundary: str) -> bytes:
    length = f"\r\nContent-Length: {part.size}" if part.make is None else ""
    location = f"\r\nContent-Location: {part.location}" if part.location else ""
    return (f"--{boundary}\r\nContent-Type: {part.content_type}{length}{location}\r\n\r\n").encode(
        "ascii"
    )


def _closing(boundary: str) -> bytes:
    return f"--{boundary}--\r\n".encode("ascii")


class _OpenFile:
    """The file that is read now; one after the other."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._file: io.FileIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, if one is open."""
        if self._file is not None:
            self._file.close()

    def of(self, path: Path) -> io.FileIO:
        """Return the file, open."""
        if self._file is None or path != self._path:
            if self._file is not None:
                self._file.close()
            self._file = io.FileIO(path)
            self._path = path
        return self._file

    def read(self, span: Span, start: int, count: int) -> bytes:
        """Return some of the bytes of a stretch, as they are stored; `start` is in the file."""
        data = os.pread(self.of(span.path).fileno(), count, start)
        while len(data) < count:
            more = os.pread(self.of(span.path).fileno(), count - len(data), start + len(data))
            if not more:
                raise OSError("a stored file is shorter than it was")
            data += more
        return data


class _Sender:
    """Writes segments to a response; gathers short ones, lets the kernel copy long ones."""

    def __init__(
        self, request: web.Request, response: web.StreamResponse, send_timeout_s: float
    ) -> None:
        self._request = request
        self._response = response
        self._send_timeout_s = send_timeout_s
        self._pending = bytearray()
        self._begun = False
        self._files = _OpenFile()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._files.close()

    def check(self, parts: Iterable[Part]) -> None:
        """Open the first file, so that a missing one is an answer and not a torn body."""
        for part in parts:
            for segment in part.segments:
                if isinstance(segment, Span):
                    self._files.of(segment.path)
                    return

    async def send_part(self, part: Part, boundary: str | None) -> None:
        if boundary is not None:
            await self.send(_opening(part, boundary))
        segments = part.segments if part.make is None else await part.make()
        for segment in segments:
            await self.send(segment)
        if boundary is not None:
            await self.send(b"\r\n")

    async def send(self, segment: Segment) -> None:
        if isinstance(segment, bytes):
            await self._write(segment)
        elif isinstance(segment, Made):
            made = await segment.make()
            if len(made) != segment.count:
                raise OSError("what was made is not as long as was said")
            await self._write(made)
        elif (
            segment.count < SENDFILE_MIN_BYTES
            or segment.word_bytes != 1
            or self._response.content_length is None  # chunked: the kernel cannot frame chunks
        ):
            await self._copy(segment)
        else:
            await self._sendfile(segment)

    async def flush(self) -> None:
        if self._pending:
            # Handed over whole: the transport may keep it until the socket takes it.
            pending, self._pending = self._pending, bytearray()
            self._begun = True
            async with asyncio.timeout(self._send_timeout_s):
                await self._response.write(pending)

    async def _write(self, data: bytes) -> None:
        self._pending += data
        if len(self._pending) >= SENDFILE_MIN_BYTES:
            await self.flush()

    async def _copy(self, span: Span) -> None:
        for start in range(span.start, span.start + span.count, CHUNK_BYTES):
            count = min(CHUNK_BYTES, span.start + span.count - start)
            data = self._files.read(span, start, count)
            await self._write(swapped(data, span.word_bytes))

    async def _sendfile(self, span: Span) -> None:
        start, count = span.start, span.count
        if not self._begun and not self._pending:
            # The response's head goes out with its first write; only then may the kernel follow.
            head = min(count, 4096)
            await self._copy(Span(span.path, start, head))
            start, count = start + head, count - head
        await self.flush()
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        loop = asyncio.get_running_loop()
        file = self._files.of(span.path)
        while count:
            async with asyncio.timeout(self._send_timeout_s):
                sent = await loop.sendfile(transport, file, start, min(count, SENT_AT_ONCE_BYTES))
            if not sent:
                raise OSError("a stored file is shorter than it was")
            start, count = start + sent, count - sent
