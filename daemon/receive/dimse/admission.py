"""Who may be connected: the limits, and who goes when there are too many."""

from __future__ import annotations

from collections import Counter, defaultdict
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Generic, TypeVar

from daemon.receive.dimse.negotiation import (
    LOCAL_LIMIT_EXCEEDED,
    PEER_LIMIT_EXCEEDED,
    Rejection,
)

if TYPE_CHECKING:
    from daemon.receive.dimse.settings import DimseSettings

Connection = TypeVar("Connection")


class Admission(Generic[Connection]):
    """Keeps count of connections with and without an association.

    Silence must not cost others their place: a connection without an association takes none of the
    places of associations, and when there are too many such connections the oldest one of the peer
    that has most is given up, never the newest, which may be about to ask.
    """

    def __init__(self, settings: DimseSettings) -> None:
        self._settings = settings
        self._networks = [ip_network(network) for network in settings.allowed_networks]
        self._unassociated: defaultdict[str, dict[Connection, None]] = defaultdict(dict)
        self._associated: Counter[str] = Counter()

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

    def associate(self, connection: Connection, peer: str) -> Rejection | None:
        """Turn a waiting connection into an association, or return why there is no place."""
        if self._associated.total() >= self._settings.max_associations:
            return LOCAL_LIMIT_EXCEEDED
        if self._associated[peer] >= self._settings.max_associations_per_peer:
            return PEER_LIMIT_EXCEEDED
        self.forget(connection, peer)
        self._associated[peer] += 1
        return None

    def dissociate(self, peer: str) -> None:
        """Note the end of an association."""
        self._associated[peer] -= 1
        self._associated += Counter()  # drops peers that have none left
