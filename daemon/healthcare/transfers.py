"""Import and export: instances from and to folders that the configuration allows.

There are no buckets here: who names one is told by which way instances and resources go in and out instead.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from daemon.healthcare import names
from daemon.healthcare.datasets import method_name
from daemon.healthcare.errors import FailedPrecondition, InvalidArgument, Unimplemented
from daemon.healthcare.operations import name_of
from daemon.healthcare.work import Step, Work
from daemon.store.rows import StoreKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from daemon.healthcare.calls import Answer, Call, Handlers
    from daemon.healthcare.files import AllowedFiles
    from daemon.store.ports import Database, Session

_PREFIX: Final = "projects.locations.datasets."
_MESSAGES: Final = {
    "dicomStores.import": "ImportDicomDataRequest",
    "dicomStores.export": "ExportDicomDataRequest",
    "fhirStores.import": "ImportResourcesRequest",
    "fhirStores.export": "ExportResourcesRequest",
}
_WAYS: Final = {
    "dicomStores.import": "put files into a folder of healthcare.folders (file:///...), or store by STOW-RS",
    "dicomStores.export": "export to a folder of healthcare.folders (file:///...), or retrieve by WADO-RS",
    "fhirStores.import": "send resources as Bundles to fhir",
    "fhirStores.export": "read all resources as NDJSON at fhir/$export",
}


class Transfers:
    """Answers the methods that import and export."""

    def __init__(
        self,
        database: Database,
        files: AllowedFiles,
        begun: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._files = files
        self._begun = begun
        self._clock = clock

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
        if collection == "fhirStores":
            raise Unimplemented(
                f"healthcare.{call.method.name} is not implemented here; {_WAYS[name]}"
            )
        is_import = name.endswith("import")
        if body.get("filterConfig"):
            raise Unimplemented("filterConfig of an export is not implemented here")
        if is_import:
            files = await asyncio.to_thread(self._listed, address)
            step = Step("import", 0, 0, len(files), files)
        else:
            folder = self._files.path(address, "gcsDestination.uriPrefix")
            step = Step("export", 0, 0, 0, folder=str(folder))
        return await self._begin(call, store, step, is_import=is_import)

    def _listed(self, address: str) -> tuple[str, ...]:
        """Return the files that an address means: one, those of a folder, or all below it (``**``)."""
        plain = address.removesuffix("/*") if address.endswith("/*") else address
        plain = plain.removesuffix("/**")
        path = self._files.path(plain, "gcsSource.uri")
        if path.is_file():
            return (str(path),)
        if not path.is_dir():
            raise FailedPrecondition("gcsSource.uri: there is no such file or folder")
        found = path.iterdir() if address.endswith("/*") else path.rglob("*")
        return tuple(sorted(str(each) for each in found if not each.is_dir()))

    async def _begin(self, call: Call, store: str, step: Step, *, is_import: bool) -> Answer:
        method = "dicom.DicomService." + ("ImportDicomData" if is_import else "ExportDicomData_gcs")

        def begin(session: Session) -> str:
            found = names.existing_store(session, store, StoreKind.DICOM)
            if is_import and names.is_configured(found):
                raise FailedPrecondition(
                    "the configuration says what this store receives; send by STOW-RS or C-STORE"
                )
            pending = step.last
            whole = replace(step, source=found.id, destination=found.id)
            if not is_import:
                whole = replace(whole, last=session.instances.last(found))
                pending = session.figures.of_store(found).instances
            summary = (
                "dicom.ImportDicomDataResponse" if is_import else "dicom.ExportDicomDataResponse"
            )
            made = session.operations.add(
                names.row_name(call.dataset),
                call.version,
                method_name(call.version, method),
                created_at=self._clock(),
                work=Work((whole,), "", "", summary).to_json(),
                pending=pending,
            )
            return name_of(made)

        answer = {"name": await self._database.write(begin)}
        self._begun()
        return answer


def _address(body: Mapping[str, Any]) -> str:
    place = body.get("gcsSource") or body.get("gcsDestination") or {}
    return str(place.get("uri") or place.get("uriPrefix") or "")
