"""Word lists and their reading; what each list is stands in README.md."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from deid.text.folding import fold


@cache
def read_words(name: str) -> frozenset[str]:
    """Return the folded words of a list such as ``given_names.txt``."""
    text = (files("deid.text.words") / name).read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return frozenset(fold(word) for line in lines for word in line.split())
