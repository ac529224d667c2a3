"""Receiving: C-STORE and STOW-RS, durable before the answer, and end to end until visible."""

from __future__ import annotations

import http.client
import io
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from pydicom import dcmread

from daemon.records import State
from tests.benchmarks import measure, servers
from tests.benchmarks.table import Row
from tests.factories import many_ct
from tests.scu import PlainScu, dataset_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.benchmarks.servers import Server

INSTANCES = 500
SUSTAINED = 150
"""Instances a second that have to be processed as they come."""
FEW = 80
"""For servers that take some 20 instances a second: enough to see the rate, which is steady."""


def c_store(folder: Path, rounds: int, associations: int) -> Row:
    """Measure instances per second from an unconfigured `storescu`."""
    goal = {1: ">= 300/s, >= 10 x Orthanc as installed", 4: ">= 500/s, >= 6 x Orthanc as installed"}
    row = Row(
        f"C-STORE, 0.5 MB CT, durable before the response, storescu as it is, {associations} association(s)",
        "instances/s",
        f"{goal[associations]}, >= 1.25 x Orthanc tuned",
        more_is_better=True,
    )
    many = outbox(folder / "many", INSTANCES, associations)
    few = outbox(folder / "few", FEW * associations, associations)
    contenders = _servers()
    for number in range(rounds):
        for name, is_ours, start, is_quick, no_delay in contenders:
            count = INSTANCES if is_quick else FEW * associations
            with (
                start(folder / f"server-{number}") as server,
                measure.MemoryWatch(server.pid) as watch,
            ):
                seconds = store(server, many if is_quick else few, associations, no_delay=no_delay)
                measure.expect(server.received(), count, name)
            contender = row.contender(name, is_ours=is_ours)
            contender.values.append(count / seconds)
            contender.notes |= {
                "peak MB": watch.peak_mb,
                "idle MB": watch.idle_mb,
                "instances": count,
            }
    shutil.rmtree(folder)
    return row


def _servers() -> list[
    tuple[str, bool, Callable[[Path], AbstractContextManager[Server]], bool, bool]
]:
    """Return name, whether it is ours, how to start it, whether it is quick, TCP_NODELAY."""
    found: list[tuple[str, bool, Callable[[Path], AbstractContextManager[Server]], bool, bool]] = [
        ("dicomveil", True, servers.dicomveil, True, False)
    ]
    if shutil.which("storescp"):
        found.append(("storescp", False, servers.storescp, False, False))
    if servers.has_orthanc():
        found.append(("Orthanc as installed", False, servers.orthanc, False, False))
        found.append(
            (
                "Orthanc, TCP_NODELAY on both sides",
                False,
                lambda folder: servers.orthanc(folder, no_delay=True),
                True,
                True,
            )
        )
    return found


def outbox(folder: Path, count: int, associations: int) -> list[Path]:
    """Write the instances, a folder for each association."""
    folders = [folder / str(number) for number in range(associations)]
    for one in folders:
        one.mkdir(parents=True)
    for number, content in enumerate(many_ct(count, seed=31)):
        (folders[number % associations] / f"{number:05d}.dcm").write_bytes(content)
    return folders


def store(
    server: Server, folders: list[Path], associations: int, *, no_delay: bool = False
) -> float:
    """Send everything with one `storescu` for each folder; return the seconds it took."""
    environment = {**os.environ, **({"TCP_NODELAY": "1"} if no_delay else {})}
    command = ["storescu", "-aec", server.ae_title, "+sd", "127.0.0.1", str(server.dimse)]
    started = time.perf_counter()
    with ExitStack() as stack:
        senders = [
            stack.enter_context(
                subprocess.Popen([*command, str(folder)], stderr=subprocess.PIPE, env=environment)
            )
            for folder in folders[:associations]
        ]
        for sender in senders:
            complaint = sender.communicate()[1]
            if sender.returncode:
                message = f"storescu ended with {sender.returncode}: {complaint[-500:]!r}"
                raise RuntimeError(message)
    return time.perf_counter() - started


def stow(folder: Path, rounds: int, connections: int) -> Row:
    """Measure instances per second over kept-alive connections, one instance per request."""
    row = Row(
        f"STOW-RS, 0.5 MB CT, durable before the response, {connections} connection(s)",
        "instances/s",
        ">= 1.5 x Orthanc",
        more_is_better=True,
    )
    contents = list(many_ct(INSTANCES, seed=32))
    for number in range(rounds):
        with (
            servers.dicomveil(folder / f"ours-{number}") as server,
            measure.MemoryWatch(server.pid) as watch,
        ):
            seconds = post(server, contents, connections, multipart)
            measure.expect(server.received(), len(contents), "dicomveil")
        ours = row.contender("dicomveil", is_ours=True)
        ours.values.append(len(contents) / seconds)
        ours.notes |= {"peak MB": watch.peak_mb}
        if servers.has_orthanc():
            with (
                servers.orthanc(folder / f"orthanc-{number}") as server,
                measure.MemoryWatch(server.pid) as watch,
            ):
                speaks_stow = servers.has_orthanc_dicomweb()
                request = _orthanc_multipart if speaks_stow else plain
                seconds = post(server, contents, connections, request)
                measure.expect(server.received(), len(contents), "Orthanc")
            other = row.contender(
                "Orthanc, STOW-RS by its plugin"
                if speaks_stow
                else "Orthanc, POST /instances (its plugin for STOW is not installed)"
            )
            other.values.append(len(contents) / seconds)
            other.notes |= {"peak MB": watch.peak_mb}
    shutil.rmtree(folder, ignore_errors=True)
    return row


def multipart(content: bytes) -> tuple[str, dict[str, str], bytes]:
    body = b"--B\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--B--\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary=B'
    return "/dicomweb/source/studies", {"Content-Type": kind}, body


def _orthanc_multipart(content: bytes) -> tuple[str, dict[str, str], bytes]:
    _path, headers, body = multipart(content)
    return "/dicom-web/studies", {**headers, "Accept": "application/dicom+json"}, body


def plain(content: bytes) -> tuple[str, dict[str, str], bytes]:
    return "/instances", {"Content-Type": "application/dicom"}, content


def post(
    server: Server,
    contents: list[bytes],
    connections: int,
    request: Callable[[bytes], tuple[str, dict[str, str], bytes]],
) -> float:
    prepared = [request(content) for content in contents]
    failures: list[int] = []

    def work(share: list[tuple[str, dict[str, str], bytes]]) -> None:
        with closing(
            http.client.HTTPConnection("127.0.0.1", server.http, timeout=60)
        ) as connection:
            for path, headers, body in share:
                connection.request("POST", path, body, headers)
                with connection.getresponse() as response:
                    response.read()
                    if response.status != 200:
                        failures.append(response.status)

    threads = [
        threading.Thread(target=work, args=(prepared[n::connections],)) for n in range(connections)
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    if failures:
        message = f"{len(failures)} requests failed, the first with {failures[0]}"
        raise RuntimeError(message)
    return seconds


def end_to_end(folder: Path, rounds: int) -> Row:
    """Measure C-STORE over 4 associations until everything is in the destination.

    Twice: as fast as `storescu` sends, which is faster than anything is processed, for the rate; and at
    150 instances a second, for how long each takes to become visible.
    """
    row = Row(
        "end to end: C-STORE (4 associations) until visible in the destination, tags only",
        "instances/s",
        ">= 150/s sustained, 95 % within 2 s",
        more_is_better=True,
    )
    folders = outbox(folder / "many", 3 * INSTANCES, 4)
    for number in range(rounds):
        with servers.dicomveil(folder / f"flood-{number}") as server:
            times = _visible(server, lambda to: store(to, folders, 4))
        row.contender("dicomveil, flooded", is_ours=True).values.append(_rate(times))
        with (
            servers.dicomveil(folder / f"steady-{number}") as server,
            measure.MemoryWatch(server.pid) as watch,
        ):
            times = _visible(server, lambda to: _store_steadily(to, folders, SUSTAINED))
        ours = row.contender(f"dicomveil, sent {SUSTAINED} a second", is_ours=True)
        ours.values.append(_rate(times))
        waits = [changed - received for received, changed in times]
        ours.notes |= {
            "p50 s": measure.percentile(waits, 0.5),
            "p95 s": measure.percentile(waits, 0.95),
            "within 2 s %": 100 * sum(wait <= 2 for wait in waits) / len(waits),
            "peak MB": watch.peak_mb,
        }
    shutil.rmtree(folder)
    return row


def _visible(server: Server, send: Callable[[Server], object]) -> list[tuple[float, float]]:
    """Send everything; return when each instance was received and when it became visible."""
    assert server.daemon is not None
    send(server)
    settled = server.daemon.wait_until_settled(3 * INSTANCES, deadline_s=300)
    stored = sum(entry.state is State.STORED for entry in settled)
    measure.expect(stored, 3 * INSTANCES, "dicomveil")
    with closing(sqlite3.connect(f"file:{server.daemon.database}?mode=ro", uri=True)) as database:
        return database.execute("SELECT received_at, changed_at FROM receipts").fetchall()


def _rate(times: list[tuple[float, float]]) -> float:
    first = min(received for received, _ in times)
    return len(times) / (max(changed for _, changed in times) - first)


def _store_steadily(server: Server, folders: list[Path], per_second: int) -> None:
    """Send one instance after the other in turn over one association for each folder."""
    queues = [sorted(folder.iterdir()) for folder in folders]
    turns = [file for files in zip(*queues, strict=True) for file in files]
    with ExitStack() as stack:
        associations = [stack.enter_context(PlainScu(server.dimse)) for _ in folders]
        started = time.perf_counter()
        for number, file in enumerate(turns):
            content = file.read_bytes()
            uid = str(dcmread(io.BytesIO(content), stop_before_pixels=True).SOPInstanceUID)
            delay = started + number / per_second - time.perf_counter()
            if delay > 0:
                time.sleep(delay)
            status = associations[number % len(folders)].store(dataset_of(content), uid.encode())
            measure.expect(status, 0, "dicomveil")
