"""Clean text by one policy: find what identifies, transform it, and keep what a VR can hold.

Detection goes from what is certain to what is likely: the patient's known identifiers, patterns, a
pluggable engine, listed names, unexplained capitals. Where every word has to be recognised (Clean
Descriptors), what is left goes through the vocabulary.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from typing import TYPE_CHECKING, Final

from deid.identity import shifts, values
from deid.text import eponyms, guesses, patterns
from deid.text.findings import KNOWN, PATTERN, CleanedText, Finding, merged
from deid.text.folding import MARKS, plain, without_invisible
from deid.text.info_types import CONTEXT, INFO_TYPES, UNKNOWN_WORD
from deid.text.known import KnownText, prepare
from deid.text.policy import TextPolicy, Transformation
from deid.text.site_patterns import compile_site_pattern
from deid.text.transform import Days, Transformer
from deid.text.vocabulary import is_clinical_token, is_own_clinical, is_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from deid.identity.identifiers import KnownIdentifier
    from deid.identity.keys import SiteKey
    from deid.identity.shifts import Shift
    from deid.text.findings import EntityEngine

_MEMORY: Final = 20_000
_MAX_REMEMBERED: Final = 1024
_PATIENTS: Final = 64
_MOST_HELD: Final = 2000
"""Identifiers of all patients that are remembered: each takes some tens of kilobytes."""
_BEHIND: Final = 10
"""Added to ranks: after all others."""
MAX_TEXT: Final = 1 << 18
"""Characters; what is longer is not looked through but goes as a whole."""
_TOKEN: Final = re.compile(rf"[^\W_](?:[^\W_]|[{MARKS}])*(?:['\u2019][^\W\d_]{{1,3}}(?![^\W_]))?")
# While a text is put together: where a word was, and where a replacement begins and ends.
_HOLE: Final = "\x00"
_EDGE: Final = "\x01"
_SEPARATORS: Final = frozenset(",;:/\\_.+&=|~#*'\" \t-")
_BRACKETS: Final = {"(": ")", "[": "]", "{": "}"}
_MULTI_VALUED: Final = frozenset({"AE", "LO", "PN", "SH", "UC", "CS", "DA", "DT", "AS"})
_WHOLE: Final = {"DA": "DATE", "DT": "DATE", "AS": "AGE", "PN": "PERSON_NAME"}
MAX_CHARACTERS: Final = {"AE": 16, "SH": 16, "LO": 64, "ST": 1024, "LT": 10240, "CS": 16, "PN": 64}
"""PS3.5 Table 6.2-1; each component group of a PN."""


class TextCleaning:
    """The text cleaner of one deidentifier (`deid.ports.TextCleaner`). Serves one thread.

    Parameters
    ----------
    policy
        What the configuration asks.
    key
        The deidentifier's key, for hashes.
    engine
        Finds more than our own stages do; optional.
    """

    def __init__(
        self, policy: TextPolicy, key: SiteKey, *, engine: EntityEngine | None = None
    ) -> None:
        self.policy = policy
        self.engine = engine
        self._transformer = Transformer(policy, key)
        self._patients: dict[tuple[KnownIdentifier, ...], KnownText] = {}
        self._last: tuple[object, KnownText] = (None, KnownText())
        self._custom: list[tuple[re.Pattern[str], tuple[int, ...], str]] = [
            (compile_site_pattern(each.pattern), each.groups or (0,), each.info_type)
            for each in policy.custom
        ]
        own = "|".join((*INFO_TYPES, CONTEXT, *(each.info_type for each in policy.custom)))
        self._own: Final = re.compile(rf"\[(?:{own})\]|\b90\+")
        self._own_or_words: Final = re.compile(f"{self._own.pattern}|{_TOKEN.pattern}")

    def prepare(self, known: Sequence[KnownIdentifier]) -> KnownText:
        """Return known identifiers ready to be searched for; remembered, as a series asks often."""
        if known is self._last[0]:
            return self._last[1]
        entries = tuple(known)
        found = self._patients.get(entries)
        if found is None:
            held = sum(map(len, self._patients))
            if len(self._patients) >= _PATIENTS or held + len(entries) > _MOST_HELD:
                self._patients.clear()
            found = self._patients[entries] = prepare(entries)
        self._last = (known, found)
        return found

    def clean(self, text: str, known: Sequence[KnownIdentifier], *, shift: Shift) -> CleanedText:
        """Return free text without what identifies."""
        patient = self.prepare(known)
        return self._remembered(
            patient, ("", text, shift), lambda: self._clean(text, patient, shift)
        )

    def clean_value(
        self, vr: str, text: str, known: Sequence[KnownIdentifier], *, shift: Shift
    ) -> CleanedText:
        """Return an element's value without what identifies, and no longer than its VR allows.

        Whole values are judged as what their VR says: DA and DT as dates, AS as ages, PN as names. What
        cannot be written in the VR becomes empty. A backslash separates values except in ST, LT and UT.

        Parameters
        ----------
        vr
            AE, AS, DA, DT, LO, LT, PN, SH, ST, UC or UT.
        text
            The decoded value, without padding.
        """
        patient = self.prepare(known)
        return self._remembered(
            patient, (vr, text, shift), lambda: self._value(vr, text, patient, shift)
        )

    def _remembered(
        self, patient: KnownText, key: tuple[str, str, Shift], work: Callable[[], CleanedText]
    ) -> CleanedText:
        found = patient.memory.get(key)
        if isinstance(found, CleanedText):
            return found
        made = work()
        if len(key[1]) <= _MAX_REMEMBERED:
            if len(patient.memory) >= _MEMORY:
                patient.memory.clear()
            patient.memory[key] = made
        return made

    # ------------------------------------------------------------------ values

    def _value(self, vr: str, text: str, patient: KnownText, shift: Shift) -> CleanedText:
        parts = text.split("\\") if vr in _MULTI_VALUED else [text]
        cleaned: list[str] = []
        findings: Counter[str] = Counter()
        for part in parts:
            whole = _WHOLE.get(vr)
            if not part.strip():
                cleaned.append(part)
            elif whole is not None:
                if whole == "DATE" and _day(part) in patient.born:
                    whole = "DATE_OF_BIRTH"
                new = self._whole(vr, part.strip(), whole, shift)
                findings[whole] += new != part
                cleaned.append(new)
            else:
                result = self._clean(part, patient, shift)
                findings.update(result.findings)
                cleaned.append(result.text)
        limit = MAX_CHARACTERS.get(vr)
        joined = "\\".join(
            _fitted(new, limit) if new != old else old
            for new, old in zip(cleaned, parts, strict=True)
        )
        return CleanedText(joined, +findings)

    def _whole(self, vr: str, value: str, info_type: str, shift: Shift) -> str:
        transformer = self._transformer
        if transformer.is_left(info_type):
            return value
        chosen = transformer.choose(info_type)
        if chosen is None:
            return (values.cap_age(value.encode("utf-8")) or b"").decode("ascii").strip()
        if vr == "PN":
            return self._name(value)
        if chosen.transformation is Transformation.DATE_SHIFT and vr != "AS":
            moved = shifts.moved(vr, value.encode("utf-8"), shift)
            return moved.decode("ascii").strip() if moved is not None else ""
        return ""

    def _name(self, value: str) -> str:
        chosen = self._transformer.choose("PERSON_NAME")
        finding = Finding(0, len(value), "PERSON_NAME", KNOWN)
        if chosen is not None and chosen.transformation is Transformation.DATE_SHIFT:
            return ""
        return self._transformer.replacement(value, finding, None)

    # ------------------------------------------------------------------ free text

    def find(self, text: str, known: Sequence[KnownIdentifier] = ()) -> list[Finding]:
        """Return what identifies in a text, in order and without overlaps, whatever becomes of it."""
        return self._find(text, self.prepare(known), ())

    def _find(
        self, text: str, patient: KnownText, times: Iterable[tuple[int, int]]
    ) -> list[Finding]:
        text = plain(text)
        own = [match.span() for match in self._own.finditer(text)]
        found = [*patient.find(text), *self._custom_in(text), *patterns.find(text, patient)]
        found += [Finding(*where, "DATE", PATTERN) for where in times]
        if self.engine is not None:
            found += self.engine.find(text)
        first = merged(self._as_named(_outside(found, own)))
        guessed = _outside(guesses.find(text, first), own)
        if self.policy.strict:
            # Words that are not recognised go anyway, without being called names.
            guessed = [each for each in guessed if is_clinical_token(text[each.start : each.stop])]
        first = merged([*first, *guessed])
        return _joined(text, merged([*first, *_outside(patterns.addresses(text, first), own)]))

    def _as_named(self, findings: list[Finding]) -> list[Finding]:
        """Let kinds that a transformation names go before those that none does, where they overlap.

        A telephone number whose check digit makes it an NHS number, too, goes as the telephone number. What
        nobody named and what stays for it does not cover it either.
        """
        policy, is_left = self.policy, self._transformer.is_left
        named = [each for each in findings if policy.names(each.info_type)]
        if not named or len(named) == len(findings):
            return findings
        result: list[Finding] = []
        for each in findings:
            unnamed = not policy.names(each.info_type) and each.info_type not in policy.excluded
            if unnamed and any(o.start < each.stop and each.start < o.stop for o in named):
                if is_left(each.info_type):
                    continue
                result.append(each._replace(rank=each.rank + _BEHIND))
            else:
                result.append(each)
        return result

    def _custom_in(self, text: str) -> Iterable[Finding]:
        for pattern, groups, info_type in self._custom:
            for match in pattern.finditer(text):
                for group in groups:
                    if match.start(group) >= 0:
                        yield Finding(*match.span(group), info_type, PATTERN)

    def _clean(self, text: str, patient: KnownText, shift: Shift) -> CleanedText:
        if len(text) > MAX_TEXT:
            return CleanedText("", {UNKNOWN_WORD: 1})
        written = text.replace(_HOLE, " ").replace(_EDGE, " ")
        text = without_invisible(written)
        pieces: list[str] = []
        counts: Counter[str] = Counter()
        at = 0
        transformer = self._transformer
        days = Days(plain(text), patient, shift)
        for found in self._find(text, patient, days.times):
            if transformer.is_left(found.info_type):
                continue
            new = (
                f"[{CONTEXT}]"
                if self.policy.contextual and found.rank == KNOWN
                else transformer.replacement(text, found, days)
            )
            pieces += [
                self._kept(text[at : found.start], counts),
                f"{_EDGE}{new}{_EDGE}" if new else _HOLE,
            ]
            if new != text[found.start : found.stop]:
                counts[found.info_type] += 1
            at = found.stop
        pieces.append(self._kept(text[at:], counts))
        if not counts:
            return CleanedText(written, counts)
        return CleanedText(_tidied("".join(pieces)), counts)

    def _kept(self, text: str, counts: Counter[str]) -> str:
        """Return a stretch that nothing was found in; where all has to be recognised, only what is."""
        if not self.policy.strict or not text:
            return text

        def judged(match: re.Match[str]) -> str:
            if match[0] in INFO_TYPES or is_clinical_token(match[0]):
                return match[0]
            if eponyms.is_in_use(text, *match.span()) or is_unit(text, *match.span()):
                return match[0]
            counts[UNKNOWN_WORD] += 1
            return _HOLE

        return self._own_or_words.sub(
            lambda match: match[0] if match[0][0] == "[" else judged(match), text
        )


def _outside(findings: Iterable[Finding], spans: Sequence[tuple[int, int]]) -> list[Finding]:
    """Return findings that do not touch what an earlier cleaning put in: spans in order, and apart."""
    if not spans:
        return list(findings)
    stops = [stop for _start, stop in spans]
    outside: list[Finding] = []
    for each in findings:
        at = bisect_right(stops, each.start)
        if at == len(spans) or spans[at][0] >= each.stop:
            outside.append(each)
    return outside


_HALF_BEFORE: Final = re.compile(rf"(?<![^\W_])([^\W\d_](?:[^\W\d_]|[{MARKS}])+)-\Z")
_HALF_BEHIND: Final = re.compile(rf"-([^\W\d_](?:[^\W\d_]|[{MARKS}])+)(?![^\W_])")
_INITIAL_BEFORE: Final = re.compile(r"(?<=[\s.])([^\W\d_])\.?\s\Z")
_MAX_HALF: Final = 40


def _whole(text: str, found: Finding, earlier: int) -> Finding:
    """Return a name with the other half of a double name, and an initial before it: ``J Lars-Göran``."""
    start, stop = found.start, found.stop
    before = _HALF_BEFORE.search(text, max(earlier, start - _MAX_HALF), start)
    if before and before[1][0].isupper() and not is_own_clinical(before[1]):
        start = before.start(1)
    initial = _INITIAL_BEFORE.search(text, max(earlier, start - 4), start)
    if initial and initial[1].isupper() and found.rank <= PATTERN:
        start = initial.start(1)
    behind = _HALF_BEHIND.match(text, stop)
    if behind and behind[1][0].isupper() and not is_own_clinical(behind[1]):
        stop = behind.end(1)
    return Finding(start, stop, found.info_type, found.rank)


def _joined(text: str, findings: Sequence[Finding]) -> list[Finding]:
    """Join neighbouring parts of one name."""
    result: list[Finding] = []
    for given in findings:
        each = given
        last = result[-1] if result else None
        if each.info_type == "PERSON_NAME":
            each = _whole(text, each, last.stop if last else 0)
        if last is not None and each.start < last.stop:
            result[-1] = Finding(last.start, max(last.stop, each.stop), last.info_type, last.rank)
            continue
        if (
            last is not None
            and each.info_type == last.info_type == "PERSON_NAME"
            and text[last.stop : each.start] in (" ", ", ", ",", "-", ". ", ".", " - ", "^", "")
        ):
            result[-1] = Finding(last.start, each.stop, last.info_type, min(last.rank, each.rank))
        else:
            result.append(each)
    return result


def _tidied(text: str) -> str:
    """Return a text without the holes that words left, and with one separator where they stood.

    Brackets around nothing but holes are holes too. Each character is looked at once.
    """
    pieces: list[str] = []
    for match in _PARTS.finditer(text):
        pieces.append(match[0])
        # ( hole ) is a hole: the bracket that closes is compared with what stands before the hole.
        while len(pieces) > 1 and pieces[-1] in _BRACKETS.values():
            opening = _opening(pieces)
            if opening is None:
                break
            del pieces[opening:]
            pieces.append(_HOLE)
    result: list[str] = []
    at = 0
    while at < len(pieces):
        if pieces[at] != _HOLE:
            result.append(pieces[at])
            at += 1
            continue
        left: list[str] = []
        while result and result[-1] in _SEPARATORS:
            left.append(result.pop())
        right: list[str] = []
        while at < len(pieces) and (pieces[at] == _HOLE or pieces[at] in _SEPARATORS):
            if pieces[at] == _HOLE:
                right.clear()
            else:
                right.append(pieces[at])
            at += 1
        following = pieces[at][0] if at < len(pieces) else ""
        result += _closed("".join(reversed(left)), "".join(right), bool(result), following)
    return "".join(result).replace(_EDGE, "").strip(" \t")


_PARTS: Final = re.compile(r"[^\W_]+|.", re.DOTALL)


def _opening(pieces: Sequence[str]) -> int | None:
    """Return where a bracket opens that the last piece closes, if nothing but a hole is in it."""
    at = len(pieces) - 2
    while at > 0 and pieces[at] in " \t":
        at -= 1
    if at < 1 or pieces[at] != _HOLE:
        return None
    at -= 1
    while at > 0 and pieces[at] in " \t":
        at -= 1
    return at if _BRACKETS.get(pieces[at]) == pieces[-1] else None


def _closed(left: str, right: str, has_before: bool, following: str) -> str:
    """Return what stands for a hole and the separators on both of its sides."""
    if not following:
        return right if right.strip() in {".", "!", "?"} and has_before else ""
    if not has_before:
        return ""
    if following in "\r\n)]}":
        return right.strip()
    return left if left.strip() else right if right.strip() else left or right


def _fitted(value: str, limit: int | None) -> str:
    """Shorten a value to what its VR allows; an infoType in brackets stays whole or goes."""
    if limit is None or len(value) <= limit:
        return value
    cut = value[:limit]
    opened = cut.rfind("[")
    if opened > cut.rfind("]") and value.find("]", limit - 1) >= 0:
        cut = cut[:opened]
    return cut.rstrip()


def _day(value: str) -> tuple[int, int, int]:
    digits = re.sub(r"\D", "", value)[:8]
    if len(digits) != 8:
        return (0, 0, 0)
    return int(digits[:4]), int(digits[4:6]), int(digits[6:])
