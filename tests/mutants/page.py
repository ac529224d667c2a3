"""The page about the breaks, written from the list. ``make reference`` writes it; a test compares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.mutants.breaks import ROOT, breaks, promises

if TYPE_CHECKING:
    from tests.mutants.breaks import Break

PAGE: Final = ROOT / "docs" / "mutations.md"
_INTRODUCTION = """\
# Breaks that tests must see

Each line is a change to the code that undoes a part of a promise, and the test that fails when it is made.
`make mutants` makes them one at a time in a copy of the tree, runs the tests named and no others, and prints
the breaks that survive; it fails when there is any. The list is `tests/mutants/breaks.toml`, with the exact
text that goes and the text that comes; this page is written from it by `make reference`. A test fails when a
line of the list no longer fits the code: who changes the code takes the line along. All of it takes about forty
minutes on two cores, in one go or in several (`python -m tests.mutants --part 1/6`).

Two guards stand behind each other in some places, so that the loss of one is seen only by what it does beside:
a copy's short write (the error's number tells), a file held open (it must not even be renamed for a moment).
Where it does nothing beside, it is not listed: pixels behind a higher tag are refused as malformed before
anybody asks whether they were examined, and unused bits are looked for before samples that end above Bits
Stored are compared.
"""


def page() -> str:
    """Return the whole page."""
    parts = [_INTRODUCTION]
    for number, promise in enumerate(promises(), start=1):
        rows = [_row(each) for each in breaks() if each.promise == number]
        head = ["| File | Break | Caught by |", "|---|---|---|"]
        parts.append("\n".join([f"## {promise}", "", *head, *rows, ""]))
    return "\n".join(parts)


def _row(one: Break) -> str:
    files = dict.fromkeys(test.partition("::")[0] for test in one.tests)
    caught_by = ", ".join(f"`{file}`" for file in files)
    return f"| `{one.file}` | {one.says.replace('|', chr(92) + '|')} | {caught_by} |"


if __name__ == "__main__":
    PAGE.write_text(page())
