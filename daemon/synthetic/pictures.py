"""Drawn bodies: synthetic anatomy for demonstration pixels, a few ellipses and a little grain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AIR, _FAT, _MUSCLE, _LUNG, _BONE, _BLOOD = -1000.0, -90.0, 50.0, -780.0, 700.0, 180.0


def thorax_section(
    rows: int, columns: int, *, level: float = 0.5, texture: int | None = 0
) -> NDArray[np.float32]:
    """Draw an axial section through a chest.

    Parameters
    ----------
    level
        0 at the shoulders, 1 at the diaphragm: lungs, heart and ribs change with it.
    texture
        Seed of a faint grain (standard deviation 9 HU), or None for flat tissue.

    Returns
    -------
    Hounsfield units, shape (rows, columns), between -1000 and about 1100.
    """
    y, x = _grid(rows, columns)
    section = np.full((rows, columns), _AIR, dtype=np.float32)
    lung = 0.55 + 0.45 * np.sin(np.pi * min(max(level, 0.0), 1.0))
    _fill(section, x, y, (0.0, 0.05, 0.86, 0.64), _FAT)
    _fill(section, x, y, (0.0, 0.05, 0.79, 0.57), _MUSCLE)
    for side in (-1, 1):
        _fill(section, x, y, (0.38 * side, 0.0, 0.31 * lung, 0.42 * lung), _LUNG)
        for vessel in range(5):
            angle = 0.9 * vessel + level * 3
            _fill(
                section,
                x,
                y,
                (0.38 * side + 0.17 * np.cos(angle), 0.2 * np.sin(angle), 0.018, 0.018),
                _BLOOD - 150,
            )
        for rib in range(7):
            angle = np.pi * (rib + 0.5 + level) / 7.5
            _fill(
                section,
                x,
                y,
                (side * 0.74 * np.sin(angle), 0.05 - 0.52 * np.cos(angle), 0.055, 0.022),
                _BONE,
            )
    _fill(section, x, y, (0.08, -0.12, 0.21 * lung, 0.2 * lung), _BLOOD)
    _fill(section, x, y, (-0.02, 0.24, 0.055, 0.055), _BLOOD + 40)
    _fill(section, x, y, (0.0, 0.42, 0.11, 0.1), _BONE)
    _fill(section, x, y, (0.0, 0.36, 0.045, 0.04), _MUSCLE - 30)
    _fill(section, x, y, (0.0, 0.78, 1.1, 0.02), 150.0)
    if texture is not None:
        grain = np.random.default_rng(texture).normal(0, 9, section.shape).astype(np.float32)
        section += np.where(section > _AIR, grain, grain / 3)
    return section


def projection(rows: int, columns: int, *, contrast: float = 0.0) -> NDArray[np.float32]:
    """Draw a frontal chest radiograph: 0 (black) to 1 (white), shape (rows, columns).

    `contrast` between 0 and 1 fills a branching vessel from its root, as in an angiogram.
    """
    y, x = _grid(rows, columns)
    film = np.full((rows, columns), 0.06, dtype=np.float32)
    _fill(film, x, y, (0.0, 0.1, 0.9, 1.2), 0.55)
    for side in (-1, 1):
        _fill(film, x, y, (0.42 * side, 0.0, 0.3, 0.62), 0.24)
        for rib in range(8):
            arc = np.abs(y - (-0.6 + 0.16 * rib + 0.25 * (np.abs(x) - 0.4) ** 2)) < 0.02
            film[arc & (x * side > 0.12) & (x * side < 0.78)] += 0.12
    _fill(film, x, y, (0.1, 0.3, 0.3, 0.3), 0.72)
    film[np.abs(x) < 0.07] = np.maximum(film[np.abs(x) < 0.07], 0.8)
    if contrast > 0:
        reach = -0.7 + 1.4 * contrast
        vessel = np.abs(x - 0.25 * np.sin(3 * y)) < 0.025
        branch = (np.abs(x + 0.6 * (y + 0.1)) < 0.018) & (y > -0.1)
        film[(vessel | branch) & (y < reach)] = 0.02
    return film


def fan(rows: int, columns: int, *, phase: float = 0.0) -> NDArray[np.uint8]:
    """Draw an ultrasound sector in RGB, (rows, columns, 3): a beating chamber, a colour jet."""
    y, x = _grid(rows, columns)
    depth = np.hypot(x, y + 1.0)
    inside = (depth < 1.9) & (depth > 0.12) & (np.abs(np.arctan2(x, y + 1.0)) < 0.65)
    echo = 0.45 + 0.25 * np.sin(40 * depth) * np.cos(23 * x + 5 * y)
    radius = 0.3 + 0.07 * np.sin(2 * np.pi * phase)
    _fill(echo, x, y, (0.0, 0.1, radius, radius * 1.3), 0.05)
    frame = np.zeros((rows, columns, 3), dtype=np.uint8)
    frame[..., :] = (np.clip(echo, 0, 1) * inside * 220).astype(np.uint8)[..., None]
    jet = inside & (np.hypot((x - 0.03) / 0.09, (y - 0.15) / 0.22) < 1)
    frame[jet] = (200, 40, 30) if phase < 0.5 else (30, 60, 210)
    return frame


def tracer(rows: int, columns: int, *, angle: float = 0.0) -> NDArray[np.uint16]:
    """Draw a scintigram as counts (0..4000), shape (rows, columns), seen from `angle` degrees."""
    y, x = _grid(rows, columns)
    turn = np.cos(np.radians(angle))
    glow = np.zeros((rows, columns), dtype=np.float32)
    for cx, cy, size, activity in (
        (0.0, -0.6, 0.16, 900),
        (0.25, 0.2, 0.12, 2400),
        (0.0, 0.1, 0.5, 300),
    ):
        glow += activity * np.exp(-(((x - cx * turn) / size) ** 2 + ((y - cy) / size) ** 2))
    return np.clip(glow, 0, 4000).astype(np.uint16)


def _grid(rows: int, columns: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return y and x of every pixel centre, from -1 at the top or left edge to +1."""
    y, x = np.meshgrid(
        ((np.arange(rows) * 2 + 1) / rows - 1).astype(np.float32),
        ((np.arange(columns) * 2 + 1) / columns - 1).astype(np.float32),
        indexing="ij",
    )
    return y, x


def _fill(
    picture: NDArray[np.float32],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    ellipse: tuple[float, float, float, float],
    value: float,
) -> None:
    """Fill an ellipse given as (centre x, centre y, half width, half height)."""
    cx, cy, half_width, half_height = ellipse
    picture[((x - cx) / half_width) ** 2 + ((y - cy) / half_height) ** 2 < 1] = value
