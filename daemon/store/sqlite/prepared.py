"""Prepared answers: DICOM JSON objects (PS3.18 F.2) that are merged without being parsed.

They are written with their members separated by a comma and a line feed. That is plain JSON, and as no JSON
string holds a raw line feed, each line is a member.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import orjson

from daemon.store.sqlite.packing import SEPARATOR
from dicomweb.attributes import COMPUTED, LEVELS, tags_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHARED: Final = frozenset(
    b'"%b"' % tag.encode()
    for tag, count in Counter(
        tag for level in LEVELS for tag in set(tags_of((*LEVELS[level], *COMPUTED[level])))
    ).items()
    if count > 1
)
"""Quoted tags that more than one level has, such as Specific Character Set."""


def written(attributes: Mapping[str, Any]) -> bytes:
    """Return a DICOM JSON object in ascending tag order, its members separated by `SEPARATOR`."""
    members = (
        b'"%b":%b' % (tag.encode(), orjson.dumps(attributes[tag])) for tag in sorted(attributes)
    )
    return b"{" + SEPARATOR.join(members) + b"}"


def members_of(json_object: bytes) -> dict[bytes, bytes]:
    """Return the members of an object that `written` wrote, by their quoted tag, unparsed."""
    return {member[:10]: member for member in json_object[1:-1].split(SEPARATOR) if member}


class Above:
    """Members of the levels above an object, prepared to be merged into many of its kind."""

    __slots__ = ("_others", "_shared")

    def __init__(self, members: Mapping[bytes, bytes]) -> None:
        self._others = [member for tag, member in members.items() if tag not in _SHARED]
        self._shared = [(tag, members[tag]) for tag in _SHARED & members.keys()]

    def merged_into(self, own: bytes) -> bytes:
        """Return the object with these members added, in ascending tag order; its own ones win."""
        members = [member for member in own[1:-1].split(SEPARATOR) if member]
        added = list(self._others)
        for tag, member in self._shared:
            place = bisect_left(members, tag)
            if place == len(members) or not members[place].startswith(tag):
                added.append(member)
        # Two sorted runs, which Python's sort merges.
        return b"{" + SEPARATOR.join(sorted(members + added)) + b"}"
