"""``make run`` as a user sees it."""

from __future__ import annotations

import codecs
import json
import os
import re
import select
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.factories import encoded, make_ct
from tests.service import DEADLINE_S, ROOT, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BASE = re.compile(r"(http://127\.0\.0\.1:\d+)/healthz")


class Shown:
    """A running demonstration and what it has printed."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "daemon.demo", "--state", str(state)),
                *("--dimse-port", "0", "--http-port", "0"),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def read(self) -> str:
        """Return everything printed so far."""
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        while select.select([descriptor], [], [], 0)[0]:
            part = os.read(descriptor, 65536)
            if not part:
                break
            self.text += self._decoder.decode(part)
        return self.text

    def wait_for(self, words: str) -> None:
        """Wait until the words were printed."""
        wait_until(lambda: words in self.read(), what=f"{words!r} is shown")

    def end(self, number: signal.Signals) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        status = self.process.wait(DEADLINE_S)
        self.read()
        return status


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """Start it once for those who look on; the last of them ends it."""
    with _started(tmp_path_factory.mktemp("demonstration") / "state") as demonstration:
        yield demonstration


@pytest.fixture
def interrupted(disk_path: Path) -> Iterator[Shown]:
    with _started(disk_path / "state") as demonstration:
        yield demonstration


@contextmanager
def _started(state: Path) -> Iterator[Shown]:
    demonstration = Shown(state)
    try:
        yield demonstration
    finally:
        if demonstration.process.poll() is None:
            demonstration.end(signal.SIGTERM)
        assert demonstration.process.stdout is not None
        demonstration.process.stdout.close()


def test_the_first_start_sends_by_each_way_shows_a_table_and_what_to_open(shown: Shown) -> None:
    shown.wait_for("Open this first")
    text = shown.read()
    for words in ("C-STORE", "STOW-RS", "dropped file", "stored", "pixels_not_cleaned"):
        assert words in text
    assert "not received" not in text
    base = _BASE.search(text)
    assert base is not None
    with urllib.request.urlopen(f"{base[1]}/dicomweb/deid/studies", timeout=240) as response:
        assert len(json.load(response)) >= 6
    last = text.strip().splitlines()[-1]
    address = re.fullmatch(r"Open this first: (http://\S+/source/compare/[\d.]+)", last)
    assert address is not None
    with urllib.request.urlopen(address[1], timeout=240) as response:
        assert "Side by side" in response.read().decode()
    with urllib.request.urlopen(f"{address[1]}/study.json", timeout=240) as response:
        (series,) = json.load(response)["series"]
        result = series["instances"][0]["result"]["instance"]
    outcome = f"{address[1].replace('/source', '')}/outcome.json?instance={result}"
    with urllib.request.urlopen(outcome, timeout=240) as response:
        assert {region["box"][1] for region in json.load(response)["regions"]} == {0}
    with urllib.request.urlopen(f"{base[1]}/healthz", timeout=240) as response:
        assert response.status == 200


def test_what_arrives_later_is_shown_as_it_settles(shown: Shown) -> None:
    shown.wait_for("Ctrl-C stops")
    (shown.state / "inbox" / "later.dcm").write_bytes(encoded(make_ct(seed=77)))
    wait_until(
        lambda: re.search(r"\d\d:\d\d:\d\d  dropped file  stored", shown.read()) is not None,
        what="the later instance is shown",
    )


def test_it_ends_cleanly_and_a_second_start_sends_nothing_by_itself(shown: Shown) -> None:
    shown.wait_for("Open this first")
    assert shown.end(signal.SIGINT) == 0
    assert "Stopped." in shown.text
    assert "Traceback" not in shown.text
    with _started(shown.state) as again:
        again.wait_for("Open this first")
        assert "already" in again.text
        assert "became" not in again.text
        assert again.end(signal.SIGTERM) == 0


def test_interrupting_in_the_middle_of_sending_ends_cleanly(interrupted: Shown) -> None:
    interrupted.wait_for("Starting")
    ready = interrupted.state / "service" / "run" / "addresses.json"
    wait_until(ready.exists, what="the service has started")
    assert interrupted.end(signal.SIGINT) == 0
    assert "Traceback" not in interrupted.text
