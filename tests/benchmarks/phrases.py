"""What of phrases that must stay is damaged: ``python -m tests.benchmarks.phrases`` prints both halves.

``--losses`` lists what of the tuning half was lost, and into what it was made.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from deid.identity.keys import SiteKey
from deid.identity.shifts import Shift
from deid.text.cleaning import TextCleaning
from deid.text.info_types import INFO_TYPES
from deid.text.policy import InfoTypeTransformation, TextPolicy, Transformation
from tests.phrases import HALVES, phrases

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = SiteKey(bytes(range(32)))


def damaged(half: str, *, strict: bool = True) -> dict[str, list[tuple[str, str]]]:
    """Return, by language, the phrases that do not stay as they are, and what they become."""
    redact = InfoTypeTransformation(Transformation.REDACT, frozenset(INFO_TYPES) - {"AGE"})
    cleaner = TextCleaning(TextPolicy((redact,), strict=strict), KEY)
    found: dict[str, list[tuple[str, str]]] = {}
    for language, listed in phrases(half).items():
        cleaned = ((each, cleaner.clean(each, (), shift=Shift(10)).text) for each in listed)
        found[language] = [(each, text) for each, text in cleaned if text != each]
    return found


def rows(half: str) -> Iterator[tuple[str, int, int]]:
    """Yield language, number of phrases and how many are damaged."""
    lost = damaged(half)
    for language, listed in phrases(half).items():
        yield language, len(listed), len(lost[language])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--losses", action="store_true")
    options = parser.parse_args()
    for half in HALVES:
        table = list(rows(half))
        total, lost = sum(row[1] for row in table), sum(row[2] for row in table)
        print(f"{half}: {lost} of {total} damaged ({lost / total:.1%})")
        for language, count, damage in table:
            print(f"  {language:10} {damage:4} of {count}")
    if options.losses:
        for listed in damaged("tuning").values():
            for phrase, text in listed:
                print(f"{phrase!r} -> {text!r}")


if __name__ == "__main__":
    main()
