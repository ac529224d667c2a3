"""Rows of received resources on their way, and of the studies they belong to. Every engine answers alike."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from daemon.records import Origin, Receiver
from daemon.resources import Content, Method
from daemon.store.sidecar_rows import KeyKind, Made, SidecarRow, SidecarState
from daemon.store.stores import Stores
from deid.fhir.ties import Issued, Ties
from tests.store_samples import file_of, make_instance, receive, settle, store, work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.store.ports import Engine, Session

TIES = Ties(
    "ServiceRequest",
    ("ServiceRequest/1", "urn:uuid:1"),
    ("Patient/1",),
    (("Patient", "urn:h", "P-1"),),
    ("Patient/1",),
    frozenset({"1.2.3", "1.2.3.4"}),
    (Issued("A1", "urn:ris", "RIS"),),
    (Issued("O1"),),
    (Issued("P-1", "urn:h"),),
    "1970-02-03",
    ("Mole", "Badger"),
)


@pytest.fixture
async def stores(tmp_path: Path, engine: Engine) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state", engine=engine)
    yield opened
    await opened.close()


async def put(stores: Stores, name: str = "1", **more: object) -> SidecarRow:
    source = stores.stores.fhir_source

    def apply(session: Session) -> SidecarRow:
        content = Content("ServiceRequest", b"", b"")
        version = session.resources.add_version(
            source, name, content, method=Method.CREATE, now_ms=1
        )
        row = SidecarRow(
            version.number, "ServiceRequest", name, version.version, 7.0, "f", "n", 5, TIES
        )
        row = replace(row, **more)  # type: ignore[arg-type]
        session.sidecars.put(source, row)
        return row

    return await stores.database.write(apply)


async def test_a_row_comes_back_as_it_went_in(stores: Stores) -> None:
    row = await put(
        stores,
        identifiers=(("PERSON_NAME", "Mole"),),
        state=SidecarState.DONE,
        reason="r",
        where="w",
        studies=("1.2",),
        patient="p",
        wanted="x",
        made_of="y",
        made=(Made("default", "Patient", "q"),),
        kills=2,
    )
    source = stores.stores.fhir_source
    assert await stores.database.read(lambda s: s.sidecars.get(source, row.number)) == row
    assert await stores.database.read(lambda s: s.sidecars.get(source, row.number + 1)) is None


async def test_a_row_is_found_by_everything_that_ties_it(stores: Stores) -> None:
    row = await put(stores)
    source = stores.stores.fhir_source
    await stores.database.write(lambda s: s.sidecars.tie(source, row.number, ["1.2.3"]))

    def found(session: Session) -> list[bool]:
        return [
            session.sidecars.having(source, kind, value) == [row.number]
            for kind, value in (
                (KeyKind.UID, "1.2.3.4"),
                (KeyKind.ACCESSION, "A1"),
                (KeyKind.PATIENT, "P-1"),
                (KeyKind.ADDRESS, "urn:uuid:1"),
                (KeyKind.REFERENCE, "Patient/1"),
                (KeyKind.IDENTIFIER, "ServiceRequest|O1"),
                (KeyKind.SEARCH, "Patient|P-1"),
                (KeyKind.STUDY, "1.2.3"),
                (KeyKind.UID, "9.9"),
            )
        ]

    assert await stores.database.read(found) == [True] * 8 + [False]
    of = KeyKind.ACCESSION
    for accession, studies in (("A1", ["1.2.3"]), ("A2", [])):
        assert studies == await stores.database.read(
            lambda s, accession=accession: s.sidecars.studies_of_those_having(source, of, accession)  # type: ignore[misc]
        )
    await stores.database.write(
        lambda s: s.sidecars.put(source, replace(row, ties=Ties("Patient")))
    )
    assert await stores.database.read(found) == [False] * 7 + [True, False]
    await stores.database.write(lambda s: s.sidecars.remove(row.number))
    assert await stores.database.read(found) == [False] * 9
    assert await stores.database.read(lambda s: s.sidecars.is_empty(source))


async def test_what_was_done_is_kept_until_it_is_done_otherwise_or_undone(stores: Stores) -> None:
    row = await put(stores)

    async def outcome() -> bytes:
        return await stores.database.read(lambda s: s.sidecars.outcome(row.number))

    assert await outcome() == b""

    async def keep(told: bytes) -> None:
        await stores.database.write(lambda s: s.sidecars.set_outcome(row.number, told))

    for told in (b'{"a": 1}', b'{"b": 2}', b""):
        await keep(told)
        assert await outcome() == told
    await keep(b"{}")
    await stores.database.write(lambda s: s.sidecars.remove(row.number))
    assert await outcome() == b""


async def test_rows_are_looked_at_once_they_are_marked(stores: Stores) -> None:
    first, second = await put(stores, "1"), await put(stores, "2")
    source = stores.stores.fhir_source

    async def marked() -> list[int]:
        return await stores.database.read(lambda s: s.sidecars.marked(source, 10))

    assert await marked() == [first.number, second.number]
    await stores.database.write(lambda s: s.sidecars.unmark([first.number]))
    assert await marked() == [second.number]
    await stores.database.write(lambda s: s.sidecars.mark([first.number, first.number]))
    assert await marked() == [first.number, second.number]
    await stores.database.write(lambda s: s.sidecars.unmark([first.number, second.number]))
    assert await marked() == []
    await stores.database.write(lambda s: s.sidecars.mark_all(source))
    assert await marked() == [first.number, second.number]


async def test_what_is_due_waits_or_is_refused_is_found_by_its_state(stores: Stores) -> None:
    ready = await put(stores, "1", state=SidecarState.READY)
    later = await put(stores, "2", state=SidecarState.READY)
    waiting = await put(stores, "3")
    refused = await put(stores, "4", state=SidecarState.QUARANTINED, reason="conflict")
    source = stores.stores.fhir_source
    await stores.database.write(lambda s: s.sidecars.change(later.number, not_before=99.0, kills=1))

    def numbers(session: Session) -> list[list[int]]:
        rows = session.sidecars
        return [
            [row.number for row in found]
            for found in (
                rows.due(source, 10.0, 10),
                rows.due(source, 99.0, 10),
                rows.waiting_since(source, 7.0, 10),
                rows.waiting_since(source, 7.5, 10),
                rows.in_state(source, SidecarState.QUARANTINED, 10),
            )
        ]

    assert await stores.database.read(numbers) == [
        [ready.number],
        [ready.number, later.number],
        [],
        [waiting.number],
        [refused.number],
    ]
    counts = await stores.database.read(lambda s: s.sidecars.counts(source))
    assert counts[SidecarState.QUARANTINED, "conflict"] == 1
    assert counts[SidecarState.READY, ""] == 2


async def test_a_study_is_found_by_what_resources_call_it(stores: Stores) -> None:
    origin = Origin(Receiver.WATCH, drop_folder="f", drop_name="n")
    made = make_instance(1, AccessionNumber="A1")
    named = replace(made, patient="0||P-1")
    receipt = await receive(stores, file_of(named), origin)
    await settle(stores, [work(stores, receipt, named)])
    await store(stores, make_instance(1, study="9.9", series="9.9.1", PatientID="P-2"))
    source = stores.stores.source

    def found(session: Session) -> list[list[str]]:
        rows = session.studies
        return [
            rows.with_uid(source, "1.2.3"),
            rows.with_uid(source, made.series_uid),
            rows.with_uid(source, made.sop_instance_uid),
            rows.with_accession(source, "A1"),
            rows.with_patient_id(source, "P-1"),
            rows.of_patient(source, "0||P-1"),
            rows.with_uid(source, "5.5"),
        ]

    assert await stores.database.read(found) == [["1.2.3"]] * 6 + [[]]
    study = await stores.database.read(lambda s: s.studies.get(source, "1.2.3"))
    assert study is not None
    assert (study.patients, study.deidentifiers) == (("0||P-1",), ("default",))
    assert study.drops == (("f", "n"),)
    assert b'"0020000D"' in study.attributes
    assert await stores.database.read(lambda s: s.studies.get(source, "5.5")) is None
