"""What claims to be samples and cannot be is refused under every preset; what is odd and legal passes."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

import deid
from tests.unit.test_deid_engine import KEY, encode, instance, written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

ROOT = Path(__file__).resolve().parents[2]
PRESETS = {
    path.stem: json.loads(path.read_text())
    for path in sorted((ROOT / "config/deidentifiers").glob("*.json"))
}
TEXT = b"Zwetajewska Olga, born 1961-09-09, came in with her sister. "
GREY = (np.arange(16 * 24).reshape(16, 24) % 251).astype(np.uint8)
RGB = np.repeat(GREY[:, :, None], 3, axis=2)
H264 = "1.2.840.10008.1.2.4.102"
JXL = "1.2.840.10008.1.2.4.110"
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
UNCOMPRESSED = "1.2.840.10008.1.2.1.98"

JPEG = bytes(imagecodecs.jpeg8_encode(GREY, level=90))
JPEG_RGB = bytes(imagecodecs.jpeg8_encode(RGB, level=90))
JPEG_LS = bytes(imagecodecs.jpegls_encode(GREY))
J2K = bytes(imagecodecs.jpeg2k_encode(GREY, reversible=True, codecformat="J2K"))
JP2 = bytes(imagecodecs.jpeg2k_encode(GREY, reversible=True, codecformat="JP2"))
LOSSLESS = bytes(imagecodecs.ljpeg_encode(GREY))
RLE = struct.pack("<16L", 1, 64, *[0] * 14) + b"\xd1\x07" * 8


def image(values: NDArray[Any] = GREY, **changes: Any) -> Dataset:
    """Make an instance with native samples; a change of None removes an attribute."""
    bits = values.dtype.itemsize * 8
    dataset = instance(
        Rows=values.shape[0],
        Columns=values.shape[1],
        SamplesPerPixel=1 if values.ndim == 2 else 3,
        PhotometricInterpretation="MONOCHROME2" if values.ndim == 2 else "RGB",
        BitsAllocated=bits,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=0,
    )
    if values.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.add_new("PixelData", "OB" if bits == 8 else "OW", values.tobytes())
    for keyword, value in changes.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    return dataset


def wrapped(frames: Sequence[bytes], values: NDArray[Any] = GREY, **changes: Any) -> Dataset:
    dataset = image(values, **{"NumberOfFrames": len(frames), **changes})
    items = [b"", *(frame + b"\0" * (len(frame) % 2) for frame in frames)]
    dataset.PixelData = b"".join(
        b"\xfe\xff\x00\xe0" + struct.pack("<L", len(each)) + each for each in items
    )
    dataset["PixelData"].is_undefined_length = True
    return dataset


def film(start: bytes, **changes: Any) -> Dataset:
    """Make a video that begins so."""
    return wrapped(
        [start and start + bytes(99)],
        RGB,
        **{"PhotometricInterpretation": "YBR_PARTIAL_420", **changes},
    )


def encoded(dataset: Dataset, syntax: str) -> bytes:
    """Encode under any transfer syntax, also one that pydicom would not write such a value in."""
    is_wrapped = "PixelData" in dataset and dataset["PixelData"].is_undefined_length
    native = {EXPLICIT, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian}
    base = JPEGBaseline8Bit if is_wrapped else syntax if syntax in native else EXPLICIT
    whole = encode(dataset, base)
    if base == syntax:
        return whole

    def element(uid: str) -> bytes:
        value = uid.encode() + b"\0" * (len(uid) % 2)
        return b"\x02\0\x10\0UI" + struct.pack("<H", len(value)) + value

    grown = len(element(syntax)) - len(element(base))
    (size,) = struct.unpack_from("<L", whole, 140)
    whole = whole[:140] + struct.pack("<L", size + grown) + whole[144:]
    return whole.replace(element(base), element(syntax), 1)


def raw(dataset: Dataset, keyword: str, vr: str, value: str) -> Dataset:
    """Put bytes of one's own where an element stands."""
    tag = pydicom.datadict.tag_for_keyword(keyword)
    assert tag is not None
    dataset[tag] = DataElement(tag, vr, value, already_converted=True)
    return dataset


def sized(codestream: bytes, rows: int, columns: int) -> bytes:
    """Let a JPEG claim another size."""
    at = next(
        codestream.index(marker)
        for marker in (b"\xff\xc0", b"\xff\xc3", b"\xff\xf7")
        if marker in codestream
    )
    return codestream[: at + 5] + struct.pack(">HH", rows, columns) + codestream[at + 9 :]


def sized_j2k(codestream: bytes, rows: int, columns: int, tile: int = 0) -> bytes:
    fields = list(struct.unpack_from(">8L", codestream, 8))
    fields[:2] = columns, rows
    fields[4:6] = (tile or columns), (tile or rows)
    return codestream[:8] + struct.pack(">8L", *fields) + codestream[40:]


EXPLICIT = ExplicitVRLittleEndian
IMPOSSIBLE: dict[str, tuple[Callable[[], Dataset], str]] = {
    "rows 0": (lambda: image(Rows=0, PixelData=TEXT), EXPLICIT),
    "columns 0": (lambda: image(Columns=0, PixelData=TEXT), EXPLICIT),
    "no rows": (lambda: image(Rows=None), EXPLICIT),
    "no columns": (lambda: image(Columns=None), EXPLICIT),
    "no bits allocated": (lambda: image(BitsAllocated=None), EXPLICIT),
    "13 bits allocated": (lambda: image(BitsAllocated=13), EXPLICIT),
    "0 bits allocated": (lambda: image(BitsAllocated=0), EXPLICIT),
    "128 bits allocated": (lambda: image(BitsAllocated=128), EXPLICIT),
    "0 bits stored": (lambda: image(BitsStored=0), EXPLICIT),
    "more bits stored than allocated": (lambda: image(BitsStored=9), EXPLICIT),
    "high bit above": (lambda: image(HighBit=8), EXPLICIT),
    "high bit below": (lambda: image(HighBit=3), EXPLICIT),
    "a representation of 7": (lambda: image(PixelRepresentation=7), EXPLICIT),
    "0 samples": (lambda: image(SamplesPerPixel=0), EXPLICIT),
    "2 samples": (lambda: image(SamplesPerPixel=2), EXPLICIT),
    "300 samples": (lambda: image(SamplesPerPixel=300), EXPLICIT),
    "colour of one sample": (lambda: image(PhotometricInterpretation="RGB"), EXPLICIT),
    "grey of three samples": (lambda: image(RGB, PhotometricInterpretation="MONOCHROME2"), EXPLICIT),
    "a planar configuration of 9": (lambda: image(RGB, PlanarConfiguration=9), EXPLICIT),
    "-1 frames": (lambda: raw(image(), "NumberOfFrames", "IS", "-1"), EXPLICIT),
    "frames in words": (lambda: raw(image(), "NumberOfFrames", "LO", "two "), EXPLICIT),
    "two numbers of frames": (lambda: raw(image(), "NumberOfFrames", "IS", "1\\2 "), EXPLICIT),
    "more frames than there are": (lambda: image(NumberOfFrames=2), EXPLICIT),
    "a million frames": (lambda: image(NumberOfFrames=1_000_000), EXPLICIT),
    "a frame too many": (lambda: image(PixelData=GREY.tobytes() * 2), EXPLICIT),
    "a tail of many frames": (lambda: image(PixelData=GREY.tobytes() + TEXT * 200), EXPLICIT),
    "a tail, in big endian": (lambda: image(PixelData=GREY.tobytes() + TEXT * 20), ExplicitVRBigEndian),
    "too short": (lambda: image(PixelData=TEXT), EXPLICIT),
    "too short, implicit": (lambda: image(PixelData=TEXT), ImplicitVRLittleEndian),
    "too short, deflated": (lambda: image(PixelData=TEXT), DeflatedExplicitVRLittleEndian),
    "a native bomb": (lambda: image(Rows=65535, Columns=65535, PixelData=TEXT), EXPLICIT),
    "rows as text": (lambda: raw(image(), "Rows", "LO", "16  "), EXPLICIT),
    "native bytes of a compressed syntax": (image, JPEGBaseline8Bit),
    "items of a native syntax": (lambda: wrapped([JPEG]), EXPLICIT),
    "no fragment": (lambda: wrapped([b""]), JPEGBaseline8Bit),
    "words for JPEG": (lambda: wrapped([TEXT]), JPEGBaseline8Bit),
    "words for JPEG behind its mark": (lambda: wrapped([b"\xff\xd8\xff\xe0" + TEXT]), JPEGBaseline8Bit),
    "a mark and a comment": (
        lambda: wrapped([b"\xff\xd8\xff\xfe\0\x3e" + TEXT + b"\xff\xd9"]), JPEGBaseline8Bit
    ),
    "words for JPEG-LS": (lambda: wrapped([TEXT]), JPEGLSLossless),
    "words for JPEG 2000": (lambda: wrapped([TEXT]), JPEG2000Lossless),
    "words in a JP2 box": (lambda: wrapped([JP2[:12] + TEXT]), JPEG2000),
    "words for JPEG XL": (lambda: wrapped([TEXT]), JXL),
    "words for RLE": (lambda: wrapped([TEXT * 2]), RLELossless),
    "short words for RLE": (lambda: wrapped([TEXT[:20]]), RLELossless),
    "RLE of other segments": (lambda: wrapped([struct.pack("<L", 3) + RLE[4:]]), RLELossless),
    "RLE that cannot be so much": (
        lambda: wrapped([RLE], np.zeros((4000, 4000), np.uint8)), RLELossless
    ),
    "words for video": (lambda: wrapped([TEXT]), H264),
    "words for a deflated frame too large": (
        lambda: wrapped([b"\x03\0"], np.zeros((4000, 4000), np.uint8)), DEFLATED_FRAMES
    ),
    "an uncompressed frame of another size": (lambda: wrapped([TEXT]), UNCOMPRESSED),
    "fewer codestreams than frames": (lambda: wrapped([JPEG], NumberOfFrames=3), JPEGBaseline8Bit),
    "a codestream too many": (
        lambda: wrapped([JPEG, JPEG], NumberOfFrames=1), JPEGBaseline8Bit
    ),
    "an RLE frame too many": (lambda: wrapped([RLE, RLE], NumberOfFrames=1), RLELossless),
    "words before the codestream": (lambda: wrapped([TEXT, JPEG], NumberOfFrames=1), JPEGBaseline8Bit),
    "a JPEG of another size": (lambda: wrapped([sized(JPEG, 65500, 65500)]), JPEGBaseline8Bit),
    "a JPEG bomb": (
        lambda: wrapped([sized(JPEG, 16000, 16000)], Rows=16000, Columns=16000), JPEGBaseline8Bit
    ),
    "a lossless bomb": (
        lambda: wrapped([sized(LOSSLESS, 16000, 16000)], Rows=16000, Columns=16000), JPEGLosslessSV1
    ),
    "a JPEG-LS bomb": (
        lambda: wrapped([sized(JPEG_LS, 65500, 65500)], Rows=65500, Columns=65500), JPEGLSLossless
    ),
    "a JPEG 2000 of another size": (
        lambda: wrapped([sized_j2k(J2K, 60000, 60000)]), JPEG2000Lossless
    ),
    "a JPEG 2000 bomb": (
        lambda: wrapped([sized_j2k(J2K, 60000, 60000)], Rows=60000, Columns=60000), JPEG2000Lossless
    ),
    "a bomb of tiles": (
        lambda: wrapped([sized_j2k(J2K, 4000, 4000, 1)], Rows=4000, Columns=4000), JPEG2000Lossless
    ),
    "a JPEG of three components for grey": (lambda: wrapped([JPEG_RGB]), JPEGBaseline8Bit),
    "short floats": (
        lambda: image(PixelData=None, FloatPixelData=TEXT[:40], BitsAllocated=32), EXPLICIT
    ),
    "a tail behind floats": (
        lambda: image(PixelData=None, FloatPixelData=bytes(16 * 24 * 4 * 3), BitsAllocated=32), EXPLICIT
    ),
    "two kinds of pixels": (lambda: image(FloatPixelData=bytes(16 * 24 * 4)), EXPLICIT),
}  # fmt: skip


def _with_dnl() -> bytes:
    lines = b"\xff\xdc\0\x04" + struct.pack(">H", 16)
    return sized(JPEG, 0, 24)[:-2] + lines + b"\xff\xd9"


def _bits(frame_bits: int, frames: int, *, gaps: bool) -> bytes:
    size = -(-frame_bits // 8) * frames if gaps else -(-frame_bits * frames // 8)
    return b"\x5a" * size + b"\0" * (size % 2)


def _split(codestream: bytes) -> Dataset:
    dataset = wrapped([codestream])
    dataset.PixelData = encapsulate([codestream], fragments_per_frame=3)
    dataset["PixelData"].is_undefined_length = True
    return dataset


def _extended() -> Dataset:
    dataset = wrapped([JPEG, JPEG])
    pixels, table, lengths = encapsulate_extended([JPEG, JPEG])
    dataset.PixelData = pixels
    dataset["PixelData"].is_undefined_length = True
    dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = table, lengths
    return dataset


def _deflated_frame() -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(GREY.tobytes()) + deflater.flush()


ODD = (np.arange(5 * 7).reshape(5, 7) % 251).astype(np.uint8)
LEGAL: dict[str, tuple[Callable[[], Dataset], str]] = {
    "plain": (image, EXPLICIT),
    "implicit": (image, ImplicitVRLittleEndian),
    "deflated": (image, DeflatedExplicitVRLittleEndian),
    "big endian": (lambda: image(GREY.astype(np.uint16)), ExplicitVRBigEndian),
    "an odd frame with its padding byte": (lambda: image(ODD), EXPLICIT),
    "odd frames": (lambda: image(NumberOfFrames=3, Rows=5, Columns=7, PixelData=ODD.tobytes() * 3), EXPLICIT),
    "one sample and a padding byte": (lambda: image(Rows=1, Columns=1, PixelData=b"\x07\0"), EXPLICIT),
    "a short tail": (lambda: image(PixelData=GREY.tobytes() + bytes(64)), EXPLICIT),
    "single bits": (
        lambda: image(
            BitsAllocated=1, BitsStored=1, HighBit=0, Rows=9, Columns=9, NumberOfFrames=3,
            PixelData=_bits(81, 3, gaps=False),
        ), EXPLICIT
    ),
    "single bits with gaps": (
        lambda: image(
            BitsAllocated=1, BitsStored=1, HighBit=0, Rows=9, Columns=9, NumberOfFrames=3,
            PixelData=_bits(81, 3, gaps=True),
        ), EXPLICIT
    ),
    "12 of 16 bits": (
        lambda: image((GREY.astype(np.uint16) * 7), BitsStored=12, HighBit=11), EXPLICIT
    ),
    "12 of 16 bits, high": (
        lambda: image((GREY.astype(np.uint16) << 4), BitsStored=12, HighBit=15), EXPLICIT
    ),
    "32 bits": (lambda: image(GREY.astype(np.uint32)), EXPLICIT),
    "24 bits": (
        lambda: image(BitsAllocated=24, BitsStored=24, HighBit=23, PixelData=GREY.tobytes() * 3), EXPLICIT
    ),
    "64 bits": (lambda: image(GREY.astype(np.uint64)), EXPLICIT),
    "signed": (lambda: image(GREY.astype(np.uint16), PixelRepresentation=1), EXPLICIT),
    "colour by pixel": (lambda: image(RGB), EXPLICIT),
    "colour by plane": (lambda: image(RGB, PlanarConfiguration=1), EXPLICIT),
    "colour without a planar configuration": (lambda: image(RGB, PlanarConfiguration=None), EXPLICIT),
    "a palette": (lambda: image(PhotometricInterpretation="PALETTE COLOR"), EXPLICIT),
    "inverted": (lambda: image(PhotometricInterpretation="MONOCHROME1"), EXPLICIT),
    "luma and half the chroma": (
        lambda: image(RGB, PhotometricInterpretation="YBR_FULL_422", PixelData=GREY.tobytes() * 2), EXPLICIT
    ),
    "luma and all of the chroma": (
        lambda: image(RGB, PhotometricInterpretation="YBR_FULL_422"), EXPLICIT
    ),
    "an odd number of columns, chroma halved": (
        lambda: image(
            RGB, Rows=4, Columns=7, PhotometricInterpretation="YBR_FULL_422", PixelData=bytes(4 * 7 * 2)
        ), EXPLICIT
    ),
    "a quarter of the chroma": (
        lambda: image(
            RGB, PhotometricInterpretation="YBR_PARTIAL_420", PixelData=bytes(16 * 24 * 3 // 2)
        ), EXPLICIT
    ),
    "four samples, retired": (
        lambda: image(
            SamplesPerPixel=4, PhotometricInterpretation="CMYK", PlanarConfiguration=0,
            PixelData=GREY.tobytes() * 4,
        ), EXPLICIT
    ),
    "an interpretation of one's own": (lambda: image(PhotometricInterpretation="THERMAL"), EXPLICIT),
    "no interpretation": (lambda: image(PhotometricInterpretation=None), EXPLICIT),
    "no samples per pixel": (lambda: image(SamplesPerPixel=None), EXPLICIT),
    "no bits stored": (lambda: image(BitsStored=None, HighBit=None), EXPLICIT),
    "no frames counted": (lambda: raw(image(), "NumberOfFrames", "IS", ""), EXPLICIT),
    "0 frames counted": (lambda: raw(image(), "NumberOfFrames", "IS", "0 "), EXPLICIT),
    "a plus before the frames": (lambda: raw(image(), "NumberOfFrames", "IS", "+1"), EXPLICIT),
    "spaces round the frames": (lambda: raw(image(), "NumberOfFrames", "IS", " 1 "), EXPLICIT),
    "empty pixel data": (lambda: image(PixelData=b""), EXPLICIT),
    "no pixel data": (lambda: image(PixelData=None), EXPLICIT),
    "no pixels at all": (instance, EXPLICIT),
    "floats": (
        lambda: image(PixelData=None, FloatPixelData=bytes(16 * 24 * 4), BitsAllocated=32), EXPLICIT
    ),
    "doubles": (
        lambda: image(PixelData=None, DoubleFloatPixelData=bytes(16 * 24 * 8), BitsAllocated=64), EXPLICIT
    ),
    "floats without bits": (
        lambda: image(
            PixelData=None, FloatPixelData=bytes(16 * 24 * 4), BitsAllocated=None, BitsStored=None,
            HighBit=None, PixelRepresentation=None,
        ), EXPLICIT
    ),
    "JPEG": (lambda: wrapped([JPEG]), JPEGBaseline8Bit),
    "JPEG in colour": (
        lambda: wrapped([JPEG_RGB], RGB, PhotometricInterpretation="YBR_FULL_422"), JPEGBaseline8Bit
    ),
    "JPEG in pieces": (lambda: _split(JPEG), JPEGBaseline8Bit),
    "JPEG without a table": (lambda: wrapped([JPEG] * 3), JPEGBaseline8Bit),
    "JPEG with an extended table": (_extended, JPEGBaseline8Bit),
    "JPEG that tells its lines at its end": (lambda: wrapped([_with_dnl()]), JPEGBaseline8Bit),
    "JPEG with a fill byte": (lambda: wrapped([JPEG[:2] + b"\xff" + JPEG[2:]]), JPEGBaseline8Bit),
    "JPEG behind a profile": (
        lambda: wrapped([JPEG[:2] + b"\xff\xe2\xff\xff" + bytes(65533) + JPEG[2:]]), JPEGBaseline8Bit
    ),
    "lossless JPEG": (lambda: wrapped([LOSSLESS]), JPEGLosslessSV1),
    "JPEG-LS": (lambda: wrapped([JPEG_LS]), JPEGLSLossless),
    "JPEG-LS of one value": (
        lambda: wrapped(
            [bytes(imagecodecs.jpegls_encode(np.zeros((2000, 2000), np.uint8)))],
            np.zeros((2000, 2000), np.uint8),
        ), JPEGLSLossless
    ),
    "a JPEG of one value": (
        lambda: wrapped(
            [bytes(imagecodecs.jpeg8_encode(np.zeros((2000, 2000), np.uint8), optimize=True))],
            np.zeros((2000, 2000), np.uint8),
        ), JPEGBaseline8Bit
    ),
    "a lossless JPEG of one value": (
        lambda: wrapped(
            [bytes(imagecodecs.ljpeg_encode(np.zeros((500, 500), np.uint8)))],
            np.zeros((500, 500), np.uint8),
        ), JPEGLosslessSV1
    ),
    "JPEG 2000": (lambda: wrapped([J2K]), JPEG2000Lossless),
    "JPEG 2000 of one value": (
        lambda: wrapped(
            [bytes(imagecodecs.jpeg2k_encode(np.zeros((2000, 2000), np.uint8), codecformat="J2K"))],
            np.zeros((2000, 2000), np.uint8),
        ), JPEG2000
    ),
    "JPEG 2000 in its box": (lambda: wrapped([JP2]), JPEG2000Lossless),
    "JPEG XL": (
        lambda: wrapped([bytes(imagecodecs.jpegxl_encode(GREY, lossless=True))]), JXL
    ),
    "RLE": (lambda: wrapped([RLE] * 2), RLELossless),
    "RLE in colour": (
        lambda: wrapped(
            [struct.pack("<16L", 3, 64, 80, 96, *[0] * 12) + b"\xd1\x07" * 24], RGB
        ), RLELossless
    ),
    "RLE of one value": (
        lambda: wrapped(
            [struct.pack("<16L", 1, 64, *[0] * 14) + b"\x81\x07" * 3125],
            np.full((500, 800), 7, np.uint8),
        ), RLELossless
    ),
    "deflated frames": (lambda: wrapped([_deflated_frame()] * 2), DEFLATED_FRAMES),
    "uncompressed frames": (lambda: wrapped([GREY.tobytes()] * 2), UNCOMPRESSED),
    "video": (lambda: film(b"\0\0\0\1\x67"), H264),
    "video in a box": (
        lambda: film(b"\0\0\0\x18ftypmp42"), H264
    ),
    "MPEG-2": (
        lambda: film(b"\0\0\1\xb3"),
        "1.2.840.10008.1.2.4.100",
    ),
    "video of many frames in one fragment": (
        lambda: film(b"\0\0\0\1\x67", NumberOfFrames=500), H264
    ),
    "empty video": (lambda: film(b""), H264),
}  # fmt: skip


@pytest.fixture(scope="module")
def plans() -> dict[str, deid.Plan]:
    """Every preset without what looks at pixels: shape is judged before anybody looks."""
    found = {}
    for name, configuration in PRESETS.items():
        document = json.loads(json.dumps(configuration))
        document.pop("image", None)
        document.setdefault("dicomveil", {}).pop("pixels", None)
        document["dicomveil"]["burnedIn"] = "pass"
        found[name] = deid.compile_plan(document, KEY)
    return found


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_cannot_be_samples_passes_under_no_preset(
    plans: dict[str, deid.Plan], name: str
) -> None:
    make, syntax = IMPOSSIBLE[name]
    source = encoded(make(), syntax)
    for plan in plans.values():
        with pytest.raises(deid.Unsafe) as caught:
            deid.deidentify(source, plan)
        assert caught.value.reason is deid.Reason.PIXELS_UNDECODABLE
        assert "Olga" not in caught.value.where


@pytest.mark.parametrize("name", LEGAL)
def test_what_is_odd_and_legal_passes_under_every_preset(
    plans: dict[str, deid.Plan], name: str
) -> None:
    make, syntax = LEGAL[name]
    source = encoded(make(), syntax)
    for plan in plans.values():
        result = written(source, deid.deidentify(source, plan))
        before, after = (pydicom.dcmread(io.BytesIO(each)) for each in (source, result))
        for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"):
            assert after.get(keyword) == before.get(keyword)


def test_as_much_is_let_pass_as_is_refused() -> None:
    assert len(LEGAL) >= len(IMPOSSIBLE) - 5


def test_no_frame_is_decoded(plans: dict[str, deid.Plan]) -> None:
    """Frames that begin well and are nothing else pass: what they show is not asked."""
    half = JPEG[: len(JPEG) // 2]
    source = encoded(wrapped([half + bytes(len(JPEG))] * 50), JPEGBaseline8Bit)
    assert deid.deidentify(source, plans["basic"]).sop_class_uid
