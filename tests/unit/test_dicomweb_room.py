"""What answers under way may hold, each and all together."""

from __future__ import annotations

import pytest

from dicomweb.room import Room


def test_an_answer_holds_no_more_than_its_share_and_then_nothing_more() -> None:
    room = Room(100)
    with room.share(10) as share:
        assert share.take(7)
        assert not share.take(4)
        assert share.is_full
        assert not share.take(1)
        assert share.held == 7


def test_all_answers_together_hold_no_more_than_there_is() -> None:
    room = Room(15)
    with room.share(10) as first:
        assert first.take(10)
        with room.share(10) as second:
            assert second.take(5)
            assert not second.take(1)
        with room.share(10) as third:
            assert third.take(5)


def test_what_an_answer_held_is_there_again_however_it_ended() -> None:
    room = Room(10)

    def answer() -> None:
        with room.share(10) as share:
            assert share.take(10)
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        answer()
    with room.share(10) as share:
        assert share.take(10)
