"""What policy asks of the engine that keeps the rows of FHIR stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.resources import Content, Everything, Method, ResourceQuery, ResourceVersion
    from daemon.store.rows import Store


class ResourceRows(Protocol):
    """Resources of the FHIR stores: their versions, and what searches find the latest of them by."""

    def get(self, store: Store, resource_type: str, resource_id: str) -> ResourceVersion | None:
        """Return the latest version, which may say that the resource is deleted."""

    def by_number(self, store: Store, number: int) -> ResourceVersion | None:
        """Return the latest version of the resource that has this number."""

    def version(
        self, store: Store, resource_type: str, resource_id: str, version: int
    ) -> ResourceVersion | None:
        """Return a version."""

    def history(
        self,
        store: Store,
        resource_type: str,
        resource_id: str,
        before: int | None,
        limit: int,
        *,
        most_bytes: int = 0,
    ) -> list[ResourceVersion]:
        """Return versions, the latest first: those below `before`, unless that is None.

        `most_bytes` as `page`.
        """

    def add_version(
        self,
        store: Store,
        resource_id: str,
        content: Content,
        *,
        method: Method,
        now_ms: int,
        deidentifier: str = "",
        keeps_earlier: bool = True,
    ) -> ResourceVersion:
        """Store what a resource says from now on, and return it; the first version makes the resource.

        Without `keeps_earlier` no version before it can be read any more. Times of update only grow within a
        store's resource, whatever the clock says.
        """

    def delete(
        self,
        store: Store,
        resource_type: str,
        resource_id: str,
        *,
        now_ms: int,
        keeps_earlier: bool = True,
    ) -> ResourceVersion | None:
        """Add a version that says that the resource is gone; None if there was nothing to delete."""

    def search(
        self, store: Store, query: ResourceQuery, *, most_bytes: int = 0
    ) -> list[ResourceVersion]:
        """Return resources that are not deleted and pass every filter, in the order of the query.

        `most_bytes` as `page`.
        """

    def count(self, store: Store, query: ResourceQuery) -> int:
        """Return how many pass every filter, whatever the page."""

    def everything(
        self, store: Store, wanted: Everything, *, most_bytes: int = 0
    ) -> list[ResourceVersion]:
        """Return what is in a patient's compartment, and what the patient refers to, in the order of storing.

        The patient is not among it. `most_bytes` as `page`.
        """

    def page(
        self,
        store: Store,
        after: int,
        limit: int,
        types: Sequence[str] = (),
        *,
        since_ms: int = -1,
        most_bytes: int = 0,
    ) -> list[ResourceVersion]:
        """Return resources of these types that are not deleted, in the order of their numbers.

        Parameters
        ----------
        since_ms
            They were changed after this.
        most_bytes
            Once they have more than this together, and are two or more, no further ones follow; 0 is any.
        """

    def last(self, store: Store) -> int:
        """Return the highest number that a resource of the store has; 0 when there is none."""

    def newest_ms(self, store: Store) -> int:
        """Return when a resource of the store was last changed, in milliseconds since 1970; 0 if never."""

    def types(self, store: Store) -> dict[str, int]:
        """Return how many resources a store has of each type, without those that are deleted."""
