"""Workers that do the usual work, and meet what usually does not happen."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.errors import StoreUnavailable
from daemon.pipeline import work

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from daemon.pipeline.frames import Message

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
