"""Fragments to frames and back: offset tables, split frames, broken items."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from deid.encoding.segments import Span
from deid.errors import Reason, Unsafe
from deid.pixels.cleaning import PixelCleaning
from deid.pixels.codecs.encapsulation import build, parse
from tests import pixel_samples as samples

FRAMES = [
    b"\xff\xd8one\xff\xd9",
    b"\xff\xd8second\xff\xd9\0"[:10] + b"\xff\xd9",
    b"\xff\xd8iii\xff\xd9",
]


def _item(data: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(data)) + data


def _joined(value: bytes, segments: list[Any]) -> bytes:
    return b"".join(
        value[part.start : part.stop] if isinstance(part, Span) else part for part in segments
    )


def _even(frame: bytes) -> bytes:
    return frame + b"\0" * (len(frame) % 2)


@pytest.mark.parametrize("offsets", [True, False])
def test_replaced_frames_move_the_basic_offset_table(*, offsets: bool) -> None:
    value = samples.encapsulated(FRAMES, offsets=offsets)
    parsed = parse(value, 0, len(value), 3)
    segments, changes = build(parsed, {1: b"longer than before"}, {})
    new = _joined(value, segments)
    again = parse(new, 0, len(new), 3)
    assert again.has_basic_offsets is offsets
    read = [frame.read(new) for frame in again.frames]
    assert read == [_even(FRAMES[0]), b"longer than before", _even(FRAMES[2])]
    assert not changes
    if offsets:
        table = struct.unpack_from("<3I", new, 8)
        first = again.frames[0].items.start
        assert [first + offset for offset in table] == [frame.items.start for frame in again.frames]


def test_frames_in_several_fragments_are_found_by_the_table() -> None:
    pieces = [[b"ab", b"cd"], [b"efgh"], [b"ij", b"kl", b"mn"]]
    items = b"".join(_item(piece) for frame in pieces for piece in frame)
    value = _item(struct.pack("<3I", 0, 20, 32)) + items
    parsed = parse(value, 0, len(value), 3)
    assert [frame.read(value) for frame in parsed.frames] == [b"abcd", b"efgh", b"ijklmn"]


def test_frames_in_several_fragments_are_found_by_their_ends() -> None:
    value = (
        _item(b"")
        + _item(b"\xff\xd8ab")
        + _item(b"cd\xff\xd9")
        + _item(b"\xff\xd8\xff\xd9")
        + _item(b"\xff\xd8\xff\xd9")
    )
    parsed = parse(value, 0, len(value), 3)
    assert parsed.frames[0].read(value) == b"\xff\xd8abcd\xff\xd9"


def test_an_end_that_two_fragments_share_is_seen() -> None:
    value = _item(b"") + _item(b"\xff\xd8a\xff") + _item(b"\xd9\x00") + _item(b"\xff\xd8\xff\xd9")
    parsed = parse(value, 0, len(value), 2)
    assert parsed.frames[0].read(value) == b"\xff\xd8a\xff\xd9\x00"


def test_one_frame_takes_all_fragments() -> None:
    value = _item(b"") + _item(b"ab") + _item(b"cd")
    assert parse(value, 0, len(value), 1).frames[0].read(value) == b"abcd"


def test_extended_offset_tables_are_rewritten() -> None:
    value = samples.encapsulated(FRAMES, offsets=False)
    parsed = parse(value, 0, len(value), 3)
    starts = [frame.items.start - 8 for frame in parsed.frames]
    attributes = {
        "ExtendedOffsetTable": struct.pack("<3Q", *starts),
        "ExtendedOffsetTableLengths": struct.pack("<3Q", *(len(frame) for frame in FRAMES)),
    }
    _, changes = build(parsed, {0: b"123456789"}, attributes)
    assert struct.unpack("<3Q", changes["ExtendedOffsetTable"]) == (
        0,
        18,
        18 + starts[2] - starts[1],
    )
    lengths = struct.unpack("<3Q", changes["ExtendedOffsetTableLengths"])
    assert lengths == (9, len(FRAMES[1]), len(FRAMES[2]))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
        _item(b"") + b"\xfe\xff\x00\xe0\x10\x00\x00\x00ab",
        _item(b"") + b"junkjunk",
        _item(b"") + _item(b"ab"),
        _item(struct.pack("<3I", 0, 4, 6)) + _item(b"ab") + _item(b"cd"),
    ],
)
def test_items_that_do_not_make_the_frames_are_refused(value: bytes) -> None:
    with pytest.raises(Unsafe) as refused:
        parse(value, 0, len(value), 3)
    assert refused.value.reason is Reason.PIXELS_UNDECODABLE


@pytest.mark.parametrize(
    ("syntax", "place"),
    [
        (samples.JPEG_BASELINE, "comment"),
        (samples.JPEG_BASELINE, "exif"),
        (samples.JPEG_BASELINE, "tail"),
        (samples.JPEG_LS, "comment"),
        (samples.JPEG_LOSSLESS_SV1, "comment"),
        (samples.J2K_LOSSLESS, "j2k comment"),
        (samples.J2K_LOSSLESS, "tail"),
        (samples.RLE, "tail"),
    ],
)
def test_hidden_text_in_a_codestream_is_blanked_without_moving_anything(
    syntax: str, place: str
) -> None:
    frame = np.zeros((samples.ROWS, samples.COLUMNS, 1), np.uint8)
    whole = samples.encode(syntax, frame)
    secret = b"SMITH^JOHN"
    hidden = {
        "comment": whole[:2] + b"\xff\xfe" + struct.pack(">H", 12) + secret + whole[2:],
        "exif": whole[:2] + b"\xff\xe1" + struct.pack(">H", 18) + b"Exif\0\0" + secret + whole[2:],
        "tail": whole + secret,
        "j2k comment": whole[:45] + b"\xff\x64" + struct.pack(">HH", 14, 1) + secret + whole[45:],
    }[place]
    instance = samples.make_instance(syntax, [frame], samples.attributes(frame), encoded=[hidden])
    cleaner = PixelCleaning("REDACT_ALL_TEXT", samples.NothingFound(), untrusted=())
    cleaned = cleaner.clean(instance)
    value = samples.value_of(instance, cleaned)
    assert secret not in value
    assert len(value) == instance.stop - instance.start
    after = samples.samples_of(samples.written(instance, cleaned))
    assert (after == frame).all()
