"""``python -m tests.benchmarks.fhir_store``: searches in a FHIR store of 100 000 resources.

In this process, over the real database and through the service's own search; the network and HTTP are left
out, which cost the same for every server. Printed for each search: the median and the 99th percentile of a
thousand answers, and beside them those of reading one resource by its id, in the same run. On a machine that
others use, the processor time tells how long an answer takes by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daemon.cli.output import print_line, print_table
from daemon.fhir import representation
from daemon.fhir.searching import parse
from daemon.resources import Content, Method, Span, Token
from daemon.store.stores import Stores

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from daemon.store.ports import Session

_SYSTEM: Final = "urn:oid:1.2.36.146"
_PER_PATIENT: Final = 20
_BATCH: Final = 5000
_ASKED: Final = 1000
_LIMIT_MS: Final = 20.0


async def main(resources: int) -> int:
    """Fill a store, search it, print; return 1 when a search is slower than it must be."""
    with tempfile.TemporaryDirectory(prefix="dicomveil-fhir-") as folder:
        stores = await Stores.open(Path(folder) / "state")
        try:
            patients = max(1, resources // _PER_PATIENT)
            for start in range(0, resources, _BATCH):
                await stores.database.write(_filling(stores, start, patients))
            return await _measure(stores, patients)
        finally:
            await stores.close()


def _filling(stores: Stores, start: int, patients: int) -> Callable[[Session], None]:
    source = stores.stores.fhir_source

    def fill(session: Session) -> None:
        for number in range(start, start + _BATCH):
            content = _content(number, patients)
            session.resources.add_version(
                source, f"r{number}", content, method=Method.CREATE, now_ms=number
            )

    return fill


def _content(number: int, patients: int) -> Content:
    rest = b'"status":"final","note":[{"text":"%s"}]' % (b"x" * 600)
    identifier = Token("identifier", f"I{number}", _SYSTEM)
    if number < patients:
        return Content("Patient", b"", rest, (identifier,))
    patient = f"Patient/r{number % patients}"
    tokens = (
        identifier,
        Token("patient", patient),
        Token("subject", patient),
        Token("code", f"c{number % 300}", "http://loinc.org"),
        Token("status", "final"),
    )
    moment = number * 1000
    return Content("Observation", b"", rest, tokens, (Span(moment, moment + 999),))


async def _measure(stores: Stores, patients: int) -> int:
    choose = random.Random(20261128)
    store = stores.fhir_source

    async def read() -> None:
        version = await store.get("Patient", f"r{choose.randrange(patients)}")
        assert version is not None
        representation.resource(version)

    def searching(
        parameters: Callable[[], Sequence[tuple[str, str]]],
    ) -> Callable[[], Awaitable[None]]:
        async def search() -> None:
            asked = parse("Observation", parameters(), max_results=1000)
            found = await store.search(asked.one_more)
            total = await store.count(asked.query)
            assert found
            assert total
            for each in found:
                representation.resource(each)

        return search

    def somebody() -> int:
        return choose.randrange(patients)

    asks = {
        "read by id": read,
        "identifier": searching(lambda: [("identifier", f"{_SYSTEM}|I{somebody() + patients}")]),
        "patient": searching(lambda: [("patient", f"Patient/r{somebody()}")]),
        "patient, code, status": searching(
            lambda: [
                ("patient", f"r{(number := somebody())}"),
                ("status", "final"),
                ("code", f"c{(number + patients) % 300}"),
            ]
        ),
        "code, a page of 50": searching(
            lambda: [("code", f"http://loinc.org|c{somebody() % 300}")]
        ),
        "everything, a page of 50": searching(list),
    }
    rows, is_slow = [], False
    for name, ask in asks.items():
        times, spent = [], []
        for _ in range(_ASKED):
            began, begun = time.perf_counter(), time.process_time()
            await ask()
            times.append(1000 * (time.perf_counter() - began))
            spent.append(1000 * (time.process_time() - begun))
        p99 = statistics.quantiles(times, n=100)[98]
        processor = statistics.quantiles(spent, n=100)[98]
        is_slow = is_slow or (name in {"identifier", "patient"} and p99 > _LIMIT_MS)
        rows.append((name, f"{statistics.median(times):.2f}", f"{p99:.2f}", f"{processor:.2f}"))
    print_table(("search", "p50 ms", "p99 ms", "p99 ms of processor time"), rows)
    print_line(f"identifier and patient must stay within {_LIMIT_MS:.0f} ms")
    return int(is_slow)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--resources", type=int, default=100_000)
    raise SystemExit(asyncio.run(main(arguments.parse_args().resources)))
