"""Serving: QIDO-RS and WADO-RS, one connection."""

from __future__ import annotations

import http.client
import json
import shutil
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from tests.benchmarks import measure, servers
from tests.benchmarks.receive import multipart, plain, post
from tests.benchmarks.table import Row
from tests.factories import many_ct

if TYPE_CHECKING:
    from pathlib import Path

INSTANCES = 2000
PER_STUDY = 100
ROWS = 128
REQUESTS = 100

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
    with servers.dicomveil(folder / "ours") as server:
        post(server, contents, 4, multipart)
        assert server.daemon is not None
        server.daemon.wait_until_settled(INSTANCES, deadline_s=300)
        study, series, instance = next(iter(server.daemon.replaced().values()))
        paths = dicomweb_paths("/dicomweb/deid/studies", study, series, instance)
        for _ in range(rounds):
            for row, (path, accept) in zip(rows.values(), paths, strict=True):
                ask(row, "dicomveil", server.http, path, accept, is_ours=True)
    if servers.has_orthanc():
        with servers.orthanc(folder / "orthanc") as server:
            post(server, contents, 4, plain)
            name, paths = _orthanc_paths(server.http)
            for _ in range(rounds):
                for row, (path, accept) in zip(rows.values(), paths, strict=True):
                    ask(row, name, server.http, path, accept, is_ours=False)
    shutil.rmtree(folder, ignore_errors=True)
    return list(rows.values())


def dicomweb_paths(
    base: str, study: str, series: str, instance: str
) -> tuple[tuple[str, str], ...]:
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


def _orthanc_paths(port: int) -> tuple[str, tuple[tuple[str, str], ...]]:
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


def ask(row: Row, name: str, port: int, path: str, accept: str, *, is_ours: bool) -> None:
    times = []
    size = 0
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        for _ in range(REQUESTS):
            started = time.perf_counter()
            connection.request("GET", path, headers={"Accept": accept})
            with connection.getresponse() as response:
                size = len(response.read())
                if response.status != 200:
                    message = f"{name} answered {response.status} to a benchmark's request"
                    raise RuntimeError(message)
            times.append(time.perf_counter() - started)
    contender = row.contender(name, is_ours=is_ours)
    middle = measure.percentile(times, 0.5)
    contender.values.append(1 / middle if row.more_is_better else 1000 * middle)
    contender.notes |= {"p99 ms": 1000 * measure.percentile(times, 0.99), "kB": size / 1000}


def ask_json(port: int, path: str) -> Any:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path)
        with connection.getresponse() as response:
            return json.loads(response.read())
