"""The numbers of many windows at once, against what defines each, taken from one window after the other."""

from __future__ import annotations

from random import Random
from typing import Any

import cv2
import numpy as np
import pytest

from deid.pixels.find.candidates import rectangle_of
from deid.pixels.find.parts import different, parts_of, shapes_of
from deid.pixels.find.shapes import features_of
from deid.pixels.find.sharpness import sharpness_of
from deid.pixels.find.windows import eighths, features_of_windows

_TEXTS = ("MUELLER, HANS", "12.03.1961", "HR 72", "X", "WWW ooo 888", "L")


def _texture(number: int) -> Any:
    """Return a window: text, blobs, noise, a ramp, two halves, a ring, a comb, or nothing."""
    random = np.random.default_rng(number)
    window: Any = random.integers(0, 30, (40, 160)).astype(np.uint8)
    if number % 8 == 0:
        cv2.putText(window, _TEXTS[number % 6], (6, 27), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 220, 2)
    elif number % 8 == 1:
        window = cv2.GaussianBlur(random.integers(0, 256, (40, 160)).astype(np.uint8), (0, 0), 3)
    elif number % 8 == 2:
        window = random.integers(0, 256, (40, 160)).astype(np.uint8)
    elif number % 8 == 3:
        window += (np.arange(160) + number).astype(np.uint8)
    elif number % 8 == 4:
        window[:, 70:] = 180
    elif number % 8 == 5:
        for column in range(12, 160, 24):
            cv2.circle(window, (column, 20), 9, 200, 1 + number % 3)
    elif number % 8 == 6:
        window[10:30, number % 5 :: 7] = 240
    else:
        window[:] = 40
    return 255 - window if number % 3 == 0 else window


def _some() -> tuple[Any, Any, Any]:
    """Return windows, and where the candidates begin and end."""
    random = Random(2)
    windows = np.array([_texture(number) for number in range(48)])
    begin = np.array([random.choice([0, 0, 31, 78]) for _ in windows])
    end = np.array([random.choice([160, 160, 121, 80]) for _ in windows])
    return windows, begin, end


def _variation(values: Any) -> float:
    return float(values.astype(np.float64).std()) if values.size else 0.0


def _light(window: Any, is_ink: Any, begin: int, end: int) -> dict[int, float]:
    """Return the features of ink and ground by their definitions."""
    wide = window.astype(np.float64)
    inside, ink = wide[8:31, begin:end], is_ink[8:31, begin:end]
    ring = np.concatenate((wide[:7], wide[32:]))
    ring_ink = np.concatenate((is_ink[:7], is_ink[32:]))
    apart = abs(inside[ink].mean() - inside[~ink].mean()) if 0 < ink.mean() < 1 else 1.0
    apart = max(apart, 1.0)
    across = cv2.Sobel(wide, cv2.CV_64F, 1, 0, ksize=1)
    down = cv2.Sobel(wide, cv2.CV_64F, 0, 1, ksize=1)
    edges = np.hypot(across, down)
    steep, span = edges[8:31, begin:end], max(np.ptp(inside), 4)
    beside = np.concatenate((edges[:8], edges[32:])).mean()
    share, spread = ink.mean(), _variation(inside) or 1.0
    figures = (
        share,
        ring_ink.mean(),
        share / (ring_ink.mean() + 0.02),
        apart / 255,
        share * (1 - share) * apart**2 / spread**2,
        _variation(inside[ink]) / apart,
        _variation(inside[~ink]) / apart,
        ring.std() / apart,
        spread / (ring.std() + 2),
        steep.mean() / span,
        steep.mean() / (beside + 1),
        (steep > 0.5 * apart).mean(),
    )
    return dict(enumerate(map(float, figures)))


def _lie(window: Any, is_ink: Any, begin: int, end: int) -> dict[int, float]:
    """Return the features of rows and columns, and of directions, by their definitions."""
    inside, ink = window[8:31, begin:end].astype(np.float64), is_ink[8:31, begin:end]
    by_row, by_column = ink.mean(axis=1), ink.mean(axis=0)
    begins = (~ink[:, :-1] & ink[:, 1:]).sum(axis=1) / max(ink.shape[1] / 23, 1)
    means = inside.mean(axis=0) - inside.mean()
    power, best = float(means @ means), 0.0
    for lag in range(5, min(len(means) // 2, 48)):
        if power > 1e-9 and len(means) > 16:
            best = max(best, float(means[lag:] @ means[:-lag]) / power)
    return {
        13: float(by_row[:3].mean() + by_row[-3:].mean()) / (2 * float(by_row.mean()) + 1e-3),
        14: float(by_row[5:-5].mean()),
        15: float(by_row.std()),
        16: float(by_column.std()),
        17: float((by_column < 0.04).mean()),
        18: float(begins[5:-5].mean()),
        19: float(begins[5:-5].std()),
        20: best,
    }


def _directions(window: Any, begin: int, end: int) -> dict[int, float]:
    wide = window.astype(np.float32)
    inside = wide[8:31, begin:end]
    across, down = np.zeros_like(wide), np.zeros_like(wide)
    across[:, 1:-1], down[1:-1] = wide[:, 2:] - wide[:, :-2], wide[2:] - wide[:-2]
    edges = np.sqrt(across**2 + down**2)[8:31, begin:end]
    down, across = np.gradient(inside)
    is_strong = edges > max(float(edges.mean(dtype=np.float64)), 1.0)
    if not is_strong.any():
        return {21: 0.0, 22: 0.0, 23: 0.0}
    shares = np.bincount(_eighths(across[is_strong], down[is_strong]), minlength=8)
    shares = shares / is_strong.sum()
    some = shares[shares > 0]
    entropy = -float((some * np.log(some)).sum())
    return {21: entropy, 22: float(shares[3] + shares[4]), 23: float(shares[0] + shares[7])}


def _eighths(across: Any, down: Any) -> Any:
    """Return eighths of half a turn by angles; diagonals, which lie between two, by their signs."""
    turns = np.arctan2(down.astype(np.float64), across.astype(np.float64)) / np.pi % 1 * 8
    found = np.minimum(np.floor(turns).astype(int), 7)
    is_diagonal = (np.abs(across) == np.abs(down)) & (across != 0)
    of_diagonal = np.where(across != down, 6, np.where(across > 0, 1, 2))
    return np.where(is_diagonal, of_diagonal, found)


def _parts(is_ink: Any, begin: int, end: int) -> dict[int, float]:
    """Return what OpenCV says of the connected parts, and of their holes."""
    mask = is_ink.astype(np.uint8)
    _, _, stats, centres = cv2.connectedComponentsWithStats(mask, connectivity=8)
    is_part = (stats[:, 4] >= 6) & (centres[:, 0] >= begin) & (centres[:, 0] < end)
    is_part &= (centres[:, 1] >= 7) & (centres[:, 1] < 32)
    is_part[0] = False
    length = max((end - begin) / 21, 1)
    if not is_part.any():
        return dict.fromkeys(range(24, 38), 0.0)
    left, top, width, height, area = stats[is_part].T.astype(np.float64)
    is_big = height >= 0.3 * 21
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 3)[8:31, begin:end]
    ridge = distance[(distance >= cv2.dilate(distance, np.ones((3, 3))) - 0.01) & (distance > 0)]
    _, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return {
        24: len(left) / length,
        25: is_big.sum() / length,
        26: height.mean() / 21,
        27: height.std() / 21,
        28: width.mean() / 21,
        29: width.std() / 21,
        30: (area / (height * width)).mean(),
        31: area.max() / area.sum(),
        32: area[(top <= 1) | (top + height >= 39)].sum() / area.sum(),
        33: ridge.mean() if ridge.size else 0.0,
        34: ridge.std() / ridge.mean() if ridge.size else 0.0,
        35: (top + height)[is_big].std() / 21 if is_big.any() else 1.0,
        36: sum(entry[3] >= 0 for entry in hierarchy[0]) / length,
    }


def test_the_numbers_of_windows_are_what_their_definitions_say() -> None:
    windows, begin, end = _some()
    found = features_of_windows(windows, begin, end)
    assert found.shape == (48, 38)
    for window, first, last, row in zip(windows, begin.tolist(), end.tolist(), found, strict=True):
        level, _ = cv2.threshold(
            np.ascontiguousarray(window[8:31, first:last]), 0, 255, cv2.THRESH_OTSU
        )
        around = float(np.median(np.concatenate((window[:7], window[32:]))))
        is_ink = window > level if around <= level else window <= level
        wanted = {
            **_light(window, is_ink, first, last),
            12: abs(around - level) / 255,
            **_lie(window, is_ink, first, last),
            **_directions(window, first, last),
            **_parts(is_ink, first, last),
        }
        assert len(wanted) >= 37
        for number, value in wanted.items():
            assert row[number] == pytest.approx(value, rel=1e-4, abs=2e-6), number


def test_a_direction_lies_in_the_eighth_that_its_angle_says() -> None:
    steps = np.arange(-510, 511, dtype=np.float32)
    across, down = (side.ravel() for side in np.meshgrid(steps, steps))
    assert (eighths(across, down) == _eighths(across, down)).all()


def test_the_numbers_of_a_candidate_do_not_depend_on_others_nor_on_memory() -> None:
    random = Random(4)
    frame = cv2.GaussianBlur(
        np.random.default_rng(4).integers(0, 256, (300, 420, 3)).astype(np.uint8), (0, 0), 2
    )
    for number, text in enumerate(_TEXTS):
        cv2.putText(
            frame, text, (40, 40 + 44 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 230, 9), 2
        )
    contrast = np.ascontiguousarray(255 - frame[..., 1])
    candidates = [
        rectangle_of(
            (
                (random.uniform(0, 420), random.uniform(0, 300)),
                (random.uniform(4, 400), random.uniform(4, 90)),
                random.choice([0, 0, 90, random.uniform(-40, 40)]),
            )
        )
        for _ in range(20)
    ]
    for views in ([frame, contrast], [contrast]):
        together = [found.tobytes() for found in features_of(views, candidates)]
        assert len(set(together)) == 20
        back = [found.tobytes() for found in features_of(views, candidates[::-1])]
        assert back[::-1] == together
        held: list[Any] = []
        for number, corners in enumerate(candidates):
            held.append(np.empty(number * 7 + 1, np.uint8))  # what is made next begins elsewhere
            moved = [_moved(view, number) for view in views]
            (alone,) = features_of(moved, [corners])
            assert alone.tobytes() == together[number]


def _moved(view: Any, by: int) -> Any:
    """Return a view that begins so many bytes farther in memory."""
    held = np.empty(view.size + by, np.uint8)[by:].reshape(view.shape)
    held[:] = view
    return held


@pytest.mark.parametrize("ink", [0.02, 0.3, 0.6, 0.97])
def test_connected_parts_are_those_of_opencv_in_its_order(ink: float) -> None:
    canvas = (np.random.default_rng(1).random((61, 90)) < ink).astype(np.uint8)
    canvas[0], canvas[:, -1] = 0, 0
    parts = parts_of(canvas)
    _, labels, stats, centres = cv2.connectedComponentsWithStats(canvas, connectivity=8)
    assert (parts.labels == labels).all()
    assert (np.stack(parts[1:6], axis=1) == stats[1:]).all()
    assert (np.stack(parts[6:], axis=1) / parts.area[:, None] == centres[1:]).all()
    vectors = shapes_of(parts, np.arange(len(stats) - 1))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)


def test_shapes_that_are_like_an_earlier_one_are_no_other() -> None:
    turns = np.arccos((1, 0.83, -1, 0.81, 0.6, 0.3))
    shapes = np.stack((np.cos(turns), np.sin(turns)), axis=1)
    assert [different(shapes[:number]) for number in range(7)] == [0, 1, 1, 2, 3, 3, 4]


def test_a_window_has_as_many_shapes_as_its_signs_differ() -> None:
    window = np.zeros((3, 40, 160), np.uint8)
    for number, text in enumerate(("OOOOOOO", "OLOLOLO", "LOTUVXZ")):
        cv2.putText(window[number], text, (8, 27), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2)
    found = features_of_windows(window, np.zeros(3, np.intp), np.full(3, 160))
    assert found[:2, 37].tolist() == [1, 2]
    assert found[2, 37] > 5


def test_a_canvas_without_ink_has_no_parts() -> None:
    parts = parts_of(np.zeros((8, 8), np.uint8))
    assert len(parts.area) == 0
    assert shapes_of(parts, np.zeros(0, np.intp)).shape == (0, 81)


def test_sharpness_is_that_of_the_pixels_inside() -> None:
    random = np.random.default_rng(6)
    pictures, wanted = [], []
    for number in range(0, 12, 3):
        grey = random.integers(0, 256, (7 + number, 30)).astype(np.uint8)
        grey = np.where(grey < 60 + 10 * number, 12, grey).astype(np.uint8)
        is_inside = random.random(grey.shape) < 0.6
        pictures.append((grey, is_inside))
        wide, inside = grey.astype(np.float64), grey[is_inside].astype(np.float64)
        across = np.abs(np.diff(wide, axis=1, append=wide[:, -1:]))
        steps = np.maximum(np.abs(np.diff(wide, axis=0, append=wide[-1:])), across)
        low, high = np.percentile(inside, (2, 98))
        near = [(np.abs(inside - level) <= 2).mean() for level in range(256)]
        middle = int((low + high) / 2)
        two = max(near[:middle], default=0), max(near[middle:])
        steep = np.percentile(steps[is_inside], 95) / max(high - low, 4)
        wanted.append((steep, max(two), min(two)))
    for rows, columns in ((3, 3), (1, 6), (6, 1), (0, 5), (5, 0)):  # hardly a pixel, or none
        pictures.append((np.ones((rows, columns), np.uint8), np.eye(rows, columns) > 0))
        wanted.append((0, 0, 0))
    np.testing.assert_allclose(sharpness_of(pictures), wanted, rtol=1e-12)
