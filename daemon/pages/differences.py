"""Headers beside each other: which element was kept, changed, removed, added, at every depth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from daemon.pages.attributes import shown
from dicomweb.dictionary import keyword_for_tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Attributes = Mapping[str, Any]

_MOST_CHARACTERS: Final = 400
_NO_CHANGE: Final = frozenset({"keep", "recurse"})
_ELSEWHERE: Final = "(stored beside the header)"


class Change(StrEnum):
    """What became of an element."""

    CHANGED = "changed"
    REMOVED = "removed"
    ADDED = "added"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Row:
    """An element, in one or both headers.

    Attributes
    ----------
    path
        Tags and, counted from 1, items: ``(0040,0275)[1].(0040,0007)``. Of a FHIR resource, a JSON path.
    name
        Keyword, where the standard has one.
    before, after
        Values as they are shown; empty where the element is absent.
    action
        What the outcome record says of the tag, where only the result may be seen.
    """

    path: str
    name: str
    vr: str
    depth: int
    before: str
    after: str
    change: Change
    action: str = ""

    def has(self, words: str) -> bool:
        """Tell whether it is what somebody looks for, whatever the case."""
        wanted = words.casefold()
        told = (self.path, self.name, self.before, self.after, self.action)
        return any(wanted in each.casefold() for each in told)


def compare(before: Attributes, after: Attributes) -> list[Row]:
    """Return every element of two DICOM JSON objects (PS3.18 F.2), in the order of tags, sequences unfolded."""
    return list(_compared(before, after, "", 0))


def _compared(before: Attributes, after: Attributes, prefix: str, depth: int) -> Iterator[Row]:
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        known: Mapping[str, Any] = new or old or {}
        path = f"{prefix}{_tag(name)}"
        yield Row(
            path=path,
            name=_keyword(name),
            vr=str(known.get("vr", "")),
            depth=depth,
            before=_value(old),
            after=_value(new),
            change=_change(old, new),
        )
        if known.get("vr") == "SQ":
            yield from _items(_items_of(old), _items_of(new), path, depth + 1)


def _items(
    before: Sequence[Attributes], after: Sequence[Attributes], path: str, depth: int
) -> Iterator[Row]:
    for position in range(max(len(before), len(after))):
        old = before[position] if position < len(before) else {}
        new = after[position] if position < len(after) else {}
        yield from _compared(old, new, f"{path}[{position + 1}].", depth)


def result_alone(after: Attributes, outcome: Mapping[str, Any]) -> list[Row]:
    """Return every element of a result, and what the outcome record says was done to elements of that tag.

    What was removed has a row without a value; of the source nothing is told.
    """
    actions: dict[str, list[str]] = {}
    removed: Counter[str] = Counter()
    for tag, word, count in outcome.get("elements", ()):
        if word not in _NO_CHANGE:
            actions.setdefault(tag, []).append(word)
        if word == "removed":
            removed[tag] += count
    rows = [_told(row, actions) for row in compare({}, after)]
    there = {row.path for row in rows}
    rows += [
        Row(
            path=tag,
            name=_keyword(tag[1:5] + tag[6:10]) if len(tag) == len("(gggg,eeee)") else "",
            vr="",
            depth=0,
            before="",
            after="",
            change=Change.REMOVED,
            action="removed" if count == 1 else f"removed {count} times",
        )
        for tag, count in removed.items()
        if tag not in there
    ]
    return sorted(rows, key=lambda row: row.path)


def _told(row: Row, actions: Mapping[str, Sequence[str]]) -> Row:
    words = [word for word in actions.get(row.path.rpartition(".")[2], ()) if word != "removed"]
    change = Change.KEPT
    if words:
        change = Change.ADDED if words == ["set"] else Change.CHANGED
    return Row(row.path, row.name, row.vr, row.depth, "", row.after, change, ", ".join(words))


def _change(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Change:
    if old is None:
        return Change.ADDED
    if new is None:
        return Change.REMOVED
    return Change.KEPT if _comparable(old) == _comparable(new) else Change.CHANGED


def _comparable(element: Any) -> Any:
    """Return an element without the addresses of bulk data, which name the instance."""
    if isinstance(element, dict):
        return {
            key: "" if key == "BulkDataURI" else _comparable(value)
            for key, value in element.items()
            if (key, value) != ("Value", [])
        }
    if isinstance(element, list):
        return [_comparable(each) for each in element]
    return element


def _items_of(element: Mapping[str, Any] | None) -> list[Attributes]:
    items = [] if element is None else element.get("Value", [])
    return [each if isinstance(each, dict) else {} for each in items]


def _value(element: Mapping[str, Any] | None) -> str:
    if element is None:
        return ""
    if element.get("vr") == "SQ":
        count = len(_items_of(element))
        return f"{count} item{'' if count == 1 else 's'}"
    if "BulkDataURI" in element:
        return _ELSEWHERE
    if "InlineBinary" in element:
        return cut(str(element["InlineBinary"]))
    values = "\\".join(shown(value) for value in element.get("Value", ()))
    return cut(values) or "(empty)"


def cut(text: str) -> str:
    """Return a value as far as a table has room for it."""
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"


def _tag(name: str) -> str:
    return f"({name[:4]},{name[4:]})"


def _keyword(name: str) -> str:
    try:
        return keyword_for_tag(int(name, 16)) or ""
    except ValueError:
        return ""
