"""Packages that are imported without what they would load beside themselves."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.importing import without

ROOT = Path(__file__).resolve().parents[2]


def test_what_is_left_out_is_not_found_meanwhile_and_is_the_same_afterwards() -> None:
    loaded = sys.modules["pytest"]
    with without("pytest"), pytest.raises(ImportError):
        importlib.import_module("pytest")
    assert importlib.import_module("pytest") is loaded


def test_what_nobody_had_loaded_can_be_imported_afterwards() -> None:
    name = "this"  # prints when it is imported, so that nothing has
    assert name not in sys.modules
    with without(name):
        pass
    assert name not in sys.modules


def test_what_somebody_else_leaves_out_stays_left_out() -> None:
    with without("this"):
        with without("this"):
            pass
        with pytest.raises(ImportError):
            importlib.import_module("this")


def test_an_import_that_fails_brings_back_what_was_left_out() -> None:
    with pytest.raises(ModuleNotFoundError), without("pytest"):
        importlib.import_module("no_such_module_of_ours")
    assert sys.modules["pytest"] is pytest


def test_a_database_is_opened_without_numpy_which_can_be_imported_afterwards() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import sys; from daemon.store.sqlite import schema_tools; print('numpy' in sys.modules);"
                "import numpy; print('numpy' in sys.modules)"
            ),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    assert said.stdout.split() == ["False", "True"]
