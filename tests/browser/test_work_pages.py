"""De-identify and Status in a browser; and what all pages about the work keep to."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests import factories
from tests.browser.test_studies_page import tab_to

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from tests.browser.conftest import Site, Visit

PROFILE = "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"
BASIC = json.dumps({"dicom": {"filterProfile": PROFILE}})
SOON_MS = 240_000
POLLS = re.compile(r"/deidentify/operation\?")
PAGES = ("/quarantine", "/deidentify", "/status")


def test_a_configuration_is_checked_tried_and_started(visit: Visit) -> None:
    page = visit.open("/deidentify")
    checked = page.locator("#checked")
    expect(checked).to_contain_text("Valid")
    page.get_by_label("Preset").select_option("pasted")
    page.get_by_label("DeidentifyConfig").fill(BASIC.replace("PROFILE", "PROFIL"))
    expect(checked).to_contain_text(f"did you mean {PROFILE}?")
    page.get_by_label("DeidentifyConfig").fill(BASIC)
    expect(checked).to_contain_text("Starts from the Basic Application Level")
    visit.picture("deidentify")
    page.get_by_role("button", name="Try on one study").click()
    ultrasound = page.get_by_role("cell", name="US", exact=True)
    page.get_by_role("row").filter(has=ultrasound).first.get_by_role("radio").check()
    page.get_by_role("button", name="Try").click()
    expect(page.locator("#trial")).to_contain_text("0 to do", timeout=SOON_MS)
    expect(page.locator("#trial")).to_contain_text("pixels not cleaned")
    page.get_by_role("link", name="Back to De-identify").click()
    page.get_by_label("Destination").fill("hospital/clean")
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#operation")).to_contain_text("Done", timeout=SOON_MS)
    expect(page.locator("#operation")).to_contain_text("screen capture")
    visit.picture("operation")


def test_a_trial_is_shown_in_compare_with_what_was_filled(visit: Visit) -> None:
    page = visit.open("/deidentify")
    expect(page.locator("#checked")).to_contain_text("Valid")
    page.get_by_role("button", name="Try on one study").click()
    ultrasound = page.get_by_role("cell", name="US", exact=True)
    page.get_by_role("row").filter(has=ultrasound).first.get_by_role("radio").check()
    page.get_by_role("button", name="Try").click()
    page.get_by_role("link", name="Show in Compare").click()
    page.wait_for_selector("#stage[aria-busy=false]")
    expect(page.get_by_role("heading", level=1)).to_have_text("Trial")
    expect(page.locator("#header table")).to_contain_text("PatientName")
    expect(page.locator("#regions li").first).to_be_visible()
    visit.picture("trial")


def test_the_keyboard_alone_starts_and_cancels(visit: Visit) -> None:
    page = visit.open("/deidentify")
    tab_to(page, "#preset")
    page.keyboard.press("b")
    expect(page.locator("#checked")).to_contain_text("Valid")
    tab_to(page, "#destination")
    page.keyboard.type("hospital/basic")
    # The page asks every second how far it is, and when all is done has no such button any more.
    asked: list[Route] = []
    is_held = True
    page.route(POLLS, lambda route: asked.append(route) if is_held else route.continue_())
    tab_to(page, "button.strong")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    if page.locator("#cancel").count():
        tab_to(page, "#cancel")
        is_held = False
        with page.expect_navigation():
            page.keyboard.press("Enter")
    is_held = False
    for route in asked:
        route.continue_()
    expect(page.locator("#operation")).to_contain_text(
        re.compile("Done|Ended early: cancelled"), timeout=SOON_MS
    )
    tab_to(page, "a[href$=deidentify]:not(nav a)")
    page.keyboard.press("Enter")
    expect(page.locator("#operations tbody tr").first).to_contain_text("operations/")


def test_status_is_drawn_and_changes_by_itself(visit: Visit, site: Site) -> None:
    page = visit.open("/status")
    expect(page.locator(".plots canvas")).to_have_count(2)
    received = page.locator("table", has_text="STOW-RS").locator("tbody td").nth(1)
    before = int(received.inner_text())
    site.send(factories.make_ct(rows=8, study=400))
    expect(received).to_have_text(str(before + 1), timeout=SOON_MS)
    visit.picture("status", full_page=True)


def test_what_names_people_is_in_no_answer_beside_the_source(visit: Visit, site: Site) -> None:
    values = {
        str(each[keyword].value).encode()
        for each in site.sent
        for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "SOPInstanceUID")
    }
    answers = visit.record()
    for path in PAGES:
        page = visit.open(path)
        if path == "/deidentify":
            expect(page.locator("#checked")).to_contain_text("Valid")
        page.wait_for_timeout(300)
    clean = {
        address: body
        for address, body in answers.items()
        if "/source/" not in address and not address.endswith((".js", ".css"))
    }
    assert len(clean) >= len(PAGES) + 2
    told = [(each, value) for each, body in clean.items() for value in values if value in body]
    assert told == []


@pytest.mark.parametrize("visit", ["light", "dark"], indirect=True)
def test_nothing_serious_is_wrong_for_people_who_cannot_see_or_point(visit: Visit) -> None:
    found = []
    for path in (*PAGES, "/source/quarantine/decisions"):
        page = visit.open(path)
        if path == "/deidentify":
            expect(page.locator("#checked")).to_contain_text("Valid")
        found += Axe().run(page).response["violations"]
    page = visit.open("/quarantine?reason=screen_capture")
    with page.expect_navigation():
        page.get_by_role("link", name="Review").first.click()
    found += Axe().run(page).response["violations"]
    serious = [
        (each["id"], [node["html"] for node in each["nodes"]])
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]
    assert serious == []


@pytest.mark.parametrize("percent", [200, 400])
def test_however_large_nothing_stands_outside_of_the_page(visit: Visit, percent: int) -> None:
    # A browser that zooms shows fewer pixels of CSS of a laptop's 1280; a telephone has as few as at 400 %.
    visit.page.set_viewport_size({"width": 128_000 // percent, "height": 80_000 // percent})
    for path in (*PAGES, "/source/quarantine/decisions"):
        page = visit.open(path)
        if path == "/deidentify":
            expect(page.locator("#checked")).to_contain_text("Valid")
        widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert (path, widths[0] <= widths[1]) == (path, True)
