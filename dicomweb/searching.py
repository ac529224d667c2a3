"""Search answers: a short one at once; a long one page by page, as fast as it is read, few at a time.

However many clients ask for everything and do not read, what is held for them is a page for each of the few
whose turn it is, and a short search always gets in between. A client that leaves stops its search at the
next page.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from aiohttp import web

from dicomweb import qido
from dicomweb.answers import JsonStream, headers, json_answer
from dicomweb.documents import send_documents
from dicomweb.errors import StoreFull
from dicomweb.media import DICOM_XML

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from dicomweb.ports import InstanceStore, Match
    from dicomweb.qido import Search

PAGE: Final = 200
"""Matches in a page; a search that has no more is short."""
_FEW: Final = 25
_MOST_MADE: Final = 3
"""Pages with all attributes that are made at a time; each is some megabytes until it is sent."""
_AT_ONCE_BYTES: Final = 128 * 1024
"""Less is put together in the loop: a thread would take longer."""
_PATIENCE_S: Final = 10.0
_MOST_WAITING: Final = 32
_MORE: Final = "There are additional results that can be requested"


class Searches:
    """The searches of one store.

    Parameters
    ----------
    max_long
        Long ones at the same time; others wait, up to a number and a time, then are told to come back.
    send_timeout_s
        How long a client may take to read a page.
    """

    def __init__(self, store: InstanceStore, max_long: int, send_timeout_s: float) -> None:
        self._store = store
        self._send_timeout_s = send_timeout_s
        self._turns = asyncio.Semaphore(max_long)
        self._waiting = 0
        self._benches = asyncio.Semaphore(_MOST_MADE)

    async def answer(
        self, request: web.Request, search: Search, root: str, media_type: str
    ) -> web.StreamResponse:
        """Answer a search.

        Raises
        ------
        StoreFull
            When too many long ones are under way.
        """
        if media_type == DICOM_XML:
            return await self._documents(request, search, root)
        response: web.StreamResponse
        async with self._bench(search):
            first = await self._page(search, 0)
            is_short = len(first) <= min(PAGE, search.limit)
            if is_short or search.limit <= PAGE:
                body = await _body(search, first, root)
                response = await json_answer(request, body, media_type, root=root)
                has_more = search.capped and len(first) > search.limit
                _warn(response, search, root, has_more=has_more)
                return response
            del first
        async with self._turn():
            has_more = search.capped and await self._has_more(search)
            response = web.StreamResponse(headers=headers(request, media_type, root=root))
            _warn(response, search, root, has_more=has_more)
            stream = JsonStream(request, response)
            await response.prepare(request)
            if request.method != "HEAD":
                try:
                    await self._send(stream, search, root)
                except BaseException:
                    # The head is out: the only way left to say that this went wrong is to break off.
                    if request.transport is not None:
                        request.transport.abort()
                    raise
                await stream.end()
        return response

    async def _documents(
        self, request: web.Request, search: Search, root: str
    ) -> web.StreamResponse:
        """Answer with a document for each match: of a page, or one long answer after the other."""
        async with self._turn():
            async with self._bench(search):
                found = await self._everything(search, root)
            has_more = search.capped and await self._has_more(search)
            told = (*search.warnings, *((_MORE,) if has_more else ()))
            if not found:
                return web.Response(status=204)  # no multipart body is without a part
            return await send_documents(
                request,
                found,
                root=root,
                send_timeout_s=self._send_timeout_s,
                warnings=[qido.warning_header(root, text) for text in told],
            )

    async def _everything(self, search: Search, root: str) -> list[bytes]:
        """Return what was found, as JSON objects; the pages themselves are let go of."""
        found: list[bytes] = []
        for offset in range(0, search.limit, PAGE):
            page = await self._page(search, offset)
            wanted = page[: min(PAGE, search.limit - offset)]
            found += await asyncio.to_thread(qido.objects, search, wanted, root)
            if len(page) <= PAGE:
                break
        return found

    async def _send(self, stream: JsonStream, search: Search, root: str) -> None:
        """Write page after page. What was stored meanwhile may move others behind: none is told twice."""
        seen: set[bytes] = set()
        start = b"["
        for offset in range(0, search.limit, PAGE):
            page = await self._page(search, offset)
            wanted = page[: min(PAGE, search.limit - offset)]
            found = await asyncio.to_thread(qido.objects, search, wanted, root)
            told = [each for each in found if each not in seen]
            seen.update(told)
            if told:
                async with asyncio.timeout(self._send_timeout_s):
                    await stream.write(start + b",".join(told))
                start = b","
            if len(page) <= PAGE:
                break
        await stream.write(b"[]" if start == b"[" else b"]")

    async def _page(self, search: Search, offset: int) -> Sequence[Match]:
        """Return a page of matches, and one more where there are more."""
        query = search.query
        limit = min(PAGE, search.limit - offset) + 1
        return await self._store.search(
            replace(query, limit=limit, offset=query.offset + offset, continues=offset > 0)
        )

    async def _has_more(self, search: Search) -> bool:
        query = search.query
        return bool(
            await self._store.search(
                replace(query, limit=1, offset=query.offset + search.limit, continues=True)
            )
        )

    def _bench(self, search: Search) -> AbstractAsyncContextManager[object]:
        """Return where an answer is made: of those with all attributes of many, few at a time."""
        is_heavy = search.query.with_attributes and search.limit > _FEW
        return self._benches if is_heavy else nullcontext()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._waiting >= _MOST_WAITING:
            raise StoreFull("too many long searches; ask for less by limit, or later")
        self._waiting += 1
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._turns.acquire()
        except TimeoutError:
            raise StoreFull("too many long searches; ask for less by limit, or later") from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turns.release()


async def _body(search: Search, matches: Sequence[Match], root: str) -> bytes:
    """Return a short answer's body."""
    size = sum(len(match.attributes or match.defaults) for match in matches)
    if size <= _AT_ONCE_BYTES:
        return qido.answer(search, matches, root)
    return await asyncio.to_thread(qido.answer, search, matches, root)


def _warn(response: web.StreamResponse, search: Search, root: str, *, has_more: bool) -> None:
    for text in (*search.warnings, *((_MORE,) if has_more else ())):
        response.headers.add("Warning", qido.warning_header(root, text))
