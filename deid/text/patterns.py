"""Patterns by infoType: what identifies by its shape, or by the words before it."""

# ruff: noqa: E501, RUF001 - a pattern reads worse broken over lines, and holds letters of other scripts

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.text import ages, births, dates, people, positions, whereabouts
from deid.text.findings import CODE, PATTERN, Finding
from deid.text.folding import ENCODED, words
from deid.text.people import CAPITAL
from deid.text.vocabulary import is_place, is_recognised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from deid.text.known import KnownText

_VALUE: Final = (
    r"(?:(?-i:(?!(?:ID|NO|NR|MRN|NUM)\b)[A-Z]{1,6})\s|[A-Za-z]{0,6}[-./]?)\d[\w./-]{1,24}"
)
_MORE_DIGITS: Final = r"(?:(?<=\d\d)\s\d{2,8}(?![\w.,/-])){0,3}(?:(?<=\d\d)\s\d(?![\w.,/-]))?"
_LONG_VALUE: Final = (
    r"(?:(?-i:(?!(?:ID|NO|NR|MRN|NUM)\b)[A-Z]{1,6})\s|[A-Za-z]{0,6}[-./]?)\d(?:[./-]?\w){3,24}"
)
"""Behind a word that is often followed by a number of something else: four characters at least."""
_NUMBERED: Final = r"(?:id|i\.d|no|nr|num|number|nummer|#|n[°º])"
_COM: Final = r"(?:com|org|net|edu|gov|mil|int|info|biz|health|hospital|example|local|lan|intra)"
_LANDS: Final = r"(?-i:de|at|ch|fr|uk|es|it|nl|be|pl|se|dk|fi|no|eu|ru|jp|cn|in|br|ca|au|pt|gr|ie|cz|hu|us|mx|ar)"
_GAP: Final = r"(?:\s*(?:[:#=.]|\bis\b|n[ro°º]?\.?:?|\bno\.?:?|number|nummer|num(?:ero|éro)?))*\s*"


class Pattern(NamedTuple):
    """One pattern; `group` is the finding, `check` may refuse it, `hint` must be in the text to try."""

    info_type: str
    pattern: re.Pattern[str]
    group: int = 0
    check: Callable[[str], bool] | None = None
    hint: re.Pattern[str] | None = None


_MOMENT: Final = re.compile(
    r"(?:19|20)\d\d-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])[T _-]?(?:[01]\d|2[0-3])",
    re.IGNORECASE,
)
"""A date with the hour behind it: 2017-08-25T23, 20170825 2350. No card begins with 19 or 20."""


def _luhn(text: str) -> bool:
    digits = [int(c) for c in text if c.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1 or _MOMENT.match(text):
        return False
    return _luhn_sum(digits) % 10 == 0


def _luhn_sum(digits: list[int]) -> int:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total


def _npi(text: str) -> bool:
    return _luhn_sum([int(c) for c in "80840" + re.sub(r"\D", "", text)]) % 10 == 0


def _dea(text: str) -> bool:
    digits = [int(c) for c in text[-7:]]
    return (sum(digits[0:6:2]) + 2 * sum(digits[1:6:2])) % 10 == digits[6]


def _nhs(text: str) -> bool:
    digits = [int(c) for c in text if c.isdigit()]
    check = 11 - sum(d * w for d, w in zip(digits, range(10, 1, -1), strict=False)) % 11
    return digits[9] == (0 if check == 11 else check)


def _iban(text: str) -> bool:
    compact = re.sub(r"\s", "", text).upper()
    moved = compact[4:] + compact[:4]
    return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


_VIN_VALUES: Final = dict(
    zip("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", [*range(1, 9), *range(1, 6), 7, 9, *range(2, 10), *range(10)],
        strict=True)
)  # fmt: skip
_VIN_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def _vin(text: str) -> bool:
    total = sum(_VIN_VALUES[c] * w for c, w in zip(text.upper(), _VIN_WEIGHTS, strict=True))
    return text[8].upper() == "0123456789X"[total % 11]


def _ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    return text not in ("::", "0.0.0.0")  # noqa: S104 - nothing is bound


_COUNTRIES: Final = words(
    """
    AD AE AL AM AO AR AT AU AZ BA BB BD BE BG BH BM BO BR BS BY CA CH CI CL CM CN CO CR CU CY CZ DE
    DJ DK DO DZ EC EE EG ES ET FI FR GA GB GE GH GR GT HK HN HR HU ID IE IL IN IQ IR IS IT JM JO JP
    KE KG KH KR KW KZ LA LB LI LK LT LU LV LY MA MC MD ME MG MK MM MN MO MT MU MX MY MZ NA NG NI NL
    NO NP NZ OM PA PE PG PH PK PL PT PY QA RO RS RU RW SA SD SE SG SI SK SM SN SV SY TG TH TN TR TW
    TZ UA UG US UY UZ VA VE VN YE ZA ZM ZW
    """
)


def _swift(text: str) -> bool:
    return text[4:6] in _COUNTRIES and not is_recognised(text)


def _ssn(text: str) -> bool:
    area, group, serial = re.split(r"\D", text, maxsplit=2)
    return area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000"


_QUANTITY: Final = re.compile(
    r"\d{1,6}(?:[.,]\d{1,4})?[\s-]?(?:years?|yrs?|y|yo|y/o|months?|mos?|m/o|weeks?|wks?|days?|hours?|hrs?|min|mm|cm|m|ml|mg|kg"
    r"|mcg|mci|mbq|gy|hu|hz|khz|mhz|sec|ms|views?|slices?|images?|phases?|st|nd|rd|th|d|x|v|of|and)(?:-?olds?)?[./-]*",
    re.IGNORECASE,
)


def _is_record(text: str) -> bool:
    """Whether a value behind a label may be a record's number: it is no age, measure or count."""
    return _has_digit(text) and not _QUANTITY.fullmatch(text)


_MEASURED: Final = re.compile(r"([A-Z]{1,6})\s\d{1,3}(?:[./]\d{1,3})?[.,/-]*")


def _is_accession(text: str) -> bool:
    """Whether a value behind the name of an examination is its number: not what was measured (AHI 22)."""
    measured = _MEASURED.fullmatch(text)
    return _is_record(text) and not (measured and is_recognised(measured[1]))


_DATE: Final = re.compile(
    r"(?:19|20)\d\d([-/.])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])|\d{1,2}([-/.])\d{1,2}\2(?:19|20)\d\d"
)


def _is_number(text: str) -> bool:
    """Whether what stands behind a telephone's label is long enough, and no decimal such as a pH."""
    digits = sum(c.isdigit() for c in text)
    return (
        digits >= 3
        and not _DATE.fullmatch(text)
        and not re.fullmatch(r"\d{1,2}[.,]\d{1,2}|\d{1,2}\s?-\s?\d{1,2}", text)
    )


def _is_code(text: str) -> bool:
    """Whether groups of digits are long enough for a number of somebody's, and no matrix such as 1024/768."""
    groups = re.findall(r"\d+", text)
    matrix = len(groups) == 2 and all(int(each) % 16 == 0 for each in groups)
    return sum(map(len, groups)) >= 7 and not matrix


def _is_spaced_code(text: str) -> bool:
    """Whether digits in groups are one number, not a list of round settings such as b values.

    From 13 digits on it is a card's number or none, which its own check digit tells.
    """
    groups = text.split()
    return 9 <= sum(map(len, groups)) <= 12 and any(int(each) % 10 for each in groups)


def _has_digit(text: str) -> bool:
    return any(c.isdigit() for c in text)


def _unfamiliar(text: str) -> bool:
    return any(not is_recognised(word) for word in re.findall(r"[^\W\d_]+", text))


def _zip_city(text: str) -> bool:
    word = re.findall(r"[^\W\d_]{3,}", text)
    return any(not is_recognised(each) or is_place(each) for each in word)


def _is_street(text: str) -> bool:
    """Whether what begins as an Italian street is one: via leads through arteries and ports in English."""
    return not text.startswith("via") or any(
        not is_recognised(word) for word in re.findall(r"[^\W\d_]{3,}", text)
    )


_NO_VERSION: Final = (
    r"(?<!(?<![^\W_])[rv])(?<!version\s)(?<!release\s)(?<!software\s)(?<!firmware\s)(?<!build\s)"
)
"""What no address stands behind: R5.7.1.2, version 10.1.0.1."""
_I: Final = re.IGNORECASE
_SIGN: Final = re.compile(r"@")
_OF_ROADS: Final = re.compile(
    r"(?:utca|\su\.|[úu]t|k[öo]r[úu]t|des[iİ]|\.|soka|r[ıi]|si|bulev|m[ěe]st[íi]|[řr][íi]da|vejen|gaden|gata)\s(?:no|\d)",
    _I,
)
_POSTAL: Final = (
    r"zip(?:\s?code)?|post(?:al)?\s?code|plz|postleitzahl|code\spostal|c[óo]digo\spostal|c\.p\.|codice\spostale|(?-i:CAP|CEP|CP|ZIP)(?=[\s:.]{1,3}\d{5})|(?-i:PLZ)|postnr|postnummer"
    r"|postinumero|ps[čc](?=[\s:.]{1,3}\d{3}\s?\d\d(?!\d))|kod\spocztowy|irsz|ir[áa]ny[íi]t[óo]sz[áa]m|posta\skodu"
)
"""What codes of towns stand behind."""
_STREET: Final = re.compile(
    r"(?:stra(?:ß|ss)e|str\.|gasse|platz|allee|damm|ufer|chaussee|straat|laan|plein|gracht|gatan|vägen|vej)"
    r"\s+\d",
    _I,
)
_DIGITS5: Final = re.compile(r"\d\D{0,2}\d\D{0,2}\d\D{0,2}\d\D{0,2}\d")
_DIGITS4: Final = re.compile(r"\d\D{0,2}\d\D{0,2}\d\D{0,2}\d")
_DIGIT: Final = re.compile(r"\d")

# In order: of findings that overlap and are as long, the earlier stays.
PATTERNS: Final = (
    Pattern("EMAIL_ADDRESS",
            re.compile(rf"(?<![\w.+%-])[\w.+%-]{{2,64}}\s?(?:\(at\)|\[at\]|\bat\b)\s?(?:[\w-]{{1,64}}(?:\.|\s?(?:\(dot\)|\[dot\])\s?)){{1,4}}"
                       rf"(?:(?-i:{_COM})|{_LANDS})(?![\w.])", _I)),
    Pattern("EMAIL_ADDRESS", re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}\s?@\s?[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}", _I), hint=_SIGN),
    Pattern("URL", re.compile(r"\b(?:(?:https?|ftp)://|www\.)[^\s<>\"']+[^\s<>\"'.,;)]", _I)),
    Pattern(
        "URL",
        re.compile(
            rf"(?<![\w@.-])(?:[a-z0-9-]{{1,63}}\.){{1,8}}(?:{_COM}\b|{_LANDS}(?![\w.]))(?:[/?:][^\s<>\"']*)?",
            _I,
        ),
    ),
    # What a machine or a file is called often says whose it is.
    Pattern("URL", re.compile(r"(?<![\w\\])(?:\\\\[\w.$-]{1,64}|[A-Za-z]:)(?:\\[^\s\\/:*?\"<>|]{1,128}){1,16}")),
    Pattern("DICOM_UID", re.compile(r"(?<![\d.])[0-2](?:\.(?:0|[1-9]\d{0,38})){5,}(?![\d.]*\d)"), hint=_DIGITS5),
    Pattern("DICOM_UID", re.compile(r"(?<![\d.])2\.25\.\d{6,39}(?![\d.]*\d)"), hint=_DIGITS5),
    Pattern("URL", re.compile(r"(?<![\w./:])/(?:[\w.+-]{1,64}/){2,16}[\w.+-]{1,64}")),
    Pattern("MAC_ADDRESS", re.compile(r"(?<![\w:-])[0-9A-F]{2}([:-])(?:[0-9A-F]{2}\1){4}[0-9A-F]{2}(?![\w:-])", _I)),
    Pattern("MAC_ADDRESS", re.compile(r"(?<!\w)[0-9A-F]{4}\.[0-9A-F]{4}\.[0-9A-F]{4}(?!\w)", _I)),
    Pattern("IP_ADDRESS", re.compile(rf"(?=\d{{1,3}}\.\d)(?<![\d.]){_NO_VERSION}\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?![\d.]*\d)", _I), check=_ip, hint=_DIGIT),
    Pattern("IP_ADDRESS", re.compile(r"(?<![\w:])(?:[0-9A-F]{0,4}:){2,7}[0-9A-F]{0,4}(?:%\w{1,16})?(?![\w:])", _I), check=_ip),
    Pattern("IBAN_CODE", re.compile(r"\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){2,7}(?:\s?[A-Z0-9]{1,3})?\b", _I),
            check=_iban, hint=_DIGITS5),
    Pattern("CREDIT_CARD_NUMBER", re.compile(r"(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d.-]*\d)"), check=_luhn,
            hint=_DIGITS5),
    Pattern("US_VEHICLE_IDENTIFICATION_NUMBER", re.compile(r"\b[A-HJ-NPR-Z0-9]{17}\b", _I), check=_vin,
            hint=_DIGIT),
    Pattern("US_VEHICLE_IDENTIFICATION_NUMBER",
            re.compile(rf"\bVIN\b{_GAP}([A-HJ-NPR-Z0-9]{{11,17}})\b", _I), 1),
    Pattern("US_VEHICLE_IDENTIFICATION_NUMBER",
            re.compile(rf"\b(?:licen[cs]e plate|number plate|kennzeichen)(?![^\W\d_]){_GAP}([A-Z0-9][A-Z0-9 -]{{3,9}}\d\w*)",
                       _I), 1),
    # A plate alone is one of bone, glass or growth more often: what stands behind has to look like a car's.
    Pattern("US_VEHICLE_IDENTIFICATION_NUMBER",
            re.compile(rf"\b(?i:plate)(?![^\W\d_])(?i:{_GAP})"
                       r"((?:[A-Z]{2,3}[ -]?\d{3,4}|[A-Z]{1,3}-[A-Z]{1,2}[ -]\d{2,4}|\d[A-Z]{3}\d{3}|\d{3}[ -][A-Z]{3})\b)"), 1, hint=_DIGIT),
    Pattern("US_SOCIAL_SECURITY_NUMBER", re.compile(r"(?<![\d-])\d{3}[- ]\d{2}[- ]\d{4}(?![\d-])"), check=_ssn,
            hint=_DIGITS5),
    Pattern("US_SOCIAL_SECURITY_NUMBER",
            re.compile(rf"\b(?:SSN|social security){_GAP}(\d[\d -]{{7,11}}\d)", _I), 1),
    Pattern("US_INDIVIDUAL_TAXPAYER_IDENTIFICATION_NUMBER",
            re.compile(r"(?<![\d-])9\d{2}[- ]?[5-9]\d[- ]?\d{4}(?![\d-])"), hint=_DIGITS5),
    Pattern("UK_NATIONAL_HEALTH_SERVICE_NUMBER", re.compile(r"(?<![\d-])\d{3}[ -]\d{3}[ -]\d{4}(?![\d-])"),
            check=_nhs, hint=_DIGITS5),
    Pattern("UK_NATIONAL_HEALTH_SERVICE_NUMBER",
            re.compile(rf"\bN\.?H\.?S\.?\b{_GAP}(\d[\d -]{{8,13}}\d)", _I), 1),
    Pattern("US_HEALTHCARE_NPI", re.compile(rf"\bNPI\b{_GAP}(\d{{10}})\b", _I), 1),
    Pattern("US_HEALTHCARE_NPI", re.compile(r"(?<![\d.-])[12]\d{9}(?![\d.-]*\d)"), check=_npi, hint=_DIGITS5),
    Pattern("US_DEA_NUMBER", re.compile(r"\b[A-Z][A-Z9]\d{7}\b"), check=_dea, hint=_DIGITS5),
    Pattern("SWIFT_CODE", re.compile(rf"\b(?:SWIFT|BIC)\b{_GAP}([A-Z]{{6}}[A-Z0-9]{{2}}(?:[A-Z0-9]{{3}})?)\b", _I), 1),
    Pattern("SWIFT_CODE", re.compile(r"\b[A-Z]{6}(?:[A-Z2-9]\d|\d[A-Z0-9]|[A-Z]{2})(?:[A-Z0-9]{3})?\b"), check=_swift),
    Pattern("PASSPORT", re.compile(rf"\b(?:pass(?:port|eport|aporte|aporto)?|reisepass){_GAP}([A-Z0-9]{{5,12}})\b", _I),
            1, _has_digit),
    Pattern("PASSPORT", re.compile(r"\bP[A-Z<][A-Z]{3}[A-Z]+<[A-Z<]{5,}")),
    Pattern("US_DRIVERS_LICENSE_NUMBER",
            re.compile(rf"\b(?:driver'?s?'?\s*(?:licen[cs]e|lic\.?)|driving licen[cs]e|(?<![/\w])(?-i:DL)\b|(?-i:D\.L\.)|f[üu]hrerschein"
                       rf"|permis de conduire){_GAP}([A-Z0-9][A-Z0-9 -]{{3,19}}[A-Z0-9])\b", _I), 1, _has_digit),
    Pattern("PHONE_NUMBER",
            re.compile(r"\b(?:tel(?:e(?:phone|fon|fono|fone)?)?|tlf|tfn|puh|mobil(?:tlf)?|gsm|komórka|t[ée]l(?:[ée]phone)?|phone|(?-i:ph|Ph|PH)|fax|telefax|mobile?|mob|cell|handy|telefoon"
                       r"|fon|pager|bleep|bip|beeper|piepser|pieper|funk|call(?:ed)?|contact|ext|extension|durchwahl|m[óo]vil|cellulare|celular"
                       r"|portable|telemóvel|dect|toestel|poste|callback|rückruf|тел|τηλ|appeler|chiamare|llamar|ligar|bellen|dzwoni[ćc]|volat|ring(?=(?:[\s-]?\d\d){4})|soita|hívni|arayın|anrufen|☎)\b\.?"
                       r"(?:\s?(?:no|nr|number|at|on|back)\b\.?){0,2}\s{0,2}[:#=]?\s{0,2}(?:x|ext\.?\s?)?-?(\+?[\d(][\d\s()/.-]{2,20}\d)", _I), 1, _is_number),
    Pattern("PHONE_NUMBER", re.compile(r"(?<![\d.(])\(0\d{1,4}\)[\s/-]{0,2}\d[\d\s-]{4,9}\d(?![\d.-]*\d)"), hint=_DIGITS5),
    Pattern("PHONE_NUMBER", re.compile(r"(?<![\d.-])0\d{1,3}[-/]\d{2,4}[\s-]\d{2,4}(?:[\s-]\d{2,4})?(?![\d.-]*\d)"), hint=_DIGITS5),
    Pattern("PHONE_NUMBER", re.compile(r"(?<![\d.-])0[2-9]\s\d{4}\s\d{4}(?![\d.-]*\d)"), hint=_DIGITS5),
    Pattern("PHONE_NUMBER", re.compile(r"(?<![\d.-])1[3-9]\d[\s-]?\d{4}[\s-]?\d{4}(?![\d.-]*\d)"), hint=_DIGITS5),
    Pattern("PHONE_NUMBER", re.compile(r"(?<![\d.-])(?:9\d\s\d{3}\s\d{2}\s\d{2}|[6-9]\d{4}\s\d{5})(?![\d.-]*\d)"), hint=_DIGITS5),
    Pattern("PHONE_NUMBER", re.compile(r"(?<![\d.(])\(0\)\s?\d{1,4}[\s/-]\d[\d\s-]{4,9}\d(?![\d.-]*\d)"), hint=_DIGITS5),
    Pattern("PHONE_NUMBER", re.compile(r"(?<![\d.-])\d{3}[\s-]\d{4}(?=,?\s?(?:ext|x)\b)", _I), hint=_DIGITS5),
    Pattern("PHONE_NUMBER", re.compile(r"(?<![\d.(-])\([1-9]\d\)\s?9?\d{4}-\d{4}(?!\d)"), hint=_DIGITS5),
    Pattern("PHONE_NUMBER", re.compile(r"(?<![\d.+])(?:\+|00)[1-9]\d{0,2}[\s./-]?(?:\(0?\d{1,4}\)[\s./-]?)?\d[\d\s./-]{5,14}\d"),
            hint=_DIGITS5),
    Pattern("PHONE_NUMBER", re.compile(r"(?:\+?1[-. ])?\(\d{3}\)\s?\d{3}[-. ]?\d{4}(?!\d)"), hint=_DIGITS5),
    Pattern("PHONE_NUMBER", re.compile(r"(?<![\d.-])(?:1[-. ])?[2-9]\d{2}([-. ])\d{3}\1\d{4}(?![\d-])"), hint=_DIGITS5),
    Pattern("PHONE_NUMBER", re.compile(r"(?<![\d.-])[2-9]\d{2}-\d{4}(?![\d-])"), hint=_DIGITS5),
    Pattern("PHONE_NUMBER", re.compile(r"(?<![\d.-])0\d{2,4}[\s/-]{1,3}\d[\d\s-]{4,10}\d(?![\d.-]*\d)"), hint=_DIGITS5),
    Pattern("PHONE_NUMBER", re.compile(r"(?<![\d.-])0\d(?:[\s.]\d{2}){4}(?![\d.])"), hint=_DIGITS5),
    Pattern("PHONE_NUMBER", re.compile(r"(?<![\d.-])[6789]\d{2}[\s]\d{2,3}[\s]\d{2,3}(?:\s\d{2})?(?![\d.]*\d)"), hint=_DIGITS5),
    Pattern("MEDICAL_RECORD_NUMBER",
            re.compile(rf"\b(?:M\.?R\.?N|MR#|med(?:ical)?\.?\s*rec(?:ord)?|URN|UHID|EMPI|PID|NHC|N\.H\.C|NIP|IPP|ID|HN|CHI"
                       rf"|medicare(?:\s*card)?|medicaid|subscriber|dossier|cartella|processo|utente)"
                       rf"[\s.-]{{0,2}}{_NUMBERED}?\.?\s{{0,2}}[:#=]{{0,2}}\s{{0,2}}(?:is\s)?({_VALUE}{_MORE_DIGITS})", _I), 1, _is_record, _DIGIT),
    Pattern("MEDICAL_RECORD_NUMBER",
            re.compile(rf"\b(?:MR|patient|pat|pt|hosp(?:ital)?|unit|chart|record|case|file|folder|historia|member|policy|insurance|versicherten"
                       rf"|health\s*plan|account|acct|wristband)"
                       rf"(?:[\s.-]{{0,2}}{_NUMBERED}\.?\s{{0,2}}[:#=]{{0,2}}|\s{{0,2}}[:#=]{{1,2}})\s{{0,2}}(?:is\s)?({_VALUE}{_MORE_DIGITS})", _I),
            1, _is_record, _DIGIT),
    Pattern("MEDICAL_RECORD_NUMBER",
            re.compile(rf"\b(?:MR|patient|pat|pt|hosp(?:ital)?|unit|chart|record|case|file|folder|historia|member|policy|insurance|versicherten"
                       rf"|health\s*plan|account|acct|wristband)\b\.?\s{{0,2}}({_LONG_VALUE}{_MORE_DIGITS})", _I), 1, _is_record, _DIGIT),
    Pattern("MEDICAL_RECORD_NUMBER",
            re.compile(rf"\b(?:pat(?:ienten|i[ëe]nt)?|fall|akten?|kassen|versicherungs?|versicherten)[-\s]?(?:nr|nummer|id)\b\.?\s{{0,2}}[:#=]{{0,2}}\s{{0,2}}({_VALUE})",
                       _I), 1, _is_record, _DIGIT),
    Pattern("ACCESSION",
            re.compile(rf"\b(?:acc(?:ession|n)?|access|order|req(?:uisition)?|visit|encounter|csn|fin|exam|study|job|auftrag(?:s)?"
                       rf"|anforderung|demande|specimen|lab|slide|report|dict(?:ation)?|trans(?:cription)?|confirmation)"
                       rf"[\s.-]*(?:id|no|nr|num|number|nummer|#|n[°º])?\b\.?\s*[:#=]+\s*({_VALUE})", _I), 1, _is_accession, _DIGIT),
    Pattern("ACCESSION",
            re.compile(rf"\b(?:acc(?:ession|n)?|order|req(?:uisition)?|visit|encounter|csn)[\s.-]*(?:id|no|nr|num|number|nummer|#|n[°º])?\b\.?"
                       rf"\s*[:#=]*\s*({_VALUE})", _I), 1, _is_accession, _DIGIT),
    Pattern("AGE", re.compile(
        r"(?<![\d.])(?:\d{1,3}(?:\.\d)?)[\s-]*(?:y(?:ea)?rs?|y|yo|y/o|y\.o\.?|ans|jahre?|años|anos|anni|jaar|months?|mos?|m/o"
        r"|mo|weeks?|wks?|days?)[\s-]*(?:old|of\s+age|alte?r?|d[\u2019']?[aâ]ge)\b"
        r"|(?<![\d.])\d{1,3}[\s-]*(?:y/?o\b|y\.\s?o\.|yo[mfw]?\b|jährige?[rsn]?\b|jaehrige?[rsn]?\b|yr\.?-?old\b|år\s+gammel\b)"
        r"|(?<![\d.])\d{2,3}\s?y(?:rs?|ears?)?[\s,/]*(?:old\s+)?(?:male|female|man|woman|boy|girl|gentleman|lady|m|f)\b"
        r"|\b0\d\d[DWMY]\b|\b(?:9\d|1[0-2]\d)y?[YFM]?\b(?<=y|f|m)(?<!\d[fm])", _I), hint=_DIGIT),
    # Years in other languages, where a word before them says that somebody has them, or they are many.
    Pattern("AGE", re.compile(
        r"(?<![\d.,])(?:(?<=\bde\s)|(?<=\bdi\s)|(?<=\bvon\s)|(?<=\bmit\s)|(?<=[,(]\s)|(?<=[,(]))\d{1,3}\s?(?:ans|años|anos|anni|jaar|jahren?|lat|let|år|лет|ετών|éves|yaş\w*)\b"
        r"|(?<![\d.,])(?:9\d|1[0-2]\d)[\s-]{0,2}(?:ans|años|anos|anni|jaar|jahren?|lata?|let|år|лет|ετών|éves|yaş\w*|vuotta|years|yrs|jr)\b"
        r"|(?<![\d.,])\d{1,3}[\s-]{0,2}(?:letni\w{0,3}|jarige|årig\w?|летн\w{2,3}|vuotias)\b"
        r"|(?<![\d.,])\d{1,3}\s?[岁歲歳才세](?![之])", _I), hint=_DIGIT),
    Pattern("AGE", re.compile(
        r"(?:(?<![^\n])|(?<=[.:;(]\s)|(?<=[.:;(]))(?:9\d|1[01]\d)\s?[/-]?\s?[FM]\b"
        r"|(?<![\d.,])(?:9\d|1[01]\d)\s?[/-]?\s?[FM](?=\s(?:with|w/|s/p|c/o|h/o|hx|who|presents|presenting|fell|fall)(?![^\W\d_]))"),
        hint=_DIGIT),
    Pattern("AGE", re.compile(r"\b(?:turn(?:ed|s|ing)|reach(?:ed|es|ing)|just)\s(9\d|1[01]\d)(?![\w.,/%-]*\d|\s?(?:mm|cm|ml|mg|deg|%|bpm|hu))\b", _I), 1, hint=_DIGIT),
    Pattern("AGE", re.compile(r"\b(?:aged?|alter|wiek|ålder|alder|ikä|věk|возраст|ηλικία|年齢|年龄|나이|lat|[aâ]ge|edad|età|idade|leeftijd)\b(?:\s*(?:of|de|[:=]))*\s*(\d{1,3}(?!\d|[.,]\d|\s*(?:mm|cm))"
                              r"(?:\s*(?:y(?:ea)?rs?|yo|y|ans|j(?=\.)|jahre?|años|anni|months|days|weeks))?)", _I), 1, hint=_DIGIT),
    Pattern("STREET_ADDRESS",
            re.compile(rf"\b(?:(?:Flat|Apt|Unit|Suite)\.?\s\w{{1,4}},?\s)?\d{{1,5}}[A-Za-z]?(?:-\d+)?,?\s+(?:[NSEW]\.?\s+|(?:North|South|East|West)\s+)?(?:(?:{CAPITAL}[\w.'\u2019-]{{0,30}}|\d+(?:st|nd|rd|th))\s+){{1,4}}"
                       r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Way|Place|Pl|Terrace|Ter|Square|Sq|Highway"
                       r"|Hwy|Parkway|Pkwy|Circle|Cir|Close|Crescent|Cres|Trail|Trl|Row|Hill|Gardens|Grove|Walk|Mews|Plaza|Loop|Alley)\b\.?"
                       r"(?:,?\s*(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|#)\.?\s*#?\w{1,6})?", re.NOFLAG), hint=_DIGIT),
    Pattern("STREET_ADDRESS",
            re.compile(r"\b\d{1,5}\s+(?:[A-Z][A-Z'\u2019-]+\s+){1,4}(?:STREET|AVENUE|AVE|ROAD|RD|BOULEVARD|BLVD|LANE|DRIVE|COURT|WAY|PLACE|TERRACE|SQUARE|HIGHWAY|PARKWAY)\b"),
            hint=_DIGIT),
    Pattern("STREET_ADDRESS",
            re.compile(rf"(?<![\w-])(?:{CAPITAL}[\w.'\u2019]{{0,30}}[\s-]){{0,3}}{CAPITAL}?\w{{0,30}}(?i:stra(?:ß|ss)e|str\.|gasse|platz|allee|damm|ufer|chaussee|straat|laan|plein|gracht|gatan|vägen|vej)"
                       r"\s+\d{1,4}(?:\s?[a-z]\b|\b)(?:-\w{1,4}\b)?"), hint=_STREET),
    Pattern("STREET_ADDRESS", re.compile(r"\b(?:Stra(?:ß|ss)e|Platz|Allee)\s+(?:des|der|von|am|vom)\s+[\w. -]{2,30}?\s\d{1,4}(?:\s?[a-z]\b|\b)"), hint=_DIGIT),
    Pattern("STREET_ADDRESS",
            re.compile(rf"\b(?:Am|An\s+de[rmn]|Auf\s+de[rmn]|Im|Zu[mr]|In\s+de[rn]|Unter\s+den|Hinter\s+de[rmn])\s+{CAPITAL}[\w-]{{3,30}}\s+\d{{1,4}}(?:\s?[a-z]\b|\b)"),
            check=_unfamiliar, hint=_DIGIT),
    Pattern("STREET_ADDRESS",
            re.compile(rf"\b{CAPITAL}[a-zà-ÿ]{{2,20}}(?:gatan|vägen|gade|vej|veien|gata|katu|tie|straat|laan|weg|gracht|utca|út)\s+\d{{1,4}}(?:\s?[A-Za-z]\b|\b)"),
            check=_unfamiliar, hint=_DIGIT),
    Pattern("STREET_ADDRESS",
            re.compile(rf"\b{CAPITAL}[\w-]{{1,30}}(?:weg|ring|markt|hof|berg|steig)\s+\d{{1,4}}\s?[a-z]?\b"), check=_unfamiliar, hint=_DIGIT),
    Pattern("STREET_ADDRESS",
            re.compile(r"\b\d{1,4}(?:\s?(?:bis|ter))?,?\s+(?:rue|avenue|av\.|boulevard|bd|place|chemin|all[ée]e|impasse|quai|route|cours)\s+"
                       r"[^\W\d][\w'\u2019-]{0,30}(?:\s+[^\W\d][\w'\u2019-]{0,30}){0,4}", _I), hint=_DIGIT),
    Pattern("STREET_ADDRESS",
            re.compile(rf"(?<![^\W_])(?i:calle|c/|avenida|avda\.?|av\.|plaza|pza\.?|paseo|via|viale|piazza|corso|rua|travessa|largo|ulica|ul\.|al\.|os\.|ulitsa|ул\.|улица|οδός)"
                       rf"\s{{0,2}}(?:(?i:de|del|la|las|los|das|dos|da|do|della|dei|delle)\s+){{0,3}}"
                       rf"{CAPITAL}[\w'\u2019-]{{0,30}}(?:\s[\w'\u2019-]{{1,30}}){{0,4}}?\s?,?\s?(?:(?i:n[°º.]?)\s?)?\d{{1,4}}(?:/\d{{1,4}}|[A-Za-z]\b|\b)"
                       rf"(?:,?\s\d{{1,2}}[º°ª]\s?[A-Z]?\b)?"), check=_is_street, hint=_DIGIT),
    Pattern("STREET_ADDRESS",
            re.compile(rf"(?<![^\W_]){CAPITAL}[\w'\u2019-]{{1,30}}(?:\s{CAPITAL}[\w'\u2019-]{{1,30}})?(?:\s(?i:utca|u\.|[úu]t(?=\s\d)|k[öo]r[úu]t|cadd?esi|cad\.|soka[kğ][ıi]?|sok\.|bulvar[ıi]|mahallesi|mah\.|bulev[áa]r|n[áa]m[ěe]st[íi]|t[řr][íi]da)|vejen|gaden|gata)"
                       r"\s(?:no\.?\s?:?\s?)?\d{1,4}(?:\s?[A-Za-z]\b|/\d{1,3}\b|\b)"), check=_unfamiliar, hint=_OF_ROADS),
    Pattern("STREET_ADDRESS", re.compile(r"\bP\.?\s?O\.?\s?Box\s+\d+|\bPostfach\s+[\d ]+\d", _I), hint=_DIGIT),
    Pattern("LOCATION", re.compile(rf"\b{CAPITAL}[\w'\u2019-]{{1,30}}(?:\s{CAPITAL}[\w'\u2019-]{{1,30}}){{0,2}},?\s+[A-Z]{{2}},?\s+\d{{5}}(?:-\d{{4}})?\b"), hint=_DIGITS5),
    Pattern("LOCATION", re.compile(r"\b[A-Z]{2}\s+\d{5}(?:-\d{4})?\b(?!\s*(?:mm|ml))"), hint=_DIGITS5),
    Pattern("LOCATION",
            re.compile(r"\b(?:A[BL]|B[ABDHLNRST]?|C[ABFHMORTVW]|D[ADEGHLNTY]|E[CHNX]?|F[KY]|G[LUY]?|H[ADGPRSUX]|I[GPV]|K[ATWY]|L[ADELNSU]?|M[EKL]?"
                       r"|N[EGNPRW]?|O[LX]|P[AEHLOR]|R[GHM]|S[AEGKLMNOPRSTWY]?|T[ADFNQRSW]|UB|W[ACDFNRSV]?|YO|ZE)\d[A-Z\d]?\s\d[ABD-HJLNP-UW-Z]{2}\b"),
            hint=_DIGIT),
    Pattern("LOCATION", re.compile(r"\b[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z][ -]?\d[ABCEGHJ-NPRSTV-Z]\d\b"), hint=_DIGIT),
    Pattern("LOCATION", re.compile(rf"(?<![^\W_])(?:{_POSTAL})\s?[:.]?\s?(\d{{2,5}}[-\s]\d{{2,4}}|\d{{4,5}}(?:\s?[A-Z]{{2}}\b)?)(?![\w.,]*\d)", _I), 1, hint=_DIGITS4),
    Pattern("LOCATION", re.compile(r"〒\s?\d{3}-?\d{4}"), hint=_DIGIT),
    Pattern("LOCATION", re.compile(rf"(?<![\d.,-])(?:\d{{3}}\s\d{{2}}|\d{{2}}-\d{{3}}|\d{{4,5}}-\d{{3}}|[1-9]\d{{3}}\s?[A-Z]{{2}})\s+{CAPITAL}[a-zà-ÿœłńśźż]{{2,}}(?:[\s-]{CAPITAL}[a-zà-ÿ]+)?"),
            check=_zip_city, hint=_DIGITS4),
    Pattern("LOCATION", re.compile(rf"\b(?:[A-Z]{{1,2}}-)?\d{{4,5}}\s+{CAPITAL}[^\W\dA-Z_]{{2,}}(?:[\s-]{CAPITAL}[^\W\dA-Z_]+)?"), check=whereabouts.is_town,
            hint=_DIGITS4),
    Pattern("LOCATION",
            re.compile(rf"\b(?:lives?|living|resid(?:es|ing|ent)|born|native|moved|hometown|relocated|flew|travell?ed|wohnhaft|geboren|vive|habite|demeurant|nacid[oa]|residente|wohnt)"
                       rf"\s+(?:(?:in|at|of|from|to|on|near|is|à|en|a|alone|with|\w+)\s+){{1,3}}({CAPITAL}[\w'\u2019-]{{1,30}}(?:[\s,]+{CAPITAL}[\w'\u2019-]{{1,30}}){{0,3}})"), 1,
            _unfamiliar),
    Pattern("ORGANIZATION_NAME",
            re.compile(rf"(?:\b(?:St\.?|Saint|Mt\.?|Mount)\s+)?(?:{CAPITAL}[\w.'\u2019-]{{0,30}}\s+(?:(?:of|and|the|for|&|de|du|la)\s+)?){{1,5}}"
                       r"(?:Hospitals?|Clinics?|Clinical\s+Cent(?:er|re)|Medical\s+(?:Cent(?:er|re)|Group|College|School)|Health\s+(?:System|Cent(?:er|re)|Services?|Trust)|University|Universität|Institute|Infirmary"
                       r"|Klinik(?:um|en)?|Krankenhaus|Spital|Praxis|(?:Nursing|Care|Retirement|Rest)\s+Home|Hospice|Surgery|Imaging|Radiology\s+(?:Associates|Group|Partners)|Diagnostics|Laborator(?:y|ies)|Foundation|Pharmacy|Rehab(?:ilitation)?\s+Cent(?:er|re)"
                       r"|College|School|Academy|Church|Corporation|Corp|Inc|Ltd|LLC|GmbH|AG|Bank|Airlines|NHS\s+Trust)\b\.?"), check=_unfamiliar),
    Pattern("ORGANIZATION_NAME",
            re.compile(rf"\b(?:Hospital|H[ôo]pital|Clinique|Cl[íi]nica|Ospedale|Policlinico|Klinik(?:um)?|Krankenhaus|Universit(?:y|é|à|ätsklinikum)|CHU|CHRU|Centre\s+Hospitalier|Centro\s+M[ée]dico|Praxis|Institut[oe]?|Azienda\s+Ospedaliera)"
                       rf"\s+(?:(?:of|de|di|del|della|der|des|du|la|le|für|am|San|Santa|St\.?|Saint|Dr\.?)\s+){{0,3}}{CAPITAL}[\w'\u2019-]{{1,30}}(?:[\s-]{CAPITAL}[\w'\u2019-]{{1,30}}){{0,3}}"), check=_unfamiliar),
    Pattern("GENERIC_ID",
            re.compile(rf"\b(?:BSN|PESEL|CPF|CNPJ|DNI|NIE|NIF|NIR|AVS|AHV|SVNR|CPR|CURP|RUT|NINO|SIN|TFN|PPSN|NRIC|HKID|TAJ|Aadhaar|personnummer"
                       rf"|f[øö]dselsnummer|henkilötunnus|rodné\s*číslo|codice\s*fiscale|C\.F\.|n[°º]?\s*s[ée]cu)"
                       rf"[\s.-]{{0,2}}{_NUMBERED}?\.?\s{{0,2}}[:#=]{{0,2}}\s{{0,2}}({_VALUE}{_MORE_DIGITS})", _I), 1, _is_record, _DIGIT),
    # NIR of France: sex, year, month, department, commune, order, key
    Pattern("GENERIC_ID", re.compile(r"(?<![\d.,-])[12]\s?\d\d\s?(?:0[1-9]|1[0-2]|[2-9]\d)\s?(?:\d\d|2[AB])\s?\d{3}\s?\d{3}(?:\s?\d\d)?(?![\d.,-])"), hint=_DIGITS5),
    Pattern("GENERIC_ID", re.compile(r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\s?\d{2}\s?\d{2}\s?\d{2}\s?[A-D]\b"), hint=_DIGITS5),
    Pattern("GENERIC_ID", re.compile(r"\b[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}\b", _I), hint=_DIGIT),
    Pattern("GENERIC_ID", re.compile(r"(?<![\w.,-])(?=[A-Z0-9-]{6,40}(?![\w-]))(?=(?:[A-Z-]{0,20}\d){4})(?=[\d-]{0,20}[A-Z])[A-Z0-9-]{6,40}(?!\w|\.\d)", _I),
            check=lambda text: not re.fullmatch(r"\d+(?:[-x]\d+)*(?:mm|cm|ml|mg|kg|hz|ms)?", text, _I) and not _MOMENT.match(text),
            hint=_DIGIT),
    Pattern("GENERIC_ID", re.compile(r"(?<![\d.,])\d{6,}(?![\d]*[.,]?\d)(?!\s?(?:mm|cm|ml|mg|g|/|%|cells|copies|units?|iu)\b)", _I), hint=_DIGITS5),
    Pattern("GENERIC_ID", re.compile(r"(?<![\d.,])\d{2,4}(?:\.\d{2,4}){2,4}(?:-\d{1,2})?(?![\d.]*\d)"),
            check=lambda text: sum(c.isdigit() for c in text) >= 9, hint=_DIGITS5),
    Pattern("GENERIC_ID", re.compile(r"(?<![\d.,+-])\d{6}[-+]\d{4}(?![\d-])"), hint=_DIGITS5),
    Pattern("GENERIC_ID", re.compile(r"(?<![\d.,/-])\d{2,8}(?:[-/]\d{2,8}){1,3}(?![\d.,/-])"), check=_is_code,
            hint=_DIGITS5),
    Pattern("GENERIC_ID", re.compile(r"(?<![\d.,/-])\d{2,8}(?:\s\d{2,5}){1,4}(?![\d.,/%-]|\s?(?:mm|cm|ms|ml|mg|hu|kv|ma)\b)", _I),
            check=_is_spaced_code, hint=_DIGITS5),
    Pattern("GENERIC_ID", re.compile(r"(?<![\w])[A-Z]{1,4}[-/]?\d{2,4}[-/]\d{3,8}(?!\w)"), hint=_DIGITS5),
)  # fmt: skip


def find(text: str, known: KnownText | None = None) -> Iterator[Finding]:
    """Yield what identifies by its shape, also where underscores stand for spaces."""
    if "_" in text:
        yield from _find(text.replace("_", " "), known)
    yield from _find(text, known)


def _find(text: str, known: KnownText | None) -> Iterator[Finding]:
    for each in PATTERNS:
        if each.hint is not None and not each.hint.search(text):
            continue
        for match in each.pattern.finditer(text):
            if each.check is None or each.check(match[each.group]):
                start, stop = match.span(each.group)
                while stop > start and text[stop - 1] in " .,;-/":
                    stop -= 1
                yield Finding(
                    start, stop, each.info_type, CODE if each.info_type == "GENERIC_ID" else PATTERN
                )
    for match in ENCODED.finditer(text):
        yield Finding(*match.span(), "GENERIC_ID", CODE)
    yield from ages.find(text)
    yield from positions.find(text)
    yield from whereabouts.find(text)
    yield from _dates(text, known)
    yield from people.find(text)


_MORE_ADDRESS: Final = re.compile(
    rf"(?:[,\s]{{1,4}}{CAPITAL}[\w'\u2019-]{{1,30}}(?:\s{CAPITAL}[\w'\u2019-]{{1,30}}){{0,2}})?(?:[,\s]{{1,4}}[A-Z]{{2}})?[,\s]{{1,4}}\d{{4,6}}(?:-\d{{4}})?"
    r"(?![\w.,]*\d)(?!\s*(?:mm|cm|ml|mg|slices))"
)
_MORE_CITY: Final = re.compile(
    rf"[,\s]{{1,4}}(?:[A-Z]{{1,2}}-)?(?:\d{{4,5}}|\d{{3}}\s\d{{2}}|\d{{2}}-\d{{3}}|\d{{4,5}}-\d{{3}}|\d{{4}}\s?[A-Z]{{2}}|[A-Z]\d[A-Z]\s?\d[A-Z]\d)"
    rf"\s{CAPITAL}[\w'\u2019-]{{1,30}}(?:\s{CAPITAL}[\w'\u2019-]{{1,30}})?"
)
_CITY: Final = re.compile(
    rf",\s+{CAPITAL}[\w'\u2019-]+(?:\s{CAPITAL}[\w'\u2019-]+){{0,2}}(?=\s*[,.;)\n]|$)"
)


def addresses(text: str, found: Sequence[Finding]) -> Iterator[Finding]:
    """Yield what follows an address or a place and belongs to it: city, state, postal code."""
    for each in found:
        if each.info_type not in ("STREET_ADDRESS", "LOCATION"):
            continue
        more = _MORE_CITY.match(text, each.stop) if each.info_type == "STREET_ADDRESS" else None
        more = more or _MORE_ADDRESS.match(text, each.stop)
        if more is None and each.info_type == "STREET_ADDRESS":
            more = _CITY.match(text, each.stop)
        if more is not None:
            yield Finding(each.start, more.end(), each.info_type, each.rank)


def _dates(text: str, known: KnownText | None) -> Iterator[Finding]:
    for each in dates.find(text):
        birth = known is not None and known.is_birth(each)
        if birth or births.stands_before(text, each.start):
            yield Finding(each.start, each.stop, "DATE_OF_BIRTH", PATTERN)
        else:
            yield Finding(each.start, each.stop, "DATE", PATTERN)
    yield from births.years(text)
