"""What became of a sequence that a patient's other instances hold, too: it is not gone through again.

The instances of a series say the same of the procedure, the codes and what they were made from. What becomes
of such a sequence depends on its bytes, the character set, the patient and the rules, so for one patient it is
made once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from deid.encoding.segments import Segment

MOST_BYTES: Final = 4096
_MOST_SEQUENCES: Final = 64
_MOST_PATIENTS: Final = 16

Key = tuple[bytes, str]
"""An encoded element, and the character set that it is read by."""


class Made(NamedTuple):
    """What came out of a sequence at the top level, and what the pass learnt in it (`Passage`)."""

    segments: list[Segment]
    found: dict[tuple[bytes, str, str], None]
    uids: set[bytes]
    actions: dict[int, int]


class RepeatedSequences:
    """The sequences of some patients' instances, by the kind of instance; bounded."""

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], dict[Key, Made]] = {}

    def of(self, whose: tuple[object, ...]) -> dict[Key, Made]:
        """Return what was made for a patient and a kind of instance; new ones are put there."""
        made = self._made.get(whose)
        if made is None:
            if len(self._made) >= _MOST_PATIENTS:
                self._made.clear()
            made = self._made[whose] = {}
        elif len(made) >= _MOST_SEQUENCES:
            made.clear()
        return made
