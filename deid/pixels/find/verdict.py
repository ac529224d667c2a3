"""Whether a candidate is text: by its shape, with what other witnesses say, or because it reads surely.

The witnesses are the trees that judge shapes, in frames a little wider and closer, too, other trees that know
what is mistaken for text, the sieve, another look, and the recogniser. Neither how sure the detection model is
nor a reading that may be one is enough. Each is asked only where its word may decide, and once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from deid.pixels.find.candidates import resized
from deid.pixels.find.judge import large_shape_of, shapes_of
from deid.pixels.find.reading import (
    MOST_DOUBTS,
    different_signs,
    doubts,
    ever_says_more,
    number_of_signs,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from deid.pixels.find.candidates import Candidate
    from deid.pixels.find.reading import Reading, Recogniser
    from deid.pixels.find.sieve import Sieve
    from deid.pixels.find.tuning import Tuning


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Whom to ask about the candidates of one frame, and the figures that weigh their words.

    Attributes
    ----------
    views
        Of the frame, 8 bits, shapes (rows, columns, 3).
    pixels
        How many the whole frame has, of which the views may show parts.
    sieve
        Without one nothing is told of letters, and all may be.
    is_seen_again
        Whether another look finds a candidate in a view, too, with more of what is around it.
    is_in_mosaic
        Whether the frame is one of sections in rows.
    """

    views: Sequence[NDArray[Any]]
    pixels: int
    tuning: Tuning
    recogniser: Recogniser
    sieve: Sieve | None
    is_seen_again: Callable[[NDArray[Any], Candidate], bool]
    is_in_mosaic: Callable[[], bool]

    def cases(self, candidates: Sequence[Candidate]) -> list[Case]:
        """Return a case for each candidate, with what the judge of shapes says."""
        shapes = shapes_of(self.views, candidates)
        judged = self.framed_anew(candidates, shapes)
        entries = zip(candidates, shapes, judged, strict=True)
        return [Case(self, found, shape, mean) for found, shape, mean in entries]

    def framed_anew(self, candidates: Sequence[Candidate], shapes: Sequence[float]) -> list[float]:
        """Return each candidate's score, of weighty ones the mean with those of wider and closer frames."""
        tuning = self.tuning
        weighty = [
            number
            for number, (found, shape) in enumerate(zip(candidates, shapes, strict=True))
            if not found.is_plain
            and self.share(found) > tuning.weighty
            # else its score decides nothing
            and (self.is_part(found) or shape >= tuning.text_to_all[0])
            and shape >= tuning.hopeless
        ]
        others = [
            replace(found, corners=resized(found.corners, by), shape=None)
            for found in (candidates[number] for number in weighty)
            for by in tuning.framings
        ]
        judged, scores = list(shapes), iter(shapes_of(self.views, others))
        for number in weighty:
            framed = [next(scores) for _ in tuning.framings]
            judged[number] = float(np.mean([shapes[number], *framed]))
        return judged

    def is_part(self, found: Candidate) -> bool:
        """Whether a candidate covers no more of the frame than what is text by its shape alone."""
        return found.area.area <= self.tuning.most_of_frame * self.pixels

    def share(self, found: Candidate) -> float:
        """Return the share of the frame that a candidate covers; a small frame is taken for a larger one."""
        return max(found.area.area, 1) / max(self.pixels, self.tuning.least_area)


class Case:
    """A candidate, and what is known of it so far.

    Parameters
    ----------
    shape
        Logarithm of the odds that its shape is that of text.
    judged
        The same; of what is weighty, the mean with those of wider and closer frames.
    """

    def __init__(self, witnesses: Witnesses, found: Candidate, shape: float, judged: float) -> None:
        self.found = found
        self.shape = shape
        self._judged = judged
        self._asked = witnesses
        self._tuning = witnesses.tuning
        self._views = found.shown_in(witnesses.views)

    def is_text(self) -> bool:
        """Whether it is text.

        What is written across a curve is what it seems to be without it only where it surely is.
        """
        if self.found.bare is not None and not self.is_surely_read():
            return False
        if self._may_be and self.found.is_plain:
            return True
        return self._seems_text() and (not self._asked.is_in_mosaic() or self._is_said())

    def _seems_text(self) -> bool:
        """Whether it is text where nothing is known of the frame."""
        may_be = self._may_be and (self._is_cheap or self._is_worth_its_share())
        if (may_be and self._needs_no_reading()) or self._is_text_to_all():
            return True
        if self.shape < self._tuning.hopeless:
            return self._reads_against_its_shape()
        if not may_be and self._hardly_reads():
            return False
        return (may_be and self._is_text_as_it_reads()) or self._reads_as_text_alone()

    def _is_said(self) -> bool:
        """Whether it reads as a few signs that differ, or the other witnesses are all very sure.

        Folds of a cortex have a text's shape, and differ from tile to tile.
        """
        judged, told, large = self._tuning.text_to_all
        text, legibility = self._readings[0]
        is_read = legibility >= self._tuning.fairly_sure
        if is_read and different_signs(text) >= self._tuning.least_signs:
            return True
        return self._judged >= judged and self._told >= told and self._large >= large

    def is_surely_read(self) -> bool:
        """Whether it reads as several signs, and in a small frame is judged by its share of that frame.

        So must a piece: what it is a piece of is no text.
        """
        if self._asked.pixels < self._tuning.least_area and self._judged < self._enough_of_all:
            return False
        _, legibility = self._readings[0]
        return legibility >= self._tuning.pieces.read and not doubts(self._readings)

    def may_continue(self) -> bool:
        """Whether it may, where it lies on a line of text, be more of that, and not what is shown beside it."""
        tuning = self._tuning
        if self._told < tuning.continued:
            return False
        is_slight = self._share <= tuning.slight
        return is_slight or self._lettering(tuning.continued) >= tuning.continued

    @cached_property
    def _share(self) -> float:
        return self._asked.share(self.found)

    @property
    def _is_cheap(self) -> bool:
        """Whether little is lost if it is no text."""
        return self._share <= self._tuning.costly

    @property
    def _is_small(self) -> bool:
        return self._share <= self._tuning.lettered_from

    @property
    def _is_weighty(self) -> bool:
        return self._share > self._tuning.weighty

    @property
    def _is_part(self) -> bool:
        return self._asked.is_part(self.found)

    @cached_property
    def _enough(self) -> float:
        """What it must score, and where it is close, with what the sieve tells of it."""
        tuning, judged = self._tuning, self._judged
        enough = tuning.enough(self.found.confidence, self._share)
        if 0 < enough - judged <= tuning.eased and self._told >= tuning.told_surely:
            return enough - tuning.eased
        is_faint = self._is_small and self.found.confidence < tuning.faint
        is_close = 0 <= judged - enough < tuning.doubted
        if is_faint and is_close and self._told < 0:
            return enough + tuning.doubted
        return enough

    @property
    def _enough_of_all(self) -> float:
        """What it must score for its share of the frame itself, however small that is."""
        share = max(self.found.area.area, 1) / self._asked.pixels
        return self._tuning.enough(self.found.confidence, share)

    @property
    def _crowded(self) -> float:
        """What it must score beyond that in a small frame.

        A word is no small share there, but what does not read as one may be half of what it shows.
        """
        granted = self._tuning.enough(self.found.confidence, self._share)
        return max(self._enough_of_all - granted, 0.0)

    @property
    def _may_be(self) -> bool:
        """Whether its score is that of text."""
        return self._is_part and self._judged >= self._enough

    @cached_property
    def _told(self) -> float:
        """The odds that the sieve tells of it; without one it tells nothing."""
        if self._asked.sieve is None:
            return 0.0
        return self._asked.sieve.odds_within(self._views[self.found.view], self.found.corners)

    @cached_property
    def _large(self) -> float:
        """The odds that it is text to the trees that know what is mistaken for it."""
        return large_shape_of(self._views, self.found, self._tuning.framings)

    @cached_property
    def _readings(self) -> list[Reading]:
        """What it reads as in several ways, the surest first."""
        return self._asked.recogniser.readings(self._views, self.found)

    @property
    def _lettered(self) -> float:
        """How much must speak for its letters where it covers much."""
        return self._tuning.unless_read if self._is_small else self._tuning.lettered

    @cached_property
    def _letters(self) -> float:
        """How much speaks for letters; without end where nobody need ask."""
        likely = self._may_be or self.shape >= self._tuning.likely
        if self._is_cheap or not likely:
            return math.inf
        return self._lettering(self._lettered)

    def _lettering(self, enough: float) -> float:
        """Return how much speaks for letters with what the sieve tells, without one infinity."""
        if self._asked.sieve is None:
            return math.inf
        tuning, confidence = self._tuning, self.found.confidence
        least = tuning.lettering(self._judged, tuning.told_least, confidence)
        if least >= enough:  # whatever the sieve says
            return least
        return tuning.lettering(self._judged, self._told, confidence)

    def _is_text_to_all(self) -> bool:
        """Whether the trees of both kinds and the sieve are so sure that neither size nor reading matters.

        A name in a script that nobody reads may cover half of a small frame.
        """
        judged, told, large = self._tuning.text_to_all
        return (
            not self._is_cheap
            and self._judged >= judged
            and self._told >= told
            and self._large >= large
        )

    def _is_worth_its_share(self) -> bool:
        """Whether what covers much is no device, and beyond doubt or found again by another look."""
        if not self._is_no_device():
            return False
        if self._judged >= self._tuning.beyond_doubt:
            return True
        return self._asked.is_seen_again(self._views[self.found.view], self.found)

    def _is_no_device(self) -> bool:
        """Whether it is text to the trees that know devices, with the sieve's word."""
        tuning = self._tuning
        enough = tuning.enough_of_large(self._share)
        least = tuning.told_of_large * tuning.told_least
        if self._large + least >= enough:  # whatever the sieve says
            return True
        told = min(max(self._told, tuning.told_least), tuning.told_surest)
        return self._large + tuning.told_of_large * told >= enough

    def _needs_no_reading(self) -> bool:
        """Whether it is text even if it reads as nothing."""
        doubt = self._doubted(MOST_DOUBTS) if self._is_weighty else 0.0
        enough = self._enough + doubt + self._crowded
        return self._judged >= enough and self._letters >= self._lettered

    def _doubted(self, number: int) -> float:
        """Return how much more it must score for so many doubts, and if the sieve does not tell of it."""
        tuning = self._tuning
        doubted = tuning.alone * number
        beyond_enough = self._judged - self._enough
        may_decide = doubted <= beyond_enough < tuning.untold * doubted
        if self._asked.sieve is None or not may_decide:
            return doubted
        return doubted if self._told >= tuning.told_of_doubtful else tuning.untold * doubted

    def _is_text_as_it_reads(self) -> bool:
        """Whether it is text by its shape for what it reads as."""
        tuning = self._tuning
        text, legibility = self._readings[0]
        number = doubts(self._readings)
        says_more = number < MOST_DOUBTS and ever_says_more(self._readings)
        doubt = tuning.alone * number if says_more else self._doubted(number)
        if doubt or legibility < tuning.fairly_sure:
            doubt += self._crowded
        if self._judged < self._enough + doubt:
            return False
        if self._letters >= self._lettered:
            return True
        is_sure = self._letters >= tuning.unless_read or legibility >= tuning.fairly_sure
        return is_sure and different_signs(text) >= tuning.least_signs

    def _reads_as_text_alone(self) -> bool:
        """Whether it reads so surely that it is text although its shape is not quite that of text."""
        tuning = self._tuning
        text, legibility = self._readings[0]
        is_close = self.shape >= self._enough - tuning.short_of
        least = tuning.least_signs if is_close else tuning.many_signs
        is_sure_pair = self._is_small and legibility >= tuning.sure_pair
        likely = tuning.likely - (tuning.short_of_pair if is_sure_pair else 0.0)
        if self._is_part and self.shape >= likely and self._letters >= self._lettered:
            least = min(least, tuning.pair)
        return self._reads_surely(text, legibility, least) and self._may_be_a_few(text)

    def _may_be_a_few(self, text: str) -> bool:
        """Whether a reading of no more than a few signs may be one: its shape or the sieve tells of text.

        Cells and smears read surely as "80" and "100".
        """
        tuning = self._tuning
        if self._asked.sieve is None or not self._is_weighty or self._may_be:
            return True
        return number_of_signs(text) > tuning.least_signs or self._told >= tuning.told_of_read

    def _reads_against_its_shape(self) -> bool:
        """Whether what has no text's shape reads as a long one where sieve and model are sure: on stripes."""
        tuning = self._tuning
        if self.found.confidence < tuning.certain_of_ill_shaped:
            return False
        if self._asked.sieve is None or self._told < tuning.told_of_ill_shaped:
            return False
        return self._reads_surely(*self._readings[0], tuning.many_signs)

    def _hardly_reads(self) -> bool:
        """Whether the sieve tells of hardly any letters, and a first reading says as little."""
        tuning = self._tuning
        if self._asked.sieve is None or self._told >= tuning.told_of_read:
            return False
        return self._asked.recogniser.first(self._views, self.found)[1] < tuning.first_read

    def _reads_surely(self, text: str, legibility: float, least: int) -> bool:
        """Whether a reading alone makes text of it: so many signs, of which some differ."""
        tuning = self._tuning
        signs = [sign for sign in text.upper() if sign.isalnum()]
        if len(signs) >= max(least, tuning.long) and len(set(signs)) >= tuning.different:
            return legibility >= tuning.fairly_sure
        return (
            legibility >= tuning.sure
            and len(signs) >= least
            and len(set(signs)) >= max(min(max(least - 1, 2), 4), len(signs) / 3)
        )
