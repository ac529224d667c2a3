"""Where to look for text, at which scale, and what a look finds.

A look is one run of the detection model, differentiable binarisation: the model returns a map of text
probability, which is cut at a threshold; each connected part becomes a rotated rectangle, which is grown by its
area over its perimeter.

The first look is at the picture's own size, where strokes stand out that may be letters. What it finds
without doubt is found; where it finds only a trace, the part is enlarged and looked at again, together with
others on one sheet. The view by local contrast is looked at where the display hides what it shows,
and single dots where they lie close together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from deid.pixels.find.candidates import Candidate, candidate, merged, ordered, short_side
from deid.pixels.find.curves import without_curves
from deid.pixels.find.dots import dotted_areas, with_dots_joined
from deid.pixels.find.evidence import (
    Strokes,
    areas_of,
    hidden_areas,
    lettered_halves,
)
from deid.pixels.find.ink_lines import goes_on_as
from deid.pixels.find.judge import judged
from deid.pixels.find.only_told import only_told, told_across_curves
from deid.pixels.find.plain_lines import may_go_on_unseen, plain_lines, without_letters_beside
from deid.pixels.find.reading import in_colour
from deid.pixels.find.sheets import (
    STRIDE,
    box_in_frame,
    corners_in_frame,
    placed,
    sheet_of,
)
from deid.pixels.find.sieve import without_strokes
from deid.pixels.find.traces import unsettled_traces
from deid.pixels.geometry import Box, tiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from deid.pixels.find.sieve import Sieve, Sieved
    from deid.pixels.find.tuning import Tuning
    from deid.pixels.ports import Model, Picture

_MEAN = np.array((0.485, 0.456, 0.406), np.float32) * 255
_DEVIATION = np.array((0.229, 0.224, 0.225), np.float32) * 255
#: Columns and rows of a part's surroundings that are looked at with it.
_SURROUND = 24, 12
#: Heights of a line by which it may go on beyond what was found of it.
_GOES_ON = 3
#: Share of a candidate that is found again, and from which height on it is looked at in half of its size.
_MOST_OF_IT, _PIECE_OF_IT = 0.5, 0.2
_HIGH = 160
#: Pixels from the edge of what was looked at within which that cuts a line of text, from what height on it is
#: none, how many pixels around are looked at, and how often it is followed.
_AT_EDGE, _HIGHEST_CUT, _AROUND_CUT, _MOST_ENDS = 2, 64, 32, 4
#: Pixels around a line of plain letters that show their edges.
_HALO = 2


class _Looked(NamedTuple):
    """The views without plain lines, what may be text, where only a trace is; what stands out, and where."""

    left: list[NDArray[Any]]
    found: list[Candidate]
    unsettled: list[Box]
    strokes: Strokes
    areas: list[Box]


class Search:
    """Looks at a picture wherever text may be.

    Parameters
    ----------
    detection
        From pictures (1, 3, rows, columns) to (1, 1, rows, columns): how likely each pixel is text.
    sieve
        Tells where letters may be; without one, that is wherever strokes stand out.
    """

    def __init__(self, detection: Model, sieve: Sieve | None, tuning: Tuning) -> None:
        self._detection, self._sieve, self._tuning = detection, sieve, tuning

    def candidates(self, picture: Picture) -> tuple[list[NDArray[Any]], list[Candidate]]:
        """Return the views that were looked at, and all that may be text in them, not yet judged."""
        tuning = self._tuning
        views = [view for view in (picture.display, picture.contrast) if view is not None]
        rows, columns = picture.display.shape[:2]
        scale = tuning.small_scale if max(rows, columns) < tuning.small else 1.0
        if max(rows, columns) >= tuning.large:
            left, found, unsettled, strokes, areas = self._in_large_display(views)
        else:
            left, found, unsettled, strokes, areas = self._in_display(views, scale, picture.parts)
        closer = self._closer(max(rows, columns))
        if unsettled and closer[0]:
            found += self._look(left, 0, closer[0], unsettled)[0]
        if picture.contrast is not None:
            sieved = None if self._sieve is None else self._sieve.of(left[1])
            hidden = hidden_areas(left[0], left[1], sieved)
            if hidden:
                more, traces = self._look(left, 1, scale, hidden)
                found += more
                unsettled += traces
            if closer[1]:
                # What is found may go on where the display shows it too faintly.
                found = judged(views, found)
                lines = self._lines_going_on(picture.display, found, sieved)
                around = areas_of([*unsettled, *lines], rows, columns)
                found += self._look(left, 1, closer[1], around)[0]
        dotted = dotted_areas(left[0])
        if dotted:
            for view in tuple(left):
                views.append(with_dots_joined(view, dotted))
                number = len(views) - 1
                found += self._look(views, number, scale * tuning.dotted, dotted)[0]
        found = merged(found)
        # Apart from what was found: one for both would be as large as no text is.
        told = only_told(strokes.own, found, tuning.only_told)
        across = self._across_curves(views, strokes.plainest, areas, found)
        return views, [*found, *told, *across]

    def _in_large_display(self, views: list[NDArray[Any]]) -> _Looked:
        """Look at a large display in half of its size, in its own where that leaves a trace or it is fine."""
        tuning, display = self._tuning, views[0]
        rows, columns = display.shape[:2]
        found, traces = self._look(views, 0, 0.5, self._halves(display))
        fine = Strokes.of(display, self._sieve, level=tuning.fine, is_coarse=False)
        areas = areas_of([*traces, *fine.areas()], rows, columns)
        more, unsettled = self._look(views, 0, 1.0, areas)
        found += more
        return _Looked(views, found, unsettled, fine, areas)

    def _across_curves(
        self,
        views: list[NDArray[Any]],
        plainest: NDArray[Any],
        areas: Sequence[Box],
        found: Sequence[Candidate],
    ) -> list[Candidate]:
        """Return what the sieve is sure of without the curves of a display."""
        sieve, tuning = self._sieve, self._tuning
        bare = None if sieve is None else without_curves(plainest, areas)
        if sieve is None or bare is None:
            return []
        rows, columns = bare.view.shape
        known = [
            entry
            for entry in judged(views, found)
            if (entry.shape or 0.0) >= tuning.convincing
            and entry.area.area <= tuning.known_beside_curves * rows * columns
        ]
        return told_across_curves(bare, sieve, known, tuning.only_told)

    def _in_display(self, views: list[NDArray[Any]], scale: float, parts: Sequence[Box]) -> _Looked:
        """Find plain lines in a display, and look at what is left where strokes stand out."""
        tuning, display = self._tuning, views[0]
        rows, columns = display.shape[:2]
        whole = parts or [Box(0, 0, columns, rows)]
        found: list[Candidate] = []
        if tuning.half_resolution:
            found += self._look(views, 0, scale / 2, self._halves(display))[0]
        strokes = rest = Strokes.of(display, self._sieve, parts=parts)
        areas, left = strokes.areas(), views
        plain = lines = self._plain_lines(views, areas, strokes)
        while plain:
            places = [line.area.grown(_HALO) for line in plain]
            rest = strokes.without(places)
            areas = rest.areas()
            apart = without_letters_beside(plain, rest.own.sieved, tuning.plain)
            if len(apart) == len(plain):
                left = [without_strokes(view, places) for view in views]
                break
            plain, areas, rest = apart, strokes.areas(), strokes
        more, unsettled = self._look(left, 0, scale, areas)
        found += more
        for _ in range(_MOST_ENDS):
            ends = areas_of(_cut_lines(more, areas, whole), rows, columns)
            if not ends:
                break
            more, traces = self._look(left, 0, scale, ends)
            found += more
            unsettled += traces
            areas = [*areas, *ends]
        # A line that was not taken away, lest more of it be missed, is one even where a look misses it.
        plain = [*plain, *_missed(found, [line for line in lines if not _is_among(line, plain)])]
        found += plain
        # Where more of a plain line was found, it is looked at whole: half of a word reads as another one.
        halves = _with_more(plain, found, rows, columns)
        if halves:
            found += self._look(views, 0, scale, areas_of(halves, rows, columns))[0]
        return _Looked(left, found, unsettled, rest, areas)

    def _plain_lines(
        self, views: Sequence[NDArray[Any]], areas: Sequence[Box], strokes: Strokes
    ) -> list[Candidate]:
        sieved = strokes.own.sieved
        if sieved is None:
            return []
        return plain_lines(views, areas, strokes.own.mask, sieved, self._tuning.plain)

    def _lines_going_on(
        self, display: NDArray[Any], found: Sequence[Candidate], sieved: Sieved | None
    ) -> list[Box]:
        """Return the lines on which there may be letters beside all that was found without doubt."""
        tuning = self._tuning
        likely = (
            entry
            for entry in found
            if (entry.shape or 0.0) >= tuning.follow
            and (not entry.is_plain or may_go_on_unseen(display, entry.area))
        )
        clipped = (_line_of(entry).clipped(*display.shape[:2]) for entry in likely)
        lines = [line for line in clipped if line is not None]
        if sieved is None:
            return lines
        known = [
            entry.area.grown(tuning.beside)
            for entry in found
            if entry.confidence >= tuning.traces.settled
        ]
        return sieved.with_letters(lines, known)

    def is_seen_again(self, view: NDArray[Any], found: Candidate) -> bool:
        """Whether most of a candidate is found again with more of what is around it, or a piece for sure."""
        tuning = self._tuning
        rows, columns = view.shape[:2]
        around = tuning.surround
        area = found.area.grown(around, around).clipped(rows, columns)
        if area is None:
            return False
        scale = self._scale_of(rows, columns, short_side(found.corners))
        seen, _ = self._look((view,), 0, scale, [area])
        return any(
            other.area.overlap(found.area)
            >= (_PIECE_OF_IT if other.confidence >= tuning.faint else _MOST_OF_IT) * found.area.area
            for other in seen
        )

    def _scale_of(self, rows: int, columns: int, height: float) -> float:
        if max(rows, columns) < self._tuning.small:
            return self._tuning.small_scale
        return 1.0 if height < _HIGH else 0.5

    def _halves(self, display: NDArray[Any]) -> list[Box]:
        """Return where to look in half of the size."""
        rows, columns = display.shape[:2]
        if self._sieve is None or self._tuning.half_resolution:
            return [Box(0, 0, columns, rows)]
        return lettered_halves(display, self._sieve)

    def _closer(self, side: int) -> tuple[float, float]:
        """Return the factors of the second look in both views, 0 for none."""
        for below, display, contrast in self._tuning.closer:
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
            for trace in unsettled_traces(probability, regions, pieces, self._tuning.traces):
                box = box_in_frame(trace.box, *trace.piece, scale)
                if trace.is_blob:
                    own = judged(views, own)
                    inside = [entry.shape or 0.0 for entry in own if entry.area.overlap(box)]
                    if inside and max(inside) < self._tuning.hopeless:
                        continue
                traces.append(box)
            found += own
        around = [box.grown(*_SURROUND).clipped(rows, columns) for box in traces]
        return found, areas_of((box for box in around if box is not None), rows, columns)

    def _pictures(
        self, view: NDArray[Any], scale: float, areas: Sequence[Box]
    ) -> Iterator[tuple[NDArray[Any], list[tuple[Box, Box]]]]:
        """Yield pictures to look at, each with the parts of the view that it shows and their places."""
        tuning = self._tuning
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
        padded_rows = max(-(-rows // STRIDE) * STRIDE, 64)
        padded_columns = max(-(-columns // STRIDE) * STRIDE, 64)
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
        core = (probability > self._tuning.binarise).astype(np.uint8)
        mask = cv2.dilate(core, np.ones((2, 2), np.uint8))
        contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        for contour in contours:
            (_, (width, height), _) = rectangle = cv2.minAreaRect(contour)
            if min(width, height) < 3:
                continue
            corners = cv2.boxPoints(rectangle)
            confidence = _mean_inside(probability, corners)
            if confidence < self._tuning.consider:
                continue
            growth = width * height * self._tuning.grow / (2 * (width + height))
            (centre, _, angle) = rectangle
            grown = (centre, (width + 2 * growth, height + 2 * growth), angle)
            yield ordered(cv2.boxPoints(grown)), confidence


def _is_among(line: Candidate, lines: Iterable[Candidate]) -> bool:
    return any(line is other for other in lines)


def _missed(found: Sequence[Candidate], lines: Iterable[Candidate]) -> list[Candidate]:
    """Return the lines of which the most was not found."""
    return [
        line
        for line in lines
        if all(entry.area.overlap(line.area) < _MOST_OF_IT * line.area.area for entry in found)
    ]


def _with_more(
    plain: Sequence[Candidate], found: Sequence[Candidate], rows: int, columns: int
) -> list[Box]:
    """Return boxes around each plain line and what was found on its rows, with what is around both."""
    joined = (
        line.area.joined(entry.area).grown(_AROUND_CUT).clipped(rows, columns)
        for line in plain
        for entry in found
        if not entry.is_plain and goes_on_as(line.area, entry.area)
    )
    return [box for box in joined if box is not None]


def _cut_lines(
    found: Sequence[Candidate], areas: Sequence[Box], parts: Sequence[Box]
) -> Iterator[Box]:
    """Yield where those lines of text go on that an edge of what was looked at cuts, within one part."""
    for entry in found:
        part = max(parts, key=entry.area.overlap)
        whole = entry.area.grown(_AT_EDGE).within(part)
        if whole is None or short_side(entry.corners) > _HIGHEST_CUT:
            continue
        line = _line_of(entry).grown(_AROUND_CUT).within(part)
        if line is not None and not any(area.contains(whole) for area in areas):
            yield line


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
