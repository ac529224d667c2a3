"""What can go wrong between the daemon and its worker processes.

::

    DaemonError
    `-- WorkerError
        |-- WorkerKilled         the process that had the job is gone; the job is to blame
        |   |-- WorkerTimeout    it took longer than the limits allow and was killed
        |   |-- WorkerCrashed    it died by itself (signal, exit) or answered what is no answer
        |   `-- WorkerMemory     it asked for more memory than the limits allow
        |-- WorkerRaised         the callable raised; the process lives on
        |-- WorkerStartFailed    a process did not become ready
        `-- PoolClosed           the pool was closed before the job was done
"""

from __future__ import annotations

import errno

from daemon.errors import DaemonError
from daemon.workers.reasons import WorkerReason


class WorkerError(DaemonError):
    """A job without an answer."""


class WorkerKilled(WorkerError):
    """The process is gone. `reason` is the code for quarantine."""

    reason = WorkerReason.WORKER_CRASHED


class WorkerTimeout(WorkerKilled):
    """The job took too long."""

    reason = WorkerReason.WORKER_TIMEOUT


class WorkerCrashed(WorkerKilled):
    """The process died with the job.

    Attributes
    ----------
    signal
        Number of the signal that ended it, 0 when it exited.
    exit_code
        Its exit status, 0 when a signal ended it or it was killed for a malformed answer.
    """

    def __init__(self, signal: int = 0, exit_code: int = 0) -> None:
        super().__init__(f"signal {signal}" if signal else f"exit {exit_code}")
        self.signal = signal
        self.exit_code = exit_code


class WorkerMemory(WorkerKilled):
    """The job needs more memory than a worker may have."""

    reason = WorkerReason.WORKER_MEMORY


class WorkerRaised(WorkerError):
    """The callable raised.

    Attributes
    ----------
    type_name
        The exception's type, with its module unless it is a builtin.
    trace
        Types and places without values (see `daemon.observe.traces`).
    code
        What the system refused, as it calls that (``ENOSPC``); empty where it was nothing of the kind.
    """

    def __init__(self, type_name: str, trace: str, code: str = "") -> None:
        super().__init__(trace)
        self.type_name = type_name
        self.trace = trace
        self.code = code if code in errno.errorcode.values() else ""


class WorkerStartFailed(WorkerError):
    """A process ended, raised or kept silent instead of becoming ready."""


class PoolClosed(WorkerError):
    """No more jobs are taken, and those not done are given up."""
