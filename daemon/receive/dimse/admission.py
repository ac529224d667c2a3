"""Who may be connected: the limits, and who goes when there are too many."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, Protocol, TypeVar

from daemon.receive.dimse.negotiation import (
    LOCAL_LIMIT_EXCEEDED,
    PEER_LIMIT_EXCEEDED,
    Rejection,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from config.settings import Dimse


class Quiet(IntEnum):
    """Why an association could make room for another; the first kind goes first."""

    UNHEARD = 0
    IDLE = 1
    STALLED = 2
    UNPROVEN = 3
    """Its first message is under way; only one of several of a peer makes room then."""


class Quietness(NamedTuple):
    """A kind, and since when on the clock that all connections share."""

    kind: Quiet
    since: float


class Quietable(Protocol):
    """A connection that tells whether it is in use."""

    def quietness(self) -> Quietness | None:
        """Return since when nothing comes of the association; None while it is in use."""


_SHARES: Final = 4
"""Of all places this part is kept for peers with few associations: each may have this part of those."""

Connection = TypeVar("Connection", bound=Quietable)


@dataclass(frozen=True, slots=True)
class Place(Generic[Connection]):
    """What became of a request: a place, perhaps after another made room, or a rejection."""

    rejection: Rejection | None = None
    crowded_out: Connection | None = None


class Admission(Generic[Connection]):
    """Keeps count of connections with and without an association.

    Silence must not cost others their place: a connection without an association takes none of the
    places of associations, and when there are too many such connections the oldest one of the peer
    that has most is given up, never the newest, which may be about to ask. When all places of
    associations are taken, one that has not sent a message makes room, or one that has stood idle, or
    one whose message has stalled, or one of many whose first message is still under way; only where all
    are in use a request is rejected. The last quarter of the places is for peers with few associations.
    Who has many associations takes no place of who has few: else those who come again and again would
    have all of them in the end.
    """

    def __init__(self, settings: Dimse) -> None:
        self._settings = settings
        self._networks = [ip_network(network) for network in settings.allowed_networks]
        self._unassociated: defaultdict[str, dict[Connection, None]] = defaultdict(dict)
        self._associated: defaultdict[str, dict[Connection, None]] = defaultdict(dict)

    def is_allowed(self, peer: str) -> bool:
        """Whether an address is in an allowed network."""
        if not self._networks:
            return True
        try:
            address = ip_address(peer)
        except ValueError:  # the connection was gone before its address could be asked
            return False
        # A listener on :: sees IPv4 peers as ::ffff:a.b.c.d.
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)

    def wait(self, connection: Connection, peer: str) -> Connection | None:
        """Note a connection without an association; return one to close instead, if need be."""
        self._unassociated[peer][connection] = None
        if sum(map(len, self._unassociated.values())) <= self._settings.max_unassociated:
            return None
        busiest = max(self._unassociated, key=lambda peer: len(self._unassociated[peer]))
        oldest = next(iter(self._unassociated[busiest]))
        self.forget(oldest, busiest)
        return oldest

    def forget(self, connection: Connection, peer: str) -> None:
        """Note that a connection without an association is gone."""
        self._unassociated[peer].pop(connection, None)
        if not self._unassociated[peer]:
            del self._unassociated[peer]

    def associate(self, connection: Connection, peer: str) -> Place[Connection]:
        """Turn a waiting connection into an association, or say why there is no place."""
        settings = self._settings
        crowded_out = None
        if self._count(peer) >= settings.max_associations_per_peer:
            crowded_out = self._quietest([peer], peer)
            if crowded_out is None:
                return Place(PEER_LIMIT_EXCEEDED)
        elif self._is_full(self._count(peer)):
            crowded_out = self._quietest(self._associated, peer)
            if crowded_out is None:
                return Place(LOCAL_LIMIT_EXCEEDED)
        self.forget(connection, peer)
        self._associated[peer][connection] = None
        return Place(crowded_out=crowded_out)

    def dissociate(self, connection: Connection, peer: str) -> None:
        """Note the end of an association."""
        self._associated[peer].pop(connection, None)
        if not self._associated[peer]:
            del self._associated[peer]

    def _is_full(self, count: int) -> bool:
        """Whether there is no place for a peer with so many associations.

        The last quarter of 16 places or more is for peers that have few, else two busy ones could have them
        all.
        """
        places = self._settings.max_associations
        kept = places // _SHARES
        if kept >= _SHARES and count >= kept // _SHARES:
            places -= kept
        return sum(map(len, self._associated.values())) >= places

    def _count(self, peer: str) -> int:
        return len(self._associated.get(peer, ()))

    def _quietest(self, peers: Iterable[str], newcomer: str) -> Connection | None:
        """Return whom to end for a newcomer: the kind decides, then its peer's number, then its time."""
        found = [
            (quietness.kind, -self._count(peer), quietness.since, connection)
            for peer in peers
            for connection in self._associated[peer]
            if (quietness := connection.quietness()) is not None
            and self._may_take(peer, newcomer, quietness.kind)
        ]
        return min(found, key=lambda each: each[:3], default=(None,))[-1]

    def _may_take(self, peer: str, newcomer: str, kind: Quiet) -> bool:
        """Whether a newcomer's peer may have the place of a peer's association; of its own, if it is quiet."""
        if peer == newcomer:
            return kind is not Quiet.UNPROVEN
        # A message that is broken off costs its sender: nobody loses one to those with as many.
        least = self._count(newcomer) + (kind is Quiet.UNPROVEN)
        return self._count(peer) > least
