"""What policy asks of the engine about resources that belong to studies, and about those studies."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypedDict, Unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.store.rows import Identifier, Store
    from deid.fhir.ties import Ties


class SidecarState(StrEnum):
    """Where a received resource is on its way to results.

    `WAITING` for a study, `READY` to be de-identified, `DONE`; `QUARANTINED` waits for a person.
    """

    WAITING = "waiting"
    READY = "ready"
    DONE = "done"
    QUARANTINED = "quarantined"


class KeyKind(StrEnum):
    """By what resources and studies find each other."""

    UID = "uid"
    ACCESSION = "accession"
    PATIENT = "patient"
    ADDRESS = "address"
    REFERENCE = "reference"
    IDENTIFIER = "identifier"
    SEARCH = "search"
    STUDY = "study"


class Made(NamedTuple):
    """A result in the store of results."""

    deidentifier: str
    type: str
    id: str


@dataclass(frozen=True, slots=True)
class SidecarRow:
    """A received resource and what is to become of it.

    Attributes
    ----------
    number
        Of the resource in its store.
    drop_folder, drop_name
        As in `daemon.records.Origin`; empty for what was posted.
    stated_ms
        When it was last updated, as it says itself (`daemon.resources.is_later`); 0 where it does not.
    studies, patient
        What it is tied to.
    identifiers
        What it tells of people: original values.
    wanted, made_of
        What its results have to be made of, as a hash, and what those were made of that are there.
    """

    number: int
    type: str
    id: str
    version: int
    received_at: float
    drop_folder: str
    drop_name: str
    stated_ms: int
    ties: Ties
    identifiers: tuple[Identifier, ...] = ()
    state: SidecarState = SidecarState.WAITING
    reason: str = ""
    where: str = ""
    studies: tuple[str, ...] = ()
    patient: str = ""
    wanted: str = ""
    made_of: str = ""
    made: tuple[Made, ...] = ()
    kills: int = 0

    @property
    def is_dropped(self) -> bool:
        """Whether it lay beside instances, rather than being posted."""
        return bool(self.drop_folder)


class SidecarChange(TypedDict, total=False):
    """What may change in a row."""

    state: SidecarState
    reason: str
    where: str
    studies: tuple[str, ...]
    patient: str
    wanted: str
    made_of: str
    made: tuple[Made, ...]
    kills: int
    not_before: float


@dataclass(frozen=True, slots=True)
class StudyRow:
    """A study of the source, as far as ties ask.

    Attributes
    ----------
    attributes
        Its attributes, a DICOM JSON object.
    patients
        Identities of the patients that its instances name.
    deidentifiers
        Those of whose making something is visible.
    drops
        Hashes of folder and name of the files that its instances came in.
    """

    uid: str
    attributes: bytes
    patients: tuple[str, ...]
    deidentifiers: tuple[str, ...]
    drops: tuple[tuple[str, str], ...]


class SidecarRows(Protocol):
    """Resources of a FHIR store that are to be de-identified, and what they are found by."""

    def put(self, store: Store, row: SidecarRow) -> None:
        """Write a row in place of an earlier one, and let it be looked at (`mark`)."""

    def get(self, store: Store, number: int) -> SidecarRow | None:
        """Return a row."""

    def change(self, number: int, **changes: Unpack[SidecarChange]) -> None:
        """Change what is named."""

    def tie(self, store: Store, number: int, studies: Sequence[str]) -> None:
        """Let a resource be found by these studies (`KeyKind.STUDY`), and no others."""

    def outcome(self, number: int) -> bytes:
        """Return what was done to a resource, JSON by deidentifier; empty if there is no result."""

    def set_outcome(self, number: int, outcome: bytes) -> None:
        """Keep what was done in place of an earlier record; an empty one removes it."""

    def remove(self, number: int) -> None:
        """Forget a row, and what was done."""

    def mark(self, numbers: Sequence[int]) -> None:
        """Let rows be looked at: what they are tied to may have changed."""

    def mark_all(self, store: Store) -> None:
        """Let every row be looked at."""

    def marked(self, store: Store, limit: int) -> list[int]:
        """Return rows that are to be looked at, in the order of storing."""

    def unmark(self, numbers: Sequence[int]) -> None:
        """Note that rows were looked at."""

    def having(self, store: Store, kind: KeyKind, value: str) -> list[int]:
        """Return the rows with a key, in the order of storing."""

    def studies_of_those_having(self, store: Store, kind: KeyKind, value: str) -> list[str]:
        """Return the studies that the rows with a key are tied to, each once, in order."""

    def due(self, store: Store, now: float, limit: int) -> list[SidecarRow]:
        """Return rows that are ready and whose time has come."""

    def waiting_since(self, store: Store, before: float, limit: int) -> list[SidecarRow]:
        """Return rows that have waited for a study since before that time."""

    def in_state(self, store: Store, state: SidecarState, limit: int) -> list[SidecarRow]:
        """Return rows in a state, in the order of storing."""

    def counts(self, store: Store) -> dict[tuple[SidecarState, str], int]:
        """Return how many there are, by state and reason."""

    def is_empty(self, store: Store) -> bool:
        """Tell whether there is none."""


class StudyRows(Protocol):
    """Studies of a DICOM store, as resources find them."""

    def with_uid(self, store: Store, uid: str) -> list[str]:
        """Return the studies that are called so, or have a series or an instance that is."""

    def with_accession(self, store: Store, accession: str) -> list[str]:
        """Return the studies with an accession number."""

    def with_patient_id(self, store: Store, patient_id: str) -> list[str]:
        """Return the studies with a Patient ID."""

    def of_patient(self, store: Store, patient: str) -> list[str]:
        """Return the studies that name a patient (`deid.identity.keys.patient_identity`)."""

    def get(self, store: Store, study_uid: str) -> StudyRow | None:
        """Return a study."""
