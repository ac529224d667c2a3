"""``dicomveil regions``: show where text was found in a sample, and print a region template for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli import arguments

if TYPE_CHECKING:
    import argparse

NAME = "regions"
HELP = "find burned-in text in a sample, draw it, and print a region template for its machine"


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
    """Find, draw and print; the libraries for pictures are loaded only now."""
    from daemon.engines import samples as pixel_sample  # noqa: PLC0415

    return pixel_sample.run(options, arguments.pixels(options, arguments.settings(options)))
