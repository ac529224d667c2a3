"""Another engine, different on purpose: documents by kind and key for rows, rows for blobs.

It has nothing of the service's engine but the ports. That policy passes its suites over this one, too, shows
that it knows neither tables nor folders. Searches match nothing but a study: that is not policy.
"""

from __future__ import annotations

import io
import sqlite3
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, Unpack

from daemon.errors import DaemonError, StoreUnavailable
from daemon.pipeline.states import DONE, WAITING
from daemon.records import Origin, Receipt, Receiver, State, StoredInstance
from daemon.store.files.folders import refusal
from daemon.store.operation_rows import Dataset
from daemon.store.rows import (
    Arrival,
    Entry,
    Garbage,
    Identifier,
    IndexedInstance,
    LocatedInstance,
    Place,
    ReceiptChange,
    Role,
    Store,
    StoreKind,
    StoreTotals,
    Tally,
)
from dicomweb.ports import Match, Query, Resource
from tests.document_decisions import DocumentDecisions
from tests.document_deletions import DocumentDeletions
from tests.document_operations import DocumentDatasets, DocumentOperations, DocumentStores
from tests.document_resources import DocumentResources
from tests.document_sidecars import DocumentSidecars, DocumentStudies
from tests.documents import Documents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from daemon.store.blobs import Move
    from daemon.store.layout import Layout
    from daemon.store.ports import Session, Stage

T = TypeVar("T")
_FIRST = (
    Store(7, "default", StoreKind.DICOM, "inbound", Role.SOURCE, "inbound"),
    Store(9, "default", StoreKind.DICOM, "outbound", Role.DESTINATION, "outbound"),
    Store(11, "default", StoreKind.FHIR, "told", Role.SOURCE, "told"),
    Store(13, "default", StoreKind.FHIR, "retold", Role.DESTINATION, "retold"),
)
_RAW = ("metadata", "study", "series", "instance")


class _Rows:
    def __init__(self, documents: Documents) -> None:
        self._documents = documents


def _receipt(body: Mapping[str, Any]) -> Receipt:
    origin = {**body["origin"], "receiver": Receiver(body["origin"]["receiver"])}
    return Receipt(**{**body, "origin": Origin(**origin), "state": State(body["state"])})


def _entry(body: Mapping[str, Any]) -> Entry:
    return Entry(
        body["seq"],
        _receipt(body["receipt"]),
        Place(body["place"]),
        body["related"],
        body["changed_at"],
    )


class _Receipts(_Rows):
    def insert(self, receipt: Receipt) -> None:
        body = {
            "seq": self._documents.next_number("receipt"),
            "receipt": asdict(receipt),
            "place": "spool",
            "related": "",
            "not_before": 0.0,
            "changed_at": receipt.received_at,
        }
        self._documents.put("receipt", receipt.id, body)

    def get(self, receipt_id: str) -> Entry | None:
        body = self._documents.get("receipt", receipt_id)
        return None if body is None else _entry(body)

    def _all(self) -> list[Any]:
        found = self._documents.all("receipt")
        return sorted(found, key=lambda body: body["seq"])

    def beginning_with(self, prefix: str, limit: int) -> list[Entry]:
        return [_entry(b) for b in self._all() if b["receipt"]["id"].startswith(prefix)][:limit]

    def change(self, receipt_id: str, **changes: Unpack[ReceiptChange]) -> None:
        body = self._documents.get("receipt", receipt_id)
        if body is not None:
            for name, value in changes.items():
                (body if name in body else body["receipt"])[name] = value
            self._documents.put("receipt", receipt_id, body)

    def add_attempts(self, receipt_ids: Sequence[str], change: int) -> None:
        for receipt_id in receipt_ids:
            entry = self.get(receipt_id)
            if entry is not None:
                self.change(receipt_id, attempts=max(0, entry.receipt.attempts + change))

    def due(self, now: float, longest_delay_s: float, limit: int) -> list[Receipt]:
        waiting = [
            body
            for body in self._all()
            if body["receipt"]["state"] in WAITING
            and not now < body["not_before"] <= now + longest_delay_s
        ]
        waiting.sort(key=lambda body: (body["place"] != "spool", body["seq"]))
        return [_receipt(body["receipt"]) for body in waiting][:limit]

    def waiting(self) -> list[Receipt]:
        return [entry.receipt for entry in self._entries() if entry.receipt.state in WAITING]

    def refused(
        self, states: Sequence[State], reason: str | None, limit: int, offset: int
    ) -> list[Receipt]:
        found = [
            entry.receipt
            for entry in self._entries()
            if entry.receipt.state in states and reason in {None, entry.receipt.reason}
        ]
        return found[offset : offset + limit]

    def first_arrival(self, since: float, until: float) -> int | None:
        entries = self._entries()
        return next((e.seq for e in entries if since <= e.receipt.received_at <= until), None)

    def removable(self, limit: int, arrived_before: int | None = None) -> list[Receipt]:
        found = [
            entry.receipt
            for entry in self._entries()
            if entry.receipt.state in DONE and entry.place is Place.SOURCE
            if arrived_before is None or entry.seq < arrived_before
        ]
        return sorted(found, key=lambda receipt: receipt.received_at)[:limit]

    def _entries(self) -> list[Entry]:
        return [_entry(body) for body in self._all()]

    def page(self, after: int, limit: int) -> list[Entry]:
        return [entry for entry in self._entries() if entry.seq > after][:limit]

    def arrivals(self, source: Store, destination: Store, after: int, limit: int) -> list[Arrival]:
        shown = _Instances(self._documents)
        found = []
        for entry in self.page(after, limit):
            received = shown.of_receipt(source, entry.receipt.id)
            made = shown.of_receipt(destination, entry.receipt.id)
            found.append(
                Arrival(
                    entry.seq,
                    entry.receipt.origin.receiver.value,
                    entry.receipt.state,
                    entry.receipt.reason,
                    entry.receipt.where,
                    received[0].sop_instance_uid if received else "",
                    "",
                    made[0].study_uid if made else "",
                )
            )
        return found

    def is_empty(self) -> bool:
        return not self._all()

    def newest(self) -> float:
        return max((_entry(body).receipt.received_at for body in self._all()), default=0.0)

    def outcome(self, receipt_id: str) -> bytes:
        return str(self._documents.get("outcome", receipt_id) or "").encode()

    def set_outcome(self, receipt_id: str, outcome: bytes) -> None:
        self._documents.delete("outcome", receipt_id)
        if outcome:
            self._documents.put("outcome", receipt_id, outcome.decode())


class _Facts(_Rows):
    def get(self, name: str) -> str:
        return str(self._documents.get("fact", name) or "")

    def set(self, name: str, value: str) -> None:
        self._documents.put("fact", name, value)


class _Intents(_Rows):
    def add(self, receipts: Sequence[Receipt]) -> None:
        for receipt in receipts:
            self._documents.put("intent", receipt.id, asdict(receipt))

    def all(self) -> list[Receipt]:
        return [replace(_receipt(body), size=0) for body in self._documents.all("intent")]

    def remove(self, receipt_ids: Sequence[str]) -> None:
        for receipt_id in receipt_ids:
            self._documents.delete("intent", receipt_id)


class _Instances(_Rows):
    def _of(self, store: Store) -> list[tuple[IndexedInstance, StoredInstance]]:
        return [each for each in self._all() if each[0].store_id == store.id]

    def _all(self) -> list[tuple[IndexedInstance, StoredInstance]]:
        found = []
        for body in self._documents.all("instance"):
            raw = {name: body["stored"][name].encode() for name in _RAW}
            found.append(
                (IndexedInstance(**body["indexed"]), StoredInstance(**{**body["stored"], **raw}))
            )
        return found

    def find(self, store: Store, sop_instance_uid: str) -> IndexedInstance | None:
        found = [i for i, _ in self._of(store) if i.sop_instance_uid == sop_instance_uid]
        return found[0] if found else None

    def of_receipt(self, store: Store, receipt_id: str) -> list[IndexedInstance]:
        return [i for i, _ in self._of(store) if i.receipt_id == receipt_id]

    def of_study(self, store: Store, study_uid: str) -> list[str]:
        return [i.receipt_id for i, _ in self._of(store) if i.study_uid == study_uid]

    def states_of_study(self, store: Store, study_uid: str) -> dict[State, int]:
        states = [
            entry.receipt.state
            for receipt_id in self.of_study(store, study_uid)
            for entry in [_Receipts(self._documents).get(receipt_id)]
            if entry is not None
        ]
        return dict(Counter(states))

    def has_study(self, store: Store, study_uid: str) -> bool:
        return bool(self.of_study(store, study_uid))

    def is_referenced(self, store_id: int, blob: str) -> bool:
        return any((i.store_id, i.blob) == (store_id, blob) for i, _ in self._all())

    def add(
        self,
        store: Store,
        instance: StoredInstance,
        *,
        blob: str,
        receipt_id: str,
        deidentifier: str = "",
    ) -> None:
        if self.find(store, instance.sop_instance_uid) is not None:
            raise StoreUnavailable("the instance is there already")
        number = self._documents.next_number("instance")
        indexed = IndexedInstance(
            store_id=store.id,
            id=number,
            study_id=0,
            series_id=0,
            study_uid=instance.study_uid,
            series_uid=instance.series_uid,
            sop_instance_uid=instance.sop_instance_uid,
            size=instance.size,
            digest=instance.digest,
            dataset_digest=instance.dataset_digest,
            blob=blob,
            receipt_id=receipt_id,
            deidentifier=deidentifier,
        )
        raw = {name: getattr(instance, name).decode() for name in _RAW}
        stored = {**asdict(replace(instance, identifiers=())), **raw}
        self._documents.put(
            "instance", f"{number:012}", {"indexed": asdict(indexed), "stored": stored}
        )

    def remove(self, instance: IndexedInstance) -> None:
        self._documents.delete("instance", f"{instance.id:012}")

    def assign(self, instance: IndexedInstance, receipt_id: str) -> None:
        body = self._documents.get("instance", f"{instance.id:012}")
        body["indexed"]["receipt_id"] = receipt_id
        self._documents.put("instance", f"{instance.id:012}", body)

    def page(self, store: Store, after: int, limit: int) -> list[IndexedInstance]:
        return [i for i, _ in self._of(store) if i.id > after][:limit]

    def last(self, store: Store) -> int:
        return max((each.id for each, _ in self._of(store)), default=0)

    def miscounted(self, store: Store) -> list[int]:
        return []

    def recount(self, study_id: int) -> None:
        """Do nothing: nothing is counted."""

    def search(self, store: Store, query: Query) -> list[Match]:
        assert query.level == "instance"
        assert not query.matches
        found = [Match(stored.metadata, stored.instance) for _, stored in self._of(store)]
        return found[query.offset : query.offset + query.limit]

    def metadata(self, store: Store, resource: Resource) -> list[bytes]:
        return [s.metadata for i, s in self._of(store) if i.study_uid == resource.study_uid]

    def locate(self, store: Store, resource: Resource) -> list[LocatedInstance]:
        return [
            LocatedInstance(
                i.study_uid,
                i.series_uid,
                i.sop_instance_uid,
                s.sop_class_uid,
                s.transfer_syntax_uid,
                s.number_of_frames,
                i.blob,
                i.size,
            )
            for i, s in self._of(store)
            if i.study_uid == resource.study_uid
        ]


class _Identifiers(_Rows):
    def add(
        self, store: Store, study_uid: str, patient: str, identifiers: Sequence[Identifier]
    ) -> None:
        key = f"{store.id} {study_uid} {patient}"
        body = self._documents.get("known", key) or {
            "store": store.id, "study": study_uid, "patient": patient, "told": [],
        }  # fmt: skip
        told = {tuple(each) for each in body["told"]} | set(identifiers)
        self._documents.put("known", key, {**body, "told": sorted(told)})

    def note_unnamed(self, store: Store, study_uid: str) -> None:
        self._documents.put(
            "unnamed", f"{store.id} {study_uid}", {"store": store.id, "study": study_uid}
        )

    def known(self, store: Store, study_uid: str, patient: str, limit: int) -> list[Identifier]:
        told = {
            (kind, value)
            for body in self._documents.all("known")
            if body["store"] == store.id
            and (body["study"] == study_uid or (patient and body["patient"] == patient))
            for kind, value in body["told"]
        }
        return sorted(told)[:limit]

    def forget_study(self, store: Store, study_uid: str) -> None:
        self._documents.delete("unnamed", f"{store.id} {study_uid}")
        gone = [b for b in self._bodies(store) if b["study"] == study_uid]
        for body in gone:
            self._documents.delete("known", f"{store.id} {study_uid} {body['patient']}")
            others = [b for b in self._bodies(store) if body["patient"] == b["patient"]]
            if body["patient"] and others:
                # What the study told of its patient stays with his other studies.
                self.add(
                    store, others[0]["study"], body["patient"], [(k, v) for k, v in body["told"]]
                )

    def divided(self, store: Store) -> tuple[int, int]:
        patients = [(b["study"], b["patient"]) for b in self._bodies(store) if b["patient"]]
        studies = Counter(study for study, _patient in patients)
        given = Counter(
            patient.partition("|")[2][int(patient.partition("|")[0]) + 1 :]
            for patient in {patient for _study, patient in patients}
            if not patient.startswith("0|")
        )
        studies.update(b["study"] for b in self._documents.all("unnamed") if b["store"] == store.id)
        return sum(n > 1 for n in studies.values()), sum(n > 1 for n in given.values())

    def _bodies(self, store: Store) -> list[Any]:
        return [body for body in self._documents.all("known") if body["store"] == store.id]


class _Garbage(_Rows):
    def add(self, garbage: Garbage, removable_at: float = 0.0) -> None:
        if not self.has(garbage):
            self._documents.put("garbage", _key(garbage), [*garbage, removable_at])

    def remove(self, garbage: Sequence[Garbage]) -> None:
        for piece in garbage:
            self._documents.delete("garbage", _key(piece))

    def has(self, garbage: Garbage) -> bool:
        return self._documents.get("garbage", _key(garbage)) is not None

    def removable(self, now: float) -> list[Garbage]:
        listed = self._documents.all("garbage")
        return [Garbage(store, blob) for store, blob, at in listed if at <= now]


def _key(garbage: Garbage) -> str:
    return f"{garbage.store_id} {garbage.blob}"


class _Figures(_Rows):
    """Counts rows whenever it is asked."""

    def _entries(self) -> list[Entry]:
        return _Receipts(self._documents).page(0, 1 << 30)

    def tallies(self) -> list[Tally]:
        tallies: dict[tuple[str, ...], Tally] = {}
        for entry in self._entries():
            receipt = entry.receipt
            key = (
                receipt.origin.receiver.value,
                receipt.state.value,
                receipt.deidentifier,
                receipt.reason,
                entry.place.value,
            )
            tally = tallies.get(key, Tally(*key, 0, 0))
            tallies[key] = Tally(*key, tally.instances + 1, tally.bytes + receipt.size)
        return list(tallies.values())

    def _spooled(self) -> list[Receipt]:
        return [
            entry.receipt
            for entry in self._entries()
            if entry.receipt.state in WAITING and entry.place is Place.SPOOL
        ]

    def waiting(self) -> tuple[int, int]:
        spooled = self._spooled()
        return len(spooled), sum(receipt.size for receipt in spooled)

    def kept_bytes(self) -> int:
        return sum(e.receipt.size for e in self._entries() if e.place is not Place.GONE)

    def oldest_waiting(self) -> float | None:
        return min((receipt.received_at for receipt in self._spooled()), default=None)

    def received_since(self, since: float) -> int:
        return sum(entry.receipt.received_at > since for entry in self._entries())

    def settled_since(self, since: float) -> int:
        return sum(
            entry.changed_at > since and entry.receipt.state not in WAITING
            for entry in self._entries()
        )

    def of_store(self, store: Store) -> StoreTotals:
        found = _Instances(self._documents).page(store, 0, 1 << 30)
        return StoreTotals(
            len({i.study_uid for i in found}), len(found), sum(i.size for i in found)
        )

    def are_wrong(self) -> bool:
        return False

    def count_again(self) -> None:
        """Do nothing: nothing is kept."""


class DocumentSession:
    """Implements `daemon.store.ports.Session`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        documents = Documents(connection)
        self.connection = connection
        self.datasets = DocumentDatasets(documents)
        self.decisions = DocumentDecisions(documents)
        self.deletions = DocumentDeletions(documents)
        self.operations = DocumentOperations(documents)
        self.stores = DocumentStores(documents)
        self.receipts = _Receipts(documents)
        self.facts = _Facts(documents)
        self.intents = _Intents(documents)
        self.instances = _Instances(documents)
        self.identifiers = _Identifiers(documents)
        self.resources = DocumentResources(documents)
        self.sidecars = DocumentSidecars(documents)
        self.studies = DocumentStudies(documents)
        self.garbage = _Garbage(documents)
        self.figures = _Figures(documents)

    @contextmanager
    def atomically(self) -> Iterator[None]:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")


class DocumentDatabase:
    """Implements `daemon.store.ports.Database`, one piece of work after the other, without threads."""

    def __init__(self, session: DocumentSession) -> None:
        self._session = session
        self._after_commit: list[Callable[[Session], None]] = []
        self.is_closing = False

    async def read(self, function: Callable[[Session], T]) -> T:
        self._refuse_when_closing()
        return function(self._session)

    def look_up(self, function: Callable[[Session], T]) -> T:
        self._refuse_when_closing()
        return function(self._session)

    async def write(self, apply: Callable[[Session], T]) -> T:
        self._refuse_when_closing()
        with self._session.atomically():
            result = apply(self._session)
        for function in self._after_commit:
            function(self._session)
        return result

    async def write_all(self, applies: Sequence[Callable[[Session], T]]) -> list[T | BaseException]:
        results: list[T | BaseException] = []
        for apply in applies:
            try:
                results.append(await self.write(apply))
            except Exception as error:  # noqa: BLE001 - each stands for itself
                results.append(error)
        return results

    async def write_staged(self, stage: Stage, work: object, apply: Callable[[Session], T]) -> T:
        self._refuse_when_closing()
        try:
            _raise_first(stage.prepare(self._session, [work]))
            return await self.write(apply)
        except BaseException:
            stage.undo(self._session, [work])
            raise

    def call_after_commit(self, function: Callable[[Session], None]) -> None:
        self._after_commit.append(function)

    async def touch(self) -> None:
        await self.write(lambda session: session.garbage.remove([]))

    async def close(self) -> None:
        if not self.is_closing:
            self.is_closing = True
            self._session.connection.close()

    def _refuse_when_closing(self) -> None:
        if self.is_closing:
            raise StoreUnavailable("the database is closed")


def _raise_first(failures: Mapping[int, Exception]) -> None:
    for error in failures.values():
        if isinstance(error, DaemonError):
            raise error
        assert isinstance(error, OSError)
        raise refusal(error) from error


class RowBlobs:
    """Implements `daemon.store.blobs.Blobs` with rows: nobody finds a file of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._connected() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS blobs (name PRIMARY KEY, data BLOB)")
        path.chmod(0o600)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            yield connection

    def _get(self, name: str) -> bytes | None:
        if len(name) < 32 or set(name) - set("0123456789abcdef-"):
            raise ValueError("not a blob name")
        with self._connected() as connection:
            row = connection.execute("SELECT data FROM blobs WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def take(self, moves: Sequence[Move], *, flush: bool = False) -> list[bool]:
        there = []
        for move in moves:
            if move.file.is_file():
                with self._connected() as connection:
                    connection.execute(
                        "INSERT OR REPLACE INTO blobs VALUES (?, ?)",
                        (move.name, move.file.read_bytes()),
                    )
                move.file.unlink()
            there.append(self.has(move.name))
        return there

    def remove(self, names: Sequence[str]) -> None:
        with self._connected() as connection:
            connection.executemany("DELETE FROM blobs WHERE name = ?", [(name,) for name in names])

    def has(self, name: str) -> bool:
        return self._get(name) is not None

    def size(self, name: str) -> int | None:
        data = self._get(name)
        return None if data is None else len(data)

    def open(self, name: str) -> BinaryIO:
        data = self._get(name)
        if data is None:
            raise FileNotFoundError
        return io.BytesIO(data)

    def read(self, name: str, start: int, stop: int) -> bytes:
        return self.open(name).read()[start:stop]

    def local_path(self, name: str) -> Path | None:
        return None

    def names(self) -> Iterator[str]:
        with self._connected() as connection:
            yield from [name for (name,) in connection.execute("SELECT name FROM blobs")]

    def names_since(self, time: float) -> Iterator[str]:
        yield from list(self.names())

    def beginning_with(self, prefix: str) -> list[str]:
        return [name for name in self.names() if name.startswith(prefix)]

    def set_aside(self, name: str, file: Path) -> None:
        data = self._get(name)
        if data is not None:
            file.parent.mkdir(mode=0o700, exist_ok=True)
            file.write_bytes(data)
            file.chmod(0o600)
            self.remove([name])


class DocumentEngine:
    """Implements `daemon.store.ports.Engine`."""

    def _file(self, layout: Layout) -> Path:
        return layout.state_dir / "documents"

    def _connect(self, layout: Layout) -> sqlite3.Connection:
        return sqlite3.connect(self._file(layout), isolation_level=None, check_same_thread=False)

    def prepare(self, layout: Layout) -> bool:
        is_new = not self.exists(layout)
        with closing(self._connect(layout)) as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS documents (kind, key, body, PRIMARY KEY (kind, key))"
            )
            self._file(layout).chmod(0o600)
            if is_new:
                DocumentDatasets(Documents(connection)).put(Dataset("default", "{}"))
                for store in _FIRST:
                    Documents(connection).put("store", f"{store.id:04}", asdict(store))
        return is_new

    def forget_copies(self, layout: Layout) -> None:
        """Do nothing: there are none."""

    def exists(self, layout: Layout) -> bool:
        return self._file(layout).is_file()

    def problems(self, layout: Layout, *, thorough: bool) -> list[str]:
        return []

    def rebuild_indexes(self, layout: Layout) -> None:
        """Do nothing: there are none."""

    def set_aside(self, layout: Layout) -> str:
        aside = self._file(layout).with_name("documents.aside")
        return self._file(layout).rename(aside).name

    def session(
        self, layout: Layout, *, query_only: bool = False
    ) -> AbstractContextManager[DocumentSession]:
        return self._session(layout, query_only)

    @contextmanager
    def _session(self, layout: Layout, query_only: bool) -> Iterator[DocumentSession]:
        with closing(self._connect(layout)) as connection:
            connection.execute(f"PRAGMA query_only = {query_only:d}")
            yield DocumentSession(connection)

    def database(self, layout: Layout) -> DocumentDatabase:
        return DocumentDatabase(DocumentSession(self._connect(layout)))

    def blobs(self, layout: Layout, store: Store) -> RowBlobs:
        return RowBlobs(layout.blobs(store) / "blobs")


DOCUMENTS = DocumentEngine()
