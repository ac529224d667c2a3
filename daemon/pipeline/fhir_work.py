"""What a worker process is asked about FHIR resources; `daemon.pipeline.work` does the instances.

The modules are loaded when the first resource comes: most sites have none.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daemon.pipeline.fhir_messages import (
    PATCHING,
    PIECES,
    READING,
    RETELLING,
    document_message,
    retelling_from,
    retold_message,
)
from daemon.workers.writing import new_file

if TYPE_CHECKING:
    import mmap
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from daemon.resources import ReadDocument
    from daemon.workers.frames import Message
    from deid.plan import Plan

_HEAD: Final = 4096
_GZIP: Final = b"\x1f\x8b"
MOST_TEXT_BYTES: Final = 2 << 30
"""Of the text of a file of resources, unpacked, where nobody decides otherwise."""


def fhir_answer(message: Message, plans: Mapping[str, Plan]) -> Message | None:
    """Return the answer to a question about resources; None when it is about an instance."""
    if READING in message.header:
        from daemon.pipeline.fhir_reading import read_document  # noqa: PLC0415

        return document_message(read_document(message.fields[0], message.header[READING]))
    if PATCHING in message.header:
        from daemon.pipeline.fhir_patching import read_patched  # noqa: PLC0415

        return document_message(read_patched(*message.fields))
    if PIECES in message.header:
        return document_message(_read_large(*message.header[PIECES]))
    if RETELLING in message.header:
        from daemon.pipeline.fhir_retelling import retell  # noqa: PLC0415

        return retold_message(retell(retelling_from(message), plans))
    return None


def _read_large(source: str, output: str, most_bytes: int, requests: bool) -> ReadDocument:
    from daemon.pipeline.fhir_large import read_linked, read_requests  # noqa: PLC0415

    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    with (
        os.fdopen(os.open(source, flags), "rb", buffering=0) as file,
        new_file(Path(output)) as descriptor,
        os.fdopen(os.dup(descriptor), "wb") as target,
    ):
        read = read_requests if requests else read_linked
        return read(file, most_bytes, target.write)


def sidecar_in(
    buffer: mmap.mmap | bytes,
    source: Path,
    most_bytes: int,
    pieces_to: Callable[[], AbstractContextManager[int]],
) -> ReadDocument | None:
    """Return the resources of a received file; None when it is none of FHIR.

    Parameters
    ----------
    buffer, source
        The file: what of it is mapped and looked at stays in memory, so it is read anew.
    most_bytes, pieces_to
        As `daemon.pipeline.fhir_large.read_file` takes them.
    """
    head = buffer[:_HEAD]
    if head[:2] != _GZIP and head.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n")[:1] != b"{":
        return None
    from daemon.pipeline.fhir_large import read_file  # noqa: PLC0415

    with source.open("rb", buffering=0) as file:
        return read_file(file, most_bytes, pieces_to)
