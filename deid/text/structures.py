"""Names of structures: what radiotherapy and segmentation call organs, targets and what helps to plan.

Such a name is put together by a grammar (AAPM Task Group 263): parts joined by underscores and capitals, a
side, a margin (``PRV03``), a dose (``5000``), a prefix that keeps it from evaluation (``z``), and behind ``^``
what a site adds. A name is known when all its parts are: without one of them it is another structure's.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files
from typing import Final

from deid.text.folding import words
from deid.text.standard import listed_names
from deid.text.vocabulary import is_clinical_token

_TOKEN: Final = re.compile(r"[^\W_]+")
_CAMEL: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_TARGET: Final = re.compile(
    r"[zx]?(?:I?[GCP]TV|ITV|IGTV|ICTV|PRV|OAR|HRCTV|IRCTV)s?(?:p|n|sb|par|v|vas|ves|eval|opt|hn|ln|bst|db|pb)?"
    r"[A-Za-z]?\d{0,5}(?:mm|cm|c?Gy)?\Z"
)
"""Volumes to treat and margins around what to spare: ``GTVp1``, ``zPTV``, ``CTVn2``, ``PTV5000``, ``PRV03``."""
_MEASURE: Final = re.compile(
    r"\d{1,5}(?:[.,p]\d{1,3})?(?:c?Gy|mm|cm|cc|pct|x|fx)?\Z", re.IGNORECASE
)
_LEVEL: Final = re.compile(r"[CTLS]\d{1,2}\Z|[IVX]{1,4}[abAB]?\Z")
_DAY: Final = re.compile(
    r"(?<!\d)(?:19|20)\d\d[-._ ]?(?:0[1-9]|1[0-2])[-._ ]?[0-3]\d(?!\d)"
    r"|(?<!\d)[0-3]?\d[-._ ][01]?\d[-._ ](?:19|20)?\d\d(?!\d)"
)
_MOST_CHARACTERS: Final = 64
_MOST_DIGITS: Final = 9
_MOST_NUMBER: Final = 5
_MOST_LETTERS: Final = 3
_USED_IN_PLANS: Final = words(
    """
    all and ant anterior art auto avoid avoidance axilla bb below bilat block body bolus boost box calc
    carina cavity clip clips contour contra contrast control cord couch cuff cyl cylinder cyst deep dist
    distal dose dummy edge edited eval evaluation exclude exp expanded expansion external fid fiducial
    fiducials final gas gating gel helper help high hot implant in inf inferior inner inside int interior
    intermediate ipsi isodose iso isocenter gm tmj wm lad lat lateral left level limit line lobe low lower
    lt lumen margin marker markers max med medial mid min minus mirror mod modified nodal node nodes normal
    not only opt opti optic original out outer outside overlap partial plus point post posterior preop
    postop primary prior prox proximal push rail rails ref reference ring rings rind right rt scar seed
    seeds seroma set shell shifted side skin slice small spacer spare sparing strip strips stripe sub
    subtract sup superior support surface surgical table target temp tissue total tumor tumour tumorbed
    union upper vol volume wall whole wire without
    """
)


@cache
def structure_names() -> frozenset[str]:
    """Return the listed names, in lower case; where a number is left open (``PRVxx``), without it."""
    rows = csv.DictReader(
        (files("deid.tables") / "structure_names.csv").read_text(encoding="utf-8").splitlines()
    )
    return frozenset(row["name"].lower() for row in rows)


@cache
def _parts() -> frozenset[str]:
    """Return the words that the listed names are made of, but those that are names of persons as well."""
    rows = csv.DictReader(
        (files("deid.tables") / "structure_names.csv").read_text(encoding="utf-8").splitlines()
    )
    found: set[str] = set()
    for row in rows:
        for token in _TOKEN.findall(row["name"]):
            found.add(token.lower())
            found.update(part.lower() for part in _CAMEL.findall(token))
    return frozenset({each for each in found if len(each) > 1} | _USED_IN_PLANS) - listed_names()


def is_structure_name(text: str) -> bool:
    """Whether a label names a structure, and nothing in it is unknown."""
    text = text.strip()
    if text.lower() in structure_names():
        return True
    if not text or len(text) > _MOST_CHARACTERS or not text.isascii() or _DAY.search(text):
        return False
    if sum(map(str.isdigit, text)) > _MOST_DIGITS:
        return False
    tokens = _TOKEN.findall(text)
    letters = 0
    for token in tokens:
        letters = letters + 1 if len(token) == 1 and token.isalpha() else 0
        if letters > _MOST_LETTERS or not _is_part(token):
            return False
    return any(not token.isdigit() for token in tokens)


def _is_part(token: str) -> bool:
    if token.isdigit():
        return len(token) <= _MOST_NUMBER
    if len(token) == 1 or _TARGET.match(token) or _MEASURE.match(token) or _LEVEL.match(token):
        return True
    bare = token.rstrip("0123456789")
    if len(token) - len(bare) <= 2 and _is_word(bare):
        return True
    if token[0] in "zx" and _is_word(bare[1:]):
        return True
    pieces = _CAMEL.findall(token)
    if len(pieces) > 1 and all(
        piece.lower() in _parts() or (piece.isdigit() and len(piece) <= 2) or len(piece) == 1
        for piece in pieces
    ):
        return any(len(piece) > 2 for piece in pieces)
    return token.isalpha() and len(token) > 2 and is_clinical_token(token)


def _is_word(word: str) -> bool:
    lower = word.lower()
    return lower in _parts() or (lower.endswith("s") and lower[:-1] in _parts())
