"""The last look: nothing that identified the person may still stand in what was written.

Every original value that the rules removed is known by then. The new data set's bytes, outside Pixel Data,
are searched for each of them in its raw and its usual encoded forms, ignoring case. The search is a handful
of substring scans over a few kilobytes, so it costs little when nothing is found.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from deid.text.charset import decode

if TYPE_CHECKING:
    from collections.abc import Iterable

_SPLIT: Final = re.compile(r"[\^=\\\s,;/]+")
_MIN_NAME: Final = 3
_GLUED_NAME: Final = 5
_LONG_NAME: Final = 7
_MIN_TEXT: Final = 4
_MIN_DIGITS: Final = 5
# Words of our own replacements, and values that never identify anybody.
_HARMLESS: Final = frozenset(
    b"removed 000y 19000101 000000 anonymous anonymized anonymised unknown none null test patient name "
    b"the and for not yes urn:removed".split()
)
_DOB_FORMS: Final = ("%Y%m%d", "%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y")


class Forbidden:
    """The identifiers of one instance, ready to be searched for.

    Attributes
    ----------
    strong
        Parts that prove something wherever they stand: names of three letters and more, numbers of
        five digits and more, whole addresses. Lower case, as encoded.
    weak
        Parts of names that are also common terms, or that have two letters. They count in texts that
        people write, not in coded strings: ``HEAD`` is a body part, ``Dr. Head`` is not.
    """

    def __init__(self, originals: Iterable[tuple[bytes, str, str]]) -> None:
        self.strong: set[bytes] = set()
        self.weak: set[bytes] = set()
        for raw, info_type, charset in originals:
            strong, weak = _tokens(raw, info_type, charset)
            self.strong.update(strong)
            self.weak.update(weak)

    def without(self, allowed: bytes) -> Forbidden:
        """Return the same search without parts that a replacement of ours contains."""
        result = Forbidden(())
        ours = allowed.lower()
        result.strong = {
            token
            for token in self.strong
            if token not in ours or _as_word(token).search(ours) is None
        }
        result.weak = self.weak
        return result

    def may_occur_in(self, data: bytes) -> bool:
        """Whether a part seems to stand somewhere in encoded elements.

        Quick, and on the safe side: what follows a value in a stream is the next element's tag, which may
        look like a letter, and in big endian a length may do so before it.
        """
        lowered = data.lower()
        for token in self.strong:
            if token in lowered and _in_stream(token).search(lowered) is not None:
                return True
        return any(
            token in lowered and _as_written(token).search(data) is not None for token in self.weak
        )

    def remains_in(self, data: bytes) -> bool:
        """Whether a strong part stands, as a word of its own, in encoded elements."""
        lowered = data.lower()
        return any(
            token in lowered and _as_word(token).search(lowered) is not None
            for token in self.strong
        )

    def occurs_in(self, raw: bytes, text: str, *, coded: bool) -> bool:
        """Whether a part stands in one value, as encoded or as decoded.

        `coded` says that it is a coded string (CS), where weak parts prove nothing.
        """
        decoded = text.encode("utf-8", "replace")
        if self.remains_in(raw) or self.remains_in(decoded):
            return True
        return not coded and any(_as_written(token).search(decoded) for token in self.weak)


@lru_cache(maxsize=4096)
def _tokens(raw: bytes, info_type: str, charset: str) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """Return the strong and the weak parts of an original."""
    text = decode(raw, charset).strip(" \x00")
    if info_type == "PERSON_NAME":
        parts = {part for part in _SPLIT.split(text) if part}
    elif info_type in ("DATE_OF_BIRTH", "DATE"):
        parts = _dates(text)
    else:
        parts = {part.strip() for part in text.split("\\")}
    strong: set[bytes] = set()
    weak: set[bytes] = set()
    for part in parts:
        token = part.lower().encode("utf-8", "replace")
        if info_type == "PERSON_NAME" and part.isascii() and part.isalpha():
            if token in _HARMLESS or len(part) < 2:
                continue
            if len(part) < _MIN_NAME or token in common_terms():
                weak.add(token)
                continue
        if not _is_telling(part, info_type) or token in _HARMLESS:
            continue
        strong.add(token)
        if not part.isascii():
            strong.update(_encoded(part, raw))
    return frozenset(strong), frozenset(weak)


@cache
def common_terms() -> frozenset[bytes]:
    """Return words that stand in headers everywhere; as part of somebody's name they prove nothing."""
    words = (files("deid.tables") / "words.txt").read_text(encoding="utf-8").split()
    return _HARMLESS | {word.encode() for word in words}


def _is_telling(part: str, info_type: str) -> bool:
    if part.isdigit():
        return len(part) >= _MIN_DIGITS
    if not part.isascii():
        return len(part) >= 2
    return len(part) >= (_MIN_NAME if info_type == "PERSON_NAME" else _MIN_TEXT)


def _encoded(part: str, raw: bytes) -> set[bytes]:
    """Return the forms in which the source itself and Latin-1 encode a non-ASCII part."""
    forms: set[bytes] = set()
    for codec in (
        "latin-1",
        "cp1252",
        "iso8859-2",
        "iso8859-5",
        "iso8859-7",
        "shift_jis",
        "gb18030",
        "euc_kr",
    ):
        try:
            encoded = part.encode(codec)
        except UnicodeError:
            continue
        if encoded in raw or codec == "latin-1":
            forms.add(encoded.lower())
    return forms


def _dates(text: str) -> set[str]:
    digits = text.strip()[:8]
    if len(digits) != 8 or not digits.isdigit():
        return set()
    year, month, day = digits[:4], digits[4:6], digits[6:]
    return {form.replace("%Y", year).replace("%m", month).replace("%d", day) for form in _DOB_FORMS}


@lru_cache(maxsize=4096)
def _as_word(token: bytes) -> re.Pattern[bytes]:
    """Return a search for a token that is not part of a longer word or number.

    A name may be glued to digits (``Miller2019``), a long one to letters too (``ScannerThistlemoor``).
    """
    if token.isalpha() and len(token) >= _LONG_NAME:
        return re.compile(re.escape(token))
    if token.isalpha() and len(token) >= _GLUED_NAME:
        return re.compile(rb"(?<![a-z])" + re.escape(token) + rb"(?![a-z])")
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
    return re.compile(
        rb"(?:(?<![0-9a-z.])|(?<=\x00[0-9a-z]))"
        + re.escape(token)
        + rb"(?:(?![0-9a-z]|\.\d)|(?=[0-9a-z][^0-9a-z]))"
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
