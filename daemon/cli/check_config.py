"""``dicomveil check-config``: everything wrong with the configuration, or what it says."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from daemon.cli import arguments, exit_codes, output

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from config import Problem, Settings

NAME = "check-config"
HELP = "check the configuration file and every de-identification configuration it names"
EXAMPLES = (
    ("check-config", "what would be read, and all that is wrong with it"),
    ("check-config --config dicomveil.toml", "this file"),
    ("check-config --json", "for programs"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    arguments.add_config(parser)
    arguments.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print every problem, or a summary when there is none."""
    import config  # noqa: PLC0415

    file = config.locate(options.config)
    name = str(file) if file else "built-in defaults"
    settings = None
    problems: list[Problem] = []
    notes: list[str] = []
    try:
        settings = config.load(options.config)
        problems = semantic_problems(settings, name)
        notes = [] if problems else leniencies(settings)
        arguments.pixels(options, settings, thorough=True)
    except config.ConfigError as error:
        problems = [*problems, *error.problems]
    if options.json:
        output.print_json(
            {
                "file": name,
                "ok": not problems,
                "problems": [asdict(each) for each in problems],
                "notes": notes,
            }
        )
    elif problems:
        for problem in problems:
            output.print_line(str(problem), sys.stderr)
    else:
        assert settings is not None
        _print_summary(name, settings)
        for note in notes:
            output.print_line(f"Warning: {note}")
        output.print_line(
            "No problem found." if not notes else f"No problem found; {_warned(notes)}."
        )
    return exit_codes.CONFIGURATION if problems else exit_codes.OK


def semantic_problems(settings: Settings, source: str) -> list[Problem]:
    """Return what is wrong with deidentifiers and the key file: other packages judge that."""
    from config import Problem  # noqa: PLC0415
    from daemon.deidentifiers.configuration_files import resolve  # noqa: PLC0415
    from daemon.deidentifiers.key_file import read_key_file  # noqa: PLC0415
    from deid import compile_plan  # noqa: PLC0415
    from deid.errors import ConfigurationInvalid, KeyRefused  # noqa: PLC0415
    from deid.identity.keys import KEY_BYTES, SiteKey  # noqa: PLC0415

    # Whether a plan compiles does not depend on the key, and the real one may be out of reach here.
    key = SiteKey(bytes(range(KEY_BYTES)))
    problems = []
    for name, deidentifier in settings.deidentifiers.items():
        where = f"deidentifiers.{name}.config"
        try:
            compile_plan(resolve(deidentifier.config), key)
        except ConfigurationInvalid as error:
            problems += [Problem(source, where, "", sentence) for sentence in error.problems]
    if settings.key.file is not None:
        try:
            read_key_file(settings.key.file)
        except KeyRefused as error:
            problems.append(Problem(source, "key.file", "", str(error)))
    return problems


def leniencies(settings: Settings) -> list[str]:
    """Return what was leniently understood in deidentifiers, what they do not cover or hide, in sentences."""
    from daemon.deidentifiers.configuration_files import resolve  # noqa: PLC0415
    from daemon.deidentifiers.identifying import told, warnings_of_configuration  # noqa: PLC0415

    return [
        f"deidentifiers.{name}.config: {told(warning)}"
        for name, deidentifier in settings.deidentifiers.items()
        for warning in warnings_of_configuration(resolve(deidentifier.config))
    ]


def _print_summary(name: str, settings: Settings) -> None:
    rows: list[tuple[str, Any]] = [
        ("configuration", name),
        ("state", settings.state_dir),
        ("C-STORE", f"{settings.dimse.ae_title} at {settings.dimse.host}:{settings.dimse.port}"),
        ("HTTP", f"http://{settings.http.host}:{settings.http.port}"),
        *(
            ("watched folder", f"{watch.path} ({watch.after}{_absence(watch.path)})")
            for watch in settings.watch
        ),
        *(
            ("deidentifier", f"{name}: {_words(each.config)}")
            for name, each in settings.deidentifiers.items()
        ),
        *(
            ("route", f"{route.name or number}: to {route.deidentifier}")
            for number, route in enumerate(settings.routes, 1)
        ),
    ]
    output.print_table(("setting", "value"), rows)


def _warned(notes: list[str]) -> str:
    return "1 warning above" if len(notes) == 1 else f"{len(notes)} warnings above"


def _absence(folder: Path) -> str:
    """Say that a folder is not there, or cannot be looked at: no mistake, as it may be mounted later."""
    try:
        is_there = folder.is_dir()
    except OSError as error:
        return f"; it cannot be looked at now ({error.strerror}), nothing is taken until it can"
    return "" if is_there else "; not there now, nothing is taken until it is"


def _words(configuration: object) -> str:
    return configuration if isinstance(configuration, str) else "a table in the file"
