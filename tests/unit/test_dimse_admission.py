"""Who may be connected."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from config.settings import Dimse
from daemon.receive.dimse.admission import Admission, Place, Quiet, Quietness
from daemon.receive.dimse.negotiation import LOCAL_LIMIT_EXCEEDED, PEER_LIMIT_EXCEEDED


@dataclass(frozen=True)
class Known:
    """A connection that says of itself whether it is quiet."""

    name: str
    quiet: Quietness | None = None

    def quietness(self) -> Quietness | None:
        return self.quiet


def unheard(name: str, since: float = 0.0) -> Known:
    return Known(name, Quietness(Quiet.UNHEARD, since))


def idle(name: str, since: float = 0.0) -> Known:
    return Known(name, Quietness(Quiet.IDLE, since))


def stalled(name: str, since: float = 0.0) -> Known:
    return Known(name, Quietness(Quiet.STALLED, since))


def unproven(name: str, since: float = 0.0) -> Known:
    return Known(name, Quietness(Quiet.UNPROVEN, since))


def admission(**limits: int) -> Admission[Known]:
    return Admission(Dimse(**limits))  # type: ignore[arg-type]


ADMITTED: Place[Known] = Place()
TOO_MANY: Place[Known] = Place(LOCAL_LIMIT_EXCEEDED)
TOO_MANY_OF_PEER: Place[Known] = Place(PEER_LIMIT_EXCEEDED)


def test_associations_are_limited_in_all() -> None:
    places = admission(max_associations=2, max_associations_per_peer=2)
    assert places.associate(Known("a"), "10.0.0.1") == ADMITTED
    assert places.associate(Known("b"), "10.0.0.2") == ADMITTED
    assert places.associate(Known("c"), "10.0.0.3") == TOO_MANY


def test_associations_are_limited_by_peer() -> None:
    places = admission(max_associations=9, max_associations_per_peer=1)
    assert places.associate(Known("a"), "10.0.0.1") == ADMITTED
    assert places.associate(Known("b"), "10.0.0.1") == TOO_MANY_OF_PEER
    assert places.associate(Known("c"), "10.0.0.2") == ADMITTED


def test_an_ended_association_gives_its_place_free() -> None:
    places = admission(max_associations=1, max_associations_per_peer=1)
    places.associate(Known("a"), "10.0.0.1")
    places.dissociate(Known("a"), "10.0.0.1")
    assert places.associate(Known("b"), "10.0.0.1") == ADMITTED


def test_an_association_without_a_message_makes_room() -> None:
    places = admission(max_associations=2, max_associations_per_peer=2)
    places.associate(unheard("silent"), "10.0.0.1")
    places.associate(Known("busy"), "10.0.0.1")
    assert places.associate(Known("good"), "10.0.0.2") == Place(crowded_out=unheard("silent"))
    places.dissociate(unheard("silent"), "10.0.0.1")
    assert places.associate(Known("late"), "10.0.0.3") == TOO_MANY


def test_a_peer_makes_room_for_itself_only() -> None:
    places = admission(max_associations=9, max_associations_per_peer=1)
    places.associate(unheard("other"), "10.0.0.1")
    places.associate(Known("busy"), "10.0.0.2")
    assert places.associate(Known("late"), "10.0.0.2") == TOO_MANY_OF_PEER
    assert places.associate(Known("good"), "10.0.0.1") == Place(crowded_out=unheard("other"))


@pytest.mark.parametrize(
    ("quiet", "goes"),
    [
        ([stalled("a"), idle("b"), unheard("c", 9.0)], unheard("c", 9.0)),
        ([stalled("a"), idle("b", 9.0)], idle("b", 9.0)),
        ([stalled("a", 5.0), stalled("b", 4.0)], stalled("b", 4.0)),
        ([unheard("a", 2.0), unheard("b", 1.0)], unheard("b", 1.0)),
    ],
)
def test_the_quietest_association_makes_room(quiet: list[Known], goes: Known) -> None:
    places = admission(max_associations=len(quiet), max_associations_per_peer=9)
    for number, each in enumerate(quiet):
        places.associate(each, f"10.0.0.{number}")
    assert places.associate(Known("good"), "10.0.1.1").crowded_out == goes


def test_of_a_kind_the_peer_that_has_most_makes_room() -> None:
    places = admission(max_associations=3, max_associations_per_peer=9)
    places.associate(unheard("old", 0.0), "10.0.0.1")
    places.associate(unheard("flood 1", 1.0), "10.0.0.2")
    places.associate(unheard("flood 2", 2.0), "10.0.0.2")
    assert places.associate(Known("good"), "10.0.0.3").crowded_out == unheard("flood 1", 1.0)


def test_a_peer_with_few_associations_makes_no_room_for_one_with_many() -> None:
    places = admission(max_associations=3, max_associations_per_peer=9)
    places.associate(unheard("good"), "10.0.0.1")
    places.associate(Known("flood 1"), "10.0.0.2")
    places.associate(Known("flood 2"), "10.0.0.2")
    assert places.associate(unheard("flood 3"), "10.0.0.2") == TOO_MANY


def test_a_message_under_way_makes_room_if_its_peer_has_many_and_never_completed_one() -> None:
    """A flood of first messages that never end is in use everywhere, for as long as it is young."""
    places = admission(max_associations=4, max_associations_per_peer=9)
    places.associate(Known("busy", None), "10.0.0.2")
    for number in (2, 1, 3):
        places.associate(unproven(f"flood {number}", number), "10.0.0.2")
    assert places.associate(Known("good"), "10.0.0.1").crowded_out == unproven("flood 1", 1)


def test_a_first_message_makes_no_room_for_those_with_as_many() -> None:
    places = admission(max_associations=3, max_associations_per_peer=2)
    places.associate(unproven("a"), "10.0.0.1")
    places.associate(unproven("b"), "10.0.0.2")
    places.associate(unproven("c"), "10.0.0.2")
    assert places.associate(Known("late"), "10.0.0.1") == TOO_MANY
    assert places.associate(Known("late"), "10.0.0.2") == TOO_MANY_OF_PEER
    places.dissociate(unproven("c"), "10.0.0.2")
    places.associate(unproven("c"), "10.0.0.3")
    assert places.associate(Known("late"), "10.0.0.4") == TOO_MANY


def test_a_peer_that_is_rejected_is_not_remembered() -> None:
    places = admission(max_associations=1, max_associations_per_peer=1)
    places.associate(Known("a"), "10.0.0.1")
    for number in range(100):
        assert places.associate(Known("late"), f"10.0.1.{number}") == TOO_MANY
    assert len(places._associated) == 1


def test_connections_without_an_association_take_no_place_of_one() -> None:
    places = admission(max_associations=1, max_associations_per_peer=1)
    for number in range(100):
        places.wait(Known(f"silent {number}"), "10.0.0.1")
    assert places.associate(Known("a"), "10.0.0.1") == ADMITTED


def test_the_oldest_silent_connection_of_the_busiest_peer_makes_room() -> None:
    places = admission(max_unassociated=3)
    assert places.wait(Known("good"), "10.0.0.1") is None
    assert places.wait(Known("flood 1"), "10.0.0.2") is None
    assert places.wait(Known("flood 2"), "10.0.0.2") is None
    assert places.wait(Known("flood 3"), "10.0.0.2") == Known("flood 1")
    assert places.wait(Known("flood 4"), "10.0.0.2") == Known("flood 2")


def test_a_connection_that_left_makes_room() -> None:
    places = admission(max_unassociated=1)
    places.wait(Known("a"), "10.0.0.1")
    places.forget(Known("a"), "10.0.0.1")
    assert places.wait(Known("b"), "10.0.0.1") is None


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
    places: Admission[Known] = Admission(Dimse(allowed_networks=("10.1.0.0/16", "fd00::/8")))
    assert places.is_allowed(peer) is is_allowed


def test_every_network_is_allowed_without_a_list() -> None:
    assert admission().is_allowed("192.0.2.1")


def test_two_busy_addresses_leave_places_for_others() -> None:
    places = admission(max_associations=64, max_associations_per_peer=32)
    for number in range(40):
        for peer in ("10.0.0.1", "10.0.0.2"):
            places.associate(Known(f"{peer} {number}"), peer)
    answers = [places.associate(Known(f"good {number}"), "10.0.0.3") for number in range(5)]
    assert answers == [ADMITTED] * 4 + [TOO_MANY]
    assert places.associate(Known("another"), "10.0.0.4") == ADMITTED
    assert places.associate(Known("more"), "10.0.0.1") == TOO_MANY


def test_places_that_are_kept_are_all_taken_in_the_end() -> None:
    places = admission(max_associations=64, max_associations_per_peer=32)
    taken = [places.associate(Known(str(n)), f"10.0.{n}.1") == ADMITTED for n in range(70)]
    assert taken == [True] * 64 + [False] * 6
