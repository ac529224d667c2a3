"""What holds for every frame, box and encoding."""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deid.errors import Unsafe
from deid.pixels.codecs.codestreams import CodestreamBroken, jpeg_segments
from deid.pixels.codecs.jpeg_blocks import wipe
from deid.pixels.codecs.table import CODECS
from deid.pixels.geometry import Box, outside
from tests import pixel_samples as samples

_boxes = st.builds(
    Box, st.integers(-10, 60), st.integers(-10, 60), st.integers(1, 40), st.integers(1, 40)
)
_slow = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(boxes=st.lists(_boxes, max_size=5), rows=st.integers(1, 50), columns=st.integers(1, 50))
def test_a_frame_is_its_boxes_and_what_lies_outside_them(
    boxes: list[Box], rows: int, columns: int
) -> None:
    counted = np.zeros((rows, columns), np.int64)
    for box in boxes:
        inside = box.clipped(rows, columns)
        if inside is not None:
            counted[inside.top : inside.bottom, inside.left : inside.right] = 1
    for box in outside(boxes, rows, columns):
        counted[box.top : box.bottom, box.left : box.right] += 1
    assert (counted == 1).all()


@given(
    seed=st.integers(0, 1000),
    rows=st.integers(1, 70),
    columns=st.integers(1, 70),
    boxes=st.lists(_boxes, min_size=1, max_size=3),
    quality=st.sampled_from([20, 60, 95, 100]),
    optimised=st.booleans(),
)
@_slow
def test_wiped_grey_jpeg_keeps_every_block_that_no_box_touches(
    seed: int, rows: int, columns: int, boxes: list[Box], quality: int, *, optimised: bool
) -> None:
    frame = np.random.default_rng(seed).integers(0, 256, (rows, columns)).astype(np.uint8)
    source = imagecodecs.jpeg8_encode(frame, level=quality, optimize=optimised)
    before = imagecodecs.jpeg8_decode(source)
    after = imagecodecs.jpeg8_decode(wipe(bytes(source), boxes, [0]))
    touched = np.zeros((rows, columns), np.bool_)
    for box in boxes:
        inside = box.clipped(rows, columns)
        if inside is not None:
            touched[
                inside.top // 8 * 8 : -(-inside.bottom // 8) * 8,
                inside.left // 8 * 8 : -(-inside.right // 8) * 8,
            ] = True
    assert (after[touched] == 0).all()
    assert (after[~touched] == before[~touched]).all()


@given(seed=st.integers(0, 1000), at=st.integers(2, 3000), byte=st.integers(0, 255))
@_slow
def test_a_damaged_jpeg_is_wiped_or_refused_but_never_hangs(seed: int, at: int, byte: int) -> None:
    frame = np.random.default_rng(seed).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    damaged = bytearray(imagecodecs.jpeg8_encode(frame, level=80, subsampling="420"))
    damaged[at % len(damaged)] = byte
    try:
        wiped = wipe(bytes(damaged), [Box(5, 5, 20, 20)], [0, 128, 128])
    except CodestreamBroken:
        return
    assert jpeg_segments(wiped)


@given(
    syntax=st.sampled_from(sorted(CODECS)),
    seed=st.integers(0, 50),
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.integers(0, 100_000), st.integers(1, 255)), max_size=4),
)
@_slow
def test_a_damaged_frame_is_cleaned_or_refused(
    syntax: str, seed: int, cut: float, flips: list[tuple[int, int]]
) -> None:
    frame = samples.texture(seed, rows=40, columns=48)
    damaged = bytearray(samples.encode(syntax, frame))
    for at, flip in flips:
        damaged[at % len(damaged)] ^= flip
    damaged = damaged[: max(2, int(len(damaged) * max(cut, 0.3)))]
    instance: Any = samples.make_instance(
        syntax, [frame], samples.attributes(frame), encoded=[bytes(damaged)]
    )
    box = Box(4, 4, 20, 12)
    try:
        cleaned = samples.filling(box).clean(instance)
    except Unsafe:
        return
    if cleaned.regions:
        after = samples.samples_of(samples.written(instance, cleaned))
        area = after[box.top : box.bottom, box.left : box.right]
        assert np.ptp(area) <= 4
