"""PP-OCR's text detector: what is text of all that a search found.

What is found is text when its shape is (`deid.pixels.find.shapes`), or when it reads surely: neither
how sure the model is nor a reading that may be one is enough.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from deid.pixels.find.candidates import continues, is_within, outline_of, resized
from deid.pixels.find.evidence import calmest_colour
from deid.pixels.find.judge import large_shape_of, shapes_of
from deid.pixels.find.pieces import text_in_pieces
from deid.pixels.find.reading import (
    MOST_DOUBTS,
    Reading,
    Recogniser,
    different_signs,
    doubts,
    has_too_few_letters,
)
from deid.pixels.find.search import Search
from deid.pixels.find.tuning import Tuning
from deid.pixels.ports import Picture, TextRegion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from deid.pixels.find.candidates import Candidate
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
        shapes = shapes_of(views, candidates)
        judged = self._framed_anew(views, candidates, shapes, pixels=picture.frame_pixels)
        text = [
            entry
            for entry, shape, mean in zip(candidates, shapes, judged, strict=True)
            if self._is_text(entry.shown_in(views), entry, shape, mean, pixels=picture.frame_pixels)
        ]
        pieces = self._in_pieces(views, candidates, text, pixels=picture.frame_pixels)
        apart = [*pieces, *(entry for entry in text if entry.bare is not None)]
        text += pieces
        # What continues a line of text is text: a spaced letter, an end that fades.
        text += [
            entry
            for entry, shape, mean in zip(candidates, shapes, judged, strict=True)
            if entry not in text
            and shape >= self.tuning.hopeless
            and any(continues(entry, other) for other in text)
            and not any(is_within(piece, entry) for piece in apart)
            and self._may_continue(entry.shown_in(views), entry, mean, pixels=picture.frame_pixels)
        ]
        return [
            self._region(entry.shown_in(views), entry, needs_reading=needs_reading)
            for entry in text
        ]

    def _is_text(
        self,
        views: Sequence[NDArray[Any]],
        found: Candidate,
        shape: float,
        judged: float,
        *,
        pixels: int,
    ) -> bool:
        """Whether a candidate is text by its shape, or because it reads surely, in a frame so large.

        What is written across a curve is what it seems to be without it only where it surely is.
        """
        if found.bare is not None and not self._is_sure_piece(views, found, judged, pixels=pixels):
            return False
        tuning = self.tuning
        share = self._share(found, pixels)
        is_small = share <= tuning.lettered_from
        enough = tuning.enough(found.confidence, share)
        enough = self._with_the_sieve(views, found, judged, enough, is_small=is_small)
        is_part = found.area.area <= tuning.most_of_frame * pixels
        may_be = judged >= enough and is_part
        if may_be and found.is_plain:
            return True
        lettered = tuning.unless_read if is_small else tuning.lettered
        is_asked = share > tuning.costly and (may_be or shape >= tuning.likely)
        letters = self._lettering(views, found, judged, lettered) if is_asked else math.inf
        may_be = may_be and (share <= tuning.costly or self._is_no_device(views, found, share))
        may_be = may_be and (
            share <= tuning.costly
            or judged >= tuning.beyond_doubt
            or self._search.is_seen_again(views[found.view], found)
        )
        most = MOST_DOUBTS if share > tuning.weighty else 0
        # In a small frame a word is no small share, but what does not read as one may be half of what it shows.
        granted = tuning.enough(found.confidence, share)
        crowded = max(self._enough_of_all(found, pixels) - granted, 0.0)
        if may_be and judged >= enough + tuning.alone * most + crowded and letters >= lettered:
            return True
        if shape < tuning.hopeless:
            return self._reads_against_its_shape(views, found)
        if not may_be and self._hardly_reads(views, found):
            return False
        readings = self._recogniser.readings(views, found)
        text, legibility = readings[0]
        doubt = tuning.alone * doubts(readings)
        if doubt or legibility < tuning.fairly_sure:
            doubt += crowded
        if may_be and judged >= enough + doubt:
            differ = different_signs(text) >= tuning.least_signs
            is_read = differ and (letters >= tuning.unless_read or legibility >= tuning.fairly_sure)
            if letters >= lettered or is_read:
                return True
        least = tuning.least_signs if shape >= enough - tuning.short_of else tuning.many_signs
        is_sure_pair = is_small and legibility >= tuning.sure_pair
        likely = tuning.likely - (tuning.short_of_pair if is_sure_pair else 0.0)
        if is_part and shape >= likely and letters >= lettered:
            least = min(least, tuning.pair)
        return self._reads_surely(text, legibility, least)

    def _hardly_reads(self, views: Sequence[NDArray[Any]], found: Candidate) -> bool:
        """Whether the sieve tells of hardly any letters, and a first reading says as little."""
        tuning = self.tuning
        if self._sieve is None or self._told(views, found) >= tuning.told_of_read:
            return False
        return self._recogniser.first(views, found)[1] < tuning.first_read

    def _reads_against_its_shape(self, views: Sequence[NDArray[Any]], found: Candidate) -> bool:
        """Whether what has no text's shape reads as a long one where sieve and model are sure: on stripes."""
        tuning = self.tuning
        if found.confidence < tuning.certain_of_ill_shaped:
            return False
        if self._sieve is None or self._told(views, found) < tuning.told_of_ill_shaped:
            return False
        text, legibility = self._recogniser.readings(views, found)[0]
        return self._reads_surely(text, legibility, tuning.many_signs)

    def _in_pieces(
        self,
        views: Sequence[NDArray[Any]],
        candidates: Sequence[Candidate],
        text: Sequence[Candidate],
        *,
        pixels: int,
    ) -> list[Candidate]:
        """Return the pieces that are text of larger candidates that are none."""
        sieve = self._sieve
        if sieve is None:
            return []
        whole = [
            entry
            for entry in candidates
            if entry not in text and self._share(entry, pixels) > self.tuning.costly
        ]

        def are_text(pieces: Sequence[Candidate]) -> list[bool]:
            shapes = shapes_of(views, pieces)
            judged = self._framed_anew(views, pieces, shapes, pixels=pixels)
            return [
                self._is_text(views, piece, shape, mean, pixels=pixels)
                and self._is_sure_piece(views, piece, mean, pixels=pixels)
                for piece, shape, mean in zip(pieces, shapes, judged, strict=True)
            ]

        @cache
        def sieved(view: int) -> Sieved:
            calmest = calmest_colour(views[view])
            return sieve.of(views[view] if calmest is None else calmest)

        return text_in_pieces(whole, text, sieved, are_text, self.tuning.pieces)

    def _is_sure_piece(
        self, views: Sequence[NDArray[Any]], piece: Candidate, judged: float, *, pixels: int
    ) -> bool:
        """Whether a piece that is text is so beyond doubt: what it is a piece of is none.

        It reads as several signs, and of a small frame it is judged by the share that it has of that.
        """
        if pixels < self.tuning.least_area and judged < self._enough_of_all(piece, pixels):
            return False
        readings = self._recogniser.readings(views, piece)
        _, legibility = readings[0]
        return legibility >= self.tuning.pieces.read and not doubts(readings)

    def _may_continue(
        self, views: Sequence[NDArray[Any]], found: Candidate, judged: float, *, pixels: int
    ) -> bool:
        """Whether what lies on a line of text may be more of it, and not what the picture shows beside it."""
        tuning = self.tuning
        if self._told(views, found) < tuning.continued:
            return False
        is_slight = self._share(found, pixels) <= tuning.slight
        return is_slight or (
            self._lettering(views, found, judged, tuning.continued) >= tuning.continued
        )

    def _with_the_sieve(
        self,
        views: Sequence[NDArray[Any]],
        found: Candidate,
        judged: float,
        enough: float,
        *,
        is_small: bool,
    ) -> float:
        """Return what a candidate must score, where it is close, with what the sieve tells of it."""
        tuning = self.tuning
        if 0 < enough - judged <= tuning.eased and self._told(views, found) >= tuning.told_surely:
            return enough - tuning.eased
        is_faint = is_small and found.confidence < tuning.faint
        is_close = 0 <= judged - enough < tuning.doubted
        if is_faint and is_close and self._told(views, found) < 0:
            return enough + tuning.doubted
        return enough

    def _enough_of_all(self, found: Candidate, pixels: int) -> float:
        """Return what a candidate must score for its share of the frame itself, however small that is."""
        return self.tuning.enough(found.confidence, max(found.area.area, 1) / pixels)

    def _is_no_device(self, views: Sequence[NDArray[Any]], found: Candidate, share: float) -> bool:
        """Whether what covers that share is text to the trees that know devices, with the sieve's word."""
        tuning = self.tuning
        enough = tuning.enough_of_large(share)
        score = large_shape_of(views, found, tuning.framings)
        least = tuning.told_of_large * tuning.told_least
        if score + least >= enough:  # whatever the sieve says
            return True
        told = min(max(self._told(views, found), tuning.told_least), tuning.told_surest)
        return score + tuning.told_of_large * told >= enough

    def _lettering(
        self, views: Sequence[NDArray[Any]], found: Candidate, judged: float, enough: float
    ) -> float:
        """Return how much speaks for letters with what the sieve tells, without one infinity."""
        if self._sieve is None:
            return math.inf
        tuning = self.tuning
        least = tuning.lettering(judged, tuning.told_least, found.confidence)
        if least >= enough:  # whatever the sieve says
            return least
        return tuning.lettering(judged, self._told(views, found), found.confidence)

    def _told(self, views: Sequence[NDArray[Any]], found: Candidate) -> float:
        """Return the odds that the sieve tells of a candidate; without one it tells nothing."""
        if self._sieve is None:
            return 0.0
        return self._sieve.odds_within(views[found.view], found.corners)

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
            if not found.is_plain
            and self._share(found, pixels) > tuning.weighty
            and found.area.area <= tuning.most_of_frame * pixels  # else its score decides nothing
            and shape >= tuning.hopeless
        ]
        others = [
            replace(found, corners=resized(found.corners, by), shape=None)
            for found in (candidates[number] for number in weighty)
            for by in tuning.framings
        ]
        judged, scores = list(shapes), iter(shapes_of(views, others))
        for number in weighty:
            framed = [next(scores) for _ in tuning.framings]
            judged[number] = float(np.mean([shapes[number], *framed]))
        return judged

    def _region(
        self, views: Sequence[NDArray[Any]], found: Candidate, *, needs_reading: bool
    ) -> TextRegion:
        text, legibility, others = "", 0.0, list[Reading]()
        if needs_reading:
            (text, legibility), *others = self._recogniser.in_full(views, found)
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
