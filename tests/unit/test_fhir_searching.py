"""What a search asks for: parameters to queries, dates to ranges; what is refused rather than passed over."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from daemon.fhir.errors import BadRequest
from daemon.fhir.searching import conditional, parse
from daemon.resources import (
    DateFilter,
    DateTest,
    IdFilter,
    Order,
    Place,
    Span,
    TokenFilter,
    TokenTest,
    span_of,
)


def ms(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2024", ms(2024, 1, 1), ms(2025, 1, 1) - 1),
        ("2023-02", ms(2023, 2, 1), ms(2023, 3, 1) - 1),
        ("2024-02", ms(2024, 2, 1), ms(2024, 3, 1) - 1),
        ("2024-02-29", ms(2024, 2, 29), ms(2024, 3, 1) - 1),
        ("2024-02-29T23:59", ms(2024, 2, 29, 23, 59), ms(2024, 3, 1) - 1),
        ("2024-02-29T23:59:58Z", ms(2024, 2, 29, 23, 59, 58), ms(2024, 2, 29, 23, 59, 59) - 1),
        ("2024-03-01T01:00:00+02:00", ms(2024, 2, 29, 23), ms(2024, 2, 29, 23) + 999),
        ("2024-03-01T01:00:00.25-05:00", ms(2024, 3, 1, 6) + 250, ms(2024, 3, 1, 6) + 259),
        ("2024-03-01T01:00:00.123456Z", ms(2024, 3, 1, 1) + 123, ms(2024, 3, 1, 1) + 123),
    ],
)
def test_a_date_means_everything_from_its_first_to_its_last_moment(
    text: str, first: int, last: int
) -> None:
    assert span_of(text) == Span(first, last)


@pytest.mark.parametrize(
    "text", ["", "24", "2024-13", "2023-02-29", "2024-2-1", "2024-01-01T25:00", "x", "0000"]
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert span_of(text) is None


def test_parameters_become_filters_in_their_order() -> None:
    search = parse(
        "Observation",
        [
            ("identifier", "urn:a|1,2"),
            ("code", "http://loinc.org|,|x"),
            ("patient", "7,Patient/8,http://h/Patient/9"),
            ("subject:Group", "g"),
            ("date", "ge2024"),
            ("_lastUpdated", "lt2024-01-01T00:00:00 01:00"),
            ("_id", "a,b"),
        ],
        max_results=1000,
    )
    year = Span(ms(2024, 1, 1), ms(2025, 1, 1) - 1)
    updated = ms(2023, 12, 31, 23)
    assert search.query.filters == (
        TokenFilter("identifier", (TokenTest("1", "urn:a"), TokenTest("2"))),
        TokenFilter("code", (TokenTest(None, "http://loinc.org"), TokenTest("x", ""))),
        TokenFilter(
            "patient",
            (TokenTest("Patient/7"), TokenTest("Patient/8"), TokenTest("http://h/Patient/9")),
        ),
        TokenFilter("subject", (TokenTest("Group/g"),)),
        DateFilter(((DateTest.GREATER_OR_EQUAL, year),)),
        DateFilter(((DateTest.LESS, Span(updated, updated + 999)),), is_of_update=True),
        IdFilter(("a", "b")),
    )


def test_a_stroke_and_a_comma_may_be_part_of_a_value() -> None:
    (found,) = parse("Patient", [("identifier", r"a\|b\,c")], max_results=9).query.filters
    assert found == TokenFilter("identifier", (TokenTest("a|b,c"),))


def test_a_page_is_where_the_link_says_and_no_larger_than_allowed() -> None:
    search = parse(
        "Patient",
        [("_count", "5000"), ("_page", "12-99"), ("_sort", "-_lastUpdated"), ("_elements", "id")],
        max_results=100,
    )
    query = search.query
    assert (query.limit, query.after, query.order) == (
        100,
        Place(12, 99),
        Order.UPDATED_LAST_FIRST,
    )
    # What only changes how the answer looks is not understood, and not repeated.
    assert search.address("http://h") == (
        "http://h/Patient?_sort=-_lastUpdated&_count=100&_page=12-99"
    )


@pytest.mark.parametrize(
    "pair",
    [
        ("favourite", "x"),
        ("_has:Observation:patient:code", "x"),
        ("_tag", "x"),
        ("identifier:of-type", "x"),
        ("identifier", ""),
        ("identifier", ",".join(["x"] * 501)),
        ("date", "zz2024"),
        ("date", "yesterday"),
        ("_id", "../x"),
        ("_count", "many"),
        ("_count", "1" * 30),
        ("_page", "1-x"),
        ("_page", "1"),
        ("_page", f"{1 << 63}-1"),
        ("_page", f"1-{1 << 63}"),
        ("_page", "9" * 50),
        ("_sort", "birthdate"),
        ("subject:a b", "x"),
    ],
)
def test_what_would_answer_more_than_was_asked_for_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(BadRequest) as refusal:
        parse("Patient", [pair], max_results=10)
    assert pair[1] not in str(refusal.value) or not pair[1]


def test_more_conditions_than_a_store_can_be_asked_for_are_refused() -> None:
    parse("Patient", [("identifier", "a")] * 50, max_results=50)
    with pytest.raises(BadRequest, match="more than 50 conditions"):
        parse("Patient", [("identifier", "a")] * 51, max_results=50)


def test_more_values_than_a_store_can_be_asked_for_at_once_are_refused() -> None:
    """SQLite thinks about fifty conditions of five hundred values each for minutes."""
    of_subject = ("subject", ",".join(["a"] * 500))  # of four types
    parse("Observation", [of_subject], max_results=50)
    parse("Observation", [("code", of_subject[1])] * 4, max_results=50)
    for more in (of_subject, ("code", of_subject[1])):
        with pytest.raises(BadRequest, match="more values"):
            parse("Observation", [more, of_subject, ("_id", "a")], max_results=50)


def test_a_condition_needs_something_to_search_by() -> None:
    with pytest.raises(BadRequest):
        conditional("Patient", [("_count", "1")])
    assert conditional("Patient", [("identifier", "a")]).limit == 2


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("shoe-size", "the search parameter shoe-size is"),
        ("shoe:exact", "the search parameter shoe:exact is"),
        ("Roe, Jane", "a search parameter is"),
        ("x" * 60, "a search parameter is"),
    ],
)
def test_a_parameter_that_is_not_supported_is_named_unless_it_may_be_a_value(
    name: str, told: str
) -> None:
    with pytest.raises(BadRequest, match=told):
        parse("Patient", [(name, "1")], max_results=10)
