"""What a site decides about the C-STORE SCP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True, slots=True)
class DimseSettings:
    """Settings of one listening application entity.

    Attributes
    ----------
    port
        0 lets the kernel choose; `DimseServer.port` then tells.
    accept_unknown_storage
        Accept SOP classes that no registry names (private ones, and those newer than we are).
    max_associations, max_associations_per_peer
        Established associations, in all and from one network address. For one more, an association
        makes room that has sent no message, or has stood still for 3 seconds; where there is none, it
        is rejected as transient, local limit exceeded (PS3.8 9.3.4).
    max_unassociated
        Connections that have no association, because they never asked or because they were
        rejected, released or aborted and linger. The oldest of the peer that has most is closed
        to make room, so that silent connections cannot keep a sender out.
    artim_timeout_s
        From connection to the end of the A-ASSOCIATE-RQ, and from a reject, abort or release to
        the peer's closing (the ARTIM timer, PS3.8 9.1.5).
    idle_timeout_s
        An association on which nothing is under way is aborted after this time.
    first_message_timeout_s
        From the acceptance of an association to the end of its first command set.
    network_timeout_s
        A message under way that gains too little in this time (see `min_bytes_per_s`), or a response
        that the peer does not read, ends the association.
    min_bytes_per_s
        What a message under way must gain, on the average over `network_timeout_s`; 1 KiB in that
        time at least.
    max_pdu_bytes
        The Maximum Length we announce, and enforce; 0 is no limit (PS3.8 D.1).
    max_instance_bytes
        Larger data sets are refused with C000H; 0 is no limit.
    allowed_calling_ae
        Shell patterns (``CT*``), case-sensitive; empty allows every calling AE title. A label, not
        authentication.
    allowed_networks
        CIDR networks (``10.1.0.0/16``); connections from elsewhere are closed unread. Empty allows
        every address.
    require_called_ae
        Reject associations that call another AE title than `ae_title`.
    tls
        Server-side context; None is plain TCP.
    """

    ae_title: str = "DICOMVEIL"
    host: str = "127.0.0.1"
    port: int = 11112
    accept_unknown_storage: bool = True
    max_associations: int = 64
    max_associations_per_peer: int = 32
    max_unassociated: int = 128
    artim_timeout_s: float = 10.0
    first_message_timeout_s: float = 15.0
    idle_timeout_s: float = 300.0
    network_timeout_s: float = 60.0
    min_bytes_per_s: float = 100.0
    max_pdu_bytes: int = 1 << 20
    max_instance_bytes: int = 16 << 30
    allowed_calling_ae: tuple[str, ...] = ()
    allowed_networks: tuple[str, ...] = ()
    require_called_ae: bool = False
    tls: ssl.SSLContext | None = None
