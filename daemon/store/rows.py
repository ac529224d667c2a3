"""What the rows of an engine tell, whichever engine keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypedDict

if TYPE_CHECKING:
    from daemon.records import Receipt, State


class StoreKind(StrEnum):
    """What a store holds."""

    DICOM = "dicom"
    FHIR = "fhir"


class Role(StrEnum):
    """What the daemon is configured to use a store for; most stores of a dataset have no role."""

    NONE = ""
    SOURCE = "source"
    DESTINATION = "destination"


@dataclass(frozen=True, slots=True)
class Store:
    """One store of a dataset.

    Attributes
    ----------
    dataset, name
        As people and addresses call it; nothing is decided by either.
    folder
        Where its blobs are, below the state folder; named by us.
    """

    id: int
    dataset: str
    kind: StoreKind
    name: str
    role: Role
    folder: str


class Fact(StrEnum):
    """What is remembered of the state as a whole.

    `KEY_ID` is the id of the site key whose replacements are in the destination; `EARLIER_KEY_IDS` are those of
    keys that were that before an operator accepted another, if anything was received by then; blanks between.
    `KEY_IS_CREDENTIAL` is not empty if the service had its key as a credential of systemd at its last start.
    `CLOCK_SEEN` is when retention looked last, and `CLOCK_DOUBTED_UNTIL` when it believes a clock again that
    had gone far ahead since then; both in seconds of the epoch.
    """

    KEY_ID = "key_id"
    EARLIER_KEY_IDS = "earlier_key_ids"
    KEY_IS_CREDENTIAL = "key_is_credential"
    CLOCK_SEEN = "clock_seen"
    CLOCK_DOUBTED_UNTIL = "clock_doubted_until"


class Place(StrEnum):
    """Where the received bytes of a receipt are."""

    SPOOL = "spool"
    SOURCE = "source"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Entry:
    """A receipt as its row has it.

    Attributes
    ----------
    seq
        Counts receipts in the order in which they were acknowledged.
    related
        The receipt that it is a duplicate of, conflicts with, or was replaced by; may be empty.
    changed_at
        When it came into its state.
    """

    seq: int
    receipt: Receipt
    place: Place
    related: str
    changed_at: float


class ReceiptChange(TypedDict, total=False):
    """What may change in a receipt's row."""

    state: State
    reason: str
    where: str
    route: str
    deidentifier: str
    place: Place
    related: str
    attempts: int
    kills: int
    not_before: float
    changed_at: float


@dataclass(frozen=True, slots=True)
class IndexedInstance:
    """What the index knows of an instance that policy decides by.

    Attributes
    ----------
    id
        Its number in its store, in the order of storing.
    size, digest
        Of the whole blob: bytes, and SHA-256 in hexadecimal.
    deidentifier
        Who made it; empty for what was received.
    """

    store_id: int
    id: int
    study_id: int
    series_id: int
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    size: int
    digest: str
    dataset_digest: str
    blob: str
    receipt_id: str
    deidentifier: str


Identifier = tuple[str, str]
"""Something that tells of a person: infoType and value, the latter as written."""


class LocatedInstance(NamedTuple):
    """What a retrieve needs of an instance."""

    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    number_of_frames: int
    blob: str
    size: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """A receipt and what became of it, in short.

    Attributes
    ----------
    original_uid
        SOP Instance UID as received; empty until it is known.
    patient_id, study_uid
        Replacement values, empty unless it is in the destination.
    """

    seq: int
    receiver: str
    state: State
    reason: str
    where: str
    original_uid: str
    patient_id: str
    study_uid: str


class Garbage(NamedTuple):
    """A blob that no row needs any more."""

    store_id: int
    blob: str


@dataclass(frozen=True, slots=True)
class Tally:
    """Receipts that agree in all of this, counted."""

    receiver: str
    state: str
    deidentifier: str
    reason: str
    place: str
    instances: int
    bytes: int


@dataclass(frozen=True, slots=True)
class StoreTotals:
    """What a store holds."""

    studies: int
    instances: int
    bytes: int
    series: int = 0
