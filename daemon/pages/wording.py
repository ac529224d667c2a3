"""How templates write numbers, times, and what others have written."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup, escape

_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_STEP: Final = 1000
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400
# What turns text round, or is not seen: controls, overrides and isolates of direction, spaces without
# width, tags. Marks that scripts are written with (joiners, marks of direction) stay.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def instant(timestamp: float) -> str:
    """Return a point in time, in UTC, by the second."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def size(count: float) -> str:
    """Return so many bytes with three digits at most."""
    for unit in _UNITS:
        if count < _STEP or unit == _UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= _STEP
    raise AssertionError


def duration(seconds: float) -> str:
    """Return how long, in its largest unit and the one below."""
    whole = int(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"
    return f"{whole // _DAY_S} d {whole % _DAY_S // _HOUR_S} h"


def seen(value: object) -> object:
    """Return a text in which everything is seen where it stands; all else as it is.

    A header may hold characters that show the rest of a line in another order, or nothing at all. Whoever
    decides by what a page shows has to see them, as ``[U+202E]``.
    """
    return seen_text(value) if type(value) is str else value


def seen_text(text: str) -> str:
    """Return the same of a text, such as JSON: what is put in needs no escape there."""
    return _UNSEEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def marked(text: str) -> Markup:
    """Return a sentence with what stands between backticks as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if position % 2 else escape(part)
        for position, part in enumerate(parts)
    )


def rate(per_second: float) -> str:
    """Return a rate with as many digits as say something."""
    return f"{per_second:.0f}" if per_second >= 10 else f"{per_second:.2f}".rstrip("0").rstrip(".")
