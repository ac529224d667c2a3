"""The benchmark's instances: one category is one way of burning in, with its bases."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Any

import cv2
import imagecodecs
import numpy as np

from deid.identity.identifiers import KnownIdentifier
from deid.ports import PixelInstance
from tests.benchmarks.pixels.bases import (
    Base,
    real_bases,
    synthetic_cr,
    synthetic_ct,
    synthetic_screen,
    synthetic_ultrasound,
)
from tests.benchmarks.pixels.burn import Manner, Placed, burn
from tests.benchmarks.pixels.codes import SYMBOLOGIES, burn_code, some_value
from tests.benchmarks.pixels.scripts import SCRIPTS
from tests.benchmarks.pixels.strings import Burned, make_person, some_texts
from tests.benchmarks.pixels.textless.functional import ecg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"


@dataclass(frozen=True, slots=True)
class Sample:
    """One instance and the texts in it: frame (counted from 0), number of the text, the text."""

    category: str
    seed: int
    instance: PixelInstance = field(repr=False)
    placed: list[tuple[int, int, Placed]] = field(repr=False)
    base: str = ""


@dataclass(frozen=True, slots=True)
class Category:
    """A manner on some bases, in some encoding."""

    name: str
    manner: Manner
    base: Callable[[Random], Base]
    texts: int = 5
    encoding: str = ""


def _any_real(random: Random) -> Base:
    return random.choice(real_bases(256))


def _any_synthetic(random: Random) -> Base:
    makers: list[Callable[[Random], Base]] = [synthetic_ultrasound, synthetic_ct, synthetic_cr]
    return random.choice(makers)(random)


def _any(random: Random) -> Base:
    return _any_real(random) if random.random() < 0.5 else _any_synthetic(random)


def _any_colour(random: Random) -> Base:
    makers: list[Callable[[Random], Base]] = [synthetic_ultrasound, synthetic_screen]
    return random.choice(makers)(random)


def _deep(random: Random) -> Base:
    return random.choice([*(base for base in real_bases(256) if base.values.dtype.itemsize > 1)])


def _any_ct(random: Random) -> Base:
    return synthetic_ct(random)


def _any_cr(random: Random) -> Base:
    return synthetic_cr(random)


def _any_small(random: Random) -> Base:
    return synthetic_ct(random, random.choice([128, 192, 256]))


def _striped(random: Random) -> Base:
    """Return a ground with stripes across it, as of blinds, grids and colour bars."""
    base = _any_synthetic(random)
    low, high = base.shown_range
    rows, columns = np.mgrid[0 : base.values.shape[0], 0 : base.values.shape[1]]
    angle, pitch = random.choice((0.0, 0.0, np.pi / 2, 0.4)), random.uniform(8, 40)
    across = rows * np.cos(angle) + columns * np.sin(angle)
    bright = (across / pitch) % 1 < random.uniform(0.3, 0.6)
    lifted = base.values + bright.reshape(
        bright.shape + (1,) * (base.values.ndim - 2)
    ) * random.uniform(0.15, 0.4) * (high - low)
    values = np.clip(np.round(lifted), low, high).astype(base.values.dtype)
    return replace(base, values=values)


def _traces(random: Random) -> Base:
    return ecg(np.random.default_rng(random.randrange(1 << 32)))


def _huge(random: Random) -> Base:
    return synthetic_cr(random, 2500, 3000)


CATEGORIES = (
    Category("plain", Manner(), _any),
    Category("real frames", Manner(), _any_real),
    Category("tiny", Manner(height=(8, 10), contrast=(140, 255)), _any),
    Category("large", Manner(height=(40, 64)), _any, 3),
    Category("low contrast", Manner(contrast=(20, 36), height=(14, 24)), _any_synthetic),
    Category("over anatomy", Manner(over_anatomy=True), _any),
    Category("rotated 90", Manner(angle=(90,)), _any, 4),
    Category("rotated 180", Manner(angle=(180,)), _any, 4),
    Category("rotated 270", Manner(angle=(270,)), _any, 4),
    Category("slanted", Manner(angle=(-15, -8, 7, 12), height=(14, 24)), _any, 4),
    Category("outlined", Manner(style="outlined", over_anatomy=True), _any),
    Category("shadowed", Manner(style="shadowed"), _any),
    Category("boxed", Manner(style="boxed"), _any),
    Category("dark on bright", Manner(is_dark=True), synthetic_screen),
    Category("window extreme", Manner(beyond_window=True, height=(14, 26)), _any_ct),
    Category("signed", Manner(), _any_ct),
    Category("projection", Manner(), _any_cr),
    Category("bitmap font", Manner(style="bitmap", height=(14, 26)), _any),
    Category("italic", Manner(style="italic", height=(14, 26)), _any),
    Category("spaced letters", Manner(spacing=1, height=(14, 22)), _any, 3),
    Category("lines", Manner(height=(10, 18), is_block=True), _any, 6),
    Category("curved", Manner(style="curved", height=(14, 28)), _any, 3),
    Category("on stripes", Manner(height=(14, 24)), _striped),
    Category("across traces", Manner(height=(14, 24), contrast=(89, 220)), _traces),
    Category("dots", Manner(style="dots"), _any),
    Category("thumbnail", Manner(height=(9, 12), contrast=(140, 255)), _any_small, 3),
    Category("at the edge", Manner(at_edge=True), _any, 4),
    Category("non-latin", Manner(height=(16, 28)), _any, 4),
    Category("scripts", Manner(height=(16, 28)), _any, 8),
    Category("codes", Manner(), _any, 3),
    Category("coloured", Manner(colour=True), _any_colour),
    Category("palette", Manner(), synthetic_ultrasound, encoding="palette"),
    Category("ybr", Manner(), synthetic_ultrasound, encoding="ybr"),
    Category("jpeg artefacts", Manner(), _any_colour, encoding="jpeg"),
    Category("screen capture", Manner(height=(11, 18)), synthetic_screen, 10),
    Category("ultrasound", Manner(height=(12, 20)), synthetic_ultrasound, 8),
    Category("huge", Manner(height=(24, 48)), _huge, 8),
    Category("cine static", Manner(), synthetic_ultrasound, 4, "cine static"),
    Category("cine transient", Manner(), synthetic_ultrasound, 3, "cine transient"),
    Category("cine moving", Manner(), synthetic_ultrasound, 2, "cine moving"),
    Category("cine fading", Manner(), synthetic_ultrasound, 3, "cine fading"),
    Category("cine dark", Manner(is_dark=True), synthetic_screen, 3, "cine transient"),
)


#: Share of its contrast from which on a text that fades in is to be filled.
_SEEN = 0.5


def samples(seeds: range, *, only: str = "") -> Iterator[Sample]:
    """Yield every category's samples for these seeds; odd seeds are the held-out half."""
    for category in CATEGORIES:
        if only and only not in category.name:
            continue
        for seed in seeds:
            yield _sample(category, seed)


def _sample(category: Category, seed: int) -> Sample:
    random = Random(zlib.crc32(category.name.encode()) * 1000 + seed)
    half = seed % 2
    person = make_person(random, half)
    base = category.base(random)
    texts = some_texts(random, person, half, category.texts)
    known = person.known
    if category.name == "non-latin":
        texts = [Burned(text, is_identifying=True) for text in random.sample(person.foreign, 4)]
        known += tuple(KnownIdentifier(text.text, "PERSON_NAME") for text in texts)
    if category.name == "scripts":
        return _of_scripts(category, seed, random, base)
    if category.name == "codes":
        return _of_codes(category, seed, random)
    if category.encoding.startswith("cine"):
        return _cine(category, seed, random, base, texts, known)
    burned, placed = burn(random, base, texts, category.manner)
    instance = make_instance([burned.values], burned.attributes, known, category.encoding)
    numbered = [(0, number, entry) for number, entry in enumerate(placed)]
    return Sample(category.name, seed, instance, numbered, base.name)


def _of_scripts(category: Category, seed: int, random: Random, base: Base) -> Sample:
    """Return names in scripts, each in a font that has it; those never trained with come first."""
    half = seed % 2
    held_out = [script for script in SCRIPTS if script.is_held_out]
    others = [script for script in SCRIPTS if not script.is_held_out]
    chosen = [*(held_out if half else ()), *random.sample(others, category.texts)]
    taken = np.zeros(base.values.shape[:2], np.bool_)
    placed: list[Placed] = []
    for script in chosen[: category.texts]:
        text = Burned(random.choice(script.names[half::2]), is_identifying=True)
        base, entries = burn(
            random, base, [text], replace(category.manner, font=script.font), taken
        )
        placed += entries
    known = tuple(KnownIdentifier(entry.text, "PERSON_NAME") for entry in placed)
    instance = make_instance([base.values], base.attributes, known)
    numbered = [(0, number, entry) for number, entry in enumerate(placed)]
    return Sample(category.name, seed, instance, numbered, base.name)


def _of_codes(category: Category, seed: int, random: Random) -> Sample:
    """Return codes of three symbologies, so that the seeds of a run show all."""
    base = category.base(random)
    placed: list[Placed] = []
    names = list(SYMBOLOGIES)
    for number in range(3):
        symbology = names[(seed // 2 * 3 + number) % len(names)]
        burned, entries = burn_code(random, base, symbology, some_value(random, symbology))
        if entries and not any((entries[0].ink & other.ink).any() for other in placed):
            base, placed = burned, placed + entries
    instance = make_instance([base.values], base.attributes, ())
    numbered = [(0, number, entry) for number, entry in enumerate(placed)]
    return Sample(category.name, seed, instance, numbered, base.name)


def _cine(
    category: Category,
    seed: int,
    random: Random,
    base: Base,
    texts: list[Burned],
    known: tuple[KnownIdentifier, ...],
    frames: int = 24,
) -> Sample:
    noise = np.random.default_rng(seed)
    moving = [_beating(base.values, number, noise) for number in range(frames)]
    placed: list[tuple[int, int, Placed]] = []
    kind = category.encoding.removeprefix("cine ")
    taken = np.zeros(base.values.shape[:2], np.bool_)
    if kind == "static":
        _, entries = burn(random, base, texts, category.manner)
        state = random.getstate()
        for number, values in enumerate(moving):
            random.setstate(state)
            for entry in entries:
                values[entry.ink] = 235
            placed += [(number, at, entry) for at, entry in enumerate(entries)]
    elif kind == "transient":
        for at, burned in enumerate(texts):
            first = random.randrange(1, frames - 6)
            drawn, entries = burn(random, base, [burned], category.manner, taken)
            for number in range(first, first + 6):
                for entry in entries:
                    moving[number][entry.ink] = drawn.values[entry.ink]
                    placed.append((number, at, entry))
    elif kind == "fading":
        drawn, entries = burn(random, base, texts, category.manner)
        first, lasting = random.randrange(1, 4), random.randrange(12, frames - 4)
        for number in range(first, frames):
            share = min((number - first) / lasting, 1.0)
            for at, entry in enumerate(entries):
                shown, wanted = (values[entry.ink] for values in (moving[number], drawn.values))
                moving[number][entry.ink] = np.round(shown * (1 - share) + wanted * share)
                if share > _SEEN:
                    placed.append((number, at, entry))
    else:
        for at, burned in enumerate(texts):
            drawn, entries = burn(random, base, [burned], category.manner, taken)
            for entry in entries:  # the whole line is its trail
                taken[entry.box[1] - 12 : entry.box[3] + 12] = True
            step = random.choice([-11, 9, 14])
            for number in range(frames):
                for entry in entries:
                    ink = np.roll(entry.ink, number * step, axis=1)
                    if _is_torn(ink):
                        continue
                    moving[number][ink] = 230
                    placed.append((number, at, replace(entry, ink=ink)))
    return Sample(
        category.name, seed, make_instance(moving, base.attributes, known, ""), placed, base.name
    )


def make_cine(
    random: Random,
    base: Base,
    texts: list[Burned],
    known: tuple[KnownIdentifier, ...],
    frames: int,
) -> PixelInstance:
    """Return a beating cine whose first half of the texts stays and whose second half moves."""
    half = len(texts) // 2
    still, _ = burn(random, base, texts[:half], Manner())
    noise = np.random.default_rng(3)
    moving = [_beating(base.values, number, noise) for number in range(frames)]
    changed = (still.values != base.values).any(axis=2)
    for values in moving:
        values[changed] = still.values[changed]
    for burned in texts[half : half + 2]:
        _, entries = burn(random, base, [burned], Manner())
        for number in range(frames):
            for entry in entries:
                ink = np.roll(entry.ink, number * 6, axis=1)
                if not _is_torn(ink):
                    moving[number][ink] = 230
    return make_instance(moving, base.attributes, known)


def _beating(values: NDArray[Any], number: int, noise: np.random.Generator) -> NDArray[Any]:
    """Return the frame with its speckle stretched to and fro, as a heart does."""
    rows, columns = values.shape[:2]
    swing = 1 + 0.03 * np.sin(number / 24 * 4 * np.pi)
    matrix = np.array(((swing, 0, columns / 2 * (1 - swing)), (0, swing, 0)), np.float32)
    moved = cv2.warpAffine(values, matrix, (columns, rows), borderMode=cv2.BORDER_REPLICATE)
    shaken = moved.astype(np.int16) + noise.integers(-4, 5, moved.shape)
    clipped: NDArray[Any] = np.clip(shaken, 0, 255).astype(np.uint8)
    return clipped


def _is_torn(ink: NDArray[np.bool_]) -> bool:
    return bool(ink[:, 0].any() or ink[:, -1].any())


def make_instance(
    frames: list[NDArray[Any]],
    attributes: dict[str, Any],
    known: tuple[KnownIdentifier, ...],
    encoding: str = "",
) -> PixelInstance:
    """Return an instance of these frames (stored values), native unless `encoding` says otherwise."""
    described = dict(attributes)
    first = frames[0]
    described |= {
        "Rows": first.shape[0],
        "Columns": first.shape[1],
        "SamplesPerPixel": 3 if first.ndim == 3 else 1,
        "NumberOfFrames": len(frames),
        "PlanarConfiguration": 0,
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
    }
    syntax = EXPLICIT_LITTLE_ENDIAN
    if encoding == "jpeg":
        syntax = JPEG_BASELINE
        described["PhotometricInterpretation"] = "YBR_FULL_422"
        encoded = imagecodecs.jpeg8_encode(first, level=55, subsampling="422")
        encoded += b"\0" * (len(encoded) % 2)
        value = (
            b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0"
            + len(encoded).to_bytes(4, "little")
            + encoded
        )
    elif encoding == "palette":
        index, entries = _quantised(first)
        described |= {"PhotometricInterpretation": "PALETTE COLOR", "SamplesPerPixel": 1}
        for channel, colour in enumerate(("Red", "Green", "Blue")):
            described[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
            table = entries[:, channel].astype("<u2") << 8
            described[f"{colour}PaletteColorLookupTableData"] = table.tobytes()
        value = index.tobytes()
    elif encoding == "ybr":
        described["PhotometricInterpretation"] = "YBR_FULL"
        turned = cv2.cvtColor(first, cv2.COLOR_RGB2YCrCb)[..., [0, 2, 1]]
        value = np.ascontiguousarray(turned).tobytes()
    else:
        value = b"".join(np.ascontiguousarray(frame).tobytes() for frame in frames)
    value += b"\0" * (len(value) % 2)
    return PixelInstance(syntax, described, value, 0, len(value), big_endian=False, known=known)


def _quantised(colour: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return indices into a palette of 6 x 6 x 6 colours in shuffled order."""
    order = np.random.default_rng(7).permutation(216)
    steps = (colour.astype(np.int32) * 5 + 127) // 255
    flat = steps[..., 0] * 36 + steps[..., 1] * 6 + steps[..., 2]
    entries = np.zeros((256, 3), np.uint8)
    number = np.arange(216)
    entries[order[number]] = np.stack((number // 36, number // 6 % 6, number % 6), axis=1) * 51
    index: NDArray[Any] = order[flat].astype(np.uint8)
    return index, entries
