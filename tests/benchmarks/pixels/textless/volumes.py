"""Sections of volumes of heads, laid out in rows as mosaics and montages are. Each maker returns one frame.

A cortex is folded in three dimensions, so that its sections change from tile to tile as those of a real one
do, and the first and last show two or three crumbs of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from tests.benchmarks.pixels.textless.drawing import canvas, grain, grey

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from tests.benchmarks.pixels.bases import Base
    from tests.benchmarks.pixels.textless.drawing import Canvas

_SIDE = 72  # voxels of a volume
#: What white matter, grey matter, fluid and skull show, by what is shown of them.
_CONTRASTS = {
    "T1": (0.8, 0.5, 0.1, 0.6),
    "T1 stripped": (0.85, 0.55, 0.12, 0.0),
    "T2": (0.35, 0.5, 0.95, 0.3),
    "echo planar": (0.5, 0.65, 0.8, 0.05),
    "white matter": (1.0, 0.05, 0.0, 0.0),
    "grey matter": (0.0, 0.9, 0.0, 0.0),
    "fluid": (0.0, 0.0, 1.0, 0.0),
    "bone": (0.28, 0.3, 0.26, 1.0),
    "parcels": (0.0, 1.0, 0.0, 0.0),
    "statistics": (0.0, 1.0, 0.0, 0.0),
}
_TILES = (40, 48, 64, 64, 80, 96, 128, 160, 192)
_WIDEST = 1240  # pixels of a frame's side


def sections_in_rows(noise: Generator) -> Base:
    """Return sections of one volume in rows, of three to nine to a row."""
    shown = str(noise.choice([*_CONTRASTS]))
    volume = np.moveaxis(_volume(noise, shown), int(noise.integers(0, 3)), 0)
    to_a_row = int(noise.choice([3, 4, 5, 5, 6, 6, 7, 8, 9]))
    side = int(noise.choice([size for size in _TILES if size * to_a_row <= _WIDEST]))
    wide = side if noise.random() < 0.6 else int(side * noise.uniform(0.75, 1.0))
    rows = to_a_row if noise.random() < 0.6 else int(noise.integers(2, to_a_row + 1))
    first, last = noise.uniform(0.02, 0.25), noise.uniform(0.75, 0.98)
    depths = np.linspace(first, last, rows * to_a_row) * (_SIDE - 1)
    gap = int(noise.choice([0, 0, 0, 0, 1, 2, 6]))
    sheet = canvas(rows * (side + gap), to_a_row * (wide + gap))
    smooth = cv2.INTER_NEAREST if shown == "parcels" else cv2.INTER_CUBIC
    for number, depth in enumerate(depths):
        top, left = number // to_a_row * (side + gap), number % to_a_row * (wide + gap)
        tile = cv2.resize(volume[round(depth)], (wide, side), interpolation=smooth)
        sheet[top : top + side, left : left + wide] = tile
    if noise.random() < 0.15:  # the ground is lighter than the darkest that is shown
        sheet = np.asarray(0.15 + 0.85 * sheet, np.float32)
    sheet = grain(noise, np.clip(sheet, 0, 1), noise.uniform(0, 0.03))
    return grey(sheet * noise.uniform(0.5, 1.0), "MR" if shown != "bone" else "CT")


def _volume(noise: Generator, shown: str) -> Canvas:
    """Return what is shown of a head, shape (72, 72, 72) from foot, front and left, 0 to 1."""
    across, along, up = (np.linspace(-1, 1, _SIDE, dtype=np.float32) for _ in range(3))
    z, y, x = np.meshgrid(up, along, across, indexing="ij")
    half = noise.uniform(0.66, 0.8), noise.uniform(0.72, 0.88), noise.uniform(0.6, 0.74)
    radius = np.sqrt((z / half[0]) ** 2 + (y / half[1]) ** 2 + (x / half[2]) ** 2)
    folds = _folds(noise, noise.uniform(6, 14))
    if noise.random() < 0.7:  # both halves are folded much alike
        folds = np.asarray(0.7 * (folds + folds[..., ::-1]) / 2 + 0.3 * folds, np.float32)
    depth = radius + noise.uniform(0.15, 0.45) * folds
    depth += 0.35 * np.exp(-((x / noise.uniform(0.03, 0.06)) ** 2)) * (z > -0.2)  # between both
    white, grey_matter = depth < noise.uniform(0.62, 0.75), depth < noise.uniform(0.85, 0.95)
    hollow = np.sqrt((z / 0.2) ** 2 + (y / 0.4) ** 2 + ((np.abs(x) - 0.12) / 0.07) ** 2) < 1
    inside, skull = radius < 1.02, (radius >= 1.08) & (radius < noise.uniform(1.14, 1.24))
    levels = _CONTRASTS[shown]
    volume = np.where(skull, levels[3], 0).astype(np.float32)
    volume[inside] = levels[2]
    volume[inside & grey_matter] = levels[1]
    volume[inside & white & (radius < 0.95)] = levels[0]
    volume[hollow] = levels[2]
    if shown == "parcels":
        volume *= _parcels(noise)
    elif shown == "statistics":
        volume = volume * (_folds(noise, 9) > noise.uniform(0.2, 0.9)) * noise.uniform(0.7, 1)
    elif shown == "bone":
        volume = np.maximum(volume, _face(noise, z, y, x))
    else:
        blur = noise.uniform(0.3, 1.2 if shown == "echo planar" else 0.8)
        volume = np.stack([cv2.GaussianBlur(layer, (0, 0), blur) for layer in volume])
        volume *= 1 + 0.25 * _folds(noise, 2)
    return np.asarray(np.clip(volume, 0, 1), np.float32)


def _folds(noise: Generator, count: float) -> Canvas:
    """Return a smooth random field of so many waves to a side, of deviation 1."""
    small = int(np.ceil(count)) + 2
    field: NDArray[Any] = noise.normal(0, 1, (small, small, small)).astype(np.float32)
    for _ in range(3):  # each turn stretches the next two axes
        size = (_SIDE, field.shape[0])
        field = np.stack(
            [
                cv2.resize(np.ascontiguousarray(layer), size, interpolation=cv2.INTER_CUBIC)
                for layer in np.moveaxis(field, 2, 0)
            ]
        )
    return np.asarray(field / max(float(field.std()), 1e-6), np.float32)


def _parcels(noise: Generator) -> Canvas:
    """Return blocks that have a level each."""
    blocks = int(noise.integers(8, 18))
    levels = noise.uniform(0.2, 1, (blocks, blocks, blocks)).astype(np.float32)
    at = np.linspace(0, blocks - 1e-3, _SIDE).astype(int)
    return np.asarray(levels[np.ix_(at, at, at)], np.float32)


def _face(noise: Generator, z: Canvas, y: Canvas, x: Canvas) -> Canvas:
    """Return hollow bones below the front of a skull, the same on both sides."""
    shown = np.zeros_like(z)
    for _ in range(int(noise.integers(4, 10))):
        place = noise.uniform(-0.9, -0.2), noise.uniform(-0.9, -0.1), noise.uniform(0, 0.4)
        half = noise.uniform(0.08, 0.3, 3)
        away = np.sqrt(
            ((z - place[0]) / half[0]) ** 2
            + ((y - place[1]) / half[1]) ** 2
            + ((np.abs(x) - place[2]) / half[2]) ** 2
        )
        shown[np.abs(away - 1) < noise.uniform(0.08, 0.3)] = noise.uniform(0.6, 1)
    return shown
