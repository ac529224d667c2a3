"""The parts of the first tour, each alone."""

from __future__ import annotations

import io
import os
import socket
from typing import TYPE_CHECKING

import pydicom
import pytest

from daemon.demo.__main__ import main
from daemon.demo.senders import WAYS, drop_files
from daemon.demo.service import Addresses, RunsAlready, Service, free_port
from daemon.demo.tour import ProgressLine, became
from daemon.records import Origin, Receipt, Receiver, State
from daemon.store.embedded import EMBEDDED
from daemon.store.journal import SETTLED, read_journal
from daemon.store.layout import Layout, StateLock
from daemon.store.rows import Arrival
from daemon.synthetic.encodings import encoded
from tests.factories import make_ct
from tests.free_ports import free_ports

if TYPE_CHECKING:
    from pathlib import Path


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """Make a state as the service does, with one receipt of each of two states."""
    EMBEDDED.prepare(Layout(tmp_path))
    with EMBEDDED.session(Layout(tmp_path)) as session:
        session.receipts.insert(Receipt("a", Origin(Receiver.DIMSE, "X", "Y"), 1.0, 10))
        session.receipts.insert(Receipt("b", Origin(Receiver.STOW), 1.0, 10))
        session.receipts.change(
            "b", state=State.QUARANTINED, reason="pixels_not_cleaned", where="(0028,0301)"
        )
    return tmp_path


def entry(state: State, **changes: str) -> Arrival:
    values = {"reason": "", "where": "", "original_uid": "", "patient_id": "", "study_uid": ""}
    return Arrival(seq=1, receiver="dimse", state=state, **{**values, **changes})


def test_a_database_that_is_not_there_yet_has_no_receipts(tmp_path: Path) -> None:
    assert read_journal(tmp_path) == []


def test_a_database_without_tables_has_no_receipts(tmp_path: Path) -> None:
    Layout(tmp_path).database.touch()
    assert read_journal(tmp_path) == []


def test_the_journal_tells_states_and_reasons_in_order(state_dir: Path) -> None:
    found = read_journal(state_dir)
    assert [(one.receiver, one.state, one.reason, one.where) for one in found] == [
        ("dimse", State.RECEIVED, "", ""),
        ("stow", State.QUARANTINED, "pixels_not_cleaned", "(0028,0301)"),
    ]


def test_the_journal_goes_on_after_a_number(state_dir: Path) -> None:
    first, second = read_journal(state_dir)
    assert read_journal(state_dir, first.seq) == [second]


@pytest.mark.parametrize(
    ("state", "is_settled"),
    [
        (State.RECEIVED, False),
        (State.STORED, True),
        (State.QUARANTINED, True),
        (State.DUPLICATE, True),
        (State.UNROUTED, True),
    ],
)
def test_settled_is_what_waits_for_nothing(state: State, is_settled: bool) -> None:
    assert (entry(state).state in SETTLED) is is_settled


def test_what_became_of_it_names_the_pseudonym_or_the_reason() -> None:
    assert became(None) == ("not received", "")
    assert became(entry(State.STORED, patient_id="0F3A")) == ("stored", "0F3A")
    quarantined = entry(State.QUARANTINED, reason="pixels_not_cleaned", where="(0028,0301)")
    assert became(quarantined) == ("quarantined", "pixels_not_cleaned (0028,0301)")


async def test_dropped_files_appear_whole_and_leave_no_partial_ones(tmp_path: Path) -> None:
    answers = [
        answer async for answer in drop_files([make_ct(instance=n) for n in (1, 2)], tmp_path)
    ]
    assert answers == [True, True]
    assert sorted(os.listdir(tmp_path))  # noqa: PTH208 - a Path method would block here too == ["0001.dcm", "0002.dcm"]
    assert pydicom.dcmread(tmp_path / "0002.dcm").InstanceNumber == 2


def test_what_is_sent_is_a_file_with_preamble() -> None:
    assert encoded(make_ct())[128:132] == b"DICM"


def test_every_receiver_has_a_way_in() -> None:
    # Nobody sends by these.
    assert set(WAYS) == set(Receiver) - {Receiver.RECOVERED, Receiver.OPERATION}


def test_a_port_in_use_is_not_offered() -> None:
    (port,) = free_ports()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert free_port(port) == 0
    assert free_port(port) == port


def test_a_terminal_sees_one_line_written_over() -> None:
    stream = Terminal()
    line = ProgressLine(stream, 3)
    line.show(1, 0, "sending")
    line.show(2, 1, "sending")
    line.end()
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().endswith("2/3 sent, 1/3 settled: sending\n")


def test_a_pipe_sees_a_line_at_each_step_and_no_control_characters() -> None:
    stream = io.StringIO()
    line = ProgressLine(stream, 3)
    line.show(1, 0, "sending")
    line.show(3, 0, "sending")
    line.rest()
    line.show(3, 3, "done")
    line.end()
    assert stream.getvalue() == "3/3 sent, 0/3 settled: sending\n3/3 sent, 3/3 settled: done\n"


def test_a_service_that_cannot_start_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = Service(tmp_path / "state")
    service.state_dir.mkdir(parents=True)
    (service.state_dir / "dicomveil.sqlite").mkdir()

    status = main(["--state", str(service.folder), "--dimse-port", "0", "--http-port", "0"])

    assert status == 1
    first, *log = capsys.readouterr().err.splitlines()
    assert first == f"dicomveil: the service did not start; {service.log} ends:"
    assert log == service.log.read_text().splitlines()[-12:]
    service.claim()  # nothing runs any more
    service.stop()


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("listens", [True, False])
def test_beside_a_running_service_nothing_is_started_or_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], listens: bool
) -> None:
    service = Service(tmp_path / "state")
    service.claim()
    service.stop()
    (service.state_dir / "run").mkdir(parents=True)
    service.log.write_text("what the first wrote\n")
    service.config.write_text("[http]\nport = 8099\n")
    if listens:
        (service.state_dir / "run" / "addresses.json").write_text(
            '{"dimse": ["127.0.0.1", 11199], "http": ["127.0.0.1", 8099]}'
        )
    held = StateLock(Layout(service.state_dir).lock)
    before = contents(service.folder)

    status = main(["--state", str(service.folder)])

    held.release()
    assert status == 1
    assert contents(service.folder) == before
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"dicomveil: a service runs already in {service.folder}")
    assert ("http://127.0.0.1:8099/studies (C-STORE at 127.0.0.1 11199)" in err) is listens
    service.claim()
    service.stop()


def test_only_one_at_a_time_starts_a_service(tmp_path: Path) -> None:
    first, second = Service(tmp_path), Service(tmp_path)
    first.claim()
    with pytest.raises(RunsAlready):
        second.start(0, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock"]
    first.stop()
    second.claim()
    second.stop()


def test_addresses_have_a_base() -> None:
    assert Addresses(("127.0.0.1", 104), ("127.0.0.1", 80)).base == "http://127.0.0.1:80"
