"""Where the resources of a large document begin and end, found without reading it whole."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from typing import IO, TYPE_CHECKING, Final

from deid.errors import Reason, Unsafe

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK: Final = 1 << 20
LARGEST: Final = 64 << 20
"""One resource, or what stands in a Bundle beside its entries."""
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]|"', re.DOTALL)
_ENTRY_KEY: Final = re.compile(rb'"entry"\s*:\s*\[\Z')


def lines(source: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of NDJSON that hold something, from its beginning."""
    source.seek(0)
    if source.read(len(BOM_UTF8)) != BOM_UTF8:
        source.seek(0)
    while line := source.readline(LARGEST):
        if not line.endswith(b"\n") and len(line) == LARGEST:
            raise Unsafe(Reason.MALFORMED, "a line")
        if stripped := line.strip():
            yield stripped


class BundleParts:
    """A Bundle's entries one by one, and what stands beside them.

    Parameters
    ----------
    source
        The Bundle's JSON in UTF-8; it is read from its beginning.
    """

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._beside = bytearray()

    def skeleton(self) -> bytes:
        """Return the Bundle without its entries; after all of them were yielded."""
        return bytes(self._beside).removeprefix(BOM_UTF8)

    def entries(self) -> Iterator[bytes]:
        """Yield each entry's JSON.

        Raises
        ------
        Unsafe
            TRUNCATED where the document ends within, MALFORMED where one part is larger than 64 MiB, or
            where something else stands among the entries.
        """
        self._source.seek(0)
        buffer, at, done, name = b"", 0, 0, 0
        depth, inside, comma = 0, False, b""
        # Of a string that goes on and on, twice as much each time, lest it is gone through again and again.
        while chunk := self._source.read(max(_CHUNK, len(buffer) - at)):
            buffer = buffer[done:] + chunk
            at, name, done = at - done, name - done, 0
            if len(buffer) > LARGEST or len(self._beside) > LARGEST:
                raise Unsafe(Reason.MALFORMED, "Bundle")
            for token in _TOKEN.finditer(buffer, at):
                byte = token[0]
                if byte == b'"':
                    break  # a string that goes on in the next chunk
                at = token.end()
                if byte in b"[{":
                    depth += 1
                    if not inside and depth == 2 and _ENTRY_KEY.search(buffer, done, at):
                        inside, comma = True, b""
                        self._beside += buffer[done:at]
                        done = at
                    elif inside and depth == 3:
                        if byte != b"{" or buffer[done : token.start()].strip() != comma:
                            raise Unsafe(Reason.MALFORMED, "Bundle.entry")
                        done, comma = token.start(), b","
                elif byte not in b"]}":
                    name = token.start()
                else:
                    depth -= 1
                    if inside and depth == 2:
                        yield buffer[done:at]
                        done = at
                    elif inside and depth == 1:
                        if buffer[done : token.start()].strip():
                            raise Unsafe(Reason.MALFORMED, "Bundle.entry")
                        inside = False
                        done = token.start()
            if not inside:
                # The name of the entries may stand at the end of one chunk, and they in the next.
                upto = name if depth == 1 and done <= name else at
                self._beside += buffer[done:upto]
                done = upto
        self._beside += buffer[done:]
        if depth or inside:
            raise Unsafe(Reason.TRUNCATED)
