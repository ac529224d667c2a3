"""``dicomveil explain``: what a deidentifier will do, in words, element by element."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli import arguments, exit_codes, output
from daemon.cli.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from pydantic import JsonValue

    from config import Settings
    from deid.errors import ConfigurationInvalid

NAME = "explain"
HELP = "say what a deidentifier does, element by element"
EXAMPLES = (
    ("explain", "the preset, or deidentifier, `default`"),
    ("explain research", "another one"),
    ("explain lung-study.json --json", "a file of your own, for programs"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument(
        "deidentifier",
        nargs="?",
        default="default",
        metavar="NAME|FILE.json",
        help="a deidentifier of the configuration, a shipped preset, or a file (default: default)",
    )
    arguments.add_config(parser)
    arguments.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the explanation."""
    configuration = find(options.deidentifier, arguments.settings(options))
    from deid.configuration.explain import explain  # noqa: PLC0415
    from deid.errors import ConfigurationInvalid  # noqa: PLC0415

    try:
        explanation = explain(configuration)
    except ConfigurationInvalid as error:
        raise in_file(options.deidentifier, error) from error
    from daemon.deidentifiers.identifying import told, warnings_of_configuration  # noqa: PLC0415

    warnings = [*warnings_of_configuration(configuration)]
    if options.json:
        output.print_json(explanation.document() | {"warnings": warnings})
    else:
        for line in explanation.lines():
            output.print_line(line)
        for warning in warnings:
            if warning not in explanation.warnings:
                output.print_line(f"Warning: {told(warning)}")
    return exit_codes.OK


def find(name: str, settings: Settings) -> dict[str, JsonValue]:
    """Return the configuration that a name on the command line stands for.

    A deidentifier of the site goes before a preset of the same name.

    Raises
    ------
    UsageError
        If there is neither, nor is it a file ending in ``.json``.
    """
    from config import presets  # noqa: PLC0415
    from daemon.deidentifiers.configuration_files import resolve  # noqa: PLC0415

    if name in settings.deidentifiers:
        return resolve(settings.deidentifiers[name].config)
    if name.endswith(".json") or name in presets.names():
        return resolve(name)
    known = sorted({*settings.deidentifiers, *presets.names()})
    nearest = difflib.get_close_matches(name, known, n=1)
    meant = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(known)}"
    also = "; a file's name has to end in .json" if Path(name).exists() else ""
    raise UsageError(f"no deidentifier or preset is called {name}; {meant}{also}")


def in_file(name: str, error: ConfigurationInvalid) -> ConfigurationInvalid:
    """Return the error with the name of the deidentifier or its file before each problem."""
    from deid.errors import ConfigurationInvalid  # noqa: PLC0415

    return ConfigurationInvalid([f"{name}: {problem}" for problem in error.problems])
