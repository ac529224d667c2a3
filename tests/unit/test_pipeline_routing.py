"""Which deidentifier an instance goes to."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.uid import CTImageStorage, MRImageStorage

from config.settings import Settings
from daemon.configured import routes
from daemon.pipeline.routing import (
    HeaderFacts,
    Route,
    keywords,
    named,
    route,
)
from daemon.records import Origin, Receiver
from tests.sections import make_route


def origin(**changes: Any) -> Origin:
    known = {"receiver": Receiver.DIMSE, "calling_ae": "CT01", "called_ae": "VEIL"}
    return Origin(**{**known, "peer": "10.1.2.3", **changes})


def facts(sop_class_uid: str = CTImageStorage, **values: tuple[str, ...]) -> HeaderFacts:
    return HeaderFacts(sop_class_uid, {"Modality": ("CT",), "StationName": ("ROOM4",), **values})


def matches(one: Route, *, at: Origin | None = None, of: HeaderFacts | None = None) -> bool:
    return route(at or origin(), of or facts(), [one]) is one


def test_without_routes_everything_goes_to_the_default_deidentifier() -> None:
    (found,) = routes(Settings(routes=()))
    assert matches(found)
    assert found.deidentifier in Settings().deidentifiers


def test_a_route_without_conditions_matches_everything() -> None:
    assert matches(make_route("research"))
    assert matches(make_route("research"), at=Origin(Receiver.STOW), of=HeaderFacts("", {}))


def test_the_first_route_that_matches_wins() -> None:
    first, second = make_route("a", modality=("CT",)), make_route("b", modality=("C*",))
    assert route(origin(), facts(), [make_route("x", modality=("MR",)), first, second]) is first


def test_an_instance_that_matches_no_route_has_none() -> None:
    assert (
        route(
            origin(), facts(), [make_route("a", modality=("MR",)), make_route("b", peer=("::1",))]
        )
        is None
    )


def test_every_given_condition_must_hold() -> None:
    both = make_route("a", modality=("CT",), calling_ae=("CT*",))
    assert matches(both)
    assert not matches(both, at=origin(calling_ae="MR01"))
    assert not matches(both, of=facts(Modality=("MR",)))


@pytest.mark.parametrize(
    ("given", "holds"),
    [
        ({"calling_ae": ("CT01",)}, True),
        ({"calling_ae": ("CT0?",)}, True),
        ({"calling_ae": ("CT0[12]",)}, True),
        ({"calling_ae": ("CT0[!1]",)}, False),
        ({"calling_ae": ("MR*", "CT*")}, True),
        ({"calling_ae": ("ct01",)}, False),
        ({"calling_ae": ("CT",)}, False),
        ({"called_ae": ("VEIL",)}, True),
        ({"called_ae": ("OTHER",)}, False),
        ({"receiver": "dimse"}, True),
        ({"receiver": "stow"}, False),
        ({"peer": ("10.1.2.3",)}, True),
        ({"peer": ("10.1.0.0/16",)}, True),
        ({"peer": ("10.1.2.9/24",)}, True),
        ({"peer": ("10.2.0.0/16",)}, False),
        ({"peer": ("10.1.*",)}, True),
        ({"peer": ("2001:db8::/32",)}, False),
        ({"modality": ("CT", "MR")}, True),
        ({"modality": ("ct",)}, True),
        ({"modality": ("US",)}, False),
        ({"sop_class": (CTImageStorage,)}, True),
        ({"sop_class": ("1.2.840.10008.5.1.4.1.1.2*",)}, True),
        ({"sop_class": ("CTImageStorage",)}, True),
        ({"sop_class": ("ct*",)}, True),
        ({"sop_class": ("MRImageStorage", MRImageStorage)}, False),
        ({"header": {"StationName": ("ROOM*",)}}, True),
        ({"header": {"StationName": ("room4",)}}, True),
        ({"header": {"StationName": ("CT*",)}}, False),
        ({"header": {"StationName": ("ROOM*",), "Modality": ("MR",)}}, False),
    ],
)
def test_conditions_compare_as_documented(given: dict[str, Any], holds: bool) -> None:
    assert matches(make_route("a", **given)) is holds


def test_padding_of_titles_and_values_does_not_count() -> None:
    assert matches(make_route("a", calling_ae=("CT01",)), at=origin(calling_ae="  CT01 "))
    assert matches(
        make_route("a", header={"StationName": ("CT9",)}), of=facts(StationName=("CT9 ",))
    )
    assert matches(
        make_route("a", header={"StationName": ("CT9",)}), of=facts(StationName=("CT9\0",))
    )


def test_any_value_of_several_may_match() -> None:
    several = facts(ImageType=("DERIVED", "PRIMARY", "AXIAL"))
    assert matches(make_route("a", header={"ImageType": ("AX*",)}), of=several)
    assert not matches(make_route("a", header={"ImageType": ("ORIGINAL",)}), of=several)


@pytest.mark.parametrize("values", [{}, {"StudyID": ()}, {"StudyID": ("",)}, {"StudyID": ("  ",)}])
def test_a_star_needs_some_value_and_the_empty_pattern_none(
    values: dict[str, tuple[str, ...]],
) -> None:
    nothing = HeaderFacts(CTImageStorage, values)
    assert not matches(make_route("a", header={"StudyID": ("*",)}), of=nothing)
    assert matches(make_route("a", header={"StudyID": ("",)}), of=nothing)
    assert matches(make_route("a", header={"StudyID": ("X*", "")}), of=nothing)
    assert not matches(make_route("a", header={"StudyID": ("",)}), of=facts(StudyID=("7",)))
    assert matches(make_route("a", header={"StudyID": ("*",)}), of=facts(StudyID=("7",)))


def test_a_pattern_cannot_be_escaped_by_a_line_break() -> None:
    assert not matches(
        make_route("a", header={"StationName": ("CT",)}), of=facts(StationName=("CT\nX",))
    )


def test_an_ipv4_peer_of_an_ipv6_socket_is_the_same_peer() -> None:
    assert matches(make_route("a", peer=("10.1.0.0/16",)), at=origin(peer="::ffff:10.1.2.3"))


def test_a_watched_folder_matches_by_glob() -> None:
    watch = origin(receiver=Receiver.WATCH, peer="/srv/inbox/ct")
    assert matches(make_route("a", peer=("/srv/inbox/*",)), at=watch)
    assert not matches(make_route("a", peer=("10.0.0.0/8",)), at=watch)


def test_an_unknown_sop_class_matches_by_its_uid_only() -> None:
    private = facts("1.2.3.4")
    assert matches(make_route("a", sop_class=("1.2.3.*",)), of=private)
    assert not matches(make_route("a", sop_class=("CTImageStorage",)), of=private)


def test_only_the_elements_that_routes_ask_about_are_read() -> None:
    assert (
        keywords([make_route("a"), make_route("b", calling_ae=("X",), sop_class=("CT*",))])
        == frozenset()
    )
    asking = [make_route("a", modality=("CT",)), make_route("b", header={"StationName": ("*",)})]
    assert keywords(asking) == {"Modality", "StationName"}


def test_routes_without_a_name_are_called_by_their_place() -> None:
    assert [
        each.name for each in named([make_route("a"), make_route("b", name="ct"), make_route("c")])
    ] == [
        "routes[0]",
        "ct",
        "routes[2]",
    ]


def test_a_route_survives_the_way_to_the_worker() -> None:
    given = make_route(
        "research",
        name="r",
        receiver="dimse",
        calling_ae=("A*",),
        peer=("10.0.0.0/8",),
        modality=("CT", "MR"),
        sop_class=("CTImageStorage",),
        header={"StationName": ("X", "")},
    )
    assert Route.from_document(given.document()) == given
