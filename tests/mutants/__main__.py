"""Make each break of the list in a copy of the tree, run its tests, and print the breaks that they do not see.

``python -m tests.mutants [--workers N] [--only WORDS]... [--part K/N]``. Ends with 0 when none survives, 1 when
one does, 2 when nothing can be told: the tests fail without any break, or end in something that is no failure
of a test.
"""

from __future__ import annotations

import argparse
import itertools
import os
import queue
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.mutants.breaks import ROOT, breaks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.mutants.breaks import Break

_LEFT_OUT: Final = shutil.ignore_patterns(
    ".git", ".venv", "state", "build", "dist", "__pycache__", ".*_cache", ".hypothesis"
)
_TIMEOUT_S: Final = 600
_MEMORY_BYTES: Final = 12 << 30
_ALL_PASSED, _SOME_FAILED = 0, 1


class Verdict(Enum):
    """What the tests made of a break."""

    SEEN = "seen"
    SURVIVES = "SURVIVES"
    UNKNOWN = "CANNOT BE TOLD"


@dataclass(frozen=True, slots=True)
class Tree:
    """A copy of the tree, in which one break at a time is made."""

    root: Path
    _ticks: Iterator[int]

    def judge(self, one: Break) -> tuple[Verdict, str]:
        """Make a break, run its tests, undo it; the text says more where nothing can be told."""
        path = self.root / one.file
        whole = path.read_text()
        try:
            self._write(path, one.made_in(whole))
            status, text = self.run(one.tests, timeout_s=_TIMEOUT_S)
        finally:
            self._write(path, whole)
        if status == _ALL_PASSED:
            return Verdict.SURVIVES, text
        return (Verdict.SEEN if status == _SOME_FAILED else Verdict.UNKNOWN), text

    def run(self, tests: Sequence[str], *, timeout_s: float) -> tuple[int | None, str]:
        """Return pytest's status and what it said; None when it had to be ended."""
        process = subprocess.Popen(
            [sys.executable, "-Im", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=_bounded,  # noqa: PLW1509 - two calls into the kernel, and no locks
        )
        try:
            text, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            text, _ = process.communicate()
            return None, text
        return process.returncode, text

    def _write(self, path: Path, text: str) -> None:
        """Write with a time of its own, as compiled modules are told apart by time and length."""
        path.write_text(text)
        tick = next(self._ticks)
        os.utime(path, (tick, tick))


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))


def main() -> int:
    """Judge the breaks chosen, and say what became of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument(
        "--only",
        action="append",
        metavar="WORDS",
        help="those with these words in file or sentence",
    )
    parser.add_argument(
        "--part",
        type=_part,
        default=(1, 1),
        metavar="K/N",
        help="the K-th of N parts of them, so that a long list can be gone through in several sittings",
    )
    options = parser.parse_args()
    wanted = options.only or [""]
    chosen = [
        each for each in breaks() if any(words in f"{each.file}: {each.says}" for words in wanted)
    ]
    part, parts = options.part
    chosen = chosen[(part - 1) * len(chosen) // parts : part * len(chosen) // parts]
    began = time.monotonic()
    ticks = itertools.count(1_000_000_000)
    with tempfile.TemporaryDirectory(prefix="dicomveil-mutants-") as folder:
        trees: queue.Queue[Tree] = queue.Queue()
        for number in range(options.workers):
            root = Path(folder) / str(number)
            shutil.copytree(ROOT, root, ignore=_LEFT_OUT, symlinks=True)
            trees.put(Tree(root, ticks))
        with ThreadPoolExecutor(options.workers) as threads:
            if not _pass_unbroken(trees, threads, chosen):
                return 2
            verdicts = list(threads.map(lambda each: _judged(trees, each), chosen))
    survivors, unknown = verdicts.count(Verdict.SURVIVES), verdicts.count(Verdict.UNKNOWN)
    minutes = (time.monotonic() - began) / 60
    print(
        f"{len(chosen)} breaks, {survivors} survive, {unknown} cannot be told; {minutes:.0f} minutes"
    )
    return 2 if unknown else int(survivors > 0)


def _part(text: str) -> tuple[int, int]:
    """Read which part of how many; parts are counted from 1."""
    part, _, parts = text.partition("/")
    if not 1 <= int(part) <= int(parts):
        message = "no part of so many"
        raise ValueError(message)
    return int(part), int(parts)


def _pass_unbroken(
    trees: queue.Queue[Tree], threads: ThreadPoolExecutor, chosen: Sequence[Break]
) -> bool:
    """Tell whether the tests pass as long as nothing is broken; else their failing tells nothing."""
    tests = sorted({test for each in chosen for test in each.tests})
    # A file as a whole makes its tests superfluous; files are dealt out, which shares the work.
    files = {test for test in tests if "::" not in test}
    needed = [test for test in tests if test in files or test.partition("::")[0] not in files]
    shares = [share for n in range(trees.qsize()) if (share := needed[n :: trees.qsize()])]

    def run(share: Sequence[str]) -> tuple[int | None, str]:
        tree = trees.get()
        try:
            return tree.run(share, timeout_s=_TIMEOUT_S * len(share))
        finally:
            trees.put(tree)

    failed = [text for status, text in threads.map(run, shares) if status != _ALL_PASSED]
    for text in failed:
        print(f"{text[-6000:]}\nThese tests do not pass although nothing is broken.")
    return not failed


def _judged(trees: queue.Queue[Tree], one: Break) -> Verdict:
    tree = trees.get()
    began = time.monotonic()
    try:
        verdict, text = tree.judge(one)
    finally:
        trees.put(tree)
    seconds = time.monotonic() - began
    print(f"{verdict.value:15}{seconds:4.0f} s  {one.file}: {one.says}", flush=True)
    if verdict is Verdict.UNKNOWN:
        print(text[-3000:], flush=True)
    return verdict


if __name__ == "__main__":
    sys.exit(main())
