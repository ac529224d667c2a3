"""``dicomveil`` in the process of a test, where the command is what is tested and not its process.

A process that is told of a wrong argument, or counts what waits, takes a third of a second to load for it.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import chdir, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli import deid, main
from tests.prepared import worker_ahead

if TYPE_CHECKING:
    from collections.abc import Mapping


ROOT = Path(__file__).resolve().parent.parent


def typed(
    *arguments: str | Path, folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder and an environment, without a terminal.

    The first worker of `dicomveil deid` is a fork of a process that has loaded it (`tests.prepared`).
    """
    said, told = io.StringIO(), io.StringIO()
    usual, stdin = dict(os.environ), sys.stdin
    with chdir(folder), redirect_stdout(said), redirect_stderr(told), Path(os.devnull).open() as no:
        os.environ.clear()
        os.environ.update(environment)
        sys.stdin = no
        try:
            code = _run([*map(str, arguments)])
        finally:
            sys.stdin = stdin
            os.environ.clear()
            os.environ.update(usual)
    return subprocess.CompletedProcess(arguments, code, said.getvalue(), told.getvalue())


def _run(arguments: list[str]) -> int:
    described = main.parser()
    try:
        options = described.parse_args(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
    options.described = described
    with worker_ahead(ROOT) if options.run is deid.run else nullcontext() as options.ahead:
        return main._run(options)
