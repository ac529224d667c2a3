"""What is made of parts, alike or not: threads, chains, combs, springs, meshes, staples, patches of colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from tests.benchmarks.pixels.textless.anatomy import radiograph
from tests.benchmarks.pixels.textless.drawing import colour, ellipse, grain, grey, line, soft

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from tests.benchmarks.pixels.bases import Base
    from tests.benchmarks.pixels.textless.drawing import Canvas


def _ground(noise: Generator) -> Canvas:
    rows, columns = int(noise.choice([320, 512, 768, 1024])), int(noise.choice([320, 512, 768]))
    return radiograph(noise, rows, columns)


def _finished(noise: Generator, image: Canvas) -> Base:
    modality = str(noise.choice(["DX", "CR", "XA", "RF"]))
    return grey(grain(noise, image, noise.uniform(0.005, 0.03)), modality)


def _place(noise: Generator, image: Canvas) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return a point, and steps of a pixel along a direction and across it; upright ones are common."""
    rows, columns = image.shape
    at = np.array((columns * noise.uniform(0.1, 0.7), rows * noise.uniform(0.1, 0.7)))
    angle = noise.choice([0.0, np.pi / 2, noise.uniform(0, np.pi)])
    along = np.array((np.cos(angle), np.sin(angle)))
    return at, along, np.array((-along[1], along[0]))


def rows_of_parts(noise: Generator) -> Base:
    """One small part after the other, all alike, at one distance, on a rail or none."""
    image = _ground(noise)
    for _ in range(int(noise.integers(2, 6))):
        at, along, across = _place(noise, image)
        size, count = noise.uniform(5, 22), int(noise.integers(3, 14))
        pitch = size * noise.uniform(0.7, 2.2)
        corners = noise.uniform(-0.5, 0.5, (int(noise.integers(2, 6)), 2))
        is_ring, level = noise.random() < 0.3, noise.uniform(0.8, 1)
        thick = int(noise.integers(1, max(int(size / 4), 2) + 1))
        wobble = noise.choice([0.0, 0.0, 0.08])
        for number in range(count):
            middle = at + along * pitch * number + noise.normal(0, 1, 2) * wobble * size
            if is_ring:
                ellipse(
                    image, (middle[0], middle[1]), (size / 2, size * 0.35), level, thickness=thick
                )
            points = middle + size * (corners[:, :1] * along + corners[:, 1:] * across)
            line(image, points, level, thick)
        if noise.random() < 0.4:
            shift = across * size * noise.choice([-0.6, 0, 0.6])
            rail = np.array((at + shift, at + along * pitch * (count - 1) + shift))
            line(image, rail, level, int(noise.integers(1, 4)))
    return _finished(noise, image)


def mixed_parts(noise: Generator) -> Base:
    """Parts that are not quite alike: staples and clips each turned its own way, loops on leads, fragments."""
    image = _ground(noise)
    for _ in range(int(noise.integers(2, 6))):
        at, along, across = _place(noise, image)
        size, count = noise.uniform(6, 26), int(noise.integers(2, 9))
        kind, turn = int(noise.integers(0, 4)), noise.choice([0.1, 0.4, 1.2])
        thick = int(noise.integers(1, max(int(size / 5), 1) + 1))
        lead = noise.normal(0, 0.3, 2)
        if kind == 1 or noise.random() < 0.3:
            t = np.linspace(-1, count + 1, 40)
            swing = np.sin(t * lead[0] * 4) * size * noise.uniform(0, 0.8)
            line(image, at + np.outer(t * size * 1.4, along) + np.outer(swing, across), 0.9, thick)
        for number in range(count):
            shift = along * noise.normal(0, 0.25) + across * noise.normal(0, 0.2)
            middle = at + along * size * 1.4 * number + shift * size
            angle = noise.normal(0, turn)
            own = np.cos(angle) * along + np.sin(angle) * across
            side = np.array((-own[1], own[0]))
            much = size * noise.uniform(0.7, 1.2)
            _part(noise, image, kind, middle, own * much, side * much, thick)
    return _finished(noise, image)


def _part(
    noise: Generator,
    image: Canvas,
    kind: int,
    middle: NDArray[Any],
    own: NDArray[Any],
    side: NDArray[Any],
    thick: int,
) -> None:
    """Draw a staple or clip, a twisted loop of wire, a fragment, or a coil's turn."""
    level = noise.uniform(0.85, 1)
    if kind == 0:
        legs = noise.uniform(0.1, 0.9, 2)
        corners = ((-0.5, legs[0]), (-0.5, 0), (0.5, 0), (0.5, legs[1]))
        line(image, np.array([middle + a * own + b * side for a, b in corners]), level, thick)
    elif kind == 1:
        t = np.linspace(0, 2 * np.pi, 24)
        loop = middle + np.outer(np.cos(t) * 0.5, own) + np.outer(np.sin(t) * 0.35, side)
        line(image, loop, level, thick)
        for sign in (-0.15, 0.2):
            line(image, np.array((middle + 0.35 * side, middle + side + sign * own)), level, thick)
    elif kind == 2:
        points = [
            middle + a * own + b * side
            for a, b in noise.uniform(-0.5, 0.5, (int(noise.integers(3, 7)), 2))
        ]
        hull = cv2.convexHull(np.round(points).astype(np.int32))
        cv2.fillConvexPoly(image, hull, level, cv2.LINE_AA)
    else:
        t = np.linspace(0, noise.uniform(3, 14), 40)
        reach = np.linspace(0.5, noise.uniform(0.1, 0.5), 40)
        coil = middle + np.outer(np.cos(t) * reach, own) + np.outer(np.sin(t) * reach, side)
        line(image, coil, level, thick)


def threads(noise: Generator) -> Base:
    """Rods with threads, springs, saw teeth, drills, cages with windows."""
    image = _ground(noise)
    for _ in range(int(noise.integers(2, 6))):
        at, along, across = _place(noise, image)
        length, half = noise.uniform(30, 220), noise.uniform(3, 14)
        pitch = noise.uniform(3, 9)
        steps = np.arange(0, length, pitch)
        kind = int(noise.integers(0, 4))
        if kind == 0:
            line(image, np.array((at, at + along * length)), 0.95, max(int(half), 1))
            for step in steps:
                lean = along * noise.choice([0, pitch * 0.4])
                ends = (at + along * step - across * half, at + along * step + across * half + lean)
                line(image, np.array(ends), 1, 1)
        elif kind == 1:
            t = np.linspace(0, length / pitch * 2 * np.pi, int(length * 3))
            path = at + np.outer(t / t[-1] * length, along) + np.outer(np.sin(t) * half, across)
            path += np.outer(np.cos(t) * pitch * noise.choice([0, 0.8]), along)
            line(image, path, 0.95, int(noise.integers(1, 3)))
        elif kind == 2:
            signs = np.where(np.arange(len(steps)) % 2, 1.0, -1.0) * half
            line(image, at + np.outer(steps, along) + np.outer(signs, across), 1, 2)
        else:
            for sign in (-1, 1):
                edge = at + across * half * sign
                line(image, np.array((edge, edge + along * length)), 1, 2)
            for step in steps[:: int(noise.integers(1, 4))]:
                foot = at + along * step
                line(image, np.array((foot - across * half, foot + across * half)), 1, 1)
    return _finished(noise, image)


def patches(noise: Generator) -> Base:
    """Patches of colour with sharp edges on shades of grey: activation, flow, labels of a segmentation."""
    rows, columns = int(noise.choice([256, 384, 512])), int(noise.choice([256, 384, 640]))
    under = soft(noise, rows, columns, noise.uniform(6, 60)) * noise.uniform(0.2, 0.8)
    image = np.repeat(grain(noise, under, 0.03)[..., None], 3, axis=2)
    active = soft(noise, rows, columns, noise.uniform(10, 50))
    table = int(
        noise.choice([cv2.COLORMAP_JET, cv2.COLORMAP_HOT, cv2.COLORMAP_RAINBOW, cv2.COLORMAP_HSV])
    )
    shades = active if noise.random() < 0.6 else np.floor(active * noise.integers(3, 9)) / 8
    mapped = cv2.applyColorMap((shades * 255).astype(np.uint8), table)[..., ::-1] / 255
    shown = active > noise.uniform(0.55, 0.9)
    if noise.random() < 0.4:  # nearest neighbours of a coarse matrix
        small = shown[::4, ::4].astype(np.uint8)
        shown = cv2.resize(small, (columns, rows), interpolation=cv2.INTER_NEAREST) > 0
    return colour(np.where(shown[..., None], mapped, image), str(noise.choice(["US", "MR", "PT"])))


def meshes(noise: Generator) -> Base:
    """Lattices, filters and nets, straight and bent, whole and in part."""
    image = _ground(noise)
    for _ in range(int(noise.integers(1, 5))):
        at, along, across = _place(noise, image)
        length, half = noise.uniform(40, 240), noise.uniform(6, 40)
        cell, bend = noise.uniform(4, 14), noise.normal(0, 0.002)
        step = np.arange(0, length, 1.5)
        for start in np.arange(0, 2 * half, cell):
            for sign in (-1, 1):
                swing = (
                    2 * half / np.pi * np.arcsin(np.sin((step * sign + start) * np.pi / 2 / half))
                )
                path = at + np.outer(step, along) + np.outer(swing + bend * step**2, across)
                line(image, path, noise.uniform(0.85, 1), 1)
    return _finished(noise, image)


def closures(noise: Generator) -> Base:
    """Draw what clothes and mouths hold: zips, chains, buttons, hooks, braces."""
    image = _ground(noise)
    for _ in range(int(noise.integers(1, 4))):
        at, along, across = _place(noise, image)
        kind, size = int(noise.integers(0, 4)), noise.uniform(4, 14)
        for number in range(int(noise.integers(6, 26))):
            foot = at + along * size * 1.3 * number
            middle = (float(foot[0]), float(foot[1]))
            if kind == 0:
                side = across * size * (0.6 if number % 2 else -0.6)
                line(image, np.array((foot, foot + side)), 1, max(int(size / 3), 1))
            elif kind == 1:
                turned = float(np.degrees(np.arctan2(along[1], along[0])))
                axes = (size * 0.8, size * (0.45 if number % 2 else 0.15))
                ellipse(image, middle, axes, 0.95, angle=turned, thickness=2)
            elif kind == 2 and number % 3 == 0:
                ellipse(image, middle, (size, size), 0.7)
                for sign in (-1, 1):
                    hole = foot + across * size * 0.3 * sign
                    ellipse(
                        image, (float(hole[0]), float(hole[1])), (size * 0.15, size * 0.15), 0.3
                    )
            elif kind == 3:
                left, top = (int(edge) for edge in foot - size * 0.35)
                right, bottom = int(left + size * 0.7), int(top + size * 0.7)
                cv2.rectangle(image, (left, top), (right, bottom), 1, -1)
                line(image, np.array((foot, foot + along * size * 1.3)), 0.95, 1)
    return _finished(noise, image)
