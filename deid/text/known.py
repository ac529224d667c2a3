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
from deid.text.folding import LETTERS, fold, spellings, words
from deid.text.vocabulary import clinical_words, common_words, is_own_clinical, is_recognised

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from deid.identity.identifiers import KnownIdentifier

WORD: Final = re.compile(rf"{LETTERS}(?:['\u2019]{LETTERS})*")
_NAMES: Final = frozenset({"PERSON_NAME"})
_PHRASES: Final = frozenset({"LOCATION", "ORGANIZATION_NAME", "STREET_ADDRESS"})
_DATES: Final = frozenset({"DATE", "DATE_OF_BIRTH"})
_TITLES: Final = words(
    """
    dr prof mr mrs ms miss md phd herr frau mme mlle sr sra ing dipl med von van der den de del la
    le el al bin ibn da dos di du st san santa jr sr ii iii iv mc mac the and of und et y
    """
)
_ADDRESSED: Final = words("dr prof mr mrs ms miss herr hr frau mme mlle m sr sra srta dra dott")
_CASE_ENDINGS: Final = "аяоеийыьуюόοςαη"
_HARMLESS: Final = words(
    """
    anonymous anonymized anonymised unknown none null test patient name removed unbekannt
    """
)
_WIDE: Final = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\u3040-\u30ff]")
_FEWEST_DIGITS: Final = 3
_SEPARATORS: Final = r"[\s._/:#-]{0,2}"
_GLUE: Final = (" ", "-", "'", ". ")
_MAX_PARTS: Final = 60
_CENTURY: Final = 100
"""A year of two digits may be of this century or of the last."""
_PARTICLES: Final = words(
    "van von der den de del della di da dos du la le el al bin ibn ter t st mc mac o d"
)
# Words with a digit between or before letters, and the letters that digits are mistaken for.
_MIXED: Final = re.compile(
    r"(?<![^\W_])(?=[^\W_]{0,40}\d)(?=\d{0,2}[^\W\d_])[^\W_]{2,40}(?:['\u2019][^\W_]{1,40})?(?![^\W_])"
)
_MISREAD: Final = (str.maketrans("0134578", "oleastb"), str.maketrans("01345689", "oieasgbg"))


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
            for year in (day.year, day.year - _CENTURY)
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
        for last in range(index + 1, min(index + 4, len(tokens))):
            if text[tokens[last - 1].end() : tokens[last].start()] not in _GLUE:
                return 0
            together += fold(tokens[last][0])
            if len(together) > 4 and self.words.get(together) == "PERSON_NAME":
                return last
        return 0

    def _kind(self, token: str) -> tuple[str, bool]:
        """Return the infoType of a known word, and whether it can be nothing else."""
        if len(token) == 1 and not _WIDE.match(token):
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
            stem = word if word.isascii() else word.rstrip(_CASE_ENDINGS)
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
        for match in _MIXED.finditer(text):
            if len(match[0]) < 5:
                continue
            for digits in _MISREAD:
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
    codes: dict[str, str] = {}
    initials: set[str] = set()
    joined: set[str] = set()
    born: set[tuple[int, int, int]] = set()
    days: set[tuple[int, int, int]] = set()
    for each in known:
        value, kind = each.value.strip(), each.info_type
        if len(value) < 2 or fold(value) in _HARMLESS:
            continue
        if kind in _NAMES:
            _add_name(result, value, initials, joined)
        elif kind in _PHRASES:
            _add_phrase(result, value, kind, codes)
        elif kind in _DATES:
            _add_date(value, kind, codes, born, days)
        elif kind != "AGE":
            _add_code(value, kind, codes)
    parts = [word for word, kind in result.words.items() if kind == "PERSON_NAME"]
    result.starts = frozenset(word[:length] for word in parts for length in (1, 2))
    result.initials = frozenset(initials)
    result.joined = frozenset(joined)
    result.born = frozenset(born)
    result.days = frozenset(days)
    result.codes = _compiled(codes)
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


def _add_name(result: KnownText, value: str, initials: set[str], joined: set[str]) -> None:
    for group in value.split("="):
        parts = [part for part in re.split(r"[\^\s,;\\/]+", group) if part]
        if any(_WIDE.search(part) for part in parts):
            _add_wide(result, parts)
            continue
        folded_parts: list[str] = []
        for part in parts[:_MAX_PARTS]:
            for word in WORD.findall(part):
                if fold(word) in _HARMLESS:
                    continue
                folded_parts.append(fold(word))
                initials.add(fold(word)[:1])
                if len(word) >= 2 and fold(word) not in _TITLES:
                    for spelling in spellings(word):
                        result.words[spelling] = "PERSON_NAME"
        for one in folded_parts[:6]:
            joined.update(one + other for other in folded_parts[:6] if len(one + other) > 4)
            joined.update(
                one[:1] + other for other in folded_parts[:6] if other != one and len(other) > 2
            )


def _add_wide(result: KnownText, parts: Sequence[str]) -> None:
    for glue in ("", " ", "　", "・", "^"):
        result.wide[glue.join(parts)] = "PERSON_NAME"
    for part in parts:
        if len(part) >= 2:
            result.wide[part] = "PERSON_NAME"


def _add_phrase(result: KnownText, value: str, kind: str, codes: dict[str, str]) -> None:
    for line in re.split(r"[\\^\r\n,;]+", value):
        found = WORD.findall(line)
        if len(found) > 1 or re.search(r"\d", line):
            pieces = [re.escape(piece) for piece in re.findall(r"[^\W_]+", line)]
            if len("".join(pieces)) >= 5:
                codes[r"[\W_]{1,3}".join(pieces)] = kind
        for word in found:
            telling = len(word) >= 3 and not is_recognised(word) and fold(word) not in _TITLES
            if telling and (len(word) > 3 or len(found) == 1):
                result.words.setdefault(fold(word), kind)


def _add_code(value: str, kind: str, codes: dict[str, str]) -> None:
    for part in value.split("\\"):
        compact = re.sub(r"[\W_]+", "", part)
        if len(compact) < 3 or (compact.isalpha() and is_recognised(compact)):
            continue
        if len(compact) == 3 and not any(c.isdigit() for c in compact):
            continue
        if kind == "PHONE_NUMBER" and compact.isdigit() and len(compact) > 7:
            codes[_spaced(compact[-7:], 12)] = kind
        codes[_spaced(compact)] = kind
        for run in re.findall(r"\d+", part):
            if run != compact and (len(run) > 4 or (len(run) == 4 and run[:2] not in ("19", "20"))):
                codes[_spaced(run)] = kind


def _spaced(compact: str, extra: int = 0) -> str:
    """Return a pattern for a code with separators anywhere, and leading zeros.

    Its own zeros may be missing where enough digits are left to tell it from any other number.
    """
    zeros = "0{0,6}" if compact[0].isdigit() else ""
    stripped = compact.lstrip("0") if compact.isdigit() else compact
    if len(stripped) < _FEWEST_DIGITS:
        stripped = compact
    before = rf"(?:[\d+()]{_SEPARATORS}){{0,{extra}}}" if extra else ""
    return before + zeros + _SEPARATORS.join(re.escape(c) for c in stripped)


def _add_date(
    value: str,
    kind: str,
    codes: dict[str, str],
    born: set[tuple[int, int, int]],
    days: set[tuple[int, int, int]],
) -> None:
    digits = re.sub(r"\D", "", value)[:8]
    if len(digits) != 8:
        return
    year, month, day = digits[:4], digits[4:6], digits[6:]
    when = (int(year), int(month), int(day))
    days.add(when)
    if kind != "DATE_OF_BIRTH":
        return
    born.add(when)
    short = year[2:]
    for order in (
        (day, month, year),
        (month, day, year),
        (year, day, month),
        (short, month, day),
        (day, month, short),
        (month, day, short),
    ):
        codes["".join(order)] = kind
