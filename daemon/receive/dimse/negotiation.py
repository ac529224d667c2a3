"""Association negotiation (PS3.8 7.1, 9.3.2 to 9.3.4; PS3.7 Annex D.3).

The bytes of an A-ASSOCIATE-RQ are screened first: lengths that lie, items nobody knows and items we
do not answer never reach the decoder. pynetdicom's classes then decode, negotiate and encode.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from struct import Struct
from typing import TYPE_CHECKING, Final

from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationVersionNameNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import PresentationContext, negotiate_as_acceptor

from daemon.receive.dimse.sop_classes import (
    VERIFICATION,
    is_storage,
    preferred_transfer_syntax,
)
from deid.encoding import implementation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.settings import Dimse

# Its loggers quote what the peer sent; we say ourselves what an operator needs.
logging.getLogger("pynetdicom").propagate = False

APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"

_FIXED_LENGTH: Final = 74
_TITLES: Final = slice(10, 42)
_ECHOED: Final = slice(10, 74)
_ITEM: Final = Struct(">BxH")
_APPLICATION_CONTEXT: Final = 0x10
_PRESENTATION_CONTEXT_RQ: Final = 0x20
_ABSTRACT_SYNTAX: Final = 0x30
_TRANSFER_SYNTAX: Final = 0x40
_USER_INFORMATION: Final = 0x50
_MAXIMUM_LENGTH: Final = 0x51
_ASYNCHRONOUS_OPERATIONS: Final = 0x53
_ROLE_SELECTION: Final = 0x54

# Items that matter to the answer, and how many of them there may be, by the item they stand in
# (None: the PDU). PS3.8 9.3.1 has others ignored; user identity (a password, perhaps) and extended
# negotiation are left unread on purpose.
_ITEMS: Final[dict[int | None, dict[int, int]]] = {
    None: {_APPLICATION_CONTEXT: 1, _PRESENTATION_CONTEXT_RQ: 128, _USER_INFORMATION: 1},
    _USER_INFORMATION: {_MAXIMUM_LENGTH: 1, _ASYNCHRONOUS_OPERATIONS: 1, _ROLE_SELECTION: 128},
}

_UID: Final = re.compile(rb"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*")


class AssociateRequestInvalid(Exception):
    """The A-ASSOCIATE-RQ cannot be read; to be answered by A-ABORT (PS3.8 9.2, AA-1)."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 Table 9-21), and our name for it."""

    code: str
    result: int
    source: int
    reason: int


PROTOCOL_VERSION: Final = Rejection("protocol_version", 1, 2, 2)
APPLICATION_CONTEXT_NAME: Final = Rejection("application_context", 1, 1, 2)
CALLING_AE_TITLE: Final = Rejection("calling_ae_title", 1, 1, 3)
CALLED_AE_TITLE: Final = Rejection("called_ae_title", 1, 1, 7)
TEMPORARY_CONGESTION: Final = Rejection("stopping", 2, 3, 1)
LOCAL_LIMIT_EXCEEDED: Final = Rejection("too_many_associations", 2, 3, 2)
PEER_LIMIT_EXCEEDED: Final = Rejection("too_many_associations_of_peer", 2, 3, 2)


@dataclass(frozen=True, slots=True)
class AcceptedContext:
    """An accepted presentation context."""

    id: int
    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    """A decoded A-ASSOCIATE-RQ.

    Attributes
    ----------
    calling_ae, called_ae
        Without padding; empty when not an AE title (PS3.5 6.2: printable ASCII without backslash).
    echoed
        The bytes that an A-ASSOCIATE-AC gives back as they came (PS3.8 Table 9-17).
    peer_max_pdu_bytes
        The peer's Maximum Length; 0 is no limit.
    """

    calling_ae: str
    called_ae: str
    protocol_version: int
    echoed: bytes
    primitive: A_ASSOCIATE
    peer_max_pdu_bytes: int


def decode_associate_rq(pdu: bytes) -> AssociateRequest:
    """Read an A-ASSOCIATE-RQ.

    Parameters
    ----------
    pdu
        The whole PDU, header included.

    Raises
    ------
    AssociateRequestInvalid
        If it is not well-formed, or proposes what cannot be negotiated.
    """
    if len(pdu) < _FIXED_LENGTH:
        raise AssociateRequestInvalid
    called_ae, calling_ae = _ae_title(pdu[10:26]), _ae_title(pdu[26:42])
    # The decoder refuses unusable titles; that they are is for `answer` to say.
    titles = (called_ae or "-").ljust(16) + (calling_ae or "-").ljust(16)
    screened = bytearray(pdu[:_FIXED_LENGTH])
    screened[_TITLES] = titles.encode("ascii")
    screened += _screen(pdu[_FIXED_LENGTH:], None)
    request = A_ASSOCIATE_RQ()
    try:
        request.decode(bytes(screened))
        primitive = request.to_primitive()
        max_length = int(primitive.maximum_length_received or 0)
    except Exception:  # noqa: BLE001  # whatever a foreign decoder makes of hostile bytes
        raise AssociateRequestInvalid from None
    contexts = primitive.presentation_context_definition_list
    if len({context.context_id for context in contexts}) != len(contexts):
        raise AssociateRequestInvalid
    if 0 < max_length <= 6:  # no room for a single byte of a message
        raise AssociateRequestInvalid
    return AssociateRequest(
        calling_ae,
        called_ae,
        int(request.protocol_version),
        pdu[_ECHOED],
        primitive,
        max_length,
    )


def rejection(request: AssociateRequest, settings: Dimse) -> Rejection | None:
    """Return why an association is not wanted, if it is not; limits are judged elsewhere."""
    if not request.protocol_version & 1:
        return PROTOCOL_VERSION
    if request.primitive.application_context_name != APPLICATION_CONTEXT:
        return APPLICATION_CONTEXT_NAME
    if not request.calling_ae or not _is_allowed(request.calling_ae, settings.allowed_calling_ae):
        return CALLING_AE_TITLE
    if settings.require_called_ae and request.called_ae != settings.ae_title:
        return CALLED_AE_TITLE
    return None


def accept(request: AssociateRequest, settings: Dimse) -> tuple[dict[int, AcceptedContext], bytes]:
    """Negotiate every presentation context.

    Returns
    -------
    contexts
        The accepted ones by presentation context ID; none may have been.
    pdu
        The A-ASSOCIATE-AC.
    """
    results, role_replies = _negotiate_contexts(request.primitive, settings)
    primitive = A_ASSOCIATE()
    primitive.application_context_name = APPLICATION_CONTEXT
    primitive.presentation_context_definition_results_list = results
    primitive.maximum_length_received = settings.max_pdu_bytes
    primitive.implementation_class_uid = implementation.CLASS_UID
    version_name = ImplementationVersionNameNotification()
    version_name.implementation_version_name = implementation.VERSION_NAME
    primitive.user_information.append(version_name)
    primitive.user_information.extend(role_replies)
    if _proposes(request.primitive, AsynchronousOperationsWindowNegotiation):
        window = AsynchronousOperationsWindowNegotiation()
        window.maximum_number_operations_invoked = 1
        window.maximum_number_operations_performed = 1
        primitive.user_information.append(window)
    pdu = bytearray(A_ASSOCIATE_AC(primitive).encode())
    pdu[_ECHOED] = request.echoed
    accepted = [_accepted(result) for result in results if result.result == 0]
    return {context.id: context for context in accepted}, bytes(pdu)


def _negotiate_contexts(
    primitive: A_ASSOCIATE, settings: Dimse
) -> tuple[list[PresentationContext], list[SCP_SCU_RoleSelectionNegotiation]]:
    roles = {
        item.sop_class_uid: (item.scu_role, item.scp_role)
        for item in primitive.user_information
        if isinstance(item, SCP_SCU_RoleSelectionNegotiation) and item.sop_class_uid
    }
    results: list[PresentationContext] = []
    replies: dict[str, SCP_SCU_RoleSelectionNegotiation] = {}
    for proposed in primitive.presentation_context_definition_list:
        # One at a time: the same abstract syntax may be proposed with several transfer syntaxes.
        result, role_replies = negotiate_as_acceptor(
            [proposed], [_supported(proposed, settings)], roles
        )
        results += result
        replies.update((str(reply.sop_class_uid), reply) for reply in role_replies)
    return results, list(replies.values())


def _accepted(result: PresentationContext) -> AcceptedContext:
    assert result.context_id is not None
    return AcceptedContext(
        result.context_id, str(result.abstract_syntax), str(result.transfer_syntax[0])
    )


def _supported(proposed: PresentationContext, settings: Dimse) -> PresentationContext:
    """Return what we support of a proposed context; Verification where the answer is nothing."""
    supported = PresentationContext()
    supported.abstract_syntax = VERIFICATION
    if proposed.abstract_syntax == VERIFICATION or is_storage(
        str(proposed.abstract_syntax), accept_unknown=settings.accept_unknown_storage
    ):
        supported.abstract_syntax = proposed.abstract_syntax
    supported.add_transfer_syntax(proposed.transfer_syntax[0])
    supported.scu_role, supported.scp_role = True, False  # of the requestor (PS3.7 D.3.3.4)
    return supported


def _proposes(primitive: A_ASSOCIATE, kind: type[object]) -> bool:
    return any(isinstance(item, kind) for item in primitive.user_information)


def _is_allowed(title: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(title, pattern) for pattern in patterns)


def _ae_title(field: bytes) -> str:
    # Devices that pad with NUL instead of spaces are in use.
    title = field.rstrip(b"\0").decode("ascii", "replace").strip(" ")
    return title if title.isascii() and title.isprintable() and "\\" not in title else ""


def _screen(items: bytes, parent: int | None) -> bytes:
    """Return the items we answer, theirs screened likewise, with lengths that hold."""
    screened = bytearray()
    allowed = dict(_ITEMS[parent])
    for kind, content in _split(items):
        if kind not in allowed:
            continue
        allowed[kind] -= 1
        if allowed[kind] < 0:
            raise AssociateRequestInvalid
        if kind == _PRESENTATION_CONTEXT_RQ:
            body = _presentation_context(content)
        elif kind == _USER_INFORMATION:
            body = _screen(content, kind)
        elif kind == _APPLICATION_CONTEXT:
            body = _uid(content)
        elif kind == _ROLE_SELECTION:
            body = _role_selection(content)
        else:
            body = content
        screened += _item(kind, body)
    return bytes(screened)


def _presentation_context(content: bytes) -> bytes:
    """Return the item with one transfer syntax, the one we would take (PS3.8 9.3.2.2).

    The largest request proposes 9000 of them, which the decoder would look at for 0.2 s.
    """
    names: dict[int, list[str]] = {_ABSTRACT_SYNTAX: [], _TRANSFER_SYNTAX: []}
    for kind, name in _split(content[4:]):
        if kind in names:
            names[kind].append(_uid(name).decode("ascii"))
    if len(content) < 4 or len(names[_ABSTRACT_SYNTAX]) != 1 or not names[_TRANSFER_SYNTAX]:
        raise AssociateRequestInvalid
    return (
        content[:4]
        + _item(_ABSTRACT_SYNTAX, names[_ABSTRACT_SYNTAX][0].encode())
        + _item(_TRANSFER_SYNTAX, preferred_transfer_syntax(names[_TRANSFER_SYNTAX]).encode())
    )


def _item(kind: int, content: bytes) -> bytes:
    return _ITEM.pack(kind, len(content)) + content


def _uid(content: bytes) -> bytes:
    uid = content.rstrip(b"\0 ")
    if len(uid) > 64 or not _UID.fullmatch(uid):
        raise AssociateRequestInvalid
    return uid


def _role_selection(content: bytes) -> bytes:
    """Return the sub-item with a UID as long as it says (PS3.7 Table D.3-9)."""
    if len(content) < 4 or int.from_bytes(content[:2]) != len(content) - 4:
        raise AssociateRequestInvalid
    uid = _uid(content[2:-2])
    return len(uid).to_bytes(2) + uid + content[-2:]


def _split(items: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(items):
        if len(items) - position < _ITEM.size:
            raise AssociateRequestInvalid
        kind, length = _ITEM.unpack_from(items, position)
        position += _ITEM.size + length
        if position > len(items):
            raise AssociateRequestInvalid
        yield kind, items[position - length : position]
