"""Instances stored as metadata and bulk data, and answers as documents of the Native DICOM Model."""

from __future__ import annotations

import io
import math
import subprocess
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import orjson
import pydicom
import pytest
import pytest_asyncio
from aiohttp import ClientSession
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, RLELossless
from structlog.testing import capture_logs

from dicomweb.describe import describe
from dicomweb.encode import Bulk, encode
from dicomweb.errors import DescribeError
from dicomweb.native_model import NAMESPACE, as_xml, from_xml
from tests.dicomweb_service import BUNDLED, TestStore, readable_bundled, served
from tests.picture_samples import SERIES, STUDY, as_bytes, item, make_image, ramp
from tests.pixel_samples import encode as encoded_frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pydicom.dataset import Dataset

JSON, XML = "application/dicom+json", "application/dicom+xml"


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[TestStore]:
    found = TestStore(tmp_path)
    yield found
    assert found.opened == found.ended, "an upload was neither finished nor aborted"
    await found.close()


@pytest_asyncio.fixture
async def url(store: TestStore) -> AsyncIterator[str]:
    async with served(store) as address:
        yield address


@pytest_asyncio.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


def body_of(*parts: tuple[str, str, bytes]) -> bytes:
    """Return a body of parts: Content-Type, Content-Location or nothing, bytes."""
    found = b""
    for kind, location, content in parts:
        where = f"Content-Location: {location}\r\n" if location else ""
        found += f"\r\n--B\r\nContent-Type: {kind}\r\n{where}\r\n".encode() + content
    return found + b"\r\n--B--\r\n"


def kind_of(media_type: str) -> dict[str, str]:
    return {"Content-Type": f'multipart/related; type="{media_type}"; boundary=B', "Accept": JSON}


def described(dataset: Dataset, media_type: str) -> list[tuple[str, str, bytes]]:
    """Return an instance as metadata and bulk data, as pydicom or we make it."""
    told = dataset.to_json_dict(
        bulk_data_threshold=1024, bulk_data_element_handler=lambda e: f"bulk/{e.tag:08X}"
    )
    told["7FE00010"] = {"vr": "OW", "BulkDataURI": "bulk/7FE00010"}
    document = orjson.dumps([told]) if media_type == JSON else as_xml(told)
    return [
        (media_type, "", document),
        ("application/octet-stream", "bulk/7FE00010", dataset.PixelData),
    ]


@pytest.mark.parametrize("media_type", [JSON, XML])
async def test_what_is_stored_as_metadata_and_bulk_data_is_the_instance(
    store: TestStore, url: str, http: ClientSession, media_type: str
) -> None:
    dataset = make_image(
        ramp(), bits=12, PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう", StudyDescription="größer <&> 'x'",
        WindowCenter=[40, 400.5], WindowWidth=[80, 1500], ImagePositionPatient=[-12.5, 0, 1e-7],
        FrameIncrementPointer=0x00181063, InstanceNumber=7, SmallestImagePixelValue=0,
        ReferencedImageSequence=[item(ReferencedSOPInstanceUID="1.2.3"), item()],
    )  # fmt: skip
    dataset.SpecificCharacterSet = "ISO_IR 192"
    body = body_of(*described(dataset, media_type))
    async with http.post(f"{url}/studies", data=body, headers=kind_of(media_type)) as response:
        assert response.status == 200, await response.text()
    path = f"/studies/{STUDY}/series/{SERIES}/instances/{dataset.SOPInstanceUID}"
    accept = {"Accept": "application/dicom; transfer-syntax=*"}
    async with http.get(f"{url}{path}", headers=accept) as response:
        back = pydicom.dcmread(io.BytesIO(await response.read()))
    assert {e.keyword: e.value for e in back} == {e.keyword: e.value for e in dataset}


@pytest.mark.parametrize(
    ("syntax", "kind"),
    [
        (JPEGLosslessSV1, "image/jpeg"),
        (JPEG2000Lossless, "image/jp2"),
        (RLELossless, "image/dicom-rle"),
        (JPEG2000Lossless, f"image/jp2; transfer-syntax={JPEG2000Lossless}"),
    ],
)
async def test_compressed_frames_are_parts(
    store: TestStore, url: str, http: ClientSession, syntax: str, kind: str
) -> None:
    frames = [np.roll(ramp(24, 32), n).astype(np.uint16)[..., None] for n in range(3)]
    streams = [
        encoded_frame(syntax, frame, 12 if syntax != RLELossless else 16) for frame in frames
    ]
    dataset = make_image(np.stack(frames)[..., 0], bits=12)
    metadata, _ = described(dataset, JSON)
    body = body_of(metadata, *((kind, "bulk/7FE00010", stream) for stream in streams))
    async with http.post(f"{url}/studies", data=body, headers=kind_of(JSON)) as response:
        assert response.status == 200, await response.text()
    path = f"/studies/{STUDY}/series/{SERIES}/instances/{dataset.SOPInstanceUID}"
    accept = {"Accept": f"application/dicom; transfer-syntax={syntax}"}
    async with http.get(f"{url}{path}", headers=accept) as response:
        assert response.status == 200
    accept = {"Accept": "application/octet-stream"}
    async with http.get(f"{url}{path}/frames/2", headers=accept) as response:
        assert await response.read() == frames[1].tobytes()


async def test_several_instances_may_share_a_request_and_fail_alone(
    store: TestStore, url: str, http: ClientSession
) -> None:
    one, other = make_image(ramp()), make_image(ramp(), InstanceNumber=2)
    told = [orjson.loads(described(each, JSON)[0][2])[0] for each in (one, other)]
    told.append({**told[0], "7FE00010": {"vr": "OW", "BulkDataURI": "bulk/nowhere"}})
    body = body_of(
        (JSON, "", orjson.dumps(told)), ("application/octet-stream", "bulk/7FE00010", one.PixelData)
    )
    async with http.post(f"{url}/studies", data=body, headers=kind_of(JSON)) as response:
        assert response.status == 202
        answer = await response.json(content_type=None)
    assert len(answer["00081199"]["Value"]) == 2
    assert len(answer["0008119A"]["Value"]) == 1
    async with http.post(f"{url}/studies/1.2.3", data=body, headers=kind_of(JSON)) as response:
        assert response.status == 409


@pytest.mark.parametrize(
    ("media_type", "parts"),
    [
        (JSON, []),
        (JSON, [(JSON, "", b"[{")]),
        (JSON, [(JSON, "", b"7")]),
        (JSON, [(JSON, "", b'["x"]')]),
        (JSON, [("application/octet-stream", "bulk/1", b"abcd")]),
        (JSON, [("image/png", "", b"abcd")]),
        (XML, [(XML, "", b"<NativeDicomModel")]),
        (XML, [(XML, "", b'<!DOCTYPE a [<!ENTITY b "c">]><NativeDicomModel/>')]),
        (XML, [(XML, "", b'<?xml version="1.0" encoding="none"?><NativeDicomModel/>')]),
    ],
)
async def test_what_cannot_be_parsed_is_400(
    store: TestStore,
    url: str,
    http: ClientSession,
    media_type: str,
    parts: list[tuple[str, str, bytes]],
) -> None:
    async with http.post(
        f"{url}/studies", data=body_of(*parts), headers=kind_of(media_type)
    ) as response:
        assert response.status == 400
    assert store.accepted == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"00100010": {"vr": "PN", "Value": ["not a name"]}},
        {"00280010": {"vr": "US", "Value": [70000]}},
        {"00280010": {"vr": "US", "Value": ["x"]}},
        {"00280010": {"vr": "QQ", "Value": [1]}},
        {"00280010": {"Value": [1]}},
        {"Rows": {"vr": "US", "Value": [1]}},
        {"00080050": {"vr": "SH", "Value": [{"a": 1}]}},
        {"00420011": {"vr": "OB", "InlineBinary": "***"}},
        {"00420011": {"vr": "OB", "Value": [1, 2]}},
        {"00080050": 7},
        {"7FE00010": 7},
        {"7FE00010": {"vr": "OW", "BulkDataURI": ["bulk/1"]}},
        {"7FE00010": {"vr": "OW", "BulkDataURI": {}}},
    ],
)
def test_what_is_no_dicom_json_is_refused(wrong: dict[str, Any]) -> None:
    told = {"00080016": {"vr": "UI", "Value": ["1.2"]}, "00080018": {"vr": "UI", "Value": ["1.3"]}}
    encode(told, Bulk({}, {}))
    with pytest.raises(DescribeError):
        encode({**told, **wrong}, Bulk({}, {}))


def test_nesting_has_an_end() -> None:
    told: dict[str, Any] = {}
    for _ in range(60):
        told = {"00081115": {"vr": "SQ", "Value": [told]}}
    with pytest.raises(DescribeError):
        encode(told, Bulk({}, {}))
    with pytest.raises(DescribeError):
        from_xml(as_xml(told))


def alike(one: Any, other: Any) -> bool:
    """Compare values as JSON has them, numbers by what they are."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    try:
        # Single precision is written with as many digits as one likes.
        return one == other or math.isclose(float(one), float(other), rel_tol=1e-6)
    except (TypeError, ValueError):
        return False


@pytest.mark.parametrize("path", readable_bundled()[:90], ids=lambda path: path.name)
def test_documents_say_what_json_says(path: Path) -> None:
    try:
        told = orjson.loads(describe(path.read_bytes()).metadata)
    except DescribeError:
        pytest.skip("cannot be described")
    back = from_xml(as_xml(told))
    assert list(back) == list(told)
    for tag, attribute in told.items():
        if attribute["vr"] not in {"PN", "FD", "FL", "ST", "LT", "UT", "SQ"}:
            assert alike(back[tag], attribute), tag


@pytest.mark.peer("dcm2xml")
def test_documents_are_those_of_dcmtk(tmp_path: Path) -> None:
    path = BUNDLED / "CT_small.dcm"
    done = subprocess.run(
        ["dcm2xml", "--native-format", str(path)], capture_output=True, check=True, timeout=240
    )
    theirs = values_of(ET.fromstring(done.stdout))
    ours = values_of(ET.fromstring(as_xml(orjson.loads(describe(path.read_bytes()).metadata))))
    differing = [tag for tag in ours if tag in theirs and not alike(ours[tag], theirs[tag])]
    assert differing == ["00080005"]  # ours are in UTF-8 and say so
    assert len(ours.keys() & theirs.keys()) > 100


def values_of(model: ET.Element) -> dict[str, list[str]]:
    """Return the values of the attributes of a document by tag."""
    return {
        f"{attribute.get('tag', '').upper()}{attribute.get('privateCreator', '')}": [
            (value.text or "").strip() for value in attribute.iter() if value.tag.endswith("Value")
        ]
        for attribute in model
        if attribute.tag.endswith("DicomAttribute") and attribute.get("vr") != "DS"
    }


async def parts_of(response: Any) -> list[ET.Element]:
    head = f"Content-Type: {response.headers['Content-Type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + await response.read())
    assert {part.get_content_type() for part in message.get_payload()} == {XML}  # type: ignore[union-attr]
    payloads = [part.get_payload(decode=True) for part in message.get_payload()]  # type: ignore[union-attr]
    return [ET.fromstring(each) for each in payloads if isinstance(each, bytes)]


async def test_metadata_and_searches_are_also_answered_in_documents(
    store: TestStore, url: str, http: ClientSession
) -> None:
    for number in (1, 2):
        await store.add(as_bytes(make_image(ramp(), InstanceNumber=number)))
    accept = {"Accept": f'multipart/related; type="{XML}"'}
    for path, count in (
        (f"/studies/{STUDY}/metadata", 2), ("/instances?limit=1", 1), ("/instances", 2), ("/studies", 1),
    ):  # fmt: skip
        async with http.get(f"{url}{path}", headers=accept) as response:
            assert response.status == 200
            documents = await parts_of(response)
        assert len(documents) == count
        assert {each.tag for each in documents} == {f"{{{NAMESPACE}}}NativeDicomModel"}
        assert all(values_of(each)["0020000D"] == [STUDY] for each in documents)
    async with http.get(f"{url}/studies?PatientID=nobody", headers=accept) as response:
        assert response.status == 204
    async with http.get(f"{url}/studies", headers={"Accept": XML}) as response:
        assert response.status == 406


@pytest.mark.parametrize(
    "path",
    ["/studies", "/instances", "/studies/1.2", "/studies/1.2/metadata", "/studies/1.2/rendered"],
)
async def test_what_cannot_be_read_now_asks_for_a_later_try(
    store: TestStore, url: str, http: ClientSession, path: str
) -> None:
    await store.close()
    with capture_logs() as log:
        async with http.get(url + path) as answer:
            told = await answer.json()
            assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
    assert [each["event"] for each in log] == ["store_unavailable"]
    assert told == {"status": 503, "error": "the store cannot be read now; ask again later"}
