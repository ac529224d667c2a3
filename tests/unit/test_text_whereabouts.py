"""Rooms, wards and beds of patients go, and accounts of people; rooms of examinations and settings stay."""

from __future__ import annotations

import pytest

from deid.text import patterns
from deid.text.findings import merged


def found(text: str) -> list[tuple[str, str]]:
    return [
        (each.info_type, text[each.start : each.stop]) for each in merged(list(patterns.find(text)))
    ]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("Room 412", ["412"]), ("Rm. 12B", ["12B"]), ("Zi. 214 Bett 2", ["214", "2"]), ("chambre 312", ["312"]),
        ("ch. 312, lit 4", ["312", "4"]), ("Habitación 512", ["512"]), ("ward C14 bed 7", ["C14", "7"]),
        ("Ward 7B", ["7B"]), ("Station 4B", ["4B"]), ("病室 302", ["302"]), ("302号床", ["302"]),
        ("THX_ward_7B_bed_3", ["7B", "3"]), ("Room no. 412", ["412"]),
    ],
)  # fmt: skip
def test_rooms_wards_and_beds_are_found(text: str, places: list[str]) -> None:
    assert [value for kind, value in found(text) if kind == "LOCATION"] == places


@pytest.mark.parametrize(
    "text",
    [
        "XR Room 3", "room air", "Station 1", "Station 2/3", "station L2", "Station T1", "bed 3 of 7",
        "PET bed 2",
        "kamer 2", "32 ch 120", "RM 3T", "rm 100 mm", "Bed 93, ward 9.", "ward round", "unit 12",
        "Zimmer implant",
        "lit 14", "Room 3.5 x 4",
    ],
)  # fmt: skip
def test_rooms_of_examinations_stations_and_beds_of_scans_stay(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "account"),
    [
        ("login: jkosk", "jkosk"), ("uid=jkosk", "jkosk"), ("user jkosk01", "jkosk01"),
        ("cn=jkosk,ou=rad", "jkosk"),
        ("wechat: zhangw88", "zhangw88"), ("skype live:hmueller", "live:hmueller"),
        ("telegram @jkosk", "jkosk"),
        ("on @jkosk today", "jkosk"), ("snap: lenawh", "lenawh"),
        ("jkosk@qzpc12", "jkosk@qzpc12"),
    ],
)  # fmt: skip
def test_accounts_are_found(text: str, account: str) -> None:
    assert ("GENERIC_ID", account) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "user defined", "user: defined", "login required", "@B30f", "4 ml/s @3T", "@rest", "@TE30", "@baseline",
        "2mm@B30f", "T2@3T", "signal: low", "CN: normal", "cn VII", "user B30", "account", "insta 2",
        "line id 3",
    ],
)  # fmt: skip
def test_settings_are_no_accounts(text: str) -> None:
    assert found(text) == []
