"""One sender for each way in: C-STORE, STOW-RS and a file dropped into the watched folder."""

from __future__ import annotations

import asyncio
import os
import secrets
from typing import TYPE_CHECKING, Final

import aiohttp
from pynetdicom.ae import ApplicationEntity

from daemon.records import Receiver
from daemon.synthetic.encodings import encoded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from pydicom.dataset import Dataset

    from daemon.demo.service import Addresses

CALLING_AE: Final = "VEILDEMO"
_TIMEOUT_S: Final = 60.0


async def send_by_dimse(datasets: Sequence[Dataset], addresses: Addresses) -> AsyncIterator[bool]:
    """Send over one association, each instance in its own transfer syntax (PS3.4 B)."""
    entity = ApplicationEntity(ae_title=CALLING_AE)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _TIMEOUT_S
    for dataset in datasets:
        entity.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    host, port = addresses.dimse
    association = await asyncio.to_thread(entity.associate, host, port, ae_title="DICOMVEIL")
    try:
        for dataset in datasets:
            if not association.is_established:
                yield False
                continue
            status = await asyncio.to_thread(association.send_c_store, dataset)
            yield status.get("Status") == 0x0000
    finally:
        if association.is_established:
            await asyncio.to_thread(association.release)


async def send_by_stow(datasets: Sequence[Dataset], addresses: Addresses) -> AsyncIterator[bool]:
    """Store one instance per request (PS3.18 10.5)."""
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for dataset in datasets:
            boundary = secrets.token_hex(16)
            head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
            body = head + encoded(dataset) + f"\r\n--{boundary}--\r\n".encode()
            kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
            headers = {"Content-Type": kind, "Accept": "application/dicom+json"}
            url = f"{addresses.base}/dicomweb/source/studies"
            async with session.post(url, data=body, headers=headers) as response:
                yield response.status == 200


async def drop_files(datasets: Sequence[Dataset], inbox: Path) -> AsyncIterator[bool]:
    """Write each instance under a hidden name and rename it, as careful exporters do."""
    for number, dataset in enumerate(datasets, 1):
        partial = inbox / f".{number:04d}.part"
        await asyncio.to_thread(partial.write_bytes, encoded(dataset))
        os.rename(partial, inbox / f"{number:04d}.dcm")  # noqa: PTH104 - the plain word for what happens
        yield True


WAYS: Final = {
    Receiver.DIMSE: "C-STORE",
    Receiver.STOW: "STOW-RS",
    Receiver.WATCH: "dropped file",
}
"""The ways in, as a reader of the table knows them."""
