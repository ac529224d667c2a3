"""The patient's own identifiers, found in text however they are written.

Names in any order and case, with or without diacritics, as initials beside another part, joined, inflected
or slightly misspelt; ideographic and phonetic groups (PS3.5 6.2.1.2) as characters; numbers with other
separators or leading zeros; dates as digits in any order (written-out dates are found as patterns).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rapidfuzz.distance import OSA

from deid.identity import forms
from deid.identity.disguises import Disguises
from deid.identity.signs import Signs
from deid.text import dates
from deid.text.findings import KNOWN, PATTERN, Finding
from deid.text.folding import fold, spellings, words
from deid.text.parts import (
    CASE_ENDINGS,
    CENTURY,
    GLUE,
    MISREAD,
    MIXED,
    MOST_APART,
    WIDE,
    WORD,
    Parts,
)
from deid.text.vocabulary import clinical_words, common_words, is_own_clinical, is_recognised

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deid.identity.identifiers import KnownIdentifier

_DATES: Final = frozenset({"DATE", "DATE_OF_BIRTH"})
_ADDRESSED: Final = words("dr prof mr mrs ms miss herr hr frau mme mlle m sr sra srta dra dott")
_PARTICLES: Final = words(
    "van von der den de del della di da dos du la le el al bin ibn ter t st mc mac o d"
)


def _is_near(text: str, tokens: list[re.Match[str]], index: int) -> bool:
    """Whether nothing but a space, a point or an apostrophe stands before a token."""
    return text[tokens[index - 1].end() : tokens[index].start()] in (
        " ",
        ". ",
        ".",
        ", ",
        " '",
        "'",
        " \u2019",
    )


@dataclass(slots=True)
class KnownText:
    """The known identifiers of one patient, ready to be searched for.

    Attributes
    ----------
    words
        Folded word to infoType: parts of names, telling words of institutions and addresses.
    starts
        How the parts of names begin: one letter and two.
    initials
        First letters of name parts.
    memory
        Results by whatever a cleaner likes; lives as long as this.
    """

    words: dict[str, str] = field(default_factory=dict)
    starts: frozenset[str] = frozenset()
    initials: frozenset[str] = frozenset()
    joined: frozenset[str] = frozenset()
    wide: dict[str, str] = field(default_factory=dict)
    codes: tuple[tuple[re.Pattern[str], str], ...] = ()
    born: frozenset[tuple[int, int, int]] = frozenset()
    days: frozenset[tuple[int, int, int]] = frozenset()
    disguises: Disguises = field(default_factory=Disguises)
    signs: Signs = field(default_factory=lambda: Signs(()))
    memory: dict[object, object] = field(default_factory=dict, repr=False)

    def find(self, text: str) -> list[Finding]:
        """Return where they stand."""
        found = list(self._words_in(text))
        for wide, info_type in self.wide.items():
            found += [
                Finding(m.start(), m.end(), info_type, KNOWN)
                for m in re.finditer(re.escape(wide), text)
            ]
        for pattern, info_type in self.codes:
            found += [Finding(*m.span(), info_type, KNOWN) for m in pattern.finditer(text)]
        return [*found, *self._in_disguise(text)]

    def _in_disguise(self, text: str) -> Iterator[Finding]:
        """Yield what is written so that only a reader finds it; days in usual spellings move as such."""
        if not self.disguises or not self.signs.may_stand_in(text.encode("utf-8", "replace")):
            return
        traces = self.disguises.find(text)
        days: list[dates.FoundDate] | None = None
        for start, stop, kind in traces:
            if kind not in _DATES:
                yield Finding(start, stop, kind, KNOWN)
                continue
            if days is None:
                days = dates.find(text)
            if not any(each.start < stop and start < each.stop for each in days):
                yield Finding(start, stop, kind, PATTERN)

    def is_birth(self, day: dates.FoundDate) -> bool:
        """Whether a found date is the patient's date of birth, day and month either way round."""
        return any(
            (year, day.month, day.day) in self.born
            or (day.ambiguous and (year, day.day, day.month) in self.born)
            for year in (day.year, day.year - CENTURY)
        )

    def day_first(self, text: str) -> bool | None:
        """Return how ambiguous dates of a text are meant, if one of them is a known day only one way."""
        for each in dates.find(text, day_first=True):
            if each.ambiguous:
                forwards = (each.year, each.month, each.day) in self.days
                backwards = (each.year, each.day, each.month) in self.days
                if forwards != backwards:
                    return forwards
        return None

    def _words_in(self, text: str) -> Iterator[Finding]:
        if not self.words:
            return
        tokens = list(WORD.finditer(text))
        kinds = [self._kind(token[0]) for token in tokens]
        is_capitals = text.upper() == text
        for index, token in enumerate(tokens):
            kind, is_sure = kinds[index]
            if not (kind and is_sure) and (last := self._split(tokens, index, text)):
                yield Finding(token.start(), tokens[last].end(), "PERSON_NAME", KNOWN)
            if not kind:
                continue
            if not is_sure and not self._is_meant(tokens, kinds, index, text, is_capitals):
                continue
            start, stop = token.span()
            if kind == "PERSON_NAME":
                start, stop = self._with_initials(text, tokens, index)
            yield Finding(start, stop, kind, KNOWN)
        yield from self._initials_alone(text)
        yield from self._with_digits(text)

    def _split(self, tokens: list[re.Match[str]], index: int, text: str) -> int:
        """Return the last of up to four words that are one part of a name, written apart; 0 if there is none.

        ``Ou Yang``, ``O Hanrahan``, ``Van den Berghe``.
        """
        together = fold(tokens[index][0])
        if together[:2] not in self.starts:
            return 0
        for last in range(index + 1, min(index + MOST_APART, len(tokens))):
            if text[tokens[last - 1].end() : tokens[last].start()] not in GLUE:
                return 0
            together += fold(tokens[last][0])
            if len(together) > 4 and self.words.get(together) == "PERSON_NAME":
                return last
        return 0

    def _kind(self, token: str) -> tuple[str, bool]:
        """Return the infoType of a known word, and whether it can be nothing else."""
        if len(token) == 1 and not WIDE.match(token):
            return "", False
        plain = token.removesuffix("'s").removesuffix("\u2019s")
        for folded in spellings(plain):
            kind = self.words.get(folded)
            if kind:
                return kind, not (folded in clinical_words() or folded in common_words())
        folded = fold(plain)
        if folded in self.joined:
            return "PERSON_NAME", True
        if len(folded) > 4 and (backwards := self.words.get(folded[::-1])):
            return backwards, True
        if is_recognised(plain):
            return "", False
        return self._nearly(folded), True

    def _nearly(self, folded: str) -> str:
        """Return the infoType of the known word that a word is a misspelling or an inflection of."""
        size = len(folded)
        if size < 4:
            return ""
        for word, kind in self.words.items():
            length = len(word)
            if length < 4:
                continue
            if length >= 4 and size > length and folded.startswith(word) and size - length <= 3:
                return kind
            if length >= 5 and size > length + 2 and word in folded:
                return kind
            stem = word if word.isascii() else word.rstrip(CASE_ENDINGS)
            if 4 <= len(stem) < length and folded.startswith(stem) and size - len(stem) <= 3:
                return kind
            if abs(size - length) > 2 or length < 5:
                continue
            allowed = 1 if length < 8 else 2
            if OSA.distance(word, folded, score_cutoff=allowed) <= allowed:
                return kind
        return ""

    def _is_meant(
        self,
        tokens: list[re.Match[str]],
        kinds: list[tuple[str, bool]],
        index: int,
        text: str,
        is_capitals: bool,
    ) -> bool:
        """Whether a word that is also an everyday one stands for the person: Long, Brown, Rose."""
        for other in (index - 1, index + 1):
            if 0 <= other < len(tokens):
                gap = text[min(tokens[other].end(), tokens[index].end()) : max(
                    tokens[other].start(), tokens[index].start()
                )]  # fmt: skip
                if len(gap) <= 3 and (kinds[other][0] or tokens[other][0].lower() in _ADDRESSED):
                    return True
        word = tokens[index][0]
        if is_capitals or not word[0].isupper():
            return False
        return word[1:].islower() or not is_own_clinical(word)

    def _with_initials(self, text: str, tokens: list[re.Match[str]], index: int) -> tuple[int, int]:
        """Return the span of a name with single letters beside it: ``J. Smith``, ``SMITH, J``."""
        start, stop = tokens[index].span()
        first = index
        # Particles between the initial and the name go with it: A. Le Guennec, P. van 't Hoff.
        while first and fold(tokens[first - 1][0]) in _PARTICLES and _is_near(text, tokens, first):
            first -= 1
        if first and len(tokens[first - 1][0]) == 1 and _is_near(text, tokens, first):
            first -= 1
        start = tokens[first].start()
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        if (
            following is not None
            and len(following[0]) == 1
            and following[0].isupper()
            and text[stop : following.start()] in (" ", ", ", ",")
            and following[0].lower() in self.initials
        ):
            stop = following.end() + (text[following.end() : following.end() + 1] == ".")
        return start, stop

    def _with_digits(self, text: str) -> Iterator[Finding]:
        """Yield known words in which digits stand for letters, as misread or mistyped: ``SI0BHAN``."""
        for match in MIXED.finditer(text):
            if len(match[0]) < 5:
                continue
            for digits in MISREAD:
                read = fold(match[0].translate(digits))
                if read in self.words or read in self.joined:
                    yield Finding(*match.span(), self.words.get(read, "PERSON_NAME"), KNOWN)
                    break

    def _initials_alone(self, text: str) -> Iterator[Finding]:
        """Yield dotted initials of the patient: ``J.S.``, ``J. S.``."""
        for match in re.finditer(r"(?<![^\W_])([^\W\d_])\.\s?([^\W\d_])\.", text):
            if match[1].isupper() and {fold(match[1]), fold(match[2])} <= self.initials:
                yield Finding(*match.span(), "PERSON_NAME", KNOWN)


def prepare(known: Iterable[KnownIdentifier]) -> KnownText:
    """Return known identifiers ready to be searched for."""
    known = tuple(known)
    pairs = [(each.value, each.info_type) for each in known]
    result = KnownText(disguises=forms.prepare(pairs), signs=Signs(pairs))
    parts = Parts()
    for value, info_type in pairs:
        parts.add(value, info_type)
    result.words, result.wide = parts.words, parts.wide
    names = [word for word, kind in parts.words.items() if kind == "PERSON_NAME"]
    result.starts = frozenset(word[:length] for word in names for length in (1, 2))
    result.initials = frozenset(parts.initials)
    result.joined = frozenset(parts.joined)
    result.born = frozenset(parts.born)
    result.days = frozenset(parts.days)
    result.codes = _compiled(parts.codes)
    return result


def _compiled(codes: dict[str, str]) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return one pattern for each infoType."""
    by_kind: dict[str, list[str]] = {}
    for pattern, kind in codes.items():
        by_kind.setdefault(kind, []).append(pattern)
    return tuple(
        (re.compile(rf"(?<![^\W_])(?:{'|'.join(patterns)})(?![^\W_])", re.IGNORECASE), kind)
        for kind, patterns in by_kind.items()
    )
