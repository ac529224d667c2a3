"""The actions of ``dicomveil quarantine`` that decide: retry, release, discard; and what was decided."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, Any

from daemon.cli import arguments, exit_codes, output, reasons, state
from daemon.cli.errors import CommandFailed, UsageError
from daemon.reasons import REASONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.records import State
    from daemon.store.deciding import Act
    from daemon.store.decision_rows import Decider, Decision
    from daemon.store.ports import Session
    from daemon.store.queries import Changed
    from deid.ports import DrawnBox

_BOX = re.compile(r"(?:(?P<frame>\d{1,9}|all):)?(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6})\Z")
_LIMIT = 100


def add_actions(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the actions and their arguments."""
    retrying = actions.add_parser("retry", help="process again, with the configuration of now")
    _add_ids(retrying)
    _add_deidentifier(retrying)
    retrying.add_argument(
        "--as-configured", action="store_true", help="and forget what was decided by hand before"
    )
    retrying.set_defaults(action=_retry)

    releasing = actions.add_parser(
        "release", help="fill boxes drawn by hand, and release what its pixels alone kept back"
    )
    _add_ids(releasing)
    _add_deidentifier(releasing)
    releasing.add_argument(
        "--blank",
        action="append",
        type=_box,
        default=[],
        required=True,
        metavar="FRAME:X,Y,W,H",
        help="a box to fill, in pixels from the top left; FRAME counts from 1, without it all are meant",
    )
    releasing.set_defaults(action=_release)

    discarding = actions.add_parser("discard", help="remove for good, from the source store too")
    _add_ids(discarding)
    discarding.add_argument("--yes", action="store_true", help="do not ask")
    discarding.set_defaults(action=_discard)

    listing = actions.add_parser("decisions", help="list what was decided, newest first")
    listing.add_argument("id", nargs="?", metavar="ID", help="about this one only")
    listing.add_argument(
        "--limit", type=int, default=_LIMIT, metavar="N", help=f"at most N (default {_LIMIT})"
    )
    arguments.add_json(listing)
    listing.set_defaults(action=_decisions)

    for action in (retrying, releasing, discarding):
        action.add_argument(
            "--reviewer", default="", metavar="NAME", help="who decided, for the record"
        )
    for action in (retrying, releasing, discarding, listing):
        arguments.add_config(action)


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Describe how refused instances are chosen."""
    parser.add_argument("--reason", metavar="CODE", help="only those with this reason code")
    parser.add_argument(
        "--unrouted", action="store_true", help="those that no route matched, instead"
    )


def _add_ids(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "ids", nargs="*", metavar="ID", help="an identifier, or the beginning of one"
    )
    parser.add_argument("--all", action="store_true", help="everything that list shows")
    add_selection(parser)


def _add_deidentifier(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--deidentifier", default="", metavar="NAME", help="by this one, whatever the routes say"
    )


def _box(text: str) -> DrawnBox:
    # argparse says which argument it was, and exits with 2.
    from deid.ports import DrawnBox  # noqa: PLC0415

    match = _BOX.match(text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no box: X,Y,WIDTH,HEIGHT in pixels, with FRAME: (from 1) or all: before it if need be"
        )
    frame, *box = match.groups()
    return DrawnBox(0 if frame in {None, "all"} else int(frame), *map(int, box))


_box.__name__ = "box"


def _retry(options: argparse.Namespace) -> int:
    from daemon.store.deciding import Retry  # noqa: PLC0415

    _check_deidentifier(options)
    if options.deidentifier and options.as_configured:
        raise UsageError("--deidentifier and --as-configured exclude each other")
    act = Retry(_decider(options), options.deidentifier, options.as_configured)
    return _process_again(options, act, "will be processed again")


def _release(options: argparse.Namespace) -> int:
    from daemon.store.deciding import DecisionInvalid, Release, checked_boxes  # noqa: PLC0415

    _check_deidentifier(options)
    try:
        drawn = checked_boxes(options.blank)
    except DecisionInvalid as error:
        raise UsageError(str(error)) from error
    act = Release(_decider(options), drawn, options.deidentifier)
    return _process_again(options, act, "will be released after filling")


def _process_again(options: argparse.Namespace, act: Act, what: str) -> int:
    from daemon.store import deciding  # noqa: PLC0415

    with state.connected(arguments.settings(options)) as (session, layout):
        changed = deciding.in_batches(session, act, _chosen(session, options))
        is_running = state.is_running(layout)
    output.print_line(f"{len(changed.changed)} {what}")
    if changed.changed and not is_running:
        output.print_line("No service runs; that happens when it is started.", sys.stderr)
    return _left_over(changed)


def _discard(options: argparse.Namespace) -> int:
    from daemon.store import deciding  # noqa: PLC0415
    from daemon.store.embedded import EMBEDDED  # noqa: PLC0415
    from daemon.store.store_set import StoreSet  # noqa: PLC0415

    decider = _decider(options)
    with state.connected(arguments.settings(options)) as (session, layout):
        ids = _chosen(session, options)
        if ids and not options.yes:
            _confirm(len(ids))
        act = deciding.Discard(decider, StoreSet(EMBEDDED, layout, session))
        changed = deciding.in_batches(session, act, ids)
    output.print_line(f"{len(changed.changed)} discarded")
    return _left_over(changed)


def _decisions(options: argparse.Namespace) -> int:
    if options.limit < 1:
        raise UsageError("--limit is at least 1")
    with state.connected(arguments.settings(options), query_only=True) as (session, _):
        receipt_id = None if options.id is None else one(session, options.id)
        found = session.decisions.page(receipt_id, options.limit, 0)
    documents = [document(each) for each in found]
    if options.json:
        output.print_json(documents)
        return exit_codes.OK
    output.print_table(
        ("id", "decided", "where", "reviewer", "decision", "reason", "deidentifier", "boxes"),
        [
            (
                each["id"][:12],
                each["decided_at"],
                each["place"],
                each["reviewer"],
                each["choice"],
                each["reason"],
                each["deidentifier"],
                " ".join(each["boxes"]),
            )
            for each in documents
        ],
    )
    return exit_codes.OK


def document(decision: Decision) -> dict[str, Any]:
    """Return a decision for people and programs."""
    return {
        "id": decision.receipt_id,
        "decided_at": state.instant(decision.decided_at),
        "place": decision.decider.place.value,
        "reviewer": decision.decider.reviewer,
        "choice": decision.choice.value,
        "reason": decision.reason,
        "deidentifier": decision.ruling.deidentifier,
        "boxes": [
            f"{frame or 'all'}:{left},{top},{width},{height}"
            for frame, left, top, width, height in decision.ruling.drawn
        ],
    }


def _decider(options: argparse.Namespace) -> Decider:
    from daemon.store.deciding import DecisionInvalid, checked_reviewer  # noqa: PLC0415
    from daemon.store.decision_rows import Decider, Place  # noqa: PLC0415

    try:
        return Decider(Place.COMMAND_LINE, checked_reviewer(options.reviewer))
    except DecisionInvalid as error:
        raise UsageError(f"--reviewer: {error}") from error


def _check_deidentifier(options: argparse.Namespace) -> None:
    configured = arguments.settings(options).deidentifiers
    if options.deidentifier and options.deidentifier not in configured:
        names = ", ".join(sorted(configured))
        raise UsageError(f"there is no deidentifier {options.deidentifier}; there is {names}")


def check_reason(options: argparse.Namespace) -> None:
    """Refuse a reason code that does not exist."""
    if options.reason and options.reason not in REASONS:
        raise UsageError(reasons.unknown(options.reason))


def states(options: argparse.Namespace) -> tuple[State, ...]:
    """Return the states that are meant."""
    from daemon.records import State  # noqa: PLC0415

    return (State.UNROUTED,) if options.unrouted else (State.QUARANTINED,)


def _chosen(session: Session, options: argparse.Namespace) -> Sequence[str]:
    """Return whole identifiers of what the arguments name."""
    from daemon.store import queries  # noqa: PLC0415

    if options.all == bool(options.ids):
        raise UsageError("name identifiers, or --all (with --reason CODE if you like)")
    check_reason(options)
    if options.all:
        return queries.refused_ids(session, states=states(options), reason=options.reason)
    if options.reason or options.unrouted:
        raise UsageError("--reason and --unrouted go with --all")
    found = [(given, queries.show(session, given)) for given in options.ids]
    if unknown := [given for given, shown in found if shown is None]:
        raise UsageError("; ".join(not_one(session, given) for given in unknown))
    return [shown.receipt.id for _, shown in found if shown is not None]


def one(session: Session, given: str) -> str:
    """Return the whole identifier that begins so.

    Raises
    ------
    UsageError
        If none does, or several.
    """
    from daemon.store import queries  # noqa: PLC0415

    shown = queries.show(session, given)
    if shown is None:
        raise UsageError(not_one(session, given))
    return shown.receipt.id


def not_one(session: Session, given: str) -> str:
    """Say why the beginning of an identifier is not enough."""
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
        output.print_line(f"{len(changed.missing)} have no bytes here", sys.stderr)
    if changed.passed_over:
        output.print_line(f"{len(changed.passed_over)} are not refused (any more)", sys.stderr)
    for receipt_id, why in changed.not_allowed.items():
        output.print_line(f"{receipt_id[:12]}: {why}", sys.stderr)
    is_all = not (changed.missing or changed.passed_over or changed.not_allowed)
    return exit_codes.OK if is_all else exit_codes.FAILED
