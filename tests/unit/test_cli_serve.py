"""What `dicomveil serve` does before there is a service."""

from __future__ import annotations

import argparse
import gc
from typing import TYPE_CHECKING

import pytest

from config.errors import ConfigError
from daemon.cli import serve

if TYPE_CHECKING:
    from pathlib import Path


def test_garbage_is_collected_whether_or_not_it_starts(tmp_path: Path) -> None:
    (tmp_path / "dicomveil.toml").write_text("[dimse]\nport = 70000\n")
    with pytest.raises(ConfigError):
        serve.run(argparse.Namespace(config=tmp_path / "dicomveil.toml"))
    assert gc.isenabled()


def test_what_is_loaded_is_not_looked_through_meanwhile_nor_later() -> None:
    before = gc.get_freeze_count()
    with serve._loading():
        loaded: list[list[int]] = [[] for _ in range(1000)]
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > before + len(loaded)
