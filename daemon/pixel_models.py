"""Reads what pixel cleaning is handed: text models and region templates. Nothing is downloaded.

The models are those that the installed rapidocr distribution carries; rapidocr itself is never
imported, its wheel is only where they lie.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import metadata, resources
from pathlib import Path

from deid.pixels import PPOCR, RegionTemplate, Tuning, read_templates

_DISTRIBUTION = "rapidocr"


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
    found = models or read_pixel_models()
    return PPOCR(found.detection, found.recognition, threads=threads, tuning=tuning)


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
