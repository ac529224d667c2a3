"""``dicomveil``: parse the arguments, run one command, turn what it raises into an exit status.

The modules of the commands describe their arguments without loading what they need to run, so that
``dicomveil --help`` is quick.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

from daemon.cli import (
    check_config,
    completion,
    deid,
    deidentify_store,
    exit_codes,
    explain,
    fsck,
    key,
    manual,
    operations,
    output,
    quarantine,
    reasons,
    redo,
    regions,
    reidentify,
    resources,
    serve,
    status,
    viewer,
)
from daemon.cli.errors import CliError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BETWEEN_COLLECTIONS = 300_000
"""New objects between two searches for garbage: more than a command loads before it does anything."""
COMMANDS = (
    serve,
    check_config,
    deid,
    status,
    quarantine,
    resources,
    reasons,
    redo,
    deidentify_store,
    operations,
    explain,
    fsck,
    key,
    regions,
    reidentify,
    viewer,
    completion,
    manual,
)
EXAMPLES = (
    ("deid scans --out clean", "de-identify a folder"),
    ("serve", "receive, de-identify and serve until stopped"),
    ("explain research", "what a preset does, element by element"),
)

_EXIT_STATUS = """\
exit status: 0 done; 1 failed; 2 wrong usage; 3 done, some instances refused (deid) or damage
found (fsck); 4 nothing done, as no instance was found (deid); 78 wrong configuration, nothing was started"""


class _ShowVersion(argparse.Action):
    """``--version``, without reading the version of the distribution unless asked."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415 - slow, and rarely asked for

        output.print_line(f"dicomveil {version('dicomveil')}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(
        prog="dicomveil",
        description="Receive DICOM instances, de-identify them, serve source and result.",
        epilog=_epilog(EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action=_ShowVersion, nargs=0, help="show the version and exit")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        sub = commands.add_parser(
            command.NAME,
            help=command.HELP,
            description=command.HELP,
            epilog=_epilog(command.EXAMPLES),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        # What a command starts before anything else is loaded; most start nothing.
        sub.set_defaults(run=command.run, start_ahead=nullcontext)
        command.add_arguments(sub)
        for inner in _inner(sub):
            inner.epilog = sub.epilog
            inner.formatter_class = argparse.RawDescriptionHelpFormatter
    return top


def _epilog(examples: tuple[tuple[str, str], ...]) -> str:
    told = "".join(f"  dicomveil {command}\n      {meaning}\n" for command, meaning in examples)
    return f"examples:\n{told}\n{_EXIT_STATUS}"


def _inner(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to ask
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            yield from action.choices.values()


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    described = parser()
    options = described.parse_args(arguments)
    options.described = described  # for the commands that tell of all
    with options.start_ahead() as options.ahead:
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    from daemon.observe import logs  # noqa: PLC0415 - not for --help

    # What the parts log goes through the allow-list, whichever command calls them.
    logs.configure("warning")
    try:
        status_code: int = options.run(options)
        sys.stdout.flush()
    except CliError as error:
        output.print_line(f"dicomveil: {error}", sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        output.print_line("dicomveil: interrupted", sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (``| head``); say nothing when Python flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.OK
    except Exception as error:  # noqa: BLE001 - the edge: told below, without values
        return _explain(error)
    return status_code


def _explain(error: Exception) -> int:
    """Tell a known error in its own words, and an unknown one by type and place only."""
    from config import ConfigError  # noqa: PLC0415
    from daemon.errors import DaemonError  # noqa: PLC0415
    from daemon.observe.traces import trace  # noqa: PLC0415
    from deid.errors import ConfigurationInvalid, KeyRefused  # noqa: PLC0415

    if isinstance(error, ConfigError):
        lines = [str(problem) for problem in error.problems]
    elif isinstance(error, ConfigurationInvalid):
        lines = error.problems
    elif isinstance(error, KeyRefused):
        lines = [str(error)]
    elif isinstance(error, DaemonError):
        output.print_line(f"dicomveil: {error}", sys.stderr)
        return exit_codes.FAILED
    elif isinstance(error, OSError) and error.errno:
        # The system's own words, without the name of a file: it may be one that was received.
        told = f"the system refused: {os.strerror(error.errno)} ({trace(error)})"
        output.print_line(f"dicomveil: {told}", sys.stderr)
        return exit_codes.FAILED
    else:
        output.print_line(f"dicomveil: unexpected: {trace(error)}", sys.stderr)
        return exit_codes.FAILED
    for line in lines:
        output.print_line(f"dicomveil: {line}", sys.stderr)
    return exit_codes.CONFIGURATION


def _have_streams() -> None:
    """Have streams where whoever started us has closed them: else files of ours would get their numbers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            lowest = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(lowest, True)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")


def main() -> None:
    """Run the command line and leave the process with its exit status.

    A third of a short command would go into looking for garbage among what it has loaded: meanwhile, and
    once more when the process ends and takes all of it along.
    """
    gc.set_threshold(_BETWEEN_COLLECTIONS)
    _have_streams()
    status_code = run()
    gc.freeze()
    sys.exit(status_code)


if __name__ == "__main__":
    main()
