"""What the source store remembers of a study's and a patient's people, and what a job is told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from daemon.records import Question, State
from daemon.store import knowing, queries
from daemon.store.retention import Retention, enforce
from daemon.store.stores import Stores
from deid import patient_identity
from tests import store_samples
from tests.store_samples import make_instance, store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.store.ports import Engine, Session

NAME = ("PERSON_NAME", "Doe^Jane")
MAIDEN_NAME = ("PERSON_NAME", "Roe^Jane")
RECORD = ("MEDICAL_RECORD_NUMBER", "P-1")
JANE = "0||P-1"


@pytest.fixture
async def stores(tmp_path: Path, engine: Engine) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state", engine=engine)
    yield opened
    await opened.close()


async def known(stores: Stores, study_uid: str, patient: str = "") -> set[tuple[str, str]]:
    found = await stores.known(Question("a" * 32, study_uid, patient))
    assert not found.is_cut
    assert len(set(found.identifiers)) == len(found.identifiers)
    return set(found.identifiers)


async def everything(stores: Stores) -> int:
    """Count the rows that tell of people."""

    def count(session: Session) -> int:
        source = stores.source.store
        return sum(
            len(session.identifiers.known(source, study, patient, 1000))
            for study in ("1.2.3", "9.9")
            for patient in ("", JANE)
        )

    return await stores.database.read(count)


async def test_what_each_instance_of_a_study_tells_is_known_once(stores: Stores) -> None:
    await store(stores, replace(make_instance(1), identifiers=(NAME, RECORD)))
    await store(stores, replace(make_instance(2), identifiers=(MAIDEN_NAME, RECORD)))
    other = make_instance(1, study="9.9", series="9.9.1")
    await store(stores, replace(other, identifiers=(("ACCESSION", "A1"),)))
    assert await known(stores, "1.2.3") == {NAME, MAIDEN_NAME, RECORD}
    assert await known(stores, "9.9") == {("ACCESSION", "A1")}
    assert await known(stores, "5.5") == set()


async def test_what_one_study_tells_of_a_patient_is_known_to_his_others(stores: Stores) -> None:
    await store(stores, replace(make_instance(1), identifiers=(NAME,), patient=JANE))
    assert await known(stores, "9.9", JANE) == {NAME}
    assert await known(stores, "9.9", "0||P-2") == set()
    assert await known(stores, "9.9") == set()


async def test_it_is_known_before_any_instance_of_the_study_is_indexed(stores: Stores) -> None:
    source = stores.source.store
    await stores.database.write(
        lambda session: session.identifiers.add(source, "9.9", JANE, [NAME])
    )
    assert await known(stores, "9.9") == {NAME}
    assert await known(stores, "1.2.3", JANE) == {NAME}


async def test_it_goes_with_the_last_source_instance_of_the_study(stores: Stores) -> None:
    first = await store(
        stores, replace(make_instance(1), identifiers=(NAME,)), state=State.QUARANTINED, reason="x"
    )
    second = await store(
        stores,
        replace(make_instance(2), identifiers=(RECORD,)),
        state=State.QUARANTINED,
        reason="x",
    )
    with stores.engine.session(stores.layout) as session:
        store_samples.discard(session, stores, [first.id])
        assert await known(stores, "1.2.3") == {NAME, RECORD}
        store_samples.discard(session, stores, [second.id])
    assert await everything(stores) == 0


async def test_what_is_known_of_a_patient_goes_with_his_last_study(stores: Stores) -> None:
    await store(stores, replace(make_instance(1), identifiers=(NAME,), patient=JANE))
    other = make_instance(1, study="9.9", series="9.9.1")
    await store(stores, replace(other, identifiers=(RECORD,), patient=JANE))
    (first, _) = await stores.database.read(lambda session: session.receipts.page(0, 9))
    removed = await enforce(stores, Retention(max_total_bytes=first.receipt.size))
    assert removed == 1
    assert await known(stores, "1.2.3") == set()
    assert await known(stores, "1.2.3", JANE) == {NAME, RECORD}
    await enforce(stores, Retention(max_total_bytes=0))
    assert await everything(stores) == 0


async def test_a_destination_remembers_nobody(stores: Stores) -> None:
    receipt = await store(stores, make_instance(2))

    def add_known(session: Session) -> None:
        instance = replace(make_instance(3), identifiers=(NAME,), patient=JANE)
        session.instances.add(
            stores.destination.store, instance, blob="b" * 32, receipt_id=receipt.id
        )

    await stores.database.write(add_known)
    assert await known(stores, "1.2.3", JANE) == set()


async def test_all_of_a_study_is_told_before_anything_of_the_patient_or_it_is_said_to_be_cut(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knowing, "MOST_KNOWN", 3)
    study = [("ACCESSION", str(number)) for number in range(2)]
    of_patient = [("PERSON_NAME", str(number)) for number in range(9)]

    def add(session: Session) -> None:
        session.identifiers.add(stores.source.store, "9.9", JANE, of_patient)
        session.identifiers.add(stores.source.store, "1.2.3", "", study)

    await stores.database.write(add)
    told = await stores.known(Question("a" * 32, "1.2.3", JANE))
    assert set(study) < set(told.identifiers)
    assert (len(told.identifiers), told.is_cut) == (3, False)
    assert (await stores.known(Question("a" * 32, "9.9", ""))).is_cut


async def test_studies_of_several_patients_and_numbers_of_several_issuers_are_counted(
    stores: Stores,
) -> None:
    def identities(study: str, *named: tuple[str, str]) -> None:
        with stores.engine.session(stores.layout) as session:
            for issuer, patient_id in named:
                identity = patient_identity(issuer, patient_id, study)
                session.identifiers.add(stores.source.store, study, identity, [NAME])

    def divided(session: Session) -> tuple[int, int]:
        status = queries.status(session, stores.layout.state_dir)
        return status.divided_studies, status.shared_patient_ids

    identities("1.1", ("North", "7"), (" NORTH ", "7"))
    identities("1.2", ("", "7"))
    assert await stores.database.read(divided) == (0, 0)
    identities("1.1", ("", "7"))
    assert await stores.database.read(divided) == (1, 0)
    identities("1.3", ("S\u00fcd|2", "7"), ("S\u00fcd|2", "8"))
    assert await stores.database.read(divided) == (2, 1)


async def test_a_study_that_names_its_patient_in_some_instances_only_is_counted(
    stores: Stores,
) -> None:
    def divided(session: Session) -> tuple[int, int]:
        status = queries.status(session, stores.layout.state_dir)
        return status.divided_studies, status.shared_patient_ids

    await store(stores, replace(make_instance(1), patient=""))
    await store(stores, replace(make_instance(2), patient=""))
    await store(stores, replace(make_instance(3, study="9.9", series="9.9.1"), patient=JANE))
    assert await stores.database.read(divided) == (0, 0)
    await store(stores, replace(make_instance(4), patient=JANE))
    assert await stores.database.read(divided) == (1, 0)
    with stores.engine.session(stores.layout) as session:
        session.identifiers.forget_study(stores.source.store, "1.2.3")
    assert await stores.database.read(divided) == (0, 0)
