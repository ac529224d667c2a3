"""What happens to the elements of one kind of place, looked up by tag and VR as they are encoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deid.tags.content import Fate

if TYPE_CHECKING:
    from deid.encoding.transfer_syntaxes import Encoding

TAG_SHIFT: Final = 32
KEY_SHIFT: Final = 16
ACTION_MASK: Final = 0xFFFF
"""How `Table.known` packs tag, VR word and action word: in the order of tags."""


@dataclass(slots=True)
class Table:
    """The actions of one kind of place.

    `known` maps an element's tag and VR as encoded to ``tag << 32 | VR word << 16 | action word``.
    `sop_class_uid` and `parent` (the enclosing sequence's tag, 0 at the top) are what types depend on;
    `dummy` says that the place lies inside a sequence that is being dummied; `fate` is that of the content
    item whose elements stand there.
    """

    known: dict[bytes, int]
    sop_class_uid: str
    parent: int
    path: tuple[int, ...]
    dummy: bool
    encoding: Encoding
    children: dict[tuple[int, bool, Encoding, Fate], Table]
    fate: Fate = Fate.ORDINARY
