"""The table of kinds of frames without text, and the frames of each half.

Even seeds are for tuning and training, odd seeds are held out, and so are whole kinds: what is never
seen while tuning tells how the judgement fares on what nobody thought of.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tests.benchmarks.pixels.corpus import make_instance
from tests.benchmarks.pixels.textless import (
    anatomy,
    devices,
    functional,
    hardware,
    implants,
    machinery,
    objects,
    volumes,
)
from tests.benchmarks.pixels.textless.real import real_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.random import Generator

    from deid.ports import PixelInstance
    from tests.benchmarks.pixels.bases import Base


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of frame.

    Attributes
    ----------
    is_held_out
        Whether no frame of this kind is ever used for tuning or training.
    """

    name: str
    make: Callable[[Generator], Base]
    is_held_out: bool = False


KINDS = (
    Kind("MR brain", anatomy.mr_brain),
    Kind("MR mosaic", anatomy.mr_mosaic),
    Kind("MR spine", anatomy.mr_spine),
    Kind("CT disc with lesions", anatomy.ct_disc),
    Kind("CT body", anatomy.ct_body),
    Kind("CT sinuses", anatomy.bone_scan_ct, is_held_out=True),
    Kind("chest", anatomy.chest),
    Kind("hand", anatomy.hand, is_held_out=True),
    Kind("teeth", anatomy.teeth),
    Kind("vessels", anatomy.angiogram),
    Kind("mammogram", anatomy.mammogram),
    Kind("OCT", anatomy.oct_layers, is_held_out=True),
    Kind("stents", objects.stents),
    Kind("clips", objects.clips),
    Kind("wires", objects.wires),
    Kind("screws", objects.screws, is_held_out=True),
    Kind("coils and electrodes", objects.coils_and_electrodes),
    Kind("phantom", objects.phantom),
    Kind("line pairs", objects.line_pairs),
    Kind("rulers", objects.rulers),
    Kind("grids", objects.grids),
    Kind("noise", objects.noise_only),
    Kind("collimated", objects.collimated),
    Kind("rows of parts", devices.rows_of_parts),
    Kind("mixed parts", devices.mixed_parts),
    Kind("threads", devices.threads),
    Kind("patches", devices.patches),
    Kind("meshes", devices.meshes),
    Kind("closures", devices.closures, is_held_out=True),
    Kind("ultrasound", functional.ultrasound),
    Kind("Doppler", functional.doppler),
    Kind("spectrum", functional.spectral),
    Kind("intravascular", functional.intravascular, is_held_out=True),
    Kind("PET", functional.pet),
    Kind("scintigram", functional.scintigram),
    Kind("colour map", functional.colour_map),
    Kind("masked map", functional.masked_map),
    Kind("power Doppler", functional.power_doppler),
    Kind("ECG traces", functional.ecg),
    Kind("fundus", functional.fundus, is_held_out=True),
    Kind("endoscopy", functional.endoscopy),
    Kind("microscopy", functional.microscopy),
    Kind("dose", functional.dose),
)
#: Trained with, never measured by: what the judge is measured by is drawn in other ways.
ONLY_TRAINED = (
    Kind("springs", hardware.springs),
    Kind("bolts", hardware.bolts),
    Kind("tangles", hardware.tangles),
    Kind("leads", hardware.leads),
    Kind("seeds", hardware.seeds),
    Kind("wedges", hardware.wedges),
    Kind("hoses", hardware.hoses),
    Kind("sutures", machinery.sutures),
    Kind("windings", machinery.windings),
    Kind("racks", machinery.racks),
    Kind("beads", machinery.beads),
    Kind("trunks", machinery.trunks),
    Kind("fragments", machinery.fragments),
    Kind("cages", machinery.cages),
)
#: The same, of which only the trees that judge large regions again have learnt.
ONLY_TRAINED_LARGE = (
    Kind("crowns", implants.crowns),
    Kind("brackets", implants.brackets),
    Kind("plates", implants.plates),
    Kind("catheters", implants.catheters),
    Kind("zigzags", implants.zigzags),
    Kind("repeats", implants.repeats),
    Kind("shoots", implants.shoots),
)
#: Those trees have learnt from the even seeds of these, too, and the first ones and the sieve have not.
TRAINED_LARGE = (Kind("sections in rows", volumes.sections_in_rows),)


@dataclass(frozen=True, slots=True)
class Textless:
    """One instance without text."""

    kind: str
    seed: int
    instance: PixelInstance


def textless(seeds: range, *, only: str = "") -> Iterator[Textless]:
    """Yield an instance of each kind for each seed; kinds that are held out have odd seeds only."""
    for kind in (*KINDS, *TRAINED_LARGE):
        if only not in kind.name:
            continue
        for seed in seeds:
            if seed % 2 or not kind.is_held_out:
                base = made(kind, seed)
                yield Textless(kind.name, seed, make_instance([base.values], base.attributes, ()))
    if only in "multi-frame":
        for seed in seeds:
            yield Textless("multi-frame", seed, _multi_frame(seed))
    if only in "real":
        for number, base in enumerate(real_frames()):
            if number % 2 == seeds.start % 2:
                yield Textless("real", number, make_instance([base.values], base.attributes, ()))


def made(kind: Kind, seed: int) -> Base:
    """Return one frame."""
    noise = np.random.default_rng((zlib.crc32(kind.name.encode()), seed))
    return replace(kind.make(noise), name=kind.name)


def _multi_frame(seed: int) -> PixelInstance:
    """Return an enhanced instance: neighbouring sections, or one that moves."""
    noise = np.random.default_rng((seed, 17))
    first = [anatomy.mr_brain, anatomy.ct_body, anatomy.angiogram, functional.ultrasound][
        seed // 2 % 4
    ](noise)
    frames = []
    for number in range(8):
        shifted = np.roll(first.values, number * 2, axis=0)
        frames.append(
            np.ascontiguousarray(shifted[:, ::-1] if seed % 3 == 0 and number % 2 else shifted)
        )
    return make_instance(frames, first.attributes, ())
