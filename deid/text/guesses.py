"""What is left is judged by vocabulary: a capitalised word that nothing explains is taken for a name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from deid.text import eponyms
from deid.text.findings import GUESSED, NAMED, Finding
from deid.text.folding import fold, words
from deid.text.parts import WORD
from deid.text.vocabulary import (
    given_names,
    is_abbreviation,
    is_clinical_token,
    is_name,
    is_place,
    is_prose,
    is_recognised,
    is_unit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SENTENCE_END: Final = re.compile(r"(?:^|[.!?:;\n\r\t•*>\])|-])[\s\"'(\[*-]*$")
_ROMAN: Final = re.compile(r"[IVX]{1,5}\Z")
_LONGEST_CODE: Final = 64
_CODE: Final = re.compile(rf"[^\W_]{{1,{_LONGEST_CODE + 1}}}")
_CODE_BEFORE: Final = re.compile(r"[^\W_]+\Z")
_MOST_CODE: Final = 12
_MAX_ABBREVIATION: Final = 3
_BEFORE: Final = re.compile(r"(?<![^\W_])([a-zà-ÿ]+)\s(?:(?:the|a|an)\s)?(?:[^\W\d_]+\s){0,2}$")
_PREPOSITIONS: Final = frozenset({"in", "from", "near", "to", "at", "of", "via"})
_ALWAYS_CAPITAL: Final = words(
    """
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july august
    september october november december english german french spanish italian i dr mr mrs ms prof
    series image study figure table fig scan exam ward clinic department hospital emergency
    radiology cardiology oncology surgery medicine doppler foley
    """
)


_HEADINGS: Final = words(
    """
    impression findings technique comparison history indication electronically signed date exam examination
    patient id dob age sex study report reason accession mrn phone address clinical name reported conclusion
    befund beurteilung
    """
)
"""What begins the next line of a report that has lost its line ends."""
_MONTHS: Final = words(
    """
    january february march april may june july august september october november december januar februar mai
    juni juli mars avril mayo junio julio agosto abril marzo aprile maggio giugno luglio maio junho julho maart
    mei augustus
    """
)
_BEFORE_MONTH: Final = re.compile(
    r"(?<![^\W\d_])(?:in|since|of|until|till|from|by|last|next|this|early|mid|late|during|through"
    r"|im|seit|bis|ab|ende|anfang|mitte|en|depuis|fin|desde|nel|da|em|sinds|eind|de)[\s-]\Z",
    re.IGNORECASE,
)
_GERMAN: Final = words(
    """
    der das den dem des ein eine einen einem einer eines kein keine keinen im auf aus bei mit nach von vom zur
    zum zu fur fuer gegen ohne uber ueber vor und oder als wie wegen durch seit bis sich ist sind wird wurde
    wurden war nicht beim
    """
)
"""Words that tell German, where every noun has a capital."""
_LEAST_GERMAN: Final = 2
_LAST_WORD: Final = re.compile(r"[^\W\d_]{2,}\Z")


def find(text: str, findings: Sequence[Finding]) -> Iterator[Finding]:
    """Yield words that are listed as names or places, and capitalised words that are not recognised.

    Parameters
    ----------
    findings
        What was found before, merged and in order; words within it are passed over, words beside a
        name are judged with it.
    """
    has_small = any(character.islower() for character in text)
    has_capitals = any(character.isupper() for character in text)
    at = 0
    previous: tuple[int, bool] = (
        -10,
        False,
    )  # where the last word ended, and whether it was a name
    for token in WORD.finditer(text):
        start, stop = token.span()
        while at < len(findings) and findings[at].stop <= start:
            if findings[at].info_type == "PERSON_NAME":
                previous = (findings[at].stop, True)
            at += 1
        if at < len(findings) and findings[at].start < stop:
            continue
        if _touches_digit(text, start, stop) or _is_of_code(text, start):
            continue
        if eponyms.is_in_use(text, start, stop) or is_unit(text, start, stop):
            previous = (stop, False)
            continue
        word = token[0]
        beside = previous[1] and text[previous[0] : start] in (" ", "-", ", ", "  ")
        before_name = (
            at < len(findings)
            and findings[at].info_type == "PERSON_NAME"
            and text[stop : findings[at].start] in (" ", ", ", "-")
        )
        found = _judge(word, text, start, has_small, has_capitals, beside or before_name)
        if found is None and beside and has_small and _is_surname(text, previous[0], start, stop):
            found = "PERSON_NAME", GUESSED
        if found:
            yield Finding(start, stop, *found)
            previous = (stop, found[0] == "PERSON_NAME")
        else:
            previous = (stop, False)


def _is_surname(text: str, given_stop: int, start: int, stop: int) -> bool:
    """Whether an everyday or clinical word behind a given name is the surname: Mary Head, John Marrow."""
    word = text[start:stop]
    if not word[0].isupper() or word.isupper() or text[given_stop:start] != " ":
        return False
    if text[stop : stop + 1] == ":" or fold(word) in _ALWAYS_CAPITAL or fold(word) in _HEADINGS:
        return False
    given = _LAST_WORD.search(text, max(0, given_stop - 20), given_stop)
    return (
        given is not None
        and not given[0].isupper()
        and fold(given[0]) in given_names()
        and not _in_heading(text, start, len(word))
    )


def _judge(
    word: str, text: str, start: int, has_small: bool, has_capitals: bool, beside_name: bool
) -> tuple[str, int] | None:
    if (len(word) < 2 and is_recognised(word)) or _ROMAN.match(word):
        return None
    if word.lower() in ("ray", "rays") and text[start - 2 : start].lower() in ("x-", "x "):
        return None
    recognised = is_recognised(word)
    listed = is_name(word)
    place = is_place(word)
    is_upper = word[0].isupper()
    is_capitals = word.isupper()
    starts = _SENTENCE_END.search(text, max(0, start - 12), start) is not None
    if not recognised:
        if listed:
            return "PERSON_NAME", NAMED
        if place:
            return "LOCATION", NAMED
        if is_capitals and has_small and len(word) <= _MAX_ABBREVIATION:
            return ("PERSON_NAME", GUESSED) if beside_name else None
        # Three letters may be somebody's initials.
        if (
            is_capitals
            and not beside_name
            and len(word) > _MAX_ABBREVIATION
            and is_abbreviation(word)
        ):
            return None
        # Of a script without capitals, or unknown to the vocabulary, nothing tells what is a name.
        if is_upper or not word[0].islower() or (beside_name and not has_capitals):
            return "PERSON_NAME", GUESSED
        return None
    if is_upper and _BEFORE_MONTH.search(text, max(0, start - 12), start) and fold(word) in _MONTHS:
        return None
    is_noun = is_upper and not place and _is_noun(text, start)
    if is_upper and not is_capitals and not starts and (is_prose(word) or place) and not is_noun:
        # An everyday word with a capital in the middle of prose names something: Little Rock.
        before = _BEFORE.search(text, max(0, start - 20), start)
        if before and fold(word) not in _ALWAYS_CAPITAL:
            placed = place or before[1] in _PREPOSITIONS
            return ("LOCATION" if placed else "PERSON_NAME"), GUESSED
    # A word of the vocabulary that is a name as well: Brown, Rose, Long, May.
    if is_upper and has_small and not is_capitals and (listed or place):
        if beside_name:
            return "PERSON_NAME", GUESSED
        if not starts and not _in_heading(text, start, len(word)):
            return ("PERSON_NAME" if listed else "LOCATION"), GUESSED
    return None


def _is_noun(text: str, start: int) -> bool:
    """Whether the sentences around are German, where an everyday word with a capital names nobody."""
    around = re.findall(r"[^\W\d_]{2,}", text[max(0, start - 60) : start + 60])
    return sum(fold(word) in _GERMAN for word in around) >= _LEAST_GERMAN


def _in_heading(text: str, start: int, length: int) -> bool:
    """Whether the words around are capitalised too, as in a heading or a protocol's name."""
    around = re.findall(r"[^\W\d_]{3,}", text[max(0, start - 25) : start + length + 25])
    capitalised = sum(word[0].isupper() for word in around)
    return len(around) > 2 and capitalised > len(around) * 2 // 3


def _is_of_code(text: str, start: int) -> bool:
    """Whether a word is what follows a digit in the name of a technique: ``MP2RAGE``."""
    if not text[start - 1 : start].isdigit():
        return False
    before = _CODE_BEFORE.search(text, max(0, start - _MOST_CODE), start)
    whole = _CODE.match(text, before.start() if before else start)
    # What goes on for longer names no technique. Each of its words would be judged with all that follows it.
    return whole is not None and len(whole[0]) <= _LONGEST_CODE and is_clinical_token(whole[0])


def _touches_digit(text: str, start: int, stop: int) -> bool:
    """Whether a word is part of a code such as ``T2`` or ``3mm``."""
    before = text[start - 1 : start]
    after = text[stop : stop + 1]
    return (before.isdigit() or after.isdigit()) and stop - start <= 3
