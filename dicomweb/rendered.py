"""Rendered and thumbnail resources: pictures of instances, frames, series and studies (PS3.18 10.4.1.1.3).

    GET .../instances/{}/rendered  .../frames/{}/rendered  .../series/{}/rendered  /studies/{}/rendered
        the same with /thumbnail                              one small picture of whatever it is

Instances and single frames may be one picture; of more than one image there is a part for each, or, for who
takes no parts, the one in the middle. Several frames of one instance are also one moving GIF. A presentation
state is rendered as the images that it is for, a report as a page or text, an encapsulated PDF as itself.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dicomweb import reports
from dicomweb.bodies import Part, send
from dicomweb.conditional import entity_tag, is_known, not_modified
from dicomweb.errors import NotAcceptable, NotFound, NotRenderable, PayloadTooLarge
from dicomweb.links import attributes_of
from dicomweb.media import Offer, choose
from dicomweb.picture_parameters import parse
from dicomweb.ports import Resource
from dicomweb.qido import warning_header
from dicomweb.stored import locate_bulk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web

    from dicomweb.media import MediaRange
    from dicomweb.picture_parameters import Asked
    from dicomweb.ports import Imaging, InstanceFile, InstanceStore, Picture

T = TypeVar("T")
PICTURES: Final = ("image/jpeg", "image/png", "image/gif")
"""What can be produced, the default first (PS3.18 table 8.7.4-1)."""
MOST_PICTURES: Final = 10_000
PRESENTATION_STATES: Final = frozenset(f"1.2.840.10008.5.1.4.1.1.11.{number}" for number in (1, 2))
"""Grayscale and Color Softcopy Presentation State Storage."""
_UID: Final = re.compile(r"[0-9.]{1,64}")
_REPRESENTATIVES: Final = 4
_PDF: Final = "application/pdf"
_DOCUMENT: Final = 0x00420011


class RenderedPictures:
    """Answers requests for pictures of one store."""

    def __init__(self, store: InstanceStore, imaging: Imaging, send_timeout_s: float) -> None:
        self._store = store
        self._imaging = imaging
        self._send_timeout_s = send_timeout_s

    async def rendered(
        self,
        request: web.Request,
        files: Sequence[InstanceFile],
        ranges: Sequence[MediaRange],
        *,
        frames: Sequence[int] | None,
        is_single: bool,
        root: str,
    ) -> web.StreamResponse:
        """Answer with pictures of instances.

        Parameters
        ----------
        frames
            Of the one instance; None: all there are.
        is_single
            Whether the resource is an instance or a frame list, which may be one picture.

        Raises
        ------
        BadRequest, NotFound, NotAcceptable, NotRenderable, PayloadTooLarge
        """
        asked = parse(request.query)
        images = await self._images(files)
        if not images and is_single and frames is None:
            return await self.document(request, files[0], ranges)
        if not images:
            raise NotRenderable("the resource has no images")
        numbers: list[Sequence[int]] = [_numbers(file, frames) for file, _state in images]
        total = sum(map(len, numbers))
        if total > MOST_PICTURES:
            raise PayloadTooLarge(f"more than {MOST_PICTURES} pictures in one answer")
        is_moving = is_single and len(images) == 1 and frames is None and total > 1
        offer = choose(ranges, _offers(is_single=is_single, several=total > 1, is_moving=is_moving))
        if offer is None:
            how = " in parts of multipart/related" if frames is not None and total > 1 else ""
            raise NotAcceptable(f"pictures can be produced as {', '.join(PICTURES)} only{how}")
        pictures = _pictures(images, numbers, asked, offer)
        return await self.send(
            request, pictures, multipart=offer.multipart, warnings=asked.warnings, root=root
        )

    async def thumbnail(
        self,
        request: web.Request,
        files: Sequence[InstanceFile],
        ranges: Sequence[MediaRange],
        *,
        frames: Sequence[int] | None,
        root: str,
    ) -> web.StreamResponse:
        """Answer with one small picture of the middle of what there is; nothing is written on it."""
        asked = parse(request.query, is_thumbnail=True)
        offer = choose(ranges, [Offer(kind, multipart=False) for kind in PICTURES])
        if offer is None:
            raise NotAcceptable(f"a thumbnail can be produced as {', '.join(PICTURES)} only")
        images = await self._images(files)
        failed: NotRenderable = NotRenderable("the resource has no images")
        for file, state in _middle_first(images)[:_REPRESENTATIVES]:
            numbers = _numbers(file, frames)
            picture = _of_state(asked.of(offer.media_type, numbers[len(numbers) // 2]), state)
            try:
                return await self.send(
                    request, [(file, picture)], multipart=False, warnings=(), root=root
                )
            except NotRenderable as error:
                failed = error
        raise failed

    async def _images(
        self, files: Sequence[InstanceFile]
    ) -> list[tuple[InstanceFile, InstanceFile | None]]:
        """Return what can be drawn: images; where there are only presentation states, what those are for."""
        images: list[tuple[InstanceFile, InstanceFile | None]] = [
            (file, None) for file in files if file.number_of_frames
        ]
        if images:
            return images
        for state in files:
            if state.sop_class_uid in PRESENTATION_STATES:
                images += [(file, state) for file in await self.images_of(state)]
        return images

    async def document(
        self, request: web.Request, file: InstanceFile, ranges: Sequence[MediaRange]
    ) -> web.StreamResponse:
        """Answer with a report as a page or text, or with the document that an instance encapsulates."""
        resource = Resource(file.study_uid, file.series_uid, file.sop_instance_uid)
        attributes: dict[str, dict[str, list[str]]] = {}
        for prepared in await self._store.metadata(resource):
            attributes = attributes_of(prepared)
        encapsulated = attributes.get("00420012", {}).get("Value", [""])[0]
        if reports.is_report(attributes):
            kinds: tuple[str, ...] = (reports.HTML, reports.PLAIN)
        elif encapsulated == _PDF:
            kinds = (_PDF,)
        else:
            raise NotRenderable("the resource has no images")
        offer = choose(
            ranges, [Offer(kind, multipart=way) for kind in kinds for way in (False, True)]
        )
        if offer is None:
            raise NotAcceptable(f"this instance can be produced as {', '.join(kinds)} only")
        etag = entity_tag(
            [file.path.name.encode(), offer.media_type.encode()], is_weak=offer.multipart
        )
        if is_known(request, etag):
            return not_modified(etag, vary="Accept")
        if offer.media_type == _PDF:
            bulk = await asyncio.to_thread(locate_bulk, file.path, file.size, [_DOCUMENT])
            part = Part(_PDF, bulk.segments)
        else:
            make = reports.as_html if offer.media_type == reports.HTML else reports.as_text
            made = await asyncio.to_thread(make, attributes)
            part = Part(f"{offer.media_type}; charset=utf-8", [made])
        return await send(
            request,
            [part],
            multipart=offer.multipart,
            headers={
                "ETag": etag,
                "Vary": "Accept",
                # Browsers show no PDF in a sandbox; what a PDF may do is its viewer's business.
                **({} if offer.media_type == _PDF else {"Content-Security-Policy": reports.POLICY}),
            },
            send_timeout_s=self._send_timeout_s,
        )

    async def images_of(self, state: InstanceFile) -> list[InstanceFile]:
        """Return the images of its study that a presentation state is for."""
        resource = Resource(state.study_uid, state.series_uid, state.sop_instance_uid)
        found: list[InstanceFile] = []
        for prepared in await self._store.metadata(resource):
            for series_uid, uid in _referenced(prepared)[:MOST_PICTURES]:
                named = Resource(state.study_uid, series_uid, uid)
                found += [file for file in await self._store.locate(named) if file.number_of_frames]
        return found

    async def send(
        self,
        request: web.Request,
        pictures: Sequence[tuple[InstanceFile, Picture]],
        *,
        multipart: bool,
        warnings: Sequence[str],
        root: str,
    ) -> web.StreamResponse:
        """Answer with pictures, unless the client has them.

        Parameters
        ----------
        warnings
            What was not done as asked.
        """
        etag = entity_tag(
            [str(multipart).encode()]
            + [f"{file.path.name} {picture}".encode() for file, picture in pictures],
            is_weak=multipart,  # the boundary is another one each time
        )
        if is_known(request, etag):
            return not_modified(etag, vary="Accept")
        # The first is drawn before the answer begins, so that what cannot be drawn is an answer.
        (file, picture), *others = pictures
        drawn = await self._imaging.draw(file, picture)
        parts = [Part(picture.media_type, [drawn])]
        parts += [
            Part(picture.media_type, [], make=partial(self._draw, file, picture))
            for file, picture in others
        ]
        headers = {"ETag": etag, "Vary": "Accept"}
        if warnings:
            headers["Warning"] = warning_header(root, warnings[0])
        return await send(
            request,
            parts,
            multipart=multipart,
            headers=headers,
            send_timeout_s=self._send_timeout_s,
        )

    async def _draw(self, file: InstanceFile, picture: Picture) -> list[bytes]:
        return [await self._imaging.draw(file, picture)]


def _offers(*, is_single: bool, several: bool, is_moving: bool) -> list[Offer]:
    """Return how pictures can be sent, the preferred way first."""
    parts = [Offer(kind, multipart=True) for kind in PICTURES]
    if not is_single:
        # Who takes no parts gets the one in the middle, as client libraries ask for a series.
        return [*parts, *(Offer(kind, multipart=False) for kind in PICTURES)]
    if is_moving:
        # A browser shows one picture: the moving one, or the first frame where it wants no GIF.
        return [
            Offer("image/gif", multipart=False),
            *parts,
            *(Offer(kind, multipart=False) for kind in PICTURES[:2]),
        ]
    if several:
        return parts
    return [*(Offer(kind, multipart=False) for kind in PICTURES), *parts]


def _pictures(
    images: Sequence[tuple[InstanceFile, InstanceFile | None]],
    numbers: Sequence[Sequence[int]],
    asked: Asked,
    offer: Offer,
) -> list[tuple[InstanceFile, Picture]]:
    pictures = []
    for (file, state), frames in zip(images, numbers, strict=True):
        if offer.multipart:
            drawn: Sequence[int | None] = frames
        elif offer.media_type == "image/gif" and len(frames) > 1:
            drawn = [None]
        else:
            drawn = frames[:1]
        pictures += [(file, _of_state(asked.of(offer.media_type, each), state)) for each in drawn]
    return pictures


def _of_state(picture: Picture, state: InstanceFile | None) -> Picture:
    return replace(picture, state=state)


def _numbers(file: InstanceFile, frames: Sequence[int] | None) -> Sequence[int]:
    if frames is None:
        return range(1, file.number_of_frames + 1)
    if max(frames) > file.number_of_frames:
        raise NotFound(f"the instance has {file.number_of_frames} frames")
    return frames


def _middle_first(found: Sequence[T]) -> list[T]:
    middle = len(found) // 2
    return [*found[middle:], *found[:middle]]


def _referenced(prepared: bytes) -> list[tuple[str, str]]:
    """Return series and instance UIDs of the images that a presentation state is for, from its metadata."""
    found = []
    for series in reports.items_of(attributes_of(prepared), "00081115"):
        series_uid = _uid(series, "0020000E")
        for image in reports.items_of(series, "00081140"):
            uid = _uid(image, "00081155")
            if series_uid and uid:
                found.append((series_uid, uid))
    return found


def _uid(item: Mapping[str, Any], tag: str) -> str:
    values = item.get(tag, {}).get("Value", [""])
    return values[0] if isinstance(values[0], str) and _UID.fullmatch(values[0]) else ""
