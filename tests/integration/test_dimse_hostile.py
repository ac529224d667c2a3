"""Connections that are silent, slow, broken or not DICOM at all, beside a good sender."""

from __future__ import annotations

import asyncio
import struct
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.dimse_peers import (
    ABORT_BY_USER,
    CT,
    DATA,
    EXPLICIT,
    RELEASE_RP,
    RELEASE_RQ,
    VERIFICATION,
    Wire,
    associate_rq,
    context_item,
    data_set,
    echo_command,
    message,
    p_data,
    partial,
    pdv,
    response,
    running_server,
    spooled,
    store_command,
    until,
    wire,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LONG_S = 3600.0
SHORT_S = 0.2
REJECTED_LOCAL_LIMIT = bytes.fromhex("03000000000400020302")


async def assert_good_sender_succeeds(port: int) -> None:
    async with wire(port) as sender:
        assert (await sender.ask(associate_rq()))[0] == 2
        assert response(await sender.ask(message(store_command(), DATA))).Status == 0
        assert await sender.ask(RELEASE_RQ) == RELEASE_RP


@asynccontextmanager
async def silent(port: int, count: int) -> AsyncIterator[list[Wire]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(wire(port)) for _ in range(count)]


@pytest.mark.parametrize("count", [10, 300])
async def test_silent_connections_keep_nobody_out(disk_path: Path, count: int) -> None:
    """The ARTIM timer would only help after an hour: a good sender need not wait for it."""
    async with (
        running_server(disk_path, artim_timeout_s=LONG_S, max_associations=4) as running,
        silent(running.port, count),
    ):
        await assert_good_sender_succeeds(running.port)


async def test_silent_associations_keep_nobody_out(disk_path: Path) -> None:
    """Neither of the limits is a good sender's concern while others only sit there."""
    async with (
        running_server(
            disk_path, idle_timeout_s=LONG_S, max_associations=8, max_associations_per_peer=8
        ) as running,
        silent(running.port, 8) as sitting,
    ):
        for each in sitting:
            assert (await each.ask(associate_rq()))[0] == 2
        for _ in range(3):
            await assert_good_sender_succeeds(running.port)
        assert await sitting[0].read_pdu() == ABORT_BY_USER
        assert running.counted.aborted[:1] == ["crowded_out"]


async def test_first_messages_that_never_end_keep_nobody_out(disk_path: Path) -> None:
    """For some seconds they look like messages of somebody who is only slow."""
    async with (
        running_server(
            disk_path, network_timeout_s=LONG_S, max_associations=8, max_associations_per_peer=8
        ) as running,
        AsyncExitStack() as stack,
    ):
        hosts = ("127.0.0.2", "127.0.0.3")
        flood = [
            await stack.enter_async_context(wire(running.port, host=hosts[number % 2]))
            for number in range(8)
        ]
        for each in flood:
            assert (await each.ask(associate_rq()))[0] == 2
            await each.send(message(store_command(), DATA)[:-10])
        await until(lambda: len(partial(running.spool)) == 8, "all messages are under way")
        for _ in range(3):
            await assert_good_sender_succeeds(running.port)
        assert running.counted.aborted == ["crowded_out"]


async def test_an_association_without_a_message_ends_soon(disk_path: Path) -> None:
    async with (
        running_server(
            disk_path, first_message_timeout_s=SHORT_S, idle_timeout_s=LONG_S
        ) as running,
        wire(running.port) as sender,
    ):
        await sender.ask(associate_rq())
        assert await sender.read_pdu() == ABORT_BY_USER
        assert running.counted.aborted == ["no_message"]


async def test_a_first_command_set_that_drips_in_wins_no_time(disk_path: Path) -> None:
    async with (
        running_server(
            disk_path,
            first_message_timeout_s=5 * SHORT_S,
            network_timeout_s=LONG_S,
            idle_timeout_s=LONG_S,
        ) as running,
        wire(running.port) as sender,
    ):
        await sender.ask(associate_rq())
        end = asyncio.create_task(sender.read_pdu())
        for byte in message(store_command()):
            if end.done():
                break
            await sender.send(bytes([byte]))
            await asyncio.wait([end], timeout=SHORT_S / 2)
        assert await end == ABORT_BY_USER
        assert running.counted.aborted == ["no_message"]


async def test_a_message_slower_than_the_least_rate_is_aborted(disk_path: Path) -> None:
    async with (
        running_server(disk_path, network_timeout_s=1.0, min_bytes_per_s=1e6) as running,
        wire(running.port) as sender,
    ):
        await sender.ask(associate_rq())
        await sender.send(message(store_command()) + p_data(pdv(bytes(900_000)))[:20])
        end = asyncio.create_task(sender.read_pdu())
        while not end.done():
            await sender.send(bytes(2000))
            await asyncio.wait([end], timeout=0.05)
        assert await end == ABORT_BY_USER
        assert running.counted.aborted == ["stalled"]


async def test_a_flood_of_silent_connections_is_bounded_and_counted(disk_path: Path) -> None:
    async with (
        running_server(disk_path, artim_timeout_s=LONG_S, max_unassociated=20) as running,
        silent(running.port, 50),
    ):
        await until(lambda: len(running.counted.rejected) == 30, "the oldest are closed")
        assert set(running.counted.rejected) == {"crowded_out"}


async def test_silence_ends_with_the_artim_timer(disk_path: Path) -> None:
    async with (
        running_server(disk_path, artim_timeout_s=SHORT_S) as running,
        wire(running.port) as sender,
    ):
        assert await sender.read_pdu() == b""
        assert running.counted.rejected == ["artim_timeout"]


@pytest.mark.parametrize("start", [b"\1", b"\1\0\0\0", associate_rq()[:50]])
async def test_a_request_sent_in_part_ends_with_the_artim_timer(
    disk_path: Path, start: bytes
) -> None:
    async with (
        running_server(disk_path, artim_timeout_s=SHORT_S) as running,
        wire(running.port) as sender,
    ):
        assert await sender.ask(start) == b""
        assert running.counted.rejected == ["artim_timeout"]


async def test_a_request_that_drips_in_ends_with_the_artim_timer(disk_path: Path) -> None:
    async with (
        running_server(disk_path, artim_timeout_s=SHORT_S) as running,
        wire(running.port) as sender,
    ):
        end = asyncio.create_task(sender.read_pdu())
        for byte in associate_rq():
            if end.done():
                break
            await sender.send(bytes([byte]))
            await asyncio.wait([end], timeout=SHORT_S / 10)
        assert await end == b""


async def test_a_message_that_drips_in_is_aborted(disk_path: Path) -> None:
    async with (
        running_server(disk_path, network_timeout_s=SHORT_S) as running,
        wire(running.port) as sender,
    ):
        await sender.ask(associate_rq())
        await sender.send(message(store_command()) + p_data(pdv(bytes(9000)))[:20])
        end = asyncio.create_task(sender.read_pdu())
        while not end.done():
            await sender.send(b"\0")
            await asyncio.wait([end], timeout=SHORT_S / 10)
        assert await end == ABORT_BY_USER
        assert running.counted.aborted == ["stalled"]
        assert partial(running.spool) == []


async def test_an_idle_association_is_aborted(disk_path: Path) -> None:
    """However late the first message comes: a machine that stands still for some seconds ends nothing.

    Each network timeout, the server looks whether anything came.
    """
    async with (
        running_server(
            disk_path,
            first_message_timeout_s=LONG_S,
            network_timeout_s=SHORT_S,
            idle_timeout_s=SHORT_S,
        ) as running,
        wire(running.port) as sender,
    ):
        await sender.ask(associate_rq((1, VERIFICATION, [EXPLICIT])))
        await sender.ask(message(echo_command()))
        assert await sender.read_pdu() == ABORT_BY_USER
        assert running.counted.aborted == ["idle"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="http"),
        pytest.param(bytes.fromhex("16030100c8010000c40303") + bytes(200), id="tls hello"),
        pytest.param(b"SSH-2.0-x\r\n", id="ssh"),
        pytest.param(bytes(100_000), id="zeros"),
        pytest.param(b"\xff" * 100_000, id="ones"),
        pytest.param(struct.pack(">BxI", 1, 0xFFFFFFFF), id="a request of 4 GB"),
        pytest.param(struct.pack(">BxI", 1, 10) + bytes(10), id="a request of 10 bytes"),
        pytest.param(
            associate_rq(more_items=context_item((3, CT, [EXPLICIT])) * 3000),
            id="3000 contexts",
        ),
        pytest.param(RELEASE_RQ, id="a release first"),
        pytest.param(p_data(pdv(b"x")), id="data first"),
    ],
)
async def test_what_is_no_request_is_aborted_and_the_service_goes_on(
    disk_path: Path, data: bytes
) -> None:
    async with running_server(disk_path) as running:
        async with wire(running.port) as sender:
            assert await sender.ask(data) == ABORT_BY_USER
        await assert_good_sender_succeeds(running.port)
        assert len(running.counted.rejected) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(struct.pack(">BxI", 4, 0xFFFFFFFF), 6, id="a PDU of 4 GB"),
        pytest.param(struct.pack(">BxI", 4, 2), 6, id="a PDU without room for a value"),
        pytest.param(p_data(struct.pack(">IBB", 0xFFFFFFF0, 1, 0) + bytes(9)), 6, id="a long PDV"),
        pytest.param(message(store_command(), context=99), 6, id="an unknown context"),
        pytest.param(b"\x4d" + bytes(20), 1, id="an unknown PDU type"),
        pytest.param(associate_rq(), 2, id="a second request"),
    ],
)
async def test_what_breaks_an_association_is_aborted_with_the_reason(
    disk_path: Path, data: bytes, reason: int
) -> None:
    async with running_server(disk_path) as running:
        async with wire(running.port) as sender:
            await sender.ask(associate_rq())
            assert await sender.ask(data) == b"\7\0\0\0\0\4\0\0\2" + bytes([reason])
        await assert_good_sender_succeeds(running.port)


async def test_4_gigabytes_claimed_without_a_limit_cost_no_memory(disk_path: Path) -> None:
    async with running_server(disk_path, max_pdu_bytes=0) as running:
        async with wire(running.port) as sender:
            await sender.ask(associate_rq())
            claim = struct.pack(">BxIIBB", 4, 0xFFFFFFFF, 0xFFFFFFFB, 1, 2)
            await sender.send(message(store_command()) + claim + bytes(1000))
            await until(lambda: partial(running.spool), "the instance has begun")
        await until(lambda: not partial(running.spool), "the instance is given up")
        assert running.counted.aborted == ["connection_lost"]


async def test_a_sender_that_breaks_off_leaves_nothing(disk_path: Path) -> None:
    async with running_server(disk_path) as running:
        async with wire(running.port) as sender:
            await sender.ask(associate_rq())
            await sender.send(message(store_command(), data_set(500_000))[:-1])
            await until(lambda: partial(running.spool), "the instance has begun")
            sender.reset()
        await until(lambda: running.counted.aborted, "the loss is noticed")
        assert spooled(running.spool) == partial(running.spool) == []
        await assert_good_sender_succeeds(running.port)


async def test_a_peer_that_never_reads_is_aborted_in_the_end(disk_path: Path) -> None:
    async with running_server(disk_path, network_timeout_s=SHORT_S) as running:
        async with wire(running.port) as sender:
            await sender.ask(associate_rq((1, VERIFICATION, [EXPLICIT])))
            echoes = message(echo_command()) * 2000
            flood = asyncio.create_task(flood_with(sender, echoes))
            await until(lambda: running.counted.aborted == ["stalled"], "it is aborted")
            sender.reset()
            await asyncio.wait([flood])
        await assert_good_sender_succeeds(running.port)


async def flood_with(sender: Wire, data: bytes) -> None:
    try:
        while True:
            await sender.send(data)
    except ConnectionError:
        pass


async def test_associations_past_the_limit_of_a_peer_are_rejected(disk_path: Path) -> None:
    async with running_server(disk_path, max_associations_per_peer=2) as running:
        async with wire(running.port) as one, wire(running.port) as two, wire(running.port) as more:
            for busy in (one, two):
                await busy.ask(associate_rq())
                await busy.send(message(store_command(), DATA)[:-1])
            await until(lambda: len(partial(running.spool)) == 2, "both are sending")
            assert await more.ask(associate_rq()) == REJECTED_LOCAL_LIMIT
            await two.close()
            await until(lambda: running.counted.aborted, "one of them is gone")
            await assert_good_sender_succeeds(running.port)
        assert running.counted.rejected == ["too_many_associations_of_peer"]


async def test_stopping_lets_an_instance_under_way_finish(disk_path: Path) -> None:
    async with running_server(disk_path) as running, wire(running.port) as sender:
        await sender.ask(associate_rq())
        whole = message(store_command(), data_set(200_000))
        await sender.send(whole[:100_000])
        await until(lambda: partial(running.spool), "the instance has begun")
        stopping = asyncio.create_task(running.server.stop(drain_s=30))
        await until(lambda: running.server.is_stopping, "the server stops")
        assert response(await sender.ask(whole[100_000:])).Status == 0
        assert await sender.read_pdu() == ABORT_BY_USER
        await sender.close()
        await stopping
        assert len(spooled(running.spool)) == 1


async def test_stopping_ends_idle_associations_and_refuses_connections(disk_path: Path) -> None:
    async with running_server(disk_path) as running, wire(running.port) as sender:
        await sender.ask(associate_rq())
        port = running.port
        await running.server.stop(drain_s=30)
        assert await sender.read_pdu() == ABORT_BY_USER
        with pytest.raises(ConnectionError):
            await Wire.connect(port)


async def test_stopping_does_not_wait_for_ever(disk_path: Path) -> None:
    async with running_server(disk_path) as running, wire(running.port) as sender:
        await sender.ask(associate_rq())
        await sender.send(message(store_command(), data_set(200_000))[:100_000])
        await until(lambda: partial(running.spool), "the instance has begun")
        await running.server.stop(drain_s=SHORT_S)
        assert spooled(running.spool) == partial(running.spool) == []


async def test_a_port_that_is_taken_is_an_error_at_the_start(disk_path: Path) -> None:
    async with running_server(disk_path) as running:
        (disk_path / "second").mkdir()
        with pytest.raises(OSError, match="in use"):
            async with running_server(disk_path / "second", port=running.port):
                pass
