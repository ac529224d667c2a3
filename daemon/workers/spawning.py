"""A process that can become a worker: a fresh interpreter of ours, with a socket at its standard input.

It may be started before anybody knows what it will do, and load meanwhile what it will need.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Site-packages first, so that nothing beside our packages can stand before an installed one.
_BOOT = (
    "import os, sys; sys.path.extend(sys.argv[2:]);"
    # Nothing is left to be written when it returns, and taking a large process apart takes its time.
    " from daemon.workers.child import main; main(sys.argv[1]); os._exit(0)"
)
_PACKAGES = Path(__file__).resolve().parents[2]
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TESSDATA_PREFIX")
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_THREAD_LIMIT": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
}
"""Environment of a worker, which has one processor: threads that share a frame cost more than they gain."""
KEPT_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
}
"""Environment of a worker whose steps take some MiB each and give them back: glibc keeps up to so many bytes.

It would return them after each step, until a large frame has taught it the same figures; and a page that is new
to a process costs more than most steps do with it.
"""


@dataclass(slots=True, eq=False)
class Spawned:
    """A process and our end of its socket."""

    process: subprocess.Popen[bytes]
    connection: socket.socket

    def abandon(self) -> None:
        """End the process, which nobody else knows of, and reap it."""
        self.connection.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def spawn(import_path: Sequence[Path] = (), warm_up: str = "") -> Spawned:
    """Start a process; it waits at its socket to be told what to run, and ends when that is closed.

    Call it in a thread that lives as long as the process shall: its end is the process's.

    Parameters
    ----------
    import_path
        More folders where what it runs is found.
    warm_up
        ``module:function``, called before the process listens: it may load, and knows no settings.
    """
    ours, theirs = socket.socketpair()
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    paths = [str(path) for path in (_PACKAGES, *import_path)]
    # Where files may not grow, as on a full disk, Python 3.11 lays down half a module, for all later starts.
    flags = ["-I", "-B"] if sys.dont_write_bytecode else ["-I"]
    with theirs, contextlib.ExitStack() as undo:
        undo.callback(ours.close)
        process = subprocess.Popen(  # noqa: S603 (our own interpreter and code)
            [sys.executable, *flags, "-c", _BOOT, warm_up, *paths],
            stdin=theirs.fileno(),
            # Libraries quote what they parse when they complain.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment | ONE_THREAD | KEPT_MEMORY,
            cwd="/",
            start_new_session=True,
        )
        undo.pop_all()
    return Spawned(process, ours)


@contextlib.contextmanager
def spawned_ahead(
    count: int, warm_up: str, import_path: Sequence[Path] = ()
) -> Iterator[list[Spawned]]:
    """Start processes for a pool to come, which takes them out of the list; those left over are ended.

    Where the system refuses one there are fewer: the pool asks again, and says what is wrong.
    """
    waiting: list[Spawned] = []
    try:
        with contextlib.suppress(OSError):
            waiting += (spawn(import_path, warm_up) for _ in range(count))
        yield waiting
    finally:
        for each in waiting:
            each.abandon()
