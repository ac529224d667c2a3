"""Places of people whose identifiers stand there in disguise: the probes of the people that were looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.adversarial.corpus import HidingPlace
from tests.adversarial.people import person
from tests.adversarial.probes import probes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PEOPLE: Final = (0, 4, 6, 8, 12, 16)
FAMILIES: Final = (
    "name-in-disguise",
    "number-in-disguise",
    "day-in-disguise",
    "measure-in-disguise",
)


def places() -> Iterator[HidingPlace]:
    """Yield the places of this family."""
    for number in PEOPLE:
        for probe in probes_of(person(number)):
            kind, _, name = probe.id.partition(", ")
            is_abbreviation = "initials" in name and "year" in name
            if kind == "binary" or is_abbreviation:
                continue  # as bytes no text says what they are; TE52 is an echo time, too
            (trace,) = probe.traces
            yield HidingPlace(
                f"{kind}-in-disguise/{name.replace(', ', '-').replace(' ', '-')}",
                "CT",
                probe.content,
                {trace.decode(): name},
                {},
                (),
                "ISO_IR 192",
            )
