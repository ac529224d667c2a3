"""Serving: QIDO-RS and WADO-RS, one connection."""

from __future__ import annotations

import http.client
import json
import shutil
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import psutil

from tests.benchmarks import measure, servers, wire
from tests.benchmarks.receive import multipart, plain, post
from tests.benchmarks.table import Row
from tests.factories import many_ct

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.servers import Server

    Paths = tuple[tuple[str, str], ...]

INSTANCES = 2000
PER_STUDY = 100
ROWS = 128
REQUESTS = 300
LEAST = 20
ENOUGH_S = 3.0
"""Of one work in one round: so many requests, fewer where they take longer together."""

_ORTHANC = "Orthanc's own REST (its DICOMweb plugin is not installed)"


def search_and_retrieve(folder: Path, rounds: int) -> list[Row]:
    """Measure searches and retrieves over 2000 instances in 20 studies."""
    wants = {
        "QIDO study list of 20, p50": ("ms", "at most 1/20 of Orthanc", False),
        "QIDO instances of a series of 100, p50": ("ms", "at most 1/20 of Orthanc", False),
        "WADO metadata of a series of 100": ("per second", ">= 5 x Orthanc", True),
        "WADO instance (32 kB CT)": ("per second", ">= 3 x Orthanc", True),
        "WADO frame": ("per second", ">= 3 x Orthanc", True),
    }
    rows = {
        work: Row(work, unit, goal, more_is_better=more)
        for work, (unit, goal, more) in wants.items()
    }
    contents = list(many_ct(INSTANCES, rows=ROWS, per_study=PER_STUDY, seed=33))
    with ExitStack() as stack:
        contenders = [("dicomveil", *_ours(stack, folder / "ours", contents), True)]
        if servers.has_orthanc():
            server = stack.enter_context(servers.orthanc(folder / "orthanc"))
            post(server, contents, 4, plain)
            name, paths = _orthanc_paths(server.http)
            contenders.append((name, server, paths, False))
        # In turn, so that what else the machine does meets both.
        for _ in range(rounds):
            for number, row in enumerate(rows.values()):
                for name, server, paths, is_ours in contenders:
                    path, accept = paths[number]
                    ask(row, name, server, path, accept, is_ours=is_ours)
    shutil.rmtree(folder, ignore_errors=True)
    return list(rows.values())


def _ours(stack: ExitStack, folder: Path, contents: list[bytes]) -> tuple[Server, Paths]:
    server = stack.enter_context(servers.dicomveil(folder))
    post(server, contents, 4, multipart)
    assert server.daemon is not None
    server.daemon.wait_until_settled(INSTANCES, deadline_s=300)
    study, series, instance = next(iter(server.daemon.replaced().values()))
    return server, dicomweb_paths("/dicomweb/deid/studies", study, series, instance)


def dicomweb_paths(base: str, study: str, series: str, instance: str) -> Paths:
    """Return what is asked of a DICOMweb service, with what is accepted, in the order of the rows."""
    one = f"{base}/{study}/series/{series}"
    return (
        (f"{base}?limit=20", "application/dicom+json"),
        (f"{one}/instances", "application/dicom+json"),
        (f"{one}/metadata", "application/dicom+json"),
        (f"{one}/instances/{instance}", 'multipart/related; type="application/dicom"'),
        (
            f"{one}/instances/{instance}/frames/1",
            'multipart/related; type="application/octet-stream"',
        ),
    )


def _orthanc_paths(port: int) -> tuple[str, Paths]:
    """Return what Orthanc is called and asked: by DICOMweb where its plugin is there."""
    study = ask_json(port, "/studies?expand&limit=1&since=0")[0]
    series = ask_json(port, f"/series/{study['Series'][0]}")
    instance = ask_json(port, f"/instances/{series['Instances'][0]}")
    if servers.has_orthanc_dicomweb():
        uids = (
            study["MainDicomTags"]["StudyInstanceUID"],
            series["MainDicomTags"]["SeriesInstanceUID"],
            instance["MainDicomTags"]["SOPInstanceUID"],
        )
        return "Orthanc, DICOMweb by its plugin", dicomweb_paths("/dicom-web/studies", *uids)
    plain = (
        "/studies?expand&limit=20&since=0",
        f"/series/{series['ID']}/instances?expand",
        f"/series/{series['ID']}/instances-tags?simplify",
        f"/instances/{instance['ID']}/file",
        f"/instances/{instance['ID']}/frames/0/raw",
    )
    return _ORTHANC, tuple((path, "*/*") for path in plain)


def ask(row: Row, name: str, server: Server, path: str, accept: str, *, is_ours: bool) -> None:
    """Ask for the same again and again; note the median, and the processor time that the server took."""
    times: list[float] = []
    request = wire.get(server.http, path, accept)
    process = psutil.Process(server.pid)
    with wire.Wire(server.http) as connection:
        size = connection.ask(request)
        before = _cpu_s(process)
        began = time.perf_counter()
        while len(times) < LEAST or (
            len(times) < REQUESTS and time.perf_counter() < began + ENOUGH_S
        ):
            started = time.perf_counter()
            connection.ask(request)
            times.append(time.perf_counter() - started)
        spent = _cpu_s(process) - before
    contender = row.contender(name, is_ours=is_ours)
    middle = measure.percentile(times, 0.5)
    contender.values.append(1 / middle if row.more_is_better else 1000 * middle)
    contender.notes |= {
        "p99 ms": 1000 * measure.percentile(times, 0.99),
        "CPU us": 1e6 * spent / len(times),
        "kB": size / 1000,
    }


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def ask_json(port: int, path: str) -> Any:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path)
        with connection.getresponse() as response:
            return json.loads(response.read())
