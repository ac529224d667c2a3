"""``python -m tests.benchmarks.large_index``: searches of an index of many instances, without HTTP.

One study is stored as the service stores it; its rows are then copied, with numbers, UIDs and what is searched
by made for each study. Printed are milliseconds of a search and of putting its answer together, wildcards that
begin with an asterisk among them.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daemon.cli.output import print_line
from daemon.store.dicom import DicomStore
from daemon.store.sqlite.database import SqliteDatabase
from dicomweb import qido
from dicomweb.ports import Resource
from tests.benchmarks.measure import percentile
from tests.dicomweb_service import TestStore
from tests.factories import many_ct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dicomweb.ports import Level

    Asked = tuple[Level, Resource | None, list[tuple[str, str]]]

_NAMES: Final = ("mueller", "schmidt", "garcia", "novak", "tanaka", "nguyen", "okafor")
_PAGE: Final = ("limit", "101")
_DEFAULT_STUDIES: Final = 10_000


def main() -> int:
    """Make the index, and ask it."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.large_index", description=__doc__
    )
    parser.add_argument("--studies", type=int, default=_DEFAULT_STUDIES)
    parser.add_argument("--per-study", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dicomveil-index-") as name:
        asyncio.run(_measure(Path(name), options.studies, options.per_study, options.rounds))
    return 0


async def _measure(folder: Path, studies: int, per_study: int, rounds: int) -> None:
    store = TestStore(folder)
    for content in many_ct(per_study, rows=4, per_study=per_study, seed=5):
        await store.add(content)
    await store.close()
    await asyncio.to_thread(_copy, folder / "dicomveil.sqlite", studies, per_study)
    database = SqliteDatabase(folder / "dicomveil.sqlite")
    index = DicomStore(store.index.store, database, store.blobs)
    chosen = random.Random(7)
    print_line(f"{studies * per_study} instances in {studies} studies; milliseconds:")
    for name, make in _searches(lambda: chosen.randrange(1, studies)).items():
        times = []
        for _ in range(rounds):
            search = qido.parse(*make(), max_results=10_000)
            started = time.perf_counter()
            found = await index.search(search.query)
            qido.answer(search, found, "http://archive.example/dicomweb/deid")
            times.append(1000 * (time.perf_counter() - started))
        p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
        print_line(f"{name:<36}p50 {p50:8.2f}   p99 {p99:8.2f}   {len(found)} matches")
    await database.close()


def _copy(path: Path, studies: int, per_study: int) -> None:
    """Copy the rows of the one study that there is, as the tables of the index have them."""
    names = f"CASE n % {len(_NAMES)} " + "".join(
        f"WHEN {number} THEN '{name}' " for number, name in enumerate(_NAMES)
    )
    changes: Mapping[str, Mapping[str, str]] = {
        "studies": {
            "id": "s.id + n",
            "StudyInstanceUID": "'1.2.3.' || n",
            "StudyDate": "printf('20%02d%02d%02d', n % 25, 1 + n % 12, 1 + n % 28)",
            "AccessionNumber": "'ACC' || n",
            "PatientID": "'P-' || (n / 3)",
            "StudyDescription": "'THORAX ' || (n % 50)",
        },
        "series": {
            "id": "s.id + n",
            "study_id": "study_id + n",
            "SeriesInstanceUID": "'1.2.4.' || n",
            "Modality": "substr('CTMRUSPTDX', 1 + 2 * (n % 5), 2)",
        },
        "instances": {
            "id": f"s.id + n * {per_study}",
            "study_id": "study_id + n",
            "series_id": "series_id + n",
            "SOPInstanceUID": "'1.2.5.' || n || '.' || s.id",
            "ContentDate": "printf('20%02d%02d%02d', n % 25, 1 + n % 12, 1 + n % 28)",
            "AcquisitionDate": "printf('20%02d%02d%02d', n % 25, 1 + n % 12, 1 + n % 28)",
        },
        "study_json": {"id": "s.id + n"},
        "series_json": {"id": "s.id + n"},
        "instance_json": {"id": f"s.id + n * {per_study}"},
        "terms": {"study_id": "study_id + n", "term": f"{names} END || (n % 2000)"},
    }
    with closing(sqlite3.connect(path)) as database:
        for setting in ("synchronous = OFF", "journal_mode = OFF", "foreign_keys = OFF"):
            database.execute(f"PRAGMA {setting}")
        triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (trigger,) in triggers.fetchall():
            database.execute(f"DROP TRIGGER {trigger}")
        database.execute("CREATE TEMP TABLE numbers (n INTEGER PRIMARY KEY)")
        database.executemany("INSERT INTO numbers VALUES (?)", ((n,) for n in range(1, studies)))
        for table, changed in changes.items():
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(changed.get(column, f"s.{column}") for column in columns)
            database.execute(
                f"INSERT OR IGNORE INTO {table} ({', '.join(columns)})"
                f" SELECT {values} FROM numbers CROSS JOIN {table} s"
            )
            database.commit()


def _searches(any_of: Callable[[], int]) -> dict[str, Callable[[], Asked]]:
    """Return what is asked, each time for something else."""

    def studies(*parameters: tuple[str, str]) -> Asked:
        return "study", None, [*parameters, _PAGE]

    def instances_of(number: int) -> Asked:
        return "instance", Resource(f"1.2.3.{number}", f"1.2.4.{number}"), []

    return {
        "newest 101 studies": studies,
        "a study by its UID": lambda: studies(("StudyInstanceUID", f"1.2.3.{any_of()}")),
        "a patient": lambda: studies(("PatientID", f"P-{any_of() // 3}")),
        "PatientID=P-x*": lambda: studies(("PatientID", f"P-{any_of() // 30}*")),
        "PatientID=*x": lambda: studies(("PatientID", f"*{any_of() % 1000}")),
        "PatientID=*ZZZ* (nobody)": lambda: studies(("PatientID", "*ZZZ*")),
        "AccessionNumber=*Cx*": lambda: studies(("AccessionNumber", f"*C{any_of() % 1000}*")),
        "StudyDescription=*x": lambda: studies(("StudyDescription", f"*{any_of() % 50}")),
        "two months": lambda: studies(("StudyDate", "20100101-20100301")),
        "two years of a modality": lambda: studies(
            ("StudyDate", "20100101-20120301"), ("ModalitiesInStudy", "MR")
        ),
        "a name, fuzzily": lambda: studies(("PatientName", "muel"), ("fuzzymatching", "true")),
        "PatientName=*x*": lambda: studies(("PatientName", f"*ller{any_of() % 200}*")),
        "instances of a series": lambda: instances_of(any_of()),
        "series of a study": lambda: ("series", Resource(f"1.2.3.{any_of()}"), []),
        "series of a modality": lambda: ("series", None, [("Modality", "US"), _PAGE]),
        "PatientName=*x* (nobody)": lambda: studies(("PatientName", "*zzz*")),
        "StudyDescription=*x* (nobody)": lambda: studies(("StudyDescription", "*ZZZ*")),
        "SeriesDescription=*x* (nobody)": lambda: (
            "series",
            None,
            [("SeriesDescription", "*ZZZ*"), _PAGE],
        ),
        "studies by it (nobody)": lambda: studies(("SeriesDescription", "*ZZZ*")),
        "everything of 101 studies": lambda: studies(("includefield", "all")),
        "everything of a series": lambda: (
            "instance",
            Resource(f"1.2.3.{any_of()}"),
            [("includefield", "all")],
        ),
        "by date, newest first": lambda: studies(("sort", "-StudyDate")),
        "by name": lambda: studies(("sort", "PatientName")),
        "by description": lambda: studies(("sort", "StudyDescription")),
        "of a modality, by date": lambda: studies(
            ("ModalitiesInStudy", "MR"), ("sort", "-StudyDate")
        ),
        "instances of a class": lambda: (
            "instance",
            None,
            [("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2"), _PAGE],
        ),
        "instances by number": lambda: ("instance", None, [("InstanceNumber", "7"), _PAGE]),
        "instances by time (nobody)": lambda: (
            "instance",
            None,
            [("ContentTime", "235959"), _PAGE],
        ),
        "studies by it, acquired (nobody)": lambda: studies(("AcquisitionTime", "235959")),
        "instances far behind": lambda: ("instance", None, [("limit", "25"), ("offset", "500000")]),
        "a page far behind": lambda: ("study", None, [("limit", "25"), ("offset", "5000")]),
    }


if __name__ == "__main__":
    raise SystemExit(main())
