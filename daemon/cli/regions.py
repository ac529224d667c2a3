"""``dicomveil regions``: show where text was found in a sample, and print a region template for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli import arguments, exit_codes
from daemon.cli.errors import CommandFailed, UsageError

if TYPE_CHECKING:
    import argparse

NAME = "regions"
HELP = "find burned-in text in a sample, draw it, and print a region template for its machine"
EXAMPLES = (
    ("regions ultrasound.dcm", "print a template for that machine"),
    ("regions ultrasound.dcm --png found.png", "and draw what was found"),
    ("regions ultrasound.dcm --name ward-3", "with a name of your own"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.description = (
        "Find the text in the first frame of FILE, print a region template for that kind of machine"
        " to standard output, and draw what was found. The picture shows the patient's data: keep it"
        " where the source is kept."
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="a DICOM instance")
    parser.add_argument(
        "--png", type=Path, metavar="OUT.png", help="draw source, regions and result"
    )
    parser.add_argument("--name", default="", help="name of the template (default: from the model)")
    arguments.add_config(parser)


def run(options: argparse.Namespace) -> int:
    """Find, draw and print; the libraries for pictures are loaded only now.

    Raises
    ------
    UsageError
        If the file is no instance with pixels, or the picture's name does not end in ``.png``.
    CommandFailed
        If its pixels cannot be decoded, or the picture cannot be written.
    """
    if options.png is not None and options.png.suffix.lower() != ".png":
        # What has that name already is replaced, and that must not be an instance.
        raise UsageError(f"--png {options.png} does not end in .png")
    from daemon.engines import samples  # noqa: PLC0415
    from deid.errors import Unsafe  # noqa: PLC0415

    pixels = arguments.pixels(options, arguments.settings(options))
    try:
        looked = samples.look(samples.read(options.file), pixels)
    except samples.NotASample as error:
        raise UsageError(f"{options.file} {error}") from error
    except Unsafe as error:
        raise CommandFailed(f"{options.file}: {error.reason.value} at {error.where}") from error
    if options.png is not None:
        _write(options.png, looked.drawing())
    sys.stdout.write(looked.template(options.name))
    return exit_codes.OK


def _write(path: Path, picture_of_patient: bytes) -> None:
    """Write for the user alone: the picture shows the patient's data."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(picture_of_patient)
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}") from error
