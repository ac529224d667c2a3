"""What becomes of a finding."""

from __future__ import annotations

import base64
import hmac
import re
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from deid.text import dates, times
from deid.text.policy import InfoTypeTransformation, TextPolicy, Transformation

if TYPE_CHECKING:
    from deid.identity.keys import SiteKey
    from deid.identity.shifts import Shift
    from deid.text.findings import Finding
    from deid.text.known import KnownText

_BASIC_SHIFT: Final = InfoTypeTransformation(Transformation.DATE_SHIFT)
_BASIC_REPLACE: Final = InfoTypeTransformation(Transformation.REPLACE_WITH_INFO_TYPE)
OLDEST_YEARS: Final = 89
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)?")
_YEARS: Final = re.compile(r"y|jahr|jähr|jaehr|ans\b|año|anos|anni|jaar|år", re.IGNORECASE)
_OTHER_UNIT: Final = re.compile(r"month|mos?\b|m/o|week|wk|day|\b\d{3}[DWM]\b", re.IGNORECASE)
_ISSUED: Final = re.compile(
    r"(?<![^\W\d_])(?<!op[\s-])(?:ver|vers|versions?|version\w{2}|versie|versi[oó]n|vers[aã]o|versione|wersj[ai]|verze|verzi[oó]|s[uü]r[uü]m|rev|revision|revisione"
    r"|r[eé]vision|revisi[oó]n|revidiert|revised|release|build|edition|ausgabe|template|vorlage|mod[eè]le|modello|plantilla|sjabloon|szablon|form|formular"
    r"|formulaire|formulario|protocol|protokoll|protocole|protocolo|protocollo|protok[oó][lł]|guidelines?|leitlinien?|richtlinien?|recommandations?|sop"
    r"|(?-i:Stand)|g[uü]ltig(?:\sab)?|valid\s(?:from|since)|effective|last\supdate[ds]?|calibrat\w{2,4}|kalibr\w{2,8}|[eé]talonn\w{2,5}|calibraz\w{2,4}|calibra\w{2,5}|taratura)"
    r"(?:[\s.:,(/_-]{1,3}(?:of|from|on|as\sof|dated|no\.?|nr\.?|vom|von|am|du|de|del|della|dal|d\.?d\.?|van|z|fra|fr[aå]n|date|datum|\d{1,2}(?:\.\d{1,2})?[a-z]?)){0,2}"
    r"[\s.:,(/_-]{0,3}\Z",
    re.IGNORECASE,
)
"""What days stand behind that are of a form, a version or a device: many patients' texts have the same."""
_MOST_BEFORE: Final = 40
_WORD_CHARACTER: Final = re.compile(r"[^\s\\^=]")


class Transformer:
    """Applies one policy's transformations.

    Parameters
    ----------
    policy
        The transformations; each with its own key where it has one.
    key
        The deidentifier's, for hashes without one.
    """

    def __init__(self, policy: TextPolicy, key: SiteKey) -> None:
        self.policy = policy
        self._key = hmac.digest(key.secret, b"text-hash\x00", sha256().name)
        self._chosen: dict[str, InfoTypeTransformation | None] = {}

    def choose(self, info_type: str) -> InfoTypeTransformation | None:
        """Return the transformation for an infoType; None leaves it as it is."""
        if info_type not in self._chosen:
            self._chosen[info_type] = self._choose(info_type)
        return self._chosen[info_type]

    def is_left(self, info_type: str) -> bool:
        """Whether findings of an infoType stay."""
        return info_type in self.policy.excluded or (
            self.choose(info_type) is None and not self._is_capped(info_type)
        )

    def _choose(self, info_type: str) -> InfoTypeTransformation | None:
        asked = self.policy.transformation_for(info_type)
        if asked is not None:
            return asked
        if not self.policy.basic or info_type == "AGE":
            return None
        return _BASIC_SHIFT if info_type == "DATE" else _BASIC_REPLACE

    def _is_capped(self, info_type: str) -> bool:
        return info_type == "AGE" and self.policy.basic

    def replacement(self, text: str, finding: Finding, days: Days | None) -> str:
        """Return what stands in the text instead of a finding."""
        original = text[finding.start : finding.stop]
        chosen = self.choose(finding.info_type)
        if chosen is None:
            return capped(original) if self._is_capped(finding.info_type) else original
        match chosen.transformation:
            case Transformation.REDACT:
                return ""
            case Transformation.MASK:
                return _WORD_CHARACTER.sub(chosen.masking_character, original)
            case Transformation.CRYPTO_HASH:
                return self.hashed(original, chosen)
            case Transformation.DATE_SHIFT:
                return days.shifted(finding) if days else f"[{finding.info_type}]"
            case Transformation.REPLACE_WITH_INFO_TYPE:
                return f"[{finding.info_type}]"

    def hashed(self, original: str, chosen: InfoTypeTransformation) -> str:
        """Return the keyed hash of a finding: HMAC-SHA-256 in base64, 44 characters."""
        digest = hmac.digest(chosen.key or self._key, original.encode(), sha256().name)
        return base64.b64encode(digest).decode("ascii")


def capped(text: str) -> str:
    """Return an age with numbers over 89 years as ``90+``."""
    found = _NUMBER.search(text)
    if found is None:
        return "90+"  # only such ages are found in words
    if _OTHER_UNIT.search(text) and not _YEARS.search(text):
        return text
    if float(found[0].replace(",", ".")) <= OLDEST_YEARS:
        return text
    return f"{text[: found.start()]}90+{text[found.end() :]}"


class Days:
    """The dates of one text, moved by one patient's days, and its times of day where they move.

    Parameters
    ----------
    known
        What is known of the patient: settles which of two numbers is the day.
    """

    def __init__(self, text: str, known: KnownText, shift: Shift) -> None:
        self._text = text
        self._known = known
        self._shift = shift
        self._dates: dict[tuple[int, int], dates.FoundDate] | None = None

    @cached_property
    def times(self) -> dict[tuple[int, int], times.FoundTime]:
        """Times of day, by where they stand; none where they do not move."""
        if not self._shift.seconds:
            return {}
        found = times.find(self._text, self._found().values())
        return {(each.start, each.stop): each for each in found}

    def shifted(self, finding: Finding) -> str:
        """Return a date or time moved in its own form; its infoType in brackets when it cannot be."""
        where = finding.start, finding.stop
        time = self.times.get(where)
        if self._shift.is_nowhere or _ISSUED.search(
            self._text, max(0, finding.start - _MOST_BEFORE), finding.start
        ):
            return f"[{finding.info_type}]"
        if time is not None:
            return times.moved(self._text, time, self._shift.seconds)[1]
        found = self._found().get(where)
        moved = dates.moved(self._text, found, self._days(found)) if found else None
        return f"[{finding.info_type}]" if moved is None else moved

    def _days(self, found: dates.FoundDate) -> int:
        """Return the days that a date moves by: with its time of day it may pass midnight."""
        time = times.belonging(self._text, found, self.times.values()) if self.times else None
        carry = times.moved(self._text, time, self._shift.seconds)[0] if time else 0
        return self._shift.days + carry

    def _found(self) -> dict[tuple[int, int], dates.FoundDate]:
        if self._dates is None:
            day_first = self._known.day_first(self._text)
            self._dates = {
                (each.start, each.stop): each
                for each in dates.find(self._text, day_first=day_first)
            }
        return self._dates
