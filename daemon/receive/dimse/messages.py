"""Command sets: what a DIMSE request asks, and our answer (PS3.7 6.3, 9.3 and Annex E).

A command set is a handful of Implicit VR Little Endian elements of group 0000, once per instance on
the way in and once on the way out, so it is read and written here without a data set in between.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, IntEnum
from struct import Struct
from typing import Final, NamedTuple

_ELEMENT: Final = Struct("<HHI")
_US: Final = Struct("<H")
_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)

NO_DATA_SET: Final = 0x0101
RESPONSE: Final = 0x8000

# Element numbers of group 0000 (PS3.7 Table E.1-1).
_GROUP_LENGTH: Final = 0x0000
_AFFECTED_SOP_CLASS_UID: Final = 0x0002
_REQUESTED_SOP_CLASS_UID: Final = 0x0003
_COMMAND_FIELD: Final = 0x0100
_MESSAGE_ID: Final = 0x0110
_MESSAGE_ID_BEING_RESPONDED_TO: Final = 0x0120
_COMMAND_DATA_SET_TYPE: Final = 0x0800
_STATUS: Final = 0x0900
_ERROR_COMMENT: Final = 0x0902
_AFFECTED_SOP_INSTANCE_UID: Final = 0x1000
_REQUESTED_SOP_INSTANCE_UID: Final = 0x1001


class CommandField(IntEnum):
    """Requests (PS3.7 Table E.1-1); a response has bit 15 set."""

    C_STORE = 0x0001
    C_GET = 0x0010
    C_FIND = 0x0020
    C_MOVE = 0x0021
    C_ECHO = 0x0030
    N_EVENT_REPORT = 0x0100
    N_GET = 0x0110
    N_SET = 0x0120
    N_ACTION = 0x0130
    N_CREATE = 0x0140
    N_DELETE = 0x0150
    C_CANCEL = 0x0FFF


class Answer(NamedTuple):
    """A status, and for failures up to 64 characters for the operator at the other end."""

    status: int
    comment: str = ""


SUCCESS: Final = Answer(0x0000)


class Refusal(Enum):
    """Why a request was not done (PS3.4 Table B.2-1, PS3.7 Annex C)."""

    FULL = Answer(0xA700, "No room to store more now")
    BACK_END_AWAY = Answer(0xA700, "The store does not answer now")
    SOP_CLASS_MISMATCH = Answer(0xA900, "SOP class is not that of the presentation context")
    NO_DATA_SET = Answer(0xC000, "No data set")
    SOP_INSTANCE_INVALID = Answer(0xC000, "Affected SOP Instance UID is missing or invalid")
    SOP_CLASS_INVALID = Answer(0xC000, "Affected SOP Class UID is missing or invalid")
    TOO_LARGE = Answer(0xC000, "Instance exceeds the size limit of this application")
    INTERNAL_ERROR = Answer(0xC000, "Internal error")
    SOP_CLASS_NOT_SUPPORTED = Answer(0x0122, "SOP class is not stored here")
    UNRECOGNIZED_OPERATION = Answer(0x0211, "Only C-STORE and C-ECHO are served here")

    @property
    def code(self) -> str:
        """The reason as logs and counters name it."""
        return self.name.lower()

    @property
    def answer(self) -> Answer:
        """What the peer is told."""
        return self.value


class CommandInvalid(Exception):
    """A command set that cannot be read, or not be answered."""


@dataclass(frozen=True, slots=True)
class Command:
    """A DIMSE request.

    Attributes
    ----------
    field
        A `CommandField`, or a number that PS3.7 does not know.
    sop_class_uid, sop_instance_uid
        The Affected or the Requested one; empty when missing or not a UID of at most 64 characters.
    """

    field: int
    message_id: int
    has_data_set: bool
    sop_class_uid: str = ""
    sop_instance_uid: str = ""


def decode_command(encoded: bytes | bytearray) -> Command:
    """Read a request's command set.

    Raises
    ------
    CommandInvalid
        If it is not a command set, lacks what every request has, or is a response (to nothing).
    """
    elements = _split(encoded)
    field = _number(elements, _COMMAND_FIELD)
    if field & RESPONSE:
        raise CommandInvalid
    # C-CANCEL names the message it cancels instead of having an own Message ID (PS3.7 9.3.2.3).
    is_cancel = field == CommandField.C_CANCEL
    return Command(
        field,
        _number(elements, _MESSAGE_ID_BEING_RESPONDED_TO if is_cancel else _MESSAGE_ID),
        _number(elements, _COMMAND_DATA_SET_TYPE) != NO_DATA_SET,
        _uid(elements, _AFFECTED_SOP_CLASS_UID) or _uid(elements, _REQUESTED_SOP_CLASS_UID),
        _uid(elements, _AFFECTED_SOP_INSTANCE_UID) or _uid(elements, _REQUESTED_SOP_INSTANCE_UID),
    )


def encode_response(command: Command, answer: Answer) -> bytes:
    """Return the command set that answers a request, without a data set."""
    elements = bytearray()
    if command.sop_class_uid:
        elements += _element(_AFFECTED_SOP_CLASS_UID, command.sop_class_uid.encode(), b"\0")
    elements += _element(_COMMAND_FIELD, _US.pack(command.field | RESPONSE))
    elements += _element(_MESSAGE_ID_BEING_RESPONDED_TO, _US.pack(command.message_id))
    elements += _element(_COMMAND_DATA_SET_TYPE, _US.pack(NO_DATA_SET))
    elements += _element(_STATUS, _US.pack(answer.status))
    if answer.comment:
        elements += _element(_ERROR_COMMENT, answer.comment.encode(), b" ")
    if command.sop_instance_uid:
        elements += _element(_AFFECTED_SOP_INSTANCE_UID, command.sop_instance_uid.encode(), b"\0")
    return _element(_GROUP_LENGTH, len(elements).to_bytes(4, "little")) + elements


def _element(number: int, value: bytes, padding: bytes = b"") -> bytes:
    if len(value) % 2:
        value += padding
    return _ELEMENT.pack(0x0000, number, len(value)) + value


def _split(encoded: bytes | bytearray) -> dict[int, bytes]:
    elements: dict[int, bytes] = {}
    position = 0
    while position < len(encoded):
        if len(encoded) - position < _ELEMENT.size:
            raise CommandInvalid
        group, number, length = _ELEMENT.unpack_from(encoded, position)
        position += _ELEMENT.size + length
        if group != 0x0000 or position > len(encoded):
            raise CommandInvalid
        elements[number] = bytes(encoded[position - length : position])
    return elements


def _number(elements: dict[int, bytes], number: int) -> int:
    value = elements.get(number, b"")
    if len(value) != _US.size:
        raise CommandInvalid
    return int.from_bytes(value, "little")


def _uid(elements: dict[int, bytes], number: int) -> str:
    # Trailing spaces are not a UID's padding, but are seen.
    uid = elements.get(number, b"").rstrip(b"\0 ").decode("ascii", "replace")
    return uid if len(uid) <= 64 and _UID.fullmatch(uid) else ""
