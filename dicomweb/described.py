"""Instances that are stored as metadata and bulk data (PS3.18 10.5.1, 8.7.3.2).

The first parts are metadata, DICOM JSON or the Native DICOM Model; each further part is a value that they
name by its Content-Location. What comes of it is a Part 10 file that goes the way of any other. Metadata comes
before what it names, so that a request is held in memory until it is whole: there is a limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from dicomweb import encode, native_model
from dicomweb.errors import BadRequest, DescribeError, PayloadTooLarge
from dicomweb.media import DICOM_JSON, DICOM_XML, FRAME_MEDIA_TYPES, JSON, parse_content_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

METADATA_TYPES: Final = frozenset({DICOM_JSON, DICOM_XML})
MOST_HELD_BYTES: Final = 128 << 20
MOST_METADATA_BYTES: Final = 32 << 20
MOST_OBJECTS: Final = 1_000_000
"""Objects and lists of metadata in JSON: while some millions are made nobody else is served for a second."""
MOST_VALUES: Final = 4_000_000
_JSON_TYPES: Final = frozenset({DICOM_JSON, JSON})
_XML_TYPES: Final = frozenset({DICOM_XML, "application/xml", "text/xml"})
_SYNTAXES: Final[Mapping[str, str]] = {
    media_type: syntax for syntax, media_type in reversed(list(FRAME_MEDIA_TYPES.items()))
}
_LOSSLESS_JPEG: Final = "1.2.840.10008.1.2.4.70"
_FRAME_HEADERS: Final = {
    0xC0: "1.2.840.10008.1.2.4.50",
    0xC1: "1.2.840.10008.1.2.4.51",
    0xC3: _LOSSLESS_JPEG,
}


class Described:
    """One request, gathered part by part."""

    def __init__(self) -> None:
        self._metadata: list[tuple[str, bytes]] = []
        self._bulk: dict[str, list[bytes]] = {}
        self._types: dict[str, tuple[str, str]] = {}
        self._headers: Mapping[str, str] = {}
        self._part = bytearray()
        self._held = 0

    def begin(self, headers: Mapping[str, str]) -> None:
        """Begin a part."""
        self._headers = headers
        self._part = bytearray()

    def write(self, data: bytes | memoryview) -> None:
        """Add to it.

        Raises
        ------
        PayloadTooLarge
            If the request needs more room than one may have.
        """
        self._held += len(data)
        if self._held > MOST_HELD_BYTES:
            raise PayloadTooLarge(
                f"metadata and bulk data of over {MOST_HELD_BYTES} bytes: send application/dicom"
            )
        self._part += data

    def end(self) -> None:
        """End it."""
        media_type, parameters = parse_content_type(self._headers.get("content-type", ""))
        location = self._headers.get("content-location", "").strip()
        if media_type in _JSON_TYPES | _XML_TYPES and not location:
            if len(self._part) > MOST_METADATA_BYTES:
                raise PayloadTooLarge(f"metadata of over {MOST_METADATA_BYTES} bytes")
            self._metadata.append((media_type, bytes(self._part)))
        elif location:
            self._bulk.setdefault(location, []).append(bytes(self._part))
            self._types.setdefault(location, (media_type, parameters.get("transfer-syntax", "")))
        else:
            raise BadRequest("a part that is neither metadata nor has a Content-Location")
        self._part = bytearray()

    def files(self) -> Iterator[list[bytes] | None]:
        """Yield the pieces of a Part 10 file for each instance; None where it cannot be made.

        Raises
        ------
        BadRequest
            If there is no metadata, or it cannot be parsed at all.
        """
        if not self._metadata:
            raise BadRequest("the body holds no metadata")
        syntaxes = {location: self._syntax(location) for location in self._bulk}
        bulk = encode.Bulk(self._bulk, syntaxes)
        for media_type, document in self._metadata:
            for attributes in _objects(media_type, document):
                try:
                    yield encode.encode(attributes, bulk)
                except DescribeError:
                    yield None

    def _syntax(self, location: str) -> str:
        """Return the transfer syntax of a bulk value, empty where it is not compressed."""
        media_type, named = self._types[location]
        if media_type not in _SYNTAXES:
            return ""
        if FRAME_MEDIA_TYPES.get(named) == media_type:
            return named
        if media_type == "image/jpeg":
            return _jpeg_syntax(self._bulk[location][0])
        return _SYNTAXES[media_type]


def _objects(media_type: str, document: bytes) -> list[Any]:
    try:
        if media_type in _XML_TYPES:
            return [native_model.from_xml(document)]
        if document.count(b"{") + document.count(b"[") > MOST_OBJECTS or (
            document.count(b",") > MOST_VALUES
        ):
            raise PayloadTooLarge(
                f"metadata of over {MOST_OBJECTS} objects and lists, or {MOST_VALUES} values"
            )
        found = orjson.loads(document)
    except (DescribeError, orjson.JSONDecodeError) as error:
        raise BadRequest("the metadata cannot be parsed") from error
    objects = found if isinstance(found, list) else [found]
    if not all(isinstance(each, dict) for each in objects):
        raise BadRequest("the metadata is not an array of DICOM JSON objects")
    return objects


def _jpeg_syntax(codestream: bytes) -> str:
    """Return the syntax of a JPEG codestream by its frame header (ISO/IEC 10918-1 B.2.2)."""
    at = 2
    while at + 4 <= len(codestream) and codestream[at] == 0xFF:
        marker = codestream[at + 1]
        if marker in _FRAME_HEADERS:
            return _FRAME_HEADERS[marker]
        at += 2 + int.from_bytes(codestream[at + 2 : at + 4], "big")
    return _LOSSLESS_JPEG
