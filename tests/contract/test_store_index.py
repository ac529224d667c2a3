"""What every `dicomweb.ports.InstanceStore` does. One adapter so far: SQLite."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from daemon.errors import StoreUnavailable
from daemon.records import Receipt, State
from daemon.store.rows import StoreKind
from daemon.store.sqlite import search as sqlite_search
from daemon.store.stores import Stores
from dicomweb import qido
from dicomweb.attributes import MATCHABLE, SORTABLE
from dicomweb.errors import StoreAway
from dicomweb.ports import Query, Resource
from tests.store_samples import CT_IMAGE_STORAGE, ORIGIN, make_instance, raw, receive, store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.store.ports import Session
    from dicomweb.ports import Level

MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"


@pytest.fixture(params=["sqlite"])
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state")
    yield opened
    await opened.close()


async def fill(stores: Stores) -> None:
    """Three patients, one with two series of two instances each."""
    for series, modality in (("1.1.1", "CT"), ("1.1.2", "SR")):
        for number in (1, 2):
            instance = make_instance(
                number,
                study="1.1",
                series=series,
                Modality=modality,
                PatientName="doe^jane",
                PatientID="P-1",
                StudyDescription="CHEST ROUTINE",
            )
            await store(stores, instance)
    await store(
        stores,
        make_instance(
            study="1.2",
            series="1.2.1",
            PatientName="doering^john=山田^太郎",
            PatientID="P-2",
            StudyDate="20230101",
            StudyTime="090000.5",
            Modality="MR",
            SOPClassUID=MR_IMAGE_STORAGE,
            AccessionNumber="A[1]",
        ),
    )
    await store(
        stores,
        make_instance(
            study="1.3",
            series="1.3.1",
            PatientName="muller^hans peter",
            PatientID="P-30",
            StudyDate="",
            StudyTime="",
            Modality="CR",
            keys={"RequestAttributesSequence.ScheduledProcedureStepID": "S1\\S2"},
        ),
    )


async def found(
    stores: Stores, level: Level = "study", *, fuzzy: bool = False, **matches: str | list[str]
) -> list[str]:
    """Return the UIDs of that level that a search finds, in its order."""
    lists = {
        keyword.replace("__", "."): [value] if isinstance(value, str) else value
        for keyword, value in matches.items()
    }
    results = await stores.source.search(
        Query(level, lists, None, fuzzy=fuzzy, limit=100, offset=0)
    )
    tag = {"study": "0020000D", "series": "0020000E", "instance": "00080018"}[level]
    return [orjson.loads(match.defaults)[tag]["Value"][0] for match in results]


@pytest.mark.parametrize(
    ("matches", "studies"),
    [
        ({}, ["1.1", "1.2", "1.3"]),
        ({"PatientID": "P-1"}, ["1.1"]),
        ({"PatientID": "p-1"}, []),
        ({"PatientID": ""}, ["1.1", "1.2", "1.3"]),
        ({"PatientID": "*"}, ["1.1", "1.2", "1.3"]),
        ({"PatientID": "P-?"}, ["1.1", "1.2"]),
        ({"PatientID": "P-3*"}, ["1.3"]),
        ({"PatientID": "*3*"}, ["1.3"]),
        ({"PatientName": "DOE^JANE"}, ["1.1"]),
        ({"PatientName": "Doe^Jane^^^"}, ["1.1"]),
        ({"PatientName": "Doe"}, []),
        ({"PatientName": "do*"}, ["1.1", "1.2"]),
        ({"PatientName": "*jane"}, ["1.1"]),
        ({"PatientName": "山田*"}, ["1.2"]),
        ({"PatientName": "Müller*"}, ["1.3"]),
        ({"PatientName": "Doering^John=山田^太郎"}, ["1.2"]),
        ({"PatientName": "do*=山田*"}, ["1.2"]),
        ({"PatientName": "=山田^太郎"}, ["1.2"]),
        ({"PatientName": "*=山田^太郎=*"}, ["1.2"]),
        ({"PatientName": "Doe^Jane=山田^太郎"}, []),
        ({"PatientName": "*=*"}, ["1.1", "1.2", "1.3"]),
        ({"PatientName": ["doe^jane", "doering^john=山田^太郎"]}, ["1.1", "1.2"]),
        ({"AccessionNumber": "A[1]"}, ["1.2"]),
        ({"AccessionNumber": "A[*"}, ["1.2"]),
        ({"AccessionNumber": "[A]*"}, []),
        ({"StudyDescription": "*ROUTINE"}, ["1.1"]),
        ({"StudyDate": "20240229"}, ["1.1"]),
        ({"StudyDate": "20230101-20240229"}, ["1.1", "1.2"]),
        ({"StudyDate": "20240101-"}, ["1.1"]),
        ({"StudyDate": "-20231231"}, ["1.2"]),
        ({"StudyTime": "1015"}, ["1.1"]),
        ({"StudyTime": "09-10"}, ["1.1", "1.2"]),
        ({"StudyTime": "090000.5"}, ["1.2"]),
        ({"StudyTime": "090001-"}, ["1.1"]),
        ({"StudyDate": "20230101-20240229", "StudyTime": "0900-1000"}, ["1.2"]),
        ({"StudyDate": "20230101-20240301", "StudyTime": "0930-0900"}, ["1.1"]),
        ({"StudyDate": "20230101-20240229", "StudyTime": "0900-1016"}, ["1.1", "1.2"]),
        ({"StudyDate": "20230101-", "StudyTime": "0901-"}, ["1.1"]),
        ({"StudyDate": "-20240229", "StudyTime": "-1015"}, ["1.1", "1.2"]),
        ({"StudyDate": "-20240229", "StudyTime": "-101529"}, ["1.2"]),
        ({"StudyDate": "20230101-20240229", "StudyTime": "10-"}, ["1.1"]),
        ({"StudyDate": "20240229", "StudyTime": "0900-1016"}, ["1.1"]),
        ({"StudyDate": "20240229", "StudyTime": "0900-1000"}, []),
        ({"ModalitiesInStudy": "SR"}, ["1.1"]),
        ({"ModalitiesInStudy": ["MR", "CR"]}, ["1.2", "1.3"]),
        ({"ModalitiesInStudy": "?R"}, ["1.1", "1.2", "1.3"]),
        ({"StudyInstanceUID": "1.2"}, ["1.2"]),
        ({"StudyInstanceUID": ["1.3", "1.1", "9"]}, ["1.1", "1.3"]),
        ({"PatientID": "P-1", "ModalitiesInStudy": "MR"}, []),
        ({"PatientID": "P-1", "StudyDate": "20240229", "PatientName": "doe*"}, ["1.1"]),
        ({"PatientID": "' OR 1=1 --"}, []),
    ],
)
async def test_studies_match(stores: Stores, matches: dict[str, Any], studies: list[str]) -> None:
    await fill(stores)
    assert sorted(await found(stores, **matches)) == studies


@pytest.mark.parametrize(
    ("name", "studies"),
    [
        ("jane doe", ["1.1"]),
        ("DOE", ["1.1", "1.2"]),
        ("ja", ["1.1"]),
        ("ane", []),
        ("peter muller", ["1.3"]),
        ("太郎", ["1.2"]),
        ("Müll", ["1.3"]),
        ("jane john", []),
    ],
)
async def test_a_fuzzy_name_matches_the_beginnings_of_words(
    stores: Stores, name: str, studies: list[str]
) -> None:
    await fill(stores)
    assert sorted(await found(stores, fuzzy=True, PatientName=name)) == studies


@pytest.mark.parametrize(
    ("matches", "series"),
    [
        ({}, ["1.1.1", "1.1.2", "1.2.1", "1.3.1"]),
        ({"Modality": "SR"}, ["1.1.2"]),
        ({"Modality": ["SR", "MR"]}, ["1.1.2", "1.2.1"]),
        ({"PatientID": "P-1"}, ["1.1.1", "1.1.2"]),
        ({"PatientID": "P-1", "Modality": "CT"}, ["1.1.1"]),
        ({"SeriesInstanceUID": "1.2.1"}, ["1.2.1"]),
        ({"RequestAttributesSequence__ScheduledProcedureStepID": "S2"}, ["1.3.1"]),
        ({"RequestAttributesSequence__ScheduledProcedureStepID": "S"}, []),
    ],
)
async def test_series_match(stores: Stores, matches: dict[str, Any], series: list[str]) -> None:
    await fill(stores)
    assert sorted(await found(stores, "series", **matches)) == series


@pytest.mark.parametrize(
    ("matches", "instances"),
    [
        ({"PatientName": "doe^jane"}, ["1.1.1.1", "1.1.1.2", "1.1.2.1", "1.1.2.2"]),
        ({"PatientName": "doe^jane", "InstanceNumber": "2"}, ["1.1.1.2", "1.1.2.2"]),
        ({"InstanceNumber": "02"}, ["1.1.1.2", "1.1.2.2"]),
        ({"SOPClassUID": MR_IMAGE_STORAGE}, ["1.2.1.1"]),
        ({"SOPInstanceUID": "1.1.1.2", "Modality": "CT"}, ["1.1.1.2"]),
        ({"SOPInstanceUID": "1.1.1.2", "Modality": "MR"}, []),
        ({"SOPClassUID": CT_IMAGE_STORAGE, "ModalitiesInStudy": "CR"}, ["1.3.1.1"]),
    ],
)
async def test_instances_match(
    stores: Stores, matches: dict[str, Any], instances: list[str]
) -> None:
    await fill(stores)
    assert await found(stores, "instance", **matches) == instances


@pytest.mark.parametrize(
    ("level", "matches", "expected"),
    [
        ("study", {"SeriesInstanceUID": "1.1.2"}, ["1.1"]),
        ("study", {"SOPInstanceUID": "1.1.1.2"}, ["1.1"]),
        ("study", {"Modality": "CT", "SOPInstanceUID": "1.2.1.1"}, []),
        ("study", {"SOPClassUID": MR_IMAGE_STORAGE}, ["1.2"]),
        ("study", {"InstanceNumber": "99"}, []),
        ("series", {"SOPInstanceUID": "1.1.1.2"}, ["1.1.1"]),
        ("series", {"SOPClassUID": MR_IMAGE_STORAGE, "PatientName": "nobody*"}, []),
    ],
)
async def test_a_lower_level_is_matched_by_what_is_below(
    stores: Stores, level: Level, matches: dict[str, Any], expected: list[str]
) -> None:
    await fill(stores)
    assert await found(stores, level, **matches) == expected


@pytest.mark.parametrize("level", ["study", "series", "instance"])
async def test_every_searchable_keyword_can_be_searched(stores: Stores, level: Level) -> None:
    await fill(stores)
    for keyword in MATCHABLE:
        for value in ("1", "a*", "1-2"):
            for fuzzy in (False, True):
                query = Query(level, {keyword: [value]}, None, fuzzy, limit=5, offset=0)
                await stores.source.search(query)


async def test_an_unknown_keyword_is_a_mistake_of_the_caller(stores: Stores) -> None:
    with pytest.raises(KeyError):
        await found(stores, PatientID__1="x")


async def test_pages_follow_one_another(stores: Stores) -> None:
    for number in range(1, 8):
        await store(stores, make_instance(number))
    pages = [
        await stores.source.search(
            Query("instance", {"PatientID": ["P-1"]}, None, fuzzy=False, limit=3, offset=offset)
        )
        for offset in (0, 3, 6, 9)
    ]
    numbers = [[orjson.loads(m.defaults)["00200013"]["Value"][0] for m in page] for page in pages]
    assert numbers == [[1, 2, 3], [4, 5, 6], [7], []]


async def test_a_search_within_a_series_finds_its_instances_only(stores: Stores) -> None:
    await fill(stores)
    query = Query("instance", {}, Resource("1.1", "1.1.2"), fuzzy=False, limit=10, offset=0)
    matches = await stores.source.search(query)
    uids = [orjson.loads(match.defaults)["00080018"]["Value"][0] for match in matches]
    assert uids == ["1.1.2.1", "1.1.2.2"]


async def test_a_search_within_a_study_that_is_not_there_finds_nothing(stores: Stores) -> None:
    await fill(stores)
    query = Query("series", {}, Resource("9.9"), fuzzy=False, limit=10, offset=0)
    assert await stores.source.search(query) == []


async def test_a_study_tells_its_counts_modalities_and_classes(stores: Stores) -> None:
    await fill(stores)
    query = Query("study", {"PatientID": ["P-1"]}, None, fuzzy=False, limit=10, offset=0)
    (match,) = await stores.source.search(query)
    defaults, attributes = orjson.loads(match.defaults), orjson.loads(match.attributes)
    assert defaults["00080061"] == {"vr": "CS", "Value": ["CT", "SR"]}
    assert defaults["00201206"] == {"vr": "IS", "Value": [2]}
    assert defaults["00201208"] == {"vr": "IS", "Value": [4]}
    assert attributes["00080062"] == {"vr": "UI", "Value": [CT_IMAGE_STORAGE]}
    assert "00081030" not in defaults
    assert attributes["00081030"]["Value"] == ["CHEST ROUTINE"]


async def test_answers_are_in_ascending_tag_order(stores: Stores) -> None:
    await fill(stores)
    for level in ("study", "series", "instance"):
        query = Query(level, {}, None, fuzzy=False, limit=10, offset=0)
        for match in await stores.source.search(query):
            for answer in (match.defaults, match.attributes):
                tags = list(orjson.loads(answer))
                assert tags == sorted(tags)


async def test_an_answer_tells_of_the_levels_that_the_path_leaves_open(stores: Stores) -> None:
    await fill(stores)
    free = Query("series", {"Modality": ["MR"]}, None, fuzzy=False, limit=1, offset=0)
    named = Query("series", {}, Resource("1.2"), fuzzy=False, limit=1, offset=0)
    (free_match,) = await stores.source.search(free)
    (named_match,) = await stores.source.search(named)
    assert "0020000D" in orjson.loads(free_match.defaults)
    assert "00100020" not in orjson.loads(named_match.defaults)
    assert orjson.loads(free_match.attributes) == orjson.loads(named_match.attributes)


async def test_attributes_are_left_out_where_nobody_looks(stores: Stores) -> None:
    await fill(stores)
    query = Query("study", {}, None, fuzzy=False, limit=9, offset=0, with_attributes=False)
    assert {match.attributes for match in await stores.source.search(query)} == {b""}


async def test_instances_tell_of_their_metadata_what_is_asked_for(stores: Stores) -> None:
    long = {"00204000": {"vr": "LT", "BulkDataURI": "studies/1.2.3/bulkdata/00204000"}}
    instance = make_instance(2, content="second")
    metadata = orjson.dumps(orjson.loads(instance.metadata) | long)
    await store(stores, make_instance(1, content="first"))
    await store(stores, replace(instance, metadata=metadata))
    await store(stores, make_instance(3, study="1.2.4", series="1.2.4.1", content="third"))
    also = frozenset({"00204000", "00091001", "00100010"})
    query = Query("instance", {}, None, fuzzy=False, limit=9, offset=0, also=also)
    told = [orjson.loads(match.attributes) for match in await stores.source.search(query)]
    assert [each.get("00204000", {}).get("Value") for each in told] == [["third"], ["first"], None]
    assert all(list(each) == sorted(each) and "00091001" not in each for each in told)
    within = replace(query, within=Resource("1.2.3", "1.2.3.1"))
    assert len(await stores.source.search(within)) == 2


async def test_a_later_instance_supplies_what_the_first_left_empty(stores: Stores) -> None:
    await store(stores, make_instance(1))
    await store(stores, make_instance(2, StudyDescription="LATER"))
    await store(stores, make_instance(3, StudyDescription="THIRD"))
    query = Query("study", {}, None, fuzzy=False, limit=9, offset=0)
    (match,) = await stores.source.search(query)
    assert orjson.loads(match.attributes)["00081030"]["Value"] == ["LATER"]


async def test_metadata_are_those_prepared_of_a_study_series_or_instance(stores: Stores) -> None:
    await fill(stores)
    assert len(await stores.source.metadata(Resource("1.1"))) == 4
    assert len(await stores.source.metadata(Resource("1.1", "1.1.2"))) == 2
    assert len(await stores.source.metadata(Resource("1.1", "1.1.2", "1.1.2.1"))) == 1
    assert await stores.source.metadata(Resource("1.1", "1.2.1")) == []
    assert await stores.source.metadata(Resource("9")) == []


async def test_files_are_located_and_can_be_read(stores: Stores) -> None:
    instance = make_instance()
    await store(stores, instance)
    (file,) = await stores.source.locate(Resource(instance.study_uid))
    assert (file.sop_instance_uid, file.series_uid) == (
        instance.sop_instance_uid,
        instance.series_uid,
    )
    assert file.path.read_bytes() == instance.metadata
    assert (file.size, file.number_of_frames) == (len(instance.metadata), 1)
    assert await stores.source.locate(Resource("9")) == []


async def test_the_stores_do_not_mix(stores: Stores) -> None:
    await fill(stores)
    assert await stores.destination.locate(Resource("1.1")) == []
    assert len(await stores.destination.locate(Resource("2.25.1.1"))) == 4


async def remove(stores: Stores, uid: str) -> None:
    def apply(session: Session) -> None:
        instance = session.instances.find(stores.source.store, uid)
        assert instance is not None
        session.instances.remove(instance)

    await stores.database.write(apply)


async def test_counts_follow_a_removal(stores: Stores) -> None:
    await fill(stores)
    await remove(stores, "1.1.2.1")
    await remove(stores, "1.1.2.2")
    query = Query("study", {"PatientID": ["P-1"]}, None, fuzzy=False, limit=10, offset=0)
    (match,) = await stores.source.search(query)
    attributes = orjson.loads(match.attributes)
    assert attributes["00080061"]["Value"] == ["CT"]
    assert attributes["00201206"]["Value"] == [1]
    assert attributes["00201208"]["Value"] == [2]


async def told(stores: Stores, level: Level, **matches: str) -> list[dict[str, Any]]:
    query = Query(
        level,
        {name: [value] for name, value in matches.items()},
        None,
        fuzzy=False,
        limit=9,
        offset=0,
    )
    return [orjson.loads(match.attributes) for match in await stores.source.search(query)]


async def test_what_only_a_removed_instance_told_is_told_no_more(stores: Stores) -> None:
    wrong = {"PatientName": "wrong^person", "PatientID": "W-1", "SeriesDescription": "WRONG"}
    await store(stores, make_instance(1, keys=wrong, StudyDescription="OF NOBODY ELSE"))
    await store(stores, make_instance(2, PatientName="right^person", PatientID="R-1"))
    await remove(stores, "1.2.3.1.1")
    (study,) = await told(stores, "study")
    assert study["00100010"]["Value"] == [{"Alphabetic": "right^person"}]
    assert study["00100020"]["Value"] == ["R-1"]
    assert study["00081030"] == {"vr": "LO"}
    (series,) = await told(stores, "series")
    assert series["0008103E"] == {"vr": "LO"}
    for key in ("PatientName", "PatientID", "SeriesDescription"):
        assert await told(stores, "instance", **{key: wrong[key]}) == []
    assert await told(stores, "study", StudyDescription="OF*") == []
    assert len(await told(stores, "study", PatientID="R-1")) == 1
    assert len(await told(stores, "study", PatientName="right*")) == 1


async def test_what_others_tell_as_well_stays_when_the_first_is_removed(stores: Stores) -> None:
    both = {"PatientName": "doe^jane", "StudyDescription": "CHEST"}
    await store(stores, make_instance(1, keys=both))
    await store(stores, make_instance(3, series="1.2.3.2", keys=both))
    await store(stores, make_instance(2, PatientName="doe^j", StudyDescription="LATER"))
    await remove(stores, "1.2.3.1.1")
    (study,) = await told(stores, "study", PatientName="doe^jane", StudyDescription="CHEST")
    assert study["00081030"]["Value"] == ["CHEST"]


async def test_what_a_series_alone_tells_stays_as_long_as_the_series(stores: Stores) -> None:
    """However many series have come after it."""
    for number in (1, 2):
        await store(stores, make_instance(number, StudyDescription="CHEST"))
    for number in range(70):
        await store(stores, make_instance(series=f"1.2.3.{number + 9}", PatientID="P-1"))
    await remove(stores, "1.2.3.1.2")
    (study,) = await told(stores, "study", StudyDescription="CHEST")
    assert study["00081030"]["Value"] == ["CHEST"]
    await remove(stores, "1.2.3.1.1")
    assert await told(stores, "study", StudyDescription="CHEST") == []


async def test_of_a_removed_instance_that_cannot_be_read_nothing_stays(stores: Stores) -> None:
    await store(stores, make_instance(1, StudyDescription="OF NOBODY ELSE"))
    await store(stores, make_instance(2))

    def damage(session: Session) -> None:
        raw(session).execute("UPDATE metadata SET packed = x'02ff' WHERE base IS NULL")
        raw(session).execute(
            "UPDATE metadata SET packed = ?, base = NULL WHERE base IS NOT NULL",
            (b"\x00" + make_instance(2).metadata,),
        )

    await stores.database.write(damage)
    await remove(stores, "1.2.3.1.1")
    (study,) = await told(stores, "study")
    assert study["00081030"] == {"vr": "LO"}


async def test_a_study_is_found_by_what_a_later_instance_supplied(stores: Stores) -> None:
    await store(stores, make_instance(1, SeriesDescription=""))
    await store(stores, make_instance(2, StudyDescription="LATER", SeriesDescription="AXIAL"))
    assert len(await told(stores, "study", StudyDescription="LATER")) == 1
    assert len(await told(stores, "series", SeriesDescription="AX*")) == 1


@pytest.mark.parametrize("level", ["study", "series", "instance"])
@pytest.mark.parametrize(
    ("date", "time"),
    [
        ("SeriesDate", "SeriesTime"),
        ("PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime"),
        ("ContentDate", "ContentTime"),
        ("AcquisitionDate", "AcquisitionTime"),
    ],
)
async def test_ranges_of_date_and_time_are_one_range_at_every_level(
    stores: Stores, level: Level, date: str, time: str
) -> None:
    for number, (day, at) in enumerate(
        (("20240101", "120000"), ("20240102", "060000"), ("20240103", "")), start=1
    ):
        keys = {date: day, time: at}
        await store(stores, make_instance(study=f"1.{number}", series=f"1.{number}.1", keys=keys))
    asked: dict[str, Any] = {date: "20240101-20240103", time: "1100-0500"}
    assert [uid[:3] for uid in await found(stores, level, fuzzy=False, **asked)] == ["1.2", "1.1"]
    asked = {date: "20240101-20240103", time: "1300-0500"}
    assert [uid[:3] for uid in await found(stores, level, fuzzy=False, **asked)] == ["1.2"]


@pytest.mark.parametrize("level", ["study", "series", "instance"])
async def test_a_fuzzy_search_for_as_many_words_as_it_takes_is_answered(
    stores: Stores, level: Level
) -> None:
    longest = "d" * qido.MAX_WORDS
    await store(stores, make_instance(PatientName=longest, ReferringPhysicianName=longest))
    name = "^".join(longest[: number + 1] for number in range(qido.MAX_WORDS))
    names = {"PatientName": [name] * 20, "ReferringPhysicianName": [name] * 20}
    query = Query(level, names, None, fuzzy=True, limit=10, offset=0)
    assert len(await stores.source.search(query)) == 1


async def test_a_study_goes_with_its_last_instance(stores: Stores) -> None:
    await fill(stores)
    await remove(stores, "1.2.1.1")
    assert await found(stores) == ["1.3", "1.1"]
    assert await found(stores, fuzzy=True, PatientName="doering") == []
    assert await found(stores, ModalitiesInStudy="MR") == []


async def test_nothing_is_visible_before_it_is_settled(stores: Stores) -> None:
    await receive(stores)
    assert await found(stores) == []


@pytest.mark.parametrize("count", [1500])
async def test_many_candidates_and_few_give_the_same_order(stores: Stores, count: int) -> None:
    """Beyond a thousand candidates the plan changes, the answer does not."""

    def add(session: Session) -> None:
        session.receipts.insert(Receipt("r", ORIGIN, 0.0, 0))
        for number in range(count):
            instance = make_instance(
                1,
                study=f"1.{number}",
                series=f"1.{number}.1",
                PatientID="P-1" if number % 3 else "P-2",
                StudyDate=f"2024{number % 12 + 1:02}01",
            )
            session.instances.add(stores.source.store, instance, blob="b", receipt_id="r")

    await stores.database.write(add)
    by_date = await found(stores, PatientID="P-1", StudyDate="20240301-20240331")
    everything = [f"1.{n}" for n in reversed(range(count)) if n % 3 and n % 12 == 2]
    assert by_date == everything[:100]
    wide = await found(stores, PatientName="doe*", StudyDate="2024-", ModalitiesInStudy="CT")
    assert wide == [f"1.{number}" for number in reversed(range(count - 100, count))]


async def test_another_store_with_the_same_instances_changes_no_answer(stores: Stores) -> None:
    await fill(stores)
    queries = [
        Query(level, matches, within, fuzzy=fuzzy, limit=100, offset=0)
        for level in ("study", "series", "instance")
        for fuzzy in (False, True)
        for within in (None, Resource("1.1"), Resource("1.1", "1.1.2"))
        for matches in (
            {},
            {"PatientID": ["P-1"]},
            {"PatientName": ["doe*"]},
            {"ModalitiesInStudy": ["SR"]},
            {"StudyDate": ["20240101-20241231"]},
            {"StudyInstanceUID": ["1.1"]},
        )
        if within is None or level != "study"
    ]

    async def answers() -> list[Any]:
        found: list[Any] = [await stores.source.search(query) for query in queries]
        found += [await stores.source.metadata(Resource("1.1"))]
        return [*found, await stores.source.locate(Resource("1.1", "1.1.1"))]

    def copy(session: Session) -> None:
        other = session.stores.add("trial", StoreKind.DICOM, "copy")
        session.receipts.insert(Receipt("r", ORIGIN, 0.0, 0))
        for series, modality in (("1.1.1", "CT"), ("1.1.2", "SR")):
            for number in (1, 2, 3):
                instance = make_instance(number, study="1.1", series=series, Modality=modality)
                session.instances.add(other, instance, blob=f"b{series}{number}", receipt_id="r")

    before = await answers()
    assert any(before)
    await stores.database.write(copy)
    assert await answers() == before


async def ordered(
    stores: Stores, level: Level, *sort: str, study: str | None = None, limit: int = 100
) -> list[str]:
    """Return the UIDs of everything of that level, asked for in pages of two."""
    keys = tuple((key.removeprefix("-"), key.startswith("-")) for key in sort)
    within = None if study is None else Resource(study)
    tag = {"study": "0020000D", "series": "0020000E", "instance": "00080018"}[level]
    uids: list[str] = []
    for offset in range(0, limit, 2):
        page = await stores.source.search(
            Query(level, {}, within, fuzzy=False, limit=2, offset=offset, sort=keys)
        )
        uids += [orjson.loads(match.defaults)[tag]["Value"][0] for match in page]
    return uids


async def test_the_newest_study_comes_first_and_its_instances_as_they_were_stored(
    stores: Stores,
) -> None:
    for study, series, number in (
        ("1.1", "1.1.1", 1), ("1.2", "1.2.2", 1), ("1.1", "1.1.2", 1), ("1.2", "1.2.2", 2),
        ("1.3", "1.3.1", 1), ("1.2", "1.2.1", 1), ("1.1", "1.1.1", 2), ("1.2", "1.2.2", 3),
    ):  # fmt: skip
        await store(stores, make_instance(number, study=study, series=series))
    assert await ordered(stores, "study") == ["1.3", "1.2", "1.1"]
    assert await ordered(stores, "series") == ["1.3.1", "1.2.2", "1.2.1", "1.1.1", "1.1.2"]
    expected = [
        "1.3.1.1", "1.2.2.1", "1.2.2.2", "1.2.2.3", "1.2.1.1", "1.1.1.1", "1.1.1.2", "1.1.2.1",
    ]  # fmt: skip
    assert await ordered(stores, "instance") == expected
    assert await ordered(stores, "instance", study="1.2") == expected[1:5]
    assert await ordered(stores, "series", study="1.2") == ["1.2.2", "1.2.1"]
    assert sorted(await found(stores, "instance", Modality="CT")) == sorted(expected)
    assert await found(stores, "instance", Modality="CT") == expected
    assert await found(stores, "instance", InstanceNumber="2") == ["1.2.2.2", "1.1.1.2"]
    assert await found(stores, "series", SeriesNumber="*") == [
        "1.3.1", "1.2.2", "1.2.1", "1.1.1", "1.1.2",
    ]  # fmt: skip


async def test_who_pages_while_others_arrive_misses_nothing(stores: Stores) -> None:
    for number in range(6):
        await store(stores, make_instance(study=f"1.{number}", series=f"1.{number}.1"))
    seen = []
    for offset in range(0, 10, 2):
        page = await stores.source.search(
            Query("study", {}, None, fuzzy=False, limit=2, offset=offset)
        )
        seen += [orjson.loads(match.defaults)["0020000D"]["Value"][0] for match in page]
        await store(stores, make_instance(study=f"2.{offset}", series=f"2.{offset}.1"))
    assert [uid for uid in dict.fromkeys(seen) if uid < "2"] == [
        f"1.{n}" for n in reversed(range(6))
    ]


@pytest.mark.parametrize(
    ("sort", "studies"),
    [
        (["StudyDate"], ["1.2", "1.1", "1.3"]),
        (["-StudyDate"], ["1.1", "1.2", "1.3"]),
        (["PatientName"], ["1.1", "1.2", "1.3"]),
        (["-PatientName"], ["1.3", "1.2", "1.1"]),
        (["AccessionNumber"], ["1.2", "1.3", "1.1"]),
        (["PatientSex", "PatientID"], ["1.1", "1.2", "1.3"]),
    ],
)
async def test_studies_are_sorted_as_asked_and_what_has_no_value_comes_last(
    stores: Stores, sort: list[str], studies: list[str]
) -> None:
    await fill(stores)
    assert await ordered(stores, "study", *sort) == studies


async def test_instances_are_sorted_by_numbers_and_by_attributes_of_their_study(
    stores: Stores,
) -> None:
    for study, number in (("1.1", 10), ("1.1", 9), ("1.2", 2)):
        instance = make_instance(
            number, study=study, series=f"{study}.1", StudyDate=f"2024010{study[-1]}"
        )
        await store(stores, instance)
    assert await ordered(stores, "instance", "InstanceNumber") == ["1.2.1.2", "1.1.1.9", "1.1.1.10"]
    assert await ordered(stores, "instance", "StudyDate", "-InstanceNumber") == [
        "1.1.1.10", "1.1.1.9", "1.2.1.2",
    ]  # fmt: skip


@pytest.mark.parametrize("level", ["study", "series", "instance"])
async def test_everything_that_may_be_sorted_by_can_be(stores: Stores, level: Level) -> None:
    await fill(stores)
    everything = sorted(await ordered(stores, level))
    for keyword in SORTABLE[level]:
        for sign in ("", "-"):
            assert sorted(await ordered(stores, level, sign + keyword)) == everything


@pytest.mark.parametrize("level", ["study", "series", "instance"])
@pytest.mark.parametrize("matches", [{}, {"IssuerOfPatientID": ["x*"]}])
async def test_a_walk_sorts_no_more_than_a_study_at_a_time(
    stores: Stores, level: Level, matches: dict[str, list[str]]
) -> None:
    def plan(session: Session) -> list[str]:
        statements: list[str] = []
        connection = raw(session)
        connection.set_trace_callback(statements.append)
        query = Query(level, matches, None, fuzzy=False, limit=5, offset=0)
        sqlite_search.search(connection, stores.source.store, query)
        connection.set_trace_callback(None)
        (page,) = [each for each in statements if each.startswith("WITH page")]
        return [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {page}")]

    steps = await stores.database.read(plan)
    sorting = [step for step in steps if "B-TREE" in step]
    # The first term of the order, the study, comes by itself: a page ends the walk.
    assert all("RIGHT PART" in step or "LAST" in step for step in sorting), steps


@pytest.mark.parametrize(
    ("level", "keyword", "value", "index"),
    [
        ("instance", "ContentTime", "235959", "instances_by_ContentDate"),
        ("study", "AcquisitionTime", "235959", "instances_by_AcquisitionDate"),
        ("instance", "NumberOfFrames", "12", "instances_by_NumberOfFrames"),
        ("series", "SeriesDescription", "*zzz*", "series_by_SeriesDescription"),
        ("study", "SeriesDescription", "*zzz*", "series_by_SeriesDescription"),
        ("study", "StudyDescription", "*zzz*", "studies_by_StudyDescription"),
    ],
)
async def test_what_nobody_has_is_not_looked_for_in_every_row(
    stores: Stores, level: Level, keyword: str, value: str, index: str
) -> None:
    def steps(session: Session) -> list[str]:
        statements: list[str] = []
        connection = raw(session)
        connection.set_trace_callback(statements.append)
        query = Query(level, {keyword: [value]}, None, fuzzy=False, limit=5, offset=0)
        assert sqlite_search.search(connection, stores.source.store, query) == []
        connection.set_trace_callback(None)
        plans = [connection.execute(f"EXPLAIN QUERY PLAN {each}").fetchall() for each in statements]
        return [row["detail"] for plan in plans for row in plan]

    await store(stores, make_instance())
    found = await stores.database.read(steps)
    assert any(index in step for step in found)
    assert not [step for step in found if step.startswith(("SCAN instances", "SCAN series"))]


@pytest.mark.parametrize("level", ["study", "series", "instance"])
async def test_a_time_is_found_whatever_the_date_or_without_one(
    stores: Stores, level: Level
) -> None:
    times = [("20240101", "0915"), ("20240102", "101530"), ("", "091559.5"), ("20240103", "")]
    for number, (date, time) in enumerate(times, start=1):
        instance = make_instance(
            study=f"1.{number}", series=f"1.{number}.1", ContentDate=date, ContentTime=time
        )
        await store(stores, instance)
    for asked, wanted in (("0915", [1, 3]), ("10-11", [2]), ("-", [1, 2, 3]), ("0916", [])):
        query = Query(level, {"ContentTime": [asked]}, None, fuzzy=False, limit=9, offset=0)
        found = await stores.source.search(query)
        studies = sorted(orjson.loads(each.attributes)["0020000D"]["Value"][0] for each in found)
        assert studies == [f"1.{number}" for number in wanted]


async def test_a_study_is_counted_by_the_states_of_its_receipts(stores: Stores) -> None:
    for number, state in ((1, State.STORED), (2, State.STORED), (3, State.QUARANTINED)):
        await store(stores, make_instance(number, study="1.1", series="1.1.1"), state=state)
    await store(stores, make_instance(study="1.2", series="1.2.1"))
    of = await stores.database.read(
        lambda session: [
            session.instances.states_of_study(stores.stores.source, "1.1"),
            session.instances.states_of_study(stores.stores.destination, "2.25.1.1"),
            session.instances.states_of_study(stores.stores.source, "1.3"),
        ]
    )
    assert of == [{State.STORED: 2, State.QUARANTINED: 1}, {State.STORED: 2}, {}]


async def test_a_store_that_cannot_be_read_says_so_to_both_sides(stores: Stores) -> None:
    await stores.close()
    source, resource = stores.source, Resource("1.1")
    query = Query("study", {}, None, fuzzy=False, limit=9, offset=0)
    for read in (
        source.search(query),
        source.metadata(resource),
        source.locate(resource),
        source.was_deleted(resource),
    ):
        with pytest.raises(StoreAway, match="later") as told:
            await read
        assert isinstance(told.value, StoreUnavailable)
