"""Overlay planes (60xx,3000): one bit per pixel, cleaned like a frame when they are kept.

PS3.3 C.9.2. Overlay planes in unused high bits of Pixel Data (retired) are cleared together with
the frame, see `deid.pixels.codecs.native`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from deid.errors import Reason, Unsafe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from deid.identity.identifiers import KnownIdentifier
    from deid.pixels.geometry import Box
    from deid.ports import DrawnBox, OverlayPlane

_WHERE = "(60xx,3000)"
MAX_OVERLAY_PIXELS = 1 << 28


class BitmapCleaner(Protocol):
    """Clears text in one plane."""

    def clean_bitmap(
        self, bitmap: NDArray[np.bool_], known: Sequence[KnownIdentifier]
    ) -> list[Box]:
        """Clear text in a bitmap, in place; return what was cleared."""


def clean_overlay(
    cleaning: BitmapCleaner,
    data: bytes,
    rows: int,
    columns: int,
    *,
    frames: int = 1,
    known: Sequence[KnownIdentifier] = (),
) -> bytes | None:
    """Return Overlay Data without its text, None when there was none.

    Parameters
    ----------
    data
        The value of Overlay Data: bits in little-endian order, frames following each other without
        padding (PS3.5 8.1.2).
    rows, columns, frames
        Overlay Rows, Overlay Columns, Number of Frames in Overlay.

    Raises
    ------
    Unsafe
        `Reason.PIXELS_UNDECODABLE` when the value is too short for that size.
    """
    size = rows * columns
    _check_size(data, rows, columns, frames)
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    is_changed = bool(bits[size * frames :].any())
    bits[size * frames :] = 0
    before: NDArray[np.uint8] | None = None
    after: NDArray[np.uint8] | None = None
    for number in range(frames):
        frame = bits[number * size : (number + 1) * size]
        # Most often each frame has the same graphics.
        if before is None or after is None or not np.array_equal(frame, before):
            before = frame.copy()
            plane = before.reshape(rows, columns).astype(np.bool_)
            is_cleaned = bool(plane.any()) and bool(cleaning.clean_bitmap(plane, known))
            after = plane.ravel().astype(np.uint8) if is_cleaned else before
        if after is not before:
            frame[:] = after
            is_changed = True
    return np.packbits(bits, bitorder="little").tobytes() if is_changed else None


def without_boxes(plane: OverlayPlane, drawn: Sequence[DrawnBox]) -> bytes:
    """Return Overlay Data with nothing set where a person drew boxes over the image.

    Raises
    ------
    Unsafe
        `Reason.PIXELS_UNDECODABLE` when the value is too short for its size.
    """
    rows, columns, frames = plane.rows, plane.columns, plane.frames
    _check_size(plane.value, rows, columns, frames)
    bits = np.unpackbits(np.frombuffer(plane.value, np.uint8), bitorder="little")
    whole = bits[: rows * columns * frames].reshape(frames, rows, columns)
    top, left = plane.origin[0] - 1, plane.origin[1] - 1
    for box in drawn:
        lies = slice(None)
        if box.frame and plane.first_frame:
            number = box.frame - plane.first_frame
            lies = slice(max(number, 0), max(number + 1, 0))
        above, before = box.top - top, box.left - left
        inside_rows = slice(max(above, 0), max(above + box.height, 0))
        inside_columns = slice(max(before, 0), max(before + box.width, 0))
        whole[lies, inside_rows, inside_columns] = 0
    return np.packbits(bits, bitorder="little").tobytes()


def _check_size(data: bytes, rows: int, columns: int, frames: int) -> None:
    size = rows * columns * frames
    if min(rows, columns, frames) < 1 or size > MAX_OVERLAY_PIXELS or len(data) * 8 < size:
        raise Unsafe(Reason.PIXELS_UNDECODABLE, _WHERE)
