"""Implants and what they are made of, to train with: springs, bolts, tangles, leads, seeds, wedges, hoses.

They are drawn apart from what the judge is measured by: other shapes of the same trades.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from tests.benchmarks.pixels.textless.anatomy import radiograph
from tests.benchmarks.pixels.textless.drawing import (
    canvas,
    colour,
    ellipse,
    grain,
    grey,
    hounsfield,
    line,
    soft,
    wander,
)

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from tests.benchmarks.pixels.bases import Base
    from tests.benchmarks.pixels.textless.drawing import Canvas

_TURNS = (0.0, np.pi / 2)  # as text lies; every other one is turned at random


def ground(noise: Generator) -> Canvas:
    """Return a radiograph to draw on."""
    rows, columns = (int(side) for side in noise.choice([320, 448, 640, 900], 2))
    return radiograph(noise, rows, columns)


def finished(noise: Generator, image: Canvas) -> Base:
    """Return it as a projection shows it, with noise, seldom inverted."""
    blurred = cv2.GaussianBlur(image, (0, 0), noise.uniform(0.3, 0.9))
    shown = grain(noise, blurred if noise.random() < 0.6 else image, noise.uniform(0.004, 0.03))
    modality = str(noise.choice(["DX", "CR", "XA", "RF"]))
    return grey(shown, modality, inverted=bool(noise.random() < 0.15))


def axes(noise: Generator, image: Canvas) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return a point, and the steps of a pixel along a line and across it."""
    rows, columns = image.shape
    at = np.array((columns * noise.uniform(0.05, 0.75), rows * noise.uniform(0.05, 0.75)))
    turn = noise.choice(_TURNS) if noise.random() < 0.5 else noise.uniform(0, np.pi)
    along = np.array((np.cos(turn), np.sin(turn)))
    return at, along, np.array((-along[1], along[0]))


def springs(noise: Generator) -> Base:
    """Wound wire: open and close, bent, growing wider, seen from one side or from both."""
    image = ground(noise)
    for _ in range(int(noise.integers(2, 7))):
        at, along, across = axes(noise, image)
        turns, half = noise.uniform(3, 26), noise.uniform(3, 20)
        pitch = half * noise.uniform(0.25, 2.0)
        t = np.linspace(0, turns * 2 * np.pi, max(int(turns * 40), 40))
        wide = half * np.linspace(1, noise.uniform(0.4, 1.6), len(t))
        bend = noise.normal(0, 0.15) * (t / t[-1]) ** 2 * turns * pitch
        lean = np.cos(t + noise.uniform(0, 1)) * pitch * noise.choice([0.0, 0.4, 1.0, 1.6])
        reach = np.sin(t) * wide + bend
        path = at + np.outer(t / (2 * np.pi) * pitch + lean, along) + np.outer(reach, across)
        level, thick = noise.uniform(0.75, 1), int(noise.integers(1, 4))
        line(image, path, level, thick)
        if noise.random() < 0.3:  # what is behind is fainter
            other = at + np.outer(t / (2 * np.pi) * pitch - lean, along) + np.outer(-reach, across)
            line(image, other, level * 0.8, 1)
    return finished(noise, image)


def bolts(noise: Generator) -> Base:
    """Screws and bolts with heads, from the side and from above, alone, in rows, in plates with slots."""
    image = ground(noise)
    for _ in range(int(noise.integers(1, 4))):
        at, along, across = axes(noise, image)
        shaft, length = noise.uniform(1.5, 6), noise.uniform(18, 110)
        pitch, depth = noise.uniform(2.5, 8), noise.uniform(1, 4)
        gap, level = noise.uniform(10, 40), noise.uniform(0.85, 1)
        has_plate, kind = noise.random() < 0.5, int(noise.integers(0, 3))
        count = int(noise.integers(1, 9))
        if has_plate:
            half = noise.uniform(5, 13)
            ends = np.array((at - along * gap / 2, at + along * gap * (count - 0.5)))
            line(image, ends, level * 0.85, max(int(2 * half), 2))
        for number in range(count):
            foot = at + along * gap * number
            if has_plate:
                _head(noise, image, foot, along, noise.uniform(3, 8))
            if kind == 0 and has_plate:
                continue
            lean = noise.normal(0, 0.12)
            own = across * np.cos(lean) + along * np.sin(lean)
            side = np.array((-own[1], own[0]))
            line(image, np.array((foot, foot + own * length)), level, max(int(shaft), 1))
            for step in np.arange(shaft * 2, length, pitch):
                middle = foot + own * step
                out = side * (shaft / 2 + depth) * (1 if step < 0.8 * length else 0.6)
                turn = own * pitch * noise.choice([0.0, 0.3])
                line(image, np.array((middle - out - turn, middle + out + turn)), 1, 1)
            if kind == 2:
                cup = (side * 4 - own * 6, side * 4, -side * 4, -side * 4 - own * 6)
                line(image, np.array([foot + corner for corner in cup]), 1, 3)
    return finished(noise, image)


def _head(
    noise: Generator, image: Canvas, at: NDArray[Any], along: NDArray[Any], size: float
) -> None:
    """Draw a screw's head from above, or the empty hole or slot for one."""
    centre, angle = (float(at[0]), float(at[1])), float(np.degrees(np.arctan2(along[1], along[0])))
    long = size * noise.choice([1.0, 1.0, 1.7])
    ellipse(image, centre, (long, size), noise.choice([0.35, 0.5, 1.0]), angle=angle)
    if noise.random() < 0.6:
        turn = noise.uniform(0, np.pi)
        for quarter in (0.0, np.pi / 2)[: int(noise.integers(1, 3))]:
            arm = np.array((np.cos(turn + quarter), np.sin(turn + quarter))) * size * 0.6
            line(image, np.array((at - arm, at + arm)), noise.choice([0.2, 1.0]), 1)


def tangles(noise: Generator) -> Base:
    """Packed coils as they fill an aneurysm: loops in loops, in sections and in projections."""
    is_section = noise.random() < 0.6
    image = section() if is_section else ground(noise)
    rows, columns = image.shape
    level = 3000.0 if is_section else 1.0
    for _ in range(int(noise.integers(1, 5))):
        at = np.array((columns * noise.uniform(0.25, 0.75), rows * noise.uniform(0.25, 0.75)))
        size, loops = noise.uniform(4, 20), int(noise.integers(1, 7))
        t = np.linspace(0, noise.uniform(2, 16) * np.pi, 300)
        drift = noise.normal(0, 0.5, 2) * t[:, None]
        for _ in range(loops):
            wide, high = size * noise.uniform(0.3, 1, 2)
            ratio, phase = noise.uniform(0.85, 1.3), noise.uniform(0, 6)
            loop = np.stack((wide * np.cos(t), high * np.sin(ratio * t + phase)), axis=1)
            line(image, at + loop + drift, level * noise.uniform(0.8, 1), int(noise.integers(1, 3)))
        if noise.random() < 0.3:  # closed: all one lump with a fringe
            ellipse(image, (at[0], at[1]), (size * 0.6, size * 0.5), level)
        if is_section and noise.random() < 0.6:
            _streaks(noise, image, at)
    if is_section:
        return as_section(noise, image)
    return finished(noise, image)


def leads(noise: Generator) -> Base:
    """Contacts on a bent lead, rows and grids of them, markers at the ends of stents, beads on a thread."""
    is_section = noise.random() < 0.4
    image = section() if is_section else ground(noise)
    rows, columns = image.shape
    level = 3000.0 if is_section else 1.0
    for _ in range(int(noise.integers(2, 8))):
        start = (columns * noise.uniform(0.15, 0.75), rows * noise.uniform(0.15, 0.75))
        bend = noise.choice([0.0, 0.01, 0.04])
        path = wander(noise, start, noise.uniform(0, 3), 240, step=1.0, bend=bend)
        pitch, size = int(noise.integers(5, 24)), noise.uniform(1.2, 5)
        kind, count = int(noise.integers(0, 4)), int(noise.integers(2, 13))
        for number in range(count):
            place = min(number * pitch, len(path) - 3)
            middle, ahead = path[place], path[place + 2] - path[place]
            across = np.array((-ahead[1], ahead[0])) / max(float(np.hypot(*ahead)), 1e-6)
            shown = level * noise.uniform(0.8, 1)
            if kind == 0:
                ellipse(image, (middle[0], middle[1]), (size, size), shown)
            elif kind == 1:
                ends = np.array((middle - across * size, middle + across * size))
                line(image, ends, shown, max(int(size / 2), 1))
            elif kind == 2:
                line(image, np.array((middle, middle + ahead * size / 2)), shown, max(int(size), 2))
            else:
                ellipse(image, (middle[0], middle[1]), (size, size * 0.6), shown, thickness=1)
        if noise.random() < 0.5:
            line(image, path[: pitch * count + 20], level * noise.uniform(0.3, 0.9), 1)
    return as_section(noise, image) if is_section else finished(noise, image)


def seeds(noise: Generator) -> Base:
    """Seeds of brachytherapy, gold markers, shot, staples of a stapler: many, each its own way."""
    image = ground(noise)
    rows, columns = image.shape
    for _ in range(int(noise.integers(1, 4))):
        at = np.array((columns * noise.uniform(0.2, 0.8), rows * noise.uniform(0.2, 0.8)))
        spread, size = noise.uniform(15, 90), noise.uniform(4, 14)
        kind, common = int(noise.integers(0, 4)), noise.uniform(0, np.pi)
        thick = int(noise.integers(1, 4))
        lean = noise.choice([0.1, 0.3, 2.0])
        rowed = noise.random() < 0.5
        for number in range(int(noise.integers(4, 40))):
            middle = at + noise.normal(0, 1, 2) * spread
            if rowed:  # on the needles of a template
                middle = at + np.array((number % 6, number // 6)) * size * 2
                middle = middle + noise.normal(0, 0.12, 2) * size
            turn = common + noise.normal(0, lean)
            own = np.array((np.cos(turn), np.sin(turn))) * size
            side = np.array((-own[1], own[0]))
            level = noise.uniform(0.85, 1)
            if kind == 0:
                line(image, np.array((middle, middle + own)), level, thick)
            elif kind == 1:
                ellipse(image, (middle[0], middle[1]), (size * 0.3, size * 0.3), level)
            elif kind == 2:
                bent = (middle - own / 2 + side * 0.3, middle - own / 2, middle + own / 2)
                line(image, np.array((*bent, middle + own / 2 + side * 0.3)), level, thick)
            else:
                t = np.linspace(0, 2 * np.pi, 20)
                eight = np.outer(np.sin(t) / 2, own) + np.outer(np.sin(2 * t) / 4, side)
                line(image, middle + eight, level, 1)
    return finished(noise, image)


def wedges(noise: Generator) -> Base:
    """Bars and wedges of colour or grey in steps, with and without frames and ticks, beside a picture."""
    rows, columns = (int(side) for side in noise.choice([256, 400, 512, 640], 2))
    under = soft(noise, rows, columns, noise.uniform(10, 60)) * noise.uniform(0.1, 0.7)
    image = np.repeat(grain(noise, under, 0.02)[..., None], 3, axis=2)
    for _ in range(int(noise.integers(1, 4))):
        steps, is_upright = int(noise.integers(3, 40)), noise.random() < 0.6
        cell, across = int(noise.integers(3, 22)), int(noise.integers(6, 30))
        level = np.linspace(0, 255, steps).astype(np.uint8)[:, None]
        table = int(noise.choice([cv2.COLORMAP_JET, cv2.COLORMAP_HOT, cv2.COLORMAP_BONE]))
        shades = cv2.applyColorMap(level, table)[..., ::-1] / 255
        bar = np.repeat(np.repeat(shades, cell, axis=0), across, axis=1)
        bar = bar if is_upright else bar.transpose(1, 0, 2)
        high, wide = min(bar.shape[0], rows - 8), min(bar.shape[1], columns - 8)
        top = int(noise.integers(2, max(rows - high - 2, 3)))
        left = int(noise.integers(2, max(columns - wide - 2, 3)))
        image[top : top + high, left : left + wide] = bar[:high, :wide]
        if noise.random() < 0.5:
            white = (1.0, 1.0, 1.0)
            cv2.rectangle(image, (left - 1, top - 1), (left + wide, top + high), white, 1)
        if noise.random() < 0.5:
            for tick in range(0, high if is_upright else wide, cell * int(noise.integers(1, 5))):
                ends = (
                    (left + wide, top + tick, left + wide + 5, top + tick)
                    if is_upright
                    else (left + tick, top + high, left + tick, top + high + 5)
                )
                cv2.line(image, ends[:2], ends[2:], (0.9, 0.9, 0.9), 1)
    return colour(image, str(noise.choice(["US", "MR", "PT", "NM"])))


def hoses(noise: Generator) -> Base:
    """Ribbed hoses, tubes with rings, leaves of a collimator, ribs of a table, racks and combs."""
    image = ground(noise)
    for _ in range(int(noise.integers(1, 5))):
        at, along, across = axes(noise, image)
        half, pitch = noise.uniform(4, 22), noise.uniform(3, 12)
        count, kind = int(noise.integers(6, 40)), int(noise.integers(0, 3))
        level, thick = noise.uniform(0.6, 1), int(noise.integers(1, 3))
        arc = noise.uniform(0.1, 0.9)
        for number in range(count):
            middle = at + along * pitch * number
            if kind == 0:
                t = np.linspace(-np.pi / 2, np.pi / 2, 12)
                ring = np.outer(np.cos(t) * half * arc, along) + np.outer(np.sin(t) * half, across)
                line(image, middle + ring, level, thick)
            elif kind == 1:
                long = across * half * noise.uniform(0.4, 2.5)
                corners = (middle, middle + long, middle + long + along * pitch * 0.9)
                line(image, np.array(corners), level, thick)
            else:
                tooth = across * half * (1 if number % int(arc * 5 + 1) else 1.6)
                line(image, np.array((middle, middle + tooth)), level, thick)
        if noise.random() < 0.5:
            for sign in (-1, 1):
                edge = at + across * half * sign
                line(image, np.array((edge, edge + along * pitch * count)), level, 1)
    return finished(noise, image)


def section() -> Canvas:
    """Return a section of a head, in Hounsfield units."""
    image = canvas(512, 512, -1000)
    ellipse(image, (256, 256), (180, 214), 1200)
    ellipse(image, (256, 256), (169, 204), 35)
    return image


def as_section(noise: Generator, image: Canvas) -> Base:
    """Return it as CT shows it, with noise and a window."""
    return hounsfield(
        grain(noise, image, noise.uniform(8, 30)),
        centre=noise.choice([40.0, 60.0, 300.0]),
        width=noise.choice([80.0, 200.0, 400.0, 2000.0]),
    )


def _streaks(noise: Generator, image: Canvas, at: NDArray[Any]) -> None:
    """Draw what metal does to a section: dark and bright lines through it."""
    for turn in np.linspace(0, np.pi, int(noise.integers(6, 18))):
        reach = np.array((np.cos(turn), np.sin(turn))) * noise.uniform(60, 180)
        streak = canvas(*image.shape)
        line(streak, np.array((at - reach, at + reach)), 1, int(noise.integers(1, 5)))
        image += noise.uniform(-180, 180) * cv2.GaussianBlur(streak, (0, 0), 2)
