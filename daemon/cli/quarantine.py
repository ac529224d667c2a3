"""``dicomveil quarantine``: what was refused and why; try it again, or remove it for good."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from daemon.cli import arguments, exit_codes, output, reasons, state
from daemon.cli.errors import CommandFailed, UsageError
from daemon.reasons import REASONS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from daemon.records import Receipt, State
    from daemon.store.ports import Session
    from daemon.store.queries import Changed

NAME = "quarantine"
HELP = "list, show, retry or discard instances that were refused"
EXAMPLES = (
    ("quarantine list --reason pixels_not_cleaned", "what waits for one reason"),
    ("quarantine retry --all", "try everything again, after the configuration has changed"),
    ("quarantine discard --all --reason dicomdir --yes", "remove for good"),
)

_LIMIT = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="list what was refused, oldest first")
    _add_selection(listing)
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

    retrying = actions.add_parser("retry", help="process again, with the configuration of now")
    _add_ids(retrying)
    retrying.set_defaults(action=_retry)

    discarding = actions.add_parser("discard", help="remove for good, from the source store too")
    _add_ids(discarding)
    discarding.add_argument("--yes", action="store_true", help="do not ask")
    discarding.set_defaults(action=_discard)

    for action in (listing, showing, retrying, discarding):
        arguments.add_config(action)


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", metavar="CODE", help="only those with this reason code")
    parser.add_argument(
        "--unrouted", action="store_true", help="those that no route matched, instead"
    )


def _add_ids(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "ids", nargs="*", metavar="ID", help="an identifier, or the beginning of one"
    )
    parser.add_argument("--all", action="store_true", help="everything that list shows")
    _add_selection(parser)


def run(options: argparse.Namespace) -> int:
    """Run one action."""
    code: int = options.action(options)
    return code


def _list(options: argparse.Namespace) -> int:
    from daemon.store import queries  # noqa: PLC0415

    if options.limit < 1 or options.offset < 0:
        raise UsageError("--limit is at least 1 and --offset at least 0")
    _check_reason(options)
    with state.connected(arguments.settings(options), query_only=True) as (session, _):
        receipts = queries.refused(
            session,
            states=_states(options),
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


def _show(options: argparse.Namespace) -> int:
    from daemon.store import queries  # noqa: PLC0415

    with state.connected(arguments.settings(options), query_only=True) as (session, _):
        shown = queries.show(session, options.id)
        if shown is None:
            raise UsageError(_not_one(session, options.id))
    outcome = json.loads(shown.outcome) if shown.outcome else None
    advice = REASONS.get(shown.receipt.reason)
    document = {
        **_document(shown.receipt),
        "means": advice.means if advice else "",
        "then": advice.then if advice else "",
        "place": shown.place,
        "related": shown.related,
        "changed_at": state.instant(shown.changed_at),
        "outcome": outcome,
    }
    if options.json:
        output.print_json(document)
        return exit_codes.OK
    rows = [(key, value) for key, value in document.items() if value not in ("", None)]
    output.print_table(
        ("field", "value"), [row for row in rows if not isinstance(row[1], dict | list)]
    )
    if outcome is not None:
        output.print_line("What was done:")
        for line in json.dumps(outcome, indent=2).splitlines():
            output.print_line(line)
    return exit_codes.OK


def _retry(options: argparse.Namespace) -> int:
    from daemon.store import queries  # noqa: PLC0415

    with state.connected(arguments.settings(options)) as (session, layout):
        changed = queries.retry(session, _chosen(session, options))
        is_running = state.is_running(layout)
    output.print_line(f"{len(changed.changed)} will be processed again")
    if changed.changed and not is_running:
        output.print_line("No service runs; that happens when it is started.", sys.stderr)
    return _left_over(changed)


def _discard(options: argparse.Namespace) -> int:
    from daemon.store import queries  # noqa: PLC0415
    from daemon.store.embedded import EMBEDDED  # noqa: PLC0415
    from daemon.store.store_set import StoreSet  # noqa: PLC0415

    with state.connected(arguments.settings(options)) as (session, layout):
        ids = _chosen(session, options)
        if ids and not options.yes:
            _confirm(len(ids))
        stores = StoreSet(EMBEDDED, layout, session)
        changed = queries.discard(session, stores, ids)
    output.print_line(f"{len(changed.changed)} discarded")
    return _left_over(changed)


def _check_reason(options: argparse.Namespace) -> None:
    if options.reason and options.reason not in REASONS:
        raise UsageError(reasons.unknown(options.reason))


def _states(options: argparse.Namespace) -> tuple[State, ...]:
    from daemon.records import State  # noqa: PLC0415

    return (State.UNROUTED,) if options.unrouted else (State.QUARANTINED,)


def _chosen(session: Session, options: argparse.Namespace) -> Sequence[str]:
    """Return whole identifiers of what the arguments name."""
    from daemon.store import queries  # noqa: PLC0415

    if options.all == bool(options.ids):
        raise UsageError("name identifiers, or --all (with --reason CODE if you like)")
    _check_reason(options)
    if options.all:
        return queries.refused_ids(session, states=_states(options), reason=options.reason)
    if options.reason or options.unrouted:
        raise UsageError("--reason and --unrouted go with --all")
    found = [(given, queries.show(session, given)) for given in options.ids]
    if unknown := [given for given, shown in found if shown is None]:
        raise UsageError("; ".join(_not_one(session, given) for given in unknown))
    return [shown.receipt.id for _, shown in found if shown is not None]


def _not_one(session: Session, given: str) -> str:
    from daemon.store import queries  # noqa: PLC0415

    if queries.begin_with(session, given):
        return f"several identifiers begin with {given}; give more of it"
    return f"no identifier begins with {given}; `dicomveil quarantine list` shows them"


def _confirm(count: int) -> None:
    if not sys.stdin.isatty():
        raise UsageError("discard removes for good; say --yes where nobody can be asked")
    sys.stderr.write(f"Remove {count} received instances for good? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise CommandFailed("nothing was discarded")


def _left_over(changed: Changed) -> int:
    if changed.missing:
        output.print_line(
            f"{len(changed.missing)} have no bytes here (for an operation's, begin another)",
            sys.stderr,
        )
    if changed.passed_over:
        output.print_line(f"{len(changed.passed_over)} are not refused (any more)", sys.stderr)
    return exit_codes.FAILED if changed.missing or changed.passed_over else exit_codes.OK


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
