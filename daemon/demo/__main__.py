"""``python -m daemon.demo``, which is ``make run``: start the service, show it, keep it running."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from daemon.cli import exit_codes
from daemon.cli.output import print_line
from daemon.demo.senders import WAYS
from daemon.demo.service import Addresses, Service, ServiceFailed, free_port
from daemon.demo.tour import Tour, shown_study
from daemon.records import Receiver, State
from daemon.store.journal import SETTLED, read_journal

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from daemon.store.rows import Arrival


_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_POLL_S: Final = 0.5
_LINES_AT_ONCE: Final = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return asyncio.run(_run(options, sys.stdout))
    except ServiceFailed as error:
        for line in f"dicomveil: {error}".splitlines():
            print_line(line, sys.stderr)
        return exit_codes.FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m daemon.demo", description=__doc__)
    parser.add_argument(
        "--state", type=Path, default=_CHECKOUT / "state", help="folder for all files"
    )
    parser.add_argument(
        "--dimse-port", type=int, default=11112, help="port of the C-STORE receiver"
    )
    parser.add_argument("--http-port", type=int, default=8080, help="port of the web services")
    parser.add_argument("--once", action="store_true", help="end after the table")
    return parser


async def _run(options: argparse.Namespace, stream: TextIO) -> int:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    service = Service(options.state.resolve())
    state_dir = service.state_dir
    service.claim()
    print_line("Starting dicomveil ...", stream)
    try:
        addresses = await asyncio.to_thread(
            service.start,
            _available(options.dimse_port, "C-STORE", stream),
            _available(options.http_port, "HTTP", stream),
        )
        if read_journal(state_dir):
            print_line("There are instances here already; nothing is sent by itself.", stream)
        else:
            await _until(stopped, Tour(state_dir, stream).run(addresses, service.inbox))
        seen = max((entry.seq for entry in read_journal(state_dir)), default=0)
        _print_addresses(addresses, service, stream)
        if not options.once:
            print_line("Send it more, it is processed as it arrives. Ctrl-C stops.", stream)
            await _print_first(addresses, stream)
            await _until(stopped, _follow(service, state_dir, seen, stream))
    finally:
        print_line("Stopping ...", stream)
        status = await asyncio.to_thread(service.stop)
    print_line("Stopped." if status == 0 else f"The service ended with {status}.", stream)
    return exit_codes.OK if status == 0 else exit_codes.FAILED


async def _until(stopped: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Do some work until it is done or we are asked to stop."""
    waiting = asyncio.create_task(stopped.wait())
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        for one in (waiting, task):
            one.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await one


def _available(wanted: int, what: str, stream: TextIO) -> int:
    port = free_port(wanted)
    if wanted and not port:
        print_line(f"Port {wanted} is taken; {what} gets a free one.", stream)
    return port


def _print_addresses(addresses: Addresses, service: Service, stream: TextIO) -> None:
    base = addresses.base
    config = _short(service.config)
    program = _short(Path(sys.executable).with_name("dicomveil"))
    for line in (
        "",
        "Look at",
        f"  {base}/studies                    studies, and each beside what came in",
        f"  {base}/dicomweb/deid/studies      what may leave",
        f"  {base}/dicomweb/source/studies    what came in",
        f"  {base}/dicomweb/deid/instances?Modality=CT",
        f"  {base}/fhir/deid/ImagingStudy     what FHIR resources tell of it",
        f"  {base}/healthz   {base}/readyz   {base}/metrics",
        "or ask",
        f"  {program} status --config {config}",
        f"  {program} quarantine list --config {config}",
        "and send to",
        f"  C-STORE       storescu -aec DICOMVEIL {' '.join(map(str, addresses.dimse))} FILE...",
        f"  STOW-RS       {base}/dicomweb/source/studies",
        f"  dropped file  {_short(service.inbox)}",
        f"The service's log is {_short(service.log)}",
        "",
    ):
        print_line(line, stream)
    stream.flush()


async def _print_first(addresses: Addresses, stream: TextIO) -> None:
    """Name what to look at first: an ultrasound, with a name drawn in that its result has no more."""
    study = await shown_study(addresses)
    if study:
        print_line(f"Open this first: {addresses.base}/source/compare/{study}", stream)
    stream.flush()


def _short(path: Path) -> Path:
    """Return the path as it can be typed here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


async def _follow(service: Service, state_dir: Path, seen: int, stream: TextIO) -> None:
    """Print a line for each instance that arrives and settles from now on."""
    waiting: set[int] = set()
    while True:
        if not service.is_running():
            raise ServiceFailed(f"the service ended by itself; see {service.log}")
        first = min(waiting, default=seen + 1) - 1
        entries = await asyncio.to_thread(read_journal, state_dir, first)
        fresh = [entry for entry in entries if entry.seq > seen or entry.seq in waiting]
        settled = [entry for entry in fresh if entry.state in SETTLED]
        waiting = {entry.seq for entry in fresh if entry.state not in SETTLED}
        seen = max([seen, *(entry.seq for entry in fresh)])
        for entry in settled[:_LINES_AT_ONCE]:
            print_line(_line(entry), stream)
        if len(settled) > _LINES_AT_ONCE:
            print_line(f"... and {len(settled) - _LINES_AT_ONCE} more", stream)
        stream.flush()
        await asyncio.sleep(_POLL_S)


def _line(entry: Arrival) -> str:
    way = WAYS.get(Receiver(entry.receiver), "found again")
    if entry.state is not State.STORED:
        what = f"{entry.reason} {entry.where}".strip()
    elif entry.study_uid:
        what = f"patient {entry.patient_id} study {entry.study_uid}"
    else:
        what = "FHIR resources: see /fhir/deid"
    return f"{time.strftime('%H:%M:%S')}  {way:12}  {entry.state:12}  {what}"


if __name__ == "__main__":
    sys.exit(main())
