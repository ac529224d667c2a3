"""Ages: over 89 they become 90, wherever a resource says them (45 CFR 164.514(b)(2)(i)(C)).

What lasts longer than 89 years in a record is somebody's age, in whatever unit of time. A number without a
unit is one where what stands beside it says so: the code of an observation, the text of a question, the name
of a parameter.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from deid.fhir.decimals import as_number, is_decimal, written
from deid.fhir.leaves import CAPPED, LONG_AGO, REMOVED
from deid.tables.fhir import fhir_types
from deid.text.folding import words
from deid.text.transform import OLDEST_YEARS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deid.fhir.run import Run

    Before = Callable[[dict[str, Any], Run], dict[str, Any]]

_TOP: Final = OLDEST_YEARS + 1
_NO_YEAR: Final = 2200
_OLDEST: Final = 130
"""Nobody was older: a number beyond is no age in years."""
_YEARS: Final = words(
    """
    a a_j yr yrs yr. yrs. y y. y/o yo y.o. year years years_old year_old year(s) jahr jahre jahren j. lj
    an ans année années anno anni año años ano anos jaar jaren år rok
    roku lat let god год года лет 歳 才 岁 歲 세
    """
) | {"years old", "year old", "age", "258707000"}  # fmt: skip
_IN_A_YEAR: Final = {
    "mo": 12.0, "mos": 12.0, "months": 12.0, "month": 12.0, "mo_j": 12.0, "mo_s": 12.37, "mo_g": 12.0,
    "monate": 12.0, "mois": 12.0, "mesi": 12.0, "meses": 12.0,
    "wk": 52.18, "wks": 52.18, "weeks": 52.18, "week": 52.18, "wochen": 52.18, "semaines": 52.18,
    "d": 365.25, "days": 365.25, "day": 365.25, "tage": 365.25, "jours": 365.25,
    "h": 8766.0, "hours": 8766.0, "hour": 8766.0,
    "min": 525_960.0, "minutes": 525_960.0, "minute": 525_960.0,
    "s": 31_557_600.0, "sec": 31_557_600.0, "seconds": 31_557_600.0, "second": 31_557_600.0,
    "258706009": 12.0, "258705008": 52.18, "258703001": 365.25, "258702006": 8766.0,
}  # fmt: skip
_ANNOTATION: Final = re.compile(r"\{([^{}]*)\}")
QUANTITIES: Final = frozenset({"Quantity", "Age", "Count", "Distance", "Duration"})
_NUMBERS: Final = frozenset({"integer", "decimal", "positiveInt", "unsignedInt"})
_LABELS: Final = ("code", "name", "text", "category", "type", "linkId", "focus", "measure")
"""Elements that say what a value beside them is."""
_SAYS_AGE: Final = re.compile(
    r"(?<![^\W\d_])(?:[Aa]ge[ds]?|AGE[DS]?|[Aa]lter|ALTER|[Ââ]ge|[Ee]dad|[Ii]dade|[Ee]tà|[Ee]ta|[Ll]eeftijd"
    r"|[ÅåAa]lder|[Ww]iek|[Вв]озраст|[Yy]ears? [Oo]ld|[Hh]ow [Oo]ld)(?![^\W\d_A-Z])|[a-z]Age(?![a-z])"
    r"|年齢|年龄|年紀|나이"
)
_AGES: Final = frozenset(
    {
        "30525-0", "21611-9", "21612-7", "29553-5", "30972-4", "35659-2", "39016-1", "63900-5", "64179-5",
        "397659008", "397669002", "424144002", "445518008", "105727008", "102518004", "184104002",
        "121033", "111538", "111524", "111525", "PAT_AGE",
    }
)  # fmt: skip
"""Codes of LOINC, SNOMED CT and DICOM for how old somebody is or was."""


_SAYS_BIRTH: Final = re.compile(
    r"(?<![^\W\d_])(?:year of birth|birth[\s-]?year|birth[\s-]?date|date of birth|yob|dob"
    r"|geburts(?:jahr|datum)|(?:ann[ée]e|date) de naissance|(?:a[ñn]o|fecha) de nacimiento"
    r"|(?:anno|data) di nascita|geboorte(?:jaar|datum)|f[öo]delse[åa]r|rok urodzenia"
    r"|ano de nascimento)(?![^\W\d_])",
    re.IGNORECASE,
)
_BIRTHS: Final = frozenset({"80904-6", "21112-8", "184099003"})
"""Codes of LOINC and SNOMED CT for the year or day of somebody's birth."""


def capped(path: str) -> Before:
    """Return what makes an age over 89 in a quantity 90 years; without a unit, in an Age only."""
    is_age = path == "Age"

    def before(value: dict[str, Any], run: Run) -> dict[str, Any]:
        number = value.get("value")
        if not is_decimal(number) or as_number(number) <= OLDEST_YEARS:
            return value  # whatever its unit
        if _years(as_number(number), value, is_age) <= OLDEST_YEARS:
            return value
        run.actions[f"{path}.value", CAPPED] += 1
        return _at_most(value)

    return before


def capped_range(value: dict[str, Any], run: Run) -> dict[str, Any]:
    """Make ages over 89 in a Range 90 years, the unit of one end standing for both."""
    ends = [(name, each) for name in ("low", "high") if isinstance(each := value.get(name), dict)]
    if not any(_unit(each) in _YEARS for _, each in ends):
        return value
    return _with_ends(value, run, is_age=True)


def _with_ends(value: dict[str, Any], run: Run, *, is_age: bool) -> dict[str, Any]:
    out = dict(value)
    for name in ("low", "high"):
        if isinstance(value.get(name), dict):
            out[name] = _capped_value(value[name], run, is_age=is_age)
    return out


def labelled_ages(path: str) -> Before | None:
    """Return what makes numbers over 89 of a type 90 where their label says that they are ages.

    None for a type whose elements are no values with a label.
    """
    elements = fhir_types()[path]
    labels = tuple(each for each in _LABELS if each in elements)
    values = _values_of(path)
    answers = "answer" if path == "QuestionnaireResponse.item" else ""
    if not labels or not (values or answers):
        return None

    numbered = frozenset({*values, *((answers,) if answers else ())})

    def before(value: dict[str, Any], run: Run) -> dict[str, Any]:
        if numbered.isdisjoint(value):
            return value
        found = [name for name in values if name in value and _may_be_age(value[name])]
        inner = value.get(answers) if answers else None
        if not found and not inner:
            return value
        told = [value.get(each) for each in labels]
        if any(map(says_birth, told)):
            return _without_births(value, (*values, *((answers,) if answers else ())), run)
        if not any(map(says_age, told)):
            return value
        out = {**value, **{name: _capped_value(value[name], run, is_age=True) for name in found}}
        if isinstance(inner, list):
            out[answers] = [_capped_answer(each, run) for each in inner]
        return out

    return before


def _values_of(path: str) -> tuple[str, ...]:
    kinds = {*_NUMBERS, *QUANTITIES, "Range"}
    return tuple(
        each.name
        for each in fhir_types()[path].values()
        if each.stem in ("value", "detail") and each.type in kinds
    )


def _capped_answer(answer: Any, run: Run) -> Any:
    if not isinstance(answer, dict):
        return answer
    names = [name for name in _values_of("QuestionnaireResponse.item.answer") if name in answer]
    return {**answer, **{name: _capped_value(answer[name], run, is_age=True) for name in names}}


def says_birth(label: Any) -> bool:
    """Whether a label, as `says_age` has it, says that a number is a year or a day of birth."""
    return any(map(_is_birth, _texts(label)))


@lru_cache(maxsize=4096)
def _is_birth(text: str) -> bool:
    return text in _BIRTHS or _SAYS_BIRTH.search(text.replace("_", " ")) is not None


def _without_births(value: dict[str, Any], names: tuple[str, ...], run: Run) -> dict[str, Any]:
    """Return an object without numbers that say that somebody is over 89, or the day of a birth."""
    out = dict(value)
    for name in names:
        given = out.get(name)
        if isinstance(given, list):  # answers
            numbers = _values_of("QuestionnaireResponse.item.answer")
            out[name] = [
                _without_births(each, numbers, run) if isinstance(each, dict) else each
                for each in given
            ]
        number = given.get("value") if isinstance(given, dict) else given
        if is_decimal(number) and not int(LONG_AGO) <= as_number(number) <= _NO_YEAR:
            run.actions["Age.value", REMOVED] += 1
            del out[name]
    return out


def says_age(label: Any) -> bool:
    """Whether a text, a Coding, a CodeableConcept or one of several says that a number is an age."""
    return any(map(_is_age, _texts(label)))


@lru_cache(maxsize=4096)
def _is_age(text: str) -> bool:
    return text in _AGES or _SAYS_AGE.search(text.replace("_", " ")) is not None


def _texts(label: Any) -> Iterator[str]:
    if isinstance(label, str):
        yield label
    elif isinstance(label, list):
        for each in label:
            yield from _texts(each)
    elif isinstance(label, dict):
        for name in ("text", "display", "code"):
            if isinstance(label.get(name), str):
                yield label[name]
        if isinstance(label.get("coding"), list):
            yield from _texts(label["coding"])


def _may_be_age(value: Any) -> bool:
    if isinstance(value, dict) and "value" in value:
        number, unit = value["value"], _unit(value)
        if unit and unit not in _YEARS and unit not in _IN_A_YEAR:
            return False
    else:
        number = value
    return isinstance(number, dict) or (is_decimal(number) and as_number(number) > OLDEST_YEARS)


def _capped_value(value: Any, run: Run, *, is_age: bool) -> Any:
    """Return a number, a quantity or a range as it may stay where it is somebody's age."""
    if is_decimal(value):
        if not OLDEST_YEARS < as_number(value) <= _OLDEST:
            return value
        run.actions["Age.value", CAPPED] += 1
        return written(str(_TOP)) if isinstance(value, str) else _TOP
    if not isinstance(value, dict):
        return value
    if "value" not in value:
        return _with_ends(value, run, is_age=is_age)
    number = value["value"]
    if not is_decimal(number) or _years(as_number(number), value, is_age) <= OLDEST_YEARS:
        return value
    run.actions["Age.value", CAPPED] += 1
    return _at_most(value)


def _at_most(value: dict[str, Any]) -> dict[str, Any]:
    out = {name: each for name, each in value.items() if name != "comparator"}
    if _unit(value) not in _YEARS and _unit(value):
        out.update(unit="years", system="http://unitsofmeasure.org", code="a")
    out["value"] = written(str(_TOP)) if isinstance(value["value"], str) else _TOP
    return out


def _years(number: float, value: dict[str, Any], is_age: bool) -> float:
    unit = _unit(value)
    if unit in _YEARS:
        return number
    if unit in _IN_A_YEAR:
        return number / _IN_A_YEAR[unit]
    return number if is_age and not unit and number <= _OLDEST else 0


def _unit(value: dict[str, Any]) -> str:
    """Return a quantity's unit as far as it is one of time, else what it is called; empty where it has none."""
    code, unit = value.get("code"), value.get("unit")
    return _said(code if isinstance(code, str) else "", unit if isinstance(unit, str) else "")


@lru_cache(maxsize=4096)
def _said(code: str, unit: str) -> str:
    said = _ANNOTATION.search(code)
    bare = _ANNOTATION.sub("", code)  # a{age}
    if not bare and said and said[1] != "year":  # {years}, {age}; a {year} is one of the calendar
        bare = said[1]
    units = [each.strip().lower() for each in (bare, unit) if each.strip()]
    return next(
        (each for each in units if each in _YEARS or each in _IN_A_YEAR), "".join(units[:1])
    )
