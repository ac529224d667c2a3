"""Whose instance this is, told from the first bytes of it, while the rest is still on its way."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dicomweb.elements import (
    PIXEL_DATA,
    UNDEFINED,
    Cursor,
    FileMeta,
    elements,
    items,
    nested,
    open_dataset,
    read_file_meta,
)
from dicomweb.encodings import DEFLATED, EXPLICIT_LITTLE, IMPLICIT_LITTLE, LONG_VRS, SHORT_VRS
from dicomweb.errors import DescribeError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SOP_CLASS: Final = 0x00080016
_SOP_INSTANCE: Final = 0x00080018
_STUDY: Final = 0x0020000D
_SERIES: Final = 0x0020000E
_WANTED: Final = frozenset({_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES})
_MOST_ELEMENTS: Final = 50_000
"""Elements before the UIDs, nested ones too: this runs on the event loop, for whoever sends."""
_MOST_INFLATED: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Identity:
    """The UIDs found so far; empty where they were not.

    Attributes
    ----------
    is_complete
        Whether the walk got past where the UIDs are: what is empty is not in the instance.
    """

    study_uid: str = ""
    series_uid: str = ""
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    is_complete: bool = False


def identify(head: bytes) -> Identity:
    """Return the UIDs in the first bytes of a Part 10 file, which may end anywhere.

    Preamble, prefix and File Meta Information may be missing.
    """
    found: dict[int, str] = {}
    is_complete = False
    head = head.removeprefix(b"DICM")
    try:
        meta = _bare_meta(head) or read_file_meta(head)
        found = {_SOP_CLASS: meta.sop_class_uid, _SOP_INSTANCE: meta.sop_instance_uid}
        if meta.transfer_syntax_uid in DEFLATED:
            inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(
                head[meta.end :], _MOST_INFLATED
            )
            cursor = Cursor(inflated, 0, implicit=False, big=False)
        else:
            cursor = open_dataset(head, meta, max_inflated_bytes=0)
        data = cursor.data
        for tag, length in _counted(cursor, len(data), [_MOST_ELEMENTS]):
            if tag in _WANTED and length != UNDEFINED:
                value = data[cursor.position : cursor.position + length]
                found[tag] = value.decode("ascii", "replace").strip(" \0")
            if tag >= _SERIES:
                is_complete = True
                break
    except (DescribeError, zlib.error):
        pass  # cut off: what was found so far
    return Identity(
        study_uid=found.get(_STUDY, ""),
        series_uid=found.get(_SERIES, ""),
        sop_class_uid=found.get(_SOP_CLASS, ""),
        sop_instance_uid=found.get(_SOP_INSTANCE, ""),
        is_complete=is_complete,
    )


def _bare_meta(head: bytes) -> FileMeta | None:
    """Return what the File Meta Information would say of a data set that comes without."""
    if head[:2] != b"\x08\x00":
        return None
    is_explicit = head[4:6] in LONG_VRS | SHORT_VRS
    return FileMeta(EXPLICIT_LITTLE if is_explicit else IMPLICIT_LITTLE, "", "", 0)


def _counted(cursor: Cursor, stop: int, left: list[int]) -> Iterator[tuple[int, int]]:
    """Yield tag and length of elements like `elements`; after too many give up as if cut off."""
    for tag, vr, length in elements(cursor, stop):
        left[0] -= 1
        if left[0] < 0:
            raise DescribeError("too many elements")
        yield tag, length
        if length != UNDEFINED:
            continue
        is_pixels = tag == PIXEL_DATA or vr in {b"OB", b"OW"}
        inner = cursor if is_pixels else nested(cursor, vr)
        for end in items(inner, UNDEFINED, stop):
            left[0] -= 1
            if left[0] < 0:
                raise DescribeError("too many items")
            if not is_pixels:
                for _element in _counted(inner, end, left):
                    pass
        cursor.position = inner.position
