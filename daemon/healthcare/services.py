"""The DICOMweb and FHIR services of stores, made when somebody asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.fhir import service as fhir_service
from daemon.healthcare import names, streams
from daemon.healthcare.uploads import StoreUploads
from daemon.store.fhir import FhirSink, FhirStore
from daemon.store.rows import Role, Store, StoreKind
from dicomweb import service as dicomweb_service

if TYPE_CHECKING:
    from collections.abc import Hashable

    from aiohttp import web

    from config.fhir_settings import Fhir
    from config.settings import Http
    from daemon.fhir.ports import Reader, ResourceSink
    from daemon.healthcare.relay import Address
    from daemon.pipeline.changing import ChangingWorkers
    from daemon.receive.stow import StowEvents
    from daemon.store.stores import Stores
    from dicomweb.ports import Imaging, InstanceStore, UploadSink


class StoreServices:
    """Implements `daemon.healthcare.relay.Services`.

    Parameters
    ----------
    spool
        Where instances for the source go.
    """

    def __init__(
        self,
        stores: Stores,
        workers: ChangingWorkers,
        spool: UploadSink,
        events: StowEvents,
        *,
        http: Http,
        fhir: Fhir,
        reader: Reader,
        imaging: Imaging,
    ) -> None:
        self._stores = stores
        self._workers = workers
        self._spool = spool
        self._events = events
        self._http = http
        self._fhir = fhir
        self._reader = reader
        self._imaging = imaging

    async def find(self, address: Address) -> Hashable:
        """Return a store's row, whose number no other had; raises `NotFound`."""
        name = f"{address.dataset}/{address.kind}/{address.store}"
        kind = names.KINDS[address.kind]
        return await self._stores.database.read(
            lambda session: names.existing_store(session, name, kind)
        )

    def application(self, store: Hashable) -> web.Application:
        """Return a service over a store that was found."""
        assert isinstance(store, Store)
        return self._dicomweb(store) if store.kind is StoreKind.DICOM else self._resources(store)

    def _dicomweb(self, store: Store) -> web.Application:
        instances: InstanceStore
        sink: UploadSink | None
        if store.role is Role.SOURCE:
            instances, sink = self._stores.source, self._spool
        elif store.role is Role.DESTINATION:
            instances, sink = self._stores.destination, None
        else:
            instances = self._stores.dicom_store(store)
            sink = StoreUploads(store, self._stores, self._workers, self._events)
        return dicomweb_service.application(
            instances, sink, settings=self._http, imaging=self._imaging
        )

    def _resources(self, store: Store) -> web.Application:
        sink: ResourceSink | None
        if store.role is Role.SOURCE:
            sink = self._stores.fhir_sink
        elif store.role is Role.DESTINATION:
            sink = None
        else:
            sink = FhirSink(
                self._stores.stores,
                self._stores.database,
                store=store,
                noted=streams.note_resource,
                posted=self._stores.posted(store),
            )
        resources = FhirStore(store, self._stores.database)
        (app,) = fhir_service.applications(
            {"": (resources, sink)},
            self._reader,
            settings=self._fhir,
            patience=self._http,
            cors_origins={},
        ).values()
        return app
