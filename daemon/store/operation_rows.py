"""Datasets, and operations that go through stores of theirs, as policy asks an engine for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypedDict, Unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.store.rows import Store


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset.

    Attributes
    ----------
    name
        As in the rows of its stores.
    settings
        What its owner said of it: a JSON object.
    """

    name: str
    settings: str


@dataclass(frozen=True, slots=True)
class Operation:
    """Something long that somebody asked for.

    Attributes
    ----------
    dataset
        Under whose name it is found; its row may be gone.
    version, method
        Of the API: who asked by ``v1`` is answered in its words.
    ended_at
        0 while it runs.
    work
        What is to be done: JSON. Once it has ended, what is left to tell of that.
    step, after
        How far it is: which part of the work, and the number of the row there that is done.
    error_code
        Of google.rpc; 0 is none.
    response
        JSON.
    """

    id: int
    dataset: str
    version: str
    method: str
    created_at: float
    ended_at: float
    is_cancelled: bool
    work: str
    step: int
    after: int
    pending: int
    success: int
    failure: int
    error_code: int
    error: str
    response: str


class OperationChange(TypedDict, total=False):
    """What may change in an operation's row."""

    ended_at: float
    is_cancelled: bool
    work: str
    step: int
    after: int
    pending: int
    success: int
    failure: int
    error_code: int
    error: str
    response: str


class Failure(NamedTuple):
    """One instance or resource that an operation could not do.

    Attributes
    ----------
    store_id, number
        Its row in the source.
    where
        The place in it, without a value.
    """

    store_id: int
    number: int
    reason: str
    where: str


class DatasetRows(Protocol):
    """Every dataset, whether or not it has a store."""

    def all(self) -> list[Dataset]:
        """Return every dataset, by name."""

    def get(self, name: str) -> Dataset | None:
        """Return one."""

    def put(self, dataset: Dataset) -> None:
        """Write one in place of an earlier one of that name."""

    def remove(self, name: str) -> None:
        """Forget one; its stores are gone already."""


class OperationRows(Protocol):
    """What was asked for and takes long."""

    def add(
        self, dataset: str, version: str, method: str, *, created_at: float, work: str, pending: int
    ) -> Operation:
        """Begin an operation; numbers only grow."""

    def get(self, number: int) -> Operation | None:
        """Return one."""

    def running(self) -> list[Operation]:
        """Return those that have not ended, oldest first."""

    def page(self, dataset: str | None, before: int, limit: int) -> list[Operation]:
        """Return those of a dataset, or of all, with smaller numbers; the newest first."""

    def change(self, number: int, **changes: Unpack[OperationChange]) -> None:
        """Change what is named."""

    def add_failures(self, number: int, failures: Sequence[Failure]) -> None:
        """Keep why something was not done; once for each row of a source."""

    def failures(self, number: int, limit: int, after: tuple[int, int] = (0, 0)) -> list[Failure]:
        """Return what was not done, in the order of stores and numbers, from after such a pair on."""

    def add_changed(self, number: int, changed: Sequence[int]) -> None:
        """Note for an operation that rows of its source have changed, by their numbers; each once."""

    def changed(self, number: int, limit: int) -> list[int]:
        """Return what was noted and is not settled, in the order of numbers."""

    def settle_changed(self, number: int, changed: Sequence[int]) -> None:
        """Forget what was noted."""

    def set_outcome(self, store: Store, sop_instance_uid: str, outcome: bytes) -> None:
        """Keep what was done to an instance, under its result, which has no receipt of its own."""

    def outcome(self, store: Store, sop_instance_uid: str) -> bytes:
        """Return the JSON outcome record of a result; empty if there is none."""

    def forget_ended_before(self, time: float) -> int:
        """Forget those that ended before; return how many."""
