"""dcmtk judges what we re-encode and describe."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from dicomweb.convert import explicit_little_endian
from dicomweb.describe import DescribeError, describe
from dicomweb.elements import swapped
from dicomweb.encodings import EXPLICIT_LITTLE, NATIVE
from dicomweb.segments import Segment, Span
from tests.conftest import program
from tests.dicomweb_service import readable_bundled

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def transfer_syntax(path: Path) -> str:
    try:
        return describe(path.read_bytes()).transfer_syntax_uid
    except DescribeError:
        return ""


CONVERTIBLE = [
    path for path in readable_bundled() if transfer_syntax(path) in NATIVE - {EXPLICIT_LITTLE}
]


def written(segments: Iterable[Segment]) -> bytes:
    return b"".join(map(_written, segments))


def _written(segment: Segment) -> bytes:
    if isinstance(segment, Span):
        data = segment.path.read_bytes()[segment.start : segment.start + segment.count]
        return swapped(data, segment.word_bytes)
    assert isinstance(segment, bytes)
    return segment


def run(name: str, *arguments: str) -> str:
    executable = program(name)
    assert executable is not None
    done = subprocess.run([executable, *arguments], capture_output=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr.decode("latin-1")[-500:]
    return done.stdout.decode("latin-1")


@pytest.mark.peer("dcmconv", "dcmdump")
@pytest.mark.parametrize("path", CONVERTIBLE, ids=lambda path: path.name)
def test_re_encoding_agrees_with_dcmconv(path: Path, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.dcm", tmp_path / "theirs.dcm"
    ours.write_bytes(written(explicit_little_endian(path)))
    # Explicit VR Little Endian, undefined lengths, no group lengths: the form that we write too.
    run("dcmconv", "+te", "-e", "-g", str(path), str(theirs))
    options = ("-q", "+L", "-M", "+R", "4096")
    assert elements(run("dcmdump", *options, str(ours))) == elements(
        run("dcmdump", *options, str(theirs))
    )


def elements(dump: str) -> list[str]:
    """Return the dumped elements of the data set, without their order number and group 0002."""
    return [
        line
        for line in dump.splitlines()
        if line.lstrip().startswith("(") and not line.startswith("(0002,")
    ]


@pytest.mark.peer("dcm2json")
@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "reportsi.dcm"])
def test_metadata_agrees_with_dcm2json(name: str) -> None:
    path = next(found for found in readable_bundled() if found.name == name)
    ours = orjson.loads(describe(path.read_bytes()).metadata)
    theirs = json.loads(run("dcm2json", "-q", "-fc", str(path)))
    assert numbered(ours) == numbered(theirs)


def numbered(value: Any) -> Any:
    """Return DICOM JSON without what may be written in several ways: numbers as text, bulk data."""
    if isinstance(value, list):
        return [numbered(item) for item in value]
    if not isinstance(value, dict):
        try:
            return f"{float(value):.6g}"  # dcm2json writes nine digits of a float
        except (TypeError, ValueError):
            return value
    if "vr" in value:
        kept = {name: content for name, content in value.items() if name in {"vr", "Value"}}
        return {name: numbered(content) for name, content in kept.items()}
    return {
        tag: numbered(element)
        for tag, element in value.items()
        if not tag.startswith("0002") and tag != "00080005" and not tag.endswith("0000")
    }
