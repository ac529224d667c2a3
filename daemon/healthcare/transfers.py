"""Import and export of instances and resources, from and to folders that the configuration allows.

There are no buckets here: who names one is told by which way instances and resources go in and out instead.
"""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from daemon.healthcare import names
from daemon.healthcare.datasets import method_name
from daemon.healthcare.errors import FailedPrecondition, InvalidArgument
from daemon.healthcare.files import made_folder, opened
from daemon.healthcare.instance_pages import count_wanted
from daemon.healthcare.operations import name_of
from daemon.healthcare.wildcards import Wildcards, plain_part
from daemon.healthcare.work import Step, Work
from daemon.resources import span_of
from daemon.store.rows import StoreKind
from deid.tables.fhir import fhir_resources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from daemon.healthcare.calls import Answer, Call, Handlers
    from daemon.healthcare.files import AllowedFiles
    from daemon.store.ports import Database, Session
    from daemon.store.rows import Store

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
    "fhirStores.import": "put files into a folder of healthcare.folders (file:///...), or send Bundles to fhir",
    "fhirStores.export": "export to a folder of healthcare.folders (file:///...), or read fhir/$export",
}
_METHODS: Final = {
    "dicomStores.import": ("dicom.DicomService.ImportDicomData", "dicom.ImportDicomDataResponse"),
    "dicomStores.export": (
        "dicom.DicomService.ExportDicomData_gcs",
        "dicom.ExportDicomDataResponse",
    ),
    "fhirStores.import": (
        "fhir.FhirStoreService.ImportResources",
        "fhir.ImportResourcesResponse",
    ),
    "fhirStores.export": (
        "fhir.FhirStoreService.ExportResources",
        "fhir.ExportResourcesResponse",
    ),
}
_AS_STORED: Final = frozenset({"", "application/dicom", "application/dicom;transfer-syntax=*"})
"""What exports of instances may be asked for: nothing is decoded for them."""
_STRUCTURES: Final = {
    "": False,
    "CONTENT_STRUCTURE_UNSPECIFIED": False,
    "BUNDLE": False,
    "RESOURCE": False,
    "BUNDLE_PRETTY": True,
    "RESOURCE_PRETTY": True,
}
"""Whether a file is one document, rather than one a line."""
_TYPE: Final = re.compile(r"[A-Z][A-Za-z]{1,63}")
_CHUNK_BYTES: Final = 1 << 20


def types_of(given: str) -> list[str]:
    """Return the types of resources that an export is asked for; raises `InvalidArgument`."""
    wanted = [each.strip() for each in given.split(",") if each.strip()]
    if not all(_TYPE.fullmatch(each) for each in wanted):
        raise InvalidArgument("_type names types of resources, with commas between them")
    if not fhir_resources().issuperset(wanted):
        raise InvalidArgument("_type names a type that R4 does not have")
    return wanted


def check_media_type(given: str) -> None:
    """Refuse an export in another form than instances are stored in; raises `InvalidArgument`."""
    if "".join(given.lower().split()) not in _AS_STORED:
        raise InvalidArgument("gcsDestination.mimeType: instances are exported as they are stored")


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
        kind = names.KINDS[collection]
        store = f"{call.dataset}/{collection}/{call.path[3]}"
        await self._database.read(lambda session: names.existing_store(session, store, kind))
        if "bigqueryDestination" in body:
            raise InvalidArgument(f"bigqueryDestination: there is no BigQuery here; {_WAYS[name]}")
        address = _address(body)
        if address.startswith("gs://"):
            raise InvalidArgument(f"gs://: there is no Google Cloud Storage here; {_WAYS[name]}")
        if not address:
            raise InvalidArgument("gcsSource or gcsDestination is required")
        begin = await {
            "dicomStores.import": self._import,
            "dicomStores.export": self._export,
            "fhirStores.import": self._import_resources,
            "fhirStores.export": self._export_resources,
        }[name](address, body)

        def add(session: Session) -> str:
            found = names.existing_store(session, store, kind)
            steps, pending = begin(session, found)
            method, summary = _METHODS[name]
            made = session.operations.add(
                names.row_name(call.dataset),
                call.version,
                method_name(call.version, method),
                created_at=self._clock(),
                work=Work(
                    tuple(replace(each, source=found.id, destination=found.id) for each in steps),
                    "",
                    "",
                    summary,
                ).to_json(),
                pending=pending,
            )
            return name_of(made)

        answer = {"name": await self._database.write(add)}
        self._begun()
        return answer

    async def _import(self, address: str, _body: Mapping[str, Any]) -> Begin:
        files = await asyncio.to_thread(self._listed, address)
        step = Step("import", 0, 0, len(files), tuple(map(str, files)))
        return partial(_into, steps=[step], pending=len(files))

    async def _export(self, address: str, body: Mapping[str, Any]) -> Begin:
        given = body.get("filterConfig", {}).get("resourcePathsGcsUri", "")
        only = None
        if given:
            field = "filterConfig.resourcePathsGcsUri"
            only = await asyncio.to_thread(self._files.paths, given, field)
        check_media_type(body.get("gcsDestination", {}).get("mimeType", ""))
        folder = await asyncio.to_thread(self._folder, address)

        def begin(session: Session, store: Store) -> tuple[list[Step], int]:
            last = session.instances.last(store)
            step = Step("export", 0, 0, last, only, folder=folder)
            return [step], count_wanted(session, store, step)

        return begin

    async def _import_resources(self, address: str, body: Mapping[str, Any]) -> Begin:
        structure = body.get("contentStructure", "")
        if structure not in _STRUCTURES:
            raise InvalidArgument(f"contentStructure is one of {', '.join([*_STRUCTURES][2:])}")
        is_whole = _STRUCTURES[structure]
        files = await asyncio.to_thread(self._listed, address)
        pending = len(files) if is_whole else await asyncio.to_thread(_lines, files)
        folder = "whole" if is_whole else ""
        step = Step("import_fhir", 0, 0, 0, tuple(map(str, files)), folder=folder)
        return partial(_into, steps=[step], pending=pending)

    async def _export_resources(self, address: str, body: Mapping[str, Any]) -> Begin:
        wanted = types_of(body.get("_type", ""))
        since = body.get("_since", "")
        moment = span_of(since) if since else None
        if since and moment is None:
            raise InvalidArgument("_since is a time, as in 2020-01-31T23:59:59Z")
        since_ms = moment.first_ms if moment is not None else 0
        folder = await asyncio.to_thread(self._folder, address)

        def begin(session: Session, store: Store) -> tuple[list[Step], int]:
            last, counts = session.resources.last(store), session.resources.types(store)
            chosen = sorted(set(wanted or counts) & counts.keys())
            steps = [
                Step("export_fhir", 0, 0, last, (each,), folder=folder, changed_since_ms=since_ms)
                for each in chosen
            ]
            return steps, sum(counts[each] for each in chosen)

        return begin

    def _listed(self, address: str) -> list[Path]:
        """Return the files that an address means: one, those of a folder, or those that ``*`` stands for."""
        field = "gcsSource.uri"
        plain = plain_part(address)
        path = self._files.path(address if plain is None else plain, field)
        try:
            if plain is None and path.is_file():
                return [path]
            found = [each for each in path.rglob("*") if not each.is_dir()]
            is_there = path.is_dir()
        except OSError as error:
            raise FailedPrecondition(f"{field}: it cannot be read") from error
        if plain is not None:
            wild = Wildcards(address[len(plain) + 1 :])
            found = [each for each in found if wild.match(each.relative_to(path).as_posix())]
            is_there = bool(found)
        if not is_there:
            raise FailedPrecondition(f"{field}: there is no such file or folder")
        return sorted(found)

    def _folder(self, address: str) -> str:
        """Return a folder that an export can be written into; it is made."""
        field = "gcsDestination.uriPrefix"
        folder = self._files.path(address, field)
        try:
            made_folder(folder)
        except OSError as error:
            raise FailedPrecondition(f"{field}: no such folder can be made") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise FailedPrecondition(f"{field}: nothing can be written there")
        return str(folder)


if TYPE_CHECKING:
    Begin = Callable[[Session, Store], tuple[list[Step], int]]


def _into(
    _session: Session, store: Store, *, steps: list[Step], pending: int
) -> tuple[list[Step], int]:
    """Return the steps of an import into a store that takes them."""
    if names.is_configured(store):
        doors = "STOW-RS or C-STORE" if store.kind is StoreKind.DICOM else "its FHIR service"
        raise FailedPrecondition(
            f"the configuration says what this store receives; send by {doors}"
        )
    return steps, pending


def _lines(files: list[Path]) -> int:
    """Return how many lines files have; what cannot be read has one, which tells so."""
    return sum(map(_lines_of, files))


def _lines_of(path: Path) -> int:
    count, last = 0, b"\n"
    try:
        with os.fdopen(opened(path), "rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                count, last = count + chunk.count(b"\n"), chunk[-1:]
    except OSError:
        return 1
    return count + (last != b"\n")


def _address(body: Mapping[str, Any]) -> str:
    place = body.get("gcsSource") or body.get("gcsDestination") or {}
    return str(place.get("uri") or place.get("uriPrefix") or "")
