"""Reading text: strips cut from a picture as they lie, and PP-OCR's recogniser (CTC over 48 rows)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from rapidfuzz.distance import OSA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from deid.pixels.find.candidates import Candidate
    from deid.pixels.ports import Model

#: A strip read with less is looked at in other ways, too; with still less upside down as well.
_SURE_READING = 0.98
_UPSIDE_DOWN_BELOW = 0.95
#: How much wider a strip is cut, along and across, in shares of its height.
_EXACT, _LOOSER, _LOOSEST, _CLOSER = (0.0, 0.0), (0.2, 0.1), (0.4, 0.15), (-0.1, -0.05)

#: Quarters by which what stands on its head is turned, and what stands on its side.
_UPSIDE_DOWN, _STANDING = 2, (1, 3)
#: A strip that is so many times as high as long shows a text that stands; one of a few signs perhaps is.
_TALL, _PERHAPS_TALL = 1.5, 1.1

#: A pair of signs that is read with less is a guess. So many times the same one are a row of parts.
_PAIR, _GUESSED, _A_ROW = 2, 0.6, 3
#: From which certainty on a reading says what stands there.
WELL_READ = 0.9
#: Ink so near a cut's end, in heights, is of a sign that was cut off; how far a cut is moved out at most,
#: what parts that sign from the next, and what is left around it.
_NEAR_END, _MOST_MOVED, _GAP, _ROOM = 0.35, 1.0, 0.25, 0.1
#: Signs of what is known again though one was cut through.
_FEWEST_CUT = 4
#: From which certainty on a reading is nearly that of what stands there; how many signs are other ones then; of
#: how many signs at most a text is that must be read more surely.
_NEARLY_READ, _MISREAD, _SHORT = 0.8, 1, 4
#: Of a strip, what is less bright than this share of its brightest columns and rows is no ink of a text.
_BRIGHTEST, _NO_INK = 97, 0.6
#: Of what reads as nothing at all, `doubts`.
MOST_DOUBTS = 2

#: What a strip reads, and how sure the reading is, 0 to 1.
Reading = tuple[str, float]


class Recogniser:
    """Reads candidates.

    Parameters
    ----------
    model
        From strips (1, 3, 48, columns), -1 to 1, to (1, steps, characters): how likely each is.
    alphabet
        The characters in the model's order, without its blank and the space.
    is_doubtful
        Whether a text is worth another reading, however sure the model is of it.
    is_perhaps_cut
        Whether a text may have lost a sign, so that what goes on beyond its ends is worth a reading.
    is_perhaps_misspelt, may_stay
        Whether a text that is read surely may have a sign for another; whether one tells of nobody.
    """

    def __init__(
        self,
        model: Model,
        alphabet: Sequence[str],
        *,
        is_doubtful: Callable[[str], bool] = lambda _: False,
        is_perhaps_cut: Callable[[str], bool] = lambda _: False,
        is_perhaps_misspelt: Callable[[str], bool] = lambda _: False,
        may_stay: Callable[[str], bool] | None = None,
    ) -> None:
        self._model = model
        self._alphabet = ["", *alphabet, " "]
        self._is_doubtful = is_doubtful
        self._is_perhaps_cut = is_perhaps_cut
        self._is_perhaps_misspelt = is_perhaps_misspelt
        self._may_stay = may_stay

    def readings(self, views: Sequence[NDArray[Any]], candidate: Candidate) -> list[Reading]:
        """Return what a candidate reads, the surest reading first; more of them when none is sure."""
        return self._readings(views, candidate)[0]

    def in_full(self, views: Sequence[NDArray[Any]], candidate: Candidate) -> list[Reading]:
        """Return what a text reads, as `readings` does, and as a whole where it was read in part.

        What seems to stand on its head, and is not read well so, does not where another strip of it reads
        surely as it lies. What is higher than long stands where it reads surely so, and not as it lies. What
        reads well, but as words that perhaps lost a sign, is read with what goes on beyond its ends. What is
        nearly read, but for a sign or without certainty, is read once more with less beside its letters.
        """
        readings, turn = self._readings(views, candidate)
        text, legibility = readings[0]
        own, corners = views[candidate.view], candidate.corners
        others = [] if legibility >= WELL_READ else self._standing(strip_of(own, corners))
        if not others and turn == _UPSIDE_DOWN and legibility < WELL_READ:
            strips = self._other_strips(views, own, corners)
            others = [
                (other, sure)
                for other, sure in (self._turned(strip, 0) for strip in strips)
                if sure >= _UPSIDE_DOWN_BELOW and _says_as_much(other, text)
            ]
        elif legibility >= WELL_READ and all(
            self._is_perhaps_cut(read) for read, sure in readings if sure >= WELL_READ
        ):
            moved = _with_ends_moved(own, corners)
            if moved is not None:
                longer = self._turned(strip_of(own, moved), turn)
                # What reads otherwise is no more to be trusted, unless it will go as well.
                if _holds(longer[0], text) or self._is_perhaps_cut(longer[0]):
                    others = [longer]
        readings = sorted([*readings, *others], key=lambda reading: -reading[1])
        may_stay = self._may_stay
        if may_stay is not None and self._is_nearly_read(readings, may_stay):
            strip = strip_of(own, _loosened(corners, _CLOSER))
            alone = self._alone(strip, turn, readings, may_stay)
            readings = sorted([*readings, *alone], key=lambda reading: -reading[1])
        return readings

    def _standing(self, strip: NDArray[Any]) -> list[Reading]:
        """Return what a strip that stands perhaps reads surely so; then it does not lie."""
        if not _stands_perhaps(strip):
            return []
        return [
            (text, sure)
            for text, sure in (self._turned(strip, quarters) for quarters in _STANDING)
            if sure >= _SURE_READING and number_of_signs(text) >= _PAIR
        ]

    def _is_nearly_read(self, readings: Sequence[Reading], may_stay: Callable[[str], bool]) -> bool:
        """Whether a text reads nearly, surely as nothing that may stay, and as nobody."""
        return readings[0][1] >= _NEARLY_READ and all(
            self._is_perhaps_misspelt(text)
            if legibility >= WELL_READ
            else may_stay(text) or self._is_perhaps_cut(text)
            for text, legibility in readings
            if legibility >= _NEARLY_READ
        )

    def _alone(
        self,
        strip: NDArray[Any],
        turn: int,
        readings: Sequence[Reading],
        may_stay: Callable[[str], bool],
    ) -> Iterator[Reading]:
        """Yield what a close cut reads, softened or without what is no ink, more surely than any other.

        One sign more, less or other than before, and no digit for a letter: else it is another text.
        """
        known = [_signs_of(text) for text, sure in readings if sure >= _NEARLY_READ]
        for other in (strip, _softened(strip), _ink_of(strip)):
            text, legibility = self._turned(other, turn)
            signs = _signs_of(text)
            least = WELL_READ if len(signs) > _SHORT else _UPSIDE_DOWN_BELOW
            if (
                legibility >= max(least, readings[0][1])
                and len(signs) >= _PAIR
                and may_stay(text)
                and any(_is_same_but_for_a_sign(signs, one) for one in known)
            ):
                yield text, legibility
                return

    def _readings(
        self, views: Sequence[NDArray[Any]], candidate: Candidate
    ) -> tuple[list[Reading], int]:
        """Return the readings, the surest first, and by how many quarters the text is turned."""
        own, corners = views[candidate.view], candidate.corners
        strip = strip_of(own, corners)
        is_tall = _is_tall(strip)
        turns = {turn: self._turned(strip, turn) for turn in (_STANDING if is_tall else (0,))}
        if not is_tall and turns[0][1] < _UPSIDE_DOWN_BELOW:
            turns[_UPSIDE_DOWN] = self._turned(strip, _UPSIDE_DOWN)
        turn = max(turns, key=lambda number: turns[number][1])
        readings = list(turns.values())
        text, legibility = turns[turn]
        if legibility < _SURE_READING:
            # Perhaps another view shows it better, or the region was cut too close.
            again = self._other_strips(views, own, corners)
            readings += [self._turned(other, turn) for other in again]
        elif self._is_doubtful(text):
            readings += self._until_expected(views, candidate, strip, turn)
        return sorted(readings, key=lambda reading: -reading[1]), turn

    def first(self, views: Sequence[NDArray[Any]], candidate: Candidate) -> Reading:
        """Return what a candidate reads as it lies, the surer of both ways for what is higher than long."""
        strip = strip_of(views[candidate.view], candidate.corners)
        turns = _STANDING if _is_tall(strip) else (0,)
        return max((self._turned(strip, turn) for turn in turns), key=lambda reading: reading[1])

    def places(
        self, views: Sequence[NDArray[Any]], candidate: Candidate
    ) -> list[tuple[str, float]]:
        """Return the signs of a text as it lies, and where each stands, as a share of its length."""
        given, width = _given(strip_of(views[candidate.view], candidate.corners))
        steps = self._model(given)[0]
        long = given.shape[3] / (len(steps) * width)
        best = steps.argmax(axis=1)
        return [(self._alphabet[best[step]], (int(step) + 0.5) * long) for step in _picked(best)]

    def may_stay(self, text: str) -> bool:
        """Whether a text tells of nobody."""
        return self._may_stay is not None and self._may_stay(text)

    def _other_strips(
        self, views: Sequence[NDArray[Any]], own: NDArray[Any], corners: NDArray[Any]
    ) -> list[NDArray[Any]]:
        """Return strips of what may show a text better: the other view, and a cut that is less close."""
        again = [strip_of(view, corners) for view in views if view is not own]
        again.append(strip_of(own, _loosened(corners, _LOOSER)))
        return _different(again, from_=strip_of(own, corners))

    def _until_expected(
        self, views: Sequence[NDArray[Any]], candidate: Candidate, strip: NDArray[Any], turn: int
    ) -> Iterator[Reading]:
        """Yield readings of other views and cuts, up to one that is not doubtful."""
        others = [view for view in views if view is not views[candidate.view]]
        cuts = [(view, _EXACT) for view in others]
        cuts += [(views[candidate.view], cut) for cut in (_LOOSER, _LOOSEST, _CLOSER)]
        again = [strip_of(view, _loosened(candidate.corners, by)) for view, by in cuts]
        for other in _different(again, from_=strip):
            reading = self._turned(other, turn)
            yield reading
            if not self._is_doubtful(reading[0]):
                return

    def _turned(self, strip: NDArray[Any], turn: int) -> tuple[str, float]:
        """Read a strip turned by so many quarters counter-clockwise."""
        return self._recognise(np.ascontiguousarray(np.rot90(strip, turn)))

    def _recognise(self, strip: NDArray[Any]) -> tuple[str, float]:
        given, _ = _given(strip)
        return _decoded_text(self._model(given)[0], self._alphabet)


def _given(strip: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Return what the model is given for a strip, and how many columns of it show the strip."""
    rows, columns = strip.shape[:2]
    width = int(min(max(round(48 * columns / max(rows, 1)), 16), 1600))
    padded = -(-width // 8) * 8
    resized = cv2.resize(strip, (width, 48), interpolation=cv2.INTER_LINEAR)
    given = np.zeros((1, 3, 48, padded), np.float32)
    given[0, :, :, :width] = (resized.astype(np.float32) / 127.5 - 1.0).transpose(2, 0, 1)
    return given, width


def _decoded_text(steps: NDArray[Any], alphabet: Sequence[str]) -> tuple[str, float]:
    """Return the best CTC path's text and the mean probability of its characters."""
    best = steps.argmax(axis=1)
    picked = _picked(best)
    if not len(picked):
        return "", 0.0
    return "".join(alphabet[best[step]] for step in picked), float(steps.max(axis=1)[picked].mean())


def _picked(best: NDArray[Any]) -> NDArray[Any]:
    """Return the steps at which a CTC path's characters begin."""
    is_new = np.append(True, best[1:] != best[:-1])
    return np.flatnonzero((best > 0) & is_new)


def _softened(strip: NDArray[Any]) -> NDArray[Any]:
    """Return a strip with its single pixels blurred, as letters of a coarse grid have corners of their own."""
    return cv2.GaussianBlur(strip, (3, 3), 0.8)


def _ink_of(strip: NDArray[Any]) -> NDArray[Any]:
    """Return a strip enlarged, with what is darker than ink at one level: a trace, an organ's edge."""
    grey = cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY)
    bright = float(np.percentile(grey, _BRIGHTEST))
    large = cv2.resize(grey, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    dim = _NO_INK * bright
    ink = np.clip((large - dim) / max(bright - dim, 1) * 255, 0, 255)
    return in_colour(ink.astype(np.uint8))


def _is_tall(strip: NDArray[Any]) -> bool:
    return bool(strip.shape[0] >= _TALL * strip.shape[1])


def _stands_perhaps(strip: NDArray[Any]) -> bool:
    """Whether a strip is looked at as it lies, but higher than long, as two or three signs that stand are."""
    return not _is_tall(strip) and bool(strip.shape[0] >= _PERHAPS_TALL * strip.shape[1])


def _loosened(corners: NDArray[Any], by: tuple[float, float]) -> NDArray[Any]:
    """Return corners farther out by these shares of the short side, along and across."""
    along, down = corners[1] - corners[0], corners[3] - corners[0]
    width, height = max(float(np.linalg.norm(along)), 1.0), max(float(np.linalg.norm(down)), 1.0)
    short = min(width, height)
    far, near = by if width >= height else by[::-1]
    along, down = along / width * short * far, down / height * short * near
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return corners + np.array([a * along + b * down for a, b in signs], np.float32)


def _with_ends_moved(view: NDArray[Any], corners: NDArray[Any]) -> NDArray[Any] | None:
    """Return corners around a sign, too, that goes on beyond an end of a line or begins close to it.

    None where nothing is near either end.
    """
    along, down = corners[1] - corners[0], corners[3] - corners[0]
    width, height = max(float(np.linalg.norm(along)), 1.0), max(float(np.linalg.norm(down)), 1.0)
    is_long = width >= height
    step = along / width if is_long else down / height
    high = max(round(min(width, height)), 4)
    most = max(round(_MOST_MOVED * high), 1)
    strip = strip_of(view, _moved(corners, step, (most, most), is_long=is_long))
    grey = cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY)
    rows = grey if is_long else grey.T
    core = np.ascontiguousarray(rows[:, most:-most])
    level, _ = cv2.threshold(core, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    bright = rows > level
    is_ink = bright if 2 * np.count_nonzero(core > level) <= core.size else ~bright
    columns: NDArray[np.bool_] = np.asarray(is_ink.any(axis=0))
    outward = (columns[:most][::-1], columns[-most:])
    moves = tuple(_reach(side, high) for side in outward)
    return _moved(corners, step, moves, is_long=is_long) if any(moves) else None


def _reach(inked: NDArray[np.bool_], high: int) -> float:
    """Return how far ink goes that begins near, of columns from an end outward."""
    at = np.flatnonzero(inked)
    if not len(at) or at[0] > _NEAR_END * high:
        return 0.0
    gaps = np.flatnonzero(np.diff(at) > _GAP * high)
    last = at[gaps[0]] if len(gaps) else at[-1]
    return min(float(last) + 1 + _ROOM * high, float(len(inked)))


def _moved(
    corners: NDArray[Any], step: NDArray[Any], by: tuple[float, ...], *, is_long: bool
) -> NDArray[Any]:
    """Return corners whose ends lie so many pixels farther out along a line, at its begin and its end."""
    first, last = -step * by[0], step * by[1]
    return np.array(
        corners + np.array((first, last, last, first) if is_long else (first, first, last, last)),
        np.float32,
    )


def strip_of(view: NDArray[Any], corners: NDArray[Any]) -> NDArray[Any]:
    """Return the rotated rectangle, straightened."""
    width = max(round(float(np.linalg.norm(corners[1] - corners[0]))), 4)
    height = max(round(float(np.linalg.norm(corners[3] - corners[0]))), 4)
    target = np.array(((0, 0), (width, 0), (width, height), (0, height)), np.float32)
    matrix = cv2.getPerspectiveTransform(corners, target)
    strip = cv2.warpPerspective(
        view, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return in_colour(strip)


def in_colour(part: NDArray[Any]) -> NDArray[Any]:
    """Return a part of a view, grey or RGB, as RGB."""
    return cv2.cvtColor(part, cv2.COLOR_GRAY2RGB) if part.ndim == 2 else part


def _different(strips: Sequence[NDArray[Any]], *, from_: NDArray[Any]) -> list[NDArray[Any]]:
    """Return each strip once, as views in which dots are joined differ from the others there only."""
    different = [from_]
    for strip in strips:
        if not any(np.array_equal(strip, other) for other in different):
            different.append(strip)
    return different[1:]


def has_too_few_letters(text: str, corners: NDArray[Any]) -> bool:
    """Whether the recogniser left out most of the strip, as with scripts that it does not know."""
    across = float(np.linalg.norm(corners[1] - corners[0]))
    down = float(np.linalg.norm(corners[3] - corners[0]))
    length, height = max(across, down), max(min(across, down), 1.0)
    letters = sum(character.isalnum() for character in text)
    return letters * 1.5 * height < length - height


def doubts(readings: Sequence[Reading]) -> int:
    """Return how much readings speak against text: 0 not at all, 1 for one sign, 2 for nothing.

    Organs read as one letter, rows of parts as one again and again, coils as nothing. A pair may be a word,
    unless it is a guess, and letters that the recogniser does not know it takes for a space, not for nothing.
    One sign three times and more is as good as nothing, however sure. So is what is not read well and has a
    few signs over and over, whichever way it is looked at: letters of a script that the recogniser does not
    know read as something else each time.

    Parameters
    ----------
    readings
        Of one candidate, the surest first.
    """
    text, legibility = readings[0]
    if not text:
        return MOST_DOUBTS
    signs = _signs_of(text)
    is_one = len(set(signs)) == 1
    if is_one and len(signs) >= _A_ROW:
        return MOST_DOUBTS
    if legibility < WELL_READ and _has_few_over_and_over(text):
        return MOST_DOUBTS if all(_says_little(other) for other, _ in readings) else 1
    if len(signs) == _PAIR:
        return int(legibility < _GUESSED)
    return int(is_one)


def ever_says_more(readings: Sequence[Reading]) -> bool:
    """Whether any of the readings has more than one sign, or more than a few over and over."""
    return not all(_says_little(text) for text, _ in readings)


def _says_little(text: str) -> bool:
    """Whether a text has no more than one sign, or a few over and over."""
    return len(_signs_of(text)) <= 1 or _has_few_over_and_over(text)


def _has_few_over_and_over(text: str) -> bool:
    """Whether a text has each of its signs twice on average."""
    signs = _signs_of(text)
    return 0 < 2 * len(set(signs)) <= len(signs)


def _says_as_much(text: str, other: str) -> bool:
    """Whether a text has as many signs as another at least, and letters: digits are read of any figures."""
    letters = sum(map(str.isalpha, text))
    return letters >= _PAIR and len(_signs_of(text)) >= len(_signs_of(other))


def _holds(text: str, part: str) -> bool:
    """Whether a text has the signs of a part of it, whose first and last may have been cut through."""
    signs, those = "".join(_signs_of(text)), "".join(_signs_of(part))
    return len(signs) > len(those) and (
        those in signs
        or (len(those) >= _FEWEST_CUT and (those[1:] in signs or those[:-1] in signs))
    )


def _is_same_but_for_a_sign(signs: Sequence[str], others: Sequence[str]) -> bool:
    """Whether signs are others but for one, and have as many letters at least."""
    letters, those = (sum(map(str.isalpha, one)) for one in (signs, others))
    return letters >= those and OSA.distance(signs, others, score_cutoff=_MISREAD) <= _MISREAD


def _signs_of(text: str) -> list[str]:
    """Return the letters and digits of a text, small as large ones."""
    return [sign for sign in text.upper() if sign.isalnum()]


def different_signs(text: str) -> int:
    """Return how many different letters and digits a reading has, small or large."""
    return len(set(_signs_of(text)))


def number_of_signs(text: str) -> int:
    """Return how many letters and digits a reading has."""
    return len(_signs_of(text))
