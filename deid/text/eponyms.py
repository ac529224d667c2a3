"""Names that stand for something clinical where they are used so: Baker cyst, circle of Willis."""

from __future__ import annotations

import re
from typing import Final

from deid.text.folding import fold, words
from deid.text.vocabulary import eponym_pairs, eponyms, is_own_clinical, paired

# What a name may belong to. The word itself may stand one eponym further: Osgood-Schlatter disease.
_HEADS: Final = words(
    """
    map mapping maps mapped strength echo recovery vein artery
    rads tubercle balloon change changes matter en limb guidelines society blood map maps abscess ampulla
    anastomosis aneurysm angle anomaly apparatus area arthritis artery axis band body bodies bypass canal
    carcinoma catheter cell cells chorea class classification clip coil coma contracture coronary criteria
    cyst cysts defect deformity dementia diagnosis disease disorder diverticulum drain duct dystrophy
    embolus encephalopathy fascia filter fissure flap fold foramen formula fracture fractures ganglion gland
    goitre goiter grade graft granuloma grid hernia impression index infarct interval joint kidney lesion
    lesions ligament line lines lobe loop lymphoma malformation maneuver manoeuvre method methods muscle
    nail needle neuroma node nodes nodule operation palsy papilla phenomenon pin pins plexus point pouch
    procedure prosthesis protocol quotient ratio ring rod rods sarcoma scale score scoring shadow shunt sign
    signs sinus space splint staging stage stent stroke sulcus syndrome system tamponade technique test
    tetralogy thyroiditis toe triad triangle tube tumor tumors tumour tumours type unit units valve vein
    view views wire wires krankheit syndrom zyste fraktur maladie kyste signe enfermedad sindrome signo
    malattia morbo ziekte esophagus oesophagus encephalitis stain
    """
)
_AHEAD: Final = re.compile(r"(?:['\u2019]s?)?[\s_-]{1,2}([^\W\d_]+)")
_BEFORE: Final = re.compile(
    r"(?<![^\W_])(?:(?:circle|sinus|sinuses|ligament|foramen|canal|ampulla|triangle|islets?|loop|angle|tetralogy"
    r"|fissure|aqueduct|vein|fossa|ganglion|duct|pouch|valves?|space|point|sphincter|organ)\s+of(?:\s+the)?"
    r"|(?:syndrome|polygone|maladie|signe|kyste|enfermedad|s[ií]ndrome|signo)\s+de|(?:malattia|morbo|sindrome)\s+di"
    r"|ziekte\s+van|morbus)\s+$",
    re.IGNORECASE,
)
_COUNTED: Final = words(
    """
    apgar glasgow wells ranson rockall mallampati karnofsky barthel rankin hinchey forrest alvarado braden
    norton fleischner balthazar meyers charlson cormack hunt hess fisher spetzler graeb risser lauge weber
    neer mayo outerbridge kocher hounsfield berne bishop snellen day gleason bosniak child pugh modic
    pfirrmann deauville garden gartland pauwels stanford debakey kellgren fazekas schatzker lenke todani gustilo
    salter bethesda fuhrman breslow billroth lugano chiari mason rockwood ficat meyerding crowe tonnis pipkin
    cognard borden scheltens koedam bismuth strasberg siewert borrmann masaoka enneking mirels tokuhashi
    goutallier samilson eichenholtz
    """
)
"""Words that a number follows or precedes: a day, a score, a class."""
_NUMBER_AHEAD: Final = re.compile(r"\s{0,2}(?:#?\d|[IVX]{1,4}[a-cA-CF]?(?![^\W_])|[AB](?![^\W_]))")
_NUMBER_BEFORE: Final = re.compile(r"\d(?:st|nd|rd|th)?[\s-]?$", re.IGNORECASE)
_TESTED: Final = words(
    """
    babinski mcmurray lachman tinel phalen spurling kernig brudzinski rovsing hallpike romberg lasegue
    trendelenburg
    """
)
"""Tests that are told by their names alone, which hardly anybody has."""
_RESULT_AHEAD: Final = re.compile(
    r"(?:['\u2019]s)?[\s:,-]{1,2}(?:positive|negative)(?![^\W_])", re.IGNORECASE
)
_RESULT_BEFORE: Final = re.compile(r"(?<![^\W_])(?:positive|negative)\s\Z", re.IGNORECASE)
_MAX_STEPS: Final = 3


def is_in_use(text: str, start: int, stop: int) -> bool:
    """Whether a word of a text is an eponym beside what it belongs to, or one that is counted: Gleason 7."""
    folded = fold(text[start:stop].removesuffix("'s"))
    if folded in paired() and _is_of_pair(text, start, stop):
        return True
    if folded not in eponyms():
        return False
    if folded in _COUNTED and (
        _NUMBER_AHEAD.match(text, stop) or _NUMBER_BEFORE.search(text, max(0, start - 5), start)
    ):
        return True
    if folded in _TESTED and (
        _RESULT_AHEAD.match(text, stop) or _RESULT_BEFORE.search(text, max(0, start - 10), start)
    ):
        return True
    if _BEFORE.search(text, max(0, start - 32), start):
        return True
    at = stop
    for _step in range(_MAX_STEPS):
        ahead = _AHEAD.match(text, at)
        if ahead is None:
            return False
        word = fold(ahead[1])
        if word in _HEADS:
            return True
        if word not in eponyms() and not is_own_clinical(ahead[1]):
            return False
        at = ahead.end()
    return False


_MOST_PAIRED: Final = 4
_PAIRED: Final = re.compile(r"[^\W\d_]+(?:[ -][^\W\d_]+){1,7}")
_LONGEST_PAIR: Final = 40


def _is_of_pair(text: str, start: int, stop: int) -> bool:
    """Whether a word stands with those that it is an eponym together with: Mallory-Weiss."""
    for run in _PAIRED.finditer(text, max(0, start - _LONGEST_PAIR), stop + _LONGEST_PAIR):
        if not run.start() <= start < run.end():
            continue
        tokens = list(_PART.finditer(text, run.start(), run.end()))
        at = next(index for index, token in enumerate(tokens) if token.end() > start)
        folded = [fold(token[0]) for token in tokens]
        return any(
            tuple(folded[first:last]) in eponym_pairs()
            for first in range(max(0, at - _MOST_PAIRED + 1), at + 1)
            for last in range(max(at + 1, first + 2), first + _MOST_PAIRED + 1)
        )
    return False


_PART: Final = re.compile(r"[^\W\d_]+")
