"""A batch that is too large to be held: done and answered some entries at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from daemon.fhir.bodies import answered_type

if TYPE_CHECKING:
    from daemon.fhir.executing import Executing
    from daemon.fhir.ports import LargeDocument

log = structlog.get_logger()

_HEAD: Final = b'{"resourceType":"Bundle","type":"batch-response","entry":['
_TAIL: Final = b"]}"


async def answer_in_pieces(
    request: web.Request, executing: Executing, document: LargeDocument
) -> web.StreamResponse:
    """Do a batch entry by entry, and send the answer meanwhile; of one that is cut short, the rest is not done.

    A failure of ours cuts the answer short: its status was sent.
    """
    response = web.StreamResponse(headers={"Content-Type": answered_type(request)})
    await response.prepare(request)
    await response.write(_HEAD)
    is_first = True
    try:
        while (some := await document.next()) is not None:
            entries = await executing.batch(some)
            await response.write((b"" if is_first else b",") + b",".join(entries))
            is_first = False
    except ConnectionError:
        raise
    except Exception as error:  # the edge: our own bug
        log.exception("fhir_request_failed", error=type(error).__name__)
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write(_TAIL)
    await response.write_eof()
    return response
