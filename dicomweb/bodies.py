"""Response bodies made of bytes and of stretches of files, sent without holding them in memory."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from aiohttp import web

from dicomweb.elements import swapped
from dicomweb.media import MULTIPART

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

SENDFILE_MIN_BYTES: Final = 64 * 1024
"""Shorter stretches are read and written: the system call's set-up costs more than the copy."""
CHUNK_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Span:
    """`count` bytes of a file from `start`; words of `word_bytes` are byte-swapped when it is not 1.

    `count` is a multiple of `word_bytes`.
    """

    path: Path
    start: int
    count: int
    word_bytes: int = 1


Segment = bytes | Span


@dataclass(frozen=True, slots=True)
class Part:
    """One representation: what it is, and its bytes.

    Attributes
    ----------
    location
        Content-Location, or empty.
    """

    content_type: str
    segments: Sequence[Segment]
    location: str = ""

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
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """Answer with parts, in one multipart/related body or as the one representation there is.

    The length is known before the first byte goes out, so that a client sees when a body was cut
    short. Nothing is read ahead; a client that reads slowly is waited for.
    """
    boundary = secrets.token_hex(16)
    if multipart:
        kind = parts[0].content_type.partition(";")[0]
        content_type = f'{MULTIPART}; type="{kind}"; boundary={boundary}'
        segments = list(_multipart_segments(parts, boundary))
    else:
        content_type = parts[0].content_type
        segments = list(parts[0].segments)
    response = web.StreamResponse(status=status, headers=headers)
    response.headers["Content-Type"] = content_type
    response.content_length = size_of(segments)
    if not multipart and parts[0].location:
        response.headers["Content-Location"] = parts[0].location
    if request.method == "HEAD":
        await response.prepare(request)
        return response
    with _Sender(request, response) as sender:
        sender.check(segments)
        await response.prepare(request)
        for segment in segments:
            await sender.send(segment)
        await sender.flush()
    await response.write_eof()
    return response


def _multipart_segments(parts: Sequence[Part], boundary: str) -> Iterator[Segment]:
    for part in parts:
        location = f"\r\nContent-Location: {part.location}" if part.location else ""
        yield (
            f"--{boundary}\r\nContent-Type: {part.content_type}\r\n"
            f"Content-Length: {part.size}{location}\r\n\r\n"
        ).encode("ascii")
        yield from part.segments
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode("ascii")


class _Sender:
    """Writes segments to a response; gathers short ones, lets the kernel copy long ones."""

    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        self._request = request
        self._response = response
        self._pending = bytearray()
        self._begun = False
        self._path: Path | None = None
        self._file: IO[bytes] | None = None

    def __enter__(self) -> _Sender:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._file is not None:
            self._file.close()

    def check(self, segments: Sequence[Segment]) -> None:
        """Open the first file, so that a missing one is an answer and not a torn body."""
        for segment in segments:
            if isinstance(segment, Span):
                self._open(segment.path)
                return

    async def send(self, segment: Segment) -> None:
        if isinstance(segment, bytes):
            await self._write(segment)
        elif segment.count < SENDFILE_MIN_BYTES or segment.word_bytes != 1:
            await self._copy(segment)
        else:
            await self._sendfile(segment)

    async def flush(self) -> None:
        if self._pending:
            # Handed over whole: the transport may keep it until the socket takes it.
            pending, self._pending = self._pending, bytearray()
            self._begun = True
            await self._response.write(pending)

    async def _write(self, data: bytes) -> None:
        self._pending += data
        if len(self._pending) >= SENDFILE_MIN_BYTES:
            await self.flush()

    async def _copy(self, span: Span) -> None:
        file = self._open(span.path)
        file.seek(span.start)
        left = span.count
        while left:
            data = file.read(min(left, CHUNK_BYTES))
            if not data:
                raise OSError("a stored file is shorter than it was")
            left -= len(data)
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
        sent = await loop.sendfile(transport, self._open(span.path), start, count)
        if sent != count:
            raise OSError("a stored file is shorter than it was")

    def _open(self, path: Path) -> IO[bytes]:
        if self._file is None or path != self._path:
            if self._file is not None:
                self._file.close()
            self._file = path.open("rb", buffering=0)
            self._path = path
        return self._file
