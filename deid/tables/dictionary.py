"""What the standard calls things: attributes, private attributes, UIDs and coded concepts.

The tables are read when first asked for, in a few milliseconds; the library they were made from takes a
quarter of a second to import, which every worker and every run over a single file would wait for.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TOKEN: Final = re.compile(r"[^\W_]+", re.UNICODE)
CAMEL_PART: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


class Attribute(NamedTuple):
    """A row of the data dictionary (PS3.6 Section 6 to 9, PS3.7 Annex E).

    Attributes
    ----------
    vr
        ``US or SS`` where the dictionary leaves a choice, ``NONE`` for delimiters.
    vm
        Such as ``1``, ``1-n`` or ``2-2n``.
    retired
        ``Retired``, or empty.
    """

    vr: str
    vm: str
    name: str
    retired: str
    keyword: str


class Uid(NamedTuple):
    """A row of the registry of UIDs (PS3.6 Annex A).

    Attributes
    ----------
    kind
        Such as ``SOP Class`` or ``Transfer Syntax``.
    info
        What the registry adds to the name.
    retired
        ``Retired``, or empty.
    """

    name: str
    kind: str
    info: str
    retired: str
    keyword: str


ATTRIBUTE_COLUMNS: Final = ("tag", *Attribute._fields)
UID_COLUMNS: Final = ("uid", *Uid._fields)


def attributes() -> dict[int, Attribute]:
    """Return the attributes that have one tag, by tag."""
    return _attributes()[0]


def repeating_attributes() -> dict[str, Attribute]:
    """Return the attributes of repeating groups (PS3.5 7.6), by tag with ``x``: ``60xx3000``."""
    return _attributes()[1]


@cache
def _attributes() -> tuple[dict[int, Attribute], dict[str, Attribute]]:
    single: dict[int, Attribute] = {}
    repeating: dict[str, Attribute] = {}
    for row in _rows("attributes.csv"):
        entry = Attribute._make(row[1:])
        if "x" in row[0]:
            repeating[row[0]] = entry
        else:
            single[int(row[0], 16)] = entry
    return single, repeating


@cache
def _tags() -> dict[str, int]:
    return {entry.keyword: tag for tag, entry in attributes().items() if entry.keyword}


def tag_for_keyword(keyword: str) -> int | None:
    """Return the tag of a keyword; None where no attribute, or a repeating one, is called so."""
    return _tags().get(keyword)


def keyword_for_tag(tag: int) -> str:
    """Return a tag's keyword, or an empty string; repeating groups are known."""
    entry = attributes().get(tag) or repeating_attribute(tag)
    return entry.keyword if entry else ""


def repeating_attribute(tag: int) -> Attribute | None:
    """Return the attribute whose repeating group or element a tag belongs to."""
    digits = f"{tag:08x}"
    for mask, entry in repeating_attributes().items():
        if all(m in ("x", d) for m, d in zip(mask, digits, strict=True)):
            return entry
    return None


@cache
def private_attributes() -> dict[str, dict[str, str]]:
    """Return VRs by private creator and tag, such as ``0019xx10``, where ``xx`` is the block."""
    blocks: dict[str, dict[str, str]] = {}
    for creator, tag, vr in _rows("private_attributes.csv"):
        blocks.setdefault(creator, {})[tag] = vr
    return blocks


@cache
def uids() -> dict[str, Uid]:
    """Return the registered UIDs."""
    return {row[0]: Uid._make(row[1:]) for row in _rows("uids.csv")}


@cache
def concepts() -> tuple[tuple[str, str], ...]:
    """Return code value and meaning of the concepts that the standard uses (PS3.16)."""
    return tuple((code, meaning) for _scheme, code, meaning in _rows("concepts.csv"))


@cache
def scheme_concepts() -> dict[tuple[str, str], frozenset[str]]:
    """Return the meanings of the same concepts in folded case, by coding scheme and code value."""
    found: dict[tuple[str, str], set[str]] = {}
    for scheme, code, meaning in _rows("concepts.csv"):
        found.setdefault((scheme, code), set()).add(meaning.casefold())
    return {key: frozenset(meanings) for key, meanings in found.items()}


@cache
def standard_words() -> frozenset[str]:
    """Return the words of attributes, private attributes and concepts, in lower case.

    Prepared by `standard_words_of`, which takes longer than all the rest of a start.
    """
    return frozenset(_text("standard_words.txt").split())


def standard_words_of(
    named: Iterable[tuple[str, str]],
    meanings: Iterable[str],
    blocks: Iterable[tuple[str, Iterable[str]]],
) -> set[str]:
    """Return the words of names, in lower case; those of keywords also part by part.

    Parameters
    ----------
    named
        Name and keyword of attributes.
    blocks
        Private creators, and the names of their attributes.
    """
    words: set[str] = set()
    for name, keyword in named:
        words.update(words_in(name), words_in(keyword))
        words.update(part.lower() for part in CAMEL_PART.findall(keyword))
    for meaning in meanings:
        words.update(words_in(meaning))
    for creator, names in blocks:
        words.update(words_in(creator))
        for name in names:
            words.update(words_in(name))
    return words


def words_in(text: str) -> set[str]:
    """Return the runs of letters and digits of a text, in lower case."""
    return {token.lower() for token in TOKEN.findall(text)}


def _rows(name: str) -> Iterator[list[str]]:
    rows = csv.reader(_text(name).splitlines())
    next(rows)
    return rows


def _text(name: str) -> str:
    return (files("deid.tables") / name).read_text(encoding="utf-8")


def dictionary_vr(tag: int) -> str | None:
    """Return the data dictionary's VR (``US or SS`` where it leaves a choice); None if not registered."""
    entry = attributes().get(tag)
    if entry is None and (
        tag >> 24 in (0x50, 0x60) or tag >> 16 in (0x0020, 0x0028, 0x1000, 0x1010, 0x7F00)
    ):
        entry = repeating_attribute(tag)
    return entry.vr if entry else None


def private_vr(creator: str, tag: int) -> str | None:
    """Return a private element's VR by its creator, as far as makers' dictionaries are known."""
    block = private_attributes().get(creator)
    return block.get(f"{tag >> 16:04X}xx{tag & 0xFF:02X}") if block else None
