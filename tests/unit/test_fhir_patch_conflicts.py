"""A patch is made of the latest version, and anew when that is another by then."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from daemon.fhir.errors import Conflict, FhirError, PreconditionFailed
from daemon.fhir.patching import Patching
from daemon.fhir.ports import Changed
from daemon.pipeline.fhir_patching import read_patched
from daemon.resources import Method, ResourceVersion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.fhir.ports import Change, Reader, ResourceSink, ResourceStore
    from daemon.resources import ReadDocument

PATCH = b'[{"op":"add","path":"/active","value":true}]'


class Contested:
    """A resource that somebody else changes before each of the next so many changes."""

    def __init__(self, others: int) -> None:
        self.others = others
        self.latest = ResourceVersion(1, "Patient", "p", 1, 0, Method.CREATE, b"", b'"gender":"1"')

    async def get(self, _type: str, _id: str) -> ResourceVersion:
        return self.latest

    async def patched(self, resource: bytes, patch: bytes) -> ReadDocument:
        return read_patched(resource, patch)

    async def change(self, changes: Sequence[Change]) -> list[Changed]:
        (change,) = changes
        assert change.resource is not None
        if self.others:
            self.others -= 1
            self._store(b'"gender":"%d"' % (self.latest.version + 1))
        if change.if_match != self.latest.version:
            raise PreconditionFailed("another")
        self._store(change.resource.content.rest)
        return [Changed(self.latest)]

    def _store(self, rest: bytes) -> None:
        self.latest = replace(self.latest, version=self.latest.version + 1, rest=rest)


async def patched(contested: Contested, if_match: int = 0) -> None:
    store: ResourceStore = contested  # type: ignore[assignment]
    sink: ResourceSink = contested
    reader: Reader = contested  # type: ignore[assignment]
    await Patching(store, sink, reader).patch("Patient", "p", PATCH, if_match=if_match)


@pytest.mark.parametrize(("others", "gender"), [(0, b"1"), (2, b"3")])
async def test_what_somebody_else_changed_meanwhile_stays(others: int, gender: bytes) -> None:
    contested = Contested(others)
    await patched(contested)
    assert contested.latest.rest == b'"gender":"%s","active":true' % gender


@pytest.mark.parametrize(("if_match", "error"), [(0, Conflict), (1, PreconditionFailed)])
async def test_a_patch_that_always_comes_too_late_is_not_done(
    if_match: int, error: type[FhirError]
) -> None:
    contested = Contested(9)
    with pytest.raises(error):
        await patched(contested, if_match)
    assert b"active" not in contested.latest.rest
