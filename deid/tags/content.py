"""What happens to content items under Clean Structured Content (PS3.15 E.3.4, Table E.3.4-1).

A content item is named by a code and typed (PS3.3 C.17.3): *Accession Number*, TEXT. The table says for some
of them what their value is; all others follow the ordinary rules. Where it says X/D, which is for templates
to decide, the item stays and its value becomes a dummy.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from deid.encoding.header import each_item, index_top_level, item_encoding, text_of
from deid.tables.load import content_items
from deid.tags.policy import Option, TagPolicy

if TYPE_CHECKING:
    from deid.encoding.header import Buffer, Element
    from deid.encoding.transfer_syntaxes import Encoding
    from deid.tables.load import ContentRow

CONTENT_SEQUENCE: Final = 0x0040A730
CONTENT_SEQUENCES: Final = frozenset(
    {CONTENT_SEQUENCE, 0x00400440, 0x00400441, 0x00400555, 0x00400612, 0x0040B020}
)
"""Content, Protocol Context, Content Item Modifier, Acquisition Context, Specimen Preparation Step Content
Item and Waveform Annotation Sequence: what their items are."""
TEXT_VALUE: Final = 0x0040A160
MEASURED_VALUE: Final = 0x0040A300
NUMERIC_VALUE: Final = 0x0040A30A
REFERENCED_INSTANCES: Final = 0x00081199
VALUES: Final = frozenset(
    {
        TEXT_VALUE, 0x0040A120, 0x0040A121, 0x0040A122, 0x0040A123, 0x0040A124, 0x0040A168, MEASURED_VALUE,
        REFERENCED_INSTANCES, 0x00700006,
    }
)  # fmt: skip
"""Where a content item's value stands, whatever its type; a waveform annotation's text, too."""
_REFERENCE: Final = 0x0040DB73

_VALUE_TYPE: Final = 0x0040A040
_CONCEPT_NAME: Final = 0x0040A043
_CODE_VALUES: Final = (0x00080100, 0x00080119, 0x00080120)
_SCHEME: Final = 0x00080102
_WANTED: Final = frozenset({_VALUE_TYPE, _CONCEPT_NAME})
_WANTED_OF_CODE: Final = frozenset({*_CODE_VALUES, _SCHEME})
_UNITS: Final = 0x004008EA
_WANTED_VALUES: Final = frozenset({TEXT_VALUE, MEASURED_VALUE})
_WANTED_OF_NUMBER: Final = frozenset({NUMERIC_VALUE, _UNITS})
_UNITS_IN_A_YEAR: Final = {"a": 1, "mo": 12, "wk": 52.18, "d": 365.25, "h": 8766, "min": 525960}
_SUBJECT_AGE: Final = ("DCM", "121033")

IDENTIFIERS: Final = {
    ("DCM", "121020"): "GENERIC_ID",
    ("DCM", "121021"): "GENERIC_ID",
    ("DCM", "121022"): "ACCESSION",
    ("DCM", "121030"): "MEDICAL_RECORD_NUMBER",
    ("DCM", "113871"): "GENERIC_ID",
}
"""Concepts whose values are the patient's or a person's numbers, and their infoType."""


class Fate(IntEnum):  # numbers, as sequences are looked up by it
    """What becomes of a content item."""

    ORDINARY = 0
    """The rules for elements decide."""
    DROP = 1
    """The item goes, and with it the items it contains."""
    DUMMY = 2
    """The item stays, its value becomes a dummy."""
    KEEP = 3
    """The value stays."""
    CLEAN = 4
    """A text is cleaned, a date moved."""


class Concept(NamedTuple):
    """What a content item says it is; empty where it says nothing."""

    scheme: str
    code: str
    value_type: str

    @property
    def info_type(self) -> str:
        """The infoType of its value where that is somebody's number, else empty."""
        return IDENTIFIERS.get((self.scheme, self.code), "")

    @property
    def is_age(self) -> bool:
        """Whether its value is the patient's age."""
        return (self.scheme, self.code) == _SUBJECT_AGE


@dataclass(frozen=True, slots=True)
class ContentRules:
    """Table E.3.4-1 as one policy has it.

    Attributes
    ----------
    fates
        By scheme, code and value type.
    identifiers
        By scheme and code, for concepts that identify whatever value type they are given.
    """

    fates: dict[tuple[str, str, str], Fate]
    identifiers: dict[tuple[str, str], Fate]

    def fate(self, concept: Concept) -> Fate:
        """Return what becomes of an item. Without a value type the strictest row of its name decides."""
        if not concept.code:
            return Fate.ORDINARY
        name = concept.scheme, concept.code
        found = self.fates.get((*name, concept.value_type))
        if found is not None:
            return found
        if not concept.value_type:
            rows = [fate for key, fate in self.fates.items() if key[:2] == name]
            return next((fate for fate in _STRICTEST_FIRST if fate in rows), Fate.ORDINARY)
        return self.identifiers.get(name, Fate.ORDINARY)


_STRICTEST_FIRST: Final = (Fate.DROP, Fate.DUMMY, Fate.CLEAN, Fate.KEEP)


def content_rules(policy: TagPolicy) -> ContentRules | None:
    """Return the table under a policy; None where it does not ask for Clean Structured Content."""
    if Option.CLEAN_STRUCTURED_CONTENT not in policy.options:
        return None
    fates = {}
    identifiers = {}
    for row in content_items():
        fate = fate_of(row, policy)
        fates[row.scheme, row.code, row.value_type] = fate
        if not row.options:
            identifiers[row.scheme, row.code] = fate
    return ContentRules(fates, identifiers)


def fate_of(row: ContentRow, policy: TagPolicy) -> Fate:
    """Return what a row of Table E.3.4-1 comes to."""
    chosen = {verb for name, verb in row.options.items() if Option(name) in policy.options}
    if "C" in chosen:
        return Fate.CLEAN
    if "K" in chosen:
        return Fate.KEEP
    return Fate.DROP if row.basic == "X" else Fate.DUMMY


def concept_of(source: Buffer, pos: int, end: int, encoding: Encoding) -> Concept:
    """Read what a content item is.

    Parameters
    ----------
    pos, end
        Where its elements begin, and where they end at the latest.

    Raises
    ------
    Unsafe
        When lengths or nesting make no sense.
    """
    found = index_top_level(source, pos, encoding, _WANTED, end=end)
    value_type = _text(source, found.get(_VALUE_TYPE)).upper()
    start, stop, inner = _first_item(source, found.get(_CONCEPT_NAME), end, encoding)
    code = index_top_level(source, start, inner, _WANTED_OF_CODE, end=stop)
    values = (_text(source, code.get(tag)) for tag in _CODE_VALUES)
    return Concept(
        _text(source, code.get(_SCHEME)).upper(), next(filter(None, values), ""), value_type
    )


def value_of(source: Buffer, pos: int, end: int, encoding: Encoding) -> bytes:
    """Return the text of a content item, or its number (NUM), as encoded; empty where it has neither."""
    found = index_top_level(source, pos, encoding, _WANTED_VALUES, end=end)
    if TEXT_VALUE in found:
        return text_of(source, found[TEXT_VALUE])
    return _measured(source, found.get(MEASURED_VALUE), end, encoding)[0]


def age_of(source: Buffer, pos: int, end: int, encoding: Encoding) -> float | None:
    """Return the years that a content item (NUM) says; None where it says none that can be read."""
    found = index_top_level(source, pos, encoding, _WANTED_VALUES, end=end)
    number, unit = _measured(source, found.get(MEASURED_VALUE), end, encoding)
    try:
        return float(number) / _UNITS_IN_A_YEAR[unit]
    except (KeyError, ValueError):
        return None


def _measured(
    source: Buffer, sequence: Element | None, end: int, encoding: Encoding
) -> tuple[bytes, str]:
    """Return number and unit (UCUM) of a measured value."""
    start, stop, inner = _first_item(source, sequence, end, encoding)
    found = index_top_level(source, start, inner, _WANTED_OF_NUMBER, end=stop)
    start, stop, units = _first_item(source, found.get(_UNITS), stop, inner)
    code = index_top_level(source, start, units, _WANTED_OF_CODE, end=stop)
    return text_of(source, found.get(NUMERIC_VALUE)), _text(source, code.get(_CODE_VALUES[0]))


def _first_item(
    source: Buffer, sequence: Element | None, end: int, encoding: Encoding
) -> tuple[int, int, Encoding]:
    """Return where the elements of a sequence's first item begin and end, and how they are encoded."""
    if sequence is None:
        return 0, 0, encoding
    inner = item_encoding(source, sequence, encoding)
    start, stop = next(each_item(source, sequence, end, inner), (0, 0))
    return start, stop, inner


def has_references(source: Buffer, pos: int, end: int, encoding: Encoding) -> bool:
    """Whether a content tree may refer to its items by position (Referenced Content Item Identifier).

    Then no item may go, or the positions would name others (PS3.3 C.17.3.2.5).
    """
    tag = encoding.short.pack(_REFERENCE >> 16) + encoding.short.pack(_REFERENCE & 0xFFFF)
    return source.find(tag, pos, end) >= 0


def _text(source: Buffer, element: Element | None) -> str:
    return text_of(source, element).decode("ascii", "replace")
