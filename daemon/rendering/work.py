"""What a rendering process does with a job: draw, tell what decoding will give, decode.

Answers hold pictures and samples, or the name of what hindered them; never a value.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from daemon.rendering.drawing import draw
from daemon.rendering.errors import NoPicture, OutsideImage
from daemon.rendering.reading import StoredImage, read_attributes
from daemon.workers.frames import Message
from deid.pixels.samples import stored_values
from dicomweb.ports import Picture

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deid.pixels.samples import Decoded

_PHOTOMETRIC: Final = 0x00280004
_PLANAR: Final = 0x00280006
_JPEG_LS: Final = frozenset({"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"})
_LARGEST_VALUE: Final = 0xFFFFFFFE


def start(_document: Mapping[str, Any], _secret: bytes) -> Callable[[Message], Message]:
    """Return the handler of jobs (see `daemon.rendering.pictures`)."""
    return handle


def handle(message: Message) -> Message:
    """Do one job."""
    header = message.header
    try:
        stored = _opened(Path(header["path"]), header["size"])
        if header["kind"] == "draw":
            return _drawn(stored, header)
        if header["kind"] == "decode":
            return Message({}, (native(stored, header["frame"]),))
        return _native_form(stored)
    except OutsideImage:
        return Message({"outside": True})
    except NoPicture as error:
        return Message({"refused": str(error)[:200]})


def _opened(path: Path, size: int) -> StoredImage:
    """Return a stored image; remembers the last few, but not what was inflated, which may be large."""
    return _remembered(path, size) or StoredImage(path, size)


@lru_cache(maxsize=4)
def _remembered(path: Path, size: int) -> StoredImage | None:
    stored = StoredImage(path, size)
    return stored if stored.pixels.inflated is None else None


def _drawn(stored: StoredImage, header: Mapping[str, Any]) -> Message:
    asked = {**header["picture"]}
    for name in ("window", "viewport", "region", "annotations"):
        asked[name] = None if asked[name] is None else tuple(asked[name])
    named = asked.pop("state")
    state = None if named is None else read_attributes(Path(named["path"]), named["size"])
    return Message({}, (draw(stored, Picture(**asked), state),))


def _native_form(stored: StoredImage) -> Message:
    image = stored.image
    bits = image.rows * image.columns * image.samples * image.bits_allocated
    if bits % 8 and stored.frames > 1:
        raise NoPicture("frames of single bits that do not end with a byte")
    frame_bytes = -(-bits // 8)
    if frame_bytes * stored.frames > _LARGEST_VALUE:
        raise NoPicture("decoded, the pixels are longer than a data element can be")
    changes = {_PHOTOMETRIC: _photometric(stored).encode().hex()}
    if image.samples > 1:
        changes[_PLANAR] = b"\0\0".hex()
    return Message(
        {
            "frames": stored.frames,
            "frame_bytes": frame_bytes,
            "bits_allocated": image.bits_allocated,
            "changes": {str(tag): value for tag, value in changes.items()},
        }
    )


def _photometric(stored: StoredImage) -> str:
    """Return what decoded samples are: the component transform of JPEG 2000 is undone, 4:2:2 is filled up."""
    given = stored.image.photometric
    if given == "YBR_FULL_422" and stored.pixels.transfer_syntax_uid in _JPEG_LS:
        return "RGB"  # as the codec takes it: JPEG-LS has no subsampling
    return {"YBR_RCT": "RGB", "YBR_ICT": "RGB", "YBR_FULL_422": "YBR_FULL"}.get(given, given)


def native(stored: StoredImage, frame: int) -> bytes:
    """Return a frame as native Pixel Data has it: little endian, colour by pixel."""
    return _words(stored, stored.stored(frame))


def _words(stored: StoredImage, decoded: Decoded) -> bytes:
    bits = stored.image.bits_allocated
    values = stored_values(stored.image, decoded.samples)
    if bits == 1:
        return np.packbits(values.astype(np.bool_).ravel(), bitorder="little").tobytes()
    whole = values.astype(np.int64, copy=False) & ((1 << bits) - 1)
    return whole.astype(f"<u{bits // 8}").tobytes()
