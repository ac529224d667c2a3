"""Malformed input through every receiver of the real daemon: it lives, and says what it refused."""

from __future__ import annotations

import http.client
import re
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from daemon.records import Receiver, State
from tests.factories import encoded, make_ct
from tests.malformed import (
    MARK,
    Conversation,
    Expected,
    Malformed,
    malformed_archives,
    malformed_conversations,
    malformed_files,
    malformed_requests,
)
from tests.scu import Hangup, PlainScu, dataset_of
from tests.service import DEADLINE_S, RunningDaemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = malformed_files()
MEMORY_ABOVE_IDLE_MB = 200
"""For the daemon's own process; workers have limits of their own."""
ABOUT_THE_FILE = ("transfer_syntax/", "meta/", "preamble/", "deflate/")
"""Cases whose fault lies outside the dataset: over DIMSE there is no such place."""
NUMBERED = re.compile(rb"\.9\.(\d{4})\.5\.")


def own_uids(case: Malformed, number: int) -> bytes:
    """Return the case's bytes with UIDs of its own, so that no case is a conflict of another."""
    return case.make().replace(b".9.7433.5.", b".9.%04d.5." % number)


def daemon_rss_mb(daemon: RunningDaemon) -> float:
    assert daemon.process is not None
    return float(psutil.Process(daemon.process.pid).memory_info().rss) / 1e6


@pytest.fixture
def watched(running_daemon: RunningDaemon) -> Iterator[RunningDaemon]:
    """Hand out a daemon that must be alive, sane in size, and free of marks at the end."""
    before = daemon_rss_mb(running_daemon)
    yield running_daemon
    assert running_daemon.is_alive()
    assert daemon_rss_mb(running_daemon) - before < MEMORY_ABOVE_IDLE_MB
    _accepts_a_good_instance(running_daemon)
    assert_no_marks(running_daemon)


def _accepts_a_good_instance(daemon: RunningDaemon) -> None:
    good = make_ct(seed=99)
    assert post(daemon, encoded(good)) == 200
    wait_until(
        lambda: any(
            entry.original_uid == good.SOPInstanceUID and entry.state is State.STORED
            for entry in daemon.journal()
        ),
        what="a good instance is stored",
    )


def assert_no_marks(daemon: RunningDaemon) -> None:
    """Nothing of what was planted is in the destination, the log, the metrics or a file's name."""
    leaks = [
        path.name
        for path in (daemon.state_dir / "deid").rglob("*")
        if path.is_file() and MARK in path.read_bytes()
    ]
    assert leaks == []
    assert MARK not in daemon.log_path.read_bytes()
    assert MARK not in daemon.get("/metrics", accept="*/*")[1]
    names = [str(path.relative_to(daemon.state_dir)) for path in daemon.state_dir.rglob("*")]
    assert [name for name in names if MARK.decode() in name] == []


def assert_each_has_a_fate(daemon: RunningDaemon) -> None:
    """Every receipt ended; what had to stay out is in quarantine, with a reason that is no bug."""
    without_reason, bugs, let_out = [], [], []
    for entry in daemon.journal():
        numbered = NUMBERED.search(entry.original_uid.encode())
        index = int(numbered[1]) if numbered else len(CASES)
        case = CASES[index] if index < len(CASES) else None
        if entry.state is State.QUARANTINED and not entry.reason:
            without_reason.append(entry)
        if entry.reason == "internal_error":
            bugs.append((case and case.id, entry.where))
        if entry.state is State.STORED and case and case.expected is not Expected.CLEAN:
            let_out.append(case.id)
    assert {"without reason": without_reason, "bugs": bugs, "let out": let_out} == {
        "without reason": [],
        "bugs": [],
        "let out": [],
    }


def post(daemon: RunningDaemon, content: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.addresses["http"][1], timeout=240)
    try:
        connection.request(
            "POST", "/dicomweb/source/studies", content, {"Content-Type": "application/dicom"}
        )
        with connection.getresponse() as response:
            response.read()
            return response.status
    finally:
        connection.close()


def test_malformed_files_dropped_end_in_quarantine_or_refused(watched: RunningDaemon) -> None:
    inbox = watched.inbox
    assert inbox is not None
    for number, case in enumerate(CASES):
        (inbox / f"{number:04d}.dcm").write_bytes(own_uids(case, number))
    wait_until(lambda: not list(inbox.glob("*.dcm")), what="all were taken", deadline_s=500)
    journal = watched.wait_until_settled(0, deadline_s=500)
    refused = list((inbox / ".refused").iterdir())
    reasons = [path for path in refused if path.suffix in {".json", ".txt", ".reason"}]
    received = sum(entry.receiver == Receiver.WATCH for entry in journal)
    assert received + (len(refused) - len(reasons)) == len(CASES)
    assert len(reasons) == len(refused) - len(reasons)
    assert_each_has_a_fate(watched)


def test_malformed_archives_dropped_put_nothing_outside(
    watched: RunningDaemon, tmp_path: Path
) -> None:
    inbox = watched.inbox
    assert inbox is not None
    for number, case in enumerate(malformed_archives()):
        (inbox / f"{number}.zip").write_bytes(case.make())
    wait_until(lambda: not list(inbox.glob("*.zip")), what="all were taken", deadline_s=500)
    watched.wait_until_settled(0, deadline_s=500)
    # Upwards from where they could have been unfolded; beside it, other tests make and remove folders.
    above = [tmp_path, *tmp_path.parents, *watched.folder.parents, Path(tempfile.gettempdir())]
    escaped = [path for folder in above for path in folder.glob("zqx_slipped*")]
    escaped += [*tmp_path.parent.rglob("zqx_slipped*"), *watched.folder.rglob("zqx_slipped*")]
    assert escaped == []
    assert not any(path.is_symlink() for path in watched.folder.rglob("*"))


def test_malformed_files_stored_by_stow_are_refused_or_end_in_quarantine(
    watched: RunningDaemon,
) -> None:
    answers = {case.id: post(watched, own_uids(case, number)) for number, case in enumerate(CASES)}
    assert set(answers.values()) <= {200, 202, 400, 409, 413, 415}
    accepted = {name for name, answer in answers.items() if answer == 200}
    assert accepted.isdisjoint(case.id for case in CASES if case.expected is Expected.REFUSED)
    watched.wait_until_settled(0, deadline_s=500)
    assert_each_has_a_fate(watched)


def test_malformed_datasets_sent_by_c_store_are_refused_or_end_in_quarantine(
    watched: RunningDaemon,
) -> None:
    accepted = 0
    for number, case in enumerate(CASES):
        if case.id.startswith(ABOUT_THE_FILE):
            continue
        content = own_uids(case, number)
        uid = b"1.2.826.0.1.3680043.9.%04d.5.1" % number
        status = c_store(watched.dimse_port, dataset_of(content), uid)
        assert status is None or status == 0 or status >= 0xA700 or status == 0x0122
        accepted += status == 0
    journal = watched.wait_until_settled(accepted, deadline_s=500)
    assert sum(entry.receiver == Receiver.DIMSE for entry in journal) == accepted
    assert_each_has_a_fate(watched)


def c_store(port: int, dataset: bytes, uid: bytes) -> int | None:
    """Send one dataset over an association of its own; None when the peer hung up."""
    try:
        with PlainScu(port, timeout_s=DEADLINE_S) as scu:
            return scu.store(dataset, uid)
    except Hangup:
        return None


def say(port: int, conversation: Conversation) -> bytes:
    """Send the pieces, then hang up; return what was answered until then."""
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as peer:
            peer.settimeout(0.2)
            for piece in conversation.pieces:
                peer.sendall(piece)
                try:
                    answer += peer.recv(65536)
                except TimeoutError:
                    continue
    except OSError:
        pass
    return answer


def test_malformed_conversations_leave_the_dicom_port_serving(watched: RunningDaemon) -> None:
    for conversation in malformed_conversations():
        say(watched.dimse_port, conversation)
        assert watched.process is not None
        assert watched.process.poll() is None, conversation.id
    good = encoded(make_ct(seed=98))
    uid = make_ct(seed=98).SOPInstanceUID.encode()
    assert c_store(watched.dimse_port, dataset_of(good), uid) == 0
    watched.wait_until_settled(1)
    assert_each_has_a_fate(watched)


def test_malformed_requests_leave_the_web_services_serving(watched: RunningDaemon) -> None:
    port = int(watched.addresses["http"][1])
    answers = {}
    for conversation in malformed_requests(port):
        answer = say(port, conversation)
        answers[conversation.id] = answer[:15]
        assert MARK not in answer or b" 200 " in answer[:15]  # the source store may show it
        assert b"Traceback" not in answer
        assert watched.process is not None
        assert watched.process.poll() is None, conversation.id
    assert [name for name, answer in answers.items() if b" 500" in answer] == []
    watched.wait_until_settled(0)
    assert_each_has_a_fate(watched)


def test_bad_input_again_and_again_does_not_make_the_daemon_grow(watched: RunningDaemon) -> None:
    some = [case for case in CASES if case.id.startswith(("meta/", "length/", "not_dicom/"))]
    for number, case in enumerate(some):
        post(watched, own_uids(case, number))
    settled = daemon_rss_mb(watched)
    for _ in range(10):
        for conversation in malformed_conversations()[:20]:
            with socket.create_connection(("127.0.0.1", watched.dimse_port), timeout=240) as peer:
                peer.sendall(b"".join(conversation.pieces)[:100_000])
        for number, case in enumerate(some):
            post(watched, own_uids(case, number))
    assert daemon_rss_mb(watched) - settled < 40
