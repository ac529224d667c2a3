"""Requests made to harm: refused, with bounded memory, and others are answered meanwhile and after."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import pytest_asyncio
from aiohttp import ClientConnectionError, ClientPayloadError, ClientSession
from pydicom.uid import UID, JPEG2000Lossless
from yarl import URL

from tests.black_box.asking import Client
from tests.black_box.storing import KIND, body_of
from tests.dicomweb_service import LIMITS, TestStore, served
from tests.picture_samples import SERIES, STUDY, as_bytes, item, make_image, ramp
from tests.pixel_samples import RLE, encode
from tests.service import RunningDaemon, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pydicom.dataset import Dataset

MIB = 1 << 20
GROWTH = 96 * MIB
"""What the daemon may grow by under any of this; what is sent is larger, or claims to be."""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "state").mkdir(mode=0o700)
    with running(folder, folder / "state") as started:
        yield started


def resident(daemon: RunningDaemon) -> int:
    """Return the most that the daemon has held since `forget`."""
    assert daemon.process is not None
    lines = Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines()
    (peak,) = (int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return peak * 1024


def forget(daemon: RunningDaemon) -> int:
    """Count the peak anew, and return what it is now."""
    assert daemon.process is not None
    Path(f"/proc/{daemon.process.pid}/clear_refs").write_text("5")
    return resident(daemon)


def raw(daemon: RunningDaemon, *pieces: bytes) -> bytes:
    """Send bytes as they are and return the answer; a connection that is closed meanwhile is one."""
    answer = b""
    with socket.create_connection(("127.0.0.1", daemon.addresses["http"][1]), timeout=240) as sent:
        try:
            for piece in pieces:
                sent.sendall(piece)
            while chunk := sent.recv(65536):
                answer += chunk
        except ConnectionError:
            pass
    return answer


def is_answering(daemon: RunningDaemon) -> bool:
    with Client(f"{daemon.http}/dicomweb/source") as client:
        return client.ask("/studies").status == 200


@pytest.mark.parametrize("store", ["source", "deid"])
def test_paths_in_place_of_uids_lead_nowhere(daemon: RunningDaemon, store: str) -> None:
    with Client(f"{daemon.http}/dicomweb/{store}") as client:
        for uid in (
            "..", "../../../etc/passwd", "..%2F..%2Fetc%2Fpasswd", "%2e%2e%2f", "1.2/../..", "1.2%00", "%ff",
            "-1", "*", "1" * 65, "1.2;ls", "1.2'--", "a" * 4000,
        ):  # fmt: skip
            for path in (
                f"/studies/{uid}", f"/studies/{uid}/metadata", f"/studies/1.2/series/{uid}/rendered",
                f"/studies/1.2/series/1.3/instances/{uid}/thumbnail", f"/studies/{uid}/bulkdata",
                f"/studies/1.2/series/1.3/instances/1.4/bulkdata/{uid}",
                f"/wado?requestType=WADO&studyUID={uid}&seriesUID=1.3&objectUID=1.4",
            ):  # fmt: skip
                answer = client.ask(path)
                assert answer.status in {400, 404}, path
                assert b"root:" not in answer.body
    assert is_answering(daemon)


def test_headers_of_ten_megabytes_are_refused(daemon: RunningDaemon) -> None:
    before = forget(daemon)
    start = b"GET /dicomweb/source/studies HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    for name in (b"Accept: ", b"X-Nothing: ", b"Cookie: ", b"If-None-Match: "):
        answer = raw(daemon, start, name, *([b"a" * MIB] * 10), b"\r\n\r\n")
        assert not answer or answer.split()[1] in {b"400", b"431"}
    many = b"".join(b"X-%d: y\r\n" % number for number in range(500_000))
    answer = raw(daemon, start, many, b"\r\n")
    assert not answer or answer.split()[1] in {b"400", b"431"}
    answer = raw(
        daemon, b"GET /dicomweb/source/studies?", b"a=1&" * 2_500_000, b" HTTP/1.1\r\n\r\n"
    )
    assert not answer or answer.split()[1] in {b"400", b"414", b"431"}
    assert resident(daemon) - before < GROWTH
    assert is_answering(daemon)


def test_ten_thousand_parts_and_more_are_taken_one_by_one_or_refused(
    daemon: RunningDaemon,
) -> None:
    before = forget(daemon)
    with Client(f"{daemon.http}/dicomweb/source") as client:
        for count, status in ((9_000, 409), (12_000, 400)):
            body = body_of(*[b"no instance"] * count)
            answer = client.ask("/studies", method="POST", body=body, Content_Type=KIND)
            assert answer.status == status
        headers = b"".join(b"X-%d: y\r\n" % number for number in range(200_000))
        body = b"--black-box\r\n" + headers + b"\r\nDICM\r\n--black-box--\r\n"
        answer = client.ask("/studies", method="POST", body=body, Content_Type=KIND)
        assert answer.status == 400
    assert resident(daemon) - before < GROWTH
    assert is_answering(daemon)


def test_compressed_bodies_are_not_inflated(daemon: RunningDaemon) -> None:
    before = forget(daemon)
    bomb = gzip.compress(bytes(512 * MIB), 1)
    with Client(f"{daemon.http}/dicomweb/source") as client:
        for encoding in ("gzip", "deflate", "br", "gzip, gzip"):
            answer = client.ask(
                "/studies", method="POST", body=bomb, Content_Type=KIND, Content_Encoding=encoding
            )
            assert answer.status == 415
    assert resident(daemon) - before < GROWTH
    assert is_answering(daemon)


def test_metadata_that_grows_is_refused(daemon: RunningDaemon) -> None:
    before = forget(daemon)
    kind = 'multipart/related; type="application/dicom+{}"; boundary=B'
    start = b"--B\r\nContent-Type: application/dicom+%b\r\n\r\n"
    laughs = b'<!DOCTYPE a [<!ENTITY a "ha">' + b"".join(
        b'<!ENTITY a%d "&a%b;&a%b;">'
        % (n, b"%d" % (n - 1) if n > 1 else b"", b"%d" % (n - 1) if n > 1 else b"")
        for n in range(1, 40)
    )
    deep = b'{"00081115":{"vr":"SQ","Value":[' * 100_000
    with Client(f"{daemon.http}/dicomweb/source") as client:
        for form, content, status in (
            ("xml", laughs + b"]><NativeDicomModel>&a39;</NativeDicomModel>", 400),
            ("xml", b"<a>" * 1_000_000, 400),
            ("json", b"[" + deep, 400),
            ("json", b"[" * 1_000_000, 400),
            ("json", b"[" * 10_000_000, 413),
            ("json", b" " * (33 * MIB), 413),
            ("json", b" " * (129 * MIB), 413),
        ):
            body = start % form.encode() + content + b"\r\n--B--\r\n"
            answer = client.ask(
                "/studies", method="POST", body=body, Content_Type=kind.format(form)
            )
            assert answer.status == status, (form, content[:20], answer.body)
    # What is told to be the limit, once as it comes and once as a whole, and the parser's own.
    assert resident(daemon) - before < 2 * 128 * MIB + GROWTH
    assert is_answering(daemon)


def test_thousands_of_frames_in_one_request_go_out_one_by_one(daemon: RunningDaemon) -> None:
    frames = np.zeros((20, 1024, 1024), np.uint8)
    frames[:, ::7] = np.arange(20, dtype=np.uint8)[:, None, None]
    encoded = [rle(frame) for frame in frames]
    dataset = make_image(frames, syntax=RLE, encoded=encoded, Modality="CT")
    dataset.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.7.2")
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    with Client(f"{daemon.http}/dicomweb/source") as client:
        body = body_of(as_bytes(dataset))
        assert client.ask("/studies", method="POST", body=body, Content_Type=KIND).status == 200
        path = f"/studies/{STUDY}/series/{SERIES}/instances/{dataset.SOPInstanceUID}"
        assert client.ask(f"{path}/metadata").status == 200
        before = forget(daemon)
        octets = 'multipart/related; type="application/octet-stream"'
        numbers = ",".join(["1"] * 300)
        answer = client.ask(f"{path}/frames/{numbers}", octets)
        assert answer.status == 200
        assert len(answer.body) > 300 * MIB
        assert resident(daemon) - before < GROWTH
        for text in (",".join(["1"] * 20_000), "9" * 10, "1," * 100):
            assert client.ask(f"{path}/frames/{text}", octets).status in {400, 404, 414}
            assert client.ask(f"{path}/frames/{text}/rendered", octets).status in {400, 404, 414}
    assert is_answering(daemon)


def rle(frame: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    encoded = encode(RLE, frame[..., None], 8)
    return encoded + bytes(len(encoded) % 2)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[TestStore]:
    found = TestStore(tmp_path)
    yield found
    await found.close()


@pytest_asyncio.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


def claiming(rows: int, columns: int, **attributes: Any) -> Dataset:
    """Return an instance whose header claims more than its few bytes hold."""
    dataset = make_image(ramp(8, 8), **attributes)
    dataset.Rows, dataset.Columns = rows, columns
    return dataset


def codestream_claiming(side: int) -> bytes:
    """Return the header of a JPEG 2000 codestream of so many rows and columns, and nothing else."""
    size = struct.pack(
        ">HHHIIIIIIIIHBBB", 0xFF51, 41, 0, side, side, 0, 0, side, side, 0, 0, 1, 15, 1, 1
    )
    coding = struct.pack(">HHBBHBBBBBB", 0xFF52, 12, 0, 0, 1, 0, 5, 4, 4, 0, 1)
    return b"\xff\x4f" + size + coding + b"\xff\xd9"


def bombs() -> Iterator[Dataset]:
    yield claiming(65535, 65535)
    yield claiming(65535, 4000, InstanceNumber=2)
    huge = make_image(
        np.zeros((8, 8), np.uint16), syntax=JPEG2000Lossless, encoded=[codestream_claiming(60_000)]
    )
    huge.Rows = huge.Columns = 60_000
    yield huge
    runs = bytearray(64)
    struct.pack_into("<II", runs, 0, 1, 64)
    flat = make_image(
        np.zeros((8, 8), np.uint8), syntax=RLE, encoded=[bytes(runs) + b"\x81\0" * 40_000]
    )
    flat.Rows = flat.Columns = 16_000
    yield flat
    many = make_image(np.zeros((4, 8, 8), np.uint8), InstanceNumber=4)
    many.NumberOfFrames = 2**31 - 1
    yield many
    table = item(LUTDescriptor=[0, 0, 16], LUTData=b"\0\0")
    table["LUTDescriptor"].VR, table["LUTData"].VR = "US", "OW"
    yield make_image(ramp(), bits=12, VOILUTSequence=[table])
    palette = make_image(ramp(8, 8, top=255).astype(np.uint8), "PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(palette, f"{colour}PaletteColorLookupTableDescriptor", [0, 0, 16])
        palette[f"{colour}PaletteColorLookupTableDescriptor"].VR = "US"
        words = np.array([1, 65535, 65535] * 3000, "<u2")
        setattr(palette, f"Segmented{colour}PaletteColorLookupTableData", words.tobytes())
    yield palette


async def test_bombs_are_not_drawn_and_what_is_fine_is(
    store: TestStore, http: ClientSession
) -> None:
    fine = make_image(ramp(), bits=12, InstanceNumber=9)
    await store.add(as_bytes(fine))
    paths = []
    for dataset in bombs():
        accepted = await store.add(as_bytes(dataset))
        paths.append(f"/studies/{STUDY}/series/{SERIES}/instances/{accepted.sop_instance_uid}")
    limits = replace(LIMITS, memory_bytes=300 * MIB, timeout_s=20.0)
    async with served(store, limits=limits) as url:
        for path in paths:
            for resource in ("rendered", "thumbnail", "rendered?viewport=100,100"):
                async with http.get(
                    f"{url}{path}/{resource}", headers={"Accept": "image/png"}
                ) as answer:
                    assert answer.status in {400, 404, 406, 413}, (path, await answer.text())
        path = f"/studies/{STUDY}/series/{SERIES}/instances/{fine.SOPInstanceUID}"
        async with http.get(f"{url}{path}/rendered") as answer:
            assert answer.status == 200


def broken_at_its_end(frames: int) -> Dataset:
    """Return an instance of so many frames of 1 MiB, the last of which nobody can decode."""
    samples = np.zeros((frames, 1024, 1024), np.uint8)
    encoded = [rle(samples[0])] * (frames - 1)
    dataset = make_image(samples, syntax=RLE, encoded=[*encoded, bytes(64)], Modality="CT")
    dataset.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.7.2")
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    return dataset


@pytest.mark.parametrize(
    ("below", "accept"),
    [
        ("", "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"),
        ("/frames/{all}", 'multipart/related; type="application/octet-stream"'),
    ],
)
async def test_an_answer_that_a_late_frame_spoils_does_not_pass_for_a_whole_one(
    store: TestStore, http: ClientSession, below: str, accept: str
) -> None:
    """More than is kept until it is sent: the head is out before the frame is looked at."""
    frames = 40
    dataset = broken_at_its_end(frames)
    await store.add(as_bytes(dataset))
    path = f"/studies/{STUDY}/series/{SERIES}/instances/{dataset.SOPInstanceUID}"
    every = ",".join(str(number) for number in range(1, frames + 1))
    async with served(store) as url:
        address = f"{url}{path}{below.format(all=every)}"
        async with http.get(address, headers={"Accept": accept}) as answer:
            assert answer.status == 200
            with pytest.raises((ClientPayloadError, ClientConnectionError)):
                await answer.read()
        octets = {"Accept": "application/octet-stream"}
        async with http.get(f"{url}{path}/frames/1", headers=octets) as answer:
            assert answer.status == 200
            assert len(await answer.read()) == MIB
        async with http.get(f"{url}{path}/frames/{frames}", headers=octets) as answer:
            assert answer.status in {406, 500}


ODD: tuple[tuple[str, dict[str, str], set[int]], ...] = (
    ("", {"Range": "bytes=" + ",".join(f"{n}-{n}" for n in range(800))}, {200}),
    ("", {"If-None-Match": ",".join(f'"{n}"' for n in range(900))}, {200}),
    ("", {"Accept": ",".join(f'multipart/related; type="a{n}/b"' for n in range(180))}, {406}),
    ("", {"Accept": 'multipart/related; type="' + '\\"' * 3900}, {406}),
    ("/frames/999999999", {}, {404}),
    ("/bulkdata/" + "00081115/1/" * 32 + "00080018", {}, {404}),
    ("/bulkdata/00081115/999999999/00080018", {}, {404}),
    ("/rendered?viewport=99999999,99999999", {}, {400}),
    ("/rendered?viewport=100,100,1e308,0,nan,1", {}, {400}),
    ("/rendered?window=1e308,nan,sigmoid", {}, {400}),
    ("/rendered?quality=" + "9" * 400, {}, {400}),
    ("/rendered?annotation=" + "patient," * 900, {}, {400}),
    ("/thumbnail?viewport=65535,65535", {}, {400}),
)
SEARCHES = (
    ("StudyInstanceUID=" + ",".join(f"1.2.{n}" for n in range(900)), {200}),
    ("PatientName=" + "*a" * 500 + "b", {200}),
    ("PatientName=" + "?*" * 511, {200}),
    ("&".join(f"PatientID=*{n}*" for n in range(400)), {200}),
    ("includefield=" + ".".join(["00081115"] * 600), {200}),
    (".".join(["00081115"] * 600) + "=1", {200}),
    ("sort=" + ",".join(["-StudyDate"] * 700), {200}),
    ("limit=9999999999", {400}),
    ("offset=2147483648", {400}),
    ("PatientName=%00", {400}),
    ("PatientName=" + "a" * 1025, {400}),
)


async def test_odd_requests_are_answered_at_once_and_hold_nobody_up(
    store: TestStore, http: ClientSession
) -> None:
    dataset = make_image(ramp(), bits=12)
    dataset.PatientName = "a" * 60
    await store.add(as_bytes(dataset))
    path = f"/studies/{STUDY}/series/{SERIES}/instances/{dataset.SOPInstanceUID}"
    asked = [(f"{path}{below}", headers, expected) for below, headers, expected in ODD]
    asked += [(f"/studies?{query}", {}, expected) for query, expected in SEARCHES]
    async with served(store) as url:
        for target, headers, expected in asked:
            address = URL(f"{url}{target}", encoded=True)
            async with asyncio.timeout(240), http.get(address, headers=headers) as answer:
                await answer.read()
                assert answer.status in expected, target[:100]


async def test_more_pictures_than_can_be_drawn_are_503_and_the_rest_is_drawn(
    store: TestStore, http: ClientSession
) -> None:
    dataset = make_image(ramp(400, 400), bits=12)
    await store.add(as_bytes(dataset))
    path = f"/studies/{STUDY}/series/{SERIES}/instances/{dataset.SOPInstanceUID}"

    async def asked(number: int) -> int:
        address = f"{url}{path}/rendered?window={number},100,linear"
        async with http.get(address) as answer:
            await answer.read()
            assert answer.status == 200 or answer.headers["Retry-After"]
            return answer.status

    async with served(store) as url:
        statuses = await asyncio.gather(*(asked(number) for number in range(90)))
    assert set(statuses) == {200, 503}
    assert statuses.count(200) >= 64
