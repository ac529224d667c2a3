"""What bodies are made of: bytes, stretches of files, and what is made when its turn comes.

Apart from what sends them, as who only reads stored files loads no web server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Span:
    """`count` bytes of a file from `start`; words of `word_bytes` are byte-swapped when it is not 1.

    `count` is a multiple of `word_bytes`.
    """

    path: Path
    start: int
    count: int
    word_bytes: int = 1


@dataclass(frozen=True, slots=True)
class Made:
    """`count` bytes that are made when their turn comes; what cannot be made breaks the answer off."""

    count: int
    make: Callable[[], Awaitable[bytes]]


Segment = bytes | Span | Made
