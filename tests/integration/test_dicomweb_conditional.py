"""What a client has is not sent again, what it takes compressed is; ranges, archives, addresses."""

from __future__ import annotations

import asyncio
import gzip
import io
import socket
import zipfile
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pydicom
import pytest
import pytest_asyncio
from aiohttp import ClientSession

from daemon.store.sqlite.packing import METADATA, pack, unpack
from daemon.store.sqlite.session import SqliteSession
from dicomweb import wado
from dicomweb.room import Room
from dicomweb.searching import PAGE
from tests.dicomweb_service import TestStore, bundled, served
from tests.factories import many_ct
from tests.picture_samples import SERIES, STUDY, as_bytes, item, make_image, make_report, ramp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp import ClientResponse

    from daemon.store.ports import Session

CT = bundled("CT_small.dcm")
CT_STUDY = "/studies/1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"
CT_SERIES = f"{CT_STUDY}/series/1.3.6.1.4.1.5962.1.3.1.1.20040119072730.12322"
CT_PATH = f"{CT_SERIES}/instances/1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322"
SINGLE = {"Accept": "application/dicom; transfer-syntax=*"}
OCTETS = {"Accept": "application/octet-stream"}


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[TestStore]:
    found = TestStore(tmp_path)
    await found.add(CT)
    yield found
    await found.close()


@pytest_asyncio.fixture
async def url(store: TestStore) -> AsyncIterator[str]:
    async with served(store) as address:
        yield address


@pytest_asyncio.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession(auto_decompress=False) as session:
        yield session


async def parts_of(response: ClientResponse) -> list[tuple[str, str, bytes]]:
    head = f"Content-Type: {response.headers['Content-Type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + await response.read())
    found = []
    for part in message.get_payload():
        payload = part.get_payload(decode=True)  # type: ignore[union-attr]
        assert isinstance(payload, bytes)
        location = str(part["Content-Location"])  # type: ignore[index]
        found.append((part.get_content_type(), location, payload))  # type: ignore[union-attr]
    return found


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/studies", ""), (f"{CT_STUDY}/series", ""), (f"{CT_STUDY}/metadata", ""), (f"{CT_PATH}/metadata", ""),
        (CT_PATH, "application/dicom; transfer-syntax=*"), (CT_STUDY, ""), (CT_STUDY, "application/zip"),
        (f"{CT_PATH}/frames/1", ""), (f"{CT_PATH}/bulkdata/7FE00010", "application/octet-stream"),
        (f"{CT_STUDY}/bulkdata", ""), (f"{CT_PATH}/rendered", ""),
    ],
)  # fmt: skip
async def test_what_the_client_has_is_304(
    url: str, http: ClientSession, path: str, accept: str
) -> None:
    headers = {"Accept": accept} if accept else {}
    async with http.get(url + path, headers=headers) as response:
        assert response.status == 200
        etag = response.headers["ETag"]
        assert "Accept" in response.headers["Vary"]
        body = await response.read()
    for known in (etag, f'"other", {etag}', "*", etag.removeprefix("W/")):
        async with http.get(url + path, headers={**headers, "If-None-Match": known}) as response:
            assert (response.status, await response.read()) == (304, b"")
            assert response.headers["ETag"] == etag
    async with http.get(url + path, headers={**headers, "If-None-Match": '"other"'}) as response:
        assert response.status == 200
        if "multipart" not in response.headers["Content-Type"]:
            assert await response.read() == body


@pytest.mark.parametrize(
    ("path", "headers"),
    [(CT_PATH, SINGLE), (f"{CT_PATH}/frames/1", OCTETS), (f"{CT_PATH}/rendered", {})],
)
async def test_who_goes_on_with_what_was_there_before_is_told_of_a_change(
    url: str, http: ClientSession, path: str, headers: dict[str, str]
) -> None:
    async with http.get(url + path, headers=headers) as response:
        etag = response.headers["ETag"]
    for wanted in ("*", etag, f'W/"other", "one", {etag}'):
        async with http.get(url + path, headers={**headers, "If-Match": wanted}) as response:
            assert response.status == 200
    for wanted in ('"other"', f"W/{etag}", "other", f'W/{etag}, "other"'):
        asked = {"If-Match": wanted, "If-None-Match": etag, "Range": "bytes=0-3"}
        async with http.get(url + path, headers={**headers, **asked}) as response:
            assert response.status == 412
            assert "If-Match" in (await response.json())["error"]


async def test_a_tag_of_what_may_differ_in_its_bytes_is_none_to_go_on_with(
    url: str, http: ClientSession
) -> None:
    async with http.get(f"{url}/studies") as response:
        etag = response.headers["ETag"]
    assert etag.startswith("W/")
    async with http.get(f"{url}/studies", headers={"If-Match": etag}) as response:
        assert response.status == 412


OF_PARTS = 'multipart/related; type="{}"'


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        (CT_STUDY, "application/dicom"), (f"{CT_PATH}/frames/1", "application/octet-stream"),
        (f"{CT_PATH}/bulkdata/7FE00010", "application/octet-stream"),
        (f"{CT_STUDY}/bulkdata", "application/octet-stream"), (f"{CT_PATH}/metadata", "application/dicom+xml"),
        ("/studies", "application/dicom+xml"), (f"{CT_PATH}/rendered", "image/jpeg"),
        (f"{CT_SERIES}/rendered", "image/png"), ("report/rendered", "text/html"),
    ],
)  # fmt: skip
async def test_the_tag_of_parts_is_weak_as_their_boundary_is_another_each_time(
    url: str, store: TestStore, http: ClientSession, path: str, accept: str
) -> None:
    if path.startswith("report"):
        report = make_report()
        await store.add(as_bytes(report))
        path = f"/studies/{report.StudyInstanceUID}/series/{report.SeriesInstanceUID}/instances"
        path += f"/{report.SOPInstanceUID}/rendered"
    headers = {"Accept": OF_PARTS.format(accept)}
    found = []
    for _ in range(2):
        async with http.get(url + path, headers=headers) as response:
            assert response.headers["Content-Type"].startswith("multipart/related")
            found.append((response.headers["ETag"], await response.read()))
    (tag, body), (again, other) = found
    assert tag == again
    assert tag.startswith("W/") or body == other
    async with http.get(url + path, headers={**headers, "If-None-Match": tag}) as response:
        assert response.status == 304


async def test_an_entity_tag_changes_with_what_is_stored(
    store: TestStore, url: str, http: ClientSession
) -> None:
    paths = (
        "/studies",
        f"/studies/{STUDY}/metadata",
        f"/studies/{STUDY}",
        f"/studies/{STUDY}/rendered",
    )
    await store.add(as_bytes(make_image(ramp())))
    before = [(await http.get(url + path)).headers["ETag"] for path in paths]
    await store.add(as_bytes(make_image(ramp(), InstanceNumber=2)))
    for path, etag in zip(paths, before, strict=True):
        async with http.get(url + path, headers={"If-None-Match": etag}) as response:
            assert response.status == 200
            assert response.headers["ETag"] != etag


async def test_metadata_that_were_made_anew_of_the_same_file_have_another_tag(
    store: TestStore, url: str, http: ClientSession
) -> None:
    path = f"{url}{CT_PATH}/metadata"
    before = (await http.get(path)).headers["ETag"]

    def tell_otherwise(session: Session) -> None:
        assert isinstance(session, SqliteSession)
        ((packed,),) = session.connection.execute("SELECT packed FROM metadata").fetchall()
        told = unpack(packed, METADATA).replace(b'"CompressedSamples', b'"compressedSamples')
        session.connection.execute("UPDATE metadata SET packed = ?", (pack(told, METADATA),))

    await store.database.write(tell_otherwise)
    asked = {"If-None-Match": before, "Accept-Encoding": "identity"}
    async with http.get(path, headers=asked) as response:
        assert response.status == 200
        assert b"compressedSamples" in await response.read()
        assert response.headers["ETag"] != before


async def test_metadata_of_other_files_of_the_same_length_have_another_tag(
    tmp_path: Path, http: ClientSession
) -> None:
    tags = []
    for patient in ("P-000001", "P-000002"):
        (tmp_path / patient).mkdir()
        store = TestStore(tmp_path / patient)
        await store.add(as_bytes(make_image(ramp(), PatientID=patient)))
        async with served(store) as url:
            path = f"{url}/studies/{STUDY}/metadata"
            for _ in range(2):
                # Behind a proxy addresses have no port, which would be another each time.
                async with http.get(path, headers={"Via": "1.1 proxy"}) as response:
                    tags.append((response.headers["ETag"], len(await response.read())))
        await store.close()
    (one, size), again, (other, other_size), _ = tags
    assert again == (one, size)
    assert size == other_size
    assert one != other


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("gzip", True), ("gzip, deflate, br", True), ("br;q=1, *;q=0.1", True), ("GZIP;q=0.5", True),
        ("", False), ("identity", False), ("gzip;q=0", False), ("*;q=0", False), ("br", False),
        ("*, gzip;q=0.0", False),
    ],
)  # fmt: skip
async def test_json_is_compressed_for_who_takes_it(
    url: str, http: ClientSession, accepted: str, is_compressed: bool
) -> None:
    plain = await (
        await http.get(f"{url}{CT_PATH}/metadata", headers={"Accept-Encoding": "identity"})
    ).read()
    async with http.get(
        f"{url}{CT_PATH}/metadata", headers={"Accept-Encoding": accepted}
    ) as response:
        body = await response.read()
        assert (response.headers.get("Content-Encoding") == "gzip") == is_compressed
        assert {"Accept", "Accept-Encoding"} <= set(response.headers["Vary"].split(", "))
    assert (gzip.decompress(body) if is_compressed else body) == plain
    assert not is_compressed or len(body) < len(plain) / 2


async def test_long_answers_are_compressed_as_they_go_out(
    store: TestStore, url: str, http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = list(many_ct(PAGE + 30, rows=16, per_study=PAGE + 30))
    for content in contents:
        await store.add(content)
    study = pydicom.dcmread(io.BytesIO(contents[0])).StudyInstanceUID
    monkeypatch.setattr("dicomweb.wado._METADATA_CHUNK_BYTES", 4096)
    for path in ("/instances?limit=1000", f"/studies/{study}/metadata"):
        answers = []
        for encoding in ("identity", "gzip"):
            async with http.get(url + path, headers={"Accept-Encoding": encoding}) as response:
                body = await response.read()
                assert response.headers.get("Content-Encoding", "identity") == encoding
            answers.append(gzip.decompress(body) if encoding == "gzip" else body)
        assert answers[0] == answers[1]
        assert len(orjson.loads(answers[0])) > PAGE


async def test_instances_and_bulk_data_are_not_compressed(url: str, http: ClientSession) -> None:
    for path, accept in ((CT_PATH, SINGLE), (f"{CT_PATH}/bulkdata/7FE00010", OCTETS)):
        async with http.get(url + path, headers={**accept, "Accept-Encoding": "gzip"}) as response:
            assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-99", 0, 100), ("bytes=100-199", 100, 200), ("bytes=1000-", 1000, None),
        ("bytes=-50", -50, None), ("bytes=0-0", 0, 1), ("bytes=0-99999999", 0, None), ("bytes = 5 - 9", 5, 10),
    ],
)  # fmt: skip
async def test_a_range_of_an_instance_or_of_bulk_data_is_sent(
    url: str, http: ClientSession, asked: str, start: int, stop: int | None
) -> None:
    pixels = pydicom.dcmread(io.BytesIO(CT)).PixelData
    for path, accept, whole in (
        (CT_PATH, SINGLE, CT),
        (f"{CT_PATH}/bulkdata/7FE00010", OCTETS, pixels),
        (f"{CT_PATH}/frames/1", OCTETS, pixels),
    ):
        async with http.get(url + path, headers={**accept, "Range": asked}) as response:
            body = await response.read()
            assert response.status == 206
            assert body == whole[start:stop]
            first = start % len(whole)
            expected = f"bytes {first}-{first + len(body) - 1}/{len(whole)}"
            assert response.headers["Content-Range"] == expected


async def test_ranges_that_cannot_be_are_416_and_odd_ones_the_whole(
    url: str, http: ClientSession
) -> None:
    for asked in (f"bytes={len(CT)}-", "bytes=99999999-", "bytes=-0"):
        async with http.get(url + CT_PATH, headers={**SINGLE, "Range": asked}) as response:
            assert response.status == 416
            assert response.headers["Content-Range"] == f"bytes */{len(CT)}"
    for asked in ("bytes=0-9,20-29", "lines=1-2", "bytes=9-2", "bytes=-", "bytes=a-b", "bytes"):
        async with http.get(url + CT_PATH, headers={**SINGLE, "Range": asked}) as response:
            assert (response.status, await response.read()) == (200, CT)
            assert response.headers["Accept-Ranges"] == "bytes"


async def test_who_asks_for_the_head_alone_is_told_of_the_whole(
    url: str, http: ClientSession
) -> None:
    for asked in ("bytes=0-9", f"bytes={len(CT)}-"):
        async with http.head(url + CT_PATH, headers={**SINGLE, "Range": asked}) as response:
            assert response.status == 200
            assert response.headers["Content-Length"] == str(len(CT))
            assert response.headers["Accept-Ranges"] == "bytes"


async def test_a_range_is_sent_only_if_the_rest_is_still_the_same(
    url: str, http: ClientSession
) -> None:
    etag = (await http.get(url + CT_PATH, headers=SINGLE)).headers["ETag"]
    for condition, status in (
        (etag, 206),
        ('"other"', 200),
        ("Sat, 01 Jan 2000 00:00:00 GMT", 200),
    ):
        headers = {**SINGLE, "Range": "bytes=0-9", "If-Range": condition}
        async with http.get(url + CT_PATH, headers=headers) as response:
            assert response.status == status


@pytest.mark.parametrize("path", [CT_STUDY, CT_SERIES, CT_PATH])
async def test_an_archive_holds_the_files_as_they_are_stored(
    store: TestStore, url: str, http: ClientSession, path: str
) -> None:
    async with http.get(url + path, headers={"Accept": "application/zip"}) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/zip"
        body = await response.read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        (name,) = archive.namelist()
        assert archive.read(name) == CT
    assert name.endswith("1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322.dcm")


async def test_all_bulk_data_comes_in_parts_that_say_where_they_are(
    store: TestStore, url: str, http: ClientSession
) -> None:
    dataset = make_image(ramp(), ICCProfile=bytes(range(250)) * 20)
    voi = item(LUTDescriptor=[4096, 0, 16], LUTData=np.arange(4096, dtype="<u2").tobytes())
    voi["LUTDescriptor"].VR, voi["LUTData"].VR = "US", "OW"
    dataset.VOILUTSequence = [voi]
    await store.add(as_bytes(dataset))
    path = f"/studies/{STUDY}/series/{SERIES}/instances/{dataset.SOPInstanceUID}"
    expected = {
        f"{url}{path}/bulkdata/00282000": dataset.ICCProfile,
        f"{url}{path}/bulkdata/00283010/1/00283006": voi.LUTData,
        f"{url}{path}/bulkdata/7FE00010": dataset.PixelData,
    }
    for resource in (f"/studies/{STUDY}", f"/studies/{STUDY}/series/{SERIES}", path):
        for accept in ("*/*", 'multipart/related; type="application/octet-stream"'):
            address = f"{url}{resource}/bulkdata"
            async with http.get(address, headers={"Accept": accept}) as response:
                assert response.status == 200
                found = await parts_of(response)
            assert {location: body for _, location, body in found} == expected
        async with http.get(f"{url}{resource}/pixeldata") as response:
            ((_, location, body),) = await parts_of(response)
        assert (location, body) == (f"{url}{path}/bulkdata/7FE00010", dataset.PixelData)
        async with http.get(
            f"{url}{resource}/bulkdata", headers={"Accept": "text/html"}
        ) as response:
            assert response.status == 406
    async with http.get(f"{url}{CT_STUDY}.9/bulkdata") as response:
        assert response.status == 404


async def test_compressed_pixel_data_comes_by_frames(
    store: TestStore, url: str, http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = await store.add(bundled("SC_rgb_rle_2frame.dcm"))
    address = f"{url}/studies/{accepted.study_uid}/pixeldata"
    async with http.get(address) as response:
        assert [kind for kind, _, _ in await parts_of(response)] == ["image/dicom-rle"] * 2
    octets = {"Accept": 'multipart/related; type="application/octet-stream"'}
    async with http.get(address, headers=octets) as response:
        ((kind, _, body),) = await parts_of(response)
    assert (kind, len(body)) == ("application/octet-stream", 100 * 100 * 3 * 2)
    asked: list[int] = []

    class Full(Room):
        def take(self, count: int) -> bool:
            asked.append(count)
            return False

    monkeypatch.setattr(wado, "_KEPT", Full(0))
    async with http.get(address, headers=octets) as response:
        ((_, _, made_in_turn),) = await parts_of(response)
    assert made_in_turn == body
    assert asked == [100 * 100 * 3], "the first frame is held only where there is room"


def asked(url: str, host: str, *more: str) -> Any:
    """Return the Retrieve URL of the first study as told to who says that host."""
    port = int(url.split(":")[2].split("/", maxsplit=1)[0])
    lines = [
        "GET /dicomweb/source/studies HTTP/1.1",
        f"Host: {host.replace('PORT', str(port))}",
        *more,
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=240) as connection:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    (found,) = orjson.loads(answer.partition(b"\r\n\r\n")[2])
    return found["00081190"]["Value"][0].replace(str(port), "PORT")


@pytest.mark.parametrize(
    ("host", "more", "expected"),
    [
        ("127.0.0.1:PORT", (), "http://127.0.0.1:PORT/dicomweb/source"),
        ("localhost:PORT", (), "http://localhost:PORT/dicomweb/source"),
        ("box.example:8080", (), "http://box.example:8080/dicomweb/source"),
        ("127.0.0.1", (), "http://127.0.0.1:PORT/dicomweb/source"),
        ("localhost", (), "http://localhost:PORT/dicomweb/source"),
        ("[::1]", (), "http://[::1]:PORT/dicomweb/source"),
        ("box.example", (), "/dicomweb/source"),
        ("localhost:PORT", ("X-Forwarded-Proto: https",), "/dicomweb/source"),
        ("localhost:PORT", ("Forwarded: for=1.2.3.4",), "/dicomweb/source"),
        ('a"b', (), "/dicomweb/source"),
        ("a@b:80", (), "/dicomweb/source"),
    ],
)
async def test_addresses_are_whole_where_it_is_certain_how_the_client_came(
    url: str, host: str, more: tuple[str, ...], expected: str
) -> None:
    found = await asyncio.to_thread(asked, url, host, *more)
    assert found == f"{expected}{CT_STUDY}"


async def test_an_answer_says_where_it_is(store: TestStore, http: ClientSession) -> None:
    async with served(store) as url:
        for path in (f"{CT_STUDY}/metadata", "/studies?limit=3"):
            async with http.get(url + path) as response:
                assert response.headers["Content-Location"] == url + path
    async with served(store, learns_root=True) as url, http.get(url + "/studies") as response:
        assert response.headers["Content-Location"] == f"{url}/studies"
