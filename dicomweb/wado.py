"""Retrieve (WADO-RS): instances, metadata, frames and bulk data (PS3.18 10.4).

What is stored goes out as it is stored, by the kernel. A client that names no transfer syntax gets an
instance as stored, bit for bit; one that insists on Explicit VR Little Endian gets it for everything that is
stored natively or compressed without loss (8.7.3.4); what lost something is not decoded: 406.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from dicomweb.answers import VARY, JsonStream, headers, json_answer
from dicomweb.archive import send_archive
from dicomweb.bodies import Part, send
from dicomweb.conditional import entity_tag, is_known, not_modified
from dicomweb.convert import DecodedFrames, explicit_little_endian
from dicomweb.documents import send_documents
from dicomweb.encodings import DECODABLE, EXPLICIT_LITTLE, IMPLICIT_LITTLE, NATIVE
from dicomweb.errors import (
    BadRequest,
    DescribeError,
    FileDamaged,
    NotAcceptable,
    NotFound,
    NotRenderable,
)
from dicomweb.intact import intact
from dicomweb.links import json_array, with_root
from dicomweb.media import (
    DICOM,
    DICOM_JSON,
    DICOM_XML,
    JSON,
    MULTIPART,
    OCTET_STREAM,
    ZIP,
    Offer,
    choose,
)
from dicomweb.pixel_offers import (
    is_decoded,
    no_pixels_as_wanted,
    pixel_content_type,
    pixel_offers,
)
from dicomweb.ports import Prepared
from dicomweb.qido import warning_header
from dicomweb.room import Room
from dicomweb.segments import Made, Span
from dicomweb.stored import Bulk, locate_bulk, locate_pixels, remembered_pixels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from dicomweb.media import MediaRange
    from dicomweb.ports import Imaging, InstanceFile
    from dicomweb.room import Share
    from dicomweb.segments import Segment

log = structlog.get_logger()

MAX_FRAMES_PER_REQUEST: Final = 10_000
_FRAME_LIST: Final = re.compile(r"[0-9]{1,9}(?:,[0-9]{1,9})*")
_BULK_PATH: Final = re.compile(r"[0-9A-Fa-f]{8}(?:/[0-9]{1,9}/[0-9A-Fa-f]{8}){0,32}")
_METADATA_OFFERS: Final = (
    Offer(DICOM_JSON, multipart=False),
    Offer(JSON, multipart=False),
    Offer(DICOM_XML, multipart=True),
)
# Media types of encapsulated documents that a browser may show as what they are.
_DOCUMENT_TYPES: Final = frozenset({"application/pdf"})
_ALL_DECODABLE: Final = NATIVE | DECODABLE
_METADATA_CHUNK_BYTES: Final = 4 << 20
# Of converted files, what is kept from when they were tried until they are sent: of one answer, and of all.
_KEPT_BYTES: Final = 32 << 20
_KEPT: Final = Room(128 << 20)


def single_type(ranges: Sequence[MediaRange], offers: Sequence[Offer]) -> str:
    """Return the media type of the offer that is liked best, empty where none is."""
    offer = choose(ranges, offers)
    return "" if offer is None else offer.media_type


def metadata_type(ranges: Sequence[MediaRange]) -> str:
    """Return the media type of metadata and search results to answer with; raises `NotAcceptable`."""
    offer = choose(ranges, _METADATA_OFFERS)
    if offer is None:
        raise NotAcceptable(
            f'only {DICOM_JSON}, {JSON} and {MULTIPART}; type="{DICOM_XML}" can be produced here'
        )
    return offer.media_type


async def send_metadata(
    request: web.Request,
    objects: Sequence[bytes],
    *,
    root: str,
    media_type: str,
    send_timeout_s: float,
) -> web.StreamResponse:
    """Answer with the prepared objects of instances in one JSON array, or a document for each."""
    prefix = root.encode()
    if media_type == DICOM_XML:
        return await send_documents(
            request,
            [b"".join(with_root(prepared, prefix)) for prepared in objects],
            root=root,
            send_timeout_s=send_timeout_s,
        )
    total = sum(map(len, objects))
    etag = _tag_of_objects(objects, prefix, total)
    if etag and is_known(request, etag):
        return not_modified(etag, vary=VARY)
    if total <= _METADATA_CHUNK_BYTES:
        body = b"".join(json_array(objects, prefix))
        return await json_answer(request, body, media_type, root=root, etag=etag)
    if not etag:
        etag = await asyncio.to_thread(entity_tag, [prefix, *objects], is_weak=True)
        if is_known(request, etag):
            return not_modified(etag, vary=VARY)
    response = web.StreamResponse(headers=headers(request, media_type, root=root, etag=etag))
    stream = JsonStream(request, response)
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    pending = bytearray()
    for piece in json_array(objects, prefix):
        pending += piece
        if len(pending) >= _METADATA_CHUNK_BYTES // 4:
            chunk, pending = pending, bytearray()
            await stream.write(chunk)
    await stream.write(pending)
    await stream.end()
    return response


def _tag_of_objects(objects: Sequence[bytes], address: bytes, total: int) -> str:
    """Return the entity tag of metadata by what they are made of, empty where the store does not tell.

    To look at every byte of them takes longer than all the rest of an answer.
    """
    made_of = objects.made_of if isinstance(objects, Prepared) else ()
    if not made_of:
        return ""
    return entity_tag([address, total.to_bytes(8, "little"), b"".join(made_of)], is_weak=True)


async def send_instances(
    request: web.Request,
    files: Sequence[InstanceFile],
    ranges: Sequence[MediaRange],
    *,
    single: bool,
    root: str,
    imaging: Imaging | None,
    send_timeout_s: float,
) -> web.StreamResponse:
    """Answer with whole instances.

    Each file is looked at before the answer begins. Where only some can be sent, they are sent with
    status 206 (PS3.18 Table 10.4.3-1), and a Warning says how many others there are.

    Parameters
    ----------
    single
        Whether the resource is one instance, which may also be answered outside multipart.
    root
        Address of the service, for the Warning.
    imaging
        Decodes what was compressed without loss; without it, that is not offered.

    Raises
    ------
    NotAcceptable
        If none can be sent in a way that the client accepts.
    FileDamaged
        If none is whole, or none can be converted as the client wants it.
    """
    whole = await intact(files)
    if single_type(ranges, _archive_offers(single=single)) == ZIP:
        return await _archived(request, files, whole, root, send_timeout_s)
    decodable = NATIVE if imaging is None else _ALL_DECODABLE
    chosen = [
        (file, choose(ranges, _instance_offers(file.transfer_syntax_uid, decodable, single=single)))
        for file in whole
    ]
    usable = [(file, offer) for file, offer in chosen if offer is not None]
    if not usable:
        raise NotAcceptable(
            f"{DICOM} can be produced only in the stored transfer syntax,"
            " or in Explicit VR Little Endian where that lost nothing"
        )
    parts = [_instance_part(file, offer, imaging) for file, offer in usable]
    with kept() as share:
        if any(part.make is not None for part in parts):
            parts = await _tried(parts, share)
        if not parts:
            raise FileDamaged("no file of the resource can be converted")
        damaged = len(files) - len(whole) + len(usable) - len(parts)
        offer = usable[0][1]
        etag = _tag_of(whole, [part.content_type for part in parts], is_weak=offer.multipart)
        if is_known(request, etag) and not damaged:
            return not_modified(etag, vary="Accept")
        return await send(
            request,
            parts,
            multipart=offer.multipart,
            status=200 if len(parts) == len(files) else 206,
            headers={"ETag": etag, "Vary": "Accept", **_left_out(damaged, len(files), root)},
            send_timeout_s=send_timeout_s,
        )


def _left_out(damaged: int, total: int, root: str) -> dict[str, str]:
    if not damaged:
        return {}
    text = f"{damaged} of {total} instances cannot be read and are left out"
    return {"Warning": warning_header(root, text)}


def _tag_of(files: Sequence[InstanceFile], more: Sequence[str], *, is_weak: bool) -> str:
    """Return the entity tag of what is made of stored files, which never change."""
    parts = [file.path.name.encode() for file in files] + [text.encode() for text in more]
    return entity_tag(parts, is_weak=is_weak)


@cache
def _archive_offers(*, single: bool) -> Sequence[Offer]:
    return [
        Offer(DICOM, True),
        *([Offer(DICOM, False)] if single else []),
        Offer(ZIP, False, by_default=True),
    ]


async def _archived(
    request: web.Request,
    files: Sequence[InstanceFile],
    whole: Sequence[InstanceFile],
    root: str,
    send_timeout_s: float,
) -> web.StreamResponse:
    damaged = len(files) - len(whole)
    etag = _tag_of(whole, [ZIP], is_weak=True)
    if is_known(request, etag) and not damaged:
        return not_modified(etag, vary="Accept")
    return await send_archive(
        request,
        whole,
        status=206 if damaged else 200,
        headers={"ETag": etag, "Vary": "Accept", **_left_out(damaged, len(files), root)},
        send_timeout_s=send_timeout_s,
    )


async def _tried(parts: Sequence[Part], share: Share) -> list[Part]:
    """Return the parts whose bytes can be made; made already, as far as they can be held until then."""
    tried = []
    for part in parts:
        if part.make is None or (share.is_full and part.is_dear):
            tried.append(part)
            continue
        try:
            segments = await part.make()
        except (DescribeError, NotRenderable):
            log.exception("stored_file_not_converted")
            continue
        held = sum(len(segment) for segment in segments if isinstance(segment, bytes))
        tried.append(replace(part, segments=segments, make=None) if share.take(held) else part)
    return tried


@lru_cache(maxsize=256)
def _instance_offers(syntax: str, decodable: frozenset[str], *, single: bool) -> Sequence[Offer]:
    stored = frozenset({syntax})
    offers = [Offer(DICOM, True, stored)]
    if single:
        offers.append(Offer(DICOM, False, stored))
    if syntax in decodable - {EXPLICIT_LITTLE}:
        converted = frozenset({EXPLICIT_LITTLE})
        offers.append(Offer(DICOM, True, converted, by_default=False))
        if single:
            offers.append(Offer(DICOM, False, converted, by_default=False))
    return offers


def _instance_part(file: InstanceFile, offer: Offer, imaging: Imaging | None) -> Part:
    syntax = file.transfer_syntax_uid
    if syntax in offer.transfer_syntaxes:
        return Part(f"{DICOM}; transfer-syntax={syntax}", [Span(file.path, 0, file.size)])
    content_type = f"{DICOM}; transfer-syntax={EXPLICIT_LITTLE}"
    if syntax in NATIVE or not file.number_of_frames:
        make = partial(asyncio.to_thread, explicit_little_endian, file.path)
        return Part(content_type, [], make=make)
    assert imaging is not None
    return Part(content_type, [], make=partial(_decoded_instance, file, imaging), is_dear=True)


async def _decoded_instance(file: InstanceFile, imaging: Imaging) -> list[Segment]:
    decoded = await _decoded(file, imaging)
    return await asyncio.to_thread(explicit_little_endian, file.path, decoded)


async def _decoded(file: InstanceFile, imaging: Imaging) -> DecodedFrames:
    """Return the pixels of a file, of which the first frame is decoded now."""
    form = await imaging.native_form(file)
    first = await imaging.decode(file, 1)
    return DecodedFrames(form, first, partial(imaging.decode, file))


def parse_frame_list(text: str) -> list[int]:
    """Return the frame numbers of ``1,3,5``, each from 1.

    Raises
    ------
    BadRequest
        If it is anything else.
    """
    if not _FRAME_LIST.fullmatch(text):
        raise BadRequest("the frame list is not numbers separated by commas")
    numbers = [int(part) for part in text.split(",")]
    if min(numbers) < 1:
        raise BadRequest("frames are counted from 1")
    if len(numbers) > MAX_FRAMES_PER_REQUEST:
        raise BadRequest(f"more than {MAX_FRAMES_PER_REQUEST} frames in one request")
    return numbers


async def send_frames(
    request: web.Request,
    file: InstanceFile,
    numbers: Sequence[int],
    ranges: Sequence[MediaRange],
    *,
    imaging: Imaging | None,
    send_timeout_s: float,
) -> web.StreamResponse:
    """Answer with frames, each as one part: as stored, or as octets in little endian.

    Raises
    ------
    NotFound
        If the instance has no such frame.
    NotAcceptable
        If the client wants another encoding than there is.
    """
    pixels = remembered_pixels(file.path, file.size)
    if pixels is None:
        pixels = await asyncio.to_thread(locate_pixels, file.path, file.size)
    is_single = len(numbers) == 1
    offer = choose(ranges, pixel_offers(pixels, imaging, whole=is_single, single=is_single))
    if offer is None:
        raise NotAcceptable(no_pixels_as_wanted(pixels))
    content_type = pixel_content_type(pixels, offer)
    if is_decoded(pixels, offer):
        assert imaging is not None
        missing = [number for number in numbers if number > pixels.number_of_frames]
        if missing:
            raise NotFound(f"no frame {missing[0]}: the instance has {pixels.number_of_frames}")
        form = await imaging.native_form(file)
        first = await imaging.decode(file, numbers[0])
        segments: list[Segment] = [first]
        segments += [
            Made(form.frame_bytes, partial(imaging.decode, file, number)) for number in numbers[1:]
        ]
        parts = [Part(content_type, [segment]) for segment in segments]
    else:
        parts = [Part(content_type, pixels.frame(number)) for number in numbers]
    return await _send_values(request, [file], parts, offer, str(numbers), send_timeout_s)


async def _send_values(
    request: web.Request,
    files: Sequence[InstanceFile],
    parts: Sequence[Part],
    offer: Offer,
    which: str,
    send_timeout_s: float,
) -> web.StreamResponse:
    """Answer with values of stored files, unless the client has them."""
    etag = _tag_of(files, [which, parts[0].content_type], is_weak=offer.multipart)
    if is_known(request, etag):
        return not_modified(etag, vary="Accept")
    return await send(
        request,
        parts,
        multipart=offer.multipart,
        headers={"ETag": etag, "Vary": "Accept"},
        send_timeout_s=send_timeout_s,
    )


def parse_bulk_path(text: str) -> list[int]:
    """Return the steps to a value: ``00082112/1/7FE00010`` is sequence, item from 1, element.

    Raises
    ------
    NotFound
        If it is not such a path: no metadata ever named it.
    """
    if not _BULK_PATH.fullmatch(text):
        raise NotFound("no such bulk data")
    return [int(part, 10 if index % 2 else 16) for index, part in enumerate(text.split("/"))]


async def send_bulk(
    request: web.Request,
    file: InstanceFile,
    steps: Sequence[int],
    ranges: Sequence[MediaRange],
    *,
    imaging: Imaging | None,
    send_timeout_s: float,
) -> web.StreamResponse:
    """Answer with the value that a BulkDataURI points to."""
    bulk = await asyncio.to_thread(locate_bulk, file.path, file.size, steps)
    offer = offer_of_bulk(bulk, ranges, imaging)
    if offer is None:
        raise NotAcceptable(
            f"this value can be produced as {OCTET_STREAM} only"
            if bulk.pixels is None
            else no_pixels_as_wanted(bulk.pixels)
        )
    location = request.rel_url.raw_path
    parts = await parts_of_bulk(file, bulk, offer, imaging, location)
    return await _send_values(request, [file], parts, offer, str(steps), send_timeout_s)


def offer_of_bulk(
    bulk: Bulk, ranges: Sequence[MediaRange], imaging: Imaging | None, *, is_part: bool = False
) -> Offer | None:
    """Return how a value is sent, None where not as the client accepts it.

    Parameters
    ----------
    is_part
        Whether it is one of several.
    """
    if bulk.pixels is None:
        offers = _bulk_offers(bulk)
    else:
        single = bulk.pixels.is_one_stream
        offers = pixel_offers(bulk.pixels, imaging, whole=True, single=single)
    return choose(ranges, [offer for offer in offers if offer.multipart or not is_part])


def kept() -> AbstractContextManager[Share]:
    """Return what one answer may hold of what it has made before its turn, until it has been sent."""
    return _KEPT.share(_KEPT_BYTES)


async def parts_of_bulk(
    file: InstanceFile,
    bulk: Bulk,
    offer: Offer,
    imaging: Imaging | None,
    location: str,
    share: Share | None = None,
) -> list[Part]:
    """Return the parts of a value: one, or one for each compressed frame.

    Parameters
    ----------
    share
        What the answer may hold where it has more values than this one.
    """
    if bulk.pixels is None:
        return [Part(offer.media_type, bulk.segments, location)]
    content_type = pixel_content_type(bulk.pixels, offer)
    if not is_decoded(bulk.pixels, offer):
        return [Part(content_type, stream, location) for stream in bulk.pixels.streams()]
    assert imaging is not None
    decoded = await _decoded(file, imaging)
    holds_first = share is None or share.take(len(decoded.first))
    return [Part(content_type, decoded.segments(holds_first=holds_first), location)]


def _bulk_offers(bulk: Bulk) -> list[Offer]:
    syntaxes = frozenset({EXPLICIT_LITTLE, IMPLICIT_LITTLE})
    offers = [Offer(OCTET_STREAM, True, syntaxes), Offer(OCTET_STREAM, False, syntaxes)]
    if bulk.media_type in _DOCUMENT_TYPES:
        offers += [Offer(bulk.media_type, False), Offer(bulk.media_type, True)]
    return offers
