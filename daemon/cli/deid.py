"""``dicomveil deid``: de-identify files and folders, without a daemon."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli import arguments, exit_codes, output, service_key
from daemon.cli.errors import CommandFailed, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from config import Settings
    from daemon.batch.request import BatchProgress, BatchRequest, BatchSummary
    from daemon.workers.spawning import Spawned
    from deid.identity.keys import SiteKey

NAME = "deid"
HELP = "de-identify files, folders and archives into a folder"
EXAMPLES = (
    ("deid scans --out clean", "a folder, by the preset `default`"),
    (
        "deid scans disc.iso --out clean --deidentifier research --report report.csv",
        "dates moved, text cleaned; which input became what",
    ),
    ("deid scans --out clean --resume", "go on after an interruption"),
)

_ABOUT = """\
De-identify files, folders and archives into DIR/<patient>/<study>/<series>/<instance>.dcm, under
replacement identifiers. What is refused stays where it is; DIR/refused.jsonl says why, by the number that
the report gives each input. The same inputs and key give the same bytes, however often it is run."""
_LAYOUTS = ("patient/study/series", "flat", "keep")
_WARM_UP = "daemon.batch.work:load"
_JOBS_DIGITS = 6
_USER_KEY = Path("dicomveil") / "site.key"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.description = _ABOUT
    parser.set_defaults(start_ahead=_start_ahead)
    parser.add_argument(
        "inputs",
        nargs="+",
        type=Path,
        metavar="IN",
        help="a file, a folder or an archive (zip, tar, gz, ISO)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="the folder to write to; --dry-run needs none"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--deidentifier",
        default="default",
        metavar="NAME",
        help="a deidentifier of the configuration, or a shipped preset (default: default)",
    )
    which.add_argument(
        "--deid-config",
        type=Path,
        metavar="FILE.json",
        help="a DeidentifyConfig; its key is that of the deidentifier named like the file",
    )
    parser.add_argument(
        "--key-file",
        type=Path,
        metavar="FILE",
        help=(
            "the site key, 32 bytes, mode 0600 (else that of the configuration, else site.key in "
            "state_dir, else one of your own, made at the first run)"
        ),
    )
    parser.add_argument(
        "--jobs",
        type=_jobs,
        default=0,
        metavar="N",
        help="processes, never more than cores and memory allow (default: as many as they do)",
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write what became of each input: .json, .jsonl (or .ndjson) or .csv; it names the inputs, so"
        " keep it where they are kept",
    )
    parser.add_argument(
        "--crosswalk",
        type=Path,
        metavar="FILE",
        help="write which identifiers stand for which, one row for each instance: .csv, .json or .jsonl; it"
        " undoes de-identification, so keep it locked away",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="do all but write the output: the report, and what would be",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue an interrupted run: what it wrote, and is still as it was, stays",
    )
    parser.add_argument(
        "--layout",
        choices=_LAYOUTS,
        default=_LAYOUTS[0],
        help="the folders below DIR (default: patient/study/series); keep: as the inputs lie, in folders"
        " renamed by --rename-folders",
    )
    parser.add_argument(
        "--rename-folders",
        type=Path,
        metavar="FILE.csv",
        help="for --layout keep: a table with the columns folder and name; one to fill in is written where"
        " it is missing",
    )
    parser.add_argument(
        "--prefix", default="", metavar="TEXT", help="stands before each name in DIR itself"
    )
    parser.add_argument(
        "--quarantine",
        type=Path,
        metavar="DIR",
        help="also copy what is refused into this folder, originals as they are; never inside --out",
    )
    arguments.add_config(parser)


def _start_ahead() -> AbstractContextManager[list[Spawned]]:
    """Start the first process, which loads what it needs while this one reads the settings."""
    from daemon.workers.spawning import spawned_ahead  # noqa: PLC0415

    return spawned_ahead(1, _WARM_UP)


def run(options: argparse.Namespace) -> int:
    """De-identify and return the exit status."""
    from daemon.batch.errors import BatchFailed, BatchInterrupted, BatchRefused  # noqa: PLC0415
    from daemon.batch.refusals import REFUSED  # noqa: PLC0415
    from daemon.batch.run import run_batch  # noqa: PLC0415
    from daemon.cli.explain import in_file  # noqa: PLC0415
    from deid.errors import ConfigurationInvalid  # noqa: PLC0415

    if options.out is None and not options.dry_run:
        raise UsageError(
            "--out DIR is needed: the folder to write to (or --dry-run to write nothing)"
        )
    asked = str(options.deid_config or options.deidentifier)

    def warn(sentence: str) -> None:
        _tell_line(f"warning: {asked}: {sentence}")

    request = _request(options, arguments.settings(options), warn)
    _tell_jobs(options.jobs)
    try:
        with _progress() as tell:
            summary = run_batch(request, tell, warn, options.ahead)
    except BatchRefused as error:
        raise UsageError(str(error)) from error
    except ConfigurationInvalid as error:
        raise in_file(asked, error) from error
    except BatchFailed as error:
        raise CommandFailed(
            f"{error.place or request.out} cannot be written to: {error.what}"
        ) from error
    except BatchInterrupted as error:
        output.print_line(
            "dicomveil: interrupted; what was written is whole, and the same command with --resume goes on"
            " from there",
            sys.stderr,
        )
        return 128 + error.signal_number
    output.print_line(summary.line())
    if summary.refused:
        listed = None if summary.is_dry else request.out / REFUSED
        _tell_refused(summary, listed, options.report)
    if summary.left_over:
        _tell_left_over(summary, request.out)
    if summary.is_empty:
        _tell_nothing(summary)
        return exit_codes.NOTHING_DONE
    return exit_codes.SOME_REFUSED if summary.refused else exit_codes.OK


def _tell_refused(summary: BatchSummary, listed: Path | None, report: Path | None) -> None:
    """Say why something was refused and what to do, without naming an input."""
    from daemon.reasons import remedies  # noqa: PLC0415

    which = f"{report} names the files" if report else "--report FILE names the files"
    where = f" {listed} says why, by input number;" if listed else ""
    output.print_line(
        f"dicomveil: {summary.refused} refused; they stay where they are.{where} {which}:",
        sys.stderr,
    )
    for line in remedies(summary.refused_for):
        output.print_line(f"  {line}", sys.stderr)


def _tell_left_over(summary: BatchSummary, out: Path) -> None:
    output.print_line(
        f"dicomveil: {out} also holds {summary.left_over} DICOM files that this run did not write, of inputs"
        " that are gone or have changed; the report's column output names those that it did",
        sys.stderr,
    )


def _tell_nothing(summary: BatchSummary) -> None:
    if summary.refused:
        found = "only packed files of a kind that is not read; unpack them and name the folder"
    elif summary.skipped:
        found = f"none of {summary.skipped} files is a DICOM instance"
    else:
        found = "there is no file in what was named"
    output.print_line(f"dicomveil: nothing was de-identified: {found}", sys.stderr)


def _request(
    options: argparse.Namespace, settings: Settings, warn: Callable[[str], None]
) -> BatchRequest:
    from daemon.batch.layout import Layout  # noqa: PLC0415
    from daemon.batch.request import BatchRequest  # noqa: PLC0415
    from daemon.cli.explain import find  # noqa: PLC0415
    from daemon.deidentifiers.configuration_files import resolve  # noqa: PLC0415
    from daemon.workers.limits import Limits  # noqa: PLC0415

    pixels = arguments.pixels(options, settings)

    if options.deid_config is not None:
        if options.deid_config.suffix != ".json":
            raise UsageError(f"--deid-config {options.deid_config} does not end in .json")
        name = options.deid_config.stem
        configuration = resolve(str(options.deid_config), warn=warn)
    else:
        name = options.deidentifier
        configuration = find(name, settings)
    key = site_key(options.key_file, settings, os.environ).derive(name).secret
    _tell_line(_what_names(name, options.deid_config))
    return BatchRequest(
        inputs=options.inputs,
        out=options.out or Path(),
        configuration=configuration,
        key=key,
        deidentifier=name,
        jobs=options.jobs,
        report=options.report,
        quarantine=options.quarantine,
        crosswalk=options.crosswalk,
        layout=Layout(options.layout),
        prefix=options.prefix,
        rename_folders=options.rename_folders,
        resume=options.resume,
        dry_run=options.dry_run,
        limits=Limits.of(settings.workers),
        most_text_bytes=settings.fhir.max_file_bytes,
        pixels=pixels,
    )


def _what_names(name: str, file: Path | None) -> str:
    """Say what replacements follow from beside the key: a file that is renamed gives others."""
    if file is None:
        return f"pseudonyms follow from that key and the deidentifier's name, {name}"
    return (
        f"pseudonyms follow from that key and the name {name}, which is that of {file}: under another file"
        " name they are others"
    )


def site_key(named: Path | None, settings: Settings, environ: Mapping[str, str]) -> SiteKey:
    """Return the site key, and say on standard error which one it is.

    The first of: the file named, the service's on this machine (`daemon.deidentifiers.site_key.key_place`),
    and one of the user's own, which is made if it is missing.

    Raises
    ------
    KeyRefused
        If the first that there is cannot be read, or is not a usable key.
    CommandFailed
        If there is none and the folder for one cannot be made, or a service on this machine has another.
    """
    from daemon.deidentifiers import key_file as keyfile  # noqa: PLC0415
    from daemon.deidentifiers.site_key import key_place  # noqa: PLC0415
    from deid.identity.keys import SiteKey  # noqa: PLC0415

    place = key_place(settings, environ)
    file = named or place.path
    known = _of_the_service(settings) if place.is_ours and not named else None
    if named or not place.is_ours or os.path.lexists(file):
        key = SiteKey(keyfile.read_key_file(file))
    else:
        base = environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
        file = Path(base) / _USER_KEY
        if known is not None and not os.path.lexists(file):
            service_key.refuse_other(known, settings, file, "")
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise CommandFailed(
                f"{file.parent} cannot be made for a site key ({error.strerror}); name one with --key-file"
            ) from error
        key = SiteKey(keyfile.ensure_key_file(file))
    if known is not None:
        service_key.refuse_other(known, settings, file, key.id)
    output.print_line(f"dicomveil: site key {key.id} from {file}", sys.stderr)
    return key


def _of_the_service(settings: Settings) -> service_key.Remembered | None:
    """Return what is known of the key of a service on this machine; None, which is told, if that cannot be."""
    from daemon.errors import DaemonError  # noqa: PLC0415

    try:
        return service_key.remembered(settings)
    except (CommandFailed, DaemonError) as error:
        _tell_line(f"which key made what {settings.state_dir} stores cannot be told: {error}")
        return None


def _tell_jobs(asked: int) -> None:
    from daemon.workers.capacity import most_processes  # noqa: PLC0415

    most = most_processes()
    if asked > most:
        _tell_line(
            f"--jobs {asked}: this machine has cores and memory for {most}; no more are started"
        )


def _jobs(text: str) -> int:
    import argparse  # noqa: PLC0415

    if not text.isascii() or not text.isdigit() or len(text) > _JOBS_DIGITS:
        raise argparse.ArgumentTypeError(f"expected a number of processes, found {text!r}")
    return int(text)


def _progress() -> AbstractContextManager[Callable[[BatchProgress], None]]:
    from daemon.batch.progress import progress_bar, progress_lines  # noqa: PLC0415

    if not sys.stderr.isatty():
        return nullcontext(progress_lines(_tell_line))

    return progress_bar()


def _tell_line(line: str) -> None:
    output.print_line(f"dicomveil: {line}", sys.stderr)
