"""Places beside the samples of Pixel Data: comments, application data, what follows, bits above High Bit."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from tests.adversarial.corpus import Draft, HidingPlace

if TYPE_CHECKING:
    from collections.abc import Iterator

_GREY = (np.arange(16 * 16).reshape(16, 16) % 251).astype(np.uint8)
_JPEG = bytes(imagecodecs.jpeg8_encode(_GREY, level=90))
_JPEG_LS = bytes(imagecodecs.jpegls_encode(_GREY))
_JPEG_2000 = bytes(imagecodecs.jpeg2k_encode(_GREY, reversible=True, codecformat="J2K"))


def places() -> Iterator[HidingPlace]:
    """Yield the places of this family."""
    for name, marker, prefix in (
        ("comment", 0xFE, b""),
        ("exif", 0xE1, b"Exif\0\0MM\0*\0\0\0\x08"),
        ("photoshop", 0xED, b"Photoshop 3.0\x008BIM"),
        ("application", 0xEB, b""),
    ):
        for syntax, codestream in ((JPEGBaseline8Bit, _JPEG), (JPEGLSLossless, _JPEG_LS)):
            draft = _draft(f"beside/{name}-{syntax.keyword}", syntax)
            text = prefix + draft.sentence(name).encode()
            text += b"\0" * (len(text) % 2)
            added = struct.pack(">BBH", 0xFF, marker, len(text) + 2) + text
            yield _encapsulated(draft, codestream[:2] + added + codestream[2:])
    draft = _draft("beside/comment-JPEG2000Lossless", JPEG2000Lossless)
    text = draft.sentence("comment").encode()
    at = _JPEG_2000.index(b"\xff\x52")
    added = b"\xff\x64" + struct.pack(">HH", len(text) + 4, 1) + text
    yield _encapsulated(draft, _JPEG_2000[:at] + added + _JPEG_2000[at:])
    draft = _draft("beside/wide-comment-JPEG2000Lossless", JPEG2000Lossless)
    wide = draft.surname("wide comment").encode("utf-16-le")
    added = b"\xff\x64" + struct.pack(">HH", len(wide) + 4, 0) + wide
    yield _encapsulated(draft, _JPEG_2000[:at] + added + _JPEG_2000[at:])
    for name, marker, prefix in (
        ("wide-comment", 0xFE, b""),
        ("encoder-and-name", 0xFE, b"LEAD Technologies Inc. V1.01 "),
        ("behind-JFIF", 0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
        ("no-SPIFF", 0xE8, b"SPIFF\0"),
        ("reserved-C8", 0xC8, b""),
        ("reserved-F3", 0xF3, b""),
    ):
        draft = _draft(f"beside/{name}-JPEGBaseline8Bit", JPEGBaseline8Bit)
        codec = "utf-16-le" if name == "wide-comment" else "ascii"
        text = prefix + draft.surname(name).encode(codec)
        added = struct.pack(">BBH", 0xFF, marker, len(text) + 2) + text
        yield _encapsulated(draft, _JPEG[:2] + added + _JPEG[2:])
    for syntax, codestream in (
        (JPEGBaseline8Bit, _JPEG),
        (JPEGLSLossless, _JPEG_LS),
        (JPEG2000Lossless, _JPEG_2000),
    ):
        draft = _draft(f"beside/fragment-after-the-end-{syntax.keyword}", syntax)
        text = draft.sentence("fragment after the end").encode()
        yield _encapsulated(draft, codestream, text)
        draft = _draft(f"beside/after-the-end-{syntax.keyword}", syntax)
        yield _encapsulated(draft, codestream + draft.sentence("after the end").encode())
    draft = _draft("beside/spare-offsets-RLELossless", RLELossless)
    text = draft.surname("spare offsets").encode().ljust(56, b"\0")
    yield _encapsulated(draft, struct.pack("<2L", 1, 64) + text + b"\xd1\x07" * 48)
    for syntax in (ExplicitVRLittleEndian, ExplicitVRBigEndian):
        draft = _draft(f"beside/after-the-last-row-{syntax.keyword}", syntax)
        text = draft.sentence("after the last row").encode()
        draft.dataset.add_new("PixelData", "OB", _GREY.tobytes() + text + b"\0" * (len(text) % 2))
        yield draft.finish()
        draft = _draft(f"beside/bits-above-high-bit-{syntax.keyword}", syntax, bits=16)
        letters = draft.sentence("bits above High Bit").encode()
        values = np.zeros(16 * 16, f"{'>' if syntax == ExplicitVRBigEndian else '<'}u2")
        values[: len(letters)] = np.frombuffer(letters, np.uint8).astype(np.uint16) << 8
        draft.dataset.add_new("PixelData", "OW", values.tobytes())
        yield draft.finish()


def _draft(place: str, syntax: str, *, bits: int = 8) -> Draft:
    draft = Draft(place, syntax=syntax)
    dataset = draft.dataset
    dataset.Rows = dataset.Columns = 16
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, 8, 7
    dataset.PixelRepresentation = 0
    return draft


def _encapsulated(draft: Draft, *fragments: bytes) -> HidingPlace:
    draft.dataset.add_new("PixelData", "OB", encapsulate([*fragments]))
    draft.dataset["PixelData"].is_undefined_length = True
    return draft.finish()
