"""Bytes that leave, described without copying what stays as it was."""

from __future__ import annotations

from typing import NamedTuple


class Span(NamedTuple):
    """The bytes ``[start, stop)`` of the source, to be copied as they are."""

    start: int
    stop: int


Segment = bytes | Span
