"""The index of a data set's top level: found as by the quick loop, and gone through once."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from deid.encoding import header
from deid.encoding.header import each_top_level
from deid.encoding.instance import open_instance
from deid.encoding.top_level import TopLevel
from deid.errors import Reason, Unsafe

if TYPE_CHECKING:
    from collections.abc import Collection

ENCODINGS = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
WANTED = frozenset({0x00080005, 0x00080016, 0x00081140, 0x00100020, 0x00280010, 0x7FE00010})


def source(syntax: str = ExplicitVRLittleEndian) -> bytes:
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = "1.2.3.4"
    item = Dataset()
    item.ReferencedSOPInstanceUID = "1.2.3.5"
    dataset.ReferencedImageSequence = [item]
    dataset["ReferencedImageSequence"].is_undefined_length = True
    dataset.PatientID = "MRN-4711"
    dataset.Rows = 2
    dataset.add_new(0x60000010, "US", 2)
    dataset.add_new(0x7FE00010, "OW", bytes(8))
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def index(content: bytes, wanted: Collection[int] = WANTED, *, lists_all: bool = True) -> TopLevel:
    return TopLevel(open_instance(content), wanted, lists_all=lists_all)


@pytest.mark.parametrize("syntax", ENCODINGS)
def test_a_listing_finds_what_the_quick_loop_finds(syntax: str) -> None:
    content = source(syntax)
    quick = index(content, lists_all=False).found
    assert index(content).found == quick
    assert list(quick) == [0x00080016, 0x00081140, 0x00100020, 0x00280010, 0x7FE00010]


@pytest.mark.parametrize("syntax", ENCODINGS)
def test_each_element_is_told_with_its_bounds(syntax: str) -> None:
    content = source(syntax)
    top = index(content)
    expected = list(each_top_level(content, top.offset, top.encoding, 1 << 32))
    assert [(each.tag, each.start, each.stop) for each in top.each()] == expected
    assert [each.tag for each in top.each() if each.is_undefined] == [0x00081140]
    (rows,) = (each for each in top.each() if each.tag == 0x00280010)
    assert content[rows.value : rows.stop] == top.encoding.short.pack(2)


def test_steps_share_one_way_through_the_data_set(monkeypatch: pytest.MonkeyPatch) -> None:
    skipped: list[int] = []

    def skip_items(*args: Any) -> int:
        skipped.append(args[1])
        return header.skip_items(*args)

    monkeypatch.setattr("deid.encoding.top_level.skip_items", skip_items)
    top = index(source())
    listed = [list(top.each()), list(top.each(0x60000010)), list(top.each())]
    assert top.places({0x00100020})
    assert listed[0] == listed[2]
    assert listed[1] == listed[0][:-2]
    assert len(skipped) == 1


def test_of_repeated_elements_the_first_counts() -> None:
    content = source()
    rows = b"\x28\x00\x10\x00US\x02\x00\x02\x00"
    doubled = content.replace(rows, rows + rows[:-2] + b"\x09\x00")
    assert index(doubled).found[0x00280010] == index(content).found[0x00280010]
    assert index(doubled, lists_all=False).found == index(doubled).found


def test_what_makes_no_sense_is_met_when_somebody_asks_for_it() -> None:
    content = source()[:-2]
    top = index(content)
    assert 0x7FE00010 in top.found
    assert [each.tag for each in top.each(0x7FE00000)][-1] == 0x60000010
    for _again in range(2):
        with pytest.raises(Unsafe) as refused:
            list(top.each())
        assert refused.value.reason is Reason.LENGTH_PAST_END


@pytest.mark.parametrize("lists_all", [True, False])
def test_a_value_representation_that_is_none_is_refused(lists_all: bool) -> None:
    content = source().replace(b"\x10\x00\x20\x00LO", b"\x10\x00\x20\x00??")
    with pytest.raises(Unsafe) as refused:
        index(content, lists_all=lists_all)
    assert refused.value.reason is Reason.MALFORMED
    assert refused.value.where == "(0010,0020)"


@pytest.mark.parametrize("lists_all", [True, False])
def test_looking_ends_at_the_highest_tag_that_is_wanted(lists_all: bool) -> None:
    content = source().replace(b"\x28\x00\x10\x00US", b"\x28\x00\x10\x00??")
    assert index(content, {0x00080016, 0x00100020}, lists_all=lists_all).found
    absent = 0x00200010
    assert index(content, {0x00080016, absent}, lists_all=lists_all).found
