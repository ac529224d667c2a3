"""More to train with: sutures, windings, racks, beads, trunks, fragments, cages.

Drawn apart from what the judge is measured by, as `hardware` is: of the same trades, in other shapes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from tests.benchmarks.pixels.textless.drawing import colour, ellipse, grain, line, soft, wander
from tests.benchmarks.pixels.textless.hardware import as_section, axes, finished, ground, section

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from tests.benchmarks.pixels.bases import Base
    from tests.benchmarks.pixels.textless.drawing import Canvas

    Points = NDArray[Any]


def sutures(noise: Generator) -> Base:
    """Twisted wires one below the other: eights, drops and knots with tails, all of one hand."""
    image = ground(noise)
    rows, columns = image.shape
    for _ in range(int(noise.integers(1, 4))):
        at = np.array((columns * noise.uniform(0.1, 0.85), rows * noise.uniform(0.02, 0.4)))
        down = np.array((noise.normal(0, 0.12), 1.0))
        if noise.random() < 0.3:
            down = down[::-1]
        size, pitch = noise.uniform(5, 18), noise.uniform(1.3, 4.0)
        shape, squeeze = int(noise.integers(0, 3)), noise.uniform(0.3, 1)
        tail, thick = noise.uniform(0.2, 1.2), int(noise.integers(1, 4))
        for number in range(int(noise.integers(3, 9))):
            foot = at + down * size * pitch * number + noise.normal(0, 0.12, 2) * size
            t = np.linspace(0, 2 * np.pi, 40)
            across, along = (
                (np.sin(t), np.sin(2 * t) * squeeze),
                (np.cos(t), np.sin(t) * squeeze * (1 + 0.6 * np.cos(t))),
                (np.sin(t) * (1 + 0.4 * np.cos(2 * t)), np.cos(t) * squeeze),
            )[shape]
            swing = noise.normal(1, 0.1)
            line(image, foot + size * swing * np.stack((across, along), axis=1), 1, thick)
            steps = np.linspace(0, 1, 12)
            twist = np.stack((np.sin(steps * 14) * 0.16, steps * tail * swing), axis=1) * size
            line(image, foot + np.array((0, size * squeeze)) + twist, 1, max(thick - 1, 1))
    return finished(noise, image)


def windings(noise: Generator) -> Base:
    """Wire wound on a body seen obliquely, one beside another: flat, barrel-shaped, with free ends."""
    is_section = noise.random() < 0.5
    image = section() if is_section else ground(noise)
    level = 3000.0 if is_section else 1.0
    for _ in range(int(noise.integers(1, 4))):
        at, along, across = axes(noise, image)
        if is_section:
            at = np.array((256.0, 256.0)) + noise.uniform(-100, 100, 2)
        radius, turns = noise.uniform(5, 22), int(noise.integers(3, 18))
        tilt, step = noise.uniform(0.1, 0.9), noise.uniform(0.08, 0.7)
        thick, barrel = int(noise.integers(1, 3)), noise.choice([0.0, 0.5, 0.9])
        for number in range(int(noise.integers(1, 4))):
            shift = across * radius * noise.uniform(2.0, 3.4) * number
            shift = shift + along * noise.normal(0, 1) * radius
            t = np.linspace(0, turns * 2 * np.pi, turns * 36)
            share = t / t[-1]
            wide = radius * (1 - barrel * (2 * share - 1) ** 2)
            wide = wide * (
                1 + noise.normal(0, 0.04, turns)[np.minimum((share * turns).astype(int), turns - 1)]
            )
            centre = np.outer(share * turns * radius * step, along)
            loops = np.outer(np.sin(t) * wide, across) + np.outer(np.cos(t) * wide * tilt, along)
            line(image, at + shift + centre + loops, level * noise.uniform(0.85, 1), thick)
            if noise.random() < 0.5:
                end = at + shift + centre[-1] + loops[-1]
                heading = noise.uniform(0, 6)
                free = wander(noise, (end[0], end[1]), heading, 30, step=1.5, bend=0.08)
                line(image, free, level, thick)
    return as_section(noise, image) if is_section else finished(noise, image)


def racks(noise: Generator) -> Base:
    """Shafts with teeth on one side or both, under plates with holes, and rows of slanted bars."""
    image = ground(noise)
    for _ in range(int(noise.integers(1, 4))):
        at, along, across = axes(noise, image)
        kind, count = int(noise.integers(0, 3)), int(noise.integers(3, 10))
        size = noise.uniform(12, 46)
        if kind == 0:  # bars that lean, some longer
            lean, fat = noise.uniform(-0.8, 0.8), noise.uniform(0.1, 0.45)
            gap = size * noise.uniform(0.3, 0.9)
            for number in range(count):
                own = size * noise.uniform(0.75, 1.1)
                foot = at + along * gap * number
                tip = foot + across * own + along * lean * own
                line(image, np.array((foot, tip)), noise.uniform(0.9, 1), max(int(size * fat), 1))
            continue
        gap, shaft = size * noise.uniform(0.35, 1.2), noise.uniform(2, 9)
        length, pitch = size * noise.uniform(1, 3.5), noise.uniform(3, 9)
        reach = shaft / 2 + noise.uniform(1.5, 6)
        sides = ((1,), (-1, 1))[kind - 1]
        has_plate = noise.random() < 0.6
        if has_plate:
            ends = np.array((at - along * gap / 2, at + along * gap * (count - 0.5)))
            line(image, ends, noise.uniform(0.8, 0.95), max(int(size * 0.7), 4))
        for number in range(count):
            foot = at + along * gap * number
            if has_plate:
                hole = size * noise.uniform(0.14, 0.24)
                ellipse(image, (foot[0], foot[1]), (hole, hole), noise.uniform(0.2, 0.6))
                if noise.random() < 0.3:
                    continue
            begin = foot + across * (size * 0.35 if has_plate else 0)
            line(image, np.array((begin, begin + across * length)), 0.97, max(int(shaft), 1))
            shift = noise.uniform(0, 1)
            for step in np.arange(pitch, length, pitch):
                for side in sides:
                    root = begin + across * step
                    tip = root + along * reach * side + across * pitch * noise.choice([0, shift])
                    line(image, np.array((root, tip)), 1, int(noise.integers(1, 3)))
    return finished(noise, image)


def beads(noise: Generator) -> Base:
    """Two or three shapes by turns or at random: rings, discs, hooks, spirals, arcs, bars."""
    image = ground(noise)
    for _ in range(int(noise.integers(2, 6))):
        at, along, across = axes(noise, image)
        size, gap = noise.uniform(4, 17), noise.uniform(1.1, 3.0)
        kinds = noise.integers(0, 6, int(noise.integers(1, 4)))
        thick, count = int(noise.integers(1, 4)), int(noise.integers(2, 10))
        turns, wobble = noise.uniform(0, 6, len(kinds)), noise.choice([0.0, 0.1, 0.4])
        is_wound = noise.random() < 0.3
        for number in range(count):
            chosen = (
                number % len(kinds) if noise.random() < 0.6 else int(noise.integers(0, len(kinds)))
            )
            middle = at + along * size * gap * number + noise.normal(0, wobble, 2) * size
            angle = turns[chosen] + noise.normal(0, 1) * wobble
            own = size * noise.uniform(0.8, 1.15) / 2
            _bead(image, int(kinds[chosen]), middle, angle, own, thick)
        if is_wound:
            t = np.linspace(0, size * gap * count, 80)
            swing = np.sin(t / size * noise.uniform(0.5, 2)) * size * noise.uniform(0, 0.6)
            line(image, at + np.outer(t, along) + np.outer(swing, across), 0.8, 1)
    return finished(noise, image)


def _bead(image: Canvas, kind: int, middle: Points, angle: float, size: float, thick: int) -> None:
    turn = np.array(((np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))))
    t = np.linspace(0, 1, 30)
    if kind == 0:
        ellipse(image, (middle[0], middle[1]), (size, size), 1, thickness=thick)
    elif kind == 1:
        ellipse(image, (middle[0], middle[1]), (size * 0.8, size * 0.8), 1)
    elif kind == 2:
        reach = np.where(t < 0.6, 1.0, 1 - (t - 0.6))
        hook = np.stack((np.cos(t * 4.6) * reach, np.sin(t * 4.6) * reach), axis=1)
        line(image, middle + hook @ turn * size, 1, thick)
    elif kind == 3:
        spiral = np.stack((np.cos(t * 13) * t, np.sin(t * 13) * t), axis=1)
        line(image, middle + spiral @ turn * size, 1, thick)
    elif kind == 4:
        arc = np.stack((np.cos(t * 3), np.sin(t * 3)), axis=1)
        line(image, middle + arc @ turn * size, 1, thick)
    else:
        line(image, middle + np.array(((-1, 0), (1, 0))) @ turn * size, 1, thick)


def trunks(noise: Generator) -> Base:
    """Thick vessels in shades of one colour on grey, cut off by the edge of a field or of a strip."""
    rows, columns = int(noise.choice([480, 600, 768])), int(noise.choice([512, 640, 1024]))
    under = soft(noise, rows, columns, noise.uniform(8, 60)) * noise.uniform(0.05, 0.4)
    image = np.repeat(grain(noise, under, 0.02)[..., None], 3, axis=2)
    top, left = int(rows * noise.uniform(0, 0.4)), int(columns * noise.uniform(0, 0.3))
    bottom, right = int(rows * noise.uniform(0.55, 1)), int(columns * noise.uniform(0.6, 1))
    mask = np.zeros((rows, columns), np.float32)
    for _ in range(int(noise.integers(3, 14))):
        start = (noise.uniform(left, right), noise.uniform(top, bottom))
        heading, thick = noise.uniform(0, 6.3), noise.uniform(4, 26)
        path = wander(noise, start, heading, 24, step=rows / 60, bend=noise.uniform(0.02, 0.3))
        for number in range(len(path) - 2):
            narrow = max(int(thick * (1 - 0.5 * number / len(path))), 2)
            line(mask, path[number : number + 3], 1, narrow)
    inside = np.zeros_like(mask)
    inside[top:bottom, left:right] = 1
    shades = soft(noise, rows, columns, noise.uniform(3, 14))
    flow = (mask > 0.5) & (inside > 0)
    shown = 0.35 + 0.65 * shades if noise.random() < 0.7 else 0.8 + 0.2 * shades
    tint = np.array(((1, 0.55, 0.1), (1, 0.2, 0.1), (0.2, 0.4, 1), (1, 0.85, 0.2)))
    image = np.where(flow[..., None], shown[..., None] * tint[int(noise.integers(0, 4))], image)
    if noise.random() < 0.7:
        rim = (float(noise.uniform(0.6, 1)),) * 3
        image = np.ascontiguousarray(image)
        cv2.rectangle(image, (left, top), (right, bottom), rim, int(noise.integers(1, 3)))
    return colour(image, "US")


def fragments(noise: Generator) -> Base:
    """Things swallowed, shot or left behind: safety pins, keys, nails, chains of links, splinters."""
    image = ground(noise)
    for _ in range(int(noise.integers(3, 14))):
        at, along, across = axes(noise, image)
        size, kind = noise.uniform(8, 40), int(noise.integers(0, 5))
        level, thick = noise.uniform(0.8, 1), int(noise.integers(1, 4))
        turn = np.stack((along, across))
        if kind == 0:  # a safety pin
            t = np.linspace(0, 2 * np.pi, 16)
            ring = np.stack((np.cos(t) * 0.1, np.sin(t) * 0.1 - 0.1), axis=1)
            line(image, at + ring @ turn * size, level, thick)
            pin = np.array(((0, 0), (1, 0.05), (1.05, -0.15), (0.9, -0.3), (0.05, -0.15)))
            line(image, at + pin @ turn * size, level, thick)
        elif kind == 1:  # a key
            ellipse(image, (at[0], at[1]), (size * 0.25, size * 0.25), level, thickness=thick + 1)
            line(image, np.array((at + along * size * 0.25, at + along * size)), level, thick + 1)
            for place in noise.uniform(0.6, 1, int(noise.integers(1, 4))):
                root = at + along * size * place
                line(image, np.array((root, root + across * size * 0.18)), level, thick)
        elif kind == 2:  # nails side by side
            for number in range(int(noise.integers(1, 6))):
                foot = at + across * size * 0.35 * number + along * noise.normal(0, 0.1) * size
                line(image, np.array((foot, foot + along * size)), level, thick)
                head = across * size * 0.1
                line(image, np.array((foot - head, foot + head)), level, thick)
        elif kind == 3:  # links, seen flat and on edge by turns
            angle = float(np.degrees(np.arctan2(along[1], along[0])))
            link = size * noise.uniform(0.2, 0.6)
            for number in range(int(noise.integers(4, 14))):
                middle = at + along * link * 1.4 * number
                high = link * (0.5 if number % 2 else 0.1)
                place = (float(middle[0]), float(middle[1]))
                ellipse(image, place, (link, high), level, angle=angle, thickness=thick)
        else:
            points = at + noise.normal(0, 0.3, (int(noise.integers(3, 6)), 2)) * size
            cv2.fillPoly(image, [np.round(points).astype(np.int32)], level, cv2.LINE_AA)
    return finished(noise, image)


def cages(noise: Generator) -> Base:
    """Ladders, fences, crowns of zigzag one after the other, rods with clamps, boxes with windows."""
    image = ground(noise)
    for _ in range(int(noise.integers(1, 5))):
        at, along, across = axes(noise, image)
        half, gap = noise.uniform(5, 24), noise.uniform(4, 26)
        count, kind = int(noise.integers(2, 11)), int(noise.integers(0, 4))
        thick, level = int(noise.integers(1, 4)), noise.uniform(0.8, 1)
        for number in range(count):
            middle = at + along * (gap + half) * number
            if kind == 0:
                box = np.array(((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))) * 0.5
                corners = np.outer(box[:, 0] * half, along) + np.outer(box[:, 1] * half * 2, across)
                line(image, middle + corners, level, thick)
                if number % 2:
                    ends = np.array((middle - across * half * 0.6, middle + across * half * 0.6))
                    line(image, ends, level, thick)
            elif kind == 1:
                steps = np.arange(int(noise.integers(5, 12)))
                zigzag = np.outer(np.where(steps % 2, 1.0, -1.0) * half * 0.4, along)
                line(
                    image,
                    middle + zigzag + np.outer((steps - 4) * half * 0.25, across),
                    level,
                    thick,
                )
            elif kind == 2:
                ends = np.array((middle - across * half, middle + across * half))
                line(image, ends, level, thick)
                clamp = (float(middle[0]), float(middle[1]))
                ellipse(image, clamp, (half * 0.35, half * 0.35), level)
            else:
                cross = np.array((-along - across, along + across)) * half * 0.5
                line(image, middle + cross, level, thick)
                line(image, middle + cross[:, ::-1] * np.array((-1, 1)), level, thick)
        if noise.random() < 0.5:
            for side in (-1, 1) if kind else (0,):
                edge = at + across * half * side
                line(
                    image, np.array((edge, edge + along * (gap + half) * (count - 1))), level, thick
                )
    return finished(noise, image)
