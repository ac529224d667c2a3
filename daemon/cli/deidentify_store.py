"""``dicomveil deidentify-store``: have the running service de-identify a store into another."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daemon.cli import arguments, exit_codes, output
from daemon.cli.errors import CommandFailed, UsageError
from daemon.cli.mapping import Mapping

if TYPE_CHECKING:
    import argparse

NAME = "deidentify-store"
HELP = "have the service de-identify a store of the Cloud Healthcare API into another"
EXAMPLES = (
    (
        "deidentify-store default/dicomStores/source hospital/dicomStores/clean",
        "all instances that the service has received, by the preset default",
    ),
    (
        (
            "deidentify-store hospital/dicomStores/received hospital/dicomStores/clean "
            "--config-file lung-study.json"
        ),
        "by a DeidentifyConfig, or the body of a request",
    ),
    (
        "deidentify-store hospital/fhirStores/received hospital/fhirStores/clean --async",
        "print the operation's name, and do not wait",
    ),
    (
        (
            "deidentify-store hospital/dicomStores/received hospital/dicomStores/clean "
            "--mapping locked/who-was-who.csv"
        ),
        "and write who was who: the file undoes the de-identification",
    ),
)

_POLL_S: Final = 0.5
_TIMEOUT_S: Final = 60
_SEGMENTS: Final = 3
_BETA: Final = ("dicomTagConfig", "fhirFieldConfig", "operationMetadata")
_PARENT: Final = "projects/local/locations/local/datasets"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    place = (
        "projects/P/locations/L/datasets/D/dicomStores/S, or D/dicomStores/S of the local project"
    )
    parser.add_argument("source", metavar="SOURCE", help=f"{place}; fhirStores likewise")
    parser.add_argument("destination", metavar="DESTINATION", help="a store that is there")
    parser.add_argument(
        "--config-file",
        type=Path,
        metavar="FILE",
        help="DeidentifyConfig as JSON; without, the preset default",
    )
    parser.add_argument(
        "--filter",
        type=Path,
        metavar="FILE",
        help="paths of studies, series or instances, a line each; in a folder of healthcare.folders",
    )
    parser.add_argument(
        "--mapping",
        type=Path,
        metavar="FILE",
        help="write original and replacement Patient ID and UIDs into a new file (.csv, .json, .jsonl)",
    )
    parser.add_argument(
        "--async", action="store_true", dest="is_async", help="do not wait for the end"
    )
    arguments.add_config(parser)


def run(options: argparse.Namespace) -> int:
    """Begin an operation, and follow it."""
    from daemon.observe.run_folder import ADDRESSES, RunFolder  # noqa: PLC0415

    settings = arguments.settings(options)
    addresses = RunFolder(settings.state_dir).read(ADDRESSES)
    if not addresses:
        raise CommandFailed("no service runs on this state folder: start `dicomveil serve`")
    host, port = addresses["http"]
    service = _Service(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    source, body = _full(options.source), _body(options)

    def begin() -> str:
        name: str = service.ask("POST", f"{source}:deidentify", body)["name"]
        output.print_line(name)
        return name

    if options.mapping is None:
        name = begin()
        return exit_codes.OK if options.is_async else _follow(service, name)
    if options.is_async:
        raise UsageError("--mapping is written at the end, which --async does not wait for")
    mapping = Mapping(settings, source, body, options.filter)
    return mapping.write(options.mapping, begin, lambda name: _follow(service, name))


def _full(name: str) -> str:
    segments = name.split("/")
    if len(segments) == _SEGMENTS:
        return f"{_PARENT}/{name}"
    if not name.startswith("projects/"):
        raise UsageError("a store is named DATASET/dicomStores/STORE, or by its full name")
    return name


def _body(options: argparse.Namespace) -> dict[str, Any]:
    from deid.configuration.json_text import loads  # noqa: PLC0415

    body: dict[str, Any] = {"destinationStore": _full(options.destination)}
    if options.config_file is not None:
        try:
            given, _was_single_quoted = loads(options.config_file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise CommandFailed(f"{options.config_file} cannot be read as JSON") from error
        # Tutorials print whole requests.
        body["config"] = given.get("config", given) if isinstance(given, dict) else given
    if options.filter is not None:
        address = options.filter.resolve().as_uri()
        body["filterConfig"] = {"resourcePathsGcsUri": address}
    return body


def _follow(service: _Service, name: str) -> int:
    began = time.monotonic()
    while "done" not in (operation := service.ask("GET", name)):
        _tell(operation, time.monotonic() - began)
        time.sleep(_POLL_S)
    if sys.stderr.isatty():
        output.print_line("", sys.stderr)
    counter = operation["metadata"]["counter"]
    failed = int(counter.get("failure", 0))
    output.print_line(f"{counter.get('success', 0)} de-identified, {failed} not")
    if "error" in operation:
        raise CommandFailed(operation["error"]["message"])
    if failed:
        number = name.rpartition("/")[2]
        output.print_line(f"`dicomveil operations show {number}` says why", sys.stderr)
    return exit_codes.SOME_REFUSED if failed else exit_codes.OK


def _tell(operation: dict[str, Any], seconds: float) -> None:
    """Show on a terminal how far it is."""
    if not sys.stderr.isatty():
        return
    counter = operation["metadata"]["counter"]
    done, failed, pending = (
        int(counter.get(name, 0)) for name in ("success", "failure", "pending")
    )
    rate = (done + failed) / max(seconds, _POLL_S)
    left = f"{output.duration(pending / rate)} left" if rate else "waiting"
    share = (done + failed) / max(1, done + failed + pending)
    bar = "#" * round(30 * share)
    line = f"\r[{bar:30}] {done + failed} of {done + failed + pending}, {rate:.0f}/s, {failed} failed, {left}  "
    sys.stderr.write(line)
    sys.stderr.flush()


class _Service:
    """The running service, asked over HTTP."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, verb: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return an answer; what the API refuses is told as it says it."""
        import urllib.error  # noqa: PLC0415
        import urllib.request  # noqa: PLC0415

        config = {} if body is None else body.get("config", {})
        is_beta = any(each in config for each in _BETA)
        version = "v1beta1" if is_beta else "v1"
        request = urllib.request.Request(  # noqa: S310 - http, to an address of our own
            f"{self._address}/{version}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=verb,
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310 - as above
                found: dict[str, Any] = json.loads(response.read())
                return found
        except urllib.error.HTTPError as error:
            with error:
                said = json.loads(error.read())
            raise CommandFailed(said["error"]["message"]) from error
        except OSError as error:
            raise CommandFailed(
                "the service does not answer; see its log and `dicomveil status`"
            ) from error
