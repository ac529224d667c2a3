"""The names of months, in the languages that dates are read in."""

from __future__ import annotations

import csv
from importlib.resources import files
from typing import Final

from deid.text.folding import fold


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
