"""Which texts identify: known identifiers with OCR errors, patterns, vocabulary, illegible ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deid.errors import ConfigurationInvalid
from deid.identity.identifiers import KnownIdentifier
from deid.pixels.fillings import is_explained, is_lettering, is_of_letters
from deid.pixels.geometry import Box
from deid.pixels.judgement import (
    Judgement,
    is_cut_perhaps,
    is_misread_perhaps,
    is_misspelt_perhaps,
    may_stay,
)
from deid.pixels.policy import CustomRegex
from deid.pixels.ports import FoundRegion, TextRegion
from deid.pixels.same_line import together
from deid.pixels.screen_words import (
    ALSO_NAMES,
    BEGINNINGS,
    JOINABLE,
    NAMES_LIKE_WORDS,
    WORDS,
    descriptive_words,
    is_also_name,
)
from deid.text.months import MONTHS
from deid.text.vocabulary import is_name

KNOWN = (
    KnownIdentifier("OCONNOR^SIOBHAN", "PERSON_NAME"),
    KnownIdentifier("LI^WEI", "PERSON_NAME"),
    KnownIdentifier("B5108", "MEDICAL_RECORD_NUMBER"),
    KnownIdentifier("US10207099", "ACCESSION"),
    KnownIdentifier("19700805", "DATE_OF_BIRTH"),
    KnownIdentifier("Saint Luke Hospital", "ORGANIZATION_NAME"),
    KnownIdentifier("056Y", "AGE"),
)


def _why(text: str, legibility: float = 0.97, **options: object) -> str | None:
    judgement = Judgement(**options)  # type: ignore[arg-type]
    region = TextRegion(Box(0, 0, 10, 10), 0.9, text, legibility)
    return judgement.why(region, judgement.knowing(KNOWN))


@pytest.mark.parametrize(
    "text",
    [
        "OCONNOR", "0C0NN0R", "OCONN0R, SIOBHAN", "Siobhan O'Connor", "SI0BHAN", "S1OBHAN", "OC0NNR",
        "LI WEI", "WE1", "ID B5108", "B51O8", "85108", "BS1O8", "US1O2O7O99", "USI0207099", "US 1020 7099",
        "05.08.1970", "08/05/1970", "1970-08-05", "O5.O8.197O", "Luke", "LUKE HOSP", "56Y", "O C O N N O R",
    ],
)  # fmt: skip
def test_known_identifiers_are_recognised_through_the_recogniser_s_errors(text: str) -> None:
    assert _why(text) is not None


@pytest.mark.parametrize(
    ("text", "info_type"),
    [
        ("12 JUN 2014", "DATE"),
        ("2014/06/12", "DATE"),
        ("06-12-14", "DATE"),
        ("March 3, 2021", "DATE"),
        ("Dr. Jones", "PERSON_NAME"),
        ("MUELLER^HANS", "PERSON_NAME"),
        ("Name: Hans", "PERSON_NAME"),
        ("MRN 4711", "MEDICAL_RECORD_NUMBER"),
        ("ID: 12345", "MEDICAL_RECORD_NUMBER"),
        ("Acc# 99123", "ACCESSION"),
        ("Tel 555-123-4567", "PHONE_NUMBER"),
        ("someone@example.org", "EMAIL_ADDRESS"),
        ("123-45-6789", "US_SOCIAL_SECURITY_NUMBER"),
        ("Riverside Clinic", "LOCATION"),
        ("84123377", "GENERIC_ID"),
        ("047Y", "AGE"),
        ("DOB", "DATE_OF_BIRTH"),
        ("1.2.840.113619.2.1.1", "DICOM_UID"),
        ("2.25.330440390120112", "DICOM_UID"),
    ],
)
def test_patterns_name_their_info_type(text: str, info_type: str) -> None:
    assert _why(text) == f"info_type:{info_type}"


@pytest.mark.parametrize(
    "text",
    [
        "L", "R", "RT", "LEFT LATERAL", "AP ERECT", "APERECT", "SUP INE", "kVp 120", "mA 250", "THK 5.0 mm",
        "W 400 L 40", "28 Hz", "MI 1.1", "TIS 0.6", "11cm", "Dist 1.06 cm", "PSV 85.2 cm/s", "HR 72 bpm",
        "FR 45", "2D", "Frame 12/60", "ZOOM 1.5", "100%", "-34.5", "SAG T2 FSE", "+C ARTERIAL", "3/3/4",
        "DFOV 25.0 cm", "MEAN 43.2 HU", "Gn 60", "C5-1", "Harmonics", "LT KIDNEY", "Liver", "T12",
        "MAX 118 HU", "Page 1/3", "DR 65 dB", "LONG AXIS", "LINKS", "RÜCKENLAGE", "Tiefe 16 cm", "Gauche",
        "Profondeur 16 cm", "DERECHA", "Destra", "左", "立位", "0.3 µGy", "T1 MPRAGE", "VELOCIDAD 20 cm/s",
    ],
)  # fmt: skip
def test_laterality_measurements_and_settings_stay(text: str) -> None:
    assert _why(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "EPIQ 7C", "Affiniti 70G", "RAB6-D", "C5-1", "eL18-4", "TI-RADS 3", "12 o'clock", "E' Sept",
        "AVA (VTI)", "Em:0", "EC 1/1", "SW 3.0", "DIXON W", "Waters view", "COBB angle 12", "Preliminary",
        "Unverified", "Store in progress", "*tfl3d1_16ns", "HEA;HEP", "Post-op",
        "TR:1500.0 ms TE:135.0 ms", "Slice 0.6/16", "*ep_b1000t", "HE1-4;NE1,2", "12 de 96", "WATERS VIEW",
        "RV5/SV1 1.42/0.87 mV", "DAP 1.2 d6ycm2", "Within normal limits", "HM70A",
        "ADC (10^-6 mm\u00b2/s)", "LICA PROX", "LONG", "RAO", "Stone", "Acc 412 cm/s\u00b2",
        "Niere re. quer", "RENE DX", "Ventana \u00f3sea", "Bloc de branche droit", "Hoofd eerst",
        "cholelithiasis", "Hepatomegaly", "Talon 3", "Warstwa 5 mm", "SIMPLE cyst",
    ],
)  # fmt: skip
def test_products_conditions_and_what_is_known_by_its_company_stay(text: str) -> None:
    assert _why(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Waters", "Cobb", "Waters 12", "Fisher 3", "Talon", "Simple", "Siemens", "Zeiss", "AVA", "Nurse Long",
        "Surgeon: Short", "Dixon", "Sept", "STOEV", "Geier", "RAB6-1985", "C5-1-1985", "Clock, A", "Omero",
        "Patient 3", "E. Sept", "Passport 12", "Progress", "Hunter 12", "Banker 12", "Better",
        "HS61", "PT 4711", "Ms Long", "Rene", "Kopf", "Van Beek 12", "12 Dr Long",
    ],
)  # fmt: skip
def test_what_may_be_a_name_or_stands_beside_one_does_not(text: str) -> None:
    assert _why(text) is not None


def test_what_cannot_be_read_with_confidence_goes() -> None:
    assert _why("kVp 120", legibility=0.88) == "unreadable"
    assert _why("", legibility=0.0) == "unreadable"


@pytest.mark.parametrize(
    "text",
    ["Kowalczyk", "xkcd qwer", "Πέτρος", "山田太郎", "SARA", "PALMER", "李", "王 3", "HANSUPINE"],
)
def test_words_outside_the_vocabulary_go(text: str) -> None:
    assert _why(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "MAX", "Stone, Max", "PAGE", "Dr.", "REX", "Max S.", "Long, A", "Rao, K", "Stone J.", "Long Max",
        "J. Short",
    ],
)  # fmt: skip
def test_words_that_are_names_or_titles_too_do_not_stay_on_their_own(text: str) -> None:
    assert _why(text) == "unreadable"


def test_the_vocabulary_holds_few_names_and_none_that_stays_alone() -> None:
    names = {word for word in WORDS if is_name(word)}
    assert names <= ALSO_NAMES
    assert len(names) < 20
    assert not WORDS & NAMES_LIKE_WORDS
    assert BEGINNINGS <= WORDS
    assert not names & JOINABLE


def test_words_of_descriptions_are_nobodys_names_and_the_short_ones_count_in_company() -> None:
    assert len(descriptive_words()) > 3_000
    assert not any(map(is_name, descriptive_words()))
    assert not descriptive_words() & (WORDS | JOINABLE)
    assert min(len(word) for word in descriptive_words() if not is_also_name(word)) == 6


_DAYS = (
    "12 {} 2019",
    "12. {} 61",
    "12 de {} de 2019",
    "el 12 de {} del 2019",
    "12 di {} 2019",
    "12-{}-2019",
)


@pytest.mark.parametrize("language", sorted(MONTHS))
def test_days_go_in_the_words_of_every_language(language: str) -> None:
    months = {name for forms in MONTHS[language] for name in forms if len(name) >= 5}
    days = [day.format(month) for month in months for day in _DAYS]
    assert [day for day in days if _why_of_a_stranger(day) is None] == []


@pytest.mark.parametrize("month", ["oct", "avr", "gen", "mag", "lut", "led", "out", "set"])
def test_days_with_short_months_that_are_words_as_well_go_between_their_particles(
    month: str,
) -> None:
    assert _why_of_a_stranger(f"12 de {month} de 2019") == "info_type:DATE"


@pytest.mark.parametrize(
    "text",
    [
        "Vorname Long", "Nachname: Short", "Sonographer Stone", "Untersucher Base", "Radiologe Rex",
        "Referring Long", "Signora Bella", "Madame Long", "Doktor Short", "Ospedale Maggiore",
        "Krankenhaus Mitte", "Confirmed Long", "Checked 12 Long", "*Kowalczyk", "*DOE1961", "LEE;KIM",
        "DOE;JAN;ANN", "QD12-61", "AB33-61", "WILSON KIDNEY LT", "Baker vein", "Hunter line 3",
        "Graves LT", "aug 2019", "sep 1961", "12 fevrier 2019", "October 12",
    ],
)  # fmt: skip
def test_what_names_somebody_beside_words_that_may_stay_goes(text: str) -> None:
    assert _why_of_a_stranger(text) is not None


def _why_read_as(*readings: tuple[str, float]) -> str | None:
    judgement = Judgement()
    (text, legibility), *others = readings
    region = TextRegion(Box(0, 0, 10, 10), 0.9, text, legibility, tuple(others))
    return judgement.why(region, judgement.knowing(KNOWN))


def test_a_text_stays_when_another_reading_as_sure_explains_it() -> None:
    assert _why_read_as(("SAG T2 FSR", 0.95)) == "unreadable"
    assert _why_read_as(("SAG T2 FSR", 0.95), ("SAG T2 FSE", 0.94)) is None
    assert _why_read_as(("SAG T2 FSR", 0.95), ("SAG T2 FSE", 0.82)) == "unreadable"


@pytest.mark.parametrize(
    "text", ["SOFT TISSUL", "JECUBITUS", "Gallbladde", "TMA 45", "V E N A U S"]
)
def test_a_word_that_is_in_no_list_may_be_misread(text: str) -> None:
    assert is_misread_perhaps(text)


@pytest.mark.parametrize(
    "text",
    ["SOFT TISSUE", "kV 100", "L", "1629478", "Wright", "PALMER", "Sean 3", "XQ 12", "山田", ""],
)
def test_what_may_stay_and_what_is_a_name_is_not_misread(text: str) -> None:
    assert not is_misread_perhaps(text)


def test_a_text_goes_when_any_sure_reading_identifies() -> None:
    assert _why_read_as(("43735 cm", 0.97), ("US10207099", 0.96)) == "known_identifier"
    assert _why_read_as(("16 cm", 0.97), ("12 JUN 2014", 0.95)) == "info_type:DATE"
    assert _why_read_as(("16 cm", 0.97), ("12 JUN 2014", 0.5)) is None


@pytest.mark.parametrize(
    ("text", "spared"),
    [
        ("056Y", {"AGE"}),
        ("12 JUN 2014", {"DATE"}),
        ("Saint Luke Hospital", {"LOCATION", "ORGANIZATION_NAME"}),
        ("Dr. Jones 16 cm", {"PERSON_NAME"}),
        ("Tel 555-123-4567", {"PHONE_NUMBER"}),
    ],
)
def test_what_shows_an_excluded_info_type_stays(text: str, spared: set[str]) -> None:
    assert _why(text) is not None
    assert _why(text, spared=spared) is None


@pytest.mark.parametrize(
    ("text", "spared"),
    [
        ("OCONNOR 12 JUN 2014", {"DATE"}),
        ("05/08/1970", {"DATE"}),
        ("Muster 12 JUN 2014", {"DATE"}),
        ("Muster12JUN2014", {"DATE"}),
        ("Saint Luke Hospital Wei", {"LOCATION", "ORGANIZATION_NAME"}),
        ("Tel 555-123-4567 Muster", {"PHONE_NUMBER"}),
    ],
)
def test_what_stands_beside_an_excluded_info_type_goes(text: str, spared: set[str]) -> None:
    assert _why(text, spared=spared) is not None


def test_custom_patterns_redact_the_whole_or_by_group() -> None:
    whole = CustomRegex(r"\bROOM \d+")
    assert _why("Room 12", custom_regexes=[whole]) == "info_type:CUSTOM_REGEX"
    group = CustomRegex(r"(FR )?(45)", (1,))
    assert _why("FR 45", custom_regexes=[group]) == "info_type:CUSTOM_REGEX"
    assert _why("45", custom_regexes=[group]) is None


def test_custom_patterns_that_do_not_compile_are_refused() -> None:
    with pytest.raises(ConfigurationInvalid):
        Judgement(custom_regexes=[CustomRegex("(")])
    with pytest.raises(ConfigurationInvalid):
        Judgement(custom_regexes=[CustomRegex("a", (2,))])


def test_another_judge_is_asked_and_counts_for_the_wanted_info_types() -> None:
    def judge(text: str, known: object) -> str | None:
        del known
        return "LOCATION" if text == "L" else "STARSHIP"

    assert _why("L", judge=judge) == "info_type:LOCATION"
    assert _why("R", judge=judge) is None


def test_a_region_does_not_show_its_text() -> None:
    region = TextRegion(Box(0, 0, 1, 1), 0.9, "OCONNOR", 0.9, (("0CONNOR", 0.8),))
    assert "CONNOR" not in repr(region)
    assert "OCONNOR" not in repr(Judgement().knowing(KNOWN))


@pytest.mark.parametrize(
    "text",
    [
        "Frz", "CH Abd", "Compressed 8:1", "FRM 12", "FRM 12/40", "SCV: 12", "TIs 0.4", "XRes 3",
        "Dyn R 60dB", "iSCAN", "II", "III", "V5", "aVR", "aVF", "Lead II", "25 mm/s", "10 mm/mV",
        "QRS 88 ms", "QT/QTc 380/412 ms", "0.05-150 Hz", "Filter 40Hz", "ST 1.25mm", "NBI",
        "Eh:A3 Ce:1", "CVP:A1/4", "Gr:N E:A5", "LCX", "RCA", "Field 1", "SSD 100 cm",
        "Gantry 180.0", "MU 120", "Couch 0.0", "6 MV", "Lossy 10:1", "EFW 650g", "TR Vmax 2.4 m/s",
        "12:34:56", "00:12",
    ],
)  # fmt: skip
def test_what_consoles_print_stays(text: str) -> None:
    judgement = Judgement()
    region = TextRegion(Box(0, 0, 10, 10), 0.9, text, 0.97)
    assert judgement.why(region, judgement.knowing(())) is None


@pytest.mark.parametrize(
    "text",
    [
        "12.03.2024 12:34:56",
        "12:34 03/12/2024",
        "LONG, IRIS",
        "Long Iris",
        "Arc, Jeanne",
        "CH ABDUL",
        "Roll, Hans",
    ],
)
def test_names_and_dates_beside_words_of_consoles_go(text: str) -> None:
    assert _why(text) is not None


def test_a_measurement_is_not_taken_for_a_name_like_its_word_and_the_word_alone_is() -> None:
    judgement = Judgement()
    known = judgement.knowing([KnownIdentifier("MARTIN^SEAN", "PERSON_NAME")])

    def why(text: str) -> str | None:
        return judgement.why(TextRegion(Box(0, 0, 10, 10), 0.9, text, 0.97), known)

    assert [why(text) for text in ("MEAN 43.2 HU", "Mean 12 mm2")] == [None, None]
    assert all(why(text) for text in ("MEAN", "SEAN 43", "5EAN 43", "MEAN SEAN 4", "MARTIM 43.2"))


@pytest.mark.parametrize(
    ("name", "text"),
    [("LAUE", "LAE 12"), ("KLEIN", "KEIN 12"), ("PANE", "PANC 12"), ("REPP", "RPP 120")],
)
def test_what_screens_write_in_short_may_be_a_known_name_nearly_read(name: str, text: str) -> None:
    judgement = Judgement()
    region = TextRegion(Box(0, 0, 10, 10), 0.9, text, 0.97)
    assert judgement.why(region, judgement.knowing(KNOWN)) is None
    named = [KnownIdentifier(f"{name}^SEAN", "PERSON_NAME")]
    assert judgement.why(region, judgement.knowing(named)) == "known_identifier"


@pytest.mark.parametrize(
    ("name", "text", "goes"),
    [
        ("LI^WEI", "Depth 11 cm", False),
        ("LI^WEI", "SLICE 11", False),
        ("LI^WEI", "11", True),
        ("LI^WEI", "Depth LI cm", True),
        ("LI^WEI", "DR 11", True),
        ("LI^WEI", "WEI 11", True),
        ("PATEL", "Page 1/3", False),
        ("PATEL", "Page 1", False),
        ("PATEL", "PATE 1", True),  # its own letters
        ("PATEL", "PASE 1", True),  # no word
        ("PATEL", "PA TEL 3", True),
        ("PAGEL", "Page 1/3", True),
        ("LIM^ELI", "Line 11", False),
        ("LIN^ELI", "Line 11", True),
        ("TILTEN", "TILT ON 3", True),  # no number in it
    ],
)
def test_a_number_beside_words_that_may_stay_is_no_letters_of_a_name_that_is_misread_besides(
    name: str, text: str, *, goes: bool
) -> None:
    judgement = Judgement()
    known = judgement.knowing([KnownIdentifier(name, "PERSON_NAME")])
    why = judgement.why(TextRegion(Box(0, 0, 10, 10), 0.9, text, 0.97), known)
    assert why == ("known_identifier" if goes else None)


@pytest.mark.parametrize(
    ("text", "is_cut"),
    [
        ("IB 0.9", True),
        ("able 112.5", True),
        ("TIB 0.9", False),
        ("Johnson 12", False),  # a name as it is
        ("15 APR 2016", False),  # goes whatever is beside it
        ("112.5", False),
    ],
)
def test_words_that_are_in_no_list_may_have_lost_a_sign(text: str, *, is_cut: bool) -> None:
    assert is_cut_perhaps(text) == is_cut


@pytest.mark.parametrize(
    ("text", "is_misspelt"),
    [
        ("ERNCT", True),
        ("SLICE THICKMESS 3", True),
        ("CHO 12", False),  # short
        ("Kerr ERNCT", False),
        ("ERECT", False),
        ("Johnson", False),
        ("ERNCT 15 APR 2016", False),
        ("112.5", False),
    ],
)
def test_long_words_that_are_in_no_list_may_be_misspelt(text: str, *, is_misspelt: bool) -> None:
    assert is_misspelt_perhaps(text) == is_misspelt


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("ERECT", True),
        ("112.5", True),
        ("E R E C T", True),
        ("ERNCT", False),
        ("Johnson", False),
        ("12.04.2016", False),
        ("1629478", False),
    ],
)
def test_words_of_the_vocabulary_and_numbers_that_are_none_of_anybody_may_stay(
    text: str, *, stays: bool
) -> None:
    assert may_stay(text) == stays


@pytest.mark.parametrize(
    ("text", "beside", "goes"),
    [
        ("kV 100", "PID B5108", False),
        ("SE 3", "OCONNOR", False),
        ("1961", "OCONNOR", True),
        ("W 400", "SIOBHAN", True),
        ("DR 65", "OCONNOR", True),
        ("27", "FEB 2013", True),
    ],
)
def test_what_says_itself_what_it_is_stays_beside_what_identifies(
    text: str, beside: str, goes: bool
) -> None:
    judgement = Judgement()
    known = judgement.knowing(KNOWN)
    entry, other = (
        FoundRegion(0, TextRegion(Box(left, 0, 60, 20), 0.9, words, 0.97))
        for left, words in ((0, text), (64, beside))
    )
    why = together(entry, [entry, other], lambda region: judgement.why(region, known))
    assert (why is not None) == goes


_LINE = TextRegion(Box(40, 20, 100, 20), 0.9, "PORTAL VENOUS", 0.98)
_NEXT = TextRegion(Box(40, 38, 100, 20), 0.9, "Ref: Katz", 0.97)


@pytest.mark.parametrize(
    ("box", "readings", "is_piece"),
    [
        (Box(60, 22, 30, 16), [("", 0.0)], True),
        (Box(60, 22, 30, 16), [("venou", 0.96), ("ts10", 0.4)], True),
        (Box(60, 22, 30, 16), [("KATZ", 0.96)], False),  # says what the line does not
        (Box(60, 22, 30, 16), [("venou", 0.96), ("KATZ", 0.6)], False),
        (Box(60, 22, 30, 16), [("venqu", 0.89)], True),  # but for one sign
        (Box(60, 22, 30, 16), [("venqu", 0.9)], False),
        (Box(60, 22, 30, 16), [("vemqu", 0.89)], False),
        (Box(60, 22, 30, 16), [("3", 0.7)], True),
        (Box(60, 22, 30, 16), [("nx", 0.7)], True),
        (Box(60, 22, 30, 16), [("xp", 0.7)], False),  # with one of its signs it begins
        (Box(60, 22, 30, 7), [("", 0.0)], False),  # small print
        (Box(110, 22, 40, 16), [("", 0.0)], False),  # goes on beyond it
        (Box(42, 25, 60, 30), [("M", 0.4)], True),  # pieces of both lines
        (Box(42, 25, 60, 60), [("M", 0.4)], False),
    ],
)
def test_what_cannot_be_read_and_is_a_piece_of_what_can_is_no_text_of_its_own(
    box: Box, readings: list[tuple[str, float]], *, is_piece: bool
) -> None:
    (text, legibility), *others = readings
    piece = FoundRegion(0, TextRegion(box, 0.6, text, legibility, tuple(others)))
    lines = [FoundRegion(0, _LINE), FoundRegion(0, _NEXT)]
    assert is_explained(piece, [*lines, piece]) == is_piece
    elsewhere = [FoundRegion(1, _LINE), FoundRegion(1, _NEXT)]
    assert not is_explained(piece, [*elsewhere, piece])


@pytest.mark.parametrize(
    "line",
    [
        replace(_LINE, legibility=0.94),
        replace(_LINE, text="II"),
        replace(_LINE, text=""),
    ],
)
def test_what_is_not_read_surely_explains_nothing(line: TextRegion) -> None:
    piece = FoundRegion(0, TextRegion(Box(60, 22, 30, 16), 0.6, "", 0.0))
    assert not is_explained(piece, [FoundRegion(0, line), piece])
    code = FoundRegion(0, replace(piece.region, is_code=True))
    assert not is_explained(code, [FoundRegion(0, _LINE), code])


@pytest.mark.parametrize(
    ("readings", "shown", "is_piece"),
    [
        ([("ven", 0.97), ("VENO", 0.9)], 20, True),
        ([("ven", 0.97), ("VENO", 0.9)], 16, False),
        ([("ven", 0.97), ("VENO", 0.6)], 20, True),
        ([("ven", 0.97), ("vem", 0.89)], 20, False),  # not each time
        ([("ven", 0.97), ("vem", 0.4)], 20, True),  # says nothing
        ([("ven", 0.89)], 20, False),  # not clearly
        ([("ve", 0.97)], 20, False),  # a pair
    ],
)
def test_what_reads_each_time_as_a_piece_of_a_line_may_reach_farther_beyond_it(
    readings: list[tuple[str, float]], shown: int, *, is_piece: bool
) -> None:
    (text, legibility), *others = readings
    box = Box(60, 20 + 20 - shown, 30, 30)
    piece = FoundRegion(0, TextRegion(box, 0.6, text, legibility, tuple(others)))
    assert is_explained(piece, [FoundRegion(0, _LINE), piece]) == is_piece


_DOTTED = TextRegion(Box(40, 20, 100, 20), 0.9, "Loc -34.5", 0.97)
_DOTS = TextRegion(Box(60, 26, 12, 7), 0.3, "C", 0.4)


@pytest.mark.parametrize(
    ("line", "piece", "is_piece"),
    [
        (_DOTTED, _DOTS, True),
        (_DOTTED, replace(_DOTS, text="F", legibility=0.99), True),
        (_DOTTED, replace(_DOTS, text="LI", legibility=0.89), True),
        (_DOTTED, replace(_DOTS, text="LI", legibility=0.9), False),
        (_DOTTED, replace(_DOTS, is_code=True), False),
        (_DOTTED, replace(_DOTS, box=Box(60, 26, 20, 7)), True),
        (_DOTTED, replace(_DOTS, box=Box(60, 26, 21, 7)), False),  # a word perhaps
        (_DOTTED, replace(_DOTS, box=Box(60, 32, 12, 6)), True),
        (_DOTTED, replace(_DOTS, box=Box(60, 33, 12, 6)), False),  # beside the line
        (_DOTTED, replace(_DOTS, box=Box(129, 26, 12, 7)), True),
        (_DOTTED, replace(_DOTS, box=Box(130, 26, 12, 7)), False),  # beyond its end
        (replace(_DOTTED, legibility=0.94), _DOTS, False),
        (replace(_DOTTED, text="1I1 -1I.I"), _DOTS, False),
        (replace(_DOTTED, text="Loc -34.5 12 cm"), _DOTS, True),
        (replace(_DOTTED, text="Loc -34.5 12 cm/s 0.7 min"), _DOTS, False),  # two lines of it
        (replace(_DOTTED, outline=((40, 20), (140, 20), (140, 40), (40, 40))), _DOTS, False),
        (
            replace(_DOTTED, box=Box(20, 40, 20, 100)),
            replace(_DOTS, box=Box(26, 60, 7, 12)),
            True,
        ),
        (
            replace(_DOTTED, box=Box(20, 40, 20, 100)),
            replace(_DOTS, box=Box(33, 60, 6, 12)),
            False,
        ),
    ],
)
def test_what_is_found_among_the_letters_of_a_line_that_stays_is_a_piece_of_them(
    line: TextRegion, piece: TextRegion, *, is_piece: bool
) -> None:
    assert is_of_letters(FoundRegion(0, piece), [FoundRegion(0, line)]) == is_piece
    assert not is_of_letters(FoundRegion(1, piece), [FoundRegion(0, line)])
    assert not is_of_letters(FoundRegion(0, piece), [])


@pytest.mark.parametrize(
    ("box", "text", "legibility", "is_piece"),
    [
        (Box(80, 20, 58, 18), "DAP 1.2 dGycm2", 0.97, True),
        (Box(80, 20, 58, 18), "DAP 1.2 dGycm2", 0.9, False),
        (Box(80, 20, 58, 18), "SAG", 0.99, True),
        (Box(80, 20, 58, 18), "NEX 2", 0.97, True),
        (Box(80, 20, 58, 18), "AA 11", 0.99, False),
        (Box(80, 20, 58, 18), "1111 1II1", 0.99, False),  # as bars read
        (Box(80, 20, 90, 18), "DAP 1.2 dGycm2", 0.97, False),  # goes on beyond the line
        (Box(80, 20, 58, 60), "DAP 1.2 dGycm2", 0.97, False),
        (Box(80, 26, 58, 8), "DAP 1.2 dGycm2", 0.97, False),  # small, between letters
    ],
)
def test_squares_of_letters_that_were_read_and_stay_are_no_code(
    box: Box, text: str, legibility: float, *, is_piece: bool
) -> None:
    code = FoundRegion(0, TextRegion(box, 1.0, is_code=True))
    line = FoundRegion(0, TextRegion(Box(40, 18, 104, 22), 0.9, text, legibility))
    assert is_lettering(code, [line]) == is_piece
    assert not is_lettering(code, [])
    assert not is_lettering(FoundRegion(1, code.region), [line])
    assert not is_lettering(FoundRegion(0, TextRegion(box, 1.0, "Katz", 0.9)), [line])


def _why_of_a_stranger(text: str) -> str | None:
    judgement = Judgement()
    return judgement.why(TextRegion(Box(0, 0, 10, 10), 0.9, text, 0.97), judgement.knowing(()))


@pytest.mark.parametrize(
    "text",
    [
        # nuclear medicine
        "MEGP", "LEHR 128x128", "RAO 30", "NAC", "PET NAC", "CTAC", "Tc-99m", "Tc99m MDP", "Ga-68", "99mTc",
        "177Lu", "OSEM 3i21s", "Fused transaxial", "500 kcts", "VERT LONG", "Lung ventilation", "%ID/g",
        # mammography and radiographs
        "CRA", "R XCCM", "SPECIMEN", "Implant displaced", "Mo/Mo", "W/Rh", "ID", "Slab 6", "ODONTOID",
        # endoscopy and the eye
        "COLON 3", "Terminal ileum", "Polyp", "Withdrawal 06:12", "GIF-H290", "Near focus", "White light",
        "OD", "OS", "Macula", "Red-free", "ART 20", "Signal strength 8/10", "MD -2.3 dB",
        # angiography, ECG, radiotherapy
        "CAU 15", "Subtracted", "AK 312 mGy", "Scene 2", "0.5-40 Hz", "Abnormal ECG", "SpO2 98%", "6X FFF",
        "Isodose 95%",
        # sections
        "GT -15.0", "Br40d/3", "BONE PLUS", "BONEPLUS", "Feet first", "Omnipaque 350", "Coil: HE1-4",
        "R L", "SAR 0.8", "El 412", "GAlN 3", "SUP INE 3", "post Gd", "ph 1", "AVA 1.2 cm2", "Small parts",
        # what is no date
        "NAC 3/58", "PET NAC 3.27 mm", "Matrix 15 16 1958", "3.15 03 1958", "15 03 958",
        # other languages
        "Ganzkörper", "Ohne KM", "Dicke 52 mm", "Corps entier", "Balance des blancs", "Cuerpo entero",
        "Sin contraste", "Senza contrasto", "Strato 3",
        # without their spaces, beside a number
        "SLICETHICKNESS 3 mm", "TABLEHEIGHT 12", "APLATERAL 2",
    ],
)  # fmt: skip
def test_what_consoles_of_every_kind_print_stays(text: str) -> None:
    assert _why_of_a_stranger(text) is None


@pytest.mark.parametrize(
    "text",
    [
        # of which a word of consoles is a part, a misreading or a unit
        "Tilton", "HARMON", "Wingate", "Ragland", "Poston", "Pascale", "ANGIE", "Carola", "Cao", "Bos",
        "Orr", "Dan", "Gauss",
        # of which a term is made
        "Best", "Small", "First", "White", "Kraft", "Dicke", "Free, N", "Horiz, Tom",
        "Cao 45", "El", "Li 45", "Dan 45", "Lu 45", "Lu-1774", "Ak 31", "MD 3", "Ava 12", "Mo", "Tan 45",
        "Tc, Xe", "BR KL45", "SLICEKATZ 3 mm", "TABLEHELGA 12", "TILTON 2",
        # beside terms
        "Katz Tc-99m", "RED FREE KATZ", "Katz, feet first",
    ],
)  # fmt: skip
def test_names_like_words_and_terms_of_consoles_go(text: str) -> None:
    assert _why_of_a_stranger(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "F. Nac 1958", "Fecha nac", "Data de nasc NAC.", "NAC: 12", "Nac. 3", "NAC 12 3 58", "NAC 1958",
        "NAC 15 03 1958", "NAC 58", "15 03 1958", "5 9 2025 F",
        "0.5-40", "5.3-40 mm", "5.3.40 Hz", "Ph 1234 56", "PH +1", "MOBILE 1",
    ],
)  # fmt: skip
def test_labels_and_forms_of_what_identifies_go_though_consoles_print_some_of_them(
    text: str,
) -> None:
    why = _why_of_a_stranger(text)
    assert why is not None
    assert why.startswith("info_type:")
