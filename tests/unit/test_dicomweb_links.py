"""Addresses in prepared metadata: all made absolute, and nothing else changed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from daemon.store.sqlite.packing import METADATA, Remembered, pack
from dicomweb.links import PreparedObject, attributes_of, json_array, with_root

ROOT = "https://pacs.example/dicomweb/deid"
LOOKALIKES = {
    "00081030": {
        "vr": "LO",
        "Value": ['"BulkDataURI":"studies/1.2', 'URI":"studies/', "studies/1.2"],
    },
    "00081190": {"vr": "UR", "Value": ["studies/1.2/series/3.4"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "studies/1.2"}]},
    "00091011": {"vr": "UN", "InlineBinary": "studies/12345678"},
}
LINK = {"vr": "OW", "BulkDataURI": "studies/1.2/series/3.4/instances/5.6/bulkdata/7FE00010"}
OBJECTS: dict[str, dict[str, Any]] = {
    "no address": LOOKALIKES,
    "one at the end": {**LOOKALIKES, "7FE00010": LINK},
    "several, nested": {
        "00080005": LINK,
        "00081140": {"vr": "SQ", "Value": [{"00091010": LINK, **LOOKALIKES}, {"00091010": LINK}]},
        "7FE00010": LINK,
    },
    "empty": {},
}


def _absolute(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: f"{ROOT}/{each}" if name == "BulkDataURI" else _absolute(each)
            for name, each in value.items()
        }
    return [_absolute(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", OBJECTS)
@pytest.mark.parametrize("kind", [bytes, PreparedObject])
def test_every_address_becomes_absolute_and_nothing_else_changes(
    name: str, kind: type[bytes]
) -> None:
    prepared = kind(orjson.dumps(OBJECTS[name]))
    for _ in range(2):
        made = orjson.loads(b"".join(with_root(prepared, ROOT.encode())))
        assert made == _absolute(OBJECTS[name])


@pytest.mark.parametrize("kind", [bytes, PreparedObject])
def test_what_an_object_says_can_be_read_whoever_remembers_it(kind: type[bytes]) -> None:
    for each in OBJECTS.values():
        assert attributes_of(kind(orjson.dumps(each))) == each


def test_an_array_holds_the_objects_in_their_order() -> None:
    prepared = [PreparedObject(orjson.dumps(each)) for each in OBJECTS.values()]
    made = orjson.loads(b"".join(json_array(prepared, ROOT.encode())))
    assert made == [_absolute(each) for each in OBJECTS.values()]
    assert b"".join(json_array([], ROOT.encode())) == b"[]"


def test_what_the_store_remembers_knows_its_addresses() -> None:
    value = orjson.dumps(OBJECTS["several, nested"])
    remembered = Remembered(100_000, PreparedObject)
    first, again = (remembered.unpack(pack(value, METADATA), METADATA).value for _ in range(2))
    assert isinstance(first, PreparedObject)
    assert again is first
    assert len(first.places) == 4
