"""A-ASSOCIATE-RQ in, A-ASSOCIATE-AC or a reason out."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Any

import pytest
from pynetdicom.pdu import A_ASSOCIATE_AC

from config.settings import Dimse
from daemon.receive.dimse import negotiation
from daemon.receive.dimse.negotiation import (
    AssociateRequestInvalid,
    accept,
    decode_associate_rq,
    rejection,
)
from tests.dimse_peers import (
    CT,
    EXPLICIT,
    IMPLICIT,
    MR,
    VERIFICATION,
    associate_rq,
    context_item,
    item,
)

SETTINGS = Dimse()
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"


def negotiate(pdu: bytes, **settings: Any) -> tuple[dict[int, tuple[str, str]], Any]:
    contexts, answer = accept(decode_associate_rq(pdu), Dimse(**settings))
    decoded = A_ASSOCIATE_AC()
    decoded.decode(answer)
    assert struct.unpack_from(">I", answer, 2)[0] == len(answer) - 6
    accepted = {
        context.id: (context.abstract_syntax, context.transfer_syntax)
        for context in contexts.values()
    }
    return accepted, decoded


def test_each_context_gets_the_transfer_syntax_its_sender_prefers() -> None:
    accepted, decoded = negotiate(
        associate_rq(
            (1, CT, [EXPLICIT, IMPLICIT]), (3, CT, [IMPLICIT, EXPLICIT]), (5, MR, [IMPLICIT])
        )
    )
    assert accepted == {1: (CT, EXPLICIT), 3: (CT, IMPLICIT), 5: (MR, IMPLICIT)}
    assert [context.result for context in decoded.presentation_context] == [0, 0, 0]


def test_what_is_not_stored_is_rejected_by_context_and_the_rest_accepted() -> None:
    accepted, decoded = negotiate(
        associate_rq((1, STUDY_ROOT_FIND, [IMPLICIT]), (3, VERIFICATION, [IMPLICIT]))
    )
    assert accepted == {3: (VERIFICATION, IMPLICIT)}
    assert [context.result for context in decoded.presentation_context] == [3, 0]


def test_unknown_sop_classes_follow_the_setting() -> None:
    pdu = associate_rq((1, "1.3.46.670589.5.0.1", [IMPLICIT]))
    assert negotiate(pdu)[0]
    assert not negotiate(pdu, accept_unknown_storage=False)[0]


def test_the_maximum_128_contexts_are_negotiated() -> None:
    contexts = [(number, CT, [EXPLICIT]) for number in range(1, 256, 2)]
    assert len(negotiate(associate_rq(*contexts))[0]) == 128


def test_our_maximum_length_and_name_are_told() -> None:
    _, decoded = negotiate(associate_rq(), max_pdu_bytes=123456)
    assert decoded.user_information.maximum_length == 123456
    assert decoded.user_information.implementation_class_uid.startswith("2.25.")


def test_reserved_fields_come_back_as_they_were() -> None:
    pdu = associate_rq(called=b"  lower\0\0\0\0\0\0\0\0\0", calling=b"PADDED WITH NUL\0")
    _, answer = accept(decode_associate_rq(pdu), SETTINGS)
    assert answer[10:74] == pdu[10:74]


def test_asynchronous_operations_are_answered_one_and_one() -> None:
    _, decoded = negotiate(associate_rq(user_items=item(0x53, struct.pack(">HH", 0, 8))))
    window = decoded.user_information.async_ops_window
    assert window.max_operations_invoked == window.max_operations_performed == 1


def test_nothing_is_said_of_asynchronous_operations_to_who_did_not_ask() -> None:
    assert negotiate(associate_rq())[1].user_information.async_ops_window is None


def role(uid: str, scu: int, scp: int) -> bytes:
    return item(0x54, struct.pack(">H", len(uid)) + uid.encode() + bytes([scu, scp]))


def test_a_requestor_may_be_scu_but_not_scp() -> None:
    accepted, decoded = negotiate(associate_rq(user_items=role(CT, 1, 1)))
    assert accepted == {1: (CT, EXPLICIT)}
    replied = decoded.user_information.role_selection[CT]
    assert (replied.scu_role, replied.scp_role) == (1, 0)


def test_a_context_for_which_the_requestor_would_only_be_scp_is_rejected() -> None:
    accepted, decoded = negotiate(associate_rq(user_items=role(CT, 0, 1)))
    assert accepted == {}
    assert decoded.presentation_context[0].result == 1


@pytest.mark.parametrize(
    "user_item",
    [
        pytest.param(
            item(0x58, bytes([2, 1]) + struct.pack(">H4sH6s", 4, b"user", 6, b"secret")),
            id="user identity",
        ),
        pytest.param(
            item(0x56, struct.pack(">H", len(CT)) + CT.encode() + b"\x02\x00\x01\x00\x00\x00"),
            id="SOP class extended negotiation",
        ),
        pytest.param(
            item(0x57, struct.pack(">H", len(CT)) + CT.encode() + struct.pack(">HH", 0, 0)),
            id="common extended negotiation",
        ),
        pytest.param(item(0x5F, b"of the future"), id="an unknown item"),
        pytest.param(item(0x58, b"\xff"), id="a broken user identity"),
    ],
)
def test_what_we_do_not_answer_is_ignored(user_item: bytes) -> None:
    accepted, _ = negotiate(associate_rq(user_items=user_item))
    assert accepted == {1: (CT, EXPLICIT)}


def test_an_unknown_item_of_the_pdu_is_ignored() -> None:
    assert negotiate(associate_rq(more_items=item(0x7F, b"?")))[0]


@pytest.mark.parametrize(
    ("changes", "settings", "expected"),
    [
        ({}, {}, None),
        ({"called": b"SOMEBODY ELSE   "}, {}, None),
        ({"called": b" " * 16}, {}, None),
        ({"called": b"SOMEBODY ELSE   "}, {"require_called_ae": True}, negotiation.CALLED_AE_TITLE),
        ({"called": b" DICOMVEIL"}, {"require_called_ae": True}, None),
        ({}, {"allowed_calling_ae": ("CT*", "MOD?LITY")}, None),
        ({}, {"allowed_calling_ae": ("CT*", "modality")}, negotiation.CALLING_AE_TITLE),
        ({"calling": b" " * 16}, {}, negotiation.CALLING_AE_TITLE),
        ({"calling": b"A\\B"}, {}, negotiation.CALLING_AE_TITLE),
        ({"calling": b"A\x1b[2J"}, {}, negotiation.CALLING_AE_TITLE),
        ({"calling": "Ä".encode("latin-1")}, {}, negotiation.CALLING_AE_TITLE),
        ({"application_context": "1.2.3"}, {}, negotiation.APPLICATION_CONTEXT_NAME),
        ({"protocol_version": 2}, {}, negotiation.PROTOCOL_VERSION),
        ({"protocol_version": 3}, {}, None),
    ],
)
def test_associations_are_rejected_for_the_standards_reasons(
    changes: dict[str, Any],
    settings: dict[str, Any],
    expected: negotiation.Rejection | None,
) -> None:
    request = decode_associate_rq(associate_rq(**changes))
    assert rejection(request, Dimse(**settings)) == expected


def test_titles_lose_their_padding() -> None:
    request = decode_associate_rq(associate_rq(calling=b"  CT 1\0\0\0", called=b"VEIL"))
    assert (request.calling_ae, request.called_ae) == ("CT 1", "VEIL")


def cut(pdu: bytes, position: int, length: int) -> bytes:
    return pdu[:position] + struct.pack(">H", length) + pdu[position + 2 :]


WHOLE = associate_rq()


@pytest.mark.parametrize(
    "pdu",
    [
        pytest.param(WHOLE[:73], id="shorter than its fixed part"),
        pytest.param(WHOLE[:-1], id="an item past the end"),
        pytest.param(WHOLE + b"\x20", id="half an item header"),
        pytest.param(cut(WHOLE, 76, 0xFFFF), id="a length that lies"),
        pytest.param(cut(WHOLE, 76, 3), id="a length that lies short"),
        pytest.param(associate_rq((2, CT, [IMPLICIT])), id="an even context ID"),
        pytest.param(associate_rq((0, CT, [IMPLICIT])), id="context ID 0"),
        pytest.param(
            associate_rq((1, CT, [IMPLICIT]), (1, MR, [IMPLICIT])), id="a context ID twice"
        ),
        pytest.param(associate_rq((1, CT, [])), id="no transfer syntax"),
        pytest.param(associate_rq((1, "", [IMPLICIT])), id="no abstract syntax"),
        pytest.param(associate_rq((1, "1" * 65, [IMPLICIT])), id="a UID of 65 characters"),
        pytest.param(associate_rq((1, "ä.1", [IMPLICIT])), id="a UID not in ASCII"),
        pytest.param(associate_rq(more_items=item(0x20, b"\1")), id="a context of one byte"),
        pytest.param(
            associate_rq(more_items=context_item((3, CT, [IMPLICIT])) * 10_000),
            id="10 000 contexts",
        ),
        pytest.param(associate_rq(user_items=role(CT, 1, 0) * 129), id="129 role selections"),
        pytest.param(associate_rq(user_items=item(0x51, bytes(4))), id="the maximum length twice"),
        pytest.param(associate_rq(max_length=3), id="a maximum length without room"),
        pytest.param(associate_rq(user_items=item(0x53, b"\0")), id="half an operations window"),
        pytest.param(
            associate_rq(user_items=item(0x54, b"\xff\xff1.2")), id="a role whose UID length lies"
        ),
    ],
)
def test_a_malformed_request_is_invalid(pdu: bytes) -> None:
    with pytest.raises(AssociateRequestInvalid):
        decode_associate_rq(pdu)


def test_no_cut_of_a_request_raises_anything_else() -> None:
    for end in range(len(WHOLE)):
        with suppress(AssociateRequestInvalid):
            accept(decode_associate_rq(WHOLE[:end] + b"\xff"), SETTINGS)


def test_no_single_changed_byte_raises_anything_else() -> None:
    for position in range(74, len(WHOLE)):
        for value in (0x00, 0x01, 0x7F, 0xFF):
            changed = WHOLE[:position] + bytes([value]) + WHOLE[position + 1 :]
            with suppress(AssociateRequestInvalid):
                accept(decode_associate_rq(changed), SETTINGS)
