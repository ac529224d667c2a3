"""What is known of a person, in the forms in which it is burned in and as recognisers misread it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rapidfuzz.distance import OSA

from deid.pixels.burned_dates import KnownDays, numeric_forms
from deid.pixels.harmless import (
    FOLDED_PLAIN_WORDS,
    TOKEN,
    is_harmless,
    says_what_it_is,
    to_folded,
    to_plain,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from deid.identity.identifiers import KnownIdentifier

#: Letters of a known word that is looked for across spaces, too.
_FEWEST_CONTAINED = 5

_COMMON_NAME_TEXT = """
HOSPITAL CLINIC CENTER CENTRE MEDICAL GENERAL UNIVERSITY INSTITUTE RADIOLOGY IMAGING HEALTH CARE
DEPARTMENT THE AND FOR ROOM WARD UNIT SAINT STREET ROAD AVENUE NORTH SOUTH EAST WEST NONE UNKNOWN
ANONYMOUS
"""

#: Words in the names of institutions that tell nothing about which one it is.
_COMMON_NAME_WORDS = frozenset(_COMMON_NAME_TEXT.split())


class KnownTexts:
    """Known identifiers in the forms in which they are burned in, and those that may stay."""

    def __init__(
        self, identifiers: Sequence[KnownIdentifier], spared: Iterable[KnownIdentifier] = ()
    ) -> None:
        self.identifiers = identifiers
        self._spared = {token for entry in spared for token in TOKEN.findall(to_plain(entry.value))}
        self._words: set[str] = set()
        self._names: set[str] = set()
        self._whole_names: set[str] = set()
        self._codes: set[str] = set()
        self._days = KnownDays()
        for identifier in identifiers:
            self._add(identifier)

    def __repr__(self) -> str:
        return f"KnownTexts({len(self.identifiers)} identifiers)"

    def match(self, upper: str) -> bool:
        """Whether an upper-case text shows one of them, fuzzily."""
        plain = TOKEN.findall(upper)
        tokens = [to_folded(token) for token in plain]
        compact = "".join(tokens)
        says_itself = says_what_it_is(upper)
        # MEAN 43.2 HU is no Sean; MEAN alone may be one.
        certain = FOLDED_PLAIN_WORDS if says_itself else frozenset[str]()
        # Nor is DEPTH 11 CM a Li, whose name folds to a number.
        spelled = [
            folded
            for token, folded in zip(plain, tokens, strict=True)
            if not (says_itself and token.isdigit())
        ]
        if len(plain) > 1 and all(len(token) == 1 for token in plain):
            tokens, spelled = [*tokens, compact], [*spelled, compact]  # set in spaced letters
        return (
            any(
                word == token or (token not in certain and _is_like(word, token))
                for words, among in ((self._words, tokens), (self._names, spelled))
                for word in words
                for token in among
            )
            or any(
                len(word) >= _FEWEST_CONTAINED and _contains(compact, word) for word in self._words
            )
            or any(_contains(compact, code) for code in self._codes)
            or self._days.are_shown(upper)
            or self._days.are_shown(TOKEN.sub(_with_digits, upper))
            or self._names_run_through(upper, plain)
        )

    def _names_run_through(self, upper: str, tokens: Sequence[str]) -> bool:
        """Whether one of the names stands in a text without its spaces, with few errors.

        Where all words may stay, an error and a number at once make no name of them: PAGE 1 is no Patel, whose
        name has an L that is often read as a 1.
        """
        long = [name for name in self._names if len(name) >= _FEWEST_CONTAINED]
        long += self._whole_names
        compact = to_folded("".join(tokens))
        if not any(_contains(compact, name) for name in long):
            return False
        if not is_harmless(upper):
            return True
        letters = to_folded("".join(token for token in tokens if not token.isdigit()))
        return any(name in compact or _contains(letters, name) for name in long)

    def without_spared(self, upper: str) -> str:
        """Return an upper-case text without the words of identifiers that may stay."""
        if not self._spared:
            return upper
        return TOKEN.sub(lambda word: " " if word.group() in self._spared else word.group(), upper)

    def _add(self, identifier: KnownIdentifier) -> None:
        plain = to_plain(identifier.value)
        digits = re.sub(r"\D", "", plain)
        kind = identifier.info_type
        if kind in {"DATE", "DATE_OF_BIRTH"} and len(digits) >= 8:
            self._codes |= {to_folded(form) for form in numeric_forms(digits)}
            self._days.add(digits)
        elif kind == "AGE":
            if digits:
                self._words.add(to_folded(f"{int(digits)}Y"))
                self._words.add(to_folded(plain))
        elif kind in {"PERSON_NAME", "LOCATION", "ORGANIZATION_NAME", "STREET_ADDRESS"}:
            tokens = [token for token in TOKEN.findall(plain) if token not in _COMMON_NAME_WORDS]
            least = 2 if kind == "PERSON_NAME" else 4
            for token in tokens:
                if len(token) >= least:
                    (self._names if token.isalpha() else self._words).add(to_folded(token))
            compact = "".join(TOKEN.findall(plain))
            if len(compact) >= 6:
                (self._whole_names if compact.isalpha() else self._codes).add(to_folded(compact))
        else:
            compact = "".join(to_folded(token) for token in TOKEN.findall(plain))
            if len(compact) >= 4:
                self._codes.add(compact)
            elif len(compact) >= 2:
                self._words.add(compact)


def _is_like(known: str, token: str) -> bool:
    """Equal, or differing as much as OCR errors make likely for that length."""
    if known == token:
        return True
    allowed = 0 if len(known) < 4 else 1 if len(known) < 7 else 2
    return bool(allowed) and OSA.distance(known, token, score_cutoff=allowed) <= allowed


def _contains(text: str, code: str) -> bool:
    """Whether a window of the text is the code with few errors."""
    size = len(code)
    if code in text:
        return True
    allowed = 0 if size < 5 else 1 if size < 10 else 2
    if not allowed or len(text) < size - allowed:
        return False
    return any(
        OSA.distance(code, text[start : start + size], score_cutoff=allowed) <= allowed
        for start in range(max(len(text) - size, 0) + 1)
    )


def _with_digits(match: re.Match[str]) -> str:
    """Return a token with digits for what is taken for them: 2O19."""
    token = match.group()
    return to_folded(token) if any(map(str.isdigit, token)) else token
