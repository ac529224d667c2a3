"""What both models of ours are trained on: grounds of the tuning half, and what is written on them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from deid.pixels.description import describe
from deid.pixels.find.views import FrameLook
from deid.pixels.frames import open_frames
from tests.benchmarks.pixels.bases import synthetic_cr, synthetic_ct, synthetic_ultrasound
from tests.benchmarks.pixels.scripts import SCRIPTS
from tests.benchmarks.pixels.strings import Burned, make_person, some_texts
from tests.benchmarks.pixels.textless.kinds import (
    KINDS,
    ONLY_TRAINED,
    ONLY_TRAINED_LARGE,
    TRAINED_LARGE,
    Kind,
    made,
)
from tests.benchmarks.pixels.textless.real import real_frames

if TYPE_CHECKING:
    from random import Random

    from deid.pixels.ports import Picture
    from deid.ports import PixelInstance
    from tests.benchmarks.pixels.bases import Base

STYLES = ("plain", "plain", "plain", "outlined", "shadowed", "boxed", "bitmap", "dots", "italic")
_ROOM = 240  # pixels of a side


@cache
def real_grounds() -> list[Base]:
    """Return the bundled frames of the tuning half that have room for text."""
    return [base for base in list(real_frames())[::2] if min(base.values.shape[:2]) >= _ROOM]


def kind_of(name: str) -> Kind:
    """Return a kind of frames without text."""
    kinds = (*KINDS, *ONLY_TRAINED, *ONLY_TRAINED_LARGE, *TRAINED_LARGE)
    return next(kind for kind in kinds if kind.name == name)


def some_ground(random: Random) -> Base:
    """Return a section, an ultrasound, a radiograph, or any frame without text."""
    kinds = [kind for kind in KINDS if not kind.is_held_out]
    choices = [
        lambda: synthetic_ct(random, random.choice([192, 256, 512])),
        lambda: synthetic_ultrasound(random),
        lambda: synthetic_cr(random, 700, 600),
        lambda: made(random.choice(kinds), 2 * random.randrange(1000, 5000)),
    ]
    return random.choice(choices)()


def some_writing(random: Random) -> list[tuple[str, list[Burned]]]:
    """Return four pairs of texts, each with its font: names in some script, or what screens show."""
    person = make_person(random, 0)
    chosen: list[tuple[str, list[Burned]]] = []
    for _ in range(4):
        if random.random() < 0.5:
            script = random.choice([entry for entry in SCRIPTS if not entry.is_held_out])
            names = [Burned(script.text(random, 0), is_identifying=True) for _ in range(2)]
            chosen.append((script.font, names))
        else:
            chosen.append(("", some_texts(random, person, 0, 2)))
    return chosen


def few_letters(random: Random) -> list[tuple[str, list[Burned]]]:
    """Return eight texts of up to five signs."""
    letters = "ABCDEFGHIKLMNOPRSTUVWXYZ"

    def word(low: int, high: int) -> str:
        return "".join(random.choice(letters) for _ in range(random.randint(low, high)))

    def text() -> str:
        number = str(random.choice([random.randrange(1, 99), random.randrange(100, 999)]))
        choices = [
            word(2, 3),
            word(2, 4).title(),
            f"{word(1, 2)} {number}",
            f"{number}%",
            f"{number} {random.choice(['cm', 'mm', 'Hz', 's', 'dB'])}",
            f"{random.randrange(10)}.{random.randrange(10)}",
            f"{word(1, 1)}{number[0]}-{number[-1]}",
            number,
        ]
        return random.choice(choices)

    return [("", [Burned(text(), is_identifying=False)]) for _ in range(8)]


def views_of(instance: PixelInstance) -> Picture:
    """Return how a detector sees the first frame of an instance."""
    image = describe(instance.attributes)
    first = open_frames(instance, image).decoded(0)
    return FrameLook(image, first, instance.attributes).picture()
