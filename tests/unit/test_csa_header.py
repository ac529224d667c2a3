"""The header of Siemens' MR scanners: blanked by names first, then by what is known of the patient."""

from __future__ import annotations

import io
import struct

import pydicom
import pytest

import deid
from tests.adversarial.running import plan_of, result_of
from tests.integration.test_dcm2niix import csa_header, image
from tests.unit.test_deid_engine import encode

DAY = "20190412"
VALUES = {
    "PatientName": ["Zimmermann"],
    "StudyDate": [DAY],
    "NumberOfImagesInMosaic": ["4"],
    "B_value": ["1000"],
    "MosaicRefAcqTimes": ["0.0", DAY, "40.0", "60.0"],
    "RealDwellTime": ["4711888"],
    "SliceNormalVector": ["0.0", "0.0", "1.0"],
}


def names_and_values(header: bytes) -> dict[str, list[str]]:
    """Read a header as the readers of science do: by its counts and lengths."""
    (count,) = struct.unpack_from("<I", header, 8)
    at, found = 16, {}
    for _ in range(count):
        name, _vm, _vr, _type, items, _mark = struct.unpack_from("<64si4siii", header, at)
        at += 84
        values = []
        for _item in range(items):
            (length,) = struct.unpack_from("<i", header, at)
            values.append(header[at + 16 : at + 16 + length].rstrip(b"\0").decode())
            at += 16 + (length + 3) // 4 * 4
        found[name.rstrip(b"\0").decode()] = [each for each in values if each]
    return found


@pytest.mark.parametrize("patient_id", ["MRN-4711888", "P-1"])
def test_a_listed_value_that_is_the_patients_own_is_blanked_and_its_neighbours_stay(
    patient_id: str,
) -> None:
    source = image("SIEMENS", 1, 16)
    source.PatientID = patient_id
    block = source.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "OB", csa_header(VALUES))
    content = encode(source)
    result = pydicom.dcmread(io.BytesIO(result_of(content, plan_of("research_imaging"))))
    header = result.private_block(0x0029, "SIEMENS CSA HEADER")[0x10].value
    found = names_and_values(header)
    assert found["PatientName"] == found["StudyDate"] == []
    assert found["NumberOfImagesInMosaic"] == ["4"]
    assert found["B_value"] == ["1000"]
    assert found["SliceNormalVector"] == ["0.0", "0.0", "1.0"]
    assert [found["MosaicRefAcqTimes"][at] for at in (0, 2, 3)] == ["0.0", "40.0", "60.0"]
    assert found["MosaicRefAcqTimes"][1].strip("0") == ""
    is_own = patient_id.endswith("4711888")
    assert (found["RealDwellTime"] == ["4711888"]) is not is_own
    assert DAY.encode() not in header
    assert len(header) == len(csa_header(VALUES)) + len(csa_header(VALUES)) % 2


def test_what_was_blanked_is_said_by_its_place() -> None:
    source = image("SIEMENS", 1, 16)
    block = source.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x10, "OB", csa_header(VALUES))
    result = deid.deidentify(encode(source), plan_of("research_imaging"))
    assert "(0029,1010)" in result.outcome.residuals
