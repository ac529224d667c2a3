"""What single attributes hold: the terms that the standard and the makers of devices print for them."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from deid.text.standard import listed_names, vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_SYMBOL: Final = 2
_APPLICATORS: Final = "300A0232"
"""Application Setup Type."""
_ALIKE: Final = ((0x00180024, 0x00189005),)
"""Sequence Name and Pulse Sequence Name."""


@dataclass(slots=True)
class Terms:
    """What one attribute holds besides the words that are recognised everywhere.

    Attributes
    ----------
    values
        Whole values, in lower case.
    words
        Words that any value of the attribute may have, in lower case.
    symbols
        The values of one or two characters as they are written: ``Cu`` is no more than a name elsewhere.
    shapes
        Patterns of whole values.
    """

    values: set[str] = field(default_factory=set)
    symbols: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    shapes: list[re.Pattern[str]] = field(default_factory=list)

    def united(self, other: Terms) -> Terms:
        """Return the terms of two attributes that hold the same."""
        return Terms(
            self.values | other.values,
            self.symbols | other.symbols,
            self.words | other.words,
            [*self.shapes, *other.shapes],
        )

    def hold(self, value: str) -> bool:
        """Whether a whole value is one of the attribute's own."""
        value = value.strip()
        if value.lower() in self.values and (
            len(value) > 2 or value in self.symbols or value.isupper()
        ):
            return True
        return any(shape.match(value) for shape in self.shapes)


NO_TERMS: Final = Terms()


@cache
def attribute_terms() -> dict[int, Terms]:
    """Return the terms of attributes that have some of their own, by tag."""
    found: dict[int, Terms] = {}
    for row in _rows("printed_terms.csv"):
        if row["tag"]:
            terms = found.setdefault(int(row["tag"], 16), Terms())
            _add(terms.values, terms, row["terms"].split(";"))
    for row in _rows("defined_terms.csv"):
        terms = found.setdefault(int(row["tag"], 16), Terms())
        if row["kind"] == "shape":
            terms.shapes.append(re.compile(rf"(?:{row['terms']})\Z"))
        else:
            words = terms.values if row["kind"] == "value" else terms.words
            _add(words, terms, row["terms"].split(";"))
    for one, other in _ALIKE:
        found[one] = found[other] = found[one].united(found[other])
    return found


def _add(words: set[str], terms: Terms, listed: list[str]) -> None:
    words.update(map(str.lower, listed))
    terms.symbols.update(term for term in listed if len(term) <= _LONGEST_SYMBOL)


@cache
def code_strings() -> frozenset[str]:
    """Return the terms that the standard prints for any code string, but those with a listed name in them.

    Which attribute some of them belong to is not recorded; a code string that is one of them was chosen
    from a list and not typed. Applicators that are called after their inventors stay in their attribute only.
    """
    rows = list(_rows("printed_terms.csv"))
    terms = {term for row in rows for term in row["terms"].split(";") if term.isupper()}
    inventors = {
        term
        for row in rows
        if row["tag"] == _APPLICATORS
        for term in row["terms"].split(";")
        if not vocabulary().issuperset(_parts(term))
    }
    return frozenset(
        term for term in terms - inventors if not listed_names().intersection(_parts(term))
    )


def _parts(term: str) -> list[str]:
    return re.split(r"[ _]", term.lower())


def is_printed(tag: int, vr: str, value: str) -> bool:
    """Whether a value is a term that the standard or a maker prints for its attribute, or for code strings."""
    terms = attribute_terms().get(tag)
    if terms is not None and terms.hold(value):
        return True
    return vr == "CS" and value.strip() in code_strings()


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = (files("deid.tables") / name).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())
