"""``dicomveil serve``: run the service until SIGTERM or Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.cli import arguments

if TYPE_CHECKING:
    import argparse

NAME = "serve"
HELP = "receive, de-identify and serve until stopped"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    arguments.add_config(parser)


def run(options: argparse.Namespace) -> int:
    """Run the service and return its exit status."""
    import asyncio  # noqa: PLC0415

    settings = arguments.settings(options)
    from daemon import logs  # noqa: PLC0415
    from daemon.app import serve  # noqa: PLC0415

    logs.configure(settings.log.level, settings.log.format)
    return asyncio.run(serve(settings))
