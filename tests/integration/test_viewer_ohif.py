"""OHIF, as npm has it, in a browser on both stores: what it lists and draws, and that nobody complains.

One daemon, one browser and one study for all: two volumes, a cine, a segmentation, a report and a document,
sent after more studies than the viewer asks for.
"""

from __future__ import annotations

import time
from base64 import b64decode
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from playwright.sync_api import sync_playwright
from pydicom.pixels.processing import apply_rescale
from pydicom.uid import JPEG2000Lossless

from daemon.viewer.installation import place_in
from tests.black_box.asking import Client
from tests.black_box.site import Site
from tests.black_box.storing import KIND, body_of
from tests.browsers import launched
from tests.factories import (
    PATIENTS,
    encode_as,
    encoded,
    make_ct,
    make_document,
    make_mr,
    make_seg,
    make_sr,
    make_us,
)
from tests.service import RunningDaemon, wait_until
from tests.viewer_package import installed_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from playwright.sync_api import BrowserContext, Page
    from pydicom.dataset import Dataset

STORES = ("source", "deid")
_LISTED = 101
"""Studies that the viewer asks for at a time."""
_PATIENCE_S = 240.0

pytestmark = pytest.mark.peer("chromium")


def sent_last() -> Iterator[Dataset]:
    """Yield one study of every kind of object."""
    patient, study = PATIENTS[7], 9
    for number in (1, 2, 3):
        yield make_ct(patient, study=study, instance=number, rows=128)
    for number in (1, 2):
        picture = make_mr(patient, study=study, instance=number)
        yield encode_as(picture, JPEG2000Lossless)
    yield make_us(patient, study=study)
    yield make_seg(patient, study=study, rows=128)
    yield make_sr(patient, study=study)
    yield make_document(patient, study=study)


@dataclass
class Viewed:
    """A browser with the viewer in it, and what it complained of."""

    root: str
    context: BrowserContext
    complaints: list[str] = field(default_factory=list)
    seen: dict[tuple[str, str], list[NDArray[Any]]] = field(default_factory=dict)
    drawn: dict[tuple[str, str], str] = field(default_factory=dict)

    @contextmanager
    def page(self, path: str) -> Iterator[Page]:
        """Open an address of the viewer; fail at the end if the browser complained of anything."""
        self.complaints.clear()
        page = self.context.new_page()
        try:
            page.on("console", self._told)
            page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
            page.on("response", self._answered)
            page.on("request", self._asked)
            page.goto(f"{self.root}/viewer/{path}")
            yield page
        finally:
            page.close()
        assert self.complaints == []

    def study(self, store: str) -> dict[str, Any]:
        """Return what a store tells of the study that was sent last."""
        with Client(f"{self.root}/dicomweb/{store}") as client:
            (study,) = client.ask("/studies?ModalitiesInStudy=SEG").json
        return dict(study)

    def _told(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(f"console: {message.text[:300]}")

    def _answered(self, response: Any) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {response.url}")

    def _asked(self, request: Any) -> None:
        # Chromium shows documents by an extension of its own.
        if not request.url.startswith((self.root, "blob:", "data:", "chrome")):
            self.complaints.append(f"another host: {request.url}")


@pytest.fixture(scope="module")
def viewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewed]:
    place = installed_once()
    folder = tmp_path_factory.mktemp("ohif")
    state = folder / "state"
    state.mkdir(mode=0o700)
    place_in(state).symlink_to(place)
    daemon = RunningDaemon(state, folder, is_prepared=True)
    daemon.start()
    try:
        expected = _filled(daemon)
        with Client(f"{daemon.http}/dicomweb/deid") as client:
            wait_until(
                lambda: len(client.ask("/instances?limit=500").json) >= expected,
                what="everything is de-identified",
            )
        with sync_playwright() as playwright:
            browser = launched(playwright)
            context = browser.new_context(viewport={"width": 1400, "height": 900})
            yield Viewed(daemon.http, context)
            browser.close()
    finally:
        daemon.stop()
        daemon.assert_no_traceback()


def _filled(daemon: RunningDaemon) -> int:
    """Store many studies and then the one; return how many instances of them are released."""
    earlier = [
        make_ct(PATIENTS[0], study=100 + number, StudyDate="20200102")
        for number in range(_LISTED + 4)
    ]
    last = list(sent_last())
    today = datetime.now(UTC).strftime("%Y%m%d")
    for dataset in last:
        dataset.StudyDate = today
    with Client(f"{daemon.http}/dicomweb/source") as client:
        for datasets in (earlier, last):
            body = body_of(*map(encoded, datasets))
            answer = client.ask(
                "/studies", "application/dicom+json", method="POST", body=body, Content_Type=KIND
            )
            assert answer.status == 200
    return len(earlier) + len(last) - 1  # documents are not released


def _ask(page: Page, script: str, argument: object = None) -> Any:
    return page.evaluate(script, argument)


def _wait(page: Page, script: str, what: str, argument: object = None) -> Any:
    """Ask until the answer is true; the page's policy lets nobody put a condition into it."""
    end = time.monotonic() + _PATIENCE_S
    while not (found := _ask(page, script, argument)):
        assert time.monotonic() < end, f"gave up waiting until {what}"
        page.wait_for_timeout(50)
    return found


def opened(page: Page) -> dict[str, str]:
    """Wait until a study is there; return its display sets by modality."""
    _wait(page, _IS_THERE, "the first series is shown")
    return dict(_ask(page, _SETS))


def _show(page: Page, display_set: str) -> None:
    """Put a display set into the viewport, once all that was begun is there.

    OHIF stumbles over what it breaks off itself.
    """
    _wait(page, _IS_IDLE, "all images are there")
    _ask(page, _SHOW, display_set)


_VIEWPORT = (
    "services.cornerstoneViewportService.getCornerstoneViewport("
    "services.viewportGridService.getActiveViewportId())"
)
_IS_THERE = f"""() => {{
  try {{ return !!{_VIEWPORT}.csImage; }} catch {{ return false; }}
}}"""
_IS_IDLE = """() => [cornerstone.imageLoadPoolManager, cornerstone.imageRetrievalPoolManager]
  .every((pool) => Object.values(pool.numRequests).every((count) => count === 0))"""
_SETS = """() => services.displaySetService.getActiveDisplaySets()
  .map((each) => [each.Modality, each.displaySetInstanceUID])"""
_SHOW = """(uid) => services.viewportGridService.setDisplaySetsForViewport(
  {viewportId: services.viewportGridService.getActiveViewportId(), displaySetInstanceUIDs: [uid]})"""
_IS_SHOWN = f"""(uid) => {{
  const shown = {_VIEWPORT};
  const wanted = services.displaySetService.getDisplaySetByUID(uid).instances;
  const isWanted = (id) => wanted.some((each) => id.includes(each.SOPInstanceUID));
  const ids = shown?.getImageIds?.() ?? [];
  return ids.length > 0 && ids.every(isWanted) && !!shown.csImage && isWanted(shown.csImage.imageId);
}}"""
_SCROLL = f"""async () => {{
  const shown = {_VIEWPORT};
  const found = [];
  for (const [index, id] of shown.getImageIds().entries()) {{
    await shown.setImageIdIndex(index);
    if (shown.csImage.imageId !== id) throw new Error(`frame ${{index}} is not shown`);
    const bytes = new Uint8Array(Int32Array.from(shown.csImage.getPixelData()).buffer);
    let text = "";
    for (let start = 0; start < bytes.length; start += 32768) {{
      text += String.fromCharCode(...bytes.subarray(start, start + 32768));
    }}
    found.push({{id, samples: btoa(text)}});
  }}
  return found;
}}"""
SHOW_ALL = f"""async () => {{
  const shown = {_VIEWPORT};
  let count = 0;
  for (const [index, id] of shown.getImageIds().entries()) {{
    await shown.setImageIdIndex(index);
    if (shown.csImage.imageId !== id) throw new Error(`frame ${{index}} is not shown`);
    count += 1;
  }}
  return count;
}}"""
_DRAWN = f"""() => {{
  const shown = {_VIEWPORT};
  shown.render();
  return shown.getCanvas().toDataURL();
}}"""
_BEGINS = """async (address) => {
  const answer = await fetch(address);
  return new TextDecoder().decode((await answer.arrayBuffer()).slice(0, 4));
}"""


@pytest.mark.parametrize("store", STORES)
def test_the_list_shows_what_was_sent_last_on_its_first_page(viewed: Viewed, store: str) -> None:
    study = viewed.study(store)
    with viewed.page(f"?datasources={store}") as page:
        accession = study["00080050"]["Value"][0]
        page.get_by_text(accession).first.wait_for(timeout=_PATIENCE_S * 1000)
        modalities = page.get_by_text("CT").first
        modalities.wait_for(timeout=_PATIENCE_S * 1000)


@pytest.mark.parametrize("store", STORES)
def test_every_frame_is_the_one_that_is_stored(viewed: Viewed, store: str) -> None:
    study = viewed.study(store)["0020000D"]["Value"][0]
    site = Site(f"{viewed.root}/dicomweb/{store}")
    with site.client, viewed.page(f"viewer?StudyInstanceUIDs={study}&datasources={store}") as page:
        sets = opened(page)
        assert {"CT", "MR", "US", "SEG", "SR"} <= set(sets)
        for modality, frames in (("CT", 3), ("MR", 2), ("US", 8)):
            _show(page, sets[modality])
            _wait(page, _IS_SHOWN, f"{modality} is shown", sets[modality])
            shown = _ask(page, _SCROLL)
            assert len(shown) == frames
            found = viewed.seen[store, modality] = []
            for each in shown:
                samples = np.frombuffer(b64decode(each["samples"]), np.int32)
                expected = _stored(site, each["id"])
                np.testing.assert_array_equal(samples, expected.astype(np.int32).ravel())
                found.append(samples)
            viewed.drawn[store, modality] = _ask(page, _DRAWN)


def _stored(site: Site, address: str) -> NDArray[Any]:
    """Return the frame that an image of the viewer's is made of, by another decoder."""
    path, _, number = address.rpartition("/frames/")
    stored = site._stored(f"/studies/{path.partition('/studies/')[2]}")
    assert stored is not None
    pixels = stored.pixel_array
    frame = pixels[int(number) - 1] if int(stored.get("NumberOfFrames") or 1) > 1 else pixels
    return apply_rescale(frame, stored)


def test_what_was_not_redacted_is_drawn_alike_from_both_stores(viewed: Viewed) -> None:
    for modality in ("CT", "MR"):
        received, result = (viewed.seen[store, modality] for store in STORES)
        assert len(received) == len(result)
        for one, other in zip(received, result, strict=True):
            np.testing.assert_array_equal(one, other)
        before, after = (viewed.drawn[store, modality] for store in STORES)
        assert len(before) > 10_000
        assert before == after


@pytest.mark.parametrize("store", STORES)
def test_segmentations_reports_and_documents_open(viewed: Viewed, store: str) -> None:
    study = viewed.study(store)["0020000D"]["Value"][0]
    with viewed.page(f"viewer/{store}?StudyInstanceUIDs={study}") as page:
        sets = opened(page)
        _show(page, sets["SEG"])
        _wait(
            page,
            "() => services.segmentationService.getSegmentations().length",
            "the segmentation is read",
        )
        _wait(page, _IS_THERE, "its images are shown")
        _show(page, sets["SR"])
        _wait(
            page,
            "(uid) => services.displaySetService.getDisplaySetByUID(uid).isLoaded",
            "the report is read",
            sets["SR"],
        )
        assert ("DOC" in sets) is (store == "source")
        if "DOC" in sets:
            _show(page, sets["DOC"])
            address = _wait(
                page,
                "() => document.querySelector('object[type=\"application/pdf\"]')?.data",
                "the document is shown",
            )
            assert _ask(page, _BEGINS, address) == "%PDF"
