"""The forms that an identifier takes in disguise: made once for a person, searched for in every text."""

from __future__ import annotations

import re
from datetime import date
from itertools import permutations
from typing import TYPE_CHECKING, Final

from deid.identity.disguises import LEAST_WORD, Code, Disguises
from deid.identity.views import plain, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_NAMES: Final = frozenset({"PERSON_NAME"})
_WIDE: Final = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]{2,}")
"""Two ideographs or syllables say as much as three letters."""
_SPELT_OUT: Final = str.maketrans(
    dict(
        zip("äöüøåÄÖÜØÅ", ("ae", "oe", "ue", "oe", "aa", "Ae", "Oe", "Ue", "Oe", "Aa"), strict=True)
    )
)
_NUMBERS: Final = frozenset({"MEDICAL_RECORD_NUMBER", "ACCESSION", "GENERIC_ID", "PHONE_NUMBER"})
_DAYS: Final = frozenset({"DATE", "DATE_OF_BIRTH"})
_TITLES: Final = words(
    """
    dr prof mr mrs ms md phd herr frau van von der den de del la le el al bin da dos du st jr sr ii iii and
    the und of removed anonymous anonymized anonymised unknown none null test patient name
    """
)
_PARTICLES: Final = words(
    "van von der den de del della di da dos das du la le los las el al bin ibn ter ten t mc mac o d ou st zu"
)
_FIRST_SYLLABLE: Final = 0x1100
"""From here on stand syllables and ideographs, which have no marks."""
_LEAST_DIGITS: Final = 5
_LEAST_PART: Final = 6
_LEAST_TOLD: Final = 4
"""Of a part's digits that are not zeros at its ends: 40000 is anybody's."""
_LEAST_UID: Final = 12
_MOST_WORDS: Final = 60
_DUMMY_DAY: Final = date(1900, 1, 1)
_FIRST_YEAR: Final = 1000
LEAST_BEGINNING: Final = 5
"""Letters of a name that stand in the name of an account, at least: ``odelacr``, ``delacod``."""
_BEGINNINGS: Final = ((3, 3), (3, 2), (2, 3), (3, 1), (1, 3), (2, 2), (4, 1), (1, 4), (4, 2))
"""How many letters of one part of a name stand before how many of another: ``deod``, ``delo``."""
_DAY_DIGITS: Final = (
    "%d%m", "%m%d", "%d%m%y", "%y%m%d", "%m%d%y", "%Y%m%d", "%d%m%Y", "%m%d%Y", "%j",
)  # fmt: skip
_BIRTH_DIGITS: Final = ("%y", "%Y", "%m%y", "%y%m", "%m%Y", "%Y%m")
"""What stands behind initials: parts of any known day, and of the day of birth."""


def prepare(known: Iterable[tuple[str, str]], uids: Iterable[str] = ()) -> Disguises:
    """Return identifiers, as decoded values and infoTypes, ready to be searched for."""
    words: set[str] = set()
    combinations: set[str] = set()
    logins: set[str] = set()
    codes: dict[str, Code] = {}
    tails: set[str] = set()
    days: dict[date, str] = {}
    for value, kind in known:
        if kind in _NAMES:
            for group in value.split("=")[:3]:
                _add_name(group, words, combinations, logins)
        elif kind in _NUMBERS:
            _add_number(value, kind, codes, tails)
        elif kind in _DAYS:
            _add_day(value, kind, codes, tails, days)
    for uid in uids:
        digits = uid.replace(".", "")
        if len(digits) >= _LEAST_UID:
            codes.setdefault(digits, Code(digits, "DICOM_UID", len(digits)))
    return Disguises(
        frozenset(words), frozenset(combinations), frozenset(logins), codes, frozenset(tails), days,
        frozenset(uid for uid in uids if len(uid) >= _LEAST_UID),
    )  # fmt: skip


def spelt_otherwise(part: str) -> frozenset[str]:
    """Return a part of a name without its marks, and with umlauts spelt out: ``Müller``, muller, mueller."""
    if part.isascii() or any(ord(letter) >= _FIRST_SYLLABLE for letter in part):
        return frozenset()
    return frozenset((plain(part), plain(part.translate(_SPELT_OUT)))) - {part.lower()}


def with_particles(words: Sequence[str]) -> Iterator[str]:
    """Yield parts of a name in one word with the particles before them: ``vandermeulen``, ``vdmeulen``."""
    led: list[str] = []
    for word in words:
        if word in _PARTICLES:
            led.append(word)
            continue
        if led and len(word) >= LEAST_WORD:
            yield "".join((*led, word))
            if len(led) > 1:
                yield "".join((*(each[:1] for each in led), word))
        led.clear()


def _add_name(value: str, words: set[str], combinations: set[str], logins: set[str]) -> None:
    parts: list[str] = []
    for part in re.split(r"[\^\s,;\\/]+", value):
        for word in re.findall(r"[^\W\d_]+", plain(part)):
            if word not in _TITLES and word not in parts:
                parts.append(word)
    spelt_out = re.findall(r"[^\W\d_]+", plain(value.translate(_SPELT_OUT)))
    for word in (*parts[:_MOST_WORDS], *(set(spelt_out[:_MOST_WORDS]) - set(parts) - set(_TITLES))):
        if word.isalpha() and (len(word) >= LEAST_WORD or _WIDE.fullmatch(word)):
            words.add(word)
    for several in (2, 3):
        for some in permutations(parts[:4], several):
            combinations.add("".join(word[:1] for word in some))
    for one, other in permutations(parts[:3], 2):
        for first, second in _BEGINNINGS:
            combinations.add(one[:first] + other[:second])
        for size in range(LEAST_BEGINNING, len(one)):
            logins.update((one[:size] + other[:1], other[:1] + one[:size], one[:size] + other[:2]))
        if len(one) >= LEAST_BEGINNING:
            logins.add(one[:LEAST_BEGINNING] + other[:3])
        combinations.add(one + other[:1])
        combinations.add(one[:1] + other)
    for word in parts[:4]:
        combinations.update(word[:size] for size in (3, 4, 5) if len(word) > size)


def _add_number(value: str, kind: str, codes: dict[str, Code], tails: set[str]) -> None:
    for part in value.split("\\"):
        runs = re.findall(r"\d+", plain(part))
        for digits in {"".join(runs), *runs}:
            if len(digits) >= 2:
                tails.update((digits[-2:], digits))
            for size in range(3, len(digits)):
                tails.update((digits[-size:], digits[:size]))
            if len(digits) < _LEAST_DIGITS or not digits.strip("0"):
                continue
            for form, least in _forms(digits):
                code = codes.get(form)
                if code is None or code.least < least:
                    codes[form] = Code(form, kind, least)
            if len(digits) > _LEAST_PART:
                for form in (digits[-_LEAST_DIGITS:], digits[:_LEAST_DIGITS]):
                    if len(form.strip("0")) >= _LEAST_TOLD:
                        codes.setdefault(form, Code(form, kind, _LEAST_DIGITS, is_part=True))


def _forms(digits: str) -> Iterator[tuple[str, int]]:
    """Yield the ways in which digits stand for a number, and how many of them agree."""
    size = len(digits)
    yield digits, size
    shorter = digits.lstrip("0")
    if len(shorter) >= _LEAST_DIGITS and shorter != digits:
        yield shorter, len(shorter)
    if size >= _LEAST_PART:
        yield digits[::-1], size
    for part in (digits[1:], digits[:-1]):
        if size > _LEAST_PART:
            yield part, size - 1
            stripped = part.lstrip("0")
            if len(stripped) >= _LEAST_PART and stripped != part:
                yield stripped, size - 1


def _add_day(
    value: str, kind: str, codes: dict[str, Code], tails: set[str], days: dict[date, str]
) -> None:
    digits = re.sub(r"\D", "", value)[:8]
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return
    if day.year < _FIRST_YEAR or day == _DUMMY_DAY:
        return
    if days.get(day) != "DATE_OF_BIRTH":
        days[day] = kind
    for order in ("%Y%m%d", "%d%m%Y", "%m%d%Y", "%Y%d%m"):
        form = day.strftime(order)
        codes.setdefault(form, Code(form, kind, 8))
    form = f"{day:%Y%m%d}"[::-1]
    codes.setdefault(form, Code(form, kind, 8))
    tails.update(day.strftime(order) for order in _DAY_DIGITS)
    if kind == "DATE_OF_BIRTH":
        tails.update(day.strftime(order) for order in _BIRTH_DIGITS)
        for order in ("%y%m%d", "%d%m%y", "%m%d%y"):
            form = day.strftime(order)
            codes.setdefault(form, Code(form, kind, 6))
