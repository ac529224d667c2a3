"""One table of encodings: every reader of elements takes every transfer syntax for the same."""

from __future__ import annotations

import codecs
import hashlib
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydicom import FileMetaDataset
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID, CTImageStorage

import deid.tables
from daemon.receive import structure
from daemon.receive.data_set_walk import SOP_INSTANCE, DataSetWalk
from deid.encoding import code_extensions
from deid.encoding.transfer_syntaxes import (
    DEFLATED,
    MAX_DEPTH,
    TRANSFER_SYNTAXES,
    TransferSyntax,
    encoding_of,
    is_encapsulated,
    is_known,
    is_video,
)
from deid.encoding.value_representations import LONG_VRS, SHORT_VRS
from deid.errors import Reason, Unsafe
from deid.identity.identifiers import read_identifiers
from deid.tables.dictionary import uids
from dicomweb import elements, encodings
from dicomweb.errors import DescribeError

if TYPE_CHECKING:
    from collections.abc import Callable

TABLE = Path(deid.tables.__file__).parent / "transfer_syntaxes.csv"
CHECKSUM = "6ae7d89f28a3eb9e0d18c1b99f2e3b771d5db2f4697ff7f92dafd6daea42d9b8"
SOP_INSTANCE_UID = "1.2.826.0.1.3680043.8.498.7"
SYNTAXES = sorted(TRANSFER_SYNTAXES)
JPIP_DEFLATE = {"1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"}
GE_PRIVATE = "1.2.840.113619.5.2"
NOT_IN_REFERENCE = {
    GE_PRIVATE,
    "1.2.840.10008.1.20",  # taken for explicit there
    *(f"1.2.840.10008.1.2.{newer}" for newer in ("4.110", "4.111", "4.112", "8.1")),
}
NO_DATA_SET = {"1.2.840.10008.1.2.6.1", "1.2.840.10008.1.2.6.2"}


def dataset(depth: int = 1) -> Dataset:
    """Return a header with so many sequences in each other, all of undefined length."""
    inner = Dataset()
    inner.CodeValue = "T-11501"
    for _ in range(depth):
        outer = Dataset()
        outer.ReferencedImageSequence = [inner]
        outer["ReferencedImageSequence"].is_undefined_length = True
        inner.is_undefined_length_sequence_item = True
        inner = outer
    inner.SOPClassUID = CTImageStorage
    inner.SOPInstanceUID = SOP_INSTANCE_UID
    inner.StudyInstanceUID = "1.2.3.1"
    inner.SeriesInstanceUID = "1.2.3.2"
    inner.PatientID = "P1"
    return inner


def encoded(source: Dataset, row: TransferSyntax) -> bytes:
    """Write a data set as a row of the table says it is encoded."""
    buffer = DicomBytesIO()
    buffer.is_implicit_VR = row.vr == "implicit"
    buffer.is_little_endian = row.byte_order == "little"
    write_dataset(buffer, source)
    content = buffer.getvalue()
    if row.deflated == "yes":
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        content = deflater.compress(content) + deflater.flush()
        content += bytes(len(content) % 2)
    return content


def part10(content: bytes, row: TransferSyntax) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = UID(SOP_INSTANCE_UID)
    meta.TransferSyntaxUID = UID(row.uid)
    buffer = DicomBytesIO()
    write_file_meta_info(buffer, meta)
    return bytes(128) + b"DICM" + buffer.getvalue() + content


def seen_by_deid(source: bytes) -> str:
    return deid.read_header(source).sop_instance_uid


def seen_by_dicomweb(source: bytes) -> str:
    """Walk everything, sequences too, as describing does."""
    cursor = elements.open_dataset(
        source, elements.read_file_meta(source), max_inflated_bytes=1 << 20
    )
    found = ""
    for tag, _vr, length in elements.elements(cursor, len(cursor.data)):
        if tag == 0x00080018:
            value = cursor.data[cursor.position : cursor.position + length]
            found = value.decode("ascii").strip("\0")
    return found


def seen_while_arriving(content: bytes, row: TransferSyntax) -> str:
    walk = DataSetWalk(row.uid)
    for start in range(0, len(content), 7):
        walk.feed(content[start : start + 7])
    assert not walk.is_cut_short
    return walk.uids[SOP_INSTANCE].decode("ascii")


@pytest.fixture
def examined(tmp_path: Path) -> Callable[[bytes], structure.Structure]:
    """Ask the receivers' check of structure about a file's bytes."""
    path = tmp_path / "instance.dcm"

    def examine(source: bytes) -> structure.Structure:
        path.write_bytes(source)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return structure.examine(descriptor, len(source))
        finally:
            os.close(descriptor)

    return examine


@pytest.mark.parametrize("uid", SYNTAXES)
def test_every_reader_reads_every_syntax(
    uid: str, examined: Callable[[bytes], structure.Structure]
) -> None:
    row = TRANSFER_SYNTAXES[uid]
    content = encoded(dataset(), row)
    source = part10(content, row)
    assert seen_by_deid(source) == SOP_INSTANCE_UID
    assert seen_by_dicomweb(source) == SOP_INSTANCE_UID
    assert seen_while_arriving(content, row) == SOP_INSTANCE_UID
    whole = examined(source)
    assert (whole.kind, whole.complete) == (structure.Kind.PART10, True)


@pytest.mark.parametrize("uid", SYNTAXES)
def test_a_file_that_is_cut_short_is_found_in_every_syntax(
    uid: str, examined: Callable[[bytes], structure.Structure]
) -> None:
    row = TRANSFER_SYNTAXES[uid]
    source = part10(encoded(dataset(), row), row)[:-5]
    with pytest.raises(Unsafe):
        read_identifiers(source)
    with pytest.raises(DescribeError):
        seen_by_dicomweb(source)
    # Whether a deflated stream is whole is for the worker to say.
    assert examined(source).complete is (row.deflated == "yes")


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
def test_every_reader_goes_as_deep(
    uid: str, examined: Callable[[bytes], structure.Structure]
) -> None:
    row = TRANSFER_SYNTAXES[uid]
    deepest, deeper = dataset(MAX_DEPTH), dataset(MAX_DEPTH + 1)
    content = encoded(deepest, row)
    assert seen_by_deid(part10(content, row)) == SOP_INSTANCE_UID
    assert seen_by_dicomweb(part10(content, row)) == SOP_INSTANCE_UID
    assert seen_while_arriving(content, row) == SOP_INSTANCE_UID
    content = encoded(deeper, row)
    with pytest.raises(Unsafe) as refused:
        read_identifiers(part10(content, row))
    assert refused.value.reason is Reason.NESTING_TOO_DEEP
    with pytest.raises(DescribeError):
        seen_by_dicomweb(part10(content, row))
    walk = DataSetWalk(uid)
    walk.feed(content)
    assert walk.is_blind
    # What is not understood is left to the worker, which refuses it.
    assert examined(part10(content, row)[:-5]).complete


def test_every_registered_syntax_has_a_row() -> None:
    registered = {uid for uid, row in uids().items() if row.kind == "Transfer Syntax"}
    assert set(TRANSFER_SYNTAXES) == (registered - NO_DATA_SET) | {GE_PRIVATE}
    assert not any(is_known(uid) for uid in NO_DATA_SET)


@pytest.mark.parametrize("uid", sorted(set(SYNTAXES) - NOT_IN_REFERENCE))
def test_a_row_says_what_the_reference_says(uid: str) -> None:
    reference = UID(uid)
    encoding = encoding_of(uid)
    assert encoding.explicit is not reference.is_implicit_VR
    assert encoding.big_endian is not reference.is_little_endian
    assert (uid in DEFLATED) is (reference.is_deflated or uid in JPIP_DEFLATE)
    assert is_encapsulated(uid) is reference.is_encapsulated


def test_the_table_is_the_one_that_was_checked() -> None:
    assert hashlib.sha256(TABLE.read_bytes()).hexdigest() == CHECKSUM


def test_video_is_what_is_called_so() -> None:
    named = {
        uid
        for uid, row in TRANSFER_SYNTAXES.items()
        if row.name.removeprefix("Fragmentable ").startswith(("MPEG", "HEVC"))
    }
    assert {uid for uid in SYNTAXES if is_video(uid)} == named


def test_the_web_services_have_the_same_table() -> None:
    rows = TRANSFER_SYNTAXES.values()
    assert {row.uid for row in rows if row.vr == "implicit"} == encodings.IMPLICIT
    assert {row.uid for row in rows if row.byte_order == "big"} == encodings.BIG_ENDIAN
    assert {row.uid for row in rows if row.deflated == "yes"} == encodings.DEFLATED
    assert {row.uid for row in rows if row.pixel_data == "native"} == encodings.NATIVE
    assert (encodings.LONG_VRS, encodings.SHORT_VRS) == (LONG_VRS, SHORT_VRS)
    assert encodings.MAX_DEPTH == MAX_DEPTH


def test_the_web_services_have_the_same_character_sets() -> None:
    # The default repertoire is read with its upper half in one of them, and Chinese by two names.
    same = {code_extensions.DEFAULT: encodings.DEFAULT_CODEC, code_extensions.CHINESE: "gb2312"}

    def names(table: dict[str, str] | dict[bytes, str]) -> dict[object, str]:
        return {key: codecs.lookup(same.get(codec, codec)).name for key, codec in table.items()}

    assert names(encodings.CODECS) == names(code_extensions.CODECS)
    assert names(encodings.ESCAPES) == names(code_extensions.ESCAPES)
