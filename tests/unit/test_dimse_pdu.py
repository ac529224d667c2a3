"""PDUs out of bytes, however these are cut."""

from __future__ import annotations

import struct

import pytest

from daemon.receive.dimse.pdu import (
    AbortReason,
    Fragment,
    Pdu,
    PduInvalid,
    PduReader,
    encode_abort,
    encode_command,
    encode_reject,
    encode_release_rp,
)
from daemon.receive.dimse.states import PduType
from tests.dimse_peers import RELEASE_RP, RELEASE_RQ, associate_rq, p_data, pdv, split_pdus


def read_all(reader: PduReader, data: bytes) -> list[Pdu | Fragment]:
    events: list[Pdu | Fragment] = []
    position = 0
    view = memoryview(data)
    while True:
        event, position = reader.read(view, position)
        if event is None:
            assert position == len(data)
            return events
        events.append(event)


def joined(events: list[Pdu | Fragment]) -> list[object]:
    """Put the parts of each fragment together again."""
    told: list[object] = []
    content = b""
    for event in events:
        if isinstance(event, Pdu):
            told.append((event.type, event.content))
            continue
        content += event.data
        if event.is_complete:
            told.append((event.context_id, event.is_command, event.is_last, content))
            content = b""
    return told


STREAM = (
    associate_rq()
    + p_data(pdv(b"command", command=True), pdv(b"abc", last=False), pdv(b""))
    + p_data(pdv(b"x" * 100, context=3))
    + RELEASE_RQ
)
TOLD = [
    (PduType.A_ASSOCIATE_RQ, associate_rq()),
    (PduType.P_DATA_TF, b""),
    (1, True, True, b"command"),
    (1, False, False, b"abc"),
    (1, False, True, b""),
    (PduType.P_DATA_TF, b""),
    (3, False, True, b"x" * 100),
    (PduType.A_RELEASE_RQ, RELEASE_RQ),
]


def test_a_stream_read_at_once_tells_every_pdu_and_fragment() -> None:
    reader = PduReader(0)
    assert joined(read_all(reader, STREAM)) == TOLD
    assert reader.is_between_pdus


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 64])
def test_where_the_stream_is_cut_does_not_matter(size: int) -> None:
    reader = PduReader(0)
    events: list[Pdu | Fragment] = []
    for start in range(0, len(STREAM), size):
        events += read_all(reader, STREAM[start : start + size])
    assert joined(events) == TOLD
    assert reader.is_between_pdus


def test_a_fragment_is_a_view_of_the_received_bytes() -> None:
    received = memoryview(bytearray(p_data(pdv(b"pixels"))))
    reader = PduReader(0)
    _, position = reader.read(received, 0)
    fragment, _ = reader.read(received, position)
    assert isinstance(fragment, Fragment)
    assert fragment.data.obj is received.obj


def test_a_pdu_that_claims_4_gigabytes_is_read_as_it_comes_when_there_is_no_limit() -> None:
    reader = PduReader(0)
    start = struct.pack(">BxI", 4, 0xFFFFFFFF) + struct.pack(">IBB", 0xFFFFFFFB, 1, 2)
    assert [type(event) for event in read_all(reader, start + b"abc")] == [Pdu, Fragment]
    assert len(reader._partial) == 0


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n", AbortReason.UNRECOGNIZED_PDU, id="http"),
        pytest.param(bytes.fromhex("160301020001"), AbortReason.UNRECOGNIZED_PDU, id="tls"),
        pytest.param(bytes(6), AbortReason.UNRECOGNIZED_PDU, id="zeros"),
        pytest.param(
            struct.pack(">BxI", 1, 0xFFFFFFFF), AbortReason.INVALID_PARAMETER_VALUE, id="rq 4 GB"
        ),
        pytest.param(
            struct.pack(">BxI", 5, 5), AbortReason.INVALID_PARAMETER_VALUE, id="release of 5 bytes"
        ),
        pytest.param(
            struct.pack(">BxI", 4, 0), AbortReason.INVALID_PARAMETER_VALUE, id="no pdv at all"
        ),
        pytest.param(
            struct.pack(">BxI", 4, 16385), AbortReason.INVALID_PARAMETER_VALUE, id="over the limit"
        ),
        pytest.param(
            p_data(struct.pack(">IBB", 1, 1, 2) + bytes(9)),
            AbortReason.INVALID_PARAMETER_VALUE,
            id="pdv without a control header",
        ),
        pytest.param(
            p_data(struct.pack(">IBB", 50, 1, 2) + bytes(9)),
            AbortReason.INVALID_PARAMETER_VALUE,
            id="pdv longer than its pdu",
        ),
        pytest.param(
            p_data(pdv(b"abc") + b"12345"),
            AbortReason.INVALID_PARAMETER_VALUE,
            id="rest too short for a pdv",
        ),
    ],
)
def test_what_cannot_be_a_pdu_is_refused_with_a_reason(data: bytes, reason: AbortReason) -> None:
    with pytest.raises(PduInvalid) as caught:
        read_all(PduReader(16384), data)
    assert caught.value.reason is reason


def test_abort_reject_and_release_are_encoded_as_the_standard_says() -> None:
    assert encode_abort(None) == bytes.fromhex("07000000000400000000")
    assert encode_abort(AbortReason.UNEXPECTED_PDU) == bytes.fromhex("07000000000400000202")
    assert encode_reject(2, 3, 2) == bytes.fromhex("03000000000400020302")
    assert encode_release_rp() == RELEASE_RP


def test_a_command_set_is_cut_to_the_maximum_length_of_the_peer() -> None:
    command = bytes(range(100))
    pdus = split_pdus(encode_command(9, command, 26))
    assert all(len(pdu) - 6 <= 26 for pdu in pdus)
    assert b"".join(pdu[12:] for pdu in pdus) == command
    assert [pdu[11] for pdu in pdus] == [1, 1, 1, 1, 3]
    assert {pdu[10] for pdu in pdus} == {9}


def test_a_command_set_is_one_pdu_for_a_peer_without_a_maximum_length() -> None:
    assert len(split_pdus(encode_command(1, bytes(70000), 0))) == 1
