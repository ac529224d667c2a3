"""Ages over 89 in resources, wherever they stand, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from deid.fhir.ages import says_age
from tests.fhir_samples import resource, result

UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
AGE = {"coding": [{"system": LOINC, "code": "30525-0"}]}
WEIGHT = {"coding": [{"system": LOINC, "code": "29463-7"}], "text": "weight"}


def observation(code: dict[str, Any], **value: Any) -> dict[str, Any]:
    return resource("Observation", id="o", status="final", code=code, **value)


@pytest.mark.parametrize(
    "value",
    [
        {"valueInteger": 93},
        {"valueQuantity": {"value": 93}},
        {"valueQuantity": {"value": 93, "unit": "years"}},
        {"valueQuantity": {"value": 1116, "unit": "months", "system": UCUM, "code": "mo"}},
        {"valueQuantity": {"value": 34000, "code": "d", "unit": "days", "system": UCUM}},
        {"valueQuantity": {"value": 4900, "code": "wk", "system": UCUM}},
        {"valueQuantity": {"value": 2_935_000_000, "unit": "s", "system": UCUM, "code": "s"}},
        {"valueQuantity": {"value": 48_915_000, "code": "min", "system": UCUM}},
        {"valueQuantity": {"value": 93, "code": "a{age}", "system": UCUM}},
        {"valueQuantity": {"value": 93, "code": "{age}", "system": UCUM}},
        {"valueQuantity": {"value": 93, "code": "{years}", "system": UCUM}},
        {"valueQuantity": {"value": 93, "code": "258707000", "system": "http://snomed.info/sct"}},
        {"valueQuantity": {"value": 93, "unit": "ans"}},
        {"valueQuantity": {"value": 93, "unit": "Jahre"}},
        {"valueRange": {"low": {"value": 93}, "high": {"value": 95}}},
        {"component": [{"code": {"text": "Age"}, "valueInteger": 97}]},
    ],
)
def test_an_age_over_89_is_90(value: dict[str, Any]) -> None:
    new = result(observation(AGE, **value))
    text = str(new)
    assert "90" in text
    assert not any(
        each in text
        for each in ("93", "95", "97", "1116", "34000", "4900", "48915", "mo'", "'d'", "'s'")
    )


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (AGE, {"valueInteger": 89}),
        (AGE, {"valueQuantity": {"value": 71, "unit": "years", "system": UCUM, "code": "a"}}),
        (AGE, {"valueQuantity": {"value": 600, "unit": "months", "system": UCUM, "code": "mo"}}),
        (AGE, {"valueQuantity": {"value": 1931}}),
        (AGE, {"valueQuantity": {"value": 1931, "code": "{year}", "system": UCUM}}),
        (WEIGHT, {"valueQuantity": {"value": 86_400, "unit": "s", "system": UCUM, "code": "s"}}),
        (WEIGHT, {"valueQuantity": {"value": 93, "code": "{score}", "system": UCUM}}),
        (WEIGHT, {"valueInteger": 93}),
        (WEIGHT, {"valueQuantity": {"value": 93, "unit": "kg", "system": UCUM, "code": "kg"}}),
        (WEIGHT, {"valueQuantity": {"value": 93}}),
        (WEIGHT, {"valueQuantity": {"value": 280, "unit": "days", "system": UCUM, "code": "d"}}),
        (WEIGHT, {"valueRange": {"low": {"value": 93}, "high": {"value": 99}}}),
        (WEIGHT, {"component": [{"code": {"text": "Dosage"}, "valueInteger": 97}]}),
    ],
)
def test_what_is_no_age_over_89_stays(code: dict[str, Any], value: dict[str, Any]) -> None:
    new = result(observation(code, **value))
    for name, each in value.items():
        kept = new[name]
        if name == "component":
            assert kept[0]["valueInteger"] == each[0]["valueInteger"]
        else:
            assert kept == each


def test_the_unit_of_one_end_of_a_range_stands_for_both() -> None:
    ends = {"low": {"value": 93}, "high": {"value": 97, "unit": "yr"}}
    new = result(resource("Condition", id="c", onsetRange=ends))["onsetRange"]
    assert [new["low"]["value"], new["high"]["value"]] == [90, 90]


def test_an_answer_is_an_age_where_its_question_says_so() -> None:
    answers = [{"valueInteger": 93}, {"valueDecimal": 93.5}, {"valueQuantity": {"value": 93}}]
    items = [
        {"linkId": "1", "text": "Age", "answer": answers},
        {"linkId": "2", "text": "Weight", "answer": [{"valueInteger": 93}]},
    ]
    new = result(resource("QuestionnaireResponse", id="q", status="completed", item=items))
    first, second = new["item"]
    assert [*first["answer"][0].values(), *first["answer"][1].values()] == [90, 90]
    assert first["answer"][2] == {"valueQuantity": {"value": 90}}
    assert second["answer"] == [{"valueInteger": 93}]


def test_a_parameter_is_an_age_by_its_name() -> None:
    parameters = [{"name": "patientAge", "valueInteger": 93}, {"name": "count", "valueInteger": 93}]
    new = result(resource("Parameters", parameter=parameters))
    assert [each["valueInteger"] for each in new["parameter"]] == [90, 93]


@pytest.mark.parametrize(
    "label",
    ["Age", "patient age", "Age at onset", "AGE", "Alter", "Âge du patient", "edad", "How old are you?",
     {"coding": [{"code": "397669002"}]}, [{"text": "x"}, {"text": "age"}], "年齢", "patient_age",
     "patientAge"],
)  # fmt: skip
def test_a_label_says_age(label: Any) -> None:
    assert says_age(label)


@pytest.mark.parametrize(
    "label",
    ["Dosage", "Image", "stage", "Agent", "Percentage", "average", "triage", "PAGE", "Ageusia", "Alteration",
     {"coding": [{"code": "29463-7"}]}, None, 7, [], "Contrast agent", "passages", "Edadern"],
)  # fmt: skip
def test_another_label_does_not(label: Any) -> None:
    assert not says_age(label)


@pytest.mark.parametrize(
    ("said", "stays"),
    [("1929-03-04", False), ("1936", False), ("1936-12-31T10:00:00Z", False), ("1938-05-06", True),
     ("2019", True)],
)  # fmt: skip
def test_a_date_goes_that_only_the_oldest_have(said: str, stays: bool) -> None:
    birth = {"coding": [{"system": LOINC, "code": "21112-8"}]}
    new = result(observation(birth, valueDateTime=said))
    assert ("valueDateTime" in new) is stays
    condition = result(resource("Condition", id="c", onsetDateTime=said))
    assert ("onsetDateTime" in condition) is stays


BIRTH_YEAR = {"coding": [{"system": LOINC, "code": "80904-6"}]}


@pytest.mark.parametrize(
    ("code", "value", "stays"),
    [
        (BIRTH_YEAR, {"valueInteger": 1931}, False),
        (BIRTH_YEAR, {"valueQuantity": {"value": 1931, "code": "{year}", "system": UCUM}}, False),
        ({"text": "Year of birth"}, {"valueInteger": 1936}, False),
        ({"text": "Birth date"}, {"valueInteger": 19570312}, False),
        ({"text": "Geburtsjahr"}, {"valueInteger": 1931}, False),
        (BIRTH_YEAR, {"valueInteger": 1937}, True),
        (BIRTH_YEAR, {"valueInteger": 2019}, True),
        ({"text": "Year of surgery"}, {"valueInteger": 1931}, True),
        ({"text": "Birth weight"}, {"valueInteger": 1931}, True),
        ({"text": "birthdays"}, {"valueInteger": 1931}, True),
    ],
)
def test_a_number_that_is_a_year_of_birth_goes_where_a_date_would(
    code: dict[str, Any], value: dict[str, Any], stays: bool
) -> None:
    new = result(observation(code, **value))
    assert {name: new[name] for name in value if name in new} == (value if stays else {})
    (name, given), *_ = value.items()
    if name == "valueInteger" and "text" in code:
        item = {"linkId": "1", "text": code["text"], "answer": [{name: given}, {name: 7}]}
        told = resource("QuestionnaireResponse", id="q", status="completed", item=[item])
        answers = result(told)["item"][0].get("answer", [])
        assert ({name: given} in answers) is stays
