"""WADO-URI, capabilities, and paths that end with a slash."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import numpy as np
import pydicom
import pytest
import pytest_asyncio
from aiohttp import ClientSession
from PIL import Image
from pydicom.dataset import FileMetaDataset

from tests.dicomweb_service import TestStore, bundled, served
from tests.picture_samples import (
    SERIES,
    STUDY,
    as_bytes,
    drawn,
    item,
    make_image,
    pixels_of,
    ramp,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pydicom.dataset import Dataset

    from daemon.rendering.pictures import Pictures

EXPLICIT = "1.2.840.10008.1.2.1"
WADL = "{http://wadl.dev.java.net/2009/02}"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def store(tmp_path: Path) -> AsyncIterator[TestStore]:
    found = TestStore(tmp_path)
    yield found
    await found.close()


@pytest_asyncio.fixture(loop_scope="module")
async def url(store: TestStore, imaging: Pictures) -> AsyncIterator[str]:
    async with served(store, imaging=imaging) as address:
        yield address


@pytest_asyncio.fixture(loop_scope="module")
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


def grey() -> Dataset:
    return make_image(ramp(40, 80), bits=12, WindowCenter=2048, WindowWidth=4096)


def cine() -> Dataset:
    plane = ramp(32, 64, top=255).astype(np.uint8)
    return make_image(np.stack([np.roll(plane, 9 * n) for n in range(3)]))


def named(dataset: Dataset, **more: str) -> dict[str, str]:
    return {
        "requestType": "WADO",
        "studyUID": STUDY,
        "seriesUID": SERIES,
        "objectUID": dataset.SOPInstanceUID,
        **more,
    }


async def test_the_default_is_a_jpeg(store: TestStore, url: str, http: ClientSession) -> None:
    for dataset in (grey(), cine()):
        await store.add(as_bytes(dataset))
        async with http.get(f"{url}/wado", params=named(dataset)) as response:
            assert response.status == 200, await response.text()
            assert response.headers["Content-Type"] == "image/jpeg"
            with Image.open(io.BytesIO(await response.read())) as opened:
                assert opened.size == (dataset.Columns, dataset.Rows)


@pytest.mark.parametrize(
    "wrong",
    [
        {"requestType": ""}, {"requestType": "wado"}, {"studyUID": ""}, {"seriesUID": "a"},
        {"objectUID": "../1"}, {"windowCenter": "40"}, {"windowWidth": "40"},
        {"windowCenter": "1", "windowWidth": "0"}, {"windowCenter": "x", "windowWidth": "1"}, {"rows": "0"},
        {"columns": "-1"}, {"rows": "99999"}, {"rows": "1.5"}, {"region": "0,0,1"}, {"region": "0,0,2,1"},
        {"region": "0.5,0,0.5,1"}, {"region": "a,b,c,d"}, {"imageQuality": "0"}, {"imageQuality": "101"},
        {"frameNumber": "1"}, {"frameNumber": "0"}, {"anonymize": "yes"}, {"transferSyntax": EXPLICIT},
        {"transferSyntax": "x"}, {"annotation": ""}, {"overlays": "maybe"}, {"presentationUID": "1.2"},
        {"presentationSeriesUID": "1.2"}, {"contentType": "application/dicom", "rows": "5"},
        {"contentType": "application/dicom", "frameNumber": "1"},
        {"presentationUID": "1.2", "presentationSeriesUID": "1.3", "region": "0,0,1,1"},
    ],
)  # fmt: skip
async def test_what_is_wrong_is_400(
    store: TestStore, url: str, http: ClientSession, wrong: dict[str, str]
) -> None:
    dataset = grey()
    await store.add(as_bytes(dataset))
    async with http.get(f"{url}/wado", params={**named(dataset), **wrong}) as response:
        assert response.status == 400, await response.text()
        assert "1.2.826" not in await response.text()


async def test_what_is_missing_is_400_and_what_is_not_there_404(
    store: TestStore, url: str, http: ClientSession
) -> None:
    dataset = grey()
    await store.add(as_bytes(dataset))
    for name in ("requestType", "studyUID", "seriesUID", "objectUID"):
        parameters = named(dataset)
        del parameters[name]
        async with http.get(f"{url}/wado", params=parameters) as response:
            assert response.status == 400
    for more in (
        {"objectUID": "1.2.3"},
        {"seriesUID": "1.2.3"},
        {"studyUID": "1.2.3"},
        {"presentationUID": "1.2.3", "presentationSeriesUID": "1.2.3"},
    ):
        async with http.get(f"{url}/wado", params={**named(dataset), **more}) as response:
            assert response.status == 404


@pytest.mark.parametrize(
    ("more", "accept", "kind"),
    [
        ({}, "image/png", "image/png"),
        ({"contentType": "image/gif"}, "*/*", "image/gif"),
        ({"contentType": "image/png, image/jpeg;q=0.3"}, "*/*", "image/png"),
        (
            {"contentType": "application/dicom"},
            "*/*",
            f"application/dicom; transfer-syntax={EXPLICIT}",
        ),
        ({"transferSyntax": "*"}, "*/*", "image/jpeg"),
        ({}, "application/dicom", f"application/dicom; transfer-syntax={EXPLICIT}"),
    ],
)
async def test_the_content_type_is_chosen(
    store: TestStore, url: str, http: ClientSession, more: dict[str, str], accept: str, kind: str
) -> None:
    dataset = grey()
    await store.add(as_bytes(dataset))
    async with http.get(
        f"{url}/wado", params=named(dataset, **more), headers={"Accept": accept}
    ) as response:
        assert (response.status, response.headers["Content-Type"]) == (200, kind)


async def test_what_cannot_be_produced_is_406(
    store: TestStore, url: str, http: ClientSession
) -> None:
    dataset = grey()
    plan = await store.add(bundled("rtplan.dcm"))
    await store.add(as_bytes(dataset))
    for kind in ("video/mp4", "text/html", "image/jp2"):
        parameters = named(dataset, contentType=kind)
        async with http.get(f"{url}/wado", params=parameters) as response:
            assert response.status == 406
    uids = {
        "studyUID": plan.study_uid, "seriesUID": plan.series_uid, "objectUID": plan.sop_instance_uid,
    }  # fmt: skip
    parameters = {"requestType": "WADO", **uids, "contentType": "image/jpeg"}
    async with http.get(f"{url}/wado", params=parameters) as response:
        assert response.status == 406


async def test_a_report_is_a_page(store: TestStore, url: str, http: ClientSession) -> None:
    report = await store.add(bundled("reportsi.dcm"))
    parameters = {
        "requestType": "WADO",
        "studyUID": report.study_uid,
        "seriesUID": report.series_uid,
        "objectUID": report.sop_instance_uid,
    }
    for kind, status in (("text/html", 200), ("text/plain", 200), ("application/pdf", 406)):
        asked = {**parameters, "contentType": kind}
        async with http.get(f"{url}/wado", params=asked) as response:
            assert response.status == status
            assert status != 200 or response.content_type == kind
    async with http.get(f"{url}/wado", params=parameters) as response:
        assert response.content_type == "application/dicom"


async def test_an_instance_comes_in_the_syntax_asked_for(
    store: TestStore, url: str, http: ClientSession
) -> None:
    accepted = await store.add(bundled("MR_small_RLE.dcm"))
    parameters = {
        "requestType": "WADO",
        "studyUID": accepted.study_uid,
        "seriesUID": accepted.series_uid,
        "objectUID": accepted.sop_instance_uid,
        "contentType": "application/dicom",
    }
    for asked, status, expected in (
        ("", 200, EXPLICIT),
        (EXPLICIT, 200, EXPLICIT),
        ("1.2.840.10008.1.2.5", 200, "1.2.840.10008.1.2.5"),
        ("1.2.840.10008.1.2.4.90", 406, ""),
    ):
        more = {"transferSyntax": asked} if asked else {}
        async with http.get(f"{url}/wado", params={**parameters, **more}) as response:
            assert response.status == status
            body = await response.read()
        if expected:
            back = pydicom.dcmread(io.BytesIO(body))
            assert back.file_meta.TransferSyntaxUID == expected


async def test_what_lost_something_comes_as_it_is_stored(
    store: TestStore, url: str, http: ClientSession
) -> None:
    content = bundled("JPEG2000.dcm")
    accepted = await store.add(content)
    parameters = {
        "requestType": "WADO",
        "studyUID": accepted.study_uid,
        "seriesUID": accepted.series_uid,
        "objectUID": accepted.sop_instance_uid,
        "contentType": "application/dicom",
    }
    async with http.get(f"{url}/wado", params=parameters) as response:
        assert await response.read() == content


async def test_window_size_region_and_frame_are_those_asked_for(
    store: TestStore, url: str, http: ClientSession, tmp_path: Path
) -> None:
    dataset, moving = grey(), cine()
    for each in (dataset, moving):
        await store.add(as_bytes(each))
    png = {"contentType": "image/png"}

    async def found(of: Dataset, **more: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        async with http.get(f"{url}/wado", params=named(of, **png, **more)) as response:
            assert response.status == 200, await response.text()
            return pixels_of(await response.read())

    window = await found(dataset, windowCenter="100.5", windowWidth="70")
    assert np.array_equal(window, drawn(dataset, tmp_path, window=(100.5, 70.0, "LINEAR")))
    region = await found(dataset, region="0.25,0.5,0.75,1.0")
    assert np.array_equal(region, drawn(dataset, tmp_path)[20:40, 20:60])
    assert (await found(dataset, rows="20")).shape == (20, 40)
    assert (await found(dataset, columns="20")).shape == (10, 20)
    assert (await found(dataset, rows="100", columns="20")).shape == (10, 20)
    assert np.array_equal(await found(moving, frameNumber="3"), drawn(moving, tmp_path, frame=3))
    for number in ("4", "0", "1,2", "x"):
        parameters = named(moving, frameNumber=number)
        async with http.get(f"{url}/wado", params=parameters) as response:
            assert response.status == 400


async def test_a_presentation_state_is_applied(
    store: TestStore, url: str, http: ClientSession
) -> None:
    dataset = grey()
    state = item(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.11.1",
        SOPInstanceUID=f"{STUDY}.3",
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=f"{STUDY}.2",
        PresentationLUTShape="INVERSE",
    )
    image = item(ReferencedSOPInstanceUID=dataset.SOPInstanceUID)
    state.ReferencedSeriesSequence = [
        item(SeriesInstanceUID=SERIES, ReferencedImageSequence=[image])
    ]
    state.SoftcopyVOILUTSequence = [item(WindowCenter=2048, WindowWidth=4096)]
    state.file_meta = FileMetaDataset(dataset.file_meta)
    state.file_meta.MediaStorageSOPInstanceUID = state.SOPInstanceUID
    state.file_meta.MediaStorageSOPClassUID = state.SOPClassUID
    for each in (dataset, state):
        await store.add(as_bytes(each))
    pictures = []
    for more in ({}, {"presentationUID": f"{STUDY}.3", "presentationSeriesUID": f"{STUDY}.2"}):
        parameters = named(dataset, contentType="image/png", **more)
        async with http.get(f"{url}/wado", params=parameters) as response:
            assert response.status == 200
            pictures.append(pixels_of(await response.read()))
    assert np.array_equal(pictures[1], 255 - pictures[0])


@pytest.mark.parametrize("method", ["OPTIONS", "GET"])
async def test_capabilities_are_told(url: str, http: ClientSession, method: str) -> None:
    for address in (url, f"{url}/"):
        async with http.request(method, address) as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "application/vnd.sun.wadl+xml"
            document = ET.fromstring(await response.text())
        resources = document.find(f"{WADL}resources")
        assert resources is not None
        assert resources.get("base") == f"{url}/"
        paths = {each.get("path") for each in resources.iter(f"{WADL}resource")}
        assert {"studies", "studies/{study}/metadata", "wado"} <= paths
        async with http.request(
            method, address, headers={"Accept": "application/json"}
        ) as response:
            assert response.headers["Content-Type"] == "application/json"
            told = await response.json()
        assert {each["path"] for each in told["resources"]} == paths
    async with http.request(method, url, headers={"Accept": "image/png"}) as response:
        assert response.status == 406


async def test_what_cannot_be_done_is_not_offered(store: TestStore, http: ClientSession) -> None:
    async with served(store, writable=False) as url:
        async with http.options(
            f"{url}/studies", headers={"Accept": "application/json"}
        ) as response:
            assert response.headers["Allow"] == "GET, HEAD, OPTIONS"
            told = await response.json()
        assert told["base"] == url
        assert "POST" not in {each["method"] for each in told["resources"]}


async def test_every_resource_that_is_offered_is_there(
    store: TestStore, url: str, http: ClientSession
) -> None:
    dataset = grey()
    await store.add(as_bytes(dataset))
    async with http.options(url, headers={"Accept": "application/json"}) as response:
        told = await response.json()
    names = {
        "study": STUDY, "series": SERIES, "instance": dataset.SOPInstanceUID, "frames": "1", "path": "7FE00010",
    }  # fmt: skip
    for each in told["resources"]:
        if each["method"] != "GET":
            continue
        parameters = named(dataset) if each["path"] == "wado" else {}
        address = f"{url}/{each['path'].format(**names)}"
        for slash in ("", "/"):
            async with http.get(f"{address}{slash}", params=parameters) as response:
                assert response.status == 200, (each, await response.text())
        for kind in each["mediaTypes"]:
            async with http.get(address, params=parameters, headers={"Accept": kind}) as response:
                assert response.status == 200 or kind.endswith("image/*"), (each, kind)


async def test_a_preflight_asks_for_no_capabilities(url: str, http: ClientSession) -> None:
    headers = {"Origin": "https://viewer.example", "Access-Control-Request-Method": "GET"}
    async with http.options(f"{url}/studies", headers=headers) as response:
        assert (response.status, await response.read()) == (204, b"")
