"""Word lists and their reading; what each list is stands in README.md."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from deid.text.folding import spellings


def read_lines(name: str) -> list[str]:
    """Return the lines of a list; those that begin with ``#`` are headings."""
    return (files("deid.text.words") / name).read_text(encoding="utf-8").splitlines()


@cache
def read_words(name: str) -> frozenset[str]:
    """Return the folded spellings of the words of a list such as ``given_names.txt``."""
    lines = (line for line in read_lines(name) if not line.startswith("#"))
    return frozenset(each for line in lines for word in line.split() for each in spellings(word))
