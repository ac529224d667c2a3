"""Words that tell of nobody: those of headers everywhere, and what kinds of places there are."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

# Words of our own replacements, and values that never identify anybody.
HARMLESS: Final = frozenset(
    b"removed 000y 19000101 000000 anonymous anonymized anonymised unknown none null test patient name "
    b"the and for not yes urn:removed".split()
)
_KINDS: Final = frozenset(
    b"""
    abteilung accident acute admission admissions allied ambulance ambulanz ambulatory and apotheke
    building burn cancer cardiac care center centre children clinic clinica clinical clinics
    clinique community coronary critical day delivery dental department departments diagnostic
    dialysis division ear emergency endoscopy eye facility family farmacia floor for general group
    health healthcare heart home hopital hospital hospitals house imaging inpatient institute
    institution intensive internal klinik krankenhaus lab labor laboratoire laboratories laboratorio
    laboratory labs main maternity medical medicine mental nose notaufnahme nursery nursing
    observation occupational of office operating ospedale outpatient outpatients pathology pharmacie
    pharmacy physical practice praxis primary pronto provider reception recovery rehabilitation
    residence room rooms school secondary service services soccorso specialist specialty station
    stroke surgery surgical the theater theatre therapy throat trauma treatment triage unit units
    urgences urgencias urgent waiting ward wards women
    """.split()
)
"""Words that say what kind of place one is."""
_SPECIALTIES: Final = (b"ology", b"ologie", b"iatrics", b"iatry", b"paedics", b"pedics")


@cache
def common_terms() -> frozenset[bytes]:
    """Return words that stand in headers everywhere; as part of somebody's name they prove nothing."""
    words = (files("deid.tables") / "words.txt").read_text(encoding="utf-8").split()
    return HARMLESS | {word.encode() for word in words}


def says_only_its_kind(name: str) -> bool:
    """Whether a place's or an institution's name is none, but says what it is: ``Emergency Room``."""
    words = name.lower().encode("utf-8", "replace").split()
    return bool(words) and all(word in _KINDS or word.endswith(_SPECIALTIES) for word in words)
