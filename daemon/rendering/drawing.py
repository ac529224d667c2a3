"""One picture from one stored image: samples to display, region, viewport, annotation, encoding."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw, ImageFont

from daemon.rendering import overlays
from daemon.rendering.colour import GREY, profile_of, red_green_blue, srgb_profile, to_srgb
from daemon.rendering.errors import NoPicture, OutsideImage
from daemon.rendering.grey import Greyscale, grey
from daemon.rendering.reading import number, several
from daemon.rendering.states import PresentationState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

    from daemon.rendering.reading import StoredImage
    from dicomweb.ports import Picture

MOST_PIXELS: Final = 1 << 26
"""Of one picture."""
MOST_MOVING_PIXELS: Final = 1 << 27
"""Of all frames of a moving one."""
MOST_MOVING_FRAMES: Final = 2000
_FORMATS: Final = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF"}
_SHORTEST_MS: Final = 20
_DEFAULT_MS: Final = 100
_LINE_CHARS: Final = 64
_PATIENT: Final = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
)
_TECHNIQUE: Final = (
    "Modality",
    "StudyDate",
    "SeriesNumber",
    "InstanceNumber",
    "SliceThickness",
    "SliceLocation",
    "KVP",
    "ExposureTime",
    "XRayTubeCurrent",
    "EchoTime",
    "RepetitionTime",
    "MagneticFieldStrength",
)


def draw(stored: StoredImage, picture: Picture, state: Dataset | None) -> bytes:
    """Return an encoded picture.

    Raises
    ------
    NoPicture
        If the instance cannot be drawn, or the picture would be too large.
    """
    if picture.frame is not None:
        return _encoded([_drawn(stored, picture, state, picture.frame)], stored, picture)
    frames = range(1, stored.frames + 1)
    width, height = _size(stored, picture)
    if len(frames) > MOST_MOVING_FRAMES or len(frames) * width * height > MOST_MOVING_PIXELS:
        raise NoPicture("too many frames for a moving picture: ask for one, or a smaller viewport")
    return _encoded((_drawn(stored, picture, state, each) for each in frames), stored, picture)


def _size(stored: StoredImage, picture: Picture) -> tuple[int, int]:
    return picture.viewport or (stored.image.columns, stored.image.rows)


def _drawn(stored: StoredImage, picture: Picture, state: Dataset | None, frame: int) -> Image.Image:
    applied = None if state is None else PresentationState(state, stored, frame)
    planes = _planes(stored, picture, applied)
    if picture.overlays == "only":
        drawn = overlays.alone(planes, stored, frame)
    else:
        if applied is None and picture.region is None:
            _check_size(stored.image.columns * stored.image.rows, picture)
        drawn = _displayed(stored, picture, applied, frame)
        drawn = overlays.drawn_on(drawn, planes, stored, frame) if planes else drawn
    if applied is not None:
        if picture.overlays != "only":
            applied.annotate(drawn)
        area = applied.displayed_area()
        drawn = drawn if area is None else _region(drawn, area)
        drawn = applied.turned(drawn)
    if picture.region is not None:
        drawn = _region(drawn, picture.region)
    _check_size(drawn.width * drawn.height, picture)
    drawn = _fitted(drawn, picture.viewport)
    if picture.annotations:
        drawn = _annotated(drawn, stored, picture, frame)
    return drawn


def _check_size(pixels: int, picture: Picture) -> None:
    """Refuse a picture of so many pixels that is to stay as large; before it is decoded where that is known."""
    if picture.viewport is None and pixels > MOST_PIXELS:
        raise NoPicture("the picture is too large: ask for a viewport")


def _planes(
    stored: StoredImage, picture: Picture, applied: PresentationState | None
) -> list[overlays.Plane]:
    if picture.overlays == "no":
        return []
    return overlays.planes_of(stored.dataset) if applied is None else applied.overlays()


def _displayed(
    stored: StoredImage, picture: Picture, applied: PresentationState | None, frame: int
) -> Image.Image:
    """Return a frame in its display values, nothing drawn on it."""
    decoded = stored.decoded(frame)
    if decoded.photometric in GREY:
        how = Greyscale() if applied is None else applied.greyscale()
        samples = grey(stored, decoded, frame, replace(how, window=picture.window or how.window))
    else:
        samples = red_green_blue(stored, decoded)
    if applied is not None:
        samples = applied.shuttered(samples)
    drawn = Image.fromarray(samples)
    if picture.icc == "srgb" and drawn.mode == "RGB":
        profile = profile_of(stored.dataset)
        drawn = drawn if profile is None else to_srgb(drawn, profile)
    return drawn


def _region(drawn: Image.Image, region: tuple[float, float, float, float]) -> Image.Image:
    """Return a part of a picture, mirrored where a side is negative; what is outside of it is left out."""
    left, top, width, height = region
    right = left + abs(width) if width else drawn.width
    bottom = top + abs(height) if height else drawn.height
    box = (
        max(round(left), 0),
        max(round(top), 0),
        min(round(right), drawn.width),
        min(round(bottom), drawn.height),
    )
    if box[2] <= box[0] or box[3] <= box[1]:
        raise OutsideImage("the region is outside of the image")
    cut = drawn.crop(box)
    if width < 0:
        cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if height < 0:
        cut = cut.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return cut


def _fitted(drawn: Image.Image, viewport: tuple[int, int] | None) -> Image.Image:
    """Return a picture as large as the viewport holds, its proportions kept (PS3.18 8.3.5.1.3)."""
    if viewport is None:
        return drawn
    factor = min(viewport[0] / drawn.width, viewport[1] / drawn.height)
    size = (
        min(max(math.floor(drawn.width * factor + 0.5), 1), viewport[0]),
        min(max(math.floor(drawn.height * factor + 0.5), 1), viewport[1]),
    )
    if size == drawn.size:
        return drawn
    reducing = None if factor >= 1 else 3.0
    return drawn.resize(size, Image.Resampling.BILINEAR, reducing_gap=reducing)


def _annotated(
    drawn: Image.Image, stored: StoredImage, picture: Picture, frame: int
) -> Image.Image:
    """Return a picture with what the stored data set says of patient and technique written on it."""
    lines: list[str] = []
    if "patient" in picture.annotations:
        lines += lines_of(stored.dataset, _PATIENT)
    if "technique" in picture.annotations:
        lines += lines_of(stored.dataset, _TECHNIQUE)
        if stored.frames > 1:
            lines.append(f"Frame {frame} of {stored.frames}")
    size = min(max(drawn.height // 40, 9), 28)
    font = ImageFont.load_default(size)
    pen = ImageDraw.Draw(drawn)
    ink, rim = (255, 0) if drawn.mode == "L" else ((255, 255, 255), (0, 0, 0))
    for number_, line in enumerate(lines):
        at = (4, 4 + number_ * (size + 3))
        pen.text(at, line, font=font, fill=ink, stroke_width=1, stroke_fill=rim)
    return drawn


def lines_of(dataset: Dataset, keywords: tuple[str, ...]) -> Iterator[str]:
    """Yield what is written of attributes, a line each, without what would not be one line."""
    for keyword in keywords:
        values = several(dataset, keyword)
        if values:
            text = "\\".join(str(value) for value in values)
            yield f"{keyword}: {''.join(c if c.isprintable() else ' ' for c in text)[:_LINE_CHARS]}"


def _encoded(
    frames: Iterator[Image.Image] | list[Image.Image], stored: StoredImage, picture: Picture
) -> bytes:
    out = io.BytesIO()
    pictures = iter(frames)
    begun = next(pictures, None)
    if begun is None:
        raise NoPicture("(0028,0008)")
    kind = _FORMATS[picture.media_type]
    if kind == "GIF":
        begun.save(
            out, kind, save_all=True, append_images=pictures, duration=_frame_ms(stored), loop=0
        )
        return out.getvalue()
    profile = _embedded(stored, picture, begun)
    if kind == "PNG":
        begun.save(out, kind, compress_level=4, icc_profile=profile)
    else:
        begun = begun.convert("RGB") if begun.mode == "P" else begun
        begun.save(out, kind, quality=picture.quality, subsampling=0, icc_profile=profile)
    return out.getvalue()


def _embedded(stored: StoredImage, picture: Picture, drawn: Image.Image) -> bytes | None:
    """Return the ICC profile that goes with the picture; grey ones have none."""
    if picture.icc == "no" or drawn.mode != "RGB":
        return None
    own = profile_of(stored.dataset) if picture.icc == "yes" else None
    return own or srgb_profile()


def _frame_ms(stored: StoredImage) -> int:
    """Return how long a frame stands (PS3.3 C.7.6.5), in milliseconds."""
    found = number(stored.dataset, "FrameTime")
    if not found:
        several_ms = several(stored.dataset, "FrameTimeVector")
        found = float(several_ms[1]) if len(several_ms) > 1 else None
    for keyword in ("RecommendedDisplayFrameRate", "CineRate"):
        rate = number(stored.dataset, keyword)
        if not found and rate and rate > 0:
            found = 1000 / rate
    if not found or found <= 0:
        return _DEFAULT_MS
    return int(min(max(found, _SHORTEST_MS), 10_000))
