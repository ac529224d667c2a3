"""PP-OCR's text detector: where to look, at which scale, and what is text.

Detection is differentiable binarisation: the model returns a map of text probability, which is cut
at a threshold; each connected part becomes a rotated rectangle, which is grown by its area over its
perimeter.

A look is one run of that model. The first is at the picture's own size. What it finds without doubt
is found; where it finds only a trace, the part is enlarged and looked at again, together with
others on one sheet. The view by local contrast is looked at where the display hides what it shows,
and single dots where they lie close together.

What is found is text when its shape is (`deid.pixels.find.shapes`), or when it reads surely: neither
how sure the model is nor a reading that may be one is enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from deid.pixels.find.candidates import (
    Candidate,
    candidate,
    continues,
    merged,
    ordered,
    outline_of,
    resized,
)
from deid.pixels.find.dots import dotted_areas, with_dots_joined
from deid.pixels.find.evidence import areas_of, hidden_areas, stroked_areas
from deid.pixels.find.reading import (
    MOST_DOUBTS,
    Reading,
    Recogniser,
    doubts,
    has_too_few_letters,
    in_colour,
)
from deid.pixels.find.shapes import features_of
from deid.pixels.find.sheets import box_in_frame, corners_in_frame, placed, sheet_of
from deid.pixels.find.traces import Bounds, unsettled_traces
from deid.pixels.find.trees import text_shapes
from deid.pixels.geometry import Box, tiles
from deid.pixels.ports import Picture, TextRegion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from deid.pixels.ports import Model

_MEAN = np.array((0.485, 0.456, 0.406), np.float32) * 255
_DEVIATION = np.array((0.229, 0.224, 0.225), np.float32) * 255
_STRIDE = 32
#: Columns and rows of a part's surroundings that are looked at with it.
_SURROUND = 24, 12


#: Heights of a line by which it may go on beyond what was found of it.
_GOES_ON = 3


@dataclass(frozen=True, slots=True)
class Tuning:
    """The figures that decide where to look and what is text. Tuned on the benchmark's tuning half.

    Attributes
    ----------
    tile, overlap
        Side of the square given to the detector at once, and how far neighbours overlap, in
        pixels after scaling.
    small, small_scale
        Pictures whose longer side is below `small` are enlarged by this factor at once.
    large
        Pictures whose longer side is this long are looked at in half their size, too: lettering
        higher than a hundred pixels. In their own size only where that leaves a trace, or something
        fine stands out.
    fine
        By so many display levels of 256.
    traces
        What a look leaves a trace of is looked at again, enlarged, but for blobs in which no candidate
        has a shape that text may have.
    closer
        Steps of (longer side below this many pixels, factors of that second look in the display and
        in the view by local contrast): small frames have small letters.
    follow
        A candidate's line is followed in the view by local contrast, where it may go on, unless its shape
        scores less than this: an organ's edges are as long and as high as many lines.
    binarise, consider
        Probability from which a pixel is text, and the mean from which a region is a candidate.
    grow
        How far a region's core grows: area x grow / perimeter.
    convincing, convincing_where_clear, clear, convincing_where_faint, faint
        A candidate whose shape scores at least `convincing` (logarithm of the odds) is text. Less is
        enough where the detection model's mean is at least `clear`, more is needed below `faint`.
    cheap, dear
        A candidate that is larger than the share `cheap` of the frame must score more, by `dear` times
        the square of the logarithm of how many times: a mistake costs the more of the picture.
    slight, certain, wary
        One that is larger than the share `slight`, and of which the detection model's mean falls short of
        `certain`, must score more, by `wary` times what it falls short by times the logarithm of how many
        times: of large lettering the model is surer than of devices and vessels.
    weighty, framings
        What covers more than the share `weighty` of the frame must score enough on average of its own frame and
        of frames that are longer and higher by these shares of its height: what is text stays text when it is
        framed a little wider or closer, what was taken for text by chance may not.
    alone
        What covers more than `weighty` must score so much more where it reads as one sign or as one again and
        again, twice as much where it reads as nothing at all: so do organs, coils and rows of parts.
    least_area
        Frames of fewer pixels are taken for as large as this: in them a word is no small share.
    most_of_frame
        What covers a larger share of the frame than this is text only when it reads surely.
    hopeless, short_of
        One that scores less, from `hopeless` on and by no more than `short_of`, is text when it
        reads surely; one that falls short by more when it reads surely and has many signs.
    sure, least_signs, many_signs
        A sure reading has at least this certainty and so many letters or digits, not all the same.
    likely, pair
        What is likely text by its shape, and falls short only for its size or for how faintly it was found,
        is text when it surely reads so few signs.
    fairly_sure, long, different
        Less certainty is enough for a reading of so many signs, so many of them different: what is no text
        reads as one sign again and again, or not at all.
    dotted
        Factor for the look at areas of single dots.
    half_resolution
        Look once more at half the size, whatever the size is.
    """

    tile: int = 736
    overlap: int = 96
    small: int = 300
    small_scale: float = 2.0
    large: int = 1600
    fine: int = 16
    traces: Bounds = field(default_factory=Bounds)
    closer: tuple[tuple[int, float, float], ...] = (
        (700, 2.0, 2.0),
        (1100, 0.0, 1.5),
        (1600, 0.0, 1.0),
    )
    follow: float = -1.0
    binarise: float = 0.3
    consider: float = 0.25
    grow: float = 1.6
    convincing: float = 0.5
    convincing_where_clear: float = -0.5
    clear: float = 0.75
    convincing_where_faint: float = 1.5
    faint: float = 0.5
    cheap: float = 0.004
    dear: float = 0.3
    slight: float = 0.001
    certain: float = 0.84
    wary: float = 2.0
    weighty: float = 0.002
    framings: tuple[float, ...] = (0.14, -0.1)
    alone: float = 1.0
    least_area: int = 400 * 400
    most_of_frame: float = 0.25
    hopeless: float = -3.0
    short_of: float = 3.5
    sure: float = 0.95
    least_signs: int = 3
    many_signs: int = 6
    likely: float = 0.0
    pair: int = 2
    fairly_sure: float = 0.8
    long: int = 8
    different: int = 6
    dotted: float = 0.75
    half_resolution: bool = False

    def enough(self, confidence: float, share: float) -> float:
        """Return what the shape of a candidate of that share of its frame must score to be text."""
        if confidence >= self.clear:
            least = self.convincing_where_clear
        elif confidence < self.faint:
            least = self.convincing_where_faint
        else:
            least = self.convincing
        least += self.dear * max(math.log(share / self.cheap), 0) ** 2
        lacking = max(self.certain - confidence, 0)
        return least + self.wary * lacking * max(math.log(share / self.slight), 0)


class PPOCR:
    """The default text detector.

    Parameters
    ----------
    detection
        From pictures (1, 3, rows, columns) to (1, 1, rows, columns): how likely each pixel is text.
    recogniser
        Reads what was found.
    """

    def __init__(
        self, detection: Model, recogniser: Recogniser, *, tuning: Tuning | None = None
    ) -> None:
        self.tuning = tuning or Tuning()
        self._detection = detection
        self._recogniser = recogniser

    def find(
        self, pictures: Sequence[Picture], *, needs_reading: bool = True
    ) -> list[list[TextRegion]]:
        """Return the text regions of each picture."""
        return [self._find(picture, needs_reading=needs_reading) for picture in pictures]

    def _find(self, picture: Picture, *, needs_reading: bool) -> list[TextRegion]:
        views, candidates = self.candidates(picture)
        shapes = _shapes(views, candidates)
        judged = self._framed_anew(views, candidates, shapes, pixels=picture.frame_pixels)
        text = [
            entry
            for entry, shape, mean in zip(candidates, shapes, judged, strict=True)
            if self._is_text(views, entry, shape, mean, pixels=picture.frame_pixels)
        ]
        # What continues a line of text is text: a letter apart, an end that fades.
        text += [
            entry
            for entry, shape in zip(candidates, shapes, strict=True)
            if entry not in text
            and shape >= self.tuning.hopeless
            and any(continues(entry, other) for other in text)
        ]
        return [self._region(views, entry, needs_reading=needs_reading) for entry in text]

    def _is_text(
        self,
        views: Sequence[NDArray[Any]],
        found: Candidate,
        shape: float,
        judged: float,
        *,
        pixels: int,
    ) -> bool:
        """Whether a candidate is text by its shape, or because it reads surely, in a frame so large."""
        tuning = self.tuning
        share = self._share(found, pixels)
        enough = tuning.enough(found.confidence, share)
        may_be = judged >= enough and found.area.area <= tuning.most_of_frame * pixels
        most = MOST_DOUBTS if share > tuning.weighty else 0
        if may_be and judged >= enough + tuning.alone * most:
            return True
        if shape < tuning.hopeless:
            return False
        text, legibility = self._recogniser.readings(views, found)[0]
        if may_be and judged >= enough + tuning.alone * doubts(text):
            return True
        least = tuning.least_signs if shape >= enough - tuning.short_of else tuning.many_signs
        if shape >= tuning.likely:
            least = min(least, tuning.pair)
        return self._reads_surely(text, legibility, least)

    def _share(self, found: Candidate, pixels: int) -> float:
        """Return the share of a frame of so many pixels that a candidate covers."""
        return max(found.area.area, 1) / max(pixels, self.tuning.least_area)

    def _framed_anew(
        self,
        views: Sequence[NDArray[Any]],
        candidates: Sequence[Candidate],
        shapes: Sequence[float],
        *,
        pixels: int,
    ) -> list[float]:
        """Return each candidate's score, of weighty ones the mean with those of wider and closer frames."""
        tuning = self.tuning
        weighty = [
            number
            for number, (found, shape) in enumerate(zip(candidates, shapes, strict=True))
            if self._share(found, pixels) > tuning.weighty
            and found.area.area <= tuning.most_of_frame * pixels  # else its score decides nothing
            and shape >= tuning.hopeless
        ]
        others = [
            replace(found, corners=resized(found.corners, by), shape=None)
            for found in (candidates[number] for number in weighty)
            for by in tuning.framings
        ]
        judged, scores = list(shapes), iter(_shapes(views, others))
        for number in weighty:
            framed = [next(scores) for _ in tuning.framings]
            judged[number] = float(np.mean([shapes[number], *framed]))
        return judged

    def _region(
        self, views: Sequence[NDArray[Any]], found: Candidate, *, needs_reading: bool
    ) -> TextRegion:
        text, legibility, others = "", 0.0, list[Reading]()
        if needs_reading:
            (text, legibility), *others = self._recogniser.readings(views, found)
            if has_too_few_letters(text, found.corners):
                text, legibility, others = "", 0.0, []
        return TextRegion(
            found.area, found.confidence, text, legibility, tuple(others), outline=outline_of(found)
        )

    def _reads_surely(self, text: str, legibility: float, least: int) -> bool:
        """Whether a reading alone makes text of a region: so many signs, of which some differ."""
        tuning = self.tuning
        signs = [sign for sign in text.upper() if sign.isalnum()]
        if len(signs) >= max(least, tuning.long) and len(set(signs)) >= tuning.different:
            return legibility >= tuning.fairly_sure
        return (
            legibility >= tuning.sure
            and len(signs) >= least
            and len(set(signs)) >= max(min(max(least - 1, 2), 4), len(signs) / 3)
        )

    def candidates(self, picture: Picture) -> tuple[list[NDArray[Any]], list[Candidate]]:
        """Return the views that were looked at, and all that may be text in them, not yet judged."""
        tuning = self.tuning
        views = [view for view in (picture.display, picture.contrast) if view is not None]
        rows, columns = picture.display.shape[:2]
        whole = Box(0, 0, columns, rows)
        scale = tuning.small_scale if max(rows, columns) < tuning.small else 1.0
        is_large = max(rows, columns) >= tuning.large
        found: list[Candidate] = []
        if tuning.half_resolution or is_large:
            found, traces = self._look(views, 0, scale / 2, [whole])
        if is_large:
            fine = stroked_areas(picture.display, level=tuning.fine, is_coarse=False)
            areas = areas_of([*traces, *fine], rows, columns)
        else:
            areas = stroked_areas(picture.display)
        more, unsettled = self._look(views, 0, scale, areas)
        found += more
        closer = self._closer(max(rows, columns))
        if unsettled and closer[0]:
            found += self._look(views, 0, closer[0], unsettled)[0]
        if picture.contrast is not None:
            hidden = hidden_areas(picture.display, picture.contrast)
            if hidden:
                more, traces = self._look(views, 1, scale, hidden)
                found += more
                unsettled += traces
            if closer[1]:
                # What is found may go on where the display shows it too faintly.
                found = _judged(views, found)
                likely = (entry for entry in found if (entry.shape or 0.0) >= tuning.follow)
                lines = [_line_of(entry).clipped(rows, columns) for entry in likely]
                around = areas_of([*unsettled, *filter(None, lines)], rows, columns)
                found += self._look(views, 1, closer[1], around)[0]
        dotted = dotted_areas(picture.display)
        if dotted:
            for view in tuple(views):
                views.append(with_dots_joined(view, dotted))
                number = len(views) - 1
                found += self._look(views, number, scale * tuning.dotted, dotted)[0]
        return views, merged(found)

    def _closer(self, side: int) -> tuple[float, float]:
        """Return the factors of the second look in both views, 0 for none."""
        for below, display, contrast in self.tuning.closer:
            if side < below:
                return display, contrast
        return 0.0, 0.0

    def _look(
        self, views: Sequence[NDArray[Any]], number: int, scale: float, areas: Sequence[Box]
    ) -> tuple[list[Candidate], list[Box]]:
        """Look at areas of a view at a scale; return what may be text, and where only a trace is."""
        rows, columns = views[number].shape[:2]
        found: list[Candidate] = []
        traces: list[Box] = []
        for picture, pieces in self._pictures(views[number], scale, areas):
            probability = self._probability(in_colour(picture))
            regions = list(self._regions(probability))
            own = [
                candidate(corners_in_frame(corners, *piece, scale), confidence, number)
                for (corners, confidence), piece in placed(regions, pieces)
            ]
            for trace in unsettled_traces(probability, regions, pieces, self.tuning.traces):
                box = box_in_frame(trace.box, *trace.piece, scale)
                if trace.is_blob:
                    own = _judged(views, own)
                    inside = [entry.shape or 0.0 for entry in own if entry.area.overlap(box)]
                    if inside and max(inside) < self.tuning.hopeless:
                        continue
                traces.append(box)
            found += own
        around = [box.grown(*_SURROUND).clipped(rows, columns) for box in traces]
        return found, areas_of((box for box in around if box is not None), rows, columns)

    def _pictures(
        self, view: NDArray[Any], scale: float, areas: Sequence[Box]
    ) -> Iterator[tuple[NDArray[Any], list[tuple[Box, Box]]]]:
        """Yield pictures to look at, each with the parts of the view that it shows and their places."""
        tuning = self.tuning
        side, overlap = int(tuning.tile / scale), int(tuning.overlap / scale)
        parts = [part for area in areas for part in tiles(area, side, overlap)]
        waiting: list[tuple[Box, NDArray[Any]]] = []
        for part in parts:
            shown = view[part.top : part.bottom, part.left : part.right]
            if scale != 1.0:
                method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
                shown = cv2.resize(shown, None, fx=scale, fy=scale, interpolation=method)
            if part.area >= 0.5 * side * side or len(parts) == 1:
                yield shown, [(part, Box(0, 0, shown.shape[1], shown.shape[0]))]
            else:
                waiting.append((part, shown))
                if _area(waiting) >= 0.8 * tuning.tile**2:
                    yield _sheet(waiting, tuning.tile)
                    waiting = []
        if waiting:
            yield _sheet(waiting, tuning.tile)

    def _probability(self, tile: NDArray[Any]) -> NDArray[Any]:
        rows, columns = tile.shape[:2]
        padded_rows = max(-(-rows // _STRIDE) * _STRIDE, 64)
        padded_columns = max(-(-columns // _STRIDE) * _STRIDE, 64)
        padded = cv2.copyMakeBorder(
            tile, 0, padded_rows - rows, 0, padded_columns - columns, cv2.BORDER_REPLICATE
        )
        given: NDArray[Any] = np.empty((1, 3, padded_rows, padded_columns), np.float32)
        for channel, plane in enumerate(given[0]):
            np.subtract(padded[..., channel], _MEAN[channel], out=plane)
            np.divide(plane, _DEVIATION[channel], out=plane)
        cut: NDArray[Any] = self._detection(given)[0, 0, :rows, :columns]
        return cut

    def _regions(self, probability: NDArray[Any]) -> Iterator[tuple[NDArray[Any], float]]:
        core = (probability > self.tuning.binarise).astype(np.uint8)
        mask = cv2.dilate(core, np.ones((2, 2), np.uint8))
        contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        for contour in contours:
            (_, (width, height), _) = rectangle = cv2.minAreaRect(contour)
            if min(width, height) < 3:
                continue
            corners = cv2.boxPoints(rectangle)
            confidence = _mean_inside(probability, corners)
            if confidence < self.tuning.consider:
                continue
            growth = width * height * self.tuning.grow / (2 * (width + height))
            (centre, _, angle) = rectangle
            grown = (centre, (width + 2 * growth, height + 2 * growth), angle)
            yield ordered(cv2.boxPoints(grown)), confidence


def _shapes(views: Sequence[NDArray[Any]], candidates: Sequence[Candidate]) -> list[float]:
    """Return the logarithm of the odds that each candidate's shape is that of text."""
    return [entry.shape or 0.0 for entry in _judged(views, candidates)]


def _judged(views: Sequence[NDArray[Any]], candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return candidates that all have the logarithm of the odds that their shape is that of text."""
    new = [entry for entry in candidates if entry.shape is None]
    if not new:
        return list(candidates)
    windows = features_of(views[:2], [entry.corners for entry in new])
    scores = text_shapes().score(np.concatenate(windows))
    ends = np.cumsum([len(rows) for rows in windows])[:-1]
    means = iter([float(own.mean()) for own in np.split(scores, ends)])
    return [
        replace(entry, shape=next(means)) if entry.shape is None else entry for entry in candidates
    ]


def _line_of(found: Candidate) -> Box:
    """Return where the line of text goes on, on both sides."""
    area = found.area
    if area.width >= area.height:
        return area.grown(_GOES_ON * area.height, area.height // 2)
    return area.grown(area.width // 2, _GOES_ON * area.width)


def _area(parts: Iterable[tuple[Box, NDArray[Any]]]) -> int:
    return sum((shown.shape[0] + 10) * (shown.shape[1] + 28) for _, shown in parts)


def _sheet(
    waiting: Sequence[tuple[Box, NDArray[Any]]], side: int
) -> tuple[NDArray[Any], list[tuple[Box, Box]]]:
    sheet, places = sheet_of([shown for _, shown in waiting], side)
    return sheet, list(zip((part for part, _ in waiting), places, strict=True))


def _mean_inside(probability: NDArray[Any], corners: NDArray[Any]) -> float:
    rows, columns = probability.shape
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, (columns - 1, rows - 1))
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int), 0, (columns - 1, rows - 1))
    mask = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    cv2.fillPoly(mask, [np.round(corners - (left, top)).astype(np.int32)], 1)
    return float(cv2.mean(probability[top : bottom + 1, left : right + 1], mask)[0])
