"""From stored values to grey: modality, values of interest, presentation (PS3.4 N.2.1, PS3.3 C.11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.rendering.errors import NoPicture
from daemon.rendering.reading import first, macro, number, several
from deid.pixels.samples import stored_values

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from daemon.rendering.reading import StoredImage
    from deid.pixels.samples import Decoded

    Values = NDArray[np.float64]
    Window = tuple[float, float, str]

_FUNCTIONS = {"LINEAR", "LINEAR_EXACT", "SIGMOID"}


@dataclass(frozen=True, slots=True)
class Greyscale:
    """What decides how grey a value is, from a presentation state where there is one.

    Attributes
    ----------
    modality, values_of_interest
        Data sets that hold the modality and the VOI transformation, instead of the image's own.
    presentation
        That holds the Presentation LUT; None: Photometric Interpretation decides.
    window
        Asked for; goes before all of that.
    """

    modality: Dataset | None = None
    values_of_interest: Dataset | None = None
    presentation: Dataset | None = None
    window: Window | None = None


def grey(stored: StoredImage, decoded: Decoded, frame: int, how: Greyscale) -> NDArray[np.uint8]:
    """Return a monochrome frame as it is displayed, shape (rows, columns), 0 is black.

    Parameters
    ----------
    frame
        Counted from 1.
    """
    raw = stored_values(stored.image, decoded.samples)[..., 0]
    padding = _padding(stored.dataset, raw)
    values, is_transformed = _modality(stored, raw, frame, how)
    shown = _values_of_interest(stored, values, frame, how, padding, is_transformed=is_transformed)
    shown = _presentation(stored, shown, how)
    if padding is not None:
        shown[padding] = 0.0
    return np.round(shown * 255).astype(np.uint8)


def _padding(dataset: Dataset, raw: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Return where nothing was acquired (PS3.3 C.7.5.1.1.2), None where that is said to be nowhere."""
    value = number(dataset, "PixelPaddingValue")
    limit = number(dataset, "PixelPaddingRangeLimit")
    if value is None:
        value = number(dataset, "FloatPixelPaddingValue")
        limit = number(dataset, "FloatPixelPaddingRangeLimit")
    if value is None:
        return None
    low, high = sorted((value, value if limit is None else limit))
    found: NDArray[np.bool_] = (raw >= low) & (raw <= high)
    return found if found.any() else None


def _modality(
    stored: StoredImage, raw: NDArray[Any], frame: int, how: Greyscale
) -> tuple[Values, bool]:
    """Return values in units of the modality (PS3.3 C.11.1), and whether that changed them."""
    values = raw.astype(np.float64)
    source = stored.dataset if how.modality is None else how.modality
    table = first(source, "ModalityLUTSequence")
    if table is not None:
        return _looked_up(table, values, is_signed=stored.image.is_signed)[0], True
    if how.modality is None:
        source = macro(stored.dataset, frame, "PixelValueTransformationSequence") or source
    slope, intercept = number(source, "RescaleSlope"), number(source, "RescaleIntercept")
    if slope is None and intercept is None:
        return values, False
    slope, intercept = 1.0 if slope is None else slope, intercept or 0.0
    return values * slope + intercept, (slope, intercept) != (1.0, 0.0)


def _values_of_interest(
    stored: StoredImage,
    values: Values,
    frame: int,
    how: Greyscale,
    padding: NDArray[np.bool_] | None,
    *,
    is_transformed: bool,
) -> Values:
    """Return values from 0 to 1 (PS3.3 C.11.2)."""
    if how.window is not None:
        return windowed(values, *how.window)
    source = how.values_of_interest
    if source is None:
        source = macro(stored.dataset, frame, "FrameVOILUTSequence") or stored.dataset
    table = first(source, "VOILUTSequence")
    if table is not None:
        is_signed = stored.image.is_signed or bool((values < 0).any())
        found, bits = _looked_up(table, values, is_signed=is_signed)
        return np.clip(found / ((1 << bits) - 1), 0.0, 1.0)
    window = _window(source)
    if window is not None:
        return windowed(values, *window)
    image = stored.image
    if image.bits_stored <= 8 and not (image.is_signed or is_transformed or stored.pixels.is_float):
        return values / image.highest
    return _whole_range(values, padding)


def _window(source: Dataset) -> Window | None:
    """Return the first of the windows that are proposed, if it is one."""
    center, width = number(source, "WindowCenter"), number(source, "WindowWidth")
    function = str(first(source, "VOILUTFunction") or "LINEAR").strip().upper()
    if function not in _FUNCTIONS:
        function = "LINEAR"
    if center is None or width is None or width <= 0 or (function == "LINEAR" and width < 1):
        return None
    return center, width, function


def windowed(values: Values, center: float, width: float, function: str) -> Values:
    """Return values from 0 to 1 by one of the functions of PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    if function == "SIGMOID":
        exponent = np.clip(-4 * (values - center) / width, -700.0, 700.0)
        sigmoid: Values = 1 / (1 + np.exp(exponent))
        return sigmoid
    if function == "LINEAR":
        center, width = center - 0.5, width - 1
    if width == 0:
        return (values > center).astype(np.float64)
    return np.clip((values - center) / width + 0.5, 0.0, 1.0)


def _whole_range(values: Values, padding: NDArray[np.bool_] | None) -> Values:
    """Return values stretched from the lowest to the highest that is none of padding, nor not a number."""
    is_shown = np.isfinite(values)
    if padding is not None:
        is_shown &= ~padding
    shown = values[is_shown]
    low, high = (float(shown.min()), float(shown.max())) if shown.size else (0.0, 0.0)
    if high <= low:
        return np.where(values > 0, 1.0, 0.0)
    scaled: Values = np.nan_to_num((values - low) / (high - low), nan=0.0, posinf=1.0, neginf=0.0)
    return np.clip(scaled, 0.0, 1.0)


def _presentation(stored: StoredImage, shown: Values, how: Greyscale) -> Values:
    """Return values from 0 (black) to 1 (white)."""
    source = how.presentation
    if source is None:
        return 1.0 - shown if stored.image.is_inverted else shown
    table = first(source, "PresentationLUTSequence")
    if table is not None:
        entries = _descriptor(table)[0]
        found, bits = _looked_up(table, np.round(shown * (entries - 1)), is_signed=False)
        return np.clip(found / ((1 << bits) - 1), 0.0, 1.0)
    shape = str(first(source, "PresentationLUTShape") or "IDENTITY").strip().upper()
    return 1.0 - shown if shape == "INVERSE" else shown


def _descriptor(item: Dataset) -> tuple[int, int, int]:
    """Return number of entries, first value mapped, bits of an entry (PS3.3 C.11.1.1)."""
    described = several(item, "LUTDescriptor")
    try:
        entries, lowest, bits = (int(each) for each in described)
    except (TypeError, ValueError) as error:
        raise NoPicture("(0028,3002)") from error
    entries &= 0xFFFF
    if not 1 <= bits <= 16:
        raise NoPicture("(0028,3002)")
    return entries or 1 << 16, lowest, bits


def _looked_up(item: Dataset, values: Values, *, is_signed: bool) -> tuple[Values, int]:
    """Return what a lookup table makes of values, and of how many bits that is."""
    entries, lowest, bits = _descriptor(item)
    lowest &= 0xFFFF
    if is_signed and lowest >= 1 << 15:
        lowest -= 1 << 16
    table = _table(item, entries)
    if table.size < entries:
        raise NoPicture("(0028,3006)")
    # Descriptors that claim fewer bits than the data have are met with.
    bits = max(bits, int(table.max(initial=0)).bit_length())
    at = np.clip(np.nan_to_num(values) - lowest, 0, entries - 1).astype(np.intp)
    return table[at].astype(np.float64), bits


def _table(item: Dataset, entries: int) -> NDArray[Any]:
    data = several(item, "LUTData")
    if len(data) == 1 and isinstance(data[0], bytes):
        raw = data[0]
        if len(raw) >= 2 * entries:
            return np.frombuffer(raw[: 2 * entries], "<u2")
        return np.frombuffer(raw[:entries], np.uint8)
    return np.array([int(each) & 0xFFFF for each in data[:entries]], np.uint16)
