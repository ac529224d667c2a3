"""Jobs and results as messages between the daemon and its workers.

What comes from a worker is checked field by field: a worker parses hostile input, so its answer is
input too.
"""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import fields as fields_of
from pathlib import Path
from typing import Any

from daemon.records import (
    Comparison,
    Job,
    Known,
    Origin,
    Output,
    Question,
    Receiver,
    Result,
    Ruling,
    State,
    StoredInstance,
)
from daemon.workers.frames import Message
from deid.ports import DrawnBox

_STORED_RAW = ("metadata", "study", "series", "instance")
_STORED_TEXT = (
    "study_uid",
    "series_uid",
    "sop_instance_uid",
    "sop_class_uid",
    "transfer_syntax_uid",
    "blob",
    "digest",
    "dataset_digest",
    "patient",
)
_STORED_NUMBER = ("size", "number_of_frames")
_ORIGIN = tuple(each.name for each in fields_of(Origin))
_KNOWN = tuple(each.name for each in fields_of(Known))
_QUESTION_TEXT = ("receipt_id", "study_uid", "patient")
_RESULT_TEXT = ("receipt_id", "reason", "where", "route", "deidentifier")
_FINAL = frozenset({State.STORED, State.UNROUTED, State.QUARANTINED})


class MalformedAnswer(Exception):
    """A worker's answer that is not a result of the job it was given."""


def job_message(job: Job) -> Message:
    """Return a job as a message."""
    return Message(
        {
            "receipt_id": job.receipt_id,
            "origin": {name: getattr(job.origin, name) for name in _ORIGIN},
            "source": str(job.source),
            "output": str(job.output),
            "known": job.known and {name: getattr(job.known, name) for name in _KNOWN},
            "ruling": job.ruling and _ruling_document(job.ruling),
        }
    )


def description_message(job: Job) -> Message:
    """Return a job of which only the description of its instance is wanted."""
    message = job_message(job)
    message.header["is_description"] = True
    return message


def is_description(message: Message) -> bool:
    """Tell whether a job is one of those."""
    return "is_description" in message.header


def described_message(receipt_id: str, stored: StoredInstance | None) -> Message:
    """Return the description of an instance as a message; None is what cannot be described."""
    fields = tuple(getattr(stored, raw) for raw in _STORED_RAW) if stored else ()
    return Message({"receipt_id": receipt_id, "source": stored and _stored_header(stored)}, fields)


def described_from(message: Message, job: Job) -> StoredInstance | None:
    """Return the description in a worker's answer to `job`.

    Raises
    ------
    MalformedAnswer
        As `result_from`.
    """
    try:
        receipt_id, source = message.header["receipt_id"], message.header["source"]
        stored = None if source is None else _stored(source, list(message.fields))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise MalformedAnswer("field") from error
    if receipt_id != job.receipt_id or (stored is not None and stored.blob != job.receipt_id):
        raise MalformedAnswer("contradiction")
    return stored


def job_from(message: Message) -> Job:
    """Return the job in a message."""
    header = message.header
    origin = header["origin"]
    return Job(
        receipt_id=header["receipt_id"],
        origin=Origin(**{**origin, "receiver": Receiver(origin["receiver"])}),
        source=Path(header["source"]),
        output=Path(header["output"]),
        known=header["known"] and _known(header["known"]),
        ruling=header["ruling"] and _ruling(*header["ruling"]),
    )


def _known(document: dict[str, Any]) -> Known:
    identifiers = tuple((kind, value) for kind, value in document["identifiers"])
    return Known(identifiers, document["is_cut"])


def _ruling_document(ruling: Ruling) -> list[Any]:
    return [ruling.deidentifier, [list(box) for box in ruling.drawn]]


def _ruling(deidentifier: str, drawn: list[list[int]]) -> Ruling:
    return Ruling(deidentifier, tuple(DrawnBox(*box) for box in drawn))


def comparison_message(comparison: Comparison) -> Message:
    """Return a comparison as a message."""
    files = [str(comparison.file), str(comparison.earlier_file)]
    return Message({"compare": files})


def compared_files(message: Message) -> tuple[Path, Path] | None:
    """Return the two files that a message asks to compare; None when it is a job."""
    if "compare" not in message.header:
        return None
    file, earlier = message.header["compare"]
    return Path(file), Path(earlier)


def are_alike_message(*, are_alike: bool) -> Message:
    """Return what came of a comparison as a message."""
    return Message({"are_alike": are_alike})


def are_alike_from(message: Message) -> bool:
    """Return a worker's answer to a comparison.

    Raises
    ------
    MalformedAnswer
        When it is none.
    """
    answer = message.header.get("are_alike")
    if not isinstance(answer, bool):
        raise MalformedAnswer("field")
    return answer


def question_message(question: Question) -> Message:
    """Return a question as a message."""
    return Message({"question": asdict(question)})


def answer_from(message: Message, job: Job) -> Result | Question:
    """Return the result, or the question, in a worker's answer to `job`.

    Raises
    ------
    MalformedAnswer
        As `result_from`, and when a question is asked that was answered already.
    """
    if "question" not in message.header:
        return result_from(message, job)
    try:
        asked = message.header["question"]
        question = Question(**{name: _text(asked[name]) for name in _QUESTION_TEXT})
    except (KeyError, TypeError) as error:
        raise MalformedAnswer("field") from error
    if question.receipt_id != job.receipt_id or job.known is not None:
        raise MalformedAnswer("contradiction")
    return question


def result_message(result: Result) -> Message:
    """Return a result as a message."""
    header: dict[str, Any] = {name: getattr(result, name) for name in _RESULT_TEXT}
    header["state"] = result.state.value
    fields = [result.outcome]
    source = result.source
    header["source"] = source and _stored_header(source)
    header["outputs"] = [
        {"deidentifier": output.deidentifier, "instance": _stored_header(output.instance)}
        for output in result.outputs
    ]
    stored = [*([source] if source else []), *(output.instance for output in result.outputs)]
    for each in stored:
        fields += (getattr(each, raw) for raw in _STORED_RAW)
    return Message(header, tuple(fields))


def result_from(message: Message, job: Job) -> Result:
    """Return the result in a worker's answer to `job`.

    Raises
    ------
    MalformedAnswer
        When a field is missing or of another type, or the result contradicts itself or the job.
    """
    try:
        result = _result(message)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise MalformedAnswer("field") from error
    outputs = [output.instance for output in result.outputs]
    stored = [*([result.source] if result.source else []), *outputs]
    if (
        result.receipt_id != job.receipt_id
        or any(each.blob != job.receipt_id for each in stored)
        or result.state not in _FINAL
        or (result.state is State.QUARANTINED) != bool(result.reason)
        or (result.state is State.STORED) != bool(outputs)
        or (result.source is None and result.state is not State.QUARANTINED)
    ):
        raise MalformedAnswer("contradiction")
    return result


def _result(message: Message) -> Result:
    header = message.header
    outcome, *raw = message.fields
    count = len(_STORED_RAW)
    source = _stored(header["source"], raw[:count]) if header["source"] is not None else None
    rest = raw[count:] if source is not None else raw
    if len(rest) != count * len(header["outputs"]):
        raise ValueError("fields")
    outputs = tuple(
        Output(
            _text(output["deidentifier"]),
            _stored(output["instance"], rest[count * position : count * (position + 1)]),
        )
        for position, output in enumerate(header["outputs"])
    )
    return Result(
        state=State(header["state"]),
        source=source,
        outputs=outputs,
        outcome=outcome,
        compared=(),
        sidecar=None,
        **{name: _text(header[name]) for name in _RESULT_TEXT},
    )


def _stored_header(stored: StoredInstance) -> dict[str, Any]:
    return {
        **{name: getattr(stored, name) for name in _STORED_TEXT + _STORED_NUMBER},
        "keys": dict(stored.keys),
        "identifiers": stored.identifiers,
    }


def _stored(header: dict[str, Any], raw: list[bytes]) -> StoredInstance:
    known: dict[str, Any] = {name: _text(header[name]) for name in _STORED_TEXT}
    known |= {name: _number(header[name]) for name in _STORED_NUMBER}
    known |= zip(_STORED_RAW, raw, strict=True)
    return StoredInstance(
        **known,
        keys={_text(key): _text(value) for key, value in header["keys"].items()},
        identifiers=tuple((_text(kind), _text(value)) for kind, value in header["identifiers"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError("number")
    return value
