"""The texts of an instance are read wherever they stand."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from daemon.synthetic.encodings import encode_as
from deid import Unsafe
from deid.encoding import texts
from deid.encoding.instance import open_instance
from tests.factories import PATIENTS, encoded, make_ct


def read_texts(source: bytes) -> list[str]:
    opened = open_instance(source)
    return list(texts.read_texts(opened.data, opened.offset, opened.encoding))


def instance(syntax: str) -> bytes:
    dataset = make_ct(PATIENTS[0], rows=4)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.StudyDescription = "über den Berg"
    inner = Dataset()
    inner.SpecificCharacterSet = "ISO_IR 144"
    inner.PatientComments = "Кузнецова"
    outer = Dataset()
    outer.CodeMeaning = "one deep"
    outer.ConceptCodeSequence = Sequence([inner])
    outer["ConceptCodeSequence"].is_undefined_length = True
    dataset.ProcedureCodeSequence = Sequence([outer])
    block = dataset.private_block(0x0029, "ACME", create=True)
    block.add_new(1, "UN", b"\x01\x02readable\x00\x03w\x00i\x00d\x00e\x00")
    block.add_new(2, "LO", "private words")
    block.add_new(3, "UT", "x" * (1 << 20) + " far behind")
    return encoded(encode_as(dataset, syntax))


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
def test_texts_are_read_at_every_depth_in_every_encoding(syntax: str) -> None:
    found = read_texts(instance(syntax))
    for wanted in ("über den Berg", "Кузнецова", "one deep", "private words"):
        assert wanted in found
    everything = " ".join(found)
    for wanted in ("readable", "far behind"):
        assert wanted in everything


def test_samples_and_uids_are_no_texts() -> None:
    dataset = make_ct(PATIENTS[0], rows=4)
    dataset.PixelData = b"readable" * 8
    found = " ".join(read_texts(encoded(dataset)))
    assert "readable" not in found
    assert str(dataset.StudyInstanceUID) not in found


def test_bytes_that_only_begin_like_a_sequence_are_read() -> None:
    dataset = make_ct(PATIENTS[0], rows=4)
    block = dataset.private_block(0x0029, "ACME", create=True)
    block.add_new(1, "OB", b"\xfe\xff\x00\xe0\xff\xff\x00\x00 and words")
    assert " and words" in read_texts(encoded(dataset))


def test_a_data_set_that_ends_too_early_has_none() -> None:
    opened = open_instance(encoded(make_ct(PATIENTS[0], rows=4)))
    with pytest.raises(Unsafe):
        list(texts.read_texts(opened.data[: opened.offset + 57], opened.offset, opened.encoding))
