"""Continuous de-identification: what a store's ``streamConfigs`` have done with everything that comes into it.

A stream is an operation that does not end: a row of its own, with what it does and what it has still to look
at, so that it goes on after a kill. It ends when it is taken out of its store's settings, or with the store.

::

    an instance is stored, a resource changes -> noted for each stream of the store, in the same transaction
    a Patient changes                         -> so are the resources that refer to him: they may be another's
    what is noted                             -> the steps of `daemon.healthcare.stream_steps`
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from daemon.deidentifiers.configuration_files import resolve
from daemon.healthcare import names
from daemon.healthcare.errors import FailedPrecondition, InvalidArgument
from daemon.healthcare.work import Step, Work, without_requests
from daemon.resources import Place, ResourceQuery, TokenFilter, TokenTest
from daemon.store.rows import StoreKind
from deid.configuration.coverage import Coverage
from deid.configuration.document import parse_configuration
from deid.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daemon.resources import ResourceVersion
    from daemon.store.operation_rows import Operation
    from daemon.store.ports import Session
    from daemon.store.rows import Store

METHOD: Final = "dicomveil.stream"
"""What the row of a stream is called; the API's lists of operations leave these out."""
KINDS: Final = {StoreKind.DICOM: "stream_dicom", StoreKind.FHIR: "stream_fhir"}
_COVERAGE: Final = {StoreKind.DICOM: Coverage.DICOM, StoreKind.FHIR: Coverage.FHIR}
_LAST: Final = (1 << 62) - 1
_PRESET: Final = "default"
_PAGE: Final = 500
_FIELD: Final = {
    StoreKind.DICOM: "dicomveil.deidentifiedStoreDestination",
    StoreKind.FHIR: "deidentifiedStoreDestination",
}


@dataclass(frozen=True)
class Stream:
    """One entry of ``streamConfigs``.

    Attributes
    ----------
    destination
        Full name of a store.
    configuration
        DeidentifyConfig, as JSON text.
    types
        Of resources; None is every one.
    """

    destination: str
    configuration: str
    types: tuple[str, ...] | None = None


def wanted(kind: StoreKind, settings: Mapping[str, Any], version: str | None) -> list[Stream]:
    """Return what a store's settings ask for.

    Parameters
    ----------
    version
        Of the API by which the configurations are judged; None for those that were judged before.

    Raises
    ------
    InvalidArgument
        Of what is no stream, or goes where nothing goes from here.
    """
    return [
        _stream(kind, each, f"streamConfigs[{at}]", version)
        for at, each in enumerate(settings.get("streamConfigs", ()))
    ]


def _stream(kind: StoreKind, given: Mapping[str, Any], at: str, version: str | None) -> Stream:
    if "bigqueryDestination" in given:
        raise InvalidArgument(
            f"{at}.bigqueryDestination: there is no BigQuery here; leave it out, or name a store"
            f" as {_FIELD[kind]}"
        )
    place: Mapping[str, Any] = given if kind is StoreKind.FHIR else given.get("dicomveil", {})
    destination = place.get("deidentifiedStoreDestination")
    field = f"{at}.{_FIELD[kind]}"
    if not destination or not destination.get("store"):
        raise InvalidArgument(f"{field}.store is required: the full name of a store")
    config = destination.get("config")
    configuration = resolve(_PRESET) if config is None else config
    try:
        parsed = parse_configuration(configuration, None if config is None else version)
    except ConfigurationInvalid as error:
        raise InvalidArgument(f"{field}.config: {error}") from error
    if _COVERAGE[kind] not in parsed.covers:
        section = "dicom" if kind is StoreKind.DICOM else "fhir"
        raise InvalidArgument(f"{field}.config says nothing about {kind.upper()}: add {section}")
    types = given.get("resourceTypes")
    text = without_requests(configuration)
    return Stream(destination["store"], text, tuple(types) if types else None)


def follow(
    session: Session, store: Store, settings: Mapping[str, Any], version: str, now: float
) -> None:
    """Have a store's streams be those that its settings ask for.

    One that changes goes on from where the earlier one into the same store was.

    Raises
    ------
    InvalidArgument, NotFound, FailedPrecondition
        When one of them cannot be.
    """
    asked = wanted(store.kind, settings, version)
    if asked and names.is_configured(store):
        raise FailedPrecondition(
            "streamConfigs: the configuration's routes say what becomes of what this store receives"
        )
    if len({each.destination for each in asked}) < len(asked):
        raise InvalidArgument("streamConfigs: each goes into a store of its own")
    before = {each.step.destination: each for each in _from(session, store)}
    for stream in asked:
        field = f"streamConfigs: {_FIELD[store.kind]}.store"
        destination = names.existing_store(session, stream.destination, store.kind, field)
        _refuse_place(session, store, destination)
        earlier = before.pop(destination.id, None)
        work = _work(store, destination, stream)
        if earlier is not None and earlier.work == work:
            continue
        _begin(session, store, work, version, earlier, now)
    for earlier in before.values():
        _end(session, earlier.operation, now)


def _work(store: Store, destination: Store, stream: Stream) -> Work:
    step = Step(KINDS[store.kind], store.id, destination.id, _LAST, stream.types)
    return Work((step,), stream.configuration, names.full_name(destination.dataset), "")


def _begin(
    session: Session,
    store: Store,
    work: Work,
    version: str,
    earlier: _Running | None,
    now: float,
) -> None:
    made = session.operations.add(
        store.dataset, version, METHOD, created_at=now, work=work.to_json(), pending=0
    )
    if earlier is not None:
        noted = session.operations.changed(earlier.operation.id, _LAST)
        session.operations.add_changed(made.id, noted)
        _end(session, earlier.operation, now)


def _refuse_place(session: Session, source: Store, destination: Store) -> None:
    if names.is_configured(destination):
        raise FailedPrecondition(
            "streamConfigs: a store is named that the service is configured to write by itself:"
            " make another"
        )
    # Each would make something new of what the other made, for ever.
    edges = {
        (each.step.source, each.step.destination)
        for each in _running(session)
        if each.step.source != source.id
    }
    reached, level = {destination.id}, {destination.id}
    while level:
        level = {into for of, into in edges if of in level} - reached
        reached |= level
    if source.id in reached:
        raise InvalidArgument("streamConfigs: what leaves this store would come back into it")


def release(session: Session, store_ids: set[int], now: float) -> None:
    """End the streams of stores that go away; raises `FailedPrecondition` when others write into them."""
    for each in _running(session):
        if each.step.source in store_ids:
            _end(session, each.operation, now)
        elif each.step.destination in store_ids:
            raise FailedPrecondition(
                "streamConfigs of another store go into this one: take them out of that first"
            )


def note_instance(session: Session, store: Store, sop_instance_uid: str) -> None:
    """Remember that an instance was stored."""
    streams = _of(session, store)
    stored = session.instances.find(store, sop_instance_uid) if streams else None
    if stored is not None:
        for each in streams:
            session.operations.add_changed(each.operation.id, [stored.id])


def note_resource(session: Session, store: Store, version: ResourceVersion) -> None:
    """Remember that a resource of a store has changed, with what changes with it."""
    streams = _of(session, store)
    if not streams:
        return
    numbers = {version.number: version.type}
    if version.type == "Patient":
        numbers |= _referring(session, store, version)
    for each in streams:
        types = each.step.only
        chosen = [number for number, kind in numbers.items() if types is None or kind in types]
        session.operations.add_changed(each.operation.id, sorted(chosen))


def _referring(session: Session, store: Store, patient: ResourceVersion) -> dict[int, str]:
    """Return the resources that refer to a patient, with their types."""
    test = TokenTest(f"Patient/{patient.id}")
    found: dict[int, str] = {}
    for kind in session.resources.types(store):
        for name in ("patient", "subject"):
            query = ResourceQuery(kind, (TokenFilter(name, (test,)),), limit=_PAGE)
            while page := session.resources.search(store, query):
                found |= {each.number: kind for each in page}
                query = replace(query, after=Place(page[-1].number))
    return found


@dataclass(frozen=True)
class _Running:
    operation: Operation
    work: Work

    @property
    def step(self) -> Step:
        return self.work.steps[0]


def is_stream(operation: Operation) -> bool:
    """Tell whether an operation is one that does not end by itself."""
    return operation.method == METHOD


def _running(session: Session) -> list[_Running]:
    return [
        _Running(each, Work.from_json(each.work))
        for each in session.operations.running()
        if is_stream(each)
    ]


def _of(session: Session, store: Store) -> list[_Running]:
    """Return the streams of a store; quickly, where its settings name none."""
    if "streamConfigs" not in session.stores.settings(store):
        return []
    return _from(session, store)


def _from(session: Session, store: Store) -> list[_Running]:
    return [each for each in _running(session) if each.step.source == store.id]


def _end(session: Session, operation: Operation, now: float) -> None:
    session.operations.settle_changed(operation.id, session.operations.changed(operation.id, _LAST))
    session.operations.change(
        operation.id, ended_at=now, response="{}", work=Work.over(operation.work), pending=0
    )


def told(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as they are told: who may read a store is not thereby told keys."""
    without: dict[str, Any] = _without_keys(dict(settings))
    return without


def _without_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_keys(each) for name, each in value.items() if name != "cryptoKey"}
    return [_without_keys(each) for each in value] if isinstance(value, list) else value
