"""A client that costs next to nothing, so that what is measured is the server.

`http.client` takes some 150 microseconds of processor time for a request, which on a machine of few cores is
as much as an answer of 32 kB takes. This one sends the same bytes each time, reads into one buffer, and looks
at nothing but the status and where the body ends.
"""

from __future__ import annotations

import socket
from typing import Final, Self

_BUFFER_BYTES: Final = 4 << 20
_END_OF_HEAD: Final = b"\r\n\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"


def get(port: int, path: str, accept: str) -> bytes:
    """Return a request for `path`."""
    fields = (f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Accept: {accept}", "", "")
    return "\r\n".join(fields).encode("ascii")


class Wire:
    """One kept-alive connection."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(_BUFFER_BYTES)
        self._view = memoryview(self._buffer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._view.release()
        self._socket.close()

    def ask(self, request: bytes) -> int:
        """Send a request; return the bytes of the answer, head and framing included.

        Raises
        ------
        RuntimeError
            If it is not answered 200, or with more than 4 MiB.
        """
        self._socket.sendall(request)
        filled = ends = 0
        is_chunked = False
        while not ends or filled < ends or (is_chunked and not self._ends_with_chunk(filled)):
            read = self._socket.recv_into(self._view[filled:])
            if not read:
                message = "the server broke off, or its answer is too long to be measured"
                raise RuntimeError(message)
            filled += read
            if not ends:
                ends, is_chunked = self._told(filled)
        return filled

    def _ends_with_chunk(self, filled: int) -> bool:
        return self._buffer.endswith(_LAST_CHUNK, 0, filled)

    def _told(self, filled: int) -> tuple[int, bool]:
        """Return where the answer ends as its head says, 0 where that is not there yet; and if in chunks."""
        at = self._buffer.find(_END_OF_HEAD, 0, filled)
        if at < 0:
            return 0, False
        head = bytes(self._buffer[:at]).lower()
        status, *fields = head.split(b"\r\n")
        if status.split(b" ")[1] != b"200":
            message = f"answered {status[:40]!r} to a benchmark's request"
            raise RuntimeError(message)
        named = dict(line.split(b":", 1) for line in fields)
        body_at = at + len(_END_OF_HEAD)
        if b"content-length" in named:
            return body_at + int(named[b"content-length"]), False
        return body_at + len(_LAST_CHUNK), True
