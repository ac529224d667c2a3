"""What ends a batch run, as opposed to what puts one input aside.

::

    DaemonError
    |-- BatchRefused       what was asked for makes no sense: exit 2
    |-- BatchFailed        the output could not be written: exit 1
    `-- BatchInterrupted   SIGINT or SIGTERM came: exit 128 + its number
"""

from __future__ import annotations

import errno
import os

from daemon.errors import DaemonError


class BatchRefused(DaemonError):
    """A usage error; the message is for the user and may name what the user named."""


class BatchFailed(DaemonError):
    """The machine did not let us finish; what is in the output folder is whole.

    Attributes
    ----------
    errno_name
        Such as ``ENOSPC``.
    what
        The same in the system's words.
    """

    def __init__(self, errno_name: str) -> None:
        self.errno_name = errno_name
        self.what = os.strerror(getattr(errno, errno_name, errno.EIO))
        super().__init__(f"the output folder cannot be written to: {self.what}")


class BatchInterrupted(DaemonError):
    """A signal ended the run; what is in the output folder is whole.

    Attributes
    ----------
    signal_number
        The signal.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by signal {signal_number}")
        self.signal_number = signal_number
