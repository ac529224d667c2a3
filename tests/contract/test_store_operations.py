"""Datasets, stores that come and go, and operations. Every engine answers alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.resources import Content, Method
from daemon.store.operation_rows import Dataset, Failure
from daemon.store.rows import Role, StoreKind
from daemon.store.stores import Stores

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path
    from typing import Any

    from daemon.store.ports import Engine

DATASET = "projects/p/locations/l/datasets/d"


@pytest.fixture
async def stores(tmp_path: Path, engine: Engine) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state", engine=engine)
    yield opened
    await opened.close()


async def done(stores: Stores, work: Callable[[Any], Any]) -> Any:
    return await stores.database.write(work)


async def test_the_configured_stores_have_a_dataset(stores: Stores) -> None:
    assert await done(stores, lambda session: session.datasets.all()) == [Dataset("default", "{}")]


async def test_a_dataset_is_written_read_and_forgotten(stores: Stores) -> None:
    row = Dataset(DATASET, '{"timeZone": "UTC"}')
    await done(stores, lambda session: session.datasets.put(Dataset(DATASET, "{}")))
    await done(stores, lambda session: session.datasets.put(row))
    assert await done(stores, lambda session: session.datasets.get(DATASET)) == row
    await done(stores, lambda session: session.datasets.remove(DATASET))
    assert await done(stores, lambda session: session.datasets.get(DATASET)) is None


async def test_a_store_is_found_by_dataset_kind_and_name(stores: Stores) -> None:
    dicom = await done(stores, lambda s: s.stores.add(DATASET, StoreKind.DICOM, "b"))
    await done(stores, lambda s: s.stores.add(DATASET, StoreKind.DICOM, "a"))
    fhir = await done(stores, lambda s: s.stores.add(DATASET, StoreKind.FHIR, "b"))
    assert dicom.role is Role.NONE
    assert await done(stores, lambda s: s.stores.find(DATASET, StoreKind.DICOM, "b")) == dicom
    assert await done(stores, lambda s: s.stores.find(DATASET, StoreKind.FHIR, "b")) == fhir
    assert await done(stores, lambda s: s.stores.find("other", StoreKind.FHIR, "b")) is None
    listed = await done(stores, lambda s: s.stores.of_dataset(DATASET, StoreKind.DICOM))
    assert [each.name for each in listed] == ["a", "b"]


async def test_an_outcome_is_kept_under_its_result_until_the_store_goes(stores: Stores) -> None:
    one = await done(stores, lambda s: s.stores.add(DATASET, StoreKind.DICOM, "one"))
    other = await done(stores, lambda s: s.stores.add(DATASET, StoreKind.DICOM, "other"))
    await done(stores, lambda s: s.operations.set_outcome(one, "1.2", b'{"regions": []}'))
    await done(stores, lambda s: s.operations.set_outcome(one, "1.2", b'{"regions": [1]}'))
    await done(stores, lambda s: s.operations.set_outcome(other, "1.2", b"{}"))
    told = await done(stores, lambda s: s.operations.outcome(one, "1.2"))
    assert told == b'{"regions": [1]}'
    assert await done(stores, lambda s: s.operations.outcome(one, "1.3")) == b""
    await done(stores, lambda s: s.stores.remove(one))
    assert await done(stores, lambda s: s.operations.outcome(one, "1.2")) == b""
    assert await done(stores, lambda s: s.operations.outcome(other, "1.2")) == b"{}"


async def test_what_an_owner_says_of_a_store_is_kept(stores: Stores) -> None:
    store = await done(stores, lambda s: s.stores.add(DATASET, StoreKind.DICOM, "s"))
    assert await done(stores, lambda s: s.stores.settings(store)) == "{}"
    await done(stores, lambda s: s.stores.set_settings(store, '{"labels": {"a": "b"}}'))
    assert await done(stores, lambda s: s.stores.settings(store)) == '{"labels": {"a": "b"}}'


async def test_a_store_that_is_removed_leaves_neither_rows_nor_its_number(stores: Stores) -> None:
    store = await done(stores, lambda s: s.stores.add(DATASET, StoreKind.FHIR, "s"))
    await done(
        stores,
        lambda s: s.resources.add_version(
            store, "1", Content("Patient", b"", b""), method=Method.CREATE, now_ms=1
        ),
    )
    await done(stores, lambda s: s.stores.remove(store))
    assert await done(stores, lambda s: s.resources.get(store, "Patient", "1")) is None
    assert await done(stores, lambda s: s.stores.find(DATASET, StoreKind.FHIR, "s")) is None
    again = await done(stores, lambda s: s.stores.add(DATASET, StoreKind.FHIR, "s"))
    assert again.id > store.id
    assert again.folder != store.folder


# -- operations --


def begun(session: Any, dataset: str = DATASET, at: float = 5.0) -> Any:
    return session.operations.add(dataset, "v1", "m", created_at=at, work="{}", pending=3)


async def test_a_new_operation_runs_and_has_done_nothing(stores: Stores) -> None:
    made = await done(stores, begun)
    assert (made.ended_at, made.is_cancelled, made.step, made.after) == (0, False, 0, 0)
    assert (made.pending, made.success, made.failure, made.error_code) == (3, 0, 0, 0)
    assert await done(stores, lambda s: s.operations.get(made.id)) == made
    assert await done(stores, lambda s: s.operations.running()) == [made]


async def test_how_far_an_operation_is_changes_in_place(stores: Stores) -> None:
    made = await done(stores, begun)
    changes = {"step": 1, "after": 1 << 41, "pending": 1, "success": 2, "is_cancelled": True}
    await done(stores, lambda s: s.operations.change(made.id, **changes))
    found = await done(stores, lambda s: s.operations.get(made.id))
    assert (found.step, found.after, found.success) == (1, 1 << 41, 2)
    assert found.is_cancelled is True
    await done(stores, lambda s: s.operations.change(made.id, ended_at=9.0))
    assert await done(stores, lambda s: s.operations.running()) == []


async def test_operations_of_a_dataset_come_newest_first_in_pages(stores: Stores) -> None:
    numbers = [(await done(stores, begun)).id for _ in range(4)]
    other = (await done(stores, lambda s: begun(s, "other"))).id

    def page(dataset: str | None, before: int) -> Callable[[Any], list[int]]:
        return lambda s: [each.id for each in s.operations.page(dataset, before, 2)]

    assert await done(stores, page(DATASET, 1 << 60)) == numbers[:-3:-1]
    assert await done(stores, page(DATASET, numbers[2])) == [numbers[1], numbers[0]]
    assert await done(stores, page(None, 1 << 60)) == [other, numbers[3]]


async def test_what_changed_is_noted_once_until_it_is_settled(stores: Stores) -> None:
    first = await done(
        stores, lambda s: s.operations.add(DATASET, "v1", "m", created_at=1, work="{}", pending=0)
    )
    second = await done(
        stores, lambda s: s.operations.add(DATASET, "v1", "m", created_at=1, work="{}", pending=0)
    )
    await done(stores, lambda s: s.operations.add_changed(first.id, [9, 5]))
    await done(stores, lambda s: s.operations.add_changed(first.id, [5, 1 << 41]))
    await done(stores, lambda s: s.operations.add_changed(second.id, [7]))
    assert await done(stores, lambda s: s.operations.changed(first.id, 2)) == [5, 9]
    await done(stores, lambda s: s.operations.settle_changed(first.id, [5, 7]))
    assert await done(stores, lambda s: s.operations.changed(first.id, 9)) == [9, 1 << 41]
    assert await done(stores, lambda s: s.operations.changed(second.id, 9)) == [7]


async def test_each_failure_is_kept_once(stores: Stores) -> None:
    made = await done(stores, begun)
    first, second = Failure(7, 1, "truncated", ""), Failure(7, 2, "conflict", "x")
    await done(stores, lambda s: s.operations.add_failures(made.id, [second]))
    await done(stores, lambda s: s.operations.add_failures(made.id, [first, second]))
    assert await done(stores, lambda s: s.operations.failures(made.id, 10)) == [first, second]
    assert await done(stores, lambda s: s.operations.failures(made.id, 1)) == [first]
    place = (first.store_id, first.number)
    assert await done(stores, lambda s: s.operations.failures(made.id, 10, place)) == [second]
    assert await done(stores, lambda s: s.operations.failures(made.id + 1, 10)) == []


async def test_what_ended_long_ago_is_forgotten_and_no_number_comes_twice(stores: Stores) -> None:
    old, young, running = [await done(stores, begun) for _ in range(3)]
    await done(stores, lambda s: s.operations.change(old.id, ended_at=10.0))
    await done(stores, lambda s: s.operations.change(young.id, ended_at=20.0))
    await done(stores, lambda s: s.operations.add_failures(old.id, [Failure(7, 1, "x", "")]))
    assert await done(stores, lambda s: s.operations.forget_ended_before(15.0)) == 1
    assert await done(stores, lambda s: s.operations.get(old.id)) is None
    assert await done(stores, lambda s: s.operations.failures(old.id, 10)) == []
    assert await done(stores, lambda s: s.operations.get(young.id)) is not None
    assert await done(stores, lambda s: s.operations.get(running.id)) is not None
    await done(stores, lambda s: s.operations.change(running.id, ended_at=11.0))
    assert await done(stores, lambda s: s.operations.forget_ended_before(30.0)) == 2
    assert (await done(stores, begun)).id > running.id
