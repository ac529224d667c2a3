"""What a codec was told to do is looked at once it is done: one that does not do it lets nothing pass."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from deid.encoding.segments import Span
from deid.errors import Reason, Unsafe
from deid.pixels.codecs.native import NativeFrame
from deid.pixels.codecs.table import CODECS
from deid.pixels.description import describe
from deid.pixels.frames import Frames, open_frames
from deid.pixels.geometry import Box
from deid.ports import CleanedPixels
from tests import pixel_samples as samples

if TYPE_CHECKING:
    from deid.ports import PixelInstance


def frames_of(instance: PixelInstance) -> Frames:
    return open_frames(instance, describe(instance.attributes))


def encoded(syntax: str, *, unused_bits: int = 0) -> PixelInstance:
    """Return an instance of 12 bits stored in 16, with these bits above them."""
    frame = samples.texture(bits=12)
    described = samples.attributes(frame, bits=12)
    written = samples.encode(syntax, frame | np.uint16(unused_bits))
    return samples.make_instance(syntax, [frame], described, encoded=[written])


def idle(monkeypatch: pytest.MonkeyPatch, syntax: str) -> None:
    """Let a codec return each frame as it came, whatever is to be filled in it."""
    codec = replace(CODECS[syntax], redact=lambda frame, _image, _boxes, _values: frame)
    monkeypatch.setitem(CODECS, syntax, codec)


@pytest.mark.parametrize("syntax", [samples.RLE, samples.JPEG_LS, samples.J2K_LOSSLESS])
def test_a_region_that_the_codec_left_as_it_was_is_refused(
    monkeypatch: pytest.MonkeyPatch, syntax: str
) -> None:
    instance = encoded(syntax)
    filled = frames_of(instance).redact(0, [samples.BOX])
    assert not filled.samples[samples.BOX.top, samples.BOX.left : samples.BOX.right].any()
    idle(monkeypatch, syntax)
    with pytest.raises(Unsafe) as caught:
        frames_of(instance).redact(0, [samples.BOX])
    assert (caught.value.reason, caught.value.where) == (Reason.PIXELS_NOT_CLEANED, "frame 1")


def test_a_native_region_that_was_not_filled_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = samples.texture(bits=12)
    instance = samples.make_instance(
        samples.EXPLICIT_LE, [frame], samples.attributes(frame, bits=12)
    )
    frames_of(instance).redact(0, [samples.BOX])
    monkeypatch.setattr(NativeFrame, "fill", lambda *_: None)
    with pytest.raises(Unsafe) as caught:
        frames_of(instance).redact(0, [samples.BOX])
    assert caught.value.reason is Reason.PIXELS_NOT_CLEANED


def test_unused_bits_that_the_codec_left_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = encoded(samples.RLE, unused_bits=0x8000)
    assert not (frames_of(instance).decoded(0).samples & 0xF000).any()
    idle(monkeypatch, samples.RLE)
    with pytest.raises(Unsafe) as caught:
        frames_of(instance).decoded(0)
    assert caught.value.reason is Reason.PIXELS_NOT_CLEANED
    assert caught.value.where == "unused bits of frame 1"


@pytest.mark.parametrize("syntax", [samples.EXPLICIT_LE, samples.EXPLICIT_BE])
@pytest.mark.parametrize("colours", [1, 3])
def test_of_a_native_frame_the_rows_that_were_filled_are_kept_and_no_more(
    syntax: str, colours: int
) -> None:
    random = np.random.default_rng(colours)
    shown = [random.integers(1, 4096, (40, 24, colours)).astype(np.uint16) for _ in range(4)]
    instance = samples.make_instance(syntax, shown, samples.attributes(shown[0], bits=12))
    boxes = [Box(2, 3, 5, 4), Box(10, 5, 8, 4), Box(0, 30, 24, 10)]
    frames = frames_of(instance)
    for number in (1, 2):
        for box in boxes:
            shown[number][box.top : box.bottom, box.left : box.right] = 0
        assert np.array_equal(frames.redact(number, boxes).samples, shown[number])
    segments, _ = frames.finished()
    assert segments is not None
    held = [len(part) for part in segments if not isinstance(part, Span)]
    assert held == [rows * 24 * colours * 2 for rows in (6, 10, 6, 10)]
    cleaned = CleanedPixels(segments, (), {}, examined_all=True)
    after = samples.written(instance, cleaned)
    for number, expected in enumerate(shown):
        assert np.array_equal(samples.samples_of(after, number), expected)


def test_a_native_frame_that_is_filled_twice_keeps_both() -> None:
    frame = samples.texture(bits=12)
    instance = samples.make_instance(
        samples.EXPLICIT_LE, [frame], samples.attributes(frame, bits=12)
    )
    frames = frames_of(instance)
    frames.redact(0, [samples.BOX])
    twice = frames.redact(0, [Box(0, 0, 4, 4)]).samples
    for box in (samples.BOX, Box(0, 0, 4, 4)):
        assert not twice[box.top : box.bottom, box.left : box.right].any()
