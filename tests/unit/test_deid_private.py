"""Retain Safe Private: the standard's list, the site's, and what an instance says of its own blocks."""

from __future__ import annotations

import io

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

import deid
from deid.encoding.header import each_top_level, read_file_meta
from deid.encoding.transfer_syntaxes import EXPLICIT_LITTLE, IMPLICIT_LITTLE
from tests.unit.test_deid_engine import encode, instance, plan, run, written

OPTION = "retain_safe_private"
CREATOR = "ACME QUIX 1.1"


def with_block(*items: Dataset, creator: str = CREATOR, group: int = 0x0029) -> Dataset:
    dataset = instance()
    block = dataset.private_block(group, creator, create=True)
    block.add_new(0x01, "LO", "ZIRKON A")
    block.add_new(0x02, "LO", "ZIRKON B")
    block.add_new(0x03, "UI", "1.2.3.55")
    block.add_new(0x04, "DS", "17.5")
    if items:
        dataset.PrivateDataElementCharacteristicsSequence = list(items)
    return dataset


def characteristics(
    status: str, *safe: int, creator: str = CREATOR, group: int = 0x0029
) -> Dataset:
    item = Dataset()
    item.PrivateGroupReference = group
    item.PrivateCreatorReference = creator
    item.BlockIdentifyingInformationStatus = status
    if safe:
        item.NonidentifyingPrivateElements = list(safe)
    return item


def wants(code: str, *places: int) -> Dataset:
    item = Dataset()
    item.IdentifyingPrivateElements = list(places)
    item.DeidentificationAction = code
    return item


def kept(result: Dataset) -> dict[int, object]:
    return {
        element.tag.element & 0xFF: element.value
        for element in result
        if element.tag.is_private and element.tag.element > 0xFF
    }


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_a_block_that_is_said_to_be_safe_stays_whole(syntax: str) -> None:
    result = run(with_block(characteristics("SAFE")), syntax, OPTION)
    assert set(kept(result)) == {1, 2, 3, 4}
    assert result[0x00290010].value == CREATOR


def test_the_description_of_a_block_that_stays_stays_true() -> None:
    item = run(
        with_block(characteristics("SAFE")), ExplicitVRLittleEndian, OPTION
    ).PrivateDataElementCharacteristicsSequence[0]
    assert item.PrivateCreatorReference == CREATOR
    assert item.PrivateGroupReference == 0x0029
    assert item.BlockIdentifyingInformationStatus == "SAFE"


def test_of_a_mixed_block_stays_what_is_listed() -> None:
    result = run(with_block(characteristics("MIXED", 1, 4)), ExplicitVRLittleEndian, OPTION)
    assert set(kept(result)) == {1, 4}


def test_an_action_that_is_asked_for_is_taken() -> None:
    item = characteristics("MIXED", 4)
    item.DeidentificationActionSequence = [wants("D", 1), wants("Z", 2), wants("U", 3)]
    result = run(with_block(item), ExplicitVRLittleEndian, OPTION)
    left = kept(result)
    assert left[1] == "REMOVED"
    assert not left[2]
    assert str(left[3]).startswith("2.25.")
    assert left[4] == 17.5


def test_only_a_uid_is_replaced_as_a_uid() -> None:
    item = characteristics("SAFE")
    item.DeidentificationActionSequence = [wants("U", 1, 3)]
    left = kept(run(with_block(item), ExplicitVRLittleEndian, OPTION))
    assert 1 not in left
    assert str(left[3]).startswith("2.25.")


def test_what_is_said_to_identify_goes_even_from_a_safe_block() -> None:
    item = characteristics("SAFE")
    item.DeidentificationActionSequence = [wants("X", 2)]
    assert set(kept(run(with_block(item), ExplicitVRLittleEndian, OPTION))) == {1, 3, 4}


@pytest.mark.parametrize("status", ["UNSAFE", "MIXED", "", "NONSENSE"])
def test_a_block_that_identifies_goes_even_where_the_standard_lists_it(status: str) -> None:
    creator = "SIEMENS MR HEADER"
    dataset = instance()
    dataset.private_block(0x0019, creator, create=True).add_new(0x0C, "IS", "800")
    assert kept(run(dataset, ExplicitVRLittleEndian, OPTION))
    said = characteristics(status, creator=creator, group=0x0019)
    dataset.PrivateDataElementCharacteristicsSequence = [said]
    assert not kept(run(dataset, ExplicitVRLittleEndian, OPTION))


def test_a_block_that_is_described_twice_goes() -> None:
    twice = characteristics("SAFE"), characteristics("UNSAFE")
    assert not kept(run(with_block(*twice), ExplicitVRLittleEndian, OPTION))


def test_another_creator_s_word_counts_for_its_own_block_only() -> None:
    item = characteristics("SAFE", creator="SOMEBODY ELSE")
    assert not kept(run(with_block(item), ExplicitVRLittleEndian, OPTION))


def test_without_the_option_no_word_counts() -> None:
    assert not kept(run(with_block(characteristics("SAFE")), ExplicitVRLittleEndian))


def test_a_known_identifier_goes_from_a_block_that_is_said_to_be_safe() -> None:
    dataset = with_block(characteristics("SAFE"))
    dataset.private_block(0x0029, CREATOR).add_new(0x05, "LO", "Zimmermann Quirin")
    result = run(dataset, ExplicitVRLittleEndian, OPTION)
    assert set(kept(result)) == {1, 2, 3, 4}


def test_a_description_of_undefined_length_is_read() -> None:
    dataset = with_block(characteristics("SAFE"))
    item = dataset.PrivateDataElementCharacteristicsSequence[0]
    item.is_undefined_length_sequence_item = True
    dataset["PrivateDataElementCharacteristicsSequence"].is_undefined_length = True
    assert set(kept(run(dataset, ExplicitVRLittleEndian, OPTION))) == {1, 2, 3, 4}


def explicit(tag: int, vr: bytes, value: bytes) -> bytes:
    return EXPLICIT_LITTLE.element(tag, vr, value + b" " * (len(value) & 1))


def inserted(dataset: Dataset, *elements: bytes, before: int) -> Dataset:
    return pydicom.dcmread(io.BytesIO(output_of(dataset, *elements, before=before)))


def output_of(dataset: Dataset, *elements: bytes, before: int) -> bytes:
    """De-identify a file into which encoded elements were put by hand."""
    content = encode(dataset)
    start = read_file_meta(content).dataset_offset
    elements_of = each_top_level(content, start, EXPLICIT_LITTLE, 1 << 32)
    at = next(start for tag, start, _stop in elements_of if tag >= before)
    content = content[:at] + b"".join(elements) + content[at:]
    return written(content, deid.deidentify(content, plan(OPTION)))


PHILIPS = explicit(0x20050010, b"LO", b"Philips MR Imaging DD 001")


def philips(*elements: bytes) -> dict[int, object]:
    dataset = instance(PresentationLUTShape="IDENTITY")
    return kept(inserted(dataset, PHILIPS, *elements, before=0x20500020))


def test_a_listed_number_that_comes_as_text_goes() -> None:
    assert not philips(explicit(0x2005100E, b"LO", b"Zwetajewska"))
    assert philips(explicit(0x2005100E, b"FL", b"\0\0\x80\x3f"))


def test_a_listed_uid_is_replaced() -> None:
    dataset = instance()
    dataset.private_block(0x0099, "NQHeader", create=True).add_new(2, "UI", "1.2.3.4")
    result = run(dataset, ExplicitVRLittleEndian, OPTION)
    assert kept(result) == {2: result.SOPInstanceUID}
    assert kept(run(dataset, ExplicitVRLittleEndian, OPTION, "retain_uids")) == {2: "1.2.3.4"}


def test_a_date_that_a_site_lists_follows_the_option_for_dates() -> None:
    dataset = instance(StudyDate="20190510")
    dataset.private_block(0x0029, "ACME", create=True).add_new(0x0A, "DA", "20190511")
    ours = {"safePrivate": [{"creator": "ACME", "group": "0029", "element": "0A"}]}
    assert not kept(run(dataset, ExplicitVRLittleEndian, OPTION, **ours))
    moved = run(dataset, ExplicitVRLittleEndian, OPTION, "retain_modified_dates", **ours)
    assert int(str(kept(moved)[0x0A])) - int(moved.StudyDate) in range(1, 8871)
    full = run(dataset, ExplicitVRLittleEndian, OPTION, "retain_full_dates", **ours)
    assert kept(full) == {0x0A: "20190511"}


def test_a_site_says_what_implicit_vr_does_not() -> None:
    dataset = instance()
    dataset.private_block(0x0029, "ACME", create=True).add_new(0x0A, "TM", "101500")
    ours = {"creator": "ACME", "group": "0029", "element": "0A"}
    for said, stays in (({}, True), ({"vr": "TM"}, False), ({"vr": "lo"}, True)):
        result = run(dataset, ImplicitVRLittleEndian, OPTION, safePrivate=[{**ours, **said}])
        assert bool(kept(result)) is stays


@pytest.mark.parametrize("code", [b"UN", b"SQ"])
def test_a_listed_sequence_is_gone_through_however_it_is_encoded(code: bytes) -> None:
    """Table E.3.10-1 has sequences that pydicom's private dictionary does not know."""
    inner = IMPLICIT_LITTLE if code == b"UN" else EXPLICIT_LITTLE
    content = inner.element(0x00100010, b"PN", b"Zwetajewska^Olga") + inner.element(
        0x00280010, b"US", b"\x01\x00"
    )
    item = inner.item_header(0xE000, len(content)) + content
    creator = explicit(0x20010010, b"LO", b"Philips Imaging DD 001")
    sequence = EXPLICIT_LITTLE.element(0x200110C5, code, item)
    dataset = instance(PresentationLUTShape="IDENTITY")
    content = output_of(dataset, creator, sequence, before=0x20500020)
    assert b"Zwetajewska" not in content
    assert 0x200110C5 in pydicom.dcmread(io.BytesIO(content))


def test_a_creator_that_is_said_twice_counts_as_it_is_said_last() -> None:
    twice = (
        explicit(0x00190010, b"LO", b"Zwetajewska Olga"),
        explicit(0x00190010, b"LO", b"SIEMENS MR HEADER"),
        explicit(0x0019100C, b"IS", b"800"),
    )
    content = output_of(instance(), *twice, before=0x0020000D)
    assert b"Zwetajewska" not in content
    assert set(kept(pydicom.dcmread(io.BytesIO(content)))) == {0x0C}


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_what_identifies_by_its_vr_goes_also_where_no_vr_is_written(syntax: str) -> None:
    dataset = instance()
    block = dataset.private_block(0x0029, CREATOR, create=True)
    for place, (vr, value) in enumerate(
        [
            ("UI", "1.2.3.1"),
            ("DA", "20190510"),
            ("DT", "20190510123000.5+0100"),
            ("PN", "Wilmot^J"),
            ("AS", "095Y"),
            ("LO", "ZIRKON A"),
            ("DS", "17.5"),
        ]
    ):
        block.add_new(place, vr, value)
    dataset.PrivateDataElementCharacteristicsSequence = [characteristics("SAFE")]
    result = run(dataset, syntax, OPTION)
    assert set(kept(result)) == {0, 4, 5, 6}
    uid, age = (str(result[0x00291000 + place].value) for place in (0, 4))
    assert "2.25." in uid
    assert "090Y" in age


def test_a_safe_value_of_odd_length_is_made_even() -> None:
    creator = explicit(0x00190010, b"LO", b"SIEMENS MR HEADER")
    odd = b"\x19\x00\x0c\x10IS\x03\x00800"
    content = output_of(instance(), creator, odd, before=0x0020000D)
    assert b"\x19\x00\x0c\x10IS\x04\x00800" in content
