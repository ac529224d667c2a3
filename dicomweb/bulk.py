"""All bulk data, or all pixel data, of an instance, series or study (PS3.18 10.4.1.1.5, 10.4.1.1.6).

What the metadata names by BulkDataURI comes as one part each, compressed pixels as one part a frame. What
cannot be produced as the client accepts it is left out; when nothing is left the answer is 406.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from dicomweb import wado
from dicomweb.bodies import Part, send
from dicomweb.conditional import entity_tag, is_known, not_modified
from dicomweb.errors import DescribeError, NotAcceptable, NotFound, PayloadTooLarge
from dicomweb.intact import intact, missing
from dicomweb.stored import locate_bulk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from dicomweb.media import MediaRange
    from dicomweb.ports import Imaging, InstanceFile, InstanceStore, Resource
    from dicomweb.stored import Bulk

MOST_VALUES: Final = 10_000
PIXELS: Final = frozenset({"7FE00008", "7FE00009", "7FE00010"})
_URI: Final = re.compile(
    rb'"BulkDataURI":"studies/[0-9.]{1,64}/series/(?P<series>[0-9.]{1,64})/instances/(?P<instance>[0-9.]{1,64})'
    rb'/bulkdata/(?P<steps>[0-9A-F/]{8,1000})"'
)


async def send_all(
    request: web.Request,
    store: InstanceStore,
    resource: Resource,
    ranges: Sequence[MediaRange],
    *,
    pixels_only: bool,
    root: str,
    imaging: Imaging | None,
    send_timeout_s: float,
) -> web.StreamResponse:
    """Answer with every value that the resource has.

    Raises
    ------
    NotFound
        If there is no such resource, or it has no bulk data.
    NotAcceptable
        If none can be produced as the client accepts it.
    PayloadTooLarge
        If there are more than `MOST_VALUES`.
    """
    files = await store.locate(resource)
    if not files:
        raise await missing(store, resource)
    found = {(file.series_uid, file.sop_instance_uid): file for file in await intact(files)}
    values = []
    for prepared in await store.metadata(resource):
        for match in _URI.finditer(prepared):
            steps = match["steps"].decode()
            file = found.get((match["series"].decode(), match["instance"].decode()))
            if file is not None and (not pixels_only or steps in PIXELS):
                values.append((file, steps))
        if len(values) > MOST_VALUES:
            raise PayloadTooLarge(f"more than {MOST_VALUES} values in one answer")
    if not values:
        raise NotFound("the resource has no pixel data" if pixels_only else "no bulk data")
    located = await asyncio.to_thread(_located, values)
    with wado.kept() as share:
        parts: list[Part] = []
        for file, steps, bulk in located:
            offer = wado.offer_of_bulk(bulk, ranges, imaging, is_part=True)
            if offer is not None:
                location = f"{_path(root, file)}{steps}"
                parts += await wado.parts_of_bulk(file, bulk, offer, imaging, location, share)
            if len(parts) > MOST_VALUES:
                raise PayloadTooLarge(f"more than {MOST_VALUES} values in one answer")
        if not parts:
            raise NotAcceptable(
                "bulk data can be produced as application/octet-stream in parts only"
            )
        etag = entity_tag(
            [file.path.name.encode() for file, _, _ in located]
            + [part.content_type.encode() + part.location.encode() for part in parts],
            is_weak=True,
        )
        if is_known(request, etag):
            return not_modified(etag, vary="Accept")
        return await send(
            request,
            parts,
            multipart=True,
            headers={"ETag": etag, "Vary": "Accept"},
            send_timeout_s=send_timeout_s,
        )


def _located(values: Sequence[tuple[InstanceFile, str]]) -> list[tuple[InstanceFile, str, Bulk]]:
    located = []
    for file, steps in values:
        try:
            bulk = locate_bulk(file.path, file.size, wado.parse_bulk_path(steps))
        except (DescribeError, NotFound):
            continue
        located.append((file, steps, bulk))
    return located


def _path(root: str, file: InstanceFile) -> str:
    return (
        f"{root}/studies/{file.study_uid}/series/{file.series_uid}"
        f"/instances/{file.sop_instance_uid}/bulkdata/"
    )
