"""Which words of a screen may stay: laterality, anatomy, measurements, machine settings, numbers and units.

As they are read: recognisers take O and 0, I and 1, S and 5, B and 8 for one another, and lose spaces.
"""

from __future__ import annotations

import re
import unicodedata

from deid.pixels.screen_terms import TERMS
from deid.pixels.screen_words import (
    ALONE,
    BEGINNINGS,
    JOINABLE,
    NAMES_LIKE_WORDS,
    PLAIN_WORDS,
    UNITS,
    WORDS,
    descriptive_words,
    is_also_name,
)
from deid.text.vocabulary import eponyms, is_name

#: Letters and digits that recognisers take for one another, folded to one of them.
_CONFUSED = str.maketrans("OQDIL|!SBZG", "00011115826")

#: Letters of a word that may be one of several run together.
_FEWEST_JOINED = 4

#: Letters of a word that may be one of the vocabulary's with O read for D, or I for L.
_FEWEST_FOLDED = 5

TOKEN = re.compile(r"[^\W_]+")
LETTERS = re.compile(r"[^\W\d_]+")
#: A name before what only eponyms stand before in a picture: Waters view. Before KIDNEY may stand a person's.
_BEFORE_ITS_NOUN = re.compile(
    r"([^\W\d_]+)((?:['\u2019]?S)?[\s-]{1,2}(?:ANGLES?|CYSTS?|DISEASE|FRACTURES?|METHOD|PROJECTION|SYNDROME|VIEWS?)\b)"
)
_NUMBER_AND_UNIT = re.compile(
    r"[<>~=+\-±]*\d+(?:[.,:/x\u00d7*]\d+)*(?:E[+-]?\d+)?\s*(?P<unit>[^\W\d_°%]*(?:/[^\W\d_]+)?[²³23]?)[°%'\"]*"
)


def is_harmless(upper: str) -> bool:
    """Whether every word is one that may stay: a number, a unit, or of the vocabulary.

    Words that are names as well need a number or another word beside them, more than an initial.
    """
    upper = TERMS.sub(" ", upper)
    upper = _BEFORE_ITS_NOUN.sub(_without_eponym, upper)
    alone = upper.strip(" .:-")
    if alone in ALONE:
        return True
    if len(alone) == 1 and alone.isalpha():
        return alone in "LRAPHFSI" or (alone in WORDS and not alone.isascii())
    words = LETTERS.findall(upper)
    may_be_names = bool(words) and all(len(word) == 1 or is_also_name(word) for word in words)
    if may_be_names and max(map(len, words)) > 1 and not any(map(str.isdigit, upper)):
        return False
    upper = TOKEN.sub(_without_misread_word, upper)
    rest = _NUMBER_AND_UNIT.sub(_without_known_unit, upper)
    tokens = LETTERS.findall(rest)
    if any(map(str.isdigit, upper)):
        # Beside a number a short word with l for I is a setting rather than a name: El 412, GAlN 3.
        tokens = [
            token if is_word(token) or _is_run_of_words(token) else _with_i_for_l(token)
            for token in tokens
        ]
    if all(is_word(token) for token in tokens):
        return True
    # Recognisers lose and invent spaces: AP ERECT as APERECT, SUPINE as SUP INE.
    return all(is_word(token) or _is_run_of_words(token) for token in tokens) or _is_run_of_words(
        "".join(tokens)
    )


def says_what_it_is(text: str) -> bool:
    """Whether a text is a number with words that may stay and are nobody's name: kV 100, MEAN 43.2 HU."""
    upper = to_plain(text)
    if not any(map(str.isdigit, upper)) or not is_harmless(upper):
        return False
    words = LETTERS.findall(_NUMBER_AND_UNIT.sub(_without_known_unit, upper))
    units = [match["unit"] for match in _NUMBER_AND_UNIT.finditer(upper)]
    return not any(map(is_also_name, words)) and any(
        len(word) > 1 and (word in WORDS or word in UNITS) for word in (*words, *units)
    )


def _without_eponym(match: re.Match[str]) -> str:
    is_eponym = match[1].lower() in eponyms()
    return match[2] if is_eponym else match[0]


def _without_misread_word(match: re.Match[str]) -> str:
    # ZO0M would else fall into letters and a number.
    token = match.group()
    is_mixed = any(map(str.isdigit, token)) and sum(map(str.isalpha, token)) >= 2
    return " " if is_mixed and to_folded(token) in _FOLDED_WORDS else token


def _is_run_of_words(letters: str) -> bool:
    """Whether letters are words of the vocabulary one after the other.

    Of four letters at least, but for what says the side or the plane before them: short words add up
    to names, as TILT and ON, WIN and GATE.
    """
    if letters in WORDS or _is_name(letters):
        return letters in WORDS and len(letters) >= 4
    # Where words may end, those that begin the run first.
    ends = {0, *(len(word) for word in BEGINNINGS if letters.startswith(word))}
    for start in range(len(letters)):
        if start in ends:
            ends.update(
                stop
                for stop in range(start + _FEWEST_JOINED, len(letters) + 1)
                if letters[start:stop] in JOINABLE
            )
    return len(letters) in ends


def closed_up(text: str) -> str:
    """Return text without its spaces when it is set in spaced letters."""
    parts = text.split()
    single = sum(len(part) == 1 for part in parts)
    return "".join(parts) if len(parts) >= 4 and single * 4 >= len(parts) * 3 else text


def _without_known_unit(match: re.Match[str]) -> str:
    unit = match.group("unit")
    return " " if not unit or unit in UNITS or is_word(unit) else f" {unit} "


def is_word(token: str) -> bool:
    """Whether a word, in upper case, is one that may stay: a single letter, a unit, or of the vocabulary."""
    if len(token) == 1:
        return token.isascii() or token in WORDS  # a single ideograph can be a name
    if token in WORDS or (token in UNITS and not _is_name(token)):
        return True
    # Folded, but not otherwise fuzzy: one letter lies between PALMAR and PALMER. Short ones are names
    # too often even so: CAO and CAD, BOS and BDS.
    if token in descriptive_words():
        return True
    return (
        len(token) >= _FEWEST_FOLDED and to_folded(token) in _FOLDED_WORDS and not _is_name(token)
    )


def _is_name(token: str) -> bool:
    return is_name(token) or token in NAMES_LIKE_WORDS


def to_plain(text: str) -> str:
    """Return upper case without accents."""
    decomposed = unicodedata.normalize("NFKD", text.replace("\N{MICRO SIGN}", "u").upper())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _with_i_for_l(token: str) -> str:
    return token if _is_name(token) else token.replace("L", "I")


def to_folded(text: str) -> str:
    """Return a text with what is taken for one another as one of them."""
    return text.translate(_CONFUSED)


#: Units that are long enough to be known though a letter is read as a digit: d6ycm2.
_LONG_UNITS = frozenset(unit for unit in UNITS if unit.isalnum() and len(unit) >= _FEWEST_FOLDED)

_FOLDED_WORDS = frozenset(to_folded(word) for word in WORDS | _LONG_UNITS)
FOLDED_PLAIN_WORDS = frozenset(to_folded(word) for word in PLAIN_WORDS)
