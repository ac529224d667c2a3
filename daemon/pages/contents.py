"""What a study holds, as the Compare page goes through it: series, and their instances beside results."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson

from daemon.pages.attributes import number, text
from daemon.records import State
from dicomweb.ports import Query, Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from daemon.store.studies import Pair
    from dicomweb.ports import InstanceFile, InstanceStore, Level, Match

_MOST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Side:
    """An instance in one of the stores."""

    study_uid: str
    series_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str

    @property
    def json(self) -> dict[str, str]:
        """The same as scripts read it."""
        return {
            "study": self.study_uid,
            "series": self.series_uid,
            "instance": self.sop_instance_uid,
            "syntax": self.transfer_syntax_uid,
        }


@dataclass(frozen=True, slots=True)
class Shown:
    """An instance and its result, as far as they may be shown.

    Attributes
    ----------
    number
        Instance Number; 0 where there is none.
    state, reason
        Of what was received.
    """

    received: Side | None
    result: Side | None
    sop_class_uid: str
    number: int
    frames: int
    state: str = ""
    reason: str = ""

    @property
    def json(self) -> dict[str, object]:
        """The same as scripts read it."""
        return {
            "received": None if self.received is None else self.received.json,
            "result": None if self.result is None else self.result.json,
            "sop_class": self.sop_class_uid,
            "number": self.number,
            "frames": self.frames,
            "state": self.state,
            "reason": self.reason,
        }


@dataclass(slots=True)
class Series:
    """A series, its instances by Instance Number."""

    modality: str
    number: int
    description: str
    instances: list[Shown] = field(default_factory=list)

    @property
    def json(self) -> dict[str, object]:
        """The same as scripts read it."""
        return {
            "modality": self.modality,
            "number": self.number,
            "description": self.description,
            "instances": [each.json for each in self.instances],
        }


@dataclass(frozen=True, slots=True)
class _Held:
    """What a store holds of a study."""

    files: Mapping[str, InstanceFile]
    numbers: Mapping[str, int]
    series: Mapping[str, Mapping[str, object]]


async def results_alone(results: InstanceStore, study_uid: str) -> list[Series]:
    """Return the series of a result without a word of what it was made of."""
    held = await _held(results, study_uid)
    found: dict[str, Series] = {}
    for file in held.files.values():
        series = found.setdefault(file.series_uid, _series(held, file))
        series.instances.append(_shown(None, file, held))
    return _sorted(found.values())


async def side_by_side(
    received: InstanceStore, results: InstanceStore, pairs: Sequence[Pair]
) -> list[Series]:
    """Return the series of a study, what was received beside what was made of it."""
    sources = await _all_held(received, [each.received for each in pairs])
    outputs = await _all_held(results, [each.result for each in pairs])
    found: dict[str, Series] = {}
    for pair in pairs:
        source = _file(sources, pair.received)
        result = _file(outputs, pair.result)
        shown = source or result
        if shown is None:
            continue
        held = (sources if source else outputs)[shown.study_uid]
        series = found.setdefault(shown.series_uid, _series(held, shown))
        series.instances.append(_shown(source, result, held, pair))
    return _sorted(found.values())


async def _all_held(store: InstanceStore, resources: Sequence[Resource | None]) -> dict[str, _Held]:
    studies = dict.fromkeys(each.study_uid for each in resources if each is not None)
    return {study_uid: await _held(store, study_uid) for study_uid in studies}


async def _held(store: InstanceStore, study_uid: str) -> _Held:
    study = Resource(study_uid)
    series = await _search(store, "series", study)
    instances = await _search(store, "instance", study)
    files = await store.locate(study)
    # Thousands of instances are read where the service can go on meanwhile.
    return await asyncio.to_thread(_put_together, series, instances, files)


def _put_together(
    series: Sequence[Match], instances: Sequence[Match], files: Sequence[InstanceFile]
) -> _Held:
    described = [orjson.loads(each.attributes) for each in series]
    counted = [orjson.loads(each.defaults) for each in instances]
    return _Held(
        files={each.sop_instance_uid: each for each in files},
        numbers={text(each, "SOPInstanceUID"): number(each, "InstanceNumber") for each in counted},
        series={text(each, "SeriesInstanceUID"): each for each in described},
    )


async def _search(store: InstanceStore, level: Level, within: Resource) -> list[Match]:
    return await store.search(
        Query(
            level, {}, within, fuzzy=False, limit=_MOST, offset=0, with_attributes=level == "series"
        )
    )


def _file(held: Mapping[str, _Held], resource: Resource | None) -> InstanceFile | None:
    if resource is None or resource.sop_instance_uid is None:
        return None
    return held[resource.study_uid].files.get(resource.sop_instance_uid)


def _series(held: _Held, file: InstanceFile) -> Series:
    attributes = held.series.get(file.series_uid, {})
    return Series(
        modality=text(attributes, "Modality"),
        number=number(attributes, "SeriesNumber"),
        description=text(attributes, "SeriesDescription"),
    )


def _shown(
    source: InstanceFile | None, result: InstanceFile | None, held: _Held, pair: Pair | None = None
) -> Shown:
    file = source or result
    assert file is not None
    return Shown(
        received=None if source is None else _side(source),
        result=None if result is None else _side(result),
        sop_class_uid=file.sop_class_uid,
        number=held.numbers.get(file.sop_instance_uid, 0),
        frames=max(1, file.number_of_frames),
        state="" if pair is None else pair.state.value,
        reason="" if pair is None or pair.state is State.STORED else pair.reason,
    )


def _side(file: InstanceFile) -> Side:
    return Side(file.study_uid, file.series_uid, file.sop_instance_uid, file.transfer_syntax_uid)


def _sorted(found: Iterable[Series]) -> list[Series]:
    series = sorted(found, key=lambda each: each.number)
    for each in series:
        each.instances.sort(key=lambda shown: shown.number)
    return series
