"""What `explain` says of each row of Table E.1-1 is what the engine does to it."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
from pydicom.uid import CTImageStorage

import deid
from deid.configuration.document import parse_configuration
from deid.configuration.explain import explain
from deid.encoding.transfer_syntaxes import EXPLICIT_LITTLE
from deid.identity import shifts, values
from deid.tables.dictionary import dictionary_vr
from deid.tables.load import attribute_types, confidentiality_rows, iods_by_sop_class
from deid.tags.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydicom.dataelem import DataElement

    from deid.configuration.explain_elements import Element
    from deid.identity.shifts import Shift

KEY = deid.SiteKey(bytes(range(32)))
PRESETS = Path(__file__).parents[2] / "config" / "deidentifiers"
BASIC = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
CT = "1.2.840.10008.5.1.4.1.1.2"
KINDS = {
    "Enhanced MR": "1.2.840.10008.5.1.4.1.1.4.1",
    "Grayscale Softcopy Presentation State": "1.2.840.10008.5.1.4.1.1.11.1",
    "RT Structure Set": "1.2.840.10008.5.1.4.1.1.481.3",
    "Comprehensive SR": "1.2.840.10008.5.1.4.1.1.88.33",
    "Segmentation": "1.2.840.10008.5.1.4.1.1.66.4",
}
STUDY_DATE, BIRTH_DATE = b"20190225", b"19500607"
FAMILIES = {"(50xx,xxxx)": 0x50003000, "(60xx,3000)": 0x60003000, "(60xx,4000)": 0x60004000}
SEVERAL: dict[str, list[str]] = {
    "device, institution, full dates": [
        "retain_device_identity",
        "retain_institution_identity",
        "retain_full_dates",
    ],
    "UIDs, characteristics, structured content": [
        "retain_uids",
        "retain_patient_characteristics",
        "clean_structured_content",
    ],
    "descriptors, graphics": ["clean_descriptors", "clean_graphics"],
}


def configurations() -> dict[str, dict[str, Any]]:
    """Return the presets without pixel cleaning, which has no pixels to look at here, and combinations."""
    found = {file.stem: json.loads(file.read_text()) for file in sorted(PRESETS.glob("*.json"))}
    for configuration in found.values():
        configuration.pop("image", None)
    for name, options in SEVERAL.items():
        found[name] = {**BASIC, "dicomveil": {"options": options}}
    return found


@dataclass(frozen=True)
class Planted:
    """What was put into the instance for one row."""

    tag: int
    vr: str
    value: bytes


def planted(element: Element) -> Planted | None:
    """Return what to plant for a row; None for what cannot stand in a data set."""
    if element.tag == "(GGGG,EEEE)":
        return Planted(0x00091001, "LO", b"CHEST Qzpriv")
    tag = FAMILIES.get(element.tag) or int(element.tag[1:-1].replace(",", ""), 16)
    if tag >> 16 in (0, 2, 4):
        return None
    ending = {"Sequence": "SQ", "DateTime": "DT"}
    declared = dictionary_vr(tag) or next(
        (vr for end, vr in ending.items() if element.keyword.endswith(end)), "LO"
    )
    vr = {0x50003000: "OW", 0x60003000: "OW"}.get(tag, declared.split(" or ")[0])
    return Planted(tag, vr, _value(tag, vr))


def _value(tag: int, vr: str) -> bytes:
    word = f"Qz{''.join(chr(97 + int(digit, 16)) for digit in f'{tag:08x}')}"
    item = EXPLICIT_LITTLE.element(0x00100010, b"PN", values.even(f"{word}^X".encode(), b" "))
    texts: dict[str, bytes] = {
        "DA": BIRTH_DATE if tag == 0x00100030 else STUDY_DATE,
        "DT": STUDY_DATE + b"101530",
        "TM": b"101530",
        "AS": b"095Y",
        "UI": f"1.2.3.{tag}".encode(),
        "PN": f"{word}^Xan".encode(),
        "IS": str(tag % 10**6 + 1).encode(),
        "DS": str(tag % 10**6 + 1).encode(),
        "UR": f"http://{word}.org".encode(),
        "CS": word[:16].upper().encode(),
        "AE": word[:16].encode(),
        "SH": word[:16].encode(),
        "SQ": EXPLICIT_LITTLE.item_header(0xE000, len(item)) + item,
        "OB": b"Qz\x01\x02",
        "OW": b"Qz\x01\x02",
        "UN": b"Qz\x01\x02",
        "US": b"\x07\x00",
        "UL": b"\x07\x00\x00\x00",
        "FD": b"\x01" * 8,
        "FL": b"\x01" * 4,
        "AT": b"\x10\x00\x10\x00",
    }
    value = texts.get(vr, f"CHEST {word}".encode())
    if tag == 0x00080016:
        value = CT.encode()
    return values.even(value, b"\x00" if vr in ("UI", "OB", "OW", "UN") else b" ")


def instance(rows: list[Planted], sop_class_uid: str) -> bytes:
    """Return a file that holds every planted element, in order."""
    required = {
        0x00080016: Planted(0x00080016, "UI", values.uid(sop_class_uid)),
        0x00080060: Planted(0x00080060, "CS", b"CT"),
        0x00090010: Planted(0x00090010, "LO", b"ACME"),
    }
    elements = {each.tag: each for each in rows} | required
    body = b"".join(
        EXPLICIT_LITTLE.element(each.tag, each.vr.encode(), each.value)
        for _tag, each in sorted(elements.items())
    )
    meta = b"".join(
        EXPLICIT_LITTLE.element(tag, b"UI", values.uid(uid))
        for tag, uid in (
            (0x00020002, sop_class_uid),
            (0x00020003, "1.2.3"),
            (0x00020010, "1.2.840.10008.1.2.1"),
        )
    )
    length = EXPLICIT_LITTLE.element(0x00020000, b"UL", EXPLICIT_LITTLE.long.pack(len(meta)))
    return bytes(128) + b"DICM" + length + meta + body


@dataclass(frozen=True)
class Run:
    """One de-identification of everything."""

    rows: dict[str, Planted]
    before: pydicom.Dataset
    after: pydicom.Dataset
    result: deid.Deidentified
    shift: Shift
    cleans_strictly: bool


def run(configuration: dict[str, Any], sop_class_uid: str) -> Run:
    elements = explain(configuration).elements
    rows = {each.tag: found for each in elements if (found := planted(each)) is not None}
    source = instance(list(rows.values()), sop_class_uid)
    plan = deid.compile_plan(configuration, KEY)
    result = deid.deidentify(source, plan)
    out = b"".join(
        part if isinstance(part, bytes) else source[part.start : part.stop]
        for part in result.segments
    )
    before, after = (pydicom.dcmread(io.BytesIO(data)) for data in (source, out))
    identity = deid.patient_identity("", _text(before[0x00100020]), "1.2.3")
    options = configuration.get("dicomveil", {}).get("options", [])
    return Run(
        rows,
        before,
        after,
        result,
        plan.tags.replacements.shift(identity),
        "clean_descriptors" in options,
    )


def _text(element: DataElement | None) -> str:
    return "" if element is None or element.value is None else str(element.value)


def moved(run: Run, row: Planted, new: DataElement | None) -> bool:
    expected = shifts.moved(row.vr, row.value, run.shift)
    return new is not None and expected is not None and _text(new) == expected.decode().strip()


def kept(run: Run, row: Planted, new: DataElement | None) -> bool:
    return new is not None and new.value == run.before[row.tag].value


def gone(_run: Run, _row: Planted, new: DataElement | None) -> bool:
    return new is None


def emptied(_run: Run, _row: Planted, new: DataElement | None) -> bool:
    return new is not None and not new.value


def dummied(run: Run, row: Planted, new: DataElement | None) -> bool:
    return new is not None and bool(_text(new)) and new.value != run.before[row.tag].value


def renamed(_run: Run, _row: Planted, new: DataElement | None) -> bool:
    return _text(new).startswith("2.25.")


def pseudonymised(run: Run, _row: Planted, new: DataElement | None) -> bool:
    return _text(new) == run.result.patient_id


def descended(run: Run, row: Planted, new: DataElement | None) -> bool:
    """Whether the sequence stayed and its item's name was treated as the patient's at the top is."""
    if new is None or len(new.value) != 1:
        return False
    name = _text(new.value[0].get(0x00100010))
    return name == _text(run.before[row.tag].value[0][0x00100010]) or "Qz" not in name


def hollowed(_run: Run, _row: Planted, new: DataElement | None) -> bool:
    return new is not None and len(new.value) == 1 and "Qz" not in str(new.value[0])


def cleaned(_run: Run, row: Planted, new: DataElement | None) -> bool:
    """Whether the unknown word went; CHEST stays where it stood beside it."""
    if row.vr in ("SH", "AE", "PN"):
        return "Qz" not in _text(new)
    # As a whole it may be known: names of institutions and places are.
    stays = "CHEST" in _text(new) or _text(new).startswith("[")
    return "Qz" not in _text(new) and (b"CHEST" not in row.value or stays)


def labelled(_run: Run, row: Planted, new: pydicom.DataElement | None) -> bool:
    return (
        re.fullmatch(r"[A-Z]{2,5}-[0-9A-Z]{7}", _text(new)) is not None
        and row.value not in _text(new).encode()
    )


CHECKS: dict[str, Callable[[Run, Planted, DataElement | None], bool]] = {
    "removed": gone,
    "removed with (0012,0082) where that is there": gone,
    "emptied": emptied,
    "replaced by a dummy value": dummied,
    "replaced by a keyed UID": renamed,
    "replaced by a keyed token": dummied,
    "replaced by the patient's pseudonym": pseudonymised,
    "replaced by an empty document": dummied,
    "moved by the patient's date shift": moved,
    "kept (times stay)": kept,
    "kept as it is": kept,
    "kept, ages over 89 years as 090Y": lambda _run, _row, new: _text(new) == "090Y",
    "kept as a sequence, every item": descended,
    "kept as a sequence whose contents become dummies": hollowed,
    "cleaned as said under Text": cleaned,
    "kept where every word of it is recognised, else removed": gone,
    "kept where the standard registers the UID, else replaced": renamed,
    "set by us": dummied,
    "kept where its creator's block lists it as safe, else removed": gone,
    "kept when all of it is recognised, else replaced by a label of its own": labelled,
}


def is_true(run: Run, row: Planted, saying: str) -> bool:
    """Whether a saying describes what happened to a row."""
    new = run.after.get(row.tag)
    if saying.startswith("cleaned as said under Text; a day that would move is emptied"):
        return kept(run, row, new) if row.vr == "TM" else emptied(run, row, new)
    if saying.startswith("cleaned as said under Text") and row.vr in ("DA", "DT"):
        return moved(run, row, new) or (row.value == BIRTH_DATE and emptied(run, row, new))
    if saying.startswith("cleaned as said under Text") and row.vr == "AS":
        return _text(new) == "090Y"
    if saying.startswith("kept where it is the day of a version, else "):
        otherwise = CHECKS[saying.rpartition(", else ")[2]]
        return kept(run, row, new) or otherwise(run, row, new)
    check = CHECKS[max((key for key in CHECKS if saying.startswith(key)), key=len)]
    if "; where nothing is left, " in saying:
        otherwise = CHECKS[saying.rsplit(", ", 1)[1]]
        return check(run, row, new) or otherwise(run, row, new)
    return check(run, row, new)


@pytest.mark.parametrize("name", configurations())
def test_every_row_is_explained_and_every_explanation_is_true_of_a_ct(name: str) -> None:
    configuration = configurations()[name]
    explanation = explain(configuration)
    assert len(explanation.elements) == len(confidentiality_rows())
    done = run(configuration, CT)
    wrong = [
        (element.line(), _text(done.after.get(row.tag)))
        for element in explanation.elements
        if (row := done.rows.get(element.tag)) is not None
        and not is_true(done, row, element.saying)
    ]
    assert wrong == []


@pytest.mark.parametrize("sop_class_uid", KINDS.values(), ids=KINDS)
def test_other_kinds_of_object_do_what_is_said_of_a_ct_or_what_is_said_to_differ(
    sop_class_uid: str,
) -> None:
    done = run(BASIC, sop_class_uid)
    wrong = [
        (element.line(), _text(done.after.get(row.tag)))
        for element in explain(BASIC).elements
        if (row := done.rows.get(element.tag)) is not None
        and not any(
            is_true(done, row, saying)
            for saying in (element.saying, *(saying for saying, _count in element.elsewhere))
        )
    ]
    assert wrong == []


def test_what_is_said_to_differ_elsewhere_really_differs() -> None:
    done = run(BASIC, KINDS["Grayscale Softcopy Presentation State"])
    differing = [
        element
        for element in explain(BASIC).elements
        if element.elsewhere
        and (row := done.rows.get(element.tag)) is not None
        and not is_true(done, row, element.saying)
    ]
    assert differing


def test_in_how_many_kinds_of_object_it_differs_is_what_asking_each_of_them_gives() -> None:
    rules = Rules(parse_configuration(BASIC).tags)
    first = {iod: uid for uid, iod in sorted(iods_by_sop_class().items(), reverse=True)}
    kinds = [uid for uid in first.values() if attribute_types(uid) is not None]

    def action(element: Element, sop_class_uid: str) -> int:
        tag = int(element.tag[1:-1].replace(",", ""), 16)
        vr = (dictionary_vr(tag) or "LO").split(" or ")[0]
        return rules.action(tag, vr, rules.root(sop_class_uid, EXPLICIT_LITTLE))

    said = {
        element: sum(count for _, count in element.elsewhere)
        for element in explain(BASIC).elements
        if element.elsewhere and "x" not in element.tag
    }
    asked = {
        element: sum(action(element, uid) != action(element, CTImageStorage) for uid in kinds)
        for element in said
    }
    assert len(kinds) > 100
    assert len(said) > 30
    assert said == asked


def test_overlay_planes_are_said_to_be_cleaned_only_where_pixels_are() -> None:
    def saying(**more: object) -> str:
        found = explain({**BASIC, **more}).elements
        return next(each.saying for each in found if each.tag == "(60xx,3000)")

    graphics = {"options": ["clean_graphics"]}
    image = {"textRedactionMode": "REDACT_ALL_TEXT"}
    assert saying() == "removed"
    assert saying(dicomveil=graphics).startswith("removed with all that describes the plane")
    assert saying(dicomveil=graphics, image=image).startswith("kept, cleaned of text")
