"""What the engine makes of the sample corpus, as digests: ``python -m tests.digests`` writes them anew.

Rebuilding the house must not change a byte. A change that is meant to change outputs writes the table again
and names in its commit which lines changed and why.

Every hiding place runs under every preset without looking at pixels. Every demonstration instance runs under
every preset, too, and once with pixels cleaned by a detector that finds the same box in each picture: so that
decoding, filling and writing are covered, and not what a model's arithmetic gives on one processor.
"""

from __future__ import annotations

import csv
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import deid
from config import presets
from deid.pixels.geometry import Box
from deid.pixels.ports import TextRegion
from tests.adversarial.corpus import corpus
from tests.adversarial.running import KEY, Made, Refused, everything_made, made_of, plan_of
from tests.factories import demonstration_instances, encoded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deid.pixels.ports import Picture
    from tests.adversarial.corpus import HidingPlace

TABLE: Final = Path(__file__).parent / "digests.csv"
PRESETS: Final = ("basic", "minimal", "research", "keep_all_pixels_only", "tag_contents")
SHARED: Final = ("basic", "minimal", "research")
COLUMNS: Final = ("instance", *PRESETS, "pixels")


class _OneBox:
    """Finds the same box in each picture."""

    def find(
        self, pictures: Sequence[Picture], *, needs_reading: bool = True
    ) -> list[list[TextRegion]]:
        return [[TextRegion(Box(4, 4, 24, 10), 1.0, "words", 1.0)] for _ in pictures]


def table() -> list[dict[str, str]]:
    """Return a row for each instance: its name, and a digest or a reason by preset."""
    plans = {preset: plan_of(preset) for preset in PRESETS}
    rows = [
        {"instance": place.id, **_row_of(place, plans), "pixels": ""}
        for place in corpus()
        if not place.family.endswith("-in-disguise")
    ]
    pixels = _pixel_plan()
    for number, (kind, source) in enumerate(_demonstration(), start=1):
        row = {preset: _digest(made_of(source, plan)) for preset, plan in plans.items()}
        rows.append(
            {
                "instance": f"demonstration/{number:02d} {kind}",
                **row,
                "pixels": _digest(made_of(source, pixels)),
            }
        )
    return rows


def written() -> list[dict[str, str]]:
    """Return the table as it was written."""
    with TABLE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _demonstration() -> Iterator[tuple[str, bytes]]:
    for each in demonstration_instances():
        yield each.kind, encoded(each.dataset)


def _pixel_plan() -> deid.Plan:
    engines = deid.Engines(detector=_OneBox)
    return deid.compile_plan(presets.resolve("research"), KEY, engines=engines)


def _row_of(place: HidingPlace, plans: dict[str, deid.Plan]) -> dict[str, str]:
    """Return digests by preset; what others ask of every place, too, is made once in a process."""
    return {
        preset: _digest(
            everything_made(preset)[place.id] if preset in SHARED else made_of(place.content, plan)
        )
        for preset, plan in plans.items()
    }


def _digest(made: Made | Refused) -> str:
    """Return the digest of file and outcome, or the reason why there is none."""
    if isinstance(made, Refused):
        return f"{made.reason} {made.where}".strip()
    return hashlib.sha256(made.content + made.told).hexdigest()[:16]


def main() -> int:
    """Write the table."""
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
