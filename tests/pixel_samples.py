"""Instances with pixels for the tests of pixel cleaning: frames, encodings, a real text detector."""

from __future__ import annotations

import functools
import struct
from typing import TYPE_CHECKING, Any

import cv2
import imagecodecs
import jpeg_ls
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rle.utils import encode_pixel_data

from daemon.engines.models import make_detector
from daemon.engines.pixels import engines
from deid.encoding.segments import Span
from deid.engine import deidentify
from deid.pixels.cleaning import PixelCleaning
from deid.pixels.codecs.codestreams import scrubbed_j2k
from deid.pixels.codecs.table import CODECS, NATIVE
from deid.pixels.description import describe
from deid.pixels.frames import open_frames
from deid.pixels.geometry import Box
from deid.pixels.templates import RegionTemplate
from deid.plan import compile_plan
from deid.ports import CleanedPixels, PixelInstance
from tests.sections import make_pixels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from deid.identity.identifiers import KnownIdentifier
    from deid.identity.keys import SiteKey
    from deid.outcome import Outcome
    from deid.pixels.find.ppocr import PPOCR
    from deid.ports import DrawnBox, Engines

NAME = "SMITH^JOHN"
ROWS, COLUMNS = 96, 160
#: Even-aligned in no way: its edges lie inside blocks and pairs.
BOX = Box(21, 19, 50, 22)

EXPLICIT_LE, IMPLICIT_LE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"
JPEG_BASELINE, JPEG_EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS, JPEG_LOSSLESS_SV1 = "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"
JPEG_LS, JPEG_LS_NEAR = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"
J2K_LOSSLESS, J2K = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"
HTJ2K_LOSSLESS, HTJ2K_RPCL, HTJ2K = (f"1.2.840.10008.1.2.4.{last}" for last in (201, 202, 203))


@functools.cache
def detector() -> PPOCR:
    """Return the real detector, made once."""
    return make_detector()


class NothingFound:
    """A detector for tests of rules and codecs, in which no text is looked for."""

    def find(self, pictures: Sequence[Any], *, needs_reading: bool = True) -> list[list[Any]]:
        """Return no region."""
        return [[] for _ in pictures]


def filling(*boxes: Box, **options: Any) -> PixelCleaning:
    """Return a cleaner that fills these boxes of every frame by a rule, and nothing else."""
    template = RegionTemplate("test", fill=boxes)
    options.setdefault("untrusted", ())
    return PixelCleaning("REDACT_ALL_TEXT", NothingFound(), templates=[template], **options)


def texture(
    seed: int = 1, *, bits: int = 8, samples: int = 1, rows: int = ROWS, columns: int = COLUMNS
) -> NDArray[Any]:
    """Return a frame of smooth noise that uses the whole range, shape (rows, columns, samples)."""
    noise = np.random.default_rng(seed).normal(0, 1, (rows, columns, samples)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5).reshape(rows, columns, samples)
    scaled = (smooth - smooth.min()) / (smooth.max() - smooth.min()) * ((1 << bits) - 1)
    values: NDArray[Any] = scaled.astype(np.uint8 if bits <= 8 else np.uint16)
    return values


def attributes(
    frame: NDArray[Any], photometric: str = "", *, bits: int = 0, **more: Any
) -> dict[str, Any]:
    """Return the Image Pixel module of frames like this one."""
    samples = frame.shape[2]
    allocated = frame.dtype.itemsize * 8
    stored = bits or allocated
    return {
        "Rows": frame.shape[0],
        "Columns": frame.shape[1],
        "SamplesPerPixel": samples,
        "BitsAllocated": allocated,
        "BitsStored": stored,
        "HighBit": stored - 1,
        "PixelRepresentation": int(frame.dtype.kind == "i"),
        "PhotometricInterpretation": photometric or ("RGB" if samples == 3 else "MONOCHROME2"),
        "PlanarConfiguration": 0,
        "NumberOfFrames": 1,
        "Modality": "OT",
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4",
        **more,
    }


def with_text(
    frame: NDArray[Any], text: str = NAME, *, at: tuple[int, int] = (20, 40)
) -> NDArray[Any]:
    """Return a dark copy of the frame with bright text."""
    top = 255 if frame.dtype.itemsize == 1 else 4000
    ink = np.zeros(frame.shape[:2], np.uint8)
    cv2.putText(ink, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.55, 255, 1, cv2.LINE_AA)
    weight = ink[..., None].astype(np.float32) / 255
    dark = frame.astype(np.float32) / 6
    return (dark + (top - dark) * weight).astype(frame.dtype)


def calm(level: int = 20, *, rows: int = 320, columns: int = 480) -> NDArray[np.uint8]:
    """Return a frame on which nothing stands out, but that is not all one level; shape (rows, columns, 3)."""
    noise = np.random.default_rng(3).normal(0, 1, (rows, columns)).astype(np.float32)
    grey = np.clip(level + 20 * cv2.GaussianBlur(noise, (0, 0), 3), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def lettered(
    view: NDArray[np.uint8],
    text: str,
    at: tuple[int, int],
    ink: tuple[int, int, int] = (255, 255, 255),
    size: int = 18,
) -> NDArray[np.uint8]:
    """Return a copy of a view (rows, columns, 3) with letters that begin at (column, row)."""
    image = Image.fromarray(view)
    ImageDraw.Draw(image).text(at, text, ink, font=ImageFont.load_default(size))
    return np.array(image)


def inked(view: NDArray[Any], ground: NDArray[Any], least: int = 1) -> Box:
    """Return the box around all that differs from the ground by so many levels."""
    differs = np.abs(view.astype(np.int16) - ground).max(axis=2) >= least
    rows, columns = (np.flatnonzero(differs.any(axis=axis)) for axis in (1, 0))
    left, top = int(columns[0]), int(rows[0])
    return Box(left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top)


def encapsulated(frames: Sequence[bytes], *, offsets: bool = True) -> bytes:
    """Return the value field of encapsulated frames, one fragment each, without the delimiter."""
    items, table, at = b"", [], 0
    for frame in frames:
        padded = frame + b"\0" * (len(frame) % 2)
        table.append(at)
        items += b"\xfe\xff\x00\xe0" + struct.pack("<I", len(padded)) + padded
        at += 8 + len(padded)
    basic = struct.pack(f"<{len(table)}I", *table) if offsets else b""
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(basic)) + basic + items


def make_instance(
    syntax: str,
    frames: Sequence[NDArray[Any]],
    described: dict[str, Any],
    *,
    encoded: Sequence[bytes] | None = None,
    known: Sequence[KnownIdentifier] = (),
    offsets: bool = True,
    lead: bytes = b"some header",
) -> PixelInstance:
    """Return an instance whose value does not begin at the start of the source."""
    described = {**described, "NumberOfFrames": len(frames)}
    if encoded is not None:
        value = encapsulated(encoded, offsets=offsets)
    else:
        value = b"".join(
            (frame.byteswap() if syntax == EXPLICIT_BE else frame).tobytes() for frame in frames
        )
        value += b"\0" * (len(value) % 2)
    source = lead + value + b"trailer"
    return PixelInstance(
        syntax,
        described,
        source,
        len(lead),
        len(lead) + len(value),
        big_endian=syntax == EXPLICIT_BE,
        known=known,
    )


def value_of(instance: PixelInstance, cleaned: CleanedPixels) -> bytes:
    """Return the new value field, put together as the engine does."""
    assert cleaned.segments is not None
    return b"".join(
        bytes(instance.value[part.start : part.stop]) if isinstance(part, Span) else part
        for part in cleaned.segments
    )


def written(instance: PixelInstance, cleaned: CleanedPixels) -> PixelInstance:
    """Return the instance that a reader of the output sees."""
    value = value_of(instance, cleaned)
    return PixelInstance(
        instance.transfer_syntax_uid,
        {**instance.attributes, **cleaned.changes},
        value,
        0,
        len(value),
        instance.big_endian,
        known=(),
    )


def configuration(
    mode: str = "REDACT_ALL_TEXT", profile: str = "", options: Sequence[str] = (), **more: Any
) -> dict[str, Any]:
    """Return a DeidentifyConfig with clean pixels, by the Basic Profile if no other is named."""
    profile = profile or "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"
    made: dict[str, Any] = {"dicom": {"filterProfile": profile}}
    if mode:
        made["image"] = {"textRedactionMode": mode}
    if options:
        made["dicomveil"] = {"options": list(options)}
    return {**made, **more}


def deidentified(
    source: bytes,
    asked: Mapping[str, Any],
    key: SiteKey,
    pixels: Engines | None = None,
    drawn: Sequence[DrawnBox] = (),
) -> tuple[bytes, Outcome]:
    """Return the new file and the outcome, with the engines that the workers use."""
    plan = compile_plan(asked, key, engines=pixels or engines(make_pixels()))
    result = deidentify(source, plan, drawn=drawn)
    parts = (
        source[part.start : part.stop] if isinstance(part, Span) else part
        for part in result.segments
    )
    return b"".join(parts), result.outcome


def samples_of(instance: PixelInstance, number: int = 0) -> NDArray[Any]:
    """Return a frame's samples as integers, shape (rows, columns, samples)."""
    assert instance.transfer_syntax_uid in {*CODECS, *NATIVE}
    image = describe(instance.attributes)
    return open_frames(instance, image).decoded(number).samples.astype(np.int64)


def outside(box: Box, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.bool_]:
    """Return a mask that is true outside the box."""
    mask = np.ones((rows, columns), np.bool_)
    mask[box.top : box.bottom, box.left : box.right] = False
    return mask


def encode(syntax: str, frame: NDArray[Any], bits: int = 0, **options: Any) -> bytes:
    """Encode one frame in an encapsulated transfer syntax."""
    bits = bits or frame.dtype.itemsize * 8
    plane = np.ascontiguousarray(frame[..., 0] if frame.shape[2] == 1 else frame)
    if syntax == RLE:
        return bytes(
            encode_pixel_data(
                np.ascontiguousarray(frame).tobytes(),
                byteorder="<",
                rows=frame.shape[0],
                columns=frame.shape[1],
                samples_per_pixel=frame.shape[2],
                bits_allocated=frame.dtype.itemsize * 8,
            )
        )
    if syntax in {JPEG_BASELINE, JPEG_EXTENDED}:
        if bits > 8:
            options["bitspersample"] = bits
        return bytes(imagecodecs.jpeg8_encode(plane, level=90, **options))
    if syntax in {JPEG_LOSSLESS, JPEG_LOSSLESS_SV1}:
        return bytes(imagecodecs.jpeg8_encode(plane, lossless=True, bitspersample=bits, **options))
    if syntax in {JPEG_LS, JPEG_LS_NEAR}:
        return bytes(
            jpeg_ls.encode_buffer(
                plane.tobytes(),
                frame.shape[0],
                frame.shape[1],
                frame.shape[2],
                bits,
                lossy_error=2 if syntax == JPEG_LS_NEAR else 0,
                interleave_mode=0 if frame.shape[2] == 1 else 2,
            )
        )
    if syntax in {J2K, J2K_LOSSLESS}:
        options.setdefault("reversible", syntax == J2K_LOSSLESS)
        options.setdefault("level", 0 if options["reversible"] else 60)
        # Without OpenJPEG's comment, which cleaning would blank.
        return scrubbed_j2k(
            bytes(
                imagecodecs.jpeg2k_encode(plane, codecformat="J2K", bitspersample=bits, **options)
            )
        )
    return bytes(imagecodecs.htj2k_encode(plane, reversible=True, planar=False, **options))
