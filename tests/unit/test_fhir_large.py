"""A file of resources that is too large for one answer is read in pieces, as strictly as a small one."""

from __future__ import annotations

import gzip
import io
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import orjson
import pytest

from daemon.pipeline import fhir_large
from daemon.pipeline.fhir_large import Unpacked, read_file, read_pieces, unpacked
from daemon.pipeline.fhir_messages import document_message
from daemon.pipeline.fhir_reading import read_sidecar
from daemon.pipeline.messages import MalformedAnswer
from daemon.resources import ReadDocument
from daemon.workers.announcing import announcing
from daemon.workers.frames import Kind, encode
from deid import Unsafe
from tests.benchmarks.fhir_record import record
from tests.fhir_samples import bundle, resource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT = 1 << 30
BUNDLE = orjson.dumps(record(250))
LINES = b"".join(orjson.dumps(each["resource"]) + b"\n" for each in record(250)["entry"])
NESTED = b'{"resourceType":"Bundle","entry":[{"resource":%s}]}' % BUNDLE
ONE = orjson.dumps(resource("Observation", id="o", status="final", note=[{"text": "x" * 9000}]))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take everything for large, and read it in many chunks."""
    monkeypatch.setattr(fhir_large, "SMALL", 100)
    monkeypatch.setattr(fhir_large, "_CHUNK", 4096)
    monkeypatch.setattr("deid.fhir.splitting._CHUNK", 4096)


def read_in(folder: Path, data: bytes, most_bytes: int = LIMIT) -> ReadDocument:
    @contextmanager
    def target() -> Iterator[int]:
        path = folder / "pieces"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            yield descriptor
        except BaseException:
            path.unlink()
            raise
        finally:
            os.close(descriptor)

    return read_file(io.BytesIO(data), most_bytes, target)


LIST = orjson.dumps(
    resource("List", id="l", entry=[{"item": {"reference": f"Patient/{n}"}} for n in range(900)])
)


@pytest.mark.parametrize("data", [LIST, BUNDLE, LINES, NESTED, ONE, b"\xef\xbb\xbf" + LINES])
@pytest.mark.parametrize("is_packed", [False, True])
def test_the_pieces_hold_what_the_whole_does(tmp_path: Path, data: bytes, is_packed: bool) -> None:
    found = read_in(tmp_path, gzip.compress(data) if is_packed else data)
    whole = read_sidecar(data)
    pieces = list(read_pieces(tmp_path / "pieces"))
    assert [each for piece in pieces for each in piece.entries] == list(whole.entries)
    assert (found.reason, found.pieces, found.entries) == ("", len(pieces), ())
    assert max(len(piece.entries) for piece in pieces) <= 200


GOOD = orjson.dumps(resource("Patient", id="a")) + b"\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (BUNDLE[:-30], "truncated"),
        (BUNDLE[:-1] + b',"entry":[]}', "duplicate_name"),
        (BUNDLE[:-2] + b',{"resource":{"id":"1"}}]}', "malformed"),
        (BUNDLE[:-2] + b',{"resource":"x"}]}', "malformed"),
        (BUNDLE[:-2] + b',{"resource":{"resourceType":"Bundle","entry":[null]}}]}', "malformed"),
        (BUNDLE.replace(b'"entry"', b'"entri"', 1), ""),
        (LINES + b'{"resourceType":"Patient","id":"a","id":"b"}\n', "duplicate_name"),
        (LINES + b'{"resourceType":"Patient","id":"a', "truncated"),
        (LINES + b'{"id":"a"}\n', "not_fhir"),
        (LINES + b'{"resourceType":"Patient","meta":[]}\n', "malformed"),
        (LINES + b'{"resourceType":"Observation","valueInteger":1e999}\n', "number_refused"),
        (GOOD * 99 + b"\xff\xff\n", "character_encoding"),
        ((GOOD * 99).decode().encode("utf-16"), "character_encoding"),
        (orjson.dumps({"type": "batch", **record(5), "resourceType": "List"}), ""),
        (gzip.compress(LINES)[:-40], "truncated"),
        (gzip.compress(LINES)[:60] + b"\xff" * 60, "malformed"),
    ],
)
def test_what_is_wrong_anywhere_leaves_no_pieces(tmp_path: Path, data: bytes, reason: str) -> None:
    found = read_in(tmp_path, data)
    assert found.reason == reason
    assert (tmp_path / "pieces").exists() is not bool(reason)


def test_beyond_the_limit_it_is_refused_packed_or_not(tmp_path: Path) -> None:
    for data in (LINES, gzip.compress(LINES)):
        assert read_in(tmp_path, data, len(LINES) - 1).reason == "inflate_limit"
        assert read_in(tmp_path, data, len(LINES)).reason == ""
        (tmp_path / "pieces").unlink()


def test_what_grows_beyond_reason_is_refused_long_before_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fhir_large, "_FREE_BYTES", 1 << 16)
    bomb = gzip.compress(b" " * (4 << 20) + GOOD)
    assert read_in(tmp_path, bomb).reason == "inflate_limit"


def test_time_is_asked_for_by_what_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhir_large, "_FREE_BYTES", 1 << 16)
    said: list[tuple[int, int]] = []
    token = announcing.set(lambda pixels, size: said.append((pixels, size)))
    try:
        text = unpacked(io.BytesIO(gzip.compress(LINES)), LIMIT)
        assert text.read() == LINES
        for again in (text, unpacked(io.BytesIO(LINES), LIMIT)):
            again.seek(0)
            assert again.read() == LINES
    finally:
        announcing.reset(token)
    assert said
    assert sum(size for _, size in said) > len(LINES) - (1 << 16)
    assert all(pixels == 0 for pixels, _ in said)


def test_a_place_within_the_text_cannot_be_sought() -> None:
    with pytest.raises(io.UnsupportedOperation):
        Unpacked(io.BytesIO(LINES), LIMIT).seek(5)


@pytest.mark.parametrize(
    "spoilt",
    [
        b"\0" * 64,
        encode(Kind.REPLY, document_message(ReadDocument(reason="malformed"))),
        encode(Kind.REPLY, document_message(read_sidecar(BUNDLE))).replace(b'"id"', b'"ix"', 1),
    ],
)
def test_what_no_worker_writes_is_no_piece(tmp_path: Path, spoilt: bytes) -> None:
    path = tmp_path / "pieces"
    path.write_bytes(spoilt)
    with pytest.raises(MalformedAnswer):
        list(read_pieces(path))


def test_a_document_of_any_length_is_bounded_by_its_parts_only() -> None:
    document = orjson.dumps(bundle(resource("Patient", id="a", text="x" * 5000)))
    with pytest.raises(Unsafe):
        unpacked(io.BytesIO(document), 4000).read()
