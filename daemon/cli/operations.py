"""``dicomveil operations``: what was begun by the Healthcare API's methods; stop one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from daemon.cli import arguments, exit_codes, output, state
from daemon.cli.errors import CommandFailed, UsageError

if TYPE_CHECKING:
    import argparse

    from daemon.store.operation_rows import Failure, Operation
    from daemon.store.ports import Session

NAME = "operations"
HELP = "list, show or cancel operations of the Cloud Healthcare API"
EXAMPLES = (
    ("operations list", "the newest first, with their counters"),
    ("operations show 17", "one, with what it could not do and why"),
    (
        "operations show 17 --originals",
        "and which instances or resources these are in the source: identifying",
    ),
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
    showing.add_argument(
        "--originals",
        action="store_true",
        help="tell by which UIDs or id the source has what was not done: identifying, for your eyes alone",
    )
    showing.add_argument(
        "--limit",
        type=int,
        default=_LIMIT,
        metavar="N",
        help=f"at most N of what was not done (default {_LIMIT})",
    )
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
    if options.limit < 1:
        raise UsageError("--limit is at least 1")
    with state.connected(arguments.settings(options), query_only=True) as (session, _):
        operation = _found(session, options.number)
        failures = [
            {
                "number": each.number,
                "reason": each.reason,
                "where": each.where,
                **({"original": _original(session, operation, each)} if options.originals else {}),
            }
            for each in session.operations.failures(operation.id, options.limit)
        ]
    document = {**_document(operation), "failures": failures}
    if options.json:
        output.print_json(document)
        return exit_codes.OK
    for name, value in document.items():
        if name != "failures":
            output.print_line(f"{name:9} {output.printable(str(value))}")
    names = ("instance or resource", "reason", "where", "in the source")
    rows = [tuple(each.values()) for each in failures]
    output.print_table(names if options.originals else names[:-1], rows)
    if operation.failure > len(failures):
        left = operation.failure - len(failures)
        output.print_line(f"and {left} more: --limit tells more of them", sys.stderr)
    return exit_codes.OK


def _original(session: Session, operation: Operation, failure: Failure) -> str:
    """Return by which UIDs or id the source has what was not done; empty when it is there no more."""
    if ".Import" in operation.method:
        return ""  # a number is a file's, or a line's
    store = next((each for each in session.stores.all() if each.id == failure.store_id), None)
    if store is None:
        return ""
    if store.kind == "fhir":
        resource = session.resources.by_number(store, failure.number)
        return "" if resource is None else f"{resource.type}/{resource.id}"
    page = session.instances.page(store, failure.number - 1, 1)
    if not page or page[0].id != failure.number:
        return ""
    found = page[0]
    return f"studies/{found.study_uid}/series/{found.series_uid}/instances/{found.sop_instance_uid}"


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
