"""What ends a command early.

::

    CliError
    |-- UsageError     the arguments name something that does not exist: exit 2
    `-- CommandFailed  it was understood and could not be done: exit 1

Their text is written to standard error as it stands; it names what the operator typed or
configured, never an element value.
"""

from __future__ import annotations

from typing import ClassVar

from daemon.cli import exit_codes


class CliError(Exception):
    """Base of what commands raise on purpose."""

    exit_code: ClassVar[int] = exit_codes.FAILED


class UsageError(CliError):
    """The arguments name something that does not exist."""

    exit_code = exit_codes.USAGE


class CommandFailed(CliError):
    """The command was understood and could not be done."""
