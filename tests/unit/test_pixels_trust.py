"""Objects that are refused: the table against the standard's SOP classes, and against the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deid.errors import ConfigurationInvalid, Reason, Unsafe
from deid.pixels.trust import UNTRUSTED, refuse_untrusted, trust_table
from deid.tables.dictionary import uids

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "pixels.md"


def refuses(**attributes: object) -> bool:
    try:
        refuse_untrusted(attributes)
    except Unsafe:
        return True
    return False


def sop_classes(*words: str) -> dict[str, str]:
    """Return the registered storage SOP classes whose name holds every word, by UID."""
    return {
        uid: each.name
        for uid, each in uids().items()
        if each.kind == "SOP Class" and all(word in each.name for word in (*words, "Storage"))
    }


@pytest.mark.parametrize(
    ("words", "least"), [(["Secondary Capture"], 5), (["Encapsulated"], 5), (["Hardcopy"], 2)]
)
def test_every_registered_class_of_a_kind_is_refused(words: list[str], least: int) -> None:
    found = sop_classes(*words)
    assert len(found) >= least
    assert [name for uid, name in found.items() if not refuses(SOPClassUID=uid)] == []


def test_no_other_registered_class_is_refused_as_such() -> None:
    kinds = ("Secondary Capture", "Encapsulated", "Hardcopy")
    wrong = [
        name
        for uid, name in sop_classes("").items()
        if refuses(SOPClassUID=uid) and not any(kind in name for kind in kinds)
    ]
    assert wrong == []


@pytest.mark.parametrize("flavour", ["LABEL", "OVERVIEW"])
def test_slide_labels_and_overviews_are_refused_and_the_tissue_is_not(flavour: str) -> None:
    for uid in sop_classes("Microscopy", "Image"):
        assert refuses(SOPClassUID=uid, ImageType=["ORIGINAL", "PRIMARY", flavour, "NONE"])
        assert not refuses(SOPClassUID=uid, ImageType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])


def test_a_name_or_glob_takes_rows_out_whatever_its_case() -> None:
    left = {row.name for row in trust_table(["*SECONDARY capture", "drawing"])}
    assert not [name for name in left if "secondary capture" in name.lower()]
    assert "Drawing" not in left
    assert "Slide label" in left
    assert trust_table(["*"]) == ()


def test_a_site_s_own_row_fits_by_glob_without_case() -> None:
    (row,) = trust_table(["*"], {"image_type": ["*report*"]})
    assert row.fits({"ImageType": ["DERIVED", "Dose Report"]})
    assert not row.fits({"ImageType": ["DERIVED", "PRIMARY"]})
    assert not row.fits({})
    assert row.reason is Reason.SCREEN_CAPTURE


def test_a_refusal_names_all_that_a_site_must_trust_for_the_object_to_pass() -> None:
    screen = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "ConversionType": "WSD"}
    with pytest.raises(Unsafe) as refused:
        refuse_untrusted(screen)
    names = re.findall('"([^"]+)"', refused.value.where)
    assert "pixels.trusted" in refused.value.where
    refuse_untrusted(screen, trust_table(names))
    for name in names:
        with pytest.raises(Unsafe):
            refuse_untrusted(screen, trust_table([other for other in names if other != name]))


def test_a_refusal_by_a_site_s_own_row_says_so() -> None:
    with pytest.raises(Unsafe) as refused:
        refuse_untrusted({"Modality": "OT"}, trust_table(["*"], {"modality": ["OT"]}))
    assert refused.value.where == "pixels.untrusted names its modality"


def test_a_name_that_fits_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationInvalid):
        trust_table(["Screens"])


def test_the_documentation_lists_the_table() -> None:
    text = DOCUMENTATION.read_text()
    missing = []
    for row in UNTRUSTED:
        fits = ", ".join(
            f"{name} `{value}`"
            for name, value in (
                ("SOP class", row.sop_class_uid),
                ("Modality", row.modality),
                ("Conversion Type", row.conversion_type),
                ("Image Type", row.image_type),
            )
            if value
        )
        line = f"| {row.name} | {fits} | `{row.reason.value}` |"
        missing += [line] if line not in text else []
    assert missing == []
