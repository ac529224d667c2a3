"""Runs a cleaner over samples and counts what it found and touched."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from config.settings import Pixels
from deid.errors import Unsafe
from deid.pixels.cleaning import PixelCleaning
from tests.benchmarks.pixels.corpus import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from deid.pixels.ports import Picture, TextDetector, TextRegion
    from deid.ports import CleanedPixels
    from tests.benchmarks.pixels.burn import Placed
    from tests.benchmarks.pixels.textless.kinds import Textless

#: What is filled so many heights of a text's box, and pixels, around it is still the text's.
AROUND_OF_HEIGHT, AROUND = 1, 8
#: A text is found (redacted) when this share of its ink is filled, kept when at most the other is.
FOUND_SHARE = 0.9
KEPT_SHARE = 0.2


@dataclass(slots=True)
class Tally:
    """Counts of one category: hits of tries."""

    found: int = 0
    texts: int = 0
    found_identifying: int = 0
    identifying: int = 0
    redacted_identifying: int = 0
    kept: int = 0
    harmless: int = 0
    missed: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add another tally's counts."""
        for name in (
            "found",
            "texts",
            "found_identifying",
            "identifying",
            "redacted_identifying",
            "kept",
            "harmless",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class Harm:
    """What frames lost where they have no text: shares of their pixels, and how many were put aside."""

    shares: dict[tuple[str, int], float] = field(default_factory=dict)
    put_aside: list[tuple[str, int]] = field(default_factory=list)

    @property
    def frames(self) -> int:
        """Instances examined."""
        return len(self.shares) + len(self.put_aside)

    @property
    def mean(self) -> float:
        """The mean share of pixels that were filled in what is released."""
        return sum(self.shares.values()) / max(len(self.shares), 1)

    @property
    def worst(self) -> list[tuple[str, int, float]]:
        """Those that lost more than one pixel in a hundred, most first."""
        lost = [(*key, share) for key, share in self.shares.items() if share > 0.01]
        return sorted(lost, key=lambda entry: -entry[2])


class RememberingDetector:
    """Asks a detector once for the same pictures, as two cleaners look at each sample."""

    def __init__(self, detector: TextDetector) -> None:
        self._detector = detector
        self._answers: dict[int, list[list[TextRegion]]] = {}

    def find(
        self, pictures: Sequence[Picture], *, needs_reading: bool = True
    ) -> list[list[TextRegion]]:
        """Return the regions, remembered for the sample at hand."""
        key = hash(tuple(picture.display.tobytes() for picture in pictures))
        if key not in self._answers:
            self._answers[key] = self._detector.find(pictures)
        return self._answers[key]

    def forget(self) -> None:
        """Begin the next sample."""
        self._answers.clear()


def score(
    samples: Iterable[Sample], detector: TextDetector, *, talk: bool = False
) -> tuple[dict[str, Tally], Harm]:
    """Return the tally of each category, and what single frames lost beside their texts."""
    remembering = RememberingDetector(detector)
    everything = PixelCleaning("REDACT_ALL_TEXT", remembering, untrusted=())
    sensitive = PixelCleaning("REDACT_SENSITIVE_TEXT", remembering, untrusted=())
    tallies: dict[str, Tally] = defaultdict(Tally)
    beside = Harm()
    for sample in samples:
        remembering.forget()
        all_filled = _filled(sample, everything.clean(sample.instance))
        some_filled = _filled(sample, sensitive.clean(sample.instance))
        tally = tallies[sample.category]
        if len(all_filled) == 1:
            lost = all_filled[0] & ~_around_texts(sample)
            beside.shares[sample.category, sample.seed] = float(np.mean(lost))
        for number in sorted({number for _, number, _ in sample.placed}):
            _count(
                tally,
                sample,
                [(frame, placed) for frame, mine, placed in sample.placed if mine == number],
                all_filled,
                some_filled,
                talk=talk,
            )
    return dict(tallies), beside


def _around_texts(sample: Sample) -> NDArray[np.bool_]:
    """Return what may be filled for the texts of a single frame: their boxes, and as much around them."""
    rows, columns = sample.instance.attributes["Rows"], sample.instance.attributes["Columns"]
    mask = np.zeros((rows, columns), np.bool_)
    for _, _, placed in sample.placed:
        left, top, right, bottom = placed.box
        more = AROUND_OF_HEIGHT * min(bottom - top, right - left) + AROUND
        mask[max(top - more, 0) : bottom + more, max(left - more, 0) : right + more] = True
    return mask


def _count(
    tally: Tally,
    sample: Sample,
    seen: Sequence[tuple[int, Placed]],
    all_filled: Sequence[NDArray[np.bool_]],
    some_filled: Sequence[NDArray[np.bool_]],
    *,
    talk: bool,
) -> None:
    """Count one text, which must be filled (or kept) in every frame that shows it."""
    frame, placed = seen[0]
    found = min(_share(entry, all_filled[number]) for number, entry in seen)
    shares = [_share(entry, some_filled[number]) for number, entry in seen]
    redacted = min(shares) if placed.is_identifying else max(shares)
    is_found = found >= FOUND_SHARE
    tally.texts += 1
    tally.found += is_found
    if placed.is_identifying:
        tally.identifying += 1
        tally.found_identifying += is_found
        tally.redacted_identifying += redacted >= FOUND_SHARE
        bad = not is_found or redacted < FOUND_SHARE
    else:
        tally.harmless += 1
        tally.kept += redacted <= KEPT_SHARE
        bad = not is_found or redacted > KEPT_SHARE
    if bad:
        tally.missed.append(placed.text)
        if talk:
            print(
                f"    {sample.category} seed {sample.seed} ({sample.base}) frame {frame}"
                f" {placed.box} {placed.text!r}"
                f" found {found:.2f} redacted {redacted:.2f}"
            )


def _share(placed: Placed, filled: NDArray[np.bool_]) -> float:
    return float(filled[placed.ink].mean())


def _filled(sample: Sample, cleaned: CleanedPixels) -> list[NDArray[np.bool_]]:
    rows, columns = sample.instance.attributes["Rows"], sample.instance.attributes["Columns"]
    masks = [
        np.zeros((rows, columns), np.bool_)
        for _ in range(sample.instance.attributes["NumberOfFrames"])
    ]
    for region in cleaned.regions:
        masks[region.frame - 1][
            region.top : region.top + region.height, region.left : region.left + region.width
        ] = True
    return masks


def harm(instances: Iterable[Textless], detector: TextDetector) -> Harm:
    """Clean frames without text in ALL_TEXT mode and return what they lost."""
    cleaner = PixelCleaning(
        "REDACT_ALL_TEXT", detector, untrusted=(), most_filled=Pixels().most_filled
    )
    found = Harm()
    for entry in instances:
        sample = Sample(entry.kind, entry.seed, entry.instance, [])
        try:
            filled = _filled(sample, cleaner.clean(entry.instance))
        except Unsafe:
            found.put_aside.append((entry.kind, entry.seed))
        else:
            found.shares[entry.kind, entry.seed] = float(np.mean(filled))
    return found
