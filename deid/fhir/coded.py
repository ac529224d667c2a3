"""Codings: kept of systems that are known, with the display that the system has for the code."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from deid.fhir.check_digits import (
    has_loinc_check_digit,
    has_pzn_check_digit,
    has_snomed_check_digit,
    has_unii_check_character,
)
from deid.fhir.forms import is_country, is_language, is_media_type
from deid.fhir.leaves import REMOVED, UNRECOGNISED, malformed
from deid.fhir.units import is_unit
from deid.tables.dictionary import scheme_concepts
from deid.tables.dictionary import uids as registered_uids
from deid.tables.fhir import code_systems, iso_codes

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.fhir.leaves import Leaf
    from deid.fhir.run import Run

UCUM: Final = "http://unitsofmeasure.org"
_SCHEMES: Final = {
    "http://snomed.info/sct": "SCT",
    "http://loinc.org": "LN",
    "http://dicom.nema.org/resources/ontology/DCM": "DCM",
    "http://www.radlex.org": "RADLEX",
    "http://radlex.org": "RADLEX",
    "http://unitsofmeasure.org": "UCUM",
    "urn:iso:std:iso:11073:10101": "MDC",
    "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl": "NCIt",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RXNORM",
}
"""Coding schemes of which PS3.16 prints codes with their meanings, by their addresses in FHIR."""

_BASES: Final = r"(?:[\d_+\-*>()=ACGTUacgtu]|del|dup|ins|inv|con)"
_ACID: Final = r"(?:Ala|Arg|Asn|Asp|Cys|Gln|Glu|Gly|His|Ile|Leu|Lys|Met|Phe|Pro|Ser|Thr|Trp|Tyr|Val|Ter|[A-Y*])"
_ICD_10: Final = r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?[+*!]?"
_OPS: Final = r"[1-9]-\d{2}[0-9a-z](?:\.[0-9a-z]{1,2})?"
_ATC: Final = r"[A-Z](?:\d\d(?:[A-Z](?:[A-Z](?:\d\d)?)?)?)?"
_CMS: Final = "https://www.cms.gov/Medicare"
_US_CORE: Final = "http://hl7.org/fhir/us/core/CodeSystem/"
_SHAPES: Final[dict[str, str]] = {
    "http://snomed.info/sct": r"\d{6,18}",
    "http://loinc.org": r"\d{1,7}-\d|L[AP]\d{1,7}-\d",
    "http://dicom.nema.org/resources/ontology/DCM": r"\d{6}",
    "http://www.radlex.org": r"RID\d{1,6}|RPID\d{1,5}",
    "http://radlex.org": r"RID\d{1,6}|RPID\d{1,5}",
    UCUM: r".{1,48}",
    "urn:iso:std:iso:11073:10101": r"\d{1,6}",
    "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl": r"C\d{1,7}",
    "http://ncithesaurus-stage.nci.nih.gov": r"C\d{1,7}",
    "http://www.nlm.nih.gov/research/umls/rxnorm": r"\d{1,7}",
    "http://www.nlm.nih.gov/research/umls": r"C\d{7}",
    "http://hl7.org/fhir/sid/icd-10": _ICD_10,
    "http://fhir.de/CodeSystem/bfarm/icd-10-gm": _ICD_10,
    "http://fhir.de/CodeSystem/dimdi/icd-10-gm": _ICD_10,
    "http://fhir.de/CodeSystem/bfarm/ops": _OPS,
    "http://fhir.de/CodeSystem/dimdi/ops": _OPS,
    "http://fhir.de/CodeSystem/bfarm/atc": _ATC,
    "http://fhir.de/CodeSystem/dimdi/atc": _ATC,
    "http://fhir.de/CodeSystem/ifa/pzn": r"\d{8}",
    "http://id.who.int/icd/release/11/mms": r"[0-9A-HJ-NP-Z]{2}\d[0-9A-Z](?:\.[0-9A-Z]{1,2})?",
    "http://hl7.org/fhir/sid/icpc-2": r"[A-Z]\d{2}",
    "http://hl7.org/fhir/sid/dsm5": r"[A-Z]\d{2}(?:\.\d{1,3})?|\d{3}\.\d{1,2}",
    "http://hl7.org/fhir/sid/icd-10-cm": r"[A-Z]\d[0-9A-Z](?:\.?[0-9A-Z]{1,4})?",
    "http://hl7.org/fhir/sid/icd-10-pcs": r"(?=.*\d)[0-9A-HJ-NP-Z]{7}",
    "http://www.cms.gov/Medicare/Coding/ICD10": r"(?=.*\d)[0-9A-HJ-NP-Z]{7}",
    "http://hl7.org/fhir/sid/icd-9-cm": r"(?:\d{2,3}|V\d\d|E\d{3})(?:\.\d{1,2})?",
    "http://hl7.org/fhir/sid/icd-o-3": r"C?\d\d(?:\.\d)?|\d{4}/\d",
    "http://hl7.org/fhir/sid/cvx": r"\d{1,3}",
    "http://hl7.org/fhir/sid/mvx": r"ASZ|BRR|CSL|DVC|DYN|GSK|JSN|MED|MIP|MOD|MSD|NVX|PFR|PMC|SEQ|SKB|UNK|WAL",
    "http://hl7.org/fhir/sid/ndc": r"\d{4,5}-\d{3,4}-\d{1,2}|\d{10,11}",
    "http://www.ama-assn.org/go/cpt": r"\d{4}[0-9A-Z](?:-\d\d)?",
    "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets": r"[A-V]\d{4}",
    "http://www.whocc.no/atc": _ATC,
    "https://dmd.nhs.uk": r"\d{6,18}",
    "http://dmd.nhs.uk": r"\d{6,18}",
    "https://www.meddra.org": r"10\d{6}",
    "http://www.meddra.org": r"10\d{6}",
    "http://va.gov/terminology/medrt": r"N0000\d{6}",
    "http://hl7.org/fhir/ndfrt": r"N0000\d{6}",
    "http://human-phenotype-ontology.org": r"HP:\d{7}",
    "http://purl.obolibrary.org/obo/hp.owl": r"HP:\d{7}",
    "http://www.orpha.net": r"(?:ORPHA:)?\d{1,6}",
    "http://www.sequenceontology.org": r"SO:\d{7}",
    "http://sequenceontology.org": r"SO:\d{7}",
    "http://www.ada.org/snodent": r"\d{6,18}",
    "http://www.ada.org/cdt": r"D\d{4}",
    "http://nucc.org/provider-taxonomy": r"(?=.*\d{2})[0-9A-Z]{9}X",
    "https://www.nubc.org/CodeSystem/RevenueCodes": r"\d{4}",
    "http://fdasis.nlm.nih.gov": r"(?=.*\d)[0-9A-Z]{10}",
    "http://www.genenames.org": r"HGNC:\d{1,6}",
    "http://www.genenames.org/geneId": r"HGNC:\d{1,6}",
    "http://varnomen.hgvs.org": (
        rf"[A-Z]{{2}}_\d{{4,9}}\.\d{{1,2}}:(?:[cgmnr]\.{_BASES}{{1,60}}|p\.\(?{_ACID}\d{{1,5}}"
        rf"(?:_{_ACID}\d{{1,5}})?(?:=|del|dup|fs(?:Ter\d{{1,4}})?|{_ACID})?\)?)"
    ),
    "urn:iso:std:iso:3166:-2": r"[A-Z]{2}-[A-Z0-9]{1,3}",
    "urn:oid:2.16.840.1.113883.6.238": r"\d{4}-\d",
    "http://terminology.hl7.org/CodeSystem/PHRaceAndEthnicityCDC": r"\d{4}-\d",
    "http://www.nubc.org/patient-discharge": r"\d{2}",
    "https://www.nubc.org/CodeSystem/PatDischargeStatus": r"\d{2}",
    "https://www.nubc.org/CodeSystem/TypeOfBill": r"0?\d{2}[0-9A-Z]",
    f"{_CMS}/Coding/place-of-service-codes/Place_of_Service_Code_Set": r"\d{2}",
    f"{_CMS}/Medicare-Fee-for-Service-Payment/AcuteInpatientPPS/MS-DRG-Classifications-and-Software": r"\d{3}",
    f"{_US_CORE}us-core-documentreference-category": "clinical-note",
    f"{_US_CORE}condition-category": "health-concern|problem-list-item|encounter-diagnosis",
    f"{_US_CORE}us-core-category": (
        "sdoh|functional-status|disability-status|cognitive-status|treatment-intervention-preference"
        "|care-experience-preference|observation-adi-documentation"
    ),
    "urn:oid:2.16.840.1.113883.6.101": r"(?=.*\d{2})[0-9A-Z]{9}X",
}
"""Code systems that are kept, and what their codes look like."""
_LISTED: Final[dict[str, Callable[[str], bool]]] = {
    "urn:ietf:bcp:47": is_language,
    "urn:ietf:bcp:13": is_media_type,
    "urn:iso:std:iso:3166": is_country,
    "urn:iso:std:iso:4217": lambda code: code in iso_codes("currency"),
}
"""Those whose codes are listed elsewhere."""
_SHORTENED: Final = {f"urn:oid:{oid}": uri for oid, uri in {
    "2.16.840.1.113883.6.96": "http://snomed.info/sct",
    "2.16.840.1.113883.6.1": "http://loinc.org",
    "1.2.840.10008.2.16.4": "http://dicom.nema.org/resources/ontology/DCM",
    "2.16.840.1.113883.6.88": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "2.16.840.1.113883.6.90": "http://hl7.org/fhir/sid/icd-10-cm",
    "2.16.840.1.113883.6.3": "http://hl7.org/fhir/sid/icd-10",
    "2.16.840.1.113883.6.103": "http://hl7.org/fhir/sid/icd-9-cm",
    "2.16.840.1.113883.6.12": "http://www.ama-assn.org/go/cpt",
    "2.16.840.1.113883.6.8": "http://unitsofmeasure.org",
    "2.16.840.1.113883.12.292": "http://hl7.org/fhir/sid/cvx",
    "1.2.276.0.76.5.409": "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
}.items()}  # fmt: skip
"""The same systems by their OIDs."""
_CHECKS: Final[dict[str, Callable[[str], bool]]] = {
    "http://snomed.info/sct": has_snomed_check_digit,
    "http://www.ada.org/snodent": has_snomed_check_digit,
    "https://dmd.nhs.uk": has_snomed_check_digit,
    "http://dmd.nhs.uk": has_snomed_check_digit,
    "http://loinc.org": lambda code: code[0] == "L" or has_loinc_check_digit(code),
    "http://fhir.de/CodeSystem/ifa/pzn": has_pzn_check_digit,
    "http://fdasis.nlm.nih.gov": has_unii_check_character,
}
"""What else than the shape tells a code of a system from somebody's number."""
_UID_SYSTEMS: Final = frozenset({"urn:ietf:rfc:3986", "urn:oid:1.2.840.10008.2.6.1"})
_VERSION: Final = re.compile(
    r"\d{1,4}(?:[.\-]\d{1,4}){0,3}[a-z]?|http://snomed\.info/sct(?:/\d{6,18}(?:/version/\d{8})?)?"
)
_MEMO_ENTRIES: Final = 50_000


def _usual(system: str) -> str:
    """Return the usual address of a code system: many write it with an s, or a stroke at its end."""
    found = _SHORTENED.get(system)
    if found is not None or system in _SHAPES:
        return found or system
    plain = system.removesuffix("/")
    unsafe = plain.replace("https://", "http://", 1)
    return next((each for each in (plain, unsafe) if each in _SHAPES), system)


@cache
def _shape(system: str) -> re.Pattern[str] | None:
    pattern = _SHAPES.get(_usual(system))
    return re.compile(f"(?:{pattern})\\Z") if pattern else None


def is_code(system: str, code: str) -> bool:
    """Whether a code is one of a system that is known: listed, or of its codes' shape and check digit."""
    listed = code_systems().get(system)
    if listed:
        return code in listed
    if system in _UID_SYSTEMS:
        return code.removeprefix("urn:oid:") in registered_uids()
    known = _usual(system)
    if known in _LISTED:
        return _LISTED[known](code)
    if (_SCHEMES.get(known, ""), code) in scheme_concepts():
        return True
    shape = _shape(system)
    if shape is None or shape.match(code) is None:
        return False
    check = _CHECKS.get(known)
    return check is None or check(code)


_OMB: Final = {
    "1002-5": "American Indian or Alaska Native", "2028-9": "Asian", "2054-5": "Black or African American",
    "2076-8": "Native Hawaiian or Other Pacific Islander", "2106-3": "White", "2131-1": "Other Race",
    "2135-2": "Hispanic or Latino", "2186-5": "Not Hispanic or Latino",
}  # fmt: skip
"""Race and ethnicity (CDC), as US Core uses them."""
_RACE: Final = frozenset(
    {
        "urn:oid:2.16.840.1.113883.6.238",
        "http://terminology.hl7.org/CodeSystem/PHRaceAndEthnicityCDC",
    }
)


def is_display(system: str, code: str, display: str) -> bool:
    """Whether a display is the system's own for a code, whatever its letters' case."""
    listed = _OMB if system in _RACE else code_systems().get(system)
    if listed is not None:
        return listed.get(code, "").casefold() == display.casefold()
    scheme = _SCHEMES.get(_usual(system))
    if scheme is None:
        return False
    return display.casefold() in scheme_concepts().get((scheme, code), frozenset())


def coding(path: str) -> Leaf:
    """Keep a Coding of a known system; its display where it is the code's, or its words are recognised."""

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not dict:
            raise malformed(path)
        try:
            key = tuple(value.items())
            found = run.plan.codings.get(key)
        except TypeError:
            key = ()
            found = None
        if found is None:
            found = _judged(path, value, run)
            if key and len(run.plan.codings) < _MEMO_ENTRIES:
                run.plan.codings[key] = found
        kept, open_texts, removed = found
        if removed:
            run.actions[path, removed] += 1
        if kept is None:
            return None
        for name, text in open_texts:
            if not run.keeps(f"{path}.{name}", text):
                if name == "code":
                    return None
                kept = {each: kept[each] for each in kept if each != name}
        return kept

    return leaf


def _judged(
    path: str, value: dict[str, Any], run: Run
) -> tuple[dict[str, Any] | None, tuple[tuple[str, str], ...], str]:
    """Return what stays of a Coding, which texts of it are open, and what happened."""
    system, code, display = value.get("system"), value.get("code"), value.get("display")
    for each in (system, code, display, value.get("version")):
        if each is not None and type(each) is not str:
            raise malformed(path)
    if system is None or code is None or not _is_known(system, code, run):
        return None, (), UNRECOGNISED
    kept: dict[str, Any] = {"system": system}
    open_texts: list[tuple[str, str]] = []
    removed = ""
    version = value.get("version")
    if version is not None:
        if _VERSION.fullmatch(version):
            kept["version"] = version
            open_texts.append(("version", version))
        else:
            removed = REMOVED
    kept["code"] = code
    if system not in code_systems():
        open_texts.append(("code", code))
    if display is not None:
        if is_display(system, code, display):
            kept["display"] = display
        elif run.plan.is_term(display):
            kept["display"] = display
            open_texts.append(("display", display))
        else:
            removed = REMOVED
    if value.get("userSelected") in (True, False):
        kept["userSelected"] = bool(value["userSelected"])  # 1 is the same key of a memory as true
    return kept, tuple(open_texts), removed


def _is_known(system: str, code: str, run: Run) -> bool:
    if _usual(system) == UCUM:
        return is_unit(code, run.plan.is_term)
    return is_code(system, code)


def cleaned_coding(path: str, clean: Leaf) -> Leaf:
    """Keep a Coding of a known system and clean its display where it is not the code's; clean all others."""
    keep = coding(path)

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not dict:
            raise malformed(path)
        system, code, display = value.get("system"), value.get("code"), value.get("display")
        if type(system) is not str or type(code) is not str or not _is_known(system, code, run):
            return clean(value, run)
        if type(display) is not str or is_display(system, code, display):
            return keep(value, run)
        kept = keep({name: each for name, each in value.items() if name != "display"}, run)
        return kept and {**kept, **(clean({"display": display}, run) or {})}

    return leaf


def is_system(uri: str) -> bool:
    """Whether an address is that of a code system whose codes are known."""
    return _shape(uri) is not None or uri in _LISTED or uri in code_systems()


def system_uri(path: str) -> Leaf:
    """Keep the address of a known code system, as a Quantity has it for its unit."""

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        if is_system(value):
            return value
        run.actions[path, UNRECOGNISED] += 1
        return None

    return leaf


def unit_code(path: str) -> Leaf:
    """Keep a unit of UCUM, or a word that is recognised."""

    def leaf(value: Any, run: Run) -> Any:
        if type(value) is not str:
            raise malformed(path)
        is_term = run.plan.is_term
        if (is_unit(value, is_term) or is_term(value)) and run.keeps(path, value):
            return value
        run.actions[path, UNRECOGNISED] += 1
        return None

    return leaf
