"""What Google's console offers, for the pages: de-identify a store or dataset, follow it, try it on one study.

Everything goes through the methods of the API, as a client's request would: there is no second way. A trial is
an operation like any other, over one study, into a store of its own in the dataset ``dry-runs``, which no route
and no configuration knows; the last three are kept, none longer than an hour.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from daemon.healthcare import names, trials
from daemon.healthcare.calls import Call
from daemon.healthcare.deidentify import OF_STUDY
from daemon.healthcare.errors import AlreadyExists, InvalidArgument, NotFound
from daemon.healthcare.methods import meant
from daemon.healthcare.names import DRY_RUNS
from daemon.healthcare.trials import KEPT, Trial
from daemon.records import State
from daemon.store.rows import Role, StoreKind
from daemon.store.studies import Pair
from dicomweb.ports import Query, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from daemon.healthcare.calls import Answer, Handlers
    from daemon.store.ports import Session
    from daemon.store.rows import IndexedInstance, Store
    from daemon.store.stores import Stores
    from dicomweb.ports import Match

_PARENT: Final = "projects/local/locations/local/datasets"
_MOST_LISTED: Final = 30
_MOST_STUDIES: Final = 25
_MOST_TRIED: Final = 2000
_DATASET_SEGMENTS: Final = 6
_BETA: Final = ("dicomTagConfig", "fhirFieldConfig")


class Console:
    """Asks the API's own handlers.

    Parameters
    ----------
    handlers
        Who answers which method.
    """

    def __init__(
        self,
        stores: Stores,
        handlers: Handlers,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._stores = stores
        self._database = stores.database
        self._handlers = handlers
        self._clock = clock

    # -- what there is --

    async def sources(self) -> Sequence[str]:
        """Return the full names of all stores, and of datasets of which the configuration uses no store."""

        def read(session: Session) -> list[str]:
            stores = [each for each in session.stores.all() if each.dataset != DRY_RUNS]
            found = [names.store_name(each) for each in sorted(stores, key=_order)]
            datasets = sorted({names.full_name(each.dataset) for each in stores})
            return [*found, *datasets]

        return await self._database.read(read)

    async def operations(self) -> Sequence[Answer]:
        """Return the latest operations of all datasets, as the API tells of them, newest first."""

        def read(session: Session) -> list[str]:
            return [names.full_name(each.name) for each in session.datasets.all()]

        found: list[Answer] = []
        for dataset in await self._database.read(read):
            query = {"pageSize": str(_MOST_LISTED)}
            found += (await self._ask("GET", f"{dataset}/operations", query=query)).get(
                "operations", []
            )
        found = [each for each in found if "deidentif" in str(each["metadata"]).lower()]
        return sorted(found, key=_created, reverse=True)[:_MOST_LISTED]

    async def operation(self, name: str) -> Answer:
        """Return an operation; raises `ApiError` when there is none."""
        return await self._ask("GET", name)

    async def failures(self, name: str) -> Sequence[Answer]:
        """Return the first hundred that an operation could not do."""
        answer = await self._ask("GET", f"{name}:failures", query={"pageSize": "100"})
        found: list[Answer] = answer.get("failures", [])
        return found

    # -- what is done --

    async def start(
        self, source: str, destination: str, configuration: Mapping[str, Any] | None
    ) -> str:
        """Begin to de-identify a store or dataset; return the operation's name.

        Parameters
        ----------
        destination
            Of a store, ``DATASET/STORE``: made if it is not there. Of a dataset, the new one's name.
        configuration
            DeidentifyConfig; None is the preset `default`.

        Raises
        ------
        ApiError
        """
        body: dict[str, Any] = {} if configuration is None else {"config": configuration}
        if len(source.split("/")) == _DATASET_SEGMENTS:
            body["destinationDataset"] = f"{names.location_of(source)}/datasets/{destination}"
        else:
            body["destinationStore"] = await self._made(source, destination)
        answer = await self._ask("POST", f"{source}:deidentify", body)
        return str(answer["name"])

    async def cancel(self, name: str) -> None:
        """Let an operation end when what is under way is done."""
        await self._ask("POST", f"{name}:cancel", {})

    async def _made(self, source: str, destination: str) -> str:
        """Return the full name of a store, made if it is not there, of the source's kind."""
        dataset, _, store = destination.rpartition("/")
        if not dataset or not store:
            raise InvalidArgument("the destination is written as DATASET/STORE")
        if not dataset.startswith("projects/"):
            dataset = f"{_PARENT}/{dataset}"
        collection = source.rsplit("/", 2)[-2]
        await self._make(dataset, collection, store)
        return f"{dataset}/{collection}/{store}"

    async def _make(self, dataset: str, collection: str, store: str) -> None:
        parent, _, dataset_id = dataset.rpartition("/")
        names.dataset(dataset, "destination")
        steps = [
            (parent, {"datasetId": dataset_id}, {}),
            (
                f"{dataset}/{collection}",
                {f"{collection[:-1]}Id": store},
                {"version": "R4"} if collection == "fhirStores" else {},
            ),
        ]
        for path, query, body in steps:
            try:
                await self._ask("POST", path, body, query)
            except AlreadyExists:
                continue

    # -- trials --

    async def studies(self, source: str) -> Sequence[Match]:
        """Return the newest studies of a DICOM store."""
        store = await self._store(source)
        query = Query("study", {}, None, fuzzy=False, limit=_MOST_STUDIES, offset=0)
        return await self._stores.dicom_store(store).search(query)

    async def dry(
        self, source: str, study_uid: str, configuration: Mapping[str, Any] | None
    ) -> str:
        """Begin a trial on one study; return its operation's name."""
        await trials.forget(self._stores, kept=KEPT - 1)
        await self._store(source)
        name = trials.store_of(self._clock())
        await self._make(DRY_RUNS, "dicomStores", name)
        body: dict[str, Any] = {"destinationStore": f"{DRY_RUNS}/dicomStores/{name}"}
        if configuration is not None:
            body["config"] = configuration
        call = self._call("POST", f"{source}:deidentify", body, {"study": study_uid})
        answer = await self._handlers[OF_STUDY](call)
        return str(answer["name"])

    async def trial(self, number: int) -> Trial | None:
        """Return what a trial made so far, beside what it was made of; None if there is no such trial."""
        found = await self._database.read(lambda session: _trial(session, number))
        if found is None:
            return None
        source, destination, pairs = found
        return Trial(
            self._stores.dicom_store(source),
            self._stores.dicom_store(destination),
            _root(source),
            _root(destination),
            pairs,
            destination,
            self._database,
        )

    async def _store(self, name: str) -> Store:
        return await self._database.read(
            lambda session: names.existing_store(session, name, StoreKind.DICOM)
        )

    # -- asking --

    def _call(
        self, verb: str, path: str, body: Mapping[str, Any], query: Mapping[str, str]
    ) -> Call:
        configuration = body.get("config", {})
        version = "v1beta1" if any(each in configuration for each in _BETA) else "v1"
        found = meant(version, verb, path)
        if found is None:
            raise NotFound("there is nothing of that name")
        return Call(version, found.method, found.parameters, query, body)

    async def _ask(
        self,
        verb: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        call = self._call(verb, path, body or {}, query or {})
        handler = self._handlers.get(call.method.name)
        if handler is None:
            raise NotFound("there is nothing of that name")
        return await handler(call)


def _order(store: Store) -> tuple[int, str]:
    return (store.role is not Role.SOURCE, names.store_name(store))


def _created(answer: Answer) -> str:
    return str(answer["metadata"].get("createTime", ""))


def _trial(session: Session, number: int) -> tuple[Store, Store, list[Pair]] | None:
    operation = session.operations.get(number)
    document = json.loads("{}" if operation is None else operation.work)
    steps = [(each["source"], each["destination"]) for each in document.get("steps", ())]
    stores = {each.id: each for each in session.stores.all()}
    for source_id, destination_id in document.get("stores") or steps:
        source, destination = stores.get(source_id), stores.get(destination_id)
        if source is not None and destination is not None and destination.dataset == DRY_RUNS:
            return source, destination, _pairs(session, number, source, destination)
    return None


def _pairs(session: Session, number: int, source: Store, destination: Store) -> list[Pair]:
    """Return results beside what they were made of, and what was refused."""
    pairs: list[Pair] = []
    for result in session.instances.page(destination, 0, _MOST_TRIED):
        received = session.instances.of_receipt(source, result.receipt_id)
        before = _resource(received[0]) if received else None
        pairs.append(Pair(before, _resource(result), State.STORED, ""))
    for failure in session.operations.failures(number, _MOST_TRIED, (source.id, 0)):
        pairs += [
            Pair(_resource(refused), None, State.QUARANTINED, failure.reason)
            for refused in session.instances.page(source, failure.number - 1, 1)
        ]
    return pairs


def _resource(instance: IndexedInstance) -> Resource:
    return Resource(instance.study_uid, instance.series_uid, instance.sop_instance_uid)


def _root(store: Store) -> str:
    if store.role is Role.NONE:
        return f"v1/{names.store_name(store)}/dicomWeb/"
    return f"dicomweb/{'source' if store.role is Role.SOURCE else 'deid'}/"
