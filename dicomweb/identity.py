"""Whose instance this is, told from the first bytes of it, while the rest is still on its way."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

from dicomweb.elements import (
    DEFLATED,
    JPIP_DEFLATED,
    UNDEFINED,
    Cursor,
    elements,
    open_dataset,
    read_file_meta,
)
from dicomweb.errors import DescribeError

_SOP_CLASS: Final = 0x00080016
_SOP_INSTANCE: Final = 0x00080018
_STUDY: Final = 0x0020000D
_SERIES: Final = 0x0020000E
_WANTED: Final = frozenset({_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES})


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
    """Return the UIDs in the first bytes of a Part 10 file, which may end anywhere."""
    found: dict[int, str] = {}
    is_complete = False
    try:
        meta = read_file_meta(head)
        found = {_SOP_CLASS: meta.sop_class_uid, _SOP_INSTANCE: meta.sop_instance_uid}
        if meta.transfer_syntax_uid == DEFLATED or meta.transfer_syntax_uid in JPIP_DEFLATED:
            inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(
                head[meta.end :], len(head) * 4
            )
            cursor = Cursor(inflated, 0, implicit=False, big=False)
        else:
            cursor = open_dataset(head, meta, max_inflated_bytes=0)
        data = cursor.data
        for tag, _vr, length in elements(cursor, len(data)):
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
