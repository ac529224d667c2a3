"""``dicomveil status``: what waits, what became of the rest, and whether there is room."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from daemon.cli import arguments, exit_codes, output, state

if TYPE_CHECKING:
    import argparse

    from config import Settings
    from daemon.store.queries import Status

NAME = "status"
HELP = "show counts per state, the oldest waiting instance, rates and disk"
EXAMPLES = (
    ("status", "for people"),
    ("status --json", "for programs"),
    ("status --config dicomveil.toml", "of the service with this file"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    arguments.add_config(parser)
    arguments.add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the status."""
    from daemon.observe.run_folder import WATCHING, RunFolder  # noqa: PLC0415
    from daemon.store import queries  # noqa: PLC0415

    settings = arguments.settings(options)
    now = time.time()
    with state.connected(settings, query_only=True) as (session, layout):
        status = queries.status(session, settings.state_dir, now=now)
        is_running = state.is_running(layout)
    watching = (RunFolder(settings.state_dir).read(WATCHING) or {}) if is_running else {}
    warnings = _warnings(settings)
    if options.json:
        output.print_json(
            {
                "state_dir": str(settings.state_dir),
                "running": is_running,
                **asdict(status),
                "watching": watching,
                "warnings": warnings,
            }
        )
    else:
        output.print_line(
            f"{settings.state_dir}: {'the service is running' if is_running else 'no service runs'}"
        )
        _print(status, now)
        output.print_table(
            ("folder", "waiting", "held open"),
            [(folder, each["waiting"], each["held_open"]) for folder, each in watching.items()],
            title="Watched folders",
        )
        for warning in warnings:
            output.print_line(f"Warning: {warning}")
    return exit_codes.OK


def _warnings(settings: Settings) -> list[str]:
    """Return what the configuration leaves to leniency or lets through; `check-config` tells what is wrong."""
    from daemon.cli.check_config import leniencies  # noqa: PLC0415
    from deid.errors import ConfigurationInvalid  # noqa: PLC0415

    try:
        return leniencies(settings)
    except ConfigurationInvalid:
        return ["the configuration has mistakes; `dicomveil check-config` names them"]


def _print(status: Status, now: float) -> None:
    states = [(name, count) for name, count in status.states.items() if count]
    output.print_table(("state", "instances"), states, title="Received instances")
    if status.quarantine:
        output.print_table(
            ("reason", "instances"), [*status.quarantine.items()], title="Quarantine"
        )
    oldest = status.oldest_waiting_at
    if oldest is not None:
        waited = output.duration(max(0.0, now - oldest))
        output.print_line(
            f"Waiting: {output.size(status.waiting_bytes)}, the oldest since "
            f"{state.instant(oldest)} ({waited})"
        )
    if status.done_again:
        output.print_line(f"To be de-identified again: {status.done_again}")
    output.print_table(
        ("over the last", "received per second", "settled per second"),
        [
            (output.duration(rate.window_s), round(rate.received, 2), round(rate.settled, 2))
            for rate in status.rates
        ],
        title="Rates",
    )
    output.print_table(
        ("receiver", "instances", "size", "waiting", "quarantined"),
        [
            (each.receiver, each.instances, output.size(each.bytes), each.waiting, each.refused)
            for each in status.receivers
        ],
        title="Receivers",
    )
    output.print_table(
        ("deidentifier", "stored", "size", "quarantined"),
        [
            (each.deidentifier, each.stored, output.size(each.stored_bytes), each.quarantined)
            for each in status.destinations
        ],
        title="Deidentifiers",
    )
    output.print_table(
        ("store", "studies", "instances", "size"),
        [
            (each.store, each.studies, each.instances, output.size(each.bytes))
            for each in status.stores
        ],
        title="Stores",
    )
    if status.divided_studies:
        output.print_line(
            f"Studies that name more than one patient, or one only here and there: {status.divided_studies}"
        )
    if status.shared_patient_ids:
        output.print_line(f"Patient IDs that several issuers gave: {status.shared_patient_ids}")
    if status.resources:
        output.print_table(
            ("state or reason", "resources"), [*status.resources.items()], title="FHIR resources"
        )
    disk = status.disk
    output.print_line(
        f"Disk: {output.size(disk.free)} free of {output.size(disk.total)}; "
        f"database {output.size(disk.database)}"
    )
