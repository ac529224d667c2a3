"""What can go wrong in the running service.

::

    DaemonError
    |-- SpoolFull         no room to receive more: A700H over DIMSE, 503 over STOW-RS
    |-- StoreUnavailable  the database or disk refused; the peer must try again
    |   |-- FolderUnavailable a folder of the state is missing or takes nothing
    |   |-- DatabaseDamaged   its file is not what was written; the operator must decide
    |   `-- RowRefused        what was to be written contradicts what is there: a bug of ours
    |-- StateIncomplete   parts of the state folder are missing beside others; the operator must decide
    |-- SchemaTooNew      the database was written by a newer program; the operator must fix it
    |-- AddressRefused    a listener cannot have its address; the operator must fix it
    |-- CrossDevice       a file cannot be taken by rename; it has to be copied
    `-- Refused           what came cannot be an instance; carries a reason code

Errors carry facts (reason codes, counts, states), never element values or names of dropped files.
"""

from __future__ import annotations


class DaemonError(Exception):
    """Base of everything the daemon raises on purpose."""


class SpoolFull(DaemonError):
    """The bounded spool, its quota or its disk is full."""


class StoreUnavailable(DaemonError):
    """The database or the file system failed in a way that may pass.

    Attributes
    ----------
    code
        What refused it, as the system or SQLite calls it (``EXDEV``, ``SQLITE_BUSY``); may be empty.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class FolderUnavailable(StoreUnavailable):
    """A folder of the state is missing, or takes nothing.

    Attributes
    ----------
    folder
        Its name below the state folder.
    """

    def __init__(self, folder: str, code: str) -> None:
        super().__init__(f"{folder} in the state folder is missing, or may not be written to", code)
        self.folder = folder


class DatabaseDamaged(StoreUnavailable):
    """The database's file is damaged: pages that contradict each other, or not a database at all."""


class RowRefused(StoreUnavailable):
    """The database refuses what was to be written, however often it is asked: a bug of ours."""


class StateIncomplete(DaemonError):
    """What is in the state folder does not belong together; to go on could lose what was acknowledged."""


class SchemaTooNew(DaemonError):
    """The database was migrated by a newer dicomveil; this one would damage it."""

    def __init__(self, unknown: int) -> None:
        super().__init__(
            f"the database has {unknown} migrations that this version of dicomveil does not know"
        )
        self.unknown = unknown


class AddressRefused(DaemonError):
    """The system does not give a listener its address: taken, not ours, or a port below 1024."""

    def __init__(self, section: str, host: str, port: int, why: str) -> None:
        super().__init__(
            f"cannot listen on {host}:{port} ({why}); see host and port in [{section}]"
        )


class CrossDevice(DaemonError):
    """The file is on another file system and cannot be renamed into the spool."""


class Refused(DaemonError):
    """What was offered is not a usable instance.

    Attributes
    ----------
    reason
        A reason code (`deid.errors.Reason` or one of the daemon's own).
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def first_of(
    errors: BaseExceptionGroup[BaseException], *kinds: type[BaseException]
) -> BaseException | None:
    """Return the first error of a task group when all of them are of these kinds, else None.

    ``except*`` is not used to raise something else: until 3.11.4 Python wraps what is raised inside it in a
    group of its own, and Debian 12 has 3.11.2.
    """
    _, others = errors.split(kinds)
    if others is not None:
        return None
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
