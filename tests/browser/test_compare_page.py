"""The Compare page: what is shown, and every action with the mouse and with the keyboard alone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from daemon.synthetic.patients import PATIENTS
from daemon.synthetic.resources import study_resources
from tests.browser.test_studies_page import tab_to
from tests.service import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.browser.conftest import Site, Visit

_LOOK = """
([side, box]) => {
  const canvas = document.querySelector(`#pane-${side} canvas`);
  const [x, y, w, h] = box.map((part, index) => Math.round(part * (index % 2 ? canvas.height : canvas.width)));
  const data = canvas.getContext("2d").getImageData(x, y, Math.max(1, w), Math.max(1, h)).data;
  let [hash, brightest, lightest, inked] = [0, 0, 0, false];
  for (let at = 0; at < data.length; at += 4) {
    const [red, green, blue] = [data[at], data[at + 1], data[at + 2]];
    hash = (Math.imul(hash, 31) + red + 256 * green + 65536 * blue) | 0;
    brightest = Math.max(brightest, Math.min(red, green, blue));
    lightest = Math.max(lightest, red, green, blue);
    inked ||= red > green + 60 && blue > green + 60;
  }
  return { hash, brightest, lightest, has_ink: inked };
}
"""
_WHOLE = (0.0, 0.0, 1.0, 1.0)
_MIDDLE = (0.4, 0.4, 0.2, 0.2)


@dataclass(frozen=True)
class Looks:
    """How a part of a canvas looks.

    The whitest pixel, the strongest of any colour, whether any has the colour of overlay planes, and a hash
    of all.
    """

    hash: int
    brightest: int
    lightest: int
    has_ink: bool

    @property
    def is_bright(self) -> bool:
        return self.brightest > 200


def look(page: Page, side: str, box: tuple[float, float, float, float] = _WHOLE) -> Looks:
    """Look at a part of a canvas, told in shares of it."""
    return Looks(**page.evaluate(_LOOK, [side, box]))


def shown(page: Page, image: int) -> None:
    """Wait until an image is shown."""
    page.wait_for_selector(f'#stage[aria-busy=false][data-shown="{image}"]')


def changes(page: Page, side: str, act: Callable[[], Any]) -> None:
    """Do something, and wait until it can be seen."""
    before = look(page, side)
    act()
    end = time.monotonic() + DEADLINE_S
    while look(page, side) == before:
        assert time.monotonic() < end, "nothing changed"
        page.wait_for_timeout(50)


def top_strip(page: Page) -> tuple[float, float, float, float]:
    """Return where the strip with the name is: outlines are hidden, the picture is as large as it fits."""
    size = page.evaluate(
        "() => { const c = document.querySelector('#pane-result canvas'); return [c.width, c.height]; }"
    )
    scale = min(size[0] / 320, size[1] / 240)
    top = (size[1] - 240 * scale) / 2 / size[1]
    return 0.02, top, 0.96, 22 * scale / size[1]


def test_the_name_is_drawn_in_what_came_in_and_gone_in_the_result(visit: Visit, site: Site) -> None:
    page = visit.open_compare(f"/source/compare/{site.results['cine']}")
    visit.picture("compare-ultrasound")
    page.get_by_role("button", name="Outlines").click()
    strip = top_strip(page)
    assert look(page, "received", strip).is_bright
    assert not look(page, "result", strip).is_bright
    assert look(page, "received").is_bright
    expect(page.locator("#regions li").first).to_be_visible()
    why = " ".join(page.locator("#regions li").all_inner_texts())
    assert "outside the ultrasound regions" in why
    assert "text" in why
    page.locator("#regions button").first.click()
    expect(page.locator("#where")).to_contain_text("frame 1 of 12")


def test_wheel_buttons_slider_and_keys_go_through_every_frame(visit: Visit, site: Site) -> None:
    page = visit.open_compare(f"/source/compare/{site.results['cine']}")
    stage = page.locator("#stage")
    stage.hover()
    page.mouse.wheel(0, 100)
    shown(page, 2)
    page.get_by_role("button", name="Next").click()
    shown(page, 3)
    page.get_by_role("button", name="Previous").click()
    shown(page, 2)
    stage.focus()
    for image in range(3, 17):
        page.keyboard.press("ArrowRight")
        shown(page, image)
        assert not page.locator(".notice:visible").count()
    expect(page.locator("#where")).to_have_text("Image 16 of 16, instance 2, frame 4 of 4")
    page.keyboard.press("ArrowUp")
    shown(page, 1)
    page.keyboard.press("ArrowDown")
    shown(page, 13)
    page.keyboard.press("Home")
    shown(page, 1)
    page.get_by_label("Image", exact=True).focus()
    page.keyboard.press("End")
    shown(page, 16)


def test_a_cine_plays_round_and_pauses_by_button_and_key(visit: Visit, site: Site) -> None:
    page = visit.open_compare(f"/source/compare/{site.results['cine']}")
    play = page.locator("#play")
    page.get_by_label("Frames a second").fill("10")
    page.locator("#image").evaluate("(image) => { image.value = 11; }")
    page.get_by_role("button", name="Play").click()
    # Of twelve frames, the first comes after the last; the other instance of the series is not shown.
    shown(page, 12)
    shown(page, 1)
    shown(page, 2)
    expect(play).to_have_text("Pause")
    page.locator("#stage").focus()
    page.keyboard.press("Space")
    expect(play).to_have_text("Play")
    page.keyboard.press("p")
    expect(play).to_have_text("Pause")
    # Whoever goes on by hand has it stopped where he goes.
    page.keyboard.press("End")
    shown(page, 16)
    expect(play).to_have_text("Play")
    page.wait_for_selector("#stage[aria-busy=false]")
    expect(page.locator("#where")).to_have_text("Image 16 of 16, instance 2, frame 4 of 4")
    expect(page.locator("#header-result")).not_to_have_value("")


def test_the_four_ways_to_compare(visit: Visit, site: Site) -> None:
    page = visit.open_compare(f"/source/compare/{site.results['cine']}")
    page.get_by_role("button", name="Outlines").click()
    strip = top_strip(page)
    page.get_by_label("Difference").check()
    expect(page.locator("#pane-received")).to_be_hidden()
    visit.picture("compare-difference")
    # What was drawn is all that differs: the middle of the picture is black.
    assert look(page, "result").is_bright
    assert look(page, "result", _MIDDLE).lightest <= 2
    page.get_by_label("Slider").check()
    page.get_by_label("Divider").focus()
    changes(page, "result", lambda: page.keyboard.press("End"))
    assert look(page, "result").is_bright
    changes(page, "result", lambda: page.keyboard.press("Home"))
    visit.picture("compare-slider")
    page.get_by_label("Blink").check()
    changes(page, "result", lambda: None)
    changes(page, "result", lambda: None)
    page.get_by_label("Side by side").check()
    expect(page.locator("#pane-received")).to_be_visible()
    assert not look(page, "result", strip).is_bright


def test_the_keyboard_alone_does_all_of_it(visit: Visit, site: Site) -> None:
    page = visit.open_compare(f"/source/compare/{site.results['volume']}")
    tab_to(page, "#stage")
    for key in ("l", "j", "i", "k", "n", "+", "Shift+ArrowLeft", "Shift+ArrowDown", "0"):
        changes(page, "result", lambda key=key: page.keyboard.press(key))  # type: ignore[misc]
    for key, mode in (("4", "difference"), ("3", "slider"), ("2", "blink"), ("1", "beside")):
        page.keyboard.press(key)
        assert page.locator(f"input[name=mode][value={mode}]").is_checked()
    page.keyboard.press("o")
    expect(page.locator("#outlines")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("ArrowDown")
    shown(page, 2)
    tab_to(page, "#words")
    page.keyboard.type("PatientIdentityRemoved")
    expect(page.locator("#header tbody tr")).to_have_count(1)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    expect(page.locator("#header tbody tr")).to_have_count(1)
    tab_to(page, "#header")


def test_window_zoom_and_place_by_mouse_and_by_fields(visit: Visit, site: Site) -> None:
    page = visit.open_compare(f"/source/compare/{site.results['volume']}")
    box = page.locator("#pane-result canvas").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag(dx: int, dy: int) -> None:
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + dx, y + dy, steps=3)
        page.mouse.up()

    width = page.locator("#width").input_value()
    for side in ("received", "result"):
        changes(page, side, lambda: drag(60, 0))
    assert page.locator("#width").input_value() != width
    changes(page, "result", lambda: page.get_by_label("Preset").select_option("Lung"))
    expect(page.get_by_label("Center")).to_have_value("-600")
    page.get_by_label("Center").fill("50")
    changes(page, "result", lambda: page.keyboard.press("Tab"))
    page.get_by_role("radio", name="Move").check()
    changes(page, "received", lambda: drag(30, 30))
    changes(page, "result", lambda: page.get_by_role("button", name="Larger").click())
    changes(page, "result", lambda: page.get_by_role("button", name="Smaller").click())
    page.keyboard.down("Control")
    page.mouse.move(x, y)
    changes(page, "result", lambda: page.mouse.wheel(0, -100))
    page.keyboard.up("Control")
    changes(page, "result", lambda: page.get_by_role("button", name="Fit").click())
    page.get_by_label("Preset").select_option("As stored")
    expect(page.locator("#width")).to_have_value(width)


def test_overlay_planes_are_seen_until_they_are_hidden(visit: Visit, site: Site) -> None:
    page = visit.open_compare(f"/source/compare/{site.results['enhanced']}")
    button = page.get_by_role("button", name="Overlay planes")
    expect(button).to_have_attribute("aria-pressed", "true")
    visit.picture("compare-overlays")
    assert look(page, "received").has_ink
    assert not look(page, "result").has_ink  # the profile of the service keeps none
    for name in ("4", "3", "1"):
        page.locator("#stage").focus()
        page.keyboard.press(name)
        assert look(page, "result").has_ink == (name != "1")
    changes(page, "received", button.click)
    assert not look(page, "received").has_ink
    page.locator("#stage").focus()
    changes(page, "received", lambda: page.keyboard.press("v"))
    assert look(page, "received").has_ink
    page = visit.open_compare(f"/source/compare/{site.results['volume']}")
    expect(page.locator("#overlays")).to_be_hidden()


def test_the_header_says_what_became_of_each_element_at_every_depth(
    visit: Visit, site: Site
) -> None:
    page = visit.open_compare(f"/source/compare/{site.results['volume']}")
    find = page.get_by_label("Find")
    for words, became in (
        ("PatientName", "changed"), ("(0010,1040)", "removed"), ("Modality", "kept"),
        ("PatientIdentityRemoved", "added"),
    ):  # fmt: skip
        find.fill(words)
        expect(page.locator("#header tbody tr .change").first).to_have_text(became)
    find.fill("[1].")
    expect(page.locator("#header .depth-1").first).to_be_visible()
    find.fill("")
    for name in ("Kept", "Changed", "Added"):
        page.get_by_label(name).uncheck()
    expect(page.locator("#header tbody tr.removed").first).to_be_visible()
    expect(page.locator("#header tbody tr:not(.removed)")).to_have_count(0)
    visit.picture("compare-header", full_page=True)


def test_fhir_resources_of_the_study_are_compared_value_by_value(visit: Visit, site: Site) -> None:
    sent = [each for each in site.sent if str(each.StudyInstanceUID) == site.named["volume"]]
    resources = study_resources(PATIENTS[0], [each for each in sent if each.Modality == "CT"])
    site.tell(*resources)
    family = PATIENTS[0].name.partition("^")[0]
    page = visit.open_compare(f"/source/compare/{site.results['volume']}")
    patient = page.locator("#resources details", has_text="Patient:")
    patient.locator("summary").focus()
    page.keyboard.press("Enter")
    row = patient.locator("tr", has_text="Patient.name[0].family")
    expect(row).to_contain_text(family)
    expect(row.locator(".change")).to_have_text("changed")
    expect(patient.locator("tr", has_text="Patient.resourceType")).to_contain_text("kept")
    visit.picture("compare-resources", full_page=True)
    page.get_by_label("Find").fill(family)
    expect(patient.locator("tbody tr").first).to_contain_text(family)
    expect(patient.locator("tr", has_text="Patient.resourceType")).to_have_count(0)
    answers = visit.record()
    page = visit.open_compare(f"/compare/{site.results['volume']}")
    patient = page.locator("#resources details", has_text="Patient:")
    expect(patient.locator("summary")).to_contain_text("removed")
    asked = f"{site.root}/compare/{site.results['volume']}/resources"  # the page that is left may ask, too
    clean = next(body for address, body in answers.items() if address.startswith(asked)).decode()
    told = [each["id"] for each in resources] + [family, PATIENTS[0].patient_id]
    assert [value for value in told if value in clean] == []


def test_an_instance_without_pictures_or_result_says_so(visit: Visit, site: Site) -> None:
    page = visit.open_compare(f"/source/compare/{site.results['volume']}")
    option = page.locator("#series option", has_text="SR")
    page.get_by_label("Series").select_option(option.get_attribute("value"))
    expect(page.locator("#pane-result .notice")).to_have_text("This instance has no picture.")
    page = visit.open_compare(f"/source/compare/{site.named['refused']}")
    expect(page.locator("#pane-result .notice")).to_have_text(
        "There is no result of this instance."
    )
    expect(page.locator("#refused")).to_contain_text("screen_capture")
    assert look(page, "received").is_bright or look(page, "received", _MIDDLE).lightest > 0


def test_whoever_may_not_see_the_source_sees_the_result_and_the_outcome(
    visit: Visit, site: Site
) -> None:
    visit.expected = {403}
    visit.page.route("**/dicomweb/source/**", lambda route: route.fulfill(status=403))
    page = visit.open_compare(f"/source/compare/{site.results['cine']}")
    expect(page.locator("#pane-received .notice")).to_have_text("This side is not shown to you.")
    assert look(page, "result", _MIDDLE).lightest > 0
    expect(page.locator("#regions li").first).to_be_visible()


def test_the_clean_side_shows_result_and_outcome(visit: Visit, site: Site) -> None:
    page = visit.open_compare(f"/compare/{site.results['cine']}")
    assert page.locator("#pane-received").count() == 0
    expect(page.locator("#regions li").first).to_be_visible()
    page.get_by_label("Find").fill("PatientName")
    expect(page.locator("#header tbody tr .change").first).to_have_text("changed")
    page.locator("#stage").focus()
    page.keyboard.press("ArrowRight")
    shown(page, 2)
    page.get_by_role("link", name="Beside what came in").click()
    page.wait_for_selector("#pane-received")


@pytest.mark.parametrize("kind", ["cine", "volume", "enhanced", "script"])
def test_no_answer_of_the_clean_side_holds_a_value_of_the_source(
    visit: Visit, site: Site, kind: str
) -> None:
    answers = visit.record()
    visit.open("/studies")
    visit.open("/")
    page = visit.open_compare(f"/compare/{site.results[kind]}")
    page.locator("#stage").focus()
    page.keyboard.press("End")
    page.wait_for_timeout(200)
    answers["DOM"] = page.content().encode()
    assert len(answers) > 8
    assert not [address for address in answers if "/source" in address.removeprefix(site.root)]
    values = _identifying(site, kind)
    told = {
        (address, value)
        for address, body in list(answers.items())
        for value in values
        if value in body and not address.endswith((".js", ".css"))
    }
    assert told == set()


def _identifying(site: Site, kind: str) -> set[bytes]:
    """Return names, numbers and UIDs of a study, as its header has them."""
    found = set()
    for dataset in site.sent:
        if str(dataset.StudyInstanceUID) != site.named[kind]:
            continue
        for keyword in (
            "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID", "AccessionNumber",
            "InstitutionName", "FrameOfReferenceUID",
        ):  # fmt: skip
            found.add(str(dataset.get(keyword, "")).encode())
        family = str(dataset.PatientName).partition("=")[0].partition("^")[0]
        found.add(family.encode())
    return {value for value in found if len(value) > 3}
