"""Who may be connected."""

from __future__ import annotations

import pytest

from daemon.receive.dimse.admission import Admission
from daemon.receive.dimse.negotiation import LOCAL_LIMIT_EXCEEDED, PEER_LIMIT_EXCEEDED
from daemon.receive.dimse.settings import DimseSettings


def admission(**limits: int) -> Admission[str]:
    return Admission(DimseSettings(**limits))  # type: ignore[arg-type]


def test_associations_are_limited_in_all() -> None:
    places = admission(max_associations=2, max_associations_per_peer=2)
    assert places.associate("a", "10.0.0.1") is None
    assert places.associate("b", "10.0.0.2") is None
    assert places.associate("c", "10.0.0.3") is LOCAL_LIMIT_EXCEEDED


def test_associations_are_limited_by_peer() -> None:
    places = admission(max_associations=9, max_associations_per_peer=1)
    assert places.associate("a", "10.0.0.1") is None
    assert places.associate("b", "10.0.0.1") is PEER_LIMIT_EXCEEDED
    assert places.associate("c", "10.0.0.2") is None


def test_an_ended_association_gives_its_place_free() -> None:
    places = admission(max_associations=1, max_associations_per_peer=1)
    places.associate("a", "10.0.0.1")
    places.dissociate("10.0.0.1")
    assert places.associate("b", "10.0.0.1") is None


def test_connections_without_an_association_take_no_place_of_one() -> None:
    places = admission(max_associations=1, max_associations_per_peer=1)
    for number in range(100):
        places.wait(f"silent {number}", "10.0.0.1")
    assert places.associate("a", "10.0.0.1") is None


def test_the_oldest_silent_connection_of_the_busiest_peer_makes_room() -> None:
    places = admission(max_unassociated=3)
    assert places.wait("good", "10.0.0.1") is None
    assert places.wait("flood 1", "10.0.0.2") is None
    assert places.wait("flood 2", "10.0.0.2") is None
    assert places.wait("flood 3", "10.0.0.2") == "flood 1"
    assert places.wait("flood 4", "10.0.0.2") == "flood 2"


def test_a_connection_that_left_makes_room() -> None:
    places = admission(max_unassociated=1)
    places.wait("a", "10.0.0.1")
    places.forget("a", "10.0.0.1")
    assert places.wait("b", "10.0.0.1") is None


@pytest.mark.parametrize(
    ("peer", "is_allowed"),
    [
        ("10.1.2.3", True),
        ("10.2.0.1", False),
        ("::ffff:10.1.2.3", True),
        ("fd00::1", True),
        ("::1", False),
        ("", False),
    ],
)
def test_networks_are_allowed_by_cidr(peer: str, is_allowed: bool) -> None:
    places: Admission[str] = Admission(DimseSettings(allowed_networks=("10.1.0.0/16", "fd00::/8")))
    assert places.is_allowed(peer) is is_allowed


def test_every_network_is_allowed_without_a_list() -> None:
    assert admission().is_allowed("192.0.2.1")
