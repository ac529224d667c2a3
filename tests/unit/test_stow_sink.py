"""STOW-RS's way into the spool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.errors import SpoolFull
from daemon.receive.stow import SpoolSink
from daemon.records import Origin, Receipt, Receiver
from dicomweb.errors import InstanceRefused, StoreFull
from tests.factories import encoded, make_ct

if TYPE_CHECKING:
    from pathlib import Path


class Seen:
    def __init__(self) -> None:
        self.received: list[int] = []
        self.refused: list[str] = []

    def instance_received(self, size: int) -> None:
        self.received.append(size)

    def instance_refused(self, reason: str) -> None:
        self.refused.append(reason)


class Memory:
    """A spool of one test's making: keeps what was written, and can be full."""

    def __init__(self, *, room: int = 1 << 30) -> None:
        self.room = room
        self.written = bytearray()
        self.commits = 0
        self.aborts = 0
        self.origin: Origin | None = None

    def open(self, origin: Origin) -> Memory:
        self.origin = origin
        return self

    async def adopt(self, path: Path, origin: Origin) -> Receipt:
        raise AssertionError

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if len(self.written) + len(data) > self.room:
            raise SpoolFull
        self.written += data

    async def commit(self) -> Receipt:
        self.commits += 1
        assert self.origin is not None
        return Receipt("0" * 32, self.origin, 0.0, len(self.written))

    def abort(self) -> None:
        self.aborts += 1


async def test_an_instance_is_durable_before_it_is_named() -> None:
    spool, seen = Memory(), Seen()
    upload = SpoolSink(spool, seen).open("127.0.0.1")
    dataset = make_ct()
    content = encoded(dataset)
    for start in range(0, len(content), 1000):
        upload.write(content[start : start + 1000])
    accepted = await upload.finish()
    assert spool.commits == 1
    assert bytes(spool.written) == content
    assert accepted.sop_instance_uid == dataset.SOPInstanceUID
    assert accepted.study_uid == dataset.StudyInstanceUID
    assert seen.received == [len(content)]
    assert spool.origin == Origin(Receiver.STOW, peer="127.0.0.1")


@pytest.mark.parametrize("content", [b"", b"<html>", bytes(132), bytes(128) + b"DICM"])
async def test_what_is_no_instance_is_refused_and_not_committed(content: bytes) -> None:
    spool, seen = Memory(), Seen()
    upload = SpoolSink(spool, seen).open("127.0.0.1")
    upload.write(content)
    with pytest.raises(InstanceRefused):
        await upload.finish()
    assert spool.commits == 0
    assert seen.refused == ["not_dicom"]


async def test_a_full_spool_is_said_to_be_full() -> None:
    upload = SpoolSink(Memory(room=10), Seen()).open("127.0.0.1")
    with pytest.raises(StoreFull):
        upload.write(encoded(make_ct()))
