"""Malformed files through the core: refused with a reason, or clean. Nothing else."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
import pytest

from deid import Plan, SiteKey, Span, Unsafe, compile_plan, deidentify, read_header
from tests.malformed import DEFLATED, MARK, Expected, Malformed, malformed_files

if TYPE_CHECKING:
    from deid import Deidentified

CASES = malformed_files()
BASIC = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
LENIENT = {**BASIC, "dicomveil": {"burnedIn": "pass", "unknownSopClass": "pass"}}
MEMORY_ABOVE_IDLE_MB = 200
"""Room for one inflated data set within reason; the largest plain case has 5 MB."""


@pytest.fixture(scope="module", params=["basic", "lenient"])
def plan(request: pytest.FixtureRequest) -> Plan:
    configuration = BASIC if request.param == "basic" else LENIENT
    return compile_plan(configuration, SiteKey(bytes(range(32))))


def content_of(source: bytes, result: Deidentified) -> bytes:
    return b"".join(
        source[part.start : part.stop] if isinstance(part, Span) else part
        for part in result.segments
    )


def inflated(content: bytes) -> bytes:
    """Return a file with its dataset inflated, so that a search sees what is in it."""
    length = int.from_bytes(content[140:144], "little")
    unpacker = zlib.decompressobj(-15)
    return content[: 144 + length] + unpacker.decompress(content[144 + length :])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_core_ends_in_a_reason_or_a_clean_result(case: Malformed, plan: Plan) -> None:
    source = case.make()
    try:
        result = deidentify(source, plan)
    except Unsafe as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert MARK.decode() not in refusal
        return
    assert case.expected is Expected.CLEAN
    content = content_of(source, result)
    assert content[:128] == bytes(128)
    if result.transfer_syntax_uid == DEFLATED:
        content = inflated(content)
    assert MARK not in content
    assert MARK not in repr(result.outcome).encode()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_header_is_read_or_refused_with_a_reason(case: Malformed) -> None:
    try:
        header = read_header(case.make(), ["PatientName", "Modality", "StudyDate"])
    except Unsafe as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert MARK.decode() not in refusal
        return
    assert case.expected is not Expected.REFUSED
    assert MARK.decode() not in header.transfer_syntax_uid


@pytest.mark.parametrize("case", [c for c in CASES if c.expected is Expected.CLEAN], ids=str)
def test_what_leaves_is_whole_and_stays_as_it_is_when_done_again(
    case: Malformed, plan: Plan
) -> None:
    source = case.make()
    try:
        first = deidentify(source, plan)
    except Unsafe:
        return
    content = content_of(source, first)
    again = deidentify(content, plan)
    assert again.sop_class_uid == first.sop_class_uid
    with pydicom.config.disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=False)
        tags = [element.tag for element in dataset]
    assert tags == sorted(set(tags))


def test_the_whole_corpus_takes_no_memory_out_of_proportion() -> None:
    run = subprocess.run(
        [sys.executable, "-c", "from tests.fuzz.test_malformed_deid import report; report()"],
        capture_output=True,
        check=True,
        text=True,
    )
    figures = json.loads(run.stdout)
    assert figures["grew_mb"] < MEMORY_ABOVE_IDLE_MB, figures


def report() -> None:
    """Run the corpus three times in this process and print by how much its peak grew."""
    plan = compile_plan(LENIENT, SiteKey(bytes(range(32))))
    idle = _peak_kb()
    for _ in range(3):
        for case in CASES:
            try:
                deidentify(case.make(), plan)
            except Unsafe:
                continue
    print(json.dumps({"grew_mb": (_peak_kb() - idle) / 1024}))


def _peak_kb() -> int:
    """Return this process's own peak; what getrusage tells includes the parent's from before exec."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])
