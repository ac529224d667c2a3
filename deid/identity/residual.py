"""The last look: nothing that identified the person may still stand in what was written.

Every original value that the rules removed is known by then. The new data set's bytes, outside Pixel Data,
are searched for each of them in its raw and its usual encoded forms, ignoring case. The search is a handful
of substring scans over a few kilobytes, so it costs little when nothing is found. What stands there in disguise
is looked for by its signs first (`deid.identity.signs`), and judged value by value where there are any.
"""

from __future__ import annotations

import copy
import re
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.encoding.character_sets import decode
from deid.encoding.value_representations import SHORT_VRS
from deid.identity import binary
from deid.identity.forms import prepare, spelt_otherwise, with_particles
from deid.identity.needles import Needles
from deid.identity.places import HARMLESS, common_terms, says_only_its_kind
from deid.identity.signs import Signs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from deid.encoding.transfer_syntaxes import Encoding
    from deid.identity.disguises import Disguises

_SPLIT: Final = re.compile(r"[\^=\\\s,;/]+")
_INNER: Final = re.compile(r"[-'\u2019.]+")
_MIN_NAME: Final = 3
_GLUED_NAME: Final = 5
_LONG_NAME: Final = 7
_MIN_TEXT: Final = 4
_MIN_DIGITS: Final = 5
_MIN_WIDE: Final = 4
_MIN_UID: Final = 12
_MANY_BEGINNINGS: Final = 500
_MEMO_ENTRIES: Final = 1024
_MOST_OFTEN_MET: Final = 512
_DOB_FORMS: Final = ("%Y%m%d", "%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y")
_DUMMY_DAY: Final = "19000101"
_DAY: Final = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\Z")
_NUMBERS: Final = frozenset({"MEDICAL_RECORD_NUMBER", "ACCESSION", "GENERIC_ID"})
_CODECS: Final = (
    "latin-1", "cp1252", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-5", "iso8859-6", "iso8859-7",
    "iso8859-8", "iso8859-9", "shift_jis", "euc_jp", "gb18030", "euc_kr", "tis-620",
)  # fmt: skip


class Tokens(NamedTuple):
    """What is searched for, in lower case as encoded.

    Attributes
    ----------
    strong
        Parts that prove something wherever they stand: names of three letters and more, numbers of
        five digits and more, whole addresses.
    weak
        Parts of names that are also common terms or have two letters, and short numbers. They count in
        texts that people write, not in coded strings and numbers: ``HEAD`` is a body part, ``Dr. Head``
        is not.
    dates
        Days. They count everywhere but in dates, where a day may be kept or come out by its own rule.
    """

    strong: frozenset[bytes]
    weak: frozenset[bytes]
    dates: frozenset[bytes]


class Forbidden:
    """The identifiers of one instance, ready to be searched for; see `Tokens`."""

    def __init__(self, originals: Iterable[tuple[bytes, str, str]]) -> None:
        self.strong: set[bytes] = set()
        self.weak: set[bytes] = set()
        self.dates: set[bytes] = set()
        self.uids: frozenset[str] = frozenset()
        self._any: Needles | None = None
        self._free: set[bytes] = set()
        self._originals = tuple(originals)
        self._disguises: Disguises | None = None
        self._signs: Signs | None = None
        self._in_disguise: dict[tuple[str, str], bool] = {}
        self._clean_runs: set[str] = set()
        for raw, info_type, charset in self._originals:
            tokens = _tokens(raw, info_type, charset)
            self.strong.update(tokens.strong)
            self.weak.update(tokens.weak)
            self.dates.update(tokens.dates)

    def without(self, allowed: bytes) -> Forbidden:
        """Return the same search without parts that stand as a word in a replacement of ours."""
        result = Forbidden(())
        ours = allowed.lower()
        result.strong = {
            token
            for token in self.strong
            if token not in ours or _as_word(token).search(ours) is None
        }
        result.weak, result.dates = self.weak, self.dates
        result._originals = self._originals
        return result

    def of_instance(self, uids: Iterable[bytes]) -> Forbidden:
        """Return the same search for the UIDs of one instance that were replaced, too.

        Everything else is shared with this one, which serves all instances of a series.
        """
        self._signs = self._signs or Signs(self._known())
        self._any = self._anything
        result = copy.copy(self)
        result.uids = frozenset(
            uid
            for raw in uids
            for uid in raw.decode("latin-1").strip(" \x00").split("\\")
            if len(uid) >= _MIN_UID
        )
        return result

    @property
    def disguises(self) -> Disguises:
        """The same identifiers, as a reader finds them however they are written."""
        if self._disguises is None:
            self._disguises = prepare(self._known())
        return self._disguises

    def _known(self) -> Iterator[tuple[str, str]]:
        """Yield the originals, decoded, and what they are."""
        for raw, info_type, charset in self._originals:
            yield decode(raw, charset).strip(" \x00"), info_type

    @property
    def _anything(self) -> Needles:
        if self._any is None:
            self._any = Needles(self.strong)
        return self._any

    def may_occur_in(
        self,
        stretches: Iterable[bytes],
        uids: Iterable[bytes] = (),
        encoding: Encoding | None = None,
    ) -> bool:
        """Whether a part seems to stand somewhere in stretches of encoded elements, or one of some UIDs.

        Quick, and on the safe side: what follows a value in a stream is the next element's tag, which may
        look like a letter, and in big endian a length may do so before it. The instances of a series have
        most elements in common: one that was searched in vain is not searched again. Without their
        encoding, stretches are taken whole.
        """
        stretches = list(stretches)
        if (uids := [uid for uid in uids if len(uid) >= _MIN_UID]) and _stand_in(uids, stretches):
            return True
        unknown = [stretch for stretch in stretches if stretch not in self._free]
        if not unknown:
            return False
        elements = [
            element
            for stretch in unknown
            for element in _elements(stretch, encoding)
            if element not in self._free
        ]
        if elements:
            if self._seems_to_stand_in(b"\n".join(elements)):
                return True
            if self._signs is None:
                self._signs = Signs(self._known())
            has_vrs = encoding is not None and encoding.explicit
            may_stand_in = (
                self._signs.may_stand_in_elements if has_vrs else self._signs.may_stand_in_any
            )
            if may_stand_in(elements):
                return True
        self.learn(elements)
        self.learn(unknown)
        return False

    def learn(self, pieces: Iterable[bytes]) -> None:
        """Remember stretches and elements in which nothing stands: they are not searched again."""
        for piece in pieces:
            if len(piece) <= _MOST_OFTEN_MET and len(self._free) < _MEMO_ENTRIES:
                self._free.add(piece)

    def _seems_to_stand_in(self, data: bytes) -> bool:
        lowered = data.lower()
        if self._anything.occur_in(lowered):
            for token in self.strong:
                if token in lowered and _in_stream(token).search(lowered) is not None:
                    return True
        return bool(self.weak) and any(
            token in lowered and _as_written(token).search(data) is not None for token in self.weak
        )

    def remains_in(self, data: bytes) -> bool:
        """Whether a strong part stands, as a word of its own, in encoded elements."""
        return _stands_in(self.strong, data.lower())

    def occurs_in(self, raw: bytes, text: str, *, vr: str) -> bool:
        """Whether a part stands in one value of a VR, as encoded or as decoded."""
        for value in (text.lower().encode("utf-8", "replace"), raw.lower()):
            if self._anything.occur_in(value) and _stands_in(self.strong, value):
                return True
            if vr not in _TEMPORAL and _stands_in(self.dates, value):
                return True
        if vr not in _CODED:
            written = text.encode("utf-8", "replace")
            if any(_as_written(token).search(written) for token in self.weak):
                return True
        if vr != "UI" and any(uid in text for uid in self.uids):
            return True
        if vr in binary.NUMBERS:
            text, vr = binary.as_text(vr, raw), "DS"
        return self._occurs_in_disguise(text, vr)

    def _occurs_in_disguise(self, text: str, vr: str) -> bool:
        key = (text, vr)
        found = self._in_disguise.get(key)
        if found is None:
            found = self.disguises.occurs_in(text, vr=vr)
            if len(self._in_disguise) < _MEMO_ENTRIES:
                self._in_disguise[key] = found
        return found

    def blanked(self, raw: bytes) -> bytes:
        """Return a value of unknown structure with what identifies in it overwritten, byte by byte.

        Texts in it keep their lengths, so that what counts bytes or points at them still does: letters become
        X, digits 0. Numbers become zero.
        """
        return binary.blanked(raw, self._in_run, self.disguises)

    def _in_run(self, run: str) -> list[tuple[int, int]]:
        """Return where something stands in readable text between other bytes."""
        if run in self._clean_runs:
            return []
        lowered = run.lower().encode("utf-8", "replace")
        found = [each[:2] for each in self.disguises.find_in_run(run)]
        for token in (*self.strong, *self.dates):
            if token in lowered and run.isascii():
                found += [match.span() for match in _as_word(token).finditer(lowered)]
        for uid in self.uids:
            if (at := run.find(uid)) >= 0:
                found.append((at, at + len(uid)))
        if not found and len(self._clean_runs) < _MEMO_ENTRIES * 8:
            self._clean_runs.add(run)
        return found


_TEMPORAL: Final = frozenset({"DA", "DT", "TM"})
_CODED: Final = _TEMPORAL | {"CS", "DS", "IS", "AS", "UI"}


def _elements(stretch: bytes, encoding: Encoding | None) -> list[bytes]:
    """Return the elements of a stretch as long as their headers are short, then the rest whole."""
    if encoding is None or not encoding.explicit:
        return [stretch]
    found = []
    pos, end = 0, len(stretch)
    unpack = encoding.head.unpack_from
    while end - pos >= 8:
        head, length = unpack(stretch, pos)
        after = pos + 8 + length
        if head[4:] not in SHORT_VRS or after > end:
            break
        found.append(stretch[pos:after])
        pos = after
    if pos < end:
        found.append(stretch[pos:])
    return found


def _stand_in(uids: Sequence[bytes], stretches: Sequence[bytes]) -> bool:
    """Whether one of some UIDs stands in stretches: most have few beginnings, and none of them does."""
    everything = b"\n".join(stretches)
    begun: dict[bytes, dict[int, set[bytes]]] = {}
    for uid in uids:
        bare = uid.rstrip(b"\0 ")
        begun.setdefault(uid[:_MIN_UID], {}).setdefault(len(bare), set()).add(bare)
    return any(
        everything[at : at + length] in whole
        for beginning, places in _places(begun.keys(), everything)
        for at in places
        for length, whole in begun[beginning].items()
    )


def _places(
    beginnings: Collection[bytes], everything: bytes
) -> Iterator[tuple[bytes, Iterable[int]]]:
    """Yield which beginnings of UIDs stand in bytes, and where: many in one pass, a few one by one.

    What is usual is a few, which are found in a fraction of the time of a pass.
    """
    if len(beginnings) < _MANY_BEGINNINGS:
        for beginning in beginnings:
            if beginning in everything:
                yield beginning, _found_at(beginning, everything)
        return
    for at in range(len(everything) - _MIN_UID + 1):
        piece = everything[at : at + _MIN_UID]
        if piece in beginnings:
            yield piece, (at,)


def _found_at(piece: bytes, everything: bytes) -> Iterator[int]:
    at = everything.find(piece)
    while at >= 0:
        yield at
        at = everything.find(piece, at + 1)


def _stands_in(tokens: Iterable[bytes], lowered: bytes) -> bool:
    return any(token in lowered and _as_word(token).search(lowered) is not None for token in tokens)


@lru_cache(maxsize=4096)
def _tokens(raw: bytes, info_type: str, charset: str) -> Tokens:
    """Return what an original is searched by."""
    text = decode(raw, charset).strip(" \x00")
    strong: set[bytes] = set()
    weak: set[bytes] = set()
    dates: set[bytes] = set()
    if info_type in ("DATE_OF_BIRTH", "DATE"):
        dates.update(form.encode() for part in text.split("\\") for form in _dates(part))
        parts: set[str] = set()
    elif info_type == "PERSON_NAME":
        parts = _parts_of_name(text)
    else:
        parts = {part.strip() for part in text.split("\\")}
    for part in parts:
        token = part.lower().encode("utf-8", "replace")
        if token in HARMLESS or len(part) < 2:
            continue
        if _DAY.match(part):
            dates.add(token)
        elif _is_weak(part, token, info_type):
            weak.add(token)
        elif _is_telling(part, info_type):
            strong.add(token)
            strong.update(_encoded(part, raw))
    return Tokens(frozenset(strong), frozenset(weak), frozenset(dates))


def _parts_of_name(text: str) -> set[str]:
    """Return the parts of a name; of a compound one (Smith-Jones, O'Brien) its own parts, and joined.

    All of them without marks and with umlauts spelt out, too.
    """
    parts = {part for part in _SPLIT.split(text) if part}
    for part in [*parts]:
        inner = [piece for piece in _INNER.split(part) if piece]
        if len(inner) > 1:
            parts.update(piece for piece in inner if len(piece) >= _MIN_NAME or not piece.isascii())
            parts.add("".join(inner))
    for component in re.split(r"[\^=\\,;/]+", text):
        parts.update(with_particles(re.split(r"[-'\u2019.\s]+", component.lower())))
    return parts.union(*map(spelt_otherwise, parts))


def _is_weak(part: str, token: bytes, info_type: str) -> bool:
    if info_type == "PERSON_NAME":
        is_short = len(part) < _MIN_NAME or token in common_terms()
        return part.isascii() and part.isalpha() and is_short
    if info_type in _NUMBERS and part.isascii():
        if part.isdigit():
            return len(part) in (3, 4) or len(part.strip("0")) <= 3
        return len(part) == 3 or token in common_terms()
    return False


def _is_telling(part: str, info_type: str) -> bool:
    if part.isdigit():
        return len(part) >= _MIN_DIGITS
    if not part.isascii():
        return len(part) >= 2
    if info_type == "PERSON_NAME":
        return len(part) >= _MIN_NAME
    words = part.lower().encode().split()
    if info_type in ("LOCATION", "ORGANIZATION_NAME") and says_only_its_kind(part):
        return False
    return len(part) >= _MIN_TEXT and not all(word in common_terms() for word in words)


def _encoded(part: str, raw: bytes) -> Iterator[bytes]:
    """Yield other forms of a part: two bytes a letter, and for what is not ASCII other cases and codecs.

    Bytes are compared in lower case as if they were ASCII, so only letters beyond need their cases.
    """
    if len(part) >= _MIN_WIDE:
        # Without its last byte, the little endian form stands in the big endian one, too.
        yield part.lower().encode("utf-16-le")[:-1]
    if part.isascii():
        return
    cases = {part, part.lower(), part.upper(), part.capitalize()}
    for codec in ("utf-8", *_CODECS):
        try:
            is_used = part.encode(codec) in raw
        except UnicodeError:
            continue
        if is_used or codec in ("utf-8", "latin-1"):
            for case in cases:
                with suppress(UnicodeError):
                    yield case.encode(codec).lower()


def _dates(text: str) -> set[str]:
    digits = text.strip()[:8]
    if len(digits) != 8 or not digits.isdigit() or digits == _DUMMY_DAY:
        return set()
    year, month, day = digits[:4], digits[4:6], digits[6:]
    return {form.replace("%Y", year).replace("%m", month).replace("%d", day) for form in _DOB_FORMS}


@lru_cache(maxsize=4096)
def _as_word(token: bytes) -> re.Pattern[bytes]:
    """Return a search for a token that is not part of a longer word or number.

    Digits may stand behind a name (``Roe2``), before one of five letters too (``2019Miller``), and letters
    before and behind a long one (``ScannerThistlemoor``).
    """
    if token.isalpha() and len(token) >= _LONG_NAME:
        return re.compile(re.escape(token))
    if token.isalpha() and len(token) >= _GLUED_NAME:
        return re.compile(rb"(?<![a-z])" + re.escape(token) + rb"(?![a-z])")
    if token.isalpha():
        return re.compile(rb"(?<![0-9a-z.])" + re.escape(token) + rb"(?![a-z]|\.\d)")
    return re.compile(rb"(?<![0-9a-z.])" + re.escape(token) + rb"(?![0-9a-z]|\.\d)")


@lru_cache(maxsize=4096)
def _in_stream(token: bytes) -> re.Pattern[bytes]:
    """Return the same search that lets one letter-like byte of a tag or length pass as a boundary."""
    if token.isalpha() and len(token) >= _LONG_NAME:
        return _as_word(token)
    if token.isalpha() and len(token) >= _GLUED_NAME:
        return re.compile(
            rb"(?:(?<![a-z])|(?<=\x00[a-z]))" + re.escape(token) + rb"(?:(?![a-z])|(?=[a-z][^a-z]))"
        )
    behind = rb"(?![a-z]|\.\d)" if token.isalpha() else rb"(?![0-9a-z]|\.\d)"
    return re.compile(
        rb"(?:(?<![0-9a-z.])|(?<=\x00[0-9a-z]))"
        + re.escape(token)
        + rb"(?:"
        + behind
        + rb"|(?=[0-9a-z][^0-9a-z]))"
    )


@lru_cache(maxsize=4096)
def _as_written(token: bytes) -> re.Pattern[bytes]:
    """Return a search for a short or common name the way names are written: capitalised."""
    name = re.escape(token.capitalize())
    if len(token) >= _MIN_NAME:
        name += b"|" + re.escape(token.upper())
    # As in `_in_stream`, one letter-like byte of the next tag may follow.
    after = rb"(?:(?![0-9A-Za-z])|(?=[0-9A-Za-z]\x00))"
    return re.compile(rb"(?<![0-9A-Za-z.])(?:" + name + rb")" + after)
