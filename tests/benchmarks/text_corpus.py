"""Generated reports and descriptors with planted identifiers, and what was planted where.

Two halves: the templates and fillers of ``tuning`` were looked at while the cleaner was written, those of
``held_out`` were written beforehand, of other wording and other names, and only ever measured.
"""
# ruff: noqa: E501, ISC004 - texts read worse broken over lines, and a tuple of texts is plain

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from deid.identity.identifiers import KnownIdentifier

_SLOT: Final = re.compile(r"\{(\w+)\}")


@dataclass
class Sample:
    """One text, the stretches that identify, and what the header knows."""

    text: str
    planted: list[tuple[int, int, str]] = field(default_factory=list)
    known: list[KnownIdentifier] = field(default_factory=list)


@dataclass(frozen=True)
class Half:
    """Templates and fillers of one half."""

    notes: tuple[str, ...]
    descriptors: tuple[str, ...]
    given: tuple[str, ...]
    family: tuple[str, ...]
    cities: tuple[str, ...]
    hospitals: tuple[str, ...]
    streets: tuple[str, ...]


TUNING: Final = Half(
    notes=(
        "CLINICAL HISTORY: {age}-year-old male with cough. Referred by Dr. {doctor}.\nFINDINGS: The lungs are"
        " clear. No pleural effusion. Compared with the study of {date}.\nIMPRESSION: No acute"
        " cardiopulmonary process.",
        "Patient {full} (MRN {mrn}, DOB {dob}) was seen in clinic on {date} for follow up of chronic back"
        " pain. {first} reports no new symptoms. Plan: MRI lumbar spine.",
        "Mr. {last} fell at home in {city} and was brought to {hospital} by ambulance. X-ray of the right hip"
        " shows a displaced fracture of the femoral neck. Results were discussed with {doctor_full} at"
        " 14:30 on {date}.",
        "{LASTFIRST}\nMRN: {mrn}\nACC: {acc}\nEXAM: CT ABDOMEN PELVIS WITH CONTRAST\nDATE: {date}\nFINDINGS: THE"
        " LIVER, SPLEEN AND PANCREAS ARE UNREMARKABLE. THERE IS NO FREE FLUID.\nDICTATED BY: {DOCTOR}, MD",
        "I spoke with the patient's daughter {relative} (phone {phone}) regarding the results. She will bring"
        " {first} to the emergency department tonight.",
        "pt {last} c/o chest pain since {date}, hx of cad, lives with wife {relative_first} at {street}, {city}."
        " ekg normal. call {phone} with results.",
        "Dear Dr. {doctor_last}, thank you for referring {full}, whom I saw on {date}. Echocardiography shows"
        " mild mitral regurgitation. Kind regards, {doctor_full}, Consultant Cardiologist, {hospital}.",
        "Comparison: Chest radiograph {date}. Technique: PA and lateral views. The heart size is normal. There"
        " is a 12 mm nodule in the right upper lobe. Recommend CT in 3 months. Electronically signed by"
        " {doctor_full} {date}.",
        "Befund: {last}, {first}, geb. {dob_de}. CT Thorax vom {date_de}. Kein Nachweis pulmonaler Metastasen."
        " Kein Pleuraerguss. Mit freundlichen Grüßen Dr. med. {doctor_last}, {hospital}.",
        "Compte rendu: Mme {last} {first}, née le {dob_de}, adressée par le Dr {doctor_last}. Scanner"
        " abdominal du {date_de}: foie normal, pas d'épanchement. Téléphone {phone}.",
        "Paciente {full}, NHC {mrn}, nacido el {dob_de}. Radiografía de tórax: sin hallazgos. Médico: Dra."
        " {doctor_last}.",
        "Ultrasound guided biopsy performed by {doctor_last}/{doctor2_last}. The specimen {acc} was sent to"
        " pathology. {last} tolerated the procedure well. E-mail {email}.",
        "SSN {ssn}. Insurance contact: {relative}, {street}, {city} {zip}. The patient is {age90} years old and"
        " lives alone.",
        "Brain MRI demonstrates white matter changes. {first} {last}'s previous imaging from {hospital} was"
        " reviewed. Discussed with nurse {relative_first} on the ward at 0900 hrs.",
        "Tech: {initials}. Protocol verified by {DOCTOR}. Injected 100 ml Omnipaque 350 via right antecubital"
        " vein. No reaction. Time {time}.",
        "Reason for exam: r/o PE. Ordering provider: {doctor_full}. Attending: {doctor2_last}. Findings: filling"
        " defect in the right lower lobe pulmonary artery. Critical result called to Dr {doctor2_last} by"
        " {doctor_last} on {date} at {time}.",
        "She used to work as a teacher in {city} before moving to {city2}. Her brother {relative_first} has"
        " diabetes. Knee shows moderate effusion and a tear of the medial meniscus.",
        "UID {uid} resent from workstation {ip} on {date}. Series 4 image 27 best shows the lesion.",
    ),
    descriptors=(
        "CT CHEST W CONTRAST", "CHEST PA AND LATERAL", "T2 AX FS", "SAG T1 L-SPINE", "L4/L5", "MR BRAIN W/O",
        "t2_tse_sag_384", "AAA_CHEST_5.0_B31f_CE", "ep2d_diff_3scan_trace_p2_ADC", "CT ABD/PELVIS W CONTRAST",
        "{LASTFIRST} CT HEAD", "CHEST {LAST}", "{last} knee LT", "US ABDOMEN {date}", "MRN {mrn} THORAX",
        "Schädel nativ {last}", "XR HAND 2V {doctor_last}", "LUNG 1.0 B70f", "DR {DOCTOR} BREAST BIOPSY",
        "per Dr {doctor_last} add coronal", "MAMMO DIAG BILAT", "PORTABLE CHEST {time}", "{hospital} MRI 2",
        "Ax DWI b1000", "RT HIP UNILAT 2-3 VIEWS", "follow up {full}", "{initials} KNEE", "FLAIR cor 4mm",
        "Localizer", "Dose Report", "3 Plane Loc", "Cor STIR", "ax t1 fse post gad", "LAT", "WRIST AP",
    ),
    given=("James", "Patricia", "Wojciech", "Aoife", "Linda", "Takeshi", "Yusuf", "Ingrid", "Rosalind", "Devonte",
           "Siobhan", "Lorenzo", "Chidi", "Mei", "Otto"),
    family=("Thompson", "Kowalczyk", "O'Sullivan", "Brown", "Nakamura", "Vandermeer", "Long", "Rossi", "Haddad",
            "Müller", "Lefèvre", "Ng", "Abernathy", "Szymański", "Okafor", "Quintanilla", "Grant", "Petrov"),
    cities=("Boston", "Springfield", "Little Rock", "Hamburg", "Lyon", "Chelmsford", "Osaka", "Gary"),
    hospitals=("Mercy General Hospital", "St. Mary's Hospital", "Klinikum Großhadern", "Oakwood Medical Center",
               "Hôpital Saint-Louis", "Riverside Imaging"),
    streets=("12 Oak Street", "4501 N. Lakeshore Drive", "Hauptstraße 17", "221B Baker Street",
             "8 rue de la Paix", "77 Massachusetts Ave"),
)  # fmt: skip

HELD_OUT: Final = Half(
    notes=(
        "INDICATION: Persistent headache. {full} is a {age} y/o woman known to Dr {doctor_full}.\nTECHNIQUE:"
        " Axial T2 and FLAIR.\nFINDINGS: No mass effect or midline shift.\nCONCLUSION: Normal study.",
        "Re: {full}, date of birth {dob}, hospital number {mrn}. This gentleman attended the fracture clinic on"
        " {date}. Radiographs show satisfactory alignment. {last} may begin weight bearing.",
        "Ms {last} presented after a motor vehicle collision near {city}. She was transferred from"
        " {hospital}. CT shows a grade 2 splenic laceration without active extravasation. Surgeon"
        " {doctor_last} informed at {time}.",
        "PATIENT NAME: {LASTFIRST}\nPATIENT ID: {mrn}\nACCESSION NUMBER: {acc}\nREFERRING PHYSICIAN: {DOCTOR}\nBILATERAL"
        " SCREENING MAMMOGRAM {date}\nSCATTERED FIBROGLANDULAR DENSITIES. NO SUSPICIOUS CALCIFICATION. BI-RADS 1.",
        "Telephoned {relative}, his next of kin, on {phone}. Explained that {first} will need a repeat scan in six"
        " weeks.",
        "{last} seen {date}. sob x3 days. cxr ok. gp dr {doctor_last} {city}. home {street}. mob {phone}.",
        "To whom it may concern: {full} has been under my care since {date}. The ejection fraction is 45 percent."
        " Sincerely, {doctor_full} MD PhD, {hospital}",
        "Prior exam dated {date} is available for correlation. Interval increase in the left basal opacity."
        " Radiologist: {doctor_full}. Transcribed {date} by {relative_first}.",
        "Sehr geehrter Herr Kollege {doctor_last}, wir berichten über {full}, geboren am {dob_de}, wohnhaft"
        " {street}, {city}. MRT des Kniegelenks vom {date_de}: Riss des Innenmeniskus.",
        "Examen demandé par le docteur {doctor_full}. Patient: {LASTFIRST}, né le {dob_de}. IRM cérébrale sans"
        " anomalie. {city}, le {date_de}.",
        "Gentile dottor {doctor_last}, la paziente {full} nata il {dob_de} è stata sottoposta a ecografia"
        " addominale il {date_de}. Fegato nei limiti.",
        "Consent obtained from {relative} (mother). Sedation by {doctor_last}. Lumbar puncture at L3/L4 was"
        " uneventful; sample number {acc}. Report to {email}.",
        "Social security {ssn}; next of kin {relative} of {street}, {city} {zip}. Aged {age90}, nursing home resident.",
        "Addendum {date}: after review with {doctor2_full}, the lesion in {last}'s pancreas measures 14 x 9 mm."
        " Outside films from {hospital} were considered.",
        "Scan performed by {initials}, checked by {doctor_last}. Contrast: 80 mL Visipaque 320. eGFR 74. Delay 70"
        " seconds. Room {time}.",
        "Findings were relayed to {relative_first} {doctor_last} RN by {doctor2_full} on {date}. There is a segmental"
        " embolus in the left lower lobe with right heart strain.",
        "Retired carpenter from {city}, smoker 40 pack years, visiting his son {relative_first} in {city2}. Emphysema"
        " and a spiculated 22 mm nodule are seen.",
        "Study {uid} was merged into {uid} on {date} after the technologist at {ip} entered a wrong identifier"
        " {mrn}.",
    ),
    descriptors=(
        "CTA HEAD NECK", "XR ANKLE 3 VIEWS RT", "AX T1 POST FS", "MRCP thick slab", "NM BONE SCAN WHOLE BODY",
        "C-SPINE LATERAL", "dynaVIEWS t1_fl3d_tra", "Thorax Routine 5.0 I31f 3", "PELVIS AP", "cor pd fs right",
        "{LASTFIRST} MRI BRAIN", "ABDOMEN {LAST}", "{last} shoulder RT", "CT THORAX {date}", "ID {mrn} HEAD",
        "Becken {last}", "CR FOOT {doctor_last}", "Angio 0.75 B20f", "REF {DOCTOR} US THYROID",
        "{doctor_last} wants thin cuts", "DEXA HIP SPINE", "ICU CHEST SUPINE {time}", "{hospital} CT 1",
        "sag T2 tse dixon", "LUMBAR SPINE 2 VIEWS", "repeat for {full}", "{initials} ELBOW", "SWI mIP",
        "Scout", "Patient Protocol", "Topogram 0.6 T20f", "Ax SSFSE BH", "obl cor T2", "AP", "SUNRISE VIEW",
    ),
    given=("Margaret", "Bartholomew", "Katarzyna", "Niamh", "Rashida", "Hiroko", "Emre", "Sigrun", "Percival",
           "Tamika", "Oisín", "Giulietta", "Ngozi", "Xiu", "Hartwig"),
    family=("Henderson", "Wiśniewska", "MacGillivray", "White", "Fujimoto", "Oosterhuis", "Short", "Bellini", "Mansour",
            "Schäfer", "Desrosiers", "Vu", "Featherstone", "Jabłoński", "Adeyemi", "Villalobos", "Rich", "Sidorova"),
    cities=("Denver", "Fairview", "Green Bay", "Bremen", "Nantes", "Wolverhampton", "Sapporo", "Mobile"),
    hospitals=("Good Samaritan Hospital", "Addenbrooke's Hospital", "Universitätsklinikum Tübingen",
               "Cedar Valley Medical Center", "Clinique des Tilleuls", "Lakeside Radiology"),
    streets=("9 Elm Avenue", "1830 W. Juniper Road", "Lindenallee 4", "14 Acacia Gardens", "31 avenue Jean Jaurès",
             "660 Pennsylvania Blvd"),
)  # fmt: skip


def samples(half: Half, *, seed: int, repeats: int) -> tuple[list[Sample], list[Sample]]:
    """Return notes and descriptors of a half, each template filled `repeats` times."""
    rng = random.Random(seed)
    notes = [_fill(template, half, rng) for template in half.notes for _ in range(repeats)]
    descriptors = [
        _fill(template, half, rng) for template in half.descriptors for _ in range(repeats)
    ]
    return notes, descriptors


def _fill(template: str, half: Half, rng: random.Random) -> Sample:
    values = _values(half, rng)
    sample = Sample("", known=_known(values))
    at = 0
    for slot in _SLOT.finditer(template):
        sample.text += template[at : slot.start()]
        kind = slot[1]
        value = _date(rng, german=kind.endswith("_de")) if kind.startswith("date") else values[kind]
        if kind not in ("age", "time"):
            sample.planted.append((len(sample.text), len(sample.text) + len(value), kind))
        sample.text += value
        at = slot.end()
    sample.text += template[at:]
    return sample


def _values(half: Half, rng: random.Random) -> dict[str, str]:
    people = [(rng.choice(half.given), rng.choice(half.family)) for _ in range(4)]
    (first, last), (doctor_first, doctor), (second_first, second), (relative, surname) = people
    born = date(1930, 1, 1) + timedelta(days=rng.randrange(25_000))
    spelled = rng.choice(
        ["%m/%d/%Y", "%d %B %Y", "%Y-%m-%d", "%b %d, %Y", "%d.%m.%Y", "%d-%b-%Y", "%Y%m%d"]
    )
    record = f"{rng.randrange(10**6, 10**8)}"
    return {
        "first": first,
        "last": last,
        "LAST": last.upper(),
        "full": rng.choice([f"{first} {last}", f"{last}, {first}", f"{first} {first[0]}. {last}"]),
        "LASTFIRST": f"{last.upper()}, {first.upper()}",
        "initials": f"{doctor_first[0]}{doctor[0]}",
        "doctor": rng.choice([doctor, f"{doctor_first} {doctor}", f"{doctor_first[0]}. {doctor}"]),
        "doctor_last": doctor,
        "DOCTOR": f"{doctor_first} {doctor}".upper(),
        "doctor_full": f"{doctor_first} {doctor}",
        "doctor2_last": second,
        "doctor2_full": f"{second_first} {second}",
        "relative": f"{relative} {surname}",
        "relative_first": relative,
        "dob": born.strftime(spelled),
        "dob_de": born.strftime("%d.%m.%Y"),
        "born": born.strftime("%Y%m%d"),
        "mrn": rng.choice([record, f"H-{record}", f"{record[:3]}-{record[3:]}"]),
        "record": record,
        "acc": f"{rng.choice('ACR')}{rng.randrange(10**6, 10**7)}",
        "phone": rng.choice(
            [
                f"({rng.randrange(201, 989)}) {rng.randrange(200, 999)}-{rng.randrange(1000, 9999)}",
                f"{rng.randrange(201, 989)}-{rng.randrange(200, 999)}-{rng.randrange(1000, 9999)}",
                f"+49 40 {rng.randrange(10**5, 10**7)}",
                f"0{rng.randrange(10, 99)} {rng.randrange(10**6, 10**7)}",
            ]
        ),
        "email": f"{first.lower()}.{doctor.lower().replace(chr(39), '')}@example.org",
        "ssn": f"{rng.randrange(100, 665)}-{rng.randrange(10, 99)}-{rng.randrange(1000, 9999)}",
        "street": rng.choice(half.streets),
        "city": rng.choice(half.cities),
        "city2": rng.choice(half.cities),
        "hospital": rng.choice(half.hospitals),
        "zip": f"{rng.randrange(10000, 99999)}",
        "age": f"{rng.randrange(20, 89)}",
        "age90": f"{rng.randrange(90, 104)}",
        "time": f"{rng.randrange(8, 20)}:{rng.randrange(10, 59)}",
        "uid": f"1.2.840.{rng.randrange(10**5, 10**6)}.2.{rng.randrange(10**8, 10**9)}.5.{rng.randrange(10**6)}",
        "ip": f"10.{rng.randrange(255)}.{rng.randrange(255)}.{rng.randrange(1, 255)}",
    }


def _known(values: dict[str, str]) -> list[KnownIdentifier]:
    """Return what the header of the instance says: of the patient, not of all the others."""
    return [
        KnownIdentifier(f"{values['last']}^{values['first']}", "PERSON_NAME"),
        KnownIdentifier(values["record"], "MEDICAL_RECORD_NUMBER"),
        KnownIdentifier(values["born"], "DATE_OF_BIRTH"),
        KnownIdentifier(values["acc"], "ACCESSION"),
    ]


def _date(rng: random.Random, *, german: bool) -> str:
    day = date(2005, 1, 1) + timedelta(days=rng.randrange(7000))
    forms = ["%d.%m.%Y", "%d.%m.%y"] if german else [
        "%m/%d/%Y", "%m/%d/%y", "%d %B %Y", "%B %d, %Y", "%Y-%m-%d", "%d-%b-%Y", "%d.%m.%Y", "%B %d", "%m/%Y",
    ]  # fmt: skip
    return day.strftime(rng.choice(forms))
