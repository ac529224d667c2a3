"""Noise, soft fields and shapes, as floating point from 0 to 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from tests.benchmarks.pixels.bases import Base

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Canvas = NDArray[Any]


def canvas(rows: int, columns: int, level: float = 0.0) -> Canvas:
    """Return an even field."""
    return np.full((rows, columns), level, np.float32)


def soft(noise: np.random.Generator, rows: int, columns: int, grain: float) -> Canvas:
    """Return smooth random shades from 0 to 1 whose blobs are about `grain` pixels wide."""
    small = (max(round(rows / grain), 2), max(round(columns / grain), 2))
    field: Canvas = noise.normal(0, 1, small).astype(np.float32)
    field = cv2.resize(field, (columns, rows), interpolation=cv2.INTER_CUBIC)
    low, high = np.percentile(field, (2, 98))
    return np.asarray(np.clip((field - low) / max(high - low, 1e-6), 0, 1), np.float32)


def grain(noise: np.random.Generator, image: Canvas, amount: float, blur: float = 0.0) -> Canvas:
    """Return the image with noise of that deviation, which `blur` makes coarser."""
    added: Canvas = noise.normal(0, 1, image.shape).astype(np.float32)
    if blur:
        added = cv2.GaussianBlur(added, (0, 0), blur)
        added = added / max(float(added.std()), 1e-6)
    return np.asarray(image + amount * added, np.float32)


def ellipse(
    image: Canvas,
    centre: tuple[float, float],
    axes: tuple[float, float],
    level: float,
    *,
    angle: float = 0,
    thickness: int = -1,
) -> None:
    """Draw into the image; centre and half axes as (column, row)."""
    at = (round(centre[0]), round(centre[1]))
    half = (max(round(axes[0]), 1), max(round(axes[1]), 1))
    cv2.ellipse(image, at, half, angle, 0, 360, level, thickness, cv2.LINE_AA)


def line(image: Canvas, points: NDArray[Any], level: float, thickness: int) -> None:
    """Draw an open line through points of shape (n, 2), (column, row)."""
    path = np.round(np.asarray(points) * 8).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(image, [path], False, level, thickness, cv2.LINE_AA, 3)


def wander(
    noise: np.random.Generator,
    start: tuple[float, float],
    heading: float,
    steps: int,
    *,
    step: float,
    bend: float = 0.2,
) -> NDArray[Any]:
    """Return the points of a smooth random walk, shape (steps, 2)."""
    turns = np.cumsum(noise.normal(0, bend, steps)) + heading
    moves = np.stack((np.cos(turns), np.sin(turns)), axis=1) * step
    return np.asarray(start) + np.cumsum(moves, axis=0)


def branches(
    noise: np.random.Generator, image: Canvas, level: float, *, roots: int = 2, width: float = 9
) -> None:
    """Draw trees of vessels that taper and fork."""
    rows, columns = image.shape
    side = min(rows, columns)
    stack = [
        ((columns * noise.uniform(0.2, 0.8), rows * noise.uniform(0.0, 0.3)),
         noise.uniform(0.3, 2.8), width)
        for _ in range(roots)
    ]  # fmt: skip
    drawn = 0
    while stack and drawn < 160:
        start, heading, thick = stack.pop()
        if thick < 0.8:
            continue
        count = int(noise.integers(8, 22))
        points = wander(noise, start, heading, count, step=side / 60, bend=0.22)
        line(image, points, level * noise.uniform(0.7, 1.0), max(round(thick), 1))
        drawn += 1
        end = (float(points[-1, 0]), float(points[-1, 1]))
        for turn in (noise.uniform(0.2, 0.8), -noise.uniform(0.2, 0.8)):
            stack.insert(0, (end, heading + turn, thick * noise.uniform(0.55, 0.85)))


def grey(
    image: Canvas, modality: str, *, bits: int = 12, inverted: bool = False, **more: Any
) -> Base:
    """Return shades from 0 to 1 as unsigned stored values."""
    stored = np.clip(image, 0, 1) * ((1 << bits) - 1)
    dtype = np.uint8 if bits <= 8 else np.uint16
    attributes = {
        "BitsAllocated": 8 if bits <= 8 else 16,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": 0,
        "PhotometricInterpretation": "MONOCHROME1" if inverted else "MONOCHROME2",
        "Modality": modality,
        **more,
    }
    return Base("", np.ascontiguousarray(stored.astype(dtype)), attributes)


def hounsfield(image: Canvas, *, centre: float, width: float) -> Base:
    """Return Hounsfield units as signed stored values with a window."""
    attributes = {
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Modality": "CT",
        "WindowCenter": centre,
        "WindowWidth": width,
    }
    values = np.clip(np.round(image), -1024, 3071).astype(np.int16)
    return Base("", np.ascontiguousarray(values), attributes)


def colour(image: NDArray[Any], modality: str) -> Base:
    """Return RGB from 0 to 1, shape (rows, columns, 3), as 8 bits."""
    attributes = {
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "PhotometricInterpretation": "RGB",
        "Modality": modality,
    }
    values = np.clip(np.asarray(image, np.float32) * 255, 0, 255).astype(np.uint8)
    return Base("", np.ascontiguousarray(values), attributes)
