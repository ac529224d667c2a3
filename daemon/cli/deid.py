"""``dicomveil deid``: de-identify files and folders, without a daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.cli import arguments

if TYPE_CHECKING:
    import argparse

NAME = "deid"
HELP = "de-identify files, folders and zip archives into a folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    arguments.add_config(parser)


def run(options: argparse.Namespace) -> int:
    """Run it."""
    raise NotImplementedError
