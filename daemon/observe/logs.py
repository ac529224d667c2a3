"""What may stand in a log line: an allow-list, and nothing that came from outside.

A log line is an event name in the past tense and keys of `ALLOWED`; every other key is dropped and
counted. Exceptions are told by type and place in the code, never by their text. What libraries log
(pynetdicom and pydicom put element values into their messages) becomes the event
``library_message`` with the logger's name and the place in the code, without the text.

The list is explained to operators in ``docs/logging.md``; a test compares the two.
"""

from __future__ import annotations

import errno
import logging
import math
import re
import sys
import threading
from typing import TYPE_CHECKING, Any, TextIO, cast

from daemon.observe.traces import trace
from daemon.observe.unadorned import structlog

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence
    from types import TracebackType

    from structlog.typing import EventDict, Processor, WrappedLogger

ALLOWED: dict[str, str] = {
    # Written by the set-up itself.
    "event": "what happened, in the past tense",
    "level": "debug, info, warning, error or critical",
    "timestamp": "UTC, ISO 8601",
    "trace": "types of an exception and of its causes, and where in the code; never their text",
    "error": "type of an exception, without its text",
    "code": "what refused, as the system or SQLite calls it",
    "errno": "error code of the operating system",
    "place": "where in the code",
    "logger": "name of the library's logger, on library_message",
    "withheld": "how many keys were dropped because they are not on this list",
    # Whom and what it is about.
    "receiver": "dimse, stow or watch",
    "calling_ae": "AE title of the sender",
    "called_ae": "AE title that the sender asked for",
    "peer": "network address of the sender, or the watched folder as configured",
    "folder": "watched folder as configured, or a folder of ours below the state folder",
    "port": "TCP port",
    "address": "address that a listener is bound to",
    "receipt": "our own identifier of a received instance",
    "receipt_id": "the same",
    "id": "our own identifier of a file that was taken or put aside",
    "archive": "our own identifier of an archive that was taken",
    "deidentifier": "name of the deidentifier",
    "operation": "number of an operation of the Healthcare API",
    "route": "name or number of the route",
    "store": "source or deid",
    "state": "state of a received instance",
    "sop_class": "SOP class UID, if the standard lists it",
    "transfer_syntax": "transfer syntax UID, if the standard lists it",
    "replacement_uid": "a UID made by us",
    "reason": "reason code",
    "where": "path of tags, a frame or an offset",
    "status": "DIMSE status or HTTP status",
    "method": "HTTP method",
    "endpoint": "pattern of the HTTP route, without the identifiers in it",
    "setting": "key of the configuration",
    "key_id": "identifier of the site key",
    "version": "version of dicomveil",
    "part": "name of a part of the service",
    "pid": "process identifier of a worker",
    "exit_code": "exit code of a worker or of the service",
    "signal": "name of a signal",
    "action": "what was asked for or decided",
    "moved": "whether a refused file was put aside",
    # How much and how long.
    "count": "how many",
    "instances": "how many instances",
    "limit": "how many are allowed",
    "attempts": "how often it was tried",
    "size": "bytes",
    "free": "bytes",
    "duration_s": "seconds",
    "delay_s": "seconds",
    "age_s": "seconds",
    "frames": "how many frames",
    "workers": "how many worker processes",
    "associations": "how many associations are open",
    "partial_files": "how many files that were being received were removed at start",
    "adopted": "how many files without a row were taken in again at start",
    "kept_apart": "how many files that nobody could explain were moved to lost+found",
    "taken_files": "how many files of watched folders were found taken at start",
    "outputs": "how many outputs of killed workers were removed at start",
    "garbage": "how many blobs that no row needs were removed",
    "missing": "how many rows were found without their blob",
}

_EVENT = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LONGEST = 300
_FIRST = ("timestamp", "level", "event")
_LIBRARIES = ("aiohttp", "asyncio", "pydicom", "pynetdicom", "py.warnings", "watchdog")
_LONGEST_TRACE = 4000
_MOST_VALUES = 12
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_UNACCEPTED_AGAIN_S = 60.0


class Withheld:
    """Counts what was kept out of the log since the process started, and what it did not take."""

    keys = 0
    events = 0
    lines = 0


class _Outlet:
    """Where lines go. That they do not get there (no room, nobody reads) must not fail who says something."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        try:
            self._stream.write(line)
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: it was closed
            Withheld.lines += 1

    def flush(self) -> None:
        """Do nothing: each line was flushed."""


def configure(level: str = "info", form: str = "auto", stream: TextIO | None = None) -> None:
    """Set up logging of the whole process.

    Parameters
    ----------
    level
        debug, info, warning or error.
    form
        ``json``, ``console``, or ``auto``: columns on a terminal, else JSON lines.
    stream
        Where to write; standard error by default.
    """
    stream = sys.stderr if stream is None else stream
    threshold = logging.getLevelNamesMapping()[level.upper()]
    console = form == "console" or (form == "auto" and stream.isatty())
    structlog.configure(
        processors=[*processors(), _console() if console else structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _Outlet(stream))),
        cache_logger_on_first_use=False,
    )
    _route_libraries(threshold)
    sys.excepthook = uncaught
    threading.excepthook = thread_crashed
    sys.unraisablehook = _unraisable


def processors() -> list[Processor]:
    """Return what every event passes before it is rendered, in order."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        tell_exceptions_by_type,
        keep_allowed,
    ]


def keep_allowed(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop and count keys that are not on the list, and values that are not plain."""
    kept = {key: _plain(key, value) for key, value in event.items() if key in ALLOWED}
    dropped = len(event) - len(kept)
    if not _EVENT.fullmatch(str(kept.get("event", ""))):
        # Somebody passed a sentence, which may hold anything.
        kept["event"] = "event_withheld"
        Withheld.events += 1
    if dropped:
        Withheld.keys += dropped
        kept["withheld"] = dropped
    first = {key: kept.pop(key) for key in _FIRST if key in kept}
    return {**first, **kept}


def tell_exceptions_by_type(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace ``exc_info`` by the types and places of the exception: its text may hold values."""
    exc_info = event.pop("exc_info", None)
    for unwanted in ("exception", "stack_info", "stack"):
        event.pop(unwanted, None)
    if exc_info is True:
        exc_info = sys.exc_info()
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if isinstance(error, BaseException):
        event["trace"] = trace(error)
    return event


def _short(file: str) -> str:
    return "/".join(file.replace("\\", "/").split("/")[-2:])


def _plain(key: str, value: object) -> object:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        # Line ends and direction marks would let a sender forge lines on a terminal.
        longest = _LONGEST_TRACE if key == "trace" else _LONGEST
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", value[:longest])
    if isinstance(value, (list, tuple)):
        return [_plain(key, each) for each in value[:_MOST_VALUES]]
    return type(value).__name__


def _console() -> Processor:
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), sort_keys=False)


class LibraryHandler(logging.Handler):
    """Turns a library's record into ``library_message``: who, how bad, where; no text."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log that the library said something."""
        error = record.exc_info[1] if record.exc_info else None
        name = record.name if record.name.startswith(_LIBRARIES) else record.name.split(".")[0]
        logger = structlog.get_logger()
        try:
            logger.log(
                record.levelno,
                "library_message",
                logger=name,
                place=f"{_short(record.pathname)}:{record.lineno} in {record.funcName}",
                **({"trace": trace(error)} if error else {}),
            )
        except Exception:  # noqa: BLE001 - a failing log must not fail the service
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Keep quiet: the default prints the record, arguments and all."""


def _route_libraries(threshold: int) -> None:
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.handlers[:] = [LibraryHandler()]
    # Libraries tell much at INFO that only helps their authors.
    root.setLevel(logging.INFO if threshold <= logging.DEBUG else logging.WARNING)
    for name in _library_loggers(_LIBRARIES):
        library = logging.getLogger(name)
        library.handlers[:] = []
        library.propagate = True
        library.setLevel(logging.NOTSET)


def _library_loggers(names: Sequence[str]) -> list[str]:
    known = [name for name in logging.root.manager.loggerDict if name.startswith(tuple(names))]
    return sorted({*names, *known})


def uncaught(
    kind: type[BaseException], error: BaseException, _traceback: TracebackType | None
) -> None:
    """Log an exception that ended the process (`sys.excepthook`), without its text."""
    if issubclass(kind, KeyboardInterrupt):
        return
    structlog.get_logger().critical("process_crashed", exc_info=error)


def thread_crashed(failure: threading.ExceptHookArgs) -> None:
    """Log an exception that ended a thread (`threading.excepthook`), without its text."""
    if failure.exc_value is not None:
        structlog.get_logger().critical("thread_crashed", exc_info=failure.exc_value)


def _unraisable(failure: Any) -> None:
    structlog.get_logger().error("error_ignored_by_interpreter", exc_info=failure.exc_value)


class Unaccepted:
    """When it was last told that connections could not be accepted, on the loop's clock."""

    told_at = -math.inf


def handle_loop_exception(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what asyncio could not deliver (for `loop.set_exception_handler`), without its text.

    Without a descriptor for a connection that waits it complains for each place of the backlog, thousands of
    times a second: an operator needs to hear that once a minute.
    """
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in _EXHAUSTED and "socket" in context:
        now = loop.time()
        if now - Unaccepted.told_at >= _UNACCEPTED_AGAIN_S:
            Unaccepted.told_at = now
            code = errno.errorcode.get(error.errno, "")
            structlog.get_logger().error("connections_not_accepted", errno=code)
        return
    structlog.get_logger().error("task_failed_unobserved", exc_info=error)
