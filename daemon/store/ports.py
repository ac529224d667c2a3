"""What policy asks of the engine that keeps the rows.

Policy (`settling`, `recovery`, `retention`, `fsck`, `queries`, `spool`) is written once, over these.
Nothing here knows SQL, a folder or a store by its name; everything here that changes rows takes
part in the transaction of its `Session`. The suites in ``tests/contract`` hold every engine to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar, Unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from daemon.records import Receipt, State, StoredInstance
    from daemon.store.blobs import Blobs
    from daemon.store.decision_rows import DecisionRows
    from daemon.store.layout import Layout
    from daemon.store.operation_rows import DatasetRows, OperationRows
    from daemon.store.resource_rows import ResourceRows
    from daemon.store.rows import (
        Arrival,
        Entry,
        Garbage,
        Identifier,
        IndexedInstance,
        LocatedInstance,
        ReceiptChange,
        Store,
        StoreKind,
        StoreTotals,
        Tally,
    )
    from daemon.store.sidecar_rows import SidecarRows, StudyRows
    from dicomweb.ports import Match, Query, Resource

T = TypeVar("T")


class StoreRows(Protocol):
    """The stores of all datasets."""

    def all(self) -> list[Store]:
        """Return every store."""

    def find(self, dataset: str, kind: StoreKind, name: str) -> Store | None:
        """Return a store by its name."""

    def of_dataset(self, dataset: str, kind: StoreKind) -> list[Store]:
        """Return the stores of a dataset, by name."""

    def add(self, dataset: str, kind: StoreKind, name: str) -> Store:
        """Make a store without a role, and return it; no other had its number before."""

    def newest(self) -> int:
        """Return the highest number that was ever given to a store."""

    def settings(self, store: Store) -> str:
        """Return what a store's owner said of it: a JSON object."""

    def set_settings(self, store: Store, settings: str) -> None:
        """Keep what a store's owner says of it."""

    def remove(self, store: Store) -> None:
        """Forget a store and all that its rows say; its blobs are somebody else's to remove."""


class ReceiptRows(Protocol):
    """One row for each acknowledged instance, and the outcome that goes with it."""

    def insert(self, receipt: Receipt) -> None:
        """Write the row that acknowledges an instance."""

    def get(self, receipt_id: str) -> Entry | None:
        """Return a receipt's row."""

    def beginning_with(self, prefix: str, limit: int) -> list[Entry]:
        """Return receipts whose ids begin so."""

    def change(self, receipt_id: str, **changes: Unpack[ReceiptChange]) -> None:
        """Change what is named; a receipt that is not there is passed over."""

    def add_attempts(self, receipt_ids: Sequence[str], change: int) -> None:
        """Count attempts up or down, never below zero."""

    def due(self, now: float, longest_delay_s: float, limit: int) -> list[Receipt]:
        """Return those that wait, those in the spool first, in the order of arrival.

        Without those that are not due until later, though not more than the longest delay: what seems to be
        due later still was postponed before the clock was set back.
        """

    def waiting(self) -> list[Receipt]:
        """Return all that wait for the pipeline, in the order of arrival."""

    def refused(
        self, states: Sequence[State], reason: str | None, limit: int, offset: int
    ) -> list[Receipt]:
        """Return those in these states, and with that reason unless it is None, in order of arrival."""

    def first_arrival(self, since: float, until: float) -> int | None:
        """Return the number of the first to arrive of those received within that time, or None."""

    def removable(self, limit: int, arrived_before: int | None = None) -> list[Receipt]:
        """Return those that are done with and still have their bytes in the source, oldest first.

        With a number, only those that arrived before it.
        """

    def page(self, after: int, limit: int) -> list[Entry]:
        """Return receipts that come after that number, in the order of arrival."""

    def arrivals(self, source: Store, destination: Store, after: int, limit: int) -> list[Arrival]:
        """Return receipts that come after that number, with what the stores show of them."""

    def is_empty(self) -> bool:
        """Tell whether nothing was ever acknowledged."""

    def newest(self) -> float:
        """Return when the last instance was received; 0 if none ever was."""

    def outcome(self, receipt_id: str) -> bytes:
        """Return the JSON outcome record; empty if there is none."""

    def set_outcome(self, receipt_id: str, outcome: bytes) -> None:
        """Keep an outcome record in place of an earlier one; an empty one removes it."""


class FactRows(Protocol):
    """What belongs to the state as a whole, by name (`daemon.store.rows.Fact`)."""

    def get(self, name: str) -> str:
        """Return a fact; empty if it was never written."""

    def set(self, name: str, value: str) -> None:
        """Write a fact in place of an earlier one."""


class IntentRows(Protocol):
    """Files that are about to be taken from where somebody dropped them."""

    def add(self, receipts: Sequence[Receipt]) -> None:
        """Announce receipts-to-be."""

    def all(self) -> list[Receipt]:
        """Return every intent; its size is not known."""

    def remove(self, receipt_ids: Sequence[str]) -> None:
        """Forget intents."""


class InstanceRows(Protocol):
    """The index of the stores: what is visible, and what answers searches."""

    def find(self, store: Store, sop_instance_uid: str) -> IndexedInstance | None:
        """Return the instance with this SOP Instance UID, whatever its study and series."""

    def of_receipt(self, store: Store, receipt_id: str) -> list[IndexedInstance]:
        """Return what a store shows of a receipt, in the order of storing."""

    def of_study(self, store: Store, study_uid: str) -> list[str]:
        """Return the ids of the receipts whose instances a study has, in the order of storing."""

    def states_of_study(self, store: Store, study_uid: str) -> dict[State, int]:
        """Count the instances that a store shows of a study by the states of their receipts."""

    def has_study(self, store: Store, study_uid: str) -> bool:
        """Tell whether a store shows anything of a study."""

    def is_referenced(self, store_id: int, blob: str) -> bool:
        """Tell whether a row points at the blob."""

    def add(
        self,
        store: Store,
        instance: StoredInstance,
        *,
        blob: str,
        receipt_id: str,
        deidentifier: str = "",
    ) -> None:
        """Make an instance visible. Its blob is durable and its SOP Instance UID not in the store."""

    def remove(self, instance: IndexedInstance) -> None:
        """Make an instance invisible; its series and study go with their last one."""

    def assign(self, instance: IndexedInstance, receipt_id: str) -> None:
        """Let it belong to another receipt."""

    def page(self, store: Store, after: int, limit: int) -> list[IndexedInstance]:
        """Return instances whose number is greater, in the order of storing."""

    def last(self, store: Store) -> int:
        """Return the number of the instance that was stored last; 0 when there is none."""

    def miscounted(self, store: Store) -> list[int]:
        """Return the numbers of studies whose counts are not those of their rows."""

    def recount(self, study_id: int) -> None:
        """Write the counts of a study and its series anew."""

    def search(self, store: Store, query: Query) -> list[Match]:
        """Return at most `limit` matches after `offset`, as `Query.sort` says."""

    def metadata(self, store: Store, resource: Resource) -> list[bytes]:
        """Return the prepared DICOM JSON object of each instance; empty when there is none."""

    def locate(self, store: Store, resource: Resource) -> list[LocatedInstance]:
        """Return the instances of a study or series, or one instance; empty when there is none."""


class DeletionRows(Protocol):
    """What is in no store's index any more."""

    def add(self, instance: IndexedInstance) -> None:
        """Remember an instance, its series and its study."""

    def has(self, store: Store, resource: Resource) -> bool:
        """Tell whether a study, series or instance, or anything of it, was deleted."""

    def forget(self, before: float) -> None:
        """Forget what was deleted before a time."""


class IdentifierRows(Protocol):
    """What headers of a store's instances tell of people, whether or not a study is indexed yet.

    A patient is the identity of `deid.identity.keys.patient_identity`: issuer and Patient ID.
    """

    def add(
        self, store: Store, study_uid: str, patient: str, identifiers: Sequence[Identifier]
    ) -> None:
        """Remember identifiers under a study, and under a patient unless that is empty."""

    def note_unnamed(self, store: Store, study_uid: str) -> None:
        """Remember that an instance of a study has no Patient ID: the study itself stands for its patient."""

    def known(self, store: Store, study_uid: str, patient: str, limit: int) -> list[Identifier]:
        """Return at most so many different identifiers of a study and of a patient."""

    def forget_study(self, store: Store, study_uid: str) -> None:
        """Forget what is known of a study, and of its patients that no other study names."""

    def divided(self, store: Store) -> tuple[int, int]:
        """Return how many studies name more than one patient, and how many Patient IDs several issuers gave.

        A study that names one in some instances and none in others has two identities.
        """


class GarbageRows(Protocol):
    """Blobs that no row needs any more, still to be removed."""

    def add(self, garbage: Garbage, removable_at: float = 0.0) -> None:
        """Note, in the transaction that makes a blob superfluous, that it has to be removed.

        Not before that time: whoever reads it now finishes.
        """

    def remove(self, garbage: Sequence[Garbage]) -> None:
        """Forget blobs that have been removed, or are needed again."""

    def has(self, garbage: Garbage) -> bool:
        """Tell whether a blob is listed."""

    def removable(self, now: float) -> list[Garbage]:
        """Return what may be removed at that time."""


class FigureRows(Protocol):
    """What is counted as it changes, so that nobody counts rows to show it."""

    def tallies(self) -> list[Tally]:
        """Return receipts counted by what they have in common."""

    def waiting(self) -> tuple[int, int]:
        """Return instances and bytes that wait in the spool; what is done again waits in its store."""

    def kept_bytes(self) -> int:
        """Return received bytes that are still there."""

    def oldest_waiting(self) -> float | None:
        """Return when the instance was received that has waited longest in the spool."""

    def received_since(self, since: float) -> int:
        """Count what was received after that time."""

    def settled_since(self, since: float) -> int:
        """Count what was settled after that time."""

    def of_store(self, store: Store) -> StoreTotals:
        """Return what a store holds."""

    def are_wrong(self) -> bool:
        """Count the rows, and tell whether a figure differs."""

    def count_again(self) -> None:
        """Write every figure anew from the rows."""


class Session(Protocol):
    """One engine's rows, as one thread at a time sees and changes them."""

    @property
    def datasets(self) -> DatasetRows:
        """What stores belong to."""

    @property
    def operations(self) -> OperationRows:
        """What was asked for and takes long."""

    @property
    def stores(self) -> StoreRows:
        """The stores of all datasets."""

    @property
    def receipts(self) -> ReceiptRows:
        """What was acknowledged."""

    @property
    def decisions(self) -> DecisionRows:
        """What people decided of what was refused."""

    @property
    def facts(self) -> FactRows:
        """What belongs to the state as a whole."""

    @property
    def intents(self) -> IntentRows:
        """What is about to be taken."""

    @property
    def instances(self) -> InstanceRows:
        """What is visible."""

    @property
    def deletions(self) -> DeletionRows:
        """What was taken away."""

    @property
    def identifiers(self) -> IdentifierRows:
        """What is known of people."""

    @property
    def resources(self) -> ResourceRows:
        """What the FHIR stores hold."""

    @property
    def sidecars(self) -> SidecarRows:
        """What is to become of received resources."""

    @property
    def studies(self) -> StudyRows:
        """What resources belong to."""

    @property
    def garbage(self) -> GarbageRows:
        """What is to be removed."""

    @property
    def figures(self) -> FigureRows:
        """What is counted."""

    def atomically(self) -> AbstractContextManager[None]:
        """Commit what happens inside, durably, or nothing of it.

        Not inside `Database.write`, whose work is in a transaction already.
        """


class Stage(Protocol):
    """What has to happen on the disk around the rows of one kind of work."""

    def prepare(self, session: Session, works: Sequence[Any]) -> Mapping[int, Exception]:
        """Do it for all works of a group, before their transaction.

        Returns the works that failed by their position; these get no row. No transaction is open.
        """

    def undo(self, session: Session, works: Sequence[Any]) -> None:
        """Take back what was prepared for works whose rows did not come to be."""


class Database(Protocol):
    """An engine as the running daemon uses it, from its event loop."""

    @property
    def is_closing(self) -> bool:
        """Whether nothing is accepted any more."""

    async def read(self, function: Callable[[Session], T]) -> T:
        """Run `function` on a session that sees all that was committed and changes nothing.

        Raises `StoreUnavailable`.
        """

    def look_up(self, function: Callable[[Session], T]) -> T:
        """Do the same at once, in the event loop, for what a unique key leads to: a few pages of an index.

        A thread for it would take many times as long. Raises `StoreUnavailable`, also where it would have
        to wait: `read` waits.
        """

    async def write(self, apply: Callable[[Session], T]) -> T:
        """Run `apply` on a session inside a transaction; return its result once that is durable.

        If the caller is cancelled, the work is still done. Raises `SpoolFull` or `StoreUnavailable`; then
        nothing of it was kept.
        """

    async def write_all(self, applies: Sequence[Callable[[Session], T]]) -> list[T | BaseException]:
        """Run several in one go, each for itself; return results and errors in order."""

    async def write_staged(self, stage: Stage, work: object, apply: Callable[[Session], T]) -> T:
        """Like `write`, after the stage has prepared the work on the disk."""

    def call_after_commit(self, function: Callable[[Session], None]) -> None:
        """Have `function` called with a session after each transaction (read-only, quick)."""

    async def touch(self) -> None:
        """Write something, so that a disk or a file that refuses writing is noticed."""

    async def close(self) -> None:
        """Finish what was asked for, then let go. May be called twice."""


class Engine(Protocol):
    """What keeps the rows and the blobs of a state folder, put together in one place."""

    def prepare(self, layout: Layout) -> bool:
        """Make what is not there yet, and bring what is to the schema of this program, keeping a copy.

        Returns whether anything was to be done.

        Raises `SchemaTooNew` or `StoreUnavailable`.
        """

    def forget_copies(self, layout: Layout) -> None:
        """Remove what `prepare` kept to go back to."""

    def exists(self, layout: Layout) -> bool:
        """Tell whether there is anything to open."""

    def problems(self, layout: Layout, *, thorough: bool) -> list[str]:
        """Look for damage; return a sentence for each kind of it, free of what the rows hold.

        Parameters
        ----------
        thorough
            Compare indexes with their tables, too, and take as long as that needs; otherwise for a
            bounded time.
        """

    def rebuild_indexes(self, layout: Layout) -> None:
        """Make anew what can be made from the rows alone. Raises `StoreUnavailable`."""

    def set_aside(self, layout: Layout) -> str:
        """Give what keeps the rows another name, so that `prepare` begins anew; return that name."""

    def session(
        self, layout: Layout, *, query_only: bool = False
    ) -> AbstractContextManager[Session]:
        """Open a session beside a daemon that may be running; errors of the engine are translated.

        Raises `SchemaTooNew` or `StoreUnavailable`.
        """

    def database(self, layout: Layout) -> Database:
        """Open what the daemon itself uses, in its event loop."""

    def blobs(self, layout: Layout, store: Store) -> Blobs:
        """Return where a store keeps its blobs."""
