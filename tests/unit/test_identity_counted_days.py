"""Days as programs and other calendars count them, and initials that something proves to be somebody's."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deid.identity.forms import prepare
from deid.identity.serials import CountedDays, other_calendars
from tests.adversarial import calendars

DAY = date(2017, 8, 25)
DAYS = CountedDays({DAY: "DATE"})
WHO = prepare(
    [
        ("Tannberg^Ortrud", "PERSON_NAME"),
        ("K70617781", "MEDICAL_RECORD_NUMBER"),
        ("19610909", "DATE_OF_BIRTH"),
        ("20170825", "DATE"),
    ]
)


@pytest.mark.parametrize(
    "text",
    [
        "42972", "41510", "57990", "64520,51234", "17403", "21056", "3170825.1422", "1170825", "736566",
        "736932.6",
        "2457990.5", "17237", "237/17", "237-2017", "d237y17", "2017237", "1734.5", "17w345", "17-w34-5",
        "2017kw34",
        "cw34'17", "34/2017", "h29.8.25", "平成29年8月25日", "1503662400", "1503662400123", "1503662400123456",
        "636392592000000000", "131481360000000000", "525355200", "3586507200",
    ],
)  # fmt: skip
def test_a_day_is_found_however_it_is_counted(text: str) -> None:
    assert list(DAYS.find(text))
    assert DAYS.are_written_in(f"x {text} x")


@pytest.mark.parametrize(
    "text",
    [
        "42973", "429720", "142972", "1.42973", "17238", "237/18", "236/17", "1734.6", "17w355",
        "cw34'18", "08/2017",
        "34/20", "h28.8.25", "25.8", "1503862400", "512", "120/80", "65535", "1.5 x 1.5", "",
    ],
)  # fmt: skip
def test_other_numbers_are_no_days(text: str) -> None:
    assert list(DAYS.find(text)) == []


@given(text=st.text(st.sampled_from("0123456789./- wkchsty"), max_size=14), at=st.integers(0, 14))
@settings(max_examples=500, deadline=None)
def test_a_quick_look_passes_no_day_over(text: str, at: int) -> None:
    for year in ("17", "2017", "42972"):
        written = text[:at] + year + text[at:]
        assert DAYS.are_written_in(written) or not list(DAYS.find(written))
    assert DAYS.are_written_in(text) or not list(DAYS.find(text))


@pytest.mark.parametrize("text", ["42972", "57990", "17237", "0.1503662400", "525355200"])
def test_fewer_than_seven_digits_and_fractions_prove_nothing_where_numbers_are_measured(
    text: str,
) -> None:
    assert list(DAYS.find_measured(text)) == []


@pytest.mark.parametrize("day", ["10000101", "16000229", "99991231"])
def test_the_first_and_last_days_of_all_are_days_like_others(day: str) -> None:
    known = prepare([(day, "DATE_OF_BIRTH")])
    assert known.occurs_in(day)
    assert list(known.counted.find("512 x 512")) == []


@pytest.mark.parametrize("text", ["3170825", "1170825", "2457991", "1503662400", "2017.237"])
def test_counts_of_seven_digits_are_found_where_numbers_are_measured(text: str) -> None:
    assert list(DAYS.find_measured(text))


def test_other_calendars_are_those_of_another_reckoning() -> None:
    first = date(1925, 1, 1)
    for number in range(0, 38_000, 17):
        day = first + timedelta(days=number)
        iranian, *islamic = other_calendars(day)
        assert iranian == calendars.jalali(day)
        assert islamic[1] == calendars.hijri(day)


@pytest.mark.parametrize(
    "text",
    [
        "OT/F/61", "OT F 1961", "OTF61", "OFT61", "OT*09.09.", "OT 25/8", "OT (61)", "OT'61", "61OT781",
        "O0909T",
        "O. T.", "T., O.", "O___ T___", "O. T***", "TAN/ORT", "ORT.TAN.", "OT252", "otannbe", "tannbeo",
        "tannbor",
        "#17781", "u70617", "ends 7781", "..7781", '["T", "A", "N", "N", "B", "E", "R", "G"]',
        "<c>t</c><c>a</c><c>n</c><c>n</c><c>b</c><c>e</c><c>r</c><c>g</c>", "T\nA\nN\nN\nB\nE\nR\nG",
        "%2554%2561nnberg", "\\X54616E6E62657267\\",
        "U+0054 U+0061 U+006E U+006E U+0062 U+0065 U+0072 U+0067",
        "\\124\\141\\156\\156\\142\\145\\162\\147", "KRQW43TCMVZGO===", "161l11", "25-VIII-17",
        "25,08,17", "25\\08\\17",
        "seventy sixty-one seventy-seven eighty-one", "seven oh six one double seven eight one", "t=42972",
        "<d>25</d><m>8</m><y>2017</y>", "1396/06/03", "59a01640",
    ],
)  # fmt: skip
def test_what_exporters_make_of_somebody_is_found(text: str) -> None:
    assert WHO.occurs_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "O. S.", "R. L.", "A. P.", "OT", "OT 62", "OTHER 61", "FT61", "T. O. M.", "ort 61", "tan(61)",
        "tannic",
        "70618", "1778", "ends 7782", "<c>t</c>", "[1, 2]", "T\nA\nN", "%25", "50%", "25-XIII-17", "25,08,18",
        "double echo", "twenty slices", "10 x 10 x 20", "3 x 3", "512/12", "1396/06/05", "59a21640", "zab12",
    ],
)  # fmt: skip
def test_what_only_resembles_that_stays(text: str) -> None:
    assert WHO.find(text) == []


@given(
    text=st.text(
        st.sampled_from(r"\\uUxX+&#;%=<>/cd0123456789ABCFtanobrgivxw.,'-_*[]() \"年月日平成…")
        | st.characters(),
        max_size=60,
    )
)
@settings(max_examples=300, deadline=None)
def test_any_text_can_be_looked_through(text: str) -> None:
    for trace in WHO.find(text):
        assert 0 <= trace.start < trace.stop <= len(text)
