"""The names of months, in the languages that dates are read in."""

from __future__ import annotations

import csv
import re
from importlib.resources import files
from typing import Final

from deid.text.folding import fold, words


def _month_names() -> dict[str, tuple[list[str], list[str]]]:
    """Return language to its twelve month names and twelve short forms."""
    text = (files("deid.text.words") / "months.csv").read_text(encoding="utf-8")
    names: dict[str, tuple[list[str], list[str]]] = {}
    for row in csv.DictReader(text.splitlines()):
        names.setdefault(row["language"], ([], []))[row["form"] == "short"].extend(
            row["names"].split()
        )
    return names


MONTHS: Final = _month_names()


def _by_name() -> dict[str, list[tuple[str, bool, int]]]:
    """Return folded month names to (language, whether it is a short form, month)."""
    found: dict[str, list[tuple[str, bool, int]]] = {"sept": [("en", True, 9)]}
    for language, forms in MONTHS.items():
        for is_short, listed in enumerate(forms):
            for number, word in enumerate(listed, 1):
                found.setdefault(fold(word), []).append((language, bool(is_short), number))
    return found


MONTHS_BY_NAME: Final = _by_name()

# Months that are other words as well: alone with a day they count only when capitalised, or not at all.
CAPITALISED: Final = frozenset({"may", "march", "mar", "mai"})
_ONLY_WITH_YEAR: Final = words(
    """
    set out ago gen pro led lip sty ara mag lug lis eyl eki kas tem maj mei tra ber sic lut dub haz nis kwi
    sub cze sie gru oca giu ott ene dic abr joulu marta touko elo
    """
)
_CODE: Final = re.compile(
    r"(?:FEV|OCT|SEPT|MARCH)\d(?!\d)(?!(?:st|nd|rd|th)?[\s,]{1,2}(?:19|20)\d\d)"
)
"""What is measured of breath (FEV1) and genes (SEPT9): as short months and days are written by nobody."""


def is_code(text: str, start: int) -> bool:
    """Whether a month's name with a digit joined to it is a test's or a gene's."""
    return _CODE.match(text, start) is not None


def is_another_word(name: str) -> bool:
    """Whether a month's name is another word as well, as it is written."""
    folded = fold(name)
    return folded in _ONLY_WITH_YEAR or (folded in CAPITALISED and not name[0].isupper())
