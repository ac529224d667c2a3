"""Stored values: how coded samples become them, and which of them is black."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from deid.pixels.description import ImageDescription
    from deid.pixels.geometry import Box


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded frame.

    Attributes
    ----------
    samples
        Shape (rows, columns, samples), integers as the codestream or the native value holds them:
        a signed image may come as unsigned bit patterns.
    photometric
        What the samples are now: decoders of JPEG and JPEG 2000 undo the colour transform.
    """

    samples: NDArray[Any]
    photometric: str


def spread_in(samples: NDArray[Any], box: Box) -> float:
    """Return by how much values differ in a box of a frame (rows, columns, samples), at most of its samples.

    Rows are compared with each other first, which lie in one piece.
    """
    area = samples[box.top : box.bottom, box.left : box.right]
    low, high = area.min(axis=0).min(axis=0), area.max(axis=0).max(axis=0)
    return float((high.astype(np.float64) - low).max())


def stored_values(image: ImageDescription, samples: NDArray[Any]) -> NDArray[Any]:
    """Return samples with the sign that Pixel Representation gives them, as 32 or 64 bits if needed."""
    if not image.is_signed or samples.dtype.kind == "i":
        return samples
    shift = 64 - image.bits_stored
    return (samples.astype(np.int64) << shift >> shift).astype(np.int32)


def black(
    image: ImageDescription,
    decoded: Decoded,
    attributes: Mapping[str, Any],
) -> tuple[int, ...]:
    """Return the stored value per sample that is displayed as black.

    Unsigned grey: 0, or the highest value that Bits Stored holds for MONOCHROME1. Signed grey: the
    lowest (highest) value of the frame itself, or 0 when that is darker, because the lowest that
    fits (-32768) would ruin every automatic window. Colour by its photometric interpretation; for
    PALETTE COLOR the index of the darkest entry.
    """
    photometric = decoded.photometric
    if photometric == "PALETTE COLOR":
        return (_darkest_index(image, attributes),)
    if photometric.startswith("YBR"):
        middle = 1 << (image.bits_stored - 1)
        is_partial = photometric.startswith("YBR_PARTIAL")
        return ((middle >> 3) if is_partial else 0, middle, middle)
    if decoded.samples.shape[2] > 1:
        return tuple(0 for _ in range(decoded.samples.shape[2]))
    if not image.is_signed:
        return (image.highest if image.is_inverted else 0,)
    values = stored_values(image, decoded.samples)
    return (max(int(values.max()), 0) if image.is_inverted else min(int(values.min()), 0),)


def without_unused_bits(image: ImageDescription, samples: NDArray[Any]) -> NDArray[Any] | None:
    """Return samples with the bits outside Bits Stored set to zero, or to the sign; None if they are.

    Overlays of the 1990s lie there (PS3.5 8.1.2, retired embedded overlays).
    """
    width = samples.dtype.itemsize * 8
    if image.bits_stored >= width:
        return None
    if samples.dtype.kind == "i":
        shift = width - image.bits_stored
        clean = samples << shift >> shift
        return None if np.array_equal(clean, samples) else clean
    mask = ((1 << image.bits_stored) - 1) << (image.high_bit - image.bits_stored + 1)
    if not (samples & samples.dtype.type(~mask & ((1 << width) - 1))).any():
        return None
    clean = samples & samples.dtype.type(mask)
    if image.is_signed:
        above = ((1 << width) - 1) & ~((1 << (image.high_bit + 1)) - 1)
        is_negative = (clean >> image.high_bit & 1).astype(np.bool_)
        clean[is_negative] |= samples.dtype.type(above)
    return None if np.array_equal(clean, samples) else clean


def filled(
    image: ImageDescription,
    samples: NDArray[Any],
    boxes: Iterable[Box],
    values: Sequence[int],
    *,
    exact: bool = True,
) -> NDArray[Any]:
    """Return a copy of coded `samples` with every box filled by stored `values`.

    `exact` samples, which no lossy step may have carried past Bits Stored, lose their unused bits.
    """
    clean = without_unused_bits(image, samples) if exact else None
    out = samples.copy() if clean is None else clean
    coded = coded_values(image, samples.dtype, values)
    for box in boxes:
        out[box.top : box.bottom, box.left : box.right] = coded
    return out


def coded_values(
    image: ImageDescription, dtype: np.dtype[Any], values: Sequence[int]
) -> NDArray[Any]:
    """Return stored values as the coded samples hold them (two's complement in unsigned types)."""
    mask = (1 << image.bits_stored) - 1
    return np.array(
        [value & mask if dtype.kind == "u" else value for value in values], dtype=np.int64
    ).astype(dtype)


def palette(attributes: Mapping[str, Any]) -> tuple[int, NDArray[np.uint8]] | None:
    """Return the first mapped index and the RGB entries scaled to 8 bits (PS3.3 C.7.6.3.1.5, .6).

    None when the palette is absent or in a form that is not understood (segmented).
    """
    channels = []
    first = 0
    for colour in ("Red", "Green", "Blue"):
        descriptor = attributes.get(f"{colour}PaletteColorLookupTableDescriptor")
        data = attributes.get(f"{colour}PaletteColorLookupTableData")
        if descriptor is None or data is None or len(descriptor) != 3:
            return None
        entries, first, bits = (int(number) for number in descriptor)
        entries = entries or 1 << 16
        raw = bytes(data)
        if len(raw) >= 2 * entries:
            table = np.frombuffer(raw[: 2 * entries], "<u2")
            # Some writers store 8-bit entries in 16-bit words, in the low byte.
            is_wide = bits > 8 and int(table.max(initial=0)) > 0xFF
            channels.append((table >> 8 if is_wide else table).astype(np.uint8))
        elif len(raw) >= entries:
            channels.append(np.frombuffer(raw[:entries], np.uint8))
        else:
            return None
    if len({len(channel) for channel in channels}) != 1:
        return None
    return first, np.stack(channels, axis=-1)


def _darkest_index(image: ImageDescription, attributes: Mapping[str, Any]) -> int:
    found = palette(attributes)
    if found is None:
        return 0
    first, table = found
    reachable = table[: max(1, (1 << image.bits_stored) - max(first, 0))]
    return first + int(reachable.astype(np.int64).sum(axis=1).argmin())
