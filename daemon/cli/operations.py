"""``dicomveil operations``: what was begun by the Healthcare API's methods; stop one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daemon.cli import arguments, exit_codes, output, state
from daemon.cli.errors import CommandFailed, UsageError

if TYPE_CHECKING:
    import argparse

    from daemon.store.operation_rows import Operation
    from daemon.store.ports import Session

NAME = "operations"
HELP = "list, show or cancel operations of the Cloud Healthcare API"
EXAMPLES = (
    ("operations list", "the newest first, with their counters"),
    ("operations show 17", "one, with what it could not do and why"),
    ("operations cancel 17", "stop it; what it has done stays"),
)

_LIMIT = 100
_NEWEST = 1 << 62
_CANCELLED = 1
_STREAM = "dicomveil.stream"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list operations, the newest first")
    listing.add_argument("--running", action="store_true", help="only those that have not ended")
    listing.add_argument(
        "--limit", type=int, default=_LIMIT, metavar="N", help=f"at most N (default {_LIMIT})"
    )
    arguments.add_json(listing)
    listing.set_defaults(action=_list)
    showing = actions.add_parser("show", help="show one, and what it could not do")
    _add_number(showing)
    arguments.add_json(showing)
    showing.set_defaults(action=_show)
    cancelling = actions.add_parser("cancel", help="stop one; what it has done stays")
    _add_number(cancelling)
    cancelling.set_defaults(action=_cancel)
    for action in (listing, showing, cancelling):
        arguments.add_config(action)


def _add_number(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", type=int, metavar="NUMBER", help="the end of its name")


def run(options: argparse.Namespace) -> int:
    """Run one action."""
    code: int = options.action(options)
    return code


def _list(options: argparse.Namespace) -> int:
    if options.limit < 1:
        raise UsageError("--limit is at least 1")
    with state.connected(arguments.settings(options), query_only=True) as (session, _):
        found = (
            session.operations.running()[::-1]
            if options.running
            else session.operations.page(None, _NEWEST, options.limit)
        )[: options.limit]
    if options.json:
        output.print_json([_document(each) for each in found])
        return exit_codes.OK
    output.print_table(
        ("number", "begun", "state", "done", "failed", "pending", "what"),
        [
            (
                each.id,
                state.instant(each.created_at),
                _state(each),
                each.success,
                each.failure,
                each.pending,
                each.method.rpartition(".")[2],
            )
            for each in found
        ],
    )
    return exit_codes.OK


def _show(options: argparse.Namespace) -> int:
    with state.connected(arguments.settings(options), query_only=True) as (session, _):
        operation = _found(session, options.number)
        failures = session.operations.failures(operation.id, _LIMIT)
    document = {
        **_document(operation),
        "failures": [
            {"number": each.number, "reason": each.reason, "where": each.where} for each in failures
        ],
    }
    if options.json:
        output.print_json(document)
        return exit_codes.OK
    for name, value in document.items():
        if name != "failures":
            output.print_line(f"{name:9} {output.printable(str(value))}")
    output.print_table(
        ("instance or resource", "reason", "where"),
        [(each.number, each.reason, each.where) for each in failures],
    )
    return exit_codes.OK


def _cancel(options: argparse.Namespace) -> int:
    with state.connected(arguments.settings(options)) as (session, layout), session.atomically():
        operation = _found(session, options.number)
        if operation.ended_at:
            raise CommandFailed("it has ended already")
        if operation.method == _STREAM:
            raise CommandFailed("it ends when it is taken out of the streamConfigs of its store")
        session.operations.change(operation.id, is_cancelled=True)
        is_running = state.is_running(layout)
    output.print_line("It will stop." if is_running else "It ends when the service is started.")
    return exit_codes.OK


def _found(session: Session, number: int) -> Operation:
    found = session.operations.get(number) if number > 0 else None
    if found is None:
        raise CommandFailed("there is no such operation; `dicomveil operations list` shows them")
    return found


def _state(operation: Operation) -> str:
    if not operation.ended_at:
        return "stopping" if operation.is_cancelled else "running"
    if operation.error_code == _CANCELLED:
        return "cancelled"
    return "failed" if operation.error_code else "done"


def _document(operation: Operation) -> dict[str, Any]:
    return {
        "number": operation.id,
        "dataset": operation.dataset,
        "what": operation.method,
        "state": _state(operation),
        "begun": state.instant(operation.created_at),
        "ended": state.instant(operation.ended_at or None),
        "success": operation.success,
        "failure": operation.failure,
        "pending": operation.pending,
        "error": operation.error,
    }
