"""What a configuration does to each row of Table E.1-1, in words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from deid.encoding.header import tag_name
from deid.encoding.transfer_syntaxes import EXPLICIT_LITTLE
from deid.pixels.policy import RedactionMode
from deid.tables.dictionary import dictionary_vr
from deid.tables.load import (
    TableRow,
    attribute_types,
    iods_by_sop_class,
)
from deid.tags.actions import FALLBACK_SHIFT, KIND_MASK, Action
from deid.tags.equipment import OF_PATIENTS, OF_PROTOCOLS, OF_VERSIONS
from deid.tags.labels import LABELS
from deid.tags.policy import Option
from deid.tags.rules import ONLY_BESIDE, Rules

if TYPE_CHECKING:
    from deid.configuration.document import Parsed

CT_IMAGE: Final = "1.2.840.10008.5.1.4.1.1.2"
_FAMILIES: Final = {
    "50xx,xxxx": (0x50003000, "OW"),
    "60xx,3000": (0x60003000, "OW"),
    "60xx,4000": (0x60004000, "LT"),
    "GGGG,EEEE(odd)": (0x00091001, "LO"),
}
SAYINGS: Final = {
    Action.KEEP: "kept as it is",
    Action.DROP: "removed",
    Action.EMPTY: "emptied",
    Action.DUMMY: "replaced by a dummy value",
    Action.REPLACE_UID: "replaced by a keyed UID",
    Action.KEEP_REGISTERED_UID: "kept where the standard registers the UID, else replaced by a keyed UID",
    Action.PSEUDONYM: "replaced by the patient's pseudonym",
    Action.TOKEN: "replaced by a keyed token",
    Action.CAP_AGE: "kept, ages over 89 years as 090Y; what is no age is emptied",
    Action.RECURSE: "kept as a sequence, every item treated by these rules",
    Action.RECURSE_DUMMY: "kept as a sequence whose contents become dummies",
    Action.PIXELS: "treated as said under Pixels",
    Action.DOCUMENT: "replaced by an empty document of its kind",
    Action.CHARACTER_SET: "kept where every term is a defined one, else removed",
    Action.DESCRIBE: "kept where it says how long its table is",
    Action.TABLE: "kept up to its last entry",
    Action.MARKER: "set by us, whatever it was",
    Action.REFUSE: "an instance that has it in its data set is refused",
    Action.PRIVATE: "kept where its creator's block lists it as safe, else removed",
    Action.PRIVATE_CREATOR: "kept where an element of its block is",
}
_OVERLAY_DATA: Final = 0x60003000
_META: Final = {
    0: "of messages, not of instances; an instance that has it is refused",
    2: "of the file meta information, which is made anew for the result",
    4: "of media directories, which are refused",
}
_FALLBACKS: Final = {
    Action.DROP: "removed",
    Action.EMPTY: "emptied",
    Action.DUMMY: "replaced by a dummy value",
}


@dataclass(frozen=True, slots=True)
class Element:
    """What happens to one row of Table E.1-1 at the top level of a CT image.

    Attributes
    ----------
    tag
        As printed in the table: ``(0010,0010)``, or a family such as ``(60xx,3000)``.
    action, fallback
        Names of `deid.tags.actions.Action`; the fallback is empty where there is none.
    saying
        The same in words.
    elsewhere
        What happens in other kinds of object, in words, to how many kinds; empty where all are alike.
    """

    tag: str
    name: str
    keyword: str
    action: str
    fallback: str
    saying: str
    elsewhere: tuple[tuple[str, int], ...] = ()

    def line(self) -> str:
        """Return the row as a sentence."""
        note = ""
        if self.elsewhere:
            parts = [f"{saying} in {count}" for saying, count in self.elsewhere]
            note = f" (kinds of object that differ: {'; '.join(parts)})"
        return f"{self.tag} {self.name}: {self.saying}{note}"


def explained(row: TableRow, rules: Rules, parsed: Parsed) -> Element:
    """Return what happens to a row, and in how many other kinds of object it differs."""
    tag, vr = _place(row)
    word = rules.action(tag, vr, rules.root(CT_IMAGE, EXPLICIT_LITTLE))
    saying = (
        _META.get(tag >> 16)
        or _overlay(tag, word, parsed)
        or _beside(tag, word, rules)
        or _saying(tag, word, parsed, vr)
    )
    elsewhere: Counter[str] = Counter()
    for sop_class_uid, count in _kinds_by_type(tag):
        other = rules.action(tag, vr, rules.root(sop_class_uid, EXPLICIT_LITTLE))
        if other != word:
            elsewhere[_saying(tag, other, parsed, vr)] += count
    kind, fallback = Action(word & KIND_MASK), word >> FALLBACK_SHIFT
    return Element(
        f"({row.tag})" if len(row.tag) == 9 else f"({row.tag.split('(')[0]})",
        row.name,
        row.keyword,
        kind.name,
        Action(fallback).name if fallback else "",
        saying,
        tuple(elsewhere.most_common()),
    )


def _overlay(tag: int, word: int, parsed: Parsed) -> str:
    """Say what becomes of Overlay Data that the rules alone would keep; nothing of other elements."""
    if tag != _OVERLAY_DATA or word & KIND_MASK != Action.KEEP:
        return ""
    if parsed.image.mode is not RedactionMode.NONE:
        return "kept, cleaned of text as pixels are"
    if Option.CLEAN_GRAPHICS in parsed.tags.options:
        return "removed with all that describes the plane, as nothing says what text to clean in pixels"
    return ""


def _beside(tag: int, word: int, rules: Rules) -> str:
    """Say what becomes of a dummy that may not stand alone; nothing of other elements."""
    condition = ONLY_BESIDE.get(tag)
    if condition is None or word & KIND_MASK != Action.DUMMY:
        return ""
    beside = rules.action(condition, "", rules.root(CT_IMAGE, EXPLICIT_LITTLE)) & KIND_MASK
    if beside != Action.DROP:
        return ""
    return f"removed with {tag_name(condition)} where that is there, else {SAYINGS[Action.DUMMY]}"


def _place(row: TableRow) -> tuple[int, str]:
    """Return the tag and VR that stand for a row."""
    if row.tag in _FAMILIES:
        return _FAMILIES[row.tag]
    tag = int(row.tag.replace(",", ""), 16)
    declared = dictionary_vr(tag)
    if declared is not None:
        return tag, declared.split(" or ")[0]
    # Newer than the dictionary: the name tells the VR that explicit encodings give.
    ending = {"Sequence": "SQ", "DateTime": "DT"}
    return tag, next((vr for end, vr in ending.items() if row.keyword.endswith(end)), "LO")


@cache
def _kinds() -> tuple[str, ...]:
    """Return one SOP class for each IOD that is known."""
    classes: dict[str, str] = {}
    for sop_class_uid, iod in sorted(iods_by_sop_class().items()):
        if attribute_types(sop_class_uid) is not None:
            classes.setdefault(iod, sop_class_uid)
    return tuple(classes.values())


@cache
def _kinds_by_type(tag: int) -> tuple[tuple[str, int], ...]:
    """Return a SOP class for each type that an attribute has at the top of IODs, and for how many it stands.

    An action depends on nothing else of a SOP class (`deid.tags.table.Table`).
    """
    found: dict[int, list[str]] = {}
    for sop_class_uid in _kinds():
        types = attribute_types(sop_class_uid) or {}
        found.setdefault(types.get((0, tag), 3), []).append(sop_class_uid)
    return tuple((alike[0], len(alike)) for alike in found.values())


def _saying(tag: int, word: int, parsed: Parsed, vr: str) -> str:
    text = parsed.text
    kind = Action(word & KIND_MASK)
    if tag in LABELS and (kind is Action.CHECK or (kind is Action.CLEAN and text is not None)):
        return "kept when all of it is recognised, else replaced by a label of its own"
    otherwise = _FALLBACKS.get(Action(word >> FALLBACK_SHIFT), "removed")
    if kind is Action.CHECK and tag in OF_VERSIONS and vr != "SH":
        return f"kept where it is the day of a version, else {otherwise}"
    if kind is Action.CHECK:
        return f"kept where every word of it is recognised, else {otherwise}"
    if kind is Action.SHIFT:
        moves = vr != "TM" or parsed.tags.time_jitter_minutes
        happens = "moved by the patient's date shift" if moves else "kept (times stay)"
        return f"{happens}; what cannot be read is {otherwise}"
    if kind is Action.CLEAN:
        if text is None:
            return otherwise
        if tag in OF_PROTOCOLS:
            return f"cleaned as said under Text; a day that would move is {otherwise}: it is of equipment"
        if vr not in ("DA", "DT", "AS", "PN") and tag not in OF_PATIENTS:
            many = "a day that would move becomes its kind, as it is the same for many patients"
            return f"cleaned as said under Text; {many}; where nothing is left, {otherwise}"
        return f"cleaned as said under Text; where nothing is left, {otherwise}"
    return SAYINGS[kind]
