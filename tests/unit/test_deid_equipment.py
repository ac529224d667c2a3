"""Days and UIDs of equipment: the same for many patients, they must neither join them nor tell their shifts."""

from __future__ import annotations

import io
from typing import Any

import pydicom
import pytest

import deid
from tests.adversarial.people import person
from tests.adversarial.probes import file_about
from tests.adversarial.running import result_of
from tests.adversarial.wire import element

KEY = deid.SiteKey(bytes(range(32)))
CREATOR = b"1.2.826.0.1.3680043.9.7433.55.1"
DAYS = {
    0x00181200: element(0x00181200, "DA", b"20200102"),
    0x00181201: element(0x00181201, "TM", b"061502"),
    0x0018700C: element(0x0018700C, "DA", b"20200103"),
    0x00181204: element(0x00181204, "DA", b"20120103"),
}
UIDS = {tag: element(tag, "UI", CREATOR) for tag in (0x00080014, 0x00181002, 0x00200200)}


def made(number: int, *options: str) -> pydicom.Dataset:
    configuration: dict[str, Any] = {
        "dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"},
        "dicomveil": {"options": [*options], "burnedIn": "pass"},
    }
    source = file_about(person(number), {**DAYS, **UIDS})
    plan = deid.compile_plan(configuration, KEY)
    return pydicom.dcmread(io.BytesIO(result_of(source, plan)))


@pytest.mark.parametrize("options", [(), ("retain_device_identity",)])
def test_days_of_equipment_go_while_days_of_patients_move(options: tuple[str, ...]) -> None:
    result = made(0, "retain_modified_dates", *options)
    assert result.StudyDate
    for tag in DAYS:
        assert tag not in result or not result[tag].value


def test_days_of_equipment_stay_with_full_dates() -> None:
    result = made(0, "retain_full_dates")
    assert result.DateOfLastCalibration == "20200102"
    assert result.TimeOfLastCalibration == "061502"


@pytest.mark.parametrize(
    "keyword", ["InstanceCreatorUID", "DeviceUID", "SynchronizationFrameOfReferenceUID"]
)
def test_uids_of_equipment_are_one_for_each_patient(keyword: str) -> None:
    one, again, other = made(0)[keyword].value, made(0)[keyword].value, made(1)[keyword].value
    assert one == again
    assert one != other
    assert one.startswith("2.25.")


def test_uids_of_equipment_join_patients_where_device_identity_is_retained() -> None:
    one, other = (made(number, "retain_device_identity") for number in (0, 1))
    assert one.InstanceCreatorUID == other.InstanceCreatorUID


def test_an_instance_that_comes_back_keeps_its_uids() -> None:
    plan = deid.compile_plan(
        {
            "dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"},
            "dicomveil": {"burnedIn": "pass"},
        },
        KEY,
    )
    once = result_of(file_about(person(0), dict(UIDS)), plan)
    assert (
        pydicom.dcmread(io.BytesIO(once)).DeviceUID
        == pydicom.dcmread(io.BytesIO(result_of(once, plan))).DeviceUID
    )


CLEANING: list[dict[str, Any]] = [
    {"dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"}},
    {
        "dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"},
        "text": {"additionalTransformations": [{"infoTypes": ["DATE"], "dateShiftConfig": {}}]},
    },
    {
        "dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"},
        "text": {"transformations": [{"infoTypes": ["PERSON_NAME", "DATE"], "redactConfig": {}}]},
    },
]
OF_MAKERS = {
    "Manufacturer": ["UIH", "Leica Biosystems", "Carl Zeiss Meditec", "Siemens Healthineers"],
    "ManufacturerModelName": [
        "Aperio AT2",
        "Leonardo",
        "Monaco",
        "NAEOTOM Alpha",
        "Emotion 16 (03/2007)",
    ],
    "SoftwareVersions": [
        "syngo MR E11",
        "10.1.0.1",
        "R11.4.2",
        "PQ 2.1.4",
        "14\\LX\\MR Software release:HD16.0",
    ],
    "ConvolutionKernel": ["YA", "EC", "Br40d\\3"],
    "CollimatorGridName": ["LEHR", "MEGP"],
    "ReconstructionMethod": ["VPFX", "LOR-RAMLA"],
}


def cleaned(keyword: str, value: str, configuration: dict[str, Any]) -> pydicom.Dataset:
    tag = pydicom.datadict.tag_for_keyword(keyword)
    vr = pydicom.datadict.dictionary_VR(keyword)
    assert tag is not None
    source = file_about(person(0), {tag: element(tag, vr, value.encode())})
    settings = {**configuration, "dicomveil": {"burnedIn": "pass"}}
    return pydicom.dcmread(io.BytesIO(result_of(source, deid.compile_plan(settings, KEY))))


@pytest.mark.parametrize(
    ("keyword", "value"), [(key, value) for key, values in OF_MAKERS.items() for value in values]
)
@pytest.mark.parametrize("configuration", CLEANING)
def test_what_makers_write_of_their_devices_stays_where_text_is_cleaned(
    keyword: str, value: str, configuration: dict[str, Any]
) -> None:
    left = cleaned(keyword, value, configuration)[keyword].value
    assert (left if isinstance(left, str) else "\\".join(left)) == value


@pytest.mark.parametrize("value", ["{0}", "syngo {0}", "{0} 2.1", "{0}\\VB10"])
@pytest.mark.parametrize("keyword", ["Manufacturer", "ManufacturerModelName", "SoftwareVersions"])
@pytest.mark.parametrize("configuration", CLEANING)
def test_the_patients_own_name_goes_from_what_makers_write(
    keyword: str, value: str, configuration: dict[str, Any]
) -> None:
    name = str(pydicom.dcmread(io.BytesIO(file_about(person(0), {}))).PatientName.family_name)
    result = cleaned(keyword, value.format(name), configuration)
    assert name.lower() not in str(result.get(keyword)).lower()


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("SoftwareVersions", "VX56B 01.02.2019"), ("SoftwareVersions", "syngo\\Rev. 2004-05-01"),
        ("SoftwareVersions", "Version 3.5 (20180412)"), ("ManufacturerModelName", "Model of 12.03.2007"),
        ("DateOfLastCalibration", "20200102"), ("DateOfManufacture", "20120103"),
        ("DateOfLastDetectorCalibration", "20200103"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("configuration", CLEANING)
def test_days_of_equipment_do_not_tell_the_shift_where_text_is_cleaned(
    keyword: str, value: str, configuration: dict[str, Any]
) -> None:
    left = str(cleaned(keyword, value, configuration)[keyword].value)
    digits = "".join(filter(str.isdigit, left.replace("VX56B", "").replace("3.5", "")))
    assert not digits
