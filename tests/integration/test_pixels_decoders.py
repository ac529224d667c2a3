"""What we write, read by decoders that are not ours: dcmtk and gdcm."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest

from tests import pixel_samples as samples
from tests.conftest import program
from tests.factories import make_ct, write

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_DCMTK = {
    samples.RLE: "dcmdrle",
    samples.JPEG_BASELINE: "dcmdjpeg",
    samples.JPEG_EXTENDED: "dcmdjpeg",
    samples.JPEG_LOSSLESS: "dcmdjpeg",
    samples.JPEG_LOSSLESS_SV1: "dcmdjpeg",
    samples.JPEG_LS: "dcmdjpls",
    samples.JPEG_LS_NEAR: "dcmdjpls",
}
_CASES = [
    (samples.EXPLICIT_LE, 8, 3, "RGB"),
    (samples.EXPLICIT_LE, 12, 1, ""),
    (samples.EXPLICIT_BE, 12, 1, ""),
    (samples.RLE, 8, 1, ""),
    (samples.RLE, 12, 1, ""),
    (samples.RLE, 8, 3, "RGB"),
    (samples.JPEG_BASELINE, 8, 1, ""),
    (samples.JPEG_BASELINE, 8, 3, "YBR_FULL_422"),
    (samples.JPEG_EXTENDED, 12, 1, ""),
    (samples.JPEG_LOSSLESS, 12, 1, ""),
    (samples.JPEG_LOSSLESS_SV1, 16, 1, ""),
    (samples.JPEG_LOSSLESS_SV1, 8, 3, "RGB"),
    (samples.JPEG_LS, 8, 1, ""),
    (samples.JPEG_LS, 12, 1, ""),
    (samples.JPEG_LS, 8, 3, "RGB"),
    (samples.JPEG_LS_NEAR, 8, 1, ""),
    (samples.J2K_LOSSLESS, 8, 1, ""),
    (samples.J2K_LOSSLESS, 12, 1, ""),
    (samples.J2K_LOSSLESS, 8, 3, "YBR_RCT"),
    (samples.J2K, 12, 1, ""),
    (samples.J2K, 8, 3, "YBR_ICT"),
]


def _written_file(
    folder: Path, syntax: str, bits: int, count: int, photometric: str
) -> tuple[Path, NDArray[Any]]:
    """Redact two frames in that syntax and write them as a file; return it and our own reading."""
    frames = [samples.texture(seed, bits=bits, samples=count) for seed in (1, 2)]
    described = samples.attributes(frames[0], photometric, bits=bits)
    encoded = None
    if syntax not in {samples.EXPLICIT_LE, samples.EXPLICIT_BE}:
        encoded = [samples.encode(syntax, frame, bits) for frame in frames]
    instance = samples.make_instance(syntax, frames, described, encoded=encoded)
    cleaned = samples.filling(samples.BOX).clean(instance)
    result = samples.written(instance, cleaned)
    dataset = make_ct()
    for keyword in (
        "RescaleSlope",
        "RescaleIntercept",
        "SmallestImagePixelValue",
        "PixelPaddingValue",
    ):
        dataset.pop(keyword, None)
    for keyword, value in described.items():
        if keyword != "PlanarConfiguration" or count == 3:
            setattr(dataset, keyword, value)
    dataset.NumberOfFrames = 2
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    dataset.PixelData = result.value
    dataset["PixelData"].VR = "OW" if encoded is None and bits > 8 else "OB"
    dataset["PixelData"].is_undefined_length = encoded is not None
    path = folder / "written.dcm"
    if syntax == samples.EXPLICIT_BE:
        pydicom.dcmwrite(path, dataset, little_endian=False, implicit_vr=False)
    else:
        write(path, dataset)
    ours = np.stack([samples.samples_of(result, number) for number in range(2)])
    return path, ours


def _read(path: Path, count: int) -> NDArray[Any]:
    dataset = pydicom.dcmread(path)
    assert not dataset.file_meta.TransferSyntaxUID.is_compressed
    pixels = dataset.pixel_array.astype(np.int64)
    return pixels.reshape(2, samples.ROWS, samples.COLUMNS, count)


def _run(*command: str | Path) -> None:
    name, *rest = (str(part) for part in command)
    found = program(name)
    assert found is not None
    done = subprocess.run([found, *rest], capture_output=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr[-300:]
    assert b"corrupt" not in done.stderr.lower()


@pytest.mark.peer("dcmdjpeg", "dcmdjpls", "dcmdrle")
@pytest.mark.parametrize(
    ("syntax", "bits", "count", "photometric"), [case for case in _CASES if case[0] in _DCMTK]
)
def test_dcmtk_decodes_what_we_wrote_as_we_do(
    tmp_path: Path, syntax: str, bits: int, count: int, photometric: str
) -> None:
    path, ours = _written_file(tmp_path, syntax, bits, count, photometric)
    options = ["+cl"] if _DCMTK[syntax] == "dcmdjpeg" and photometric.startswith("YBR") else []
    _run(_DCMTK[syntax], *options, path, tmp_path / "plain.dcm")
    _assert_same(_read(tmp_path / "plain.dcm", count), ours, photometric)


@pytest.mark.peer("gdcmconv")
@pytest.mark.parametrize(
    ("syntax", "bits", "count", "photometric"),
    # gdcmconv keeps the colour space of lossy JPEG; dcmtk judges that one.
    [case for case in _CASES if case[3] != "YBR_FULL_422"],
)
def test_gdcm_decodes_what_we_wrote_as_we_do(
    tmp_path: Path, syntax: str, bits: int, count: int, photometric: str
) -> None:
    path, ours = _written_file(tmp_path, syntax, bits, count, photometric)
    _run("gdcmconv", "--raw", path, tmp_path / "plain.dcm")
    _assert_same(_read(tmp_path / "plain.dcm", count), ours, photometric)


def _assert_same(theirs: NDArray[Any], ours: NDArray[Any], photometric: str) -> None:
    # Lossy colour decoders round differently by a level or two; chroma smoothing is theirs, too.
    tolerance = {"YBR_FULL_422": 3, "YBR_ICT": 1}.get(photometric, 0)
    inside = theirs[:, samples.BOX.top : samples.BOX.bottom, samples.BOX.left : samples.BOX.right]
    assert inside.max() <= 8
    if photometric == "YBR_FULL_422":
        assert np.median(np.abs(theirs - ours)) <= tolerance
    else:
        assert np.abs(theirs - ours).max() <= tolerance
