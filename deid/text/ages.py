"""Ages in words, and numbers that only what stands beside them makes an age, of people over 89.

Numbers with a unit (``93 years old``) are among the patterns of `deid.text.patterns`.
"""

# ruff: noqa: E501 - a pattern reads worse broken over lines, and holds letters of other scripts

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from deid.text.findings import PATTERN, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

_TENS: Final = r"(?:ninety|(?:one|a)\s?hundred)"
_DIGIT: Final = r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_ORDINAL: Final = r"(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)"
_ENGLISH: Final = rf"{_TENS}(?:(?:\sand)?[\s-]{{1,2}}{_DIGIT})?"
_GERMAN: Final = r"(?:(?:ein|zwei|drei|vier|f(?:ü|ue)nf|sechs|sieben|acht|neun)und)?neunzig|(?:ein)?hundert(?:(?:und)?(?:eins?|zwei|drei|vier|f(?:ü|ue)nf))?"
_FRENCH: Final = (
    r"quatre[\s-]vingt[\s-](?:dix(?:[\s-](?:sept|huit|neuf))?|onze|douze|treize|quatorze|quinze|seize)"
    r"|nonante(?:[\s-](?:et[\s-]un|deux|trois|quatre|cinq|six|sept|huit|neuf))?|cent(?:[\s-](?:un|deux|trois|quatre|cinq))?"
)
_SPANISH: Final = r"noventa(?:\sy\s(?:un[oa]?|dos|tres|cuatro|cinco|seis|siete|ocho|nueve))?|cien(?:to\s(?:un[oa]?|dos|tres|cuatro|cinco))?"
_PORTUGUESE: Final = r"noventa(?:\se\s(?:uma?|dois|duas|tr[eê]s|quatro|cinco|seis|sete|oito|nove))?|cem|cento\se\s(?:uma?|dois|duas|tr[eê]s|quatro|cinco)"
_ITALIAN: Final = r"novanta(?:due|tr[eé]|quattro|cinque|sei|sette)?|novant(?:uno|otto|anove)|cento(?:uno|due|tr[eé]|quattro|cinque)?"
_DUTCH: Final = r"(?:(?:een|twee|drie|vier|vijf|zes|zeven|acht|negen)(?:en|ën))?negentig|honderd(?:(?:en)?(?:een|twee|drie|vier|vijf))?"
_POLISH: Final = r"dziewi[eę][cć]dziesi[aą]t(?:\s(?:jeden|dwa|trzy|cztery|pi[eę][cć]|sze[sś][cć]|siedem|osiem|dziewi[eę][cć]))?"
_SWEDISH: Final = r"nittio(?:en|ett|två|tre|fyra|fem|sex|sju|åtta|nio)?|hundra(?:en|ett|två|tre)?"
_DANISH: Final = r"(?:(?:en|to|tre|fire|fem|seks|syv|otte|ni)og)?halvfems"

_WORD: Final = (
    (_GERMAN, r"[\s-]?(?:jährige?[rsnm]?|jaehrige?[rsnm]?)|\sjahren?\b"),
    (_FRENCH, r"\sans\b"),
    (_SPANISH, r"\sa[ñn]os\b"),
    (_PORTUGUESE, r"\sanos\b"),
    (_ITALIAN, r"\sanni\b"),
    (_DUTCH, r"[\s-]?jarige?\b|\sjaar\b"),
    (_POLISH, r"\slata?\b"),
    (_SWEDISH, r"[\s-]?åring\w?\b|[\s-]?årige?\b|\sår\b"),
    (_DANISH, r"[\s-]?årige?\b|\sår\b"),
)
"""Numbers from 90 on, and what behind one makes it an age."""
_NUMBER: Final = r"(?:9\d|1[01]\d)"
_NO_MEASURE: Final = (
    r"(?![\w./%°-]*\d|\s?(?:mm|cm|ml|mg|µg|ug|kg|g|deg|degrees?|%|percent|per\scent|bpm|/min|mmhg|hu|kv|ma|ms|hz|slices?|images?|minutes?|min|hours?"
    r"|seconds?|s|days?|weeks?|months?|beats|cases|patients|points?|of)\b)"
)
_SOMEBODY: Final = (
    r"(?:s?he|patient(?:in)?|pt|mother|father|mum|mom|dad|grandmother|grandfather|grandma|grandpa|aunt|uncle|husband|wife|sister|brother|lady|gentleman|woman|man"
    r"|m[uo]tter|vater|er|sie|oma|opa|il|elle)"
)
_IN_WORDS: Final = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        # turned ninety-three, at the age of ninety-seven, she is ninety four, her ninety-fifth birthday
        rf"\b(?:turn(?:ed|s|ing)|aged?(?:\sof)?|is|was|be(?:come[s]?|coming)?|at|nearly|almost|just|reach(?:ed|es|ing))\s(?:now\s)?(?P<age>{_ENGLISH}){_NO_MEASURE}(?![\w-])",
        rf"\b(?P<age>{_ENGLISH})[\s-]{{1,2}}(?:years?|yrs?)(?:[\s-]{{1,2}}old|\sof\sage|\syoung)\b",
        rf"\b(?P<age>(?:{_TENS}[\s-]{{1,2}}{_ORDINAL}|ninetieth|(?:one\s)?hundredth|{_NUMBER}(?:st|nd|rd|th)))(?=\s(?:birthday|birth\sday|year\sof\s(?:life|age)))",
        rf"\b(?P<age>{_NUMBER})(?=(?:\.|ste[nr]?|e|ème|er|º|[oª°])?\s(?:geburtstag|lebensjahr|anniversaire|cumplea[ñn]os|compleanno|anivers[áa]rio|verjaardag|urodzin\w*))",
        # in her mid nineties
        r"\b(?:in|into|entering|of)\s(?:his|her|their|the|my)\s(?:(?:early|mid|late)[\s-])?(?P<age>nineties|90['\u2019]?s)\b",
        # nonagenarian
        (
            r"(?<!\w)(?P<age>non[ao]genarian|(?:super|semi)?centenarian|nonag[ée]naires?|centenaires?|nonagenari[oa]s?|centenari[oa]s?|(?:ultra)?novantenn[ei]|ultracentenari[oa]"
            r"|neunzigerin|hundertj(?:ä|ae)hrige?[rn]?|neunziger(?=in|\b))(?!\w)"
        ),
        # his mother died at 96, she is 94 and frail
        rf"\b{_SOMEBODY}\s(?:is|was|will\sbe|turned|ist|war|wird|wurde|[ae]st|a|had)\s(?:(?:now|nearly|almost|already|over|jetzt|bereits|schon|über)\s)?(?P<age>{_NUMBER})(?=[.,;!?)]|\s(?:and|with|who|but|now|living|lives|years?|jahre|ans|und|mit|et)\b|$){_NO_MEASURE}",
        rf"\b(?:died|deceased|passed(?:\saway)?|lived)\s(?:at|to|aged)\s(?:be\s)?(?:age\s|the\sage\sof\s)?(?P<age>{_NUMBER})(?=\sof\b|[\s,.;)]|$)(?!\s?(?:days?|weeks?|months?|minutes?|hours?|%|mm|percent))",
    )
) + tuple(
    re.compile(rf"(?<!\w)(?P<age>{number})(?={behind})", re.IGNORECASE) for number, behind in _WORD
)
_BESIDE_A_SEX: Final = tuple(
    re.compile(form)
    for form in (
        # F/92; not W/100, a window
        rf"(?<![\w/.])[FM]\s?/\s?(?P<age>{_NUMBER})(?![\w./%°-]*\d|\s?[a-zµ%°])(?!\w)",
        # W 92J, m, 94 J., F92Y
        rf"(?<![\w/.])[FMWKfmwk][\s,/]{{0,2}}(?P<age>{_NUMBER})(?=\s?(?:J(?:hr)?|Y)(?![^\W_]))",
        # 92 J. w, 92J/m
        rf"(?<![\w/.,])(?P<age>{_NUMBER})(?=\s?J(?:hr)?\.?[\s,/]{{0,2}}[FMWKfmwk](?![\w/]))",
        # ♀ 92, 92 ♂, 女/92, 92男
        rf"[♀♂女男][性]?[\s,/、]{{0,2}}(?P<age>{_NUMBER})(?![\w./%-]*\d)",
        rf"(?<![\w/.,])(?P<age>{_NUMBER})(?=[\s,/、]{{0,2}}[♀♂女男])",
        # 92 года
        rf"(?<![\w/.,])(?P<age>{_NUMBER})(?=\s?года?(?![^\W_]))",
    )
)
"""What a letter or sign of a sex stands beside. Joules, ratios and turns have none."""
_HINT: Final = re.compile(
    r"9\d|1[01]\d|nine?t|hundre?[dta]|neunzig|vingt|nonant|cent|noventa|cem\b|cien|novant|negentig|honderd|dziewi|nittio|halvfems|nonagen|non[ao]gen",
    re.IGNORECASE,
)


def find(text: str) -> Iterator[Finding]:
    """Yield ages over 89 that are written in words, or that their company makes ages."""
    if not _HINT.search(text):
        return
    for pattern in (*_IN_WORDS, *_BESIDE_A_SEX):
        for match in pattern.finditer(text):
            yield Finding(*match.span("age"), "AGE", PATTERN)
