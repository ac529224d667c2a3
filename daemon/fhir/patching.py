"""A resource that is changed in part, by a JSON Patch (FHIR R4, 3.1.0.6).

What a patch makes is stored as an update is. It is made of the version that is the latest when it comes, and
stored only while that still is; where somebody else changed it meanwhile, it is made anew, unless the client
said which version it means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.fhir import representation
from daemon.fhir.answers import readable, single
from daemon.fhir.errors import (
    BadRequest,
    Conflict,
    Gone,
    MultipleMatches,
    NotFound,
    PreconditionFailed,
)
from daemon.fhir.ports import Change, Wish
from daemon.resources import PATCH_CONFLICT, PATCH_MALFORMED

if TYPE_CHECKING:
    from daemon.fhir.ports import Changed, Reader, ResourceSink, ResourceStore
    from daemon.resources import ReadResource, ResourceQuery, ResourceVersion

PATCH_TYPES: Final = frozenset({"application/json-patch+json", "application/json"})
"""How a patch is sent; Google's clients call every body JSON."""
_TRIES: Final = 3


class Patching:
    """Changes resources of a store in part."""

    def __init__(self, store: ResourceStore, sink: ResourceSink, reader: Reader) -> None:
        self._store = store
        self._sink = sink
        self._reader = reader

    async def patch(
        self, resource_type: str, resource_id: str, patch: bytes, *, if_match: int
    ) -> Changed:
        """Change one resource.

        Parameters
        ----------
        if_match
            The version that has to be the latest; 0 is any.

        Raises
        ------
        BadRequest
            It is no patch, or makes another resource.
        NotFound, Gone
            There is none.
        Conflict
            The resource is not as the patch takes it to be.
        Unprocessable
            What it makes is no resource that can be stored.
        PreconditionFailed, Unavailable
        """
        for _attempt in range(_TRIES):
            version = await self._store.get(resource_type, resource_id)
            if version is None:
                raise NotFound("there is no such resource")
            if version.is_deleted:
                raise Gone("the resource was deleted")
            if if_match not in {0, version.version}:
                raise PreconditionFailed("the latest version is not the one that is asked for")
            change = Change(
                Wish.UPDATE,
                resource_type,
                resource_id,
                await self._patched(version, patch),
                if_match=version.version,
            )
            try:
                (changed,) = await self._sink.change([change])
            except PreconditionFailed:
                if if_match:
                    raise
            else:
                return changed
        raise Conflict("somebody else changes the resource at the same time; send it again")

    async def patch_found(self, query: ResourceQuery, patch: bytes, *, if_match: int) -> Changed:
        """Change the only resource that a search finds; raises `MultipleMatches`, else as `patch`."""
        found = await self._store.search(query)
        if len(found) > 1:
            raise MultipleMatches("the condition means more than one resource")
        if not found:
            raise NotFound("the condition means no resource")
        return await self.patch(query.type, found[0].id, patch, if_match=if_match)

    async def _patched(self, version: ResourceVersion, patch: bytes) -> ReadResource:
        document = await self._reader.patched(representation.resource(version), patch)
        where = f" ({document.where})" if document.where else ""
        if document.reason == PATCH_MALFORMED:
            raise BadRequest(f"the body is no JSON Patch{where}")
        if document.reason == PATCH_CONFLICT:
            raise Conflict(f"the resource is not as the patch takes it to be{where}")
        resource = single(readable(document), version.type)
        if resource.id != version.id:
            raise BadRequest("a patch does not change whose id it is")
        return resource
