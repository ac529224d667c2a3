"""The Compare page in Chromium: from a key to the next image, and from nothing to an image by both ways."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

from tests.benchmarks.table import Row
from tests.browsers import launched
from tests.factories import encoded, make_dx, make_us
from tests.service import RunningDaemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom.dataset import Dataset

STEPS = 20
_SETTINGS = """
[deidentifiers.default.config.dicom]
filterProfile = "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"
[deidentifiers.default.config.dicomveil]
burnedIn = "pass"
"""
_WAYS = {"samples": "samples, windowed by the browser", "drawn": "drawn by the service, PNG"}
# From the key to the frame of the screen after it was drawn; the images ahead have been fetched.
_STEP = """
async () => {
  const stage = document.getElementById("stage");
  const told = (name) => new Promise((done) => stage.addEventListener(name, done, { once: true }));
  const shown = told("shown");
  const ready = told("ready");
  const began = performance.now();
  stage.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
  await shown;
  await new Promise(requestAnimationFrame);
  const took = performance.now() - began;
  await Promise.race([ready, new Promise((done) => setTimeout(done, 10000))]);
  return took;
}
"""
_COLD = """
async ([store, instance, frame, how]) => {
  const { Frames } = await import(new URL("static/compare-frames.js", location.origin + "/"));
  const frames = new Frames(new URL(`dicomweb/${store}/`, location.origin + "/").href);
  const description = await frames.description(instance);
  if (how === "drawn") frames.drawnElsewhere.add(instance.instance);
  const began = performance.now();
  await frames.picture(instance, frame, undefined);
  return performance.now() - began;
}
"""


def compare(folder: Path, rounds: int) -> list[Row]:
    """Measure a cine of 60 frames of 1024 x 768 in colour, and radiographs of 3000 x 2500."""
    folder.mkdir(parents=True)
    state = folder / "state"
    state.mkdir(mode=0o700)
    # Nobody looks for text: what is measured is how results are shown.
    daemon = RunningDaemon(state, folder, settings=_SETTINGS, workers=0)
    daemon.start()
    try:
        kinds = dict(_kinds())
        for datasets in kinds.values():
            for dataset in datasets:
                _send(daemon, dataset)
        daemon.wait_until_settled(sum(map(len, kinds.values())), deadline_s=300)
        with sync_playwright() as playwright:
            browser = launched(playwright)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            rows = [
                row
                for kind, datasets in kinds.items()
                for row in _measured(page, daemon, kind, str(datasets[0].StudyInstanceUID), rounds)
            ]
            browser.close()
    finally:
        daemon.stop()
    return rows


def _kinds() -> Iterator[tuple[str, list[Dataset]]]:
    yield "cine, 60 frames of 1024 x 768 in colour", [make_us(rows=768, frames=60)]
    films = []
    for number in range(1, 7):
        film = make_dx(rows=3000, instance=number)
        film.Columns, film.PixelData = 2500, film.PixelData[: 3000 * 2500 * 2]
        films.append(film)
    yield "radiographs of 3000 x 2500, 12 bits", films


def _send(daemon: RunningDaemon, dataset: Dataset) -> None:
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + encoded(dataset) + b"\r\n--b--\r\n"
    request = urllib.request.Request(
        f"{daemon.http}/dicomweb/source/studies",
        data=body,
        headers={"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'},
    )
    with urllib.request.urlopen(request, timeout=120):
        pass


def _measured(page: Any, daemon: RunningDaemon, kind: str, study: str, rounds: int) -> list[Row]:
    warm = Row(f"Compare, next image, warm: {kind}", "ms", "<= 100 ms")
    cold = Row(f"Compare, an image from nothing: {kind}", "ms", "the faster way is taken")
    for _ in range(rounds):
        page.goto(f"{daemon.http}/source/compare/{study}")
        page.wait_for_selector("#stage[aria-busy=false]")
        page.wait_for_timeout(3000)
        most = min(STEPS, int(page.locator("#image").get_attribute("max")) - 1)
        took = sorted(page.evaluate(_STEP) for _ in range(most))
        warm.contender("the page", is_ours=True).values.append(took[len(took) // 2])
        warm.contender("the page", is_ours=True).notes["slowest"] = took[-1]
        contents = page.evaluate(
            "() => fetch(location.pathname + '/study.json').then((answer) => answer.json())"
        )
        instance = contents["series"][0]["instances"][-1]["result"]
        for how, name in (
            ("samples", "samples, windowed by the browser"),
            ("drawn", "drawn by the service, PNG"),
        ):
            ours = cold.contender(name, is_ours=how == "samples")
            ours.values.append(page.evaluate(_COLD, ["deid", instance, 1, how]))
    return [warm, cold]
