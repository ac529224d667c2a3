"""What is sent, by C-STORE, STOW-RS and into the watched folder, whether or not anybody listens just then."""

from __future__ import annotations

import http.client
import io
import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

import pydicom

from tests.factories import many_ct
from tests.scu import Hangup, PlainScu, dataset_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.service import RunningDaemon

ROWS: Final = 48
_MOST: Final = 100_000
_SEEDS: Final = 1000  # which make dates within a lifetime
_AGAIN_S: Final = 0.05
_BETWEEN_DROPS_S: Final = 0.1
_MULTIPART: Final = 'multipart/related; type="application/dicom"; boundary=B'


class Supply:
    """Instances by UID: those that nobody acknowledged come first, and by whatever door asks next.

    Attributes
    ----------
    contents
        The files of all instances that were taken.
    acknowledged
        By which door each was.
    """

    def __init__(self, seed: int) -> None:
        self.contents: dict[str, bytes] = {}
        self.acknowledged: dict[str, str] = {}
        self._fresh = many_ct(_MOST, rows=ROWS, seed=seed % _SEEDS)
        self._refused: list[str] = []
        self._lock = threading.Lock()
        self._is_closed = False

    def close(self) -> None:
        """Give out nothing new any more."""
        self._is_closed = True

    def take(self) -> str | None:
        """Return the UID of an instance to be sent, or None when there is none now."""
        with self._lock:
            if self._refused:
                return self._refused.pop()
            if self._is_closed:
                return None
            content = next(self._fresh)
            uid = str(pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True).SOPInstanceUID)
            self.contents[uid] = content
            return uid

    def note(self, uid: str, door: str, *, is_acknowledged: bool) -> None:
        """Note what came of sending it; without an acknowledgement it has to be sent again."""
        with self._lock:
            if is_acknowledged:
                self.acknowledged[uid] = door
            else:
                self._refused.append(uid)

    @property
    def answered(self) -> int:
        """How many a peer was told of: the folder takes whatever is dropped."""
        return len(self.acknowledged) - self.by_door()[ByFolder.name]

    @property
    def is_done(self) -> bool:
        """Whether all that was given out is acknowledged."""
        with self._lock:
            return len(self.acknowledged) == len(self.contents)

    def by_door(self) -> dict[str, int]:
        """Return how many each door acknowledged."""
        with self._lock:
            counted = Counter(self.acknowledged.values())
        return {door.name: counted[door.name] for door in DOORS}


class Door(Protocol):
    """A way into the daemon, wherever that listens now."""

    name: str

    def __init__(self, daemon: RunningDaemon) -> None: ...

    def send(self, uid: str, content: bytes) -> bool:
        """Send an instance; tell whether it was acknowledged."""

    def close(self) -> None:
        """Leave."""


class ByDimse:
    """C-STORE over one association, until that is lost."""

    name = "C-STORE"

    def __init__(self, daemon: RunningDaemon) -> None:
        self._daemon = daemon
        self._scu: PlainScu | None = None

    def send(self, uid: str, content: bytes) -> bool:
        """Send an instance; tell whether the status was success."""
        try:
            self._scu = self._scu or PlainScu(self._daemon.dimse_port)
            return self._scu.store(dataset_of(content), uid.encode()) == 0x0000
        except Hangup:
            self.close()
            return False

    def close(self) -> None:
        """Release the association."""
        if self._scu is not None:
            self._scu.close()
            self._scu = None


class ByStow:
    """STOW-RS over a kept connection, one instance a request."""

    name = "STOW-RS"

    def __init__(self, daemon: RunningDaemon) -> None:
        self._daemon = daemon
        self._connection: http.client.HTTPConnection | None = None

    def send(self, uid: str, content: bytes) -> bool:
        """Send an instance; tell whether the answer was 200."""
        body = b"--B\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--B--\r\n"
        try:
            if self._connection is None:
                port = int(self._daemon.addresses["http"][1])
                self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            self._connection.request(
                "POST", "/dicomweb/source/studies", body, {"Content-Type": _MULTIPART}
            )
            with self._connection.getresponse() as response:
                response.read()
                return response.status == 200
        except (OSError, http.client.HTTPException):
            self.close()
            return False

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class ByFolder:
    """Files dropped by rename; what lies in the inbox is for the daemon, whenever it takes it."""

    name = "folder"

    def __init__(self, daemon: RunningDaemon) -> None:
        assert daemon.inbox is not None
        self._inbox = daemon.inbox

    def send(self, uid: str, content: bytes) -> bool:
        """Drop an instance: from then on it must not be lost."""
        part = self._inbox / f".{uid}.part"
        part.write_bytes(content)
        part.rename(self._inbox / f"{uid}.dcm")
        time.sleep(_BETWEEN_DROPS_S)
        return True

    def close(self) -> None:
        """Do nothing: there is no connection."""


DOORS: Final[tuple[type[Door], ...]] = (ByDimse, ByStow, ByFolder)


@contextmanager
def sending(daemon: RunningDaemon, supply: Supply) -> Iterator[None]:
    """Send by all doors at once while the block runs, kills or no kills."""
    ended = threading.Event()

    def send(door: Door) -> None:
        while not ended.is_set():
            uid = supply.take()
            if uid is None:
                ended.wait(_AGAIN_S)
                continue
            is_acknowledged = door.send(uid, supply.contents[uid])
            supply.note(uid, door.name, is_acknowledged=is_acknowledged)
            if not is_acknowledged:
                ended.wait(_AGAIN_S)
        door.close()

    threads = [
        threading.Thread(target=send, args=(door(daemon),), name=door.name, daemon=True)
        for door in DOORS
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), thread.name
