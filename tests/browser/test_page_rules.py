"""What holds for every page: usable by everybody, in light and dark, at twice the size; nothing forbidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import wait_for

if TYPE_CHECKING:
    from tests.browser.conftest import Site, Visit

PAGES = ("start", "studies", "source/studies", "compare", "source/compare", "missing")


def open_page(visit: Visit, site: Site, page: str) -> None:
    if "compare" in page:
        visit.open_compare(f"/{page}/{site.results['cine']}")
        return
    visit.expected = {404}
    visit.open({"start": "/", "missing": "/compare/1.2.3"}.get(page, f"/{page}"))


@pytest.mark.parametrize("visit", ["light", "dark"], indirect=True)
@pytest.mark.parametrize("page", PAGES)
def test_no_serious_fault_keeps_anybody_out(visit: Visit, site: Site, page: str) -> None:
    open_page(visit, site, page)
    faults = [
        (fault["id"], [node["html"][:120] for node in fault["nodes"]])
        for fault in Axe().run(visit.page).response["violations"]
        if fault["impact"] in {"serious", "critical"}
    ]
    assert faults == []
    scheme = visit.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    visit.picture(f"{page.replace('/', '-')}-{'dark' if scheme else 'light'}")


@pytest.mark.parametrize("percent", [200, 400])
@pytest.mark.parametrize("page", PAGES)
def test_however_large_nothing_stands_outside_of_the_page(
    visit: Visit, site: Site, page: str, percent: int
) -> None:
    # A browser that zooms shows fewer pixels of CSS of a laptop's 1280; a telephone has as few as at 400 %.
    visit.page.set_viewport_size({"width": 128_000 // percent, "height": 80_000 // percent})
    open_page(visit, site, page)
    widths = visit.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1]
    visit.picture(f"{page.replace('/', '-')}-{percent}-percent")


@pytest.mark.parametrize("page", PAGES)
def test_nothing_comes_from_another_host(visit: Visit, site: Site, page: str) -> None:
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    open_page(visit, site, page)
    assert asked
    foreign = [url for url in asked if not url.startswith((site.root, "blob:", "data:"))]
    assert foreign == []


def test_what_the_policy_forbids_is_noticed_here(visit: Visit) -> None:
    visit.open("/")
    visit.page.evaluate(
        "document.body.append(Object.assign(document.createElement('div'), "
        "{ innerHTML: '<b style=\"color:red\">x</b>' }))"
    )
    wait_for(visit.page, "window.violations.length > 0")
    assert visit.violations()[0].startswith("style-src")
    visit.page.evaluate("window.violations = []")
    visit.faults.clear()
