"""``dicomveil redo``: de-identify again what is stored, with the configuration of now."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from daemon.cli import arguments, exit_codes, output, state
from daemon.cli.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from daemon.store.ports import Session

NAME = "redo"
HELP = "de-identify stored instances again, after the configuration has changed"
EXAMPLES = (
    ("redo 1.2.840.113619.2.5.1762583153", "one study, by its original or replacement UID"),
    ("redo --deidentifier default", "all that a deidentifier made"),
    ("redo --all", "everything"),
)

_EPILOG = """\
What is visible stays so until its new result takes its place. Instances whose source was removed (see
source.retention_days) stay as they are."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.description = f"{HELP}. {_EPILOG}"
    parser.add_argument(
        "study", nargs="?", metavar="STUDY_UID", help="a study, by its original or replacement UID"
    )
    parser.add_argument("--deidentifier", metavar="NAME", help="what this deidentifier made")
    parser.add_argument("--all", action="store_true", help="everything that is stored")
    arguments.add_config(parser)


def run(options: argparse.Namespace) -> int:
    """Put them back among what waits."""
    from daemon.store import redo  # noqa: PLC0415

    if [bool(options.study), bool(options.deidentifier), options.all].count(True) != 1:
        raise UsageError("name a study, or --deidentifier NAME, or --all")
    settings = arguments.settings(options)
    if options.deidentifier and options.deidentifier not in settings.deidentifiers:
        names = ", ".join(sorted(settings.deidentifiers))
        raise UsageError(f"there is no deidentifier {options.deidentifier}; there is {names}")
    with state.connected(settings) as (session, layout):
        changed = redo.redo(session, _chosen(session, options))
        is_running = state.is_running(layout)
    output.print_line(f"{len(changed.changed)} will be de-identified again")
    if changed.changed and not is_running:
        output.print_line("No service runs; that happens when it is started.", sys.stderr)
    if changed.missing:
        output.print_line(f"{len(changed.missing)} have no bytes left and stay", sys.stderr)
    if not changed.changed and not changed.missing:
        output.print_line("Nothing stored fits that.", sys.stderr)
        return exit_codes.FAILED
    return exit_codes.FAILED if changed.missing else exit_codes.OK


def _chosen(session: Session, options: argparse.Namespace) -> list[str]:
    from daemon.store import redo  # noqa: PLC0415

    if options.study:
        return redo.of_study(session, options.study)
    return redo.stored(session, options.deidentifier)
