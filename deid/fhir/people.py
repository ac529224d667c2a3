"""Names, addresses and dates of birth."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from deid.fhir.forms import is_country
from deid.fhir.known import of_address, of_contact, of_name
from deid.fhir.leaves import LONG_AGO, REMOVED, REPLACED, malformed, moment
from deid.text.folding import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deid.fhir.leaves import Leaf
    from deid.fhir.run import Run

_US: Final = frozenset({"us", "usa", "u.s.", "u.s.a.", "united states", "united states of america"})
_ZIP: Final = re.compile(r"(\d{3})\d{2}(?:-?\d{4})?\Z")
_CLOSED_ZIPS: Final = frozenset(
    {"036", "059", "063", "102", "203", "556", "692", "790", "821", "823", "830", "831", "878", "879", "884",
     "890", "893"}
)  # fmt: skip
"""Initial digits of ZIP codes whose areas have 20 000 people or fewer (45 CFR 164.514(b), census of 2000)."""
_STATES: Final = words(
    """
    AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM
    NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY PR GU VI AS MP
    alabama alaska arizona arkansas california colorado connecticut delaware district_of_columbia
    florida georgia hawaii idaho illinois indiana iowa kansas kentucky louisiana maine maryland
    massachusetts michigan minnesota mississippi missouri montana nebraska nevada new_hampshire
    new_jersey new_mexico new_york north_carolina north_dakota ohio oklahoma oregon pennsylvania
    rhode_island south_carolina south_dakota tennessee texas utah vermont virginia washington
    west_virginia wisconsin wyoming puerto_rico
    """
)
"""Of the United States, and their territories; with low lines for spaces."""


def _removed_and_met(
    path: str, parts: Callable[[dict[str, Any]], Iterator[tuple[str, str]]]
) -> Leaf:
    def leaf(value: Any, run: Run) -> None:
        meet(value, parts, run)
        run.actions[path, REMOVED] += 1

    return leaf


def meet(
    value: Any, parts: Callable[[dict[str, Any]], Iterator[tuple[str, str]]], run: Run
) -> None:
    """Remember what identifies in an object, or in each of several."""
    for each in value if isinstance(value, list) else (value,):
        if isinstance(each, dict):
            for original, info_type in parts(each):
                run.meets(original, info_type)


def names_removed(path: str) -> Leaf:
    """Remove names, and look for them everywhere else."""
    return _removed_and_met(path, of_name)


def contacts_removed(path: str) -> Leaf:
    """Remove telephone numbers and mail addresses, and look for them everywhere else."""
    return _removed_and_met(path, of_contact)


def addresses_removed(path: str) -> Leaf:
    """Remove addresses, and look for them everywhere else."""
    return _removed_and_met(path, of_address)


def pseudonym_for_names(path: str) -> Leaf:
    """Put the patient's pseudonym in the place of all names, as it stands in (0010,0010)."""

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not list:
            raise malformed(path)
        meet(value, of_name, run)
        run.actions[path, REPLACED] += 1
        return [{"family": run.pseudonym}]

    return leaf


def safe_address(path: str) -> Leaf:
    """Keep of an Address what Safe Harbor lets stand: country, state, three digits of the ZIP code."""

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not list:
            raise malformed(path)
        meet(value, of_address, run)
        run.actions[path, REMOVED] += 1
        return [kept for each in value if isinstance(each, dict) and (kept := _safe(each))] or None

    return leaf


def _safe(address: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    state, code, country = address.get("state"), address.get("postalCode"), address.get("country")
    is_state = isinstance(state, str) and not _STATES.isdisjoint(
        (state.strip(), state.strip().lower().replace(" ", "_"))
    )
    is_us = isinstance(country, str) and country.strip().lower() in _US
    if is_state and (is_us or country is None):
        kept["state"] = state
    found = _ZIP.match(code.strip()) if isinstance(code, str) else None
    if found and (is_us or (country is None and is_state)):
        kept["postalCode"] = "000" if found[1] in _CLOSED_ZIPS else found[1]
    if isinstance(country, str) and (is_us or is_country(country)):
        kept["country"] = country
    return kept


def birth_date(path: str) -> Leaf:
    """Move a date of birth by the patient's shift; of who may be over 89, it goes."""
    shift = moment(path)

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        run.meets(value.replace("-", ""), "DATE_OF_BIRTH")
        if not value[:4].isdigit() or value[:4] < LONG_AGO:
            run.actions[path, REMOVED] += 1
            return None
        return shift(value, run)

    return leaf
