"""Days and years of birth, by what stands before or behind them in many languages."""

# ruff: noqa: RUF001 - a pattern reads worse broken over lines, and holds letters of other scripts

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from deid.text.findings import PATTERN, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

_CAPITAL: Final = r"[^\W\d_a-z\u00df-\u00f6\u00f8-\u00ff]"
_WORDS: Final = (
    r"n[ée](?:e|\(e\))?|naissance|nacid[oa]|nacimiento|f\.?\s?nac|nascid[oa]|nascimento|nasc\.?|nat[oa]|nascita|geb(?:oren|\.?dat(?:um)?)?|geboortedatum"
    r"|f[öø]dd?t?|f[öø]delse(?:datum|dato)|(?-i:ur\.)|urodz(?:on[aye]|enia)|nar(?:ozena?|ozen[íi])?|synt(?:ynyt|\.)|syntym[äa]aika|sz[üu]l(?:etett|et[ée]si)?|do[ğg]um(?:\starihi)?|d\.t"
    r"|n[ăa]scut[ăa]?|г\.?\s?р|рожд\w*|γεν\w*"
)
_BORN: Final = re.compile(
    rf"(?:\bd\.?\s?o\.?\s?b\b\.?|\bborn\b|\bbirth(?:\s?date|day)?\b|(?<![^\W_])(?:{_WORDS})(?![^\W_])|\bddn\b|\*)"
    rf"[^\w]{{0,4}}(?:(?:(?-i:{_CAPITAL})[\w'\u2019-]{{1,30}},?\s|(?:a|\u00e0|in|en|em|w|ve?|i)\s){{1,4}})?"
    r"(?:(?:on|am|the|le|el|il|de|den|em|op|w|dnia|dne|idej[ée]|p[äa]iv[äa]|date|dato|datum|data|is)\W{1,2}){0,2}$",
    re.IGNORECASE,
)
_BORN_IN: Final = re.compile(
    rf"(?<![^\W_])(?:born|dob|d\.o\.b\.?|(?:birth\s?year|year\s+of\s+birth|yob|jg|jahrg)\.?|(?:geburts)?jahrgang|geburtsjahr|geboortejaar|rocznik|rok\surodzenia|ro[čc]n[íi]k|{_WORDS})"
    r"[\s:.=]{1,3}(?:(?:in|en|nel|im|i|w|v|v\sroce|em|år|year|jahr|roku|vuonna|c\.|ca\.?|circa)\s){0,2}((?:19|20)\d\d)(?![\d./-]?\d)"
    r"|(?<![^\W_])(?-i:YOB|yob|Jg|Jahrg(?:ang)?)\.?[\s:=]{1,3}['\u2019]?(\d\d)(?![\d.,/-]?\d|\s?(?:mm|g|gauge)\b)"
    r"|(?<![\w*])\*(?-i:((?:19|20)\d\d)(?=\s*(?:[),;.]|$)|\s[A-Z]))"
    r"|(?<!\d)((?:19|20)\d\d)(?=\s?(?:г\.?\s?р\.|年生|년\s?생|do[ğg]umlu))",
    re.IGNORECASE,
)
"""A year of birth by what stands before it or behind it."""
_MAY_BE_YEAR: Final = re.compile(
    r"(?:19|20)(?<!\d\d\d)(?<!\d[./-]\d\d)\d\d(?![./-]?\d)|(?:YOB|yob|Jg|Jahrg)"
)
_MOST_BEFORE: Final = 70


def stands_before(text: str, start: int) -> bool:
    """Whether what stands before a day says that somebody was born on it."""
    return _BORN.search(text, max(0, start - _MOST_BEFORE), start) is not None


def years(text: str) -> Iterator[Finding]:
    """Yield years in which somebody was born."""
    if not _MAY_BE_YEAR.search(text):
        return
    for match in _BORN_IN.finditer(text):
        yield Finding(*match.span(match.lastindex or 0), "DATE_OF_BIRTH", PATTERN)
