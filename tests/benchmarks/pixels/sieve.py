"""Trains the model that tells where letters may be, and writes it as data of the project.

``python -m tests.benchmarks.pixels.sieve --fonts FOLDER`` makes 2400 frames of the tuning half, two thirds of
them with texts in all manners and scripts; cuts squares from the strokes of the display, of the display in a
third of its size and of the view by local contrast; trains on them, and prints the digest of what it wrote. It
needs jax and onnx (`requirements/training.lock`), and a quarter of an hour of two cores. With the same fonts
and versions the result is the same, whatever number of processes makes the squares.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from deid.pixels.find.sieve import SIEVE, STEP, strokes_of
from tests.benchmarks.pixels.bases import synthetic_screen
from tests.benchmarks.pixels.burn import Manner, burn, use_fonts
from tests.benchmarks.pixels.corpus import make_instance
from tests.benchmarks.pixels.grounds import (
    STYLES,
    few_letters,
    real_grounds,
    some_ground,
    some_writing,
    views_of,
)
from tests.benchmarks.pixels.textless.kinds import KINDS, ONLY_TRAINED, made

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from deid.pixels.ports import Picture
    from tests.benchmarks.pixels.bases import Base
    from tests.benchmarks.pixels.burn import Placed

    Weights = list[tuple[Any, Any]]

#: Kernel, stride, dilation and channels of each layer; a last one of 1 x 1 gives the answer.
LAYERS = (
    (3, 2, 1, 16),
    (3, 2, 1, 24),
    (3, 2, 1, 40),
    (3, 1, 1, 40),
    (3, 1, 2, 40),
    (3, 1, 4, 40),
    (3, 1, 1, 40),
)
_FRAMES, _ROUNDS, _BATCH = 2400, 8, 8
_SIDE = 256  # pixels of a square
_LARGEST, _CUT = 900, 700  # of larger frames a part of so many pixels is taken
_LEAST_SIDE = 64
_LEAST_SIDE_IN_A_THIRD = 120
#: Heights of letters that are to be found; and what is around them that is neither text nor none, in pixels.
_LETTERS, _AROUND = (5.5, 48.0), 14
_LEAST_INK = 5  # pixels in a cell
_SEEN = 8  # levels by which a stroke stands out
_RATE, _WARM_UP, _TEXT_COUNTS = 3e-3, 100, 4.0


@dataclass(frozen=True, slots=True)
class Square:
    """Strokes (256, 256, 2), and of each cell whether it is text and whether it counts, (32, 32)."""

    strokes: NDArray[np.uint8]
    is_text: NDArray[np.bool_]
    counts: NDArray[np.bool_]


def squares_of(number: int) -> list[Square]:
    """Return the squares of one frame."""
    random = Random(77000 + number)
    base = _ground(random)
    placed: list[Placed] = []
    if number % 3:
        base, placed = _written(random, base)
    if min(base.values.shape[:2]) < _LEAST_SIDE:
        return []
    picture = views_of(make_instance([base.values], base.attributes, ()))
    choice = np.random.default_rng(number)
    return [_turned(choice, square) for square in _squares(choice, picture, placed)]


def _ground(random: Random) -> Base:
    share = random.random()
    if share < 0.35:
        base = some_ground(random)
    elif share < 0.5:
        base = random.choice(real_grounds())
    elif share < 0.6:
        base = synthetic_screen(random)
    else:
        kinds = [kind for kind in KINDS if not kind.is_held_out]
        kind = random.choice([*kinds, *ONLY_TRAINED])
        base = made(kind, 2 * random.randrange(1000, 5000))
    rows, columns = base.values.shape[:2]
    if max(rows, columns) <= _LARGEST:
        return base
    top = random.randrange(max(rows - _CUT, 1))
    left = random.randrange(max(columns - _CUT, 1))
    part = base.values[top : top + _CUT, left : left + _CUT]
    return replace(base, values=np.ascontiguousarray(part))


def _written(random: Random, base: Base) -> tuple[Base, list[Placed]]:
    """Return a frame with texts in all manners and scripts."""
    taken: NDArray[Any] = np.zeros(base.values.shape[:2], np.bool_)
    placed: list[Placed] = []
    texts = few_letters(random)[:4] if random.random() < 0.3 else some_writing(random)
    for font, some in texts:
        manner = Manner(
            height=random.choice([(7, 9), (8, 11), (9, 24), (11, 32), (15, 48), (22, 64)]),
            contrast=random.choice([(18, 36), (24, 60), (90, 255), (140, 255)]),
            angle=random.choice([(0,), (0,), (0,), (90,), (270,), (180,), (-15, -8, 7, 12, 30)]),
            style=random.choice(STYLES if some[0].text.isascii() else STYLES[:6]),
            is_dark=random.random() < 0.3,
            spacing=int(random.random() < 0.1),
            over_anatomy=random.random() < 0.6,
            at_edge=random.random() < 0.15,
            beyond_window=random.random() < 0.1,
            colour=base.values.ndim == 3 and random.random() < 0.5,
            font=font,
        )
        base, entries = burn(random, base, some, manner, taken)
        placed += entries
    return base, placed


def _squares(
    choice: np.random.Generator, picture: Picture, placed: Sequence[Placed]
) -> Iterator[Square]:
    """Yield two squares of the display, one of it in a third of its size, one of the other view."""
    ink: NDArray[np.uint8] = np.zeros(picture.display.shape[:2], np.uint8)
    for number, entry in enumerate(placed, 1):
        ink[entry.ink] = number
    heights = [_height(entry) for entry in placed]
    yield from _cut(choice, picture.display, ink, heights, 2)
    rows, columns = ink.shape
    if min(rows, columns) >= _LEAST_SIDE_IN_A_THIRD:
        size = columns // 3, rows // 3
        smaller = cv2.resize(picture.display, size, interpolation=cv2.INTER_AREA)
        less = cv2.resize(ink, size, interpolation=cv2.INTER_NEAREST)
        yield from _cut(choice, smaller, less, [height / 3 for height in heights], 1)
    if picture.contrast is not None:
        yield from _cut(choice, picture.contrast, ink, heights, 1)


def _height(entry: Placed) -> float:
    rows, columns = np.nonzero(entry.ink)
    points = np.stack((columns, rows), axis=1).astype(np.float32)
    return float(min(cv2.minAreaRect(points)[1])) + 1


def _cut(
    choice: np.random.Generator,
    view: NDArray[Any],
    ink: NDArray[Any],
    heights: Sequence[float],
    count: int,
) -> Iterator[Square]:
    strokes: NDArray[Any] = np.ascontiguousarray(strokes_of(view).transpose(1, 2, 0))
    below, right = (max(_SIDE - length, 0) for length in ink.shape)
    strokes = cv2.copyMakeBorder(strokes, 0, below, 0, right, cv2.BORDER_CONSTANT)
    ink = np.pad(ink, ((0, below), (0, right)))
    is_text, is_clear = _labels(ink, strokes.max(axis=-1), heights)
    rows, columns = np.nonzero(is_text)
    for _ in range(count):
        top, left = (
            int(choice.integers(0, (length - _SIDE) // STEP + 1)) * STEP for length in ink.shape
        )
        if len(rows) and choice.random() < 0.7:
            some = int(choice.integers(len(rows)))
            top = _around(choice, int(rows[some]), ink.shape[0])
            left = _around(choice, int(columns[some]), ink.shape[1])
        place = slice(top, top + _SIDE), slice(left, left + _SIDE)
        texts = _by_cells(is_text[place]).sum(axis=(1, 3)) >= _LEAST_INK
        counts = (_by_cells(is_clear[place]).min(axis=(1, 3)) > 0) | texts
        if strokes[place].max() >= _SEEN:
            yield Square(np.asarray(strokes[place], np.uint8), texts, counts)


def _around(choice: np.random.Generator, at: int, length: int) -> int:
    return min(max(at - int(choice.integers(30, 226)), 0), length - _SIDE) // STEP * STEP


def _by_cells(part: NDArray[Any]) -> NDArray[Any]:
    return part.reshape(_SIDE // STEP, STEP, _SIDE // STEP, STEP)


def _labels(
    ink: NDArray[Any], strokes: NDArray[np.uint8], heights: Sequence[float]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return which pixels are of letters that can be seen, and which are of nothing like them."""
    is_text: NDArray[Any] = np.zeros_like(ink)
    is_clear: NDArray[Any] = np.ones_like(ink)
    for number, height in enumerate(heights, 1):
        own = (ink == number).astype(np.uint8)
        rows, columns = np.nonzero(own)
        if not len(rows):
            continue
        is_clear[
            max(rows.min() - _AROUND, 0) : rows.max() + _AROUND + 1,
            max(columns.min() - _AROUND, 0) : columns.max() + _AROUND + 1,
        ] = 0
        wide: NDArray[Any] = cv2.dilate(own, np.ones((3, 3), np.uint8))
        seen = np.count_nonzero((wide > 0) & (strokes >= _SEEN))
        if _LETTERS[0] <= height <= _LETTERS[1] and 2 * seen >= np.count_nonzero(own):
            is_text |= wide
    return is_text, is_clear


def _turned(choice: np.random.Generator, square: Square) -> Square:
    """Return a square mirrored, turned and with bright and dark exchanged by chance."""
    arrays = [square.strokes, square.is_text, square.counts]
    if choice.random() < 0.5:
        arrays = [array[:, ::-1] for array in arrays]
    if choice.random() < 0.5:
        arrays = [array[::-1] for array in arrays]
    if choice.random() < 0.5:
        arrays = [array.swapaxes(0, 1) for array in arrays]
    if choice.random() < 0.3:
        arrays[0] = arrays[0][..., ::-1]
    return Square(*(np.ascontiguousarray(array) for array in arrays))


def examples(frames: int, *, processes: int, fonts: str) -> list[Square]:
    """Return the squares of all frames, in their order."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, partial(_begin, fonts)) as pool:
        return [square for some in pool.imap(squares_of, range(frames), 16) for square in some]


def _begin(fonts: str) -> None:
    cv2.setNumThreads(1)
    use_fonts(fonts)


def trained(squares: Sequence[Square]) -> Weights:
    """Return the weights (kernel rows, columns, channels in, out) and offsets of each layer: Adam, by jax."""
    os.environ["XLA_FLAGS"] = (
        "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"  # one sum, one order
    )
    jax = import_module("jax")  # of training alone
    jnp = jax.numpy

    def odds(weights: Weights, strokes: Any) -> Any:
        seen = jnp.sqrt(strokes.astype(jnp.float32) / 255) * 2
        for (_, stride, dilation, _), (kernel, offset) in zip(LAYERS, weights, strict=False):
            seen = jax.nn.relu(_convolved(jax, seen, kernel, stride, dilation) + offset)
        kernel, offset = weights[-1]
        return _convolved(jax, seen, kernel, 1, 1)[..., 0] + offset[0]

    def loss(weights: Weights, strokes: Any, is_text: Any, counts: Any) -> Any:
        answer = odds(weights, strokes)
        each = jnp.maximum(answer, 0) - answer * is_text + jnp.log1p(jnp.exp(-jnp.abs(answer)))
        return (each * counts).sum() / counts.sum()

    def one_step(state: Any, batch: Any, rate: Any, number: Any) -> Any:
        weights, mean, square = state
        value, slope = jax.value_and_grad(loss)(weights, *batch)
        mean = jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, mean, slope)
        square = jax.tree.map(lambda old, new: 0.999 * old + 0.001 * new * new, square, slope)
        first, second = 1 - 0.9**number, 1 - 0.999**number
        weights = jax.tree.map(
            lambda own, m, s: own - rate * (m / first / (jnp.sqrt(s / second) + 1e-8) + 1e-4 * own),
            weights,
            mean,
            square,
        )
        return (weights, mean, square), value

    step = jax.jit(one_step)
    weights = _at_first(jax)
    zeros = jax.tree.map(jnp.zeros_like, weights)
    state, choice = (weights, zeros, zeros), np.random.default_rng(1)
    steps, values = _ROUNDS * len(squares) // _BATCH, []
    for number, batch in zip(range(1, steps + 1), _batches(choice, squares), strict=False):
        rate = _RATE * min(1, number / _WARM_UP) * 0.5 * (1 + np.cos(np.pi * number / steps))
        state, value = step(state, batch, rate + 1e-5, number)
        values.append(float(value))
        if number % 500 == 0:
            print(f"step {number} of {steps}: loss {np.mean(values[-500:]):.4f}", flush=True)
    return [(np.asarray(kernel), np.asarray(offset)) for kernel, offset in state[0]]


def _convolved(jax: Any, given: Any, kernel: Any, stride: int, dilation: int) -> Any:
    return jax.lax.conv_general_dilated(
        given,
        kernel,
        (stride, stride),
        "SAME",
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _at_first(jax: Any) -> Weights:
    key, channels, weights = jax.random.PRNGKey(3), 2, []
    for side, _, _, count in (*LAYERS, (1, 1, 1, 1)):
        key, own = jax.random.split(key)
        spread = np.sqrt(2 / (side * side * channels)) if count > 1 else 0.05
        kernel = jax.random.normal(own, (side, side, channels, count)) * spread
        offset = jax.numpy.zeros(count) if count > 1 else jax.numpy.full(1, -2.0)
        weights.append((kernel, offset))
        channels = count
    return weights


def _batches(
    choice: np.random.Generator, squares: Sequence[Square]
) -> Iterator[tuple[NDArray[Any], ...]]:
    """Yield batches for ever: strokes as they are or fainter, bright and dark exchanged by chance."""
    while True:
        order = choice.permutation(len(squares))
        for at in range(0, len(order) - _BATCH + 1, _BATCH):
            some = [squares[number] for number in order[at : at + _BATCH]]
            strokes = np.stack([square.strokes for square in some]).astype(np.float32)
            if choice.random() < 0.5:
                strokes = strokes[..., ::-1]
            if choice.random() < 0.5:
                strokes *= choice.uniform(0.35, 1.2, (_BATCH, 1, 1, 1))
            is_text = np.stack([square.is_text for square in some]).astype(np.float32)
            counts = np.stack([square.counts for square in some]).astype(np.float32)
            yield strokes.clip(0, 255), is_text, counts * (1 + (_TEXT_COUNTS - 1) * is_text)


def as_onnx(weights: Weights) -> bytes:
    """Return the model as ONNX: from strokes (1, 2, rows, columns) to the odds of cells of 8 x 8."""
    onnx = import_module("onnx")  # of training alone
    helper, from_array = onnx.helper, onnx.numpy_helper.from_array
    number_type = onnx.TensorProto.FLOAT
    constants = [from_array(np.float32(4 / 255), "scale")]
    nodes = [
        helper.make_node("Mul", ["strokes", "scale"], ["scaled"]),
        helper.make_node("Sqrt", ["scaled"], ["seen0"]),
    ]
    for number, ((kernel, offset), layer) in enumerate(
        zip(weights, (*LAYERS, (1, 1, 1, 1)), strict=True)
    ):
        side, stride, dilation, _ = layer
        around = dilation * (side // 2)
        constants += [
            from_array(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)), f"kernel{number}"),
            from_array(offset, f"offset{number}"),
        ]
        is_last = number == len(LAYERS)
        nodes.append(
            helper.make_node(
                "Conv",
                [f"seen{number}", f"kernel{number}", f"offset{number}"],
                ["odds" if is_last else f"sum{number}"],
                kernel_shape=[side, side],
                strides=[stride, stride],
                dilations=[dilation, dilation],
                # With a stride of two and an even length, "SAME" adds after the last row only.
                pads=[0, 0, 1, 1] if stride == 2 else [around] * 4,
            )
        )
        if not is_last:
            nodes.append(helper.make_node("Relu", [f"sum{number}"], [f"seen{number + 1}"]))
    graph = helper.make_graph(
        nodes,
        "sieve",
        [helper.make_tensor_value_info("strokes", number_type, [1, 2, "rows", "columns"])],
        [helper.make_tensor_value_info("odds", number_type, [1, 1, "down", "across"])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def main() -> None:
    """Make the squares, train, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pixels.sieve")
    parser.add_argument("--fonts", required=True, help="a folder of fonts of many scripts")
    parser.add_argument("--frames", type=int, default=_FRAMES, help="that are made (default 2400)")
    parser.add_argument("--processes", type=int, default=2, help="that make squares (default 2)")
    arguments = parser.parse_args()
    squares = examples(arguments.frames, processes=arguments.processes, fonts=arguments.fonts)
    digest = hashlib.sha256()
    for square in squares:
        for array in (square.strokes, square.is_text, square.counts):
            digest.update(array.tobytes())
    print(f"{len(squares)} squares, SHA-256 {digest.hexdigest()}", flush=True)
    data = as_onnx(trained(squares))
    (Path(__file__).parents[3] / "deid" / "tables" / SIEVE).write_bytes(data)
    print(f"{len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
