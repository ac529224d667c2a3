"""The texts that are burned in: who somebody is, and what a machine prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deid.identity.identifiers import KnownIdentifier

if TYPE_CHECKING:
    from random import Random

# ruff: noqa: E501, RUF001 - rows of texts, some of them Cyrillic
# Two halves each, one for tuning and one held out.
_SURNAMES = (
    ["SMITH", "GARCIA", "MUELLER", "NGUYEN", "OCONNOR", "ROSSI", "IVANOV", "PETERSEN", "DUBOIS", "KOWALSKI",
     "HERNANDEZ", "LI", "ANDERSSON", "HASSAN", "TANAKA", "BROWN", "SILVA", "COHEN", "VANDIJK", "SINGH"],
    ["JOHNSON", "MARTINEZ", "SCHNEIDER", "TRAN", "MCCARTHY", "BIANCHI", "PETROV", "NIELSEN", "MOREAU", "NOWAK",
     "LOPEZ", "WU", "LINDQVIST", "RAHMAN", "SUZUKI", "WILSON", "PEREIRA", "KATZ", "JANSEN", "PATEL"],
)  # fmt: skip
_FORENAMES = (
    ["JOHN", "MARIA", "HANS", "LINH", "SEAN", "GIULIA", "OLGA", "LARS", "CLAIRE", "ANNA", "PEDRO", "MEI"],
    ["DAVID", "SOFIA", "KARL", "MINH", "AOIFE", "MARCO", "IRINA", "FREJA", "LUC", "EWA", "CARLOS", "YAN"],
)  # fmt: skip
_HOSPITALS = (
    ["ST MARY HOSPITAL", "Riverside Clinic", "UNIVERSITY MEDICAL CENTER", "Klinikum Nord", "Mercy General Hospital"],
    ["LAKEVIEW HOSPITAL", "Charlton Clinic", "COUNTY MEDICAL CENTER", "Klinikum Ost", "Saint Luke Hospital"],
)  # fmt: skip
_MACHINE = (
    ["kVp 120", "mA 250", "THK 5.0 mm", "FOV 38.0 cm", "W 400 L 40", "TR 500.0", "TE 14.0", "MI 1.1", "TIS 0.6",
     "Gn 60", "DR 65 dB", "28 Hz", "Depth 11 cm", "ZOOM 1.5", "SLICE 12", "IM 24", "SE 3", "Dist 1.06 cm",
     "Area 2.31 cm2", "AP ERECT", "PORTABLE", "LEFT LATERAL", "SUPINE", "R MLO", "HFS", "+C ARTERIAL", "SAG T2 FSE",
     "Liver", "LT KIDNEY", "PSV 85.2 cm/s", "HR 72 bpm", "EF 61 %", "FR 45", "C 61", "2D", "THI", "RT", "Frame 12/60",
     "MEAN 43.2 HU", "SD 12.1", "100%", "Harmonics", "LAO 30", "CRAN 20", "Tilt 0.0", "BONE", "Loc -34.5", "PRONE",
     "Rot 0.8 s", "Grid 120 cm"],
    ["kV 100", "mAs 180", "SLICE THICKNESS 3 mm", "DFOV 25.0 cm", "WW 1500 WL 450", "TI 150", "FA 90", "TIB 0.9",
     "MI 0.8", "Gain 55", "C5-1", "38 fps", "16 cm", "MAG 2.0", "IMA 45", "SER 7", "D 23.4 mm", "Vol 14.2 ml",
     "PA UPRIGHT", "RIGHT LATERAL", "DECUBITUS", "L CC", "FFS", "VENOUS PHASE", "COR T1 TSE", "Gallbladder",
     "RT OVARY", "EDV 22.1 cm/s", "BPM 64", "RI 0.72", "Page 1/3", "Persist Med", "WF 75 Hz", "CF", "LEFT", "Fr 3/48",
     "MAX 118 HU", "Min -12", "50%", "Focus 6 cm", "RAO 45", "CAUD 15", "Table 112.5", "SOFT TISSUE", "Pos 77.0",
     "ERECT", "Exposure 12 ms", "DAP 1.2 dGycm2", "Spine", "Compression 95 N"],
)  # fmt: skip
_SCRIPTS = (
    ["Иванова Мария", "Παπαδόπουλος", "محمد علي", "אברהם כהן", "山田太郎", "Сидоров П.А."],
    ["Кузнецов Олег", "Γεωργίου Ελένη", "فاطمة حسن", "רחל לוי", "李小龍", "Петренко О.В."],
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """A made-up person and the texts that show who it is."""

    known: tuple[KnownIdentifier, ...]
    texts: tuple[str, ...]
    foreign: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Burned:
    """One text to burn in."""

    text: str
    is_identifying: bool


def make_person(random: Random, half: int) -> Person:
    """Return a person of one half (0 tuning, 1 held out)."""
    surname, forename = random.choice(_SURNAMES[half]), random.choice(_FORENAMES[half])
    physician = random.choice(_SURNAMES[half])
    hospital = random.choice(_HOSPITALS[half])
    record = random.choice(
        [
            str(random.randrange(10**6, 10**8)),
            f"{random.choice('ABHKMX')}{random.randrange(10**5, 10**7)}",
        ]
    )
    accession = f"{random.choice(['A', 'US', 'CR', 'RAD'])}{random.randrange(10**6, 10**8)}"
    year, month, day = (
        random.randrange(1930, 2015),
        random.randrange(1, 13),
        random.randrange(1, 29),
    )
    birth = f"{year}{month:02}{day:02}"
    study = f"20{random.randrange(10, 26)}{random.randrange(1, 13):02}{random.randrange(1, 29):02}"
    age = 2026 - year
    names = [
        f"{surname}^{forename}", f"{surname}, {forename}", f"{forename} {surname}", surname,
        f"Patient: {surname.title()}", f"Name: {forename.title()} {surname.title()}",
        f"{surname.title()}, {forename.title()}", f"{surname} {forename[0]}.",
    ]  # fmt: skip
    texts = [
        *names,
        record, f"ID: {record}", f"MRN {record}", f"PID {record}",
        f"DOB {month:02}/{day:02}/{year}", f"{day:02}.{month:02}.{year}", f"{year}-{month:02}-{day:02}",
        f"{study[4:6]}/{study[6:]}/{study[:4]}", f"{int(study[6:])} {_month(int(study[4:6]))} {study[:4]}",
        f"ACC {accession}", accession, f"Dr. {physician.title()}", f"Ref: {physician.title()}",
        hospital, f"{age:03}Y", f"Tel {random.randrange(200, 999)}-{random.randrange(200, 999)}-{random.randrange(1000, 9999)}",
    ]  # fmt: skip
    known = (
        KnownIdentifier(f"{surname}^{forename}", "PERSON_NAME"),
        KnownIdentifier(physician, "PERSON_NAME"),
        KnownIdentifier(record, "MEDICAL_RECORD_NUMBER"),
        KnownIdentifier(accession, "ACCESSION"),
        KnownIdentifier(birth, "DATE_OF_BIRTH"),
        KnownIdentifier(study, "DATE"),
        KnownIdentifier(hospital, "ORGANIZATION_NAME"),
        KnownIdentifier(f"{age:03}Y", "AGE"),
    )
    return Person(known, tuple(texts), tuple(_SCRIPTS[half]))


def some_texts(random: Random, person: Person, half: int, count: int) -> list[Burned]:
    """Return identifying and machine texts, more of the former."""
    identifying = random.sample(person.texts, min(count, len(person.texts)))
    machine = random.sample(_MACHINE[half], count)
    wanted = max(1, round(count * 0.6))
    chosen = [Burned(text, is_identifying=True) for text in identifying[:wanted]]
    chosen += [Burned(text, is_identifying=False) for text in machine[: count - wanted]]
    random.shuffle(chosen)
    return chosen


def _month(number: int) -> str:
    return "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"[3 * number - 3 : 3 * number]
