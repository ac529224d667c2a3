"""The resources of a document, each with what the document says about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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
    given = resource.get("entry")
    for each in given if isinstance(given, list) else ():
        inner = each.get("resource") if isinstance(each, dict) else None
        if isinstance(inner, dict):
            url = each.get("fullUrl")
            url = url if isinstance(url, str) else ""
            if inner.get("resourceType") == "Bundle":
                yield from _entries(url, inner)
            else:
                yield Entry(url, inner)
