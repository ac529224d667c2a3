"""The transition table."""

from __future__ import annotations

import pytest

from daemon.pipeline import states
from daemon.pipeline.states import MOVES, WAITING, MoveNotAllowed, check_damage, check_move
from daemon.records import State


def test_every_state_has_a_row_in_the_table() -> None:
    assert set(MOVES) == set(State)


def test_nothing_follows_duplicate_and_discarded() -> None:
    assert {state for state, following in MOVES.items() if not following} == {
        State.DUPLICATE,
        State.DISCARDED,
    }


def test_what_was_stored_can_only_be_done_again_or_deleted() -> None:
    assert MOVES[State.STORED] == {State.RECEIVED, State.DISCARDED}


@pytest.mark.parametrize("state", [*WAITING, State.UNROUTED])
def test_whatever_is_not_finished_can_be_quarantined(state: State) -> None:
    check_move(state, State.QUARANTINED)


@pytest.mark.parametrize("state", sorted(states.DONE))
def test_what_is_finished_cannot_be_quarantined(state: State) -> None:
    with pytest.raises(MoveNotAllowed):
        check_move(state, State.QUARANTINED)


def test_a_damaged_disk_may_quarantine_what_was_stored() -> None:
    check_damage(State.STORED, State.QUARANTINED)


def test_a_damaged_disk_does_not_bring_the_discarded_back() -> None:
    with pytest.raises(MoveNotAllowed):
        check_damage(State.DISCARDED, State.QUARANTINED)


def test_what_waits_is_stored_in_one_move() -> None:
    check_move(State.RECEIVED, State.STORED)


@pytest.mark.parametrize("state", [State.QUARANTINED, State.UNROUTED])
def test_the_refused_are_not_stored_without_a_retry(state: State) -> None:
    with pytest.raises(MoveNotAllowed):
        check_move(state, State.STORED)


@pytest.mark.parametrize("state", [State.QUARANTINED, State.UNROUTED])
def test_the_refused_can_be_retried(state: State) -> None:
    check_move(state, State.RECEIVED)


@pytest.mark.parametrize("state", [State.RECEIVED, State.QUARANTINED, State.UNROUTED])
def test_what_waits_for_a_person_or_a_retry_can_be_discarded(state: State) -> None:
    check_move(state, State.DISCARDED)


@pytest.mark.parametrize("state", sorted(states.DONE - {State.STORED}))
def test_what_is_finished_is_not_discarded(state: State) -> None:
    with pytest.raises(MoveNotAllowed):
        check_move(state, State.DISCARDED)
