"""Events of the file system, which do nothing but wake the scanner.

They cannot be relied on: files that come with new sub-folders are missed by the hundred, a rename
gives no close event, a network file system gives none at all. The scanner decides; an event only
makes it look at once.
"""

from __future__ import annotations

import logging
from pathlib import PurePath
from typing import TYPE_CHECKING

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from watchdog.observers.api import BaseObserver

_TELLING: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
]
_STOP_TIMEOUT_S = 5.0

# The library's own messages name the files that it sees, and those name patients.
logging.getLogger("watchdog").setLevel(logging.CRITICAL + 1)


class Wakeups:
    """Calls `wake`, from a thread of its own, when something came into a folder.

    Raises
    ------
    OSError
        When the system gives no (more) watches; the folder is then scanned by the clock alone.
    """

    def __init__(self, root: Path, wake: Callable[[], None]) -> None:
        self._observer: BaseObserver = Observer()
        self._observer.daemon = True
        self._observer.schedule(
            _Handler(root, wake), str(root), recursive=True, event_filter=_TELLING
        )
        self._observer.start()

    @property
    def is_alive(self) -> bool:
        """Whether events still come; the library's threads do not outlive their own errors."""
        return self._observer.is_alive() and all(
            emitter.is_alive() for emitter in self._observer.emitters
        )

    def stop(self) -> None:
        """End the thread."""
        self._observer.stop()
        self._observer.join(_STOP_TIMEOUT_S)


class _Handler(FileSystemEventHandler):
    def __init__(self, root: Path, wake: Callable[[], None]) -> None:
        self._depth = len(root.parts)
        self._wake = wake

    def on_any_event(self, event: FileSystemEvent) -> None:
        place = event.dest_path or event.src_path
        parts = PurePath(place if isinstance(place, str) else place.decode(errors="replace")).parts
        # Our own folders are hidden, and so is everything else the scanner would not look at.
        if not any(part.startswith(".") for part in parts[self._depth :]):
            self._wake()
