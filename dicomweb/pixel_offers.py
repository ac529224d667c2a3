"""How stored pixels can be sent: as they are stored, or decoded where they lost nothing (PS3.18 8.7.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicomweb.encodings import DECODABLE, EXPLICIT_LITTLE, IMPLICIT_LITTLE
from dicomweb.media import FRAME_MEDIA_TYPES, OCTET_STREAM, Offer

if TYPE_CHECKING:
    from dicomweb.ports import Imaging
    from dicomweb.stored import Pixels


def pixel_offers(
    pixels: Pixels, imaging: Imaging | None, *, whole: bool, single: bool
) -> list[Offer]:
    """Return how stored pixels can be sent, the preferred way first.

    Parameters
    ----------
    single
        Whether what is stored is one stream that need not be a part.
    whole
        Whether that is so of what is decoded.
    """
    syntax = pixels.transfer_syntax_uid
    ways = (True, False) if single else (True,)
    # The bytes are those of little endian, whatever the file's own encoding.
    native = frozenset({EXPLICIT_LITTLE, IMPLICIT_LITTLE})
    if not pixels.encapsulated:
        return [Offer(OCTET_STREAM, multipart, native | {syntax}) for multipart in ways]
    media_type = FRAME_MEDIA_TYPES.get(syntax)
    offers = [
        Offer(media_type, multipart, frozenset({syntax}))
        for multipart in ways
        if media_type is not None
    ]
    # A client that wants octets and names no transfer syntax means uncompressed (PS3.18 8.7.3.5).
    offers += [
        Offer(OCTET_STREAM, multipart, frozenset({syntax}), by_default=False) for multipart in ways
    ]
    if imaging is not None and syntax in DECODABLE:
        decoded = (True, False) if whole else (True,)
        offers += [Offer(OCTET_STREAM, multipart, native) for multipart in decoded]
    return offers


def is_decoded(pixels: Pixels, offer: Offer) -> bool:
    """Whether compressed pixels are decoded for an offer."""
    return pixels.encapsulated and pixels.transfer_syntax_uid not in offer.transfer_syntaxes


def pixel_content_type(pixels: Pixels, offer: Offer) -> str:
    """Return the Content-Type of what is sent."""
    is_stored = pixels.encapsulated and not is_decoded(pixels, offer)
    syntax = pixels.transfer_syntax_uid if is_stored else EXPLICIT_LITTLE
    return f"{offer.media_type}; transfer-syntax={syntax}"


def no_pixels_as_wanted(pixels: Pixels) -> str:
    """Return what can be had instead, for who wants something else."""
    if not pixels.encapsulated:
        return f"pixels can be produced as {OCTET_STREAM} only"
    media_type = FRAME_MEDIA_TYPES.get(pixels.transfer_syntax_uid, OCTET_STREAM)
    decoded = f", as {OCTET_STREAM}" if pixels.transfer_syntax_uid in DECODABLE else ""
    return f"pixels can be produced as stored, {media_type}{decoded}, or with transfer-syntax=*"
