"""The web services put together, and the pages beside them: what `HttpServer` is handed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from config.contradictions import is_loopback
from daemon.fhir import service as fhir_service
from daemon.fhir.reading import ReadByWorkers
from daemon.healthcare import api as healthcare_api
from daemon.healthcare.console import Console
from daemon.healthcare.files import AllowedFiles
from daemon.healthcare.services import StoreServices
from daemon.healthcare.viewing import viewable
from daemon.pages.events import Events
from daemon.pages.routes import routes
from daemon.pages.view import View
from daemon.pipeline.fhir_large import read_pieces
from daemon.receive.stow import SpoolSink
from daemon.store import queries
from daemon.store.reviewing import Quarantine
from daemon.store.studies import StudyQueries
from daemon.viewer import service as viewer_service
from daemon.viewer.installation import NOTHING, stamp
from daemon.viewer.installation import place_in as viewer_place
from daemon.web.callers import Callers
from daemon.web.server import first_addresses
from dicomweb import service as dicomweb_service

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohttp import web

    from config.settings import Settings
    from daemon.healthcare.calls import Handlers
    from daemon.observe.history import History
    from daemon.observe.metrics import Metrics
    from daemon.pipeline.changing import ChangingWorkers
    from daemon.store.fhir import FhirSink, FhirStore
    from daemon.store.stores import Stores
    from dicomweb.ports import Imaging, InstanceStore, UploadSink


class WebServices(NamedTuple):
    """What is served by whom, by the path that it is mounted at, and who may ask.

    `methods` are those of the Healthcare API, for whoever asks from within.
    """

    applications: dict[str, web.Application]
    callers: Callers
    methods: Handlers


def web_services(
    settings: Settings,
    stores: Stores,
    workers: ChangingWorkers,
    metrics: Metrics,
    imaging: Imaging,
    wake: Callable[[], None],
) -> WebServices:
    """Return DICOMweb, FHIR and the Healthcare API over the stores, and the viewer where there are pages."""
    http = settings.http
    root = http.public_root.rstrip("/")
    spool = SpoolSink(stores.spool, metrics.stow)
    served: dict[str, tuple[InstanceStore, UploadSink | None]] = {
        "/dicomweb/source": (stores.source, spool),
        "/dicomweb/deid": (stores.destination, None),
    }
    resources: dict[str, tuple[FhirStore, FhirSink | None]] = {
        "/fhir/source": (stores.fhir_source, stores.fhir_sink),
        "/fhir/deid": (stores.fhir_destination, None),
    }
    origins = {
        path: http.cors_origins.get(path.rpartition("/")[2], ()) for path in (*served, *resources)
    }
    services = {
        path: dicomweb_service.application(
            store,
            sink,
            settings=http,
            imaging=imaging,
            cors_origins=origins[path],
            public_root=f"{root}{path}" if root else "",
        )
        for path, (store, sink) in served.items()
    }
    reader = ReadByWorkers(
        workers.read_document,
        workers.read_patched,
        partial(workers.write_pieces, requests=True),
        read_pieces,
        stores.layout.work,
    )
    services |= fhir_service.applications(
        resources, reader, settings=settings.fhir, patience=http, cors_origins=origins, root=root
    )
    methods = healthcare_api.handlers(stores, AllowedFiles(settings.healthcare.folders), wake)
    services |= healthcare_api.applications(
        methods,
        StoreServices(
            stores,
            workers,
            spool,
            metrics.stow,
            http=http,
            fhir=settings.fhir,
            reader=reader,
            imaging=imaging,
        ),
        http,
    )
    if _are_shown(settings):
        services[viewer_service.PATH] = viewer_service.application(
            viewer_place(settings.state_dir),
            partial(viewable, stores.database),
            prefix=urlsplit(root).path,
        )
    return WebServices(services, Callers(http.allowed_hosts, http.public_root, origins), methods)


def _are_shown(settings: Settings) -> bool:
    """Tell whether there is anything for people to look at."""
    shown = settings.pages.shown
    return shown != "never" and (shown != "loopback" or is_loopback(settings.http.host))


class Live(NamedTuple):
    """What changes while the service runs, and pages show.

    Attributes
    ----------
    deidentifiers
        Returns the names of those that are configured now.
    """

    history: History
    deidentifiers: Callable[[], Sequence[str]]


def pages(
    settings: Settings, stores: Stores, services: WebServices, live: Live
) -> tuple[Sequence[web.RouteDef], Events]:
    """Return the pages and what tells them of changes; no pages where the settings want none.

    What came in is shown to this machine only, whatever the settings say: there is nobody yet who could tell
    who asks.
    """
    studies = StudyQueries(stores.database, stores.stores)
    events = Events(studies)
    if not _are_shown(settings):
        return (), events
    view = View(
        received=stores.source,
        results=stores.destination,
        progress=studies,
        pairing=studies,
        review=Quarantine(stores.database, stores.stores, live.deidentifiers),
        status=lambda: stores.database.read(
            lambda session: queries.status(session, stores.layout.state_dir)
        ),
        history=live.history,
        console=Console(stores, services.methods),
        sees_source=settings.pages.source and is_loopback(settings.http.host),
        has_viewer=lambda: stamp(viewer_place(settings.state_dir)) != NOTHING,
        addresses=first_addresses(
            services.applications, tells_metrics=settings.metrics.port is None
        ),
        public_root=settings.http.public_root,
        form_timeout_s=settings.http.body_timeout_s,
    )
    return routes(view, events), events
