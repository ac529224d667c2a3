"""Metadata and search results as documents of the Native DICOM Model, a part each (PS3.18 8.7.3.2)."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from dicomweb.answers import location
from dicomweb.bodies import Part, send
from dicomweb.conditional import entity_tag, is_known, not_modified
from dicomweb.links import attributes_of
from dicomweb.media import DICOM_XML
from dicomweb.native_model import as_xml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web


async def send_documents(
    request: web.Request,
    objects: Sequence[bytes],
    *,
    root: str,
    send_timeout_s: float,
    warnings: Sequence[str] = (),
) -> web.StreamResponse:
    """Answer with DICOM JSON objects as documents, each made when its turn comes.

    Parameters
    ----------
    warnings
        Values of the Warning header.
    """
    etag = await asyncio.to_thread(entity_tag, [DICOM_XML.encode(), *objects], is_weak=True)
    if is_known(request, etag):
        return not_modified(etag, vary="Accept")
    headers: Mapping[str, str] = {
        "ETag": etag,
        "Vary": "Accept",
        "Content-Location": location(request, root),
        **({"Warning": ", ".join(warnings)} if warnings else {}),
    }
    return await send(
        request,
        [Part(DICOM_XML, [], make=partial(_made, each)) for each in objects],
        multipart=True,
        headers=headers,
        send_timeout_s=send_timeout_s,
    )


async def _made(prepared: bytes) -> list[bytes]:
    return [await asyncio.to_thread(_document, prepared)]


def _document(prepared: bytes) -> bytes:
    return as_xml(attributes_of(prepared))
