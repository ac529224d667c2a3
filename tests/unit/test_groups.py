"""Errors of task groups, on every Python that is supported."""

from __future__ import annotations

import ast
from pathlib import Path

from daemon.errors import first_of

ROOT = Path(__file__).resolve().parents[2]


def test_the_first_error_is_found_through_groups_within_groups() -> None:
    inner = OSError("inner")
    group = BaseExceptionGroup("", [BaseExceptionGroup("", [inner]), OSError("later")])
    assert first_of(group, OSError) is inner


def test_an_error_of_another_kind_leaves_the_group_as_it_is() -> None:
    assert first_of(BaseExceptionGroup("", [OSError(), KeyError()]), OSError) is None


def test_nothing_is_raised_from_within_except_star() -> None:
    """Until 3.11.4 Python wraps it in a group of its own; Debian 12 has 3.11.2."""
    for package in ("config", "daemon", "deid", "dicomweb"):
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                assert not isinstance(node, ast.TryStar), file
