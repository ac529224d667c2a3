"""Which private elements stay under Retain Safe Private (PS3.15 E.3.10).

By creator, group and place in the block, never by tag: what Table E.3.10-1 lists, what the site lists, and
what the instance itself says of its private blocks (Private Data Element Characteristics Sequence, PS3.3
C.12.1.1.7). Whoever made the instance knows it best: what it says to identify does not stay, whatever the
lists hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from deid.encoding.character_sets import decode
from deid.encoding.header import each_item, index_top_level, item_encoding, text_of
from deid.tables.dictionary import private_vr
from deid.tables.load import safe_private_elements
from deid.tags.actions import Action
from deid.tags.policy import Option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deid.encoding.header import Buffer, Element
    from deid.encoding.top_level import TopLevel
    from deid.encoding.transfer_syntaxes import Encoding
    from deid.tags.policy import TagPolicy

CHARACTERISTICS: Final = 0x00080300
CREATOR_REFERENCE: Final = 0x00080302
_GROUP: Final = 0x00080301
_STATUS: Final = 0x00080303
_SAFE_ELEMENTS: Final = 0x00080304
_ACTIONS: Final = 0x00080305
_IDENTIFYING_ELEMENTS: Final = 0x00080306
_ACTION: Final = 0x00080307
_OF_BLOCK: Final = frozenset({_GROUP, CREATOR_REFERENCE, _STATUS, _SAFE_ELEMENTS, _ACTIONS})
_OF_ACTION: Final = frozenset({_IDENTIFYING_ELEMENTS, _ACTION})
_CODES: Final = {
    "D": Action.DUMMY,
    "Z": Action.EMPTY,
    "X": Action.DROP,
    "U": Action.REPLACE_UID,
}


_KINDS: Final = {
    "text": frozenset({"AE", "CS", "LO", "LT", "SH", "ST", "UC", "UT"}),
    "numbers in text": frozenset({"DS", "IS"}),
    "binary": frozenset(
        {
            "AT", "FD", "FL", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "SV", "UL", "US", "UV",
        }
    ),
}  # fmt: skip


_LONGEST: Final = 1024
"""Bytes of a value that may be one of those VRs."""
_DAY: Final = rb"(?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_ARC: Final = rb"(?:0|[1-9]\d*)"
_SHAPES: Final = (
    ("DA", re.compile(rb"%s(?:\\%s)*\Z" % (_DAY, _DAY))),
    ("DT", re.compile(rb"%s(?:[01]\d|2[0-3])(?:[0-5]\d){0,2}(?:\.\d+)?(?:[+-]\d{4})?\Z" % _DAY)),
    ("AS", re.compile(rb"\d{3}[DWMY]\Z")),
    ("UI", re.compile(rb"[012](?:\.%s){3,}(?:\\[012](?:\.%s){3,})*\Z" % (_ARC, _ARC))),
    ("PN", re.compile(rb"[^\x00-\x1a]*\^[^\x00-\x1a]*\Z")),
)


@dataclass(frozen=True, slots=True)
class Block:
    """What an instance says of one private block.

    Attributes
    ----------
    is_safe
        Whether nothing in it identifies (Block Identifying Information Status SAFE).
    safe
        Elements, by their place in the block, that do not identify (MIXED).
    actions
        What to do with those that do.
    """

    is_safe: bool = False
    safe: frozenset[int] = frozenset()
    actions: Mapping[int, Action] = field(default_factory=dict)

    def action(self, place: int) -> Action:
        """Return what to do with the element at a place of the block."""
        if place in self.actions:
            return self.actions[place]
        return Action.KEEP if self.is_safe or place in self.safe else Action.DROP


Blocks = dict[tuple[str, int], Block]
"""By creator and group."""


def described_creators(blocks: Mapping[tuple[str, int], Block]) -> set[str]:
    """Return the creators of whose blocks an instance says that something in them may stay."""
    return {
        creator
        for (creator, _group), block in blocks.items()
        if block.is_safe or block.safe or block.actions
    }


def action(
    policy: TagPolicy, blocks: Mapping[tuple[str, int], Block], creator: str, tag: int
) -> Action:
    """Return what becomes of a private element of a creator's block."""
    place = tag & 0xFF
    block = blocks.get((creator, tag >> 16))
    if block is not None:
        return block.action(place)
    key = (creator, tag >> 16, place)
    is_safe = key in safe_private_elements() or key in policy.safe_private
    return Action.KEEP if is_safe else Action.DROP


def listed_vr(policy: TagPolicy, creator: str, tag: int) -> str:
    """Return a private element's VR: the site's, else Table E.3.10-1's, else pydicom's; empty if unknown."""
    key = (creator, tag >> 16, tag & 0xFF)
    listed = policy.safe_private.get(key) or safe_private_elements().get(key, "")
    return listed.partition("/")[0] or private_vr(creator, tag) or ""


def read_as(raw: bytes) -> str:
    """Return the VR that a value reads as whose VR nobody knows; UN where it is no VR that identifies.

    As in Implicit VR, which is what most modalities send: what Explicit VR would name must not stay there.
    """
    if len(raw) > _LONGEST:
        return "UN"
    text = raw.strip(b" \x00")
    return next((vr for vr, shape in _SHAPES if shape.match(text)), "UN")


def is_of_kind(vr: str, listed: str) -> bool:
    """Whether a VR is of the kind that is listed: text where text is expected, numbers where numbers are."""
    return not listed or vr in ("", "UN") or _kind(vr) == _kind(listed)


def _kind(vr: str) -> str:
    return next((kind for kind, vrs in _KINDS.items() if vr in vrs), vr)


def kept(vr: str, policy: TagPolicy) -> Action:
    """Return what becomes of a safe element by its VR: UIDs, dates and names follow their own rules."""
    if vr == "UI":
        return Action.KEEP if Option.RETAIN_UIDS in policy.options else Action.KEEP_REGISTERED_UID
    if vr in ("DA", "DT", "TM"):
        if Option.RETAIN_FULL_DATES in policy.options:
            return Action.KEEP
        return Action.SHIFT if Option.RETAIN_MODIFIED_DATES in policy.options else Action.DROP
    if vr == "AS":
        return Action.CAP_AGE
    return Action.DROP if vr == "PN" else Action.KEEP


def declared_blocks(top: TopLevel, policy: TagPolicy, charset: str) -> Blocks:
    """Read what an instance says of its private blocks.

    A block that is described twice is taken to identify, as is one whose status is none of the defined ones.
    Nothing is read where no private element stays in any case.

    Raises
    ------
    Unsafe
        When lengths or nesting make no sense.
    """
    blocks: Blocks = {}
    sequence = top.found.get(CHARACTERISTICS)
    if Option.RETAIN_SAFE_PRIVATE not in policy.options or sequence is None:
        return blocks
    source, encoding = top.data, top.encoding
    inner = item_encoding(source, sequence, encoding)
    for start, stop in each_item(source, sequence, len(source), inner):
        found = index_top_level(source, start, inner, _OF_BLOCK, end=stop)
        creator = decode(text_of(source, found.get(CREATOR_REFERENCE)), charset).strip(" \x00")
        status = text_of(source, found.get(_STATUS)).decode("ascii", "replace")
        safe = _numbers(source, found.get(_SAFE_ELEMENTS), inner) if status == "MIXED" else ()
        actions = _actions(source, found.get(_ACTIONS), stop, inner)
        block = Block(status == "SAFE", frozenset(number & 0xFF for number in safe), actions)
        for group in _numbers(source, found.get(_GROUP), inner):
            key = (creator, group)
            blocks[key] = Block() if key in blocks else block
    return blocks


def _actions(
    source: Buffer, sequence: Element | None, end: int, encoding: Encoding
) -> dict[int, Action]:
    actions: dict[int, Action] = {}
    if sequence is None:
        return actions
    inner = item_encoding(source, sequence, encoding)
    for start, stop in each_item(source, sequence, end, inner):
        found = index_top_level(source, start, inner, _OF_ACTION, end=stop)
        code = text_of(source, found.get(_ACTION)).decode("ascii", "replace")
        for number in _numbers(source, found.get(_IDENTIFYING_ELEMENTS), inner):
            actions[number & 0xFF] = _CODES.get(code, Action.DROP)
    return actions


def _numbers(source: Buffer, element: Element | None, encoding: Encoding) -> tuple[int, ...]:
    """Return the values of a US element."""
    if element is None or element.length > len(source) - element.start:
        return ()
    return tuple(
        encoding.short.unpack_from(source, element.start + at)[0]
        for at in range(0, element.length - 1, 2)
    )
