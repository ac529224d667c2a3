"""The states of a received instance and the moves between them, as one table.

::

    received -> stored      -> received       (done again, after the configuration changed)
        |          `-------> discarded        (its result was deleted)
        |----> duplicate
        |----> unrouted    -> received        (retry, after the routes changed)
        |          `-------> discarded
        |----> quarantined -> received        (retry)
        |          `-------> discarded
        `----> discarded                      (replaced by another while it waited for its retry)

The code only looks things up here: a move that is not in the table does not happen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.records import State

if TYPE_CHECKING:
    from collections.abc import Mapping

MOVES: Final[Mapping[State, frozenset[State]]] = {
    State.RECEIVED: frozenset(
        {
            State.STORED,
            State.DUPLICATE,
            State.UNROUTED,
            State.QUARANTINED,
            State.DISCARDED,
        }
    ),
    State.UNROUTED: frozenset({State.RECEIVED, State.QUARANTINED, State.DISCARDED}),
    State.QUARANTINED: frozenset({State.RECEIVED, State.DISCARDED}),
    State.STORED: frozenset({State.RECEIVED, State.DISCARDED}),
    State.DUPLICATE: frozenset(),
    State.DISCARDED: frozenset(),
}
"""Every state with the states that may follow it."""

DAMAGE: Final[Mapping[State, frozenset[State]]] = {
    State.STORED: frozenset({State.QUARANTINED}),
}
"""Moves that only a damaged disk can cause, and only the consistency check makes."""

DONE: Final = frozenset({State.STORED, State.DUPLICATE, State.DISCARDED})
"""States in which nothing is asked of anybody any more."""

RE_EXAMINE: Final = "re_examine"
"""Why a stored instance is received again: what is visible of it stays until the new result is there."""

WAITING: Final[tuple[State, ...]] = (State.RECEIVED,)
"""States in which an instance waits for the pipeline."""


class MoveNotAllowed(ValueError):
    """A bug: somebody asked for a move that the table does not have."""

    def __init__(self, state: State, following: State) -> None:
        super().__init__(f"{state} -> {following}")
        self.state = state
        self.following = following


def check_move(state: State, following: State) -> None:
    """Do nothing if the table allows the move.

    Raises
    ------
    MoveNotAllowed
        If it does not.
    """
    if following not in MOVES[state]:
        raise MoveNotAllowed(state, following)


def check_damage(state: State, following: State) -> None:
    """Do nothing if a loss on the disk may force the move.

    Raises
    ------
    MoveNotAllowed
        If it may not.
    """
    if following not in MOVES[state] | DAMAGE.get(state, frozenset()):
        raise MoveNotAllowed(state, following)
