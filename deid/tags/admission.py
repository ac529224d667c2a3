"""What an instance must say of itself before anything can be made of it: which one it is, and of what class."""

from __future__ import annotations

from typing import Final, Protocol

from deid.encoding.header import DICOMDIR_CLASS
from deid.errors import Reason, Unsafe
from deid.tables.dictionary import uids
from deid.tables.load import attribute_types

_STUDY_INSTANCE_UID: Final = 0x0020000D
_UID_CHARACTERS: Final = frozenset("0123456789.")
_MOST_CHARACTERS: Final = 64


class Identity(Protocol):
    """The UIDs that tell an instance, as its header says them."""

    @property
    def sop_class_uid(self) -> str: ...  # noqa: D102
    @property
    def sop_instance_uid(self) -> str: ...  # noqa: D102
    @property
    def study_uid(self) -> str: ...  # noqa: D102
    @property
    def series_uid(self) -> str: ...  # noqa: D102


def has_study(sop_class_uid: str) -> bool:
    """Whether instances of a class belong to a study: its IOD has a Study Instance UID, or is not known.

    Colour palettes, hanging protocols, implant templates, defined procedure protocols and inventories have
    neither patient nor study (PS3.3 A.45, A.58, A.61 to A.63, A.82, A.86).
    """
    types = attribute_types(sop_class_uid)
    return types is None or (0, _STUDY_INSTANCE_UID) in types


def check_identity(facts: Identity) -> None:
    """Refuse what lacks a UID that its class must have, or has one that is none.

    Raises
    ------
    Unsafe
        MISSING_IDENTITY or MALFORMED.
    """
    is_of_study = has_study(facts.sop_class_uid)
    for uid, tag, is_required in (
        (facts.sop_class_uid, "(0008,0016)", True),
        (facts.sop_instance_uid, "(0008,0018)", True),
        (facts.study_uid, "(0020,000D)", is_of_study),
        (facts.series_uid, "(0020,000E)", is_of_study),
    ):
        if not uid and is_required:
            raise Unsafe(Reason.MISSING_IDENTITY, tag)
        if len(uid) > _MOST_CHARACTERS or not _UID_CHARACTERS.issuperset(uid):
            raise Unsafe(Reason.MALFORMED, tag)


def check_class(sop_class_uid: str, *, may_be_unknown: bool) -> None:
    """Refuse directories of media, and classes that the standard does not register.

    Raises
    ------
    Unsafe
        DICOMDIR or SOP_CLASS_UNKNOWN.
    """
    if sop_class_uid == DICOMDIR_CLASS:
        raise Unsafe(Reason.DICOMDIR, "(0008,0016)")
    if sop_class_uid not in uids() and not may_be_unknown:
        raise Unsafe(Reason.SOP_CLASS_UNKNOWN, "(0008,0016)")
