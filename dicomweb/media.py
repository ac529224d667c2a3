"""What a client accepts, and which of our representations suits it best (PS3.18 8.7, RFC 9110 12).

Clients write this header in every way there is: without quotes round a media type, with
``type="*/*"``, with ``transfer-syntax=*``, not at all. What cannot be parsed is ignored; when nothing
is left that we can produce the answer is 406, never 400.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DICOM: Final = "application/dicom"
DICOM_JSON: Final = "application/dicom+json"
JSON: Final = "application/json"
DICOM_XML: Final = "application/dicom+xml"
OCTET_STREAM: Final = "application/octet-stream"
ZIP: Final = "application/zip"
MULTIPART: Final = "multipart/related"

MAX_HEADER_CHARS: Final = 8192
_ELEMENT: Final = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
_PARAMETER: Final = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*"?)+')
_TYPE: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+/[!#$%&'*+.^_`|~0-9a-z-]+")
_QUALITY: Final = re.compile(r"[01](?:\.[0-9]*)?|\.[0-9]+")


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One element of an Accept header.

    Attributes
    ----------
    media_type
        The type of a part where the representation is multipart; may hold ``*``.
    transfer_syntax
        A UID, ``*``, or empty where the client did not say.
    quality
        0 to 1; 0 means "not this".
    """

    media_type: str
    multipart: bool | None
    transfer_syntax: str = ""
    quality: float = 1.0

    @property
    def specificity(self) -> int:
        """How exactly this range names a representation."""
        named = 0 if self.media_type == "*/*" else 1 if self.media_type.endswith("/*") else 2
        return named * 4 + (self.multipart is not None) * 2 + (len(self.transfer_syntax) > 1)


@dataclass(frozen=True, slots=True)
class Offer:
    """A representation that we can produce.

    Attributes
    ----------
    transfer_syntaxes
        Values of the transfer-syntax parameter that name this representation.
    by_default
        Whether it may be sent to a client that names its media type but no transfer syntax.
    """

    media_type: str
    multipart: bool
    transfer_syntaxes: frozenset[str] = field(default_factory=frozenset)
    by_default: bool = True


def parse_content_type(value: str) -> tuple[str, dict[str, str]]:
    """Return a media type and its parameters, names in lower case, values without quotes."""
    head, *rest = _PARAMETER.findall(value) or [""]
    parameters: dict[str, str] = {}
    for part in rest:
        name, equals, raw = part.partition("=")
        if equals:
            parameters.setdefault(name.strip().lower(), _unquoted(raw.strip()))
    return head.strip().lower(), parameters


def parse_accept(values: Iterable[str]) -> list[MediaRange]:
    """Return the ranges of Accept header fields in their order; one for everything if there is none.

    Parameters
    ----------
    values
        The header fields (or values of the ``accept`` query parameter, PS3.18 8.3.3.1).
    """
    room, kept = MAX_HEADER_CHARS, []
    for value in values:
        kept.append(value[:room])
        room -= len(kept[-1])
        if not room:  # a hundred fields of that length took half a second
            break
    return list(_parsed(tuple(kept)))


@lru_cache(maxsize=64)
def _parsed(values: tuple[str, ...]) -> tuple[MediaRange, ...]:
    """Return the same; a client says the same each time."""
    ranges: list[MediaRange] = []
    given = False
    for value in values:
        for element in _ELEMENT.findall(value):
            if element.strip():
                given = True
                ranges.extend(_ranges(element))
    return tuple(ranges) if given else (MediaRange("*/*", None),)


def _ranges(element: str) -> list[MediaRange]:
    media_type, parameters = parse_content_type(element)
    if media_type == "*":
        media_type = "*/*"
    if not _TYPE.fullmatch(media_type):
        return []
    quality = _quality(parameters.get("q", "1"))
    syntax = parameters.get("transfer-syntax", "").strip()
    if media_type in {MULTIPART, "multipart/*"}:
        # Some clients list several types in one parameter.
        inner = parameters.get("type", "*/*").lower() or "*/*"
        return [
            MediaRange(part.strip(), True, syntax, quality)
            for part in inner.split(",")
            if _TYPE.fullmatch(part.strip())
        ]
    return [MediaRange(media_type, None if media_type == "*/*" else False, syntax, quality)]


def choose(ranges: Sequence[MediaRange], offers: Sequence[Offer]) -> Offer | None:
    """Return the offer that the client likes best, or None.

    For each offer the most specific matching range decides its quality (RFC 9110 12.5.1). Among equals
    the client's order decides, then ours.
    """
    best: Offer | None = None
    best_rank = (0.0, 0, 0)
    for place, offer in enumerate(offers):
        matching = [(index, r) for index, r in enumerate(ranges) if _matches(r, offer)]
        if not matching:
            continue
        index, chosen = max(matching, key=lambda pair: (pair[1].specificity, -pair[0]))
        rank = (chosen.quality, -index, -place)
        if chosen.quality > 0 and (best is None or rank > best_rank):
            best, best_rank = offer, rank
    return best


def _matches(media_range: MediaRange, offer: Offer) -> bool:
    if media_range.multipart is not None and media_range.multipart != offer.multipart:
        return False
    if not _type_matches(media_range.media_type, offer.media_type):
        return False
    syntax = media_range.transfer_syntax
    if not syntax:
        return offer.by_default
    return syntax == "*" or syntax in offer.transfer_syntaxes or not offer.transfer_syntaxes


def _type_matches(pattern: str, media_type: str) -> bool:
    if pattern in {"*/*", media_type}:
        return True
    if pattern.endswith("/*"):
        return media_type.startswith(pattern[:-1])
    return pattern in _ALIASES.get(media_type, ())


_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "image/jls": ("image/x-jls",),
    "image/dicom-rle": ("image/x-dicom-rle",),
    "video/mpeg": ("video/mpeg2",),
}


def _unquoted(text: str) -> str:
    if text.startswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:].removesuffix('"'))
    return text


def _quality(text: str) -> float:
    text = text.strip()
    return min(float(text), 1.0) if _QUALITY.fullmatch(text) else 1.0


FRAME_MEDIA_TYPES: Final[Mapping[str, str]] = {
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.92": "image/jpx",
    "1.2.840.10008.1.2.4.93": "image/jpx",
    "1.2.840.10008.1.2.4.110": "image/jxl",
    "1.2.840.10008.1.2.4.111": "image/jxl",
    "1.2.840.10008.1.2.4.112": "image/jxl",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
    "1.2.840.10008.1.2.4.100": "video/mpeg",
    "1.2.840.10008.1.2.4.101": "video/mpeg",
    "1.2.840.10008.1.2.4.102": "video/mp4",
    "1.2.840.10008.1.2.4.103": "video/mp4",
    "1.2.840.10008.1.2.4.104": "video/mp4",
    "1.2.840.10008.1.2.4.105": "video/mp4",
    "1.2.840.10008.1.2.4.106": "video/mp4",
    "1.2.840.10008.1.2.4.107": "video/H265",
    "1.2.840.10008.1.2.4.108": "video/H265",
}
"""Media type of a frame by transfer syntax (PS3.18 tables 8.7.3-2 to 8.7.3-5)."""
