"""Rendered and thumbnail resources over a real server and real rendering processes."""

from __future__ import annotations

import io
from dataclasses import replace
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import pytest_asyncio
from aiohttp import ClientSession
from PIL import Image
from pydicom.dataelem import DataElement
from pydicom.dataset import FileMetaDataset

from dicomweb import rendered
from tests.dicomweb_service import LIMITS, TestStore, bundled, served
from tests.picture_samples import (
    SERIES,
    STUDY,
    as_bytes,
    drawn,
    item,
    make_image,
    make_report,
    pixels_of,
    ramp,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp import ClientResponse
    from pydicom.dataset import Dataset

    from daemon.rendering.pictures import Pictures

BROWSER = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
NAVIGATION = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"

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


def grey(**attributes: Any) -> Dataset:
    return make_image(ramp(32, 64), bits=12, WindowCenter=2048, WindowWidth=4096, **attributes)


def cine(frames: int = 3) -> Dataset:
    plane = ramp(32, 64, top=255).astype(np.uint8)
    return make_image(np.stack([np.roll(plane, 9 * n) for n in range(frames)]), FrameTime=40)


def path_of(dataset: Dataset) -> str:
    return f"/studies/{STUDY}/series/{SERIES}/instances/{dataset.SOPInstanceUID}"


async def parts_of(response: ClientResponse) -> list[tuple[str, bytes]]:
    head = f"Content-Type: {response.headers['Content-Type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + await response.read())
    found = []
    for part in message.get_payload():
        payload = part.get_payload(decode=True)  # type: ignore[union-attr]
        assert isinstance(payload, bytes)
        found.append((part.get_content_type(), payload))  # type: ignore[union-attr]
    return found


@pytest.mark.parametrize(
    ("accept", "expected", "kind"),
    [
        ("", "image/jpeg", "JPEG"),
        ("*/*", "image/jpeg", "JPEG"),
        (BROWSER, "image/jpeg", "JPEG"),
        (NAVIGATION, "image/jpeg", "JPEG"),
        ("image/png", "image/png", "PNG"),
        ("image/jpeg;q=0.4, image/png;q=0.9", "image/png", "PNG"),
        ("image/gif", "image/gif", "GIF"),
    ],
)
async def test_an_instance_is_the_picture_the_client_likes_best(
    store: TestStore, url: str, http: ClientSession, accept: str, expected: str, kind: str
) -> None:
    dataset = grey()
    await store.add(as_bytes(dataset))
    headers = {"Accept": accept} if accept else {}
    async with http.get(f"{url}{path_of(dataset)}/rendered", headers=headers) as response:
        body = await response.read()
        assert response.status == 200, body
        assert response.headers["Content-Type"] == expected
        assert int(response.headers["Content-Length"]) == len(body)
    with Image.open(io.BytesIO(body)) as opened:
        assert (opened.format, opened.size, opened.mode) == (kind, (64, 32), "L")


async def test_the_accept_parameter_goes_before_the_header(
    store: TestStore, url: str, http: ClientSession
) -> None:
    dataset = grey()
    await store.add(as_bytes(dataset))
    address = f"{url}{path_of(dataset)}/rendered?accept=image/png"
    async with http.get(address, headers={"Accept": "image/jpeg"}) as response:
        assert response.headers["Content-Type"] == "image/png"


@pytest.mark.parametrize("accept", ["text/html", "image/webp", "video/mp4", "application/dicom"])
async def test_what_cannot_be_produced_is_406(
    store: TestStore, url: str, http: ClientSession, accept: str
) -> None:
    dataset = grey()
    await store.add(as_bytes(dataset))
    for resource in ("rendered", "thumbnail", "frames/1/rendered"):
        address = f"{url}{path_of(dataset)}/{resource}"
        async with http.get(address, headers={"Accept": accept}) as response:
            assert response.status == 406


@pytest.mark.parametrize(
    "query",
    [
        "window=0,0,linear", "window=40,0,sigmoid", "window=40,-1,linear-exact", "window=40,0.5,linear",
        "window=40", "window=40,400", "window=a,b,linear", "window=40,400,cubic", "window=nan,400,linear",
        "window=1e999,4,linear", "viewport=0,0", "viewport=10", "viewport=10,0", "viewport=-5,5",
        "viewport=a,b", "viewport=10,10,0,0", "viewport=10,10,0,0,0,0", "viewport=10,10,-1,0,5,5",
        "viewport=99999,99999", "viewport=1.5,2", "viewport=", "quality=0", "quality=101", "quality=high",
        "quality=", "iccprofile=maybe", "annotation=", "annotation=a,,b", "overlays=maybe",
    ],
)  # fmt: skip
async def test_a_malformed_parameter_is_400(
    store: TestStore, url: str, http: ClientSession, query: str
) -> None:
    dataset = grey()
    await store.add(as_bytes(dataset))
    async with http.get(f"{url}{path_of(dataset)}/rendered?{query}") as response:
        assert response.status == 400, await response.text()


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ("viewport=32,32", (32, 16)), ("viewport=128,128", (128, 64)), ("viewport=10,100", (10, 5)),
        ("viewport=64,64,0,0,16,16", (64, 64)), ("viewport=64,64,,,16,32", (32, 64)),
        ("viewport=20,20,56,24,20,20", (20, 20)), ("viewport=32,16,0,0,-64,32", (32, 16)),
    ],
)  # fmt: skip
async def test_a_viewport_is_filled_as_far_as_proportions_allow(
    store: TestStore, url: str, http: ClientSession, query: str, size: tuple[int, int]
) -> None:
    dataset = grey()
    await store.add(as_bytes(dataset))
    async with http.get(f"{url}{path_of(dataset)}/rendered?{query}") as response:
        assert response.status == 200, await response.text()
        with Image.open(io.BytesIO(await response.read())) as opened:
            assert opened.size == size


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("8,4,16,8", np.s_[4:12, 8:24]),
        ("8,4,-16,8", np.s_[4:12, 23:7:-1]),
        ("8,4,16,-8", np.s_[11:3:-1, 8:24]),
        ("8,4,-16,-8", np.s_[11:3:-1, 23:7:-1]),
    ],
)
async def test_a_region_is_cut_and_mirrored(
    store: TestStore,
    url: str,
    http: ClientSession,
    tmp_path: Path,
    region: str,
    expected: Any,
) -> None:
    dataset = grey()
    await store.add(as_bytes(dataset))
    whole = drawn(dataset, tmp_path)
    address = f"{url}{path_of(dataset)}/rendered?viewport=16,8,{region}"
    async with http.get(address, headers={"Accept": "image/png"}) as response:
        assert np.array_equal(pixels_of(await response.read()), whole[expected])


async def test_a_region_outside_of_the_image_is_refused(
    store: TestStore, url: str, http: ClientSession
) -> None:
    dataset = grey()
    await store.add(as_bytes(dataset))
    address = f"{url}{path_of(dataset)}/rendered?viewport=16,8,500,500,4,4"
    async with http.get(address) as response:
        assert response.status == 400


async def test_a_window_that_is_asked_for_goes_before_that_of_the_instance(
    store: TestStore, url: str, http: ClientSession, tmp_path: Path
) -> None:
    dataset = grey()
    await store.add(as_bytes(dataset))
    for asked, window in (
        ("100,50,linear", (100.0, 50.0, "LINEAR")),
        ("100,0.5,linear-exact", (100.0, 0.5, "LINEAR_EXACT")),
        ("100,0.5,LINEAR_EXACT", (100.0, 0.5, "LINEAR_EXACT")),
        ("2000,900,sigmoid", (2000.0, 900.0, "SIGMOID")),
    ):
        address = f"{url}{path_of(dataset)}/rendered?window={asked}"
        async with http.get(address, headers={"Accept": "image/png"}) as response:
            found = pixels_of(await response.read())
        assert np.array_equal(found, drawn(dataset, tmp_path, window=window))


async def test_quality_makes_a_jpeg_smaller(
    store: TestStore, url: str, http: ClientSession
) -> None:
    await store.add(bundled("CT_small.dcm"))
    sizes = []
    for quality in (100, 10):
        async with http.get(f"{url}/studies/{CT}/rendered?quality={quality}") as response:
            assert response.status == 200
            sizes.append(len(await response.read()))
    assert sizes[1] < sizes[0] / 2


CT = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"


async def test_a_cine_moves_in_a_gif(store: TestStore, url: str, http: ClientSession) -> None:
    dataset = cine(4)
    await store.add(as_bytes(dataset))
    for accept in ("image/gif", BROWSER, "*/*"):
        address = f"{url}{path_of(dataset)}/rendered"
        async with http.get(address, headers={"Accept": accept}) as response:
            assert response.headers["Content-Type"] == "image/gif"
            body = await response.read()
        with Image.open(io.BytesIO(body)) as opened:
            assert getattr(opened, "n_frames", 1) == 4
            assert opened.info["duration"] == 40


async def test_a_cine_is_also_a_part_for_each_frame_or_its_first_frame(
    store: TestStore, url: str, http: ClientSession, tmp_path: Path
) -> None:
    dataset = cine(3)
    await store.add(as_bytes(dataset))
    address = f"{url}{path_of(dataset)}/rendered"
    accept = {"Accept": 'multipart/related; type="image/png"'}
    async with http.get(address, headers=accept) as response:
        parts = await parts_of(response)
    assert [kind for kind, _ in parts] == ["image/png"] * 3
    for number, (_, body) in enumerate(parts, start=1):
        assert np.array_equal(pixels_of(body), drawn(dataset, tmp_path, frame=number))
    async with http.get(address, headers={"Accept": "image/png"}) as response:
        assert np.array_equal(pixels_of(await response.read()), drawn(dataset, tmp_path))


async def test_frames_are_drawn_one_or_several(
    store: TestStore, url: str, http: ClientSession, tmp_path: Path
) -> None:
    dataset = cine(3)
    await store.add(as_bytes(dataset))
    png = {"Accept": 'image/png, multipart/related; type="image/png"'}
    async with http.get(f"{url}{path_of(dataset)}/frames/2/rendered", headers=png) as response:
        assert np.array_equal(pixels_of(await response.read()), drawn(dataset, tmp_path, frame=2))
    async with http.get(f"{url}{path_of(dataset)}/frames/3,1/rendered", headers=png) as response:
        found = [pixels_of(body) for _, body in await parts_of(response)]
    assert np.array_equal(found[0], drawn(dataset, tmp_path, frame=3))
    assert np.array_equal(found[1], drawn(dataset, tmp_path, frame=1))
    for wrong, status in (("4", 404), ("1,9", 404), ("0", 400), ("x", 400)):
        address = f"{url}{path_of(dataset)}/frames/{wrong}/rendered"
        async with http.get(address) as response:
            assert response.status == status


async def test_a_series_and_a_study_are_parts_or_what_is_in_the_middle(
    store: TestStore, url: str, http: ClientSession
) -> None:
    for dataset in (grey(), grey(InstanceNumber=2), cine(2)):
        await store.add(as_bytes(dataset))
    for path in (f"/studies/{STUDY}", f"/studies/{STUDY}/series/{SERIES}"):
        async with http.get(f"{url}{path}/rendered") as response:
            assert response.status == 200
            assert [kind for kind, _ in await parts_of(response)] == ["image/jpeg"] * 4
        async with http.get(f"{url}{path}/rendered", headers={"Accept": "image/png"}) as response:
            assert response.status == 200
            assert pixels_of(await response.read()).shape == (32, 64)


async def test_a_thumbnail_is_small_and_one_at_every_level(
    store: TestStore, url: str, http: ClientSession
) -> None:
    dataset = make_image(ramp(600, 300), bits=12)
    for each in (dataset, grey(InstanceNumber=2), cine(2)):
        await store.add(as_bytes(each))
    instance = path_of(dataset)
    for path in (
        f"/studies/{STUDY}",
        f"/studies/{STUDY}/series/{SERIES}",
        instance,
        f"{instance}/frames/1",
    ):
        async with http.get(f"{url}{path}/thumbnail", headers={"Accept": BROWSER}) as response:
            assert (response.status, response.headers["Content-Type"]) == (200, "image/jpeg")
            with Image.open(io.BytesIO(await response.read())) as opened:
                assert max(opened.size) == 128
    async with http.get(f"{url}{instance}/thumbnail?viewport=50,50") as response:
        with Image.open(io.BytesIO(await response.read())) as opened:
            assert opened.size == (25, 50)
    for query in ("viewport=0,0", "viewport=50,50,0,0,10,10"):
        async with http.get(f"{url}{instance}/thumbnail?{query}") as response:
            assert response.status == 400


async def test_nothing_is_written_on_a_thumbnail(
    store: TestStore, url: str, http: ClientSession
) -> None:
    dataset = grey()
    await store.add(as_bytes(dataset))
    found = []
    for query in ("", "?annotation=patient"):
        async with http.get(f"{url}{path_of(dataset)}/thumbnail{query}") as response:
            found.append(await response.read())
    assert found[0] == found[1]


async def test_annotations_are_what_this_store_holds(
    store: TestStore, url: str, http: ClientSession, tmp_path: Path
) -> None:
    plain = make_image(np.zeros((200, 400), np.uint8))
    other = make_image(np.zeros((200, 400), np.uint8), PatientID="OTHER", PatientName="Other^Name")
    pictures = []
    for dataset in (plain, other):
        await store.add(as_bytes(dataset))
        address = f"{url}{path_of(dataset)}/rendered?annotation=patient&accept=image/png"
        async with http.get(address) as response:
            pictures.append(pixels_of(await response.read()))
        assert np.array_equal(pictures[-1], drawn(dataset, tmp_path, annotations=("patient",)))
    assert pictures[0].any()
    assert not np.array_equal(pictures[0], pictures[1])
    async with http.get(f"{url}{path_of(plain)}/rendered?accept=image/png") as response:
        assert not pixels_of(await response.read()).any()
    address = f"{url}{path_of(plain)}/rendered?annotation=patient,ruler"
    async with http.get(address) as response:
        assert response.status == 200
        assert response.headers["Warning"].startswith("299 ")
        assert "ruler" not in response.headers["Warning"]


async def test_a_presentation_state_is_rendered_as_its_images(
    store: TestStore, url: str, http: ClientSession
) -> None:
    image = grey()
    state = state_of(image)
    for dataset in (image, state):
        await store.add(as_bytes(dataset))
    address = f"{url}/studies/{STUDY}/series/{STATES}/instances/{state.SOPInstanceUID}/rendered"
    async with http.get(address, headers={"Accept": "image/png"}) as response:
        assert response.status == 200, await response.text()
        found = pixels_of(await response.read())
    async with http.get(f"{url}{path_of(image)}/rendered?accept=image/png") as response:
        plain = pixels_of(await response.read())
    assert np.array_equal(found, 255 - plain)


STATES = f"{STUDY}.2"


def state_of(image: Dataset) -> Dataset:
    state = item(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.11.1",
        SOPInstanceUID=f"{STUDY}.3",
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=STATES,
        Modality="PR",
        PresentationLUTShape="INVERSE",
    )
    named = item(
        ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID
    )
    state.ReferencedSeriesSequence = [
        item(SeriesInstanceUID=SERIES, ReferencedImageSequence=[named])
    ]
    state.SoftcopyVOILUTSequence = [item(WindowCenter=2048, WindowWidth=4096)]
    state.file_meta = FileMetaDataset(image.file_meta)
    state.file_meta.MediaStorageSOPInstanceUID = state.SOPInstanceUID
    state.file_meta.MediaStorageSOPClassUID = state.SOPClassUID
    return state


async def test_what_is_no_image_has_no_picture(
    store: TestStore, url: str, http: ClientSession
) -> None:
    accepted = await store.add(bundled("rtplan.dcm"))
    path = f"{url}/studies/{accepted.study_uid}"
    for address in (f"{path}/rendered", f"{path}/thumbnail"):
        async with http.get(address) as response:
            assert response.status == 406


SR = [
    (NAVIGATION, "text/html"), ("*/*", "text/html"), ("text/plain", "text/plain"),
    ("text/plain;q=0.9, text/html;q=0.2", "text/plain"),
]  # fmt: skip


@pytest.mark.parametrize(("accept", "kind"), SR)
async def test_a_report_is_a_page_or_text_and_what_it_holds_is_not_run(
    store: TestStore, url: str, http: ClientSession, accept: str, kind: str
) -> None:
    dataset = make_report()
    await store.add(as_bytes(dataset))
    address = f"{url}{path_of(dataset)}/rendered"
    async with http.get(address, headers={"Accept": accept}) as response:
        assert (response.status, response.content_type) == (200, kind)
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert "sandbox" in response.headers["Content-Security-Policy"]
        text = await response.text()
    assert "Finding" in text
    assert "12.5 mm" in text
    assert ("<script>" in text) == (kind == "text/plain")
    for refused in ("image/jpeg", "application/pdf"):
        async with http.get(address, headers={"Accept": refused}) as response:
            assert response.status == 406
    async with http.get(f"{url}{path_of(dataset)}/thumbnail") as response:
        assert response.status == 406


@pytest.mark.parametrize("tag", [0x0040A043, 0x0040A168, 0x0040A300, 0x0040A730])
async def test_a_report_whose_sequences_are_something_else_is_told_without_them(
    store: TestStore, url: str, http: ClientSession, tag: int
) -> None:
    dataset = make_report()
    for each in (
        dataset,
        dataset.ContentSequence[0],
        dataset.ContentSequence[0].ContentSequence[0],
    ):
        if tag != 0x0040A730 or each is dataset:
            each[tag] = DataElement(tag, "LO", ["a", "b"])
    await store.add(as_bytes(dataset))
    for accept in ("text/html", "text/plain"):
        address = f"{url}{path_of(dataset)}/rendered"
        async with http.get(address, headers={"Accept": accept}) as response:
            assert response.status == 200
            assert ("Finding" in await response.text()) == (tag not in {0x0040A043, 0x0040A730})


@pytest.mark.parametrize("tag", [0x00081115, 0x00081140])
async def test_a_presentation_state_that_names_no_images_has_no_picture(
    store: TestStore, url: str, http: ClientSession, tag: int
) -> None:
    state = state_of(grey())
    named = state if tag == 0x00081115 else state.ReferencedSeriesSequence[0]
    named[tag] = DataElement(tag, "LO", ["a", "b"])
    await store.add(as_bytes(state))
    address = f"{url}/studies/{STUDY}/series/{STATES}/instances/{state.SOPInstanceUID}"
    for what in ("rendered", "thumbnail"):
        async with http.get(f"{address}/{what}") as response:
            assert response.status == 406


async def test_more_pictures_than_one_answer_has_are_refused(
    store: TestStore, url: str, http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = grey()
    await store.add(as_bytes(dataset))
    address = f"{url}/studies/{STUDY}/series/{SERIES}/rendered"
    for most, status in ((1, 200), (0, 413)):
        monkeypatch.setattr(rendered, "MOST_PICTURES", most)
        async with http.get(address) as response:
            assert response.status == status


async def test_an_encapsulated_document_is_itself(
    store: TestStore, url: str, http: ClientSession
) -> None:
    dataset = make_report()
    del dataset.ContentSequence
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocument = b"%PDF-1.4 and so on."
    await store.add(as_bytes(dataset))
    address = f"{url}{path_of(dataset)}/rendered"
    async with http.get(address, headers={"Accept": NAVIGATION}) as response:
        assert (response.status, response.content_type) == (200, "application/pdf")
        assert (await response.read()).startswith(b"%PDF-1.4 and so on.")
    async with http.get(address, headers={"Accept": "text/html"}) as response:
        assert response.status == 406


async def test_a_picture_that_the_client_has_is_not_drawn_again(
    store: TestStore, url: str, http: ClientSession
) -> None:
    dataset = grey()
    await store.add(as_bytes(dataset))
    address = f"{url}{path_of(dataset)}/rendered"
    async with http.get(address) as response:
        etag = response.headers["ETag"]
    async with http.get(address, headers={"If-None-Match": f'"x", {etag}'}) as response:
        assert (response.status, await response.read()) == (304, b"")
    other = f"{address}?window=1,2,linear"
    async with http.get(other, headers={"If-None-Match": etag}) as response:
        assert response.status == 200


async def test_an_image_that_needs_too_much_is_refused_and_others_are_drawn(
    store: TestStore, http: ClientSession
) -> None:
    bomb = make_image(np.zeros((6000, 6000), np.uint16), bits=16)
    fine = grey()
    for dataset in (bomb, fine):
        await store.add(as_bytes(dataset))
    limits = replace(LIMITS, memory_bytes=220 << 20)
    async with served(store, limits=limits) as url:
        for _ in range(3):
            async with http.get(f"{url}{path_of(bomb)}/rendered") as response:
                assert response.status == 406
        async with http.get(f"{url}{path_of(fine)}/rendered") as response:
            assert response.status == 200


async def test_a_moving_picture_of_too_many_pixels_is_refused(
    store: TestStore, url: str, http: ClientSession
) -> None:
    dataset = cine(2500)
    await store.add(as_bytes(dataset))
    async with http.get(
        f"{url}{path_of(dataset)}/rendered", headers={"Accept": "image/gif"}
    ) as response:
        assert response.status == 406
    async with http.get(f"{url}{path_of(dataset)}/frames/2500/rendered") as response:
        assert response.status == 200
