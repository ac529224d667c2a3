"""Somebody who reads both stores all the time, and looks whether what is served is whole."""

from __future__ import annotations

import http.client
import io
import json
import random
import threading
import urllib.error
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pydicom

from tests.crash.senders import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.service import RunningDaemon

_BETWEEN_S: Final = 0.02
_NEWEST: Final = 20
_RETRIEVED: Final = 3


class Reader:
    """Searches, retrieves some of what it found, and counts what was not whole.

    Attributes
    ----------
    reads
        How many instances were retrieved.
    torn
        How many of them were not whole, or not the ones that were asked for.
    """

    def __init__(self, daemon: RunningDaemon, seed: int) -> None:
        self._daemon = daemon
        self._chance = random.Random(seed)
        self._ended = threading.Event()
        self.reads = 0
        self.torn = 0

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read while the block runs."""
        thread = threading.Thread(target=self._read_on, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join(60)
            assert not thread.is_alive()

    def _read_on(self) -> None:
        while not self._ended.wait(_BETWEEN_S):
            try:
                self._read_some(self._chance.choice(("source", "deid")))
            except (OSError, urllib.error.URLError, http.client.HTTPException, AssertionError):
                # Killed meanwhile, perhaps between the head of an answer and its body; what is served whole
                # is judged, not that it is served.
                continue

    def _read_some(self, store: str) -> None:
        status, body = self._daemon.get(f"/dicomweb/{store}/instances?limit={_NEWEST}")
        found = json.loads(body) if status == 200 and body else []
        for each in self._chance.sample(found, min(len(found), _RETRIEVED)):
            study, series, instance = (
                each[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")
            )
            content = self._daemon.retrieve(study, series, instance, store)
            self.reads += 1
            self.torn += not is_whole(content, instance)


def is_whole(content: bytes, uid: str) -> bool:
    """Tell whether a file holds that instance to its last sample."""
    try:
        dataset = pydicom.dcmread(io.BytesIO(content))
        return bool(dataset.SOPInstanceUID == uid and len(dataset.PixelData) == ROWS * ROWS * 2)
    except Exception:  # noqa: BLE001 - whatever a reader stumbles over: it is not whole
        return False
