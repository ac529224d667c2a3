"""Import and export: what Google's clients ask of buckets, which there are none of here.

A request is judged as any other, and told by which way instances and resources go in and out instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daemon.healthcare import names
from daemon.healthcare.errors import InvalidArgument, Unimplemented

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.healthcare.calls import Answer, Call, Handlers
    from daemon.store.ports import Database

_PREFIX: Final = "projects.locations.datasets."
_MESSAGES: Final = {
    "dicomStores.import": "ImportDicomDataRequest",
    "dicomStores.export": "ExportDicomDataRequest",
    "fhirStores.import": "ImportResourcesRequest",
    "fhirStores.export": "ExportResourcesRequest",
}
_WAYS: Final = {
    "dicomStores.import": "store instances by STOW-RS at dicomWeb/studies",
    "dicomStores.export": "retrieve studies by WADO-RS at dicomWeb/studies/{study}",
    "fhirStores.import": "send resources as Bundles to fhir",
    "fhirStores.export": "read all resources as NDJSON at fhir/$export",
}


class Transfers:
    """Answers the methods that import and export."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def handlers(self) -> Handlers:
        """Who answers which method."""
        return {f"{_PREFIX}{name}": self._transfer for name in _MESSAGES}

    async def _transfer(self, call: Call) -> Answer:
        name = call.method.name.removeprefix(_PREFIX)
        body = call.checked(_MESSAGES[name])
        collection = name.partition(".")[0]
        store = f"{call.dataset}/{collection}/{call.path[3]}"
        await self._database.read(
            lambda session: names.existing_store(session, store, names.KINDS[collection])
        )
        if "bigqueryDestination" in body:
            raise InvalidArgument(f"bigqueryDestination: there is no BigQuery here; {_WAYS[name]}")
        address = _address(body)
        if address.startswith("gs://"):
            raise InvalidArgument(f"gs://: there is no Google Cloud Storage here; {_WAYS[name]}")
        if not address:
            raise InvalidArgument("gcsSource or gcsDestination is required")
        raise Unimplemented(
            f"healthcare.{call.method.name} is not implemented here for other addresses; {_WAYS[name]}"
        )


def _address(body: Mapping[str, Any]) -> str:
    place = body.get("gcsSource") or body.get("gcsDestination") or {}
    return str(place.get("uri") or place.get("uriPrefix") or "")
