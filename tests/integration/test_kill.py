"""SIGKILL at any moment: nothing acknowledged is missing, half-written or there twice."""

from __future__ import annotations

import http.client
import io
import random
import threading
import time
from typing import TYPE_CHECKING

import pydicom
import pytest

from daemon.records import State
from daemon.store.journal import SETTLED
from tests.factories import many_ct
from tests.scu import Hangup, PlainScu, dataset_of
from tests.service import RunningDaemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KILLS = 10
INSTANCES = 400
ROWS = 48
PATIENCE_S = 110


class Senders:
    """Sends instances by three ways at once and remembers which were acknowledged."""

    def __init__(self, contents: list[bytes]) -> None:
        self.waiting = {
            str(
                pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True).SOPInstanceUID
            ): content
            for content in contents
        }
        self.acknowledged: set[str] = set()
        self._lock = threading.Lock()
        self._gone = threading.Event()

    def begin(self, daemon: RunningDaemon) -> list[threading.Thread]:
        """Start a thread for each way; each ends when its peer is gone or nothing is left."""
        self._gone.clear()
        shares: list[list[str]] = [[], [], []]
        for number, uid in enumerate(sorted(self.waiting)):
            shares[number % 3].append(uid)
        ways: tuple[Callable[[RunningDaemon, list[str]], None], ...] = (
            self._by_dimse,
            self._by_stow,
            self._by_file,
        )
        threads = [
            threading.Thread(target=way, args=(daemon, share), daemon=True)
            for way, share in zip(ways, shares, strict=True)
        ]
        for thread in threads:
            thread.start()
        return threads

    def wait_until_acknowledged(self, count: int) -> None:
        """Wait until so many are acknowledged in all, or nothing is left to send."""
        wait_until(
            lambda: len(self.acknowledged) >= count or not self.waiting,
            what=f"{count} instances are acknowledged",
            deadline_s=PATIENCE_S,
        )

    def end(self, threads: list[threading.Thread]) -> None:
        """Stop sending and wait for the threads."""
        self._gone.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()

    def _acknowledge(self, uid: str) -> None:
        with self._lock:
            self.acknowledged.add(uid)
            self.waiting.pop(uid, None)

    def _by_dimse(self, daemon: RunningDaemon, uids: list[str]) -> None:
        try:
            with PlainScu(daemon.dimse_port) as scu:
                for uid in uids:
                    if self._gone.is_set():
                        break
                    if scu.store(dataset_of(self.waiting[uid]), uid.encode()) == 0x0000:
                        self._acknowledge(uid)
        except Hangup:
            pass

    def _by_stow(self, daemon: RunningDaemon, uids: list[str]) -> None:
        connection = http.client.HTTPConnection(
            "127.0.0.1", daemon.addresses["http"][1], timeout=20
        )
        kind = 'multipart/related; type="application/dicom"; boundary=B'
        try:
            for uid in uids:
                if self._gone.is_set():
                    break
                body = b"--B\r\nContent-Type: application/dicom\r\n\r\n"
                body += self.waiting[uid] + b"\r\n--B--\r\n"
                connection.request("POST", "/dicomweb/source/studies", body, {"Content-Type": kind})
                with connection.getresponse() as response:
                    response.read()
                    if response.status == 200:
                        self._acknowledge(uid)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    def _by_file(self, daemon: RunningDaemon, uids: list[str]) -> None:
        """Drop files; what lies in the inbox is for the daemon, whenever it takes it."""
        assert daemon.inbox is not None
        for uid in uids:
            if self._gone.is_set():
                break
            path = daemon.inbox / f"{uid}.dcm"
            if not path.exists():
                partial = daemon.inbox / f".{uid}.part"
                partial.write_bytes(self.waiting[uid])
                partial.rename(path)
            self._acknowledge(uid)
            time.sleep(0.01)


@pytest.mark.timeout(400)
def test_ten_kills_during_a_send_lose_and_double_nothing(
    running_daemon: RunningDaemon,
) -> None:
    dice = random.Random(20261120)
    senders = Senders(list(many_ct(INSTANCES, rows=ROWS, seed=21)))
    everything = set(senders.waiting)
    for number in range(KILLS):
        threads = senders.begin(running_daemon)
        enough = len(senders.acknowledged) + dice.randint(1, INSTANCES // KILLS - 5)
        senders.wait_until_acknowledged(enough)
        time.sleep(dice.random() / 20)
        running_daemon.kill(workers_too=number % 2 == 0)
        senders.end(threads)
        running_daemon.start()
    threads = senders.begin(running_daemon)
    wait_until(lambda: not senders.waiting, what="the rest is acknowledged", deadline_s=PATIENCE_S)
    senders.end(threads)
    _wait_until_stored(running_daemon, everything)

    journal = running_daemon.journal()
    stored = [entry.original_uid for entry in journal if entry.state is State.STORED]
    assert set(stored) == everything
    assert len(stored) == len(everything)
    odd = [entry for entry in journal if entry.state not in {State.STORED, State.DUPLICATE}]
    assert odd == []

    replaced = running_daemon.replaced()
    assert set(replaced) == everything
    served = running_daemon.instances("deid")
    assert len(served) == len(everything)
    assert len({one["00080018"]["Value"][0] for one in served}) == len(everything)
    for study, series, instance in replaced.values():
        dataset = pydicom.dcmread(io.BytesIO(running_daemon.retrieve(study, series, instance)))
        assert len(dataset.PixelData) == ROWS * ROWS * 2
        assert dataset.SOPInstanceUID == instance
    assert running_daemon.command("fsck").returncode == 0
    assert _leftovers(running_daemon.state_dir, running_daemon.inbox) == []


def _wait_until_stored(daemon: RunningDaemon, uids: set[str]) -> None:
    def is_done() -> bool:
        entries = daemon.journal()
        return (
            all(entry.state in SETTLED for entry in entries)
            and {entry.original_uid for entry in entries if entry.state is State.STORED} >= uids
        )

    try:
        wait_until(is_done, what="everything is stored", deadline_s=PATIENCE_S)
    except AssertionError as error:
        entries = daemon.journal()
        missing = uids - {entry.original_uid for entry in entries}
        unsettled = [entry for entry in entries if entry.state not in SETTLED]
        message = (
            f"{error}: {len(missing)} missing, {len(unsettled)} unsettled\n{daemon.log[-3000:]}"
        )
        raise AssertionError(message) from None


def _leftovers(state_dir: Path, inbox: Path | None) -> list[str]:
    """Return files that belong to nobody: half-received, half-written, half-taken."""
    return list(_names(state_dir, ("spool", "work", "tmp", "incoming"))) + [
        path.name for path in (inbox.rglob("*") if inbox else ()) if path.is_file()
    ]


def _names(state_dir: Path, folders: tuple[str, ...]) -> Iterator[str]:
    for folder in folders:
        for path in (state_dir / folder).rglob("*"):
            if path.is_file():
                yield str(path.relative_to(state_dir))
