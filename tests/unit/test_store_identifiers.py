"""What the source store remembers of a study's people."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from daemon.errors import StoreUnavailable
from daemon.store.identifiers import StudyIdentifiers
from daemon.store.stores import Stores
from deid import KnownIdentifier
from tests.store_samples import make_instance, raw, store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.store.ports import Session

NAME = ("PERSON_NAME", "Doe^Jane")
MAIDEN_NAME = ("PERSON_NAME", "Roe^Jane")
RECORD = ("MEDICAL_RECORD_NUMBER", "P-1")


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state")
    yield opened
    await opened.close()


def known(stores: Stores, study_uid: str) -> set[tuple[str, str]]:
    found = StudyIdentifiers(stores.layout.database).of(study_uid)
    assert all(isinstance(each, KnownIdentifier) for each in found)
    return {(each.info_type, each.value) for each in found}


async def test_what_each_instance_of_a_study_tells_is_known_once(stores: Stores) -> None:
    await store(stores, replace(make_instance(1), identifiers=(NAME, RECORD)))
    await store(stores, replace(make_instance(2), identifiers=(MAIDEN_NAME, RECORD)))
    other = make_instance(1, study="9.9", series="9.9.1")
    await store(stores, replace(other, identifiers=(("ACCESSION", "A1"),)))
    assert known(stores, "1.2.3") == {NAME, MAIDEN_NAME, RECORD}
    assert known(stores, "9.9") == {("ACCESSION", "A1")}
    assert known(stores, "5.5") == set()


async def test_it_is_forgotten_with_the_last_instance_of_the_study(stores: Stores) -> None:
    await store(stores, replace(make_instance(1), identifiers=(NAME,)))

    def forget(session: Session) -> None:
        found = session.instances.find(stores.source.store, make_instance(1).sop_instance_uid)
        assert found is not None
        session.instances.remove(found)

    await stores.database.write(forget)
    rows = await stores.database.read(
        lambda session: raw(session).execute("SELECT count(*) FROM source_identifiers").fetchone()
    )
    assert rows[0] == 0


async def test_a_destination_remembers_nobody(stores: Stores) -> None:
    receipt = await store(stores, make_instance(2))

    def add_known(session: Session) -> None:
        instance = replace(make_instance(3), identifiers=(NAME,))
        session.instances.add(stores.destination.store, instance, blob="b", receipt_id=receipt.id)

    await stores.database.write(add_known)
    assert known(stores, "1.2.3") == set()


def test_a_database_that_is_not_there_is_trouble_that_may_pass(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        StudyIdentifiers(tmp_path / "none.sqlite").of("1.2.3")
