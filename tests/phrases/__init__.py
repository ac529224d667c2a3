"""Phrases that consoles write: names of protocols and descriptions, which tell of nobody and must stay.

Written for this project after what devices of many makers write, in five languages. The one half was looked at
while the rules were written (``tuning.txt``), the other was only ever measured (``held_out.txt``). A line that
begins with ``#`` names the language of those below it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
HALVES: Final = ("tuning", "held_out")


def phrases(half: str) -> dict[str, list[str]]:
    """Return the phrases of a half by language."""
    found: dict[str, list[str]] = {}
    language = ""
    for line in (FOLDER / f"{half}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            language = line.removeprefix("#").strip()
        elif line.strip():
            found.setdefault(language, []).append(line)
    return found
