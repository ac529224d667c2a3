"""FHIR resources beside each other: every value by its JSON path, and what became of it."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from daemon.pages.differences import Change, Row, cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Resource = Mapping[str, Any]

_INDEX: Final = re.compile(r"\[\d+\]")


def compare_resources(before: Resource, after: Resource) -> list[Row]:
    """Return every value of two resources, in their order, arrays item beside item, counted from 0."""
    kind = str(before.get("resourceType") or after.get("resourceType") or "")
    return list(_compared(before, after, kind, 0))


def _compared(before: Any, after: Any, path: str, depth: int) -> Iterator[Row]:
    """Yield the rows of a value; None where it is absent, or is the null that keeps a place in an array."""
    if isinstance(before, dict) or isinstance(after, dict):
        old, new = (each if isinstance(each, dict) else {} for each in (before, after))
        for name in {**old, **new}:
            yield from _compared(old.get(name), new.get(name), f"{path}.{name}", depth + 1)
    elif isinstance(before, list) or isinstance(after, list):
        old_items, new_items = (each if isinstance(each, list) else [] for each in (before, after))
        for position, (one, other) in enumerate(zip_longest(old_items, new_items)):
            yield from _compared(one, other, f"{path}[{position}]", depth)
    elif before is not None or after is not None:
        yield Row(path, "", "", 0, _value(before), _value(after), _change(before, after))


def resource_alone(after: Resource, outcome: Mapping[str, Any]) -> list[Row]:
    """Return every value of a result, and what the outcome record says was done at its path.

    What was removed has a row without a value; of the source nothing is told.
    """
    elements: list[tuple[str, str, int]] = [tuple(each) for each in outcome.get("elements", ())]
    actions = {path: word for path, word, _count in elements if word != "removed"}
    rows = [_told(row, actions) for row in compare_resources({}, after)]
    removed = [
        Row(
            path,
            "",
            "",
            0,
            "",
            "",
            Change.REMOVED,
            f"removed {count} times" if count > 1 else "removed",
        )
        for path, word, count in elements
        if word == "removed"
    ]
    return [*rows, *removed]


def _told(row: Row, actions: Mapping[str, str]) -> Row:
    path = _INDEX.sub("", row.path)
    word = ""
    while path and not word:
        word = actions.get(path, "")
        path = path.rpartition(".")[0]
    change = Change.CHANGED if word else Change.KEPT
    return Row(row.path, "", "", 0, "", row.after, change, word)


def _change(before: Any, after: Any) -> Change:
    if before is None:
        return Change.ADDED
    if after is None:
        return Change.REMOVED
    return Change.KEPT if before == after else Change.CHANGED


def _value(value: Any) -> str:
    if value is None:
        return ""
    return (
        {True: "true", False: "false"}.get(value, "")
        if isinstance(value, bool)
        else cut(str(value))
    )
