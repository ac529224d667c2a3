"""``make bench``: measure, print tables, keep the figures as JSON."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli.output import print_line
from tests.benchmarks import pages, receive, serve, table, tags

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.table import Row

BUSY = 2.0
"""Load per core above which the machine was hardly ours alone."""
RESULTS = Path(__file__).resolve().parents[2] / "bench-results"


def _works() -> dict[str, Callable[[Path, int], list[Row]]]:
    return {
        "ct": lambda folder, rounds: [tags.one_ct(folder, rounds)],
        "multi-frame": lambda folder, rounds: [tags.multi_frame(folder, rounds)],
        "c-store-1": lambda folder, rounds: [receive.c_store(folder, rounds, 1)],
        "c-store-4": lambda folder, rounds: [receive.c_store(folder, rounds, 4)],
        "stow-1": lambda folder, rounds: [receive.stow(folder, rounds, 1)],
        "stow-4": lambda folder, rounds: [receive.stow(folder, rounds, 4)],
        "end-to-end": lambda folder, rounds: [receive.end_to_end(folder, rounds)],
        "serve": serve.search_and_retrieve,
        "pages": pages.compare,
    }


def main() -> int:
    """Measure what was asked for."""
    works = _works()
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "works", nargs="*", metavar="WORK", help=f"of {', '.join(works)}; all if none"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    parser.add_argument(
        "--json", type=Path, default=RESULTS / "latest.json", help="where figures go"
    )
    parser.add_argument(
        "--disk", type=Path, default=RESULTS, help="folder on the disk to measure on"
    )
    options = parser.parse_args()
    if unknown := set(options.works) - set(works):
        parser.error(f"no such work: {', '.join(sorted(unknown))}")
    rows: list[Row] = []
    for name in options.works or works:
        options.disk.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=options.disk))
        print_line(f"measuring {name} ...", sys.stderr)
        try:
            found = works[name](folder / "work", options.rounds)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        rows += found
        table.show(found)
        table.save(rows, options.json)
    print_line()
    if os.getloadavg()[0] > BUSY * (os.cpu_count() or 1):
        print_line(
            f"The load average is {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores: others were working"
            " too, or the benchmark kept the disk busy. Do not quote these figures unless it was alone."
        )
    print_line(f"Figures are in {options.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
