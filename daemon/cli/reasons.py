"""``dicomveil reasons``: what each reason code means, and what to do about it."""

from __future__ import annotations

import difflib
from dataclasses import asdict
from typing import TYPE_CHECKING

from daemon.cli import arguments, exit_codes, output
from daemon.cli.errors import UsageError

if TYPE_CHECKING:
    import argparse

NAME = "reasons"
HELP = "say why an instance is refused and what to do, for one reason code or for all"
EXAMPLES = (
    ("reasons", "all of them"),
    ("reasons pixels_not_cleaned", "one"),
    ("reasons --json", "for programs"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument(
        "code", nargs="?", metavar="CODE", help="a reason code, such as pixels_not_cleaned"
    )
    arguments.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print one explanation, or all."""
    from daemon.reasons import REASONS  # noqa: PLC0415

    if options.code is not None and options.code not in REASONS:
        raise UsageError(unknown(options.code))
    chosen = [options.code] if options.code is not None else list(REASONS)
    if options.json:
        output.print_json({code: asdict(REASONS[code]) for code in chosen})
        return exit_codes.OK
    for code in chosen:
        output.print_line(code)
        output.print_line(f"  {REASONS[code].means}")
        output.print_line(f"  {REASONS[code].then}")
    return exit_codes.OK


def unknown(code: str) -> str:
    """Return the sentence that answers a code that does not exist."""
    from daemon.reasons import REASONS  # noqa: PLC0415

    nearest = difflib.get_close_matches(code, REASONS, n=1)
    meant = f"did you mean {nearest[0]}?" if nearest else "`dicomveil reasons` lists them"
    return f"there is no reason code {code}; {meant}"
