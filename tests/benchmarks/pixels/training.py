"""Trains the judge of shapes on the tuning half, and writes it as data of the project.

``python -m tests.benchmarks.pixels.training --fonts FOLDER`` prints the digest of what it wrote. Fonts of
many scripts are needed: Debian's fonts-noto-core and fonts-noto-cjk, unpacked anywhere. Frames, texts,
scripts and kinds that are held out are never used. With the same fonts and the same versions of numpy,
OpenCV and lightgbm the result is the same, byte by byte.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import cv2
import lightgbm
import numpy as np

from daemon.engines.models import make_detector
from deid.pixels.description import describe
from deid.pixels.find.candidates import rectangle_of
from deid.pixels.find.shapes import features_of
from deid.pixels.find.trees import SHAPES
from deid.pixels.find.views import FrameLook
from deid.pixels.frames import open_frames
from deid.pixels.geometry import Box
from tests.benchmarks.pixels.bases import synthetic_cr, synthetic_ct, synthetic_ultrasound
from tests.benchmarks.pixels.burn import Manner, burn, use_fonts
from tests.benchmarks.pixels.corpus import make_instance
from tests.benchmarks.pixels.scripts import SCRIPTS
from tests.benchmarks.pixels.strings import Burned, make_person, some_texts
from tests.benchmarks.pixels.textless.kinds import KINDS, made, textless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from deid.pixels.find.ppocr import PPOCR
    from deid.ports import PixelInstance
    from tests.benchmarks.pixels.bases import Base
    from tests.benchmarks.pixels.burn import Placed

_STYLES = ("plain", "plain", "plain", "outlined", "shadowed", "boxed", "bitmap", "dots", "italic")
_HARD = (
    "clips",
    "stents",
    "rulers",
    "wires",
    "spectrum",
    "scintigram",
    "coils and electrodes",
    "ECG traces",
    "rows of parts",
    "threads",
    "patches",
    "meshes",
    "colour map",
    "line pairs",
    "MR mosaic",
)
_LARGEST = 1300  # pixels of a frame's longer side; larger ones cost more than they teach
_PARAMETERS = {
    "objective": "binary",
    "num_leaves": 16,
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
_SEEDS = (
    12,
    13,
    14,
    15,
)  # of models that are averaged: what one sees in little data, another does not


@dataclass(frozen=True, slots=True)
class Example:
    """One window: its features, whether it is text, and how much it counts."""

    features: NDArray[np.float32]
    is_text: bool
    weight: float
    source: str


def examples(detector: PPOCR, seeds: range) -> Iterator[Example]:
    """Yield windows on frames without text, then on frames with text in all manners and scripts."""
    for frame in textless(seeds):
        if _is_small_enough(frame.instance):
            random = Random(zlib.crc32(frame.kind.encode()) + frame.seed)
            yield from _of_textless(detector, frame.instance, random, frame.kind)
    for kind in KINDS:
        if kind.is_held_out:
            continue
        for seed in seeds:
            random = Random(zlib.crc32(kind.name.encode()) * 7 + seed)
            base = _some_base(random) if seed % 4 else made(kind, seed + 1000)
            if max(base.values.shape[:2]) <= _LARGEST:
                yield from _of_texts(detector, base, random)


def hard_examples(detector: PPOCR, seeds: range) -> Iterator[Example]:
    """Yield more of what is mistaken most: texts that the window hides, devices, rulers, spectra."""
    for seed in seeds:
        random = Random(seed + 90_000)
        for _ in range(3):
            base = synthetic_ct(random, random.choice([256, 512]))
            yield from _of_texts(detector, base, random, is_hidden=True)
    for kind in KINDS:
        if kind.name in _HARD:
            for seed in seeds:
                base = made(kind, seed + 2000)
                instance = make_instance([base.values], base.attributes, ())
                if _is_small_enough(instance):
                    random = Random(zlib.crc32(kind.name.encode()) * 3 + seed)
                    yield from _of_textless(detector, instance, random, kind.name)


def _is_small_enough(instance: PixelInstance) -> bool:
    return max(int(instance.attributes[side]) for side in ("Rows", "Columns")) <= _LARGEST


def _some_base(random: Random) -> Base:
    kinds = [kind for kind in KINDS if not kind.is_held_out]
    choices = [
        lambda: synthetic_ct(random, random.choice([192, 256, 512])),
        lambda: synthetic_ultrasound(random),
        lambda: synthetic_cr(random, 700, 600),
        lambda: made(random.choice(kinds), 2 * random.randrange(1000, 5000)),
    ]
    return random.choice(choices)()


def _of_textless(
    detector: PPOCR, instance: PixelInstance, random: Random, kind: str
) -> Iterator[Example]:
    views, found = detector.candidates(_picture(instance))
    for number, candidate in enumerate(found[:40]):
        yield from _windows(views, candidate.corners, kind, is_text=False)
        if number < 10:
            yield from _windows(views, _jittered(random, candidate.corners), kind, False, 0.5)
    rows, columns = views[0].shape[:2]
    for _ in range(8):
        height = random.uniform(8, max(min(rows, columns) / 8, 10))
        size = (height * random.uniform(1, 9), height)
        middle = random.uniform(0, columns), random.uniform(0, rows)
        box = rectangle_of((middle, size, random.choice([0, 0, 90, random.uniform(-20, 20)])))
        part = views[0][max(int(middle[1]) - 10, 0) : int(middle[1]) + 10]
        if part.size and part.std() > 4:
            yield from _windows(views, box, kind, False, 0.4)


def _of_texts(
    detector: PPOCR, base: Base, random: Random, *, is_hidden: bool = False
) -> Iterator[Example]:
    taken = np.zeros(base.values.shape[:2], np.bool_)
    placed: list[Placed] = []
    person = make_person(random, 0)
    for _ in range(4):
        manner = Manner(
            height=(random.choice([8, 11, 15, 22]), random.choice([24, 32, 48])),
            contrast=random.choice([(24, 60), (90, 255), (140, 255)]),
            angle=random.choice([(0,), (0,), (0,), (90,), (270,), (180,), (-15, -8, 7, 12, 30)]),
            style=random.choice(_STYLES),
            is_dark=random.random() < 0.2,
            spacing=int(random.random() < 0.1),
            over_anatomy=random.random() < 0.6,
            beyond_window=is_hidden,
        )
        if random.random() < 0.5:
            script = random.choice([entry for entry in SCRIPTS if not entry.is_held_out])
            manner = replace(manner, font=script.font, style=random.choice(_STYLES[:6]))
            texts = [Burned(script.text(random, 0), is_identifying=True) for _ in range(2)]
        else:
            texts = some_texts(random, person, 0, 2)
        base, entries = burn(random, base, texts, manner, taken)
        placed += entries
    if not placed:
        return
    views, found = detector.candidates(_picture(make_instance([base.values], base.attributes, ())))
    boxes = [
        Box(left, top, right - left, bottom - top)
        for left, top, right, bottom in (entry.box for entry in placed)
    ]
    for candidate in found[:60]:
        shared = max(box.overlap(candidate.area) / box.area for box in boxes)
        inside = sum(box.overlap(candidate.area) for box in boxes) / candidate.area.area
        if shared > 0.3 and inside > 0.25:
            yield from _windows(views, candidate.corners, "text", is_text=True)
        elif shared < 0.02 and inside < 0.02:
            yield from _windows(views, candidate.corners, "beside text", is_text=False)
    for entry in placed:
        rows, columns = np.nonzero(entry.ink)
        points = np.stack((columns, rows), axis=1).astype(np.float32)
        (middle, size, angle) = cv2.minAreaRect(points)
        grown = (size[0] + 0.5 * min(size), size[1] + 0.5 * min(size))
        corners = rectangle_of((middle, grown, angle))
        letters = sum(character.isalnum() for character in entry.text)
        weight = 0.5 if letters > 1 else 0.25
        yield from _windows(views, _jittered(random, corners, 0.12), "text", True, weight)


def _jittered(random: Random, corners: NDArray[Any], most: float = 0.3) -> NDArray[Any]:
    (middle, size, angle) = cv2.minAreaRect(corners.astype(np.float32))
    short = min(size)
    moved = tuple(at + random.uniform(-most, most) * short for at in middle)
    scaled = tuple(side * random.uniform(1 - most / 2, 1 + most) for side in size)
    return rectangle_of((moved, scaled, angle))


def _windows(
    views: list[NDArray[Any]],
    corners: NDArray[Any],
    source: str,
    is_text: bool,
    weight: float = 1.0,
) -> Iterator[Example]:
    rows = features_of(views[:2], corners)
    for row in rows:
        yield Example(row, is_text, weight / len(rows), source)


def _picture(instance: PixelInstance) -> Any:
    image = describe(instance.attributes)
    first = open_frames(instance, image).decoded(0)
    return FrameLook(image, first, instance.attributes).picture()


def trained(rows: NDArray[Any], labels: NDArray[Any], weights: NDArray[Any]) -> bytes:
    """Return the trees as `numpy.savez` writes them."""
    weights = weights * np.where(labels, 1.0, labels.sum() / max((~labels).sum(), 1))
    trees = []
    for seed in _SEEDS:
        data = lightgbm.Dataset(rows, labels.astype(int), weight=weights)
        model = lightgbm.train(_PARAMETERS | {"seed": seed}, data, _ROUNDS).dump_model()
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
        value=(table[4] / len(_SEEDS)).astype(np.float32),
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


def main() -> None:
    """Make the examples, train, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pixels.training")
    parser.add_argument("--fonts", required=True, help="a folder of fonts of many scripts")
    parser.add_argument("--seeds", type=int, default=10, help="seeds a kind (default 10)")
    parser.add_argument("--keep", default="", help="keep the examples in this file")
    arguments = parser.parse_args()
    os.nice(10)
    use_fonts(arguments.fonts)
    detector, seeds = make_detector(), range(0, 2 * arguments.seeds, 2)
    made_of = [*examples(detector, seeds), *hard_examples(detector, seeds)]
    rows = np.stack([example.features for example in made_of])
    labels = np.array([example.is_text for example in made_of])
    weights = np.array([example.weight for example in made_of])
    if arguments.keep:
        sources = np.array([example.source for example in made_of])
        np.savez(arguments.keep, rows=rows, labels=labels, weights=weights, sources=sources)
    data = trained(rows, labels, weights)
    target = Path(__file__).parents[3] / "deid" / "tables" / SHAPES
    target.write_bytes(data)
    print(f"{labels.sum()} windows on text, {(~labels).sum()} on others")
    print(f"{len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
