"""PP-OCR's text detector: what is text of all that a search found, and what it reads as."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

from deid.pixels.find.candidates import continues, is_within, outline_of
from deid.pixels.find.columns import in_columns
from deid.pixels.find.evidence import calmest_colour
from deid.pixels.find.mosaics import is_mosaic
from deid.pixels.find.pieces import text_in_pieces
from deid.pixels.find.reading import has_too_few_letters
from deid.pixels.find.search import Search
from deid.pixels.find.tuning import Tuning
from deid.pixels.find.verdict import Witnesses
from deid.pixels.ports import Picture, TextRegion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from deid.pixels.find.candidates import Candidate
    from deid.pixels.find.reading import Reading, Recogniser
    from deid.pixels.find.sieve import Sieve, Sieved
    from deid.pixels.ports import Model


class PPOCR:
    """The default text detector.

    Parameters
    ----------
    detection
        From pictures (1, 3, rows, columns) to (1, 1, rows, columns): how likely each pixel is text.
    recogniser
        Reads what was found.
    sieve
        Tells where letters may be; without one, that is wherever strokes stand out.
    """

    def __init__(
        self,
        detection: Model,
        recogniser: Recogniser,
        sieve: Sieve | None = None,
        *,
        tuning: Tuning | None = None,
    ) -> None:
        self.tuning = tuning or Tuning()
        self._search = Search(detection, sieve, self.tuning)
        self._sieve = sieve
        self._recogniser = recogniser

    def find(
        self, pictures: Sequence[Picture], *, needs_reading: bool = True
    ) -> list[list[TextRegion]]:
        """Return the text regions of each picture."""
        return [self._find(picture, needs_reading=needs_reading) for picture in pictures]

    def candidates(self, picture: Picture) -> tuple[list[NDArray[Any]], list[Candidate]]:
        """Return the views that were looked at, and all that may be text in them, not yet judged."""
        return self._search.candidates(picture)

    def _find(self, picture: Picture, *, needs_reading: bool) -> list[TextRegion]:
        views, candidates = self.candidates(picture)
        witnesses = self._witnesses(picture, views)
        cases = witnesses.cases(candidates)
        text = [case.found for case in cases if case.is_text()]
        pieces = self._in_pieces(witnesses, candidates, text)
        apart = [*pieces, *(entry for entry in text if entry.bare is not None)]
        text += pieces
        # What continues a line of text is text: a spaced letter, an end that fades.
        text += [
            case.found
            for case in cases
            if case.found not in text
            and case.shape >= self.tuning.hopeless
            and any(continues(case.found, other) for other in text)
            and not any(is_within(piece, case.found) for piece in apart)
            and case.may_continue()
        ]
        return [
            region
            for entry in text
            for region in self._regions(entry.shown_in(views), entry, needs_reading=needs_reading)
        ]

    def _witnesses(self, picture: Picture, views: Sequence[NDArray[Any]]) -> Witnesses:
        return Witnesses(
            views,
            picture.frame_pixels,
            self.tuning,
            self._recogniser,
            self._sieve,
            self._search.is_seen_again,
            # Parts on a sheet are no sections, however much alike.
            cache(partial(is_mosaic, picture.display)) if not picture.parts else lambda: False,
        )

    def _in_pieces(
        self, witnesses: Witnesses, candidates: Sequence[Candidate], text: Sequence[Candidate]
    ) -> list[Candidate]:
        """Return the pieces that are text of larger candidates that are none."""
        sieve, views = self._sieve, witnesses.views
        if sieve is None:
            return []
        whole = [
            entry
            for entry in candidates
            if entry not in text and witnesses.share(entry) > self.tuning.costly
        ]

        def are_text(pieces: Sequence[Candidate]) -> list[bool]:
            return [case.is_text() and case.is_surely_read() for case in witnesses.cases(pieces)]

        @cache
        def sieved(view: int) -> Sieved:
            calmest = calmest_colour(views[view])
            return sieve.of(views[view] if calmest is None else calmest)

        return text_in_pieces(whole, text, sieved, are_text, self.tuning.pieces)

    def _regions(
        self, views: Sequence[NDArray[Any]], found: Candidate, *, needs_reading: bool
    ) -> list[TextRegion]:
        readings = self._recogniser.in_full(views, found) if needs_reading else [("", 0.0)]
        if has_too_few_letters(readings[0][0], found.corners):
            readings = [("", 0.0)]
        columns = in_columns(self._recogniser, views, found, readings[0])
        return [_region(*column) for column in columns or [(found, readings)]]


def _region(found: Candidate, readings: Sequence[Reading]) -> TextRegion:
    (text, legibility), *others = readings
    return TextRegion(
        found.area, found.confidence, text, legibility, tuple(others), outline=outline_of(found)
    )
