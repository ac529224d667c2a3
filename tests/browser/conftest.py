"""One service and one browser for all tests of the pages, and a page that may do nothing wrong."""

from __future__ import annotations

import json
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect, sync_playwright
from pydicom.uid import JPEGBaseline8Bit

from daemon.synthetic.encodings import encode_as, encoded
from daemon.synthetic.patients import PATIENTS
from tests import factories
from tests.browsers import SHELL, WHOLE, browser_of, launched
from tests.conftest import ARTIFACTS
from tests.picture_samples import overlaid
from tests.service import DEADLINE_S, RunningDaemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from playwright.sync_api import Browser, Page, Request, Route
    from pydicom.dataset import Dataset

SCRIPT = "<script>alert(1)</script>"

_REPLACED = "htmx:afterRequest", "htmx:sendAbort"
"""What htmx says, with its target, of a question whose place a newer one took (hx-sync). It says the first of
any question that was not answered, and then why: only this reason is none to complain of."""

_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""


@dataclass
class Site:
    """The running service, and what was sent to it.

    Attributes
    ----------
    results
        Study UID of the result by what was sent.
    """

    daemon: RunningDaemon
    sent: list[Dataset] = field(default_factory=list)
    results: dict[str, str] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> str:
        return self.daemon.http

    def tell(self, *resources: dict[str, Any]) -> None:
        """Put FHIR resources into the source, and wait until each has a result."""
        for each in resources:
            request = urllib.request.Request(
                f"{self.root}/fhir/source/{each['resourceType']}/{each['id']}",
                data=json.dumps(each).encode(),
                headers={"Content-Type": "application/fhir+json"},
                method="PUT",
            )
            with urllib.request.urlopen(request, timeout=240):
                pass

        def are_made() -> bool:
            status, body = self.daemon.get("/fhir/deid/$export", accept="*/*")
            return status == 200 and len(body.splitlines()) >= len(resources)

        wait_until(are_made, what="all resources have results")

    def send(self, *datasets: Dataset) -> None:
        """Store instances in one request (PS3.18 10.5)."""
        parts = [
            b"--page\r\nContent-Type: application/dicom\r\n\r\n" + encoded(each) + b"\r\n"
            for each in datasets
        ]
        request = urllib.request.Request(
            f"{self.root}/dicomweb/source/studies",
            data=b"".join(parts) + b"--page--\r\n",
            headers={"Content-Type": 'multipart/related; type="application/dicom"; boundary=page'},
        )
        with urllib.request.urlopen(request, timeout=240) as answer:
            assert answer.status == 200
        self.sent += datasets


def _instances() -> dict[str, Sequence[Dataset]]:
    """Return what the tests look at: a few studies, each of something else."""
    cine = factories.make_us(PATIENTS[5], rows=240, frames=12, banner=24)
    lossy = factories.make_us(PATIENTS[5], rows=240, frames=4, banner=24, instance=2)
    volume = [factories.make_ct(instance=number, rows=64) for number in (1, 2, 3)]
    named = factories.make_ct(rows=16, study=7)
    named.PatientName = SCRIPT
    capture = factories.make_sc(rows=64)
    return {
        "cine": [cine, encode_as(lossy, JPEGBaseline8Bit)],
        "volume": [*volume, factories.make_sr()],
        "enhanced": [overlaid(factories.make_enhanced_mr(), written("Jane Doe"))],
        "script": [named],
        "refused": [capture],
    }


def written(words: str) -> NDArray[np.bool_]:
    """Return a bitmap with words drawn in it."""
    plane = Image.new("1", (64, 20))
    ImageDraw.Draw(plane).text((2, 4), words, fill=1)
    return np.asarray(plane, np.bool_)


def _many() -> list[Dataset]:
    """Return enough studies for a second page."""
    found = []
    for number in range(24):
        dataset = factories.make_ct(PATIENTS[number % 5], rows=8, study=100 + number)
        dataset.StudyDescription = f"Filling {number}"
        found.append(dataset)
    return found


@pytest.fixture(scope="package")
def chromium() -> str:
    """Return the path of the browser: its engine shows the pages, and nobody looks at a window of its own."""
    return browser_of(SHELL, WHOLE)


@pytest.fixture(scope="package")
def site(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run the service with a study of each kind in both stores, where there is a browser to look at them."""
    folder = tmp_path_factory.mktemp("pages")
    state = folder / "state"
    state.mkdir(mode=0o700)
    daemon = RunningDaemon(state, folder, workers=2, is_prepared=True)
    daemon.start()
    try:
        site = Site(daemon)
        kinds = _instances()
        site.send(*_many())
        site.send(*(each for datasets in kinds.values() for each in datasets))
        daemon.wait_until_settled(len(site.sent))
        replaced = daemon.replaced()
        for name, datasets in kinds.items():
            site.named[name] = str(datasets[0].StudyInstanceUID)
            result = replaced.get(str(datasets[0].SOPInstanceUID))
            if result is not None:
                site.results[name] = result[0]
        yield site
    finally:
        daemon.stop()
        daemon.assert_no_traceback()


@pytest.fixture(scope="package")
def browser(site: Site, chromium: str) -> Iterator[Browser]:
    """Run Chromium."""
    assert site.root
    with sync_playwright() as playwright:
        started = launched(playwright, chromium)
        # Others may keep the machine busy; no test measures how long anything took.
        expect.set_options(timeout=DEADLINE_S * 1000)
        yield started
        started.close()


def wait_for(page: Page, is_true: str) -> None:
    """Wait until an expression holds; the page's policy forbids the eval by which the browser itself would."""
    end = time.monotonic() + DEADLINE_S
    while not page.evaluate(is_true):
        assert time.monotonic() < end, f"gave up waiting for {is_true}"
        page.wait_for_timeout(50)


class Visit:
    """A page of the browser, and what it complained of.

    Attributes
    ----------
    expected
        Statuses of answers that a test brings about on purpose.
    """

    def __init__(self, page: Page, root: str, artifacts: Path) -> None:
        self.page = page
        self.root = root
        self.faults: list[str] = []
        self.expected: set[int] = set()
        self._artifacts = artifacts
        self._left_at: int | None = None
        page.add_init_script(_WATCH)
        page.on("console", lambda message: self._said(message.type, message.text))
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.faults.append(f"dialog: {dialog.message}"))
        page.on("request", self._asked)
        page.on("load", lambda _page: self.arrive())

    def _asked(self, request: Request) -> None:
        if request.is_navigation_request() and self._left_at is None:
            self._left_at = len(self.faults)

    def arrive(self) -> None:
        """Forget what htmx said of a page that was left: it does not wait for what it asked for."""
        if self._left_at is not None:
            self.faults[self._left_at :] = [
                fault
                for fault in self.faults[self._left_at :]
                if not fault.startswith("error: htmx:")
            ]
        self._left_at = None

    def _said(self, kind: str, text: str) -> None:
        if "Multiple readback operations" in text:  # what the tests themselves do
            return
        if text.startswith(_REPLACED):
            return
        if kind in {"error", "warning"} and not any(str(each) in text for each in self.expected):
            self.faults.append(f"{kind}: {text}")

    def record(self) -> dict[str, bytes]:
        """Keep the bodies of all answers from now on; return where they are kept, by address."""
        answers: dict[str, bytes] = {}

        def fetch(route: Route) -> None:
            if route.request.url.endswith("/events"):
                route.continue_()
                return
            answer = route.fetch()
            answers[route.request.url] = answer.body()
            route.fulfill(response=answer)

        self.page.route("**/*", fetch)
        return answers

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.root}{path}")
        return self.page

    def open_compare(self, path: str) -> Page:
        """Open a Compare page and wait until it shows something."""
        page = self.open(path)
        page.wait_for_selector("#stage[aria-busy=false]")
        page.wait_for_selector("#header table")
        page.wait_for_selector("#resources > *")
        return page

    def violations(self) -> list[str]:
        found: list[str] = self.page.evaluate("window.violations ?? []")
        return found

    def picture(self, name: str, **options: object) -> None:
        """Keep what is seen, for people who look at the artefacts of a run."""
        self.page.screenshot(path=self._artifacts / f"{name}.png", **options)  # type: ignore[arg-type]


@pytest.fixture(scope="package")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where pictures are kept: ``TEST_ARTIFACTS``, or a temporary folder."""
    folder = Path(ARTIFACTS) if ARTIFACTS else tmp_path_factory.mktemp("artifacts")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(params=["light"])
def visit(
    request: pytest.FixtureRequest, site: Site, browser: Browser, artifacts: Path
) -> Iterator[Visit]:
    """Return a page of a fresh profile; fail where it reported an error or a forbidden thing."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, color_scheme=request.param
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.root)
    context.set_default_timeout(DEADLINE_S * 1000)
    visit = Visit(context.new_page(), site.root, artifacts)
    yield visit
    visit.arrive()
    faults, violations = list(visit.faults), visit.violations()
    # A page reads ahead: what it still waits for is answered before its profile goes.
    visit.page.unroute_all(behavior="wait")
    context.close()
    assert (faults, violations) == ([], [])
