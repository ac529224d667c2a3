"""The resources of a document, each with what the document says about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from deid.fhir.references import address_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deid.fhir.reading import Resource


class Entry(NamedTuple):
    """A resource that stands by itself or in a Bundle; `full_url` is empty where nothing names it."""

    full_url: str
    resource: Resource

    def addresses(self) -> tuple[str, ...]:
        """Return the addresses that name it: its type and id first, then by its fullUrl."""
        kind, own = self.resource.get("resourceType"), self.resource.get("id")
        named = [f"{kind}/{own}"] if isinstance(own, str) and own else []
        by_url = address_of(self.full_url)
        return tuple(dict.fromkeys([*named, *([by_url] if by_url else [])]))


def entries(resources: Iterable[Resource]) -> Iterator[Entry]:
    """Yield each resource, those of Bundles in Bundles too, and never a Bundle itself."""
    for resource in resources:
        yield from _entries("", resource)


def _entries(full_url: str, resource: Resource) -> Iterator[Entry]:
    if resource.get("resourceType") != "Bundle":
        yield Entry(full_url, resource)
        return
    for each in _objects(resource.get("entry")):
        inner = each.get("resource")
        if isinstance(inner, dict):
            given = each.get("fullUrl")
            yield from _entries(given if isinstance(given, str) else "", inner)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    for each in value if isinstance(value, list) else ():
        if isinstance(each, dict):
            yield each
