"""The records that travel through the pipeline, from the socket to the store.

Nothing here holds an element value except what the source index must answer queries with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.resources import ReadDocument
    from deid.ports import DrawnBox


class Receiver(StrEnum):
    """The way an instance came in.

    `RECOVERED` when the row that knew it is gone; `OPERATION` when an operation found it in a store.
    """

    DIMSE = "dimse"
    STOW = "stow"
    WATCH = "watch"
    RECOVERED = "recovered"
    OPERATION = "operation"


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
    drop_folder, drop_name
        Of what was dropped: keyed hashes of the folder or archive that it lay in, and of its name
        without what follows the last full stop. Files that belong together agree in them; nobody can read a
        name from them. Empty for the network.
    """

    receiver: Receiver
    calling_ae: str = ""
    called_ae: str = ""
    peer: str = ""
    drop_folder: str = ""
    drop_name: str = ""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a person decided of an instance that was refused; it holds whenever the instance is processed.

    Attributes
    ----------
    deidentifier
        Whose it is, whatever the routes say; empty where those decide.
    drawn
        Boxes to fill. With any, that person's judgement stands for the automatic one of its pixels.
    """

    deidentifier: str = ""
    drawn: tuple[DrawnBox, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether it says anything."""
        return bool(self.deidentifier or self.drawn)


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
        How often processing was begun without any answer since.
    kills
        How many workers it killed.
    ruling
        What a person decided of it; known of what is due.
    """

    id: str
    origin: Origin
    received_at: float
    size: int
    state: State = State.RECEIVED
    attempts: int = 0
    kills: int = 0
    reason: str = ""
    where: str = ""
    route: str = ""
    deidentifier: str = ""
    ruling: Ruling | None = None


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
        Of a source instance: infoType and value of what its header tells of people. The other instances of
        its study and of its patient are cleaned of them, too, where text is cleaned.
    patient
        Of a source instance: the identity of its patient (`deid.identity.keys.patient_identity`); empty
        where its header names none.
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
    patient: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """One result of an instance, and the deidentifier that made it."""

    deidentifier: str
    instance: StoredInstance


MOST_KNOWN: Final = 16_384
"""Identifiers that a job may carry; a study of one patient has some ten."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the people of a study and of its patient, from other instances.

    Attributes
    ----------
    identifiers
        infoType and value, each once.
    is_cut
        Whether more is known than a job may carry: what is cleaned of these alone may still tell.
    """

    identifiers: tuple[tuple[str, str], ...] = ()
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What a worker asks before it can clean an instance: what is known of these.

    Attributes
    ----------
    patient
        As in `StoredInstance`; may be empty.
    """

    receipt_id: str
    study_uid: str
    patient: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two files of one SOP Instance UID with different bytes, to be looked at before a result can be settled.

    Attributes
    ----------
    blob, earlier_blob
        Their names in the store where they met.
    file, earlier_file
        Where a worker finds them.
    """

    receipt_id: str
    blob: str
    earlier_blob: str
    file: Path
    earlier_file: Path


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of a comparison: whether both hold the same data set, encoded differently."""

    blob: str
    earlier_blob: str
    are_alike: bool


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker process is asked to do with one receipt.

    Attributes
    ----------
    known
        The answer to the worker's `Question`; None before it has asked.
    ruling
        What a person decided of it, if anybody did.
    """

    receipt_id: str
    origin: Origin
    source: Path
    output: Path
    known: Known | None = None
    ruling: Ruling | None = None

    def output_file(self, position: int) -> Path:
        """Return where the output of that position is written, counted from 0."""
        return output_file(self.output, position)


@dataclass(frozen=True, slots=True)
class OwnDeidentifier:
    """A deidentifier that a job brings with it, whatever the routes say.

    Attributes
    ----------
    name
        With a colon in it, which no configured one has; another configuration or key has another name.
    configuration
        DeidentifyConfig, as JSON text.
    key
        32 bytes.
    """

    name: str
    configuration: str
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What a worker process answers.

    `state` is STORED (each output written at its `Job.output_file`, not yet flushed to the disk), UNROUTED, or
    QUARANTINED.
    `source` is None only when the file could not be read as a DICOM instance.
    `outcome` is the JSON outcome record: which element, which action; never an original value.
    `sidecar` has the resources of a file that holds no instance; then there is neither a source nor an output.
    `compared` is not the worker's: what was found out since, for the store.
    """

    receipt_id: str
    state: State
    reason: str = ""
    where: str = ""
    route: str = ""
    deidentifier: str = ""
    source: StoredInstance | None = None
    outputs: tuple[Output, ...] = ()
    outcome: bytes = b""
    compared: tuple[Compared, ...] = ()
    sidecar: ReadDocument | None = None

    @property
    def output(self) -> StoredInstance | None:
        """The first output."""
        return self.outputs[0].instance if self.outputs else None


def output_file(first: Path, position: int) -> Path:
    """Return the file of an output beside that of the first."""
    return first.with_suffix(f".{position}{first.suffix}") if position else first
