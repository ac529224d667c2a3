"""Telling whose instance arrives must not cost more than receiving it: it runs on the event loop."""

from __future__ import annotations

import struct
import zlib

import pytest

from daemon.receive import stow
from daemon.receive.data_set_walk import DataSetWalk
from daemon.receive.dimse.file_meta import encode_file_meta
from daemon.receive.gate import Envelope, Gate
from dicomweb.identity import Identity, identify
from tests.unit.test_stow_sink import Memory, Seen

_CT = "1.2.840.10008.5.1.4.1.1.2"
_EXPLICIT, _DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"
_STUDY = struct.pack("<HH2sH", 0x0020, 0x000D, b"UI", 4) + b"1.2\0"
_SERIES = struct.pack("<HH2sH", 0x0020, 0x000E, b"UI", 4) + b"1.3\0"
_END_OF_ITEM = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
_END_OF_SEQUENCE = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def _sequence(items: int) -> bytes:
    """Return a sequence, all lengths undefined, of items with two elements."""
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    item += struct.pack("<HH2sH", 0x0008, 0x1150, b"UI", 0) * 2 + _END_OF_ITEM
    start = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    return start + item * items + _END_OF_SEQUENCE


def _file(dataset: bytes, syntax: str = _EXPLICIT) -> bytes:
    if syntax == _DEFLATED:
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        dataset = deflater.compress(dataset) + deflater.flush()
    return encode_file_meta(_CT, "1.2.3", syntax, "SENDER") + dataset


@pytest.mark.parametrize("syntax", [_EXPLICIT, _DEFLATED])
def test_uids_are_found_behind_thousands_of_references(syntax: str) -> None:
    found = identify(_file(_sequence(5_000) + _STUDY + _SERIES, syntax))
    assert (found.study_uid, found.series_uid, found.is_complete) == ("1.2", "1.3", True)


@pytest.mark.parametrize("syntax", [_EXPLICIT, _DEFLATED])
@pytest.mark.parametrize(
    "many",
    [
        struct.pack("<HH2sH", 0x0009, 0x1000, b"LO", 0) * 300_000,
        _sequence(300_000),
        struct.pack("<HH2sHI", 0x0009, 0x1000, b"SQ", 0, 0xFFFFFFFF)
        + struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 300_000
        + _END_OF_SEQUENCE,
    ],
    ids=["elements", "nested elements", "items"],
)
def test_the_walk_gives_up_after_too_many_elements(many: bytes, syntax: str) -> None:
    found = identify(_file(many + _STUDY + _SERIES, syntax))
    assert found == Identity(sop_class_uid=_CT, sop_instance_uid="1.2.3")


def test_references_to_all_of_a_large_study_do_not_hide_the_address() -> None:
    """They stand before two of the UIDs; behind all four, the walk ends after so many elements."""
    gate = Gate(Envelope(_EXPLICIT, _CT, "1.2.3"))
    start = struct.pack("<HH2sH", 0x0008, 0x0016, b"UI", 26) + _CT.encode() + b"\0"
    start += struct.pack("<HH2sH", 0x0008, 0x0018, b"UI", 6) + b"1.2.3\0"
    content = start + _sequence(15_000) + _STUDY + _SERIES
    for at in range(0, len(content), 16_384):
        gate.feed(content[at : at + 16_384])
    assert gate.fault() is None
    assert gate.address.study_uid == "1.2"
    gate.feed(struct.pack("<HH2sH", 0x0021, 0x1000, b"LO", 0))
    assert gate.has_seen_enough


def test_a_long_value_is_stepped_over_and_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    walk = DataSetWalk._walk

    def counted(self: DataSetWalk, data: bytes) -> None:
        looks.append(len(data))
        walk(self, data)

    monkeypatch.setattr(DataSetWalk, "_walk", counted)
    upload = stow.SpoolSink(Memory(), Seen()).open("127.0.0.1")
    content = _file(struct.pack("<HH2sHI", 0x0009, 0x1000, b"OB", 0, 8 << 20)) + bytes(4 << 20)
    for start in range(0, len(content), 4096):
        upload.write(content[start : start + 4096])
    assert 1 <= len(looks) <= 8
