"""Places beside the samples of Pixel Data: comments, application data, what follows, bits above High Bit."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
from pydicom.dataset import Dataset
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
_JP2 = bytes(imagecodecs.jpeg2k_encode(_GREY, reversible=True, codecformat="JP2"))
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
    yield from _without_use()
    yield from _behind_entries()


def _without_use() -> Iterator[HidingPlace]:
    """Yield places in codestreams that no decoder reads."""
    for name in ("gap", "tail"):
        draft = _draft(f"beside/{name}-RLELossless", RLELossless, bits=16)
        text = draft.sentence(name).encode()
        text += b"\0" * (len(text) % 2)
        plane = b"".join(b"\x7f" + _GREY.tobytes()[at : at + 128] for at in (0, 128))
        first = plane + (text if name == "gap" else b"")
        header = struct.pack("<3L", 2, 64, 64 + len(first)).ljust(64, b"\0")
        yield _encapsulated(draft, header + first + plane + (text if name == "tail" else b""))
    for name, marker, head in (
        ("quantisation", 0xDB, b"\x03"),
        ("huffman", 0xC4, b"\x13" + bytes(7) + bytes([64]) + bytes(8)),
    ):
        draft = _draft(f"beside/{name}-table-without-use-JPEGBaseline8Bit", JPEGBaseline8Bit)
        table = head + draft.surname(name).encode()[:64].ljust(64, b"x")
        added = struct.pack(">BBH", 0xFF, marker, len(table) + 2) + table
        yield _encapsulated(draft, _JPEG[:2] + added + _JPEG[2:])
    at = _JPEG_2000.index(b"\xff\x52")
    for name, number in (("reserved", 0xFF70), ("registration", 0xFF63), ("lengths", 0xFF58)):
        draft = _draft(f"beside/{name}-JPEG2000Lossless", JPEG2000Lossless)
        text = b"\0" + draft.sentence(name).encode()
        added = struct.pack(">HH", number, len(text) + 2) + text
        yield _encapsulated(draft, _JPEG_2000[:at] + added + _JPEG_2000[at:])
    for name, kind in (("second-codestream", b"jp2c"), ("xml", b"xml "), ("uuid", b"uuid")):
        draft = _draft(f"beside/{name}-in-JP2-JPEG2000Lossless", JPEG2000Lossless)
        text = draft.sentence(name).encode()
        yield _encapsulated(draft, _JP2 + struct.pack(">L4s", len(text) + 8, kind) + text)


def _behind_entries() -> Iterator[HidingPlace]:
    """Yield places behind the entries of tables in items, and behind the segments of a palette."""
    entries = struct.pack(
        "<64H", *range(0, 1 << 16, 1 << 10)
    )  # sixteen bits, as the descriptor says
    for keyword in ("ModalityLUTSequence", "VOILUTSequence"):
        draft = _draft(f"beside/behind-the-entries-of-{keyword}", ExplicitVRLittleEndian)
        text = draft.sentence(keyword).encode()
        item = Dataset()
        item.LUTDescriptor, item.ModalityLUTType = [64, 0, 16], "US"
        item.add_new("LUTData", "OW", entries + text + b"\0" * (len(text) % 2))
        setattr(draft.dataset, keyword, [item])
        draft.dataset.add_new("PixelData", "OB", _GREY.tobytes())
        yield draft.finish()
    draft = _draft("beside/behind-the-segments-of-a-palette", ExplicitVRLittleEndian)
    text = draft.sentence("segments").encode()
    dataset = draft.dataset
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    for colour in ("Red", "Green", "Blue"):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        segments = struct.pack("<7H", 0, 2, 0, 100, 1, 254, 60000)
        data = segments + text + b"\0" * (len(text) % 2)
        setattr(dataset, f"Segmented{colour}PaletteColorLookupTableData", data)
    dataset.add_new("PixelData", "OB", _GREY.tobytes())
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
