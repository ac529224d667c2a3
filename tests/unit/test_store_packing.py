"""What the index only hands out is kept small, comes back as it was, and keeps nothing that was removed."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import orjson
import pytest

from daemon.records import State
from daemon.store.sqlite import packing
from daemon.store.stores import Stores
from dicomweb.ports import Query, Resource
from tests import store_samples
from tests.store_samples import make_instance, raw, store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.records import StoredInstance
    from daemon.store.ports import Session

DICTIONARIES = {
    "metadata-1.txt": "f6e2f4c185eaff4f1ca6f96f9442827482a859a9623597966f35bef3e3cbac4c",
    "outcome-1.txt": "b7398ea72ec5bef3a672798342b47f1d4ec82cb1fea386d25ef63afaee5d2749",
}
"""What is in use for what was packed with them: a change makes every database unreadable."""


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state")
    yield opened
    await opened.close()


def test_the_dictionaries_never_change() -> None:
    in_use = {"metadata-1.txt": packing.METADATA, "outcome-1.txt": packing.OUTCOME}
    assert {name: sha256(each).hexdigest() for name, each in in_use.items()} == DICTIONARIES


@pytest.mark.parametrize(
    "value", [b"", b"{}", b"\x00\x01", make_instance().metadata, bytes(range(256)) * 300]
)
@pytest.mark.parametrize(
    "dictionary", [b"", packing.METADATA, make_instance(2).metadata * 200], ids=len
)
def test_what_was_packed_comes_back(value: bytes, dictionary: bytes) -> None:
    packed = packing.pack(value, dictionary)
    assert packing.unpack(packed, dictionary) == value
    assert len(packed) <= len(value) + 1


def test_what_resembles_its_dictionary_takes_little_room() -> None:
    packed = packing.pack(make_instance(2).metadata, make_instance(1).metadata)
    assert len(packed) < len(make_instance(2).metadata) / 8


@pytest.mark.parametrize("damage", [lambda p: p[:-2], lambda p: b"\x07" + p[1:], lambda _: b""])
def test_what_is_damaged_is_not_handed_out(damage: object) -> None:
    packed = packing.pack(make_instance().metadata, packing.METADATA)
    with pytest.raises(ValueError, match=r"packed|cut short"):
        packing.unpack(damage(packed), packing.METADATA)  # type: ignore[operator]


async def refuse(stores: Stores, instance: StoredInstance) -> str:
    receipt = await store(stores, instance, state=State.QUARANTINED, reason="malformed")
    return receipt.id


@pytest.mark.parametrize("leaves", [0, 1, 4])
async def test_metadata_stay_whole_whichever_instance_of_their_series_goes(
    stores: Stores, leaves: int
) -> None:
    instances = [make_instance(number, content=f"slice {number}") for number in range(1, 6)]
    receipts = [await refuse(stores, instance) for instance in instances]
    with stores.engine.session(stores.layout) as session:
        store_samples.discard(session, stores, [receipts[leaves]])
    left = [each.metadata for number, each in enumerate(instances) if number != leaves]
    assert await stores.source.metadata(Resource("1.2.3")) == left


async def test_nothing_of_a_removed_instance_stays_in_what_others_are_told_from(
    stores: Stores,
) -> None:
    misfiled = make_instance(1, content="Kwurzelbaum, Ottokar")
    receipts = [await refuse(stores, misfiled), await refuse(stores, make_instance(2))]
    with stores.engine.session(stores.layout) as session:
        store_samples.discard(session, stores, receipts[:1])

    def kept(session: Session) -> list[bytes]:
        (packed, base) = raw(session).execute("SELECT packed, base FROM metadata").fetchone()
        assert base is None
        return [packing.unpack(packed, packing.METADATA)]

    (metadata,) = await stores.database.read(kept)
    assert b"Kwurzelbaum" not in metadata


async def test_all_attributes_are_answered_where_the_defaults_are_kept_apart(
    stores: Stores,
) -> None:
    instance = make_instance()
    await store(stores, instance)
    (match,) = await stores.source.search(
        Query("instance", {}, None, fuzzy=False, limit=9, offset=0)
    )
    attributes = orjson.loads(match.attributes)
    assert orjson.loads(instance.instance).items() <= attributes.items()
    assert list(attributes) == sorted(attributes)


def test_what_is_remembered_is_what_was_packed_and_bounded() -> None:
    remembered = packing.Remembered(10_000)
    values = [b'{"%d":1}' % number * 300 for number in range(40)]
    packed = [packing.pack(value, packing.METADATA) for value in values]
    for _ in range(3):
        found = [remembered.unpack(each, packing.METADATA) for each in packed]
        assert [each.value for each in found] == values
        assert len({each.checksums for each in found}) == len(values)
    assert len(remembered._values) < len(values)
    other = packing.pack(values[0], values[1])
    assert remembered.unpack(other, values[1]) == found[0]
    with pytest.raises(ValueError, match="packed"):
        remembered.unpack(b"\x07nothing", packing.METADATA)
