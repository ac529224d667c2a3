"""Malformed files and malformed answers through the pipeline: always a result, never a value."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.pipeline.messages import MalformedAnswer, answer_from, result_message
from daemon.pipeline.routing import named
from daemon.pipeline.work import Work
from daemon.records import Job, Origin, Receiver, Result, State
from daemon.workers.frames import Decoder, FrameError, Kind, Message, encode
from deid import SiteKey, compile_plan
from tests.factories import encoded, make_ct
from tests.malformed import MARK, Malformed, malformed_files
from tests.sections import make_route

ID = "0123456789abcdef0123456789abcdef"
BASIC = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
CASES = malformed_files()


@pytest.fixture(scope="module")
def work() -> Work:
    routes = named([make_route(header={"StationName": ("*", "")}, modality=("*", ""))])
    return Work(routes, {"default": compile_plan(BASIC, SiteKey(bytes(range(32))))})


def processed(work: Work, folder: Path, content: bytes) -> tuple[Job, Result]:
    job = Job(ID, Origin(Receiver.STOW), folder / "in", folder / "out")
    job.source.write_bytes(content)
    return job, work.process(job)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_malformed_file_ends_in_a_reason_or_an_output(
    case: Malformed, work: Work, tmp_path: Path
) -> None:
    content = case.make()
    job, result = processed(work, tmp_path, content)
    assert job.source.read_bytes() == content
    assert result.state in {State.STORED, State.QUARANTINED}
    assert result.reason != "internal_error", result.where
    assert job.output.exists() == (result.state is State.STORED)
    assert answer_from(result_message(result), job) == result
    told = f"{result.reason} {result.where}".encode() + result.outcome
    assert MARK not in told


@pytest.mark.parametrize("seed", range(20))
def test_damaged_bytes_end_in_a_reason_or_an_output(seed: int, work: Work, tmp_path: Path) -> None:
    chance = random.Random(seed)
    whole = encoded(make_ct())
    for _ in range(25):
        content = bytearray(whole)
        for _ in range(chance.choice((1, 2, 8))):
            content[chance.randrange(128, len(content))] = chance.randrange(256)
        cut = content[: chance.randrange(len(content))] if chance.random() < 0.2 else content
        job, result = processed(work, tmp_path, bytes(cut))
        assert result.reason != "internal_error", result.where
        assert job.output.exists() == (result.state is State.STORED)
        job.output.unlink(missing_ok=True)


@given(st.binary(max_size=200))
def test_bytes_that_a_ruined_worker_sends_are_a_frame_or_refused(data: bytes) -> None:
    with suppress(FrameError):
        Decoder(max_bytes=1000).feed(data)


@given(st.data())
def test_frames_with_flipped_bytes_are_a_frame_or_refused(data: st.DataObject) -> None:
    whole = bytearray(encode(Kind.REPLY, Message({"tired": False, "body": {}}, (b"abc", b""))))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(FrameError):
        Decoder(max_bytes=1000).feed(bytes(whole))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(
    header=st.dictionaries(
        st.sampled_from(
            [
                "receipt_id",
                "state",
                "reason",
                "where",
                "route",
                "deidentifier",
                "source",
                "outputs",
                "question",
            ]
        ),
        json_values | st.sampled_from([ID, "stored", "quarantined", "unrouted"]),
    ),
    fields=st.lists(st.binary(max_size=3), max_size=10),
)
def test_an_answer_of_any_shape_is_a_result_or_refused(
    header: dict[str, object], fields: list[bytes]
) -> None:
    job = Job(ID, Origin(Receiver.STOW), Path("in"), Path("out"))
    try:
        result = answer_from(Message(header, tuple(fields)), job)
    except MalformedAnswer:
        return
    assert result.receipt_id == ID
