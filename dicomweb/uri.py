"""WADO-URI: one instance or picture, told by query parameters alone (PS3.18 9).

``GET /wado?requestType=WADO&studyUID=&seriesUID=&objectUID=[&contentType=...]``, or the same of the service's
root. The default is a JPEG picture,
of a multi-frame instance that of its first frame. ``anonymize=yes`` is refused: what was cleaned is in the
store of results, and nothing may pass for it that is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from dicomweb import picture_parameters, reports
from dicomweb.errors import BadRequest, NotAcceptable, NotFound, NotRenderable
from dicomweb.links import attributes_of
from dicomweb.media import DICOM, MediaRange, Offer, choose, parse_accept
from dicomweb.ports import Picture, Resource
from dicomweb.rendered import PICTURES, PRESENTATION_STATES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dicomweb.picture_parameters import Asked
    from dicomweb.ports import InstanceFile, InstanceStore

_UID: Final = re.compile(r"[0-9.]{1,64}")
_FRACTION: Final = re.compile(r"(?:0|1)?(?:\.[0-9]{0,18})?")
_INTEGER: Final = re.compile(r"[0-9]{1,9}")
_OF_PICTURES: Final = (
    *("annotation", "rows", "columns", "region", "windowCenter", "windowWidth", "imageQuality"),
    *("frameNumber", "presentationUID", "presentationSeriesUID", "overlays"),
)
DOCUMENTS: Final = (reports.HTML, reports.PLAIN, "application/pdf")
_NOT_WITH_STATE: Final = ("windowCenter", "windowWidth", "region")


@dataclass(frozen=True, slots=True)
class UriRequest:
    """A request understood as far as its parameters tell.

    Attributes
    ----------
    transfer_syntax
        Asked for; empty where not, ``*`` where any will do.
    """

    resource: Resource
    parameters: Mapping[str, str]
    transfer_syntax: str


def parse(parameters: Mapping[str, str]) -> UriRequest:
    """Understand the parameters that name the instance.

    Raises
    ------
    BadRequest
        If one is missing or malformed, or asks for what is not done here.
    """
    if parameters.get("requestType") != "WADO":
        raise BadRequest("requestType is not WADO")
    uids = [_uid(parameters, name) for name in ("studyUID", "seriesUID", "objectUID")]
    if parameters.get("anonymize", "no") != "no":
        raise BadRequest(
            "anonymize is not done on request: ask the store of results for what was de-identified"
        )
    # dicomweb-client says "any" of pictures, too.
    syntax = parameters.get("transferSyntax", "")
    if syntax != "*":
        syntax = _uid(parameters, "transferSyntax") if "transferSyntax" in parameters else ""
    return UriRequest(Resource(*uids), parameters, syntax)


def media_type(
    asked: UriRequest, file: InstanceFile, accepted: Sequence[MediaRange], *, has_pictures: bool
) -> str:
    """Return what is answered: ``application/dicom``, or the media type of a picture or document.

    Raises
    ------
    NotAcceptable
        If that cannot be produced.
    BadRequest
        If parameters are given that do not go with it.
    """
    given = asked.parameters.get("contentType", "").replace("dicom json", "dicom+json")
    ranges = parse_accept([given]) if given else list(accepted)
    is_image = has_pictures and bool(file.number_of_frames)
    kinds = [*PICTURES, DICOM] if is_image else [DICOM, *(DOCUMENTS if has_pictures else ())]
    offer = choose(ranges, [Offer(kind, multipart=False) for kind in kinds])
    if offer is None:
        raise NotAcceptable(f"this instance can be produced as {', '.join(kinds)} only")
    if offer.media_type == DICOM:
        wrong = [name for name in _OF_PICTURES if name in asked.parameters]
        if wrong:
            raise BadRequest(f"{wrong[0]} does not go with {DICOM}")
    elif asked.transfer_syntax not in {"", "*"}:
        raise BadRequest(f"transferSyntax goes with {DICOM} only")
    return offer.media_type


def accepted_dicom(asked: UriRequest) -> list[MediaRange]:
    """Return the transfer syntaxes of an instance in the order in which they are wanted.

    Without a parameter that is Explicit VR Little Endian, and as stored where that cannot be (9.1.2.2.4).
    """
    if asked.transfer_syntax:
        return [MediaRange(DICOM, False, asked.transfer_syntax)]
    return [
        MediaRange(DICOM, False, "1.2.840.10008.1.2.1"),
        MediaRange(DICOM, False, "*", 0.5),
    ]


async def picture(
    asked: UriRequest, file: InstanceFile, kind: str, store: InstanceStore
) -> tuple[Asked, Picture]:
    """Return how the instance is drawn, and what was not done as asked.

    Raises
    ------
    BadRequest
        If a parameter is malformed, or two of them exclude each other.
    NotFound
        If the presentation state is not there.
    """
    given = asked.parameters
    understood = picture_parameters.parse(
        {name: given[name] for name in ("annotation", "overlays") if name in given}
    )
    frame = _frame(given, file, kind)
    found = replace(understood.picture, media_type=kind, frame=frame, viewport=_viewport(given))
    if "imageQuality" in given:
        found = replace(found, quality=picture_parameters.quality(given["imageQuality"]))
    if ("windowCenter" in given) != ("windowWidth" in given):
        raise BadRequest("windowCenter and windowWidth go together")
    if "windowCenter" in given:
        window = picture_parameters.window(given["windowCenter"], given["windowWidth"])
        found = replace(found, window=window)
    if "region" in given:
        found = replace(found, region=await _region(given["region"], asked.resource, store))
    if "presentationUID" in given or "presentationSeriesUID" in given:
        found = replace(found, state=await _state(asked, store))
    return understood, found


def _frame(given: Mapping[str, str], file: InstanceFile, kind: str) -> int | None:
    text = given.get("frameNumber")
    if text is None:
        is_moving = kind == "image/gif" and file.number_of_frames > 1
        return None if is_moving else 1
    frames = file.number_of_frames
    if frames < 2 or not _INTEGER.fullmatch(text) or not 1 <= int(text) <= frames:
        raise BadRequest("frameNumber is no frame of a multi-frame instance")
    return int(text)


def _viewport(given: Mapping[str, str]) -> tuple[int, int] | None:
    if "rows" not in given and "columns" not in given:
        return None
    most = str(picture_parameters.MAX_VIEWPORT)
    return (
        picture_parameters.side(given.get("columns", most), "rows and columns"),
        picture_parameters.side(given.get("rows", most), "rows and columns"),
    )


async def _region(
    text: str, resource: Resource, store: InstanceStore
) -> tuple[float, float, float, float]:
    """Return pixels of ``xmin,ymin,xmax,ymax``, which are fractions of the image (9.1.2.2.7)."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4 or not all(part and _FRACTION.fullmatch(part) for part in parts):
        raise BadRequest("region is not xmin,ymin,xmax,ymax from 0.0 to 1.0")
    left, top, right, bottom = (float(part) if part != "." else 0.0 for part in parts)
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise BadRequest("region is not xmin,ymin,xmax,ymax from 0.0 to 1.0")
    for prepared in await store.metadata(resource):
        attributes = attributes_of(prepared)
        rows, columns = (
            next(iter(attributes.get(tag, {}).get("Value", [])), None)
            for tag in ("00280010", "00280011")
        )
        if isinstance(rows, int) and isinstance(columns, int):
            return (
                left * columns,
                top * rows,
                max((right - left) * columns, 1),
                max((bottom - top) * rows, 1),
            )
    raise NotRenderable("the instance has no images")


async def _state(asked: UriRequest, store: InstanceStore) -> InstanceFile:
    given = asked.parameters
    wrong = [name for name in _NOT_WITH_STATE if name in given]
    if wrong:
        raise BadRequest(f"{wrong[0]} does not go with presentationUID")
    series_uid, uid = _uid(given, "presentationSeriesUID"), _uid(given, "presentationUID")
    for state in await store.locate(Resource(asked.resource.study_uid, series_uid, uid)):
        if state.sop_class_uid in PRESENTATION_STATES:
            return state
    raise NotFound("no such presentation state")


def _uid(parameters: Mapping[str, str], name: str) -> str:
    uid = parameters.get(name, "")
    if not _UID.fullmatch(uid):
        raise BadRequest(f"{name} is not a UID")
    return uid
