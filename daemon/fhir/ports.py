"""What the FHIR services ask of whoever runs them: settings, a store, and what reads bodies for them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from daemon.resources import (
        Everything,
        ReadDocument,
        ReadResource,
        ResourceQuery,
        ResourceVersion,
    )


class Settings(Protocol):
    """What is decided about the services; none has a default here."""

    @property
    def max_body_bytes(self) -> int:
        """Most bytes of one request's body."""

    @property
    def max_entries(self) -> int:
        """Most entries of a Bundle that asks for something."""

    @property
    def max_transaction_bytes(self) -> int:
        """Most bytes of a transaction, which is held whole until it is done."""

    @property
    def max_results(self) -> int:
        """Most resources in one answer; the client follows its link for more."""


class Reader(Protocol):
    """Parses what came from outside, somewhere else than in this process."""

    async def read(self, body: bytes, resolved: Mapping[str, str] | None = None) -> ReadDocument:
        """Return what a body says.

        Parameters
        ----------
        resolved
            By what is written, what a reference shall be instead; None leaves all as they are.

        Raises
        ------
        daemon.fhir.errors.Unavailable
            When nobody can read now.
        daemon.fhir.errors.Unprocessable
            When nobody survived reading it.
        """

    async def patched(self, resource: bytes, patch: bytes) -> ReadDocument:
        """Return what a resource of the store says after a JSON Patch; raises as `read`."""

    def place(self) -> Path:
        """Return where a body that is too large to be held may be written; whoever asked removes it."""

    async def read_large(self, body: Path) -> LargeDocument:
        """Return what such a body, a Bundle that asks for something, says; raises as `read`."""


class LargeDocument(Protocol):
    """A document that is read in pieces; the file that they are in is gone with it."""

    @property
    def summary(self) -> ReadDocument:
        """The kind of Bundle, and how many entries it has; or why it cannot be read."""

    async def next(self) -> ReadDocument | None:
        """Return some entries more, in their order; None after the last."""


class Wish(StrEnum):
    """What shall become of a resource."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """Something that shall be stored.

    Attributes
    ----------
    id
        For a new one, made by us.
    resource
        None to delete.
    if_match
        The version that has to be the latest; 0 is any, -1 says that there must be none.
    if_none_exist
        The search that must find nothing for a resource to be made; if it finds one, nothing is done and that
        one is meant.
    was_found
        What that search had found when references were resolved: the id, or empty.
    """

    wish: Wish
    type: str
    id: str
    resource: ReadResource | None = None
    if_match: int = 0
    if_none_exist: ResourceQuery | None = None
    was_found: str | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of a change.

    Attributes
    ----------
    version
        The latest now; None when there was nothing to delete.
    is_new
        Whether there was no such resource before.
    was_there
        Whether `Change.if_none_exist` had found it, and nothing was done.
    """

    version: ResourceVersion | None
    is_new: bool = False
    was_there: bool = False


class ResourceStore(Protocol):
    """One FHIR store, for reading."""

    async def get(self, resource_type: str, resource_id: str) -> ResourceVersion | None:
        """Return the latest version, which may say that the resource is deleted."""

    async def version(
        self, resource_type: str, resource_id: str, version: int
    ) -> ResourceVersion | None:
        """Return a version."""

    async def history(
        self, resource_type: str, resource_id: str, before: int | None, limit: int
    ) -> list[ResourceVersion]:
        """Return versions, the latest first: those below `before`, unless that is None."""

    async def search(self, query: ResourceQuery) -> list[ResourceVersion]:
        """Return resources that pass every filter, in the order of the query."""

    async def count(self, query: ResourceQuery) -> int:
        """Return how many pass."""

    async def everything(self, wanted: Everything) -> list[ResourceVersion]:
        """Return what is in a patient's compartment, and what the patient refers to, in the order of storing.

        The patient is not among it.
        """

    async def page(
        self, after: int, limit: int, types: Sequence[str] = (), *, since_ms: int = -1
    ) -> list[ResourceVersion]:
        """Return resources of these types, changed since, whose numbers are greater, in that order.

        No type is any.
        """


class ResourceSink(Protocol):
    """Where a store is written to."""

    async def change(self, changes: Sequence[Change]) -> list[Changed]:
        """Do all of it, durably, or nothing.

        Raises
        ------
        PreconditionFailed, MultipleMatches, Conflict, Unavailable
            Nothing of it was done.
        """
