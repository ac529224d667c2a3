"""``python -m tests.benchmarks.versions``: this checkout beside an earlier version of it, in one run.

Both are driven from outside, by what no version changes: the command line, C-STORE, STOW-RS, QIDO-RS,
WADO-RS, and `deid.deidentify`. They take turns in each round, so that a machine that becomes slower meanwhile
is slower for both. The ratio printed is the median over rounds of now divided by before: below 1 is faster
for times, above 1 for rates.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daemon.cli.output import print_line
from tests.benchmarks import measure, table
from tests.benchmarks.pixels import speed
from tests.benchmarks.pixels.files import write_file
from tests.benchmarks.receive import multipart, outbox, post, store
from tests.benchmarks.serve import ask, ask_json, dicomweb_paths
from tests.benchmarks.servers import Server
from tests.benchmarks.table import Row
from tests.factories import many_ct
from tests.service import ROOT, RunningDaemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

BEFORE: Final = "7beb5fa"
"""The version before the house was opened."""
_CT: Final = 300
_STORED: Final = 300
_SERVED: Final = 1000
_PER_STUDY: Final = 50
_FILES: Final = (1, 200, 2000)
#: Of before, in the order of `speed.CASES`.
_LOOKED_AT: Final = (
    "at most 0.1 of before",
    "at most 0.125 of before",
    "at most before",
    "at most 0.14 of before",
)
_BATCH_ROWS: Final = 128

# Run in each checkout: only what both have. Prints the seconds of processor time for each file.
_TAGS: Final = """
import pathlib, sys, time
import deid
basic = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
plan = deid.compile_plan(basic, deid.SiteKey(bytes(range(32)))).prepare()
contents = [path.read_bytes() for path in sorted(pathlib.Path(sys.argv[1]).iterdir())]
for content in contents[:20]:
    deid.deidentify(content, plan)
started = time.process_time()
for content in contents:
    deid.deidentify(content, plan)
print((time.process_time() - started) / len(contents))
"""

_READ_AND_SAVE: Final = """
import pathlib, sys
import pydicom
out = pathlib.Path(sys.argv[2])
out.mkdir(exist_ok=True)
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    pydicom.dcmread(path).save_as(out / path.name)
"""


@dataclass(frozen=True, slots=True)
class Version:
    """A checkout to run, the interpreter that finds its packages, and how the table calls it."""

    name: str
    root: Path
    python: str
    is_now: bool = False

    def run(self, *arguments: str | Path) -> measure.Cost:
        """Run Python in this checkout and measure it."""
        return measure.run([self.python, *arguments], cwd=self.root)


@contextmanager
def checked_out(revision: str) -> Iterator[Version]:
    """Check a revision out into a temporary folder, and forget it again.

    Our own installation is editable, and workers look there first; so the checkout gets an environment in
    which it stands in that place, with the packages that are installed here.
    """
    folder = Path(tempfile.mkdtemp(prefix="dicomveil-before-"))
    root = folder / "checkout"
    git = ["git", "-C", str(ROOT), "worktree"]
    try:
        subprocess.run([*git, "add", "--quiet", "--detach", str(root), revision], check=True)
        yield Version(f"before ({revision})", root, _environment(folder / "environment", root))
    finally:
        subprocess.run([*git, "remove", "--force", str(root)], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _environment(folder: Path, root: Path) -> str:
    """Make an environment in which `root` is installed beside the packages of this one; return its Python."""
    venv.EnvBuilder(symlinks=True).create(folder)
    (packages,) = folder.glob("lib/python3*/site-packages")
    ours = sysconfig.get_path("purelib")
    (packages / "checkout.pth").write_text(f"{root}\n{ours}\n")
    return str(folder / "bin" / "python")


@contextmanager
def running(version: Version, folder: Path) -> Iterator[Server]:
    """Run a version's service with its defaults."""
    (folder / "state").mkdir(mode=0o700, parents=True)
    daemon = RunningDaemon(
        folder / "state", folder, workers=0, root=version.root, python=version.python
    )
    daemon.start()
    assert daemon.process is not None
    try:
        port = int(daemon.addresses["http"][1])
        yield Server(daemon.process.pid, "DICOMVEIL", daemon.dimse_port, port, daemon)
    finally:
        daemon.stop()
        shutil.rmtree(folder, ignore_errors=True)


def tags(versions: Sequence[Version], folder: Path, rounds: int) -> list[Row]:
    """Measure processor time for each CT of 0.5 MB, in memory of one process."""
    row = Row("tags of a 0.5 MB CT, in memory, processor time", "ms", "at most 1.03 of before")
    inputs = _inputs(folder / "in", _CT, rows=512)
    for version in _in_turn(versions, rounds):
        said = subprocess.run(
            [version.python, "-c", _TAGS, str(inputs)],
            cwd=version.root, check=True, capture_output=True, text=True,
        )  # fmt: skip
        _note(row, version, 1000 * float(said.stdout))
    return [row]


def command_line(versions: Sequence[Version], folder: Path, rounds: int) -> list[Row]:
    """Measure ``dicomveil deid`` of 1, 200 and 2000 files, and ``--help``, in wall time."""
    rows = []
    key = folder / "key"
    folder.mkdir(parents=True)
    key.write_bytes(bytes(range(32)))
    key.chmod(0o600)
    help_row = Row("dicomveil --help, wall", "s", "below 0.1 s")
    for version in _in_turn(versions, rounds):
        _note(help_row, version, version.run("-m", "daemon", "--help").wall_s)
        _note_reference(help_row, version, "import pydicom")
    rows.append(help_row)
    for count in _FILES:
        goal = "at most 2 x importing pydicom" if count == 1 else "at most 1.03 of before"
        row = Row(f"dicomveil deid of {count} small CT, one job, wall", "s", goal)
        inputs = _inputs(folder / f"in-{count}", count, rows=_BATCH_ROWS)
        out = folder / "out"
        for version in _in_turn(versions, rounds):
            # The preset that both have; what is shipped as the default does more today than it did.
            for preset in ("basic", "default") if version.is_now else ("basic",):
                shutil.rmtree(out, ignore_errors=True)
                cost = version.run(
                    "-m", "daemon", "deid", inputs, "--out", out, "--key-file", key, "--jobs", "1",
                    "--deidentifier", preset,
                )  # fmt: skip
                done = sum(".quarantine" not in path.parts for path in out.rglob("*.dcm"))
                measure.expect(done, count, version.name)
                if preset == "basic":
                    _note(row, version, cost.wall_s)
                else:
                    row.contender("now, preset default").values.append(cost.wall_s)
            if count == 1:
                _note_reference(row, version, "import pydicom")
            _note_reference(
                row, version, _READ_AND_SAVE, "pydicom read and save", inputs, folder / "saved"
            )
        rows.append(row)
    return rows


def receiving(versions: Sequence[Version], folder: Path, rounds: int) -> list[Row]:
    """Measure C-STORE and STOW-RS over 1 and 4 connections, durable before the answer."""
    rows = []
    for count in (1, 4):
        row = Row(
            f"C-STORE, {count} association(s)", "instances/s", "at least 0.97 of before", True
        )
        folders = outbox(folder / f"outbox-{count}", _STORED, count)
        for number, version in enumerate(_in_turn(versions, rounds)):
            with running(version, folder / f"server-{number}") as server:
                seconds = store(server, folders, count)
                _wait_until_found(server, "source", _STORED)
            _note(row, version, _STORED / seconds)
        rows.append(row)
    contents = list(many_ct(_STORED, seed=32))
    for count in (1, 4):
        row = Row(f"STOW-RS, {count} connection(s)", "instances/s", "at least 0.97 of before", True)
        for number, version in enumerate(_in_turn(versions, rounds)):
            with running(version, folder / f"server-{number}") as server:
                seconds = post(server, contents, count, multipart)
                _wait_until_found(server, "source", _STORED)
            _note(row, version, _STORED / seconds)
        rows.append(row)
    return rows


def serving(versions: Sequence[Version], folder: Path, rounds: int) -> list[Row]:
    """Measure searches and retrieves, and what the database holds for each instance."""
    rows = [
        Row("QIDO study list of 20, p50", "ms", "at most 1.03 of before"),
        Row("QIDO instances of a series, p50", "ms", "at most 1.03 of before"),
        Row("WADO metadata of a series", "per second", "at least 0.97 of before", True),
        Row("WADO instance", "per second", "at least 0.97 of before", True),
        Row("WADO frame", "per second", "at least 0.97 of before", True),
    ]
    size = Row("database, bytes for each instance", "bytes", "at most 10 000")
    journal = Row("of them the journal, some 4 MB however many there are", "bytes", "none")
    contents = list(many_ct(_SERVED, rows=_BATCH_ROWS, per_study=_PER_STUDY, seed=33))
    with ExitStack() as stack:
        servers = {}
        for version in versions:
            server = stack.enter_context(running(version, folder / f"serve-{version.is_now}"))
            post(server, contents, 4, multipart)
            _wait_until_found(server, "deid", _SERVED)
            servers[version.name] = server
            assert server.daemon is not None
            database = server.daemon.state_dir / "dicomveil.sqlite"
            held = sum(path.stat().st_size for path in database.parent.glob("dicomveil.sqlite*"))
            _note(size, version, held / _SERVED)
            written_ahead = database.with_name("dicomveil.sqlite-wal").stat().st_size
            _note(journal, version, written_ahead / _SERVED)
        for version in _in_turn(versions, rounds):
            server = servers[version.name]
            paths = dicomweb_paths("/dicomweb/deid/studies", *_first(server.http))
            for row, (path, accept) in zip(rows, paths, strict=True):
                ask(row, version.name, server, path, accept, is_ours=version.is_now)
    return [*rows, size, journal]


def pixels(versions: Sequence[Version], folder: Path, rounds: int) -> list[Row]:
    """Measure processor time for looking at every frame of an instance, less that of a start."""
    folder.mkdir(parents=True)
    key = folder / "key"
    key.write_bytes(bytes(range(32)))
    key.chmod(0o600)
    cases = {"": speed.make_small(), **{case: speed.make_case(case) for case in speed.CASES}}
    for number, instance in enumerate(cases.values()):
        # Of a modality for which much may be filled: eight texts are most of what an ultrasound shows.
        attributes = {**instance.attributes, "Modality": "OT"}
        write_file(folder / f"{number}.dcm", replace(instance, attributes=attributes))
    rows = {
        case: Row(f"{case}, every frame looked at, processor time", "s", goal)
        for case, goal in zip(speed.CASES, _LOOKED_AT, strict=True)
    }
    for version in _in_turn(versions, rounds):
        start = 0.0
        for number, case in enumerate(cases):
            out = folder / "out"
            shutil.rmtree(out, ignore_errors=True)
            cost = version.run(
                "-m", "daemon", "deid", folder / f"{number}.dcm", "--out", out,
                "--key-file", key, "--jobs", "1", "--deidentifier", "research",
            )  # fmt: skip
            measure.expect(len(list(out.rglob("*.dcm"))), 1, version.name)
            if case:
                _note(rows[case], version, cost.cpu_s - start)
            else:
                start = cost.cpu_s
    return [*rows.values()]


WORKS: Final[dict[str, Callable[[Sequence[Version], Path, int], list[Row]]]] = {
    "tags": tags,
    "command-line": command_line,
    "receiving": receiving,
    "serving": serving,
    "pixels": pixels,
}


def _in_turn(versions: Sequence[Version], rounds: int) -> Iterator[Version]:
    """Yield each version in each round, the first of a round being another each time."""
    for number in range(rounds):
        yield from versions if number % 2 else reversed(versions)


def _note(row: Row, version: Version, value: float) -> None:
    row.contender(version.name, is_ours=version.is_now).values.append(value)


def _note_reference(
    row: Row, version: Version, code: str, name: str = "", *arguments: Path
) -> None:
    """Measure starting Python and running some code, once in a round."""
    if version.is_now:
        cost = version.run("-c", code, *arguments)
        row.contender(name or code).values.append(cost.wall_s)


def _inputs(folder: Path, count: int, *, rows: int) -> Path:
    folder.mkdir(parents=True)
    for number, content in enumerate(many_ct(count, rows=rows)):
        (folder / f"{number:05d}.dcm").write_bytes(content)
    return folder


def _wait_until_found(server: Server, name: str, count: int) -> None:
    """Wait until a store answers for all instances, a page of whole studies at a time."""

    def is_there() -> bool:
        path = f"/dicomweb/{name}/studies?includefield=00201208&limit=10000"
        studies = ask_json(server.http, path)
        found: int = sum(each["00201208"]["Value"][0] for each in studies)
        return found >= count

    wait_until(is_there, what=f"all instances are found in {name}", deadline_s=300)


def _first(port: int) -> tuple[str, str, str]:
    """Return the UIDs of one instance."""
    (found,) = ask_json(port, "/dicomweb/deid/instances?limit=1")
    study, series, instance = (
        found[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")
    )
    return study, series, instance


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.versions", description=__doc__
    )
    parser.add_argument("works", nargs="*", metavar="WORK", help=f"of {', '.join(WORKS)}")
    parser.add_argument("--before", default=BEFORE, help="the revision to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="where figures go, too")
    options = parser.parse_args()
    if unknown := set(options.works) - WORKS.keys():
        parser.error(f"no such work: {', '.join(sorted(unknown))}")
    rows: list[Row] = []
    with checked_out(options.before) as before:
        versions = (before, Version("now", ROOT, sys.executable, is_now=True))
        for name in options.works or WORKS:
            print_line(f"measuring {name} ...", sys.stderr)
            folder = Path(tempfile.mkdtemp(prefix=f"dicomveil-{name}-"))
            started = time.monotonic()
            try:
                found = WORKS[name](versions, folder / "work", options.rounds)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            rows += found
            table.show(found)
            print_line(f"    ({time.monotonic() - started:.0f} s)", sys.stderr)
    if options.json:
        options.json.write_text(json.dumps([row.ratios() for row in rows], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
