"""``:deidentify`` of DICOM stores, FHIR stores and datasets: from a request to an operation that begins.

Everything that can be refused is refused here, before anything is made. A dataset's destination is made with
the operation, in one transaction; a store's must be there. The source is only read.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from daemon.deidentifiers.configuration_files import resolve
from daemon.healthcare import names
from daemon.healthcare.datasets import method_name
from daemon.healthcare.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
)
from daemon.healthcare.instance_pages import count_wanted
from daemon.healthcare.operations import name_of
from daemon.healthcare.work import Step, Work, field_of, without_requests
from daemon.store.operation_rows import Dataset
from daemon.store.rows import StoreKind
from deid.configuration.coverage import Coverage
from deid.configuration.document import parse_configuration
from deid.configuration.json_text import loads
from deid.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from daemon.healthcare.calls import Answer, Call, Handlers
    from daemon.healthcare.files import AllowedFiles
    from daemon.store.ports import Session
    from daemon.store.rows import Store
    from daemon.store.stores import Stores

OF_STUDY: Final = "dicomveil.dicomStores.deidentifyStudy"
"""Asked from within only: over the study that the query names, for which the API wants a file."""
_PREFIX: Final = "projects.locations.datasets."
_PRESET: Final = "default"
_NOTE: Final = (
    "No configuration was given: instances by the preset `default` (Basic Profile, text in pixels cleaned where"
    " it is likely), resources by the rules of docs/fhir.md."
)
_RESOURCE: Final = re.compile(r"[A-Z][A-Za-z]{1,63}/[A-Za-z0-9.-]{1,64}")
_COVERAGE: Final = {StoreKind.DICOM: Coverage.DICOM, StoreKind.FHIR: Coverage.FHIR}


class Deidentify:
    """Answers the methods that begin a de-identification.

    Parameters
    ----------
    files
        What requests may name.
    begun
        Called when there is a new operation.
    """

    def __init__(
        self,
        stores: Stores,
        files: AllowedFiles,
        begun: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._database = stores.database
        self._files = files
        self._begun = begun
        self._clock = clock

    @property
    def handlers(self) -> Handlers:
        """Who answers which method."""
        return {
            f"{_PREFIX}deidentify": self._dataset,
            f"{_PREFIX}dicomStores.deidentify": self._dicom_store,
            OF_STUDY: self._study,
            f"{_PREFIX}fhirStores.deidentify": self._fhir_store,
        }

    async def _dicom_store(self, call: Call) -> Answer:
        body = call.checked("DeidentifyDicomStoreRequest")
        return await self._dicom(call, body, await self._paths(body.get("filterConfig", {})))

    async def _study(self, call: Call) -> Answer:
        body = call.checked("DeidentifyDicomStoreRequest")
        return await self._dicom(call, body, (f"studies/{call.query['study']}",))

    async def _dicom(
        self, call: Call, body: Mapping[str, Any], only: tuple[str, ...] | None
    ) -> Answer:
        work = await self._work(
            call, body, "deidentify.DeidentifyDicomStoreSummary", StoreKind.DICOM
        )
        step = Step("dicom", 0, 0, 0, only)
        return await self._of_stores(
            call, body, StoreKind.DICOM, step, work, "DeidentifyService.DeidentifyDicomStore"
        )

    async def _fhir_store(self, call: Call) -> Answer:
        body = call.checked("DeidentifyFhirStoreRequest")
        only = _resources(body.get("resourceFilter", {}))
        since = int(self._clock() * 1000) if body.get("skipModifiedResources") else 0
        work = await self._work(call, body, "deidentify.DeidentifyFhirStoreSummary", StoreKind.FHIR)
        step = Step("fhir", 0, 0, 0, only, since)
        return await self._of_stores(
            call, body, StoreKind.FHIR, step, work, "DeidentifyService.DeidentifyFhirStore"
        )

    async def _of_stores(
        self,
        call: Call,
        body: Mapping[str, Any],
        kind: StoreKind,
        step: Step,
        work: Work,
        method: str,
    ) -> Answer:
        collection = "dicomStores" if kind is StoreKind.DICOM else "fhirStores"
        source_name = f"{call.dataset}/{collection}/{call.path[3]}"
        destination_name = body.get("destinationStore", "")

        def begin(session: Session) -> str:
            source = names.existing_store(session, source_name, kind)
            destination = names.existing_store(session, destination_name, kind, "destinationStore")
            _refuse_place(source, destination)
            whole = _whole(
                session, source, replace(step, source=source.id, destination=destination.id)
            )
            if kind is StoreKind.FHIR:
                whole = replace(whole, beside=_beside(session, source.dataset))
            made = session.operations.add(
                names.row_name(call.dataset),
                call.version,
                method_name(call.version, f"deidentify.{method}"),
                created_at=self._clock(),
                work=replace(
                    work, steps=(whole,), label=names.full_name(destination.dataset)
                ).to_json(),
                pending=_count(session, source, whole),
            )
            return name_of(made)

        return await self._begin(begin)

    async def _dataset(self, call: Call) -> Answer:
        body = call.checked("DeidentifyDatasetRequest")
        destination = names.dataset(body.get("destinationDataset", ""), "destinationDataset")
        if names.location_of(destination) != names.location_of(call.dataset):
            raise InvalidArgument("destinationDataset is in the location of the source")
        names.dataset_id(destination.rpartition("/")[2])
        work = await self._work(call, body, "deidentify.DeidentifySummary", None)
        kinds = await asyncio.to_thread(_kinds, json.loads(work.configuration))

        def begin(session: Session) -> str:
            row = names.existing_dataset(session, call.dataset)
            settings = session.datasets.get(row)
            assert settings is not None
            target = names.row_name(destination)
            if session.datasets.get(target) is not None:
                raise AlreadyExists("destinationDataset is there already")
            session.datasets.put(Dataset(target, settings.settings))
            beside = _beside(session, row)
            steps, pending = _learning(session, row, beside, kinds), 0
            for kind in StoreKind:
                if kind not in kinds:
                    continue
                for source in session.stores.of_dataset(row, kind):
                    made = session.stores.add(target, kind, source.name)
                    _copy_settings(session, source, made)
                    step = _whole(session, source, Step(kind.value, source.id, made.id, 0))
                    if kind is StoreKind.FHIR:
                        step = replace(step, beside=beside)
                    steps.append(step)
                    pending += _count(session, source, step)
            operation = session.operations.add(
                row,
                call.version,
                method_name(call.version, "dataset.DatasetService.DeidentifyDataset"),
                created_at=self._clock(),
                work=replace(work, steps=tuple(steps), label=destination).to_json(),
                pending=pending,
            )
            return name_of(operation)

        return await self._begin(begin)

    async def _begin(self, begin: Callable[[Session], str]) -> Answer:
        name = await self._database.write(begin)
        self._begun()
        return {"name": name}

    async def _work(
        self, call: Call, body: Mapping[str, Any], summary: str, kind: StoreKind | None
    ) -> Work:
        """Return what is to be done, without its steps; judges the configuration.

        Parameters
        ----------
        kind
            What the configuration has to say something about; None is anything.
        """
        given, note = body.get("config"), ""
        version: str | None = call.version
        field = "gcsConfigUri" if body.get("gcsConfigUri") else "config"
        if field == "gcsConfigUri":
            if given is not None:
                raise InvalidArgument("config and gcsConfigUri: give one of them")
            text = await asyncio.to_thread(self._files.read, body[field], field)
            try:
                given = (await asyncio.to_thread(loads, text))[0]
            except ValueError as error:
                raise InvalidArgument(f"{field}: the file {error}") from error
            if not isinstance(given, dict):
                raise InvalidArgument(f"{field}: the file holds no JSON object")
        if given is None:
            # The shipped preset has fields of both versions.
            given, note, version = resolve(_PRESET), _NOTE, None
        try:
            kinds = await asyncio.to_thread(_kinds, given, version)
        except ConfigurationInvalid as error:
            raise InvalidArgument(f"{field}: {error}") from error
        if not kinds or kind not in {None, *kinds}:
            wanted = {
                StoreKind.DICOM: "dicom",
                StoreKind.FHIR: "fhir",
                None: "dicom, fhir, or both",
            }
            about = "DICOM or FHIR" if kind is None else kind.value.upper()
            raise InvalidArgument(f"{field} says nothing about {about}: add {wanted[kind]}")
        if kind is StoreKind.FHIR and field_of(given, "operationMetadata"):
            raise InvalidArgument(
                f"{field}: operationMetadata is told of instances; an operation on a FHIR store has none"
            )
        told = field_of(given, "operationMetadata", "fhirOutput", "fhirStore")
        provenance = await self._told(told) if told else 0
        return Work((), without_requests(given), "", summary, note, provenance)

    async def _told(self, name: str) -> int:
        """Return the number of the store that Provenance goes into."""
        field = "operationMetadata.fhirOutput.fhirStore"
        store = await self._database.read(
            lambda session: names.existing_store(session, name, StoreKind.FHIR, field)
        )
        if names.is_configured(store):
            raise FailedPrecondition(
                f"{field} is one that the service is configured to write by itself: make another"
            )
        return store.id

    async def _paths(self, given: Mapping[str, Any]) -> tuple[str, ...] | None:
        address = given.get("resourcePathsGcsUri", "")
        if not address:
            return None
        field = "filterConfig.resourcePathsGcsUri"
        return await asyncio.to_thread(self._files.paths, address, field)


def _resources(given: Mapping[str, Any]) -> tuple[str, ...] | None:
    wanted = given.get("resources", {}).get("resources", [])
    if not all(_RESOURCE.fullmatch(each) for each in wanted):
        raise InvalidArgument("resourceFilter.resources.resources are written as Patient/1234")
    return tuple(wanted) or None


def _kinds(configuration: Mapping[str, Any], version: str | None = None) -> frozenset[StoreKind]:
    """Return the kinds of stores that a configuration says something about; raises `ConfigurationInvalid`."""
    covers = parse_configuration(configuration, version).covers
    return frozenset(kind for kind, coverage in _COVERAGE.items() if coverage in covers)


def _refuse_place(source: Store, destination: Store) -> None:
    if source == destination:
        raise InvalidArgument("destinationStore is the source itself")
    if names.is_configured(destination):
        raise FailedPrecondition(
            "destinationStore is one that the service is configured to write by itself: make another"
        )


def _beside(session: Session, row: str) -> tuple[int, ...]:
    """Return the DICOM stores of a dataset whose studies its resources may belong to.

    Results are not asked whose a resource is where there is what they were made of: they may have its UIDs.
    """
    stores = session.stores.of_dataset(row, StoreKind.DICOM)
    first = [(each, session.instances.page(each, 0, 1)) for each in stores]
    originals = [each for each, page in first if page and not page[0].deidentifier]
    return tuple(each.id for each in originals or stores)


def _learning(
    session: Session, row: str, beside: tuple[int, ...], kinds: frozenset[StoreKind]
) -> list[Step]:
    """Return steps that tell DICOM stores, before they are gone through, what resources beside them know."""
    if not beside or StoreKind.DICOM not in kinds:
        return []
    return [
        _whole(session, each, Step("learn", each.id, each.id, 0, beside=beside))
        for each in session.stores.of_dataset(row, StoreKind.FHIR)
    ]


def _whole(session: Session, source: Store, step: Step) -> Step:
    """Return a step with the last number that the source has now."""
    rows = session.instances if source.kind is StoreKind.DICOM else session.resources
    return replace(step, last=rows.last(source))


def _count(session: Session, source: Store, step: Step) -> int:
    """Return how many there are to do."""
    if source.kind is StoreKind.FHIR:
        return len(step.only) if step.only else sum(session.resources.types(source).values())
    return count_wanted(session, source, step)


def _copy_settings(session: Session, source: Store, made: Store) -> None:
    settings = json.loads(session.stores.settings(source))
    settings.pop("streamConfigs", None)
    if made.kind is StoreKind.FHIR:
        settings.setdefault("version", "R4")
    session.stores.set_settings(made, json.dumps(settings))
