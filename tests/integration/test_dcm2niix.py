"""What imaging science computes from instances is the same after `research_imaging`, as dcm2niix sees it."""

from __future__ import annotations

import struct
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

import deid
from deid.tags import csa
from tests.adversarial.running import plan_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.peer("dcm2niix")

SLICES = 4
DIRECTIONS = [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.6, 0.8)]
B_VALUES = [0, 1000, 1000]
SECRETS = (b"Zimmermann", b"20190412", b"1.2.3.77", b"PHANTOM-HOSPITAL")


def image(maker: str, number: int, size: int) -> Dataset:
    """Return an MR image of a patient; the same picture for the same number."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = MRImageStorage, f"1.2.3.77.{number}"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3.77", "1.2.3.77.0"
    made.FrameOfReferenceUID = "1.2.3.78"
    made.Modality, made.Manufacturer = "MR", maker
    made.PatientName, made.PatientID = "Zimmermann^Quirin", "MRN-4711"
    made.StudyDate = made.SeriesDate = made.AcquisitionDate = made.ContentDate = "20190412"
    made.StudyTime = made.SeriesTime = made.AcquisitionTime = made.ContentTime = "101500"
    made.SeriesDescription = made.ProtocolName = "ep2d_diff_mddw_20_p2"
    made.SeriesNumber, made.InstanceNumber, made.AcquisitionNumber = 5, number, 1
    made.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    made.ScanningSequence, made.SequenceVariant, made.MRAcquisitionType = "EP", "SK", "2D"
    made.MagneticFieldStrength, made.EchoTime, made.RepetitionTime, made.FlipAngle = 3, 90, 5000, 90
    made.ImageOrientationPatient, made.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-20, -30, 10]
    made.PixelSpacing, made.SliceThickness, made.SpacingBetweenSlices = [2, 2], 3, 3.3
    made.PatientPosition = "HFS"
    made.Rows = made.Columns = size
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    samples = np.random.default_rng(number).integers(0, 4095, (size, size), dtype=np.uint16)
    made.PixelData = samples.tobytes()
    return made


def csa_header(values: dict[str, list[str]]) -> bytes:
    """Return a CSA Image Header Info of these named values."""
    made = b"SV10\x04\x03\x02\x01" + struct.pack("<II", len(values), 77)
    for name, items in values.items():
        made += struct.pack("<64si4siii", name.encode(), len(items), b"FD\0\0", 4, 6, 77)
        for item in [*items, *[""] * 6][:6]:
            raw = item.encode() + b"\0" if item else b""
            made += struct.pack("<4i", len(raw), len(raw), 77, len(raw))
            made += raw.ljust((len(raw) + 3) // 4 * 4, b"\0")
    return made + b"PHANTOM-HOSPITAL"


def siemens() -> list[Dataset]:
    """Return mosaics: one instance a volume, what is where in the CSA header."""
    made = []
    for number, (b_value, direction) in enumerate(zip(B_VALUES, DIRECTIONS, strict=True), start=1):
        each = image("SIEMENS", number, 16)
        each.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
        each.AcquisitionNumber = number
        block = each.private_block(0x0019, "SIEMENS MR HEADER", create=True)
        block.add_new(0x0A, "US", SLICES)
        block.add_new(0x0C, "IS", str(b_value))
        block.add_new(0x0E, "FD", list(direction))
        block.add_new(0x29, "FD", [0.0, 20.0, 40.0, 60.0])
        header = csa_header(
            {
                "PatientName": ["Zimmermann"],
                "NumberOfImagesInMosaic": [str(SLICES)],
                "SliceNormalVector": ["0.0", "0.0", "1.0"],
                "B_value": [str(b_value)],
                "DiffusionDirectionality": ["DIRECTIONAL"] if b_value else ["NONE"],
                "DiffusionGradientDirection": [f"{each:.8f}" for each in direction]
                if b_value
                else [],
                "MosaicRefAcqTimes": ["0.0", "20.0", "40.0", "60.0"],
                "StudyDate": ["20190412"],
                "ReferencedImageSequence": ["1.2.3.77.9"],
            }
        )
        each.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", header)
        made.append(each)
    return made


def slices(
    maker: str, add: Callable[[Dataset, int, tuple[float, float, float]], None]
) -> list[Dataset]:
    """Return a volume for each direction, an instance a slice."""
    made = []
    for volume, (b_value, direction) in enumerate(zip(B_VALUES, DIRECTIONS, strict=True)):
        for number in range(SLICES):
            each = image(maker, volume * SLICES + number + 1, 8)
            each.ImagePositionPatient = [-20, -30, 10 + 3.3 * number]
            each.SliceLocation = 10 + 3.3 * number
            each.AcquisitionNumber = volume + 1
            add(each, b_value, direction)
            made.append(each)
    return made


def _philips(each: Dataset, b_value: int, direction: tuple[float, float, float]) -> None:
    each.RescaleSlope, each.RescaleIntercept = 1.5, 0
    each.NumberOfTemporalPositions = 1
    imaging = each.private_block(0x2001, "Philips Imaging DD 001", create=True)
    imaging.add_new(0x03, "FL", float(b_value))
    imaging.add_new(0x04, "CS", "O" if b_value else "N")
    imaging.add_new(0x18, "SL", SLICES)
    scaling = each.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    scaling.add_new(0x0D, "FL", 0.0)
    scaling.add_new(0x0E, "FL", 0.00321)
    for place, part in zip((0xB0, 0xB1, 0xB2), direction, strict=True):
        scaling.add_new(place, "FL", part)


def _ge(each: Dataset, b_value: int, direction: tuple[float, float, float]) -> None:
    acquisition = each.private_block(0x0019, "GEMS_ACQU_01", create=True)
    for place, part in zip((0xBB, 0xBC, 0xBD), direction, strict=True):
        acquisition.add_new(place, "DS", f"{part:.6f}")
    relation = each.private_block(0x0021, "GEMS_RELA_01", create=True)
    relation.add_new(0x4F, "SS", SLICES)
    each.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(
        0x39, "IS", [str(1_000_000_000 + b_value if b_value else 0), "8", "0", "0"]
    )


def _uih(each: Dataset, b_value: int, direction: tuple[float, float, float]) -> None:
    block = each.private_block(0x0065, "Image Private Header", create=True)
    block.add_new(0x09, "FD", float(b_value))
    block.add_new(0x37, "FD", list(direction))


SERIES: dict[str, Callable[[], list[Dataset]]] = {
    "Siemens": siemens,
    "Philips": lambda: slices("Philips Medical Systems", _philips),
    "GE": lambda: slices("GE MEDICAL SYSTEMS", _ge),
    "UIH": lambda: slices("UIH", _uih),
}


def written(dataset: Dataset, path: Path) -> bytes:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    return path.read_bytes()


def converted(folder: Path, out: Path) -> dict[str, bytes]:
    """Return samples, transform, b-values and directions as dcm2niix makes them."""
    out.mkdir()
    command = ("dcm2niix", "-b", "n", "-z", "n", "-f", "out", "-o", str(out), str(folder))
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    made: dict[str, bytes] = {}
    for file in sorted(out.iterdir()):
        content = file.read_bytes()
        if file.suffix == ".nii":
            made[f"{file.name} transform"] = content[40:56] + content[76:108] + content[112:120]
            made[f"{file.name} sform"] = content[252:328]
            made[f"{file.name} voxels"] = content[352:]
        else:
            made[file.name] = content
    return made


@pytest.mark.parametrize("maker", SERIES)
def test_dcm2niix_makes_the_same_of_it_before_and_after(maker: str, tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    plan = plan_of("research_imaging")
    for number, dataset in enumerate(SERIES[maker]()):
        source = written(dataset, before / f"{number}.dcm")
        result = deid.deidentify(source, plan)
        clean = b"".join(
            part if isinstance(part, bytes) else source[part.start : part.stop]
            for part in result.segments
        )
        (after / f"{number}.dcm").write_bytes(clean)
        assert not [secret for secret in SECRETS if secret in clean]

    expected = converted(before, tmp_path / "expected")

    assert {name.partition(".")[2] for name in expected} >= {"bval", "bvec", "nii voxels"}
    assert converted(after, tmp_path / "found") == expected


def test_a_csa_header_keeps_its_form_and_loses_what_is_not_listed() -> None:
    header = csa_header(
        {"PatientName": ["Zimmermann"], "B_value": ["1000"], "StudyDate": ["20190412"]}
    )
    clean = csa.cleaned(header)

    assert clean is not None
    assert len(clean) == len(header)
    assert b"1000" in clean
    assert not [secret for secret in SECRETS if secret in clean]


@pytest.mark.parametrize("cut", [4, 12, 40, 120, 180])
def test_a_csa_header_that_cannot_be_read_goes(cut: int) -> None:
    assert csa.cleaned(csa_header({"B_value": ["1000"]})[:cut]) is None


def test_a_name_in_a_listed_value_goes() -> None:
    clean = csa.cleaned(csa_header({"SliceThickness": ["Zimmermann"], "B_value": ["1000"]}))

    assert clean is not None
    assert b"Zimmermann" not in clean


def test_private_elements_that_are_not_listed_go(tmp_path: Path) -> None:
    dataset = image("SIEMENS", 1, 16)
    block = dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x20, "OB", b"Zimmermann" * 4)
    source = written(dataset, tmp_path / "one.dcm")
    result = deid.deidentify(source, plan_of("research_imaging"))
    clean = b"".join(
        part if isinstance(part, bytes) else source[part.start : part.stop]
        for part in result.segments
    )
    (tmp_path / "clean.dcm").write_bytes(clean)

    assert (0x0029, 0x1020) not in pydicom.dcmread(tmp_path / "clean.dcm")
