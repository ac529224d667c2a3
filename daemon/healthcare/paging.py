"""Lists in pages: ``pageSize``, ``pageToken``, ``nextPageToken``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from daemon.healthcare.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")

_USUAL: Final = 100
MOST: Final = 1000
_MOST_DIGITS: Final = 9


def size(query: Mapping[str, str]) -> int:
    """Return how many a page has at most; raises `InvalidArgument`."""
    given = query.get("pageSize", "0")
    if not given.isascii() or not given.isdigit():
        raise InvalidArgument("pageSize is a number")
    digits = given.lstrip("0")
    return MOST if len(digits) > _MOST_DIGITS else min(int(digits or _USUAL), MOST)


def page(
    found: Sequence[T], query: Mapping[str, str], name: Callable[[T], str]
) -> tuple[Sequence[T], str]:
    """Return a page of what is in the order of its names, and the token of the next one; it may be empty."""
    after = query.get("pageToken", "")
    rest = [each for each in found if name(each) > after]
    most = size(query)
    return rest[:most], name(rest[most - 1]) if len(rest) > most else ""


def listed(field: str, found: Sequence[object], token: str) -> dict[str, object]:
    """Return the answer of a list method."""
    answer: dict[str, object] = {field: list(found)} if found else {}
    return answer | ({"nextPageToken": token} if token else {})
