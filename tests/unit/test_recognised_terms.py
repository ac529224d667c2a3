"""What the standard and the makers of devices write in single attributes, and what may not pass there."""

from __future__ import annotations

import re

import pytest

from deid.identity.keys import SiteKey
from deid.identity.shifts import Shift
from deid.tags.recognition import recognised
from deid.tags.terms import attribute_terms
from deid.text.cleaning import TextCleaning
from deid.text.policy import TextPolicy
from deid.text.standard import known_meanings, vocabulary
from deid.text.words import read_words

CLEANER = TextCleaning(TextPolicy(basic=True), SiteKey(bytes(range(32))))

STAY = {
    (0x00541001, "CS"): "UMOLMINML CNTS NONE CM2 CM2ML PCNT CPS BQML MGMINML MLMING MLG 1CM UMOLML"
    " PROPCNTS PROPCPS"
    " MLMINML MLML GML STDDEV",
    (0x00541100, "CS"): "NONE DLYD SING",
    (0x00181181, "CS"): "PARA PINH FANB CONE SLNT ASTG DIVG NONE UNKN",
    (0x00189054, "CS"): "ILOPS SLIM SLOOP",
    (0x00189060, "CS"): "1H 31P 13C",
    (0x00189062, "CS"): "MLEV WALTZ NARROW NARROWBAND",
    (0x00181147, "CS"): "RECTANGLE ROUND HEXAGONAL",
    (0x00187024, "CS"): "RECTANGLE ROUND HEXAGONAL",
    (0x00181156, "CS"): "CONST",
    (0x0018115A, "CS"): "CONTINUOUS PULSED",
    (0x300600A4, "CS"): "EXTERNAL PTV CTV GTV TREATED_VOLUME IRRAD_VOLUME BOLUS AVOIDANCE ORGAN MARKER"
    " REGISTRATION"
    " ISOCENTER CONTRAST_AGENT CAVITY BRACHY_CHANNEL BRACHY_ACCESSORY BRACHY_SRC_APP BRACHY_CHNL_SHLD"
    " SUPPORT FIXATION"
    " DOSE_REGION CONTROL DOSE_MEASUREMENT",
    (0x300600B2, "CS"): "REL_MASS_DENSITY REL_ELEC_DENSITY EFFECTIVE_Z EFF_Z_PER_A REL_STOP_RATIO"
    " ELEM_FRACTION"
    " MEAN_EXCI_ENERGY",
    (0x00080102, "SH"): "NCDR NICIP NYUMDA MAYOASRG PATHLEX UMDNS DCM SCT UCUM SRT LN RADLEX FMA 99GEMS"
    " 99PHILIPS"
    " 99HITACHI 99QIICR 99_OFFIS_DCMTK 99EPIC 99SMS_CTMR",
    (0x00180015, "CS"): "ABDOMENPELVIS ABDOMINALAORTA ACJOINT AMNIOTICFLUID AORTICARCH ASCAORTA BILEDUCT"
    " CHESTABDOMEN"
    " CORONARYARTERY CTSPINE DESCAORTA LSSPINE NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV"
    " PELVISLOWEXTREMT RADIUSULNA"
    " SCJOINT SEMVESICLE SIJOINT SPINALCORD SSPINE",
    (0x00080103, "SH"): "20020904 20180731 _20100605 01 1.0 2.16 4.13",
    (0x00181210, "SH"): r"BONEPLUS CHST IMR1\SharpPlus B30f Br40d\3",
    (0x00180024, "SH"): "epfid2d1_64 *spcir_278ns *spcR_242ns *qfl3d1r18 *tir2d1rr11 *fldyn3d1"
    " cmrr_mbep2d csi_slaser"
    " *tse2d1_15 *fl3d1_ns *ep_b1000#2",
    (0x00189005, "SH"): "FSPGR efgre3d 3DFSPGR DwiSE SSFSE FastSE3D FLAIR_LongTR",
    (0x00180022, "CS"): r"FLTR_GEMS VASCTOF DRLC DIXF EDR_GEMS\FAST_GEMS VASCTOF_GEMS\TRF_GEMS\FILTERED_GEMS",
    (0x00181250, "SH"): "8HRBRAIN TxRx_15Ch_Knee NORAS QKNEE_8",
    (0x00181251, "SH"): "TxRx_Head",
    (0x00541103, "LO"): "VPFX(S) VPHD QCFX FORE+OSEM BSREM DIFT",
    (0x00541101, "LO"): "MRAC CTAC",
    (0x00541105, "LO"): "SS-SIMUL",
    (0x00181180, "SH"): "LEHR LEAP LEGP MEGP HEGP MEAP ELEGP LEHR-VXGP",
    (0x00189323, "CS"): "CAREDOSE4D OPTIMAL_kV SUREEXP ZAXIS",
    (0x00280051, "CS"): "RANSNG RANSM SLSENS SENSNG DECY RADL ATTN SCAT DTIM MOTN PMOT CLN RAN DCAL NORM",
    (0x00281055, "LO"): "HARDER SOFTER GSDF",
    (0x00283003, "LO"): "HARDER SOFTER GSDF",
    (0x00281054, "LO"): "VIRT",
    (0x00080008, "CS"): r"CSAPARALLEL CSAMANIPULATED DERIVED\PRIMARY\CSA_3D_EDITOR IMAR TTEST COLLAGE MNUFMT",
    (0x00185101, "CS"): "ANTEROPOSTERIOR SUNRISE OUTLET SWIM ZANCA LAURIN SCHUELLER DANELIUS_MILLER"
    " CALDWELL AP LL",
    (0x00187050, "CS"): "Cu Al Mo Rh Ag COPPER MOLYBDENUM",
    (0x00181261, "LO"): "Gd2O2S BaFBr CsI",
    (0x0018702A, "LO"): "Varex Trixell Hamamatsu",
    (0x00187006, "LT"): "PIXIUM aSi",
    (0x00180031, "LO"): "NaF",
    (0x00189078, "CS"): "mSENSE",
    (0x00181401, "LO"): "MUSICA2",
    (0x00620005, "LO"): "FemurHead_R vertebrae_L1 autochthon_left clavicula_left gluteus_maximus_right",
    (0x00620006, "ST"): "FemurHead_R vertebrae_L1 autochthon_left clavicula_left",
    (0x00080104, "LO"): "Gadavist Semisolid TotalSegmentator nnU-Net Ki-67",
}  # fmt: skip
"""Values without spaces, by attribute and VR."""

STAY_WITH_SPACES = [
    (0x00181020, "LO", "gmp_vct.42"),
    (0x00181020, "LO", "uCT 780 R002"),
    (0x00181020, "LO", "R001.0.2.123456"),
    (0x00181020, "LO", "2.0.0.0-1234"),
    (0x00181020, "LO", "EchoPAC PC Version 203"),
    (0x00181020, "LO", "Ver 1.9.2"),
    (0x00181020, "LO", "VL20P20200101"),
    (0x00181020, "LO", "PETsyngo VG50A"),
    (0x00181020, "LO", "MIMvista 7.1.4"),
    (0x00181020, "LO", "dcm2niix v1.0.20220720"),
    (0x00181020, "LO", "3D Slicer 5.2.2"),
    (0x00181020, "LO", "OsiriX"),
    (0x00181020, "LO", "HOROS 3.3.6"),
    (0x00181020, "LO", "CS 9300 6.14.7"),
    (0x00181020, "LO", "syngo CT VA48A\\dcm2niix v1.0.20220720"),
    (0x00181210, "SH", "AIDR 3D STD"),
    (0x00181210, "SH", "ASIR 40"),
    (0x00181210, "SH", "IMR1,SharpPlus"),
    (0x00181156, "CS", "CONST POTENTIAL"),
    (0x00181250, "SH", "8US TORSOPA"),
    (0x00181250, "SH", "dStream HeadNeck 20ch"),
    (0x00181250, "SH", "Sense XL Torso"),
    (0x00541103, "LO", "TrueX+TOF (ultraHD-PET)"),
    (0x00541101, "LO", "measured, 0.096000 cm-1,"),
    (0x00281055, "LO", "Algo 1"),
    (0x00080008, "CS", "MIP THICK"),
    (0x00080008, "CS", "DERIVED\\SECONDARY\\MIP THICK"),
    (0x00187006, "LT", "Trixell 4343"),
    (0x00187006, "LT", "Canon CXDI-70C"),
    (0x00180031, "LO", "Rb-82 Rubidium Chloride"),
    (0x00080104, "LO", "Hepatocellular carcinoma"),
    (0x00080104, "LO", "Anterior cruciate ligament"),
    (0x00080104, "LO", "Subtalar joint"),
    (0x00080104, "LO", "Omnipaque 350"),
    (0x00080104, "LO", "LV Mass (Cubed)"),
    (0x00080104, "LO", "SOURCE IMAGE FOR IMAGE PROCESSING OPERATION"),
    (0x00620005, "LO", "source image for image processing operation"),
]

VALUES = [
    *(pytest.param(tag, vr, text) for (tag, vr), row in STAY.items() for text in row.split()),
    *STAY_WITH_SPACES,
]


@pytest.mark.parametrize(("tag", "vr", "text"), VALUES)
def test_what_is_usual_in_an_attribute_is_recognised(tag: int, vr: str, text: str) -> None:
    assert recognised(tag, vr, text)


EVERYWHERE = [
    "Laurin", "LAURIN", "ZANCA", "CALDWELL", "SCHUELLER", "Danelius Miller", "DANELIUS_MILLER", "Miller",
    "SMITH",
    "uCT SMITH", "A1234567", "P20200101", "19410827", "_19410827", "1941-08-27", "Quiller", "HEADLEE",
    "FASTSPINECHO Quiller", "MillerHead", "HeadMiller", "dcm2niix v1.0.19410827x", "99SMITH", "99MILLER_HOSP",
    "99QUILLER", "447190288", "R001.0.2.1234567", "V20200101", "Smith 1.9.2", "Ver Smith", "Cu Smith",
    "8SMITH",
    "Hepatocellular Smith", "smith2d1r18", "Noras Smith", "123456-1234", "Wu", "Ng", "Quiller 4343",
]  # fmt: skip
ATTRIBUTES = [
    0x00283003, 0x00181020, 0x00181210, 0x00180024, 0x00189005, 0x00180022, 0x00181250, 0x00541103, 0x00541101,
    0x00080102, 0x00187006, 0x0018702A, 0x00180031, 0x00620005, 0x00620006, 0x00080104, 0x00080008, 0x00280051,
    0x00180015, 0x00187050,
]  # fmt: skip


@pytest.mark.parametrize("text", EVERYWHERE)
def test_names_numbers_and_dates_are_recognised_in_no_attribute(text: str) -> None:
    # Views that the standard prints (Miller) are meanings.
    tags = [tag for tag in ATTRIBUTES if tag != 0x00080104 or text not in known_meanings()]
    assert [f"{tag:08X}" for tag in tags if recognised(tag, "LO", text)] == []


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        (0x00185101, "MILLER"), (0x00181020, "27.08.41-1234"), (0x00181020, "7.2.41-12"),
        (0x00185101, "LAURIN SMITH"), (0x00185101, "Quiller"), (0x00185101, "AP\\Quiller"),
        (0x00080103, "19410827"), (0x00080103, "20201301"), (0x00080103, "20200101A"),
        (0x00080103, "120200101"),
        (0x00080100, "20200101"), (0x00181020, "VL20P20201301"), (0x00181020, "VL20P19410827"),
        (0x00181020, "dcm2niix v1.0.19410827"), (0x00181020, "Quiller v1.0.20220720"),
        (0x00181020, "syngo CT VA48A\\Quiller"), (0x00180024, "*smith3d1r18"),
        (0x00181020, "R001.0.2.123456 Smith"),
    ],
)  # fmt: skip
def test_a_term_of_an_attribute_stands_alone(tag: int, text: str) -> None:
    assert not recognised(tag, "LO", text)


def test_no_word_of_an_attribute_is_a_listed_name() -> None:
    names = read_words("given_names.txt") | read_words("family_names.txt")
    assert {word for terms in attribute_terms().values() for word in terms.words} & names == set()


def test_no_listed_name_stays_in_an_attribute_for_its_terms() -> None:
    listed = read_words("given_names.txt") | read_words("family_names.txt")
    names = {name for name in listed if len(name) > 3} - vocabulary()
    found = {
        (f"{tag:08X}", text)
        for tag in attribute_terms()
        if tag not in (0x00185101, 0x00080104)
        for name in names
        for text in (name.title(), name.upper())
        if recognised(tag, "LO", text)
    }
    assert found == set()


def test_a_long_run_of_digits_is_looked_at_once() -> None:
    """Looked at from each digit anew, a run of this length takes an hour, which no test is given."""
    assert not recognised(0x0040A160, "UT", "1" * (1 << 19))


@pytest.mark.parametrize(
    "text", ["99BROWN", "99STONE", "99FISCHER", "99MARK", "8STONE", "12Fischer"]
)
def test_a_number_before_a_name_makes_no_term_of_it(text: str) -> None:
    assert [f"{tag:08X}" for tag in ATTRIBUTES if recognised(tag, "LO", text)] == []


@pytest.mark.parametrize(
    ("tag", "text"),
    [(0x00281054, "Hu"), (0x00080104, "Burns"), (0x00620005, "LARS"), (0x00180031, "Maas")],
)
def test_a_name_that_looks_like_a_unit_or_a_plural_is_not_recognised(tag: int, text: str) -> None:
    assert not recognised(tag, "LO", text)


STANDARD_TERMS_LIKE_NAMES = {
    "ann", "black", "black_body", "electric_field", "fletcher_suit", "invalid page des", "joslin_flynn",
    "max pixel", "max_ip", "page", "static field", "white",
}  # fmt: skip
"""What the standard prints for a code string and is somebody's name elsewhere."""


def test_only_views_and_printed_code_strings_hold_terms_that_are_names() -> None:
    names = read_words("given_names.txt") | read_words("family_names.txt")
    # Words and units that are names as well.
    names -= {"colon", "hu", "li", "lin", "ma"}
    holding = {
        value
        for tag, terms in attribute_terms().items()
        for value in terms.values
        if tag != 0x00185101 and names.intersection(re.findall(r"[^\W\d_]+", value))
    }
    assert holding == STANDARD_TERMS_LIKE_NAMES


def test_meanings_of_the_standard_stay_in_capitals() -> None:
    names = read_words("given_names.txt") | read_words("family_names.txt")
    lost = [each for each in known_meanings() if not recognised(0x00080104, "LO", each.upper())]
    assert [each for each in lost if not names.issuperset(re.findall(r"\w+", each.lower()))] == []


@pytest.mark.parametrize(
    "text",
    [
        "0x54 0x61 0x6E 0x6E", "0x540x610x6e", "\\124\\141\\156\\156", "- .- -. -.", "⠞⠁⠝⠝", "942***006",
        "29th of the 4th 2016", "day 120 of 2016", "2016, Apr the 29th", "29.4.'16", "1/2/'16",
    ],
)  # fmt: skip
def test_what_is_not_meant_plainly_is_not_recognised(text: str) -> None:
    assert not recognised(0x00181020, "LO", text)
    assert text not in CLEANER.clean_value("LO", f"knee {text}", (), shift=Shift(10)).text or (
        "\\" in text
    )


@pytest.mark.parametrize(
    "text", ["1.5 x 1.5", "- 3 mm -", "T1 --- T2", "0x10", "A - B . C", "512x512", "10 * 2", "3rd of 4"]
)  # fmt: skip
def test_what_looks_like_it_stays_in_text(text: str) -> None:
    assert CLEANER.clean_value("LO", text, (), shift=Shift(10)).text == text
