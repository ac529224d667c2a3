"""Orders and reports in thirteen languages: what tells of nobody stays, people and their days go."""

from __future__ import annotations

import re

import pytest

from deid.identity.shifts import Shift
from deid.text import patterns
from deid.text.cleaning import TextCleaning
from deid.text.folding import words
from deid.text.policy import TextPolicy
from deid.text.vocabulary import is_recognised
from tests.benchmarks.phrases import KEY
from tests.phrases import phrases

_MARKED = re.compile(r"\[\[(.*?)\]\]")
_WORD = re.compile(r"[^\W_]+")
_SAYING_NOTHING = words(
    "van de la le del do das st dr im pod los utca caddesi hastanesi hospital kórház praxis dres"
)
LANGUAGES = sorted(phrases("languages"))


def cleaned(text: str, *, strict: bool) -> str:
    cleaner = TextCleaning(TextPolicy(strict=strict), KEY)
    return cleaner.clean_value("LO", text, (), shift=Shift(37)).text


def test_there_are_a_thousand_phrases_in_thirteen_languages() -> None:
    assert len(LANGUAGES) == len(phrases("languages_people")) == 13
    assert min(len(each) for each in phrases("languages").values()) >= 100
    assert min(len(each) for each in phrases("languages_people").values()) >= 33


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("strict", [True, False], ids=["Clean Descriptors", "tag contents"])
def test_few_phrases_that_tell_of_nobody_are_damaged(language: str, *, strict: bool) -> None:
    listed = phrases("languages")[language]
    lost = [text for text in listed if cleaned(text, strict=strict) != text]

    assert len(lost) <= 0.1 * len(listed), lost


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("strict", [True, False], ids=["Clean Descriptors", "tag contents"])
def test_few_people_are_left(language: str, *, strict: bool) -> None:
    left = []
    marks = 0
    for marked in phrases("languages_people")[language]:
        new = {
            word.lower()
            for word in _WORD.findall(cleaned(_MARKED.sub(r"\1", marked), strict=strict))
        }
        for identifier in _MARKED.findall(marked):
            marks += 1
            telling = {word.lower() for word in _WORD.findall(identifier)} - _SAYING_NOTHING
            if telling & new:
                left.append((marked, new))
    assert len(left) <= 0.09 * marks, left


@pytest.mark.parametrize(
    "text",
    [
        "född 1951-03-12", "født 12.03.1951", "ur. 14.05.1952", "nar. 12.3.1951", "szül. 1951.03.12",
        "doğum tarihi 12.03.1955", "syntynyt 12.3.1951", "nascido em 22/09/1951", "nato a Thiene il 03/11/1944",
        "née Kervella, 11.05.1939", "geb. Dallinger, 03.06.1938", "nascida a 11/05/1939", "f. nac. 11/05/1939",
        "urodzony w 1941", "narozen 1944", "narozena v roce 1944", "született 1944", "synt. 1936", "född 1943",
        "1948 doğumlu", "rocznik 1936",
    ],
)  # fmt: skip
def test_days_and_years_of_birth_are_known_as_such(text: str) -> None:
    assert "[DATE_OF_BIRTH]" in cleaned(text, strict=False)


@pytest.mark.parametrize(
    "text",
    [
        "PLZ 83026", "ZIP 60601", "C.P. 28250", "CAP 36016", "CEP 01310-100", "postnr 9800", "PSČ 393 01",
        "kod pocztowy 05-402", "irsz. 6001", "code postal 56100", "postcode 8331 AB", "Petőfi utca 12",
        "Atatürk Caddesi no 12", "Skovvejen 12", "9800 Hjørring", "6000 Kecskemét",
    ],
)  # fmt: skip
def test_postal_codes_and_streets_go(text: str) -> None:
    assert not any(map(str.isdigit, cleaned(text, strict=False)))


@pytest.mark.parametrize(
    "text", ["nach 2019", "cap 3 mm", "Cap 12", "zip 5", "TR 500 TE 15", "n. 1 58", "Pan CT 64"]
)
def test_numbers_that_are_none_of_these_stay(text: str) -> None:
    assert cleaned(text, strict=False) == text


@pytest.mark.parametrize(
    "word",
    [
        "mammográfia", "mammografie", "mamografía", "mammografisk", "cholecystektomia", "kolecystektomi",
        "Hepatosplenomegalie", "bronkiektasiat", "tromboembolismo", "multiparametrisch",
        "sacroilíacas", "szcintigráfia", "scyntygrafia", "osteosynteesi", "pneumoperitoneo", "divertikuliitti",
    ],
)  # fmt: skip
def test_words_of_the_stems_of_medicine_are_recognised_in_any_spelling(word: str) -> None:
    assert is_recognised(word)


@pytest.mark.parametrize(
    "word",
    ["nerkowych", "kovového", "tüdőkben", "polvessa", "akciğerlerde", "knoglerne", "bihålorna"],
)
def test_words_are_recognised_with_the_endings_of_their_language(word: str) -> None:
    assert is_recognised(word)


@pytest.mark.parametrize(
    "word", ["Karotisstenos", "Diskusprolaps", "Knoglescintigrafi", "Tumorstaging", "keuhkopussi"]
)
def test_compounds_of_medicine_and_a_language_are_recognised(word: str) -> None:
    assert is_recognised(word)


@pytest.mark.parametrize(
    "name",
    [
        "Scheurer", "Vazquez", "Irizarry", "Costache", "Kovář", "Micha", "Maja", "Aline", "Damaris",
        "Coronado", "Trombetta", "Perrone",
        "Talarico", "Angioni", "Spinelli", "Gaston", "Halina", "Pernilla", "Mårten", "Hilario", "Annemie",
        "Synnøve", "Székely", "Sterner", "Varricchio", "Koster", "Mollet", "Senad", "Servet", "Frans",
        "Régis", "Jos", "Kyla", "Tyra", "Meret", "Axelen", "Černý", "Fehér", "Groot", "Derin", "Kivi",
    ],
)  # fmt: skip
def test_no_name_is_made_of_them(name: str) -> None:
    assert not is_recognised(name)


@pytest.mark.parametrize(
    ("word", "name"), [("kýla", "Kyla"), ("kärlen", "Karlen"), ("tyrä", "Tyra")]
)
def test_a_word_that_is_a_name_without_its_diacritics_is_recognised_with_them(
    word: str, name: str
) -> None:
    assert is_recognised(word)
    assert not is_recognised(name)


@pytest.mark.parametrize(
    "text",
    [
        "Patienten Supin Med Kontrast", "potilas Selinmakuulla", "pacient Supinace", "beteg Hanyatt",
        "pacjent Leżąc", "patienten Bukläge", "patient Rugligging", "hasta Supin Pozisyon",
        "TC hasta Sínfisis Púbica", "RM desde Acromion hasta Tróquiter",
        "Desde Apex hasta Bases Pulmonares", "paziente Prona",
        "Technik Dixon Vibe",
    ],
)  # fmt: skip
def test_how_a_patient_lies_is_no_name(text: str) -> None:
    assert "PERSON_NAME" not in {each.info_type for each in patterns.find(text)}


@pytest.mark.parametrize(
    "text",
    [
        "Hasta: Ayşe Demirtaş",
        "potilas Virtanen",
        "pacient Novák",
        "beteg Szabó Éva",
        "technik Nowak",
    ],
)
def test_who_lies_there_is_a_name(text: str) -> None:
    assert "PERSON_NAME" in {each.info_type for each in patterns.find(text)}
