"""Jobs and results as messages between the daemon and its workers.

What comes from a worker is checked field by field: a worker parses hostile input, so its answer is
input too.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from daemon.records import Job, Origin, Receiver, Result, State, StoredInstance
from daemon.workers.frames import Message

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
)
_STORED_NUMBER = ("size", "number_of_frames")
_RESULT_TEXT = ("receipt_id", "reason", "where", "route", "deidentifier")
_FINAL = frozenset({State.STORED, State.UNROUTED, State.QUARANTINED})


class MalformedAnswer(Exception):
    """A worker's answer that is not a result of the job it was given."""


def job_message(job: Job) -> Message:
    """Return a job as a message."""
    return Message(
        {
            "receipt_id": job.receipt_id,
            "origin": asdict(job.origin),
            "source": str(job.source),
            "output": str(job.output),
        }
    )


def job_from(message: Message) -> Job:
    """Return the job in a message."""
    header = message.header
    origin = header["origin"]
    return Job(
        receipt_id=header["receipt_id"],
        origin=Origin(**{**origin, "receiver": Receiver(origin["receiver"])}),
        source=Path(header["source"]),
        output=Path(header["output"]),
    )


def result_message(result: Result) -> Message:
    """Return a result as a message."""
    header: dict[str, Any] = {name: getattr(result, name) for name in _RESULT_TEXT}
    header["state"] = result.state.value
    fields = [result.outcome]
    for name in ("source", "output"):
        stored: StoredInstance | None = getattr(result, name)
        header[name] = stored and _stored_header(stored)
        if stored is not None:
            fields += (getattr(stored, raw) for raw in _STORED_RAW)
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
    stored = [each for each in (result.source, result.output) if each is not None]
    if (
        result.receipt_id != job.receipt_id
        or any(each.blob != job.receipt_id for each in stored)
        or result.state not in _FINAL
        or (result.state is State.QUARANTINED) != bool(result.reason)
        or (result.state is State.STORED) != (result.output is not None)
        or (result.source is None and result.state is not State.QUARANTINED)
    ):
        raise MalformedAnswer("contradiction")
    return result


def _result(message: Message) -> Result:
    header = message.header
    outcome, *raw = message.fields
    source = _stored(header["source"], raw[:4]) if header["source"] is not None else None
    rest = raw[4:] if source is not None else raw
    output = _stored(header["output"], rest[:4]) if header["output"] is not None else None
    if len(rest) != (4 if output is not None else 0):
        raise ValueError("fields")
    return Result(
        state=State(header["state"]),
        source=source,
        output=output,
        outcome=outcome,
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
