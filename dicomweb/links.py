"""The addresses of bulk data in prepared DICOM JSON: kept relative to the service, handed out absolute.

A viewer that opens a series asks for its metadata, and so does the next one. To seek the addresses each time,
or to copy what is between them more than once, would cost more than all the rest of the answer.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable

# A quotation mark within a JSON string is escaped, so that only the member BulkDataURI can match. These few
# letters, from behind, are sought four times as fast as the whole name.
_BEFORE: Final = b'URI":"'
_RELATIVE: Final = _BEFORE + b"studies/"


class PreparedObject(bytes):
    """A prepared object that a store keeps to hand it out again; it knows where its addresses stand."""

    @cached_property
    def places(self) -> tuple[int, ...]:
        """Where each relative address begins, in ascending order."""
        return _places(self)


def attributes_of(prepared: bytes) -> dict[str, Any]:
    """Return what a prepared object says. orjson reads bytes, but no class derived from them."""
    found: dict[str, Any] = orjson.loads(memoryview(prepared))
    return found


def with_root(prepared: bytes, root: bytes) -> list[bytes | memoryview]:
    """Return the pieces of a prepared object in which every address is absolute, for who joins them.

    Parameters
    ----------
    prepared
        DICOM JSON as `dicomweb.describe` makes it.
    root
        What the addresses are relative to, without a slash at its end.
    """
    return _pieces(prepared, root + b"/")


def json_array(objects: Iterable[bytes], root: bytes) -> list[bytes | memoryview]:
    """Return the pieces of an array of prepared objects in which every address is absolute."""
    prefix = root + b"/"
    pieces: list[bytes | memoryview] = []
    for prepared in objects:
        pieces.append(b",")
        pieces += _pieces(prepared, prefix)
    pieces[:1] = [b"["]
    pieces.append(b"]")
    return pieces


def _pieces(prepared: bytes, prefix: bytes) -> list[bytes | memoryview]:
    places = prepared.places if isinstance(prepared, PreparedObject) else _places(prepared)
    view = memoryview(prepared)
    if len(places) == 1:  # nearly always: that of Pixel Data
        return [view[: places[0]], prefix, view[places[0] :]]
    pieces: list[bytes | memoryview] = []
    start = 0
    for place in places:
        pieces += (view[start:place], prefix)
        start = place
    pieces.append(view[start:])
    return pieces


def _places(prepared: bytes) -> tuple[int, ...]:
    found = []
    stop = len(prepared)
    while (stop := prepared.rfind(_RELATIVE, 0, stop)) >= 0:
        found.append(stop + len(_BEFORE))
    return tuple(reversed(found))
