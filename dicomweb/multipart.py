"""A multipart/related body taken apart as it arrives (RFC 2046 5.1, RFC 2387).

No I/O: bytes go in by chunks of any size, events come out. Nothing is held back but what might be the
beginning of a delimiter, and a part's header, which is limited.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from dicomweb.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_HEADER_BYTES: Final = 16 * 1024
MAX_PREAMBLE_BYTES: Final = 64 * 1024
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")


@dataclass(frozen=True, slots=True)
class PartBegins:
    """A part's header fields, names in lower case."""

    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PartData:
    """Some of the part's body, never empty."""

    data: memoryview


@dataclass(frozen=True, slots=True)
class PartEnds:
    """The part is complete: its closing delimiter has arrived."""


Event = PartBegins | PartData | PartEnds


class _State(Enum):
    PREAMBLE = auto()
    HEADER = auto()
    BODY = auto()
    DELIMITER = auto()  # behind a delimiter: "--" ends it all, a line end begins a part
    END = auto()


class MultipartParser:
    """Parses one body.

    Parameters
    ----------
    boundary
        The boundary parameter of the request's Content-Type.
    max_parts
        More parts than this are refused.

    Raises
    ------
    BadRequest
        From any method: what is not a multipart body with this boundary.
    """

    def __init__(self, boundary: str, *, max_parts: int) -> None:
        if not _BOUNDARY.fullmatch(boundary):
            raise BadRequest("the boundary parameter of Content-Type is missing or invalid")
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        # The first delimiter needs no line end before it; this one stands in for it.
        self._buffer = bytearray(b"\r\n")
        self._state = _State.PREAMBLE
        self._max_parts = max_parts
        self._skipped = 0
        self._body_begun = False
        self.parts = 0

    @property
    def ended(self) -> bool:
        """Whether the closing delimiter has been seen."""
        return self._state is _State.END

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[Event]:
        """Take bytes and yield what they complete.

        A `PartData` is a view that is valid until the iterator goes on.
        """
        if self._state is _State.END:  # an epilogue, to be ignored
            return
        self._buffer += data
        while (step := self._step()) is not None:
            yield from step

    def close(self) -> None:
        """Say that the body has ended; raises `BadRequest` unless the closing delimiter was seen."""
        if self._state is not _State.END:
            raise BadRequest("the multipart body ends without its closing boundary")

    def _step(self) -> Iterator[Event] | None:
        """Return the next events, or None when more bytes are needed."""
        match self._state:
            case _State.PREAMBLE:
                return self._preamble()
            case _State.DELIMITER:
                return self._behind_delimiter()
            case _State.HEADER:
                return self._header()
            case _State.BODY:
                return self._body()
            case _:
                return None

    def _preamble(self) -> Iterator[Event] | None:
        index = self._buffer.find(self._delimiter)
        if index < 0:
            keep = len(self._delimiter) - 1
            cut = max(len(self._buffer) - keep, 0)
            self._skipped += cut
            del self._buffer[:cut]
            if self._skipped > MAX_PREAMBLE_BYTES:
                raise BadRequest("the body does not begin with the boundary of Content-Type")
            return None
        del self._buffer[: index + len(self._delimiter)]
        self._state = _State.DELIMITER
        return iter(())

    def _behind_delimiter(self) -> Iterator[Event] | None:
        if len(self._buffer) < 2:
            return None
        if self._buffer.startswith(b"--"):
            self._state = _State.END
            self._buffer.clear()
            return iter(())
        end = self._buffer.find(b"\r\n")
        padding = self._buffer if end < 0 else self._buffer[:end]
        if padding.strip(b" \t").strip(b"\r" if end < 0 else b"") or len(padding) > 256:
            raise BadRequest("a boundary is not followed by a line end")
        if end < 0:
            return None
        self.parts += 1
        if self.parts > self._max_parts:
            raise BadRequest(f"more than {self._max_parts} parts")
        # The line end stays: a part without header fields has its empty line right here.
        del self._buffer[:end]
        self._state = _State.HEADER
        return iter(())

    def _header(self) -> Iterator[Event] | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end > MAX_HEADER_BYTES or (end < 0 and len(self._buffer) > MAX_HEADER_BYTES):
            raise BadRequest(f"a part's header is longer than {MAX_HEADER_BYTES} bytes")
        if end < 0:
            return None
        headers = _parse_headers(bytes(self._buffer[2:end]))
        # An empty body may follow at once: its delimiter begins with the header's last line end.
        del self._buffer[: end + 2]
        self._state = _State.BODY
        self._body_begun = False
        return iter((PartBegins(headers),))

    def _body(self) -> Iterator[Event] | None:
        buffer = self._buffer
        index = buffer.find(self._delimiter)
        start = 0 if self._body_begun else 2
        if index >= 0:
            self._state = _State.DELIMITER
            return self._emit(start, index, len(self._delimiter))
        safe = _before_possible_delimiter(buffer, self._delimiter)
        if safe <= start:
            return None
        self._body_begun = True
        return self._emit(start, safe, None)

    def _emit(self, start: int, stop: int, delimiter_size: int | None) -> Iterator[Event]:
        if stop > start:
            view = memoryview(self._buffer)[start:stop]
            try:
                yield PartData(view)
            finally:
                view.release()
        if delimiter_size is None:
            del self._buffer[:stop]
        else:
            del self._buffer[: stop + delimiter_size]
            yield PartEnds()


def _before_possible_delimiter(buffer: bytearray, delimiter: bytes) -> int:
    """Return how many bytes at the front cannot be part of a delimiter that is still arriving."""
    tail_start = max(len(buffer) - len(delimiter) + 1, 0)
    index = buffer.find(b"\r", tail_start)
    while index >= 0:
        if delimiter.startswith(bytes(buffer[index:])):
            return index
        index = buffer.find(b"\r", index + 1)
    return len(buffer)


def _parse_headers(block: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    if not block:
        return headers
    for line in block.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon or not name.strip() or b"\0" in line:
            raise BadRequest("a part's header field is malformed")
        headers.setdefault(name.strip().decode("latin-1").lower(), value.strip().decode("latin-1"))
    return headers
