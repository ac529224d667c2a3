"""Dates in text: which forms are found, and how they move."""

from __future__ import annotations

import pytest

from deid.text import dates


def only(text: str) -> str:
    [found] = dates.find(text)
    return text[found.start : found.stop]


def moved(text: str, days: int) -> str:
    [found] = dates.find(text)
    result = dates.moved(text, found, days)
    assert result is not None
    return result


@pytest.mark.parametrize(
    ("written", "later"),
    [
        ("2019-02-25", "2019-03-02"),
        ("2019/02/25", "2019/03/02"),
        ("2019.02.25", "2019.03.02"),
        ("20190225", "20190302"),
        ("2019-2-25", "2019-3-2"),
        ("25.02.2019", "02.03.2019"),
        ("25.2.2019", "2.3.2019"),
        ("25. 2. 2019", "2. 3. 2019"),
        ("25.02.19", "02.03.19"),
        ("02/25/2019", "03/02/2019"),
        ("2/25/19", "3/2/19"),
        ("25-02-2019", "02-03-2019"),
        ("25 Feb 2019", "2 Mar 2019"),
        ("25-FEB-2019", "02-MAR-2019"),
        ("25FEB2019", "2MAR2019"),
        ("25th of February, 2019", "2nd of March, 2019"),
        ("February 25, 2019", "March 2, 2019"),
        ("FEBRUARY 25TH 2019", "MARCH 2ND 2019"),
        ("2019 Feb 25", "2019 Mar 2"),
        ("Feb 25", "Mar 2"),
        ("25 February", "2 March"),
        ("25. Februar 2019", "2. März 2019"),
        ("25 février 2019", "2 mars 2019"),
        ("25 de febrero de 2019", "2 de marzo de 2019"),
        ("25 febbraio 2019", "2 marzo 2019"),
        ("25 de fevereiro de 2019", "2 de março de 2019"),
        ("25 februari 2019", "2 maart 2019"),
        ("25 lutego 2019", "2 marca 2019"),
        ("25 февраля 2019", "2 марта 2019"),
        ("25 Φεβρουαρίου 2019", "2 Μαρτίου 2019"),
        ("25 Şubat 2019", "2 Mart 2019"),
        ("2019年2月25日", "2019年3月2日"),
        ("2019년 2월 25일", "2019년 3월 2일"),
        ("29.02.2020", "05.03.2020"),
        ("31.12.1999", "05.01.2000"),
        ("25 02 2019", "02 03 2019"),
        ("25_02_2019", "02_03_2019"),
        ("25·02·2019", "02·03·2019"),
        ("25.II.2019", "2.III.2019"),
        ("25/II/19", "2/III/19"),
        ("2019. 2. 25", "2019. 3. 2"),
        ("平成31年2月25日", "平成31年3月2日"),
        ("H31.2.25", "H31.3.2"),
        ("February 12-15, 2019", "February 17-20, 2019"),
    ],
)
def test_a_date_moves_by_days_and_keeps_its_form(written: str, later: str) -> None:
    assert only(f"seen {written}, then") == written
    assert moved(f"seen {written}, then", 5) == later


@pytest.mark.parametrize(
    ("written", "first", "second"),
    [
        ("12.-15.03.2019", "17", "20.03.2019"),
        ("12-15.03.2019", "17", "20.03.2019"),
        ("12. bis 15.03.2019", "17", "20.03.2019"),
        ("12.3.-15.3.2019", "17.3.", "20.3.2019"),
        ("12/03 - 15/03/2019", "17/03", "20/03/2019"),
        ("28.02.-02.03.2020", "04.03.", "07.03.2020"),
        ("12-15 March 2019", "17", "20 March 2019"),
        ("12 al 15 de marzo de 2019", "17", "20 de marzo de 2019"),
    ],
)
def test_both_ends_of_a_range_move(written: str, first: str, second: str) -> None:
    start, end = dates.find(written)
    assert dates.moved(written, start, 5) == first
    assert dates.moved(written, end, 5) == second


def test_a_day_of_a_range_does_not_move_out_of_the_month_that_both_are_written_with() -> None:
    text = "28.-31.03.2019"
    start, _end = dates.find(text)
    assert dates.moved(text, start, 2) is None


def test_a_number_before_a_dash_is_no_day() -> None:
    assert only("series 4 - 12.03.2019") == "12.03.2019"


def test_month_and_year_move_with_the_first_of_the_month() -> None:
    assert moved("in February 2019 again", 31) == "March 2019"
    assert moved("in 02/2019 again", 31) == "03/2019"


def test_a_day_and_month_need_words_around_them() -> None:
    assert only("seen on 3/2 by") == "3/2"
    assert dates.find("T2/3 and L4/5, grade 3/5, 3/2") == []


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("surgery on march 12", "march 12"),
        ("seen may 5, better", "may 5"),
        ("tuesday, march 12", "march 12"),
        ("march 12th was the day", "march 12th"),
        ("the 12th of march", "12th of march"),
        ("ill for 12th march", "12th march"),
        ("scan 12-mar", "12-mar"),
        ("pain 5may", "5may"),
        ("may 5", "may 5"),
        ("12 march.", "12 march."),
        ("CT mar 3", "mar 3"),
        ("scan OCT14", "OCT14"),
        ("scan OCT1 2019", "OCT1 2019"),
        ("le 1 fev", "1 fev"),
        ("fev 1", "fev 1"),
    ],
)
def test_a_small_word_that_is_a_month_as_well_is_one_in_the_company_of_days(
    text: str, day: str
) -> None:
    assert only(text) == day
    assert dates.moved(text, dates.find(text)[0], 40) not in (None, day)


@pytest.mark.parametrize(
    "text",
    [
        "patients may 5 times a day",
        "dose may 20 mg",
        "he can march 12 miles",
        "grade 3 may 4 be",
        "in 12 may respond",
        "there 3 march along",
        "SL 3 mar 4",
        "it may be on 5",
        "may on 5 occasions",
        "given on may 20 mg",
        "of 5 march past",
        "FEV1 68% predicted, FEV1/FVC 0.62, FEV6 2.4 L",
        "OCT4 positive, SEPT9 methylation, MARCH5",
    ],
)
def test_such_a_word_is_none_elsewhere(text: str) -> None:
    assert dates.find(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "1.2.840.10008.1.2.1",
        "TR 2000 TE 30 FA 90",
        "3 x 4 x 5 cm",
        "5-10 mm",
        "SL 3 mar 4",
        "it may be 5 or 6",
        "T1 T2 PD 512 x 512",
        "SUB 2-1",
        "12 x 14 x 9 mm",
        "12 X 14",
        "2019",
        "31.02.2019",
        "99/99/2019",
        "B31f 0.75",
    ],
)
def test_what_is_no_date_is_not_found(text: str) -> None:
    assert dates.find(text) == []


def test_an_unambiguous_date_of_the_same_form_says_which_number_is_the_day() -> None:
    first, second = dates.find("03/04/2019 and 25/04/2019")
    assert (first.day, first.month) == (3, 4)
    first, second = dates.find("03/04/2019 and 04/25/2019")
    assert (first.day, first.month) == (4, 3)
    assert (second.day, second.month) == (25, 4)


def test_without_one_a_stroke_means_month_first_and_a_point_day_first() -> None:
    [stroke] = dates.find("03/04/2019")
    [point] = dates.find("03.04.2019")
    assert (stroke.month, stroke.day) == (3, 4)
    assert (point.month, point.day) == (4, 3)


def test_intervals_hold_between_forms() -> None:
    text = "2019-12-20, then January 19, 2020"
    first, second = dates.find(text)
    assert dates.moved(text, first, 12) == "2020-01-01"
    assert dates.moved(text, second, 12) == "January 31, 2020"


def test_what_cannot_be_moved_says_so() -> None:
    [found] = dates.find("1900-01-01")
    assert dates.moved("1900-01-01", found, -(10**7)) is None
