"""What the standard prints stays where it prints it, under every preset that keeps the attribute."""

from __future__ import annotations

import csv
import re
from importlib.resources import files
from io import BytesIO

import pydicom
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

import deid
from daemon.receive.dimse.sop_classes import STORAGE
from deid.encoding.transfer_syntaxes import is_known
from deid.tables.dictionary import uids
from deid.tables.load import confidentiality_by_tag
from deid.tags.recognition import recognised
from deid.text.folding import words
from deid.text.standard import listed_names
from tests.adversarial.running import plan_of
from tests.factories import encoded, make_ct

MODALITIES = words(
    """
    ANN AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DMS DG DOC DX ECG EEG EMG EOG EPS ES FID GM HC HD IO
    IOL IVOCT IVUS KER KO LEN LS M3D MG MR NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX
    REG RESP RF RG RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF
    STAIN TEXTUREMAP TG US VA XA XAPROTOCOL XC AS CD CF CP CS DD DF DM DS EC FA FS LP MA MS OPR ST VF
    """
)
"""PS3.3 C.7.3.1.1.1, the retired ones included."""
NO_DATA_SET = "1.2.840.10008.1.2.6."
"""MIME and XML encodings of documents, retired: they encode no data set."""
INVENTORS = ("BLOEDORN", "DELCLOS", "HENSCHKE", "SYED_NEBLETT", "CHANDIGARH")
"""Applicators called after people and a town: terms of Application Setup Type only."""
PRESETS = ("basic", "research", "tag_contents", "keep_all_pixels_only")


def printed() -> list[tuple[int, str, str]]:
    """Return tag, VR and term of every printed term whose attribute Table E.1-1 leaves alone."""
    rows = csv.DictReader(
        (files("deid.tables") / "printed_terms.csv").read_text("utf-8").splitlines()
    )
    return [
        (int(row["tag"], 16), dictionary_VR(int(row["tag"], 16)), term)
        for row in rows
        if row["tag"][4:]
        and row["tag"] > "0008"
        and int(row["tag"], 16) not in confidentiality_by_tag()
        for term in row["terms"].split(";")
    ]


def anywhere() -> list[str]:
    rows = csv.DictReader(
        (files("deid.tables") / "printed_terms.csv").read_text("utf-8").splitlines()
    )
    return next(row["terms"].split(";") for row in rows if not row["tag"])


def released(dataset: Dataset, preset: str) -> Dataset:
    source = encoded(dataset)
    result = deid.deidentify(source, plan_of(preset))
    parts = (
        part if isinstance(part, bytes) else source[part.start : part.stop]
        for part in result.segments
    )
    return pydicom.dcmread(BytesIO(b"".join(parts)))


def with_terms(terms: list[tuple[int, str, str]]) -> Dataset:
    """Return an instance with each term in an item of a sequence that stays."""
    dataset = make_ct()
    items = []
    for tag, vr, term in terms:
        item = Dataset()
        item.add_new(tag, vr, term)
        items.append(item)
    dataset.AnatomicRegionSequence = Sequence(items)
    return dataset


def lost(terms: list[tuple[int, str, str]], preset: str) -> list[str]:
    items = released(with_terms(terms), preset).AnatomicRegionSequence
    return [
        f"{tag:08X} {term}"
        for (tag, _vr, term), item in zip(terms, items, strict=True)
        if tag not in item or item[tag].value != term
    ]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_printed_term_stays_in_its_attribute(preset: str) -> None:
    terms = printed()

    assert len(terms) > 1400
    assert lost(terms, preset) == []


@pytest.mark.parametrize("preset", PRESETS)
def test_every_modality_stays(preset: str) -> None:
    terms = [(0x00080060, "CS", modality) for modality in MODALITIES]

    assert len(MODALITIES) == 97
    assert lost(terms, preset) == []


def test_a_code_string_that_the_standard_prints_anywhere_is_recognised() -> None:
    terms = [
        term
        for term in anywhere()
        if term not in INVENTORS and not listed_names().intersection(re.split("[ _]", term.lower()))
    ]

    assert len(terms) > 1800
    assert [term for term in terms if not recognised(0x00189180, "CS", term)] == []


@pytest.mark.parametrize(
    "text",
    [
        "SMITH",
        "ANN",
        "JULIAN",
        "QUILLER",
        "ANN_SMITH",
        "PER_NERVE_SMITH",
        "M4471902",
        "RTSEGANNA",
        *INVENTORS,
    ],
)
def test_a_code_string_that_nothing_prints_is_not_recognised(text: str) -> None:
    assert not recognised(0x00189180, "CS", text)


@pytest.mark.parametrize("text", INVENTORS)
def test_an_applicator_stays_where_applicators_are_named(text: str) -> None:
    assert recognised(0x300A0232, "CS", text)


def test_a_printed_term_of_a_code_string_is_not_recognised_as_text() -> None:
    assert not recognised(0x00283003, "LO", "ANN")
    assert not recognised(0x00283003, "LO", "HENSCHKE")


def test_of_several_values_the_printed_ones_stay() -> None:
    dataset = make_ct(Modality="RTRAD")
    dataset.ScanningSequence = ["SE", "QUILLER"]

    assert list(released(dataset, "basic").ScanningSequence) == ["SE", ""]


NEWER = {
    "1.2.840.10008.5.1.4.1.1.66.7": "SOP Class",
    "1.2.840.10008.5.1.4.1.1.66.8": "SOP Class",
    "1.2.840.10008.5.1.4.1.1.9.100.1": "SOP Class",
    "1.2.840.10008.5.1.4.1.1.9.100.2": "SOP Class",
    "1.2.840.10008.1.2.4.110": "Transfer Syntax",
    "1.2.840.10008.1.2.4.111": "Transfer Syntax",
    "1.2.840.10008.1.2.4.112": "Transfer Syntax",
    "1.2.840.10008.1.2.8.1": "Transfer Syntax",
}


@pytest.mark.parametrize(("uid", "kind"), NEWER.items())
def test_a_uid_that_is_newer_than_pydicom_is_registered(uid: str, kind: str) -> None:
    assert uids()[uid].kind == kind


@pytest.mark.parametrize(
    "uid",
    [
        uid
        for uid, each in uids().items()
        if each.kind == "Transfer Syntax" and not uid.startswith(NO_DATA_SET)
    ],
)
def test_every_registered_transfer_syntax_is_known(uid: str) -> None:
    assert is_known(uid)


STORED = sorted(uid for uid in STORAGE if uid in uids())


@pytest.mark.parametrize("uid", STORED)
def test_an_instance_of_every_storage_class_is_accepted(uid: str) -> None:
    assert released(make_ct(SOPClassUID=uid), "basic").SOPClassUID == uid


def test_the_row_of_the_latest_edition_is_followed() -> None:
    dataset = make_ct()
    item = Dataset()
    item.add_new(0x3004007F, "LO", "Dr Quiller own model")
    dataset.AnatomicRegionSequence = Sequence([item])

    assert 0x3004007F not in released(dataset, "basic").AnatomicRegionSequence[0]


def test_an_element_that_is_newer_than_pydicom_stays() -> None:
    dataset = make_ct()
    dataset.add_new(0x00480304, "CS", "YES")

    assert released(dataset, "basic")[0x00480304].value == "YES"
