"""Looking for many pieces at once, in time that depends on the data and hardly on how many pieces there are."""

from __future__ import annotations

import re
import sys
from bisect import bisect_left
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_MEMORY: Final = 64 << 20
_HEAD: Final = 4
_SHORT: Final = 1024
_MANY: Final = 100
_PATIENCE: Final = 200


class Search(Protocol):
    """A compiled search in bytes."""

    def search(self, data: bytes, /) -> object | None:
        """Return what was found first, or None."""


class Needles:
    """Pieces, searched for all at once.

    Many people have a single instance, for which compiling a search would cost more than searching: only who
    is searched for often gets one.

    Parameters
    ----------
    pieces
        Byte strings, taken as they are; many of fewer than four bytes make it slower.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = sorted(set(pieces))
        self._short = [piece for piece in self._pieces if len(piece) < _HEAD]
        self._searches = 0
        self._search: Search | None = None
        self._set: Any = None

    @cached_property
    def _heads(self) -> frozenset[int]:
        """How the pieces begin, read as numbers."""
        heads = b"".join([piece[:_HEAD] for piece in self._pieces if len(piece) >= _HEAD])
        return frozenset(memoryview(heads).cast("I"))

    def occur_in(self, data: bytes) -> bool:
        """Whether one of the pieces stands in data."""
        if self._search is not None:
            return self._search.search(data) is not None
        self._searches += 1
        if self._searches > _PATIENCE:
            self._search = compile_search(map(quoted, self._pieces)) if self._pieces else _NOTHING
        return self._stand_in(data)

    def _stand_in(self, data: bytes) -> bool:
        if len(data) > _SHORT and len(self._pieces) < _MANY:
            return any(map(data.__contains__, self._pieces))
        return self._begin_in(data) or any(map(data.__contains__, self._short))

    def _begin_in(self, data: bytes) -> bool:
        """Whether four bytes in a row, read as numbers from each of four places on, begin a piece of these."""
        view = memoryview(data)
        for first in range(min(_HEAD, max(0, len(data) - _HEAD + 1))):
            last = first + (len(data) - first) // _HEAD * _HEAD
            for number in self._heads.intersection(view[first:last].cast("I")):
                head = number.to_bytes(_HEAD, sys.byteorder)
                at = bisect_left(self._pieces, head)
                while at < len(self._pieces) and self._pieces[at].startswith(head):
                    if self._pieces[at] in data:
                        return True
                    at += 1
        return False

    def found_in(self, data: bytes) -> list[bytes]:
        """Return the pieces that stand in data."""
        if not self.occur_in(data):
            return []
        if self._search is not None and self._set is None:
            self._set = _set_of(self._pieces)
        # A set whose automaton outgrows its memory finds nothing.
        if self._set is not None and (numbers := self._set.Match(data)):
            return [self._pieces[number] for number in numbers]
        return [piece for piece in self._pieces if piece in data]


class Patterns:
    """Patterns that RE2 and `re` both understand, searched for all at once: by RE2 when that is often."""

    def __init__(self, patterns: Iterable[bytes]) -> None:
        self._pattern = b"|".join(patterns)
        self._searches = 0
        self._search: Search | None = None

    def occur_in(self, data: bytes) -> bool:
        """Whether one of the patterns is met in data."""
        if not self._pattern:
            return False
        self._searches += 1
        if self._search is None or self._searches == _PATIENCE:
            is_often = self._searches >= _PATIENCE
            self._search = (
                compile_search([self._pattern]) if is_often else re.compile(self._pattern)
            )
        return self._search.search(data) is not None


class _Nothing:
    def search(self, _data: bytes, /) -> None:
        return None


_NOTHING: Final = _Nothing()


def compile_search(patterns: Iterable[bytes]) -> Search:
    """Compile a search for any of some patterns of RE2 in bytes (`.` and classes are of single bytes).

    RE2 walks the data once, whatever the patterns. When its automaton outgrows its memory it goes on without
    one: slower, with the same result.
    """
    re2 = _re2()
    return cast("Search", re2.compile(b"|".join(patterns), _options(re2)))


def _set_of(pieces: Iterable[bytes]) -> Any:
    re2 = _re2()
    result = re2.Set.SearchSet(_options(re2))
    for piece in pieces:
        result.Add(quoted(piece))
    result.Compile()
    return result


def _options(re2: Any) -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = _MOST_MEMORY
    options.log_errors = False
    return options


@cache
def _re2() -> Any:
    # Only what is searched pays for the import.
    import re2  # noqa: PLC0415

    return re2


def quoted(piece: bytes) -> bytes:
    """Return a pattern for exactly these bytes."""
    return b"".join(b"\\x%02x" % byte for byte in piece)
