"""Which files have stood still long enough. No clock and no file system: both are handed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, KeysView


class Signature(NamedTuple):
    """What tells a file from another of the same name, and from itself before it was written to."""

    device: int
    inode: int
    size: int
    mtime_ns: int


class Found(NamedTuple):
    """A directory entry that is not a folder.

    `folder` holds the names of the folders on the way from the root; `ours` says that it lies in
    our own ``.taking`` folder, left there by a run that was killed.
    """

    folder: tuple[str, ...]
    name: str
    signature: Signature
    mode: int
    ours: bool = False

    @property
    def place(self) -> tuple[tuple[str, ...], str, bool]:
        """Where it is, whatever lies there now."""
        return self.folder, self.name, self.ours


@dataclass(slots=True)
class _Waiting:
    found: Found
    since: float
    look_at: float
    busy: bool = False
    ignored: bool = False


class Settling:
    """The files that were seen and not yet taken.

    Parameters
    ----------
    settle_s
        Seconds between seeing a file in some state and finding it in the same state.
    most
        Files kept in mind at once; more wait in the folder until some of these are gone.
    """

    def __init__(self, settle_s: float, most: int = 50_000) -> None:
        self._settle_s = settle_s
        self._most = most
        self._waiting: dict[tuple[tuple[str, ...], str, bool], _Waiting] = {}

    def __len__(self) -> int:
        return sum(not waiting.ignored for waiting in self._waiting.values())

    @property
    def places(self) -> KeysView[tuple[tuple[str, ...], str, bool]]:
        """Where what is in mind lies."""
        return self._waiting.keys()

    def observe(self, seen: Iterable[Found], now: float) -> bool:
        """Take in one scan; returns whether it was looked at to its end.

        Files that a whole scan did not see are forgotten.
        """
        places = set()
        for found in seen:
            waiting = self._waiting.get(found.place)
            if waiting is None:
                if len(self._waiting) >= self._most:
                    return False
                self._start(found, now)
            elif not waiting.busy and waiting.found.signature != found.signature:
                self._start(found, now)
            places.add(found.place)
        for place in [
            place
            for place, waiting in self._waiting.items()
            if place not in places and not waiting.busy
        ]:
            del self._waiting[place]
        return True

    def due(self, now: float) -> list[tuple[Found, float]]:
        """Return what may be looked at now, and since when it stands still; it is then busy."""
        due = [
            waiting
            for waiting in self._waiting.values()
            if not waiting.busy and not waiting.ignored and waiting.look_at <= now
        ]
        for waiting in due:
            waiting.busy = True
        return [(waiting.found, waiting.since) for waiting in due]

    def next_look(self) -> float | None:
        """Return when something becomes due."""
        times = [
            waiting.look_at
            for waiting in self._waiting.values()
            if not waiting.busy and not waiting.ignored
        ]
        return min(times, default=None)

    def gone(self, found: Found) -> None:
        """Forget a file that was taken, refused or is not there any more."""
        self._waiting.pop(found.place, None)

    def changed(self, found: Found, now: float) -> None:
        """Start anew: the file is not what it was."""
        self._start(found, now)

    def not_yet(self, found: Found, look_at: float) -> None:
        """Look at it again later, unless it changes before."""
        waiting = self._waiting.get(found.place)
        if waiting is not None:
            waiting.busy = False
            waiting.look_at = look_at

    def ignore(self, found: Found) -> None:
        """Leave it alone until it changes."""
        waiting = self._waiting.get(found.place)
        if waiting is not None:
            waiting.busy = False
            waiting.ignored = True

    def _start(self, found: Found, now: float) -> None:
        # What lies in our own folder had settled when it was put there.
        look_at = now if found.ours else now + self._settle_s
        self._waiting[found.place] = _Waiting(found, now, look_at)
