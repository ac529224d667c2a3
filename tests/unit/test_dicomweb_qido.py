"""What a search is understood as, and what of it is refused before a store is asked."""

from __future__ import annotations

import pytest

from dicomweb import qido
from dicomweb.errors import BadRequest


def parse(*parameters: tuple[str, str]) -> qido.Search:
    return qido.parse("study", None, parameters, max_results=100)


def test_a_value_that_is_said_again_counts_once() -> None:
    found = parse(*[("PatientID", "P-1")] * 1000, ("ModalitiesInStudy", "CT,MR," * 1000))
    assert found.query.matches == {"PatientID": ["P-1"], "ModalitiesInStudy": ["CT", "MR"]}


@pytest.mark.parametrize("keyword", ["PatientID", "PatientName", "ModalitiesInStudy", "StudyDate"])
def test_more_values_than_a_store_can_be_asked_for_are_refused(keyword: str) -> None:
    values = [f"{20_000_000 + number}" for number in range(qido.MAX_VALUES + 1)]
    with pytest.raises(BadRequest, match=f"values of {keyword}") as refused:
        parse(*[(keyword, value) for value in values])
    assert not any(value in str(refused.value) for value in values)


def test_lists_of_uids_may_be_long() -> None:
    uids = [f"1.2.{number}" for number in range(5000)]
    assert parse(("StudyInstanceUID", ",".join(uids))).query.matches == {"StudyInstanceUID": uids}


def test_more_uids_than_a_store_can_be_asked_for_are_refused() -> None:
    """A search that is posted is as long as any: a hundred thousand were 500."""
    studies = ",".join(f"1.2.{number}" for number in range(qido.MAX_UIDS - 1))
    few = ("SeriesInstanceUID", "1.3"), ("PatientID", "P-1")
    assert parse(("StudyInstanceUID", studies), *few).query.matches
    with pytest.raises(BadRequest, match="more than 10000 UIDs"):
        parse(("StudyInstanceUID", studies), *few, ("SOPInstanceUID", "1.4"))


def test_what_is_told_of_ignored_parameters_is_bounded() -> None:
    found = parse(*[(f"Nothing{number}", "1") for number in range(5000)])
    assert 0 < len(found.warnings) <= 20


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "\u0663"),
        ("offset", "\u0663"),
        ("StudyDate", "\u0662" * 8),
        ("StudyTime", "\u0661" * 2),
    ],
)
def test_digits_are_those_of_ascii(name: str, value: str) -> None:
    with pytest.raises(BadRequest):
        parse((name, value))


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [("limit", "5", "6"), ("offset", "0", "7"), ("fuzzymatching", "false", "true")],
)
def test_what_a_search_has_once_is_not_said_twice_in_two_ways(
    name: str, one: str, other: str
) -> None:
    for first, last in ((one, other), (other, one)):
        with pytest.raises(BadRequest, match=f"^{name} is given twice"):
            parse((name, first), ("PatientID", "x"), (name.upper(), last))
    assert parse((name, other), (name, other)).query == parse((name, other)).query


@pytest.mark.parametrize("between", [" ", "^", "*", "?", ",", "="])
def test_a_fuzzy_search_takes_so_many_different_words_of_a_name(between: str) -> None:
    """Each is a condition of its own, of which the index takes no thousand."""
    fuzzy = ("fuzzymatching", "true")
    most = [f"w{number}" for number in range(qido.MAX_WORDS)]
    halves = [between.join(part) for part in (most[:40], [*most[40:], "W0"])]
    assert parse(fuzzy, *(("PatientName", half) for half in halves)).query.fuzzy
    with pytest.raises(BadRequest, match=r"^more than 64 words of PatientName$"):
        parse(("PatientName", between.join([*most, "x"])), fuzzy)
    assert parse(("PatientName", between.join([*most, "x"]))).query.matches
