"""Names of tests, medicines and diseases as LOINC, RxNorm and SNOMED write them stay; people beside them go."""

from __future__ import annotations

import pytest

from deid.identity.shifts import Shift
from deid.text.cleaning import TextCleaning
from deid.text.policy import TextPolicy
from deid.text.vocabulary import is_name, is_place, is_recognised
from deid.text.words import read_words
from tests.fhir_samples import KEY, fhir_plan

STAYS = [
    "Cholesterol in HDL [Mass/volume] in Serum or Plasma",
    "Potassium [Moles/volume] in Serum or Plasma",
    "Thyrotropin [Units/volume] in Serum or Plasma",
    "Leukocytes [#/volume] in Blood by Automated count",
    "Neutrophils/100 leukocytes in Blood by Manual count",
    "pH of Urine by Test strip",
    "Protein [Presence] in Urine by Test strip",
    "Fibrin D-dimer FEU [Mass/volume] in Platelet poor plasma",
    "Hepatitis B virus surface Ag [Presence] in Serum by Immunoassay",
    "Influenza virus A RNA [Presence] in Respiratory specimen by NAA with probe detection",
    "Natriuretic peptide.B prohormone N-Terminal [Mass/volume] in Serum or Plasma",
    "History of Present illness Narrative",
    "Allergies and adverse reactions Document",
    "lisinopril 10 MG Oral Tablet",
    "metoprolol succinate 25 MG Extended Release Oral Tablet",
    "120 ACTUAT Fluticasone propionate 0.044 MG/ACTUAT Metered Dose Inhaler",
    "insulin glargine 100 UNT/ML Injectable Solution",
    "piperacillin 4000 MG / tazobactam 500 MG Injection",
    "Influenza, seasonal, injectable, preservative free",
    "pneumococcal polysaccharide PPV23",
    "Lyme disease",
    "Wilms' tumor",
    "Barrett's esophagus",
    "Chagas disease",
    "detected by PCR, confirmed by CT and MRI, measured by US",
    "Anesthesia: ASA II, Mallampati 2. NYHA class II, ECOG 1",
    "Right knee: positive McMurray, negative Lachman",
    "Babinski negative, Fazekas 1",
    "Eye exam: VA 20/20 OD, IOP 14/15",
    "Sleep study: AHI 22 per hour",
    "Diabetes mellitus type II, nerves IV and XII intact, grade IV, factor VIII",
    "PERRLA, EOMI, reflexes 2+ and symmetric",
    "MoCA 24/30, LSIL, 60 Gy in 30 fractions",
    "Spirometry: FEV1 68% predicted, FEV1/FVC 0.62",
]
GOES = [
    ("sent to Wolverton in Sussex", ("Wolverton",)),
    ("Potassium given by Hansen", ("Hansen",)),
    ("seen by Lyme, then by Chagas", ("Lyme", "Chagas")),
    ("Protein discussed with Beck", ("Beck",)),
    ("Barrett's wife called", ("Barrett",)),
    ("Dr. Wilms, serum taken", ("Wilms",)),
    ("Urine brought by Thistlemoor", ("Thistlemoor",)),
    ("Plasma of Anna Thistlemoor", ("Anna", "Thistlemoor")),
    ("insulin given to Mrs. Metzger", ("Metzger",)),
    ("Katz, Ludmilla: folate low", ("Katz", "Ludmilla")),
    ("signed by MR, read by CT", ("MR", "CT")),
    ("Performed by MS. Serum kept.", ("MS",)),
    ("Reported by PET", ("PET",)),
    ("sent by KLM", ("KLM",)),
    ("typed by US", ("US",)),
    ("Tablet for Mr. Glargine", ("Glargine",)),
    ("Mallampati, Rosanna: fasting", ("Mallampati", "Rosanna")),
    ("Dr. Babinski was told", ("Babinski",)),
    ("seen with McMurray today", ("McMurray",)),
    ("stage II, Thistlemoor will call", ("Thistlemoor",)),
    ("study: AHI 220145", ("220145",)),
    ("exam: VA 20/20145", ("20145",)),
    ("Accession: QX 123", ("QX", "123")),
    ("negative. Lachman said so", ("Lachman",)),
    ("today Turner positive for cough", ("Turner",)),
    ("cough negative Baker", ("Baker",)),
    ("pt Hunt fever since noon", ("Hunt",)),
    ("with Lachman today", ("Lachman",)),
    ("seen Baker urine test done", ("Baker",)),
    ("told Hansen insulin units to take", ("Hansen",)),
    ("per Brown serum index high", ("Brown",)),
    ("call Smith potassium test", ("Smith",)),
    ("the Turner glucose test result", ("Turner",)),
]


@pytest.fixture(scope="module")
def cleaner() -> TextCleaning:
    return TextCleaning(TextPolicy(), KEY)


@pytest.mark.parametrize("text", STAYS)
def test_what_names_a_test_a_medicine_or_a_disease_stays(text: str, cleaner: TextCleaning) -> None:
    assert cleaner.clean(text, (), shift=Shift(9)).text == text
    assert fhir_plan().is_term(text)


@pytest.mark.parametrize(("text", "names"), GOES)
def test_people_beside_such_names_go(
    text: str, names: tuple[str, ...], cleaner: TextCleaning
) -> None:
    left = cleaner.clean(text, (), shift=Shift(9)).text
    assert [name for name in names if name in left] == []
    assert not fhir_plan().is_term(text)


@pytest.mark.parametrize("file", ["laboratory.txt", "medicines.txt", "examinations.txt"])
def test_no_word_of_laboratories_and_medicines_is_listed_as_a_name_or_a_place(file: str) -> None:
    assert len(read_words(file)) > 100
    assert [word for word in sorted(read_words(file)) if is_name(word) or is_place(word)] == []


@pytest.mark.parametrize("surname", ["Kern", "Jaffe", "Agus"])
def test_a_surname_is_no_word_of_examinations(surname: str) -> None:
    """A kernel in German, a reaction, and a finding in short: names more often."""
    assert not is_recognised(surname)
