"""Somebody who has the outputs of `research`, the scanners' service books and a calendar finds nobody."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from functools import cache

import pydicom
import pytest

from deid.text import dates
from tests.adversarial.corpus import flatten, relaxed, text_of
from tests.adversarial.hospital import PATIENTS, SCANNERS, Visit, calibrated, visits
from tests.adversarial.running import plan_of, result_of

_TEXTS = {"LO", "LT", "SH", "ST", "UC", "UT"}


@cache
def released() -> tuple[tuple[Visit, bytes, dict[str, pydicom.DataElement]], ...]:
    """Return what was, what was released, and its elements by path."""
    plan = plan_of("research")
    made = []
    with relaxed():
        for visit in visits():
            output = result_of(visit.content, plan)
            made.append((visit, output, flatten(pydicom.dcmread(io.BytesIO(output)))))
    return tuple(made)


def _day(elements: dict[str, pydicom.DataElement]) -> date:
    return datetime.strptime(text_of(elements["StudyDate"]), "%Y%m%d").replace(tzinfo=UTC).date()


def test_the_hospital_is_as_large_as_said() -> None:
    assert len({visit.who.number for visit in visits()}) == PATIENTS
    assert len({visit.scanner for visit in visits()}) == SCANNERS
    assert (max(v.day for v in visits()) - min(v.day for v in visits())) > timedelta(days=600)


def test_intervals_between_a_patients_studies_are_as_they_were() -> None:
    days = defaultdict(list)
    for visit, _output, elements in released():
        days[visit.who.number].append((visit.day, _day(elements)))
    for (one, new_one), (two, new_two) in days.values():
        assert new_two - new_one == two - one


def test_no_released_day_tells_how_the_shifts_of_two_patients_differ() -> None:
    # The service book says on which days each scanner was calibrated: a moved day of it would be one of them.
    told = Counter[str]()
    for visit, _output, elements in released():
        last = calibrated(visit.scanner, visit.day)
        shift = _day(elements) - visit.day
        for path, each in elements.items():
            if each.VR in ("DA", "DT") and text_of(each)[:8] == f"{last + shift:%Y%m%d}" != (
                f"{visit.day + shift:%Y%m%d}"
            ):
                told[path] += 1
    assert not told
    assert not any("Calibration" in path for _v, _o, elements in released() for path in elements)


def test_no_value_is_shared_by_the_patients_of_one_scanner_alone() -> None:
    patients = defaultdict(set)
    scanner_of = {}
    for visit, _output, elements in released():
        scanner_of[visit.who.number] = visit.scanner
        for path, each in elements.items():
            if text_of(each):
                patients[path, text_of(each)].add(visit.who.number)
    joined = {
        path
        for (path, _value), numbers in patients.items()
        if len(numbers) > PATIENTS // SCANNERS // 2
        and len({scanner_of[number] for number in numbers}) == 1
    }
    assert joined == set()


def test_no_uid_of_two_patients_is_the_same_and_none_is_an_original() -> None:
    owners = defaultdict(set)
    originals = {each for visit in visits() for each in visit.original_uids}
    for visit, output, elements in released():
        assert not [each for each in originals if each.encode() in output]
        for path, each in elements.items():
            if each.VR == "UI" and not text_of(each).startswith("1.2.840.10008."):
                owners[path, text_of(each)].add(visit.who.number)
    shared = {path for (path, _uid), numbers in owners.items() if len(numbers) > 1}
    # The base of all files has these in common: they are the same instance's.
    assert {path for path in shared if path.partition(".")[0] in _OF_VISITS} == set()


_OF_VISITS = {
    "InstanceCreatorUID", "DeviceUID", "StudyInstanceUID", "SOPInstanceUID",
    "SynchronizationFrameOfReferenceUID",
}  # fmt: skip


def test_no_text_holds_a_day_that_was() -> None:
    left = []
    for visit, _output, elements in released():
        for path, each in elements.items():
            if each.VR not in _TEXTS:
                continue
            text = text_of(each)
            was = visit.day.year, visit.day.month, visit.day.day
            left += [
                (path, text)
                for found in dates.find(text)
                if (found.year, found.month, found.day) == was
            ]
            if f"week {visit.day.isocalendar().week}" in text:
                left.append((path, text))
    assert left == []


@pytest.mark.parametrize("form", ["%Y%m%d", "%d|%m|%Y", "%Y-%m-%d", "%d.%m.%Y", "%Y.%j"])
def test_no_day_that_was_stands_anywhere_in_the_bytes(form: str) -> None:
    days = {visit.day.strftime(form).encode() for visit in visits()}
    own = [
        visit.who.number for visit, output, _e in released() if visit.day.strftime(form).encode() in output
    ]  # fmt: skip
    assert days
    assert own == []


def test_no_number_or_name_of_a_patient_is_left() -> None:
    left = []
    for visit, output, elements in released():
        low = output.lower()
        if visit.who.family.lower().encode() in low and len(visit.who.family) > 3:
            left.append((visit.who.number, "name"))
        for path, each in elements.items():
            if each.VR == "UI" or path == "PixelData":
                continue
            digits = "".join(c for c in text_of(each) if c.isdigit())
            if visit.who.digits[1:] in digits or visit.who.digits[:-1] in digits:
                left.append((visit.who.number, path))
    assert left == []
