"""What we write before the data set, with pydicom as the referee."""

from __future__ import annotations

from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.uid import UID

from daemon.receive.dimse.file_meta import encode_file_meta
from deid.encoding import implementation
from tests.dimse_peers import CT, EXPLICIT, INSTANCE


@pytest.mark.parametrize("title", ["A", "EVEN", "SIXTEEN_LETTERS_"])
def test_pydicom_reads_every_element_of_the_file_meta(title: str) -> None:
    content = encode_file_meta(CT, INSTANCE, EXPLICIT, title)
    meta = dcmread(BytesIO(content)).file_meta
    assert content[:128] == bytes(128)
    assert content[128:132] == b"DICM"
    assert meta.FileMetaInformationGroupLength == len(content) - 144
    assert meta.FileMetaInformationVersion == b"\x00\x01"
    assert meta.MediaStorageSOPClassUID == CT
    assert meta.MediaStorageSOPInstanceUID == INSTANCE
    assert meta.TransferSyntaxUID == EXPLICIT
    assert meta.SourceApplicationEntityTitle == title


def test_our_implementation_class_uid_is_valid() -> None:
    assert UID(implementation.CLASS_UID).is_valid
