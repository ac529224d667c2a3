"""``dicomveil completion``: what a shell loads to complete commands, options and names."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli import exit_codes

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "completion"
HELP = "print what a shell loads to complete commands, options and names"
EXAMPLES = (
    ("completion bash > ~/.local/share/bash-completion/completions/dicomveil", "for bash"),
    ("completion zsh > ~/.zfunc/_dicomveil", "for zsh, with ~/.zfunc in fpath"),
    ("completion tcsh > ~/.dicomveil.tcsh", "for tcsh, to be sourced by ~/.tcshrc"),
)
SHELLS = ("bash", "zsh", "tcsh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("shell", choices=SHELLS, help="the shell")


def run(options: argparse.Namespace) -> int:
    """Print it."""
    import shtab  # noqa: PLC0415

    for action in _actions(options.described):
        _describe(action)
    sys.stdout.write(shtab.complete(options.described, options.shell))
    return exit_codes.OK


def _describe(action: argparse.Action) -> None:
    """Say what stands in the place of an argument: a file, a folder, or one of some names."""
    import shtab  # noqa: PLC0415

    from config import presets  # noqa: PLC0415
    from daemon.reasons import REASONS  # noqa: PLC0415

    if action.type is Path:
        is_folder = action.metavar == "DIR"
        action.complete = shtab.DIRECTORY if is_folder else shtab.FILE  # type: ignore[attr-defined]
    elif action.dest in {"code", "reason"}:
        action.choices = list(REASONS)
    elif action.dest == "deidentifier":
        action.choices = list(presets.names())


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to ask
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for inner in action.choices.values():
                yield from _actions(inner)
