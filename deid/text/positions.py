"""Positions on the globe, in degrees as devices and people write them.

Two decimals side by side are none by themselves: spacings, offsets and sizes are written so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from deid.text.findings import PATTERN, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS: Final = r"\d{1,2}(?:[.,]\d{1,6})?\s?(?:\"|''|[\u2033\u201d\u2019]{1,2})"
_MINUTES: Final = rf"\d{{1,2}}(?:[.,]\d{{1,6}})?\s?['\u2032\u2019](?:\s?{_SECONDS})?"
_DEGREES: Final = rf"\d{{1,3}}(?:[.,]\d{{1,8}})?\s?[°º](?:\s?{_MINUTES})?"
"""48°08'14", 48° 8.233', 48.1374°."""
_PLAIN: Final = r"(?:\d{1,3}[.,]\d{3,8}°?|\d{1,3}[ ]\d{2}[ ]\d{2}(?:[.,]\d{1,6})?)"
"""Without signs: many decimals, or minutes and seconds: 48.1374, 48 08 14."""
_BETWEEN: Final = r"\s?[,;/]?\s{0,2}"
_NORTH, _EAST = "[NS]", "[EWO]"
_FRACTION: Final = r"[+-]?\d{1,3}[.,]\d{2,8}°?"
_POSITIONS: Final = tuple(
    re.compile(form)
    for form in (
        # 48°08'14"N 11°34'31"E, N 48.1374 E 11.5755: both say where they are counted from
        *(
            form
            for each in (_DEGREES, _PLAIN)
            for form in (
                rf"(?<![\w.,]){each}\s?{_NORTH}{_BETWEEN}{each}\s?{_EAST}(?![^\W_])",
                rf"(?<![\w.,]){_NORTH}\s?{each}{_BETWEEN}{_EAST}\s?{each}(?![\w])",
            )
        ),
        # GPS 48.137, 11.575; geo:48.1374,11.5755
        rf"(?<![^\W_])(?i:gps|geo)[\s:=]{{1,3}}(?P<at>{_FRACTION}\s?[,;/ ]\s?{_FRACTION})(?!\w)",
        # lat 48.1374 lon 11.5755: lateral, too, but not beside a longitude
        rf"(?<![^\W_])(?i:lat(?:itude)?)[\s:=]{{1,3}}(?P<at>{_FRACTION}[\s,;/]{{1,3}}(?i:lon(?:g|gitude)?|lng)[\s:=]{{1,3}}{_FRACTION})(?!\w)",
        # +48.1374+011.5755/ (ISO 6709)
        r"(?<![\w.,])[+-]\d{2}\.\d{3,8}[+-][01]\d{2}\.\d{3,8}(?!\w)",
    )
)
_HINT: Final = re.compile(r"\d[.,]\d{2}|[°º]|\d \d\d \d\d")


def find(text: str) -> Iterator[Finding]:
    """Yield positions on the globe."""
    if not _HINT.search(text):
        return
    for pattern in _POSITIONS:
        for match in pattern.finditer(text):
            span = match.span("at" if "at" in pattern.groupindex else 0)
            yield Finding(*span, "LOCATION", PATTERN)
