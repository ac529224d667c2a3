"""Trains the trees that judge again what is large, on what the detection model finds of devices and of text.

``python -m tests.benchmarks.pixels.training_large --fonts FOLDER`` makes every example, trains, and prints the
digest of what it wrote; fonts, halves and what makes the result the same are those of `training`. Examples are
only what the first trees do not rule out, framed as the detector frames what is large.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.engines.models import make_detector
from deid.pixels.find.candidates import resized
from deid.pixels.find.judge import judged
from deid.pixels.find.shapes import features_of
from deid.pixels.find.trees import LARGE_SHAPES, text_shapes
from deid.pixels.geometry import Box
from tests.benchmarks.pixels.bases import synthetic_cr, synthetic_ct, synthetic_ultrasound
from tests.benchmarks.pixels.burn import Manner, burn
from tests.benchmarks.pixels.corpus import make_instance
from tests.benchmarks.pixels.grounds import (
    STYLES,
    few_letters,
    kind_of,
    real_grounds,
    some_ground,
    some_writing,
    views_of,
)
from tests.benchmarks.pixels.scripts import SCRIPTS
from tests.benchmarks.pixels.strings import Burned
from tests.benchmarks.pixels.textless.kinds import (
    KINDS,
    ONLY_TRAINED,
    ONLY_TRAINED_LARGE,
    TRAINED_LARGE,
    made,
)
from tests.benchmarks.pixels.training import (
    HARD,
    IN_PLAIN_FONTS,
    LARGEST,
    Example,
    Part,
    command,
    trained,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from numpy.typing import NDArray

    from deid.pixels.find.candidates import Candidate
    from deid.pixels.find.ppocr import PPOCR
    from deid.ports import PixelInstance
    from tests.benchmarks.pixels.bases import Base
    from tests.benchmarks.pixels.burn import Placed

    Texts = list[tuple[str, list[Burned]]]

#: Kinds of few devices on much ground, and how many such frames are laid on one another.
_CROWDED = (
    "rows of parts",
    "mixed parts",
    "threads",
    "stents",
    "clips",
    "wires",
    "coils and electrodes",
    "meshes",
    "springs",
    "bolts",
    "leads",
    "seeds",
    "hoses",
    "sutures",
    "windings",
    "racks",
    "beads",
    "cages",
    "crowns",
    "brackets",
    "plates",
    "catheters",
    "zigzags",
    "repeats",
)
_CROWDED_MORE = (
    "rows of parts",
    "mixed parts",
    "threads",
    "stents",
    "clips",
    "wires",
    "zigzags",
    "repeats",
    "coils and electrodes",
    "springs",
    "windings",
)
_TOGETHER = 4
#: How many times as many frames there are of sections in rows as of other kinds.
_MORE_IN_ROWS = 6
#: What the recogniser does not know, and which of these a font of many scripts has.
_UNREAD = (
    *("Hebrew", "Arabic", "Georgian", "Armenian", "Ethiopic", "Tamil", "Telugu", "Kannada"),
    *("Gujarati", "Khmer", "Sinhala", "Tibetan", "Cherokee"),
)
_UNREAD_IN_PLAIN_FONTS = ("Hebrew", "Arabic", "Arabic", "Georgian", "Armenian")
#: Pixels of a side of a piece of a frame.
_PIECES = (256, 400, 400, 640)
#: What the first trees score less is never asked of these.
_RULED_OUT = -2.0
_MOST = 60
#: By how much more a mistake of the first trees counts than what they rule out.
_MISTAKEN_COUNT = 4
#: Parts with texts, for each seed.
_WRITTEN = (
    "names",
    "more names",
    "plain names",
    "unread names",
    "unread plain names",
    "more unread plain names",
    "still more unread plain names",
    "short",
    "screens",
    "large",
    "hidden",
)


def parts(seeds: int) -> list[Part]:
    """Return every part: so many frames without text of what is mistaken most, fewer of others, and texts."""
    more = [kind.name for kind in (*ONLY_TRAINED, *ONLY_TRAINED_LARGE)]
    others = [kind.name for kind in KINDS if not kind.is_held_out and kind.name not in HARD]
    first, half = 2000, 2000 + seeds
    return [
        *(
            Part("large devices", kind, seed)
            for seed in range(first, half, 2)
            for kind in (*HARD, *more)
        ),
        *(
            Part("large crowded", kind, seed)
            for seed in range(first, first + 2 * seeds, 2)
            for kind in _CROWDED
        ),
        *(
            Part("large crowded", kind, seed)
            for seed in range(first + 2 * seeds, first + 8 * seeds, 2)
            for kind in _CROWDED_MORE
        ),
        *(Part(f"large {how}", "", seed) for seed in range(0, 7 * seeds, 2) for how in _WRITTEN),
        *(
            Part("large devices", kind, seed)
            for seed in range(first, first + seeds // 2, 2)
            for kind in others
        ),
        *(
            Part("large devices", kind.name, seed)
            for seed in range(first, first + _MORE_IN_ROWS * seeds, 2)
            for kind in TRAINED_LARGE
        ),
    ]


def _examples_of(part: Part) -> Iterator[Example]:
    how = part.how.removeprefix("large ")
    if how in ("devices", "crowded"):
        base = made(kind_of(part.kind), part.seed) if how == "devices" else _crowded(part)
        if max(base.values.shape[:2]) <= LARGEST:
            views, found = _found(make_instance([base.values], base.attributes, ()))
            for candidate in found[:_MOST]:
                yield from _framed(views, candidate, is_text=False)
        return
    random = part.random()
    base, texts = _written(how, random)
    if max(base.values.shape[:2]) <= LARGEST:
        yield from _of_texts(how, base, texts, random)


def _crowded(part: Part) -> Base:
    """Return what several frames of a kind show as one: a look at it costs as much as one at each."""
    kind, seed = kind_of(part.kind), 10_000 + 2 * _TOGETHER * part.seed
    first, *others = (made(kind, seed + 2 * number) for number in range(_TOGETHER))
    values = first.values.copy()
    is_dark = first.attributes["PhotometricInterpretation"] == "MONOCHROME1"
    for other in others:
        # Seldom one is inverted, or a section: it is left out.
        if other.attributes != {**first.attributes, "Modality": other.attributes["Modality"]}:
            continue
        rows, columns = np.minimum(values.shape[:2], other.values.shape[:2])
        shown, added = values[:rows, :columns], other.values[:rows, :columns]
        values[:rows, :columns] = (np.minimum if is_dark else np.maximum)(shown, added)
    return replace(first, values=values)


def _written(how: str, random: Random) -> tuple[Base, Texts]:
    """Return a ground and what is written on it."""
    if how == "short":
        side = random.choice([256, 384])
        ground = random.choice(
            [synthetic_ct(random, side), synthetic_ultrasound(random, side, side)]
        )
        return random.choice([ground, synthetic_cr(random, side, side)]), few_letters(random)
    if how == "hidden":
        return synthetic_ct(random, random.choice([256, 512])), some_writing(random)
    if how in ("screens", "large"):
        kinds = [kind.name for kind in KINDS if not kind.is_held_out]
        name, seed = random.choice(kinds), 2 * random.randrange(5000, 9000)
        base = made(kind_of(name), seed) if random.random() < 0.4 else some_ground(random)
        return base, some_writing(random)
    is_plain = "plain" in how  # in a font of many scripts, which knows only some
    is_real = is_plain and random.random() < 0.6
    base = random.choice(real_grounds()) if is_real else some_ground(random)
    rows, columns = base.values.shape[:2]
    side = random.choice(_PIECES)
    top, left = rows // 2 - min(rows, side) // 2, columns // 2 - min(columns, side) // 2
    piece = np.ascontiguousarray(base.values[top : top + side, left : left + side])
    wanted = tuple(script.name for script in SCRIPTS if not script.is_held_out)
    if "unread" in how:
        wanted = _UNREAD
    if is_plain:
        wanted = _UNREAD_IN_PLAIN_FONTS if "unread" in how else IN_PLAIN_FONTS
    known = [next(script for script in SCRIPTS if script.name == name) for name in wanted]
    texts: Texts = []
    for script in (random.choice(known) for _ in range(6)):
        text = Burned(script.text(random, 0), is_identifying=True)
        texts.append(("" if is_plain else script.font, [text]))
    return replace(base, values=piece), texts


def _of_texts(how: str, base: Base, texts: Texts, random: Random) -> Iterator[Example]:
    taken = np.zeros(base.values.shape[:2], np.bool_)
    placed: list[Placed] = []
    for font, some in texts:
        low, high = (
            ([8, 11, 15, 22], [24, 32, 48]) if how != "large" else ([32, 48], [64, 100, 150])
        )
        is_ascii = some[0].text.isascii()
        manner = Manner(
            height=(random.choice(low), random.choice(high)),
            contrast=random.choice([(24, 60), (90, 255), (140, 255)]),
            angle=random.choice([(0,), (0,), (0,), (90,), (270,), (180,), (-15, -8, 7, 12, 30)]),
            style=random.choice((*STYLES, "dots") if is_ascii else STYLES[:6]),
            is_dark=random.random() < 0.2,
            spacing=random.choice([1, 1, 2]) if random.random() < 0.15 else 0,
            over_anatomy=random.random() < 0.6,
            beyond_window=how == "hidden",
            font=font,
        )
        base, entries = burn(random, base, some, manner, taken)
        placed += entries
    if not placed:
        return
    views, found = _found(make_instance([base.values], base.attributes, ()))
    boxes = [
        Box(left, top, right - left, bottom - top)
        for left, top, right, bottom in (entry.box for entry in placed)
    ]
    for candidate in found[:_MOST]:
        area = candidate.area
        shared = max(box.overlap(area) / box.area for box in boxes)
        inside = sum(box.overlap(area) for box in boxes) / area.area
        if shared > 0.3 and inside > 0.25:
            yield from _framed(views, candidate, is_text=True)
        elif shared < 0.02 and inside < 0.02:
            yield from _framed(views, candidate, is_text=False)


def _found(instance: PixelInstance) -> tuple[list[NDArray[Any]], list[Candidate]]:
    """Return the views, and what the detection model finds and the first trees do not rule out."""
    views, found = _detector().candidates(views_of(instance))
    return views, [
        entry
        for entry in judged(views, found)
        if not entry.is_plain and (entry.shape or 0.0) >= _RULED_OUT
    ]


def _framed(views: list[NDArray[Any]], found: Candidate, *, is_text: bool) -> Iterator[Example]:
    framings = _detector().tuning.framings
    corners = [found.corners, *(resized(found.corners, by) for by in framings)]
    for rows in features_of(views[:2], corners):
        for row in rows:
            yield Example(row, is_text, 1 / len(rows))


@cache
def _detector() -> PPOCR:
    return make_detector()


def _trained(rows: NDArray[Any], labels: NDArray[Any], weights: NDArray[Any]) -> bytes:
    """Return the trees; what the first ones take for text and is none counts up to five times as much."""
    mistaken = 1 / (1 + np.exp(-text_shapes().score(rows).astype(np.float64)))
    weights = weights * np.where(labels, 1.0, 1.0 + _MISTAKEN_COUNT * mistaken)
    return trained(rows, labels, weights, rounds=500, seeds=(12, 13), leaves=8)


def main() -> None:
    """Make the examples, train, write."""
    command(LARGE_SHAPES, parts, _examples_of, _trained, seeds=20)


if __name__ == "__main__":
    main()
