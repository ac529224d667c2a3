"""The rows of FHIR stores: versions, deletion, searches. Every engine answers alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from daemon.resources import (
    COMPARTMENT,
    Content,
    DateFilter,
    DateTest,
    Everything,
    Filter,
    IdFilter,
    Method,
    Order,
    Place,
    ResourceQuery,
    ResourceVersion,
    Span,
    Token,
    TokenFilter,
    TokenTest,
)
from daemon.store.stores import Stores

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from daemon.store.ports import Engine, Session
    from daemon.store.rows import Store

MRN = "urn:oid:1.2.36.146"
DAY_MS = 86_400_000


@pytest.fixture
async def stores(tmp_path: Path, engine: Engine) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state", engine=engine)
    yield opened
    await opened.close()


def content(
    rest: bytes = b'"active":true',
    *,
    resource_type: str = "Patient",
    tokens: tuple[Token, ...] = (),
    dates: tuple[Span, ...] = (),
) -> Content:
    return Content(resource_type, b"", rest, tokens, dates)


def identified(value: str, system: str = MRN) -> Content:
    return content(tokens=(Token("identifier", value, system),))


async def in_source(stores: Stores, *contents: tuple[str, Content], now_ms: int = 1000) -> None:
    source = stores.stores.fhir_source

    def apply(session: Session) -> None:
        for position, (resource_id, each) in enumerate(contents):
            session.resources.add_version(
                source, resource_id, each, method=Method.CREATE, now_ms=now_ms + position
            )

    await stores.database.write(apply)


async def found(
    stores: Stores,
    *filters: Filter,
    resource_type: str = "Patient",
    order: Order = Order.STORED,
    after: Place | None = None,
    limit: int = 50,
) -> list[str]:
    query = ResourceQuery(resource_type, filters, order, after, limit)
    source = stores.stores.fhir_source
    versions = await stores.database.read(lambda session: session.resources.search(source, query))
    count = await stores.database.read(lambda session: session.resources.count(source, query))
    if after is None and len(versions) < limit:
        assert count == len(versions)
    return [version.id for version in versions]


async def test_each_version_can_be_read_and_the_latest_is_the_resource(stores: Stores) -> None:
    source = stores.stores.fhir_source
    await in_source(stores, ("p1", content(b'"gender":"female"')), now_ms=5000)
    await in_source(stores, ("p1", content(b'"gender":"male"')), now_ms=6000)

    def read(session: Session) -> list[tuple[int, int, bytes]]:
        rows = session.resources
        versions = [
            rows.get(source, "Patient", "p1"),
            rows.version(source, "Patient", "p1", 1),
            rows.version(source, "Patient", "p1", 3),
            *rows.history(source, "Patient", "p1", None, 10),
            *rows.history(source, "Patient", "p1", 2, 10),
        ]
        return [(v.version, v.updated_ms, v.rest) for v in versions if v is not None]

    second, first = (2, 6000, b'"gender":"male"'), (1, 5000, b'"gender":"female"')
    assert await stores.database.read(read) == [second, first, second, first, first]


async def test_a_clock_that_was_set_back_makes_no_version_older_than_the_one_before(
    stores: Stores,
) -> None:
    source = stores.stores.fhir_source
    await in_source(stores, ("p1", content()), now_ms=5000)
    await in_source(stores, ("p1", content()), now_ms=4000)
    latest = await stores.database.read(lambda s: s.resources.get(source, "Patient", "p1"))
    assert latest is not None
    assert latest.updated_ms == 5001


async def test_what_is_deleted_is_found_no_more_and_its_versions_stay(stores: Stores) -> None:
    source = stores.stores.fhir_source
    await in_source(stores, ("p1", identified("A")), ("p2", identified("A")))
    deleted = await stores.database.write(
        lambda session: session.resources.delete(source, "Patient", "p1", now_ms=9000)
    )
    assert deleted is not None
    assert deleted.is_deleted
    again = await stores.database.write(
        lambda session: session.resources.delete(source, "Patient", "p1", now_ms=9001)
    )
    assert again is None
    assert await found(stores) == ["p2"]
    assert await found(stores, TokenFilter("identifier", (TokenTest("A"),))) == ["p2"]
    history = await stores.database.read(
        lambda session: session.resources.history(source, "Patient", "p1", None, 10)
    )
    assert [version.method for version in history] == [Method.DELETE, Method.CREATE]
    assert await stores.database.read(lambda s: s.resources.types(source)) == {"Patient": 1}


async def test_what_was_deleted_may_come_back_as_a_further_version(stores: Stores) -> None:
    source = stores.stores.fhir_source
    await in_source(stores, ("p1", content()))
    await stores.database.write(
        lambda session: session.resources.delete(source, "Patient", "p1", now_ms=2000)
    )
    await in_source(stores, ("p1", content()), now_ms=3000)
    latest = await stores.database.read(lambda s: s.resources.get(source, "Patient", "p1"))
    assert latest is not None
    assert (latest.version, latest.is_deleted) == (3, False)
    assert await found(stores) == ["p1"]


async def test_a_store_that_keeps_no_earlier_version_has_one_only(stores: Stores) -> None:
    destination = stores.stores.fhir_destination

    def apply(session: Session) -> None:
        for _ in range(3):
            session.resources.add_version(
                destination,
                "p1",
                content(),
                method=Method.UPDATE,
                now_ms=1,
                deidentifier="default",
                keeps_earlier=False,
            )

    await stores.database.write(apply)
    history = await stores.database.read(
        lambda session: session.resources.history(destination, "Patient", "p1", None, 10)
    )
    assert [(each.version, each.deidentifier) for each in history] == [(3, "default")]


async def test_a_token_is_found_with_and_without_its_system(stores: Stores) -> None:
    await in_source(
        stores,
        ("a", identified("7")),
        ("b", identified("7", "urn:other")),
        ("c", identified("7", "")),
        ("d", identified("8")),
    )

    async def by(*tests: TokenTest) -> list[str]:
        return await found(stores, TokenFilter("identifier", tests))

    assert await by(TokenTest("7")) == ["a", "b", "c"]
    assert await by(TokenTest("7", MRN)) == ["a"]
    assert await by(TokenTest("7", "")) == ["c"]
    assert await by(TokenTest(None, MRN)) == ["a", "d"]
    assert await by(TokenTest("8"), TokenTest("7", "urn:other")) == ["b", "d"]
    assert await by(TokenTest("9")) == []


@pytest.mark.parametrize("system", [None, MRN])
async def test_as_many_values_as_a_search_may_have_can_be_asked_for(
    stores: Stores, system: str | None
) -> None:
    await in_source(stores, ("a", identified("7")), ("b", identified("1998")))
    tests = [TokenTest(str(value), system) for value in range(2000)]
    tokens = TokenFilter("identifier", tuple(tests))
    assert await found(stores, tokens) == ["a", "b"]
    for test in (DateTest.GREATER_OR_EQUAL, DateTest.STARTS_AFTER):
        dates = [(test, Span(day, day)) for day in range(1000)]
        assert await found(stores, DateFilter(tuple(dates), is_of_update=True)) == ["a", "b"]
        assert await found(stores, DateFilter(tuple(dates)), tokens) == []


async def test_all_filters_have_to_hold(stores: Stores) -> None:
    final, draft = Token("status", "final"), Token("status", "draft")
    of_jane = Token("patient", "Patient/jane")
    for resource_id, tokens in {
        "a": (final, of_jane),
        "b": (draft, of_jane),
        "c": (final,),
    }.items():
        await in_source(stores, (resource_id, content(tokens=tokens)))
    status = TokenFilter("status", (TokenTest("final"),))
    patient = TokenFilter("patient", (TokenTest("Patient/jane"),))
    assert await found(stores, status, patient) == ["a"]
    assert await found(stores, status, patient, IdFilter(("b", "c"))) == []
    assert await found(stores, IdFilter(("c", "a"))) == ["a", "c"]


async def test_what_an_earlier_version_said_is_not_found(stores: Stores) -> None:
    await in_source(stores, ("p1", identified("OLD")))
    await in_source(stores, ("p1", identified("NEW")))
    assert await found(stores, TokenFilter("identifier", (TokenTest("OLD"),))) == []
    assert await found(stores, TokenFilter("identifier", (TokenTest("NEW"),))) == ["p1"]


async def test_types_and_stores_are_apart(stores: Stores) -> None:
    await in_source(
        stores, ("x", content()), ("x", content(resource_type="Observation")), ("y", content())
    )
    assert await found(stores) == ["x", "y"]
    assert await found(stores, resource_type="Observation") == ["x"]
    query = ResourceQuery("Patient")
    destination = stores.stores.fhir_destination
    assert await stores.database.read(lambda s: s.resources.search(destination, query)) == []


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (DateTest.EQUAL, ["within"]),
        (DateTest.NOT_EQUAL, ["before", "across", "after"]),
        (DateTest.GREATER, ["across", "after"]),
        (DateTest.LESS, ["before"]),
        (DateTest.GREATER_OR_EQUAL, ["within", "across", "after"]),
        (DateTest.LESS_OR_EQUAL, ["before", "within"]),
        (DateTest.STARTS_AFTER, ["after"]),
        (DateTest.ENDS_BEFORE, ["before"]),
        (DateTest.APPROXIMATELY, ["within", "across"]),
    ],
)
async def test_dates_are_compared_as_ranges(
    stores: Stores, test: DateTest, expected: list[str]
) -> None:
    spans = {
        "before": Span(0, DAY_MS - 1),
        "within": Span(DAY_MS, 2 * DAY_MS - 1),
        "across": Span(DAY_MS, 3 * DAY_MS - 1),
        "after": Span(5 * DAY_MS, 6 * DAY_MS - 1),
    }
    for resource_id, span in spans.items():
        await in_source(stores, (resource_id, content(dates=(span,))))
    searched = Span(DAY_MS, 2 * DAY_MS - 1)
    assert await found(stores, DateFilter(((test, searched),))) == expected


async def test_the_time_of_update_is_searched_too(stores: Stores) -> None:
    await in_source(stores, ("a", content()), now_ms=1000)
    await in_source(stores, ("b", content()), now_ms=5000)
    since = DateFilter(((DateTest.GREATER_OR_EQUAL, Span(2000, 2999)),), is_of_update=True)
    assert await found(stores, since) == ["b"]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order.STORED, ["a", "b", "c", "d", "e"]),
        (Order.UPDATED, ["a", "b", "d", "e", "c"]),
        (Order.UPDATED_LAST_FIRST, ["c", "e", "d", "b", "a"]),
    ],
)
async def test_pages_follow_each_other_without_gap_or_repetition(
    stores: Stores, order: Order, expected: list[str]
) -> None:
    await in_source(stores, *((each, content()) for each in "abcde"))
    await in_source(stores, ("c", content()), now_ms=50_000)
    source = stores.stores.fhir_source
    seen: list[str] = []
    after = None
    while True:
        query = ResourceQuery("Patient", (), order, after, 2)
        page = await stores.database.read(_searching(source, query))
        if not page:
            break
        seen += [each.id for each in page]
        after = Place(page[-1].number, page[-1].updated_ms)
    assert seen == expected


def _searching(store: Store, query: ResourceQuery) -> Callable[[Session], list[ResourceVersion]]:
    return lambda session: session.resources.search(store, query)


async def test_a_page_ends_where_it_is_long_but_not_before_two(stores: Stores) -> None:
    """As whoever looks for the only one has to see that there are more."""
    of_jane = (Token("patient", "Patient/jane"),)
    long = content(b'"a":"%s"' % (b"x" * 94), resource_type="Flag", tokens=of_jane)  # 100 bytes
    for _ in range(2):
        await in_source(stores, *[(name, long) for name in "abcd"])
    source = stores.stores.fhir_source

    async def found_by(most_bytes: int) -> list[list[str]]:
        def read(session: Session) -> list[list[ResourceVersion]]:
            rows = session.resources
            return [
                rows.page(source, 0, 9, most_bytes=most_bytes),
                rows.search(source, ResourceQuery("Flag"), most_bytes=most_bytes),
                rows.everything(source, Everything("jane"), most_bytes=most_bytes),
            ]

        return [[each.id for each in page] for page in await stores.database.read(read)]

    async def versions(most_bytes: int) -> list[int]:
        history = await stores.database.read(
            lambda s: s.resources.history(source, "Flag", "a", None, 9, most_bytes=most_bytes)
        )
        return [each.version for each in history]

    for most_bytes, expected in ((0, "abcd"), (1, "ab"), (100, "ab"), (200, "abc"), (400, "abcd")):
        assert await found_by(most_bytes) == [list(expected)] * 3, most_bytes
    await in_source(stores, ("a", long))
    assert [await versions(each) for each in (0, 1, 200, 300)] == [
        [3, 2, 1],
        [3, 2],
        [3, 2, 1],
        [3, 2, 1],
    ]


async def test_what_was_changed_since_can_be_walked_through(stores: Stores) -> None:
    await in_source(stores, ("a", content()), ("b", content()), ("c", content()), now_ms=1000)
    await in_source(stores, ("a", content()), now_ms=2000)
    source = stores.stores.fhir_source

    async def since(time_ms: int, after: int = 0, limit: int = 9) -> list[str]:
        page = await stores.database.read(
            lambda s: s.resources.page(source, after, limit, since_ms=time_ms)
        )
        return [each.id for each in page]

    assert await since(999) == ["a", "b", "c"]
    assert await since(1001) == ["a", "c"]
    assert await since(1001, limit=1) == ["a"]
    assert await since(2000) == []


async def test_everything_can_be_walked_through(stores: Stores) -> None:
    source = stores.stores.fhir_source
    await in_source(
        stores, ("a", content()), ("o", content(resource_type="Observation")), ("b", content())
    )
    await stores.database.write(
        lambda session: session.resources.delete(source, "Patient", "a", now_ms=1)
    )

    def walk(session: Session, types: tuple[str, ...] = ()) -> list[str]:
        first = session.resources.page(source, 0, 1, types)
        return [
            each.id for each in [*first, *session.resources.page(source, first[0].number, 9, types)]
        ]

    assert await stores.database.read(walk) == ["o", "b"]
    assert await stores.database.read(lambda session: walk(session, ("Patient",))) == ["b"]
    numbered = await stores.database.read(
        lambda s: s.resources.by_number(source, s.resources.page(source, 0, 1)[0].number)
    )
    assert numbered is not None
    assert numbered.id == "o"


def of(patient: str, kind: str = "Observation", *, name: str = "patient", **more: Any) -> Content:
    return content(resource_type=kind, tokens=(Token(name, f"Patient/{patient}"),), **more)


async def test_everything_of_a_patient_is_what_refers_to_him_and_what_he_refers_to(
    stores: Stores,
) -> None:
    source = stores.stores.fhir_source
    await in_source(
        stores,
        ("p", content()),
        ("q", content(tokens=(Token(COMPARTMENT, "Patient/p"),))),
        ("by-patient", of("p")),
        ("by-subject", of("p", name="subject")),
        ("by-actor", of("p", "Appointment", name=COMPARTMENT)),
        ("of-another", of("q")),
        ("coded", of("p", name="code")),
        ("library", of("p", "Library", name="subject")),
        ("doctor", content(resource_type="Practitioner")),
        ("stranger", content(resource_type="Practitioner")),
        ("deleted", of("p")),
    )
    await stores.database.write(
        lambda session: session.resources.delete(source, "Observation", "deleted", now_ms=1)
    )
    referred = (("Practitioner", "doctor"), ("Practitioner", "nobody"), ("Patient", "p"))

    async def found(**wanted: Any) -> list[str]:
        asked = Everything("p", referred, **wanted)
        versions = await stores.database.read(lambda s: s.resources.everything(source, asked))
        return [each.id for each in versions]

    everything = ["q", "by-patient", "by-subject", "by-actor", "doctor"]
    assert await found() == everything
    assert await found(limit=2) == everything[:2]
    third = await stores.database.read(
        lambda s: s.resources.get(source, "Observation", "by-subject")
    )
    assert third is not None
    assert await found(after=third.number) == everything[3:]
    assert await found(types=("Practitioner", "Patient")) == ["q", "doctor"]
    assert await found(since_ms=1003) == everything[2:]


async def test_everything_of_a_time_has_what_tells_of_no_time(stores: Stores) -> None:
    await in_source(
        stores,
        ("p", content()),
        ("early", of("p", dates=(Span(0, DAY_MS - 1),))),
        ("late", of("p", dates=(Span(5 * DAY_MS, 6 * DAY_MS - 1),))),
        ("long", of("p", dates=(Span(0, 9 * DAY_MS),))),
        ("timeless", of("p")),
    )

    async def found(first: int, last: int) -> list[str]:
        asked = Everything("p", care=Span(first, last))
        versions = await stores.database.read(
            lambda s: s.resources.everything(stores.stores.fhir_source, asked)
        )
        return [each.id for each in versions]

    assert await found(DAY_MS, 9 * DAY_MS) == ["late", "long", "timeless"]
    assert await found(0, DAY_MS) == ["early", "long", "timeless"]
    assert await found(2 * DAY_MS, 3 * DAY_MS) == ["long", "timeless"]
