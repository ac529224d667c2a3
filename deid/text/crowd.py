"""Very many identifiers, kept in a file, and those of them that stand in a text.

::

    segments, one after the other:
      0     lengths    five uint64: identifiers, their JSON, keys, all of the segment; then a mark
      40    places     uint64 each: where the JSON of an identifier ends
      ...   JSON       one identifier after the other
      ...   keys       uint64 each, sorted: 40 bits of a hash of a key, 24 bits the identifier's number

A segment is gathered in memory, so that of any number of people no more than that is held. Which keys there
are is said in `deid.text.crowd_keys`. Originals: the file must not outlive the run.
"""

from __future__ import annotations

import json
import struct
from array import array
from bisect import bisect_left
from functools import lru_cache
from hashlib import blake2b
from io import BytesIO
from mmap import ACCESS_READ, mmap
from typing import IO, TYPE_CHECKING, Final

from deid.identity.identifiers import KnownIdentifier, in_order
from deid.text.crowd_keys import keys_in, keys_of, present

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

_HEAD: Final = struct.Struct("<4Q8s")
_MARK: Final = b"crowd 1\n"
_MOST_KEYS: Final = 1 << 19
_NUMBER_BITS: Final = 24
_HASH_BYTES: Final = 5
_REMEMBERED: Final = 4096
_SHORT: Final = 256
"""Characters of a text that is remembered."""
_AT_ONCE: Final = 8192
_OVERLAP: Final = 512
"""Characters: a text has some hundred times as many keys, and no name or number is longer than the latter."""
_UINT64: Final = 8
_ONE_BY_ONE: Final = frozenset(
    {"PERSON_NAME", "DATE_OF_BIRTH", "MEDICAL_RECORD_NUMBER", "ACCESSION"}
)


class Gathering:
    """Puts identifiers into a file.

    Parameters
    ----------
    file
        It is written to from where it stands.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = blake2b(digest_size=16)
        self._seen: dict[KnownIdentifier, None] = {}
        self._keys: array[int] = array("Q")

    def add(self, known: Iterable[KnownIdentifier]) -> None:
        """Add identifiers; one that was added shortly before is not added again."""
        for each in known:
            if each in self._seen:
                continue
            number = len(self._seen)
            self._seen[each] = None
            self._keys.extend(_hashed(key) << _NUMBER_BITS | number for key in keys_of(each))
            if len(self._keys) >= _MOST_KEYS:
                self._write()

    def finish(self) -> str:
        """Write what is left; return a digest of all that was added."""
        if self._seen:
            self._write()
        return self._digest.hexdigest()

    def _write(self) -> None:
        texts = [json.dumps([each.value, each.info_type]).encode() for each in self._seen]
        places: array[int] = array("Q")
        at = 0
        for text in texts:
            at += len(text)
            places.append(at)
        padding = b" " * (-at % _UINT64)
        content = b"".join((*texts, padding))
        keys = array("Q", sorted(self._keys))
        size = _HEAD.size + len(content) + (len(places) + len(keys)) * _UINT64
        head = _HEAD.pack(len(places), len(content), len(keys), size, _MARK)
        for piece in (head, places.tobytes(), content, keys.tobytes()):
            self._digest.update(piece)
            self._file.write(piece)
        self._seen.clear()
        self._keys = array("Q")


class Crowd:
    """Finds those of very many identifiers that stand in texts.

    Parameters
    ----------
    content
        What a `Gathering` wrote: memory, or a mapped file.
    """

    def __init__(self, content: memoryview) -> None:
        self._segments = list(_segments(content))
        self._find = lru_cache(_REMEMBERED)(self._those_in)

    @classmethod
    def of_file(cls, file: IO[bytes]) -> Crowd:
        """Return what a `Gathering` wrote into a file from its beginning; in memory, or mapped."""
        file.flush()
        if isinstance(file, BytesIO):
            return cls(memoryview(file.getvalue()))
        return cls(memoryview(mmap(file.fileno(), 0, access=ACCESS_READ)))

    def those_in(self, texts: Iterable[str]) -> tuple[KnownIdentifier, ...]:
        """Return those that stand plainly in one of some texts, and a few more, in a fixed order."""
        found: set[KnownIdentifier] = set()
        for text in texts:
            for start in range(0, max(1, len(text)), _AT_ONCE):
                piece = text[start : start + _AT_ONCE + _OVERLAP]
                find = self._find if len(piece) <= _SHORT else self._those_in
                found.update(find(piece))
        return tuple(sorted(found, key=in_order))

    def _those_in(self, text: str) -> tuple[KnownIdentifier, ...]:
        keys = keys_in(text)
        hashes = [_hashed(key) for key in keys]
        found: set[KnownIdentifier] = set()
        for segment in self._segments:
            for number in {each for hashed in hashes for each in segment.having(hashed)}:
                found.update(present(segment.identifier(number), keys))
        return tuple(found)


def gathered(known: Iterable[KnownIdentifier]) -> Crowd:
    """Return identifiers as a crowd that is held in memory."""
    file = BytesIO()
    gathering = Gathering(file)
    gathering.add(known)
    gathering.finish()
    return Crowd.of_file(file)


def parted(
    known: tuple[KnownIdentifier, ...], most: int
) -> tuple[tuple[KnownIdentifier, ...], tuple[Crowd, ...]]:
    """Return what to search for one by one, and the rest as a crowd where it is more than so many.

    Names, birth dates and record numbers are searched for one by one while those alone are no more.
    """
    if len(known) <= most:
        return known, ()
    kept = tuple(each for each in known if each.info_type in _ONE_BY_ONE)
    kept = kept if len(kept) <= most else ()
    return kept, (_crowd_of(known),)


@lru_cache(maxsize=2)
def _crowd_of(known: tuple[KnownIdentifier, ...]) -> Crowd:
    """Return the crowd of a study, which its instances and resources ask for one after the other."""
    return gathered(known)


class _Segment:
    def __init__(self, places: memoryview, content: memoryview, keys: memoryview) -> None:
        self._places = places
        self._content = content
        self._keys = keys

    def having(self, hashed: int) -> Iterator[int]:
        """Yield the numbers of the identifiers that have a key."""
        at = bisect_left(self._keys, hashed << _NUMBER_BITS)
        while at < len(self._keys) and self._keys[at] >> _NUMBER_BITS == hashed:
            yield self._keys[at] & ((1 << _NUMBER_BITS) - 1)
            at += 1

    def identifier(self, number: int) -> KnownIdentifier:
        """Return an identifier."""
        start = self._places[number - 1] if number else 0
        return KnownIdentifier(*json.loads(bytes(self._content[start : self._places[number]])))


def _segments(content: memoryview) -> Iterator[_Segment]:
    at = 0
    while at < len(content):
        places, texts, keys, size, _mark = _HEAD.unpack_from(content, at)
        start = at + _HEAD.size
        middle = start + places * _UINT64
        end = middle + texts
        yield _Segment(
            content[start:middle].cast("Q"),
            content[middle:end],
            content[end : end + keys * _UINT64].cast("Q"),
        )
        at += size


def _hashed(key: str) -> int:
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).digest()
    return int.from_bytes(digest, "little")


def those_in(crowds: Iterable[Crowd], texts: Collection[str]) -> tuple[KnownIdentifier, ...]:
    """Return those of several crowds that stand in texts, each once, in a fixed order."""
    found = {each for crowd in crowds for each in crowd.those_in(texts)}
    return tuple(sorted(found, key=in_order))
