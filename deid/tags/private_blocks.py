"""The private blocks of one level of a data set: creators as they are met, and what becomes of elements.

A creator stays when an element of its block does (PS3.5 7.8.1), which is known only after the last of them: its
place in the output is kept for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deid.encoding.character_sets import decode
from deid.tags import private
from deid.tags.actions import Action
from deid.tags.replacements import CUT_AT_NUL

if TYPE_CHECKING:
    from deid.encoding.header import Buffer
    from deid.encoding.segments import Segment
    from deid.encoding.transfer_syntaxes import Encoding
    from deid.tags.passage import Given, Passage

_PADDED_WITH_SPACE = CUT_AT_NUL | {"AE", "PN"}


@dataclass(slots=True)
class Creator:
    """A private creator: its name, where it stands in the output, and whether an element of it stays."""

    name: str
    place: int
    used: bool


Creators = dict[int, Creator]
"""By group and block, as ``group << 8 | block``."""


def meet(
    creators: Creators, tag: int, raw: bytes, passage: Passage, element: bytes, out: list[Segment]
) -> None:
    """Put out a private creator, until it is known whether it stays; a repeated one takes over its block."""
    block = (tag >> 16) << 8 | tag & 0xFF
    earlier = creators.get(block)
    if earlier is not None and not earlier.used:
        out[earlier.place] = b""
    name = decode(raw, passage.charset).strip(" \x00")
    creators[block] = Creator(name, len(out), used=False)
    out.append(element)


def creator_of(creators: Creators, tag: int) -> Creator | None:
    """Return the creator of a private element's block; None where it has none."""
    return creators.get((tag >> 16) << 8 | (tag >> 8) & 0xFF)


def finish(creators: Creators, out: list[Segment]) -> None:
    """Take the creators out of which nothing stays."""
    for creator in creators.values():
        if not creator.used:
            out[creator.place] = b""


def decide(creator: Creator, tag: int, vr: str, raw: bytes, given: Given) -> tuple[str, Action]:
    """Return the VR that a private element is read as, and what becomes of it.

    `vr` is the explicit VR as encoded, or empty for implicit VR.
    """
    policy = given.plan.policy
    action = private.action(policy, given.blocks, creator.name, tag)
    listed = private.listed_vr(policy, creator.name, tag)
    if not private.is_of_kind(vr, listed):
        return vr, Action.DROP
    if vr in ("", "UN"):
        vr = listed or private.read_as(raw)
    if action is Action.KEEP:
        action = private.kept(vr, policy)
    if action is Action.REPLACE_UID and vr not in ("UI", "UN"):
        action = Action.DROP
    return vr, action


def as_encoded(
    source: Buffer, pos: int, value: int, after: int, tag: int, encoding: Encoding
) -> bytes:
    """Return a private element as it stands, made even where its length is odd (PS3.5 7.1.1)."""
    if not (after - value) & 1:
        return source[pos:after]
    code = source[pos + 4 : pos + 6] if encoding.explicit else b"UN"
    pad = b" " if code.decode("latin-1") in _PADDED_WITH_SPACE else b"\x00"
    return encoding.element(tag, code, source[value:after] + pad)
