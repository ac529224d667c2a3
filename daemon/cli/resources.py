"""``dicomveil resources``: received FHIR resources that wait or were refused, and why; look at them again."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from daemon.cli import arguments, exit_codes, output, reasons, state
from daemon.cli.errors import UsageError
from daemon.reasons import REASONS

if TYPE_CHECKING:
    import argparse

NAME = "resources"
HELP = "list FHIR resources that wait for a study or were refused, or have them looked at again"
EXAMPLES = (
    ("resources list", "those that were refused, and why"),
    ("resources list --waiting", "those that wait for their study"),
    ("resources retry --all --reason not_configured", "after the configuration has changed"),
)

_LIMIT = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list them, oldest first")
    listing.add_argument("--waiting", action="store_true", help="those that wait, instead")
    listing.add_argument(
        "--limit", type=int, default=_LIMIT, metavar="N", help=f"at most N (default {_LIMIT})"
    )
    arguments.add_json(listing)
    listing.set_defaults(action=_list)
    showing = actions.add_parser("show", help="show one: why, what was made of it, what was done")
    showing.add_argument("number", type=int, metavar="NUMBER", help="as list has it")
    arguments.add_json(showing)
    arguments.add_config(showing)
    showing.set_defaults(action=_show, reason=None)
    retrying = actions.add_parser("retry", help="look at refused ones again")
    retrying.add_argument("numbers", nargs="*", type=int, metavar="NUMBER", help="as list has it")
    retrying.add_argument("--all", action="store_true", help="everything that list shows")
    retrying.set_defaults(action=_retry)
    for action in (listing, retrying):
        action.add_argument("--reason", metavar="CODE", help="only those with this reason code")
        arguments.add_config(action)


def run(options: argparse.Namespace) -> int:
    """Run one action."""
    if options.reason and options.reason not in REASONS:
        raise UsageError(reasons.unknown(options.reason))
    code: int = options.action(options)
    return code


def _list(options: argparse.Namespace) -> int:
    from daemon.store import resource_queries  # noqa: PLC0415

    if options.limit < 1:
        raise UsageError("--limit is at least 1")
    with state.connected(arguments.settings(options), query_only=True) as (session, _):
        found = resource_queries.listed(
            session, is_waiting=options.waiting, reason=options.reason, limit=options.limit
        )
    if options.json:
        output.print_json([asdict(each) for each in found])
        return exit_codes.OK
    output.print_table(
        ("number", "type", "received", "state", "reason", "where"),
        [
            (
                each.number,
                each.type,
                state.instant(each.received_at),
                each.state,
                each.reason,
                each.where,
            )
            for each in found
        ],
    )
    return exit_codes.OK


def _show(options: argparse.Namespace) -> int:
    from daemon.store import resource_queries  # noqa: PLC0415

    with state.connected(arguments.settings(options), query_only=True) as (session, _):
        shown = resource_queries.show(session, options.number)
    if shown is None:
        raise UsageError(f"there is no resource {options.number}")
    advice = REASONS.get(shown.listed.reason)
    document = {
        **asdict(shown.listed),
        "means": advice.means if advice else "",
        "then": advice.then if advice else "",
        "results": ["/".join(each) for each in shown.results],
        "outcome": json.loads(shown.outcome) if shown.outcome else None,
    }
    if options.json:
        output.print_json(document)
        return exit_codes.OK
    output.print_table(
        ("field", "value"),
        [(key, value) for key, value in document.items() if value and not isinstance(value, dict)],
    )
    for line in json.dumps(document["outcome"], indent=2).splitlines() if shown.outcome else ():
        output.print_line(line)
    return exit_codes.OK


def _retry(options: argparse.Namespace) -> int:
    from daemon.store import resource_queries  # noqa: PLC0415

    if options.all == bool(options.numbers):
        raise UsageError("name numbers, or --all (with --reason CODE if you like)")
    with state.connected(arguments.settings(options)) as (session, layout):
        changed = resource_queries.retry(
            session, None if options.all else options.numbers, reason=options.reason
        )
        is_running = state.is_running(layout)
    output.print_line(f"{changed} will be looked at again")
    if changed and not is_running:
        output.print_line("No service runs; that happens when it is started.", sys.stderr)
    return exit_codes.OK if options.all or changed == len(options.numbers) else exit_codes.FAILED
