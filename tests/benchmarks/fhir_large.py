"""``python -m tests.benchmarks.fhir_large``: large files of resources through the doors, and their memory.

NDJSON of 1 GB and a Bundle of 500 MB (``--scale`` makes them smaller) are dropped into the watched folder,
given to ``dicomveil deid``, imported by the Healthcare API, and, the Bundle as a batch, posted. Printed are
size, seconds, resources in the index or the output, and by how much the process that grew most grew above what
it held when it was idle (the kernel's peak, VmHWM). Last, a document tells of 20 000 people (``--people``) whom
notes and images beside it name: how many names are left by ``dicomveil deid``.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from daemon.cli.output import print_line
from deid.fhir.splitting import BundleParts
from tests.benchmarks import fhir_people
from tests.benchmarks.fhir_speed import bundle, ndjson
from tests.healthcare_client import DATASETS, ask
from tests.service import RunningDaemon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_MIB: Final = 256
_SETTINGS: Final = """
[workers]
count = 2
[fhir]
max_body_bytes = 2000000000
max_entries = 10000000
[healthcare]
folders = ["FOLDER"]
[deidentifiers.default.config.fhir]
"""
_GIVE_UP_S: Final = 7200
_POLL_S: Final = 0.1
_JSON: Final = "application/json"
_IDLE_MIB: Final = 60
"""What a process of `dicomveil deid` holds before its first input."""
_IMAGES: Final = 10


class Growth:
    """Watches the processes that one began: how much more each came to hold than it did when it was idle.

    Parameters
    ----------
    idle_mib
        What a process holds that has nothing to do, where all of them are new; 0 has them looked at now.
    """

    def __init__(self, root: int, idle_mib: int = 0) -> None:
        self._root = root
        self._new_kib = idle_mib * 1024
        self._idle: dict[int, int] = {}
        self._peak: dict[int, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        if not self._new_kib:
            self._idle = {pid: _kib(pid, "VmRSS") for pid in _pids(self._root)}
        for pid in self._idle:
            with suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_POLL_S):
            for pid in _pids(self._root):
                self._peak[pid] = max(self._peak.get(pid, 0), _kib(pid, "VmHWM"))

    @property
    def mebibytes(self) -> float:
        """The most that one process grew; one that came later, from nothing."""
        grown = [peak - self._idle.get(pid, self._new_kib) for pid, peak in self._peak.items()]
        return max(grown, default=0) / 1024


def _pids(root: int) -> list[int]:
    """Return a process and all that it, or one of those, began."""
    children: dict[int, list[int]] = {}
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            with suppress(OSError, IndexError, ValueError):
                fields = (each / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(each.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def _kib(pid: int, name: str) -> int:
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines()
        return int(next(line for line in lines if line.startswith(name)).split()[1])
    return 0


def _written(folder: Path, name: str, made: Callable[[int], Iterator[bytes]], size: int) -> Path:
    path = folder / name
    with path.open("wb") as file:
        for chunk in made(size):
            file.write(chunk)
    return path


@contextmanager
def _running(folder: Path) -> Iterator[RunningDaemon]:
    inbox = folder / "inbox"
    inbox.mkdir(parents=True)
    settings = _SETTINGS.replace("FOLDER", str(folder.parent))
    daemon = RunningDaemon(folder / "state", folder, inbox=inbox, settings=settings)
    daemon.start()
    time.sleep(2)
    try:
        yield daemon
    finally:
        daemon.stop()


def _count(daemon: RunningDaemon, store: str) -> int:
    query = (
        "SELECT count(*) FROM fhir_resources r JOIN stores s ON s.id = r.store_id"
        " WHERE s.kind = 'fhir' AND s.role = ? AND r.is_deleted = 0"
    )
    with sqlite3.connect(f"file:{daemon.database}?mode=ro", uri=True) as connection:
        return int(connection.execute(query, (store,)).fetchone()[0])


def watched(folder: Path, source: Path, resources: int) -> bool:
    """Drop a file into the watched folder, and wait until it is in the source."""
    with _running(folder) as daemon:
        assert daemon.process is not None
        assert daemon.inbox is not None
        with Growth(daemon.process.pid) as growth:
            started = time.monotonic()
            unfinished = daemon.inbox / f".{source.name}"
            shutil.copyfile(source, unfinished)
            unfinished.rename(daemon.inbox / source.name)
            daemon.wait_until_settled(1, deadline_s=_GIVE_UP_S)
            spent = time.monotonic() - started
            found = _count(daemon, "source")
        return _tell("watched folder", source, spent, found, resources, growth)


def imported(folder: Path, source: Path, resources: int) -> bool:
    """Have the Healthcare API import a file into a store of its own."""
    with _running(folder) as daemon:
        assert daemon.process is not None
        dataset = f"/v1/{DATASETS}/datasets/large"
        _asked(daemon, f"/v1/{DATASETS}/datasets?datasetId=large", {})
        _asked(daemon, f"{dataset}/fhirStores?fhirStoreId=large", {"version": "R4"})
        structure = "RESOURCE" if source.suffix == ".ndjson" else "BUNDLE_PRETTY"
        wanted = {"contentStructure": structure, "gcsSource": {"uri": f"file://{source}"}}
        with Growth(daemon.process.pid) as growth:
            started = time.monotonic()
            operation = _asked(daemon, f"{dataset}/fhirStores/large:import", wanted)
            while not json.loads(daemon.get(f"/v1/{operation['name']}")[1]).get("done"):
                time.sleep(1)
            spent = time.monotonic() - started
        return _tell("imported", source, spent, _count(daemon, ""), resources, growth)


def posted(folder: Path, source: Path, resources: int) -> bool:
    """Post a Bundle as a batch, and read all of the answer."""
    if source.suffix == ".ndjson":
        return True  # nobody posts lines
    with _running(folder) as daemon:
        assert daemon.process is not None
        with Growth(daemon.process.pid) as growth:
            started = time.monotonic()
            _post(daemon, source)
            spent = time.monotonic() - started
            found = _count(daemon, "source")
        return _tell("posted", source, spent, found, resources, growth)


def _asked(daemon: RunningDaemon, path: str, body: object) -> Any:
    answer = ask(daemon.http + path, "POST", json.dumps(body).encode(), Content_Type=_JSON)
    assert answer.status == 200, answer.body
    return answer.json


def _post(daemon: RunningDaemon, source: Path) -> None:
    """Send a file, its transaction as a batch, and take the answer as it comes."""
    kind = b'"type":"transaction"'
    with source.open("rb") as file:
        head = file.read(100).replace(kind, b'"type":"batch"      ')
        size = source.stat().st_size
        chunks = chain([head], iter(lambda: file.read(1 << 20), b""))
        connection = http.client.HTTPConnection("127.0.0.1", int(daemon.addresses["http"][1]))
        headers = {"Content-Type": "application/fhir+json", "Content-Length": str(size)}
        connection.request("POST", "/fhir/source", body=chunks, headers=headers)
        with connection.getresponse() as response:
            while response.read(1 << 20):
                pass
            assert response.status == 200, response.status
        connection.close()


def by_command(folder: Path, source: Path, resources: int) -> bool:
    """Give a file to ``dicomveil deid``, by itself."""
    spent, growth = _deidentified(folder, source, {"fhir": {}})
    found = sum(_resources_in(each) for each in (folder / "out").rglob("*.*json"))
    return _tell("dicomveil deid", source, spent, found, resources, growth)


def named_elsewhere(folder: Path, count: int) -> bool:
    """Give a document of so many people to ``dicomveil deid``, beside notes and images that name them."""
    everybody = fhir_people.people(count)
    source = folder / "in"
    notes = fhir_people.write(source, everybody, images=_IMAGES)
    spent, growth = _deidentified(folder / "made", source, fhir_people.CONFIGURATION)
    left, texts = fhir_people.left(folder / "made" / "out", everybody)
    size = sum(each.stat().st_size for each in source.iterdir())
    print_line(
        f"dicomveil deid: {count} people, {notes} notes, {_IMAGES} images, {size / 1e6:.0f} MB: {spent:.0f} s,"
        f" {left} of {2 * count} names and numbers left in {texts} files,"
        f" {growth.mebibytes:.0f} MiB above idle (at most {MOST_MIB})"
    )
    return not left and texts == notes + _IMAGES + 1 and growth.mebibytes <= MOST_MIB


def _deidentified(
    folder: Path, source: Path, configuration: dict[str, dict[str, Any]]
) -> tuple[float, Growth]:
    """Run ``dicomveil deid`` into a folder's ``out``; return how long it took, and what it grew by."""
    folder.mkdir(exist_ok=True)
    key = folder / "site.key"
    key.touch(0o600)
    key.write_bytes(bytes(range(100, 132)))
    lines = [f'[key]\nfile = "{key}"']
    for name, section in configuration.items():
        lines.append(f"[deidentifiers.default.config.{name}]")
        lines += [f"{option} = {json.dumps(value)}" for option, value in section.items()]
    config = folder / "dicomveil.toml"
    config.write_text("\n".join(lines), "utf-8")
    command = [
        *(sys.executable, "-m", "daemon", "deid", str(source), "--out", str(folder / "out")),
        *("--config", str(config), "--jobs", "1"),
    ]
    started = time.monotonic()
    with subprocess.Popen(command, start_new_session=True) as process:
        with Growth(process.pid, idle_mib=_IDLE_MIB) as growth:
            process.wait()
        return time.monotonic() - started, growth


def _resources_in(path: Path) -> int:
    with path.open("rb") as file:
        if path.suffix == ".ndjson":
            return sum(1 for _ in file)
        return sum(1 for _ in BundleParts(file).entries())


def _tell(door: str, source: Path, spent: float, found: int, wanted: int, growth: Growth) -> bool:
    size = source.stat().st_size / 1e6
    print_line(
        f"{door}: {source.name} of {size:.0f} MB: {spent:.0f} s, {found} of {wanted} resources,"
        f" {growth.mebibytes:.0f} MiB above idle (at most {MOST_MIB})"
    )
    return found == wanted and growth.mebibytes <= MOST_MIB


DOORS: Final = {"watch": watched, "deid": by_command, "import": imported, "post": posted}


def main() -> int:
    """Measure; end with 1 where a ceiling is passed, or a resource is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.fhir_large", description=__doc__
    )
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--doors", nargs="*", choices=DOORS, default=list(DOORS))
    options = parser.parse_args()
    fits = True
    with tempfile.TemporaryDirectory(prefix="fhir-large-", dir="/tmp") as name:
        folder = Path(name)
        for file, made, size in (("a.ndjson", ndjson, 1e9), ("b.json", bundle, 5e8)):
            source = _written(folder, file, made, int(size * options.scale))
            resources = _resources_in(source)
            for door in options.doors:
                fits = DOORS[door](folder / f"{door}-{file}", source, resources) and fits
            source.unlink()
        if options.people:
            fits = named_elsewhere(folder / "people", options.people) and fits
    return int(not fits)


if __name__ == "__main__":
    sys.exit(main())
