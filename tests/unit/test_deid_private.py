"""Retain Safe Private: the standard's list, the site's, and what an instance says of its own blocks."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.unit.test_deid_engine import instance, run

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
