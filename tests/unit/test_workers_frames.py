"""Frames between the daemon and its workers, and what they carry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from daemon.pipeline.messages import (
    MalformedAnswer,
    job_from,
    job_message,
    result_from,
    result_message,
)
from daemon.records import Job, Origin, Output, Receiver, Result, State, StoredInstance
from daemon.workers.frames import Decoder, Frame, FrameError, Kind, Message, encode

ID = "0123456789abcdef0123456789abcdef"
JOB = Job(ID, Origin(Receiver.STOW, "A", "B", "::1"), Path("/s/in\udcff"), Path("/s/out"))


def stored(**changes: object) -> StoredInstance:
    known = StoredInstance(
        study_uid="1.2",
        series_uid="1.3",
        sop_instance_uid="1.4",
        sop_class_uid="1.5",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        blob=ID,
        size=10,
        digest="aa",
        dataset_digest="bb",
        number_of_frames=1,
        metadata=b"{m}",
        study=b"{s}",
        series=b"{e}",
        instance=b"{i}",
        keys={"PatientID": "X"},
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def done(**changes: object) -> Result:
    known = Result(
        ID,
        State.STORED,
        route="r",
        deidentifier="d",
        source=stored(),
        outputs=(Output("d", stored(study_uid="2.25.1", metadata=b"{o}")),),
        outcome=b"{}",
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def test_a_frame_survives_being_cut_anywhere() -> None:
    messages = [
        Message({"n": 1, "text": "Größe \udc80"}, (b"", b"abc", b"\x00" * 70_000)),
        Message({}),
        Message({"n": 2}, (b"x",)),
    ]
    data = b"".join(encode(Kind.JOB, message) for message in messages)
    for step in (1, 7, 4096, len(data)):
        decoder = Decoder()
        found: list[Frame] = []
        for at in range(0, len(data), step):
            found += decoder.feed(data[at : at + step])
        assert found == [Frame(Kind.JOB, message) for message in messages]


@pytest.mark.parametrize(
    "data",
    [
        b"\x00" * 7,
        b"\xff" * 7,
        encode(Kind.JOB, Message({})).replace(b"{}", b"[]"),
        encode(Kind.JOB, Message({})).replace(b"{}", b"{,"),
        encode(Kind.REPLY, Message({"a": 1}))[:7].replace(b"\x00\x07", b"\xff\xff") + b"{" * 65535,
    ],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        Decoder(max_bytes=1 << 20).feed(data)


def test_a_frame_that_announces_too_much_is_refused_before_it_is_kept() -> None:
    data = encode(Kind.REPLY, Message({}, (b"x" * 2000,)))
    with pytest.raises(FrameError):
        Decoder(max_bytes=1000).feed(data[:20])


def test_a_job_survives_the_way_to_the_worker() -> None:
    [frame] = Decoder().feed(encode(Kind.JOB, job_message(JOB)))
    assert job_from(frame.message) == JOB


@pytest.mark.parametrize(
    "result",
    [
        done(),
        done(state=State.UNROUTED, outputs=(), outcome=b"", route="", deidentifier=""),
        done(state=State.QUARANTINED, outputs=(), outcome=b"", reason="malformed", where="(1,2)"),
        Result(ID, State.QUARANTINED, reason="not_dicom"),
    ],
)
def test_a_result_survives_the_way_back(result: Result) -> None:
    [frame] = Decoder().feed(encode(Kind.REPLY, result_message(result)))
    assert result_from(frame.message, JOB) == result


@pytest.mark.parametrize(
    "result",
    [
        done(receipt_id="f" * 32),
        done(outputs=()),
        done(source=None),
        done(reason="why"),
        done(state=State.QUARANTINED, reason=""),
        done(state=State.QUARANTINED, reason="malformed"),
        done(state=State.UNROUTED),
        done(state=State.DUPLICATE, outputs=()),
        done(outputs=(Output("d", stored(blob="../../etc/passwd")),)),
        done(source=stored(size=-1)),
        done(source=stored(size=True)),
        done(source=stored(study_uid=7)),
        done(source=stored(keys={"PatientID": 7})),
        done(route=None),
    ],
)
def test_a_result_that_contradicts_itself_or_the_job_is_refused(result: Result) -> None:
    message = result_message(result)
    with pytest.raises(MalformedAnswer):
        result_from(message, JOB)


@pytest.mark.parametrize(
    "change",
    [
        lambda _header, fields: ({}, fields),
        lambda header, fields: (header, fields[:-1]),
        lambda header, fields: (header, (*fields, b"more")),
        lambda header, _fields: (header, ()),
        lambda header, fields: ({**header, "state": "fine"}, fields),
        lambda header, fields: ({**header, "source": "1.2"}, fields),
        lambda header, fields: ({**header, "source": {}}, fields),
        lambda header, fields: ({**header, "outputs": [1]}, fields),
    ],
)
def test_an_answer_with_fields_missing_or_too_many_is_refused(change: object) -> None:
    message = result_message(done())
    header, fields = change(message.header, message.fields)  # type: ignore[operator]
    with pytest.raises(MalformedAnswer):
        result_from(Message(header, fields), JOB)
