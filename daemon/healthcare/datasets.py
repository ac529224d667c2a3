"""Locations and datasets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from daemon.healthcare import bodies, names, paging, store_settings, streams
from daemon.healthcare.errors import AlreadyExists, FailedPrecondition, NotFound
from daemon.healthcare.operations import response_type, told
from daemon.store.operation_rows import Dataset
from daemon.store.rows import StoreKind
from daemon.store.whole import to_its_end

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.healthcare.calls import Answer, Call, Handlers
    from daemon.store.operation_rows import Operation
    from daemon.store.ports import Session
    from daemon.store.stores import Stores

_PREFIX: Final = "projects.locations."


class Datasets:
    """Answers the methods about locations and datasets.

    Parameters
    ----------
    clock
        Seconds since 1970.
    """

    def __init__(self, stores: Stores, clock: Callable[[], float]) -> None:
        self._stores = stores
        self._database = stores.database
        self._clock = clock

    @property
    def handlers(self) -> Handlers:
        """Who answers which method."""
        return {
            f"{_PREFIX}get": self._location,
            f"{_PREFIX}list": self._locations,
            f"{_PREFIX}datasets.create": self._create,
            f"{_PREFIX}datasets.get": self._get,
            f"{_PREFIX}datasets.list": self._list,
            f"{_PREFIX}datasets.patch": self._patch,
            f"{_PREFIX}datasets.delete": self._delete,
        }

    async def _location(self, call: Call) -> Answer:
        project, location = call.path
        return _location(project, location)

    async def _locations(self, call: Call) -> Answer:
        (project,) = call.path
        prefix = f"projects/{project}/locations/"
        datasets = await self._database.read(lambda session: session.datasets.all())
        full = (names.full_name(each.name) for each in datasets)
        found = sorted({name.split("/")[3] for name in full if name.startswith(prefix)})
        page, token = paging.page(found, call.query, str)
        return paging.listed("locations", [_location(project, each) for each in page], token)

    async def _create(self, call: Call) -> Answer:
        project, location = call.path
        settings = store_settings.of_dataset(call.checked("Dataset"))
        chosen = names.dataset_id(call.query.get("datasetId", ""))
        name = f"projects/{project}/locations/{location}/datasets/{chosen}"
        row = Dataset(names.row_name(name), json.dumps(settings))
        now = self._clock()

        def create(session: Session) -> Operation:
            if session.datasets.get(row.name) is not None:
                raise AlreadyExists("there is a dataset of this name")
            session.datasets.put(row)
            made = session.operations.add(
                row.name,
                call.version,
                method_name(call.version, "dataset.DatasetService.CreateDataset"),
                created_at=now,
                work="{}",
                pending=0,
            )
            response = {"@type": response_type(call.version, "dataset.Dataset"), **_told(row)}
            session.operations.change(made.id, ended_at=now, response=json.dumps(response))
            ended = session.operations.get(made.id)
            assert ended is not None
            return ended

        # As Google's, the answer names the operation; who asks for it finds it done.
        return {"name": told(await self._database.write(create))["name"]}

    async def _get(self, call: Call) -> Answer:
        return _told(await self._database.read(lambda session: _found(session, call.dataset)))

    async def _list(self, call: Call) -> Answer:
        project, location = call.path
        prefix = f"projects/{project}/locations/{location}/datasets/"
        datasets = await self._database.read(lambda session: session.datasets.all())
        found = [each for each in datasets if names.full_name(each.name).startswith(prefix)]
        page, token = paging.page(found, call.query, lambda each: each.name)
        return paging.listed("datasets", [_told(each) for each in page], token)

    async def _patch(self, call: Call) -> Answer:
        given = store_settings.of_dataset(call.checked("Dataset"))
        known = bodies.messages(call.version)["Dataset"]
        mask = store_settings.masked(call.query.get("updateMask", ""), known)
        changed = [each[0] for each in mask] or list(given)

        def patch(session: Session) -> Dataset:
            before = json.loads(_found(session, call.dataset).settings)
            for field in changed:
                before.pop(field, None)
            after = {**before, **{field: given[field] for field in changed if field in given}}
            row = Dataset(names.row_name(call.dataset), json.dumps(after))
            session.datasets.put(row)
            return row

        return _told(await self._database.write(patch))

    async def _delete(self, call: Call) -> Answer:
        row = names.row_name(call.dataset)

        def delete(session: Session) -> list[Any]:
            _found(session, call.dataset)
            stores = [each for kind in StoreKind for each in session.stores.of_dataset(row, kind)]
            if any(names.is_configured(each) for each in stores):
                raise FailedPrecondition(
                    "this dataset has the stores that the service is configured to use"
                )
            ids = {each.id for each in stores}
            refuse_used(session, ids)
            streams.release(session, ids, self._clock())
            for store in stores:
                session.stores.remove(store)
            session.datasets.remove(row)
            return stores

        async def delete_whole() -> None:
            await self._stores.empty(*await self._database.write(delete))

        # What a client asked to delete goes though he leaves, not at the next start.
        await to_its_end(delete_whole())
        return {}


def _found(session: Session, name: str) -> Dataset:
    found = session.datasets.get(names.row_name(name))
    if found is None:
        raise NotFound("there is no such dataset")
    return found


def _told(dataset: Dataset) -> dict[str, Any]:
    return {"name": names.full_name(dataset.name), **json.loads(dataset.settings)}


def _location(project: str, location: str) -> Answer:
    return {"name": f"projects/{project}/locations/{location}", "locationId": location}


def method_name(version: str, name: str) -> str:
    """Return what an operation calls the method that began it."""
    return f"google.cloud.healthcare.{version}.{name}"


def refuse_used(session: Session, store_ids: set[int]) -> None:
    """Raise `FailedPrecondition` when an operation that goes on reads or writes one of these stores."""
    for operation in session.operations.running():
        if streams.is_stream(operation):
            continue
        work = json.loads(operation.work)
        used = {work.get("provenance")}
        for step in work.get("steps", ()):
            used |= {step.get("source"), step.get("destination"), *step.get("beside", ())}
        if used & store_ids:
            raise FailedPrecondition(
                "an operation is using a store; cancel it, or wait for its end"
            )
