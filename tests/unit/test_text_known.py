"""The patient's own identifiers, however they are written."""

from __future__ import annotations

import pytest

from deid.identity.identifiers import KnownIdentifier
from deid.text.findings import merged
from deid.text.known import KnownText, prepare


def known(*entries: tuple[str, str]) -> KnownText:
    return prepare(KnownIdentifier(value, kind) for value, kind in entries)


def left(text: str, patient: KnownText) -> str:
    rest, at = "", 0
    for found in merged(patient.find(text)):
        rest += text[at : found.start]
        at = found.stop
    return rest + text[at:]


PATIENT = known(
    ("Zimmermann^Quirin^Leopold^Dr.", "PERSON_NAME"),
    ("MRN-004711", "MEDICAL_RECORD_NUMBER"),
    ("19710203", "DATE_OF_BIRTH"),
    ("A1234567", "ACCESSION"),
    ("+49 (30) 901820", "PHONE_NUMBER"),
    ("St. Vitus Hospital Klagenbach", "ORGANIZATION_NAME"),
    ("Am Hang 5, 9020 Klagenbach", "STREET_ADDRESS"),
)


@pytest.mark.parametrize(
    "text",
    [
        "Zimmermann",
        "ZIMMERMANN, QUIRIN",
        "quirin zimmermann",
        "Quirin L. Zimmermann",
        "Q. Zimmermann",
        "ZIMMERMANN Q",
        "Zimmerman",
        "Zimermann",
        "Zimmermanns",
        "QuirinZimmermann",
        "QZimmermann",
        "Zímmermann",
        "Q.Z.",
        "Zimmer-Mann",
        "ZIMMER MANN",
        "Z1MMERMANN",
        "QU1R1N",
        "nnamremmiZ",
        "MRN 004711",
        "MRN004711",
        "mrn_00-4711",
        "4711",
        "03021971",
        "030271",
        "A-1234567",
        "a 123 4567",
        "030 901820",
        "+4930901820",
        "Klagenbach",
        "Am Hang 5",
    ],
)
def test_each_way_of_writing_an_identifier_is_found(text: str) -> None:
    rest = left(f"seen {text}; knee", PATIENT)
    assert not any(character.isdigit() for character in rest)
    for word in ("immer", "uirin", "klagen", "hang"):
        assert word not in rest.lower()
    assert rest.startswith("seen ")
    assert rest.endswith("; knee")


@pytest.mark.parametrize(
    "text",
    [
        "CT ABDOMEN W CONTRAST",
        "T2 AX FS L4/L5 512 x 512",
        "ST. elevation, hospital course",
        "47110",
        "TE 90 TR 2000",
    ],
)
def test_what_is_not_the_patients_stays(text: str) -> None:
    assert left(text, PATIENT) == text


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("Müller^Jürgen", "JUERGEN MUELLER"),
        ("Mueller^Juergen", "Jürgen Müller"),
        ("Søndergård^Åse", "Sondergard"),
        ("Łukaszewicz^Stanisław", "LUKASZEWICZ STANISLAW"),
        ("Buc^Jérôme", "Jerome BUC"),
        ("Шведова^Раиса", "Шведовой"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "山田太郎"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "やまだ たろう"),
        ("Hong^Gildong=洪^吉洞=홍^길동", "홍길동"),
        ("Wang^XiaoDong=王^小东", "王小东"),
    ],
)
def test_names_are_found_across_scripts_and_spellings(header: str, text: str) -> None:
    assert not left(text, known((header, "PERSON_NAME"))).strip()


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("Ouyang^Xiuying", "Ou-Yang Xiu Ying"),
        ("Vandenberghe^Lies", "Van den Berghe"),
        ("O'Hanrahan^Maeve", "O Hanrahan"),
        ("LE GUENNEC^Anne", "A. Le Guennec"),
        ("van 't Hoff^Pieter", "P. van 't Hoff"),
        ("de la Torre^Ana", "delaTorreA"),
        ("de la Torre^Ana", "xxdelatorrexx"),
        ("van der Meulen^Joost", "vdMeulen J"),
    ],
)
def test_names_are_found_written_apart_and_behind_particles(header: str, text: str) -> None:
    assert not left(text, known((header, "PERSON_NAME"))).strip()


@pytest.mark.parametrize(
    ("header", "text"),
    [
        # In one word, where it is too short for what looks for misspellings and disguises.
        ("Ott^Ida", "IDAOTT"),
        ("Lee^Kim", "KIMLEE"),
        ("Diaz^Leo", "DLeo"),
        ("Long^Amy", "ALong"),
        # Backwards, with marks that stay on their letters.
        ("Müller^Jürgen", "NEGRÜJ"),
        ("Söndergård^Åse", "drågrednöS"),
        ("Шведова^Раиса", "АВОДЕВШ"),
        ("Levitt^Dennis", "SINNED"),
        # Digits for letters of a name in one word, and beside letters that ASCII does not have.
        ("Ott^Ida", "0TTIDA"),
        ("Zimmermann^Quirin", "QU1R1NZ1MM3RM4NN"),
        ("Muñoz^Íñigo", "MUÑ0Z"),
        ("Brown^Rose", "8R053"),
        ("Anders^Rolf", "4ND3R5R01F"),
    ],
)
def test_names_are_found_run_together_backwards_and_with_digits(header: str, text: str) -> None:
    assert not left(text, known((header, "PERSON_NAME"))).strip()


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("Zimmermann^Quirin", "ZIMMERMANN Q"),
        ("Zimmermann^Quirin", "Zimmermann, Q."),
        ("Li^Na", "N.L."),
        ("Li^Na", "N. L."),
        ("Zimmermann^Quirin", "Quirinen"),
        ("Zimmermann^Quirin", "Zimmermannovie"),
    ],
)
def test_initials_beside_a_name_and_endings_behind_it_go_with_it(header: str, text: str) -> None:
    assert left(f"seen {text}; knee", known((header, "PERSON_NAME"))) == "seen ; knee"


@pytest.mark.parametrize("text", ["034/1971", "1971034"])
def test_a_date_of_birth_that_is_counted_in_days_is_found(text: str) -> None:
    assert left(f"seen {text}; knee", known(("19710203", "DATE_OF_BIRTH"))) == "seen ; knee"


@pytest.mark.parametrize("text", ["MRN 4711", "MRN-0004711", "XK47", "xk-47"])
def test_each_number_of_a_value_is_found_with_and_without_its_zeros(text: str) -> None:
    patient = known(("0004711\\XK47", "MEDICAL_RECORD_NUMBER"))
    assert not any(character.isdigit() for character in left(f"seen {text}; knee", patient))


def test_a_date_of_birth_with_a_short_year_is_of_the_last_century_too() -> None:
    from deid.text import dates  # noqa: PLC0415

    patient = known(("19291203", "DATE_OF_BIRTH"))
    assert [patient.is_birth(each) for each in dates.find("12/03/29, 12/04/29")] == [True, False]


def test_an_everyday_word_is_the_name_only_where_it_is_meant() -> None:
    patient = known(("Long^Amy", "PERSON_NAME"))
    assert left("LONG AXIS VIEW of the long bones", patient) == "LONG AXIS VIEW of the long bones"
    assert "Long" not in left("I saw Long today", patient)
    assert "LONG" not in left("LONG AMY CHEST", patient)
    assert "LONG" not in left("MR LONG CHEST", patient)


def test_a_date_of_birth_is_recognised_either_way_round() -> None:
    from deid.text import dates  # noqa: PLC0415

    for text in ("02/03/1971", "03/02/1971"):
        [found] = dates.find(text)
        assert PATIENT.is_birth(found), text


def test_identifiers_that_say_nothing_are_ignored() -> None:
    patient = known(("Anonymous^Patient", "PERSON_NAME"), ("1", "MEDICAL_RECORD_NUMBER"))
    assert left("anonymous patient 1", patient) == "anonymous patient 1"


@pytest.mark.parametrize(
    "text",
    [
        "88 Winding Creek Ct",
        "Winding Creek Ct",
        "WINDING_CREEK",
        "88 Winding Creek",
        "lives on winding creek",
    ],
)
def test_a_street_is_found_without_its_number_and_what_it_is(text: str) -> None:
    address = known(("88 Winding Creek Ct\\Ketterford, OH", "STREET_ADDRESS"))
    assert "winding" not in left(text, address).lower()


@pytest.mark.parametrize("text", ["winding course", "88 images", "Winding of the coil", "CT head"])
def test_words_of_a_street_by_themselves_stay(text: str) -> None:
    address = known(("88 Winding Creek Ct\\Ketterford, OH", "STREET_ADDRESS"))
    assert left(text, address) == text


def test_an_address_of_everyday_words_is_not_found_without_its_number() -> None:
    address = known(("4 Upper Left Ct", "STREET_ADDRESS"))
    assert left("upper left lobe", address) == "upper left lobe"
    assert left("at 4 Upper Left Ct", address) == "at "


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("Nguyễn^Thị Hồng Nhung", "NTHN"), ("Kowalczyk^Anna", "KWLCZK"), ("Kowalczyk^Anna", "kwlczk"),
        ("van der Meulen^Joost", "VDMJ"), ("Okonkwo^Chidinma", "KNKW"),
    ],
)  # fmt: skip
def test_a_name_is_found_as_initials_of_four_parts_and_without_its_vowels(
    header: str, text: str
) -> None:
    assert not left(text, known((header, "PERSON_NAME"))).strip()


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("Stone^Rose", "STND"), ("Wiborat^Eva", "KWLT"), ("Kowalczyk^Anna", "KWL"), ("Kowalczyk^Anna", "KA"),
        ("Centaur^Ole", "CNT"), ("Anna^Eva", "NN"), ("Contrail^Eva", "CNTR"),
    ],
)  # fmt: skip
def test_other_capitals_without_vowels_are_not_the_name(header: str, text: str) -> None:
    assert left(text, known((header, "PERSON_NAME"))) == text
