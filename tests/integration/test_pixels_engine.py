"""Whole instances with a name in their pixels, through the engine, judged by dcmtk and gdcm."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest

from daemon.engines.pixels import engines
from deid.encoding.segments import Span
from deid.engine import deidentify
from deid.plan import compile_plan
from tests import pixel_samples as samples
from tests.conftest import program
from tests.factories import encoded as as_file
from tests.factories import make_ct
from tests.sections import make_pixels

if TYPE_CHECKING:
    from pathlib import Path

    from deid.identity.keys import SiteKey

_CONFIGURATION = {
    "dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"},
    "image": {"textRedactionMode": "REDACT_ALL_TEXT"},
}
_SYNTAXES = [
    (samples.EXPLICIT_LE, "dcmconv"),
    (samples.RLE, "dcmdrle"),
    (samples.JPEG_BASELINE, "dcmdjpeg"),
    (samples.JPEG_LOSSLESS_SV1, "dcmdjpeg"),
    (samples.JPEG_LS, "dcmdjpls"),
    (samples.J2K_LOSSLESS, "gdcmconv"),
]


@pytest.mark.peer("dcmconv", "dcmdrle", "dcmdjpeg", "dcmdjpls", "gdcmconv")
@pytest.mark.parametrize(("syntax", "decoder"), _SYNTAXES)
def test_a_name_in_the_pixels_does_not_leave(
    tmp_path: Path, site_key: SiteKey, syntax: str, decoder: str
) -> None:
    frame = samples.with_text(samples.texture(rows=200, columns=300), at=(60, 100))
    dataset = make_ct()
    for keyword, value in samples.attributes(frame, bits=8).items():
        if keyword != "PlanarConfiguration":
            setattr(dataset, keyword, value)
    for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue"):
        dataset.pop(keyword, None)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    encapsulated = syntax != samples.EXPLICIT_LE
    dataset.PixelData = (
        samples.encapsulated([samples.encode(syntax, frame)]) if encapsulated else frame.tobytes()
    )
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = encapsulated
    source = as_file(dataset)
    result = deidentify(
        source, compile_plan(_CONFIGURATION, site_key, engines=engines(make_pixels()))
    )
    written = tmp_path / "out.dcm"
    written.write_bytes(
        b"".join(
            source[part.start : part.stop] if isinstance(part, Span) else part
            for part in result.segments
        )
    )
    found = program(decoder)
    assert found is not None
    options = ["--raw"] if decoder == "gdcmconv" else ["+te"] if decoder == "dcmconv" else []
    plain = tmp_path / "plain.dcm"
    subprocess.run([found, *options, str(written), str(plain)], check=True, timeout=240)
    after = pydicom.dcmread(plain)
    assert after.BurnedInAnnotation == "NO"
    codes = {item.CodeValue for item in after.DeidentificationMethodCodeSequence}
    assert "113101" in codes
    pixels = np.asarray(after.pixel_array)
    assert (pixels[88:100, 62:160] == 0).all()
    assert len(np.unique(pixels[130:])) > 5
