"""``dicomveil quarantine``: what was refused and why, and what is to become of it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from daemon.cli import arguments, deciding, exit_codes, output, state
from daemon.cli.errors import UsageError
from daemon.reasons import REASONS, remedy_of_operation
from daemon.records import Receiver

if TYPE_CHECKING:
    import argparse

    from daemon.records import Receipt

NAME = "quarantine"
HELP = "list, show, retry, release or discard instances that were refused"
EXAMPLES = (
    ("quarantine list --reason pixels_not_cleaned", "what waits for one reason"),
    ("quarantine retry --all", "try everything again, after the configuration has changed"),
    (
        "quarantine retry --all --reason pixels_not_cleaned --deidentifier default",
        "by another deidentifier",
    ),
    (
        "quarantine release --all --reason too_much_text --blank 0,0,640,48 --blank 2:10,400,200,30",
        "fill a strip in every frame and a box in the second one, and release the rest",
    ),
    ("quarantine discard --all --reason dicomdir --yes", "remove for good"),
    ("quarantine decisions", "who decided what, when"),
)

_LIMIT = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="list what was refused, oldest first")
    deciding.add_selection(listing)
    listing.add_argument(
        "--limit", type=int, default=_LIMIT, metavar="N", help=f"at most N (default {_LIMIT})"
    )
    listing.add_argument("--offset", type=int, default=0, metavar="N", help="leave out the first N")
    arguments.add_json(listing)
    listing.set_defaults(action=_list)

    showing = actions.add_parser("show", help="show one instance: why, where, what was done")
    showing.add_argument("id", metavar="ID", help="its identifier, or the beginning of it")
    arguments.add_json(showing)
    showing.set_defaults(action=_show)

    for action in (listing, showing):
        arguments.add_config(action)
    deciding.add_actions(actions)


def run(options: argparse.Namespace) -> int:
    """Run one action."""
    code: int = options.action(options)
    return code


def _list(options: argparse.Namespace) -> int:
    from daemon.store import queries  # noqa: PLC0415

    if options.limit < 1 or options.offset < 0:
        raise UsageError("--limit is at least 1 and --offset at least 0")
    deciding.check_reason(options)
    with state.connected(arguments.settings(options), query_only=True) as (session, _):
        receipts = queries.refused(
            session,
            states=deciding.states(options),
            reason=options.reason,
            limit=options.limit + 1,
            offset=options.offset,
        )
    shown = receipts[: options.limit]
    if options.json:
        output.print_json([_document(receipt) for receipt in shown])
        return exit_codes.OK
    output.print_table(
        ("id", "received", "receiver", "from", "size", "reason", "where", "deidentifier"),
        [
            (
                receipt.id[:12],
                state.instant(receipt.received_at),
                receipt.origin.receiver.value,
                receipt.origin.calling_ae or receipt.origin.peer,
                output.size(receipt.size),
                receipt.reason or receipt.state.value,
                receipt.where,
                receipt.deidentifier,
            )
            for receipt in shown
        ],
    )
    if len(receipts) > options.limit:
        more = options.offset + options.limit
        output.print_line(f"There are more: --offset {more}", sys.stderr)
    return exit_codes.OK


def _then(receipt: Receipt) -> str:
    if receipt.origin.receiver is Receiver.OPERATION:
        return remedy_of_operation(receipt.reason)
    advice = REASONS.get(receipt.reason)
    return advice.then if advice else ""


def _show(options: argparse.Namespace) -> int:
    from daemon.store import queries  # noqa: PLC0415

    with state.connected(arguments.settings(options), query_only=True) as (session, _):
        shown = queries.show(session, options.id)
        if shown is None:
            raise UsageError(deciding.not_one(session, options.id))
        decisions = session.decisions.page(shown.receipt.id, _LIMIT, 0)
    outcome = json.loads(shown.outcome) if shown.outcome else None
    advice = REASONS.get(shown.receipt.reason)
    document = {
        **_document(shown.receipt),
        "means": advice.means if advice else "",
        "then": _then(shown.receipt),
        "place": shown.place,
        "related": shown.related,
        "changed_at": state.instant(shown.changed_at),
        "by_hand": advice.by_hand if advice else False,
        "decisions": [deciding.document(each) for each in decisions],
        "outcome": outcome,
    }
    if options.json:
        output.print_json(document)
        return exit_codes.OK
    rows = [(key, value) for key, value in document.items() if value not in ("", None)]
    output.print_table(
        ("field", "value"), [row for row in rows if not isinstance(row[1], dict | list)]
    )
    for each in document["decisions"]:
        boxes = " ".join(each["boxes"])
        output.print_line(f"Decided {each['decided_at']}: {each['choice']} {boxes}".rstrip())
    if outcome is not None:
        output.print_line("What was done:")
        for line in json.dumps(outcome, indent=2).splitlines():
            output.print_line(line)
    return exit_codes.OK


def _document(receipt: Receipt) -> dict[str, Any]:
    return {
        "id": receipt.id,
        "received_at": state.instant(receipt.received_at),
        "receiver": receipt.origin.receiver.value,
        "calling_ae": receipt.origin.calling_ae,
        "called_ae": receipt.origin.called_ae,
        "peer": receipt.origin.peer,
        "size": receipt.size,
        "state": receipt.state.value,
        "attempts": receipt.attempts,
        "reason": receipt.reason,
        "where": receipt.where,
        "route": receipt.route,
        "deidentifier": receipt.deidentifier,
    }
