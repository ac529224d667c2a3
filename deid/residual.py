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

    Parameters
    ----------
    originals
        Raw value, infoType and declared character set of each.
    """

    def __init__(self, originals: Iterable[tuple[bytes, str, str]]) -> None:
        tokens: set[bytes] = set()
        for raw, info_type, charset in originals:
            tokens.update(_tokens(raw, info_type, charset))
        self.tokens = tokens

    def without(self, allowed: Iterable[bytes]) -> Forbidden:
        """Return the same search without tokens that our own replacements contain."""
        result = Forbidden(())
        ours = b"\n".join(allowed).lower()
        result.tokens = {token for token in self.tokens if token not in ours}
        return result

    def occurs_in_any(self, data: bytes) -> bool:
        """Whether a token stands, as a word of its own, in encoded data."""
        lowered = data.lower()
        for token in self.tokens:
            if token in lowered and _pattern(token).search(lowered) is not None:
                return True
        return False

    def occurs_in(self, raw: bytes, text: str) -> bool:
        """Whether a token stands in one value, as encoded or as decoded."""
        return self.occurs_in_any(raw) or self.occurs_in_any(text.encode("utf-8", "replace"))


@lru_cache(maxsize=4096)
def _tokens(raw: bytes, info_type: str, charset: str) -> frozenset[bytes]:
    text = decode(raw, charset).strip(" \x00")
    parts: set[str] = set()
    if info_type == "PERSON_NAME":
        parts.update(part for part in _SPLIT.split(text) if _is_name(part))
    elif info_type in ("DATE_OF_BIRTH", "DATE"):
        parts.update(_dates(text))
    else:
        parts.update(part.strip() for part in text.split("\\"))
    tokens: set[bytes] = set()
    for part in parts:
        if not _is_telling(part, info_type):
            continue
        lowered = part.lower()
        tokens.add(lowered.encode("utf-8", "replace"))
        if not part.isascii():
            tokens.update(_encoded(part, raw))
    harmless = common_terms() if info_type == "PERSON_NAME" else _HARMLESS
    return frozenset(token for token in tokens if token not in harmless)


@cache
def common_terms() -> frozenset[bytes]:
    """Return words that stand in headers everywhere; as part of somebody's name they prove nothing."""
    words = (files("deid.tables") / "words.txt").read_text(encoding="utf-8").split()
    return _HARMLESS | {word.encode() for word in words}


def _is_name(part: str) -> bool:
    return len(part) >= (_MIN_NAME if part.isascii() else 2)


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
def _pattern(token: bytes) -> re.Pattern[bytes]:
    """Return a search for a token that is not part of a longer word or number."""
    return re.compile(rb"(?<![0-9a-z.])" + re.escape(token) + rb"(?![0-9a-z]|\.\d)")
