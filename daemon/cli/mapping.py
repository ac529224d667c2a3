"""``dicomveil deidentify-store --mapping``: who was who, from the files of both stores.

Original identifiers: a file of the identified side, for its owner alone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from daemon.cli import service_key, state
from daemon.cli.errors import CommandFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import deid
    from config import Settings
    from daemon.batch.records import Records


class Mapping:
    """What stands for what after an operation from one DICOM store into another.

    Parameters
    ----------
    source
        Full name of the store.
    body
        Of the request that begins the operation.
    chosen
        The file that says what is wanted; None is everything.

    Raises
    ------
    UsageError
        When it is not about DICOM stores.
    """

    def __init__(
        self, settings: Settings, source: str, body: dict[str, Any], chosen: Path | None
    ) -> None:
        if "/dicomStores/" not in source:
            raise UsageError("--mapping tells of DICOM stores")
        self._settings = settings
        self._source = source
        self._destination: str = body["destinationStore"]
        self._configuration = body.get("config")
        self._chosen = chosen

    def write(self, path: Path, begin: Callable[[], str], follow: Callable[[str], int]) -> int:
        """Begin an operation, follow it, and write the file; also of what a failing one has done.

        Raises
        ------
        CommandFailed
            When the file is there already or cannot be written, or the service has a key that is not seen here;
        then nothing was begun.
        """
        from daemon.batch.errors import BatchFailed, BatchRefused  # noqa: PLC0415
        from daemon.batch.records import Records  # noqa: PLC0415
        from daemon.batch.settlement import CROSSWALK  # noqa: PLC0415

        service_key.refuse_unseen(self._settings)
        try:
            with Records(path, CROSSWALK, what="mapping", out=None, may_replace=False) as records:
                try:
                    name = begin()
                except CommandFailed as error:
                    raise BatchRefused(str(error)) from error
                try:
                    return follow(name)
                finally:
                    self._fill(records)
        except (BatchFailed, BatchRefused) as error:
            raise CommandFailed(str(error)) from error

    def _fill(self, records: Records) -> None:
        from daemon.healthcare import crosswalk, names  # noqa: PLC0415
        from daemon.healthcare.errors import ApiError  # noqa: PLC0415
        from daemon.store.embedded import EMBEDDED  # noqa: PLC0415
        from daemon.store.rows import StoreKind  # noqa: PLC0415

        plan, only = self._plan(), None
        if self._chosen is not None:
            lines = self._chosen.read_text("utf-8").splitlines()
            only = frozenset(each.strip().strip("/") for each in lines)
        with state.connected(self._settings, query_only=True) as (session, layout):
            try:
                source, destination = (
                    names.existing_store(session, name, StoreKind.DICOM)
                    for name in (self._source, self._destination)
                )
            except ApiError as error:
                raise CommandFailed(f"nothing to write a mapping of: {error}") from error
            originals, results = (
                (each, EMBEDDED.blobs(layout, each)) for each in (source, destination)
            )
            for row in crosswalk.rows(session, originals, results, plan, only):
                records.add(row)

    def _plan(self) -> deid.Plan:
        """Return what the operation de-identifies with, as the service derives it."""
        import deid  # noqa: PLC0415
        from daemon.deidentifiers.configuration_files import resolve  # noqa: PLC0415
        from daemon.deidentifiers.site_key import site_key  # noqa: PLC0415
        from daemon.healthcare.work import Work  # noqa: PLC0415

        configuration = self._configuration or resolve("default")
        dataset = self._destination.partition("/dicomStores/")[0]
        work = Work((), json.dumps(configuration), dataset, "")
        key = work.deidentifier(site_key(self._settings, may_make=False)).key
        return deid.compile_plan(configuration, deid.SiteKey(key))
