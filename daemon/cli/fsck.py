"""``dicomveil fsck``: find rows and files that do not agree, and repair what can be repaired."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING

from daemon.cli import arguments, exit_codes, output, state

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from config import Settings
    from daemon.store.fsck import Report

NAME = "fsck"
HELP = "look for rows without blobs, blobs without rows, and blobs that have changed"
EXAMPLES = (
    ("fsck --quick", "without reading the files"),
    ("fsck", "with all checks"),
    ("fsck --repair", "and mend what can be mended; the service must not run"),
)

_EPILOG = """\
Checking is possible while the service runs; repairing and reindexing are not. Nothing is lost by a repair: what
nobody can explain is moved to lost+found in the state folder."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.description = f"{HELP}. {_EPILOG}"
    parser.add_argument("--repair", action="store_true", help="repair what can be repaired")
    parser.add_argument(
        "--quick", action="store_true", help="compare sizes only, do not read every blob"
    )
    parser.add_argument(
        "--reindex",
        action="store_true",
        help="take stored instances back whose rows are gone; make a missing or damaged database anew",
    )
    arguments.add_config(parser)
    arguments.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print what was found."""
    from daemon.store.fsck import check  # noqa: PLC0415

    settings = arguments.settings(options)
    if options.reindex:
        _reindex(settings, is_json=options.json)
    state.existing(settings)
    with _progress() as tell:
        report = check(
            settings.state_dir, repair=options.repair, digests=not options.quick, progress=tell
        )
    if options.json:
        output.print_json(asdict(report))
    else:
        _print(report)
    is_left = any(not finding.repaired for finding in report.findings)
    return exit_codes.SOME_REFUSED if is_left else exit_codes.OK


def _reindex(settings: Settings, *, is_json: bool) -> None:
    from daemon.store.fsck import reindex  # noqa: PLC0415

    found, aside = reindex(settings.state_dir)
    taken = sum(bool(finding.repaired) for finding in found)
    left = len(found) - taken
    stream = sys.stderr if is_json else sys.stdout
    if aside:
        output.print_line(f"the damaged database is {aside} now", stream)
    output.print_line(
        f"{taken} stored files taken back; the service de-identifies again what was received",
        stream,
    )
    if left:
        output.print_line(
            f"{left} results cannot be taken back: nothing says what became of their originals, or which of"
            " several took the place of the others; --repair moves them to lost+found",
            stream,
        )


def _print(report: Report) -> None:
    output.print_table(
        ("finding", "store", "what", "repaired"),
        [(each.kind.value, each.store, each.subject, each.repaired) for each in report.findings],
        title="Findings",
    )
    output.print_line(
        f"{report.receipts} receipts, {report.blobs} blobs, {output.size(report.bytes_read)} read: "
        f"{len(report.findings) or 'nothing'} found"
    )


def _progress() -> AbstractContextManager[Callable[[Report], None]]:
    """Return a line that moves on a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        return nullcontext(lambda _: None)
    from daemon.cli.progress import moving_line  # noqa: PLC0415

    return moving_line(
        lambda report: f"{report.blobs} blobs, {output.size(report.bytes_read)} read"
    )
