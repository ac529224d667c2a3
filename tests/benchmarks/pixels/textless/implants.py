"""Still more to train with: crowns, brackets, plates, catheters, zigzags, repeats, shoots.

Drawn apart from what the judge is measured by, as `hardware` is: of the same trades, in other shapes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from tests.benchmarks.pixels.textless.drawing import (
    branches,
    canvas,
    colour,
    ellipse,
    grain,
    grey,
    line,
    soft,
    wander,
)
from tests.benchmarks.pixels.textless.hardware import as_section, axes, finished, ground, section

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from tests.benchmarks.pixels.bases import Base

    Points = NDArray[Any]


def crowns(noise: Generator) -> Base:
    """Rings of struts and cells one after the other, as stents and frames of valves have them."""
    is_section = noise.random() < 0.2
    image = section() if is_section else ground(noise)
    level = 3000.0 if is_section else 1.0
    for _ in range(int(noise.integers(1, 5))):
        at, along, across = axes(noise, image)
        half, cells = noise.uniform(5, 32), int(noise.integers(3, 9))
        high, rings = half * noise.uniform(0.2, 1.2), int(noise.integers(1, 12))
        gap, phase = high * noise.uniform(0.5, 1.5), noise.uniform(0, 6)
        flare, bend = noise.uniform(-0.1, 0.25), noise.normal(0, 0.006)
        thick, depth = int(noise.integers(1, 3)), noise.choice([0.0, 0.5, 0.9])
        t = np.linspace(0, 2 * np.pi, cells * 24)
        tooth = np.abs(((t * cells / np.pi) % 2) - 1) - 0.5  # up and down, once a cell
        if noise.random() < 0.4:
            tooth = np.sin(t * cells) / 2
        for number in range(rings):
            wide = half * (1 + flare * abs(number - rings / 2) / max(rings, 1))
            sign = -1 if number % 2 and noise.random() < 0.9 else 1
            is_front = np.cos(t + phase) > -0.05
            reach = np.sin(t + phase) * wide
            way = number * gap + tooth * high * sign
            path = at + np.outer(way, along) + np.outer(reach + bend * way**2, across)
            ends = np.flatnonzero(np.diff(is_front.astype(int)))
            for piece in np.split(np.arange(len(t)), ends + 1):
                if len(piece) > 1:
                    shown = level if is_front[piece[0]] else level * depth
                    if shown:
                        line(image, path[piece], shown * noise.uniform(0.9, 1), thick)
        if noise.random() < 0.3:  # what tells its ends from afar
            for end in (0.0, rings * gap):
                for side in (-1, 0, 1):
                    dot = at + along * end + across * half * side
                    ellipse(image, (dot[0], dot[1]), (thick + 1, thick + 1), level)
    return as_section(noise, image) if is_section else finished(noise, image)


def brackets(noise: Generator) -> Base:
    """Arcs, hooks and bows one beside another, open to one side or to both: staples, braces, clamps."""
    image = ground(noise)
    for _ in range(int(noise.integers(2, 7))):
        at, along, across = axes(noise, image)
        size, gap = noise.uniform(5, 26), noise.uniform(0.5, 2.4)
        kinds = noise.integers(0, 7, int(noise.integers(1, 4)))
        open_by, squeeze = noise.uniform(1.2, 5.2), noise.uniform(0.25, 1.1)
        thick, wobble = (
            int(noise.integers(1, max(int(size / 4), 1) + 1)),
            noise.choice([0, 0.1, 0.3]),
        )
        curve, count = noise.normal(0, 0.01), int(noise.integers(2, 13))
        lean, turned = noise.choice([0.0, 0.3, 1.2]), noise.uniform(0, 6)
        is_mirrored = noise.random() < 0.3
        for number in range(count):
            way = number * gap * size
            middle = at + along * way + across * (curve * way**2 / size)
            middle = middle + noise.normal(0, wobble, 2) * size * 0.3
            angle = turned + noise.normal(0, 1) * lean * wobble
            own = along * np.cos(angle) + across * np.sin(angle)
            side = np.array((-own[1], own[0])) * (-1 if is_mirrored and number % 2 else 1)
            shape = _bow(int(kinds[number % len(kinds)]), open_by, squeeze)
            path = middle + np.outer(shape[:, 0], own * size) + np.outer(shape[:, 1], side * size)
            line(image, path, noise.uniform(0.88, 1), thick)
        if noise.random() < 0.3:  # the wire that they sit on
            t = np.linspace(-size, count * gap * size, 40)
            line(image, at + np.outer(t, along) + np.outer(curve * t**2 / size, across), 0.9, 1)
    return finished(noise, image)


def _bow(kind: int, open_by: float, squeeze: float) -> Points:
    """Return an arc, a staple open or closed, a hook, a wave, a cross with a foot, a ring with a tail."""
    t = np.linspace(0, 1, 24)
    if kind == 0:
        turn = (t - 0.5) * open_by
        return np.stack((np.cos(turn) * 0.5, np.sin(turn) * 0.5 * squeeze), axis=1)
    if kind == 1:
        return np.array(((-0.5, squeeze), (-0.5, 0), (0.5, 0), (0.5, squeeze)))
    if kind == 2:  # as a stapler closes it
        return np.array(
            ((-0.05, 0.15), (-0.2, 0.4), (-0.5, 0.35), (-0.5, 0), (0.5, 0), (0.5, 0.35), (0.2, 0.4))
        )
    if kind == 3:
        turn = t * open_by
        return np.stack((np.cos(turn) * (1 - t * 0.5), np.sin(turn) * squeeze), axis=1) * 0.5
    if kind == 4:
        return np.stack((t - 0.5, np.sin(t * open_by * 2) * 0.4 * squeeze), axis=1)
    if kind == 5:
        return np.array(((0, -0.5), (0, 0.5), (0, 0), (-0.4, 0), (0.4, 0), (0.4, squeeze * 0.4)))
    turn = t * 2 * np.pi
    ring = np.stack((np.cos(turn) * 0.35, np.sin(turn) * 0.35 * squeeze), axis=1)
    return np.concatenate((ring, ((0.7, 0.1 * open_by),)))


def plates(noise: Generator) -> Base:
    """Plates with holes and slots, waisted between them, with screws in some, straight and bent."""
    image = ground(noise)
    for _ in range(int(noise.integers(1, 5))):
        at, along, across = axes(noise, image)
        half, count = noise.uniform(4, 20), int(noise.integers(2, 14))
        pitch, bend = half * noise.uniform(1.6, 3.2), noise.normal(0, 0.004)
        hole, long = half * noise.uniform(0.3, 0.75), noise.choice([1.0, 1.0, 1.6])
        waist, level = noise.uniform(0.3, 1.0), noise.uniform(0.75, 1)
        is_outlined, used = noise.random() < 0.3, noise.uniform(0, 1)
        way = np.arange(count) * pitch
        middles = at + np.outer(way, along) + np.outer(bend * way**2, across)
        angle = float(np.degrees(np.arctan2(along[1], along[0])))
        line(image, middles, level, max(int(2 * half * waist), 1))
        for middle in middles:
            place = (float(middle[0]), float(middle[1]))
            ring = int(noise.integers(1, 3)) if is_outlined else -1
            ellipse(image, place, (half * long, half), level, angle=angle, thickness=ring)
        for middle in middles:
            place = (float(middle[0]), float(middle[1]))
            ellipse(image, place, (hole * long, hole), level * noise.uniform(0.1, 0.6), angle=angle)
            if noise.random() < used:
                ellipse(image, place, (hole * 0.8, hole * 0.8), 1)
                if noise.random() < 0.7:
                    turn = noise.uniform(0, np.pi)
                    arm = np.array((np.cos(turn), np.sin(turn))) * hole * 0.6
                    line(image, np.array((middle - arm, middle + arm)), 0.4, 1)
                    if noise.random() < 0.5:
                        other = arm[::-1] * (-1, 1)
                        line(image, np.array((middle - other, middle + other)), 0.4, 1)
                elif noise.random() < 0.6:
                    tip = middle + across * half * noise.uniform(2, 5)
                    line(image, np.array((middle, tip)), 1, max(int(hole * 0.7), 1))
    return finished(noise, image)


def catheters(noise: Generator) -> Base:
    """Curled ends, side holes, braids, rings and wires within, connectors and studs of leads outside."""
    image = ground(noise)
    rows, columns = image.shape
    for _ in range(int(noise.integers(2, 7))):
        start = (columns * noise.uniform(0.1, 0.8), rows * noise.uniform(0.1, 0.8))
        path = wander(
            noise, start, noise.uniform(0, 6.3), 200, step=1.2, bend=noise.uniform(0, 0.03)
        )
        level, thick = noise.uniform(0.6, 1), int(noise.integers(1, 6))
        if noise.random() < 0.5:  # a tail of a pig
            turns, size = noise.uniform(1, 3.5) * np.pi, noise.uniform(4, 18)
            t = np.linspace(0, turns, 60)
            reach = size * (1 - 0.5 * t / turns)
            curl = np.stack((np.cos(t) * reach - size, np.sin(t) * reach), axis=1)
            path = np.concatenate((path[::-1], path[0] + curl))
        line(image, path, level, thick)
        if thick > 2 and noise.random() < 0.6:
            line(image, path, level * noise.uniform(0.2, 0.8), thick - 2)
        pitch, size = int(noise.integers(4, 22)), noise.uniform(1.5, 8)
        kind = int(noise.integers(0, 4))
        first, last = int(noise.integers(0, 60)), int(noise.integers(80, 190))
        for number, place in enumerate(range(first, last, pitch)):
            ahead = path[place + 2] - path[place]
            ahead = ahead / max(float(np.hypot(*ahead)), 1e-6)
            side = np.array((-ahead[1], ahead[0]))
            middle = path[place]
            if kind == 0:  # rings
                line(image, np.array((middle - side * size, middle + side * size)), 1, 2)
            elif kind == 1:  # holes by turns
                hole = middle + side * thick * (0.4 if number % 2 else -0.4)
                ellipse(image, (hole[0], hole[1]), (size * 0.4, size * 0.4), 0.2)
            elif kind == 2:  # studs with a snap
                ellipse(image, (middle[0], middle[1]), (size, size), 0.9, thickness=2)
                ellipse(image, (middle[0], middle[1]), (size * 0.4, size * 0.4), 1)
            else:  # braid
                ends = np.array((-ahead - side, ahead + side)) * size / 2
                line(image, middle + ends, 1, 1)
                line(image, middle + ends * (1 if number % 2 else -1) @ _QUARTER, 1, 1)
    return finished(noise, image)


_QUARTER = np.array(((0.0, 1.0), (-1.0, 0.0)))


def zigzags(noise: Generator) -> Base:
    """Saw teeth, waves with corners and round ones, even and uneven, single, doubled and on rails."""
    image = ground(noise)
    for _ in range(int(noise.integers(2, 7))):
        at, along, across = axes(noise, image)
        half, count = noise.uniform(3, 20), int(noise.integers(4, 50))
        pitch, uneven = noise.uniform(0.3, 1.8) * half, noise.choice([0.0, 0.1, 0.35])
        kind, thick = int(noise.integers(0, 5)), int(noise.integers(1, 4))
        level, skew = noise.uniform(0.8, 1), noise.uniform(0.05, 0.95)
        foot = np.cumsum(pitch * np.maximum(1 + noise.normal(0, 1, count) * uneven, 0.2))
        high = half * (1 + noise.normal(0, 1, count) * uneven)
        growing = np.linspace(1, noise.uniform(0.4, 1.6), count)
        points = []
        for number in range(count - 1):
            wide, top = foot[number + 1] - foot[number], high[number] * growing[number]
            own = (
                ((0, -top), (skew * wide, top)),
                ((0, -top), (0, top), (wide / 2, top), (wide / 2, -top)),
                ((0, -top), (skew * wide * 0.5, top), (skew * wide, top), (0.95 * wide, -top)),
                tuple((wide * s, top * np.sin(s * 2 * np.pi)) for s in np.linspace(0, 0.9, 10)),
                ((0, 0), (0.2 * wide, top), (0.3 * wide, -top * skew), (0.45 * wide, 0)),
            )[kind]
            points += [(foot[number] + way, reach) for way, reach in own]
        way, reach = np.array(points).T
        for copy in range(int(noise.choice([1, 1, 2, 3]))):
            shift = across * half * noise.uniform(0.1, 2.4) * copy
            sign = noise.choice([-1, 1]) if copy else 1
            path = at + shift + np.outer(way, along) + np.outer(reach * sign, across)
            line(image, path, level, thick)
        for side in (-1, 1):
            if noise.random() < 0.25:
                rail = np.array((foot[0], foot[-1]))[:, None] * along + at + across * half * side
                line(image, rail, level, int(noise.integers(1, 4)))
    return finished(noise, image)


def repeats(noise: Generator) -> Base:
    """One part of a few strokes again and again, or two by turns: mirrored, turned, grown, worn, cut off."""
    image = ground(noise)
    for _ in range(int(noise.integers(2, 6))):
        at, along, across = axes(noise, image)
        size, count = noise.uniform(6, 30), int(noise.integers(3, 16))
        pitch, thick = size * noise.uniform(0.5, 1.9), int(noise.integers(1, max(int(size / 5), 2)))
        parts = [_strokes(noise) for _ in range(int(noise.choice([1, 1, 1, 2])))]
        kind, worn = int(noise.integers(0, 5)), noise.choice([0.0, 0.0, 0.05, 0.12])
        level = noise.uniform(0.8, 1)
        for number in range(count):
            way = pitch * number
            own, side = along, across
            if kind == 1 and number % 2:
                own = -along
            elif kind == 2:
                angle = number * 0.3
                own = along * np.cos(angle) + across * np.sin(angle)
                side = np.array((-own[1], own[0]))
            elif kind == 3:
                own, side = along * (1 - 0.03 * number), across * (1 - 0.03 * number)
            for stroke in parts[number % len(parts)]:
                if noise.random() < worn:
                    continue
                bent = stroke + noise.normal(0, 1, stroke.shape) * worn * 0.5
                middle = at + along * way
                path = middle + np.outer(bent[:, 0], own * size) + np.outer(bent[:, 1], side * size)
                line(image, path, level, thick)
        if noise.random() < 0.3:
            shift = across * size * noise.choice([-0.5, 0, 0.5])
            rail = np.array((at + shift, at + along * pitch * (count - 1) + shift))
            line(image, rail, level, int(noise.integers(1, 4)))
    return finished(noise, image)


def _strokes(noise: Generator) -> list[Points]:
    """Return strokes of one part, straight and bent, within half of a unit."""
    strokes: list[Points] = []
    for _ in range(int(noise.integers(1, 4))):
        if noise.random() < 0.4:
            t = np.linspace(0, noise.uniform(1, 6.5), 20) + noise.uniform(0, 6)
            centre, reach = noise.uniform(-0.15, 0.15, 2), noise.uniform(0.15, 0.45, 2)
            strokes.append(centre + np.stack((np.cos(t), np.sin(t)), axis=1) * reach)
        else:
            strokes.append(noise.uniform(-0.5, 0.5, (int(noise.integers(2, 5)), 2)))
    return strokes


def shoots(noise: Generator) -> Base:
    """Vessels that a threshold cut to pieces: in shades of one colour on grey, and bright on a section."""
    rows, columns = (int(side) for side in noise.choice([256, 320, 448, 512], 2))
    flow = canvas(rows, columns)
    for _ in range(int(noise.integers(1, 4))):
        width = noise.uniform(3, 12)
        branches(noise, flow, 1.0, roots=int(noise.integers(1, 4)), width=width)
    field = soft(noise, rows, columns, noise.uniform(4, 30))
    flow = np.where(field > noise.uniform(0.1, 0.6), flow, 0)
    under = soft(noise, rows, columns, noise.uniform(6, 60)) * noise.uniform(0.05, 0.5)
    under = grain(noise, under, noise.uniform(0.005, 0.04))
    if noise.random() < 0.4:
        modality = str(noise.choice(["MR", "XA"]))
        return grey(np.maximum(under, flow * noise.uniform(0.6, 1)), modality)
    shades = soft(noise, rows, columns, noise.uniform(3, 20))
    table = int(noise.choice([cv2.COLORMAP_HOT, cv2.COLORMAP_JET, cv2.COLORMAP_AUTUMN]))
    shown = ((0.4 + 0.6 * shades) * 255).astype(np.uint8)
    mapped = cv2.applyColorMap(shown, table)[..., ::-1] / 255
    image = np.repeat(under[..., None], 3, axis=2)
    is_flow = flow > noise.uniform(0.2, 0.8)
    return colour(np.where(is_flow[..., None], mapped, image), str(noise.choice(["US", "MR"])))
