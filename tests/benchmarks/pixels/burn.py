"""Writes text into stored values, in every manner that the categories name."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.benchmarks.pixels.bases import Base
    from tests.benchmarks.pixels.strings import Burned

_FONT_FOLDERS = ("/usr/share/fonts/truetype", "/usr/share/fonts/opentype")
_PLAIN = (
    "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansMono.ttf", "DejaVuSansCondensed.ttf",
    "NotoMono-Regular.ttf",
    "NotoSansMono-Regular.ttf", "NimbusSans-Regular.otf", "NimbusSans-Bold.otf", "NimbusMonoPS-Regular.otf",
    "DejaVuSerif.ttf", "NimbusRoman-Regular.otf", "NimbusSansNarrow-Regular.otf",
)  # fmt: skip
_ITALIC = ("Z003-MediumItalic.otf", "NimbusRoman-BoldItalic.otf", "DejaVuSans-Oblique.ttf")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a text looks.

    Attributes
    ----------
    height
        Font size in pixels, from and to.
    contrast
        Display levels (of 255) between text and what is around it, from and to.
    angle
        Degrees counter-clockwise.
    style
        ``plain``, ``outlined``, ``shadowed``, ``boxed``, ``bitmap``, ``dots``, ``italic`` or ``curved``.
    font
        A font file that has the text's script; chosen by style and text where empty.
    is_block
        Line under line with 2 to 5 pixels between, as headers are set.
    """

    height: tuple[int, int] = (12, 24)
    contrast: tuple[int, int] = (90, 255)
    angle: tuple[int, ...] = (0,)
    style: str = "plain"
    is_dark: bool = False
    colour: bool = False
    spacing: int = 0
    over_anatomy: bool = False
    at_edge: bool = False
    beyond_window: bool = False
    is_block: bool = False
    font: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """One text as it was burned in; `ink` are the pixels of its letters."""

    text: str
    is_identifying: bool
    ink: NDArray[np.bool_]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the ink."""
        rows, columns = np.nonzero(self.ink)
        return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def burn(
    random: Random,
    base: Base,
    texts: list[Burned],
    manner: Manner,
    taken: NDArray[Any] | None = None,
) -> tuple[Base, list[Placed]]:
    """Return the base with texts burned in where there was room for them, outside `taken`."""
    values = base.values.copy()
    placed: list[Placed] = []
    taken = np.zeros(values.shape[:2], np.bool_) if taken is None else taken
    for burned in texts:
        if not _has_glyphs(burned.text, manner):
            continue
        for _ in range(12):
            mask = _rotated(_mask(random, burned.text, manner), random.choice(manner.angle))
            at = _below(random, mask, taken, placed) if manner.is_block and placed else None
            at = at or _position(random, base, mask, taken, manner)
            if at is None:
                continue
            left, top = at
            drawn = values.copy()
            ink = _draw(random, base, drawn, mask, left, top, manner)
            if not _is_legible(base, values, drawn, ink, manner):
                continue
            values = drawn
            placed.append(Placed(burned.text, burned.is_identifying, ink))
            height, width = mask.shape
            rows_apart = 0 if manner.is_block else 8
            rows = slice(max(top - rows_apart, 0), top + height + rows_apart)
            taken[rows, max(left - 10, 0) : left + width + 10] = True
            break
    return replace(base, values=values), placed


def _is_legible(
    base: Base, before: NDArray[Any], values: NDArray[Any], ink: NDArray[np.bool_], manner: Manner
) -> bool:
    """Whether nine in ten pixels of the ink stand out from what is around them and what was there.

    By 18 display levels, which a person just sees; white on white is no burned-in text. Texts beyond
    the window are judged by their stored values.
    """
    low, high = base.shown_range
    rows, columns = np.nonzero(ink)
    area = (
        slice(max(rows.min() - 12, 0), rows.max() + 13),
        slice(max(columns.min() - 12, 0), columns.max() + 13),
    )
    part = values[area].astype(np.float32)
    shown = part if manner.beyond_window else np.clip(part, low, high)
    levels = (shown - low) / (high - low) * 255
    letters = ink[area]
    wide = cv2.dilate(letters.astype(np.uint8), np.ones((3, 3), np.uint8))
    background = (wide == 0).astype(np.float32)
    weight = np.maximum(cv2.blur(background, (15, 15)), 1e-3)
    if levels.ndim == 3:
        background, weight = background[..., None], weight[..., None]
    around = cv2.blur(levels * background, (15, 15)) / weight
    difference = np.abs(levels - around)
    if difference.ndim == 3:
        difference = difference.max(axis=2)
    if manner.style in {"plain", "bitmap", "dots", "italic", "curved"} and not manner.beyond_window:
        old = (np.clip(before[area].astype(np.float32), low, high) - low) / (high - low) * 255
        changed = np.abs(levels - old)
        difference = np.minimum(difference, changed.max(axis=2) if changed.ndim == 3 else changed)
    return float((difference[letters] >= 18).mean()) >= 0.9


def _draw(
    random: Random,
    base: Base,
    values: NDArray[Any],
    mask: NDArray[Any],
    left: int,
    top: int,
    manner: Manner,
) -> NDArray[np.bool_]:
    """Blend the mask into `values` and return its ink in the whole frame."""
    rows, columns = values.shape[:2]
    down, right = max(-top, 0), max(-left, 0)
    mask = mask[down : rows - top, right : columns - left]
    top, left = max(top, 0), max(left, 0)
    area = values[top : top + mask.shape[0], left : left + mask.shape[1]].astype(np.float32)
    low, high = base.shown_range
    level = (high - low) / 255
    contrast = random.uniform(*manner.contrast)
    around = np.median(np.clip(area, low, high), axis=(0, 1))
    is_inverted = base.attributes["PhotometricInterpretation"] == "MONOCHROME1"
    brighter = bool(np.mean((around - low) / level) < 128) != manner.is_dark
    if manner.contrast[0] >= 90:
        brighter = not manner.is_dark
        if is_inverted:
            brighter = not brighter
    ink_value = np.clip(around + (contrast if brighter else -contrast) * level, low, high)
    if manner.colour:
        tint = random.choice(
            [(255, 255, 0), (0, 255, 0), (0, 255, 255), (255, 128, 0), (255, 90, 90)]
        )
        ink_value = np.array(tint, np.float32)
    if manner.beyond_window:
        ink_value = np.float32(high + (high - low) * 2)
        area[:] = high + (high - low) * 1.2
    halo = low if np.mean((ink_value - low) / level) > 128 else high
    weight = mask if area.ndim == 2 else mask[..., None]
    if manner.style == "boxed":
        area[:] = high
        ink_value = low if area.ndim == 2 else np.zeros(3, np.float32)
    elif manner.style in {"outlined", "shadowed"}:
        shape = np.ones((3, 3), np.uint8)
        wide = (
            cv2.dilate(mask, shape) if manner.style == "outlined" else np.roll(mask, (1, 1), (0, 1))
        )
        area += (halo - area) * (wide if area.ndim == 2 else wide[..., None])
    area += (ink_value - area) * weight
    limits = _limits(base)
    values[top : top + mask.shape[0], left : left + mask.shape[1]] = np.clip(
        np.round(area), *limits
    ).astype(values.dtype)
    ink = np.zeros((rows, columns), np.bool_)
    ink[top : top + mask.shape[0], left : left + mask.shape[1]] = mask > 0.4
    return ink


def _limits(base: Base) -> tuple[int, int]:
    stored = int(base.attributes["BitsStored"])
    if base.attributes.get("PixelRepresentation"):
        return -(1 << (stored - 1)), (1 << (stored - 1)) - 1
    return 0, (1 << stored) - 1


def _position(
    random: Random, base: Base, mask: NDArray[Any], taken: NDArray[np.bool_], manner: Manner
) -> tuple[int, int] | None:
    rows, columns = taken.shape
    height, width = mask.shape
    if height + 4 > rows or width + 4 > columns:
        return None
    for _ in range(60):
        left, top = random.randrange(2, columns - width - 1), random.randrange(2, rows - height - 1)
        if manner.over_anatomy:
            left = columns // 4 + random.randrange(max(columns // 2 - width, 1))
            top = rows // 4 + random.randrange(max(rows // 2 - height, 1))
            left, top = min(left, columns - width - 2), min(top, rows - height - 2)
        if manner.at_edge:
            side = random.randrange(4)
            left = (0, columns - width, left, left)[side]
            top = (top, top, 0, rows - height)[side]
        if not taken[top : top + height, left : left + width].any():
            return left, top
    return None


def _below(
    random: Random, mask: NDArray[Any], taken: NDArray[np.bool_], placed: list[Placed]
) -> tuple[int, int] | None:
    """Return a place for the next line of a block, None when it has no room there."""
    left, _, _, bottom = placed[-1].box
    left, top = max(left - 2, 0), bottom + random.randrange(2, 6) - 2  # masks have a margin of 2
    area = taken[top + 2 : top + mask.shape[0], left : left + mask.shape[1]]
    fits = area.shape == (mask.shape[0] - 2, mask.shape[1])
    return (left, top) if fits and not area.any() else None


def _mask(random: Random, text: str, manner: Manner) -> NDArray[Any]:
    """Return the text's coverage, 0 to 1, trimmed to a margin of two pixels."""
    size = random.randint(*manner.height)
    if manner.style == "bitmap":
        return _bitmap_mask(random, text, size)
    if manner.style == "dots":
        return _dotted_mask(random, text)
    font = _font(_name_for(random, text, manner), size)
    spaced = (" " * manner.spacing).join(text) if manner.spacing else text
    left, top, right, bottom = font.getbbox(spaced)
    image = Image.new("L", (int(right - left) + 4, int(bottom - top) + 4), 0)
    ImageDraw.Draw(image).text((2 - left, 2 - top), spaced, 255, font=font)
    mask = np.asarray(image, np.float32) / 255
    return _on_arc(random, mask) if manner.style == "curved" else mask


def _on_arc(random: Random, mask: NDArray[Any]) -> NDArray[Any]:
    """Return a line of text bent along an arc of 40 to 100 degrees, its middle the highest or the lowest."""
    height, width = mask.shape
    angle = np.radians(random.uniform(40, 100))
    radius = max(
        width / angle, 1.5 * height
    )  # of the line's lower edge, or upper one where it hangs
    half = min(width / radius, np.pi) / 2
    hangs = random.random() < 0.4
    inner, outer = (radius - height, radius) if hangs else (radius, radius + height)
    columns = int(np.ceil(2 * outer * np.sin(half))) + 4
    rows = int(np.ceil(outer - inner * np.cos(half))) + 4
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    x -= columns / 2
    # Above the centre of a circle, or below it.
    y = y - (rows - 2 - outer) if hangs else outer + 2 - y
    along = np.arctan2(x, y) * radius + width / 2
    across = np.hypot(x, y) - inner
    across = across if hangs else height - across
    bent = cv2.remap(mask, along.astype(np.float32), across.astype(np.float32), cv2.INTER_LINEAR)
    return np.asarray(bent, np.float32)


def _bitmap_mask(random: Random, text: str, size: int) -> NDArray[Any]:
    if random.random() < 0.5:  # PIL's 6 x 11 raster font, enlarged by whole factors
        font = ImageFont.load_default_imagefont()
        left, top, right, bottom = font.getbbox(text)
        image = Image.new("1", (int(right - left) + 4, int(bottom - top) + 4), 0)
        ImageDraw.Draw(image).text((2, 2), text, 1, font=font)
        factor = 2 if size >= 18 else 1
        return np.asarray(image, np.float32).repeat(factor, 0).repeat(factor, 1)
    scale = size / 30
    face = random.choice(
        [cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_DUPLEX]
    )
    scale *= 1.8 if face == cv2.FONT_HERSHEY_PLAIN else 1
    (width, height), baseline = cv2.getTextSize(text, face, scale, 1)
    canvas = np.zeros((height + baseline + 6, width + 6), np.uint8)
    cv2.putText(canvas, text, (3, height + 2), face, scale, 255, 1, cv2.LINE_8)
    return canvas.astype(np.float32) / 255


def _dotted_mask(random: Random, text: str) -> NDArray[Any]:
    """Return the raster font as a display of dots shows it: squares with a dark line between."""
    font = ImageFont.load_default_imagefont()
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("1", (int(right - left) + 2, int(bottom - top) + 2), 0)
    ImageDraw.Draw(image).text((1, 1), text, 1, font=font)
    step = random.choice([2, 3])
    dots = np.asarray(image, np.float32).repeat(step, 0).repeat(step, 1)
    dots[::step] = 0
    dots[:, ::step] = 0
    return dots


def _rotated(mask: NDArray[Any], angle: int) -> NDArray[Any]:
    if angle % 90 == 0:
        return np.ascontiguousarray(np.rot90(mask, angle // 90))
    image = Image.fromarray((mask * 255).astype(np.uint8))
    turned = image.rotate(angle, resample=Image.Resampling.BICUBIC, expand=True)
    return np.asarray(turned, np.float32) / 255


def _name_for(random: Random, text: str, manner: Manner) -> str:
    if manner.font:
        return manner.font
    if any("\u3000" <= character <= "\u9fff" for character in text):
        return "DroidSansFallbackFull.ttf"
    if not text.isascii():
        return "DejaVuSans.ttf"
    return random.choice(_ITALIC if manner.style == "italic" else _PLAIN)


@functools.cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    path = _font_files().get(name) or _font_files().get("DejaVuSans.ttf")
    if path is None:
        return ImageFont.load_default(size)
    return ImageFont.truetype(str(path), size)


def _has_glyphs(text: str, manner: Manner) -> bool:
    """Whether the font of a text has its script; boxes in place of letters are no text."""
    if text.isascii():
        return True
    if manner.font and manner.font not in _font_files():
        return False
    font = _font(_name_for(Random(0), text, manner), 20)
    missing = bytes(font.getmask("\U0010fffe"))
    return all(bytes(font.getmask(letter)) != missing for letter in text if not letter.isspace())


@functools.cache
def _font_files() -> dict[str, Path]:
    return {
        path.name: path
        for folder in (*_FONT_FOLDERS, *_more_font_folders)
        for path in sorted(Path(folder).rglob("*.*"))
        if path.suffix in {".ttf", ".otf", ".ttc"}
    }


_more_font_folders: list[str] = []


def use_fonts(folder: str) -> None:
    """Look for fonts in one more folder."""
    _more_font_folders.append(folder)
    _font_files.cache_clear()
    _font.cache_clear()


def fonts_at_hand() -> tuple[int, int]:
    """Return how many of the Latin fonts are installed, and of how many; DejaVu stands in for the rest."""
    names = {*_PLAIN, *_ITALIC}
    return len(names & _font_files().keys()), len(names)
