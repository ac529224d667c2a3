"""What a file is and whether all of it is there, from its element headers."""

from __future__ import annotations

import io
import os
import random
import struct
from typing import TYPE_CHECKING

import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from daemon.receive.structure import Kind, Structure, examine, examine_start
from tests.factories import encoded, make_ct, make_enhanced_mr, make_sr

if TYPE_CHECKING:
    from collections.abc import Iterator

SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    RLELossless,
    JPEG2000Lossless,
]


@pytest.fixture
def descriptor() -> Iterator[int]:
    number = os.memfd_create("file")
    yield number
    os.close(number)


def look(descriptor: int, content: bytes, *, thorough: bool = True) -> Structure:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, content, 0)
    return examine(descriptor, len(content), thorough=thorough)


def bare(content: bytes) -> bytes:
    (meta_bytes,) = struct.unpack_from("<I", content, 140)
    return content[144 + meta_bytes :]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_whole_file_is_complete_and_one_cut_within_a_value_is_not(
    descriptor: int, syntax: str
) -> None:
    content = encoded(make_ct(rows=32, transfer_syntax_uid=syntax))
    assert look(descriptor, content) == Structure(Kind.PART10)
    assert look(descriptor, content[:-100]) == Structure(Kind.PART10, complete=False)
    assert look(descriptor, content[:150]) == Structure(Kind.PART10, complete=False)


@pytest.mark.parametrize("make", [make_sr, make_enhanced_mr])
def test_nested_sequences_of_undefined_length_are_walked(descriptor: int, make: object) -> None:
    dataset = make()  # type: ignore[operator]
    for element in dataset.iterall():
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
    content = encoded(dataset)
    assert look(descriptor, content).complete
    at = content.index(b"\xfe\xff\x0d\xe0")
    assert not look(descriptor, content[: at + 4]).complete


def test_a_deflated_file_is_taken_for_complete(descriptor: int) -> None:
    content = encoded(make_ct(transfer_syntax_uid=DeflatedExplicitVRLittleEndian))
    assert look(descriptor, content) == Structure(Kind.PART10)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_bare_dataset_gets_the_head_that_makes_it_readable(descriptor: int, syntax: str) -> None:
    dataset = make_ct(transfer_syntax_uid=syntax)
    content = bare(encoded(dataset))
    structure = look(descriptor, content)
    assert (structure.kind, structure.complete) == (Kind.BARE, True)
    read = pydicom.dcmread(io.BytesIO(structure.head + content))
    assert read.file_meta.TransferSyntaxUID == syntax
    assert read.file_meta.MediaStorageSOPClassUID == dataset.SOPClassUID
    assert read.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    assert read.PixelData == dataset.PixelData


def test_a_bare_dataset_that_is_cut_is_incomplete(descriptor: int) -> None:
    structure = look(descriptor, bare(encoded(make_ct(rows=32)))[:-10])
    assert (structure.kind, structure.complete) == (Kind.BARE, False)


def test_file_meta_without_preamble_gets_a_preamble(descriptor: int) -> None:
    content = encoded(make_ct())
    for start in (128, 132):
        structure = look(descriptor, content[start:])
        assert structure.kind is Kind.BARE
        assert structure.head + content[start:] == bytes(128) + content[128:]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x08",
        b"hello, world",
        b"\x08\x00" + b"\xff" * 400,
        b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100",
        b"\x89PNG\r\n\x1a\n" + bytes(200),
        bytes(1000),
    ],
)
def test_other_files_are_other(descriptor: int, content: bytes) -> None:
    assert look(descriptor, content).kind is Kind.OTHER


def test_random_bytes_after_a_plausible_start_never_raise(descriptor: int) -> None:
    generator = random.Random(7)
    whole = encoded(make_sr())
    for _ in range(300):
        content = bytearray(whole[: generator.randrange(len(whole))])
        for _ in range(generator.randrange(8)):
            if content:
                content[generator.randrange(len(content))] = generator.randrange(256)
        look(descriptor, bytes(content))
        look(descriptor, bytes(content[132:]))
        look(descriptor, bare(whole)[: generator.randrange(200)] + generator.randbytes(50))


def test_deep_nesting_is_left_to_the_worker(descriptor: int) -> None:
    sequence = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    content = encoded(make_ct()) + (sequence + item) * 10_000
    assert look(descriptor, content) == Structure(Kind.PART10)


def test_a_stream_is_judged_by_its_start() -> None:
    content = encoded(make_ct())
    assert examine_start(content[:200], len(content)).kind is Kind.PART10
    assert examine_start(bare(content)[:200], len(content)) == Structure(Kind.BARE)
    assert examine_start(b"PK\x03\x04" + bytes(200), 300).kind is Kind.ZIP
    assert examine_start(b"hello", 5).kind is Kind.OTHER
