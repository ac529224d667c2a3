"""Reads the text models that pixel cleaning is handed. Nothing is downloaded.

The models are those that the installed rapidocr distribution carries; rapidocr itself is never
imported, its wheel is only where they lie.
"""

from __future__ import annotations

import ctypes
import hashlib
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.engines.runtimes import ready_model
from deid.pixels.find.ppocr import PPOCR
from deid.pixels.find.reading import Recogniser
from deid.pixels.find.sieve import SIEVE, Sieve
from deid.pixels.judgement import (
    is_cut_perhaps,
    is_misread_perhaps,
    is_misspelt_perhaps,
    may_stay,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deid.pixels.find.tuning import Tuning
    from deid.pixels.ports import Model

    Runtime = Callable[..., Model]

_DISTRIBUTION = "rapidocr"
#: The models that every figure was measured with: file name and SHA-256.
_DETECTION = (
    "PP-OCRv6_det_small.onnx",
    "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
)
_RECOGNITION = (
    "PP-OCRv6_rec_small.onnx",
    "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
)
#: Of glibc's malloc.h, and from how many bytes on a block is mapped by itself.
_M_MMAP_THRESHOLD = -3
_MAPPED_FROM_BYTES = 1 << 20


class PixelModelsMissing(Exception):
    """The installed rapidocr carries no such model, another one by that name, or is not installed."""


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
        _read(distribution, *_DETECTION), _read(distribution, *_RECOGNITION), distribution.version
    )


def make_detector(
    models: PixelModels | None = None,
    *,
    threads: int = 1,
    tuning: Tuning | None = None,
    runtime: Runtime = ready_model,
) -> PPOCR:
    """Return the default text detector; takes some 0.2 s, so a worker makes it once."""
    map_large_blocks()
    found = models or read_pixel_models()
    ready = partial(runtime, threads=threads)
    alphabet = metadata_of(found.recognition)["character"].splitlines()
    detector = PPOCR(
        ready(found.detection),
        Recogniser(
            ready(found.recognition),
            alphabet,
            is_doubtful=is_misread_perhaps,
            is_perhaps_cut=is_cut_perhaps,
            is_perhaps_misspelt=is_misspelt_perhaps,
            may_stay=may_stay,
        ),
        make_sieve(threads=threads, runtime=runtime),
        tuning=tuning,
    )
    give_back_freed_memory()  # 47 MiB of what the models were read from
    return detector


def make_sieve(*, threads: int = 1, runtime: Runtime = ready_model) -> Sieve:
    """Return the model of the project that tells where letters may be."""
    return Sieve(runtime((files("deid.tables") / SIEVE).read_bytes(), threads=threads))


def map_large_blocks() -> None:
    """Let this process return large blocks to the system as soon as they are freed.

    A picture and its views are blocks of many sizes. As it comes, glibc keeps freed ones of up
    to 32 MB in a heap with holes, which made the peak of a large frame differ by 150 MiB from run to
    run. Other C libraries are left as they are.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_MMAP_THRESHOLD, _MAPPED_FROM_BYTES)


def give_back_freed_memory() -> None:
    """Return the holes in this process's heap to the system; of other C libraries than glibc's, nothing."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def metadata_of(model: bytes) -> dict[str, str]:
    """Return what an ONNX model says of itself: metadata_props, field 14 of ModelProto."""
    return {
        fields[1].decode(): fields[2].decode()
        for number, value in _fields(model)
        if number == 14
        for fields in (dict(_fields(value)),)
    }


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of a protocol buffer's length-delimited fields; others are passed over."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 == 2:
            length, at = _varint(message, at)
            yield tag >> 3, message[at : at + length]
            at += length
        elif tag & 7 == 0:
            _, at = _varint(message, at)
        else:
            at += 8 if tag & 7 == 1 else 4


def _varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def _read(distribution: metadata.Distribution, name: str, digest: str) -> bytes:
    for file in distribution.files or ():
        if file.name == name:
            model = Path(str(file.locate())).read_bytes()
            if hashlib.sha256(model).hexdigest() != digest:
                break
            return model
    raise PixelModelsMissing(
        f"{_DISTRIBUTION} {distribution.version} has no model {name} of the known digest"
    )
