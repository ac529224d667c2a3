"""Searching for many pieces at once: the same answer however often, however long, whatever the pieces."""

from __future__ import annotations

import random

import pytest

from deid.identity.needles import Needles

FIRST, MANY = 1, 400
"""Searches before and after a search is compiled."""


@pytest.mark.parametrize("times", [FIRST, MANY])
@pytest.mark.parametrize("size", [0, 3, 4, 7, 60, 5000])
@pytest.mark.parametrize("count", [50, 150])
def test_a_piece_is_found_wherever_it_stands_and_nothing_else(
    times: int, size: int, count: int
) -> None:
    chance = random.Random(size)
    pieces = [chance.randbytes(chance.randint(3, 9)) for _ in range(count)]
    needles = Needles(pieces)
    for _ in range(times - 1):
        needles.occur_in(b"")
    for number in range(40):
        data = chance.randbytes(size)
        if number % 2:
            at = chance.randint(0, size)
            data = data[:at] + pieces[number] + data[at:]
        there = [piece for piece in sorted(pieces) if piece in data]
        assert needles.occur_in(data) is bool(there)
        assert sorted(needles.found_in(data)) == there


@pytest.mark.parametrize("times", [FIRST, MANY])
@pytest.mark.parametrize(
    "piece", [b"ab", b"a.c*", b"\x00\xff\n\\", "Ünal".encode("latin-1"), b"[x](y)|"]
)
def test_pieces_are_taken_as_they_are_however_short(times: int, piece: bytes) -> None:
    needles = Needles([piece])
    for _ in range(times - 1):
        needles.occur_in(b"")
    assert needles.occur_in(b"some " + piece + b" thing")
    assert not needles.occur_in(b"aXcc some other thing (y")


@pytest.mark.parametrize("times", [FIRST, MANY])
def test_no_pieces_stand_nowhere(times: int) -> None:
    needles = Needles([])
    assert not any(needles.occur_in(b"anything") for _ in range(times))
    assert needles.found_in(b"anything") == []
