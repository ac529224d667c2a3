"""Where the walk stands, for what it hands an element to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deid.encoding.transfer_syntaxes import UNDEFINED_LENGTH

if TYPE_CHECKING:
    from deid.encoding.segments import Segment
    from deid.encoding.transfer_syntaxes import Encoding
    from deid.tags.private_blocks import Creators
    from deid.tags.table import Table


@dataclass(slots=True)
class Cursor:
    """Where the walk stands: a level of the data set, and one of its elements.

    Attributes
    ----------
    table, encoding
        Rules and encoding of the level.
    end, depth
        Where the level ends at the latest, and how many sequences are around it.
    out
        What it becomes.
    creators
        The private creators met on it.
    tag, word
        The element and its VR as encoded (`Encoding.vr_bytes`).
    pos, value, length
        Where the element begins, where its value does, and the length it declares.
    """

    table: Table
    encoding: Encoding
    end: int
    depth: int
    out: list[Segment]
    creators: Creators = field(default_factory=dict)
    tag: int = 0
    word: int = 0
    pos: int = 0
    value: int = 0
    length: int = 0

    @property
    def is_undefined(self) -> bool:
        """Whether the element says where it ends by a delimiter."""
        return self.length == UNDEFINED_LENGTH
