"""What was measured, as a table for people and JSON for programs."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from daemon.cli.output import print_line, print_table
from tests.benchmarks.measure import median

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(slots=True)
class Contender:
    """One program's figures for one kind of work, a value for each round.

    Attributes
    ----------
    is_ours
        Ours are compared with each of the others.
    notes
        Whatever else was seen, such as memory, by name.
    """

    name: str
    is_ours: bool = False
    values: list[float] = field(default_factory=list)
    notes: dict[str, float] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return median(self.values)


@dataclass(slots=True)
class Row:
    """One kind of work and who did it.

    Attributes
    ----------
    unit
        Of the values; `more_is_better` says which way to read them.
    goal
        What the design asks, in words.
    """

    work: str
    unit: str
    goal: str
    more_is_better: bool = False
    contenders: list[Contender] = field(default_factory=list)

    def contender(self, name: str, *, is_ours: bool = False) -> Contender:
        """Return the contender of that name, adding it when it is new."""
        for one in self.contenders:
            if one.name == name:
                return one
        self.contenders.append(Contender(name, is_ours))
        return self.contenders[-1]

    def ratios(self) -> list[tuple[str, str, float]]:
        """Return (ours, reference, median over rounds of ours divided by the reference)."""
        found = []
        for ours in (one for one in self.contenders if one.is_ours):
            for other in (one for one in self.contenders if not one.is_ours):
                pairs = zip(ours.values, other.values, strict=False)
                ratio = median([mine / theirs for mine, theirs in pairs if theirs])
                found.append((ours.name, other.name, ratio))
        return found


def show(rows: list[Row]) -> None:
    """Print the tables."""
    for row in rows:
        print_line()
        print_table(
            ("who", row.unit, "rounds", "notes"),
            [
                (
                    one.name,
                    f"{one.value:.3g}" if one.values else "not measured",
                    len(one.values),
                    ", ".join(f"{name} {value:.3g}" for name, value in one.notes.items()),
                )
                for one in row.contenders
            ],
            title=f"{row.work} (goal: {row.goal})",
        )
        for mine, theirs, ratio in row.ratios():
            print_line(f"    {mine} / {theirs} = {ratio:.3g}")


def save(rows: list[Row], path: Path) -> None:
    """Write everything as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "machine": f"{platform.machine()} {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_average_1_min": os.getloadavg()[0],
        "rows": [
            {**asdict(row), "medians": {one.name: one.value for one in row.contenders},
             "ratios": [list(ratio) for ratio in row.ratios()]}
            for row in rows
        ],
    }  # fmt: skip
    path.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
