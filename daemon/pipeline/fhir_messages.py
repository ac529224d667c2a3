"""What is asked of workers about FHIR resources, and what they answer, as messages.

An answer is checked field by field: a worker parses hostile input, so its answer is input too.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from daemon.pipeline.messages import MalformedAnswer
from daemon.records import Result, State
from daemon.resources import (
    Content,
    ReadDocument,
    ReadEntry,
    ReadResource,
    Retold,
    RetoldResource,
    Span,
    Token,
    ToRetell,
)
from daemon.workers.frames import Message
from deid.fhir.ties import Issued, Ties

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from daemon.records import Job

READING: Final = "fhir_reading"
SIDECAR: Final = "fhir_sidecar"
PATCHING: Final = "fhir_patching"
PIECES: Final = "fhir_pieces"
RETELLING: Final = "fhir_retelling"
_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
_ENTRY_TEXT: Final = (
    "full_url",
    "method",
    "url",
    "if_match",
    "if_none_exist",
    "if_none_match",
)
_TIES_TEXTS: Final = ("addresses", "references", "patients", "family_names")
_TIES_ISSUED: Final = ("accessions", "identifiers", "patient_identifiers")
_WRONG: Final = (KeyError, TypeError, ValueError, AttributeError, IndexError)


def reading_message(body: bytes, resolved: Mapping[str, str]) -> Message:
    """Return the question what a request's body says."""
    return Message({READING: dict(resolved)}, (body,))


def patching_message(resource: bytes, patch: bytes) -> Message:
    """Return the question what a resource of a store says after a patch."""
    return Message({PATCHING: True}, (resource, patch))


def pieces_message(source: Path, output: Path, most_bytes: int, *, requests: bool) -> Message:
    """Return the question what a file says that is too large for one answer.

    Parameters
    ----------
    output
        Where the worker writes pieces (`daemon.pipeline.fhir_large`).
    most_bytes
        Of the text.
    requests
        Whether it is a Bundle that asks for something.
    """
    return Message({PIECES: [str(source), str(output), most_bytes, requests]})


def retelling_message(job: ToRetell) -> Message:
    """Return a resource that is to be de-identified as a message."""
    header = {
        "number": job.number,
        "wanted": job.wanted,
        "deidentifiers": job.deidentifiers,
        "patient": job.patient,
        "addresses": job.addresses,
        "known": job.known,
        "lengths": [len(each) for each in job.around],
    }
    return Message({RETELLING: header}, (b"".join(job.around), job.resource))


def retelling_from(message: Message) -> ToRetell:
    """Return the resource in a message."""
    header = message.header[RETELLING]
    taking = _Taking(message.fields[0])
    return ToRetell(
        header["number"],
        header["wanted"],
        tuple(header["deidentifiers"]),
        header["patient"],
        tuple(header["addresses"]),
        tuple((kind, value) for kind, value in header["known"]),
        tuple(taking.take(length) for length in header["lengths"]),
        message.fields[1],
    )


def retold_message(retold: Retold) -> Message:
    """Return what became of a resource as a message."""
    contents: list[bytes] = []
    header = {
        "number": retold.number,
        "wanted": retold.wanted,
        "reason": retold.reason,
        "where": retold.where,
        "outputs": [
            {
                "deidentifier": each.deidentifier,
                "id": each.id,
                "content": content_header(each.content, contents),
                "outcome": _appended(each.outcome, contents),
            }
            for each in retold.outputs
        ],
    }
    return Message(header, (b"".join(contents),))


def retold_from(message: Message, job: ToRetell) -> Retold:
    """Return what became of a resource, in a worker's answer to `job`.

    Raises
    ------
    MalformedAnswer
        When a field is missing or of another type, or the answer contradicts itself or the job.
    """
    try:
        header = message.header
        taking = _Taking(message.fields[0])
        retold = Retold(
            _number(header["number"]),
            _text(header["wanted"]),
            tuple(
                RetoldResource(
                    _text(each["deidentifier"]),
                    _text(each["id"]),
                    _content(each["content"], taking),
                    taking.take(each["outcome"]),
                )
                for each in header["outputs"]
            ),
            _text(header["reason"]),
            _text(header["where"]),
        )
    except _WRONG as error:
        raise MalformedAnswer("field") from error
    made_by = tuple(each.deidentifier for each in retold.outputs)
    if (
        (retold.number, retold.wanted) != (job.number, job.wanted)
        or made_by != (() if retold.reason else job.deidentifiers)
        or not all(_ID.fullmatch(each.id) for each in retold.outputs)
    ):
        raise MalformedAnswer("contradiction")
    return retold


def sidecar_message(receipt_id: str, document: ReadDocument) -> Message:
    """Return the resources of a received file as a message: the answer to a job about that file."""
    message = document_message(document)
    message.header[SIDECAR] = receipt_id
    return message


def sidecar_from(message: Message, job: Job) -> Result | None:
    """Return the resources in a worker's answer to `job`; None when it is about an instance.

    Raises
    ------
    MalformedAnswer
        As `document_from`.
    """
    if SIDECAR not in message.header:
        return None
    document = document_from(message)
    is_whole = all(each.resource is not None for each in document.entries)
    is_told_twice = bool(document.pieces and document.entries)
    if (
        message.header[SIDECAR] != job.receipt_id
        or document.reason
        or not is_whole
        or is_told_twice
    ):
        raise MalformedAnswer("contradiction")
    return Result(job.receipt_id, State.STORED, sidecar=document)


def document_message(document: ReadDocument) -> Message:
    """Return a document that was read as a message: what is small in its header, the rest in one field."""
    contents: list[bytes] = []
    entries = [
        {
            **{name: getattr(each, name) for name in _ENTRY_TEXT},
            "resource": each.resource and _resource_header(each.resource, contents),
        }
        for each in document.entries
    ]
    header = {
        "entries": entries,
        "bundle_type": document.bundle_type,
        "reason": document.reason,
        "where": document.where,
        "pieces": document.pieces,
        "total": document.total,
    }
    return Message(header, (b"".join(contents),))


def document_from(message: Message) -> ReadDocument:
    """Return the document in a worker's answer.

    Raises
    ------
    MalformedAnswer
        When a field is missing or of another type.
    """
    try:
        header = message.header
        taking = _Taking(message.fields[0])
        return ReadDocument(
            tuple(
                ReadEntry(
                    **{name: _text(each[name]) for name in _ENTRY_TEXT},
                    resource=None
                    if each["resource"] is None
                    else _resource(each["resource"], taking),
                )
                for each in header["entries"]
            ),
            _text(header["bundle_type"]),
            _text(header["reason"]),
            _text(header["where"]),
            _number(header["pieces"]),
            _number(header["total"]),
        )
    except _WRONG as error:
        raise MalformedAnswer("field") from error


class _Taking:
    """Takes pieces from a field one after the other."""

    def __init__(self, field: bytes) -> None:
        self._field = field
        self._at = 0

    def take(self, length: object) -> bytes:
        if not isinstance(length, int) or length < 0 or self._at + length > len(self._field):
            raise ValueError("length")
        start, self._at = self._at, self._at + length
        return self._field[start : self._at]


def _appended(field: bytes, contents: list[bytes]) -> int:
    contents.append(field)
    return len(field)


def content_header(content: Content, contents: list[bytes]) -> dict[str, Any]:
    """Return what is small of a content, and append the rest."""
    contents += (content.meta, content.rest)
    return {
        "type": content.type,
        "lengths": [len(content.meta), len(content.rest)],
        "tokens": content.tokens,
        "dates": content.dates,
    }


def _content(header: Mapping[str, Any], taking: _Taking) -> Content:
    meta, rest = (taking.take(length) for length in header["lengths"])
    return Content(
        _text(header["type"]),
        meta,
        rest,
        tuple(Token(*_texts(each)) for each in header["tokens"]),
        tuple(Span(*(_number(end) for end in each)) for each in header["dates"]),
    )


def _resource_header(resource: ReadResource, contents: list[bytes]) -> dict[str, Any]:
    return {
        "id": resource.id,
        "content": content_header(resource.content, contents),
        "unresolved": resource.unresolved,
        "ties": ties_document(resource.ties),
        "identifiers": resource.identifiers,
        "stated_ms": resource.stated_ms,
    }


def _resource(header: Mapping[str, Any], taking: _Taking) -> ReadResource:
    return ReadResource(
        _text(header["id"]),
        _content(header["content"], taking),
        ties_from(header["ties"]),
        tuple(_texts(header["unresolved"])),
        tuple((_text(kind), _text(value)) for kind, value in header["identifiers"]),
        _number(header["stated_ms"]),
    )


def ties_document(ties: Ties) -> dict[str, Any]:
    """Return ties as JSON."""
    return {**asdict(ties), "uids": sorted(ties.uids)}


def ties_from(document: Mapping[str, Any]) -> Ties:
    """Return what `ties_document` made; raises what a wrong type raises."""
    known: dict[str, Any] = {name: tuple(_texts(document[name])) for name in _TIES_TEXTS}
    known |= {
        name: tuple(
            Issued(**{key: _text(value) for key, value in each.items()}) for each in document[name]
        )
        for name in _TIES_ISSUED
    }
    known["searches"] = tuple(tuple(_texts(each)) for each in document["searches"])
    known["uids"] = frozenset(_texts(document["uids"]))
    return Ties(type=_text(document["type"]), birth_date=_text(document["birth_date"]), **known)


def _texts(values: Iterable[object]) -> list[str]:
    if isinstance(values, str):
        raise TypeError("texts")
    return [_text(each) for each in values]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("number")
    return value
