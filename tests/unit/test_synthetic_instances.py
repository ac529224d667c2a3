"""The demonstration instances are what they claim to be."""

from __future__ import annotations

import io
import subprocess
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from daemon.synthetic import collection
from tests.factories import (
    PATIENTS,
    canary_dataset,
    ct_file,
    demonstration_instances,
    encode_as,
    encoded,
    identifying_strings,
    make_ct,
    make_us,
    many_ct,
    native_frames,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KINDS = [f"{number} {kind}" for number, (kind, *_) in enumerate(collection._PROGRAMME)]
"""By name only: they are drawn when a test asks for them, and not by each process that collects tests."""
UNREADABLE = ("undeclared", "deflated", "JPEG", "RLE")
"""Kinds that break a rule on purpose, or in transfer syntaxes that dciodvfy cannot read."""
VERIFIED = [kind for kind in KINDS if not any(word in kind for word in UNREADABLE)]


@cache
def everything() -> dict[str, pydicom.Dataset]:
    """Return every demonstration instance; no test changes one."""
    return dict(zip(KINDS, (entry.dataset for entry in demonstration_instances()), strict=True))


@cache
def file_of(kind: str) -> bytes:
    """Return one of them as a file: writing takes as long as drawing."""
    return encoded(everything()[kind])


def laid_out(kind: str, folder: Path) -> Path:
    """Write one of them into a folder; return its path."""
    file = folder / "i.dcm"
    file.write_bytes(file_of(kind))
    return file


def test_the_same_seed_draws_the_same_bytes() -> None:
    again = [encoded(entry.dataset) for entry in demonstration_instances()]
    assert again == [file_of(kind) for kind in KINDS]


def test_every_sop_instance_uid_is_used_once() -> None:
    uids = [dataset.SOPInstanceUID for dataset in everything().values()]
    assert len(set(uids)) == len(uids)


def test_another_seed_shares_no_uid() -> None:
    first = {
        str(e.value)
        for dataset in everything().values()
        for e in dataset.iterall()
        if _is_own_uid(e)
    }
    other = {
        str(e.value)
        for entry in demonstration_instances(seed=2)
        for e in entry.dataset.iterall()
        if _is_own_uid(e) and "Creator" not in e.keyword and e.keyword != "DeviceUID"
    }
    assert not first & other


@pytest.mark.parametrize("kind", KINDS)
def test_pydicom_reads_back_what_was_made(kind: str) -> None:
    dataset = pydicom.dcmread(io.BytesIO(file_of(kind)))
    assert dataset.SOPInstanceUID == everything()[kind].SOPInstanceUID
    assert dataset.file_meta.TransferSyntaxUID == everything()[kind].file_meta.TransferSyntaxUID


@pytest.mark.peer("dcmdump")
@pytest.mark.parametrize("kind", KINDS)
def test_dcmtk_reads_every_demonstration_instance(kind: str, tmp_path: Path) -> None:
    run = subprocess.run(
        ["dcmdump", "-q", laid_out(kind, tmp_path)],
        capture_output=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.peer("dciodvfy")
@pytest.mark.parametrize("kind", VERIFIED)
def test_dciodvfy_finds_no_error(kind: str, tmp_path: Path) -> None:
    assert not dciodvfy_errors(laid_out(kind, tmp_path))


def dciodvfy_errors(path: Path) -> list[str]:
    run = subprocess.run(["dciodvfy", path], capture_output=True, check=False)
    lines = (run.stdout + run.stderr).decode("utf-8", "replace").splitlines()
    return [line for line in lines if line.startswith("Error")]


@pytest.mark.parametrize(
    "syntax", [RLELossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, HTJ2KLossless]
)
def test_lossless_encodings_keep_every_pixel(syntax: str) -> None:
    ct = make_ct(rows=64)
    compressed = pydicom.dcmread(io.BytesIO(encoded(encode_as(ct, syntax))))
    assert np.array_equal(_decoded(compressed), native_frames(ct)[0])


def test_a_slice_of_which_many_are_made_is_as_one_that_is_made_alone() -> None:
    for patient in PATIENTS:
        for instance in (0, 1, 1000):
            alone = make_ct(patient, study=3, instance=instance)
            first = make_ct(patient, study=3)
            for name in ("PixelData", "SmallestImagePixelValue", "LargestImagePixelValue"):
                setattr(alone, name, getattr(first, name))
            assert ct_file(patient, study=3, instance=instance) == encoded(alone)


def test_an_offset_table_can_be_left_empty() -> None:
    us = encode_as(make_us(rows=32, frames=3), RLELossless, offset_table=False)
    assert us.PixelData.startswith(b"\xfe\xff\x00\xe0\x00\x00\x00\x00")


def test_names_need_the_character_sets_they_declare() -> None:
    for patient in PATIENTS[:5]:
        dataset = pydicom.dcmread(io.BytesIO(encoded(make_ct(patient))))
        assert str(dataset.PatientName) == patient.name


def test_undeclared_names_are_written_as_the_bytes_devices_send() -> None:
    assert "Björkström".encode("latin-1") in encoded(make_ct(PATIENTS[5]))


def test_many_ct_are_distinct_instances_of_a_hundred_a_study() -> None:
    files = [pydicom.dcmread(io.BytesIO(content)) for content in many_ct(12, rows=4, per_study=5)]
    assert len({dataset.SOPInstanceUID for dataset in files}) == 12
    assert len({dataset.StudyInstanceUID for dataset in files}) == 3


def test_changes_set_and_remove_attributes() -> None:
    ct = make_ct(PatientName="A^B", StudyID=None)
    assert ct.PatientName == "A^B"
    assert "StudyID" not in ct


def test_every_planted_value_is_in_the_canary_file() -> None:
    canary = canary_dataset()
    assert len(canary.answers) > 500
    assert canary.survivors(encoded(canary.dataset)) == canary.answers


@pytest.mark.parametrize("kind", KINDS)
def test_identifying_strings_are_found_in_the_file_they_come_from(kind: str) -> None:
    strings = identifying_strings(everything()[kind])
    content = file_of(kind)
    assert len(strings) > 20
    if "deflated" not in kind:
        assert [text for text in strings if text not in content] == []


def _is_own_uid(element: pydicom.DataElement) -> bool:
    return element.VR == "UI" and not str(element.value).startswith("1.2.840.10008.")


def _decoded(dataset: pydicom.Dataset) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    import imagecodecs  # noqa: PLC0415 - only this test decodes, by another library than pydicom's plugins
    from pydicom.encaps import generate_frames  # noqa: PLC0415

    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    decode: Callable[[bytes], object] = {
        RLELossless: lambda data: np.frombuffer(
            imagecodecs.dicomrle_decode(data, "u2"), "<u2"
        ).reshape(dataset.Rows, dataset.Columns),
        JPEGLosslessSV1: imagecodecs.ljpeg_decode,
        JPEGLSLossless: imagecodecs.jpegls_decode,
        JPEG2000Lossless: imagecodecs.jpeg2k_decode,
        HTJ2KLossless: imagecodecs.htj2k_decode,
    }[dataset.file_meta.TransferSyntaxUID]
    return np.asarray(decode(frame)).astype(np.uint16)
