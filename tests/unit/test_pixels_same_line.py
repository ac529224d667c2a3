"""What pieces of a line say together: dates and numbers in parts go, columns and scales stay."""

from __future__ import annotations

import pytest

from deid.identity.identifiers import KnownIdentifier
from deid.pixels.geometry import Box
from deid.pixels.judgement import Judgement
from deid.pixels.ports import FoundRegion, TextRegion
from deid.pixels.same_line import identified_in_lines, is_in_company, together

KNOWN = [
    KnownIdentifier("OCONNOR^SIOBHAN", "PERSON_NAME"),
    KnownIdentifier("Zak^Lotte", "PERSON_NAME"),
    KnownIdentifier("47110815", "MEDICAL_RECORD_NUMBER"),
    KnownIdentifier("20130217", "DATE"),
]
_HIGH = 16


def _line(texts: str, gap: float, *, turned: int = 0, frame: int = 0) -> list[FoundRegion]:
    """Return pieces (between bars in `texts`) so many heights apart, along a line turned so many quarters."""
    left, found = 10, []
    for text in texts.split("|"):
        width = max(10 * len(text), 10)
        lying = Box(left, 40, width, _HIGH)
        box = (
            lying
            if not turned
            else Box(40, left if turned == 1 else 900 - left - width, _HIGH, width)
        )
        found.append(FoundRegion(frame, TextRegion(box, 0.9, text, 0.98)))
        left += width + round(gap * _HIGH)
    return found


def _goes(found: list[FoundRegion]) -> list[bool]:
    judgement = Judgement()
    known = judgement.knowing(KNOWN)
    reasons = identified_in_lines(found, lambda region: judgement.why(region, known))
    return [number in reasons for number in range(len(found))]


@pytest.mark.parametrize("turned", [0, 1, 3])
@pytest.mark.parametrize("gap", [0.2, 1.0, 2.9])
@pytest.mark.parametrize(
    "texts",
    [
        "17|FEB|2013",
        "2013|02|17",
        "471|108|15",
        "4|7|1|1|0|8|1|5",
        "Z|A|K",
        "O|C|O|N|N|O|R",
        "555|123|4567",
    ],
)
def test_what_stands_in_parts_on_one_line_goes_as_a_whole(
    texts: str, gap: float, turned: int
) -> None:
    assert all(_goes(_line(texts, gap, turned=turned)))


@pytest.mark.parametrize("turned", [0, 1])
@pytest.mark.parametrize(
    "texts",
    [
        "1|2|3|4|5|6|7|8|9",
        "0|5|10|15|20",
        "kV|100|mA|250",
        "L|A|H",
        "512|512",
        "TR|500|TE|15",
        "SE|3|IM|17",
        "Z|A",
    ],
)
def test_what_stands_in_columns_and_tells_nothing_stays(texts: str, turned: int) -> None:
    assert not any(_goes(_line(texts, 1.0, turned=turned)))


def test_what_stands_beside_a_text_that_identifies_alone_is_no_part_of_it() -> None:
    assert _goes(_line("kV 100|OCONNOR|SE 3", 1.0)) == [False, False, False]


def test_a_date_beside_a_name_is_no_part_of_it_where_dates_may_stay() -> None:
    judgement = Judgement(spared={"DATE"})
    known = judgement.knowing(KNOWN[:1])
    for texts in ("OCONNOR|12 JUN 2014", "12 JUN 2014|OCONNOR"):
        found = _line(texts, 1.0)
        assert not identified_in_lines(found, lambda region: judgement.why(region, known))


def test_only_the_parts_of_a_date_go() -> None:
    assert _goes(_line("SE 3|17|FEB|2013|kV 100", 1.0)) == [False, True, True, True, False]


def test_what_is_far_apart_is_no_line() -> None:
    assert not any(_goes(_line("17|FEB|2013", 3.2)))


def test_pieces_of_other_frames_and_lines_are_none_of_it() -> None:
    day, month, year = _line("17|FEB|2013", 1.0)
    above = FoundRegion(0, TextRegion(Box(month.region.box.left, 20, 30, 16), 0.9, "FEB", 0.98))
    assert not any(_goes([day, above, year]))
    assert not any(_goes([day, FoundRegion(1, month.region), year]))


@pytest.mark.parametrize(
    ("turned", "gap", "goes"), [(0, 0.4, True), (1, 0.4, True), (3, 0.4, True), (1, 0.9, False)]
)
def test_a_time_goes_with_the_date_beside_it_whichever_way_they_stand(
    turned: int, gap: float, *, goes: bool
) -> None:
    judgement = Judgement()
    known = judgement.knowing(KNOWN)
    found = _line("12 JUN 2014|09:07:41", gap, turned=turned)
    why = together(found[1], found, lambda region: judgement.why(region, known))
    assert (why is not None) == goes


@pytest.mark.parametrize(
    ("texts", "gap", "stays"),
    [
        ("Page|1/3", 0.4, True),
        ("12|MAX", 0.4, True),
        ("DIXON|WATER", 0.4, True),
        ("Page|1/3", 2.0, False),  # too far apart
        ("Kowalczyk|1/3", 0.4, False),  # in no list
        ("Page|Kowalczyk", 0.4, False),
        ("Page|O'Connor", 0.4, False),
        ("O'Connor|12", 0.4, False),
    ],
)
def test_a_word_that_may_be_a_name_stays_beside_what_tells_that_it_is_none(
    texts: str, gap: float, *, stays: bool
) -> None:
    judgement = Judgement()
    known = judgement.knowing(KNOWN)
    found = _line(texts, gap)

    def judge(region: TextRegion) -> str | None:
        return judgement.why(region, known)

    goes = [entry for entry in found if judge(entry.region)]
    assert goes
    assert all(is_in_company(entry, found, judge) for entry in goes) == stays
