r"""The composition root: the one place that knows every concrete part of the running service.

::

    DimseServer   HttpServer(STOW)   WatchedFolder     receive
         \               |               /
                     FileSpool                         make durable
                         |
        Dispatcher -- InstanceWorkers (child processes) decide, de-identify
                         |
                       Stores                          keep
                         |
                 HttpServer(QIDO, WADO)                serve

Stop order: listeners, what is being processed, workers, stores.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Final, Self

import structlog

from config.errors import ConfigError
from daemon.configured import association, deidentifiers, largest_instance, routes
from daemon.deidentifiers.site_key import key_place, site_key
from daemon.engines.pixels import PixelSettings
from daemon.healthcare import trials
from daemon.healthcare.running import Running
from daemon.observe.health import Probes
from daemon.observe.history import History
from daemon.observe.logs import handle_loop_exception
from daemon.observe.metrics import Metrics
from daemon.observe.run_folder import ADDRESSES, WATCHING, RunFolder
from daemon.observe.systemd import Notifier
from daemon.pipeline.changing import ChangingWorkers
from daemon.pipeline.dispatch import Dispatcher
from daemon.pipeline.flights import DispatchSettings
from daemon.pipeline.instance_workers import InstanceWorkers
from daemon.pipeline.showing import Showing
from daemon.receive.dimse.server import DimseServer
from daemon.receive.watch.drops import Drops
from daemon.receive.watch.folder import WatchedFolder
from daemon.rendering.pictures import Pictures
from daemon.services import Live, pages, web_services
from daemon.store import retention, witnesses
from daemon.store.embedded import Embedded
from daemon.store.probing import StoreProbe
from daemon.store.retelling import Retelling
from daemon.store.settling import ConflictPolicy
from daemon.store.spool import SpoolLimits
from daemon.store.stores import Stores
from daemon.web.callers import Callers
from daemon.web.listening import listening
from daemon.web.server import HttpServer
from daemon.workers.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from config.settings import Settings
    from deid.identity.keys import SiteKey
    from dicomweb.ports import Imaging

_log = structlog.get_logger(__name__)
_SWITCH_INTERVAL_S: Final = 0.0005
_DRAIN_S: Final = 20.0
_RELOADED: Final = ("routes", "deidentifiers", "pixels")
_TELL_INTERVAL_S: Final = 2.0
_SCRAPERS: Final = 32
_RETENTION_INTERVAL_S: Final = 600.0
_PRUNE_INTERVAL_S: Final = 6 * 3600.0
"""Each time, every file of what was posted is read."""
_SWEEP_INTERVAL_S: Final = 60.0


async def serve(
    settings: Settings,
    *,
    told: Callable[[str], None] = print,
    load: Callable[[], Settings] | None = None,
) -> int:
    """Run the service until SIGTERM or SIGINT, or until a part of it fails; return its exit status.

    Parameters
    ----------
    told
        Given one line with the addresses once everything listens, and one for each SIGHUP.
    load
        Reads the settings anew, and checks all of them, when SIGHUP comes. Runs in a thread.

    Raises
    ------
    KeyRefused, ConfigError, StoreUnavailable, AddressRefused
        When it cannot start.
    """
    # A thread that computes keeps the interpreter for so long before another may go on. The default of
    # 5 ms would make each acknowledgement wait that long for a thread that writes rows.
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(handle_loop_exception)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    hung_up = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, hung_up.set)
    service = Service(settings)
    try:
        async with service:
            told(service.announcement)
            reloading = asyncio.create_task(_reload_when(hung_up, service, load, told))
            await stopping.wait()
            reloading.cancel()
            await asyncio.gather(reloading, return_exceptions=True)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)
    return 1 if service.has_failed else 0


async def _reload_when(
    hung_up: asyncio.Event,
    service: Service,
    load: Callable[[], Settings] | None,
    told: Callable[[str], None],
) -> None:
    """Take over what changed in the configuration, each time; what is wrong with it changes nothing."""
    while True:
        await hung_up.wait()
        hung_up.clear()
        try:
            if load is None:
                told("dicomveil: there is no configuration to read anew")
                continue
            unapplied = await service.reload(await asyncio.to_thread(load))
        except ConfigError as error:
            for problem in error.problems:
                _log.error("configuration_refused", setting=problem.key)
            told(f"dicomveil: the configuration stays as it was. {error}")
        except Exception as error:  # noqa: BLE001 - the service goes on as it was configured
            _log.error("configuration_not_reloaded", exc_info=error)
            told("dicomveil: the configuration stays as it was; see the log")
        else:
            later = f"; a restart is needed for {', '.join(unapplied)}" if unapplied else ""
            told(f"dicomveil: routes and deidentifiers are as configured now{later}")


class Service:
    """Everything that runs, as an async context manager.

    Attributes
    ----------
    addresses
        Where it listens, by ``dimse`` and ``http``; also in ``state_dir/run/addresses.json``.
    has_failed
        Whether a part that must run for ever has ended.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._notifier = Notifier()
        self._run_folder = RunFolder(settings.state_dir)
        self._history = History()
        self._stack = AsyncExitStack()
        self._listeners: list[Callable[[], Coroutine[object, object, None]]] = []
        self.addresses: dict[str, tuple[str, int]] = {}
        self.has_failed = False

    @property
    def announcement(self) -> str:
        """One line for people."""
        dimse_host, dimse_port = self.addresses["dimse"]
        http_host, http_port = self.addresses["http"]
        title = self._settings.dimse.ae_title
        return (
            f"dicomveil is ready: DICOM {title}@{dimse_host}:{dimse_port},"
            f" DICOMweb http://{http_host}:{http_port}/dicomweb/source and /dicomweb/deid"
        )

    async def __aenter__(self) -> Self:
        """Start every part, in the order of the flow from its end to its beginning."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        self._notifier.ready(self.announcement)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Stop in the opposite order."""
        _log.info("service_stopping")
        self._notifier.stopping()
        await self._stack.aclose()
        _log.info("service_stopped")

    async def reload(self, settings: Settings) -> list[str]:
        """Process by other routes, deidentifiers and pixel settings from now on.

        What is under way is finished by those before; receiving and serving go on. Returns the sections
        that changed, too, and are not applied before a restart. When it fails, all stays as it was.
        """
        applied = {name: getattr(settings, name) for name in _RELOADED}
        reloaded = self._settings.model_copy(update=applied)
        await self._workers.change(self._crew(reloaded))
        unapplied = [
            name
            for name in type(settings).model_fields
            if getattr(settings, name) != getattr(reloaded, name)
        ]
        self._settings = reloaded
        self._association = association(reloaded)
        self._retelling.look_at_all()
        _log.info("configuration_reloaded", count=len(settings.deidentifiers))
        if unapplied:
            _log.warning("configuration_needs_restart", setting=", ".join(unapplied))
        return unapplied

    async def _start(self) -> None:
        settings = self._settings
        metrics = Metrics()
        stores = await self._open_stores()
        key = await self._site_key(stores)

        def crew(settings: Settings) -> InstanceWorkers:
            return InstanceWorkers(
                routes(settings),
                deidentifiers(settings, key),
                count=settings.workers.count,
                known=stores.known,
                figures=metrics.pool,
                limits=Limits.of(settings.workers),
                most_text_bytes=settings.fhir.max_file_bytes,
                pixels=PixelSettings.of(settings.pixels),
            )

        self._crew = crew
        self._association = association(settings)
        workers = crew(settings)
        self._workers: ChangingWorkers = await self._stack.enter_async_context(
            ChangingWorkers(workers)
        )
        dispatcher = Dispatcher(
            stores.receipts,
            self._workers,
            settings=DispatchSettings(
                in_flight=max(32, 16 * workers.pool.count), max_kills=settings.workers.max_attempts
            ),
            figures=metrics.pipeline,
        )
        self._run_until_stopped(dispatcher)
        retelling = self._retelling = Retelling(
            stores.stores,
            stores.database,
            retell=self._workers.retell,
            association=lambda: self._association,
            max_kills=settings.workers.max_attempts,
        )
        stores.retell_by(retelling)
        self._run_in_background(retelling.run(), "retelling")
        showing = Showing(stores.receipts, self._workers)
        self._run_in_background(showing.run(), "showing")
        stores.source.read_after(showing.caught_up)
        probes = Probes(
            StoreProbe(stores),
            metrics,
            self._notifier,
            settings.spool.min_free_bytes,
            work=lambda: dispatcher.work,
            history=self._history,
        )
        await probes.probe()
        self._run_in_background(probes.run(), "probes")
        self._run_in_background(self._sweep(stores), "sweeping")
        imaging = await self._stack.enter_async_context(
            Pictures(
                Limits.of(settings.workers),
                count=settings.http.picture_workers,
                kept_bytes=settings.http.picture_cache_bytes,
            )
        )
        self._stack.push_async_callback(self._stop_listening)
        if settings.source.retention_days or settings.source.retention_bytes:
            self._run_in_background(self._retain(stores), "retention")
        if settings.fhir.posted_days:
            self._run_in_background(self._prune(stores), "pruning")
        self._operations = Running(
            stores,
            self._workers,
            key,
            at_once=max(1, workers.pool.count // 2),
            is_busy=lambda: dispatcher.progress.in_flight > 0,
        )
        self._run_in_background(self._operations.run(), "operations")
        http = await self._start_http(stores, metrics, probes, imaging)
        dimse = DimseServer(settings.dimse, stores.spool, metrics.dimse)
        with listening("dimse", settings.dimse.host, settings.dimse.port):
            await dimse.start()
        self._listeners.append(partial(dimse.stop, drain_s=_DRAIN_S))
        self.addresses = {
            "dimse": (settings.dimse.host, dimse.port),
            "http": (settings.http.host, http.port),
        }
        await self._start_metrics(probes)
        await self._start_watching(stores, metrics, key)
        self._stack.callback(probes.drain)
        self._run_folder.keep(ADDRESSES, self.addresses)
        self._run_in_background(self._tell(metrics), "telling")
        for name in (ADDRESSES, WATCHING):
            self._stack.callback(self._run_folder.remove, name)
        _log.info("service_started", count=len(settings.watch))

    async def _site_key(self, stores: Stores) -> SiteKey:
        """Return the site key, after asking the state whether it is the one that made what is there."""
        remember = partial(
            witnesses.remember_credential, is_credential=key_place(self._settings).is_credential
        )
        await stores.database.write(remember)  # also where the key is refused then
        is_new = await stores.database.read(witnesses.has_no_key)
        key = site_key(self._settings, may_make=is_new)
        await stores.database.write(lambda session: witnesses.refuse_other_key(session, key.id))
        return key

    async def _stop_listening(self) -> None:
        """Let all doors finish what is under way, at the same time: they have one limit."""
        await asyncio.gather(*(stop() for stop in self._listeners))

    async def _open_stores(self) -> Stores:
        settings = self._settings
        stores = await Stores.open(
            settings.state_dir,
            SpoolLimits.of(settings.spool, max_instance_bytes=largest_instance(settings)),
            ConflictPolicy(settings.source.conflict),
            engine=Embedded(readers=settings.http.reader_threads),
        )
        self._stack.push_async_callback(stores.close)
        return stores

    async def _start_http(
        self, stores: Stores, metrics: Metrics, probes: Probes, imaging: Imaging
    ) -> HttpServer:
        http = self._settings.http
        services = web_services(
            self._settings, stores, self._workers, metrics, imaging, self._operations.wake
        )
        live = Live(self._history, lambda: sorted(self._settings.deidentifiers))
        shown, events = pages(self._settings, stores, services, live)
        server = HttpServer(
            http,
            services.applications,
            probes,
            metrics.request,
            callers=services.callers,
            tells_metrics=self._settings.metrics.port is None,
            pages=shown,
        )
        with listening("http", http.host, http.port):
            await server.start()
        self._listeners += [events.stop, partial(server.stop, drain_s=_DRAIN_S)]
        return server

    async def _start_metrics(self, probes: Probes) -> None:
        settings = self._settings.metrics
        if settings.port is None:
            return
        server = HttpServer(
            self._settings.http.model_copy(
                update={
                    "host": settings.host,
                    "port": settings.port,
                    "max_connections": _SCRAPERS,
                }
            ),
            {},
            probes,
            lambda *_: None,
            callers=Callers(self._settings.http.allowed_hosts),
        )
        with listening("metrics", settings.host, settings.port):
            await server.start()
        self._listeners.append(partial(server.stop, drain_s=_DRAIN_S))
        self.addresses["metrics"] = (settings.host, server.port)

    async def _start_watching(self, stores: Stores, metrics: Metrics, key: SiteKey) -> None:
        for number, watch in enumerate(self._settings.watch):
            folder = WatchedFolder(
                watch,
                stores.spool,
                metrics.watch(str(watch.path)),
                record_path=self._settings.state_dir / f"watch-{number}.sqlite",
                drops=Drops(key.secret_for("drops"), watch.path),
            )
            await folder.start()
            self._listeners.append(folder.stop)

    async def _tell(self, metrics: Metrics) -> None:
        """Lay down for commands where it listens and what is in the watched folders."""
        while True:
            try:
                await asyncio.to_thread(self._run_folder.keep, ADDRESSES, self.addresses)
                if self._settings.watch:
                    now = {folder: asdict(each) for folder, each in metrics.watching.items()}
                    await asyncio.to_thread(self._run_folder.keep, WATCHING, now)
            except Exception as error:  # noqa: BLE001 - tried again; the service goes on untold
                _log.error("telling_failed", error=type(error).__name__)
            await asyncio.sleep(_TELL_INTERVAL_S)

    async def _sweep(self, stores: Stores) -> None:
        while True:
            await asyncio.sleep(_SWEEP_INTERVAL_S)
            try:
                await stores.receipts.sweep()
                await trials.forget(stores)
            except Exception as error:  # noqa: BLE001 - tried again; removing later loses nothing
                _log.error("sweeping_failed", error=type(error).__name__)

    async def _retain(self, stores: Stores) -> None:
        source = self._settings.source
        policy = retention.Retention(
            max_age_s=source.retention_days * 86400 or None,
            max_total_bytes=source.retention_bytes or None,
        )
        while True:
            try:
                await retention.enforce(stores, policy)
            except Exception as error:  # noqa: BLE001 - tried again; removing less loses nothing
                _log.error("retention_failed", error=type(error).__name__)
            await asyncio.sleep(_RETENTION_INTERVAL_S)

    async def _prune(self, stores: Stores) -> None:
        while True:
            await asyncio.sleep(_PRUNE_INTERVAL_S)
            try:
                await retention.prune_posted(stores, self._settings.fhir.posted_days * 86400)
            except Exception as error:  # noqa: BLE001 - tried again; removing less loses nothing
                _log.error("pruning_failed", error=type(error).__name__)

    def _run_until_stopped(self, dispatcher: Dispatcher) -> None:
        task = asyncio.create_task(dispatcher.run(), name="dispatcher")
        task.add_done_callback(self._end_if_failed)

        async def stop() -> None:
            dispatcher.stop(_DRAIN_S)
            await asyncio.gather(task, return_exceptions=True)

        self._stack.push_async_callback(stop)

    def _run_in_background(self, work: Coroutine[object, object, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._end_if_failed)

        async def stop() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._stack.push_async_callback(stop)

    def _end_if_failed(self, task: asyncio.Task[None]) -> None:
        """End the process when a part that must run for ever has failed: the manager starts it anew."""
        if task.cancelled() or task.exception() is None:
            return
        self.has_failed = True
        _log.critical("part_failed", part=task.get_name(), exc_info=task.exception())
        os.kill(os.getpid(), signal.SIGTERM)
