"""The state table, walked: bytes in, bytes out, without a network."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from config.settings import Dimse
from daemon.errors import SpoolFull, StoreUnavailable
from daemon.receive.dimse.admission import Admission
from daemon.receive.dimse.association import Association
from daemon.receive.dimse.buffers import receiving_buffer
from daemon.receive.dimse.service import Service
from tests.dimse_peers import (
    ABORT_BY_USER,
    CT,
    DATA,
    EXPLICIT,
    INSTANCE,
    MR,
    RELEASE_RP,
    RELEASE_RQ,
    VERIFICATION,
    Counted,
    associate_rq,
    command_set,
    data_set,
    data_set_of,
    echo_command,
    file_spool,
    message,
    p_data,
    partial,
    pdv,
    response,
    split_pdus,
    spooled,
    store_command,
    until,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from daemon.ports import Spool, SpoolFile
    from daemon.records import Origin, Receipt

ABORT_UNEXPECTED = bytes.fromhex("07000000000400000202")
ABORT_UNRECOGNIZED = bytes.fromhex("07000000000400000201")
ABORT_INVALID = bytes.fromhex("07000000000400000206")
CONTEXTS = ((1, CT, [EXPLICIT]), (3, VERIFICATION, [EXPLICIT]), (5, MR, [EXPLICIT]))
OTHER_PDUS = {
    "A-ASSOCIATE-AC": bytes.fromhex("020000000000"),
    "A-ASSOCIATE-RJ": bytes.fromhex("03000000000400010101"),
    "A-RELEASE-RP": RELEASE_RP,
}


class MemoryTransport(asyncio.Transport):
    """Keeps what is written, and the receiving side's wishes."""

    def __init__(self) -> None:
        super().__init__()
        self.socket = socket.socket()
        self.written = b""
        self.is_closed = False
        self.is_reading_paused = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"socket": self.socket, "peername": ("192.0.2.7", 4242)}.get(name, default)

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        self.is_reading_paused = True

    def resume_reading(self) -> None:
        self.is_reading_paused = False


class Bench:
    """One association on a transport in memory."""

    def __init__(self, service: Service[Association], counted: Counted, spool: Any) -> None:
        self.counted = counted
        self.spool = spool
        self.transport = MemoryTransport()
        self.association = Association(service)
        self.association.connection_made(self.transport)

    def receive(self, data: bytes) -> None:
        """Hand bytes over as the event loop does, buffer by buffer."""
        while data:
            buffer = self.association.get_buffer(-1)
            taken = min(len(buffer), len(data))
            buffer[:taken] = data[:taken]
            self.association.buffer_updated(taken)
            data = data[taken:]

    def answers(self) -> list[bytes]:
        """Return the PDUs written since last asked."""
        written, self.transport.written = self.transport.written, b""
        return split_pdus(written)

    def ask(self, data: bytes) -> list[bytes]:
        self.receive(data)
        return self.answers()

    async def answered(self, data: bytes) -> list[bytes]:
        self.receive(data)
        await until(lambda: self.transport.written, "there is an answer")
        return self.answers()


@asynccontextmanager
async def bench_on(spool: Spool, **settings: Any) -> AsyncIterator[Bench]:
    configured = Dimse(**settings)
    counted = Counted()
    async with asyncio.TaskGroup() as tasks:
        service: Service[Association] = Service(
            configured, spool, counted, Admission(configured), tasks
        )
        bench = Bench(service, counted, spool)
        try:
            yield bench
        finally:
            bench.association.connection_lost(None)
            bench.transport.socket.close()


@asynccontextmanager
async def bench(folder: Path, **settings: Any) -> AsyncIterator[Bench]:
    async with file_spool(folder) as spool, bench_on(spool, **settings) as opened:
        yield opened


@asynccontextmanager
async def associated(folder: Path, **settings: Any) -> AsyncIterator[Bench]:
    async with bench(folder, **settings) as opened:
        (accepted,) = opened.ask(associate_rq(*CONTEXTS))
        assert accepted[0] == 2
        yield opened


@pytest.mark.parametrize("pdu", [*OTHER_PDUS.values(), RELEASE_RQ, p_data(pdv(b"x"))])
async def test_anything_but_a_request_at_first_is_aborted_as_the_user(
    tmp_path: Path, pdu: bytes
) -> None:
    async with bench(tmp_path) as opened:
        assert opened.ask(pdu) == [ABORT_BY_USER]
        assert opened.counted.rejected == ["pdu_unexpected"]


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", bytes.fromhex("1603010200010001fc")])
async def test_another_protocol_is_aborted_as_the_user(tmp_path: Path, data: bytes) -> None:
    async with bench(tmp_path) as opened:
        assert opened.ask(data) == [ABORT_BY_USER]
        assert opened.counted.rejected == ["pdu_invalid"]


async def test_a_malformed_request_is_aborted_as_the_user(tmp_path: Path) -> None:
    async with bench(tmp_path) as opened:
        assert opened.ask(associate_rq((2, CT, [EXPLICIT]))) == [ABORT_BY_USER]
        assert opened.counted.rejected == ["associate_rq_invalid"]


async def test_an_abort_at_first_closes(tmp_path: Path) -> None:
    async with bench(tmp_path) as opened:
        assert opened.ask(ABORT_BY_USER) == []
        assert opened.transport.is_closed


@pytest.mark.parametrize("pdu", [*OTHER_PDUS.values(), associate_rq()])
async def test_an_unexpected_pdu_on_an_association_is_aborted_as_the_provider(
    tmp_path: Path, pdu: bytes
) -> None:
    async with associated(tmp_path) as opened:
        assert opened.ask(pdu) == [ABORT_UNEXPECTED]
        assert opened.counted.aborted == ["pdu_unexpected"]


async def test_an_unrecognized_pdu_on_an_association_is_aborted_as_the_provider(
    tmp_path: Path,
) -> None:
    async with associated(tmp_path) as opened:
        assert opened.ask(bytes.fromhex("090000000000")) == [ABORT_UNRECOGNIZED]


async def test_a_pdu_longer_than_announced_is_aborted(tmp_path: Path) -> None:
    async with associated(tmp_path, max_pdu_bytes=4096) as opened:
        assert opened.ask(p_data(pdv(bytes(4096)))) == [ABORT_INVALID]


async def test_after_an_abort_everything_is_ignored(tmp_path: Path) -> None:
    async with associated(tmp_path) as opened:
        opened.ask(RELEASE_RP)
        assert opened.ask(associate_rq() + b"GET /" + RELEASE_RQ) == []


async def test_a_release_is_answered_and_gives_the_place_free(tmp_path: Path) -> None:
    async with associated(tmp_path, max_associations=1) as opened:
        assert opened.ask(RELEASE_RQ) == [RELEASE_RP]
        assert opened.counted.aborted == []


async def test_an_abort_by_the_peer_is_counted(tmp_path: Path) -> None:
    async with associated(tmp_path) as opened:
        assert opened.ask(ABORT_BY_USER) == []
        assert opened.transport.is_closed
        assert opened.counted.aborted == ["by_peer"]


async def test_an_echo_is_answered(tmp_path: Path) -> None:
    async with associated(tmp_path) as opened:
        (answer,) = opened.ask(message(echo_command(9), context=3))
        read = response(answer)
        assert (read.CommandField, read.Status) == (0x8030, 0)
        assert read.MessageIDBeingRespondedTo == 9
        assert answer[10] == 3


async def test_an_instance_is_written_as_sent_and_acknowledged(tmp_path: Path) -> None:
    async with associated(tmp_path) as opened:
        data = data_set(256_000)
        (answer,) = await opened.answered(message(store_command(), data))
        assert response(answer).Status == 0
        (path,) = spooled(opened.spool)
        assert data_set_of(path.read_bytes()) == data
        assert opened.counted.received == [len(data)]


async def test_nothing_is_acknowledged_before_the_commit_returned() -> None:
    spool = StubbornSpool()
    async with bench_on(spool) as opened:
        opened.ask(associate_rq(*CONTEXTS))
        assert opened.ask(message(store_command(), DATA)) == []
        await asyncio.sleep(0)
        assert opened.answers() == []
        spool.let_go.set()
        await until(lambda: opened.transport.written, "there is an answer")


async def test_what_arrives_during_a_commit_waits_with_reading_paused() -> None:
    spool = StubbornSpool()
    async with bench_on(spool) as opened:
        opened.ask(associate_rq(*CONTEXTS))
        assert opened.ask(message(store_command(), DATA) + RELEASE_RQ) == []
        assert opened.transport.is_reading_paused
        spool.let_go.set()
        await until(lambda: RELEASE_RP in opened.transport.written, "the release is answered")
        stored, released = opened.answers()
        assert response(stored).Status == 0
        assert released == RELEASE_RP


async def test_messages_sent_ahead_are_answered_in_order(tmp_path: Path) -> None:
    async with associated(tmp_path) as opened:
        ahead = b"".join(
            message(
                store_command(MessageID=number, AffectedSOPInstanceUID=f"1.2.{number}"),
                data_set(sop_instance=f"1.2.{number}"),
            )
            for number in range(1, 6)
        )
        opened.receive(ahead + RELEASE_RQ)
        await until(lambda: RELEASE_RP in opened.transport.written, "the release is answered")
        answers = [response(pdu) for pdu in opened.answers()[:-1]]
        assert [answer.MessageIDBeingRespondedTo for answer in answers] == [1, 2, 3, 4, 5]


async def test_a_peer_that_does_not_read_is_not_listened_to(tmp_path: Path) -> None:
    async with associated(tmp_path) as opened:
        opened.association.pause_writing()
        assert opened.ask(message(echo_command(), context=3)) == []
        assert opened.transport.is_reading_paused
        opened.association.resume_writing()
        assert len(opened.answers()) == 1
        assert not opened.transport.is_reading_paused


async def test_messages_that_wait_for_no_answer_leave_others_their_turn(tmp_path: Path) -> None:
    """Thousands lie in a full buffer: one is answered at a time, then it is the others' turn."""
    async with associated(tmp_path) as opened:
        answers = opened.ask(b"".join(message(echo_command(each), context=3) for each in range(90)))
        assert len(answers) == 1
        while opened.transport.is_reading_paused:
            await asyncio.sleep(0)
            now = opened.answers()
            assert len(now) <= 1
            answers += now
        numbers = [response(pdu).MessageIDBeingRespondedTo for pdu in answers]
        assert numbers == list(range(90))


async def test_fragments_of_nothing_leave_others_their_turn(tmp_path: Path) -> None:
    async with associated(tmp_path) as opened:
        nothing = p_data(pdv(b"", context=3, command=True, last=False))
        assert opened.ask(300 * nothing + message(echo_command(1), context=3)) == []
        assert opened.transport.is_reading_paused
        opened.receive(message(echo_command(2), context=3))  # what was read before it was paused
        await until(lambda: not opened.transport.is_reading_paused, "all was looked at")
        answers = [response(pdu).MessageIDBeingRespondedTo for pdu in opened.answers()]
        assert answers == [1, 2]


async def test_of_many_requests_for_an_association_one_is_looked_at_a_turn(tmp_path: Path) -> None:
    """The largest takes some 40 ms: a hundred at once would keep all others waiting for their sum."""
    async with bench(tmp_path) as first:
        more = [Bench(first.association._service, first.counted, first.spool) for _ in range(5)]
        for each in (first, *more):
            each.receive(associate_rq())
        accepted = 0
        while accepted < 6:
            assert first.counted.accepted == accepted + 1
            accepted += 1
            await asyncio.sleep(0)
        for each in more:
            assert not each.transport.is_reading_paused
            each.association.connection_lost(None)
            each.transport.socket.close()


REFUSED = {
    "0122": store_command(AffectedSOPClassUID=VERIFICATION),
    "A900": store_command(AffectedSOPClassUID=MR),
    "C000": store_command(AffectedSOPInstanceUID="1.2.x"),
    "0211": store_command(CommandField=0x0020),
}


@pytest.mark.parametrize("status", REFUSED)
async def test_a_refused_request_is_drained_and_the_association_stays(
    tmp_path: Path, status: str
) -> None:
    async with associated(tmp_path) as opened:
        refused = message(REFUSED[status], bytes(50_000))
        (answer,) = opened.ask(refused)
        assert f"{response(answer).Status:04X}" == status
        assert spooled(opened.spool) == partial(opened.spool) == []
        (answer,) = await opened.answered(message(store_command(), DATA))
        assert response(answer).Status == 0


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(message(store_command(CommandDataSetType=0x0101)), id="none announced"),
        pytest.param(message(store_command()) + p_data(pdv(b"")), id="none sent"),
    ],
)
async def test_a_store_without_a_data_set_is_refused(tmp_path: Path, data: bytes) -> None:
    async with associated(tmp_path) as opened:
        (answer,) = opened.ask(data)
        assert response(answer).Status == 0xC000
        assert spooled(opened.spool) == partial(opened.spool) == []


async def test_an_instance_past_the_size_limit_is_refused_while_it_comes(tmp_path: Path) -> None:
    async with associated(tmp_path, max_instance_bytes=100_000) as opened:
        data = message(store_command(), data_set(200_000))
        opened.receive(data[:150_000])
        assert partial(opened.spool) == []
        (answer,) = opened.ask(data[150_000:])
        assert response(answer).Status == 0xC000
        assert opened.counted.refused == ["too_large"]


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (SpoolFull("full"), 0xA700, "full"),
        (StoreUnavailable("locked"), 0xA700, "back_end_away"),
        (RuntimeError("ZQXPHI^NAME"), 0xC000, "internal_error"),
    ],
)
@pytest.mark.parametrize("where", ["open", "write", "commit"])
async def test_a_spool_that_fails_is_answered_and_the_association_stays(
    error: Exception, status: int, reason: str, where: str
) -> None:
    spool = StubbornSpool(where, error)
    spool.let_go.set()
    async with bench_on(spool) as opened:
        opened.ask(associate_rq(*CONTEXTS))
        (answer,) = await opened.answered(message(store_command(), DATA))
        assert response(answer).Status == status
        assert opened.counted.refused == [reason]
        assert b"ZQXPHI" not in answer
        spool.error = None
        (answer,) = await opened.answered(message(store_command(), DATA))
        assert response(answer).Status == 0


@pytest.mark.parametrize(
    ("data", "abort", "reason"),
    [
        pytest.param(
            message(store_command(), context=7), ABORT_INVALID, "context_not_accepted", id="context"
        ),
        pytest.param(p_data(pdv(b"x")), ABORT_BY_USER, "message_out_of_order", id="no command"),
        pytest.param(
            message(store_command()) * 2, ABORT_BY_USER, "message_out_of_order", id="two commands"
        ),
        pytest.param(
            message(store_command()) + p_data(pdv(b"x", context=5)),
            ABORT_BY_USER,
            "message_out_of_order",
            id="data on another context",
        ),
        pytest.param(
            p_data(pdv(b"\0\0", command=True, last=False), pdv(b"\0", command=True, context=5)),
            ABORT_BY_USER,
            "message_out_of_order",
            id="command on two contexts",
        ),
        pytest.param(message(b"\xff" * 20), ABORT_BY_USER, "command_invalid", id="noise"),
        pytest.param(
            message(command_set(CommandField=0x8001, MessageID=1, CommandDataSetType=0x0101)),
            ABORT_BY_USER,
            "command_invalid",
            id="a response",
        ),
        pytest.param(
            p_data(pdv(bytes(17_000), command=True, last=False)),
            ABORT_BY_USER,
            "command_invalid",
            id="a command without end",
        ),
    ],
)
async def test_messages_that_break_the_rules_are_aborted(
    tmp_path: Path, data: bytes, abort: bytes, reason: str
) -> None:
    async with associated(tmp_path) as opened:
        assert opened.ask(data) == [abort]
        assert opened.counted.aborted == [reason]
        assert partial(opened.spool) == []


@pytest.mark.parametrize("ending", [RELEASE_RQ, ABORT_BY_USER])
async def test_an_instance_cut_short_leaves_nothing(tmp_path: Path, ending: bytes) -> None:
    async with associated(tmp_path) as opened:
        opened.receive(message(store_command()) + p_data(pdv(bytes(9000), last=False)))
        assert len(partial(opened.spool)) == 1
        opened.receive(ending)
        assert spooled(opened.spool) == partial(opened.spool) == []


async def test_a_connection_lost_within_an_instance_leaves_nothing(tmp_path: Path) -> None:
    async with associated(tmp_path) as opened:
        opened.receive(message(store_command()) + p_data(pdv(bytes(9000), last=False)))
        opened.association.connection_lost(ConnectionResetError())
        assert spooled(opened.spool) == partial(opened.spool) == []
        assert opened.counted.aborted == ["connection_lost"]


async def test_a_whole_instance_is_kept_though_the_connection_is_lost() -> None:
    spool = StubbornSpool()
    async with bench_on(spool) as opened:
        opened.ask(associate_rq(*CONTEXTS))
        opened.receive(message(store_command(), DATA))
        opened.association.connection_lost(None)
        spool.let_go.set()
        await until(lambda: opened.counted.received == [len(DATA)], "the instance is durable")
        assert opened.answers() == []


async def test_a_fault_of_ours_ends_one_association_and_not_the_service() -> None:
    spool = StubbornSpool()
    spool.let_go.set()
    async with bench_on(spool) as opened:
        opened.ask(associate_rq(*CONTEXTS))
        opened.counted.received = None  # type: ignore[assignment]  # counting fails
        opened.receive(message(store_command(), DATA))
        await until(lambda: opened.transport.is_closed, "the association ends")


async def test_a_message_under_way_is_not_judged_by_the_idle_timeout(tmp_path: Path) -> None:
    async with associated(tmp_path, idle_timeout_s=1, network_timeout_s=1000) as opened:
        whole = message(store_command(), DATA)
        opened.receive(whole[:-1])
        opened.association._pace._progressed_at -= 500
        opened.association._watch()
        (answer,) = await opened.answered(whole[-1:])
        assert response(answer).Status == 0
        opened.association._pace._progressed_at -= 500
        opened.association._watch()
        assert opened.answers() == [ABORT_BY_USER]
        assert opened.counted.aborted == ["idle"]


async def test_a_cancel_is_not_answered(tmp_path: Path) -> None:
    cancel = command_set(
        CommandField=0x0FFF, MessageIDBeingRespondedTo=1, CommandDataSetType=0x0101
    )
    async with associated(tmp_path) as opened:
        assert opened.ask(message(cancel)) == []
        assert opened.counted.refused == []


async def test_a_sender_is_answered_before_anybody_else_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with associated(tmp_path) as opened:
        answered = []

        def received(_size: int) -> None:
            answered.append(bool(opened.transport.written))

        monkeypatch.setattr(opened.counted, "instance_received", received)
        await opened.answered(message(store_command(), data_set()))
        assert answered == [True]


async def test_a_response_is_cut_to_the_maximum_length_of_the_peer(tmp_path: Path) -> None:
    async with bench(tmp_path) as opened:
        opened.ask(associate_rq(*CONTEXTS, max_length=64))
        answers = opened.ask(message(echo_command(), context=3))
        assert len(answers) > 1
        assert all(len(pdu) - 6 <= 64 for pdu in answers)


async def test_associations_over_the_limit_are_rejected_as_transient(tmp_path: Path) -> None:
    async with associated(tmp_path, max_associations=1) as first:
        first.ask(message(echo_command(), context=3))
        second = Bench(first.association._service, first.counted, first.spool)
        assert await second.answered(associate_rq()) == [bytes.fromhex("03000000000400020302")]
        assert first.counted.rejected == ["too_many_associations"]
        second.association.connection_lost(None)
        second.transport.socket.close()


async def test_a_peer_from_elsewhere_is_closed_unread(tmp_path: Path) -> None:
    async with bench(tmp_path, allowed_networks=("10.0.0.0/8",)) as opened:
        assert opened.transport.is_closed
        assert opened.ask(associate_rq()) == []
        assert opened.counted.rejected == ["network_not_allowed"]


async def test_logs_name_the_sender_and_never_what_it_sent(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        async with associated(tmp_path) as opened:
            await opened.answered(message(store_command(), data_set(name="ZQXPHI^NAME")))
            opened.ask(message(store_command(AffectedSOPInstanceUID="ZQXPHI"), b"ZQXPHI"))
            opened.ask(message(b"ZQXPHI"))
    events = [entry["event"] for entry in logs]
    assert events == [
        "association_accepted",
        "instance_received",
        "request_refused",
        "association_aborted",
    ]
    assert all(entry["calling_ae"] == "MODALITY" for entry in logs)
    assert "ZQXPHI" not in str(logs)
    assert INSTANCE not in str(logs)


class StubbornSpool:
    """A spool that waits to be let go, or fails where it is told to."""

    def __init__(self, where: str = "", error: Exception | None = None) -> None:
        self.where = where
        self.error = error
        self.let_go = asyncio.Event()

    def fail_at(self, where: str) -> None:
        if self.error and self.where == where:
            raise self.error

    def open(self, origin: Origin) -> SpoolFile:
        self.fail_at("open")
        return StubbornFile(self)

    async def adopt(self, path: Path, origin: Origin) -> Receipt:
        raise NotImplementedError


class StubbornFile:
    """Its file, which keeps nothing."""

    def __init__(self, spool: StubbornSpool) -> None:
        self._spool = spool

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._spool.fail_at("write")

    async def commit(self) -> Receipt:
        await self._spool.let_go.wait()
        self._spool.fail_at("commit")
        return None  # type: ignore[return-value]  # nobody looks at it

    def abort(self) -> None:
        pass


def _private_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0])


def test_an_association_takes_memory_for_what_it_received_at_once() -> None:
    before_kb = _private_kb()
    buffers = [receiving_buffer() for _ in range(256)]
    for buffer in buffers:
        buffer[:500] = bytes(500)
    assert _private_kb() - before_kb < sum(map(len, buffers)) / 1024 / 4
    buffers[0][:] = b"x" * len(buffers[0])
    assert bytes(buffers[0]) == b"x" * len(buffers[0])
