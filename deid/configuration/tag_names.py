"""Names of data elements in configurations: keywords, eight hex digits, repeating groups, tags as printed."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, Final

from deid.encoding.value_representations import LONG_VRS, SHORT_VRS
from deid.tables.dictionary import attributes, repeating_attributes, tag_for_keyword

if TYPE_CHECKING:
    from deid.configuration.notes import Notes

_LONGEST: Final = 256
"""Characters of what may be meant as a name; none is as long."""
VRS: Final = frozenset(vr.decode() for vr in LONG_VRS | SHORT_VRS)
# (0010,0010), 0010,0010 and (60xx,3000), as the standard prints tags.
_PRINTED: Final = re.compile(
    r"\(?\s*(?P<group>[0-9a-fA-FxX]{4}),\s*(?P<element>[0-9a-fA-FxX]{4})\s*\)?"
)


def tag_list(notes: Notes, path: str, given: dict[str, Any]) -> set[int]:
    """Return the tags of a keep or remove list; note names that are none."""
    tags: set[int] = set()
    for index, name in enumerate(given.get("tags", [])):
        found = tags_of_name(notes, f"{path}[{index}]", name)
        if found is None:
            unknown_tag(notes, f"{path}[{index}]", name)
        else:
            tags |= found
    return tags


def tags_of_name(notes: Notes, path: str, name: str) -> frozenset[int] | None:
    """Return the tags that a name stands for, also where it is written as the standard prints tags."""
    found = tags_named(name)
    printed = _PRINTED.fullmatch(name) if found is None else None
    if printed is None:
        return found
    notes.warn("tag_as_printed", path)
    return tags_named(printed["group"] + printed["element"])


def unknown_tag(notes: Notes, path: str, name: str) -> None:
    """Note that a name is no element, and which may have been meant."""
    keywords = {
        each.keyword.lower(): each.keyword for each in attributes().values() if each.keyword
    }
    plain = re.sub(r"[\W_]|'s\b", "", name[:_LONGEST]).lower()
    near = difflib.get_close_matches(plain, keywords, 1, 0.6)
    hint = "give a keyword or eight hex digits"
    if name.strip().upper() in VRS and "queries" in path:
        hint = f"did you mean {name.strip().upper()}?"
    elif near:
        hint = f"did you mean {keywords[near[0]]}?"
    notes.problems.append(f"{path} names no data element; {hint}")


def tags_named(name: str) -> frozenset[int] | None:
    """Return the tags that a keyword or eight hex digits name; None when there are none."""
    tag = tag_for_keyword(name) if name else None
    if tag is not None:
        return frozenset({tag})
    if re.fullmatch(r"[0-9a-fA-F]{8}", name):
        return frozenset({int(name, 16)})
    for mask, entry in repeating_attributes().items():
        if name and (entry.keyword == name or mask == name.lower()):
            return repeated(mask)
    return None


def repeated(mask: str) -> frozenset[int]:
    """Return the tags of a repeating group or element such as ``60xx3000`` (PS3.5 7.6)."""
    free = mask.count("x")
    step = 2 if mask[:4].endswith("x") else 1
    return frozenset(
        int(re.sub("x+", f"{number:0{free}x}", mask), 16) for number in range(0, 16**free, step)
    )


def is_private_data(tag: int) -> bool:
    """Whether a tag is that of a private element, not of a creator."""
    return bool(tag >> 16 & 1) and tag & 0xFFFF > 0xFF
