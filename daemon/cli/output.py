"""Output for people (tables on a terminal, plain columns in a pipe) and for programs (JSON).

What is printed may come from senders (AE titles, peers): it is never interpreted as markup, and
control characters are replaced, so that nobody writes escape sequences to an operator's terminal.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_UNITS = ("B", "kB", "MB", "GB", "TB")


def print_json(value: Any, stream: TextIO | None = None) -> None:
    """Print one JSON document."""
    (stream or sys.stdout).write(json.dumps(value, indent=2) + "\n")


def print_line(text: str = "", stream: TextIO | None = None) -> None:
    """Print one line of text."""
    (stream or sys.stdout).write(printable(text) + "\n")


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    title: str = "",
    stream: TextIO | None = None,
) -> None:
    """Print a table: drawn on a terminal, else columns of text with a heading line.

    Parameters
    ----------
    columns
        Headings; a column whose cells are all numbers is set to the right. A table without rows is
        printed only if it has no title: a list that is empty says so by its headings alone.
    rows
        Cells; numbers stay numbers, None is empty.
    """
    if title and not rows:
        return
    stream = stream or sys.stdout
    cells = [[_cell(cell) for cell in row] for row in rows]
    right = [
        all(isinstance(row[index], (int, float)) for row in rows) for index in range(len(columns))
    ]
    if stream.isatty():
        _draw(columns, cells, right, title, stream)
    else:
        _align(columns, cells, right, title, stream)


def _draw(
    columns: Sequence[str],
    cells: Sequence[Sequence[str]],
    right: Sequence[bool],
    title: str,
    stream: TextIO,
) -> None:
    from rich import box  # noqa: PLC0415 - only a terminal needs it
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(
        title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD
    )
    for name, is_right in zip(columns, right, strict=True):
        table.add_column(Text(name), justify="right" if is_right else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    Console(file=stream).print(table)


def _align(
    columns: Sequence[str],
    cells: Sequence[Sequence[str]],
    right: Sequence[bool],
    title: str,
    stream: TextIO,
) -> None:
    lines = [list(columns), *cells]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    if title:
        stream.write(f"{title}:\n")
    for line in lines:
        padded = (
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(line, widths, right, strict=True)
        )
        stream.write("  ".join(padded).rstrip() + "\n")


def printable(text: str) -> str:
    """Return text that cannot steer a terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _cell(value: object) -> str:
    return "" if value is None else printable(str(value))


def size(count: int) -> str:
    """Return bytes in decimal units, as ``12.3 MB``."""
    amount = float(count)
    for unit in _UNITS[:-1]:
        if amount < 1000:
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} {_UNITS[-1]}"


def duration(seconds: float) -> str:
    """Return a time span in its two largest units, as ``3 h 12 min``."""
    if 0 < seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    parts = [
        (whole // 86_400, "d"),
        (whole // 3600 % 24, "h"),
        (whole // 60 % 60, "min"),
        (whole % 60, "s"),
    ]
    largest = next((at for at, (count, _) in enumerate(parts) if count), len(parts) - 1)
    told = [f"{count} {unit}" for count, unit in parts[largest : largest + 2] if count]
    return " ".join(told) or "0 s"
