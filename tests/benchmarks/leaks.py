"""``python -m tests.benchmarks.leaks``: the adversarial corpus through this program and its peers.

Each tool runs with its own defaults for the Basic Profile, as its manual says, and one file at a time. A
file that a tool does not deliver is counted as refused, never as a leak. Peers that are Python packages
live in an environment of their own (``--install-peers`` makes it), because one of them has our import name.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli.output import print_line
from tests.adversarial.corpus import HidingPlace, corpus
from tests.adversarial.probes import left, probes
from tests.adversarial.running import outputs, plan_of
from tests.adversarial.scorer import Scorer, dciodvfy_errors
from tests.benchmarks import servers
from tests.conftest import program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PACKAGES = ("dicom-anonymizer", "dicognito", "deid")
PEERS = Path(tempfile.gettempdir()) / "dicomveil-peers"
_BY_TABLE = frozenset({"table", "header", "sequences", "nesting", "private", "syntax", "un"})
"""Families in which Table E.1-1 names what has to go; the others are about everything else."""

_PATIENCE_S = 15.0
"""A tool that is not done with one small file by then has refused it."""

# Each reads file paths on standard input, two in a line: from, to.
_DRIVERS = {
    "dicom-anonymizer": """
from dicomanonymizer.simpledicomanonymizer import anonymize_dicom_file as run
""",
    "dicognito": """
from dicognito.anonymizer import Anonymizer
from pydicom import dcmread
anonymizer = Anonymizer(seed="corpus")
def run(source, target):
    dataset = dcmread(source)
    anonymizer.anonymize(dataset)
    dataset.save_as(target)
""",
    "deid": """
import pathlib
from deid.dicom import replace_identifiers
def run(source, target):
    folder = str(pathlib.Path(target).parent)
    replace_identifiers(
        dicom_files=[source], save=True, overwrite=True, output_folder=folder, remove_private=True
    )
""",
}
_LOOP = """
import sys
for line in sys.stdin:
    try:
        run(*line.rstrip("\\n").split("\\t"))
    except Exception:
        pass
"""


@dataclass(slots=True)
class Tally:
    """What one tool made of the corpus.

    Attributes
    ----------
    leaking
        Ids of the places of which something survived.
    markers
        How many planted values survived in all.
    lost
        How many values that the profile keeps are gone, and of how many.
    broken
        References that do not agree any more within their file.
    new_errors
        Files for which dciodvfy has an error that it did not have before.
    """

    tool: str
    refused: int = 0
    unreadable: int = 0
    leaking: list[str] = field(default_factory=list)
    markers: int = 0
    lost: int = 0
    kept: int = 0
    broken: int = 0
    new_errors: int = 0

    def row(self, places: int) -> list[str]:
        """Return the cells of this tool's line."""
        done = places - self.refused
        by_table = sum(name.partition("/")[0] in _BY_TABLE for name in self.leaking)
        return [
            self.tool,
            f"{len(self.leaking)} ({100 * len(self.leaking) / max(1, done):.1f} %)",
            str(by_table),
            str(len(self.leaking) - by_table),
            str(self.markers),
            str(self.refused),
            str(self.unreadable),
            f"{self.lost} ({100 * self.lost / max(1, self.kept):.1f} %)",
            str(self.broken),
            str(self.new_errors),
        ]


HEADINGS = [
    "tool", "places leaking", "named by the table", "others", "values found", "refused",
    "unreadable", "kept values lost", "references broken", "files with new errors",
]  # fmt: skip


def main() -> int:
    """Run the tools that were asked for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.leaks", description=__doc__)
    parser.add_argument("tools", nargs="*", metavar="TOOL", help="of those below; all if none")
    parser.add_argument("--install-peers", action="store_true", help="make the peers' environment")
    parser.add_argument("--peers", type=Path, default=PEERS, help="where that environment is")
    parser.add_argument("--list", action="store_true", help="name the places of which each leaks")
    parser.add_argument(
        "--probes",
        action="store_true",
        help="files with one disguised identifier each, through this program, instead of the corpus",
    )
    options = parser.parse_args()
    if options.probes:
        return _probe(names=options.list)
    if options.install_peers:
        install(options.peers)
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    places = corpus()
    tallies = []
    with tempfile.TemporaryDirectory(prefix="dicomveil-leaks-") as name:
        folder = Path(name)
        sources = _write(folder / "in", {place.id: place.content for place in places})
        works = _works(options.peers)
        if unknown := set(options.tools) - set(works):
            parser.error(
                f"no such tool: {', '.join(sorted(unknown))}; there are {', '.join(works)}"
            )
        before = _errors(sources, folder)
        for tool in options.tools or works:
            print_line(f"running {tool} ...", sys.stderr)
            out = folder / "out"
            out.mkdir()
            name_of_tool = works[tool](sources, out)
            tallies.append(_tally(name_of_tool, places, out, before, folder))
            shutil.rmtree(out)
    planted = sum(len(place.planted) for place in places)
    print_line(f"{len(places)} places, {planted} values")
    print_line("")
    _print(HEADINGS, [each.row(len(places)) for each in tallies])
    families = Counter(place.family for place in places)
    found = [Counter(name.partition("/")[0] for name in each.leaking) for each in tallies]
    print_line("")
    _print(
        ["family", "places", *(each.tool for each in tallies)],
        [
            [family, str(count), *(str(each[family]) for each in found)]
            for family, count in families.items()
        ],
    )
    if options.list:
        for each in tallies:
            print_line("")
            print_line(f"{each.tool}: {' '.join(each.leaking)}")
    return 0


def _probe(*, names: bool) -> int:
    """Print how many disguises are left, of people who were looked at while rules were written and others."""
    rows = []
    for preset in ("basic", "research", "minimal"):
        plan = plan_of(preset)
        cells = [f"dicomveil, {preset}"]
        for held_out in (False, True):
            chosen = [probe for probe in probes() if probe.held_out is held_out]
            found = left(chosen, plan)
            cells.append(f"{len(found)} of {len(chosen)} ({100 * len(found) / len(chosen):.1f} %)")
            if names:
                print_line("\n".join(probe.id for probe in found))
        rows.append(cells)
    _print(["tool", "left, people looked at", "left, others"], rows)
    return 0


def install(folder: Path) -> None:
    """Make an environment of its own for the peers that are Python packages."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, *PACKAGES], check=True)


Sources = dict[str, Path]


def _works(peers: Path) -> dict[str, Callable[[Sources, Path], str]]:
    works: dict[str, Callable[[Sources, Path], str]] = {
        "basic": partial(_ours, "basic"),
        "research": partial(_ours, "research"),
    }
    if (peers / "bin" / "python").exists():
        works |= {package: partial(_package, peers, package) for package in PACKAGES}
    if program("gdcmanon") and program("openssl"):
        works["gdcmanon"] = _gdcmanon
    if servers.has_orthanc():
        works["orthanc"] = _orthanc
    return works


def _ours(preset: str, sources: Sources, out: Path) -> str:
    made = outputs(preset)
    for name, path in sources.items():
        output = made[name]
        if isinstance(output, bytes):
            (out / path.name).write_bytes(output)
    return f"dicomveil, {preset}"


def _package(peers: Path, package: str, sources: Sources, out: Path) -> str:
    python = str(peers / "bin" / "python")
    lines = "".join(f"{path}\t{out / path.name}\n" for path in sources.values())
    # Isolated and elsewhere: our own `deid` must not be found.
    subprocess.run(
        [python, "-I", "-W", "ignore", "-c", _DRIVERS[package] + _LOOP],
        input=lines.encode(), check=False, capture_output=True, cwd=out,
    )  # fmt: skip
    version = subprocess.run(
        [python, "-I", "-c", f"from importlib.metadata import version as v; print(v({package!r}))"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return f"{package} {version.stdout.strip()}"


def _gdcmanon(sources: Sources, out: Path) -> str:
    key, certificate = out.parent / "rsa.pem", out.parent / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key),
         "-out", str(certificate), "-days", "2", "-subj", "/CN=leaks"],
        capture_output=True, check=True,
    )  # fmt: skip
    for path in sources.values():
        command = ["gdcmanon", "-e", "-c", str(certificate), "-i", str(path)]
        try:
            done = subprocess.run(
                [*command, "-o", str(out / path.name)],
                capture_output=True, check=False, timeout=_PATIENCE_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            done = None
        if done is None or done.returncode:
            (out / path.name).unlink(missing_ok=True)
    said = subprocess.run(["gdcmanon", "--version"], capture_output=True, check=False, text=True)
    words = said.stdout.split()
    return f"gdcmanon {words[words.index('gdcm') + 1] if 'gdcm' in words else ''}".strip()


def _orthanc(sources: Sources, out: Path) -> str:
    with servers.orthanc(out.parent / "orthanc") as server:
        root = f"http://127.0.0.1:{server.http}"
        for path in sources.values():
            with contextlib.suppress(OSError, urllib.error.URLError, KeyError, ValueError):
                stored = json.loads(_post(f"{root}/instances", path.read_bytes()))
                (out / path.name).write_bytes(
                    _post(f"{root}/instances/{stored['ID']}/anonymize", b"{}")
                )
                # The next place may be the same instance in other words.
                request = urllib.request.Request(
                    f"{root}/instances/{stored['ID']}", method="DELETE"
                )
                with urllib.request.urlopen(request, timeout=60):
                    pass
        with urllib.request.urlopen(f"{root}/system", timeout=60) as answer:
            return f"Orthanc {json.load(answer)['Version']}"


def _post(url: str, body: bytes) -> bytes:
    with urllib.request.urlopen(url, data=body, timeout=60) as answer:
        content: bytes = answer.read()
        return content


def _tally(
    tool: str,
    places: Iterable[HidingPlace],
    out: Path,
    before: dict[str, set[str]],
    folder: Path,
) -> Tally:
    tally = Tally(tool)
    scorer = Scorer("research" if tool.endswith("research") else "basic", across=False)
    made = {}
    for number, place in enumerate(places):
        path = out / _file_name(number)
        if not path.exists() or not path.stat().st_size:
            tally.refused += 1
            continue
        made[place.id] = path
        score = scorer.score(place, path.read_bytes())
        tally.unreadable += bool(score.unreadable)
        if score.leaks:
            tally.leaking.append(place.id)
            tally.markers += len(score.leaks)
        tally.lost += len(score.lost)
        tally.kept += 0 if score.unreadable else len(place.kept)
        tally.broken += len(score.broken)
    after = _errors(made, folder)
    tally.new_errors = sum(bool(errors - before[name]) for name, errors in after.items())
    return tally


def _errors(files: Sources, folder: Path) -> dict[str, set[str]]:
    """Return dciodvfy's errors by place; none where it is not installed."""
    if not program("dciodvfy"):
        return {name: set() for name in files}
    with ThreadPoolExecutor(2) as pool:
        return dict(
            zip(
                files,
                pool.map(partial(dciodvfy_errors, folder=folder), files.values()),
                strict=True,
            )
        )


def _write(folder: Path, contents: dict[str, bytes]) -> Sources:
    folder.mkdir()
    sources = {}
    for number, (name, content) in enumerate(contents.items()):
        sources[name] = folder / _file_name(number)
        sources[name].write_bytes(content)
    return sources


def _file_name(number: int) -> str:
    return f"{number:04d}.dcm"


def _print(headings: list[str], rows: list[list[str]]) -> None:
    """Print a table as Markdown, which reads well on a terminal too."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]

    def line(cells: list[str]) -> str:
        padded = [
            cell.ljust(width) if not number else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    print_line(line(headings))
    print_line(f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    for row in rows:
        print_line(line(row))


if __name__ == "__main__":
    raise SystemExit(main())
