"""The Studies page as people use it: with a mouse, and with the keyboard alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests import factories
from tests.browser.conftest import SCRIPT, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

    from tests.browser.conftest import Site, Visit

_NOTICE_COPIED = """
new MutationObserver(() => {
  const shown = [...document.querySelectorAll("button.copy")].map((button) => button.textContent);
  if (shown.includes("Copied")) document.body.dataset.copied = "yes";
}).observe(document.body, { subtree: true, childList: true, characterData: true });
"""
"""The word stays for a moment only: a page that is looked at too late does not show it any more."""

_NOTICE_FOCUS = """
window.kept = [];
addEventListener("htmx:afterSwap", () => {
  window.kept.push(document.activeElement.matches("details[open] button.copy"));
});
"""


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until something has the focus."""
    for _ in range(400):
        page.keyboard.press("Tab")
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", selector):
            return
    message = f"Tab does not lead to {selector}"
    raise AssertionError(message)


def rows(page: Page) -> int:
    return page.locator("#list tbody tr").count()


def test_a_filter_narrows_the_list_as_it_is_typed(visit: Visit) -> None:
    page = visit.open("/source/studies")
    assert rows(page) == 25
    page.get_by_label("Description").fill("Filling 7")
    expect(page.locator("#list tbody tr")).to_have_count(1)
    page.get_by_label("Description").fill("")
    page.get_by_label("Modality").fill("US")
    expect(page.locator("#list tbody tr")).to_have_count(1)
    expect(page.locator("#list tbody")).to_contain_text("US")
    page.get_by_role("link", name="Clear").click()
    expect(page.locator("#list tbody tr")).to_have_count(25)


def test_the_keyboard_alone_filters_pages_and_opens(visit: Visit, site: Site) -> None:
    page = visit.open("/source/studies")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    tab_to(page, "#later")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator("#earlier")).to_be_visible()
    tab_to(page, "#earlier")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator("#earlier")).to_have_count(0)  # both pages are full: the rows do not tell
    tab_to(page, "input[name=modality]")
    page.keyboard.type("US")
    page.keyboard.press("Enter")
    expect(page.locator("#list tbody tr")).to_have_count(1)
    tab_to(page, "summary")
    page.keyboard.press("Enter")
    tab_to(page, "button.copy")
    page.evaluate(_NOTICE_COPIED)
    page.keyboard.press("Enter")
    wait_for(page, "document.body.dataset.copied === 'yes'")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{site.root}/dicomweb/source"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#stage[aria-busy=false]")
    assert page.url.endswith(f"/source/compare/{site.named['cine']}")


def test_a_newer_filter_takes_the_place_of_one_that_is_being_answered(visit: Visit) -> None:
    page = visit.open("/source/studies")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/studies?*description=Filling*", hold)
    page.get_by_label("Description").fill("Filling 7")
    while not held:
        page.wait_for_timeout(50)
    page.get_by_label("Description").fill("")
    page.get_by_label("Modality").fill("US")
    expect(page.locator("#list tbody tr")).to_have_count(1)
    expect(page.locator("#list tbody")).to_contain_text("US")
    for route in held:
        route.abort()


def test_what_arrives_appears_by_itself(visit: Visit, site: Site) -> None:
    page = visit.open("/studies")
    # What is unfolded stays, and the focus where it was.
    tab_to(page, "summary")
    page.keyboard.press("Enter")
    tab_to(page, "button.copy")
    before = page.locator("#list tbody tr td:nth-child(2)").all_inner_texts()
    page.evaluate("document.body.dataset.same = 'yes'")
    page.evaluate(_NOTICE_FOCUS)
    arrived = factories.make_ct(rows=8, study=900)
    arrived.PatientID = "ARRIVED-LATER"
    site.send(arrived)
    expect(page.locator("#list tbody tr").first.locator("td").nth(1)).not_to_have_text(before[0])
    assert page.evaluate("document.body.dataset.same") == "yes"
    assert "ARRIVED-LATER" not in page.content()
    kept = page.evaluate("window.kept")
    assert kept
    assert all(kept)


def test_a_name_that_is_a_script_is_text(visit: Visit, site: Site) -> None:
    page = visit.open("/source/studies?offset=0&patient_name=script")
    expect(page.locator("#list tbody")).to_contain_text(SCRIPT)
    page = visit.open_compare(f"/source/compare/{site.named['script']}")
    page.get_by_label("Find").fill("alert(1)")
    expect(page.locator("#header tbody tr")).to_have_count(1)
    expect(page.locator("#header tbody")).to_contain_text(SCRIPT)


def test_both_stores_say_how_far_each_study_is(visit: Visit, site: Site) -> None:
    refused = factories.make_sc(rows=64, study=901)
    site.send(refused)
    site.daemon.wait_until_settled(len(site.sent))
    page = visit.open("/source/studies?modality=OT")
    link = page.locator(f'[id="compare-{refused.StudyInstanceUID}"]')
    expect(page.locator("#list tbody tr").filter(has=link)).to_contain_text("1 quarantined")
    page.get_by_role("link", name="Results").click()
    expect(page.locator("#list tbody tr").first).to_contain_text("1 done")
    visit.picture("studies")
