"""PP-OCR's text detector and recogniser, run directly on onnxruntime.

The models are handed in as bytes (they lie in the rapidocr wheel); pre- and post-processing are
our own. Detection is differentiable binarisation: a map of text probability is cut at a threshold,
each connected part becomes a rotated rectangle, which is grown by its area over its perimeter.
Recognition is CTC over strips 48 pixels high.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import onnxruntime

from deid.pixels.find.dots import dotted_areas, with_dots_joined
from deid.pixels.geometry import Box, tiles
from deid.pixels.ports import Picture, TextRegion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_MEAN = np.array((0.485, 0.456, 0.406), np.float32) * 255
_DEVIATION = np.array((0.229, 0.224, 0.225), np.float32) * 255
_STRIDE = 32
#: A candidate is part of a larger one when it shares this much of its area with it.
_PART_SHARE = 0.7
#: A strip read with less is looked at in other ways, too; with still less upside down as well.
_SURE_READING = 0.98
_UPSIDE_DOWN_BELOW = 0.95


@dataclass(frozen=True, slots=True)
class Tuning:
    """The figures that decide what counts as text. Tuned on the benchmark's tuning half.

    Attributes
    ----------
    tile, overlap
        Side of the square given to the detector at once, and how far neighbours overlap, in
        pixels after scaling.
    enlarge
        Steps of (longer side below this many pixels, factor for the display view, factor for the
        contrast view): small frames are enlarged first, so that letters of 5-7 pixels become
        letters the detector knows. The two views differ in scale as in contrast, as what one
        misses the other often finds.
    binarise, accept
        Probability from which a pixel is text, and the mean from which a region is.
    consider, convincing
        A region with a lower mean, from `consider` on, or too large (below), is text all the same
        when the recogniser reads at least two characters in it with this certainty.
    grow
        How far a region's core grows: area x grow / perimeter.
    max_short_side, max_short_share, max_lettering
        A region is doubtful when its short side exceeds both this many pixels and this share of
        the frame's shorter side, and in any case above `max_lettering` pixels.
    legible, certain
        A region read with less than `legible` is dropped, unless it was found with at least
        `certain` (a script the recogniser does not know).
    dotted
        Factor for the look at areas of single dots, on top of the display view's.
    half_resolution
        Look once more at half the size (large lettering).
    """

    tile: int = 640
    overlap: int = 96
    enlarge: tuple[tuple[int, float, float], ...] = (
        (100, 3.0, 4.0),
        (700, 1.5, 2.0),
        (1100, 1.0, 1.5),
    )
    binarise: float = 0.3
    accept: float = 0.5
    consider: float = 0.2
    convincing: float = 0.9
    grow: float = 1.6
    max_short_side: int = 40
    max_short_share: float = 0.2
    max_lettering: int = 120
    legible: float = 0.5
    certain: float = 0.8
    dotted: float = 0.5
    half_resolution: bool = False


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A rotated rectangle in frame pixels: corners (4, 2) from the top left clockwise.

    `area` is the upright box around it. A doubtful one counts only when it can be read.
    """

    corners: NDArray[Any]
    confidence: float
    view: int
    area: Box
    is_doubtful: bool = False


class PPOCR:
    """The default text detector.

    Parameters
    ----------
    detection_model, recognition_model
        ONNX models as bytes. The recogniser's alphabet is read from its metadata (``character``).
    threads
        Of onnxruntime, inside one operator. Worker processes are the unit of parallelism.
    """

    def __init__(
        self,
        detection_model: bytes,
        recognition_model: bytes,
        *,
        threads: int = 1,
        tuning: Tuning | None = None,
    ) -> None:
        self.tuning = tuning or Tuning()
        self._detection = _session(detection_model, threads)
        self._recognition = _session(recognition_model, threads)
        characters = self._recognition.get_modelmeta().custom_metadata_map["character"]
        self._alphabet = ["", *characters.splitlines(), " "]

    def find(self, pictures: Sequence[Picture]) -> list[list[TextRegion]]:
        """Return the text regions of each picture."""
        return [self._find(picture) for picture in pictures]

    def _find(self, picture: Picture) -> list[TextRegion]:
        views: list[NDArray[Any]] = [picture.display]
        if picture.contrast is not None:
            views.append(picture.contrast)
        candidates: list[_Candidate] = []
        for number, view in enumerate(views):
            scale = self._scale(view, number)
            candidates += self._detect(view, number, scale)
            if self.tuning.half_resolution:
                candidates += self._detect(view, number, scale / 2)
        areas = dotted_areas(picture.display)
        if areas:
            scale = self._scale(picture.display, 0) * self.tuning.dotted
            for view in tuple(views):
                views.append(with_dots_joined(view, areas))
                for area in areas:
                    candidates += self._detect(views[-1], len(views) - 1, scale, area)
        return self._read(views, _merged(candidates))

    def _scale(self, view: NDArray[Any], number: int) -> float:
        for below, *factors in self.tuning.enlarge:
            if max(view.shape[:2]) < below:
                return factors[number]
        return 1.0

    def _detect(
        self, view: NDArray[Any], number: int, scale: float, area: Box | None = None
    ) -> list[_Candidate]:
        rows, columns = view.shape[:2]
        area = area or Box(0, 0, columns, rows)
        tuning = self.tuning
        method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
        scaled = view[area.top : area.bottom, area.left : area.right]
        if scale != 1.0:
            scaled = cv2.resize(scaled, None, fx=scale, fy=scale, interpolation=method)
        share = tuning.max_short_share * min(rows, columns)
        limit = max(tuning.max_short_side, min(share, tuning.max_lettering))
        found = []
        for tile in tiles(Box(0, 0, *scaled.shape[1::-1]), tuning.tile, tuning.overlap):
            part = scaled[tile.top : tile.bottom, tile.left : tile.right]
            for corners, confidence in self._regions(self._probability(_in_colour(part))):
                placed = (corners + np.array((tile.left, tile.top), np.float32)) / scale
                placed += np.array((area.left, area.top), np.float32)
                candidate = _candidate(placed.astype(np.float32), confidence, number)
                is_doubtful = confidence < tuning.accept or _short_side(placed) > limit
                found.append(replace(candidate, is_doubtful=is_doubtful))
        return found

    def _probability(self, tile: NDArray[Any]) -> NDArray[Any]:
        rows, columns = tile.shape[:2]
        padded_rows = max(-(-rows // _STRIDE) * _STRIDE, 64)
        padded_columns = max(-(-columns // _STRIDE) * _STRIDE, 64)
        padded = cv2.copyMakeBorder(
            tile, 0, padded_rows - rows, 0, padded_columns - columns, cv2.BORDER_REPLICATE
        )
        given: NDArray[Any] = ((padded.astype(np.float32) - _MEAN) / _DEVIATION).transpose(2, 0, 1)[
            None
        ]
        (probability,) = self._detection.run(None, {"x": np.ascontiguousarray(given)})
        cut: NDArray[Any] = probability[0, 0, :rows, :columns]
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
            yield _ordered(cv2.boxPoints(grown)), confidence

    def _read(
        self, views: Sequence[NDArray[Any]], candidates: Sequence[_Candidate]
    ) -> list[TextRegion]:
        regions = []
        for candidate in candidates:
            (text, legibility), *others = self._readings(views, candidate)
            if not self._is_text(candidate, text, legibility):
                continue
            if _has_too_few_letters(text, candidate.corners):
                text, legibility, others = "", 0.0, []
            regions.append(
                TextRegion(candidate.area, candidate.confidence, text, legibility, tuple(others))
            )
        return regions

    def _readings(
        self, views: Sequence[NDArray[Any]], candidate: _Candidate
    ) -> list[tuple[str, float]]:
        """Return what a candidate reads, the surest reading first; more of them when none is sure."""
        own, corners = views[candidate.view], candidate.corners
        strip = _strip(own, corners)
        is_tall = strip.shape[0] >= 1.5 * strip.shape[1]
        turns = {turn: self._turned(strip, turn) for turn in ((1, 3) if is_tall else (0,))}
        if not is_tall and turns[0][1] < _UPSIDE_DOWN_BELOW:
            turns[2] = self._turned(strip, 2)
        turn = max(turns, key=lambda number: turns[number][1])
        readings = list(turns.values())
        if turns[turn][1] < _SURE_READING:
            # Perhaps another view shows it better, or the region was cut too close.
            again = [_strip(view, corners) for view in views if view is not own]
            again.append(_strip(own, _loosened(corners)))
            readings += [self._turned(other, turn) for other in _different(again, from_=strip)]
        return sorted(readings, key=lambda reading: -reading[1])

    def _turned(self, strip: NDArray[Any], turn: int) -> tuple[str, float]:
        """Read a strip turned by so many quarters counter-clockwise."""
        return self._recognise(np.ascontiguousarray(np.rot90(strip, turn)))

    def _is_text(self, candidate: _Candidate, text: str, legibility: float) -> bool:
        if candidate.is_doubtful:
            characters = sum(character.isalnum() for character in text)
            return legibility >= self.tuning.convincing and characters >= 2
        return legibility >= self.tuning.legible or candidate.confidence >= self.tuning.certain

    def _recognise(self, strip: NDArray[Any]) -> tuple[str, float]:
        rows, columns = strip.shape[:2]
        width = int(min(max(round(48 * columns / max(rows, 1)), 16), 1600))
        padded = -(-width // 8) * 8
        resized = cv2.resize(strip, (width, 48), interpolation=cv2.INTER_LINEAR)
        given = np.zeros((1, 3, 48, padded), np.float32)
        given[0, :, :, :width] = (resized.astype(np.float32) / 127.5 - 1.0).transpose(2, 0, 1)
        (steps,) = self._recognition.run(None, {"x": given})
        return _decoded_text(steps[0], self._alphabet)


def _candidate(corners: NDArray[Any], confidence: float, view: int) -> _Candidate:
    left, top = (int(edge) for edge in np.floor(corners.min(axis=0)))
    right, bottom = (int(edge) for edge in np.ceil(corners.max(axis=0)))
    return _Candidate(corners, confidence, view, Box(left, top, right - left, bottom - top))


def _decoded_text(steps: NDArray[Any], alphabet: Sequence[str]) -> tuple[str, float]:
    """Return the best CTC path's text and the mean probability of its characters."""
    best = steps.argmax(axis=1)
    sure = steps.max(axis=1)
    is_new = np.append(True, best[1:] != best[:-1])
    picked = np.flatnonzero((best > 0) & is_new)
    if not len(picked):
        return "", 0.0
    return "".join(alphabet[best[step]] for step in picked), float(sure[picked].mean())


def _session(model: bytes, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # tiles differ in size; an arena would keep the largest
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _mean_inside(probability: NDArray[Any], corners: NDArray[Any]) -> float:
    rows, columns = probability.shape
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, (columns - 1, rows - 1))
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int), 0, (columns - 1, rows - 1))
    mask = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    cv2.fillPoly(mask, [np.round(corners - (left, top)).astype(np.int32)], 1)
    return float(cv2.mean(probability[top : bottom + 1, left : right + 1], mask)[0])


def _ordered(corners: NDArray[Any]) -> NDArray[Any]:
    """Return corners clockwise from the top left one."""
    by_column = corners[np.argsort(corners[:, 0], kind="stable")]
    left = by_column[:2][np.argsort(by_column[:2, 1])]
    right = by_column[2:][np.argsort(by_column[2:, 1])]
    return np.array((left[0], right[0], right[1], left[1]), np.float32)


def _short_side(corners: NDArray[Any]) -> float:
    return float(
        min(np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[3] - corners[0]))
    )


def _loosened(corners: NDArray[Any]) -> NDArray[Any]:
    """Return corners a fifth of the short side farther out along, and a tenth across."""
    along, down = corners[1] - corners[0], corners[3] - corners[0]
    width, height = max(float(np.linalg.norm(along)), 1.0), max(float(np.linalg.norm(down)), 1.0)
    short = min(width, height)
    along = along / width * short * (0.2 if width >= height else 0.1)
    down = down / height * short * (0.1 if width >= height else 0.2)
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return corners + np.array([a * along + b * down for a, b in signs], np.float32)


def _strip(view: NDArray[Any], corners: NDArray[Any]) -> NDArray[Any]:
    """Return the rotated rectangle, straightened."""
    width = max(round(float(np.linalg.norm(corners[1] - corners[0]))), 4)
    height = max(round(float(np.linalg.norm(corners[3] - corners[0]))), 4)
    target = np.array(((0, 0), (width, 0), (width, height), (0, height)), np.float32)
    matrix = cv2.getPerspectiveTransform(corners, target)
    strip = cv2.warpPerspective(
        view, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return _in_colour(strip)


def _in_colour(part: NDArray[Any]) -> NDArray[Any]:
    """Return a part of a view, grey or RGB, as RGB."""
    return cv2.cvtColor(part, cv2.COLOR_GRAY2RGB) if part.ndim == 2 else part


def _different(strips: Sequence[NDArray[Any]], *, from_: NDArray[Any]) -> list[NDArray[Any]]:
    """Return each strip once, as views in which dots are joined differ from the others there only."""
    different = [from_]
    for strip in strips:
        if not any(np.array_equal(strip, other) for other in different):
            different.append(strip)
    return different[1:]


def _merged(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Make one of candidates that show the same text: seen in both views, or cut by a tile's edge."""
    left = sorted(candidates, key=lambda found: -found.area.area)
    while True:
        kept: list[_Candidate] = []
        for candidate in left:
            for number, larger in enumerate(kept):
                joined = _joined(larger, candidate)
                if joined is not None:
                    kept[number] = joined
                    break
            else:
                kept.append(candidate)
        if len(kept) == len(left):
            return kept
        left = sorted(kept, key=lambda found: -found.area.area)


def _joined(larger: _Candidate, smaller: _Candidate) -> _Candidate | None:
    """Return one candidate for two, None when they show different texts.

    The larger one is read, as the smaller shows part of it; its area is widened to hold both.
    """
    shared = larger.area.overlap(smaller.area)
    if not shared:
        return None
    area = larger.area.joined(smaller.area)
    confidence = max(larger.confidence, smaller.confidence)
    is_same_place = shared * 2 > larger.area.area + smaller.area.area - shared
    is_one_line = _continue_each_other(larger, smaller)
    is_part = shared >= _PART_SHARE * smaller.area.area
    # What is doubtful may yet be dropped, and must not take the other along.
    drags_along = larger.is_doubtful and not smaller.is_doubtful
    continues = is_one_line and larger.is_doubtful == smaller.is_doubtful
    if not (is_same_place or (is_part and not drags_along) or continues):
        return None
    return replace(
        larger,
        corners=_corners(area) if is_one_line else larger.corners,
        area=area,
        confidence=confidence,
        is_doubtful=larger.is_doubtful and smaller.is_doubtful,
    )


def _continue_each_other(one: _Candidate, other: _Candidate) -> bool:
    """Whether two upright boxes are parts of one line that share a piece of it."""
    if _is_slanted(one) or _is_slanted(other):
        return False
    a, b = one.area, other.area
    if a.width < a.height and b.width < b.height:
        a, b = (Box(box.top, box.left, box.height, box.width) for box in (a, b))
    height = min(a.height, b.height)
    shared = min(a.right, b.right) - max(a.left, b.left)
    return shared * 2 > height and abs(a.top - b.top) + abs(a.bottom - b.bottom) < 0.7 * height


def _is_slanted(candidate: _Candidate) -> bool:
    area = candidate.area
    return cv2.contourArea(candidate.corners) < 0.8 * area.area


def _corners(box: Box) -> NDArray[Any]:
    return np.array(
        (
            (box.left, box.top),
            (box.right, box.top),
            (box.right, box.bottom),
            (box.left, box.bottom),
        ),
        np.float32,
    )


def _has_too_few_letters(text: str, corners: NDArray[Any]) -> bool:
    """Whether the recogniser left out most of the strip, as with scripts that it does not know."""
    across = float(np.linalg.norm(corners[1] - corners[0]))
    down = float(np.linalg.norm(corners[3] - corners[0]))
    length, height = max(across, down), max(min(across, down), 1.0)
    letters = sum(character.isalnum() for character in text)
    return letters * 1.5 * height < length - height
