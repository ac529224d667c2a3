"""Instances in one ZIP file, written as it is sent (PS3.18 table 10.4.4-1; PS3.12 annex V).

Nothing in it is compressed again: what is stored is, or would not gain. Names are made from UIDs.
"""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from dicomweb.ports import InstanceFile

_CHUNK_BYTES: Final = 128 << 10
"""What is held of an archive, several times over, for a client that reads slowly."""
_NOT_UID: Final = re.compile(r"[^0-9.]")
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


async def send_archive(
    request: web.Request,
    files: Sequence[InstanceFile],
    *,
    status: int,
    headers: Mapping[str, str],
    send_timeout_s: float,
) -> web.StreamResponse:
    """Answer with a ZIP file; a stored file that is shorter than it was breaks the answer off."""
    response = web.StreamResponse(status=status, headers=headers)
    response.headers["Content-Type"] = "application/zip"
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    pieces = _zipped(files)
    try:
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            async with asyncio.timeout(send_timeout_s):
                await response.write(piece)
    except Exception:
        # The head is out: the only way left to say that this went wrong is to break off.
        if request.transport is not None:
            request.transport.abort()
        raise
    finally:
        pieces.close()
    await response.write_eof()
    return response


class _Written(io.RawIOBase):
    """Holds what was written until it is taken; cannot be sought, so that nothing has to be kept."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        self._held += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._held)
        self._held.clear()
        return taken


def _zipped(files: Sequence[InstanceFile]) -> Generator[bytes, None, None]:
    written = _Written()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(_name(file), _EPOCH)
            entry.file_size = file.size
            with file.path.open("rb") as source, archive.open(entry, "w") as target:
                left = file.size
                while left:
                    data = source.read(min(left, _CHUNK_BYTES))
                    if not data:
                        raise OSError("a stored file is shorter than it was")
                    left -= len(data)
                    target.write(data)
                    yield written.take()
    yield written.take()


def _name(file: InstanceFile) -> str:
    series, instance = (
        _NOT_UID.sub("_", uid)[:64] for uid in (file.series_uid, file.sop_instance_uid)
    )
    return f"{series}/{instance}.dcm"
