"""Overlay planes as they lie on an image: one bit a pixel, of the groups 60xx (PS3.3 C.9.2, C.9.3).

The standard leaves open how a plane looks. Here it is drawn in a colour that no image of itself has, over
grey as over colour, so that what is written in it can be told from what is burned in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from daemon.rendering.reading import StoredImage

INK: Final = (255, 0, 255)
GROUPS: Final = range(0x6000, 0x6100, 2)
MOST_PIXELS: Final = 1 << 26
"""Of a frame of a plane; a larger one is not drawn."""
_BIG_ENDIAN: Final = (False, False)
"""As pydicom tells of what it has read: explicit VR, and not in little endian."""
_ROWS, _COLUMNS, _FRAMES = 0x0010, 0x0011, 0x0015
_ORIGIN, _FRAME_ORIGIN = 0x0050, 0x0051
_BIT_POSITION, _ACTIVATION, _DATA = 0x0102, 0x1001, 0x3000


@dataclass(frozen=True, slots=True)
class Plane:
    """One overlay plane of a data set.

    Attributes
    ----------
    rows, columns
        Of the plane, which need not be those of the image.
    top, left
        Where it begins on the image, counted from 0; it may begin outside.
    first_frame
        Of the image, counted from 1, that its first frame belongs to; 0 where its one frame belongs to all.
    frames
        How many it has.
    bits
        Overlay Data in little endian; None where the plane lies in unused bits of Pixel Data (retired).
    position
        Which bit of Pixel Data, counted from the lowest.
    """

    rows: int
    columns: int
    top: int
    left: int
    first_frame: int
    frames: int
    bits: bytes | None
    position: int

    def on(self, stored: StoredImage, frame: int) -> NDArray[np.bool_] | None:
        """Return where it is set on a frame of the image, shape (rows, columns); None if it is not on it."""
        number = frame - self.first_frame if self.first_frame else 0
        if not 0 <= number < self.frames:
            return None
        image = stored.image
        if self.bits is None:
            return _embedded(stored, frame, self.position)
        top, bottom = max(self.top, 0), min(self.top + self.rows, image.rows)
        left, right = max(self.left, 0), min(self.left + self.columns, image.columns)
        if bottom <= top or right <= left:
            return None
        shown = _rows(self, number, top - self.top, bottom - self.top)
        found = np.zeros((image.rows, image.columns), np.bool_)
        found[top:bottom, left:right] = shown[:, left - self.left : right - self.left]
        return found


def planes_of(dataset: Dataset) -> list[Plane]:
    """Return the planes of a data set, without those that cannot be understood."""
    found = (plane_of(dataset, group) for group in GROUPS)
    return [plane for plane in found if plane is not None]


def plane_of(dataset: Dataset, group: int) -> Plane | None:
    """Return the plane of a group; None where there is none that can be understood."""
    try:
        return _plane(dataset, group)
    except (
        TypeError,
        ValueError,
        LookupError,
        AttributeError,
        ArithmeticError,
        NotImplementedError,
    ):
        return None


def activated(state: Dataset, image: Dataset) -> Iterator[Plane]:
    """Yield the planes that a presentation state shows: its own, else those of the image (PS3.3 C.11.7)."""
    for group in GROUPS:
        if str(_value(state, group, _ACTIVATION) or "").strip():
            plane = plane_of(state, group) or plane_of(image, group)
            if plane is not None:
                yield plane


def drawn_on(
    picture: Image.Image, planes: list[Plane], stored: StoredImage, frame: int
) -> Image.Image:
    """Return a picture in colour with planes drawn on it, as large as the image."""
    samples = np.array(picture.convert("RGB"))
    for plane in planes:
        set_bits = plane.on(stored, frame)
        if set_bits is not None:
            samples[set_bits] = INK
    return Image.fromarray(samples)


def alone(planes: list[Plane], stored: StoredImage, frame: int) -> Image.Image:
    """Return planes on a transparent ground, to be laid over the image."""
    samples = np.zeros((stored.image.rows, stored.image.columns), np.uint8)
    for plane in planes:
        set_bits = plane.on(stored, frame)
        if set_bits is not None:
            samples[set_bits] = 1
    picture = Image.fromarray(samples).convert("P")
    picture.putpalette([0, 0, 0, *INK])
    picture.info["transparency"] = 0
    return picture


def _plane(dataset: Dataset, group: int) -> Plane | None:
    data = _value(dataset, group, _DATA)
    position = int(_value(dataset, group, _BIT_POSITION) or 0)
    rows, columns = (int(_value(dataset, group, each) or 0) for each in (_ROWS, _COLUMNS))
    top, left = (int(each) - 1 for each in _value(dataset, group, _ORIGIN) or (1, 1))
    frames = _value(dataset, group, _FRAMES)
    first = _value(dataset, group, _FRAME_ORIGIN)
    if data is None:
        # Its own frames are those of the image, and so is its size.
        return Plane(rows, columns, 0, 0, 0, 1, None, position) if position > 0 else None
    if rows < 1 or columns < 1 or rows * columns > MOST_PIXELS:
        return None
    if dataset.original_encoding == _BIG_ENDIAN and dataset[group, _DATA].VR == "OW":
        data = np.frombuffer(data[: len(data) & ~1], ">u2").astype("<u2").tobytes()
    # A plane that says nothing of frames is one of a single image, and of each frame of several.
    begins = int(first or 1) if frames is not None or first is not None else 0
    return Plane(rows, columns, top, left, begins, max(int(frames or 1), 1), bytes(data), 0)


def _value(dataset: Dataset, group: int, element: int) -> Any:
    tag = group << 16 | element
    return dataset[tag].value if tag in dataset else None


def _rows(plane: Plane, number: int, begin: int, end: int) -> NDArray[np.bool_]:
    """Return rows of a frame of Overlay Data, whose frames follow each other bit by bit (PS3.5 8.1.2)."""
    assert plane.bits is not None
    start = (number * plane.rows + begin) * plane.columns
    count = (end - begin) * plane.columns
    raw = np.frombuffer(plane.bits[start // 8 : (start + count + 7) // 8], np.uint8)
    bits = np.unpackbits(raw, bitorder="little")[start % 8 : start % 8 + count]
    # Of data that ends too early, what there is is shown.
    whole = np.zeros(count, np.bool_)
    whole[: bits.size] = bits
    return whole.reshape(end - begin, plane.columns)


def _embedded(stored: StoredImage, frame: int, position: int) -> NDArray[np.bool_] | None:
    image = stored.image
    lowest = image.high_bit - image.bits_stored + 1
    is_used = lowest <= position <= image.high_bit
    if image.samples != 1 or position >= image.bits_allocated or is_used:
        return None
    words = stored.words(frame)[..., 0].astype(np.int64)
    return (words >> position & 1).astype(np.bool_)
