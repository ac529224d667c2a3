"""Stores, datasets and operations of `tests.document_engine`."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Unpack

from daemon.store.operation_rows import Dataset, Failure, Operation
from daemon.store.rows import Role, Store, StoreKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.store.operation_rows import OperationChange
    from tests.documents import Documents


def _key(number: int) -> str:
    return f"{number:012}"


class DocumentStores:
    """Implements `daemon.store.ports.StoreRows`."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def all(self) -> list[Store]:
        found = self._documents.all("store")
        return [
            Store(**{**each, "kind": StoreKind(each["kind"]), "role": Role(each["role"])})
            for each in found
        ]

    def find(self, dataset: str, kind: StoreKind, name: str) -> Store | None:
        found = [each for each in self.of_dataset(dataset, kind) if each.name == name]
        return found[0] if found else None

    def of_dataset(self, dataset: str, kind: StoreKind) -> list[Store]:
        found = [each for each in self.all() if (each.dataset, each.kind) == (dataset, kind)]
        return sorted(found, key=lambda each: each.name)

    def add(self, dataset: str, kind: StoreKind, name: str) -> Store:
        self._documents.next_number("store")
        number = self.newest()
        store = Store(number, dataset, kind, name, Role.NONE, f"kept-{number}")
        self._documents.put("store", f"{number:04}", asdict(store))
        return store

    def newest(self) -> int:
        return 100 + int(self._documents.get("number", "store") or 0)

    def settings(self, store: Store) -> str:
        return str(self._documents.get("settings", str(store.id)) or "{}")

    def set_settings(self, store: Store, settings: str) -> None:
        self._documents.put("settings", str(store.id), settings)

    def remove(self, store: Store) -> None:
        for body in self._documents.all("instance"):
            if body["indexed"]["store_id"] == store.id:
                self._documents.delete("instance", _key(body["indexed"]["id"]))
        for body in self._documents.all("resource"):
            latest = body[-1]
            if latest["store"] == store.id:
                self._documents.delete("resource", f"{store.id}/{latest['type']}/{latest['id']}")
        for key in self._documents.get("outcomes", str(store.id)) or []:
            self._documents.delete("outcome of operation", key)
        self._documents.delete("outcomes", str(store.id))
        self._documents.delete("settings", str(store.id))
        self._documents.delete("store", f"{store.id:04}")


class DocumentDatasets:
    """Implements `daemon.store.operation_rows.DatasetRows`."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def all(self) -> list[Dataset]:
        return [Dataset(**each) for each in self._documents.all("dataset")]

    def get(self, name: str) -> Dataset | None:
        found = self._documents.get("dataset", name)
        return None if found is None else Dataset(**found)

    def put(self, dataset: Dataset) -> None:
        self._documents.put("dataset", dataset.name, asdict(dataset))

    def remove(self, name: str) -> None:
        self._documents.delete("dataset", name)


class DocumentOperations:
    """Implements `daemon.store.operation_rows.OperationRows`."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def _all(self) -> list[Operation]:
        return [Operation(**each) for each in self._documents.all("operation")]

    def add(
        self, dataset: str, version: str, method: str, *, created_at: float, work: str, pending: int
    ) -> Operation:
        number = self._documents.next_number("operation")
        made = Operation(
            number, dataset, version, method, created_at, 0, False, work, 0, 0, pending, 0, 0, 0, "", ""
        )  # fmt: skip
        self._documents.put("operation", _key(number), asdict(made))
        return made

    def get(self, number: int) -> Operation | None:
        found = self._documents.get("operation", _key(number))
        return None if found is None else Operation(**found)

    def running(self) -> list[Operation]:
        return [each for each in self._all() if not each.ended_at]

    def page(self, dataset: str | None, before: int, limit: int) -> list[Operation]:
        found = [
            each for each in self._all() if dataset in {None, each.dataset} and each.id < before
        ]
        return found[::-1][:limit]

    def change(self, number: int, **changes: Unpack[OperationChange]) -> None:
        found = self.get(number)
        if found is not None:
            self._documents.put("operation", _key(number), asdict(replace(found, **changes)))

    def add_failures(self, number: int, failures: Sequence[Failure]) -> None:
        for each in failures:
            key = f"{_key(number)} {_key(each.store_id)} {_key(each.number)}"
            self._documents.put("failure", key, [number, *each])

    def failures(self, number: int, limit: int, after: tuple[int, int] = (0, 0)) -> list[Failure]:
        found = [Failure(*each[1:]) for each in self._documents.all("failure") if each[0] == number]
        return [each for each in found if (each.store_id, each.number) > after][:limit]

    def add_changed(self, number: int, changed: Sequence[int]) -> None:
        for each in changed:
            self._documents.put("changed", f"{_key(number)}/{each:020}", [number, each])

    def changed(self, number: int, limit: int) -> list[int]:
        found = [each for of, each in self._documents.all("changed") if of == number]
        return found[:limit]

    def settle_changed(self, number: int, changed: Sequence[int]) -> None:
        for each in changed:
            self._documents.delete("changed", f"{_key(number)}/{each:020}")

    def set_outcome(self, store: Store, sop_instance_uid: str, outcome: bytes) -> None:
        key = f"{_key(store.id)} {sop_instance_uid}"
        self._documents.put("outcome of operation", key, outcome.decode())
        noted = self._documents.get("outcomes", str(store.id)) or []
        self._documents.put("outcomes", str(store.id), [*noted, key])

    def outcome(self, store: Store, sop_instance_uid: str) -> bytes:
        found = self._documents.get("outcome of operation", f"{_key(store.id)} {sop_instance_uid}")
        return b"" if found is None else str(found).encode()

    def forget_ended_before(self, time: float) -> int:
        old = [each for each in self._all() if each.ended_at and each.ended_at < time]
        for operation in old:
            self._documents.delete("operation", _key(operation.id))
            for failure in self.failures(operation.id, 1 << 30):
                key = f"{_key(operation.id)} {_key(failure.store_id)} {_key(failure.number)}"
                self._documents.delete("failure", key)
        return len(old)
