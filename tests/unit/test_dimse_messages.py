"""Command sets, with pydicom as the referee."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom.filereader import read_dataset

from daemon.receive.dimse.messages import (
    SUCCESS,
    Command,
    CommandField,
    CommandInvalid,
    Refusal,
    decode_command,
    encode_response,
)
from tests.dimse_peers import CT, INSTANCE, command_set, echo_command, store_command


def test_a_c_store_rq_is_read() -> None:
    assert decode_command(store_command()) == Command(
        CommandField.C_STORE, 7, has_data_set=True, sop_class_uid=CT, sop_instance_uid=INSTANCE
    )


def test_a_c_echo_rq_has_no_data_set() -> None:
    command = decode_command(echo_command(5))
    assert (command.field, command.message_id, command.has_data_set) == (0x0030, 5, False)


def test_an_n_get_names_the_requested_instance() -> None:
    command = decode_command(
        command_set(
            RequestedSOPClassUID=CT,
            CommandField=0x0110,
            MessageID=1,
            CommandDataSetType=0x0101,
            RequestedSOPInstanceUID=INSTANCE,
        )
    )
    assert (command.sop_class_uid, command.sop_instance_uid) == (CT, INSTANCE)


def test_a_c_cancel_has_no_message_id_of_its_own() -> None:
    command = decode_command(
        command_set(CommandField=0x0FFF, MessageIDBeingRespondedTo=4, CommandDataSetType=0x0101)
    )
    assert command.message_id == 4


@pytest.mark.parametrize("uid", [b"1.2.x", b"1." + b"2" * 63, b"", b"1..2", b".1", b"\xff1.2"])
def test_what_is_not_a_uid_counts_as_missing(uid: bytes) -> None:
    padded = uid + b"\0" * (len(uid) % 2)
    rq = store_command(AffectedSOPInstanceUID=None)
    rq += b"\0\0\0\x10" + len(padded).to_bytes(4, "little") + padded
    assert decode_command(rq).sop_instance_uid == ""


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(store_command()[:-1], id="a value past the end"),
        pytest.param(store_command() + b"\0\0\0", id="half an element"),
        pytest.param(store_command() + b"\x08\0\x05\0\0\0\0\0", id="another group"),
        pytest.param(store_command(MessageID=None), id="no message ID"),
        pytest.param(store_command(CommandField=None), id="no command field"),
        pytest.param(store_command(CommandDataSetType=None), id="no data set type"),
        pytest.param(store_command(MessageID=[1, 2]), id="two message IDs"),
        pytest.param(
            store_command(CommandField=0x8001, MessageIDBeingRespondedTo=1), id="a response"
        ),
        pytest.param(b"\xff" * 64, id="noise"),
    ],
)
def test_a_command_set_that_cannot_be_answered_is_invalid(encoded: bytes) -> None:
    with pytest.raises(CommandInvalid):
        decode_command(encoded)


def test_a_success_names_the_request_and_the_instance() -> None:
    encoded = encode_response(decode_command(store_command()), SUCCESS)
    read = read_dataset(BytesIO(encoded), is_implicit_VR=True, is_little_endian=True)
    assert read.CommandGroupLength == len(encoded) - 12
    assert read.CommandField == 0x8001
    assert read.MessageIDBeingRespondedTo == 7
    assert read.CommandDataSetType == 0x0101
    assert read.Status == 0
    assert read.AffectedSOPClassUID == CT
    assert read.AffectedSOPInstanceUID == INSTANCE
    assert "ErrorComment" not in read


@pytest.mark.parametrize("refusal", list(Refusal))
def test_a_failure_has_a_comment_that_fits_and_elements_in_ascending_order(
    refusal: Refusal,
) -> None:
    encoded = encode_response(decode_command(store_command()), refusal.value)
    read = read_dataset(BytesIO(encoded), is_implicit_VR=True, is_little_endian=True)
    assert read.Status == refusal.value.status
    assert 0 < len(read.ErrorComment) <= 64
    assert list(read.keys()) == sorted(read.keys())


def test_statuses_are_those_of_the_storage_service_class() -> None:
    statuses = {refusal.name: f"{refusal.value.status:04X}" for refusal in Refusal}
    assert statuses == {
        "FULL": "A700",
        "BACK_END_AWAY": "A700",
        "SOP_CLASS_MISMATCH": "A900",
        "NO_DATA_SET": "C000",
        "SOP_INSTANCE_INVALID": "C000",
        "SOP_CLASS_INVALID": "C000",
        "TOO_LARGE": "C000",
        "INTERNAL_ERROR": "C000",
        "SOP_CLASS_NOT_SUPPORTED": "0122",
        "UNRECOGNIZED_OPERATION": "0211",
    }
