"""The one gate: what a door may acknowledge.

Every door hands the bytes of a data set through here, with what its envelope (the C-STORE command, the File
Meta Information) says of it. What has no address, or contradicts its envelope, is refused before anything is
acknowledged, by the same fault whatever the door; whether the rest is sound and safe is for the worker to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daemon.receive.data_set_walk import (
    SERIES,
    SOP_CLASS,
    SOP_INSTANCE,
    STUDY,
    DataSetWalk,
)
from daemon.receive.faults import Fault
from daemon.receive.structure import MEDIA_STORAGE_DIRECTORY

if TYPE_CHECKING:
    from daemon.receive.data_set_walk import Bytes

_UID: Final = re.compile(rb"[0-9]+(?:\.[0-9]+)*")
_ADDRESS: Final = (
    (SOP_CLASS, Fault.SOP_CLASS_MISSING, Fault.SOP_CLASS_INVALID),
    (SOP_INSTANCE, Fault.SOP_INSTANCE_MISSING, Fault.SOP_INSTANCE_INVALID),
    (STUDY, Fault.STUDY_MISSING, Fault.STUDY_INVALID),
    (SERIES, Fault.SERIES_MISSING, Fault.SERIES_INVALID),
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is said of a data set outside it; empty where nothing is said."""

    transfer_syntax_uid: str
    sop_class_uid: str = ""
    sop_instance_uid: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """The UIDs of an instance; empty, of one that is refused, where there is none that can be one."""

    study_uid: str
    series_uid: str
    sop_class_uid: str
    sop_instance_uid: str


class Gate:
    """Sees one data set go by, and judges it at its end."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._walk = DataSetWalk(envelope.transfer_syntax_uid)

    def feed(self, data: Bytes) -> None:
        """See the next bytes."""
        self._walk.feed(data)

    @property
    def skippable(self) -> int:
        """How many of the next bytes may be passed by unread, for whoever has them in a file."""
        return self._walk.skippable

    @property
    def has_seen_enough(self) -> bool:
        """Whether the rest, whatever it is, changes nothing."""
        return self._walk.is_blind

    def skip(self, count: int) -> None:
        """Pass so many bytes by."""
        self._walk.skip(count)

    @property
    def address(self) -> Address:
        """The UIDs seen so far."""
        return Address(*(self._uid(tag) for tag in (STUDY, SERIES, SOP_CLASS, SOP_INSTANCE)))

    @property
    def is_addressed(self) -> bool:
        """Whether all four UIDs have been seen."""
        return len(self._walk.uids) == len(_ADDRESS)

    def fault(self) -> Fault | None:
        """Return why the data set, if this is all of it, may not be acknowledged."""
        walk = self._walk
        if not walk.received:
            return Fault.DATA_SET_EMPTY
        if walk.holds_file_meta:
            return Fault.FILE_META_IN_DATA_SET
        if not walk.is_dicom or not walk.has_begun or (walk.is_cut_short and not walk.uids):
            return Fault.NOT_DICOM
        if self._uid(SOP_CLASS) == MEDIA_STORAGE_DIRECTORY:
            return Fault.DICOMDIR
        # Cut off before all of them came, it is not the sender's UIDs that are at fault.
        if walk.is_cut_short:
            return Fault.TRUNCATED
        return self._address_fault() or self._contradiction()

    def _address_fault(self) -> Fault | None:
        for tag, missing, invalid in _ADDRESS:
            value = self._walk.uids.get(tag, b"")
            if not value:
                return missing
            if not _is_uid(value):
                return invalid
        return None

    def _contradiction(self) -> Fault | None:
        said, address = self._envelope, self.address
        if said.sop_class_uid and said.sop_class_uid != address.sop_class_uid:
            return Fault.SOP_CLASS_MISMATCH
        if said.sop_instance_uid and said.sop_instance_uid != address.sop_instance_uid:
            return Fault.SOP_INSTANCE_MISMATCH
        return None

    def _uid(self, tag: int) -> str:
        value = self._walk.uids.get(tag, b"")
        return value.decode("ascii") if _is_uid(value) else ""


def _is_uid(value: bytes) -> bool:
    """Whether it can stand in an address: as PS3.5 9.1 has it, but zeros may lead a component."""
    return len(value) <= 64 and _UID.fullmatch(value) is not None
