"""No identifying value gets into the log, whoever logs it and however it fails."""

from __future__ import annotations

import ast
import asyncio
import io
import json
import logging
import math
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from daemon.cli import serve
from daemon.observe import logs
from daemon.observe.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(logs.__file__).parents[2]
CANARY = "ZQXPHI^CANARY"
METHODS = {"debug", "info", "warning", "error", "critical", "exception"}


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Set up logging as the service does, and put it back afterwards."""
    root = logging.getLogger()
    before = (
        root.handlers[:],
        root.level,
        sys.excepthook,
        threading.excepthook,
        sys.unraisablehook,
    )
    written = io.StringIO()
    logs.configure("debug", "json", written)
    try:
        yield written
    finally:
        structlog.reset_defaults()
        logging.captureWarnings(capture=False)
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        sys.excepthook, threading.excepthook, sys.unraisablehook = before[2:]


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail() -> None:
    patient = CANARY
    raise ValueError(f"invalid date in {patient}")


def test_an_event_and_its_allowed_keys_are_written(stream: io.StringIO) -> None:
    structlog.get_logger().info("instance_stored", count=3, receiver="dimse")
    (line,) = lines(stream)
    assert line["event"] == "instance_stored"
    assert (line["count"], line["receiver"], line["level"]) == (3, "dimse", "info")


def test_a_key_that_is_not_on_the_list_is_dropped_and_counted(stream: io.StringIO) -> None:
    before = logs.Withheld.keys
    structlog.get_logger().info("instance_stored", patient_name=CANARY, dataset={"a": CANARY})
    assert CANARY not in stream.getvalue()
    assert lines(stream)[0]["withheld"] == 2
    assert logs.Withheld.keys == before + 2


def test_a_sentence_is_not_an_event(stream: io.StringIO) -> None:
    structlog.get_logger().info(f"Stored {CANARY}")
    structlog.get_logger().info("stored %s", CANARY)
    assert CANARY not in stream.getvalue()
    assert [line["event"] for line in lines(stream)] == ["event_withheld"] * 2


def test_an_object_is_told_by_its_type(stream: io.StringIO) -> None:
    structlog.get_logger().info("instance_stored", reason={"why": CANARY}, where=[{CANARY}])
    assert CANARY not in stream.getvalue()
    assert lines(stream)[0]["reason"] == "dict"


def test_an_exception_is_told_by_type_and_place(stream: io.StringIO) -> None:
    try:
        try:
            fail()
        except ValueError as error:
            raise RuntimeError(CANARY) from error
    except RuntimeError:
        structlog.get_logger().exception("instance_failed")
    (line,) = lines(stream)
    assert CANARY not in stream.getvalue()
    assert "RuntimeError" in line["trace"]
    assert "ValueError" in line["trace"]
    assert "in fail" in line["trace"]


def test_what_a_library_says_is_not_repeated(stream: io.StringIO) -> None:
    logging.getLogger("pynetdicom.acse").warning("Patient %s", CANARY)
    logging.getLogger(f"aiohttp.{CANARY}").error(CANARY, extra={"x": CANARY})
    logging.getLogger(CANARY).error("unknown library")
    assert [line["event"] for line in lines(stream)] == ["library_message"] * 3
    assert lines(stream)[0]["logger"] == "pynetdicom.acse"
    assert lines(stream)[0]["level"] == "warning"
    assert "test_observe_logs.py" in lines(stream)[0]["place"]


def test_what_a_library_says_of_an_exception_is_not_repeated(stream: io.StringIO) -> None:
    try:
        fail()
    except ValueError:
        logging.getLogger("pydicom").exception("while reading %s", CANARY)
    assert CANARY not in stream.getvalue()
    assert "ValueError" in lines(stream)[0]["trace"]


def test_a_record_that_cannot_be_formatted_is_not_printed(
    stream: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    record = logging.LogRecord("pydicom", logging.ERROR, __file__, 1, "%d %d", (CANARY,), None)
    logs.LibraryHandler().handle(record)
    assert CANARY not in stream.getvalue() + "".join(capfd.readouterr())


def test_warnings_are_not_repeated(stream: io.StringIO, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn(CANARY, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert CANARY not in stream.getvalue() + "".join(capfd.readouterr())
    assert lines(stream)[0]["logger"] == "py.warnings"


def test_an_exception_nobody_caught_is_told_without_its_text(
    stream: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    try:
        fail()
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    assert CANARY not in stream.getvalue() + "".join(capfd.readouterr())
    assert lines(stream)[0]["event"] == "process_crashed"


def test_an_exception_in_a_thread_is_told_without_its_text(
    stream: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    hook = threading.excepthook
    thread = threading.Thread(target=fail)
    # pytest puts its own hook in place for each test; this is the one of the service.
    threading.excepthook = logs.thread_crashed
    thread.start()
    thread.join()
    threading.excepthook = hook
    assert CANARY not in stream.getvalue() + "".join(capfd.readouterr())
    assert lines(stream)[0]["event"] == "thread_crashed"


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_sender_cannot_forge_a_line_or_steer_a_terminal(form: str, stream: io.StringIO) -> None:
    logs.configure("info", form, stream)
    structlog.get_logger().info("association_accepted", calling_ae="A\nlevel=x\x1b[2J\u202e")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b[2J" not in stream.getvalue()
    assert "\u202e" not in stream.getvalue()


def test_what_reads_the_log_gets_no_characters_that_steer(stream: io.StringIO) -> None:
    """A line of JSON holds them in disguise, and whoever prints its values undoes that."""
    logs.configure("info", "json", stream)
    structlog.get_logger().info("association_accepted", calling_ae="A\nlevel=x\x1b[2J\u202e")
    assert json.loads(stream.getvalue())["calling_ae"] == "A\ufffdlevel=x\ufffd[2J\ufffd"


def test_events_below_the_level_are_not_written(stream: io.StringIO) -> None:
    logs.configure("warning", "json", stream)
    structlog.get_logger().info("instance_stored")
    assert stream.getvalue() == ""


@pytest.mark.usefixtures("stream")
@pytest.mark.parametrize("is_closed", [False, True])
def test_a_log_that_takes_nothing_fails_nobody(*, is_closed: bool) -> None:
    """The disk is full, or whoever read it is gone: the service goes on, and the metrics tell."""
    before = logs.Withheld.lines
    with full_disk() as full:
        logs.configure("info", "json", full)
        if is_closed:
            full.close()
        structlog.get_logger().info("instance_received")
        structlog.get_logger().exception("association_failed", exc_info=OSError())
    assert logs.Withheld.lines == before + 2
    assert f"dicomveil_log_lines_lost {before + 2}.0" in Metrics().exposition().decode()


def test_a_line_for_who_started_the_service_may_find_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with full_disk() as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(OSError, match="No space"):
            full.write("x")
        serve._tell("ready")


async def test_connections_that_cannot_be_accepted_are_told_of_once(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop complains for each place of the backlog, and again as soon as it has slept."""
    monkeypatch.setattr(logs.Unaccepted, "told_at", -math.inf)
    loop = asyncio.get_running_loop()
    said: list[dict[str, Any]] = []

    def hear(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        said.append(context)
        logs.handle_loop_exception(loop, context)

    loop.set_exception_handler(hear)
    server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as client:
        client.connect(server.sockets[0].getsockname())
        next_descriptor = os.dup(0)
        os.close(next_descriptor)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (next_descriptor, before[1]))
            while not said:  # noqa: ASYNC110  # what is waited for tells nobody
                await asyncio.sleep(0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
    server.close()
    assert len(said) > 1
    (told,) = lines(stream)
    assert (told["event"], told["errno"]) == ("connections_not_accepted", "EMFILE")


def full_disk() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.FileIO("/dev/full", "wb"), write_through=True)


def test_the_document_explains_every_key_and_no_other() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (.+) \|$", (ROOT / "docs/logging.md").read_text(), re.MULTILINE
    )
    assert dict(rows) == logs.ALLOWED


def _log_calls() -> Iterator[tuple[str, ast.Call]]:
    for package in ("daemon", "dicomweb", "deid", "config"):
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in METHODS
                    and isinstance(node.func.value, ast.Name | ast.Attribute)
                    and ast.unparse(node.func.value).rpartition(".")[2].strip("_") == "log"
                ):
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", node


def test_the_code_logs_only_keys_that_are_on_the_list() -> None:
    allowed = {*logs.ALLOWED, "exc_info"}
    unknown = [
        f"{place}: {keyword.arg}"
        for place, call in _log_calls()
        for keyword in call.keywords
        if keyword.arg is not None and keyword.arg not in allowed
    ]
    assert unknown == []


def test_the_code_logs_events_by_plain_names() -> None:
    sentences = [
        f"{place}: {call.args[0].value!r}"
        for place, call in _log_calls()
        if call.args
        and isinstance(call.args[0], ast.Constant)
        and not re.fullmatch(r"[a-z][a-z0-9_]*", str(call.args[0].value))
    ]
    assert sentences == []


def test_logging_brings_no_drawer_of_local_variables_and_leaves_it_to_be_imported() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            ("import sys; from daemon.observe import logs; print('rich' in sys.modules);"
            "logs.configure(form='console'); import rich.console; print('rich' in sys.modules)"),
        ],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=240,
    )  # fmt: skip
    assert said.stdout.split() == ["False", "True"]
