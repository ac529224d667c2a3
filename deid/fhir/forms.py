"""Strings that stay by their form: closed lists, small numbers, and recognised words joined by signs.

In none of these forms is there room for a name, a date or a number by which somebody could be found, as what
is written there need not be known of anybody: a document may hold nothing else of the person whom it names.
"""

from __future__ import annotations

import mimetypes
import re
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from deid.fhir.check_digits import has_loinc_check_digit, has_snomed_check_digit
from deid.tables.fhir import code_systems, fhir_types, iso_codes, value_sets
from deid.text.folding import words

if TYPE_CHECKING:
    from collections.abc import Callable

    IsTerm = Callable[[str], bool]

_LANGUAGE: Final = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[A-Z][a-z]{3}))?(?:-(?P<region>[A-Z]{2}|\d{3}))?\Z"
)
_SPOKEN: Final = words(
    "aii apc arb arz ckb cmn fil hak hmn ksw lzh mww nan pes pnb prs quc rhg wuu yue"
)
"""Languages of ISO 639-3 that patients are asked for."""
_MEDIA_TYPE: Final = re.compile(
    r"(?P<kind>[a-z]+/[a-z0-9][a-z0-9.+\-]{0,99})(?:; ?charset=(?P<charset>[A-Za-z0-9\-]{1,20}))?\Z"
)
_CHARSET: Final = re.compile(
    r"utf-(?:8|16|32)(?:[bl]e)?|us-ascii|iso-8859-\d{1,2}|windows-125\d|shift_jis|euc-(?:jp|kr)|gb(?:2312|k|18030)",
    re.IGNORECASE,
)
_OTHER_MEDIA: Final = words(
    """
    application/cda+xml application/cql application/dicom application/dicom+json application/dicom+xml
    application/edi-x12 application/edifact application/elm+json application/elm+xml
    application/fhir+json application/fhir+turtle application/fhir+xml application/gzip
    application/hl7-cda+xml application/hl7-sda+xml application/hl7-v2 application/hl7-v2+xml
    application/jose application/json+fhir application/jwt application/ld+json application/mp4
    application/ndjson application/pkcs7-signature application/smart-health-card
    application/vnd.oasis.opendocument.text application/vnd.oasis.opendocument.spreadsheet
    application/vnd.openxmlformats-officedocument.presentationml.presentation
    application/vnd.openxmlformats-officedocument.spreadsheetml.sheet
    application/vnd.openxmlformats-officedocument.wordprocessingml.document
    application/x-gzip application/x-hl7 application/x-ndjson application/x-rtf application/x-zip-compressed
    application/xhtml+xml application/xml+fhir application/yaml audio/flac audio/mp4 audio/ogg audio/wav
    audio/wave audio/webm audio/x-ms-wma image/dicom-rle image/dicom+jpeg image/dicom+jp2
    image/dicom+jpeg-jpx image/j2c image/jls image/jp2 image/jph image/jphc image/jpm image/jpx image/jxl
    image/x-dicom image/x-icon image/x-png model/gltf-binary model/gltf+json model/mtl model/obj model/stl
    multipart/form-data multipart/mixed multipart/related text/calendar text/cql
    text/cql-expression text/cql-identifier text/fhirpath text/javascript text/markdown text/rtf
    text/turtle text/vcard text/x-hl7-ft text/x-hl7-text+xml text/x-markdown text/yaml video/dicom
    video/h264 video/mj2 video/ogg video/x-flv video/x-matroska video/x-ms-wmv
    """
)
"""Media types of health care and of its documents, besides those that Python knows."""
_STANDARD_URL: Final = re.compile(
    r"https?://(?:terminology\.|www\.)?(?:hl7\.org|loinc\.org|snomed\.info|unitsofmeasure\.org|dicom\.nema\.org)"
    r"/(?P<path>[A-Za-z0-9./_\-]{0,150})(?:\|(?P<version>[0-9][0-9A-Za-z.\-]{0,19}))?\Z"
)
"""Addresses at standards bodies, which name definitions."""
_SNOMED_PATH: Final = re.compile(
    r"(?:(?:sct|xsct|vs|id)/?)?(?:(?<=/)(\d{6,18})(?:/version/(?:20\d{6}))?/?)?"
)
_LOINC_PATH: Final = re.compile(
    r"(?:vs/?|rdf/?)?(?:(?:(?<=/)|\A)(\d{3,5}-\d)|(?<=vs/)L[GL]\d{1,6}-\d)?/?"
)
_PARTS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_OF_DEFINITIONS: Final = words(
    """
    ae argonaut backport bmi bodyheight bodysite bodytemp bodyweight bp bsa ccda clinicalcare
    clinicalstatus codesystem conceptmap cqf cqm crd dar davinci decedent dqm dtr ecr ehrs eicr fhir
    fmm formulary genomics hcpcs headcircum heartrate hl hlaresult hrex ihe iheart ips lab lipidprofile
    loinc mcode mimetypes ndc nhsn observationresults odh oxygensat patientin pdex pl plannet pq qicore
    questionnaireresponse resprate sct sdc sdoh sdohcc shareablevalueset sid smartapp snomed
    structuredefinition structuremap ucum us uscore usdf uv valueset vitalsigns vitalspanel vrdr
    """
)
"""Pieces of the names of profiles and value sets that are no words of a record."""
_NUMBERED: Final = re.compile(r"[A-Za-z]{0,3}\d{1,4}[A-Za-z]{0,2}(?:[.\-_]\d{1,4}[A-Za-z]?){0,4}\Z")
_MOST_DIGITS: Final = 7
_DATED: Final = re.compile(
    r"(?:1[89]|20)\d\d[.\-_](?:0?[1-9]|1[0-2])(?:\Z|[.\-_])"
    r"|\d{1,2}[.\-_]\d{1,2}[.\-_](?:\d{4}|[3-9]\d)(?:\Z|\D)"
    r"|(?:18|19|20)\d\d\Z"
)
"""Versions that read as a date, or as a year alone."""
_LINK: Final = re.compile(
    r"(?P<word>[A-Za-z]{0,20})[/.\-_]?(?P<number>\d(?:\.\d){0,8}|\d{1,3}(?:\.\d{1,2})?)?\Z"
)
_LOINC_LINK: Final = re.compile(r"/?(?P<code>\d{3,5}-\d)\Z")
_ETAG: Final = re.compile(r'(?:W/)?"\d{1,4}"|\*')
_STATUS: Final = re.compile(r"(?P<code>[1-5]\d\d)(?: (?P<phrase>[A-Za-z \-]{1,40}))?\Z")
_PHRASES: Final = {str(each.value): each.phrase.casefold() for each in HTTPStatus}
_NAME: Final = re.compile(r"[a-zA-Z][a-zA-Z\-_]{0,60}\Z")


def is_language(text: str) -> bool:
    """Whether a text is a tag of a language (BCP 47): language, script and region, each of ISO's lists."""
    found = _LANGUAGE.match(text)
    return found is not None and (
        (found["language"] in iso_codes("language") or found["language"] in _SPOKEN)
        and (found["script"] is None or found["script"] in iso_codes("script"))
        and (
            found["region"] is None
            or found["region"].isdigit()
            or found["region"] in iso_codes("country")
        )
    )


def is_country(text: str) -> bool:
    """Whether a text is a country's code of two or three letters (ISO 3166-1)."""
    return text in iso_codes("country") or text in iso_codes("country3")


def is_media_type(text: str) -> bool:
    """Whether a text is a media type that is known, with its character set if any."""
    found = _MEDIA_TYPE.match(text)
    if found is None or found["kind"] not in _media_types():
        return False
    return found["charset"] is None or _CHARSET.fullmatch(found["charset"]) is not None


@cache
def _media_types() -> frozenset[str]:
    known = mimetypes.MimeTypes(filenames=())  # of this machine's own lists nothing follows
    return _OTHER_MEDIA.union(*(each.values() for each in known.types_map))


def is_usual_code(text: str) -> bool:
    """Whether a text is a media type, a language, a currency or the name of a type of FHIR."""
    return (
        is_media_type(text)
        or is_language(text)
        or text in iso_codes("currency")
        or text in fhir_types()
    )


def is_standard_url(text: str, is_term: IsTerm) -> bool:
    """Whether a text is the address of a definition at a standards body, each piece of it recognised.

    Numbers may be as long as those of SNOMED CT at their own address only.
    """
    if text in value_sets() or text in code_systems():
        return True
    found = _STANDARD_URL.match(text)
    if found is None or (found["version"] and not is_version(found["version"])):
        return False
    path = found["path"].replace("us/carin-bb/", "us/")  # a name, were it not this guide's
    if "//snomed.info/" in text or "//www.snomed.info/" in text:
        concepts = _SNOMED_PATH.fullmatch(path)
        return concepts is not None and (concepts[1] is None or has_snomed_check_digit(concepts[1]))
    if "loinc.org/" in text:
        code = _LOINC_PATH.fullmatch(path)
        return code is not None and (code[1] is None or has_loinc_check_digit(code[1]))
    return all(_is_piece(each, is_term) for each in _PARTS.findall(path))


def _is_piece(piece: str, is_term: IsTerm) -> bool:
    if piece.isdigit():
        return len(piece) <= 4 and not _DATED.match(piece)
    lower = piece.lower()
    return len(piece) == 1 or lower in _OF_DEFINITIONS or lower in _types() or is_term(lower)


@cache
def _types() -> frozenset[str]:
    return frozenset(each.lower() for each in fhir_types())


def is_version(text: str) -> bool:
    """Whether a text is the version of something: few digits, and no date."""
    return (
        _NUMBERED.match(text) is not None
        and sum(map(str.isdigit, text)) <= _MOST_DIGITS
        and _DATED.search(text) is None
    )


def is_link(text: str, is_term: IsTerm) -> bool:
    """Whether a text is what joins an answer to its question: ``1.2.3``, ``/29463-7``, ``group-2``."""
    code = _LOINC_LINK.match(text)
    if code is not None and has_loinc_check_digit(code["code"]):
        return True
    found = _LINK.match(text)
    if found is None or not text:
        return False
    word = found["word"]
    return len(word) <= 1 or (word.islower() and is_term(word))


def is_etag(text: str) -> bool:
    """Whether a text is the tag of a version with a small number."""
    return _ETAG.fullmatch(text) is not None


def is_status(text: str) -> bool:
    """Whether a text is a status of HTTP, alone or with the words that belong to it."""
    found = _STATUS.match(text)
    if found is None:
        return False
    return not found["phrase"] or found["phrase"].casefold() == _PHRASES.get(found["code"])


def is_parameter_name(text: str, is_term: IsTerm) -> bool:
    """Whether a text is a name made of recognised words: ``returnPreference``, ``value-set``."""
    if _NAME.match(text) is None:
        return False
    return all(
        len(each) == 1 or is_term(each.lower()) or each.lower() in _types()
        for each in _PARTS.findall(text)
    )
