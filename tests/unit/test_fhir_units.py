"""Units of UCUM are told from names."""

from __future__ import annotations

import pytest

from deid.fhir.units import is_unit


def is_term(text: str) -> bool:
    return text in {"score", "beats", "nominal", "protein"}


@pytest.mark.parametrize(
    "unit",
    [
        "mm", "cm", "mm[Hg]", "kg/m2", "{score}", "/min", "10*3/uL", "mg/dL", "mmol/L", "%", "U/L", "m[IU]/mL",
        "ng/mL", "fL", "pg", "a", "d", "h", "mo", "wk", "10*6/uL", "Cel", "[degF]", "ug/kg/min",
        "meq/L", "mL/min", "[in_i]", "[lb_av]", "{beats}/min", "MBq", "mGy.cm", "[hnsf'U]",
        "kV", "mm2/s", "mT/m", "cm[H2O]", "1/d",
        "nmol/min/mg{protein}", "m/s2", "mL/(kg.h)",
    ],
)  # fmt: skip
def test_units_are_units(unit: str) -> None:
    assert is_unit(unit, is_term)


@pytest.mark.parametrize(
    "text",
    [
        "Yamada", "Hong", "Wang", "Fictional", "Li", "Ng", "Kim", "{Yamada}", "mm{Hong}", "[Wang]", "mm[Wang]",
        "MRN4711", "4711002", "mm 4711", "12.03.1957", "m.Hong", "", "x" * 60, "mg/Miller",
    ],
)  # fmt: skip
def test_names_and_numbers_are_none(text: str) -> None:
    assert not is_unit(text, is_term)
