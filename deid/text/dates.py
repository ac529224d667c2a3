"""Dates as people write them: found in text, and moved by days in the form they were written in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from deid.text.folding import fold
from deid.text.months import CAPITALISED, MONTHS, MONTHS_BY_NAME, is_another_word, is_code

if TYPE_CHECKING:
    from collections.abc import Iterator


_MONTH: Final = r"[^\W\d_]{3,12}"
"""Any word; whether it is a month is looked up."""
_ENDS: Final = r"(?![^\W\d_])"
_YEAR: Final = r"(?P<year>(?:1[89]|20)\d\d|['\u2019]?\d\d)"
_LONG_YEAR: Final = r"(?P<year>(?:1[89]|20)\d\d)"
_DAY: Final = r"(?P<day>0?[1-9]|[12]\d|3[01])"
_MON: Final = r"(?P<month>0?[1-9]|1[0-2])"
_OF: Final = r"(?:\s*(?:of|de|del|d[ei]|den|do)(?![^\W\d_]))?"
_TO: Final = r"\s?(?:-|to|until|till|and|&|bis|und|au|et|al?|y|e|t/m|en|do|i)\s?"
"""Between the two dates of a range."""
_TO_DAY: Final = (
    r"(?:\.?-|\.\s?-\s?|\.?\s(?:to|until|till|and|&|bis|und|au|et|al?|y|e|t/m|en|do|i)\s)"
)
"""Between the two days of a range: closer, as a number alone before a dash may count something else."""
_WEEK: Final = (
    "weeks?|wk|kw|cw|kalenderwoche|woche|semaine|sem|semana|settimana|vecka|uke|uge|viikko"
    "|t\u00fdden"
)
_FEAST: Final = (
    r"christmas|x-?mas|easter|good\sfriday|pentecost|whitsun|thanksgiving|hallowe['\u2019]?en|new\syear(?:['\u2019]?s)?"
    r"|valentine(?:['\u2019]?s)?|boxing|independence|labou?r\sday|epiphany|ascension|ash\swednesday|mardi\sgras|carnival"
    r"|ramadan|eid(?:\sal-?(?:fitr|adha))?|hanukkah|chanukah|passover|pesach|yom\skippur|rosh\shashanah|diwali|holi|vesak"
    r"|weihnachts?(?:en)?|heilig(?:abend|er\sabend)|ostern?|oster|pfingst(?:en)?|silvester|neujahrs?|karfreitag|nikolaus"
    r"|himmelfahrt|fronleichnam|allerheiligen|rosenmontag|no\u00ebl|noel|p\u00e2ques|pentec\u00f4te|toussaint|assomption"
    r"|navidad|nochebuena|nochevieja|pascua|semana\ssanta|natale|pasqua|pasquetta|ferragosto|capodanno|epifania|natal"
    r"|p\u00e1scoa|carnaval|kerst(?:mis)?|pasen|pinksteren|koningsdag|sinterklaas|wielkanoc|wigilia|midsommar|julafton"
    r"|nochevieja|v\u00e1noce|velikonoce"
)
_LONG_YEAR_TOO: Final = r"(?:1[89]|20)\d\d"
_BEFORE_DAY: Final = (
    r"seen|scanned|admitted|discharged|return(?:s|ed|ing)?|visit(?:ed|s)?|came|done|performed|taken|dated|presented|operated|on|since|from|until|till"
    r"|through|thru|by|dated?|before|after|am|vom|seit|bis|le|du|depuis|el|desde|dal|per|(?:study|exam(?:ination)?|scan|prior|film|report|week|wk)\s+of"
    r"|mri|cta?|cxr|x-?rays?|pet(?:[/-]ct)?|mammo(?:gram|graphy)?|echo|labs?|bloods|cultures?|drawn|ended|(?:started|stopped|began|finished|completed|received|took)(?:\s[a-z]+){0,2}|f/?u|follow-?up"
    r"|compar(?:ed|ison)(?:\s+(?:with|to))?|appt|appointment|scheduled|surgery|biopsy|bx|admission|discharge|transferred|dc['\u2019]?d|d/c|due|next|last"
    r"|readmitted|sutures\s(?:out|removed)|verlegt|entlassen|aufgenommen|operiert|op|termin|kontrolle|befund|aufnahme|entlassung|geboren|del|dès|au|em|il|op|den|opname|ontslag"
    r"|ingreso|alta|ricovero|dimissione|entrée|sortie|born|ending|beginning|expire[sd]?|lmp|edd|edc|injury|fell|onset|tomorrow|yesterday|today|collected|received|signed|dictated|faxed|called"
)
"""What a day and month stand behind."""
_LED: Final = re.compile(
    r"(?<!\w)(?:le|du|au|dès|am|vom|ab|bis|el|del|il|em|op|den)\s\Z", re.IGNORECASE
)
"""What makes a day of a month whose name is another word as well: le 3 mai."""
_ORDINALS: Final = frozenset({"st", "nd", "rd", "th"})
_OF_MONTH: Final = re.compile(r"\d(?:st|nd|rd|th)?\sof\s", re.IGNORECASE)
_DATED: Final = re.compile(
    rf"(?<![^\W\d_])(?:{_BEFORE_DAY}|until|till|(?:mon|tues|wednes|thurs|fri|satur|sun)day)(?:\son)?[,.:]?\s\Z",
    re.IGNORECASE,
)
"""What a day stands behind, whose month is in small letters and another word as well."""
_SCORED: Final = re.compile(
    r"(?<![^\W\d_])(?:images?|img|im|series|ser|se|slices?|frames?|fr|nodes?|ln|cores?|levels?|grade|gr|scored?|strength|power|motor|reflex(?:es)?|gcs|glasgow|apgar"
    r"|pain|vas|nrs|bp|pressure|vision|acuity|va|snellen|visus|od|os|ou|rads|wells|nyha|gleason|phase|stage|pages?|part|no|nr|number|ratio|fractions?|fx"
    r"|weeks?|wks?|ga|gestation|step|sets?|reps?|cycles?|course|ranson|curb|mmse|moca|minicog|nihss|ecog|test|items?|scale)[\s:#.(=]{0,3}\Z",
    re.IGNORECASE,
)
"""What points of a scale, and numbers of so many, stand behind."""
_COUNTED: Final = re.compile(
    r"\s?(?:lymph|nodes?|ln|cores?|slices?|images?|mmhg|points?|cases?|patients?|sections?|samples?|biops\w+|weeks?|wks?|months?|days?|hours?"
    r"|fractions?|fx|murmur|systolic|diastolic|strength|power|bilateral(?:ly)?|throughout|vision|kg|lbs?|in\s(?:both|all|the)|tablets?|tabs?|doses?|cups?|packs?"
    r"|amps?|vials?|pills?|cycles?|sessions?|visits?|pain|reflexes|correct|times|strips?|ratio)\b",
    re.IGNORECASE,
)
"""What is counted by so many of so many."""
_ECHO: Final = re.compile(r"(?<![^\W\d_])echo\s\Z", re.IGNORECASE)
_MOST_ECHOES: Final = 4
"""Echoes of one sequence: Echo 1/2 is the first of two, echo 9/21 is a day."""
_SIGHT: Final = re.compile(r"\b(?:vision|visual|acuity|snellen|va|od|os|ou|visus)\b", re.IGNORECASE)
"""What makes six of eighteen how well somebody sees."""
_FORMS: Final = {
    # 12.-15.03.2019, 12 to 15.03.2019: the first day of a range within a month
    "day_of_range": (
        rf"(?<![\w.,/-]){_DAY}(?={_TO_DAY}(?P<until>0?[1-9]|[12]\d|3[01])(?P<sep>[./-]\s?)(?P<month>0?[1-9]|1[0-2])(?P=sep)"
        r"(?P<later>(?:19|20)\d\d|\d\d)(?!\d))"
    ),
    # 12.3.-15.3.2019, 12/03 - 15/03/2019: the first date of a range within a year
    "start_of_range": (
        r"(?<![\d./,-])(?P<one>[0-3]?\d)(?P<sep>[./])(?P<two>[0-3]?\d)(?P<tail>\.?)"
        rf"(?={_TO}[0-3]?\d(?P=sep)[0-3]?\d(?P=sep)(?P<later>(?:19|20)\d\d|\d\d)(?!\d))"
    ),
    # March 12-15, 2019
    "name_range": (
        rf"\b(?P<name>{_MONTH}){_ENDS}\.?\s{_DAY}(?:st|nd|rd|th)?\s?(?:-|to|and|&)\s?(?P<until>[12]?\d|3[01])(?:st|nd|rd|th)?"
        rf"(?:,?\s{_LONG_YEAR})(?!\d)"
    ),
    # 12-15 March 2019: the first day
    "day_before_name": (
        rf"(?<![\w.,/-]){_DAY}(?P<ordinal>st|nd|rd|th)?(?={_TO_DAY}(?P<until>0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th|er|\.)?{_OF}\s?"
        rf"(?P<name>{_MONTH}){_ENDS}\.?{_OF}[\s,]{{0,2}}(?P<later>(?:19|20)\d\d)?)"
    ),
    # 平成31年3月12日, 令和元年5月1日, H31.3.12
    "era": (
        r"(?:(?P<era>明治|大正|昭和|平成|令和|民國|民国|(?<![^\W\d_])(?-i:[SHR])(?=\d{1,2}\s?年))\s?(?P<year>元|\d{1,3})\s?年\s?(?P<month>1[0-2]|0?[1-9])\s?月(?:\s?(?P<day>[12]\d|3[01]|0?[1-9])\s?日)?"
        r"|(?<![\w.])(?P<letter>[SHR])\.?(?P<short>\d{1,2})[./](?P<mon>1[0-2]|0?[1-9])[./](?P<d>[12]\d|3[01]|0?[1-9])(?![\w.]))"
    ),
    # 14/IX/2018, 14.IX.18
    "roman": (
        rf"(?<![\d.]){_DAY}(?P<sep>[/.-]|\.\s)(?P<roman>(?-i:XII|XI|IX|IV|VIII|VII|VI|V|X|III|II|I)|(?-i:xii|xi|ix|iv|viii|vii|vi|v|x|iii|ii|i)(?=[/.-]\s?(?:19|20)\d\d))"
        rf"(?P=sep){_YEAR}(?!\d)"
    ),
    # 12 03 2019, 12_03_2019, 12·03·2019
    "spaced": (
        r"(?<![\d.])(?P<one>[0-3]\d)(?P<sep>[ _·•])(?P<two>[0-3]\d)(?P=sep)(?P<year>(?:19|20)\d\d)(?!\d)"
    ),
    # 2019-02-03, 2019/2/3, 2019.02.03
    "iso": (
        rf"(?<![\d.]){_LONG_YEAR}(?P<sep>\.\s|[-/. ]){_MON}(?P=sep){_DAY}(?=T\d\d|(?![\d])(?!\.\d))"
    ),
    # 20190203, 20190203101530.5
    "compact": (
        r"(?<![\d.])(?P<year>(?:19|20)\d\d)(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])"
        r"(?=\d{6}(?:\.\d+)?(?!\d)|(?![\d])(?!\.\d))"
    ),
    # 3 Feb 2019, 3rd of February, 2019, 03-FEB-19, 3. Februar 2019, 3 de febrero de 2019
    "day_name": (
        rf"(?<![\d.]){_DAY}(?P<ordinal>st|nd|rd|th|er|º|°|\.)?{_OF}[\s./,-]*"
        rf"(?P<name>{_MONTH}){_ENDS}\.?(?:{_OF}[\s./,-]*{_YEAR}(?!\d|:\d))?"
    ),
    # 2019 Feb 3, 2019-FEB-03
    "year_name_day": (
        rf"(?<!\d){_LONG_YEAR}[\s,./-]+(?P<name>{_MONTH}){_ENDS}\.?[\s./-]+(?:the\s)?{_DAY}(?P<ordinal>st|nd|rd|th)?(?!\d)"
    ),
    # Feb 3, 2019; February 3rd
    "name_day": (
        rf"\b(?P<name>{_MONTH}){_ENDS}\.?[\s./-]*{_DAY}(?P<ordinal>st|nd|rd|th|\.)?(?![\d])"
        rf"(?:[\s,/.-]+(?:of\s+)?{_LONG_YEAR}(?!\d))?(?!\s*(?:mm|cm|mg|ml|%))"
    ),
    # February 2019, Feb '19
    "name_year": (
        rf"\b(?P<name>{_MONTH}){_ENDS}\.?{_OF}[\s,./-]*(?P<year>(?:19|20)\d\d|['\u2019]\d\d)(?!\d)"
    ),
    # 3.2.2019, 03/02/19, 3-2-2019, 3. 2. 2019
    "numeric": (
        r"(?<![\d./])(?P<one>[0-3]?\d)(?P<sep>\s?[-/]\s?|\.\s?)(?P<two>[0-3]?\d)(?P=sep)"
        r"(?P<year>(?:1[89]|20)\d\d|['\u2019]?\d\d)(?!\d|[./-]\d)"
    ),
    # 2019年2月3日
    "cjk": (
        r"(?P<year>(?:19|20)\d\d)\s?[年년]\s?(?P<month>1[0-2]|0?[1-9])\s?[月월]"
        r"(?:\s?(?P<day>[12]\d|3[01]|0?[1-9])\s?[日일])?"
    ),
    # 02/2019
    "month_year": rf"(?<![\d./-]){_MON}(?P<sep>[/.-]){_LONG_YEAR}(?![\d/-]|\.\d)",
    # 2019-02
    "year_month": rf"(?<![\d./-]){_LONG_YEAR}(?P<sep>[/-])(?P<month>0[1-9]|1[0-2])(?![\d/-]|\.\d)",
    # 2017 week 34, 2017-W34-5, KW 34/2017, wk34 '17
    "week": (
        rf"(?<![\w.]){_LONG_YEAR}[\s,./-]{{0,3}}(?:{_WEEK})[\s.]{{0,2}}(?:0?[1-9]|[1-4]\d|5[0-3])(?:-[1-7])?(?!\w)"
        rf"|(?<![\w.]){_LONG_YEAR_TOO}-?W(?:0[1-9]|[1-4]\d|5[0-3])(?:-?[1-7])?(?!\w)"
        rf"|(?<!\w)(?:{_WEEK})[\s.]{{0,2}}(?:0?[1-9]|[1-4]\d|5[0-3])[\s,./-]{{1,3}}(?:(?:of|von|de|in|/)\s)?(?:(?:19|20)\d\d|['\u2019]\d\d)(?!\d)"
        r"|(?<!\w)(?:kw|cw)\s?(?:0?[1-9]|[1-4]\d|5[0-3])/\d\d(?![\d/])"
        rf"|(?<![\w.])(?:0?[1-9]|[1-4]\d|5[0-3])(?:st|nd|rd|th|\.|e|\u00aa|a)?\s(?:{_WEEK})[\s,./-]{{1,3}}(?:(?:of|von|de|in)\s)?(?:19|20)\d\d(?!\d)"
    ),
    # Christmas Eve 2017, Ostermontag 2018, 2016 Halloween
    "feast": (
        rf"(?<!\w)(?:{_FEAST})(?:\s?(?:day|eve|monday|sunday|tag|montag|sonntag))?[\s,]{{1,3}}(?:(?:of|in|de)\s)?(?:(?:19|20)\d\d|['\u2019]\d\d)(?!\d)"
        rf"|(?<!\d)(?:19|20)\d\d[\s,/-]{{1,3}}(?:{_FEAST})(?!\w)"
    ),
    # 25th of the 8th 2017, day 237 of 2017
    "counted": (
        r"(?<!\d)\d{1,2}(?:st|nd|rd|th)\W{1,3}(?:of\W)?(?:the\W)?\d{1,2}(?:st|nd|rd|th)?\W{1,3}(?:19|20)\d\d(?!\d)"
        r"|(?<!\w)day\W{1,2}\d{1,3}\W{1,2}(?:of|in|/)\W?(?:19|20)\d\d(?!\d)"
    ),
    # 25|08|2017, 25*8*2017, 2017~08~25
    "apart": (
        r"(?<![\w.])(?:0?[1-9]|[12]\d|3[01])(?P<sep>\s?[|*~:;\\#+]\s?)(?:0?[1-9]|[12]\d|3[01])(?P=sep)(?:19|20)\d\d(?!\w|\s?(?:mm|cm|ms|pixels?)\b)"
        r"|(?<![\w.])(?:19|20)\d\d(?P<mark>\s?[_|*~;\\#+]\s?)(?:0?[1-9]|1[0-2])(?P=mark)(?:0?[1-9]|[12]\d|3[01])(?!\w|\s?(?:mm|cm|ms|pixels?)\b)"
    ),
    # on 3/2, since 3.2., MRI 9/8
    "bare": (
        rf"\b(?:{_BEFORE_DAY})(?:\s(?:for|on|in|at|from|to|was|is|am|le|du|el|del))?(?:\s?:)?\s+(?P<date>(?P<one>[0-3]?\d)(?P<sep>[/.])(?P<two>[0-3]?\d)(?P<tail>\.?))(?![\d/%])"
        r"(?!\.\d|\s*(?:mm|cm|of\b))"
    ),
    # 2/17, 11/23: few scores have so many points
    "bare_far": (
        r"(?<![\w/.,+-])(?P<one>0?[1-9]|1[0-2])(?P<sep>/)(?P<two>1[3-9]|2\d|3[01])(?P<tail>)(?![\w/%])(?!\.\d|-\d|\s*(?:mm|cm|of\b))"
    ),
    # 2/17 and 2/19: what follows a day is one
    "bare_next": (
        r"(?<=\d)(?:\s?(?:,|and|&|und|et|y|e|-|to|bis|until|then)\s?){1,2}(?P<date>(?P<one>[0-3]?\d)(?P<sep>[/.])(?P<two>[0-3]?\d)(?P<tail>\.?))"
        r"(?![\d/%])(?!\.\d|\s*(?:mm|cm|of\b))"
    ),
}
_PATTERNS: Final = {name: re.compile(form, re.IGNORECASE) for name, form in _FORMS.items()}
_NAMED: Final = frozenset(
    {"day_name", "year_name_day", "name_day", "name_year", "name_range", "day_before_name"}
)
_NOT_MOVED: Final = frozenset({"week", "feast", "apart", "counted"})
"""Forms that become their kind: moved by days, a week or a feast would be none."""
_BARE: Final = frozenset({"bare", "bare_far", "bare_next"})
_ORDERED: Final = {"start_of_range": "numeric"}
"""Forms whose day and month stand in the order of another form's in the same text."""
_HAS_NUMERIC: Final = re.compile(
    r"\d[\s./_·•|*~:;\\#+-]{1,3}(?:\d|[IVXivx]+[\s./-])|\d{8}|[年년]|(?:19|20)\d\d[\s,/-]{0,3}[^\W\d_]|[^\W\d_][\s,./-]{1,3}(?:(?:19|20)\d\d|['\u2019]\d\d)"
)
_ROMAN: Final = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
_ERAS: Final = {
    "明治": 1867,
    "大正": 1911,
    "昭和": 1925,
    "平成": 1988,
    "令和": 2018,
    "民國": 1911,
    "民国": 1911,
    "S": 1925,
    "H": 1988,
    "R": 2018,
}
"""The year before the first of each era."""
_LETTERS: Final = re.compile(r"[^\W\d_]{3,}")
_PIVOT: Final = 50


@dataclass(frozen=True, slots=True)
class FoundDate:
    """A date in a text: where, and the parts that were understood (0 for what is not written).

    `ambiguous` says that day and month may be the other way round; `until` is the last day of a range of
    days that is written with one month.
    """

    start: int
    stop: int
    year: int
    month: int
    day: int
    ambiguous: bool
    form: str
    first_is_day: bool = True
    until: int = 0


def find(text: str, *, day_first: bool | None = None) -> list[FoundDate]:
    """Return the dates of a text, in order, without overlaps.

    Parameters
    ----------
    day_first
        How 3/2/2019 is meant; None: as an unambiguous date of the same text says, else by the separator
        (a stroke: month first, a point or hyphen: day first).
    """
    has_numeric = _HAS_NUMERIC.search(text) is not None
    has_named = any(fold(word) in MONTHS_BY_NAME for word in _LETTERS.findall(text))
    if not has_numeric and not has_named:
        return []
    found: list[FoundDate] = []
    taken = bytearray(len(text))
    for form, pattern in _PATTERNS.items():
        if not (has_named if form in _NAMED else has_numeric):
            continue
        at = 0
        while (match := pattern.search(text, at)) is not None:
            start, stop = match.span("date" if "date" in pattern.groupindex else 0)
            parsed = None if any(taken[start:stop]) else _parse(match, form, start, stop)
            if form == "bare_next" and not taken[match.start() - 1]:
                parsed = None
            if parsed is None:
                at = match.start() + 1
                continue
            found.append(parsed)
            taken[start:stop] = b"\x01" * (stop - start)
            at = stop
    found.sort(key=lambda each: each.start)
    settled: dict[str, bool] = {}
    for each in found:
        if not each.ambiguous and each.month != each.day:
            settled.setdefault(_ORDERED.get(each.form, each.form), each.first_is_day)
    return [_oriented(each, text, settled, day_first) for each in found]


def _parse(match: re.Match[str], form: str, start: int, stop: int) -> FoundDate | None:
    parts = match.groupdict()
    if form == "era":
        return _parse_era(match, start, stop)
    if form in _NOT_MOVED:
        return FoundDate(start, stop, 0, 1, 0, False, form)
    year = _year(parts.get("year") or parts.get("later") or "")
    if form in _BARE and _is_counted(match):
        return None
    if "one" in parts:
        one, two = int(parts["one"]), int(parts["two"])
        if not (1 <= one <= 31 and 1 <= two <= 31 and (one <= 12 or two <= 12)):
            return None
        ambiguous = one <= 12 and two <= 12 and one != two
        day, month = (one, two) if two <= 12 else (two, one)
        first_is_day = two <= 12
        if not _exists(year, month, day):
            return None
        return FoundDate(start, stop, year, month, day, ambiguous, form, first_is_day)
    if parts.get("name"):
        named = MONTHS_BY_NAME.get(fold(parts["name"]))
        is_led = form == "day_name" and _LED.search(match.string, max(0, start - 6), start)
        is_month = bool(is_led) or _is_in_company(match, form, start, stop)
        if named is None or is_code(match.string, start):
            return None
        if not year and not is_month and is_another_word(parts["name"]):
            return None
        month = named[0][2]
    elif parts.get("roman"):
        month = _ROMAN.index(parts["roman"].upper()) + 1
    else:
        month = int(parts["month"])
    day, until = int(parts.get("day") or 0), int(parts.get("until") or 0)
    if day and not _exists(year, month, day):
        return None
    if until and not (day < until and _exists(year, month, until)):
        return None
    return FoundDate(start, stop, year, month, day, False, form, until=until)


def _is_in_company(match: re.Match[str], form: str, start: int, stop: int) -> bool:
    """Whether a small word such as ``may`` is a month, by its company: on may 5, the 5th of may, 5-may."""
    if form not in ("day_name", "name_day") or fold(match["name"]) not in CAPITALISED:
        return False
    text, written = match.string, match.string[start:stop]
    return (
        (match["ordinal"] or "").lower() in _ORDINALS
        or _OF_MONTH.search(written) is not None
        or (form == "day_name" and " " not in written)
        or text.strip(" .,;:") == written.rstrip(".")
        or _DATED.search(text, max(0, start - 24), start) is not None
    )


def _is_counted(match: re.Match[str]) -> bool:
    """Whether two numbers are so many of so many, by what stands before or behind them."""
    start, stop = match.start("one"), match.end("tail")
    if _COUNTED.match(match.string, stop):
        return True
    are_few = int(match["one"]) <= int(match["two"]) <= _MOST_ECHOES
    if are_few and _ECHO.search(match.string, max(0, start - 6), start):
        return True
    if match["one"] in ("6", "20") and _SIGHT.search(match.string):
        return True
    return _SCORED.search(match.string, max(0, start - 16), start) is not None


def _parse_era(match: re.Match[str], start: int, stop: int) -> FoundDate | None:
    first = _ERAS[match["era"] or match["letter"].upper()]
    digits = match["year"] or match["short"]
    year = first + (1 if digits == "元" else int(digits))
    month, day = int(match["month"] or match["mon"]), int(match["day"] or match["d"] or 0)
    if not _exists(year, month, day or 1):
        return None
    return FoundDate(start, stop, year, month, day, False, "era")


def _oriented(
    each: FoundDate, text: str, settled: dict[str, bool], day_first: bool | None
) -> FoundDate:
    if not each.ambiguous:
        return each
    if day_first is None:
        form = _ORDERED.get(each.form, each.form)
        day_first = settled.get(form, "/" not in text[each.start : each.stop])
    if day_first == each.first_is_day:
        return each
    return FoundDate(
        each.start, each.stop, each.year, each.day, each.month, True, each.form, day_first
    )


def _year(digits: str) -> int:
    digits = digits.strip("'\u2019")
    if not digits:
        return 0
    if len(digits) == 4:
        return int(digits)
    return 1900 + int(digits) if int(digits) > _PIVOT else 2000 + int(digits)


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year or 2000, month, day)
    except ValueError:
        return False
    return True


def moved(text: str, found: FoundDate, days: int) -> str | None:
    """Return a found date moved by days, in its own form; None when it cannot be moved.

    What is not written is taken as the first it may mean (month and year move with the first of the
    month); a date without a year moves within a common year.
    """
    written = text[found.start : found.stop]
    if found.form in _NOT_MOVED:
        return None
    try:
        new = date(
            found.year or (2000 if (found.month, found.day) == (2, 29) else 2001),
            found.month,
            found.day or 1,
        ) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    match = _matched(text, found)
    if match is None:
        return None
    if found.until and new.month != (new + timedelta(days=found.until - found.day)).month:
        return None
    pieces: list[tuple[int, int, str]] = []
    for name, value in _new_parts(match, found, new):
        start, stop = match.span(name)
        if 0 <= start < found.stop:
            pieces.append((start - found.start, stop - found.start, value))
    result, at = "", 0
    for start, stop, value in sorted(pieces):
        result += written[at:start] + value
        at = stop
    return result + written[at:]


def _matched(text: str, found: FoundDate) -> re.Match[str] | None:
    pattern = _PATTERNS[found.form]
    name = "date" if "date" in pattern.groupindex else 0
    if name == 0:
        return pattern.match(text, found.start)
    # The words before a bare day and month are part of its form.
    match = pattern.search(text, max(0, found.start - 40))
    while match is not None and match.span(name) != (found.start, found.stop):
        match = pattern.search(text, match.start() + 1)
    return match


def _new_parts(match: re.Match[str], found: FoundDate, new: date) -> Iterator[tuple[str, str]]:
    groups = match.re.groupindex
    if found.form == "era":
        long = match["era"] is not None
        first = _ERAS[match["era"] or match["letter"].upper()]
        yield ("year" if long else "short"), str(max(new.year - first, 1))
        yield ("month" if long else "mon"), str(new.month)
        yield ("day" if long else "d"), str(new.day)
        return
    if "until" in groups:
        last = new.day + found.until - found.day
        yield "until", _number(last, match["until"], wide=False)
    if "year" in groups and match["year"]:
        digits = match["year"]
        quote = digits[0] if digits[0] in "'\u2019" else ""
        yield "year", (f"{new.year:04d}" if len(digits) == 4 else f"{quote}{new.year % 100:02d}")
    if "one" in groups:
        first, second = (new.day, new.month) if found.first_is_day else (new.month, new.day)
        wide = len(match["one"]) == 2 and len(match["two"]) == 2
        yield "one", _number(first, match["one"], wide=wide)
        yield "two", _number(second, match["two"], wide=wide)
        return
    if "name" in groups:
        yield "name", _month_name(match["name"], new.month, dotted="." in match[0])
    elif "roman" in groups:
        roman = _ROMAN[new.month - 1]
        yield "roman", roman if match["roman"].isupper() else roman.lower()
    elif "month" in groups:
        yield "month", _number(new.month, match["month"], wide=len(match["month"]) == 2)
    if "day" in groups and match["day"]:
        is_fixed = "month" in groups and len(match["month"]) == 2
        wide = is_fixed or (
            "name" in groups and not found.until and "-" in match[0] and len(match["day"]) == 2
        )
        yield "day", _number(new.day, match["day"], wide=wide)
    if "ordinal" in groups and match["ordinal"] and match["ordinal"].isascii():
        yield "ordinal", _ordinal(new.day, match["ordinal"])


def _number(value: int, written: str, *, wide: bool) -> str:
    """Return a number with a leading zero where the original shows that it would have one."""
    return f"{value:02d}" if wide or written.startswith("0") else str(value)


def _ordinal(day: int, written: str) -> str:
    if written.lower() not in ("st", "nd", "rd", "th"):
        return written
    suffix = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return suffix.upper() if written.isupper() else suffix


def _month_name(written: str, month: int, *, dotted: bool) -> str:
    candidates = MONTHS_BY_NAME[fold(written)]
    language, is_short, _month = next(
        (each for each in candidates if dotted and each[0] == "de"), candidates[0]
    )
    name = MONTHS[language][is_short][month - 1]
    if written.isupper():
        return name.upper()
    return name.capitalize() if written[0].isupper() else name
