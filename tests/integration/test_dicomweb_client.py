"""dicomweb-client stores, searches and retrieves over a real server, index and files."""

from __future__ import annotations

import asyncio
import logging
import warnings
from typing import TYPE_CHECKING, Any, TypeVar

import pydicom
import pytest
import pytest_asyncio
from dicomweb_client.api import DICOMwebClient
from pydicom.encaps import generate_frames
from pydicom.uid import ExplicitVRLittleEndian

from tests.dicomweb_service import BUNDLED, TestStore, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

T = TypeVar("T")
NAMES = [
    "CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "SC_rgb_small_odd.dcm", "SC_rgb_rle_2frame.dcm",
    "image_dfl.dcm", "examples_rgb_color.dcm", "liver_1frame.dcm", "rtdose.dcm", "rtplan.dcm",
    "reportsi.dcm", "693_J2KI.dcm", "SC_rgb_small_odd_jpeg.dcm", "ExplVR_BigEnd.dcm",
    "examples_jpeg2k.dcm", "examples_ybr_color.dcm", "emri_small.dcm", "waveform_ecg.dcm",
]  # fmt: skip


def find(name: str) -> Path | None:
    return next(BUNDLED.parent.rglob(name), None)


FILES = [path for name in NAMES if (path := find(name)) is not None]


@pytest.fixture(autouse=True)
def quiet() -> Any:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[TestStore]:
    found = TestStore(tmp_path)
    yield found
    await found.close()


async def using(
    store: TestStore, work: Callable[[DICOMwebClient], T], *, with_public_root: bool = False
) -> T:
    """Run blocking client code against a served store."""

    def in_thread(url: str) -> T:
        # What pydicom thinks of old files' values is not our subject.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return work(DICOMwebClient(url))

    if not with_public_root:
        async with served(store) as url:
            return await asyncio.to_thread(in_thread, url)
    async with served(store, learns_root=True) as url:
        return await asyncio.to_thread(in_thread, url)


def uids(dataset: pydicom.Dataset) -> tuple[str, str, str]:
    return dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
async def test_what_is_stored_is_retrieved(store: TestStore, path: Path) -> None:
    def work(client: DICOMwebClient) -> None:
        dataset = pydicom.dcmread(path)
        response = client.store_instances([dataset])
        (reference,) = response.ReferencedSOPSequence
        assert reference.ReferencedSOPInstanceUID == dataset.SOPInstanceUID
        back = client.retrieve_instance(*uids(dataset))
        assert same_data(back, dataset)
        assert back.file_meta.TransferSyntaxUID == dataset.file_meta.TransferSyntaxUID
        (only,) = client.retrieve_study(dataset.StudyInstanceUID)
        assert same_data(only, dataset)
        (only,) = client.iter_series(*uids(dataset)[:2])
        assert same_data(only, dataset)
        found = client.retrieve_instance_metadata(*uids(dataset))
        parsed = pydicom.Dataset.from_json(found, bulk_data_uri_handler=lambda _uri: b"")
        assert uids(parsed) == uids(dataset)
        assert client.retrieve_series_metadata(*uids(dataset)[:2]) == [found]
        assert client.retrieve_study_metadata(dataset.StudyInstanceUID) == [found]

    await using(store, work)


def same_data(one: pydicom.Dataset, other: pydicom.Dataset) -> bool:
    """Compare all elements but group lengths, which writing drops."""
    return [e for e in one if e.tag.element] == [e for e in other if e.tag.element]


@pytest.mark.parametrize(
    "path", [path for path in FILES if "PixelData" in pydicom.dcmread(path)], ids=lambda p: p.name
)
async def test_frames_are_those_of_the_file(store: TestStore, path: Path) -> None:
    def work(client: DICOMwebClient) -> None:
        dataset = pydicom.dcmread(path)
        client.store_instances([dataset])
        count = int(dataset.get("NumberOfFrames", 1))
        numbers = sorted({1, count})
        frames = client.retrieve_instance_frames(*uids(dataset), frame_numbers=numbers)
        syntax = dataset.file_meta.TransferSyntaxUID
        if syntax.is_encapsulated:
            whole = list(generate_frames(dataset.PixelData, number_of_frames=count))
            expected = [whole[number - 1] for number in numbers]
        else:
            expected = [native_frame(dataset, number, count) for number in numbers]
        assert frames == expected

    await using(store, work)


def native_frame(dataset: pydicom.Dataset, number: int, count: int) -> bytes:
    value = dataset.PixelData
    if not dataset.file_meta.TransferSyntaxUID.is_little_endian and dataset.BitsAllocated == 16:
        value = b"".join(value[i : i + 2][::-1] for i in range(0, len(value), 2))
    bits = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * dataset.BitsAllocated
    if dataset.PhotometricInterpretation == "YBR_FULL_422":
        bits = bits // 3 * 2
    size = bits // 8
    return bytes(value[(number - 1) * size : number * size])


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if not pydicom.dcmread(p).file_meta.TransferSyntaxUID.is_encapsulated],
    ids=lambda p: p.name,
)
async def test_native_instances_come_in_explicit_little_endian_when_asked(
    store: TestStore, path: Path
) -> None:
    def work(client: DICOMwebClient) -> None:
        dataset = pydicom.dcmread(path)
        client.store_instances([dataset])
        media_types = (("application/dicom", str(ExplicitVRLittleEndian)),)
        back = client.retrieve_instance(*uids(dataset), media_types=media_types)
        assert back.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        if "PixelData" in dataset:
            assert (back.pixel_array == pydicom.dcmread(path).pixel_array).all()
            del back.PixelData, dataset.PixelData
        assert same_data(back, dataset)

    await using(store, work)


async def test_searches_find_by_every_level(store: TestStore) -> None:
    datasets = [
        pydicom.dcmread(path)
        for path in FILES
        if path.name in {"CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm"}
    ]

    def work(client: DICOMwebClient) -> None:
        client.store_instances(datasets)
        assert len(client.search_for_studies()) == 3
        (study,) = client.search_for_studies(search_filters={"PatientID": "1CT1"})
        assert study["00080061"]["Value"] == ["CT"]
        assert study["00201208"]["Value"] == [1]
        assert "00081030" not in study
        (study,) = client.search_for_studies(
            search_filters={"00100020": "1CT1"}, fields=["StudyDescription", "00181030"]
        )
        assert study["00081030"]["Value"] == ["e+1"]
        assert (
            len(client.search_for_studies(search_filters={"PatientName": "CompressedSamples*"}))
            == 3
        )
        assert len(client.search_for_studies(limit=2)) == 2
        assert len(client.search_for_studies(limit=2, offset=2)) == 1
        assert len(client.search_for_studies(limit=1, get_remaining=True)) == 3
        assert client.search_for_studies(search_filters={"StudyDate": "19000101-19000201"}) == []
        (series,) = client.search_for_series(study_instance_uid=datasets[0].StudyInstanceUID)
        assert series["0020000E"]["Value"] == [datasets[0].SeriesInstanceUID]
        assert "00100010" not in series
        assert len(client.search_for_series(search_filters={"Modality": "CT"})) == 1
        (single,) = client.search_for_instances(*uids(datasets[0])[:2])
        assert single["00080018"]["Value"] == [datasets[0].SOPInstanceUID]
        assert len(client.search_for_instances(fuzzymatching=True)) == 3
        everything = client.search_for_instances(fields=["all"])
        assert all("00100010" in found and "00081190" in found for found in everything)

    await using(store, work)


@pytest.mark.parametrize("with_public_root", [False, True], ids=["unconfigured", "public_root"])
async def test_bulk_data_is_found_where_metadata_says(
    store: TestStore, with_public_root: bool
) -> None:
    path = find("CT_small.dcm")
    assert path is not None
    dataset = pydicom.dcmread(path)

    def work(client: DICOMwebClient) -> None:
        client.store_instances([dataset])
        found = client.retrieve_instance_metadata(*uids(dataset))
        uri = found["7FE00010"]["BulkDataURI"]
        assert uri.startswith("http://127.0.0.1:")
        (value,) = client.retrieve_bulkdata(uri)
        assert value == dataset.PixelData
        (value,) = client.iter_bulkdata(uri, media_types=("application/octet-stream",))
        assert value == dataset.PixelData

    await using(store, work, with_public_root=with_public_root)


async def test_many_instances_are_stored_in_one_request(store: TestStore) -> None:
    path = find("CT_small.dcm")
    assert path is not None
    datasets = []
    for number in range(40):
        dataset = pydicom.dcmread(path)
        dataset.SOPInstanceUID = f"1.2.3.{number}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.InstanceNumber = number
        datasets.append(dataset)

    def work(client: DICOMwebClient) -> None:
        response = client.store_instances(datasets, study_instance_uid=datasets[0].StudyInstanceUID)
        stored = [item.ReferencedSOPInstanceUID for item in response.ReferencedSOPSequence]
        assert stored == [dataset.SOPInstanceUID for dataset in datasets]
        assert len(client.retrieve_series_metadata(*uids(datasets[0])[:2])) == 40
        back = list(client.iter_study(datasets[0].StudyInstanceUID))
        assert len(back) == 40

    await using(store, work)
    assert store.accepted == 40
    assert store.opened == store.ended
