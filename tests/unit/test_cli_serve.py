"""What `dicomveil serve` does before there is a service."""

from __future__ import annotations

import argparse
import gc
import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from config.errors import ConfigError
from daemon.cli import serve

if TYPE_CHECKING:
    from pathlib import Path

_TOLD_AT_THE_END = """
import atexit, gc, sys
from daemon.cli.main import main
atexit.register(lambda: print(gc.get_stats()[2]["collections"], len(gc.get_objects()), file=sys.stderr))
main()
"""


def test_garbage_is_collected_whether_or_not_it_starts(tmp_path: Path) -> None:
    (tmp_path / "dicomveil.toml").write_text("[dimse]\nport = 70000\n")
    with pytest.raises(ConfigError):
        serve.run(argparse.Namespace(config=tmp_path / "dicomveil.toml"))
    assert gc.isenabled()


def test_what_is_loaded_is_not_looked_through_meanwhile_nor_later() -> None:
    before = gc.get_freeze_count()
    gc.set_threshold(123_456)
    with serve._loading():
        loaded: list[list[int]] = [[] for _ in range(1000)]
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_threshold()[0] < 10_000
    assert gc.get_freeze_count() > before + len(loaded)


def test_as_many_files_may_be_open_as_the_system_lets() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[0] - 1, before[1]))
        serve._allow_descriptors()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_streams_that_were_closed_are_no_files_of_ours(tmp_path: Path) -> None:
    """Their numbers would be those of the next files opened, and what is printed would go into those."""
    runs = "from daemon.cli.main import main; main()"
    command = f'exec "{sys.executable}" -c "{runs}" check-config <&- >&- 2>&-'
    ended = subprocess.run(
        ["sh", "-c", command],
        env={**os.environ, "DICOMVEIL_STATE_DIR": str(tmp_path)},
        cwd=tmp_path,
        check=False,
    )
    assert ended.returncode == 0


def test_a_short_command_never_looks_through_all_that_it_has_loaded(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _TOLD_AT_THE_END, "check-config"],
        env={**os.environ, "DICOMVEIL_STATE_DIR": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    collections, looked_through_at_the_end = map(int, done.stderr.split())
    assert collections == 0
    assert looked_through_at_the_end < 1000
