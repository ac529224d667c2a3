"""The two passes over an instance's frames: looking at each, then filling those that need it."""

from __future__ import annotations

import math
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from deid.pixels.description import first_number
from deid.pixels.find.evidence import FAINTEST, shows_strokes
from deid.pixels.find.views import FrameLook
from deid.pixels.samples import Decoded, spread_in, stored_values
from deid.ports import PixelRegion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from deid.pixels.description import ImageDescription
    from deid.pixels.fillings import Filling
    from deid.pixels.frames import Frames
    from deid.pixels.geometry import Box
    from deid.ports import PixelInstance

#: Where the values in a box spread no further than this share of the text's own contrast, and no strokes stand
#: out there, the box shows no text in that frame.
_FLAT_SHARE = 0.15

#: Frames of which it is weighed how much of them would be filled.
_MOST_WEIGHED = 4
#: Samples nearer to the commonest value than this share of the range are background.
_BACKGROUND_SHARE = 0.02

#: Attributes that hold extremes of stored values, and whether they may narrow: those of a series may
#: come from another instance and only ever widen.
_EXTREMES = {
    "SmallestImagePixelValue": True,
    "LargestImagePixelValue": True,
    "SmallestPixelValueInSeries": False,
    "LargestPixelValueInSeries": False,
}


class PassOver:
    """One instance on both passes: its frames, and the extremes of what they hold."""

    def __init__(self, instance: PixelInstance, image: ImageDescription, frames: Frames) -> None:
        self.image = image
        self._instance, self._frames = instance, frames
        self._tracks_extremes = any(
            instance.attributes.get(keyword) is not None for keyword in _EXTREMES
        )
        self._extremes: dict[int, tuple[int, int]] = {}
        self._has_filled = False
        self._level = 0.0  # the most that one of 256 display levels is in a look

    def __iter__(self) -> Iterator[FrameLook]:
        """Decode each frame in turn and yield a look at it."""
        for number in range(self.image.frames):
            look = self.again(number)
            self._level = max(self._level, look.level)
            yield look

    def again(self, number: int) -> FrameLook:
        """Decode a frame, counted from 0, and return a look at it."""
        return FrameLook(self.image, self._decoded(number), self._instance.attributes)

    def _decoded(self, number: int) -> Decoded:
        decoded = self._frames.decoded(number)
        self._note_extremes(number, decoded)
        return decoded

    def fill(self, fillings: Sequence[Filling]) -> list[PixelRegion]:
        """Fill every box in the frames where there is something to hide; return what was filled."""
        spreads = self._spreads(fillings)
        regions: list[PixelRegion] = []
        for number in range(self.image.frames) if fillings else ():
            applied = fillings
            if self.image.frames > 1 or any(not filling.frames for filling in fillings):
                shows = _Showing(
                    self._frames.decoded(number), self.image, self._instance, self._level
                )
                applied = [
                    filling
                    for filling, spread in zip(fillings, spreads, strict=True)
                    if number in filling.frames or shows.something_in(filling.box, spread)
                ]
            if not applied:
                continue
            boxes = [filling.box for filling in applied]
            self._note_extremes(number, self._frames.redact(number, boxes))
            self._has_filled = True
            regions += [PixelRegion(number + 1, *filling.box, filling.why) for filling in applied]
        return regions

    def filled_shares(self, fillings: Sequence[Filling]) -> Iterator[tuple[int, float, float]]:
        """Yield frame (counted from 0), share of what it shows that would be filled, and of the frame itself.

        What it shows is all that differs from its commonest value. Of many frames those are looked at of which
        the most would be filled.
        """
        filled_pixels: Counter[int] = Counter()
        for filling in fillings:
            filled_pixels.update(dict.fromkeys(filling.frames, filling.box.area))
        for number, _ in filled_pixels.most_common(_MOST_WEIGHED):
            samples = self._frames.decoded(number).samples
            shown = _is_shown(samples)
            filled = np.zeros(shown.shape, np.bool_)
            for filling in fillings:
                if number in filling.frames:
                    box = filling.box
                    filled[box.top : box.bottom, box.left : box.right] = True
            lost = int((filled & shown).sum())
            yield number, lost / max(int(shown.sum()), 1), lost / max(shown.size, 1)

    def changes(self) -> dict[str, Any]:
        """Return new values of Smallest/Largest Image Pixel Value and their series forms."""
        if not self._tracks_extremes or not self._has_filled:
            return {}
        low = min(pair[0] for pair in self._extremes.values())
        high = max(pair[1] for pair in self._extremes.values())
        changes: dict[str, Any] = {}
        for keyword, narrowest in _EXTREMES.items():
            old = first_number(self._instance.attributes, keyword)
            if old is None:
                continue
            is_low = keyword.startswith("Smallest")
            value = low if is_low else high
            if not narrowest:
                value = min(value, int(old)) if is_low else max(value, int(old))
            if value != old:
                changes[keyword] = value
        return changes

    def _spreads(self, fillings: Sequence[Filling]) -> list[float]:
        """Return for each box up to which spread of values a frame shows nothing there."""
        spreads = [math.inf if filling.frames else 0.0 for filling in fillings]
        if self.image.frames == 1:
            return spreads
        for number in sorted(frozenset[int]().union(*(filling.frames for filling in fillings))):
            samples = self._frames.decoded(number).samples
            for at, filling in enumerate(fillings):
                if number in filling.frames and not filling.is_exact:
                    spreads[at] = min(spreads[at], _FLAT_SHARE * spread_in(samples, filling.box))
        return spreads

    def _note_extremes(self, number: int, decoded: Decoded) -> None:
        if self._tracks_extremes:
            values = stored_values(self.image, decoded.samples)
            self._extremes[number] = (int(values.min()), int(values.max()))


class _Showing:
    """Whether a frame shows anything in boxes that text was found in elsewhere.

    Parameters
    ----------
    level
        The most that one of 256 display levels is in any frame: a frame by itself is displayed with its noise.
    """

    def __init__(
        self, decoded: Decoded, image: ImageDescription, instance: PixelInstance, level: float
    ) -> None:
        self._decoded, self._image, self._level = decoded, image, level
        self._attributes = instance.attributes

    @cached_property
    def _look(self) -> FrameLook:
        return FrameLook(self._image, self._decoded, self._attributes)

    def something_in(self, box: Box, most: float) -> bool:
        """Whether values spread further than that in a box, or strokes stand out: a fainter text.

        Where `most` is infinite, nothing is to be seen.
        """
        spread = spread_in(self._decoded.samples, box)
        if spread > most or math.isinf(most) or spread < FAINTEST * self._level:
            return spread > most
        least = math.ceil(FAINTEST * max(self._level / self._look.level, 1.0))
        return shows_strokes(self._look.part(box).display, least)


def without_extremes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes without those that are about integers: windows, extremes."""
    integers = {*_EXTREMES, "WindowCenter", "WindowWidth"}
    return {keyword: value for keyword, value in attributes.items() if keyword not in integers}


def _is_shown(samples: NDArray[Any]) -> NDArray[np.bool_]:
    """Return what is not background, shape (rows, columns)."""
    few = samples[::4, ::4].astype(np.float64).reshape(-1, samples.shape[2])
    low, high = few.min(axis=0), few.max(axis=0)
    width = np.maximum((high - low) * _BACKGROUND_SHARE, 1e-9)
    steps = np.round((few - low) / width).astype(np.int64)
    sizes = tuple(steps.max(axis=0) + 1)  # at most 51 each, so that all colours can be counted
    commonest = np.bincount(np.ravel_multi_index(tuple(steps.T), sizes)).argmax()
    background = low + np.array(np.unravel_index(commonest, sizes)) * width
    shown: NDArray[np.bool_] = np.zeros(samples.shape[:2], np.bool_)
    for sample in range(samples.shape[2]):
        apart = np.abs(samples[..., sample].astype(np.float32) - np.float32(background[sample]))
        shown |= apart > np.float32(width[sample])
    return shown
