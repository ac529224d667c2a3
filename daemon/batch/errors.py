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
from typing import Self

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
    place
        What could not be written, as the user named it; empty for the output folder.
    """

    def __init__(self, errno_name: str, place: str = "") -> None:
        self.errno_name = errno_name
        self.what = os.strerror(getattr(errno, errno_name, errno.EIO))
        self.place = place
        super().__init__(f"{place or 'the output folder'} cannot be written to: {self.what}")

    @classmethod
    def of(cls, error: OSError, place: str = "") -> Self:
        """Return what ends the run when something is not taken."""
        return cls(errno.errorcode.get(error.errno or 0, "EIO"), place)


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
