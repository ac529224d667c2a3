"""One connection: its state, the messages that arrive on it, and its timers.

While an instance is being made durable, what the peer sends is held and reading pauses, so that a
response is on its way before the next message is looked at and memory does not grow. Other
associations go on meanwhile.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final

import structlog

from daemon.receive.dimse.buffers import receiving_buffer
from daemon.receive.dimse.messages import (
    CommandField,
    CommandInvalid,
    decode_command,
    encode_response,
)
from daemon.receive.dimse.negotiation import (
    TEMPORARY_CONGESTION,
    AcceptedContext,
    AssociateRequestInvalid,
    Rejection,
    accept,
    decode_associate_rq,
    rejection,
)
from daemon.receive.dimse.operation import Operation, judge
from daemon.receive.dimse.pace import Pace
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
from daemon.receive.dimse.sop_classes import listed
from daemon.receive.dimse.states import OTHERWISE, TRANSITIONS, Action, State
from daemon.records import Origin, Receiver

if TYPE_CHECKING:
    from daemon.receive.dimse.admission import Quietness
    from daemon.receive.dimse.service import Service

log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

_BUFFER_BYTES_UNASSOCIATED: Final = 4 << 10
_MAX_COMMAND_SET_BYTES: Final = 16 << 10
_MOST_A_TURN: Final = 256
"""PDUs and fragments looked at before others have their turn: a full buffer of 4 KB PDUs has half as many."""


class Association(asyncio.BufferedProtocol):
    """A transport connection, from being accepted to being closed (PS3.8 9.2)."""

    def __init__(self, service: Service[Association]) -> None:
        self._service = service
        self._loop = asyncio.get_running_loop()
        self._state = State.AWAITING_ASSOCIATE_RQ
        self._reader = PduReader(service.settings.max_pdu_bytes)
        self._view = memoryview(bytearray(_BUFFER_BYTES_UNASSOCIATED))
        self._held = b""
        self._contexts: dict[int, AcceptedContext] = {}
        self._peer_max_pdu_bytes = 0
        self._origin = Origin(Receiver.DIMSE)
        self._command = bytearray()
        self._context: AcceptedContext | None = None
        self._operation: Operation | None = None
        self._is_storing = False
        self._is_congested = False
        self._left_in_turn = 0
        self._pace = Pace(service.settings, self._loop.time)
        self._timer: asyncio.TimerHandle | None = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the connection; until the ARTIM timer expires it may ask for an association."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._socket = transport.get_extra_info("socket")
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = transport.get_extra_info("peername")
        self._origin = Origin(Receiver.DIMSE, peer=peer[0] if peer else "")
        service = self._service
        service.connections.add(self)
        service.all_gone.clear()
        if service.is_stopping or not service.admission.is_allowed(self._origin.peer):
            self._state = State.AWAITING_CLOSE
            self._tell_rejected("stopping" if service.is_stopping else "network_not_allowed")
            transport.abort()
            return
        self._wait()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where received bytes go."""
        del sizehint
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was received."""
        # The kernel forgets this with every read; without it, a sender that has Nagle's algorithm
        # on waits up to 40 ms for an acknowledgement before it sends the rest of a message.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        if self._is_storing or self._is_congested or self._held:
            self._hold(self._view[:nbytes])
            return
        self._pace.gain(nbytes, is_under_way=self._is_under_way)
        self._consume(self._view[:nbytes])

    def pause_writing(self) -> None:
        """Take no more requests while the peer does not read our responses."""
        self._is_congested = True

    def resume_writing(self) -> None:
        """Go on."""
        self._is_congested = False
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was under way; an instance already whole is still made durable."""
        del exc
        if self._timer:
            self._timer.cancel()
        self._abandon()
        service, peer = self._service, self._origin.peer
        if self._state is State.ESTABLISHED:
            self._tell_aborted("connection_lost")
            service.admission.dissociate(self, peer)
        else:
            service.admission.forget(self, peer)
        self._state = State.AWAITING_CLOSE
        service.connections.discard(self)
        if not service.connections:
            service.all_gone.set()

    # What the admission asks.

    def quietness(self) -> Quietness | None:
        """Return since when nothing comes of the association; None while it is in use."""
        if self._is_storing:
            return None
        return self._pace.quietness(is_under_way=self._is_under_way)

    # What the server calls.

    def drain(self) -> None:
        """End the association as soon as no message is under way."""
        if self._state is not State.ESTABLISHED:
            self._transport.close()
        elif not self._is_under_way:
            self._abort(None, "stopping")

    def kill(self) -> None:
        """End the connection now."""
        self._transport.abort()

    # PDUs.

    def _consume(self, view: memoryview) -> None:
        """Look at what came, up to the end of a message or of a turn; the rest is held.

        The buffer holds thousands of the shortest messages and fragments. Who sends those without waiting
        for answers would otherwise have the loop for as long as they take, each time.
        """
        position = 0
        self._left_in_turn = _MOST_A_TURN
        try:
            while self._state is not State.AWAITING_CLOSE:
                has_to_wait = self._is_storing or self._is_congested
                if has_to_wait or not self._left_in_turn or self._is_another_heard:
                    if position < len(view):
                        self._hold(view[position:])
                        if not has_to_wait:
                            self._loop.call_soon(self._go_on)
                    return
                self._left_in_turn -= 1
                event, position = self._reader.read(view, position)
                if event is None:
                    return
                if isinstance(event, Fragment):
                    self._receive_fragment(event)
                else:
                    self._receive_pdu(event)
        except PduInvalid as invalid:
            self._act(OTHERWISE[self._state], b"", invalid.reason, "pdu_invalid")
        except Exception:  # one association ends, the service goes on
            log.exception("association_failed", **self._who())
            self._abort(AbortReason.NOT_SPECIFIED, "internal_error")

    def _receive_pdu(self, pdu: Pdu) -> None:
        action = TRANSITIONS[self._state].get(pdu.type, OTHERWISE[self._state])
        self._act(action, pdu.content, AbortReason.UNEXPECTED_PDU, "pdu_unexpected")

    def _act(self, action: Action, content: bytes, reason: AbortReason, code: str) -> None:
        match action:
            case Action.RECEIVE_DATA | Action.IGNORE:
                pass
            case Action.NEGOTIATE:
                self._negotiate(content)
            case Action.RELEASE:
                self._release()
            case Action.ABORT_AS_USER:
                self._abort(None, code)
            case Action.ABORT_AS_PROVIDER:
                self._abort(reason, code)
            case Action.INDICATE_ABORT:
                self._tell_aborted("by_peer")
                self._dissociate()
                self._transport.close()
            case Action.CLOSE:
                self._transport.close()

    def _negotiate(self, content: bytes) -> None:
        self._service.begin_to_negotiate()
        try:
            request = decode_associate_rq(content)
        except AssociateRequestInvalid:
            self._abort(None, "associate_rq_invalid")
            return
        service, peer = self._service, self._origin.peer
        self._origin = Origin(Receiver.DIMSE, request.calling_ae, request.called_ae, peer)
        refused = TEMPORARY_CONGESTION if service.is_stopping else None
        refused = refused or rejection(request, service.settings)
        if refused:
            self._reject(refused)
            return
        place = service.admission.associate(self, peer)
        if place.rejection:
            self._reject(place.rejection)
            return
        if place.crowded_out is not None:
            place.crowded_out.make_room()
        self._state = State.ESTABLISHED
        self._contexts, pdu = accept(request, service.settings)
        self._peer_max_pdu_bytes = request.peer_max_pdu_bytes
        self._view = receiving_buffer()
        service.events.association_accepted()
        log.info(
            "association_accepted",
            count=len(self._contexts),
            **self._who(),
        )
        self._transport.write(pdu)
        self._pace.progress()
        self._watch()

    def _reject(self, refused: Rejection) -> None:
        self._tell_rejected(refused.code)
        self._transport.write(encode_reject(refused.result, refused.source, refused.reason))
        self._state = State.AWAITING_CLOSE
        self._start_timer(self._service.settings.artim_timeout_s)

    def _release(self) -> None:
        self._abandon()
        log.info("association_released", **self._who())
        self._transport.write(encode_release_rp())
        self._dissociate()

    def _abort(self, reason: AbortReason | None, code: str) -> None:
        """Send A-ABORT: as the service provider for a reason, or as its user for None."""
        was_established = self._state is State.ESTABLISHED
        self._transport.write(encode_abort(reason))
        if was_established:
            self._tell_aborted(code)
            self._dissociate()
        else:
            self._tell_rejected(code)
            self._state = State.AWAITING_CLOSE
            self._start_timer(self._service.settings.artim_timeout_s)

    def _dissociate(self) -> None:
        """Give the association's place free and wait for the peer to close (Sta13)."""
        self._abandon()
        self._state = State.AWAITING_CLOSE
        self._service.admission.dissociate(self, self._origin.peer)
        self._view = memoryview(bytearray(_BUFFER_BYTES_UNASSOCIATED))
        self._held = b""
        if self._service.is_stopping:
            self._transport.close()
        else:
            self._wait()
            self._transport.resume_reading()

    def _wait(self) -> None:
        """Be a connection without an association, for as long as the ARTIM timer runs."""
        crowded_out = self._service.admission.wait(self, self._origin.peer)
        self._start_timer(self._service.settings.artim_timeout_s)
        if crowded_out is not None:
            crowded_out.give_up("crowded_out")

    def make_room(self) -> None:
        """End an association of which nothing comes, for one that asks for its place."""
        self._abort(None, "crowded_out")

    def give_up(self, code: str) -> None:
        """Close a connection that has no association."""
        if self._state is State.AWAITING_ASSOCIATE_RQ:
            self._tell_rejected(code)
        self._state = State.AWAITING_CLOSE
        self._transport.abort()

    # Messages.

    def _receive_fragment(self, fragment: Fragment) -> None:
        context = self._contexts.get(fragment.context_id)
        is_in_order = fragment.is_command == (self._operation is None) and (
            self._context is None or self._context is context
        )
        if context is None:
            self._abort(AbortReason.INVALID_PARAMETER_VALUE, "context_not_accepted")
        elif not is_in_order:
            self._abort(None, "message_out_of_order")
        elif fragment.is_command:
            self._receive_command(context, fragment)
        else:
            self._receive_data(fragment)

    def _receive_command(self, context: AcceptedContext, fragment: Fragment) -> None:
        self._context = context
        self._command += fragment.data
        if len(self._command) > _MAX_COMMAND_SET_BYTES:
            self._abort(None, "command_invalid")
        elif fragment.is_last and fragment.is_complete:
            self._begin(context)

    def _begin(self, context: AcceptedContext) -> None:
        try:
            command = decode_command(self._command)
        except CommandInvalid:
            self._abort(None, "command_invalid")
            return
        self._command = bytearray()
        self._pace.has_spoken = True
        self._pace.progress()
        settings = self._service.settings
        operation = Operation(
            command, context, settings.max_instance_bytes, judge(command, context, settings)
        )
        operation.open(self._service.spool, self._origin)
        self._operation = operation
        if not command.has_data_set:
            self._end(operation)

    def _receive_data(self, fragment: Fragment) -> None:
        operation = self._operation
        assert operation is not None
        operation.receive(fragment.data)
        if fragment.is_last and fragment.is_complete:
            self._end(operation)

    def _end(self, operation: Operation) -> None:
        """Answer a request that has come in whole, after making its instance durable."""
        self._operation = self._context = None
        self._left_in_turn = 0
        operation.end()
        if operation.file is not None:
            self._is_storing = True
            self._service.tasks.create_task(self._store(operation))
        else:
            self._respond(operation)

    async def _store(self, operation: Operation) -> None:
        await operation.commit()
        self._is_storing = False
        try:
            self._respond(operation)
            self._go_on()
        except Exception:  # one association ends, the others' commits go on
            log.exception("association_failed", **self._who())
            self._transport.abort()

    def _respond(self, operation: Operation) -> None:
        command = operation.command
        is_awaited = self._state is State.ESTABLISHED and command.field != CommandField.C_CANCEL
        if is_awaited:
            self._pace.progress()
            self._pace.is_proven = True
            response = encode_response(command, operation.answer)
            self._transport.write(
                encode_command(operation.context.id, response, self._peer_max_pdu_bytes)
            )
        # Not before the response: a line of the log takes as long as all else that the peer waits for here.
        self._tell_done(operation)
        if is_awaited and self._service.is_stopping:
            self._abort(None, "stopping")

    def _abandon(self) -> None:
        """Forget a message that will not be completed."""
        operation, self._operation, self._context = self._operation, None, None
        self._command = bytearray()
        if operation is not None and operation.file is not None:
            operation.abandon()
            log.warning("instance_abandoned", size=operation.received, **self._who())

    # Flow and timers.

    @property
    def _is_under_way(self) -> bool:
        return (
            self._context is not None
            or self._is_storing
            or self._is_congested
            or not self._reader.is_between_pdus
        )

    @property
    def _is_another_heard(self) -> bool:
        """Whether it asks for an association in a turn that went to another who did."""
        return self._state is State.AWAITING_ASSOCIATE_RQ and self._service.has_negotiated

    def _hold(self, data: memoryview) -> None:
        if self._state is not State.AWAITING_CLOSE:
            self._held += data
            self._transport.pause_reading()

    def _go_on(self) -> None:
        """Look at what was held, and read on unless that started something again."""
        if self._state is State.AWAITING_CLOSE or self._transport.is_closing():
            return
        if self._is_storing or self._is_congested:
            return
        held, self._held = self._held, b""
        if held:
            self._consume(memoryview(held))
        if not self._held:
            self._transport.resume_reading()

    def _start_timer(self, after_s: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_later(after_s, self._watch)

    def _watch(self) -> None:
        if self._state is not State.ESTABLISHED:
            self.give_up("artim_timeout")
            return
        if self._is_storing:
            self._pace.progress()
        code, remaining_s = self._pace.patience(is_under_way=self._is_under_way)
        if remaining_s <= 0:
            self._abort(None, code)
        else:
            self._start_timer(min(remaining_s, self._service.settings.network_timeout_s))

    # Telling.

    def _who(self) -> dict[str, str]:
        origin = self._origin
        return {
            "receiver": origin.receiver,
            "calling_ae": origin.calling_ae,
            "called_ae": origin.called_ae,
            "peer": origin.peer,
        }

    def _tell_done(self, operation: Operation) -> None:
        refusal = operation.refusal
        if refusal:
            self._service.events.instance_refused(refusal.code)
            log.warning("request_refused", reason=refusal.code, **self._who())
        elif operation.command.field == CommandField.C_STORE:
            self._service.events.instance_received(operation.received)
            log.info(
                "instance_received",
                sop_class=listed(operation.command.sop_class_uid),
                transfer_syntax=listed(operation.context.transfer_syntax),
                size=operation.received,
                **self._who(),
            )

    def _tell_rejected(self, code: str) -> None:
        self._service.events.association_rejected(code)
        log.warning("association_rejected", reason=code, **self._who())

    def _tell_aborted(self, code: str) -> None:
        self._service.events.association_aborted(code)
        log.warning("association_aborted", reason=code, **self._who())
