"""JSON answers: a long body is not held longer than its client has yet to read it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest
from aiohttp.payload import Payload
from aiohttp.test_utils import make_mocked_request

from dicomweb.answers import json_answer
from dicomweb.conditional import entity_tag

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

LONG = bytes(range(256)) * 5000


class Connection:
    """What an answer is handed over to; notes what it got, and what was still held each time."""

    def __init__(self, body: Payload) -> None:
        self.body = body
        self.got: list[bytes] = []
        self.held: list[int] = []

    async def write(self, chunk: bytes) -> None:
        self.got.append(chunk)
        self.held.append(len(self.body.decode("latin-1")))


def answered(body: bytes) -> bytes | bytearray | Payload | None:
    request = make_mocked_request("GET", "/studies")
    return asyncio.run(json_answer(request, body, "application/json", root="")).body


def test_a_long_answer_is_let_go_of_piece_by_piece() -> None:
    body = answered(LONG)
    assert isinstance(body, Payload)
    assert body.size == len(LONG)
    connection = Connection(body)
    asyncio.run(body.write(cast("AbstractStreamWriter", connection)))
    assert b"".join(connection.got) == LONG
    assert max(map(len, connection.got)) <= 256 * 1024
    handed_over = [len(b"".join(connection.got[: n + 1])) for n in range(len(connection.got))]
    assert connection.held == [len(LONG) - each for each in handed_over]


@pytest.mark.parametrize("size", [0, 2, 512 * 1024])
def test_a_short_answer_is_handed_over_whole(size: int) -> None:
    assert answered(LONG[:size]) == LONG[:size]


def test_a_tag_tells_where_one_part_ends_and_the_next_begins() -> None:
    """Of two files, `ab` and `c` are others than `a` and `bc`."""
    parts = (
        [b"abc"],
        [b"ab", b"c"],
        [b"a", b"bc"],
        [b"a", b"b", b"c"],
        [b"", b"abc"],
        [b"abc", b""],
    )
    tags = [entity_tag(each) for each in parts]
    assert len(set(tags)) == len(parts)
    assert tags == [entity_tag(each) for each in parts]
