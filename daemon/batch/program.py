"""What decides about the bytes of an output, as bytes to compare: the configuration, and the program itself."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

import deid

if TYPE_CHECKING:
    from daemon.batch.request import BatchRequest

_ROOMS = ("deid", "daemon/batch", "daemon/engines", "daemon/receive", "config/regions")


def made_by(request: BatchRequest, names: bytes) -> dict[str, bytes]:
    """Return what a run is told apart by; secrets among it, so only digests of it may be kept.

    Parameters
    ----------
    names
        What decides about the names of files.
    """
    pixels = request.pixels.document()
    templates = [_templates(Path(folder)) for folder in pixels["templates"]]
    configuration = [request.configuration, pixels, templates]
    return {
        "key": request.key,
        "configuration": orjson.dumps(configuration, option=orjson.OPT_SORT_KEYS),
        "program": _program(),
        "names": names,
    }


def _program() -> bytes:
    """Return a digest of the files that decide: a version number changes too seldom, contents take too long."""
    home = Path(deid.__file__).parents[1]
    digest = hashlib.sha256()
    for room in _ROOMS:
        for folder, folders, names in os.walk(home / room):
            folders[:] = sorted(each for each in folders if each != "__pycache__")
            for name in sorted(names):
                status = os.stat(f"{folder}/{name}")  # noqa: PTH116 - hundreds, at every start
                digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.digest()


def _templates(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.toml")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
