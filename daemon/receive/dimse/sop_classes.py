"""Which SOP classes are stored, and which transfer syntaxes are preferred.

The registries are our table of PS3.6 Annex A (retired UIDs included) and pynetdicom's
SOP class tables; what neither names is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pynetdicom.presentation import AllStoragePresentationContexts

from deid.tables.dictionary import uids

if TYPE_CHECKING:
    from collections.abc import Sequence

VERIFICATION: Final = "1.2.840.10008.1.1"
IMPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2"

# A DICOMDIR is written, not sent; the others are operations on instances already stored.
_NOT_STORED: Final = frozenset(
    {
        "1.2.840.10008.1.3.10",  # Media Storage Directory Storage
        "1.2.840.10008.1.20.1",  # Storage Commitment Push Model
        "1.2.840.10008.1.20.2",  # Storage Commitment Pull Model
        "1.2.840.10008.5.1.4.1.1.201.1.1",  # Storage Management SOP Instance
        "1.2.840.10008.5.1.4.1.1.201.1.2",  # Storage Management
    }
)

STORAGE: Final = (
    frozenset(str(context.abstract_syntax) for context in AllStoragePresentationContexts)
    | frozenset(
        uid for uid, each in uids().items() if each.kind == "SOP Class" and "Storage" in each.name
    )
) - _NOT_STORED

# Encodings of documents and of real-time streams, not of data sets sent by C-STORE.
_NOT_A_DATA_SET_ENCODING: Final = (
    "1.2.840.10008.1.2.6.",
    "1.2.840.10008.1.2.7.",
)

TRANSFER_SYNTAXES: Final = frozenset(
    uid
    for uid, each in uids().items()
    if each.kind == "Transfer Syntax" and not uid.startswith(_NOT_A_DATA_SET_ENCODING)
)


def is_storage(sop_class_uid: str, *, accept_unknown: bool) -> bool:
    """Whether instances of a SOP class are stored.

    Parameters
    ----------
    sop_class_uid
        The Affected SOP Class UID or abstract syntax.
    accept_unknown
        Whether a UID that no registry names is taken for a storage SOP class.
    """
    return sop_class_uid in STORAGE or (accept_unknown and sop_class_uid not in uids())


def preferred_transfer_syntax(proposed: Sequence[str]) -> str:
    """Return the first proposed transfer syntax that is known, else the first.

    Instances are stored as sent, so the sender's own order decides (PS3.8 9.3.3.2 leaves the
    choice to the acceptor); a private encoding is taken only where nothing else is offered.
    """
    return next((uid for uid in proposed if uid in TRANSFER_SYNTAXES), proposed[0])


def listed(uid: str) -> str:
    """Return a UID that the standard lists, and of any other only that it is not: it may say anything."""
    return uid if uid in uids() or uid in STORAGE or uid in TRANSFER_SYNTAXES else "unlisted"
