"""Trains the judge of shapes on the tuning half, and writes it as data of the project.

``python -m tests.benchmarks.pixels.training --fonts FOLDER`` makes every example, trains, and prints the digest
of what it wrote. Fonts of many scripts are needed: Debian's fonts-noto-core and fonts-noto-cjk, unpacked
anywhere. Frames, texts, scripts and kinds that are held out are never used. With the same fonts and the
same versions of numpy, OpenCV, onnxruntime and lightgbm the result is the same, byte by byte, whatever
number of processes makes the examples, and whether they were made at once or, with ``--keep``, in several runs.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import math
import multiprocessing
import os
import zlib
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import cv2
import lightgbm
import numpy as np

from daemon.engines.models import make_detector
from deid.pixels.find.candidates import rectangle_of
from deid.pixels.find.shapes import features_of
from deid.pixels.find.traces import Bounds
from deid.pixels.find.trees import SHAPES
from deid.pixels.find.tuning import Tuning
from deid.pixels.geometry import Box
from tests.benchmarks.pixels.bases import synthetic_cr, synthetic_ct, synthetic_ultrasound
from tests.benchmarks.pixels.burn import Manner, burn, use_fonts
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
from tests.benchmarks.pixels.textless.kinds import KINDS, ONLY_TRAINED, made, textless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from deid.pixels.find.ppocr import PPOCR
    from deid.ports import PixelInstance
    from tests.benchmarks.pixels.bases import Base
    from tests.benchmarks.pixels.burn import Placed

    Arrays = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]

HARD = (
    "clips",
    "stents",
    "rulers",
    "wires",
    "spectrum",
    "scintigram",
    "coils and electrodes",
    "ECG traces",
    "rows of parts",
    "mixed parts",
    "threads",
    "patches",
    "meshes",
    "colour map",
    "masked map",
    "power Doppler",
    "line pairs",
    "MR mosaic",
)
_PIECE = 400  # pixels of a side
IN_PLAIN_FONTS = ("Greek", "Cyrillic", "Hebrew", "Arabic", "Georgian", "Armenian", "Han")
FEATURES = 111
LARGEST = 1300  # pixels of a frame's longer side; larger ones cost more than they teach
_PARAMETERS = {
    "objective": "binary",
    "learning_rate": 0.06,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.6,
    "bagging_freq": 1,
    "lambda_l2": 2.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
_ROUNDS = 320
#: Of models that are averaged: what one sees in little data, another does not.
_SEEDS = (12, 13, 14, 15)


@dataclass(frozen=True, slots=True)
class Example:
    """One window: its features, whether it is text, and how much it counts."""

    features: NDArray[np.float32]
    is_text: bool
    weight: float


@dataclass(frozen=True, slots=True)
class Part:
    """Examples that are made together: on one frame, or on a few.

    Attributes
    ----------
    how
        A key of `_MAKERS`.
    kind
        Name of a kind of frames without text; empty where it does not matter.
    """

    how: str
    kind: str
    seed: int

    def random(self) -> Random:
        """Return what decides of everything in this part."""
        return Random(zlib.crc32(f"{self.how} {self.kind}".encode()) * 1000 + self.seed)

    @property
    def file_name(self) -> str:
        """Under which its examples are kept."""
        return f"{self.how}-{self.kind}-{self.seed}.npz".replace(" ", "-")


def parts(seeds: int) -> list[Part]:
    """Return every part: so many seeds a kind, and four times that of what is mistaken most."""
    kinds = [kind.name for kind in KINDS if not kind.is_held_out]
    even = range(0, 2 * seeds, 2)
    hard = [*HARD, *(kind.name for kind in ONLY_TRAINED)]
    return [
        *(
            Part("devices", kind, seed)
            for kind in hard
            for seed in range(2000, 2000 + 8 * seeds, 2)
        ),
        *(Part("short", "", seed) for seed in range(0, 40 * seeds, 2)),
        *(Part("names", "", seed) for seed in range(0, 60 * seeds, 2)),
        *(Part("plain names", "", seed) for seed in range(0, 30 * seeds, 2)),
        *(Part("hidden", "", seed) for seed in range(0, 16 * seeds, 2)),
        *(Part("texts", kind, seed) for kind in kinds for seed in range(0, 3 * seeds, 2)),
        *(Part("textless", kind, seed) for kind in [*kinds, "multi-frame"] for seed in even),
        Part("textless", "real", 0),
    ]


def _textless(detector: PPOCR, part: Part) -> Iterator[Example]:
    """Yield windows on frames without text."""
    random = part.random()
    for frame in textless(range(part.seed, part.seed + 2, 2), only=part.kind):
        if frame.kind == part.kind and _is_small_enough(frame.instance):
            yield from _of_textless(detector, frame.instance, random)


def _devices(detector: PPOCR, part: Part) -> Iterator[Example]:
    """Yield windows on what is mistaken most: devices, rulers, spectra."""
    base = made(kind_of(part.kind), part.seed)
    instance = make_instance([base.values], base.attributes, ())
    if _is_small_enough(instance):
        yield from _of_textless(detector, instance, part.random())


def _texts(detector: PPOCR, part: Part) -> Iterator[Example]:
    """Yield windows on texts in all manners and scripts, every fourth time on a kind of its own."""
    random = part.random()
    is_own = part.seed % 4 == 0
    base = made(kind_of(part.kind), part.seed + 1000) if is_own else some_ground(random)
    if max(base.values.shape[:2]) <= LARGEST:
        yield from _of_texts(detector, base, random, some_writing(random))


def _short(detector: PPOCR, part: Part) -> Iterator[Example]:
    """Yield windows on texts of a few letters or digits: sides, views, numbers with a unit."""
    random = part.random()
    side = random.choice([256, 384])
    ground = random.choice([synthetic_ct(random, side), synthetic_ultrasound(random, side, side)])
    base = random.choice([ground, synthetic_cr(random, side, side)])
    yield from _of_texts(detector, base, random, few_letters(random))


def _names(detector: PPOCR, part: Part) -> Iterator[Example]:
    """Yield windows on names in eight scripts, on a piece of a frame without text."""
    random = part.random()
    is_plain = part.how == "plain names"  # in a font of many scripts, which knows only some
    base = (
        random.choice(real_grounds()) if is_plain and random.random() < 0.6 else some_ground(random)
    )
    rows, columns = base.values.shape[:2]
    top, left = rows // 2 - min(rows, _PIECE) // 2, columns // 2 - min(columns, _PIECE) // 2
    piece = base.values[top : top + _PIECE, left : left + _PIECE]
    scripts = [
        entry
        for entry in SCRIPTS
        if not entry.is_held_out and (not is_plain or entry.name in IN_PLAIN_FONTS)
    ]
    chosen = [random.choice(scripts) for _ in range(8)]
    texts = [
        ("" if is_plain else script.font, [Burned(script.text(random, 0), is_identifying=True)])
        for script in chosen
    ]
    yield from _of_texts(detector, replace(base, values=np.ascontiguousarray(piece)), random, texts)


def _hidden(detector: PPOCR, part: Part) -> Iterator[Example]:
    """Yield windows on texts beyond the window."""
    random = part.random()
    base = synthetic_ct(random, random.choice([256, 512]))
    yield from _of_texts(detector, base, random, some_writing(random), is_hidden=True)


_MAKERS: dict[str, Callable[[PPOCR, Part], Iterator[Example]]] = {
    "devices": _devices,
    "short": _short,
    "names": _names,
    "plain names": _names,
    "hidden": _hidden,
    "texts": _texts,
    "textless": _textless,
}


def _is_small_enough(instance: PixelInstance) -> bool:
    return max(int(instance.attributes[side]) for side in ("Rows", "Columns")) <= LARGEST


def _of_textless(detector: PPOCR, instance: PixelInstance, random: Random) -> Iterator[Example]:
    views, found = detector.candidates(views_of(instance))
    for number, candidate in enumerate(found[:40]):
        yield from _windows(views, candidate.corners, is_text=False)
        if number < 10:
            yield from _windows(views, _jittered(random, candidate.corners), False, 0.5)
    rows, columns = views[0].shape[:2]
    for _ in range(8):
        height = random.uniform(8, max(min(rows, columns) / 8, 10))
        size = (height * random.uniform(1, 9), height)
        middle = random.uniform(0, columns), random.uniform(0, rows)
        box = rectangle_of((middle, size, random.choice([0, 0, 90, random.uniform(-20, 20)])))
        part = views[0][max(int(middle[1]) - 10, 0) : int(middle[1]) + 10]
        if part.size and part.std() > 4:
            yield from _windows(views, box, False, 0.4)


def _of_texts(
    detector: PPOCR,
    base: Base,
    random: Random,
    texts: Sequence[tuple[str, list[Burned]]],
    *,
    is_hidden: bool = False,
) -> Iterator[Example]:
    taken = np.zeros(base.values.shape[:2], np.bool_)
    placed: list[Placed] = []
    for font, some in texts:
        manner = Manner(
            height=(random.choice([8, 11, 15, 22]), random.choice([24, 32, 48])),
            contrast=random.choice([(24, 60), (90, 255), (140, 255)]),
            angle=random.choice([(0,), (0,), (0,), (90,), (270,), (180,), (-15, -8, 7, 12, 30)]),
            style=random.choice(STYLES if some[0].text.isascii() else STYLES[:6]),
            is_dark=random.random() < 0.2,
            spacing=int(random.random() < 0.1),
            over_anatomy=random.random() < 0.6,
            beyond_window=is_hidden,
            font=font,
        )
        base, entries = burn(random, base, some, manner, taken)
        placed += entries
    if not placed:
        return
    views, found = detector.candidates(views_of(make_instance([base.values], base.attributes, ())))
    boxes = [
        Box(left, top, right - left, bottom - top)
        for left, top, right, bottom in (entry.box for entry in placed)
    ]
    for candidate in found[:60]:
        shared = max(box.overlap(candidate.area) / box.area for box in boxes)
        inside = sum(box.overlap(candidate.area) for box in boxes) / candidate.area.area
        if shared > 0.3 and inside > 0.25:
            yield from _windows(views, candidate.corners, is_text=True)
        elif shared < 0.02 and inside < 0.02:
            yield from _windows(views, candidate.corners, is_text=False)
    for entry in placed:
        rows, columns = np.nonzero(entry.ink)
        points = np.stack((columns, rows), axis=1).astype(np.float32)
        (middle, size, angle) = cv2.minAreaRect(points)
        grown = (size[0] + 0.5 * min(size), size[1] + 0.5 * min(size))
        corners = rectangle_of((middle, grown, angle))
        letters = sum(character.isalnum() for character in entry.text)
        weight = 0.5 if letters > 1 else 0.25
        yield from _windows(views, _jittered(random, corners, 0.12), True, weight)


def _jittered(random: Random, corners: NDArray[Any], most: float = 0.3) -> NDArray[Any]:
    (middle, size, angle) = cv2.minAreaRect(corners.astype(np.float32))
    short = min(size)
    moved = tuple(at + random.uniform(-most, most) * short for at in middle)
    scaled = tuple(side * random.uniform(1 - most / 2, 1 + most) for side in size)
    return rectangle_of((moved, scaled, angle))


def _windows(
    views: list[NDArray[Any]],
    corners: NDArray[Any],
    is_text: bool,
    weight: float = 1.0,
) -> Iterator[Example]:
    (rows,) = features_of(views[:2], [corners])
    for row in rows:
        yield Example(row, is_text, weight / len(rows))


def trained(
    rows: NDArray[Any],
    labels: NDArray[Any],
    weights: NDArray[Any],
    *,
    rounds: int = _ROUNDS,
    seeds: Sequence[int] = _SEEDS,
    leaves: int = 16,
) -> bytes:
    """Return the trees as `numpy.savez` writes them: of models with these seeds, averaged."""
    weights = weights * np.where(labels, 1.0, labels.sum() / max((~labels).sum(), 1))
    trees = []
    for seed in seeds:
        data = lightgbm.Dataset(rows, labels.astype(int), weight=weights)
        model = lightgbm.train(
            _PARAMETERS | {"seed": seed, "num_leaves": leaves}, data, rounds
        ).dump_model()
        trees += [_flattened(tree["tree_structure"]) for tree in model["tree_info"]]
    nodes = max(len(tree) for tree in trees)
    table = np.full((5, len(trees), nodes), -1.0)
    for number, tree in enumerate(trees):
        table[:, number, : len(tree)] = np.array(tree).T
    written = io.BytesIO()
    np.savez(
        written,
        feature=table[0].astype(np.int8),
        threshold=table[1].astype(np.float32),
        left=table[2].astype(np.int8),
        right=table[3].astype(np.int8),
        value=(table[4] / len(seeds)).astype(np.float32),
    )
    return written.getvalue()


def _flattened(root: dict[str, Any]) -> list[tuple[float, float, float, float, float]]:
    """Return nodes as (feature, threshold, left, right, value), the root first."""
    nodes: list[tuple[float, float, float, float, float]] = []

    def add(node: dict[str, Any]) -> int:
        at = len(nodes)
        nodes.append((-1, 0, 0, 0, node.get("leaf_value", 0.0)))
        if "split_feature" in node:
            left, right = add(node["left_child"]), add(node["right_child"])
            nodes[at] = (node["split_feature"], node["threshold"], left, right, 0.0)
        return at

    add(root)
    return nodes


@cache
def _detector() -> PPOCR:
    """Return a detector that asks no judge where to look: the trees would be made from themselves."""
    bounds = Bounds(least_peak=0.0, least_covered=math.inf)
    return make_detector(tuning=Tuning(follow=-math.inf, traces=bounds))


def _examples_of(part: Part) -> Iterator[Example]:
    return _MAKERS[part.how](_detector(), part)


def _made(part: Part, *, make: Callable[[Part], Iterable[Example]], folder: str) -> Arrays:
    """Return a part's rows, labels and weights, from the folder where they are kept there."""
    file = Path(folder) / part.file_name if folder else None
    if file is not None and file.is_file():
        with np.load(file) as kept:
            return kept["rows"], kept["labels"], kept["weights"]
    found = [*make(part)]
    rows = np.array([example.features for example in found], np.float32).reshape(-1, FEATURES)
    labels = np.array([example.is_text for example in found], np.bool_)
    weights = np.array([example.weight for example in found])
    if file is not None:
        unfinished = file.with_suffix(".part.npz")
        np.savez(unfinished, rows=rows, labels=labels, weights=weights)
        unfinished.rename(file)
    return rows, labels, weights


def examples(
    wanted: Sequence[Part],
    make: Callable[[Part], Iterable[Example]],
    *,
    processes: int,
    folder: str,
    fonts: str,
) -> Arrays:
    """Return the rows, labels and weights of all that is made of parts, in their order."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, _begin, (fonts,)) as pool:
        made_of = pool.map(partial(_made, make=make, folder=folder), wanted, chunksize=1)
    rows, labels, weights = (np.concatenate(arrays) for arrays in zip(*made_of, strict=True))
    return rows, labels, weights


def _begin(fonts: str) -> None:
    cv2.setNumThreads(1)
    use_fonts(fonts)


def main() -> None:
    """Make the examples, train, write."""
    command(SHAPES, parts, _examples_of, trained, seeds=4)


def command(
    table: str,
    parts_of: Callable[[int], list[Part]],
    make: Callable[[Part], Iterable[Example]],
    train: Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], bytes],
    *,
    seeds: int,
) -> None:
    """Make the examples, train on them, write the table and print digests, as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fonts", required=True, help="a folder of fonts of many scripts")
    parser.add_argument("--seeds", type=int, default=seeds, help=f"a kind (default {seeds})")
    parser.add_argument("--processes", type=int, default=2, help="that make examples (default 2)")
    parser.add_argument("--keep", default="", help="a folder for examples; what it has is not made")
    arguments = parser.parse_args()
    os.nice(10)
    if arguments.keep:
        Path(arguments.keep).mkdir(parents=True, exist_ok=True)
    rows, labels, weights = examples(
        parts_of(arguments.seeds),
        make,
        processes=arguments.processes,
        folder=arguments.keep,
        fonts=arguments.fonts,
    )
    data = train(rows, labels, weights)
    target = Path(__file__).parents[3] / "deid" / "tables" / table
    target.write_bytes(data)
    examples_digest = hashlib.sha256(rows.tobytes() + labels.tobytes() + weights.tobytes())
    print(f"{labels.sum()} windows on text, {(~labels).sum()} on others")
    print(f"of all examples SHA-256 {examples_digest.hexdigest()}")
    print(f"{len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
