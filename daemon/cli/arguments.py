"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from config import Settings


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add ``--config``."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=(
            "the configuration file (else $DICOMVEIL_CONFIG, ./dicomveil.toml, "
            "/etc/dicomveil/dicomveil.toml, else defaults)"
        ),
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def settings(options: argparse.Namespace) -> Settings:
    """Return the settings that ``--config`` and the environment lead to."""
    import config  # noqa: PLC0415 - commands load what they need when they run

    return config.load(options.config)
