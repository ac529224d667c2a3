"""Reads what pixel cleaning is handed: text models and region templates. Nothing is downloaded.

The models are those that the installed rapidocr distribution carries; rapidocr itself is never
imported, its wheel is only where they lie.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from importlib import metadata, resources
from pathlib import Path

from deid.pixels.find.ppocr import PPOCR, Tuning
from deid.pixels.templates import RegionTemplate, read_templates

_DISTRIBUTION = "rapidocr"
#: Of glibc's malloc.h, and from how many bytes on a block is mapped by itself.
_M_MMAP_THRESHOLD = -3
_MAPPED_FROM_BYTES = 1 << 20


class PixelModelsMissing(Exception):
    """The installed rapidocr carries no such model, or is not installed."""


@dataclass(frozen=True, slots=True)
class PixelModels:
    """Two ONNX models and the version of the distribution they came from."""

    detection: bytes = field(repr=False)
    recognition: bytes = field(repr=False)
    version: str


def read_pixel_models() -> PixelModels:
    """Read detector and recogniser.

    Raises
    ------
    PixelModelsMissing
        Naming what was looked for.
    """
    try:
        distribution = metadata.distribution(_DISTRIBUTION)
    except metadata.PackageNotFoundError as error:
        raise PixelModelsMissing(f"the package {_DISTRIBUTION} is not installed") from error
    return PixelModels(
        _read(distribution, "_det_"), _read(distribution, "_rec_"), distribution.version
    )


def make_detector(
    models: PixelModels | None = None, *, threads: int = 1, tuning: Tuning | None = None
) -> PPOCR:
    """Return the default text detector; takes some 0.2 s, so a worker makes it once."""
    give_back_freed_memory()
    found = models or read_pixel_models()
    return PPOCR(found.detection, found.recognition, threads=threads, tuning=tuning)


def give_back_freed_memory() -> None:
    """Let this process return large blocks to the system as soon as they are freed.

    A picture and a model's layers are blocks of many sizes. As it comes, glibc keeps freed ones of up
    to 32 MB in a heap with holes, which made the peak of a large frame differ by 150 MiB from run to
    run. Other C libraries are left as they are.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_MMAP_THRESHOLD, _MAPPED_FROM_BYTES)


def read_region_templates(*folders: Path) -> list[RegionTemplate]:
    """Read the shipped region templates, then the ``*.toml`` of a site's own folders, in order.

    Raises
    ------
    deid.errors.ConfigurationInvalid
        Naming file and template.
    OSError
        If a folder cannot be read.
    """
    shipped = resources.files("config") / "regions"
    files = sorted(
        (entry for entry in shipped.iterdir() if entry.name.endswith(".toml")),
        key=lambda entry: entry.name,
    )
    templates = [
        template
        for file in files
        for template in read_templates(file.read_bytes(), where=f"config/regions/{file.name}")
    ]
    for folder in folders:
        # `iterdir`, not `glob`, which finds nothing in a folder that does not exist.
        for path in sorted(file for file in folder.iterdir() if file.suffix == ".toml"):
            templates += read_templates(path.read_bytes(), where=str(path))
    return templates


def _read(distribution: metadata.Distribution, part: str) -> bytes:
    for file in distribution.files or ():
        if file.suffix == ".onnx" and part in file.name:
            return Path(str(file.locate())).read_bytes()
    raise PixelModelsMissing(f"{_DISTRIBUTION} {distribution.version} has no model *{part}*.onnx")
