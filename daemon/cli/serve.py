"""``dicomveil serve``: run the service until SIGTERM or Ctrl-C."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from daemon.cli import arguments, output

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
    return asyncio.run(serve(settings, told=_tell))


def _tell(line: str) -> None:
    """Print at once: whoever started the service may read it through a pipe."""
    output.print_line(line)
    sys.stdout.flush()
