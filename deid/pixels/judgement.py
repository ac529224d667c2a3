"""Which of the texts that were read from the pixels identify somebody.

In order: what is known of the person (fuzzily, as OCR confuses O and 0, I and 1, S and 5, B and 8),
patterns by infoType and by the site, a pluggable judge, and at last the vocabulary of what may stay:
laterality, orientation, measurements, machine settings. A text that could not be read with
confidence, or holds words outside that vocabulary, is treated as identifying.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from deid.errors import ConfigurationInvalid
from deid.pixels.burned_dates import DATE
from deid.pixels.harmless import LETTERS, closed_up, is_harmless, is_word, to_plain
from deid.pixels.known_texts import KnownTexts
from deid.pixels.screen_words import is_also_name
from deid.text.site_patterns import PatternInvalid, compile_site_pattern
from deid.text.vocabulary import is_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from deid.identity.identifiers import KnownIdentifier
    from deid.pixels.policy import CustomRegex
    from deid.pixels.ports import TextJudge, TextRegion

#: The Healthcare API's default infoTypes for DICOM, with ours for record numbers.
DEFAULT_INFO_TYPES = frozenset(
    {
        "ACCESSION",
        "AGE",
        "CREDIT_CARD_NUMBER",
        "DATE",
        "DATE_OF_BIRTH",
        "DICOM_UID",
        "EMAIL_ADDRESS",
        "GENERIC_ID",
        "IP_ADDRESS",
        "LOCATION",
        "MAC_ADDRESS",
        "MEDICAL_RECORD_NUMBER",
        "ORGANIZATION_NAME",
        "PASSPORT",
        "PERSON_NAME",
        "PHONE_NUMBER",
        "STREET_ADDRESS",
        "SWIFT_CODE",
        "US_DRIVERS_LICENSE_NUMBER",
        "US_INDIVIDUAL_TAXPAYER_IDENTIFICATION_NUMBER",
        "US_SOCIAL_SECURITY_NUMBER",
        "US_VEHICLE_IDENTIFICATION_NUMBER",
    }
)

#: infoType -> pattern, searched in the upper-case text.
PATTERNS: Mapping[str, re.Pattern[str]] = {
    "EMAIL_ADDRESS": re.compile(r"[\w.+-]+\s?@\s?[\w-]+\.[\w.]+"),
    "URL": re.compile(r"\b(?:HTTPS?:|WWW\.)\S+"),
    "MAC_ADDRESS": re.compile(r"\b[0-9A-F]{2}(?:[:-][0-9A-F]{2}){5}\b"),
    "IP_ADDRESS": re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])"),
    "DICOM_UID": re.compile(
        r"(?<![\d.])(?:[12](?:\.\d+){5,}|(?:1\.[23]|2\.(?:16|25))(?:\.\d+)*\.\d{5,})"
    ),
    "US_SOCIAL_SECURITY_NUMBER": re.compile(r"(?<!\d)\d{3}[- ]\d{2}[- ]\d{4}(?!\d)"),
    "PHONE_NUMBER": re.compile(
        r"(?:\b(?:TEL|PHONE|FAX|MOBILE?)\b[.: ]*[+\d(])"
        r"|(?:\bPH\b[.: ]*(?:[+(]|\d[\d ()/.-]{3,}))"
        r"|(?:\+\d[\d ()/.-]{7,})"
        r"|(?:\(\d{3}\)\s?\d{3}[- .]?\d{4})"
        r"|(?:(?<!\d)\d{3}[-. ]\d{3}[-. ]\d{4}(?!\d))"
        r"|(?:(?<!\d)\d{3}[-.]\d{4}(?!\d))"
    ),
    # Of nuclear medicine NAC is "not attenuation corrected".
    "DATE_OF_BIRTH": re.compile(
        r"\b(?:D\.?[O0]\.?B|B[O0]RN|BIRTH|GEB(?:\.|DAT)?|(?:F|FECHA|DATA|DT)\b\W{0,3}(?:DE\s)?\s?NAC)\b"
        r"|\bNAC(?:\s?[.:]|[\s-]+(?:(?:19|20)\d\d|\d{1,2}[-/. ]+\d{1,2}[-/. ]+\d\d(?:\d\d)?)\b)"
        r"|\bNAC[\s-]+\d\d\s*$"
    ),
    "DATE": DATE,
    "AGE": re.compile(
        r"(?<![\d.])0?\d{1,3}\s?(?:Y(?:RS?|EARS?)?|YO|Y/O|JAHRE?)\b(?!\s*[:=])"
        r"|(?<!\d)\d{3}[YMWD]\b|\bAGE\s*[:=]?\s*\d"
    ),
    "MEDICAL_RECORD_NUMBER": re.compile(
        r"\b(?:MRN|M\.?R\.?N|PID|P\.?ID|PAT(?:IENT)?\s*[-.]?\s*(?:ID|N[O0R]|#)"
        r"|(?:UNIT|HOSP|HOSPITAL|RECORD)\s*(?:N[O0]|#)|NHS|CHI|SSN|[I1]D)\b\.?\s*[:#=]?\s*\S*\d"
    ),
    "ACCESSION": re.compile(
        # Acc 412 cm/s2 is an acceleration.
        r"\bACC(?! ?[:=]? ?\d+(?:\.\d+)? ?C?M/S)"
        r"(?:ESS(?:ION)?|N)?\b\.?\s*(?:N[O0]\.?|NUM(?:BER)?|#)?\s*[:#=]?\s*\S*\d"
    ),
    "PERSON_NAME": re.compile(
        # 10^-6 mm2/s is no name
        r"(?<!\b10)\^"
        r"|\b(?:PATIENT|PAT|PT|NAME|NOM|NOMBRE|OPERATOR|OPER|TECH(?:NOLOGIST)?|PHYSICIAN|REF(?:ERRING)?"
        r"|PERF(?:ORMED)?|READ(?:ING)?|SONOGRAPHER|USER)\b\.?\s*(?:NAME|BY|PHYS(?:ICIAN)?|DR)?\s*[:=]\s*[^\W\d]"
        # TR 1500 ms TE 20 ms
        r"|\b(?:DR|MR|MRS|(?<!\d )MS|PROF|HERR|FRAU)\b[. ]+[^\W\d]{2,}"
    ),
    "STREET_ADDRESS": re.compile(
        r"\b\d+\s+[A-Z]+\s+(?:ST|STREET|AVE|AVENUE|RD|ROAD|BLVD|LN|LANE|DRIVE|WAY)\b"
        r"|\b[A-Z]+(?:STRASSE|STR\.|WEG|PLATZ)\s*\d+"
    ),
    "LOCATION": re.compile(
        r"H[O0]SP[I1L]T|CL[I1]N[I1]C|KL[I1]N[I1]K|\bUNIVERSIT|\bMEDICAL CENT|\bHEALTH\s?CARE|\bINFIRMARY"
        r"|\bINSTITUT|\bRADIOLOGY\b|\bIMAGING CENT|\bKRANKENHAUS|\bH[O0]PITAL|\bMED\s?CTR"
    ),
    "GENERIC_ID": re.compile(r"(?<![\d.,:])\d{6,}(?![\d.,])|\b(?=[A-Z-]*\d)[A-Z]{1,4}-?\d{5,}\b"),
}

#: Whose patterns match the beginnings of words.
_WORD_BEGINNINGS = frozenset({"LOCATION", "PERSON_NAME"})

#: How much less sure than the surest another reading of the same text may be to count.
_LESS_SURE = 0.1

#: Letters of a word that may be one of the vocabulary's, misread: of two letters any is.
_FEWEST_MISREAD = 3

#: Letters of a word that may be one of the vocabulary's but for one, though it is read surely.
_FEWEST_MISSPELT = 5


class Judgement:
    """Decides by one configuration whether a text may stay.

    Parameters
    ----------
    info_types
        Those that are looked for; known identifiers of other types are not.
    spared
        Those that stay on purpose: what shows one of them needs no place in the vocabulary.
    custom_regexes
        As the Healthcare API's ``customRegexes``; searched in the text as it was read.
    judge
        Asked after our own patterns; its answer counts when it is in `info_types`.
    legible
        Readings below this are "unreadable".

    Raises
    ------
    ConfigurationInvalid
        If a custom pattern does not compile or a group does not exist.
    """

    def __init__(
        self,
        info_types: Collection[str] = DEFAULT_INFO_TYPES,
        *,
        spared: Collection[str] = (),
        custom_regexes: Sequence[CustomRegex] = (),
        judge: TextJudge | None = None,
        legible: float = 0.9,
    ) -> None:
        self._info_types = frozenset(info_types) - frozenset(spared)
        self._spared = frozenset(spared)
        self._judge = judge
        self._legible = legible
        self._custom = [_compiled(custom) for custom in custom_regexes]

    def why(self, region: TextRegion, known: KnownTexts) -> str | None:
        """Return why a region must be filled (as in `PixelRegion.why`), None when it may stay."""
        if region.is_code:
            return "bar_code"
        least = max(self._legible, region.legibility - _LESS_SURE)
        readings = [(region.text, region.legibility), *region.others]
        sure = [
            closed_up(text.strip())
            for number, (text, legibility) in enumerate(readings)
            if not number or legibility >= least
        ]
        for text in sure:
            why = self._why_identifying(text, known)
            if why is not None:
                return why
        if region.legibility >= self._legible and any(
            is_harmless(self._without_spared(to_plain(text), known)) for text in sure
        ):
            return None
        return "unreadable"

    def _without_spared(self, upper: str, known: KnownTexts) -> str:
        """Return a text without what shows an infoType that may stay."""
        for info_type in self._spared & PATTERNS.keys():
            upper = _spared_pattern(info_type).sub(" ", upper)
        return known.without_spared(upper)

    def _why_identifying(self, text: str, known: KnownTexts) -> str | None:
        upper = to_plain(text)
        if known.match(upper):
            return "known_identifier"
        for pattern, groups in self._custom:
            found = pattern.search(text)
            if found and (not groups or any(found.group(index) for index in groups)):
                return "info_type:CUSTOM_REGEX"
        for info_type, infotype_pattern in PATTERNS.items():
            if info_type in self._info_types and infotype_pattern.search(upper):
                return f"info_type:{info_type}"
        judged = None if self._judge is None else self._judge(text, known.identifiers)
        return f"info_type:{judged}" if judged is not None and judged in self._info_types else None

    def knowing(self, identifiers: Sequence[KnownIdentifier]) -> KnownTexts:
        """Prepare one instance's known identifiers, those of the wanted infoTypes."""
        return KnownTexts(
            [entry for entry in identifiers if entry.info_type in self._info_types],
            [entry for entry in identifiers if entry.info_type in self._spared],
        )


def is_misread_perhaps(text: str) -> bool:
    """Whether a text would go for a word alone that is neither in the vocabulary nor anybody's name.

    Recognisers read SOFT TISSUL and JECUBITUS as surely as any word.
    """
    upper = to_plain(closed_up(text.strip()))
    if is_harmless(upper):
        return False
    words = [word for word in LETTERS.findall(upper) if not is_word(word)]
    return bool(words) and not any(len(word) < _FEWEST_MISREAD or is_name(word) for word in words)


def is_cut_perhaps(text: str) -> bool:
    """Whether a text would go for words alone that are in no list, which lost a sign perhaps: IB 0.9."""
    return _goes_for_words(text, of_letters=1)


def is_begun_perhaps(text: str) -> bool:
    """Whether a text would go for words alone that are in no list, or stay in company: DE of DECUBITUS."""
    upper = to_plain(closed_up(text.strip()))
    words = [word for word in LETTERS.findall(upper) if not is_word(word) or is_also_name(word)]
    return bool(words) and _goes_for(upper, words, of_letters=1)


def is_misspelt_perhaps(text: str) -> bool:
    """Whether a text would go for long words alone that are in no list, of which a sign is another perhaps.

    Short ones are names as often: CHO and CH0.
    """
    return _goes_for_words(text, of_letters=_FEWEST_MISSPELT)


def _goes_for_words(text: str, *, of_letters: int) -> bool:
    upper = to_plain(closed_up(text.strip()))
    words = [word for word in LETTERS.findall(upper) if not is_word(word)]
    return bool(words) and _goes_for(upper, words, of_letters=of_letters)


def _goes_for(upper: str, words: Sequence[str], *, of_letters: int) -> bool:
    return not (
        is_harmless(upper)
        or any(pattern.search(upper) for pattern in PATTERNS.values())
        or any(len(word) < of_letters or is_name(word) for word in words)
    )


def may_stay(text: str) -> bool:
    """Whether a text stays where nothing is known of anybody: numbers, and words of the vocabulary."""
    upper = to_plain(closed_up(text.strip()))
    return is_harmless(upper) and not any(pattern.search(upper) for pattern in PATTERNS.values())


@functools.cache
def _spared_pattern(info_type: str) -> re.Pattern[str]:
    """Return what shows an infoType; words, where its pattern knows only how they begin.

    Only there: a name may be run together with a date.
    """
    pattern = PATTERNS[info_type]
    if info_type not in _WORD_BEGINNINGS:
        return pattern
    return re.compile(rf"[^\W_]*(?:{pattern.pattern})[^\W_]*")


def _compiled(custom: CustomRegex) -> tuple[re.Pattern[str], tuple[int, ...]]:
    try:
        pattern = compile_site_pattern(custom.pattern, ignore_case=True)
    except PatternInvalid as error:
        raise ConfigurationInvalid([f"customRegexes: not a pattern of RE2: {error}"]) from error
    if any(not 0 <= index <= pattern.groups for index in custom.group_indexes):
        raise ConfigurationInvalid(["customRegexes: groupIndexes names a group that is not there"])
    return pattern, custom.group_indexes
