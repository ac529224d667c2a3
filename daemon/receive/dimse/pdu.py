"""Reading PDUs as the bytes come (PS3.8 9.3), and the few that we write.

Nothing is buffered but headers and PDUs that carry no data. A fragment is handed on as a view of
the receive buffer, however much of it is there, so that memory depends neither on the declared
length of a PDU nor on the size of an instance.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_RJ, A_RELEASE_RP

from daemon.receive.dimse.states import PduType

# 128 presentation contexts of 30 transfer syntaxes each take 120 KB.
MAX_ASSOCIATE_RQ_BYTES: Final = 256 << 10

_HEADER: Final = Struct(">BxI")
_PDV_HEADER: Final = Struct(">IBB")
_FIXED_LENGTHS: Final = {
    PduType.A_ASSOCIATE_RJ: 4,
    PduType.A_RELEASE_RQ: 4,
    PduType.A_RELEASE_RP: 4,
    PduType.A_ABORT: 4,
}


class AbortReason(IntEnum):
    """Reason of an A-ABORT by the service provider, source 2 (PS3.8 Table 9-26)."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    UNRECOGNIZED_PARAMETER = 4
    UNEXPECTED_PARAMETER = 5
    INVALID_PARAMETER_VALUE = 6


class PduInvalid(Exception):
    """The peer sent what is not a PDU; `reason` is what an A-ABORT should say."""

    def __init__(self, reason: AbortReason) -> None:
        super().__init__(reason.name)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Pdu:
    """A PDU that carries no data.

    Attributes
    ----------
    content
        The whole PDU with its header; empty for P-DATA-TF, which is announced when it begins.
    """

    type: PduType
    content: bytes = b""


class Fragment(NamedTuple):
    """As much of a presentation data value as has arrived (PS3.8 9.3.5.1 and Annex E).

    Attributes
    ----------
    data
        A view of the receive buffer, valid until the next read.
    is_command, is_last
        The message control header: part of a command set; the last fragment of it.
    is_complete
        Whether `data` reaches the end of the presentation data value.
    """

    context_id: int
    is_command: bool
    is_last: bool
    is_complete: bool
    data: memoryview


_P_DATA_TF: Final = Pdu(PduType.P_DATA_TF)
_TYPES: Final = {each.value: each for each in PduType}


class PduReader:
    """Turns received bytes into PDUs and fragments, one at a time."""

    def __init__(self, max_pdu_bytes: int) -> None:
        self._max_pdu_bytes = max_pdu_bytes
        self._partial = bytearray()
        self._type: PduType | None = None
        self._pdu_remaining = 0
        self._pdv_remaining = 0
        self._in_pdv = False
        self._context_id = 0
        self._control_header = 0

    @property
    def is_between_pdus(self) -> bool:
        """Whether everything read so far was whole PDUs."""
        return self._type is None and not self._partial

    def read(self, view: memoryview, position: int) -> tuple[Pdu | Fragment | None, int]:
        """Read on from `position` until there is something to tell.

        Returns
        -------
        event
            None when the view is used up before anything can be told.
        position
            Where to go on.

        Raises
        ------
        PduInvalid
            If the bytes cannot be a PDU, or one longer than announced.
        """
        while True:
            if self._in_pdv:
                return self._read_fragment(view, position)
            if self._type is None:
                header, position = self._gather(view, position, _HEADER.size)
                if header is None:
                    return None, position
                if self._begin_pdu(header) is PduType.P_DATA_TF:
                    self._partial.clear()
                    return _P_DATA_TF, position
            if self._type is not PduType.P_DATA_TF:
                return self._read_control(view, position)
            header, position = self._gather(view, position, _PDV_HEADER.size)
            if header is None:
                return None, position
            self._begin_pdv(header)
            self._partial.clear()

    def _gather(
        self, view: memoryview, position: int, size: int
    ) -> tuple[memoryview | bytearray | None, int]:
        """Return `size` bytes at `position`, together with those kept from before."""
        missing = size - len(self._partial)
        if missing == size and len(view) - position >= size:
            return view[position : position + size], position + size
        self._partial += view[position : position + missing]
        position = min(position + missing, len(view))
        return (self._partial if len(self._partial) == size else None), position

    def _begin_pdu(self, header: memoryview | bytearray) -> PduType:
        code, length = _HEADER.unpack(header)
        pdu_type = _TYPES.get(code)
        if pdu_type is None:
            raise PduInvalid(AbortReason.UNRECOGNIZED_PDU)
        if pdu_type is PduType.P_DATA_TF:
            is_valid = length >= _PDV_HEADER.size and length <= (self._max_pdu_bytes or length)
        else:
            is_valid = length == _FIXED_LENGTHS.get(pdu_type, length)
            is_valid = is_valid and length <= MAX_ASSOCIATE_RQ_BYTES
        if not is_valid:
            raise PduInvalid(AbortReason.INVALID_PARAMETER_VALUE)
        self._type = pdu_type
        self._pdu_remaining = length
        if pdu_type is not PduType.P_DATA_TF and not self._partial:
            self._partial += header
        return pdu_type

    def _read_control(self, view: memoryview, position: int) -> tuple[Pdu | None, int]:
        taken = min(self._pdu_remaining, len(view) - position)
        self._partial += view[position : position + taken]
        self._pdu_remaining -= taken
        if self._pdu_remaining:
            return None, position + taken
        assert self._type is not None
        pdu = Pdu(self._type, bytes(self._partial))
        self._type = None
        self._partial.clear()
        return pdu, position + taken

    def _begin_pdv(self, header: memoryview | bytearray) -> None:
        length, self._context_id, self._control_header = _PDV_HEADER.unpack(header)
        # The length counts the context ID and the message control header, not itself.
        remaining = self._pdu_remaining - 4 - length
        if length < 2 or remaining < 0 or 0 < remaining < _PDV_HEADER.size:
            raise PduInvalid(AbortReason.INVALID_PARAMETER_VALUE)
        self._pdu_remaining = remaining
        self._pdv_remaining = length - 2
        self._in_pdv = True

    def _read_fragment(self, view: memoryview, position: int) -> tuple[Fragment | None, int]:
        end = min(position + self._pdv_remaining, len(view))
        if end == position and self._pdv_remaining:
            return None, position
        self._pdv_remaining -= end - position
        is_complete = not self._pdv_remaining
        if is_complete:
            self._in_pdv = False
            if not self._pdu_remaining:
                self._type = None
        fragment = Fragment(
            self._context_id,
            bool(self._control_header & 1),
            bool(self._control_header & 2),
            is_complete,
            view[position:end],
        )
        return fragment, end


def encode_abort(reason: AbortReason | None) -> bytes:
    """Return an A-ABORT PDU: by the service provider with a reason, or by the user for None."""
    pdu = A_ABORT_RQ()
    pdu.source = 0 if reason is None else 2
    pdu.reason_diagnostic = 0 if reason is None else int(reason)
    return bytes(pdu.encode())


def encode_reject(result: int, source: int, reason: int) -> bytes:
    """Return an A-ASSOCIATE-RJ PDU (PS3.8 Table 9-21)."""
    pdu = A_ASSOCIATE_RJ()
    pdu.result, pdu.source, pdu.reason_diagnostic = result, source, reason
    return bytes(pdu.encode())


def encode_release_rp() -> bytes:
    """Return an A-RELEASE-RP PDU."""
    return bytes(A_RELEASE_RP().encode())


def encode_command(context_id: int, command_set: bytes, max_pdu_bytes: int) -> bytes:
    """Return a command set as P-DATA-TF PDUs that the peer's Maximum Length allows.

    Parameters
    ----------
    max_pdu_bytes
        What the peer announced; 0 is no limit, and otherwise at least 7.
    """
    size = max_pdu_bytes - _PDV_HEADER.size if max_pdu_bytes else len(command_set)
    pdus = bytearray()
    for start in range(0, len(command_set), size):
        part = command_set[start : start + size]
        control_header = 0x03 if start + size >= len(command_set) else 0x01
        pdus += _HEADER.pack(PduType.P_DATA_TF, len(part) + _PDV_HEADER.size)
        pdus += _PDV_HEADER.pack(len(part) + 2, context_id, control_header)
        pdus += part
    return bytes(pdus)
