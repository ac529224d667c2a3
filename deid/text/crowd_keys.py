"""By what one of very many identifiers is found again: keys that it has in common with the text it stands in.

Whatever `deid.text.known` would find plainly in a text has a key in common with it: as written, in any case,
with other separators, joined, in pieces, inflected, misspelt, backwards. Disguises have none: among thousands
of people everything is somebody's initials.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from rapidfuzz.distance import OSA

from deid.identity.identifiers import KnownIdentifier
from deid.text import dates
from deid.text.folding import fold, plain, spellings, without_invisible
from deid.text.parts import (
    CASE_ENDINGS,
    CENTURY,
    GLUE,
    MISREAD,
    MIXED,
    MOST_APART,
    PHONE_DIGITS,
    WIDE,
    WORD,
    Parts,
)
from deid.text.vocabulary import is_recognised

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORD: Final = "w"
_NEARLY: Final = "n"
_CODE: Final = "c"
_TAIL: Final = "t"
_DAY: Final = "d"
_INITIAL: Final = "i"
_CODE_PIECE: Final = re.compile(r"[^\W_]+")
_WIDEST_GAP: Final = 3
_LONGEST_CODE: Final = 80
_MOST_PIECES: Final = 24
_LEAST: Final = 5
"""Letters of a name that is found misspelt, or within another word."""
_TWO_WRONG: Final = 8
_LEAST_STEM: Final = 4
_LONGEST_ENDING: Final = 3
_LONGEST_WORD: Final = 40
_WIDE_RUN: Final = re.compile(rf"(?:{WIDE.pattern}[ \u3000\u30fb^]?)+")
_WIDE_GLUE: Final = re.compile(r"[ \u3000\u30fb^]")
_LONGEST_WIDE: Final = 12
_INITIAL_BEHIND: Final = re.compile(
    r"(?<=[^\W\d_][ ,])[^\W\d_](?![^\W_])|(?<=[^\W\d_], )[^\W\d_](?![^\W_])"
)

Keys = dict[str, set[str]]
"""Keys of a text, with the words that they are misspellings of; empty where they are exact."""


def keys_of(identifier: KnownIdentifier) -> set[str]:
    """Return the keys of an identifier."""
    parts = _parts_of(identifier)
    keys = _keys_of_whole(parts)
    for word in parts.words:
        keys |= _keys_of_word(word)
        if len(word) >= _LEAST:
            keys.update(_NEARLY + each for each in _without_letters(word, _wrong(word)))
    return keys


def _parts_of(identifier: KnownIdentifier) -> Parts:
    parts = Parts()
    parts.add(identifier.value, identifier.info_type)
    return parts


def _keys_of_whole(parts: Parts) -> set[str]:
    keys = {_CODE + code for code in parts.squeezed}
    keys |= {_TAIL + tail for tail in parts.tails}
    keys |= {f"{_DAY}{year}-{month}-{day}" for year, month, day in parts.days}
    keys |= {_WORD + word for word in parts.joined}
    keys |= {_WORD + _WIDE_GLUE.sub("", wide) for wide in parts.wide}
    return keys


def _keys_of_word(word: str) -> set[str]:
    keys = {_WORD + word}
    if not word.isascii() and len(stem := word.rstrip(CASE_ENDINGS)) >= _LEAST_STEM:
        keys.add(_WORD + stem)
    return keys


def present(identifier: KnownIdentifier, keys: Keys) -> Iterator[KnownIdentifier]:
    """Yield what of an identifier may stand in a text with these keys.

    Thousands have a forename in common, and towns: of what has one word that stands there, no more than that
    word is yielded, with initials that stand behind a word there.
    """
    parts = _parts_of(identifier)
    if not keys.keys().isdisjoint(_keys_of_whole(parts)):
        yield identifier
        return
    standing = {word for word in parts.words if _stands(word, keys)}
    if not standing:
        return
    if identifier.info_type != "PERSON_NAME":
        yield from (KnownIdentifier(word, identifier.info_type) for word in sorted(standing))
        return
    words = WORD.findall(identifier.value)
    named = sorted(word for word in words if not standing.isdisjoint(spellings(word)))
    initials = sorted({fold(word)[:1] for word in words if _INITIAL + fold(word)[:1] in keys})
    yield KnownIdentifier("^".join((*named, *initials)), identifier.info_type)


def _stands(word: str, keys: Keys) -> bool:
    if not keys.keys().isdisjoint(_keys_of_word(word)):
        return True
    if len(word) < _LEAST:
        return False
    wrong = _wrong(word)
    return any(
        OSA.distance(word, other, score_cutoff=wrong) <= wrong
        for each in _without_letters(word, wrong)
        for other in keys.get(_NEARLY + each, ())
    )


def keys_in(text: str) -> Keys:
    """Return the keys of what may stand in a text."""
    text = plain(without_invisible(text))
    tokens = list(WORD.finditer(text))
    keys: Keys = {key: set() for key in _exact(text, tokens)}
    for token in tokens:
        for key, word in _of_word(token[0]):
            words = keys.setdefault(key, set())
            if word:
                words.add(word)
    return keys


def _wrong(word: str) -> int:
    """Return how many letters may be wrong in a name of this length."""
    return 1 if len(word) < _TWO_WRONG else 2


@lru_cache(maxsize=4096)
def _without_letters(word: str, most: int) -> frozenset[str]:
    """Return a word without any letters, up to two: two that are misspellings of one have one of these."""
    found = {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}
    if most > 1:
        for one in range(len(word) - 1):
            head, tail = word[:one], word[one + 1 :]
            found.update(head + tail[:at] + tail[at + 1 :] for at in range(len(tail)))
    return frozenset(found)


def _of_word(token: str) -> Iterator[tuple[str, str]]:
    bare = token.removesuffix("'s").removesuffix("\u2019s")
    for spelling in spellings(bare):
        yield _WORD + spelling, ""
    folded = fold(bare)
    yield _WORD + folded[::-1], ""
    if is_recognised(bare):
        return
    for length in range(max(_LEAST_STEM, len(folded) - _LONGEST_ENDING), len(folded)):
        yield _WORD + folded[:length], ""
    for start in range(len(folded) - _LEAST + 1):
        for stop in range(start + _LEAST, min(len(folded), start + _LONGEST_WORD) + 1):
            yield _WORD + folded[start:stop], ""
    if _LEAST - 1 <= len(folded) <= _LONGEST_WORD:
        # How long the name is, is not known; one of eight letters may lack two of them.
        most = 1 if len(folded) < _TWO_WRONG - 2 else 2
        for each in _without_letters(folded, most):
            yield _NEARLY + each, folded


def _exact(text: str, tokens: list[re.Match[str]]) -> Iterator[str]:
    for index, token in enumerate(tokens):
        together = fold(token[0])
        for last in range(index + 1, min(index + MOST_APART, len(tokens))):
            if text[tokens[last - 1].end() : tokens[last].start()] not in GLUE:
                break
            together += fold(tokens[last][0])
            yield _WORD + together
    for match in MIXED.finditer(text):
        for digits in MISREAD:
            yield _WORD + fold(match[0].translate(digits))
    for match in _WIDE_RUN.finditer(text):
        run = _WIDE_GLUE.sub("", match[0])
        for start in range(len(run)):
            for stop in range(start + 1, min(len(run), start + _LONGEST_WIDE) + 1):
                yield _WORD + run[start:stop]
    for match in _INITIAL_BEHIND.finditer(text):
        yield _INITIAL + fold(match[0])
    yield from _codes(text)
    for each in dates.find(text):
        for year in (each.year, each.year - CENTURY):
            yield f"{_DAY}{year}-{each.month}-{each.day}"
            yield f"{_DAY}{year}-{each.day}-{each.month}"


def _codes(text: str) -> Iterator[str]:
    """Yield what may be a number or a phrase: pieces with little between them, together."""
    pieces = list(_CODE_PIECE.finditer(text.lower()))
    for index in range(len(pieces)):
        code = ""
        for last in range(index, min(index + _MOST_PIECES, len(pieces))):
            if last > index:
                gap = pieces[last].start() - pieces[last - 1].end()
                if gap > _WIDEST_GAP:
                    break
            code += pieces[last][0]
            if len(code) > _LONGEST_CODE:
                break
            yield _CODE + code
            yield _CODE + code.lstrip("0")
            if len(code) >= PHONE_DIGITS and code[-PHONE_DIGITS:].isdigit():
                yield _TAIL + code[-PHONE_DIGITS:].lstrip("0")
