"""What is known of the person before any text is judged: the values that must not survive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deid.encoding.character_sets import decode
from deid.encoding.header import text_of
from deid.encoding.instance import open_instance
from deid.identity.kinds import KNOWN_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deid.encoding.header import Buffer, Element

_CHARACTER_SET: Final = 0x00080005
_WANTED: Final = frozenset({*KNOWN_KINDS, _CHARACTER_SET})
_MOST_BYTES: Final = 1024
MOST_AT_ONCE: Final = 2_000
"""Identifiers that are told together and searched for one by one; more are a crowd (`deid.text.crowd`)."""
MOST_OF_ONE: Final = 4_000
"""The same of one document, or of all that is known of a study."""


@dataclass(frozen=True, slots=True)
class KnownIdentifier:
    """One original value from the header or a sidecar.

    Attributes
    ----------
    value
        Decoded, stripped, as written (a person name keeps its carets and equals signs).
    info_type
        What it is, in the Healthcare API's names: ``PERSON_NAME``, ``MEDICAL_RECORD_NUMBER``,
        ``DATE_OF_BIRTH``, ``DATE``, ``ACCESSION``, ``LOCATION``, ``ORGANIZATION_NAME``,
        ``PHONE_NUMBER``, ``STREET_ADDRESS``, ``AGE``, ``DICOM_UID``, ``GENERIC_ID``.
    """

    value: str
    info_type: str

    def __repr__(self) -> str:
        return f"KnownIdentifier({self.info_type})"


def read_identifiers(source: Buffer) -> tuple[KnownIdentifier, ...]:
    """Return what an instance's header tells of people, for cleaning the other instances of its study.

    Parameters
    ----------
    source
        A whole Part 10 file.

    Raises
    ------
    Unsafe
        When the file is not a DICOM instance or its structure makes no sense.
    """
    instance = open_instance(source)
    data, found = instance.data, instance.places(_WANTED)
    charset = text_of(data, found.get(_CHARACTER_SET)).decode("latin-1")
    return known_identifiers(data, found, charset)


def known_identifiers(
    data: Buffer, found: Mapping[int, Element], charset: str
) -> tuple[KnownIdentifier, ...]:
    """Return the top-level originals that identify, decoded, one entry for each value."""
    known = []
    for tag, info_type in KNOWN_KINDS.items():
        element = found.get(tag)
        if not info_type or element is None or not 0 < element.length <= _MOST_BYTES:
            continue
        raw = data[element.start : element.start + element.length].strip(b" \x00")
        if raw.startswith(_ITEMS):
            continue
        known += [
            KnownIdentifier(value.strip(), info_type)
            for value in decode(raw, charset).split("\\")
            if value.strip()
        ]
    return tuple(known)


_ITEMS: Final = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
"""How a sequence begins, in either byte order: structure, not text."""


def united(
    own: tuple[KnownIdentifier, ...], others: Iterable[KnownIdentifier]
) -> tuple[KnownIdentifier, ...]:
    """Return an instance's own identifiers and what is known from elsewhere, each once, in a fixed order."""
    more = {*others}.difference(own)
    return (*own, *sorted(more, key=in_order)) if more else own


def in_order(identifier: KnownIdentifier) -> tuple[str, str]:
    """Return what identifiers are sorted by."""
    return identifier.info_type, identifier.value
