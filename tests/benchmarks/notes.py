"""What of marked notes goes and stays: ``python -m tests.benchmarks.notes`` prints both halves.

Ages in words, days without a year, families with everyday names: what must go stands in braces, all else must
stay. ``--misses`` lists what the tuning half kept or lost.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from typing import NamedTuple

from deid.identity.keys import SiteKey
from deid.identity.shifts import Shift
from deid.text.cleaning import TextCleaning
from deid.text.policy import TextPolicy
from tests.phrases import FOLDER, HALVES

KEY = SiteKey(bytes(range(32)))
CLEANER = TextCleaning(TextPolicy(basic=True), KEY)
_MARKED = re.compile(r"\{([^}]*)\}")
_WORD = re.compile(r"[^\W_]+(?:[/.'\u2019-][^\W_]+)*")


class Note(NamedTuple):
    """A sentence: what must go, and what must stay."""

    text: str
    going: tuple[str, ...]
    staying: tuple[str, ...]


class Result(NamedTuple):
    """What was left of what must go, what was lost of what must stay, and the text as cleaned."""

    left: tuple[str, ...]
    lost: tuple[str, ...]
    text: str


def notes(half: str) -> dict[str, list[Note]]:
    """Return the notes of a half by kind."""
    found: dict[str, list[Note]] = {}
    kind = ""
    for line in (FOLDER / f"notes_{half}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            kind = line.removeprefix("#").strip()
        elif line.strip():
            outside = _WORD.findall(_MARKED.sub(" ", line))
            note = Note(_MARKED.sub(r"\1", line), tuple(_MARKED.findall(line)), tuple(outside))
            found.setdefault(kind, []).append(note)
    return found


def result(note: Note) -> Result:
    """Clean a note as free text is cleaned where nothing is said but BASIC, and nothing known."""
    text = CLEANER.clean(note.text, (), shift=Shift(10)).text
    left = [each for each in note.going if re.search(rf"(?<!\w){re.escape(each)}(?![\w+])", text)]
    lost = Counter(note.staying) - Counter(_WORD.findall(text))
    return Result(tuple(left), tuple(lost), text)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--misses", action="store_true")
    options = parser.parse_args()
    for half in HALVES:
        for kind, listed in notes(half).items():
            results = [result(note) for note in listed]
            going = sum(len(note.going) for note in listed)
            found = going - sum(len(each.left) for each in results)
            damaged = sum(bool(each.lost) for each in results)
            print(
                f"{half:9} {kind:34} {found:4} of {going:4} found ({found / going:6.1%}),"
                f" {damaged:3} of {len(listed):3} damaged ({damaged / len(listed):.1%})"
            )
            if options.misses and (half == "tuning" or options.misses):
                for each in results:
                    if each.left or each.lost:
                        print(f"   left {each.left}, lost {each.lost}: {each.text!r}")


if __name__ == "__main__":
    main()
