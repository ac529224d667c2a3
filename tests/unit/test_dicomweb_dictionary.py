"""What `dicomweb` reads of the standard's tables: as the library says, and as `deid` reads them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import datadict
from pydicom._dicom_dict import DicomDictionary
from pydicom._private_dict import private_dictionaries

from deid.tables import dictionary as deids
from dicomweb import dictionary

ROOT = Path(__file__).parents[2]
REPEATING = [0x60003000, 0x601E0022, 0x50102000, 0x50FE200A, 0x00203105, 0x7F020010, 0x002804A0]


@pytest.mark.parametrize("tag", REPEATING)
def test_elements_of_repeating_groups_are_known(tag: int) -> None:
    assert dictionary.vr_for_tag(tag) == datadict.dictionary_VR(tag)
    assert dictionary.keyword_for_tag(tag) == datadict.keyword_for_tag(tag)


def test_every_attribute_is_known_as_to_the_reference() -> None:
    for tag, (vr, _vm, _name, _retired, keyword) in DicomDictionary.items():
        assert (dictionary.vr_for_tag(tag), dictionary.keyword_for_tag(tag)) == (vr, keyword)
        if keyword:
            assert dictionary.tag_for_keyword(keyword) == tag


@pytest.mark.parametrize("tag", [0x00091001, 0x60013000, 0x00081111 + 0x7000, 0x00110000])
def test_what_the_reference_does_not_know_is_not_known(tag: int) -> None:
    with pytest.raises(KeyError):
        datadict.dictionary_VR(tag)
    assert dictionary.vr_for_tag(tag) is None
    assert dictionary.keyword_for_tag(tag) == ""
    assert dictionary.tag_for_keyword("Nonsense") is None


def test_every_private_attribute_has_the_vr_of_the_reference_in_any_block() -> None:
    for creator, block in private_dictionaries.items():
        for name in block:
            tag = int(name.replace("xxxx", "0010").replace("xx", "1A"), 16)
            try:
                expected: str | None = datadict.private_dictionary_VR(tag, creator)
            except KeyError:
                expected = None
            assert dictionary.vr_for_private(tag, creator) == expected
    assert dictionary.vr_for_private(0x00091001, "NOBODY 1.0") is None


def test_both_readers_know_the_same_attributes() -> None:
    theirs = dictionary.attributes()
    assert {tag: tuple(deids.attributes()[tag]) for tag in theirs} == dict(theirs)


@pytest.mark.parametrize(
    "module", ["daemon.pipeline.work", "daemon.batch.work", "dicomweb.describe"]
)
def test_workers_start_without_the_large_libraries(module: str) -> None:
    large = ("pydicom", "numpy", "cryptography", "re2", "cv2", "pydantic", "aiohttp", "asyncio")
    said = subprocess.run(
        [sys.executable, "-c", f"import sys, {module}; print(*set(sys.modules) & set({large}))"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=240,
    )  # fmt: skip
    assert said.stdout.split() == []
