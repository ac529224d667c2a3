"""What is asked of workers about FHIR resources, and what they answer, as messages.

An answer is checked field by field: a worker parses hostile input, so its answer is input too.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from daemon.pipeline.messages import MalformedAnswer
from daemon.resources import Content, ReadDocument, ReadEntry, ReadResource, Span, Token
from daemon.workers.frames import Message
from deid.fhir.ties import Issued, Ties

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

READING: Final = "fhir_reading"
SIDECAR: Final = "fhir_sidecar"
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


def sidecar_message(file: Path, most_bytes: int) -> Message:
    """Return the question which resources a file holds."""
    return Message({SIDECAR: str(file), "most_bytes": most_bytes})


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
    }


def _resource(header: Mapping[str, Any], taking: _Taking) -> ReadResource:
    return ReadResource(
        _text(header["id"]),
        _content(header["content"], taking),
        ties_from(header["ties"]),
        tuple(_texts(header["unresolved"])),
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
