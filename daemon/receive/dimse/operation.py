"""One DIMSE request from its command set to its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from daemon.errors import SpoolFull, StoreUnavailable
from daemon.receive.dimse.file_meta import encode_file_meta
from daemon.receive.dimse.messages import SUCCESS, Answer, Command, CommandField, Refusal
from daemon.receive.dimse.sop_classes import is_storage
from daemon.receive.faults import SAYINGS
from daemon.receive.gate import Envelope, Gate
from daemon.records import Receiver

if TYPE_CHECKING:
    from config.settings import Dimse
    from daemon.ports import Spool, SpoolFile
    from daemon.receive.dimse.negotiation import AcceptedContext
    from daemon.receive.faults import Fault
    from daemon.records import Origin

log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def judge(command: Command, context: AcceptedContext, settings: Dimse) -> Refusal | None:
    """Return why a request is refused before its data set is seen, if it is."""
    if command.field in {CommandField.C_ECHO, CommandField.C_CANCEL}:
        return None
    if command.field != CommandField.C_STORE:
        return Refusal.UNRECOGNIZED_OPERATION
    if not command.sop_class_uid:
        return Refusal.SOP_CLASS_INVALID
    if not is_storage(command.sop_class_uid, accept_unknown=settings.accept_unknown_storage):
        return Refusal.SOP_CLASS_NOT_SUPPORTED
    if command.sop_class_uid != context.abstract_syntax:
        return Refusal.SOP_CLASS_MISMATCH
    if not command.sop_instance_uid:
        return Refusal.SOP_INSTANCE_INVALID
    if not command.has_data_set:
        return Refusal.NO_DATA_SET
    return None


@dataclass(frozen=True, slots=True)
class Faulty:
    """A data set that the gate does not let pass, as a refusal."""

    fault: Fault

    @property
    def code(self) -> str:
        """The reason as logs and counters name it."""
        return self.fault.value

    @property
    def answer(self) -> Answer:
        """What the peer is told."""
        saying = SAYINGS[self.fault]
        return Answer(saying.status, saying.text)


@dataclass(slots=True)
class Operation:
    """A request under way; once refused, the rest of its data set is taken and forgotten.

    Attributes
    ----------
    received
        Bytes of the data set so far.
    refusal
        None as long as all is well.
    """

    command: Command
    context: AcceptedContext
    max_bytes: int
    refusal: Refusal | Faulty | None
    file: SpoolFile | None = None
    received: int = 0
    gate: Gate | None = None

    @property
    def answer(self) -> Answer:
        """The status to send."""
        return self.refusal.answer if self.refusal else SUCCESS

    def open(self, spool: Spool, origin: Origin) -> None:
        """Start a spool file with the file meta information, for a C-STORE that is not refused."""
        if self.refusal or self.command.field != CommandField.C_STORE:
            return
        command = self.command
        self.gate = Gate(
            Envelope(self.context.transfer_syntax, command.sop_class_uid, command.sop_instance_uid)
        )
        try:
            self.file = spool.open(origin)
            self.file.write(
                encode_file_meta(
                    command.sop_class_uid,
                    command.sop_instance_uid,
                    self.context.transfer_syntax,
                    origin.calling_ae,
                )
            )
        except Exception as error:  # noqa: BLE001 (told apart in there)
            self._refuse_for(error)

    def receive(self, data: memoryview) -> None:
        """Take a piece of the data set."""
        self.received += len(data)
        if self.file is None:
            return
        if self.max_bytes and self.received > self.max_bytes:
            self.refuse(Refusal.TOO_LARGE)
            return
        assert self.gate is not None
        try:
            self.file.write(data)
            self.gate.feed(data)
        except Exception as error:  # noqa: BLE001 (told apart in there)
            self._refuse_for(error)

    def end(self) -> None:
        """Note that the data set is complete, and ask the gate."""
        if self.file is None or self.gate is None:
            return
        fault = self.gate.fault()
        if fault is not None:
            self.refuse(Faulty(fault))

    async def commit(self) -> None:
        """Make the instance durable; `answer` is a success only after that."""
        assert self.file is not None
        try:
            await self.file.commit()
        except Exception as error:  # noqa: BLE001 (told apart in there)
            self._refuse_for(error)
        self.file = None

    def _refuse_for(self, error: Exception) -> None:
        match error:
            case SpoolFull():
                self.refuse(Refusal.FULL)
            case StoreUnavailable():
                self.refuse(Refusal.BACK_END_AWAY)
            case _:  # our fault must not end the association
                log.error("instance_failed", receiver=Receiver.DIMSE, exc_info=error)
                self.refuse(Refusal.INTERNAL_ERROR)

    def refuse(self, refusal: Refusal | Faulty) -> None:
        """Give up the spool file, if any, and remember why."""
        self.refusal = refusal
        self.abandon()

    def abandon(self) -> None:
        """Remove the partial spool file."""
        if self.file is not None:
            self.file.abort()
            self.file = None
