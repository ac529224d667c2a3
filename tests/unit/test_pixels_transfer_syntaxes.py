"""Filling a region in every transfer syntax: what changes, and what stays bit by bit."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from deid.encoding.segments import Span
from deid.pixels.cleaning import PixelCleaning
from deid.pixels.codecs.table import CODECS
from deid.pixels.geometry import Box
from deid.ports import PixelInstance
from tests import pixel_samples as samples

LOSSLESS = [
    (samples.EXPLICIT_LE, 8, 1),
    (samples.EXPLICIT_LE, 12, 1),
    (samples.EXPLICIT_LE, 8, 3),
    (samples.IMPLICIT_LE, 16, 1),
    (samples.EXPLICIT_BE, 16, 1),
    (samples.EXPLICIT_BE, 8, 3),
    (samples.RLE, 8, 1),
    (samples.RLE, 16, 1),
    (samples.RLE, 8, 3),
    (samples.JPEG_LOSSLESS, 12, 1),
    (samples.JPEG_LOSSLESS_SV1, 8, 1),
    (samples.JPEG_LOSSLESS_SV1, 16, 1),
    (samples.JPEG_LOSSLESS_SV1, 8, 3),
    (samples.JPEG_LS, 8, 1),
    (samples.JPEG_LS, 12, 1),
    (samples.JPEG_LS, 8, 3),
    (samples.J2K_LOSSLESS, 8, 1),
    (samples.J2K_LOSSLESS, 12, 1),
    (samples.J2K_LOSSLESS, 8, 3),
    (samples.HTJ2K_LOSSLESS, 8, 1),
    (samples.HTJ2K_LOSSLESS, 16, 1),
    (samples.HTJ2K_RPCL, 8, 3),
    (samples.HTJ2K, 8, 1),
]


def _cleaned(syntax: str, bits: int, count: int, **options: Any) -> tuple[Any, Any, Any]:
    frame = samples.texture(bits=bits, samples=count)
    photometric = options.pop("photometric", "")
    described = samples.attributes(frame, photometric, bits=bits)
    encoded = None
    if syntax in CODECS:
        encoded = [samples.encode(syntax, frame, bits, **options)]
    instance = samples.make_instance(syntax, [frame], described, encoded=encoded)
    cleaned = samples.filling(samples.BOX).clean(instance)
    return instance, cleaned, samples.written(instance, cleaned)


@pytest.mark.parametrize(("syntax", "bits", "count"), LOSSLESS)
def test_lossless_syntaxes_keep_every_sample_outside_the_region(
    syntax: str, bits: int, count: int
) -> None:
    instance, _, result = _cleaned(syntax, bits, count)
    before, after = samples.samples_of(instance), samples.samples_of(result)
    mask = samples.outside(samples.BOX)
    assert (before[mask] == after[mask]).all()
    assert (after[~mask] == 0).all()


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
def test_jpeg_baseline_colour_keeps_everything_outside_the_blocks(subsampling: str) -> None:
    instance, _, result = _cleaned(
        samples.JPEG_BASELINE, 8, 3, subsampling=subsampling, photometric="YBR_FULL_422"
    )
    before, after = samples.samples_of(instance), samples.samples_of(result)
    # The box and its ring, widened to whole MCUs, and one pixel of chroma smoothing around them.
    grown = samples.BOX.grown(1)
    mcu = 8 if subsampling == "444" else 16
    left, top = grown.left // mcu * mcu - 1, grown.top // mcu * mcu - 1
    right, bottom = -(-grown.right // mcu) * mcu + 1, -(-grown.bottom // mcu) * mcu + 1
    mask = samples.outside(Box(left, top, right - left, bottom - top))
    assert (before[mask] == after[mask]).all()
    assert (after[~samples.outside(samples.BOX)] == 0).all()


@pytest.mark.parametrize(
    ("syntax", "bits"), [(samples.JPEG_BASELINE, 8), (samples.JPEG_EXTENDED, 12)]
)
def test_sequential_jpeg_grey_keeps_everything_outside_the_blocks(syntax: str, bits: int) -> None:
    instance, cleaned, result = _cleaned(syntax, bits, 1)
    before, after = samples.samples_of(instance), samples.samples_of(result)
    mask = samples.outside(Box(16, 16, 56, 32))
    assert (before[mask] == after[mask]).all()
    assert (after[~samples.outside(samples.BOX)] == 0).all()
    assert "LossyImageCompressionRatio" not in cleaned.changes


def test_near_lossless_jpeg_ls_keeps_its_error_bound_and_says_that_it_lost_again() -> None:
    instance, cleaned, result = _cleaned(samples.JPEG_LS_NEAR, 8, 1)
    before, after = samples.samples_of(instance), samples.samples_of(result)
    mask = samples.outside(samples.BOX)
    assert np.abs(before - after)[mask].max() <= 2
    assert after[~mask].max() <= 2
    assert cleaned.changes["LossyImageCompression"] == "01"
    assert cleaned.changes["LossyImageCompressionMethod"] == ["ISO_14495_1"]


def test_irreversible_jpeg_2000_grey_keeps_what_it_decoded_to() -> None:
    instance, cleaned, result = _cleaned(samples.J2K, 12, 1)
    before, after = samples.samples_of(instance), samples.samples_of(result)
    mask = samples.outside(samples.BOX)
    assert (before[mask] == after[mask]).all()
    assert not cleaned.changes


def test_irreversible_jpeg_2000_colour_stays_close_and_says_that_it_lost_again() -> None:
    instance, cleaned, result = _cleaned(samples.J2K, 8, 3, photometric="YBR_ICT")
    before, after = samples.samples_of(instance), samples.samples_of(result)
    mask = samples.outside(samples.BOX.grown(4))
    assert np.abs(before - after)[mask].max() <= 4
    assert cleaned.changes["LossyImageCompressionMethod"] == ["ISO_15444_1"]


def test_a_second_lossy_step_is_recorded_after_the_first() -> None:
    frame = samples.texture()
    described = samples.attributes(
        frame,
        LossyImageCompression="01",
        LossyImageCompressionRatio=[7.5],
        LossyImageCompressionMethod="ISO_14495_1",
    )
    encoded = [samples.encode(samples.JPEG_LS_NEAR, frame)]
    instance = samples.make_instance(samples.JPEG_LS_NEAR, [frame], described, encoded=encoded)
    changes = samples.filling(samples.BOX).clean(instance).changes
    assert changes["LossyImageCompressionRatio"][0] == "7.5"
    assert len(changes["LossyImageCompressionRatio"]) == 2
    assert changes["LossyImageCompressionMethod"] == ["ISO_14495_1", "ISO_14495_1"]


@pytest.mark.parametrize(
    "syntax",
    [
        samples.EXPLICIT_LE,
        samples.EXPLICIT_BE,
        samples.RLE,
        samples.JPEG_BASELINE,
        samples.JPEG_LS,
        samples.J2K_LOSSLESS,
    ],
)
def test_frames_that_show_nothing_there_are_copied_as_they_were_encoded(syntax: str) -> None:
    empty = np.zeros((samples.ROWS, samples.COLUMNS, 1), np.uint8)
    frames = [empty, samples.texture(), empty]
    encoded = None
    if syntax in CODECS:
        encoded = [samples.encode(syntax, frame) for frame in frames]
    instance = samples.make_instance(
        syntax, frames, samples.attributes(empty, bits=8), encoded=encoded
    )
    cleaned = samples.filling(samples.BOX).clean(instance)
    assert {region.frame for region in cleaned.regions} == {2}
    assert cleaned.segments is not None
    spans = [part for part in cleaned.segments if isinstance(part, Span)]
    assert len(spans) == 2
    result = samples.written(instance, cleaned)
    for number in range(3):
        before = samples.samples_of(instance, number)
        after = samples.samples_of(result, number)
        is_same = bool((before == after).all())
        assert is_same == (number != 1)


def test_precision_sign_and_wavelet_of_jpeg_2000_stay() -> None:
    frame = (samples.texture(bits=12).astype(np.int16) - 2048)[..., :1]
    described = samples.attributes(frame, bits=12)
    encoded = samples.encode(samples.J2K_LOSSLESS, frame, 12)
    instance = samples.make_instance(samples.J2K_LOSSLESS, [frame], described, encoded=[encoded])
    cleaned = samples.filling(samples.BOX).clean(instance)
    value = samples.value_of(instance, cleaned)
    again = value[value.index(b"\xff\x4f\xff\x51") :]
    assert again[42] == encoded[42] == 0x8B
    after = samples.samples_of(samples.written(instance, cleaned))
    lowest = int(frame.min())
    assert (after[~samples.outside(samples.BOX)] == lowest).all()


def test_interleaving_and_precision_of_jpeg_ls_stay() -> None:
    frame = samples.texture(bits=12)
    described = samples.attributes(frame, bits=12)
    encoded = samples.encode(samples.JPEG_LS, frame, 12)
    instance = samples.make_instance(samples.JPEG_LS, [frame], described, encoded=[encoded])
    value = samples.value_of(instance, samples.filling(samples.BOX).clean(instance))
    again = value[value.index(b"\xff\xd8") :]
    assert again[again.index(b"\xff\xf7") + 4] == 12


def test_subsampled_native_frames_are_filled_in_pairs() -> None:
    rgb = samples.texture(samples=3)
    ycc = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)[..., [0, 2, 1]]
    packed = np.empty((samples.ROWS, samples.COLUMNS // 2, 4), np.uint8)
    packed[..., 0], packed[..., 1] = ycc[:, 0::2, 0], ycc[:, 1::2, 0]
    packed[..., 2:] = ycc[:, 0::2, 1:]
    described = samples.attributes(rgb, "YBR_FULL_422")
    instance = samples.make_instance(samples.EXPLICIT_LE, [packed], described)
    cleaned = samples.filling(samples.BOX).clean(instance)
    after = np.frombuffer(samples.value_of(instance, cleaned), np.uint8).reshape(packed.shape)
    inside = after[samples.BOX.top : samples.BOX.bottom, 10:36]
    assert (inside == (0, 0, 128, 128)).all()
    changed = (after != packed).any(axis=2)
    changed[samples.BOX.top : samples.BOX.bottom, 10:36] = False
    assert not changed.any()


def test_planar_frames_are_filled_in_every_plane() -> None:
    frame = samples.texture(samples=3)
    planes = np.moveaxis(frame, -1, 0)
    described = samples.attributes(frame, PlanarConfiguration=1)
    instance = samples.make_instance(samples.EXPLICIT_LE, [planes], described)
    cleaned = samples.filling(samples.BOX).clean(instance)
    after = np.frombuffer(samples.value_of(instance, cleaned), np.uint8).reshape(planes.shape)
    mask = samples.outside(samples.BOX)
    assert (after[:, ~mask] == 0).all()
    assert (after[:, mask] == planes[:, mask]).all()


def test_single_bit_frames_that_share_a_byte_are_filled_apart() -> None:
    rows, columns = 5, 7  # 35 bits a frame
    bits = np.ones(2 * rows * columns, np.uint8)
    packed = np.packbits(bits, bitorder="little")
    described = samples.attributes(np.ones((rows, columns, 1), np.uint8)) | {
        "BitsAllocated": 1,
        "BitsStored": 1,
        "HighBit": 0,
    }
    instance = samples.make_instance(
        samples.EXPLICIT_LE, [packed[:5], packed[5:]], described, lead=b"xy"
    )
    cleaned = samples.filling(Box(1, 1, 2, 2)).clean(instance)
    # A uniform region shows nothing: give it a dark corner.
    assert cleaned.segments is None
    bits[8] = 0
    packed = np.packbits(bits, bitorder="little")
    instance = samples.make_instance(
        samples.EXPLICIT_LE, [packed[:5], packed[5:]], described, lead=b"xy"
    )
    cleaned = samples.filling(Box(1, 1, 2, 2)).clean(instance)
    after = np.unpackbits(
        np.frombuffer(samples.value_of(instance, cleaned), np.uint8), bitorder="little"
    )[: 2 * rows * columns].reshape(2, rows, columns)
    assert after[0].sum() == 35 - 4
    assert after[1].sum() == 35


def test_swapped_bytes_of_big_endian_words_are_filled_where_they_belong() -> None:
    frame = samples.texture()
    swapped = frame.reshape(-1, 2)[:, ::-1].reshape(frame.shape)
    described = samples.attributes(frame, PixelDataVR="OW")
    instance = samples.make_instance(samples.EXPLICIT_BE, [swapped], described)
    cleaned = samples.filling(samples.BOX).clean(instance)
    raw = np.frombuffer(samples.value_of(instance, cleaned), np.uint8)
    after = raw.reshape(-1, 2)[:, ::-1].reshape(frame.shape)
    mask = samples.outside(samples.BOX)
    assert (after[mask] == frame[mask]).all()
    assert (after[~mask] == 0).all()


@pytest.mark.parametrize(("photometric", "expected"), [("MONOCHROME1", 4095), ("MONOCHROME2", 0)])
def test_fill_is_black_for_the_photometric_interpretation(photometric: str, expected: int) -> None:
    frame = samples.texture(bits=12)
    described = samples.attributes(frame, photometric, bits=12)
    instance = samples.make_instance(samples.EXPLICIT_LE, [frame], described)
    cleaned = samples.filling(samples.BOX).clean(instance)
    after = samples.samples_of(samples.written(instance, cleaned))
    assert (after[~samples.outside(samples.BOX)] == expected).all()


def test_palette_frames_are_filled_with_the_darkest_entry() -> None:
    frame = samples.texture()
    table = np.full(256, 0xFF00, "<u2")
    table[77] = 0
    described = samples.attributes(frame, "PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        described[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        described[f"{colour}PaletteColorLookupTableData"] = table.tobytes()
    instance = samples.make_instance(samples.EXPLICIT_LE, [frame], described)
    cleaned = samples.filling(samples.BOX).clean(instance)
    after = samples.samples_of(samples.written(instance, cleaned))
    assert (after[~samples.outside(samples.BOX)] == 77).all()


def test_smallest_and_largest_pixel_value_follow_the_stored_values() -> None:
    frame = samples.texture(bits=12) // 2 + 100
    described = samples.attributes(
        frame,
        bits=12,
        SmallestImagePixelValue=int(frame.min()),
        LargestImagePixelValue=int(frame.max()),
        SmallestPixelValueInSeries=50,
    )
    instance = samples.make_instance(samples.EXPLICIT_LE, [frame], described)
    changes = samples.filling(samples.BOX).clean(instance).changes
    assert changes == {"SmallestImagePixelValue": 0, "SmallestPixelValueInSeries": 0}


def test_unused_high_bits_and_bytes_after_the_last_row_go() -> None:
    frame = samples.texture(bits=12)
    described = samples.attributes(frame, bits=12)
    dirty = frame | np.uint16(0xA000)
    clean_value = frame.tobytes()
    source = dirty.tobytes() + b"SMITH^JOHN"
    instance = PixelInstance(
        samples.EXPLICIT_LE, described, source, 0, len(source), big_endian=False, known=()
    )
    cleaned = _examined(instance)
    assert samples.value_of(instance, cleaned) == clean_value


def _examined(instance: Any) -> Any:
    cleaner = PixelCleaning("REDACT_ALL_TEXT", samples.NothingFound(), untrusted=())
    return cleaner.clean(instance)


def test_sign_extension_in_unused_bits_stays() -> None:
    frame = samples.texture(bits=12).astype(np.int16) - 2048
    described = samples.attributes(frame, bits=12)
    instance = samples.make_instance(samples.EXPLICIT_LE, [frame], described)
    assert _examined(instance).segments is None


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    "syntax",
    [
        samples.RLE,
        samples.JPEG_LOSSLESS_SV1,
        samples.JPEG_LS,
        samples.J2K_LOSSLESS,
        samples.HTJ2K_LOSSLESS,
    ],
)
def test_unused_high_bits_of_encoded_frames_go_and_all_others_stay(
    syntax: str, *, signed: bool
) -> None:
    frame = samples.texture(bits=12)
    hidden = frame.copy()
    hidden[40:60, 40:80] |= 0x5000
    described = samples.attributes(frame, bits=12, PixelRepresentation=int(signed))
    plain = samples.encode(syntax, frame, 16)
    instance = samples.make_instance(
        syntax, [hidden, frame], described, encoded=[samples.encode(syntax, hidden, 16), plain]
    )
    cleaned = samples.filling().clean(instance)
    after = samples.written(instance, cleaned)
    assert (samples.samples_of(after) & 0xFFF == frame.astype(np.int64)).all()
    above = samples.samples_of(after) >> 12 & 0xF
    negative = signed & (frame >> 11 & 1).astype(bool)
    # As readers expect: zero, or the sign in the part that was cleaned anew.
    assert set(np.unique(above[~negative])) == {0}
    assert set(np.unique(above[negative])) <= {0, 0xF}
    if syntax != samples.HTJ2K_LOSSLESS:  # whose encoder leaves a comment, which goes
        assert samples.value_of(instance, cleaned).endswith(plain + b"\0" * (len(plain) % 2))


def test_values_that_a_lossy_step_carried_past_bits_stored_stay() -> None:
    frame = samples.texture(bits=12)
    frame[10:20, 10:20] = 4097
    described = samples.attributes(frame, bits=12)
    near = samples.encode(samples.JPEG_LS_NEAR, frame, 16)
    instance = samples.make_instance(samples.JPEG_LS_NEAR, [frame], described, encoded=[near])
    assert samples.filling().clean(instance).segments is None
