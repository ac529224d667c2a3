"""What lies in bodies or beside them: implants, phantoms, rulers, grids. Nothing is written on any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from tests.benchmarks.pixels.textless.anatomy import radiograph
from tests.benchmarks.pixels.textless.drawing import (
    canvas,
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

    from tests.benchmarks.pixels.bases import Base
    from tests.benchmarks.pixels.textless.drawing import Canvas


def _ground(noise: Generator) -> Canvas:
    rows, columns = int(noise.choice([420, 512, 800, 1200])), int(noise.choice([420, 512, 800]))
    return radiograph(noise, rows, columns)


def stents(noise: Generator) -> Base:
    """Meshes of thin wire along a bent line."""
    image = _ground(noise)
    rows, columns = image.shape
    for _ in range(int(noise.integers(1, 4))):
        start = (columns * noise.uniform(0.2, 0.6), rows * noise.uniform(0.2, 0.7))
        heading, radius = noise.uniform(-1, 1), noise.uniform(6, 22)
        centre = wander(noise, start, heading, 60, step=noise.uniform(1.5, 3), bend=0.02)
        normal = np.array((-np.sin(heading), np.cos(heading)))
        for phase in np.linspace(0, 2 * np.pi, int(noise.integers(3, 8)), endpoint=False):
            for sign in (-1, 1):
                swing = np.sin(np.arange(60) * noise.choice([0.3, 0.5]) * sign + phase)
                line(image, centre + swing[:, None] * normal * radius, 0.95, 1)
    return grey(grain(noise, image, 0.012), "XA")


def clips(noise: Generator) -> Base:
    """Short bright bars, V shapes and staples, single and in rows."""
    image = _ground(noise)
    rows, columns = image.shape
    for _ in range(int(noise.integers(2, 8))):
        at = np.array((columns * noise.uniform(0.1, 0.8), rows * noise.uniform(0.1, 0.9)))
        angle, size = noise.uniform(0, np.pi), noise.uniform(5, 16)
        gap, kind = size * noise.uniform(0.8, 1.8), int(noise.integers(0, 4))
        along = np.array((np.cos(angle), np.sin(angle)))
        across = np.array((-along[1], along[0]))
        for number in range(int(noise.integers(1, 9))):
            foot = at + along * gap * number
            shapes = (
                (foot, foot + across * size),
                (foot, foot + across * size + along * size * 0.4, foot + along * size * 0.8),
                (foot + across * size * 0.5, foot, foot + along * size * 0.7,
                 foot + along * size * 0.7 + across * size * 0.5),
                (foot, foot + across * size * 0.6 + along * size * 0.3),
            )  # fmt: skip
            line(image, np.array(shapes[kind]), 1.0, int(noise.integers(1, 4)))
    return grey(grain(noise, image, 0.012), str(noise.choice(["DX", "CR", "RF"])))


def wires(noise: Generator) -> Base:
    """Sternal wires, leads with electrodes, catheters, a generator's can."""
    image = _ground(noise)
    rows, columns = image.shape
    for number in range(int(noise.integers(2, 7))):
        at = (columns * 0.5, rows * (0.2 + 0.1 * number))
        size = noise.uniform(6, 14)
        ellipse(image, at, (size, size * 0.6), 1, thickness=2)
        for sign in (-1, 1):
            end = (at[0] + sign * size * 0.7, at[1] + size)
            line(image, np.array((at, end)), 1, 2)
    for _ in range(3):
        lead = wander(
            noise,
            (columns * 0.2, rows * 0.2),
            noise.uniform(0, 1.5),
            80,
            step=rows / 120,
            bend=0.12,
        )
        line(image, lead, 0.85, int(noise.integers(1, 4)))
        for tip in lead[-1:-20:-6]:
            ellipse(image, (float(tip[0]), float(tip[1])), (4, 3), 1)
    cv2.rectangle(image, (columns // 10, rows // 10), (columns // 4, rows // 5), 0.95, -1)
    return grey(grain(noise, image, 0.012), "DX")


def screws(noise: Generator) -> Base:
    """Plates with holes, threaded screws, dental posts."""
    image = _ground(noise)
    rows, columns = image.shape
    for _ in range(int(noise.integers(1, 4))):
        at = (columns * noise.uniform(0.1, 0.5), rows * noise.uniform(0.2, 0.8))
        long, wide = columns * 0.35, noise.uniform(10, 24)
        cv2.rectangle(
            image, (int(at[0]), int(at[1])), (int(at[0] + long), int(at[1] + wide)), 0.9, -1
        )
        holes = int(noise.integers(3, 10))
        for hole in range(holes):
            x = at[0] + long * (hole + 0.5) / holes
            ellipse(image, (x, at[1] + wide / 2), (wide * 0.28, wide * 0.28), 0.4)
            if noise.random() < 0.6:
                length = noise.uniform(30, 70)
                line(image, np.array(((x, at[1] + wide), (x, at[1] + wide + length))), 0.95, 4)
                for turn in np.arange(0, length, 5):
                    y = at[1] + wide + turn
                    line(image, np.array(((x - 5, y), (x + 5, y + 2))), 1, 1)
    return grey(grain(noise, image, 0.01), "DX")


def coils_and_electrodes(noise: Generator) -> Base:
    """Embolisation coils, rows and grids of electrodes in CT."""
    side = 512
    image = canvas(side, side, -1000)
    ellipse(image, (side / 2, side / 2), (side * 0.35, side * 0.42), 1200)
    ellipse(image, (side / 2, side / 2), (side * 0.33, side * 0.4), 35)
    for _ in range(3):
        at = (side * noise.uniform(0.3, 0.7), side * noise.uniform(0.3, 0.7))
        angle, pitch = noise.uniform(0, np.pi), noise.uniform(7, 14)
        for number in range(int(noise.integers(4, 12))):
            x, y = at[0] + pitch * number * np.cos(angle), at[1] + pitch * number * np.sin(angle)
            ellipse(image, (x, y), (2.2, 2.2), 3000)
    for _ in range(2):
        at = (side * noise.uniform(0.3, 0.7), side * noise.uniform(0.3, 0.7))
        t = np.linspace(0, 14 * np.pi, 240)
        loops = np.stack((at[0] + 9 * np.cos(t) + t * 0.4, at[1] + 7 * np.sin(t * 1.07)), axis=1)
        line(image, loops, 3000, 1)
    for angle in np.linspace(0, np.pi, 12):
        spread = np.array((np.cos(angle), np.sin(angle))) * side * 0.3
        streak = canvas(side, side)
        line(streak, np.array((np.array(at) - spread, np.array(at) + spread)), 1, 3)
        image += noise.uniform(-150, 150) * cv2.GaussianBlur(streak, (0, 0), 2)
    return hounsfield(grain(noise, image, 15), centre=60, width=noise.choice([200, 2000]))


def phantom(noise: Generator) -> Base:
    """Return rods, bar patterns and wedges in a round or square body, small matrices too."""
    side = int(noise.choice([64, 96, 128, 256, 256, 512]))
    image = canvas(side, side)
    ellipse(image, (side / 2, side / 2), (side * 0.44, side * 0.44), 0.6)
    kind = int(noise.integers(0, 4))
    if kind == 0:
        pitch = side / noise.uniform(9, 16)
        for row in np.arange(side * 0.25, side * 0.75, pitch):
            for column in np.arange(side * 0.25, side * 0.75, pitch):
                ellipse(image, (column, row), (pitch * 0.28, pitch * 0.28), 0.05)
    elif kind == 1:
        for group in range(5):
            pitch = max(side / 22 / (1 + group * 0.5), 2)
            for bar in range(4):
                x, y = side * (0.25 + 0.1 * group) + 0, side * 0.3 + bar * pitch * 2
                line(image, np.array(((x, y), (x + side * 0.07, y))), 0.1, max(int(pitch), 1))
    elif kind == 2:
        for number in range(10):
            angle = number * np.pi / 5
            at = (side / 2 + side * 0.3 * np.cos(angle), side / 2 + side * 0.3 * np.sin(angle))
            size = side * (0.01 + 0.006 * number)
            ellipse(image, at, (size, size), noise.uniform(0, 1))
    else:
        for line_at in np.arange(0.2, 0.81, 0.1):
            line(
                image,
                np.array(((side * line_at, side * 0.2), (side * line_at, side * 0.8))),
                0.15,
                1,
            )
            line(
                image,
                np.array(((side * 0.2, side * line_at), (side * 0.8, side * line_at))),
                0.15,
                1,
            )
    image = cv2.GaussianBlur(image, (0, 0), max(side / 500, 0.5))
    return grey(
        grain(noise, image, noise.uniform(0.005, 0.06)), str(noise.choice(["MR", "CT", "NM"]))
    )


def line_pairs(noise: Generator) -> Base:
    """Return a resolution test: groups of bars that grow finer, and a step wedge."""
    rows, columns = int(noise.choice([600, 1024])), int(noise.choice([600, 1024]))
    image = canvas(rows, columns, 0.3)
    x = columns * 0.1
    for group in range(14):
        pitch = max(14 - group, 2)
        for bar in range(4):
            cv2.rectangle(
                image, (int(x), int(rows * 0.3)), (int(x + pitch / 2), int(rows * 0.45)), 0.9, -1
            )
            x += pitch
            if bar == 3:
                x += 12
    for step in range(11):
        at = (int(columns * (0.1 + 0.07 * step)), int(rows * 0.6))
        cv2.rectangle(
            image, at, (at[0] + int(columns * 0.07), at[1] + int(rows * 0.1)), step / 10, -1
        )
    return grey(grain(noise, image, 0.01), "DX")


def rulers(noise: Generator) -> Base:
    """Ticks of one, five and ten along an edge, without figures."""
    image = _ground(noise)
    rows, columns = image.shape
    pitch = noise.uniform(5, 12)
    is_down = noise.random() < 0.6
    length = rows if is_down else columns
    at = (columns if is_down else rows) * noise.uniform(0.1, 0.9)
    for number, place in enumerate(np.arange(length * 0.1, length * 0.9, pitch)):
        size = 18 if number % 10 == 0 else 12 if number % 5 == 0 else 6
        ends = np.array(((at, place), (at + size, place)))
        line(image, ends if is_down else ends[:, ::-1], 1.0, int(noise.integers(1, 3)))
    if noise.random() < 0.5:
        ends = np.array(((at, length * 0.1), (at, length * 0.9)))
        line(image, ends if is_down else ends[:, ::-1], 1.0, 1)
    return grey(grain(noise, image, 0.01), str(noise.choice(["DX", "RF", "CT"])), bits=8)


def grids(noise: Generator) -> Base:
    """Return a localiser's or a calibration's grid of lines, crosses or dots."""
    image = _ground(noise)
    rows, columns = image.shape
    pitch = int(noise.integers(14, 70))
    kind = int(noise.integers(0, 3))
    for row in range(pitch, rows, pitch):
        for column in range(pitch, columns, pitch):
            if kind == 0:
                line(image, np.array(((column - 4, row), (column + 4, row))), 1, 1)
                line(image, np.array(((column, row - 4), (column, row + 4))), 1, 1)
            elif kind == 1:
                ellipse(image, (column, row), (2, 2), 1)
    if kind == 2:
        image[::pitch] = 0.95
        image[:, ::pitch] = 0.95
    return grey(grain(noise, image, 0.01), "RTIMAGE", bits=8)


def noise_only(noise: Generator) -> Base:
    """Nothing but noise, fine or coarse, 64 to 512 pixels."""
    side = int(noise.choice([64, 96, 128, 256, 512]))
    coarse = float(noise.choice([0.0, 0.7, 1.2, 2.0]))
    return grey(grain(noise, canvas(side, side, 0.3), noise.uniform(0.03, 0.15), coarse), "MR")


def collimated(noise: Generator) -> Base:
    """Blades round a field, a circular iris, and a shutter's edge."""
    image = _ground(noise)
    rows, columns = image.shape
    border = int(min(rows, columns) * noise.uniform(0.05, 0.2))
    image[:border] = image[-border:] = 0.02
    image[:, :border] = image[:, -border:] = 0.02
    turned = cv2.getRotationMatrix2D((columns / 2, rows / 2), noise.uniform(-8, 8), 1)
    image = np.asarray(cv2.warpAffine(image, turned, (columns, rows)), np.float32)
    lines = soft(noise, rows, columns, 3) * 0.05
    return grey(grain(noise, image + lines, 0.015), "RF", inverted=bool(noise.random() < 0.4))
