"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from config import Settings
    from daemon.engines.pixels import PixelSettings


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


def pixels(
    options: argparse.Namespace, settings: Settings, *, thorough: bool = False
) -> PixelSettings:
    """Return how pixels are looked at, once it is known to work on this machine.

    The defaults need nothing but what is installed with us, and are looked into when `thorough`.

    Raises
    ------
    config.ConfigError
        Naming file and key of what cannot work here.
    """
    import config  # noqa: PLC0415
    from config.settings import Pixels  # noqa: PLC0415
    from daemon.engines import pixels as engines  # noqa: PLC0415

    chosen = engines.PixelSettings.of(settings.pixels)
    if thorough or settings.pixels != Pixels():
        file = config.locate(options.config)
        source = str(file) if file else "built-in defaults"
        found = [
            config.Problem(source, f"pixels.{key}", "", sentence)
            for key, sentence in engines.problems(chosen)
        ]
        if found:
            raise config.ConfigInvalid(found)
    return chosen
