"""DICOM and FHIR stores: create, get, list, patch, delete, metrics."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from daemon.healthcare import bodies, names, paging, store_settings, streams
from daemon.healthcare.datasets import refuse_used
from daemon.healthcare.errors import AlreadyExists, FailedPrecondition, InvalidArgument
from daemon.store.rows import StoreKind
from daemon.store.whole import to_its_end

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from daemon.healthcare.calls import Answer, Call, Handlers
    from daemon.store.ports import Session
    from daemon.store.rows import Store
    from daemon.store.stores import Stores

_PREFIX: Final = "projects.locations.datasets."
_MESSAGES: Final = {StoreKind.DICOM: "DicomStore", StoreKind.FHIR: "FhirStore"}
_IDS: Final = {StoreKind.DICOM: "dicomStoreId", StoreKind.FHIR: "fhirStoreId"}
_METRICS: Final = {StoreKind.DICOM: "getDICOMStoreMetrics", StoreKind.FHIR: "getFHIRStoreMetrics"}
_LABEL: Final = re.compile(r"labels\.(?P<key>[\w-]{1,63})\s*=\s*\"?(?P<value>[\w-]{0,63})\"?")
_CONFIGURED_FHIR: Final = {"version": "R4", "enableUpdateCreate": True}


class StoreMethods:
    """Answers the methods about stores of both kinds.

    Parameters
    ----------
    begun
        Called when there may be a new stream.
    """

    def __init__(
        self, stores: Stores, begun: Callable[[], None], clock: Callable[[], float]
    ) -> None:
        self._begun = begun
        self._stores = stores
        self._database = stores.database
        self._clock = clock

    @property
    def handlers(self) -> Handlers:
        """Who answers which method."""
        found: dict[str, Callable[[Call], Awaitable[Answer]]] = {}
        for collection, kind in names.KINDS.items():
            prefix = f"{_PREFIX}{collection}."
            metrics = self._dicom_metrics if kind is StoreKind.DICOM else self._fhir_metrics
            found |= {
                f"{prefix}create": partial(self._create, kind),
                f"{prefix}get": partial(self._get, kind),
                f"{prefix}list": partial(self._list, kind),
                f"{prefix}patch": partial(self._patch, kind),
                f"{prefix}delete": partial(self._delete, kind),
                f"{prefix}{_METRICS[kind]}": metrics,
            }
        return found

    async def _create(self, kind: StoreKind, call: Call) -> Answer:
        settings = store_settings.of_store(kind, call.checked(_MESSAGES[kind]))
        name = names.store_id(call.query.get(_IDS[kind], ""), _IDS[kind])

        def create(session: Session) -> Store:
            row = names.existing_dataset(session, call.dataset)
            if session.stores.find(row, kind, name) is not None:
                raise AlreadyExists("there is a store of this name")
            store = session.stores.add(row, kind, name)
            session.stores.set_settings(store, json.dumps(settings))
            streams.follow(session, store, settings, call.version, self._clock())
            return store

        store = await self._database.write(create)
        self._begun()
        return _told(store, settings)

    async def _get(self, kind: StoreKind, call: Call) -> Answer:
        def read(session: Session) -> Answer:
            store = _named(session, kind, call)
            return _told(store, _settings(session, store))

        return await self._database.read(read)

    async def _list(self, kind: StoreKind, call: Call) -> Answer:
        key, value = _label(call.query.get("filter", ""))

        def read(session: Session) -> list[tuple[Store, dict[str, Any]]]:
            row = names.existing_dataset(session, call.dataset)
            stores = session.stores.of_dataset(row, kind)
            return [(each, _settings(session, each)) for each in stores]

        found = [
            (store, settings)
            for store, settings in await self._database.read(read)
            if not key or settings.get("labels", {}).get(key) == value
        ]
        page, token = paging.page(found, call.query, lambda each: each[0].name)
        field = "dicomStores" if kind is StoreKind.DICOM else "fhirStores"
        return paging.listed(field, [_told(*each) for each in page], token)

    async def _patch(self, kind: StoreKind, call: Call) -> Answer:
        given = call.checked(_MESSAGES[kind])
        known = bodies.messages(call.version)[_MESSAGES[kind]]
        mask = store_settings.masked(call.query.get("updateMask", ""), known)

        def patch(session: Session) -> Answer:
            store = _named(session, kind, call)
            before = _settings(session, store)
            settings = store_settings.patched(kind, before, given, mask)
            session.stores.set_settings(store, json.dumps(settings))
            if settings.get("streamConfigs") != before.get("streamConfigs"):
                streams.follow(session, store, settings, call.version, self._clock())
            return _told(store, settings)

        told = await self._database.write(patch)
        self._begun()
        return told

    async def _delete(self, kind: StoreKind, call: Call) -> Answer:
        def delete(session: Session) -> Store:
            store = _named(session, kind, call)
            if names.is_configured(store):
                raise FailedPrecondition("the service is configured to use this store")
            refuse_used(session, {store.id})
            streams.release(session, {store.id}, self._clock())
            session.stores.remove(store)
            return store

        async def delete_whole() -> None:
            await self._stores.empty(await self._database.write(delete))

        await to_its_end(delete_whole())
        return {}

    async def _dicom_metrics(self, call: Call) -> Answer:
        def read(session: Session) -> Answer:
            store = _named(session, StoreKind.DICOM, call)
            totals = session.figures.of_store(store)
            figures = {
                "studyCount": totals.studies,
                "seriesCount": totals.series,
                "instanceCount": totals.instances,
                "blobStorageSizeBytes": totals.bytes,
            }
            return {
                "name": names.store_name(store),
                **{name: str(count) for name, count in figures.items()},
            }

        return await self._database.read(read)

    async def _fhir_metrics(self, call: Call) -> Answer:
        def read(session: Session) -> Answer:
            store = _named(session, StoreKind.FHIR, call)
            metrics = [
                {"resourceType": each, "count": str(count)}
                for each, count in sorted(session.resources.types(store).items())
            ]
            return {"name": names.store_name(store), "metrics": metrics}

        return await self._database.read(read)


def _named(session: Session, kind: StoreKind, call: Call) -> Store:
    collection = "dicomStores" if kind is StoreKind.DICOM else "fhirStores"
    return names.existing_store(session, f"{call.dataset}/{collection}/{call.path[3]}", kind)


def _settings(session: Session, store: Store) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(session.stores.settings(store))
    if names.is_configured(store) and store.kind is StoreKind.FHIR:
        return {**_CONFIGURED_FHIR, **found}
    return found


def _told(store: Store, settings: dict[str, Any]) -> Answer:
    return {"name": names.store_name(store), **streams.told(settings)}


def _label(text: str) -> tuple[str, str]:
    """Return the label that a list's filter asks for; raises `InvalidArgument`."""
    if not text.strip():
        return "", ""
    found = _LABEL.fullmatch(text.strip())
    if found is None:
        raise InvalidArgument('filter compares one label: labels.KEY="VALUE"')
    return found["key"], found["value"]
