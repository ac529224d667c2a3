"""What becomes of received resources as they, studies and names arrive: policy, over every engine."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from daemon.pipeline.ties import CONFLICTING_TIES, CONFLICTING_VERSIONS
from daemon.records import Origin, Receiver
from daemon.resources import BY_COUNT, BY_ISSUE, Content, ReadResource, Retold, RetoldResource
from daemon.store import knowing
from daemon.store.associating import Associating, Association, Looked, job_of
from daemon.store.retention import Retention, enforce
from daemon.store.sidecar_rows import SidecarState
from daemon.store.sidecars import UNASSOCIATED, Sidecars
from daemon.store.stores import Stores
from deid.fhir.ties import Issued, Ties
from tests.store_samples import make_instance, store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.store.ports import Engine, Session
    from daemon.store.sidecar_rows import SidecarRow

DROPPED = Origin(Receiver.WATCH, peer="/in", drop_folder="f", drop_name="n")
WAIT_S = 100.0
JANE = "0||P-1"


@pytest.fixture
async def stores(tmp_path: Path, engine: Engine) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state", engine=engine)
    yield opened
    await opened.close()


def resource(
    name: str,
    *,
    uids: frozenset[str] = frozenset(),
    references: tuple[str, ...] = (),
    accession: str = "",
    identifiers: tuple[tuple[str, str], ...] = (),
    rest: bytes = b"",
    stated_ms: int = 0,
    kind: str = "Observation",
) -> ReadResource:
    issued = (Issued(accession),) if accession else ()
    ties = Ties(kind, (f"{kind}/{name}",), references, uids=uids, accessions=issued)
    content = Content(kind, b"", rest)
    return ReadResource(name, content, ties, (), identifiers, stated_ms)


def associating(stores: Stores, sole: str = "") -> Associating:
    return Associating(stores.stores, Association({}, sole, {}, WAIT_S))


async def take(stores: Stores, *resources: ReadResource, now: float = 0.0) -> None:
    sidecars = Sidecars(stores.stores)
    await stores.database.write(lambda session: sidecars.take(session, resources, DROPPED, now))


async def look(stores: Stores, sole: str = "") -> Looked:
    """Look until there is nothing more to look at, and have what is ready made."""
    looked, policy = Looked(), associating(stores, sole)

    def step(session: Session) -> Looked:
        found = policy.look(session, 1.0)
        for row in session.sidecars.due(stores.stores.fhir_source, 9.9, 100):
            Sidecars(stores.stores).settle(session, made(session, stores, row), 2.0)
        return found

    for _ in range(20):
        now = await stores.database.write(step)
        looked.redone += now.redone
        looked.told_studies |= now.told_studies
        if not now.is_more:
            return looked
    raise AssertionError("it never comes to rest")


def made(session: Session, stores: Stores, row: SidecarRow) -> Retold:
    """Return what a worker would, with what it was told in place of a resource."""
    job = job_of(session, stores.stores, row, row.wanted.split()[1:])
    told = repr((job.patient, job.known)).encode()
    outputs = tuple(
        RetoldResource(name, f"new-{row.id}", Content("Observation", b"", told))
        for name in job.deidentifiers
    )
    return Retold(row.number, row.wanted, outputs)


async def states(stores: Stores) -> dict[str, tuple[SidecarState, str]]:
    def read(session: Session) -> dict[str, tuple[SidecarState, str]]:
        source = stores.stores.fhir_source
        return {
            row.id: (row.state, row.reason)
            for state in SidecarState
            for row in session.sidecars.in_state(source, state, 100)
        }

    return await stores.database.read(read)


async def visible(stores: Stores) -> dict[str, bytes]:
    destination = stores.stores.fhir_destination
    found = await stores.database.read(lambda s: s.resources.page(destination, 0, 100))
    return {each.id: each.rest for each in found}


async def jane(stores: Stores) -> None:
    await store(stores, replace(make_instance(1), patient=JANE))


async def test_a_resource_waits_for_its_study_and_goes_with_it(stores: Stores) -> None:
    await take(stores, resource("a", uids=frozenset({"1.2.3"})), resource("b"))
    await look(stores)
    assert await states(stores) == {
        "a": (SidecarState.WAITING, ""),
        "b": (SidecarState.WAITING, ""),
    }
    await jane(stores)
    await stores.database.write(
        lambda session: associating(stores).mark_arrived(session, make_instance(1))
    )
    await look(stores)
    assert (await states(stores))["a"] == (SidecarState.DONE, "")
    assert list(await visible(stores)) == ["new-a"]


async def test_what_a_resource_tells_is_known_to_its_studies_and_they_are_made_again(
    stores: Stores,
) -> None:
    await jane(stores)
    name = ("PERSON_NAME", "Quillfeather")
    await take(stores, resource("a", uids=frozenset({"1.2.3"}), identifiers=(name,)))
    looked = await look(stores)
    assert (looked.told_studies, looked.redone) == ({"1.2.3"}, 1)
    known = await stores.database.read(
        lambda s: s.identifiers.known(stores.stores.source, "1.2.3", "", 10)
    )
    assert known == [name]
    assert b"Quillfeather" in (await visible(stores))["new-a"]
    # The same words again are no news.
    again = ("PERSON_NAME", "quillfeather")
    await take(stores, resource("b", references=("Observation/a",), identifiers=(again,)))
    assert (await look(stores)).redone == 0


async def test_a_result_follows_what_becomes_known_and_comes_to_rest(stores: Stores) -> None:
    await jane(stores)
    await take(stores, resource("a", uids=frozenset({"1.2.3"})))
    await look(stores)
    before = await visible(stores)
    told = ("PERSON_NAME", "Quillfeather")
    await take(stores, resource("b", uids=frozenset({"1.2.3"}), identifiers=(told,)))
    await look(stores)
    after = await visible(stores)
    assert b"Quillfeather" not in before["new-a"]
    assert b"Quillfeather" in after["new-a"]


async def test_two_patients_are_a_conflict_and_an_update_mends_it(stores: Stores) -> None:
    await jane(stores)
    other = make_instance(1, study="9.9", series="9.9.1", PatientID="P-2", AccessionNumber="A9")
    other_json = other.study.replace(b"}}", b'},"00080050":{"vr":"SH","Value":["A9"]}}', 1)
    await store(stores, replace(other, patient="0||P-2", study=other_json))
    await take(stores, resource("a", uids=frozenset({"1.2.3", "9.9"})))
    await look(stores)
    assert await states(stores) == {"a": (SidecarState.QUARANTINED, CONFLICTING_TIES)}
    assert await visible(stores) == {}
    await take(stores, resource("a", uids=frozenset({"9.9"}), rest=b'"x":1', stated_ms=5))
    # Neither says that it is the later one.
    await look(stores)
    assert await states(stores) == {"a": (SidecarState.QUARANTINED, CONFLICTING_VERSIONS)}


async def test_the_later_of_two_contents_counts_when_both_say_when(stores: Stores) -> None:
    await jane(stores)
    uids = frozenset({"1.2.3"})
    later = resource("a", uids=uids, rest=b'"x":2', stated_ms=9)
    earlier = resource("a", uids=uids, rest=b'"x":1', stated_ms=5)
    source = stores.stores.fhir_source
    for order in ((later, earlier), (earlier, later)):
        await take(stores, *order)
        latest = await stores.database.read(lambda s: s.resources.get(source, "Observation", "a"))
        assert latest is not None
        assert latest.rest == b'"x":2'
    await look(stores)
    assert (await states(stores))["a"] == (SidecarState.DONE, "")


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_a_later_version_decides_between_two_of_one_time_in_every_order(
    stores: Stores, order: tuple[int, ...]
) -> None:
    await jane(stores)
    uids = frozenset({"1.2.3"})
    versions = [
        resource("a", uids=uids, rest=b'"x":1', stated_ms=5),
        resource("a", uids=uids, rest=b'"x":2', stated_ms=5),
        resource("a", uids=uids, rest=b'"x":3', stated_ms=9),
    ]
    for at in order:
        await take(stores, versions[at])
    source = stores.stores.fhir_source
    latest = await stores.database.read(lambda s: s.resources.get(source, "Observation", "a"))
    assert latest is not None
    assert latest.rest == b'"x":3'
    await look(stores)
    assert await states(stores) == {"a": (SidecarState.DONE, "")}


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("stated", [BY_ISSUE + 9, BY_COUNT + 9, 0])
async def test_times_of_different_kinds_decide_nothing(
    stores: Stores, stated: int, *, is_first: bool
) -> None:
    uids = frozenset({"1.2.3"})
    one = resource("a", uids=uids, rest=b'"x":1', stated_ms=5)
    other = resource("a", uids=uids, rest=b'"x":2', stated_ms=stated)
    await take(stores, *((one, other) if is_first else (other, one)))
    assert await states(stores) == {"a": (SidecarState.QUARANTINED, CONFLICTING_VERSIONS)}


@pytest.mark.parametrize("is_first", [True, False])
async def test_what_tells_of_another_study_is_no_later_version(
    stores: Stores, *, is_first: bool
) -> None:
    one = resource("a", uids=frozenset({"1.2.3"}), rest=b'"x":1', stated_ms=5)
    other = resource("a", uids=frozenset({"9.9"}), rest=b'"x":2', stated_ms=9)
    await take(stores, *((one, other) if is_first else (other, one)))
    assert await states(stores) == {"a": (SidecarState.QUARANTINED, CONFLICTING_VERSIONS)}


async def test_the_same_content_with_a_time_gives_it_that_time(stores: Stores) -> None:
    uids = frozenset({"1.2.3"})
    await take(stores, resource("a", uids=uids, rest=b'"x":1'))
    await take(stores, resource("a", uids=uids, rest=b'"x":1', stated_ms=5))
    await take(stores, resource("a", uids=uids, rest=b'"x":2', stated_ms=9))
    assert await states(stores) == {"a": (SidecarState.WAITING, "")}


async def test_the_same_content_again_is_nothing_new(stores: Stores) -> None:
    await jane(stores)
    one = resource("a", uids=frozenset({"1.2.3"}), rest=b'"x":1')
    await take(stores, one, one)
    await look(stores)
    await take(stores, one)
    source = stores.stores.fhir_source
    latest = await stores.database.read(lambda s: s.resources.get(source, "Observation", "a"))
    assert latest is not None
    assert latest.version == 1
    assert await states(stores) == {"a": (SidecarState.DONE, "")}


async def test_what_belongs_to_nobody_is_given_up_and_taken_up_when_its_study_comes(
    stores: Stores,
) -> None:
    await take(stores, resource("a", uids=frozenset({"1.2.3"})), now=0.0)
    await look(stores)
    policy = associating(stores)
    assert await stores.database.write(lambda s: policy.give_up(s, WAIT_S)) == 0
    assert await stores.database.write(lambda s: policy.give_up(s, WAIT_S + 1)) == 1
    assert await states(stores) == {"a": (SidecarState.QUARANTINED, UNASSOCIATED)}
    await jane(stores)
    await stores.database.write(lambda s: policy.mark_arrived(s, make_instance(1)))
    await look(stores)
    assert await states(stores) == {"a": (SidecarState.DONE, "")}


async def test_a_resource_without_an_id_has_one_by_its_content(stores: Stores) -> None:
    await take(stores, resource("", rest=b'"x":1'), resource("", rest=b'"x":2'))
    await take(stores, resource("", rest=b'"x":1'))
    found = await states(stores)
    assert len(found) == 2
    assert all(len(name) == 40 for name in found)


async def test_what_is_deleted_takes_its_result_with_it(stores: Stores) -> None:
    await jane(stores)
    await take(stores, resource("a", uids=frozenset({"1.2.3"})))
    await look(stores)
    source = stores.stores.fhir_source

    def delete(session: Session) -> None:
        deleted = session.resources.delete(source, "Observation", "a", now_ms=9)
        assert deleted is not None
        Sidecars(stores.stores).forget(session, deleted.number)

    await stores.database.write(delete)
    assert await visible(stores) == {}
    assert await states(stores) == {}


async def test_a_result_outlives_the_originals_of_its_study(stores: Stores) -> None:
    await jane(stores)
    await take(stores, resource("a", uids=frozenset({"1.2.3"})))
    await look(stores)
    before = await visible(stores)
    assert await enforce(stores, Retention(max_age_s=0.0), now=1e12) == 1
    await stores.database.write(lambda s: s.sidecars.mark_all(stores.stores.fhir_source))
    await look(stores)
    assert await visible(stores) == before
    assert await states(stores) == {"a": (SidecarState.DONE, "")}


async def test_an_answer_to_what_was_asked_before_is_not_shown(stores: Stores) -> None:
    await jane(stores)
    await take(stores, resource("a", uids=frozenset({"1.2.3"})))
    source, policy = stores.stores.fhir_source, associating(stores)
    await stores.database.write(lambda s: policy.look(s, 1.0))
    (row,) = await stores.database.read(lambda s: s.sidecars.due(source, 9.9, 10))
    stale = Retold(row.number, "something else", reason="malformed")
    await stores.database.write(lambda s: Sidecars(stores.stores).settle(s, stale, 2.0))
    assert await states(stores) == {"a": (SidecarState.READY, "")}
    refusal = Retold(row.number, row.wanted, reason="malformed", where="Observation.code")
    await stores.database.write(lambda s: Sidecars(stores.stores).settle(s, refusal, 2.0))
    assert await states(stores) == {"a": (SidecarState.QUARANTINED, "malformed")}
    await stores.database.write(lambda s: s.sidecars.mark_all(source))
    await stores.database.write(lambda s: policy.look(s, 3.0))
    assert await states(stores) == {"a": (SidecarState.QUARANTINED, "malformed")}


async def test_instances_of_a_study_are_what_is_made_again_and_nothing_else(
    stores: Stores,
) -> None:
    await jane(stores)
    await store(stores, make_instance(1, study="9.9", series="9.9.1", PatientID="P-2"))
    told = ("PERSON_NAME", "Quillfeather")
    await take(stores, resource("a", uids=frozenset({"1.2.3"}), identifiers=(told,)))
    await look(stores)

    def waiting(session: Session) -> list[str]:
        return [each.reason for each in session.receipts.waiting()]

    assert await stores.database.read(waiting) == ["re_examine"]


async def test_those_who_share_something_are_not_looked_at_with_it(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.store.associating._AT_ONCE", 1)
    await jane(stores)
    house = resource("house", kind="Organization")
    tied = resource("tied", uids=frozenset({"1.2.3"}), references=("Organization/house",))
    loose = [resource(f"loose{at}", references=("Organization/house",)) for at in range(3)]
    await take(stores, house, tied, *loose)
    policy, source = associating(stores), stores.stores.fhir_source
    looks = 0
    while (await stores.database.write(lambda s: policy.look(s, 1.0))).is_more:
        looks += 1
        assert len(await stores.database.read(lambda s: s.sidecars.marked(source, 9))) == 5 - looks

    def studies(session: Session) -> dict[str, tuple[str, ...]]:
        rows = [session.sidecars.get(source, number) for number in numbers(session)]
        return {row.id: row.studies for row in rows if row is not None}

    def numbers(session: Session) -> list[int]:
        return [each.number for each in session.resources.page(source, 0, 9)]

    expected = {"house": ("1.2.3",), "tied": ("1.2.3",)} | {f"loose{at}": () for at in range(3)}
    assert await stores.database.read(studies) == expected
    # It loses a study with the last of those who brought it, and keeps it while it is looked at alone.
    await stores.database.write(lambda s: s.sidecars.mark(numbers(s)[:1]))
    await look(stores)
    assert await stores.database.read(studies) == expected
    await take(stores, replace(tied, ties=loose[0].ties, stated_ms=9))
    await look(stores)
    assert await stores.database.read(studies) == dict.fromkeys(expected, ())


async def test_a_resource_is_not_made_with_a_part_of_what_is_known_of_its_study(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knowing, "MOST_KNOWN", 3)
    await store(stores, make_instance(2))
    names = tuple(("PERSON_NAME", f"Name{number}") for number in range(4))
    told = resource("a", uids=frozenset({"1.2.3"}), identifiers=names[:2])
    await take(stores, told)
    await look(stores)
    assert await states(stores) == {"a": (SidecarState.DONE, "")}
    await stores.database.write(
        lambda session: session.identifiers.add(stores.stores.source, "1.2.3", "", names)
    )
    await take(stores, resource("b", uids=frozenset({"1.2.3"})))
    await look(stores)
    assert (await states(stores))["b"] == (SidecarState.QUARANTINED, "too_many_identifiers")
