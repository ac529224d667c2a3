"""``dicomveil fsck``: find rows and blobs that do not agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.cli import arguments

if TYPE_CHECKING:
    import argparse

NAME = "fsck"
HELP = "look for rows without blobs, blobs without rows, and blobs that have changed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("--repair", action="store_true", help="repair what can be repaired")
    arguments.add_config(parser)
    arguments.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print what was found."""
    raise NotImplementedError
