"""The acceptor's part of the upper layer state machine (PS3.8 9.2, Tables 9-6 to 9-10)."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final


class PduType(IntEnum):
    """Protocol data units (PS3.8 9.3.1)."""

    A_ASSOCIATE_RQ = 0x01
    A_ASSOCIATE_AC = 0x02
    A_ASSOCIATE_RJ = 0x03
    P_DATA_TF = 0x04
    A_RELEASE_RQ = 0x05
    A_RELEASE_RP = 0x06
    A_ABORT = 0x07


class State(Enum):
    """States an acceptor can rest in.

    Sta3 (negotiating) and Sta8 (releasing) are passed through within one call: negotiation does
    not wait, and input is not read while an instance is being made durable.
    """

    AWAITING_ASSOCIATE_RQ = "Sta2"
    ESTABLISHED = "Sta6"
    AWAITING_CLOSE = "Sta13"


class Action(Enum):
    """What to do about a PDU (PS3.8 Tables 9-6 to 9-9)."""

    NEGOTIATE = "AE-6"
    RECEIVE_DATA = "DT-2"
    RELEASE = "AR-2, AR-4"
    ABORT_AS_USER = "AA-1"
    CLOSE = "AA-2"
    INDICATE_ABORT = "AA-3"
    IGNORE = "AA-6"
    ABORT_AS_PROVIDER = "AA-8"


_WAITING, _ESTABLISHED, _CLOSING = State

TRANSITIONS: Final[dict[State, dict[PduType, Action]]] = {
    _WAITING: {
        PduType.A_ASSOCIATE_RQ: Action.NEGOTIATE,
        PduType.A_ABORT: Action.CLOSE,
    },
    _ESTABLISHED: {
        PduType.P_DATA_TF: Action.RECEIVE_DATA,
        PduType.A_RELEASE_RQ: Action.RELEASE,
        PduType.A_ABORT: Action.INDICATE_ABORT,
    },
    _CLOSING: {
        PduType.A_ABORT: Action.CLOSE,
    },
}

# Every other PDU, recognised or not, valid or not, in that state.
OTHERWISE: Final = {
    _WAITING: Action.ABORT_AS_USER,
    _ESTABLISHED: Action.ABORT_AS_PROVIDER,
    _CLOSING: Action.IGNORE,
}
