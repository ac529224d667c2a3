"""Positions on the globe go; offsets, angles and spacings stay."""

from __future__ import annotations

import pytest

from deid.text import patterns
from deid.text.findings import merged


def found(text: str) -> list[tuple[str, str]]:
    return [
        (each.info_type, text[each.start : each.stop]) for each in merged(list(patterns.find(text)))
    ]


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("at 48°08'14\"N 11°34'31\"E today", "48°08'14\"N 11°34'31\"E"),
        ("WIP N 48°08'14\" E 11°34'31\" SENSE", "N 48°08'14\" E 11°34'31\""),
        ("48° 8.233' N, 11° 34.52' E", "48° 8.233' N, 11° 34.52' E"),
        ("40.7128° N, 74.0060° W", "40.7128° N, 74.0060° W"),
        ("33.8688S/151.2093E", "33.8688S/151.2093E"),
        ("FOO_N48.1374_E011.5755_1", "N48.1374_E011.5755"),
        ("N 48 08 14 E 011 34 31", "N 48 08 14 E 011 34 31"),
        ("GPS 48.137, 11.575", "48.137, 11.575"),
        ("geo:48.1374,-11.5755", "48.1374,-11.5755"),
        ("lat 48.1374 lon 11.5755", "48.1374 lon 11.5755"),
        ("latitude=48.13; longitude=11.57", "48.13; longitude=11.57"),
        ("+48.1374+011.5755/", "+48.1374+011.5755"),
    ],
)
def test_positions_on_the_globe_are_found(text: str, position: str) -> None:
    assert found(text) == [("LOCATION", position)]


@pytest.mark.parametrize(
    "text",
    [
        "spacing 0.4883, 0.4883",
        "48.1374, 11.5755",
        "LAO 30° CRA 20°",
        "RAO 30.5° CAU 20.1°",
        "LAT 12.52 LONG 4",
        "lat 12.50 mm, long axis 40.25 mm",
        "pos -112.500 45.250",
        "TE 2.3456 TR 500.1234",
        "A 12.345 P 14.222",
        "W 400 L 40",
        "flip 15° N 3",
        "S1 2 3 E1 2 3",
        "MNI coordinates -24.500, 18.250, 50.100",
        "geo mean 12.55 40.25",
    ],
)
def test_offsets_angles_and_spacings_are_no_positions(text: str) -> None:
    assert found(text) == []
