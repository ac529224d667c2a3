"""What a worker process is asked about FHIR resources; `daemon.pipeline.work` does the instances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.pipeline.fhir_messages import READING, document_message

if TYPE_CHECKING:
    from daemon.workers.frames import Message


def fhir_answer(message: Message) -> Message | None:
    """Return the answer to a question about resources; None when it is about an instance."""
    if READING in message.header:
        # Loaded when the first resource comes: most sites have none.
        from daemon.pipeline.fhir_reading import read_document  # noqa: PLC0415

        return document_message(read_document(message.fields[0], message.header[READING]))
    return None
