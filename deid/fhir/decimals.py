"""Decimals as they were written: FHIR's carry their precision, which a float forgets (72.50 is not 72.5).

While a resource is in memory, a number with a fraction or an exponent is a string that begins with `MARK`,
a character that no string of FHIR may hold (R4 2.24.0.1), so that nothing else is taken for one.
"""

from __future__ import annotations

import re
from typing import Final

MARK: Final = "\x01"
_ESCAPED_MARK: Final = rb"\\u0001"
_NUMBER: Final = rb"-?(?:0|[1-9]\d*)(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+)"
# In a string, such a place makes the quotes odd and the document unreadable, which leads to `marked_exactly`.
# Nearly every colon is soon done with: a group before the first digit would take twice the time.
_AS_MEMBER: Final = re.compile(rb":[\s\-\d][\s\-]*\d*(?:\.\d|[eE][+-]?\d)[\d+\-eE]*(?=[\s,}])")
_HOLDS_LISTS: Final = b'"roc"'
"""In MolecularSequence.quality.roc stand the only lists of decimals in R4."""
_WHOLE_NUMBER: Final = re.compile(_NUMBER + rb"\Z")
_STRING_OR_NUMBER: Final = re.compile(
    rb'"[^"\\]*(?:\\.[^"\\]*)*"|(' + _NUMBER + rb")(?=[\s,}\]]|\Z)", re.DOTALL
)
_MARKED: Final = re.compile(rb'"\\u0001([^"]*)"')
_REFUSED: Final = re.compile(rb'\\u0001(?:[^"]{40,}"|[^"e]{1,40}[eE][+-]?(?!0*[12]?\d?\d")\d+")')


def marked(document: bytes) -> bytes:
    """Return a JSON document with its decimals as marked strings; it may not be JSON any more.

    Numbers stand where a member's value does, but for a few lists. A colon and a decimal in a text lead
    astray: the result then cannot be read, and `marked_exactly` is to be asked.
    """
    if _HOLDS_LISTS in document:
        return marked_exactly(document)
    return _AS_MEMBER.sub(_as_text, document)


def _as_text(found: re.Match[bytes]) -> bytes:
    number = found[0][1:].lstrip()
    return b':"\\u0001' + number + b'"' if _WHOLE_NUMBER.match(number) else found[0]


def marked_exactly(document: bytes) -> bytes:
    """Return the same from a walk over all strings, which takes several times as long."""

    def replaced(found: re.Match[bytes]) -> bytes:
        number = found[1]
        return found[0] if number is None else b'"\\u0001' + number + b'"'

    return _STRING_OR_NUMBER.sub(replaced, document)


def unmarked(document: bytes) -> bytes:
    """Return a JSON document with its decimals as numbers again, each as it came in."""
    return _MARKED.sub(rb"\1", document)


def has_refused(document: bytes) -> bool:
    """Whether a marked document has numbers that readers differ on.

    Those are longer than 40 characters, or have exponents beyond 299.
    """
    return _REFUSED.search(document) is not None


def is_decimal(value: object) -> bool:
    """Whether a value in memory is a decimal or a whole number."""
    return type(value) is int or (type(value) is str and value[:1] == MARK)


def as_number(value: object) -> float:
    """Return a decimal in memory as a number to compare with."""
    return value if isinstance(value, int) else float(str(value).removeprefix(MARK))


def written(number: str) -> str:
    """Return a decimal for memory: ``90`` or ``0.50``."""
    return MARK + number
