"""Where an exception came from, without a word of what it says.

Messages of exceptions quote what was parsed ("invalid date: ..."), and so do local variables. Only
types, files, lines and function names are repeated here.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

_MAX_PLACES = 12
_ROOTS = frozenset({"site-packages", "dist-packages", "daemon", "deid", "dicomweb", "config"})


def name_of_type(kind: type[BaseException]) -> str:
    """Return an exception type's name with its module, builtins without."""
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def trace(error: BaseException) -> str:
    """Return ``Type at file:line in function < caller ... | cause``, innermost place first."""
    parts = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        parts.append(_one(current))
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )
    return " | ".join(parts)


def _one(error: BaseException) -> str:
    places = _places(error.__traceback__)
    return (
        f"{name_of_type(type(error))} at {' < '.join(places)}"
        if places
        else name_of_type(type(error))
    )


def _places(traceback: TracebackType | None) -> list[str]:
    places = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append(f"{_short(code.co_filename)}:{traceback.tb_lineno} in {code.co_name}")
        traceback = traceback.tb_next
    return places[: -_MAX_PLACES - 1 : -1]


def _short(filename: str) -> str:
    """Return the file from its package on: where the package lies says nothing."""
    parts = PurePath(filename).parts
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] in _ROOTS:
            keep = index + 1 if parts[index].endswith("-packages") else index
            return "/".join(parts[keep:])
    return parts[-1] if parts else ""
