"""Earlier steps that an instance tells of, and classes that belong to no study."""

from __future__ import annotations

import io
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

import deid
from deid.errors import Reason
from deid.tables.dictionary import uids
from deid.tags.admission import has_study
from tests.unit.test_deid_engine import KEY, encode, instance, plan

BASIC_CODE = ("113100", "Basic Application Confidentiality Profile")
FULL_DATES = ("113106", "Retain Longitudinal Temporal Information Full Dates Option")
WITHOUT_STUDY = {
    "1.2.840.10008.5.1.4.39.1": "Color Palette",
    "1.2.840.10008.5.1.4.38.1": "Hanging Protocol",
    "1.2.840.10008.5.1.4.43.1": "Generic Implant Template",
    "1.2.840.10008.5.1.4.44.1": "Implant Assembly Template",
    "1.2.840.10008.5.1.4.45.1": "Implant Template Group",
    "1.2.840.10008.5.1.4.1.1.200.1": "CT Defined Procedure Protocol",
    "1.2.840.10008.5.1.4.1.1.200.3": "Protocol Approval",
    "1.2.840.10008.5.1.4.1.1.200.7": "XA Defined Procedure Protocol",
    "1.2.840.10008.5.1.4.1.1.201.1": "Inventory",
}


def run(dataset: Dataset, chosen: deid.Plan | None = None) -> Dataset:
    source = encode(dataset)
    return pydicom.dcmread(io.BytesIO(_written(source, chosen or plan())))


def _written(source: bytes, chosen: deid.Plan) -> bytes:
    return b"".join(
        part if isinstance(part, bytes) else source[part.start : part.stop]
        for part in deid.deidentify(source, chosen).segments
    )


def earlier(methods: list[str], *codes: tuple[str, str], **attributes: Any) -> Dataset:
    made = instance(**attributes)
    made.DeidentificationMethod = methods
    items = []
    for value, meaning in codes:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
        items.append(item)
    made.DeidentificationMethodCodeSequence = items
    return made


def texts(dataset: Dataset) -> list[str]:
    found = dataset.DeidentificationMethod
    return [found] if isinstance(found, str) else list(found)


def codes(dataset: Dataset) -> list[str]:
    return [item.CodeValue for item in dataset.DeidentificationMethodCodeSequence]


@pytest.mark.parametrize("text", ["OTHERTOOL 3.2", "Basic + dates", "CTP v2.10.1", "dicomveil 0.1"])
def test_what_an_earlier_step_says_comes_before_ours(text: str) -> None:
    said = texts(run(earlier([text], BASIC_CODE)))

    assert said[0] == text
    assert said[1].startswith("dicomveil 0.1 key ")
    assert len(said) == 2


@pytest.mark.parametrize(
    "text",
    [
        "QUILLER^OTTILIE",
        "by Dr Quiller",
        "QUILLER 4471902",
        "2019-04-12",
        "Smith 1.2",
        "quiller@a.org",
    ],
)
def test_what_may_name_somebody_does_not_stay_as_a_method(text: str) -> None:
    assert [each[:13] for each in texts(run(earlier([text, "OTHERTOOL 3.2"])))] == [
        "OTHERTOOL 3.2",
        "dicomveil 0.1",
    ]


def test_the_patients_name_does_not_stay_as_a_tools() -> None:
    result = run(earlier(["Zimmermann 3.2", "Basic"], PatientName="Zimmermann^Quirin"))

    assert not [text for text in texts(result) if "immermann" in text]


def test_codes_of_earlier_steps_stay_each_once() -> None:
    result = run(earlier([], BASIC_CODE, FULL_DATES), plan("retain_modified_dates"))

    assert codes(result) == ["113100", "113106", "113107"]


def test_a_local_code_does_not_stay() -> None:
    assert codes(run(earlier([], ("QUILLER", "Ottilie Quiller")))) == ["113100"]


@pytest.mark.parametrize("options", [(), ("retain_modified_dates", "clean_descriptors")])
def test_a_second_run_adds_nothing(options: tuple[str, ...]) -> None:
    once = _written(encode(earlier(["OTHERTOOL 3.2"], FULL_DATES)), plan(*options))
    twice = pydicom.dcmread(io.BytesIO(_written(once, plan(*options))))
    first = pydicom.dcmread(io.BytesIO(once))

    assert texts(twice) == texts(first)
    assert codes(twice) == codes(first)


def test_another_key_adds_its_own_text() -> None:
    once = _written(encode(instance()), plan())
    other = deid.compile_plan(
        {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}},
        deid.SiteKey(bytes(reversed(range(32)))),
    )
    said = texts(pydicom.dcmread(io.BytesIO(_written(once, other))))

    assert len(said) == 2
    assert said[0].endswith(KEY.id)


def test_the_classes_without_a_study_are_those_of_the_standard() -> None:
    directory = "1.2.840.10008.1.3.10"
    found = {uid for uid in uids() if not has_study(uid)} - {directory}

    assert found == set(WITHOUT_STUDY)
    assert all(WITHOUT_STUDY[uid] in uids()[uid].name for uid in found)


@pytest.mark.parametrize("uid", WITHOUT_STUDY)
def test_an_object_without_a_study_is_deidentified(uid: str) -> None:
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = uid, "1.2.3.4"
    made.ContentLabel = "HOT_IRON"
    made.ContentCreatorName = "Quiller^Ottilie"

    result = run(made)

    assert result.SOPInstanceUID != "1.2.3.4"
    assert "Quiller" not in str(result)
    assert "StudyInstanceUID" not in result


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_an_image_without_its_study_is_refused(keyword: str) -> None:
    made = instance()
    delattr(made, keyword)

    with pytest.raises(deid.Unsafe) as refused:
        run(made)
    assert refused.value.reason is Reason.MISSING_IDENTITY


def test_a_colour_palette_without_its_own_uid_is_refused() -> None:
    made = Dataset()
    made.SOPClassUID = "1.2.840.10008.5.1.4.39.1"

    with pytest.raises(deid.Unsafe) as refused:
        deid.deidentify(encode(made), plan())
    assert refused.value.reason is Reason.MISSING_IDENTITY
