"""Workers that do the usual work, and meet what usually does not happen."""

from __future__ import annotations

import ctypes
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.engines import pixels as engines
from daemon.errors import StoreUnavailable
from daemon.pipeline import work
from deid.pixels.codecs.table import CODECS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from daemon.workers.frames import Message
    from deid.pixels.description import ImageDescription
    from deid.pixels.ports import Picture, TextRegion
    from deid.pixels.samples import Decoded

VALUE = "DOE^JANE^19610203"


def start_poisoned(document: Mapping[str, Any], secret: bytes) -> Callable[[Message], Message]:
    """Process instances as usual, but crash on those that hold the word CRASH."""
    usual = work.start(document, secret)

    def handle(job: Message) -> Message:
        if b"CRASH" in Path(job.header["source"]).read_bytes():
            ctypes.string_at(0)
        return usual(job)

    return handle


def start_full(document: Mapping[str, Any], secret: bytes) -> Callable[[Message], Message]:
    """Meet a disk that is always full."""

    def handle(job: Message) -> Message:
        raise StoreUnavailable(VALUE)

    return handle


LOOKS_BAD = 50
"""Frames of so many rows are what the poisoned detector and decoder meet their end on."""


def start_looking(document: Mapping[str, Any], secret: bytes) -> Callable[[Message], Message]:
    """Process instances as usual, with a text detector or a decoder that fails as ``poison`` says."""
    where, _, how = document["poison"].partition(" ")
    if where == "detector":
        engines._detector = lambda _engine, _languages: _Poisoned(how)  # type: ignore[assignment]
    else:
        for syntax, codec in CODECS.items():
            CODECS[syntax] = replace(codec, decode=_poisoned(codec.decode, how))
        engines._detector = lambda _engine, _languages: _Poisoned("")  # type: ignore[assignment]
    return work.start(document, secret)


class _Poisoned:
    """A text detector that finds nothing, and does not come back from frames that look bad."""

    def __init__(self, how: str) -> None:
        self._how = how

    def find(
        self, pictures: Sequence[Picture], *, needs_reading: bool = True
    ) -> list[list[TextRegion]]:
        if any(picture.display.shape[0] == LOOKS_BAD for picture in pictures):
            _ENDS[self._how]()
        return [[] for _ in pictures]


def _poisoned(decode: Callable[..., Decoded], how: str) -> Callable[..., Decoded]:
    def decoded(frame: bytes, image: ImageDescription) -> Decoded:
        if image.rows == LOOKS_BAD:
            _ENDS[how]()
        return decode(frame, image)

    return decoded


def _hang() -> None:
    while True:
        time.sleep(3600)


def _spin() -> None:
    while True:
        pass


def _eat() -> None:
    meal = []
    while True:
        meal.append(bytearray(os.urandom(16)) * (1 << 20))


def _raise() -> None:
    raise RuntimeError(VALUE)


_ENDS: dict[str, Callable[[], object]] = {
    "": lambda: None,
    "hangs": _hang,
    "spins": _spin,
    "crashes": lambda: ctypes.string_at(0),
    "aborts": os.abort,
    "exits": lambda: os._exit(0),
    "eats": _eat,
    "raises": _raise,
}
