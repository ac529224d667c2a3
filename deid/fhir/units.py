"""Units of measure in the form of UCUM: made of its atoms and prefixes, so that no name passes for one."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from deid.text.folding import words

if TYPE_CHECKING:
    from collections.abc import Callable

_METRIC: Final = words(
    """
    m s g rad K C cd mol sr Hz N Pa J W A V F Ohm S Wb Cel T H lm lx Bq Gy Sv l L ar t bar u eV pc g% kat U
    eq osm cal dyn erg Ci R RAD REM St Mx G P Bi Gal Oe Gb sb Lmb ph Ky B Np B[SPL] B[V] B[mV] bit By Bd
    m[H2O] m[Hg] [iU] [IU] [g] [c] g.m
    """
)
_OTHER: Final = words(
    """
    10* 10^ % [ppth] [ppm] [ppb] [pptr] min h d wk mo a a_t a_j a_g mo_s mo_j mo_g deg ' '' gon [pi] circ sph
    [pH] [degF] [degR] [degRe] [lb_av] [oz_av] [dr_av] [gr] [lb_tr] [oz_tr] [stone_av] [in_i] [ft_i] [yd_i]
    [mi_i] [nmi_i] [kn_i] [sin_i] [sft_i] [cin_i] [cft_i] [cup_us] [tsp_us] [tbs_us] [foz_us] [pt_us] [qt_us]
    [gal_us] [in_i'Hg] [in_i'H2O] [psi] [diop] [hnsf'U] [MET] [HPF] [LPF] [drp] [Ch] [arb'U] [USP'U] [CFU] [PFU]
    [FFU] [BAU] [AU] [CCID_50] [TCID_50] [EID_50] [D'ag'U] [FEU] [ELU] [EU] [PNU] [Lf] [IR] [knk'U] [mclg'U]
    [smgy'U] [bdsk'U] [todd'U] [dye'U] [anti'Xa'U] [GPL'U] [MPL'U] [APL'U] [beth'U] [Amb'a'1'U] [p'diop] [Btu]
    [Cal] [cal] [HP] [S] [car_m] [bbl_us] [pk_us] [bu_us] [acr_us] st lcwt scwt b att kg bph atm mho
    """
)
_PREFIXES: Final = (
    "da", "Y", "Z", "E", "P", "T", "G", "M", "k", "h", "d", "c", "m", "u", "n", "p", "f", "a", "z", "y",
)  # fmt: skip
_COMPONENT: Final = re.compile(
    r"(?P<unit>(?:[A-Za-z%*^']|\[[^\]]{1,12}\]|(?<=[A-Za-z])_|(?<=_)[a-z]|10[*^])*)(?P<power>[+-]?\d{1,3})?\Z"
)
_ANNOTATION: Final = re.compile(r"\{([^{}]{0,24})\}")
_MOST: Final = 48


def is_unit(text: str, is_term: Callable[[str], bool]) -> bool:
    """Whether a text is a unit of UCUM; what stands in braces is an annotation, whose words are judged."""
    if not 0 < len(text) <= _MOST:
        return False
    for annotation in _ANNOTATION.findall(text):
        if annotation and not is_term(annotation.replace("_", " ")):
            return False
    return _is_bare_unit(_ANNOTATION.sub("", text))


@lru_cache(maxsize=4096)
def _is_bare_unit(text: str) -> bool:
    parts = re.split(r"[./()]", text)
    return all(_is_component(part) for part in parts)


def _is_component(part: str) -> bool:
    if not part or part.isdigit():
        return len(part) <= 3
    found = _COMPONENT.match(part)
    if found is None:
        return False
    return _is_atom(found["unit"])


def _is_atom(unit: str) -> bool:
    if unit in _METRIC or unit in _OTHER:
        return True
    return any(unit.startswith(prefix) and unit[len(prefix) :] in _METRIC for prefix in _PREFIXES)
