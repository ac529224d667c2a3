"""``python -m tests.benchmarks.index``: the index alone, beside an earlier version's, in one run.

The earlier version stores the same instances by its own code; this one migrates a copy of that state. Both
answer the same searches without HTTP, taking turns. Printed: bytes for each instance by table, and the quickest
of many answers for each search, in which other work of the machine counts least.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daemon.cli.output import print_line, print_table
from tests.benchmarks.table import Row, show
from tests.benchmarks.versions import BEFORE, Version, checked_out
from tests.integration import earlier_state
from tests.service import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

_INSTANCES: Final = 600
_LEAST: Final = 50
"""Bytes for each instance below which a table is not listed."""

# Run in each checkout: only what both have. Prints microseconds by search.
_SEARCH: Final = """
import json, sys, time
from pathlib import Path
from dicomweb.ports import Query, Resource
state = Path(sys.argv[1])
try:
    from daemon.store.embedded import EMBEDDED
    from daemon.store.layout import Layout
    opened = EMBEDDED.session(Layout(state), query_only=True)
    session = opened.__enter__()
    store = session.stores.all()[1]
    ask = lambda query: session.instances.search(store, query)
    tell = lambda resource: session.instances.metadata(store, resource)
except ImportError:
    from daemon.records import StoreName
    from daemon.store import database, index
    connection = database.connect(state / "dicomveil.sqlite", query_only=True)
    ask = lambda query: index.search(connection, StoreName.DEID, query)
    tell = lambda resource: index.metadata(connection, StoreName.DEID, resource)

def query(level, matches, within=None, everything=False, limit=1000):
    return Query(level, matches, within, fuzzy=False, limit=limit, offset=0, with_attributes=everything)

def uid(match, tag):
    return json.loads(match.defaults)[tag]["Value"][0]

study = uid(ask(query("study", {}))[0], "0020000D")
series = uid(ask(query("series", {}, Resource(study)))[0], "0020000E")
one = Resource(study, series)
searches = {
    "study list of 20": lambda: ask(query("study", {}, limit=20)),
    "studies by a name with wildcards": lambda: ask(query("study", {"PatientName": ["*A*"]})),
    "studies by date": lambda: ask(query("study", {"StudyDate": ["19000101-20991231"]})),
    "studies by a description (walk)": lambda: ask(query("study", {"StudyDescription": ["*x*"]})),
    "instances by number": lambda: ask(query("instance", {"InstanceNumber": ["3"]})),
    "instances by time (walk)": lambda: ask(query("instance", {"ContentTime": ["235959"]})),
    "instances of a series": lambda: ask(query("instance", {}, one)),
    "the same, includefield=all": lambda: ask(query("instance", {}, one, everything=True)),
    "all instances": lambda: ask(query("instance", {})),
    "metadata of a series": lambda: tell(one),
}
best = {}
for name, search in searches.items():
    search()
    times = []
    for _ in range(100):
        started = time.perf_counter()
        search()
        times.append(time.perf_counter() - started)
    best[name] = 1e6 * min(times)
print(json.dumps(best))
"""


def states(before: Version, folder: Path) -> dict[str, Path]:
    """Have the earlier version make a state, and this one a copy of it as it is now."""
    shutil.copy(earlier_state.__file__, before.root / "earlier_state.py")
    made, migrated = folder / "before", folder / "now"
    _run(before, "-m", "earlier_state", "make", made, str(_INSTANCES))
    shutil.copytree(made, migrated)
    _run(
        Version("now", ROOT, sys.executable),
        "-m",
        "tests.integration.earlier_state",
        "tell",
        migrated,
    )
    return {"before": made, "now": migrated}


def _run(version: Version, *arguments: str | Path) -> str:
    done = subprocess.run(
        [version.python, *arguments], cwd=version.root, check=True, capture_output=True, text=True
    )
    return done.stdout.splitlines()[-1] if done.stdout else ""


def sizes(state_dir: Path) -> dict[str, float]:
    """Return bytes for each receipt by table and index, free pages apart."""
    with closing(sqlite3.connect(state_dir / "dicomveil.sqlite")) as database:
        (receipts,) = database.execute("SELECT count(*) FROM receipts").fetchone()
        rows = database.execute(
            "SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC"
        )
        return {name: size / receipts for name, size in rows}


def _show_sizes(state_dir: Path, name: str) -> None:
    found = sizes(state_dir)
    listed = [(table, round(size)) for table, size in found.items() if size >= _LEAST]
    print_table(
        ("table", "bytes for each instance"),
        [*listed, ("all", round(sum(found.values())))],
        title=f"Database, {name}",
    )


def searches(versions: Sequence[tuple[Version, Path]], rounds: int) -> list[Row]:
    """Measure every search in both, in turn."""
    rows: dict[str, Row] = {}
    for number in range(rounds):
        for version, state_dir in versions if number % 2 else reversed(versions):
            told: dict[str, float] = json.loads(_run(version, "-c", _SEARCH, state_dir))
            for work, value in told.items():
                row = rows.setdefault(work, Row(work, "us", "at most 1.03 of before"))
                row.contender(version.name, is_ours=version.is_now).values.append(value)
    return list(rows.values())


def main() -> int:
    """Measure sizes, then searches."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.index", description=__doc__)
    parser.add_argument("--before", default=BEFORE, help="the revision to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="dicomveil-index-"))
    try:
        with checked_out(options.before) as before:
            made = states(before, folder)
            _show_sizes(made["before"], before.name)
            _show_sizes(made["now"], "now")
            now = Version("now", ROOT, sys.executable, is_now=True)
            show(searches([(before, made["before"]), (now, made["now"])], options.rounds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print_line()
    return 0


if __name__ == "__main__":
    sys.exit(main())
