"""Which of the texts that were read from the pixels identify somebody.

In order: what is known of the person (fuzzily, as OCR confuses O and 0, I and 1, S and 5, B and 8),
patterns by infoType and by the site, a pluggable judge, and at last the vocabulary of what may stay:
laterality, orientation, measurements, machine settings. A text that could not be read with
confidence, or holds words outside that vocabulary, is treated as identifying.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import TYPE_CHECKING

from rapidfuzz.distance import OSA

from deid.errors import ConfigurationInvalid
from deid.pixels.burned_dates import DATE, KnownDays, numeric_forms
from deid.pixels.screen_words import (
    ALSO_NAMES,
    BEGINNINGS,
    JOINABLE,
    NAMES_LIKE_WORDS,
    TERMS,
    UNITS,
    WORDS,
)
from deid.text.site_patterns import PatternInvalid, compile_site_pattern
from deid.text.vocabulary import is_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

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
        r"\bACC(?:ESS(?:ION)?|N)?\b\.?\s*(?:N[O0]\.?|NUM(?:BER)?|#)?\s*[:#=]?\s*\S*\d"
    ),
    "PERSON_NAME": re.compile(
        r"\^"
        r"|\b(?:PATIENT|PAT|PT|NAME|NOM|NOMBRE|OPERATOR|OPER|TECH(?:NOLOGIST)?|PHYSICIAN|REF(?:ERRING)?"
        r"|PERF(?:ORMED)?|READ(?:ING)?|SONOGRAPHER|USER)\b\.?\s*(?:NAME|BY|PHYS(?:ICIAN)?|DR)?\s*[:=]\s*[^\W\d]"
        r"|\b(?:DR|MR|MRS|MS|PROF|HERR|FRAU)\b[. ]+[^\W\d]{2,}"
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

#: Letters and digits that recognisers take for one another, folded to one of them.
_CONFUSED = str.maketrans("OQDIL|!SBZG", "00011115826")

#: Letters of a word that may be one of several run together.
_FEWEST_JOINED = 4

#: Letters of a word that may be one of the vocabulary's with O read for D, or I for L.
_FEWEST_FOLDED = 5

#: Letters of a word that may be one of the vocabulary's, misread: of two letters any is.
_FEWEST_MISREAD = 3

#: Letters of a known word that is looked for across spaces, too.
_FEWEST_CONTAINED = 5

_TOKEN = re.compile(r"[^\W_]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_NUMBER_AND_UNIT = re.compile(
    r"[<>~=+\-±]*\d+(?:[.,:/x\u00d7*]\d+)*(?:E[+-]?\d+)?\s*(?P<unit>[^\W\d_°%]*(?:/[^\W\d_]+)?[²³23]?)[°%'\"]*"
)

_COMMON_NAME_TEXT = """
HOSPITAL CLINIC CENTER CENTRE MEDICAL GENERAL UNIVERSITY INSTITUTE RADIOLOGY IMAGING HEALTH CARE
DEPARTMENT THE AND FOR ROOM WARD UNIT SAINT STREET ROAD AVENUE NORTH SOUTH EAST WEST NONE UNKNOWN
ANONYMOUS
"""

#: Words in the names of institutions that tell nothing about which one it is.
_COMMON_NAME_WORDS = frozenset(_COMMON_NAME_TEXT.split())


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
            _closed_up(text.strip())
            for number, (text, legibility) in enumerate(readings)
            if not number or legibility >= least
        ]
        for text in sure:
            why = self._why_identifying(text, known)
            if why is not None:
                return why
        if region.legibility >= self._legible and any(
            is_harmless(self._without_spared(_plain(text), known)) for text in sure
        ):
            return None
        return "unreadable"

    def _without_spared(self, upper: str, known: KnownTexts) -> str:
        """Return a text without what shows an infoType that may stay."""
        for info_type in self._spared & PATTERNS.keys():
            upper = _spared_pattern(info_type).sub(" ", upper)
        return known.without_spared(upper)

    def _why_identifying(self, text: str, known: KnownTexts) -> str | None:
        upper = _plain(text)
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


class KnownTexts:
    """Known identifiers in the forms in which they are burned in, and those that may stay."""

    def __init__(
        self, identifiers: Sequence[KnownIdentifier], spared: Iterable[KnownIdentifier] = ()
    ) -> None:
        self.identifiers = identifiers
        self._spared = {token for entry in spared for token in _TOKEN.findall(_plain(entry.value))}
        self._words: set[str] = set()
        self._names: set[str] = set()
        self._whole_names: set[str] = set()
        self._codes: set[str] = set()
        self._days = KnownDays()
        for identifier in identifiers:
            self._add(identifier)

    def __repr__(self) -> str:
        return f"KnownTexts({len(self.identifiers)} identifiers)"

    def match(self, upper: str) -> bool:
        """Whether an upper-case text shows one of them, fuzzily."""
        plain = _TOKEN.findall(upper)
        tokens = [_folded(token) for token in plain]
        compact = "".join(tokens)
        says_itself = says_what_it_is(upper)
        # MEAN 43.2 HU is no Sean; MEAN alone may be one.
        certain = _FOLDED_PLAIN_WORDS if says_itself else frozenset[str]()
        # Nor is DEPTH 11 CM a Li, whose name folds to a number.
        spelled = [
            folded
            for token, folded in zip(plain, tokens, strict=True)
            if not (says_itself and token.isdigit())
        ]
        if len(plain) > 1 and all(len(token) == 1 for token in plain):
            tokens, spelled = [*tokens, compact], [*spelled, compact]  # set in spaced letters
        return (
            any(
                word == token or (token not in certain and _is_like(word, token))
                for words, among in ((self._words, tokens), (self._names, spelled))
                for word in words
                for token in among
            )
            or any(
                len(word) >= _FEWEST_CONTAINED and _contains(compact, word) for word in self._words
            )
            or any(_contains(compact, code) for code in self._codes)
            or self._days.are_shown(upper)
            or self._days.are_shown(_TOKEN.sub(_with_digits, upper))
            or self._names_run_through(upper, plain)
        )

    def _names_run_through(self, upper: str, tokens: Sequence[str]) -> bool:
        """Whether one of the names stands in a text without its spaces, with few errors.

        Where all words may stay, an error and a number at once make no name of them: PAGE 1 is no Patel, whose
        name has an L that is often read as a 1.
        """
        long = [name for name in self._names if len(name) >= _FEWEST_CONTAINED]
        long += self._whole_names
        compact = _folded("".join(tokens))
        if not any(_contains(compact, name) for name in long):
            return False
        if not is_harmless(upper):
            return True
        letters = _folded("".join(token for token in tokens if not token.isdigit()))
        return any(name in compact or _contains(letters, name) for name in long)

    def without_spared(self, upper: str) -> str:
        """Return an upper-case text without the words of identifiers that may stay."""
        if not self._spared:
            return upper
        return _TOKEN.sub(lambda word: " " if word.group() in self._spared else word.group(), upper)

    def _add(self, identifier: KnownIdentifier) -> None:
        plain = _plain(identifier.value)
        digits = re.sub(r"\D", "", plain)
        kind = identifier.info_type
        if kind in {"DATE", "DATE_OF_BIRTH"} and len(digits) >= 8:
            self._codes |= {_folded(form) for form in numeric_forms(digits)}
            self._days.add(digits)
        elif kind == "AGE":
            if digits:
                self._words.add(_folded(f"{int(digits)}Y"))
                self._words.add(_folded(plain))
        elif kind in {"PERSON_NAME", "LOCATION", "ORGANIZATION_NAME", "STREET_ADDRESS"}:
            tokens = [token for token in _TOKEN.findall(plain) if token not in _COMMON_NAME_WORDS]
            least = 2 if kind == "PERSON_NAME" else 4
            for token in tokens:
                if len(token) >= least:
                    (self._names if token.isalpha() else self._words).add(_folded(token))
            compact = "".join(_TOKEN.findall(plain))
            if len(compact) >= 6:
                (self._whole_names if compact.isalpha() else self._codes).add(_folded(compact))
        else:
            compact = "".join(_folded(token) for token in _TOKEN.findall(plain))
            if len(compact) >= 4:
                self._codes.add(compact)
            elif len(compact) >= 2:
                self._words.add(compact)


def is_harmless(upper: str) -> bool:
    """Whether every word is one that may stay: a number, a unit, or of the vocabulary.

    Words that are names as well need a number or another word beside them, more than an initial.
    """
    upper = TERMS.sub(" ", upper)
    alone = upper.strip(" .:-")
    if len(alone) == 1 and alone.isalpha():
        return alone in "LRAPHFSI" or (alone in WORDS and not alone.isascii())
    words = _LETTERS.findall(upper)
    may_be_names = bool(words) and all(word in ALSO_NAMES or len(word) == 1 for word in words)
    if may_be_names and max(map(len, words)) > 1 and not any(map(str.isdigit, upper)):
        return False
    upper = _TOKEN.sub(_without_misread_word, upper)
    rest = _NUMBER_AND_UNIT.sub(_without_known_unit, upper)
    tokens = _LETTERS.findall(rest)
    if any(map(str.isdigit, upper)):
        # Beside a number a short word with l for I is a setting rather than a name: El 412, GAlN 3.
        tokens = [token if _is_word(token) else _with_i_for_l(token) for token in tokens]
    if all(_is_word(token) for token in tokens):
        return True
    # Recognisers lose and invent spaces: AP ERECT as APERECT, SUPINE as SUP INE.
    return all(_is_word(token) or _is_run_of_words(token) for token in tokens) or _is_run_of_words(
        "".join(tokens)
    )


def says_what_it_is(text: str) -> bool:
    """Whether a text is a number with words that may stay and are nobody's name: kV 100, MEAN 43.2 HU."""
    upper = _plain(text)
    if not any(map(str.isdigit, upper)) or not is_harmless(upper):
        return False
    words = _LETTERS.findall(_NUMBER_AND_UNIT.sub(_without_known_unit, upper))
    units = [match["unit"] for match in _NUMBER_AND_UNIT.finditer(upper)]
    return not any(word in ALSO_NAMES for word in words) and any(
        len(word) > 1 and (word in WORDS or word in UNITS) for word in (*words, *units)
    )


def is_misread_perhaps(text: str) -> bool:
    """Whether a text would go for a word alone that is neither in the vocabulary nor anybody's name.

    Recognisers read SOFT TISSUL and JECUBITUS as surely as any word.
    """
    upper = _plain(_closed_up(text.strip()))
    if is_harmless(upper):
        return False
    words = [word for word in _LETTERS.findall(upper) if not _is_word(word)]
    return bool(words) and not any(len(word) < _FEWEST_MISREAD or is_name(word) for word in words)


def is_cut_perhaps(text: str) -> bool:
    """Whether a text would go for words alone that are in no list, which lost a sign perhaps: IB 0.9."""
    upper = _plain(_closed_up(text.strip()))
    if is_harmless(upper) or any(pattern.search(upper) for pattern in PATTERNS.values()):
        return False
    words = [word for word in _LETTERS.findall(upper) if not _is_word(word)]
    return bool(words) and not any(is_name(word) for word in words)


@functools.cache
def _spared_pattern(info_type: str) -> re.Pattern[str]:
    """Return what shows an infoType; words, where its pattern knows only how they begin.

    Only there: a name may be run together with a date.
    """
    pattern = PATTERNS[info_type]
    if info_type not in _WORD_BEGINNINGS:
        return pattern
    return re.compile(rf"[^\W_]*(?:{pattern.pattern})[^\W_]*")


def _without_misread_word(match: re.Match[str]) -> str:
    # ZO0M would else fall into letters and a number.
    token = match.group()
    is_mixed = any(map(str.isdigit, token)) and sum(map(str.isalpha, token)) >= 2
    return " " if is_mixed and _folded(token) in _FOLDED_WORDS else token


def _is_run_of_words(letters: str) -> bool:
    """Whether letters are words of the vocabulary one after the other.

    Of four letters at least, but for what says the side or the plane before them: short words add up
    to names, as TILT and ON, WIN and GATE.
    """
    if letters in WORDS or _is_name(letters):
        return letters in WORDS and len(letters) >= 4
    # Where words may end, those that begin the run first.
    ends = {0, *(len(word) for word in BEGINNINGS if letters.startswith(word))}
    for start in range(len(letters)):
        if start in ends:
            ends.update(
                stop
                for stop in range(start + _FEWEST_JOINED, len(letters) + 1)
                if letters[start:stop] in JOINABLE
            )
    return len(letters) in ends


def _closed_up(text: str) -> str:
    """Return text without its spaces when it is set in spaced letters."""
    parts = text.split()
    single = sum(len(part) == 1 for part in parts)
    return "".join(parts) if len(parts) >= 4 and single * 4 >= len(parts) * 3 else text


def _without_known_unit(match: re.Match[str]) -> str:
    unit = match.group("unit")
    return " " if not unit or unit in UNITS or _is_word(unit) else f" {unit} "


def _is_word(token: str) -> bool:
    if len(token) == 1:
        return token.isascii() or token in WORDS  # a single ideograph can be a name
    if token in WORDS or (token in UNITS and not _is_name(token)):
        return True
    # Folded, but not otherwise fuzzy: one letter lies between PALMAR and PALMER. Short ones are names
    # too often even so: CAO and CAD, BOS and BDS.
    return len(token) >= _FEWEST_FOLDED and _folded(token) in _FOLDED_WORDS and not _is_name(token)


def _is_name(token: str) -> bool:
    return is_name(token) or token in NAMES_LIKE_WORDS


def _is_like(known: str, token: str) -> bool:
    """Equal, or differing as much as OCR errors make likely for that length."""
    if known == token:
        return True
    allowed = 0 if len(known) < 4 else 1 if len(known) < 7 else 2
    return bool(allowed) and OSA.distance(known, token, score_cutoff=allowed) <= allowed


def _contains(text: str, code: str) -> bool:
    """Whether a window of the text is the code with few errors."""
    size = len(code)
    if code in text:
        return True
    allowed = 0 if size < 5 else 1 if size < 10 else 2
    if not allowed or len(text) < size - allowed:
        return False
    return any(
        OSA.distance(code, text[start : start + size], score_cutoff=allowed) <= allowed
        for start in range(max(len(text) - size, 0) + 1)
    )


def _plain(text: str) -> str:
    """Return upper case without accents."""
    decomposed = unicodedata.normalize("NFKD", text.replace("\N{MICRO SIGN}", "u").upper())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _with_i_for_l(token: str) -> str:
    return token if _is_name(token) else token.replace("L", "I")


def _with_digits(match: re.Match[str]) -> str:
    """Return a token with digits for what is taken for them: 2O19."""
    token = match.group()
    return _folded(token) if any(map(str.isdigit, token)) else token


def _folded(text: str) -> str:
    return text.translate(_CONFUSED)


def _compiled(custom: CustomRegex) -> tuple[re.Pattern[str], tuple[int, ...]]:
    try:
        pattern = compile_site_pattern(custom.pattern, ignore_case=True)
    except PatternInvalid as error:
        raise ConfigurationInvalid([f"customRegexes: not a pattern of RE2: {error}"]) from error
    if any(not 0 <= index <= pattern.groups for index in custom.group_indexes):
        raise ConfigurationInvalid(["customRegexes: groupIndexes names a group that is not there"])
    return pattern, custom.group_indexes


_FOLDED_WORDS = frozenset(_folded(word) for word in WORDS)
_FOLDED_PLAIN_WORDS = frozenset(_folded(word) for word in WORDS - ALSO_NAMES)
