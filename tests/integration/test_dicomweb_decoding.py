"""What was compressed without loss comes decoded to who wants it so (PS3.18 8.7.3.4, 8.7.3.5)."""

from __future__ import annotations

import io
import subprocess
import zlib
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
import pytest_asyncio
from aiohttp import ClientSession
from pydicom.uid import ExplicitVRLittleEndian

from tests.dicomweb_service import TestStore, bundled, served
from tests.picture_samples import (
    DEFLATED_FRAMES,
    SERIES,
    STUDY,
    UNCOMPRESSED_FRAMES,
    as_bytes,
    item,
    make_image,
)
from tests.pixel_samples import (
    HTJ2K_LOSSLESS,
    HTJ2K_RPCL,
    J2K_LOSSLESS,
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    JPEG_LS,
    RLE,
    encode,
    texture,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp import ClientResponse
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from daemon.rendering.pictures import Pictures

LOSSLESS = [
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    JPEG_LS,
    J2K_LOSSLESS,
    HTJ2K_LOSSLESS,
    HTJ2K_RPCL,
    RLE,
]
NATIVE_SYNTAX = f"transfer-syntax={ExplicitVRLittleEndian}"
NATIVE = f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"
OCTETS = "application/octet-stream"
WHOLE = 'multipart/related; type="application/dicom"'
IN_PARTS = f'multipart/related; type="{OCTETS}"'

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


def planes(count: int, *, samples: int = 1, bits: int = 12) -> list[NDArray[Any]]:
    return [texture(seed, bits=bits, samples=samples, rows=24, columns=31) for seed in range(count)]


def compressed(
    syntax: str, frames: list[NDArray[Any]], bits: int, photometric: str = ""
) -> Dataset:
    if syntax == UNCOMPRESSED_FRAMES:
        encoded = [frame.tobytes() for frame in frames]
    elif syntax == DEFLATED_FRAMES:
        encoded = [zlib.compress(frame.tobytes(), wbits=-15) for frame in frames]
    else:
        encoded = [encode(syntax, frame, bits) for frame in frames]
    encoded = [frame + bytes(len(frame) % 2) for frame in encoded]
    samples = np.stack(frames)
    if samples.shape[-1] == 1:
        samples = samples[..., 0]
    if len(frames) == 1:
        samples = samples[0]
    return make_image(samples, photometric, bits=bits, syntax=syntax, encoded=encoded)


def path_of(dataset: Dataset) -> str:
    return f"/studies/{STUDY}/series/{SERIES}/instances/{dataset.SOPInstanceUID}"


async def parts_of(response: ClientResponse) -> list[tuple[str, bytes]]:
    head = f"Content-Type: {response.headers['Content-Type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + await response.read())
    found = []
    for part in message.get_payload():
        payload = part.get_payload(decode=True)  # type: ignore[union-attr]
        assert isinstance(payload, bytes)
        found.append((str(part["Content-Type"]), payload))  # type: ignore[index]
    return found


@pytest.mark.parametrize("syntax", [*LOSSLESS, UNCOMPRESSED_FRAMES, DEFLATED_FRAMES])
@pytest.mark.parametrize(("samples", "bits"), [(1, 12), (3, 8)], ids=["grey", "colour"])
async def test_samples_of_instance_and_frames_are_those_that_were_compressed(
    store: TestStore, url: str, http: ClientSession, syntax: str, samples: int, bits: int
) -> None:
    frames = planes(3, samples=samples, bits=bits)
    dataset = compressed(syntax, frames, bits)
    await store.add(as_bytes(dataset))
    async with http.get(f"{url}{path_of(dataset)}", headers={"Accept": NATIVE}) as response:
        body = await response.read()
        assert response.status == 200, body
        assert response.headers["Content-Type"].endswith(
            f"transfer-syntax={ExplicitVRLittleEndian}"
        )
        assert int(response.headers["Content-Length"]) == len(body)
    back = pydicom.dcmread(io.BytesIO(body))
    assert back.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert back.PixelData == b"".join(frame.tobytes() for frame in frames)
    assert ("OW" if bits > 8 else "OB") == back["PixelData"].VR
    changed = {"PixelData"}
    assert [e for e in back if e.keyword not in changed] == [
        e for e in dataset if e.keyword not in changed
    ]
    for accept in (IN_PARTS, f"{IN_PARTS}; transfer-syntax={ExplicitVRLittleEndian}"):
        address = f"{url}{path_of(dataset)}/frames/3,1"
        async with http.get(address, headers={"Accept": accept}) as response:
            parts = await parts_of(response)
        assert [part for _, part in parts] == [frames[2].tobytes(), frames[0].tobytes()]
        assert all(ExplicitVRLittleEndian in kind for kind, _ in parts)
    async with http.get(
        f"{url}{path_of(dataset)}/bulkdata/7FE00010", headers={"Accept": OCTETS}
    ) as response:
        assert await response.read() == back.PixelData


async def test_one_frame_may_be_the_whole_answer(
    store: TestStore, url: str, http: ClientSession
) -> None:
    frames = planes(2)
    dataset = compressed(RLE, frames, 12)
    await store.add(as_bytes(dataset))
    address = f"{url}{path_of(dataset)}/frames/2"
    async with http.get(address, headers={"Accept": OCTETS}) as response:
        assert response.headers["Content-Type"].startswith(OCTETS)
        assert await response.read() == frames[1].tobytes()
    for number in ("3", "1,3"):
        address = f"{url}{path_of(dataset)}/frames/{number}"
        async with http.get(address, headers={"Accept": IN_PARTS}) as response:
            assert response.status == 404


@pytest.mark.parametrize(
    ("accept", "is_decoded"),
    [
        ("*/*", False),
        ("multipart/related", False),
        ('multipart/related; type="application/dicom"; transfer-syntax=*', False),
        (f'multipart/related; type="application/dicom"; transfer-syntax={J2K_LOSSLESS}', False),
        (
            f"multipart/related; type=application/dicom; transfer-syntax={ExplicitVRLittleEndian}",
            True,
        ),
        (
            f"{WHOLE}; transfer-syntax={J2K_LOSSLESS};q=0.5, {WHOLE}; {NATIVE_SYNTAX};q=0.9",
            True,
        ),
        (
            f"{WHOLE}; {NATIVE_SYNTAX};q=0.1, {WHOLE}; transfer-syntax=*;q=0.9",
            False,
        ),
    ],
)
async def test_the_client_decides_whether_an_instance_is_decoded(
    store: TestStore, url: str, http: ClientSession, accept: str, is_decoded: bool
) -> None:
    dataset = compressed(J2K_LOSSLESS, planes(1), 12)
    await store.add(as_bytes(dataset))
    async with http.get(f"{url}{path_of(dataset)}", headers={"Accept": accept}) as response:
        ((_, body),) = await parts_of(response)
    syntax = pydicom.dcmread(io.BytesIO(body)).file_meta.TransferSyntaxUID
    assert syntax == (ExplicitVRLittleEndian if is_decoded else J2K_LOSSLESS)


async def test_colour_transforms_of_a_codec_are_undone_and_said_to_be(
    store: TestStore, url: str, http: ClientSession
) -> None:
    frames = planes(1, samples=3, bits=8)
    for syntax, photometric in ((J2K_LOSSLESS, "YBR_RCT"), (RLE, "YBR_FULL"), (JPEG_LS, "RGB")):
        dataset = compressed(syntax, frames, 8, photometric)
        await store.add(as_bytes(dataset))
        async with http.get(f"{url}{path_of(dataset)}", headers={"Accept": NATIVE}) as response:
            back = pydicom.dcmread(io.BytesIO(await response.read()))
        expected = "RGB" if photometric == "YBR_RCT" else photometric
        assert (back.PhotometricInterpretation, back.PlanarConfiguration) == (expected, 0)
        assert back.PixelData == frames[0].tobytes()


async def test_what_lost_something_is_not_decoded_but_drawn(
    store: TestStore, url: str, http: ClientSession
) -> None:
    for name in ("JPEG2000.dcm", "SC_rgb_small_odd_jpeg.dcm"):
        accepted = await store.add(bundled(name))
        series = f"/studies/{accepted.study_uid}/series/{accepted.series_uid}"
        path = f"{series}/instances/{accepted.sop_instance_uid}"
        for resource, accept, status in (
            ("", NATIVE, 406),
            ("/frames/1", IN_PARTS, 406),
            ("/frames/1", "*/*", 200),
            ("", "*/*", 200),
            ("/rendered", "*/*", 200),
        ):
            async with http.get(f"{url}{path}{resource}", headers={"Accept": accept}) as response:
                assert response.status == status


async def test_offset_tables_and_a_compressed_icon_go_with_the_compression(
    store: TestStore, url: str, http: ClientSession
) -> None:
    frames = planes(2)
    dataset = compressed(RLE, frames, 12)
    icon = item(Rows=1, Columns=1, SamplesPerPixel=1, BitsAllocated=8, PixelRepresentation=0)
    icon.PixelData = b"\0\0"
    icon["PixelData"].VR = "OB"
    dataset.IconImageSequence = [icon]
    dataset.ExtendedOffsetTable = bytes(16)
    dataset.ExtendedOffsetTableLengths = bytes(16)
    dataset.SliceThickness = 5
    await store.add(as_bytes(dataset))
    async with http.get(f"{url}{path_of(dataset)}", headers={"Accept": NATIVE}) as response:
        back = pydicom.dcmread(io.BytesIO(await response.read()))
    gone = ("IconImageSequence", "ExtendedOffsetTable", "ExtendedOffsetTableLengths")
    assert not any(keyword in back for keyword in gone)
    assert back.SliceThickness == 5
    assert back.PixelData == b"".join(frame.tobytes() for frame in frames)


async def test_signed_samples_keep_their_sign(
    store: TestStore, url: str, http: ClientSession
) -> None:
    samples = texture(3, bits=12, rows=24, columns=31).astype(np.int16) - 2048
    encoded = encode(RLE, samples.view(np.uint16), 16)
    dataset = make_image(
        samples[..., 0], bits=12, syntax=RLE, encoded=[encoded + bytes(len(encoded) % 2)]
    )
    await store.add(as_bytes(dataset))
    async with http.get(f"{url}{path_of(dataset)}", headers={"Accept": NATIVE}) as response:
        back = pydicom.dcmread(io.BytesIO(await response.read()))
    assert np.array_equal(back.pixel_array, samples[..., 0])


async def test_a_frame_that_cannot_be_decoded_is_left_out_of_a_series(
    store: TestStore, url: str, http: ClientSession
) -> None:
    good = compressed(RLE, planes(1), 12)
    bad = compressed(J2K_LOSSLESS, planes(1), 12)
    start = bad.PixelData.index(b"\xff\x4f\xff\x51")
    bad.PixelData = bad.PixelData[:start] + bytes(8) + bad.PixelData[start + 8 :]
    for dataset in (good, bad):
        await store.add(as_bytes(dataset))
    accept = {
        "Accept": f'multipart/related; type="application/dicom"; transfer-syntax={ExplicitVRLittleEndian}'
    }
    async with http.get(f"{url}/studies/{STUDY}", headers=accept) as response:
        assert response.status == 206
        assert response.headers["Warning"].startswith("299 ")
        ((_, body),) = await parts_of(response)
    assert pydicom.dcmread(io.BytesIO(body)).SOPInstanceUID == good.SOPInstanceUID


@pytest.mark.peer("dcmdrle", "dcmdjpeg", "dcmdjpls", "dcmdump")
@pytest.mark.parametrize(
    ("syntax", "program"),
    [(RLE, "dcmdrle"), (JPEG_LOSSLESS_SV1, "dcmdjpeg"), (JPEG_LS, "dcmdjpls")],
)
async def test_dcmtk_decodes_to_the_same(
    store: TestStore, url: str, http: ClientSession, tmp_path: Path, syntax: str, program: str
) -> None:
    dataset = compressed(syntax, planes(2), 12)
    await store.add(as_bytes(dataset))
    async with http.get(f"{url}{path_of(dataset)}", headers={"Accept": NATIVE}) as response:
        (tmp_path / "ours.dcm").write_bytes(await response.read())
    (tmp_path / "in.dcm").write_bytes(as_bytes(dataset))

    def run(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, check=True, timeout=240)
        return done.stdout.decode("latin-1")

    run(program, str(tmp_path / "in.dcm"), str(tmp_path / "theirs.dcm"))
    theirs = pydicom.dcmread(tmp_path / "theirs.dcm")
    assert pydicom.dcmread(tmp_path / "ours.dcm").PixelData == theirs.PixelData
    assert "(7fe0,0010) OW" in run("dcmdump", str(tmp_path / "ours.dcm"))
