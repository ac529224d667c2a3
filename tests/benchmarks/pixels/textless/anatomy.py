"""Sections and projections of bodies. Each maker returns one frame for a source of random numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from tests.benchmarks.pixels.textless.drawing import (
    branches,
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


def brain(noise: Generator, side: int) -> Canvas:
    """Return a section of a head: skull, folded cortex, ventricles; 0 to 1."""
    image = canvas(side, side)
    middle = (side / 2 + noise.uniform(-1, 1), side / 2)
    wide, tall = side * noise.uniform(0.32, 0.38), side * noise.uniform(0.38, 0.45)
    ellipse(image, middle, (wide, tall), 0.75)
    ellipse(image, middle, (wide * 0.93, tall * 0.93), 0.12)
    ellipse(image, middle, (wide * 0.87, tall * 0.87), 0.5)
    inside = image > 0.4
    folds = soft(noise, side, side, max(side / noise.uniform(18, 34), 2))
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    depth = np.hypot((x - middle[0]) / wide, (y - middle[1]) / tall)
    ridges = np.abs(folds - 0.5) < 0.09
    image = np.where(
        inside & ridges & (depth > 0.35), 0.25, image + (inside * 0.25 * (folds - 0.5))
    )
    for sign in (-1, 1):
        at = (middle[0] + sign * wide * 0.17, middle[1] - tall * 0.08)
        ellipse(image, at, (wide * 0.1, tall * 0.24), 0.15, angle=-sign * 15)
    image = np.asarray(image, np.float32)
    line(image, np.array(((middle[0], middle[1] - tall * 0.85), middle)), 0.2, max(side // 160, 1))
    return cv2.GaussianBlur(image, (0, 0), max(side / 400, 0.45))


def mr_brain(noise: Generator) -> Base:
    """One slice, 96 to 512 pixels."""
    side = int(noise.choice([96, 128, 192, 256, 320, 512]))
    return grey(grain(noise, brain(noise, side), noise.uniform(0.01, 0.05)), "MR")


def mr_mosaic(noise: Generator) -> Base:
    """Return many small slices laid out as tiles, as functional and diffusion MR is stored."""
    tiles, side = int(noise.integers(4, 9)), int(noise.choice([48, 64, 80, 96, 128]))
    sheet = canvas(tiles * side, tiles * side)
    contrast, size = noise.uniform(0.3, 0.9), noise.uniform(0.5, 0.95)
    blank = int(noise.integers(0, tiles))
    for number in range(tiles * tiles - blank):
        row, column = divmod(number, tiles)
        share = size * max(np.sin(np.pi * (number + 2) / (tiles * tiles + 3)), 0.15)
        head = brain(noise, side)
        inner = max(int(side * share), 8)
        small = cv2.resize(head, (inner, inner), interpolation=cv2.INTER_AREA) * contrast
        at = (side - inner) // 2
        sheet[row * side + at : row * side + at + inner,
              column * side + at : column * side + at + inner] = small  # fmt: skip
    return grey(grain(noise, np.maximum(sheet, 0), noise.uniform(0.004, 0.03)), "MR")


def mr_spine(noise: Generator) -> Base:
    """Return a sagittal column of vertebrae and discs."""
    rows, columns = int(noise.choice([320, 448, 512])), int(noise.choice([320, 448]))
    image = soft(noise, rows, columns, 40) * 0.3
    count = int(noise.integers(7, 14))
    for number in range(count):
        at = columns * (0.45 + 0.06 * np.sin(number / count * 5)), rows * (number + 0.5) / count
        half = (columns * 0.07, rows / count * 0.36)
        corners = ((int(at[0] - half[0]), int(at[1] - half[1])),
                   (int(at[0] + half[0]), int(at[1] + half[1])))  # fmt: skip
        cv2.rectangle(image, corners[0], corners[1], noise.uniform(0.5, 0.7), -1)
        ellipse(
            image, (at[0] + columns * 0.22, at[1] + half[1]), (columns * 0.05, half[1] * 0.5), 0.55
        )
    line(image, np.array([(columns * 0.58, 0), (columns * 0.56, rows)]), 0.9, columns // 24)
    return grey(grain(noise, cv2.GaussianBlur(image, (0, 0), 1.2), 0.03), "MR")


def ct_disc(noise: Generator) -> Base:
    """Return a water disc with round lesions in rows or at random, no figures."""
    side = int(noise.choice([256, 512, 512, 768]))
    image = canvas(side, side, -1000)
    middle = (side / 2, side / 2)
    ellipse(image, middle, (side * 0.42, side * 0.42), noise.uniform(-20, 60))
    radius = side * noise.uniform(0.008, 0.04)
    for number in range(int(noise.integers(5, 36))):
        angle, ring = number * noise.choice([0.4, 0.6, 0.9]), noise.choice([0.15, 0.25, 0.33])
        at = (middle[0] + side * ring * np.cos(angle), middle[1] + side * ring * np.sin(angle))
        ellipse(image, at, (radius, radius), float(noise.choice([-900, -80, 110, 300, 900])))
    blurred = cv2.GaussianBlur(image, (0, 0), noise.uniform(0.6, 1.4))
    return hounsfield(grain(noise, blurred, noise.uniform(4, 25), 0.7), centre=40, width=400)


def ct_body(noise: Generator) -> Base:
    """Return an axial section: wall, ribs, spine, organs, contrast in vessels, a table below."""
    side = int(noise.choice([256, 512, 512]))
    image = canvas(side, side, -1000)
    middle = (side / 2, side * 0.48)
    wide, tall = side * noise.uniform(0.36, 0.44), side * noise.uniform(0.25, 0.33)
    ellipse(image, middle, (wide, tall), -90)
    ellipse(image, middle, (wide * 0.9, tall * 0.88), 45)
    is_chest = noise.random() < 0.5
    if is_chest:
        for sign in (-1, 1):
            ellipse(
                image, (middle[0] + sign * wide * 0.42, middle[1]), (wide * 0.36, tall * 0.7), -860
            )
    for number in range(int(noise.integers(10, 26))):
        angle = number * 2 * np.pi / 18
        at = (middle[0] + wide * 0.86 * np.cos(angle), middle[1] + tall * 0.82 * np.sin(angle))
        ellipse(image, at, (side * 0.03, side * 0.011), 700, angle=float(np.degrees(angle)) + 90)
    spine = (middle[0], middle[1] + tall * 0.55)
    ellipse(image, spine, (side * 0.05, side * 0.045), 500)
    ellipse(image, (spine[0], spine[1] + side * 0.06), (side * 0.02, side * 0.02), 30)
    lung = image < -700
    tree = canvas(side, side)
    branches(noise, tree, 1.0, roots=3, width=side / 90)
    image = np.where(lung & (tree > 0.3), 0, image).astype(np.float32)
    for _ in range(10):
        at = (
            middle[0] + wide * noise.uniform(-0.6, 0.6),
            middle[1] + tall * noise.uniform(-0.6, 0.6),
        )
        size = side * noise.uniform(0.008, 0.05)
        ellipse(
            image,
            at,
            (size, size * noise.uniform(0.5, 1)),
            float(noise.choice([90, 150, 260, -60])),
        )
    ellipse(image, (side / 2, side * 1.25), (side * 0.6, side * 0.42), -500, thickness=2)
    image = cv2.GaussianBlur(image, (0, 0), 0.9)
    centre, width = (40, 400) if noise.random() < 0.6 else (-500, 1500)
    return hounsfield(grain(noise, image, noise.uniform(6, 40), 0.6), centre=centre, width=width)


def radiograph(noise: Generator, rows: int, columns: int) -> Canvas:
    """Return a soft projection of a body, 0 to 1."""
    image = 0.25 + 0.45 * soft(noise, rows, columns, min(rows, columns) / 5)
    return np.asarray(
        image + 0.12 * soft(noise, rows, columns, min(rows, columns) / 30), np.float32
    )


def chest(noise: Generator) -> Base:
    """Return a chest radiograph with ribs, spine, heart; up to 2500 pixels."""
    rows = int(noise.choice([700, 1024, 1400, 2500]))
    columns = int(rows * noise.uniform(0.8, 1.1))
    image = radiograph(noise, rows, columns)
    for sign in (-1, 1):
        lung = canvas(rows, columns)
        ellipse(lung, (columns * (0.5 + sign * 0.22), rows * 0.5), (columns * 0.17, rows * 0.36), 1)
        image -= 0.35 * cv2.GaussianBlur(lung, (0, 0), rows / 60)
        for rib in range(9):
            t = np.linspace(0, 1, 40)
            x = columns * (0.5 + sign * (0.05 + 0.38 * t))
            y = rows * (0.12 + rib * 0.085 + 0.14 * t - 0.12 * np.sin(np.pi * t))
            drawn = canvas(rows, columns)
            line(drawn, np.stack((x, y), axis=1), 1, max(rows // 60, 2))
            image += 0.13 * cv2.GaussianBlur(drawn, (0, 0), rows / 400)
    spine = canvas(rows, columns)
    for number in range(14):
        at = (int(columns * 0.47), int(rows * number / 14))
        cv2.rectangle(spine, at, (int(columns * 0.53), at[1] + rows // 19), 1, -1)
    image += 0.16 * cv2.GaussianBlur(spine, (0, 0), rows / 200)
    ellipse(spine, (columns * 0.57, rows * 0.62), (columns * 0.13, rows * 0.13), 1)
    inverted = bool(noise.random() < 0.3)
    return grey(grain(noise, image, 0.012, 0.7), "DX", inverted=inverted)


def hand(noise: Generator) -> Base:
    """Return bones of a hand or foot on a dark ground."""
    rows, columns = int(noise.choice([600, 900, 1500])), int(noise.choice([500, 800, 1200]))
    image = canvas(rows, columns, 0.05)
    for finger in range(5):
        start = (columns * (0.3 + 0.1 * finger), rows * 0.62)
        heading = -np.pi / 2 + (finger - 2) * 0.16
        for bone in range(4):
            length = rows * (0.14 - 0.022 * bone)
            end = (start[0] + length * np.cos(heading), start[1] + length * np.sin(heading))
            line(image, np.array((start, end)), 0.4, columns // 16)
            line(image, np.array((start, end)), 0.75, columns // 34)
            for tip in (start, end):
                ellipse(
                    image, tip, (columns / 45, columns / 60), 0.85, angle=np.degrees(heading) + 90
                )
            start = (
                end[0] + rows * 0.012 * np.cos(heading),
                end[1] + rows * 0.012 * np.sin(heading),
            )
    for _ in range(8):
        at = (columns * noise.uniform(0.35, 0.65), rows * noise.uniform(0.64, 0.74))
        ellipse(
            image,
            at,
            (columns * 0.04, rows * 0.025),
            noise.uniform(0.6, 0.85),
            angle=noise.uniform(0, 90),
        )
    for x in (0.43, 0.56):
        line(
            image, np.array(((columns * x, rows * 0.76), (columns * x, rows))), 0.75, columns // 14
        )
    return grey(grain(noise, cv2.GaussianBlur(image, (0, 0), rows / 500), 0.015), "CR")


def teeth(noise: Generator) -> Base:
    """Return a panoramic or bite-wing view: rows of teeth with roots, canals and fillings."""
    rows, columns = int(noise.choice([400, 700, 1200])), int(noise.choice([600, 1100, 2000]))
    image = 0.3 + 0.25 * soft(noise, rows, columns, rows / 6)
    count = int(noise.integers(5, 17))
    width = columns * 0.84 / count
    for jaw in (-1, 1):
        for number in range(count):
            x = columns * 0.08 + width * (number + 0.5)
            y = (
                rows * 0.5
                + jaw * rows * 0.04
                + rows * 0.12 * ((number / count - 0.5) * 2) ** 2 * -1
            )
            ellipse(image, (x, y + jaw * rows * 0.07), (width * 0.42, rows * 0.075), 0.82)
            for root in (-1, 1):
                tip = (x + root * width * 0.22, y + jaw * rows * 0.27)
                line(image, np.array(((x + root * width * 0.15, y + jaw * rows * 0.1), tip)), 0.68,
                     max(int(width * 0.25), 2))  # fmt: skip
                line(image, np.array(((x + root * width * 0.1, y + jaw * rows * 0.1), tip)), 0.45,
                     max(int(width * 0.05), 1))  # fmt: skip
            if noise.random() < 0.3:
                ellipse(image, (x, y + jaw * rows * 0.03), (width * 0.25, rows * 0.03), 1.0)
    return grey(grain(noise, cv2.GaussianBlur(image, (0, 0), rows / 350), 0.012), "PX", bits=8)


def angiogram(noise: Generator) -> Base:
    """Return dark vessels on a soft ground, or bright ones as subtracted."""
    side = int(noise.choice([512, 512, 768, 1024]))
    tree = canvas(side, side)
    branches(noise, tree, 1, roots=int(noise.integers(1, 4)), width=side / noise.uniform(40, 90))
    tree = cv2.GaussianBlur(tree, (0, 0), side / 600)
    ground = 0.55 + 0.2 * soft(noise, side, side, side / 4)
    sign = -0.45 if noise.random() < 0.7 else 0.4
    image = np.asarray(ground + sign * tree, np.float32)
    if noise.random() < 0.5:
        round_field = canvas(side, side)
        ellipse(round_field, (side / 2, side / 2), (side * 0.49, side * 0.49), 1)
        image *= round_field
    return grey(grain(noise, image, 0.02, 0.6), "XA", bits=int(noise.choice([8, 10])))


def mammogram(noise: Generator) -> Base:
    """Return a breast with fibres and microcalcifications, up to 3000 pixels."""
    rows = int(noise.choice([900, 1400, 3000]))
    columns = int(rows * 0.75)
    shape = canvas(rows, columns)
    ellipse(shape, (0, rows * 0.5), (columns * noise.uniform(0.6, 0.9), rows * 0.42), 1)
    shape = cv2.GaussianBlur(shape, (0, 0), rows / 80)
    fibres = soft(noise, rows, columns, 24) * 0.3 + soft(noise, rows, columns, rows / 9) * 0.35
    for _ in range(60):
        start = (noise.uniform(0, columns * 0.5), noise.uniform(rows * 0.2, rows * 0.8))
        line(
            fibres,
            wander(noise, start, noise.uniform(-0.7, 0.7), 25, step=rows / 90),
            0.5,
            int(noise.integers(1, 4)),
        )
    image = np.asarray(shape * (0.2 + cv2.GaussianBlur(fibres, (0, 0), 1.5)), np.float32)
    for _ in range(int(noise.integers(0, 40))):
        at = (columns * noise.uniform(0.15, 0.4), rows * noise.uniform(0.4, 0.6))
        ellipse(image, at, (noise.uniform(1, 4), noise.uniform(1, 3)), 0.95)
    return grey(grain(noise, image, 0.01), "MG")


def bone_scan_ct(noise: Generator) -> Base:
    """Return skull base and sinuses in a bone window: thin bright walls round dark cells."""
    side = 512
    cells = soft(noise, side, side, noise.uniform(10, 26))
    walls = np.abs(cells - 0.5) < 0.04
    region = canvas(side, side)
    ellipse(region, (side / 2, side / 2), (side * 0.3, side * 0.36), 1)
    image = np.where(region > 0, np.where(walls, 1100, np.where(cells > 0.6, -900, 40)), -1000)
    image = np.asarray(image, np.float32)
    ellipse(image, (side / 2, side / 2), (side * 0.32, side * 0.38), 1500, thickness=10)
    return hounsfield(
        grain(noise, cv2.GaussianBlur(image, (0, 0), 0.8), 30), centre=300, width=2000
    )


def oct_layers(noise: Generator) -> Base:
    """Return the layers of a retina with speckle."""
    rows, columns = int(noise.choice([400, 496])), int(noise.choice([512, 768]))
    image = canvas(rows, columns, 0.08)
    x = np.arange(columns)
    base = rows * 0.35 + rows * 0.08 * np.sin(x / columns * np.pi) + rows * 0.06 * np.exp(
        -(((x - columns / 2) / (columns * 0.07)) ** 2))  # fmt: skip
    for offset, thick, level in (
        (0, 8, 0.8),
        (26, 14, 0.35),
        (55, 6, 0.6),
        (80, 4, 0.9),
        (92, 10, 1.0),
    ):
        line(image, np.stack((x, base + offset), axis=1), level, thick)
    speckle = noise.rayleigh(0.8, image.shape).astype(np.float32)
    return grey(np.clip(image * cv2.GaussianBlur(speckle, (0, 0), 0.7), 0, 1), "OPT", bits=8)
