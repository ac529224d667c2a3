"""What this service offers, for machines: WADL, and the same as JSON (PS3.18 8.9, annex H)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import quoteattr

from dicomweb.attributes import MATCHABLE
from dicomweb.media import DICOM, DICOM_JSON, DICOM_XML, JSON, MULTIPART, OCTET_STREAM, ZIP, Offer
from dicomweb.rendered import PICTURES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WADL: Final = "application/vnd.sun.wadl+xml"
OFFERS: Final = (
    Offer(WADL, multipart=False),
    Offer("application/xml", multipart=False),
    Offer(JSON, multipart=False),
)
_SEARCH: Final = ("accept", "limit", "offset", "fuzzymatching", "includefield", "sort")
_RENDER: Final = ("accept", "annotation", "quality", "viewport", "window", "iccprofile")
_URI: Final = (
    *("requestType", "studyUID", "seriesUID", "objectUID", "contentType", "annotation", "rows"),
    *("columns", "region", "windowCenter", "windowWidth", "imageQuality", "frameNumber"),
    *("presentationUID", "presentationSeriesUID", "transferSyntax"),
)
_JSON: Final = (DICOM_JSON, JSON, f'{MULTIPART}; type="{DICOM_XML}"')
_WHOLE: Final = (f'{MULTIPART}; type="{DICOM}"', ZIP)
_BULK: Final = (f'{MULTIPART}; type="{OCTET_STREAM}"', f"{MULTIPART}; type=image/*")
_PARTS: Final = tuple(f'{MULTIPART}; type="{kind}"' for kind in PICTURES)
_STUDY: Final = "studies/{study}"
_SERIES: Final = f"{_STUDY}/series/{{series}}"
_INSTANCE: Final = f"{_SERIES}/instances/{{instance}}"


def methods(
    *, is_writable: bool, has_pictures: bool
) -> Iterator[tuple[str, str, str, Sequence[str], Sequence[str]]]:
    """Yield path, method, name, query parameters and media types of each thing that can be done."""
    searches = ("studies", "series", "instances", f"{_STUDY}/series", f"{_STUDY}/instances")
    for path in (*searches, f"{_SERIES}/instances"):
        yield path, "GET", "Search", (*_SEARCH, *MATCHABLE), _JSON
    for path in (_STUDY, _SERIES, _INSTANCE):
        single: tuple[str, ...] = (DICOM,) if path == _INSTANCE else ()
        yield path, "GET", "Retrieve", ("accept",), (*_WHOLE, *single)
        yield f"{path}/metadata", "GET", "RetrieveMetadata", ("accept",), _JSON
        yield f"{path}/bulkdata", "GET", "RetrieveBulkdata", ("accept",), _BULK
        yield f"{path}/pixeldata", "GET", "RetrievePixelData", ("accept",), _BULK
    yield f"{_INSTANCE}/frames/{{frames}}", "GET", "RetrieveFrames", ("accept",), _BULK
    yield f"{_INSTANCE}/bulkdata/{{path}}", "GET", "RetrieveBulkdata", ("accept",), _BULK
    if has_pictures:
        for path in (_STUDY, _SERIES, _INSTANCE, f"{_INSTANCE}/frames/{{frames}}"):
            single = PICTURES if path.startswith(_INSTANCE) else ()
            yield f"{path}/rendered", "GET", "RetrieveRendered", _RENDER, (*_PARTS, *single)
            yield f"{path}/thumbnail", "GET", "RetrieveThumbnail", ("accept", "viewport"), PICTURES
    yield "wado", "GET", "RetrieveUri", _URI, (*(PICTURES if has_pictures else ()), DICOM)
    if is_writable:
        for path in ("studies", _STUDY):
            yield path, "POST", "Store", (), _JSON


def as_json(root: str, *, is_writable: bool, has_pictures: bool) -> Mapping[str, object]:
    """Return the capabilities as plain JSON."""
    found = methods(is_writable=is_writable, has_pictures=has_pictures)
    return {
        "base": root,
        "resources": [
            {
                "path": path,
                "method": method,
                "id": name,
                "query": list(query),
                "mediaTypes": list(kinds),
            }
            for path, method, name, query, kinds in found
        ],
    }


def as_wadl(root: str, *, is_writable: bool, has_pictures: bool) -> bytes:
    """Return the capabilities as a WADL document."""
    found: dict[str, list[str]] = {}
    for path, method, name, query, kinds in methods(
        is_writable=is_writable, has_pictures=has_pictures
    ):
        parameters = "".join(
            f"<param name={quoteattr(each)} style='query'/>".replace("'", '"') for each in query
        )
        request = f"<request>{parameters}</request>" if query else ""
        representations = "".join(
            f"<representation mediaType={quoteattr(kind)}/>" for kind in kinds
        )
        found.setdefault(path, []).append(
            f'<method name="{method}" id="{name}">{request}'
            f'<response status="200">{representations}</response></method>'
        )
    resources = "".join(
        f"<resource path={quoteattr(path)}>{''.join(each)}</resource>"
        for path, each in found.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<application xmlns="http://wadl.dev.java.net/2009/02">'
        f"<resources base={quoteattr(f'{root}/')}>{resources}</resources></application>"
    ).encode()
