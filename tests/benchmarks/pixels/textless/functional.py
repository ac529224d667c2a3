"""Ultrasound, nuclear medicine, colour maps, traces, optical pictures. Nothing is written on any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from tests.benchmarks.pixels.textless.anatomy import brain
from tests.benchmarks.pixels.textless.drawing import (
    branches,
    canvas,
    colour,
    ellipse,
    grain,
    grey,
    line,
    soft,
)

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from tests.benchmarks.pixels.bases import Base
    from tests.benchmarks.pixels.textless.drawing import Canvas


def _sector(noise: Generator, rows: int, columns: int) -> Canvas:
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    if noise.random() < 0.3:
        shape = (np.abs(x - columns / 2) < columns * 0.3) & (y > rows * 0.08) & (y < rows * 0.92)
    else:
        radius, angle = (
            np.hypot(x - columns / 2, y + rows * 0.05),
            np.arctan2(x - columns / 2, y + rows * 0.05),
        )
        opening = noise.uniform(0.4, 0.8)
        shape = (np.abs(angle) < opening) & (radius > rows * 0.12) & (radius < rows * 0.98)
    tissue: Canvas = soft(noise, rows, columns, rows / noise.uniform(6, 16))
    for _ in range(int(noise.integers(1, 6))):
        at = (columns * noise.uniform(0.3, 0.7), rows * noise.uniform(0.25, 0.85))
        ellipse(
            tissue, at, (rows * noise.uniform(0.02, 0.12), rows * noise.uniform(0.02, 0.08)), 0.02
        )
    fine: Canvas = noise.rayleigh(1.0, (rows, columns)).astype(np.float32)
    fine = cv2.GaussianBlur(
        fine, (0, 0), sigmaX=noise.uniform(1.2, 3), sigmaY=noise.uniform(0.7, 1.4)
    )
    lines = canvas(rows, columns)
    for _ in range(4):
        depth = rows * noise.uniform(0.2, 0.9)
        ellipse(lines, (columns / 2, depth), (columns * 0.25, rows * 0.05), 0.9, thickness=3)
    image = (
        0.45 * tissue**1.3 * fine / fine.mean() + cv2.GaussianBlur(lines, (0, 0), 3) * fine * 0.4
    )
    return np.where(shape, np.clip(image, 0, 1), 0.0).astype(np.float32)


def _sizes(noise: Generator) -> tuple[int, int]:
    rows, columns = [(480, 640), (600, 800), (768, 1024)][int(noise.integers(0, 3))]
    return rows, columns


def ultrasound(noise: Generator) -> Base:
    """Return a sector or linear view with speckle and interfaces, a grey bar, focus marks."""
    rows, columns = _sizes(noise)
    image = _sector(noise, rows, columns)
    bar = slice(int(rows * 0.1), int(rows * 0.4)), slice(columns - 30, columns - 16)
    image[bar] = np.linspace(1, 0, bar[0].stop - bar[0].start)[:, None]
    if noise.random() < 0.5:
        for tick in range(10):
            line(
                image,
                np.array(
                    (
                        (columns - 60, rows * (0.1 + 0.08 * tick)),
                        (columns - 54, rows * (0.1 + 0.08 * tick)),
                    )
                ),
                0.8,
                1,
            )
    return colour(np.repeat(image[..., None], 3, axis=2), "US")


def doppler(noise: Generator) -> Base:
    """Return a colour box of flow over a sector, with its bar."""
    rows, columns = _sizes(noise)
    image = np.repeat(_sector(noise, rows, columns)[..., None], 3, axis=2)
    flow, vessel = soft(noise, rows, columns, 30), canvas(rows, columns)
    branches(noise, vessel, 1, roots=2, width=rows / 30)
    mask = (vessel > 0.4) | (soft(noise, rows, columns, 20) > 0.85)
    mask[: int(rows * 0.25)] = mask[int(rows * 0.75) :] = False
    mask[:, : int(columns * 0.3)] = mask[:, int(columns * 0.7) :] = False
    hot = np.stack((flow, flow**2 * 0.8, 1 - flow), axis=2)
    image[mask] = hot[mask]
    bar = np.linspace(1, -1, int(rows * 0.3))
    image[int(rows * 0.1) : int(rows * 0.1) + len(bar), columns - 30 : columns - 14] = np.stack(
        (np.clip(bar, 0, 1), 0 * bar, np.clip(-bar, 0, 1)), axis=1)[:, None]  # fmt: skip
    return colour(image, "US")


def spectral(noise: Generator) -> Base:
    """Return a Doppler spectrum or an M-mode strip under a small sector."""
    rows, columns = _sizes(noise)
    image = canvas(rows, columns)
    small = _sector(noise, rows // 3, columns // 2)
    image[: small.shape[0], columns // 4 : columns // 4 + small.shape[1]] = small
    x = np.arange(columns)
    beat = np.abs(np.sin(x / noise.uniform(25, 60))) ** noise.uniform(1, 5)
    y = np.mgrid[0:rows, 0:columns][0]
    base, tall = rows * 0.85, rows * 0.4
    inside = (y < base) & (y > base - tall * beat[None])
    speckle = noise.rayleigh(0.4, (rows, columns)).astype(np.float32)
    image = np.where(
        inside & (y > rows * 0.4), np.clip(speckle * (0.3 + (base - y) / tall), 0, 1), image
    )
    image[int(base)] = 0.7
    for tick in range(0, columns, 40):
        image[int(base) : int(base) + 5, tick : tick + 1] = 0.8
    return colour(np.repeat(np.asarray(image, np.float32)[..., None], 3, axis=2), "US")


def intravascular(noise: Generator) -> Base:
    """Return a round cross-section of a vessel, speckle rings and a catheter."""
    side = int(noise.choice([256, 400, 512]))
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) - side / 2
    radius = np.hypot(x, y) / side
    wall = 0.22 + 0.05 * np.sin(np.arctan2(y, x) * 2 + noise.uniform(0, 6))
    speckle = cv2.GaussianBlur(noise.rayleigh(1, (side, side)).astype(np.float32), (0, 0), 1.2)
    image = speckle * (0.15 + 0.5 * np.exp(-(((radius - wall) / 0.03) ** 2))) * (radius < 0.48)
    image = np.where(radius < 0.06, 0.9 * (radius > 0.05), image)
    return grey(np.asarray(np.clip(image, 0, 1), np.float32), "IVUS", bits=8)


def pet(noise: Generator) -> Base:
    """Return hot organs in a low matrix, a slice or a whole-body projection."""
    rows, columns = [(128, 128), (144, 144), (200, 200), (400, 144)][int(noise.integers(0, 4))]
    image = canvas(rows, columns)
    ellipse(image, (columns / 2, rows / 2), (columns * 0.3, rows * 0.42), 0.15)
    for _ in range(int(noise.integers(4, 16))):
        at = (columns * noise.uniform(0.3, 0.7), rows * noise.uniform(0.15, 0.85))
        ellipse(image, at, (noise.uniform(1.5, 9), noise.uniform(1.5, 9)), noise.uniform(0.3, 1))
    image = cv2.GaussianBlur(image, (0, 0), 1.6)
    counts = noise.poisson(image * 60) / 60
    return grey(cv2.GaussianBlur(counts.astype(np.float32), (0, 0), 0.8), "PT", bits=15)


def scintigram(noise: Generator) -> Base:
    """Return few counts in 64 to 256 pixels, or a bone scan of 1024 x 256."""
    rows, columns = [(64, 64), (128, 128), (256, 256), (1024, 256)][int(noise.integers(0, 4))]
    image = 0.03 + canvas(rows, columns)
    middle = columns / 2
    for number in range(12):
        y = rows * (0.15 + 0.03 * number)
        for sign in (-1, 1):
            ellipse(
                image,
                (middle + sign * columns * 0.12, y),
                (columns * 0.1, max(rows * 0.006, 1)),
                0.35,
                angle=sign * 12,
            )
        ellipse(image, (middle, y), (max(columns * 0.025, 1), max(rows * 0.01, 1)), 0.6)
    ellipse(image, (middle, rows * 0.08), (columns * 0.1, rows * 0.05), 0.4)
    for sign in (-1, 1):
        line(
            image,
            np.array(
                (
                    (middle + sign * columns * 0.08, rows * 0.55),
                    (middle + sign * columns * 0.08, rows * 0.95),
                )
            ),
            0.35,
            max(columns // 30, 1),
        )
    counts = noise.poisson(np.clip(image, 0, 1) * noise.uniform(3, 30))
    return grey(counts.astype(np.float32) / max(counts.max(), 1), "NM", bits=16)


def colour_map(noise: Generator) -> Base:
    """Return an activation or perfusion map over a brain, with its bar."""
    side = int(noise.choice([256, 384, 512]))
    under = brain(noise, side)
    image = np.repeat(under[..., None], 3, axis=2)
    active = soft(noise, side, side, side / 12)
    mask = (active > 0.75) & (under > 0.3)
    table = [cv2.COLORMAP_JET, cv2.COLORMAP_HOT, cv2.COLORMAP_RAINBOW][int(noise.integers(0, 3))]
    mapped = cv2.applyColorMap((active * 255).astype(np.uint8), table)[..., ::-1] / 255
    image = mapped if noise.random() < 0.4 else np.where(mask[..., None], mapped, image)
    bar = cv2.applyColorMap(np.linspace(255, 0, side // 2).astype(np.uint8)[:, None], table)
    image[side // 4 : side // 4 + side // 2, side - 20 : side - 8] = bar[..., ::-1] / 255
    return colour(image, "MR")


def masked_map(noise: Generator) -> Base:
    """Return a map of a brain or of a body without what a threshold cut out: vessels, sulci, single pixels."""
    small, factor = int(noise.choice([128, 192, 256])), int(noise.choice([1, 2, 2, 3]))
    shades = soft(noise, small, small, noise.uniform(8, 40))
    inside = canvas(small, small)
    axes = small * noise.uniform(0.32, 0.45), small * noise.uniform(0.32, 0.45)
    ellipse(inside, (small / 2, small / 2), axes, 1, angle=float(noise.uniform(0, 90)))
    holes = soft(noise, small, small, noise.uniform(2.5, 6)) > noise.uniform(0.8, 0.95)
    thin = canvas(small, small)
    branches(noise, thin, 1, roots=int(noise.integers(1, 4)), width=noise.uniform(1, 4))
    if noise.random() < 0.7:
        holes |= (thin > 0.4) & (soft(noise, small, small, 8) > 0.4)
    is_shown = (inside > 0.5) & ~holes
    low = noise.uniform(0, 0.9)
    image = np.where(is_shown, low + (1 - low) * shades, 0).astype(np.float32)
    if noise.random() < 0.2:
        image = np.where(inside > 0.5, 1 - image, image)
    image = image.repeat(factor, 0).repeat(factor, 1)
    if noise.random() < 0.6:
        return grey(image, str(noise.choice(["CT", "MR", "NM"])), bits=int(noise.choice([8, 12])))
    table = int(noise.choice([cv2.COLORMAP_JET, cv2.COLORMAP_HOT, cv2.COLORMAP_BONE]))
    mapped = cv2.applyColorMap((image * 255).astype(np.uint8), table)[..., ::-1] / 255
    return colour(np.where(image[..., None] > 0, mapped, 0), "CT")


def power_doppler(noise: Generator) -> Base:
    """Return trees of vessels in warm colours with ragged edges, in a frame drawn on the sector."""
    rows, columns = _sizes(noise)
    image = np.repeat(_sector(noise, rows, columns)[..., None], 3, axis=2)
    vessel = canvas(rows, columns)
    for _ in range(int(noise.integers(1, 4))):
        branches(
            noise, vessel, 1, roots=int(noise.integers(1, 4)), width=rows / noise.uniform(25, 70)
        )
    ragged = soft(noise, rows, columns, noise.uniform(2, 6))
    flow = cv2.GaussianBlur(vessel, (0, 0), 1.5) + 0.5 * (ragged - 0.5)
    top, left = int(rows * noise.uniform(0.1, 0.3)), int(columns * noise.uniform(0.1, 0.3))
    bottom, right = int(rows * noise.uniform(0.6, 0.95)), int(columns * noise.uniform(0.6, 0.95))
    box = canvas(rows, columns)
    box[top:bottom, left:right] = 1
    mask = (flow > 0.55) & (box > 0)
    level = np.clip(flow, 0, 1)
    warm = np.stack((0.5 + level / 2, level * noise.uniform(0.4, 0.9), 0.1 * level), axis=2)
    image[mask] = warm[mask]
    cv2.rectangle(image, (left, top), (right, bottom), (1, 1, 1), 1)
    return colour(image, "US")


def ecg(noise: Generator) -> Base:
    """Traces on a grid or on plain ground, with calibration marks."""
    rows, columns = int(noise.choice([400, 600, 900])), int(noise.choice([800, 1200]))
    is_paper = noise.random() < 0.6
    image = np.ones((rows, columns, 3), np.float32) * (1.0 if is_paper else 0.03)
    if is_paper:
        tint = np.array((1, 0.75, 0.75), np.float32)
        for pitch, shade in ((8, 1.0), (40, 0.85)):
            image[::pitch] = tint * shade
            image[:, ::pitch] = tint * shade
    ink = canvas(rows, columns)
    for lead in range(int(noise.integers(2, 7))):
        base = rows * (lead + 0.7) / 7
        x = np.arange(0, columns, 1.0)
        phase = (x / noise.uniform(70, 130)) % 1
        height = noise.uniform(15, 60) * noise.choice([-1, 1])
        y = (
            base
            - height * np.exp(-(((phase - 0.35) / 0.018) ** 2))
            - 8 * np.exp(-(((phase - 0.6) / 0.06) ** 2))
        )
        y -= 4 * np.exp(-(((phase - 0.2) / 0.03) ** 2)) - noise.normal(0, 0.4, len(x))
        line(ink, np.stack((x, y), axis=1), 1, int(noise.integers(1, 3)))
        line(
            ink,
            np.array(
                ((4, base), (8, base), (8, base - 40), (20, base - 40), (20, base), (24, base))
            ),
            1,
            1,
        )
    ground = 0.05 if is_paper else np.array((0.2, 1, 0.3))
    image = image + (ground - image) * ink[..., None]
    return colour(image, "ECG")


def fundus(noise: Generator) -> Base:
    """Return a retina: orange disc, dark vessels, optic disc, spots."""
    side = int(noise.choice([600, 900, 1400]))
    shape, tree = canvas(side, side), canvas(side, side)
    ellipse(shape, (side / 2, side / 2), (side * 0.46, side * 0.46), 1)
    branches(noise, tree, 1, roots=3, width=side / 90)
    tree = cv2.GaussianBlur(tree, (0, 0), 1)
    base = np.array((0.75, 0.35, 0.15)) * (0.6 + 0.4 * soft(noise, side, side, side / 4))[..., None]
    image = base * (1 - 0.45 * tree[..., None])
    disc = canvas(side, side)
    ellipse(disc, (side * 0.3, side * 0.5), (side * 0.07, side * 0.08), 1)
    image = image + 0.35 * cv2.GaussianBlur(disc, (0, 0), 6)[..., None]
    for _ in range(int(noise.integers(0, 25))):
        spot = canvas(side, side)
        ellipse(
            spot,
            (side * noise.uniform(0.3, 0.8), side * noise.uniform(0.2, 0.8)),
            (noise.uniform(2, 7), noise.uniform(2, 7)),
            1,
        )
        image = image + spot[..., None] * noise.choice([-0.25, 0.3])
    return colour(image * shape[..., None], "OP")


def endoscopy(noise: Generator) -> Base:
    """Return folds of mucosa with highlights, in an octagon or the whole frame."""
    rows, columns = _sizes(noise)
    folds = soft(noise, rows, columns, rows / 5) + 0.3 * soft(noise, rows, columns, rows / 16)
    image = np.array((0.85, 0.42, 0.36)) * (0.25 + 0.6 * folds)[..., None]
    vessel = canvas(rows, columns)
    branches(noise, vessel, 1, roots=3, width=4)
    image = image * (1 - 0.3 * cv2.GaussianBlur(vessel, (0, 0), 1)[..., None])
    for _ in range(int(noise.integers(5, 50))):
        glint = canvas(rows, columns)
        ellipse(
            glint,
            (columns * noise.random(), rows * noise.random()),
            (noise.uniform(2, 10), noise.uniform(1, 5)),
            1,
            angle=noise.uniform(0, 180),
        )
        image = image + glint[..., None]
    if noise.random() < 0.6:
        shape = canvas(rows, columns)
        cv2.circle(shape, (columns // 2, rows // 2), int(rows * 0.52), 1, -1)
        image = image * shape[..., None]
    return colour(image, "ES")


def microscopy(noise: Generator) -> Base:
    """Return stained tissue: nuclei, fibres, holes."""
    side = int(noise.choice([256, 512, 1024]))
    shade: NDArray[Any] = soft(noise, side, side, 40)[..., None]
    image = np.array((0.93, 0.72, 0.85)) + (np.array((0.85, 0.55, 0.75)) - 0.9) * shade
    image = np.ascontiguousarray(image, np.float32)
    for _ in range(int(side * side / noise.uniform(500, 2500))):
        at = (int(noise.integers(0, side)), int(noise.integers(0, side)))
        axes = (int(noise.integers(2, 8)), int(noise.integers(2, 6)))
        cv2.ellipse(
            image,
            at,
            axes,
            noise.uniform(0, 180),
            0,
            360,
            (0.35, 0.2, noise.uniform(0.45, 0.65)),
            -1,
            cv2.LINE_AA,
        )
    return colour(np.clip(grain(noise, image, 0.015), 0, 1), "SM")


def dose(noise: Generator) -> Base:
    """Return a dose plane or a portal image with leaves."""
    rows, columns = int(noise.choice([64, 110, 384])), int(noise.choice([84, 128, 512]))
    image = soft(noise, rows, columns, rows / 3)
    for leaf in range(0, rows, max(rows // 20, 2)):
        image[leaf : leaf + max(rows // 20, 2), : int(columns * noise.uniform(0.1, 0.4))] = 0.02
        image[leaf : leaf + max(rows // 20, 2), -int(columns * noise.uniform(0.1, 0.4)) :] = 0.02
    return grey(
        cv2.GaussianBlur(image, (0, 0), 1.2), str(noise.choice(["RTDOSE", "RTIMAGE"])), bits=16
    )
