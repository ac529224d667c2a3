"""Order that matters when the power fails, seen in system calls: killing a process cannot show it."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from daemon.records import State
from tests.conftest import program
from tests.factories import encoded, make_ct, write
from tests.scu import PlainScu, dataset_of
from tests.service import RunningDaemon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
TRACED = "fsync,fdatasync,rename,pwrite64,sendto,sendmsg,write,writev"
_LINE = re.compile(
    r"(?P<thread>\d+) +(?:(?P<name>\w+)\((?P<given>.*)|<\.\.\. (?P<resumed>\w+) resumed>(?P<rest>.*))"
)


class Call(NamedTuple):
    """A system call: when it was begun and when it had ended, as line numbers; and what strace says of it."""

    name: str
    text: str
    begun: int
    ended: int


def calls_in(trace: str) -> list[Call]:
    """Return the calls that succeeded, in the order in which they were begun."""
    open_calls: dict[str, tuple[str, str, int]] = {}
    found = []
    for number, line in enumerate(trace.splitlines()):
        match = _LINE.match(line)
        if match is None:
            continue
        thread, name = match["thread"], match["name"]
        if name and line.endswith("<unfinished ...>"):
            open_calls[thread] = (name, match["given"], number)
            continue
        if name:
            begun, text = number, match["given"]
        elif thread in open_calls:
            name, given, begun = open_calls.pop(thread)
            text = given + match["rest"]
        else:
            continue
        if not re.search(r"= -1 E[A-Z]+", text[-60:]):
            found.append(Call(name, text, begun, number))
    return sorted(found, key=lambda call: call.begun)


@dataclass
class Trace:
    """What the service did, as far as durability and answers are concerned."""

    calls: list[Call]

    def first(
        self,
        is_it: Callable[[Call], bool],
        *,
        after: int = -1,
        before: float = float("inf"),
        what: str,
    ) -> Call:
        """Return the first such call that is begun after one line and had ended before another."""
        for call in self.calls:
            if call.begun > after and call.ended < before and is_it(call):
                return call
        message = f"{what} is not there between lines {after} and {before}"
        raise AssertionError(message)

    def renames(self, from_folder: str, to_folder: str) -> list[tuple[Call, str, str]]:
        """Return renames between two folders, with the old and the new path."""
        found = []
        for call in self.calls:
            if call.name == "rename":
                old, new = re.findall(r'"([^"]+)"', call.text)[:2]
                if from_folder in old and to_folder in new:
                    found.append((call, old, new))
        return found


def flushes(path: str) -> Callable[[Call], bool]:
    """Tell of a flush of that file or folder, or of one whose path ends so."""
    return lambda call: call.name in {"fsync", "fdatasync"} and f"{path}>" in call.text


def either(first: Callable[[Call], bool], second: Callable[[Call], bool]) -> Callable[[Call], bool]:
    """Tell of one or the other."""
    return lambda call: first(call) or second(call)


def flushes_log(call: Call) -> bool:
    """Tell of a flush of the database's write-ahead log: a commit."""
    return call.name in {"fsync", "fdatasync"} and ".sqlite-wal>" in call.text


def writes_row(words: str) -> Callable[[Call], bool]:
    """Tell of a page with these words written to the database's write-ahead log."""
    return lambda call: (
        call.name == "pwrite64" and ".sqlite-wal>" in call.text and words in call.text
    )


def answers(port: int, begin: str) -> Callable[[Call], bool]:
    """Tell of something sent from that port that begins so."""
    return lambda call: (
        call.name in {"sendto", "sendmsg", "write", "writev"}
        and f"127.0.0.1:{port}->" in call.text
        and f'"{begin}' in call.text
    )


@pytest.fixture
def traced_daemon(disk_path: Path, state_dir: Path) -> Iterator[RunningDaemon]:
    """Run the service under strace, as its own child's parent: signals go to the service."""
    strace = program("strace")
    python = disk_path / "traced-python"
    python.write_text(
        f"#!/bin/sh\nexec {strace} -D -f -q -yy -s 9000 -o {disk_path}/trace "
        f'--seccomp-bpf -e signal=none -e trace={TRACED} {sys.executable} "$@"\n'
    )
    python.chmod(0o700)
    inbox = disk_path / "inbox"
    inbox.mkdir()
    daemon = RunningDaemon(state_dir=state_dir, folder=disk_path, inbox=inbox, python=str(python))
    daemon.start()
    yield daemon
    daemon.kill()


@pytest.mark.peer("strace")
def test_nothing_is_answered_or_shown_before_it_is_on_the_disk(
    traced_daemon: RunningDaemon, disk_path: Path
) -> None:
    daemon = traced_daemon
    contents = [encoded(make_ct(instance=number)) for number in range(1, 6)]
    with PlainScu(daemon.dimse_port) as scu:
        for content in contents[:2]:
            uid = make_ct(instance=1 + contents.index(content)).SOPInstanceUID.encode()
            assert scu.store(dataset_of(content), uid) == 0
    for content in contents[2:4]:
        assert _stow(daemon, content) == 200
    assert daemon.inbox is not None
    write(disk_path / "dropped.dcm", make_ct(instance=5)).rename(daemon.inbox / "dropped.dcm")
    journal = daemon.wait_until_settled(5)
    assert {entry.state for entry in journal} == {State.STORED}
    posted = b'{"resourceType":"Basic","code":{"text":"posted-word"}}'
    assert _sent(daemon, "/fhir/source/Basic", posted, "application/fhir+json") == 201
    port, web = daemon.dimse_port, int(daemon.addresses["http"][1])
    daemon.stop()
    trace = Trace(calls_in((disk_path / "trace").read_text("utf-8", "replace")))
    state = str(daemon.state_dir)

    received = trace.renames(f"{state}/spool/", f"{state}/spool/")
    assert len(received) == 4
    ways = [answers(port, r"\4\0")] * 2 + [answers(web, "HTTP/1.1 200")] * 2
    for (renamed, _, path), is_answer in zip(received, ways, strict=True):
        answer = trace.first(is_answer, after=renamed.ended, what="the answer")
        _assert_committed(trace, renamed, path, before=answer.begun)

    (taken,) = (
        each for each in trace.renames("", f"{state}/spool/") if not each[1].startswith(state)
    )
    _assert_taken(trace, *taken)

    ((renamed, old, new),) = trace.renames(f"{state}/work/", f"{state}/fhir-source/")
    _assert_posted(trace, renamed, old, new, trace.first(answers(web, "HTTP/1.1 201"), what="201"))

    outputs = trace.renames(f"{state}/work/", f"{state}/deid/")
    sources = trace.renames(f"{state}/spool/", f"{state}/source/")
    assert (len(outputs), len(sources)) == (5, 5)
    for renamed, old, new in outputs:
        shown = _shown(trace, renamed, Path(new).stem)
        trace.first(either(flushes(old), flushes(new)), before=shown.begun, what="a flush of it")
        _assert_folders_flushed(trace, renamed, new, before=shown.begun)
    for renamed, _, new in sources:
        output = next(each for each in outputs if Path(new).stem in each[2])
        shown = _shown(trace, output[0], Path(output[2]).stem)
        _assert_folders_flushed(trace, renamed, new, before=shown.begun)


def _assert_committed(trace: Trace, renamed: Call, path: str, *, before: int) -> None:
    """Find the file, its name, and the row that acknowledges it on the disk."""
    trace.first(flushes(path), after=renamed.ended, before=before, what="a flush of the file")
    folder = str(Path(path).parent)
    named = trace.first(
        flushes(folder), after=renamed.ended, before=before, what="a flush of the spool"
    )
    row = trace.first(writes_row(Path(path).name), after=named.ended, before=before, what="the row")
    trace.first(flushes_log, after=row.ended, before=before, what="the commit")


def _assert_posted(trace: Trace, renamed: Call, old: str, new: str, answer: Call) -> None:
    """Find a posted resource committed and its file on the disk before the answer."""
    row = trace.first(writes_row("posted-word"), before=answer.begun, what="the row")
    trace.first(flushes_log, after=row.ended, before=answer.begun, what="the commit")
    flushed = either(flushes(old), flushes(new))
    trace.first(flushed, before=answer.begun, what="a flush of the file")
    _assert_folders_flushed(trace, renamed, new, before=answer.begun)


def _assert_taken(trace: Trace, renamed: Call, old: str, new: str) -> None:
    """Find a dropped file and its intent on the disk before it is renamed, the rest thereafter."""
    receipt_id = Path(new).name
    # It has been claimed by a name of ours, below a descriptor of the folder.
    flushed = trace.first(
        flushes(f"/{Path(old).name}"), before=renamed.begun, what="a flush of the dropped file"
    )
    intent = trace.first(
        writes_row(receipt_id), after=flushed.ended, before=renamed.begun, what="the intent"
    )
    trace.first(flushes_log, after=intent.ended, before=renamed.begun, what="the intent's commit")
    named = trace.first(
        flushes(str(Path(new).parent)), after=renamed.ended, what="a flush of the spool"
    )
    row = trace.first(writes_row(receipt_id), after=renamed.ended, what="the row")
    assert named.ended < row.begun
    trace.first(flushes_log, after=row.ended, what="the commit")


def _shown(trace: Trace, renamed: Call, blob: str) -> Call:
    """Return the first page of the log with the row that makes a blob visible."""
    return trace.first(writes_row(blob), after=renamed.ended, what="the row of the output")


def _assert_folders_flushed(trace: Trace, renamed: Call, path: str, *, before: int) -> None:
    folder = str(Path(path).parent)
    trace.first(
        flushes(folder), after=renamed.ended, before=before, what="a flush of the blob's folder"
    )


def _stow(daemon: RunningDaemon, content: bytes) -> int:
    body = b"--B\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--B--\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary=B'
    return _sent(daemon, "/dicomweb/source/studies", body, kind)


def _sent(daemon: RunningDaemon, address: str, body: bytes, kind: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", int(daemon.addresses["http"][1]))
    try:
        connection.request("POST", address, body, {"Content-Type": kind})
        with connection.getresponse() as response:
            response.read()
            return response.status
    finally:
        connection.close()


@pytest.fixture(scope="module")
def failing_calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the library that lets calls fail."""
    library = tmp_path_factory.mktemp("library") / "failing_calls.so"
    compiler = program("cc")
    assert compiler is not None
    source = ROOT / "tests" / "failing_calls.c"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", library, source, "-ldl"],
        check=True,
        timeout=500,
    )
    return library


@pytest.mark.peer("cc")
@pytest.mark.parametrize("how", ["failing", "killed", "reindexing"])
def test_whichever_call_fails_or_is_the_last_nothing_promised_is_lost(
    failing_calls: Path, tmp_path: Path, how: str
) -> None:
    """In memory where there is such a file system: what a disk does is not asked here."""
    memory = Path("/dev/shm")
    is_there = memory.is_dir() and os.access(memory, os.W_OK)
    with tempfile.TemporaryDirectory(dir=memory if is_there else tmp_path) as folder:
        done = _run_while_calls_fail(failing_calls, Path(folder), how)
    assert done.returncode == 0, done.stderr[-4000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["calls"] > 80
    assert report["wrong"] == {}


def _run_while_calls_fail(
    library: Path, folder: Path, how: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.integration.failing_calls_child", how, folder, library],
        cwd=ROOT,
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
