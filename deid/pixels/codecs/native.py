"""Uncompressed frames, both byte orders (PS3.5 8.2 and Annex D)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from deid.errors import Reason, Unsafe
from deid.pixels.samples import Decoded, coded_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from deid.pixels.description import ImageDescription
    from deid.pixels.geometry import Box

_SUBSAMPLED = {"YBR_FULL_422", "YBR_PARTIAL_422"}


class NativeFrame:
    """One native frame in a buffer of its own, to be looked at and filled in place.

    Parameters
    ----------
    raw
        The frame's bytes; for Bits Allocated 1 the bytes that hold its bits.
    first_bit
        Where in the first byte the frame begins (Bits Allocated 1 only, else 0).
    is_big_endian
        Whether words are big endian.
    """

    def __init__(
        self,
        image: ImageDescription,
        raw: bytes | bytearray | memoryview,
        *,
        first_bit: int = 0,
        is_big_endian: bool = False,
    ) -> None:
        if image.photometric == "YBR_PARTIAL_420":
            raise Unsafe(Reason.PIXELS_UNDECODABLE, "(0028,0004)")
        self._image = image
        self._first_bit = first_bit
        data = np.frombuffer(raw, np.uint8)
        if image.bits_allocated == 1:
            self._bits = np.unpackbits(data, bitorder="little")
            words: NDArray[Any] = self._bits[first_bit : first_bit + image.native_frame_bits]
        else:
            self._dtype = f"{'>' if is_big_endian else '<'}u{image.bits_allocated // 8}"
            words = data.view(self._dtype)
        self._words = words.reshape(_shape(image))
        self._data = data
        self._is_big_endian = is_big_endian

    def rows(self, top: int, bottom: int) -> tuple[NativeFrame, int]:
        """Return rows of the frame as a frame of its own, and its offset in the frame's bytes.

        Not of Bits Allocated 1, nor where each sample has a plane of its own.
        """
        size = len(self._data) // self._image.rows
        image = replace(self._image, rows=bottom - top)
        raw = self._data[top * size : bottom * size].data.toreadonly()
        return NativeFrame(image, raw, is_big_endian=self._is_big_endian), top * size

    def decoded(self) -> Decoded:
        """Return the samples without unused bits, shape (rows, columns, samples)."""
        image, words = self._image, self._words
        if image.photometric in _SUBSAMPLED:
            full = np.empty((image.rows, image.columns, 3), words.dtype)
            full[:, 0::2, 0], full[:, 1::2, 0] = words[..., 0], words[..., 1]
            full[:, :, 1:] = np.repeat(words[..., 2:], 2, axis=1)
            words = full
        elif image.planar:
            words = np.moveaxis(words, 0, -1)
        shift = image.high_bit - image.bits_stored + 1
        native = words.astype(words.dtype.newbyteorder("="), copy=False)
        if image.bits_stored < image.bits_allocated:
            native = native >> shift & ((1 << image.bits_stored) - 1)
        return Decoded(native, image.photometric)

    def fill(self, boxes: Sequence[Box], values: Sequence[int]) -> None:
        """Overwrite every box; 4:2:2 frames in pairs of columns."""
        image = self._image
        shift = image.high_bit - image.bits_stored + 1
        coded = coded_values(image, np.dtype(np.uint64), values) << np.uint64(shift)
        if image.is_signed:  # unused bits above repeat the sign
            coded = _sign_extended(image, coded)
        self._make_writable()
        for box in boxes:
            rows = slice(box.top, box.bottom)
            if image.photometric in _SUBSAMPLED:
                pairs = slice(box.left // 2, -(-box.right // 2))
                self._words[rows, pairs] = coded[[0, 0, 1, 2]].astype(self._words.dtype)
            elif image.planar:
                area = self._words[:, rows, box.left : box.right]
                area[:] = coded.astype(self._words.dtype)[:, None, None]
            else:
                area = self._words[rows, box.left : box.right]
                # Row by row, which is many times as fast as pixel by pixel.
                area[:] = np.tile(coded.astype(self._words.dtype), (area.shape[1], 1))

    def clear_unused_bits(self) -> bool:
        """Set the bits outside Bits Stored to zero, or to the sign; say whether any changed.

        Overlays of the 1990s lie there (PS3.5 8.1.2, retired embedded overlays).
        """
        image = self._image
        if image.bits_allocated in {1, image.bits_stored}:
            return False
        shift = image.high_bit - image.bits_stored + 1
        mask = ((1 << image.bits_stored) - 1) << shift
        allocated = (1 << image.bits_allocated) - 1
        if not (self._words & self._words.dtype.type(allocated & ~mask)).any():
            return False  # as of most frames, of which wider words would take much memory
        words = self._words.astype(np.uint64)
        clean = words & np.uint64(mask)
        if image.is_signed:
            clean = _sign_extended(image, clean)
        is_changed = bool((clean != words).any())
        if is_changed:
            self._make_writable()
            self._words[...] = clean.astype(self._words.dtype)
        return is_changed

    def _make_writable(self) -> None:
        """Copy what was given; most frames are read only, many times."""
        if not self._words.flags.writeable:
            self._data = self._data.copy()
            self._words = self._data.view(self._dtype).reshape(self._words.shape)

    def tobytes(self) -> bytes:
        """Return the frame as it goes into Pixel Data."""
        if self._image.bits_allocated == 1:
            return np.packbits(self._bits, bitorder="little").tobytes()
        return self._data.tobytes()


def _shape(image: ImageDescription) -> tuple[int, ...]:
    if image.photometric in _SUBSAMPLED:
        if image.columns % 2 or image.planar:
            raise Unsafe(Reason.PIXELS_UNDECODABLE, "(0028,0004)")
        return (image.rows, image.columns // 2, 4)
    if image.planar:
        return (image.samples, image.rows, image.columns)
    return (image.rows, image.columns, image.samples)


def _sign_extended(image: ImageDescription, words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    allocated = (1 << image.bits_allocated) - 1
    above = allocated & ~((1 << (image.high_bit + 1)) - 1)
    is_negative = words >> np.uint64(image.high_bit) & np.uint64(1)
    return words | is_negative * np.uint64(above)
