"""The Quarantine page as people decide on it: with a mouse, and with the keyboard alone."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pydicom
import pytest
from playwright.sync_api import expect

from tests import factories
from tests.browser.conftest import wait_for
from tests.browser.test_studies_page import tab_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page
    from pydicom.dataset import Dataset

    from tests.browser.conftest import Site, Visit

COUNT = 7
SOON_MS = 240_000
REASON = "/quarantine?reason=screen_capture"
_HOLD_THE_FIRST_ANSWER = """
() => {
  const { fetch } = window;
  window.asked = 0;
  window.fetch = async (...question) => {
    const answer = await fetch(...question);
    window.asked += 1;
    if (window.asked === 1) await new Promise((resolve) => { window.answer = resolve; });
    return answer;
  };
}
"""
_CHANGED = "document.body.dispatchEvent(new CustomEvent('quarantine'))"


@pytest.fixture(scope="module")
def captures(site: Site) -> list[Dataset]:
    """Screens that are not trusted: one for each that is decided."""
    datasets = [factories.make_sc(rows=64, study=200 + number) for number in range(COUNT)]
    site.send(*datasets)
    site.daemon.wait_until_settled(len(site.sent))
    return datasets


@pytest.fixture(autouse=True)
def _settled(site: Site, captures: list[Dataset]) -> Iterator[None]:
    """Begin once what was decided before has come to rest: it changes what is shown."""
    assert captures
    yield
    site.daemon.wait_until_settled(len(site.sent))


def waiting(page: Page) -> int:
    return int(page.locator(".reasons a[aria-current] strong").inner_text())


def released(site: Site, page: Page) -> Dataset:
    """Wait until the newest decision has a result, and return that."""
    expect(page.locator("#made tbody tr").first.locator(".state")).to_have_text(
        "done", timeout=SOON_MS
    )
    study = page.locator("#made tbody tr").first.get_by_role("link").get_attribute("href")
    assert study is not None
    (uids,) = [each for each in site.daemon.replaced().values() if study.endswith(each[0])]
    return pydicom.dcmread(io.BytesIO(site.daemon.retrieve(*uids)))


def test_boxes_are_drawn_with_the_mouse_and_the_result_is_shown(
    visit: Visit, site: Site, captures: list[Dataset]
) -> None:
    page = visit.open(REASON)
    before = waiting(page)
    visit.picture("quarantine")
    with page.expect_navigation():  # only a page that is loaded has scripts that draw
        page.get_by_role("link", name="Review").last.click()
    stage = page.locator("#stage")
    around = stage.bounding_box()
    assert around is not None
    left, top, side = around["x"], around["y"], min(around["width"], around["height"])
    inset = (around["width"] - side) / 2, (around["height"] - side) / 2
    page.mouse.move(left + inset[0] + side / 4, top + inset[1] + side / 4)
    page.mouse.down()
    page.mouse.move(left + inset[0] + side / 2, top + inset[1] + side / 2, steps=4)
    page.mouse.up()
    expect(page.locator(".drawn")).to_have_count(1)
    columns = captures[0].Columns
    drawn = [int(each.input_value()) for each in page.locator(".box input").all()]
    assert drawn[0] == 0
    assert all(abs(each - columns / 4) <= 2 for each in drawn[1:])
    page.get_by_label("Reviewer").fill("A. Reviewer")
    visit.picture("review")
    page.get_by_role("button", name="Release after filling").click()
    expect(page.get_by_role("status")).to_contain_text("1 decided")
    result = released(site, page)
    _, x, y, width, height = drawn
    assert not result.pixel_array[y : y + height, x : x + width].std(axis=(0, 1)).any()
    assert "regions by hand" in str(result.DeidentificationMethod)
    expect(page.locator("#made tbody tr").first).to_contain_text("A. Reviewer")
    visit.picture("decisions")
    visit.open(REASON)
    assert waiting(page) == before - 1


def test_the_keyboard_alone_adds_moves_and_releases(visit: Visit, site: Site) -> None:
    page = visit.open(REASON)
    tab_to(page, "a[id^=review-]")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    tab_to(page, "#add")
    page.keyboard.press("Enter")
    for value in ("10", "12", "20", "6"):
        page.keyboard.press("Control+A")
        page.keyboard.type(value)
        page.keyboard.press("Enter")  # decides nothing
        page.keyboard.press("Tab")
    for key in ("ArrowRight", "ArrowDown", "Shift+ArrowRight", "Control+ArrowRight"):
        page.keyboard.press(key)
    said = [each.input_value() for each in page.locator(".box input").all()]
    assert said == ["0", "21", "13", "21", "6"]
    tab_to(page, "button[value=release]")
    page.keyboard.press("Enter")
    result = released(site, page)
    assert not result.pixel_array[13:19, 21:42].std(axis=(0, 1)).any()


def test_several_are_decided_together_and_what_is_refused_again_says_so(visit: Visit) -> None:
    page = visit.open(REASON)
    for box in page.locator("tr:has(a) input[name=id]").all()[-2:]:
        box.check()
    page.get_by_label("Deidentifier").select_option("default")
    page.get_by_role("button", name="Retry", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("2 decided")
    for row in (0, 1):
        expect(page.locator("#made tbody tr").nth(row)).to_contain_text(
            "quarantined: screen capture", timeout=SOON_MS
        )
        expect(page.locator("#made tbody tr").nth(row)).to_contain_text("retry by default")


def test_the_keyboard_alone_sends_one_to_another_deidentifier(visit: Visit) -> None:
    page = visit.open(REASON)
    tab_to(page, "tr:has(a) input[name=id]")
    page.keyboard.press("Space")
    tab_to(page, "#deidentifier")
    page.keyboard.press("d")
    tab_to(page, "button[value=retry]")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("1 decided")
    expect(page.locator("#made tbody tr").first).to_contain_text("retry by default")


def test_several_share_the_boxes_of_one(visit: Visit) -> None:
    page = visit.open(REASON)
    for box in page.locator("tr:has(a) input[name=id]").all()[-2:]:
        box.check()
    with page.expect_navigation():
        page.get_by_role("button", name="Draw boxes").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("and 1 more")
    page.get_by_role("button", name="Add a box").click()
    page.get_by_role("button", name="Release after filling").click()
    expect(page.get_by_role("status")).to_contain_text("2 decided")
    for row in (0, 1):
        expect(page.locator("#made tbody tr").nth(row).locator(".state")).to_have_text(
            "done", timeout=SOON_MS
        )


def test_a_discard_asks_first_and_the_keyboard_answers(visit: Visit) -> None:
    page = visit.open(REASON)
    before = waiting(page)
    tab_to(page, "tr:has(a) input[name=id]")
    page.keyboard.press("Space")
    tab_to(page, "button[value=discard]")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Discard 1 received instance for good?"
    )
    visit.open(REASON)
    assert waiting(page) == before
    tab_to(page, "tr:has(a) input[name=id]")
    page.keyboard.press("Space")
    tab_to(page, "button[value=discard]")
    page.keyboard.press("Enter")
    page.wait_for_selector("button.danger")
    tab_to(page, "button.danger")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("1 decided")
    visit.open(REASON)
    assert waiting(page) == before - 1


def test_what_changes_while_the_page_asks_is_asked_for_once_more(visit: Visit) -> None:
    page = visit.open(REASON)
    page.evaluate(_HOLD_THE_FIRST_ANSWER)
    page.evaluate(_CHANGED)
    wait_for(page, "window.asked === 1")
    page.evaluate(_CHANGED)
    page.evaluate("window.answer()")
    wait_for(page, "window.asked >= 2")


def test_what_is_chosen_outlasts_what_comes_in(visit: Visit, site: Site) -> None:
    page = visit.open(REASON)
    before = waiting(page)
    page.locator("tr:has(a) input[name=id]").first.check()
    page.get_by_label("Reviewer").fill("Still here")
    site.send(factories.make_sc(rows=64, study=300))
    expect(page.locator(".reasons a[aria-current] strong")).to_have_text(str(before + 1))
    assert page.locator("tr:has(a) input[name=id]").first.is_checked()
    assert page.get_by_label("Reviewer").input_value() == "Still here"
