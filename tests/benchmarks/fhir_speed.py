"""``python -m tests.benchmarks.fhir_speed``: how long resources take, beside parsing and writing them alone.

On one core, in one run: orjson's load and dump; the same with the barest copy that Python can make between
them; the whole engine with its rules and the last search, without free text; and its parts. The engine may take
so many times as long as the bare copy: at 80 MB/s of that, which a current core reaches, it takes 25 MB/s.
``--large`` makes NDJSON of 1 GB and a Bundle of 500 MB, and says how much memory they take.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import sys
import tempfile
import time
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from daemon.cli.output import print_line
from deid import SiteKey, compile_plan
from deid.fhir.context import NOTHING_KNOWN
from deid.fhir.deidentify import deidentify, forbidden_in, may_be_left, walked_through
from deid.fhir.entries import entries
from deid.fhir.reading import Document, read, write
from deid.fhir.streams import deidentify_stream
from tests.benchmarks.fhir_record import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deid.fhir.plan import FhirPlan

MOST_TIMES = 12
MOST_BARE_TIMES = 3.2
MOST_MIB = 256
_RESOURCES = 5_600


def plan() -> FhirPlan:
    made = compile_plan({"fhir": {}}, SiteKey(bytes(range(3, 35)))).fhir
    assert made is not None
    return made


def best(work: Callable[[], object], rounds: int) -> float:
    """Return the least processor time that some work took, in seconds."""
    times = []
    for _ in range(rounds):
        gc.collect()
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def parsed_and_written(source: bytes) -> bytes:
    """Load and dump with the collector at rest, as the engine does."""
    gc.disable()
    try:
        return orjson.dumps(orjson.loads(source))
    finally:
        gc.enable()


def walked(value: Any) -> Any:
    """Return a copy made by the barest walk: no rules, no types, no checks."""
    if type(value) is dict:
        return {name: walked(each) for name, each in value.items()}
    if type(value) is list:
        return [walked(each) for each in value]
    return value


def barely_walked(source: bytes) -> bytes:
    """Load, copy and dump: what any walker in Python pays, and thereby how fast this machine is now."""
    gc.disable()
    try:
        return orjson.dumps(walked(orjson.loads(source)))
    finally:
        gc.enable()


def speed(rounds: int) -> bool:
    """Print the table; return whether the figures are as they must be."""
    source = orjson.dumps(record(_RESOURCES))
    megabytes = len(source) / 1e6
    made = plan()
    deidentify(source, made)
    alone = best(lambda: parsed_and_written(source), rounds)
    bare = best(lambda: barely_walked(source), rounds)
    engine = best(lambda: deidentify(source, made).to_bytes(), rounds)
    fresh = plan()
    first = best(lambda: deidentify(source, fresh).to_bytes(), 1)
    print_line(f"a record of {megabytes:.1f} MB, processor time, best of {rounds}")
    print_line(f"  orjson load + dump   {alone * 1e3:7.1f} ms  {megabytes / alone:6.1f} MB/s")
    print_line(f"  and a bare copy      {bare * 1e3:7.1f} ms  {megabytes / bare:6.1f} MB/s")
    print_line(f"  engine               {engine * 1e3:7.1f} ms  {megabytes / engine:6.1f} MB/s")
    print_line(f"  engine, first time   {first * 1e3:7.1f} ms  {megabytes / first:6.1f} MB/s")
    print_line(f"  engine / orjson      {engine / alone:7.1f}     (at most {MOST_TIMES})")
    print_line(f"  engine / bare copy   {engine / bare:7.1f}     (at most {MOST_BARE_TIMES})")
    for name, spent in _parts(source, made, rounds):
        print_line(f"  {name:<20} {spent * 1e3:7.1f} ms  {spent / engine:6.0%} of the engine")
    return engine / alone <= MOST_TIMES and engine / bare <= MOST_BARE_TIMES


def _parts(source: bytes, made: FhirPlan, rounds: int) -> Iterator[tuple[str, float]]:
    """Yield the engine's parts, each alone, in seconds; making room and giving it back is in none of them."""
    document = read(source)
    listed = list(entries(document.resources))
    run, resources = walked_through(document, listed, made, NOTHING_KNOWN, (), None)
    out = Document(document.kind, tuple(resources))
    gc.disable()
    try:
        yield "read strictly", best(lambda: read(source), rounds)
        yield (
            "walk by rules",
            best(lambda: walked_through(document, listed, made, NOTHING_KNOWN, (), None), rounds),
        )
        yield (
            "last search",
            best(lambda: may_be_left(run, forbidden_in(run, NOTHING_KNOWN)), rounds),
        )
        yield "write", best(lambda: write(out), rounds)
    finally:
        gc.enable()


def ndjson(size: int) -> Iterator[bytes]:
    """Yield NDJSON of many patients, about so many bytes."""
    made, seed = 0, 0
    while made < size:
        seed += 1
        for entry in record(300, seed=seed)["entry"]:
            line = orjson.dumps(entry["resource"]).replace(b"urn:uuid:", b"") + b"\n"
            made += len(line)
            yield line


def bundle(size: int) -> Iterator[bytes]:
    """Yield one Bundle of many entries, about so many bytes."""
    yield b'{"resourceType":"Bundle","type":"transaction","entry":['
    made, seed = 0, 0
    while made < size:
        seed += 1
        for entry in record(300, seed=seed)["entry"]:
            piece = orjson.dumps(entry)
            yield piece if not made else b"," + piece
            made += len(piece)
    yield b"]}"


def _streamed(path: str, found: Any) -> None:
    made = plan()
    deidentify(orjson.dumps(record(30)), made)
    gc.collect()
    # What getrusage says of a child has the peak of the process that began it in it.
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    idle = _kib("VmHWM")
    written = 0

    def write(piece: bytes) -> None:
        nonlocal written
        written += len(piece)

    started = time.process_time()
    with Path(path).open("rb") as source:
        deidentify_stream(source, write, made)
    spent = time.process_time() - started
    found.put((spent, written, (_kib("VmHWM") - idle) / 1024))


def _kib(name: str) -> int:
    """Return what the kernel says of this process (proc(5), status): ``VmHWM`` is its most memory so far."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


def large(scale: float) -> bool:
    """Print what large documents take; return whether the figures are as they must be."""
    fits = True
    context = multiprocessing.get_context("spawn")
    for name, made, size in (("NDJSON", ndjson, 1e9), ("a Bundle", bundle, 5e8)):
        with tempfile.NamedTemporaryFile(prefix="fhir-", dir="/tmp") as file:
            for chunk in chain(made(int(size * scale))):
                file.write(chunk)
            file.flush()
            length = Path(file.name).stat().st_size
            found = context.Queue()
            child = context.Process(target=_streamed, args=(file.name, found))
            child.start()
            spent, written, mebibytes = found.get()
            child.join()
        print_line(
            f"{name} of {length / 1e6:.0f} MB: {spent:.0f} s, {length / spent / 1e6:.1f} MB/s,"
            f" {written / 1e6:.0f} MB written, {mebibytes:.0f} MiB above idle (at most {MOST_MIB})"
        )
        fits = fits and mebibytes <= MOST_MIB
    return fits


def main() -> int:
    """Measure; end with 1 where a ceiling is passed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.fhir_speed", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--scale", type=float, default=1.0, help="of the large documents")
    options = parser.parse_args()
    fits = speed(options.rounds)
    if options.large:
        fits = large(options.scale) and fits
    return int(not fits)


if __name__ == "__main__":
    sys.exit(main())
