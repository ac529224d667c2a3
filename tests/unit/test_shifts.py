"""Dates and times of one patient move by one shift, wherever they stand, and keep their intervals."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

import deid
from deid.configuration.explain import explain
from deid.identity import shifts
from deid.identity.shifts import Shift
from deid.tags.midnight import times_of_dates
from deid.text.cleaning import TextCleaning
from deid.text.policy import TextPolicy

KEY = deid.SiteKey(bytes(range(32)))
RESEARCH = json.loads(
    (Path(__file__).parents[2] / "config" / "deidentifiers" / "research.json").read_text()
)
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
CLEANER = TextCleaning(TextPolicy(basic=True), KEY)


def configured(**ours: Any) -> dict[str, Any]:
    return {**RESEARCH, "dicomveil": {**RESEARCH["dicomveil"], "pixels": "likely", **ours}}


def person_whose_times_move(*, forward: bool, least_s: int = 1800) -> str:
    """Return a Patient ID whose times move so far and so."""
    made = deid.compile_plan(configured(timeJitterMinutes=60), KEY).tags.replacements
    for number in range(1000):
        identity = deid.patient_identity("", f"P{number}", "")
        seconds = made.shift(identity).seconds
        if (seconds >= least_s) if forward else (seconds <= -least_s):
            return f"P{number}"
    raise AssertionError


def run(
    syntax: str = ExplicitVRLittleEndian, *, ours: dict[str, Any], **attributes: Any
) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3.4"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3.1", "1.2.3.2"
    dataset.Modality, dataset.PatientName = "CT", "Zimmermann^Quirin"
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    source = buffer.getvalue()
    result = deid.deidentify(source, deid.compile_plan(configured(**ours), KEY))
    content = b"".join(
        part if isinstance(part, bytes) else source[part.start : part.stop]
        for part in result.segments
    )
    return pydicom.dcmread(io.BytesIO(content))


def moment(dataset: Dataset, name: str) -> datetime:
    text = f"{dataset[name + 'Date'].value}{dataset[name + 'Time'].value}"
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("forward", [True, False])
def test_moments_keep_their_intervals_across_midnight(syntax: str, *, forward: bool) -> None:
    item = Dataset()
    item.PerformedProcedureStepStartDate = "20200301" if forward else "20200302"
    item.PerformedProcedureStepStartTime = "235930" if forward else "000030"
    result = run(
        syntax,
        ours={"timeJitterMinutes": 60},
        PatientID=person_whose_times_move(forward=forward),
        StudyDate="20200301",
        StudyTime="120000",
        SeriesDate="20200301",
        SeriesTime="235000",
        AcquisitionDate="20200302",
        AcquisitionTime="000500",
        AcquisitionDateTime="20200302001000",
        SourceImageSequence=[item],
    )
    study = moment(result, "Study")
    assert moment(result, "Series") - study == timedelta(hours=11, minutes=50)
    assert moment(result, "Acquisition") - study == timedelta(hours=12, minutes=5)
    whole = datetime.strptime(str(result.AcquisitionDateTime), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    assert whole - study == timedelta(hours=12, minutes=10)
    [item] = result.SourceImageSequence
    apart = moment(item, "PerformedProcedureStepStart") - study
    assert (
        apart == timedelta(hours=11, minutes=59, seconds=30)
        if forward
        else apart == (timedelta(hours=12, seconds=30))
    )
    assert result.SeriesTime != "235000"


def test_a_date_in_an_item_goes_by_the_time_of_its_item_not_of_the_data_set() -> None:
    item = Dataset()
    item.PerformedProcedureStepStartDate = "20200301"
    result = run(
        ours={"timeJitterMinutes": 60},
        PatientID=person_whose_times_move(forward=True),
        StudyDate="20200301",
        StudyTime="120000",
        SourceImageSequence=[item],
        PerformedProcedureStepStartDate="20200301",
        PerformedProcedureStepStartTime="235959",
    )
    [item] = result.SourceImageSequence
    assert item.PerformedProcedureStepStartDate == result.StudyDate
    assert result.PerformedProcedureStepStartDate > result.StudyDate


def test_times_stay_where_nothing_is_said_of_them() -> None:
    result = run(ours={}, PatientID="P1", StudyDate="20200301", StudyTime="235959.123")
    assert result.StudyTime == "235959.123"


def test_text_moves_as_the_elements_beside_it_do() -> None:
    result = run(
        ours={"timeJitterMinutes": 60, "shiftDaysRange": 1000},
        PatientID=person_whose_times_move(forward=True),
        SeriesDate="20200301",
        SeriesTime="235000",
        ImageComments="CT abdomen 2020-03-01 23:50:00",
    )
    series = moment(result, "Series")
    assert result.ImageComments == f"CT abdomen {series:%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("scan 2020-03-01 23:50:10 done", "scan 2020-03-12 00:05:10 done"),
        ("2020-03-01T23:50:10", "2020-03-12T00:05:10"),
        ("20200301235010.5", "20200312000510.5"),
        ("20200301_235010", "20200312_000510"),
        ("01.03.2020 um 23.50 Uhr", "12.03.2020 um 00.05 Uhr"),
        ("at 23:50 on 1 Mar 2020", "at 00:05 on 12 Mar 2020"),
        ("11:55 p.m. on 03/01/2020", "12:10 a.m. on 03/12/2020"),
        ("contrast 14h32, scan 14h40", "contrast 14h47, scan 14h55"),
        ("tube at 1432 hrs", "tube at 1447 hrs"),
        ("contrast at 9:05", "contrast at 9:20"),
        ("14時32分", "14時47分"),
    ],
)
def test_times_in_text_move_in_the_form_that_they_are_written_in(text: str, expected: str) -> None:
    assert CLEANER.clean(text, (), shift=Shift(10, 900)).text == expected


@pytest.mark.parametrize(
    "text", ["kernel 1.25 mm", "TE 90 ms", "matrix 512 x 512", "FOV 24.5 cm", "1432 slices", "L4-5"]
)
def test_what_is_no_time_of_day_does_not_move(text: str) -> None:
    assert CLEANER.clean(text, (), shift=Shift(10, 900)).text == text


@pytest.mark.parametrize("text", ["2020-03-01T23:50:10", "20200301_235010 CT", "14:32"])
def test_a_moment_is_no_number_of_somebodys(text: str) -> None:
    moved = CLEANER.clean(text, (), shift=Shift(10)).text
    assert "NUMBER" not in moved
    assert "[GENERIC_ID]:" not in moved


def test_a_time_of_day_does_not_stay_in_text_that_nobody_cleans() -> None:
    jitter = {"timeJitterMinutes": 60}
    assert run(ours={}, PatientID="P1", FilterType="SHARP 14:32:05").FilterType
    for value in ("SHARP 14:32:05", "14:32", "14h32"):
        assert not run(ours=jitter, PatientID="P1", FilterType=value).get("FilterType")
    assert run(ours=jitter, PatientID="P1", FilterType="SHARP 1.25").FilterType == "SHARP 1.25"


@given(
    st.datetimes(datetime(1950, 1, 1), datetime(2050, 1, 1)),  # noqa: DTZ001 - DICOM has none either
    st.integers(0, 10**7),
    st.integers(-3650, 3650).filter(bool),
    st.integers(-43_200, 43_200),
)
def test_intervals_hold_to_the_second(first: datetime, apart: int, days: int, seconds: int) -> None:
    shift = Shift(days, seconds)

    def moved(when: datetime) -> tuple[datetime, datetime]:
        day, time = f"{when:%Y%m%d}".encode(), f"{when:%H%M%S}".encode()
        new_day = shifts.moved("DA", day, shift, shifts.carried(time, shift)) or b""
        new_time = shifts.moved("TM", time, shift) or b""
        whole = shifts.moved("DT", day + time, shift) or b""
        parsed = [(new_day + new_time).decode(), whole.decode()]
        one, other = (datetime.strptime(each, "%Y%m%d%H%M%S") for each in parsed)  # noqa: DTZ007
        return one, other

    second = first.replace(microsecond=0) + timedelta(seconds=apart)
    one, other = moved(first.replace(microsecond=0)), moved(second)
    assert one[0] == one[1]
    assert other[0] == other[1]
    assert other[0] - one[0] == timedelta(seconds=apart)


@pytest.mark.parametrize(
    ("vr", "value", "expected"),
    [
        ("TM", b"2350", b"0005"),
        ("TM", b"23:50:10", b"00:05:10 "),
        ("TM", b"235060.123456", b"000600.123456 "),
        ("TM", b"23", b"23"),
        ("TM", b"120000\\235000 ", b"121500\\000500 "),
        ("DT", b"202003012350+0100", b"202003030005+0100 "),
        ("DT", b"202003", b"202003"),
        ("DT", b"2020", b"2020"),
        ("TM", b"9 o'clock", None),
        ("DT", b"20200301120000.1234567890", None),
    ],
)
def test_moments_keep_their_precision(vr: str, value: bytes, expected: bytes | None) -> None:
    moved = shifts.moved(vr, value, Shift(1, 900))
    assert (moved if moved is None else moved.strip()) == (expected and expected.strip())


def test_each_value_of_a_date_goes_with_its_own_time() -> None:
    shift = Shift(1, 900)
    carries = shifts.carried(b"120000\\235000", shift)
    assert shifts.moved("DA", b"20200301\\20200301 ", shift, carries) == b"20200302\\20200303 "


def test_dates_are_paired_with_the_times_that_the_dictionary_names_alike() -> None:
    pairs = times_of_dates()
    assert pairs[0x00080020] == 0x00080030
    assert pairs[0x00181200] == 0x00181201
    assert pairs[0x0040A121] == 0x0040A122
    assert 0x00080023 in pairs
    assert 0x00181204 not in pairs  # Date of Manufacture has no time


@pytest.mark.parametrize(
    "ours", [{"shiftDaysRange": 99}, {"shiftDaysRange": 36_501}, {"timeJitterMinutes": 721},
             {"timeJitterMinutes": -1}, {"timeJitterMinutes": 5, "options": []}],
)  # fmt: skip
def test_a_range_that_would_tell_more_is_refused(ours: dict[str, Any]) -> None:
    with pytest.raises(deid.ConfigurationInvalid, match=r"shiftDaysRange|timeJitterMinutes"):
        deid.compile_plan(configured(**ours), KEY)


def test_explain_says_how_far_dates_and_times_move() -> None:
    def sentences(**ours: Any) -> str:
        return " ".join(s for each in explain(configured(**ours)).sections for s in each.sentences)

    assert "between 100 back and 100 ahead" in sentences()
    assert "Times of day move" not in sentences()
    wide = sentences(shiftDaysRange=1000, timeJitterMinutes=45)
    assert "between 1000 back and 1000 ahead" in wide
    assert "Times of day move too, by up to 45 minutes" in wide
    elements = {
        each.keyword: each.saying for each in explain(configured(timeJitterMinutes=45)).elements
    }
    assert elements["StudyTime"].startswith("moved by the patient's date shift")
