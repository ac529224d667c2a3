"""The records that travel through the pipeline, from the socket to the store.

Nothing here holds an element value except what the source index must answer queries with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Receiver(StrEnum):
    """The way an instance came in."""

    DIMSE = "dimse"
    STOW = "stow"
    WATCH = "watch"


class State(StrEnum):
    """Where a received instance is on its way (see `daemon.pipeline.states` for the moves)."""

    RECEIVED = "received"
    STORED = "stored"
    UNROUTED = "unrouted"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an instance came from, as far as routes may ask.

    Attributes
    ----------
    calling_ae, called_ae
        AE titles of the association, without padding; empty for the other receivers.
    peer
        Network address without port; for a watched folder, the folder as configured
        (never the name of the dropped file: names of files name patients).
    """

    receiver: Receiver
    calling_ae: str = ""
    called_ae: str = ""
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One acknowledged instance: a row that exists from acknowledgement to the end.

    Attributes
    ----------
    id
        32 hex digits made by us; also the name of the blob.
    size
        Bytes of the file as spooled, file meta included.
    attempts
        How often processing was begun.
    """

    id: str
    origin: Origin
    received_at: float
    size: int
    state: State = State.RECEIVED
    attempts: int = 0
    reason: str = ""
    where: str = ""
    route: str = ""
    deidentifier: str = ""


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """One instance as a store knows it; what the index keeps and `dicomweb` serves.

    Attributes
    ----------
    blob
        Name of the blob in that store's blob folder (the receipt's id).
    digest
        SHA-256 of the whole file, hexadecimal.
    dataset_digest
        SHA-256 of what follows the file meta information: equal for the same dataset received twice.
    metadata
        The instance's DICOM JSON object (PS3.18 F.2), prepared when it was stored.
    study, series, instance
        DICOM JSON objects holding the attributes of that level (PS3.18 10.6.3), for search results.
    keys
        Searchable values by keyword, normalised for matching.
    identifiers
        Of a source instance: infoType and value of what its header tells of people, where text is
        cleaned. The other instances of its study are cleaned of them, too.
    """

    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    blob: str
    size: int
    digest: str
    dataset_digest: str
    number_of_frames: int
    metadata: bytes
    study: bytes
    series: bytes
    instance: bytes
    keys: dict[str, str] = field(default_factory=dict)
    identifiers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker process is asked to do with one receipt."""

    receipt_id: str
    origin: Origin
    source: Path
    output: Path


@dataclass(frozen=True, slots=True)
class Result:
    """What a worker process answers.

    `state` is STORED (output written at `Job.output`, not yet flushed to the disk), UNROUTED, or QUARANTINED.
    `source` is None only when the file could not be read as a DICOM instance.
    `outcome` is the JSON outcome record: which element, which action; never an original value.
    """

    receipt_id: str
    state: State
    reason: str = ""
    where: str = ""
    route: str = ""
    deidentifier: str = ""
    source: StoredInstance | None = None
    output: StoredInstance | None = None
    outcome: bytes = b""
