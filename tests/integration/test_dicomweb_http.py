"""The service by its bytes: statuses, negotiation, broken uploads, other origins."""

from __future__ import annotations

import asyncio
import gzip
import io
import itertools
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
import pytest_asyncio
from aiohttp import ClientConnectionError, ClientPayloadError, ClientSession
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import (
    MPEG2MPML,
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    SecondaryCaptureImageStorage,
)
from yarl import URL

from config.settings import Http
from dicomweb import bulk, qido, wado
from dicomweb.described import MOST_OBJECTS, MOST_VALUES, Described
from dicomweb.errors import BadRequest, PayloadTooLarge
from dicomweb.stow import store as stow_store
from tests.dicomweb_service import TestStore, bundled, served
from tests.whole_requests import posted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from aiohttp import ClientResponse

    from daemon.store.ports import Session
    from dicomweb.ports import InstanceFile

DICOM = "application/dicom"
MULTIPART = 'multipart/related; type="application/dicom"; boundary=B'
CT = bundled("CT_small.dcm")
CT_STUDY = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"
CT_SERIES = "1.3.6.1.4.1.5962.1.3.1.1.20040119072730.12322"
CT_INSTANCE = "1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322"
CT_PATH = f"/studies/{CT_STUDY}/series/{CT_SERIES}/instances/{CT_INSTANCE}"


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[TestStore]:
    found = TestStore(tmp_path)
    yield found
    assert found.opened == found.ended, "an upload was neither finished nor aborted"
    await found.close()


@pytest_asyncio.fixture
async def url(store: TestStore) -> AsyncIterator[str]:
    settings = Http(
        cors_origins={"source": ("https://viewer.example",)}, max_parts=50, max_instance_bytes=1 << 20,
        max_body_bytes=4 << 20, max_results=2,
    )  # fmt: skip
    async with served(store, settings=settings) as address:
        yield address


@pytest_asyncio.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


def multipart(*contents: bytes, content_type: str = "application/dicom", end: bool = True) -> bytes:
    parts = b"".join(
        b"\r\n--B\r\nContent-Type: " + content_type.encode() + b"\r\n\r\n" + content
        for content in contents
    )
    return parts + (b"\r\n--B--\r\n" if end else b"")


def port_of(url: str) -> int:
    port = URL(url).port
    assert port is not None
    return port


async def stow(
    http: ClientSession, url: str, body: Any, *, path: str = "/studies", **headers: str
) -> ClientResponse:
    fields = {"Content-Type": MULTIPART} | {k.replace("_", "-"): v for k, v in headers.items()}
    return await http.post(url + path, data=body, headers=fields)


def parts_of(body: bytes, content_type: str) -> list[tuple[str, bytes]]:
    """Return the content type and body of each part."""
    boundary = content_type.partition("boundary=")[2].encode()
    assert body.endswith(b"--" + boundary + b"--\r\n")
    found = []
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().strip().split("\r\n"))
        content = content.removesuffix(b"\r\n")
        assert int(fields["Content-Length"]) == len(content)
        found.append((fields["Content-Type"], content))
    return found


# --- store ------------------------------------------------------------------------------------


async def test_a_stored_instance_is_named_with_its_address(http: ClientSession, url: str) -> None:
    response = await stow(http, url, multipart(CT))
    assert response.status == 200
    assert response.headers["Content-Type"] == "application/dicom+json"
    answer = await response.json(content_type=None)
    (item,) = answer["00081199"]["Value"]
    assert item["00081155"]["Value"] == [CT_INSTANCE]
    assert item["00081190"]["Value"] == [url + CT_PATH]
    assert answer["00081190"]["Value"] == [f"{url}/studies/{CT_STUDY}"]
    assert "00081198" not in answer


async def test_a_single_part_is_stored(http: ClientSession, url: str) -> None:
    response = await stow(http, url, CT, Content_Type="application/dicom; transfer-syntax=1.2")
    assert response.status == 200


async def test_a_part_may_name_its_transfer_syntax(http: ClientSession, url: str) -> None:
    body = multipart(CT, content_type="application/dicom; transfer-syntax=1.2.840.10008.1.2.1")
    assert (await stow(http, url, body)).status == 200


async def test_the_response_is_xml_for_who_accepts_only_that(http: ClientSession, url: str) -> None:
    response = await stow(http, url, multipart(CT), Accept="application/dicom+xml")
    assert response.headers["Content-Type"] == "application/dicom+xml"
    text = await response.text()
    assert f'<Value number="1">{CT_INSTANCE}</Value>' in text
    assert 'keyword="ReferencedSOPSequence"' in text


async def test_garbage_among_instances_is_listed_and_the_rest_stored(
    http: ClientSession, url: str, store: TestStore
) -> None:
    response = await stow(http, url, multipart(CT, b"garbage", bundled("MR_small.dcm"), CT[:3000]))
    assert response.status == 202
    answer = await response.json(content_type=None)
    assert len(answer["00081199"]["Value"]) == 2
    (unnamed,) = answer["0008119A"]["Value"]
    assert unnamed["00081197"]["Value"] == [0xC000]
    (named,) = answer["00081198"]["Value"]
    assert named["00081155"]["Value"] == [CT_INSTANCE]
    assert store.accepted == 2


async def test_only_garbage_is_a_conflict(http: ClientSession, url: str) -> None:
    response = await stow(http, url, multipart(b"garbage"))
    assert response.status == 409
    assert "00081199" not in await response.json(content_type=None)


async def test_another_study_than_the_path_names_is_refused(
    http: ClientSession, url: str, store: TestStore
) -> None:
    response = await stow(http, url, multipart(CT), path="/studies/1.2.3")
    assert response.status == 409
    (item,) = (await response.json(content_type=None))["00081198"]["Value"]
    assert item["00081197"]["Value"] == [0xA901]
    assert item["00081155"]["Value"] == [CT_INSTANCE]
    assert store.accepted == 0
    assert (await stow(http, url, multipart(CT), path=f"/studies/{CT_STUDY}")).status == 200


async def test_the_study_of_a_deflated_instance_is_checked_too(
    http: ClientSession, url: str, store: TestStore
) -> None:
    deflated = bundled("image_dfl.dcm")
    assert (await stow(http, url, multipart(deflated), path="/studies/1.2.3")).status == 409
    study = "1.3.6.1.4.1.5962.1.2.0.977067310.6001.0"
    assert (await stow(http, url, multipart(deflated), path=f"/studies/{study}")).status == 200


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", MULTIPART),
        (b"--B--\r\n", MULTIPART),
        (multipart(CT, end=False), MULTIPART),
        (multipart(CT)[:-4], MULTIPART),
        (multipart(CT)[:2000], MULTIPART),
        (multipart(CT), 'multipart/related; type="application/dicom"; boundary=C'),
        (multipart(CT), 'multipart/related; type="application/dicom"'),
        (multipart(*[b"x"] * 51), MULTIPART),
        (b"--B\r\nX: " + b"y" * 40_000 + b"\r\n\r\nz\r\n--B--", MULTIPART),
        (b"", "application/dicom"),
    ],
    ids=[
        "empty", "no parts", "no closing boundary", "half a closing boundary", "cut in a part",
        "another boundary", "no boundary parameter", "too many parts", "endless part header",
        "empty single part",
    ],
)  # fmt: skip
async def test_malformed_bodies_are_bad_requests(
    http: ClientSession, url: str, body: bytes, content_type: str
) -> None:
    response = await stow(http, url, body, Content_Type=content_type)
    assert response.status == 400
    assert "00081199" not in await response.text()


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        ("application/dicom+json", ""),
        ('multipart/related; type="application/json"; boundary=B', ""),
        ("text/plain", ""),
        (MULTIPART, "gzip"),
        (MULTIPART, "deflate"),
        (MULTIPART, "br"),
    ],
)
async def test_what_is_not_stored_is_unsupported(
    http: ClientSession, url: str, content_type: str, encoding: str
) -> None:
    headers = {"Content_Encoding": encoding} if encoding else {}
    body = gzip.compress(multipart(CT)) if encoding else b"{}"
    response = await stow(http, url, body, Content_Type=content_type, **headers)
    assert response.status == 415


async def test_bodies_and_instances_are_limited(
    http: ClientSession, url: str, store: TestStore
) -> None:
    response = await stow(http, url, io.BytesIO(multipart(CT + bytes(1 << 20), CT)))
    assert response.status == 202
    answer = await response.json(content_type=None)
    assert answer["00081198"]["Value"][0]["00081197"]["Value"] == [0xA701]

    async def endless() -> AsyncIterator[bytes]:
        yield b"--B\r\n\r\n"
        for _ in range(6):
            yield bytes(1 << 20)

    try:
        response = await stow(http, url, endless())
    except ClientConnectionError:
        pass  # refused and closed while we were still sending
    else:
        assert response.status == 413


@pytest.mark.parametrize(("count", "status"), [(50, 409), (51, 400)])
async def test_metadata_describe_no_more_instances_than_a_request_has_parts(
    http: ClientSession, url: str, count: int, status: int
) -> None:
    """A part of 32 MiB has room for ten million that are empty: the request went on for minutes."""
    kind = "application/dicom+json"
    body = multipart(b"[" + b",".join([b"{}"] * count) + b"]", content_type=kind)
    media_type = MULTIPART.replace(DICOM, kind)
    response = await stow(http, url, body, Content_Type=media_type)
    assert response.status == status


async def test_metadata_of_no_instance_are_a_mistake_of_the_client(
    http: ClientSession, url: str
) -> None:
    """They were 503: of nothing, all had found no room."""
    kind = "application/dicom+json"
    body = multipart(b"[]", content_type=kind)
    response = await stow(http, url, body, Content_Type=MULTIPART.replace(DICOM, kind))
    assert response.status == 400
    assert "no instance" in (await response.json())["error"]


async def test_metadata_of_very_many_objects_are_refused_unread(
    http: ClientSession, url: str
) -> None:
    kind = "application/dicom+json"
    deep = b'[{"00081140":' + b"[" * MOST_OBJECTS
    response = await stow(
        http, url, multipart(deep, content_type=kind), Content_Type=MULTIPART.replace(DICOM, kind)
    )
    assert response.status == 413


def test_metadata_of_very_many_values_are_refused_unread() -> None:
    described = Described()
    described.begin({"content-type": "application/dicom+json"})
    described.write(b"," * (MOST_VALUES + 1))
    described.end()
    with pytest.raises(PayloadTooLarge):
        next(described.files())


@pytest.mark.parametrize("kind", ["a/b", "application/dicom+json"])
async def test_others_have_their_turn_between_the_parts_of_a_body(
    store: TestStore, kind: str
) -> None:
    """A piece of a body may hold ten thousand parts."""
    media_type = f'multipart/related; type="{kind.replace("a/b", DICOM)}"; boundary=B'
    request = posted(multipart(b"{}", b"{}", content_type=kind)[2:], media_type)
    limits = Http(max_parts=1)  # the second is one too many
    storing = asyncio.ensure_future(stow_store(request, store, limits, study_uid=None, root=""))
    turns = 0
    while not storing.done():
        turns += 1
        await asyncio.sleep(0)
    with pytest.raises(BadRequest):
        await storing
    assert turns > 1


async def test_a_body_announced_as_too_long_is_not_read(http: ClientSession, url: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(url))
    writer.write(
        b"POST /dicomweb/source/studies HTTP/1.1\r\nHost: x\r\nContent-Length: 4294967296\r\n"
        b"Content-Type: " + MULTIPART.encode() + b"\r\n\r\n"
    )
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 240)
    assert b" 413 " in head
    # What comes is no next request, and whoever sends it learns that it goes nowhere.
    assert b"\r\nconnection: close\r\n" in head.lower()
    writer.close()
    await writer.wait_closed()


async def test_a_body_that_stands_still_is_given_up(store: TestStore) -> None:
    body = multipart(CT)
    async with served(store, settings=Http(body_timeout_s=0.5)) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(url))
        writer.write(
            b"POST /dicomweb/source/studies HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % len(body)
            + b"Content-Type: " + MULTIPART.encode() + b"\r\n\r\n" + body[:2000]
        )  # fmt: skip
        assert b" 408 " in await asyncio.wait_for(reader.readline(), 240)
        writer.close()
        await writer.wait_closed()
    assert store.accepted == 0


async def test_a_body_that_drips_is_dropped(store: TestStore) -> None:
    settings = Http(body_timeout_s=0.5, min_bytes_per_s=1000.0)
    async with served(store, settings=settings) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(url))
        writer.write(
            b"POST /dicomweb/source/studies HTTP/1.1\r\nHost: x\r\nContent-Type: application/dicom"
            b"\r\nContent-Length: 4000000\r\n\r\n" + CT[:500]
        )
        answer = asyncio.create_task(reader.readline())
        async with asyncio.timeout(120):
            while not answer.done():
                writer.write(b"\0")
                await asyncio.wait([answer], timeout=0.05)
        assert b" 408 " in await answer
        writer.close()


async def test_a_client_that_leaves_leaves_nothing(url: str, store: TestStore) -> None:
    _reader, writer = await asyncio.open_connection("127.0.0.1", port_of(url))
    writer.write(
        b"POST /dicomweb/source/studies HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
        b"Content-Type: " + MULTIPART.encode() + b"\r\n\r\n" + multipart(CT)[:9000]
    )
    await writer.drain()
    async with asyncio.timeout(240):
        while not store.opened:  # noqa: ASYNC110 - polls with a deadline
            await asyncio.sleep(0.01)
        writer.close()
        while store.ended < store.opened:  # noqa: ASYNC110 - polls with a deadline
            await asyncio.sleep(0.01)
    assert store.accepted == 0


async def test_a_full_store_says_when_to_try_again(
    http: ClientSession, url: str, store: TestStore
) -> None:
    store.capacity_bytes = 1000
    response = await stow(http, url, multipart(CT, CT))
    assert response.status == 503
    assert int(response.headers["Retry-After"]) > 0
    store.capacity_bytes = len(CT)
    response = await stow(http, url, multipart(CT, CT + bytes(100)))
    assert response.status == 202
    (item,) = (await response.json(content_type=None))["00081198"]["Value"]
    assert item["00081197"]["Value"] == [0xA700]


async def test_a_store_of_results_takes_nothing_in(http: ClientSession, store: TestStore) -> None:
    async with served(store, writable=False) as url:
        response = await stow(http, url, multipart(CT))
        assert response.status == 405
        assert "POST" not in response.headers["Allow"]
        assert "source" in (await response.json())["error"]


@pytest.mark.parametrize("writable", [True, False])
async def test_what_may_be_done_with_a_path_is_told_where_something_else_is_tried(
    http: ClientSession, store: TestStore, writable: bool
) -> None:
    allowed = "GET, HEAD, OPTIONS, POST" if writable else "GET, HEAD, OPTIONS"
    async with served(store, writable=writable) as url, http.delete(f"{url}/studies") as response:
        assert (response.status, response.headers["Allow"]) == (405, allowed)


async def test_an_error_says_what_can_be_done_instead(http: ClientSession, url: str) -> None:
    async with http.put(f"{url}/studies") as response:
        assert "only GET, HEAD, OPTIONS, POST" in (await response.json())["error"]
    async with http.get(f"{url}/patients") as response:
        assert "OPTIONS" in (await response.json())["error"]


@pytest.mark.parametrize(
    ("charset", "status"),
    [
        ("utf-8", 200), ("UTF-8;q=0.5", 200), ("iso-8859-1,utf-8", 200), ("", 200),
        ("iso-8859-1", 400), ("nonsense", 400), ("iso-8859-1,utf-16;q=0.1", 400),
    ],
)  # fmt: skip
async def test_a_charset_that_nothing_is_written_in_is_refused(
    http: ClientSession, url: str, charset: str, status: int
) -> None:
    response = await http.get(f"{url}/studies", params={"charset": charset})
    assert response.status == status
    assert "nonsense" not in await response.text()


# --- search -----------------------------------------------------------------------------------


async def test_nothing_found_is_an_empty_list(http: ClientSession, url: str) -> None:
    for path in (
        "/studies",
        "/series",
        "/instances",
        "/studies/1.2/series",
        "/studies/1.2/instances",
    ):
        response = await http.get(url + path)
        assert (response.status, await response.json(content_type=None)) == (200, [])


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=x", "limit"), ("limit=-1", "limit"), ("offset=1.5", "offset"), ("limit=99999999999", "limit"),
        ("fuzzymatching=perhaps", "fuzzymatching"), ("StudyDate=yesterday", "StudyDate"),
        ("00080020=2024-13", "StudyDate"), ("StudyInstanceUID=1.2.x", "StudyInstanceUID"),
        ("StudyTime=noon", "StudyTime"), ("StudyDate=20240101-20240102-", "StudyDate"),
    ],
)  # fmt: skip
async def test_malformed_parameters_are_named_without_their_value(
    http: ClientSession, url: str, query: str, named: str
) -> None:
    response = await http.get(f"{url}/studies?{query}")
    assert response.status == 400
    text = (await response.json())["error"]
    assert named in text
    assert query.partition("=")[2] not in text


@pytest.mark.parametrize(
    "query",
    [
        "alt=json&prettyPrint=false&key=x&$.xgafv=2", "includefield=00081030,00100030", "PatientName=",
        "StudyInstanceUID=1.2,3.4", "StudyInstanceUID=1.2%5C3.4", "StudyDate=20200101-", "StudyDate=-20200101",
        "StudyTime=10-1130", "StudyDate=2020-01-01", "ModalitiesInStudy=CT,MR", "limit=0",
        "PatientName=%E5%B1%B1*",
        "PatientName=a%00b%22%27;drop", "accept=application/dicom+json", "accept=application/dicom%2Bjson",
    ],
)  # fmt: skip
async def test_what_viewers_ask_is_answered(http: ClientSession, url: str, query: str) -> None:
    response = await http.get(f"{url}/studies?{query}")
    if "%00" in query:
        assert response.status == 400
    else:
        assert response.status == 200
        assert "Warning" not in response.headers


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=101&offset=0&fuzzymatching=true&includefield=00081030%2C00080060%2C00100030", "00080060"),
        ("includefield=00081030,00091001", "00091001"),
    ],
)  # fmt: skip
async def test_what_viewers_ask_of_studies_in_vain_is_answered_and_named(
    http: ClientSession, url: str, query: str, named: str
) -> None:
    response = await http.get(f"{url}/studies?{query}")
    assert response.status == 200
    (warning,) = response.headers.getall("Warning")
    assert named in warning


@pytest.mark.parametrize(
    ("key", "pattern"),
    [
        ("ModalitiesInStudy", "C{}"), ("ModalitiesInStudy", "*{}"), ("PatientName", "a{}*"),
        ("PatientID", "a{}*"), ("StudyDescription", "*{}*"), ("StudyDate", "20000101-{:08}"),
        ("StudyTime", "10-113000.{:03}"), ("StationName", "a?{}*"), ("InstanceNumber", "{}"),
        ("RequestAttributesSequence.RequestedProcedureID", "a{}"), ("ContentTime", "10-113000.{:03}"),
    ],
)  # fmt: skip
async def test_as_many_values_as_a_search_takes_are_looked_for(
    store: TestStore, key: str, pattern: str
) -> None:
    await store.add(CT)
    values = [pattern.format(number) for number in range(qido.MAX_VALUES)]
    for level in qido.LEVELS:
        parameters = [("includefield", "all"), *((key, value) for value in values)]
        search = qido.parse(level, None, parameters, max_results=10)
        assert len(search.query.matches[key]) == len(values)
        await store.index.search(search.query)


async def test_a_long_address_is_not_sent_back(http: ClientSession, url: str) -> None:
    for parameters, is_told in ((1, True), (6, False)):
        query = "&".join([f"PatientID={'x' * 1000}"] * parameters)
        response = await http.get(f"{url}/studies?{query}")
        assert response.status == 200
        assert ("Content-Location" in response.headers) == is_told


@pytest.mark.parametrize(
    ("query", "warning"),
    [
        ("Foo=1", "Foo"), ("PatientWeight=80", "PatientWeight"), ("00091001=x", "00091001"),
        ("emptyvaluematching=true", "emptyvaluematching"), ("%0d%0aX:=1", "given"),
        ("includefield=nonsense,00081030", "includefield"), ("includefield=PatientName.x", "includefield"),
    ],
)  # fmt: skip
async def test_what_cannot_be_matched_is_ignored_with_a_warning(
    http: ClientSession, url: str, query: str, warning: str
) -> None:
    await stow(http, url, multipart(CT))
    response = await http.get(f"{url}/studies?{query}")
    assert response.status == 200
    assert len(await response.json(content_type=None)) == 1
    assert response.headers["Warning"].startswith("299 ")
    assert warning in response.headers["Warning"]


async def test_sequence_attributes_are_matched_at_series_level(
    http: ClientSession, url: str
) -> None:
    await stow(http, url, multipart(CT))
    for name in ("RequestAttributesSequence.ScheduledProcedureStepID", "00400275.00400009"):
        response = await http.get(f"{url}/series?{name}=1")
        assert "Warning" not in response.headers
        assert await response.json(content_type=None) == []


async def test_more_results_than_one_answer_holds_are_announced(
    http: ClientSession, url: str
) -> None:
    names = ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm")
    await stow(http, url, multipart(*map(bundled, names)))
    response = await http.get(f"{url}/studies")
    assert len(await response.json(content_type=None)) == 2
    assert "additional results" in response.headers["Warning"]
    response = await http.get(f"{url}/studies?offset=2")
    assert len(await response.json(content_type=None)) == 1
    assert "Warning" not in response.headers
    response = await http.get(f"{url}/studies?limit=1")
    assert "Warning" not in response.headers
    response = await http.get(f"{url}/studies?limit=1000")
    assert len(await response.json(content_type=None)) == 2
    assert "additional results" in response.headers["Warning"]


@pytest.mark.parametrize(
    ("sort", "status"),
    [
        ("StudyDate", 200), ("-StudyDate,PatientName", 200), ("%2BStudyDate", 200), ("+StudyDate", 200),
        ("-00080020", 200), ("Rows", 400), ("StudyDate,", 400), ("--StudyDate", 400), ("", 400),
        ("ModalitiesInStudy", 400), ("Modality", 400), ("StudyDate%27", 400),
        ("RequestAttributesSequence.RequestedProcedureID", 400),
    ],
)  # fmt: skip
async def test_results_are_sorted_by_what_is_known_only(
    http: ClientSession, url: str, sort: str, status: int
) -> None:
    response = await http.get(URL(f"{url}/studies?sort={sort}", encoded=True))
    assert response.status == status
    if status == 400:
        assert "StudyDate'" not in await response.text()


async def test_a_search_is_answered_in_the_order_asked_for(
    http: ClientSession, url: str, store: TestStore
) -> None:
    await store.add(CT)
    await store.add(bundled("MR_small.dcm"))
    for sort, first in (("", "MR"), ("&sort=Modality", "CT"), ("&sort=-Modality", "MR")):
        (one,) = await (await http.get(f"{url}/series?limit=1{sort}")).json(content_type=None)
        assert one["00080060"]["Value"] == [first]


async def test_results_are_ordered_by_tag_and_addressed(http: ClientSession, url: str) -> None:
    await stow(http, url, multipart(CT))
    paths = {
        "/studies": f"/studies/{CT_STUDY}",
        "/series": f"/studies/{CT_STUDY}/series/{CT_SERIES}",
        f"/studies/{CT_STUDY}/series": f"/studies/{CT_STUDY}/series/{CT_SERIES}",
        "/instances": CT_PATH,
        f"/studies/{CT_STUDY}/instances": CT_PATH,
        f"/studies/{CT_STUDY}/series/{CT_SERIES}/instances": CT_PATH,
    }
    for path, address in paths.items():
        for suffix in ("", "?includefield=all", "?includefield=00081030&includefield=Modality"):
            response = await http.get(url + path + suffix)
            (found,) = await response.json(content_type=None)
            assert list(found) == sorted(found)
            assert found["00081190"]["Value"] == [url + address]
            assert found["00080056"]["Value"] == ["ONLINE"]


# --- retrieve ---------------------------------------------------------------------------------


async def test_an_instance_comes_bit_for_bit(http: ClientSession, url: str) -> None:
    await stow(http, url, multipart(CT))
    response = await http.get(url + CT_PATH)
    ((kind, content),) = parts_of(await response.read(), response.headers["Content-Type"])
    assert content == CT
    assert kind == "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
    response = await http.get(url + CT_PATH, headers={"Accept": "application/dicom"})
    assert await response.read() == CT
    assert response.headers["Content-Type"] == kind
    assert response.content_length == len(CT)


@pytest.mark.parametrize("suffix", ["", "/frames/1", "/bulkdata/7FE00010", "/metadata"])
async def test_nothing_that_fits_is_not_acceptable(
    http: ClientSession, url: str, suffix: str
) -> None:
    path = CT_PATH + suffix
    await stow(http, url, multipart(CT))
    for accept in ("text/html", "image/png", "garbage", 'multipart/related; type="image/jp2"'):
        response = await http.get(url + path, headers={"Accept": accept})
        assert response.status == 406
    response = await http.get(url + path + "?accept=text/html")
    assert response.status == 406


async def test_compressed_is_not_sent_to_who_insists_on_native(
    http: ClientSession, url: str
) -> None:
    data = bundled("JPEG2000.dcm")
    await stow(http, url, multipart(data))
    dataset = pydicom.dcmread(io.BytesIO(data))
    path = (
        f"{url}/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
        f"/instances/{dataset.SOPInstanceUID}"
    )
    native = "multipart/related; type=application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
    assert (await http.get(path, headers={"Accept": native})).status == 406
    octets = "multipart/related; type=application/octet-stream"
    assert (await http.get(f"{path}/frames/1", headers={"Accept": octets})).status == 406
    response = await http.get(
        f"{path}/frames/1", headers={"Accept": octets + "; transfer-syntax=*"}
    )
    ((kind, frame),) = parts_of(await response.read(), response.headers["Content-Type"])
    assert kind == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.91"
    assert frame.startswith(b"\xff\x4f")
    response = await http.get(f"{path}/bulkdata/7FE00010", headers={"Accept": "image/jp2"})
    assert await response.read() == frame


async def test_what_can_be_sent_of_a_mixed_study_is_sent_as_partial(
    http: ClientSession, url: str, store: TestStore
) -> None:
    native, compressed = make_frames(), make_frames(syntax=JPEGBaseline8Bit, suffix="9")
    await stow(http, url, multipart(native, compressed))
    accept = "multipart/related; type=application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
    response = await http.get(f"{url}/studies/1.2.3", headers={"Accept": accept})
    assert response.status == 206
    assert len(parts_of(await response.read(), response.headers["Content-Type"])) == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/studies/9.9", 404), (f"/studies/{CT_STUDY}/series/9", 404), ("/studies/9.9/metadata", 404),
        (CT_PATH + "/frames/2", 404), (CT_PATH + "/frames/1,2", 404), (CT_PATH + "/frames/0", 400),
        (CT_PATH + "/frames/x", 400), (CT_PATH + "/frames/1,,2", 400), (CT_PATH + "/frames/99999999999", 400),
        (CT_PATH + "/bulkdata/00420011", 404), (CT_PATH + "/bulkdata/7FE00010/1/00080018", 404),
        (CT_PATH + "/bulkdata/00100010/1/00080018", 404), (CT_PATH + "/bulkdata/7FE00010/%D9%A1/00080018", 404),
        (CT_PATH + "/frames/%D9%A1", 400),
        (CT_PATH + "/bulkdata/..%2F..%2Fx", 404), (CT_PATH + "/bulkdata/xyz", 404),
        ("/studies/..%2F..%2Fetc", 400), ("/studies/abc", 400), (f"/studies/{'1' * 65}", 400),
        ("/nonsense", 404),
        (f"/studies/{CT_STUDY}/series/{CT_SERIES}/instances/..%2F", 400),
    ],
)  # fmt: skip
async def test_wrong_addresses_are_refused(
    http: ClientSession, url: str, path: str, status: int
) -> None:
    await stow(http, url, multipart(CT))
    for method in ("GET", "HEAD"):
        response = await http.request(method, url + path)
        assert response.status in {status, 404}
        if method == "GET":
            assert response.status == status
            assert (await response.json())["status"] == status


@pytest.mark.parametrize(
    "path", [CT_PATH, f"{CT_PATH}/metadata", f"{CT_PATH}/frames/1", "/studies"]
)
async def test_head_tells_what_get_sends(http: ClientSession, url: str, path: str) -> None:
    await stow(http, url, multipart(CT))
    head, get = await http.head(url + path), await http.get(url + path)
    assert head.status == get.status == 200
    assert head.headers["Content-Length"] == get.headers["Content-Length"]
    assert head.content_type == get.content_type
    assert await head.read() == b""


def make_frames(
    *, frames: int = 3, bits: int = 8, rows: int = 3, columns: int = 5, syntax: str = ExplicitVRLittleEndian,
    table: str = "basic", suffix: str = "1", fragments: int = 1,
) -> bytes:  # fmt: skip
    dataset = Dataset()
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = f"1.2.3.4.{suffix}"
    dataset.StudyInstanceUID = "1.2.3"
    dataset.SeriesInstanceUID = "1.2.3.4"
    dataset.Rows, dataset.Columns = rows, columns
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit, dataset.PixelRepresentation = bits - 1, 0
    dataset.NumberOfFrames = frames
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    if syntax in {JPEGBaseline8Bit, MPEG2MPML}:
        streams = [stream_of(number) for number in range(1, frames + 1)]
        if table == "extended":
            encapsulated, offsets, lengths = encapsulate_extended(streams)
            dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = offsets, lengths
            dataset.PixelData = encapsulated
        else:
            dataset.PixelData = encapsulate(
                streams, fragments_per_frame=fragments, has_bot=table == "basic"
            )
        dataset["PixelData"].is_undefined_length = True
        dataset["PixelData"].VR = "OB"
    else:
        size = -(-rows * columns * bits * frames // 8)
        dataset.add_new(0x7FE00010, "OW" if bits > 8 else "OB", pixels(size + size % 2))
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def pixels(size: int) -> bytes:
    return bytes((index * 37 + 11) % 256 for index in range(size))


def stream_of(number: int) -> bytes:
    """Return what looks like a JPEG stream at both its ends, of even length."""
    return b"\xff\xd8" + bytes([number]) * (20 + 2 * number) + b"\xff\xd9"


async def frames(http: ClientSession, url: str, data: bytes, numbers: str) -> list[bytes]:
    assert (await stow(http, url, multipart(data))).status == 200
    path = f"{url}/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.1/frames/{numbers}"
    response = await http.get(path)
    assert response.status == 200, await response.text()
    return [c for _kind, c in parts_of(await response.read(), response.headers["Content-Type"])]


@pytest.mark.parametrize(
    ("table", "fragments"), [("basic", 1), ("none", 1), ("extended", 1), ("basic", 3), ("none", 3)]
)
async def test_encapsulated_frames_are_told_apart(
    http: ClientSession, url: str, table: str, fragments: int
) -> None:
    data = make_frames(syntax=JPEGBaseline8Bit, table=table, fragments=fragments)
    found = await frames(http, url, data, "1,3,2,3")
    assert found == [stream_of(number) for number in (1, 3, 2, 3)]


async def test_a_video_is_one_stream(http: ClientSession, url: str) -> None:
    data = make_frames(syntax=MPEG2MPML, frames=1, fragments=4)
    assert await frames(http, url, data, "1") == [stream_of(1)]


async def test_odd_native_frames_are_not_padded(http: ClientSession, url: str) -> None:
    value = pixels(46)
    assert await frames(http, url, make_frames(), "2,1,3") == [
        value[15:30],
        value[:15],
        value[30:45],
    ]


async def test_single_bit_frames_begin_at_a_byte(http: ClientSession, url: str) -> None:
    found = await frames(http, url, make_frames(bits=1, rows=3, columns=5, frames=4), "1,2,4")
    bits = "".join(f"{byte:08b}"[::-1] for byte in pixels(8))
    for number, frame in zip((1, 2, 4), found, strict=True):
        expected = bits[(number - 1) * 15 : number * 15]
        assert "".join(f"{byte:08b}"[::-1] for byte in frame) == expected + "0"


async def test_big_endian_frames_come_in_little_endian(http: ClientSession, url: str) -> None:
    data = make_frames(bits=16, syntax=ExplicitVRBigEndian)
    assert pixels(30)[:4] in data
    (frame,) = await frames(http, url, data, "2")
    stored = pixels(90)[30:60]
    assert frame == b"".join(stored[i : i + 2][::-1] for i in range(0, 30, 2))


async def test_frames_that_cannot_be_told_apart_are_not_guessed(
    http: ClientSession, url: str
) -> None:
    data = make_frames(syntax=JPEGBaseline8Bit, table="none", fragments=2).replace(
        b"\xff\xd9", b"\0\0"
    )
    assert (await stow(http, url, multipart(data))).status == 200
    path = f"{url}/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.1/frames/1"
    response = await http.get(path)
    assert response.status == 500
    assert (await response.json())["error"] == "the instance cannot be read"


async def test_nested_bulk_data_is_retrieved(http: ClientSession, url: str) -> None:
    dataset = pydicom.dcmread(io.BytesIO(make_frames()))
    first, second = Dataset(), Dataset()
    second.add_new(0x00282000, "OB", pixels(3000))
    dataset.ReferencedSeriesSequence = [first, second]
    dataset.SeriesDescription = text = (
        '"BulkDataURI":"studies/'  # no address, though it looks like one
    )
    for undefined in (False, True):
        dataset["ReferencedSeriesSequence"].is_undefined_length = undefined
        first.is_undefined_length_sequence_item = second.is_undefined_length_sequence_item = (
            undefined
        )
        dataset.SOPInstanceUID = f"1.2.3.4.{7 + undefined}"
        buffer = io.BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        await stow(http, url, multipart(buffer.getvalue()))
        path = f"/studies/1.2.3/series/1.2.3.4/instances/{dataset.SOPInstanceUID}"
        (found,) = await (await http.get(f"{url}{path}/metadata")).json(content_type=None)
        uri = found["00081115"]["Value"][1]["00282000"]["BulkDataURI"]
        assert uri == f"{url}{path}/bulkdata/00081115/2/00282000"
        assert found["0008103E"]["Value"] == [text]
        response = await http.get(
            uri,
            headers={"Accept": "application/octet-stream"},
        )
        assert await response.read() == pixels(3000)
        response = await http.get(f"{url}{path}/bulkdata/00081115/3/00282000")
        assert response.status == 404


async def test_encapsulated_documents_come_as_what_they_are(http: ClientSession, url: str) -> None:
    dataset = pydicom.dcmread(io.BytesIO(make_frames()))
    del dataset.PixelData
    dataset.EncapsulatedDocument = b"%PDF-1.4 " + bytes(2001)
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    await stow(http, url, multipart(buffer.getvalue()))
    path = f"{url}/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.1/bulkdata/00420011"
    response = await http.get(path, headers={"Accept": "application/pdf"})
    assert response.headers["Content-Type"] == "application/pdf"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert (await response.read()).startswith(b"%PDF-1.4 ")
    assert (await http.get(path, headers={"Accept": "application/octet-stream"})).status == 200


async def test_long_metadata_is_streamed_whole(
    http: ClientSession, url: str, store: TestStore
) -> None:
    dataset = pydicom.dcmread(io.BytesIO(make_frames()))
    for number in range(75):
        dataset.SOPInstanceUID = f"1.2.3.4.{number + 100}"
        dataset.add_new(0x0040A160, "UT", "x" * 60_000)
        buffer = io.BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        await store.add(buffer.getvalue())
    response = await http.get(f"{url}/studies/1.2.3/metadata")
    assert len(await response.json(content_type=None)) == 75
    assert "Content-Length" not in response.headers


ACCEPTED = (
    "*/*", "application/dicom", "multipart/related; type=application/dicom; transfer-syntax=*",
    "multipart/related; type=application/dicom; transfer-syntax=1.2.840.10008.1.2.1",
)  # fmt: skip


def lose(store: TestStore, name: str, how: str) -> None:
    path = store.blobs.path_of(name)
    if how == "missing":
        path.unlink()
    elif how == "longer":
        path.write_bytes(path.read_bytes() + b"\0")
    else:
        os.truncate(path, 0 if how == "empty" else path.stat().st_size - 1)


DAMAGES = pytest.mark.parametrize("how", ["missing", "truncated", "empty", "longer"])


@DAMAGES
async def test_a_damaged_file_is_a_plain_error_for_whatever_is_asked_of_it(
    http: ClientSession, url: str, store: TestStore, how: str
) -> None:
    await stow(http, url, multipart(CT))
    assert (await http.get(f"{url}{CT_PATH}/frames/1")).status == 200  # remembers where they are
    for name in list(store.blobs.names()):
        lose(store, name, how)
    study, series = f"/studies/{CT_STUDY}", f"/studies/{CT_STUDY}/series/{CT_SERIES}"
    for path in (study, series, CT_PATH, f"{CT_PATH}/frames/1", f"{CT_PATH}/bulkdata/7FE00010"):
        for method, accept in itertools.product(("GET", "HEAD"), ACCEPTED):
            response = await http.request(method, url + path, headers={"Accept": accept})
            assert response.status == 500
    response = await http.get(url + study)
    assert await response.json() == {"status": 500, "error": "the instance cannot be read"}
    assert (await http.get(f"{url}{CT_PATH}/metadata")).status == 200


@DAMAGES
@pytest.mark.parametrize("accept", [each for each in ACCEPTED if each != "application/dicom"])
async def test_a_study_is_sent_without_its_damaged_files(
    http: ClientSession, url: str, store: TestStore, how: str, accept: str
) -> None:
    contents = [make_frames(suffix=str(number)) for number in range(4, 16)]
    await stow(http, url, multipart(*contents))
    for name in sorted(store.blobs.names())[::4]:
        lose(store, name, how)
    for path in ("/studies/1.2.3", "/studies/1.2.3/series/1.2.3.4"):
        response = await http.get(url + path, headers={"Accept": accept})
        assert response.status == 206
        assert response.headers["Warning"].startswith(f"299 {url}: 3 of 12 ")
        parts = parts_of(await response.read(), response.headers["Content-Type"])
        assert len(parts) == 9
        assert {content for _, content in parts} <= set(contents)
        head = await http.head(url + path, headers={"Accept": accept})
        assert (head.status, head.headers["Warning"]) == (206, response.headers["Warning"])
        # Who keeps what instances are missing of asks again: they may be there then.
        for kept in (accept, "application/zip"):
            tag = (await http.head(url + path, headers={"Accept": kept})).headers["ETag"]
            again = await http.get(url + path, headers={"Accept": kept, "If-None-Match": tag})
            assert again.status == 206


async def test_a_file_that_is_cut_short_while_it_is_sent_breaks_the_answer_off(
    http: ClientSession, url: str, store: TestStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def seen_whole(files: Sequence[InstanceFile]) -> list[InstanceFile]:
        return list(files)

    monkeypatch.setattr(wado, "intact", seen_whole)
    await stow(http, url, io.BytesIO(multipart(CT + bytes(900_000))))
    (name,) = store.blobs.names()
    os.truncate(store.blobs.path_of(name), 500_000)
    for accept in ("*/*", "application/dicom"):
        response = await http.get(url + CT_PATH, headers={"Accept": accept})
        with pytest.raises(ClientPayloadError):
            await response.read()


async def test_more_values_than_one_answer_has_are_refused(
    http: ClientSession, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stow(http, url, multipart(make_frames(frames=3, syntax=JPEGBaseline8Bit)))
    address = f"{url}/studies/1.2.3/bulkdata"
    accept = {"Accept": 'multipart/related; type="image/jpeg"'}
    response = await http.get(address, headers=accept)
    assert len(parts_of(await response.read(), response.headers["Content-Type"])) == 3
    monkeypatch.setattr(bulk, "MOST_VALUES", 2)
    assert (await http.get(address, headers=accept)).status == 413


async def test_what_was_deleted_is_gone_and_what_never_was_is_not_found(
    http: ClientSession, url: str, store: TestStore
) -> None:
    await stow(http, url, multipart(CT))

    def delete(session: Session) -> None:
        for each in session.instances.page(store.index.store, 0, 9):
            session.instances.remove(each)
            session.deletions.add(each)

    await store.database.write(delete)
    for path in (
        CT_PATH,
        f"{CT_PATH}/metadata",
        f"{CT_PATH}/frames/1",
        f"/studies/{CT_STUDY}/bulkdata",
    ):
        assert (await http.get(url + path)).status == 410
        assert (await http.get(url + path.replace(CT_STUDY, "9.9"))).status == 404


async def test_what_cannot_be_converted_is_left_out(
    http: ClientSession, url: str, store: TestStore
) -> None:
    contents = [implicit(make_frames(suffix=str(number))) for number in range(4, 8)]
    await stow(http, url, multipart(*contents))
    spoilt, *_others = sorted(store.blobs.names())
    path = store.blobs.path_of(spoilt)
    data = path.read_bytes()
    place = data.index(b"\x28\x00\x02\x00")  # Samples per Pixel
    path.write_bytes(data[: place + 4] + b"\xf0\xff\xff\x7f" + data[place + 8 :])
    accept = {"Accept": ACCEPTED[-1]}
    response = await http.get(f"{url}/studies/1.2.3", headers=accept)
    assert response.status == 206
    assert "1 of 4 instances" in response.headers["Warning"]
    parts = parts_of(await response.read(), response.headers["Content-Type"])
    assert len(parts) == 3
    for name in store.blobs.names():
        store.blobs.path_of(name).write_bytes(path.read_bytes())
    assert (await http.get(f"{url}/studies/1.2.3", headers=accept)).status == 500
    assert (await http.get(f"{url}/studies/1.2.3")).status == 200


async def test_conversions_beyond_the_memory_for_them_are_made_again(
    http: ClientSession, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [implicit(make_frames(suffix=str(number))) for number in range(4, 8)]
    await stow(http, url, multipart(*contents))
    accept = {"Accept": ACCEPTED[-1]}
    at_once = await http.get(f"{url}/studies/1.2.3", headers=accept)
    monkeypatch.setattr(wado, "_KEPT_BYTES", 1000)
    in_turn = await http.get(f"{url}/studies/1.2.3", headers=accept)
    assert "Content-Length" in at_once.headers
    assert "Content-Length" not in in_turn.headers
    assert in_turn.status == 200
    first, second = [
        (await each.read()).replace(each.headers["Content-Type"].partition("boundary=")[2].encode(), b"")
        for each in (at_once, in_turn)
    ]  # fmt: skip
    length = rb"\r\nContent-Length: \d+"
    assert re.sub(length, b"", first) == re.sub(length, b"", second)


def implicit(data: bytes) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    buffer = io.BytesIO()
    pydicom.dcmwrite(
        buffer, dataset, implicit_vr=True, little_endian=True, enforce_file_format=True
    )
    return buffer.getvalue()


async def test_a_client_that_does_not_read_is_dropped(store: TestStore) -> None:
    data = CT + bytes(40 << 20)
    await store.add(data)
    async with served(store, send_timeout_s=0.2) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(url), limit=1024)
        writer.write(f"GET /dicomweb/source{CT_PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        # The kernel's buffers hold a few megabytes; the rest never comes.
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(240):
            while open_files_of(store):  # noqa: ASYNC110 - polls with a deadline
                await asyncio.sleep(0.02)
        writer.transport.abort()


def open_files_of(store: TestStore) -> list[str]:
    """Return the blobs that this process has open."""
    folder = str(store.blobs.path_of("0" * 32).parent.parent.parent)
    links = Path("/proc/self/fd").iterdir()
    return [path for link in links if (path := os.path.realpath(link)).startswith(folder)]


# --- other origins ----------------------------------------------------------------------------

VIEWER = {"Origin": "https://viewer.example"}


async def test_viewers_of_allowed_origins_may_read_errors_too(
    http: ClientSession, url: str
) -> None:
    for path in (
        "/studies",
        "/studies/9.9",
        "/studies?limit=x",
        "/nonsense",
        "/studies/9/metadata",
    ):
        response = await http.get(url + path, headers=VIEWER)
        assert response.headers["Access-Control-Allow-Origin"] == "https://viewer.example"
        assert "Origin" in response.headers["Vary"]


async def test_preflight_allows_what_viewers_send(http: ClientSession, url: str) -> None:
    asked = VIEWER | {
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "accept,authorization",
    }
    for path in ("/studies", CT_PATH + "/frames/1"):
        response = await http.options(url + path, headers=asked)
        assert response.status == 204
        allowed = response.headers["Access-Control-Allow-Headers"].lower()
        assert all(name in allowed for name in ("accept", "authorization", "content-type"))
        assert "GET" in response.headers["Access-Control-Allow-Methods"]
        assert "POST" in response.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize(
    ("names", "is_allowed"),
    [
        ("cache-control, x-trace", True), ("cache-control,x-trace", True), ("*", False),
        ("x-trace; x", False), ("x-trace" + ", x" * 40, False),
    ],
)  # fmt: skip
async def test_preflight_allows_what_else_a_viewer_sends(
    http: ClientSession, url: str, names: str, is_allowed: bool
) -> None:
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": names}
    response = await http.options(f"{url}/studies", headers=VIEWER | asked)
    allowed = response.headers["Access-Control-Allow-Headers"]
    assert ("x-trace" in allowed) == is_allowed
    assert "Authorization" in allowed


async def test_other_origins_get_no_permission(http: ClientSession, url: str) -> None:
    for origin in ("https://evil.example", "null", "https://viewer.example.evil"):
        response = await http.get(f"{url}/studies", headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_error_bodies_hold_no_values(http: ClientSession, url: str) -> None:
    canary = "ZQXPHI"
    asked = [
        f"/studies?StudyDate={canary}", f"/studies/{canary}", f"/studies?limit={canary}",
        f"/{canary}", f"{CT_PATH}/frames/{canary}", f"{CT_PATH}/bulkdata/{canary}",
    ]  # fmt: skip
    for path in asked:
        response = await http.get(url + path)
        assert response.status in {400, 404}
        assert canary not in await response.text()
