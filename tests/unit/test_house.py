"""What keeps the house easy to read: small modules, and nobody in another's drawers."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PACKAGES = "config", "daemon", "deid", "dicomweb"
_MOST_LINES = 500
_HOT_LOOP = "deid/tags/walk.py"
_PUBLIC = {"_asdict", "_field_defaults", "_fields", "_make", "_replace"}
"""What a named tuple offers under such names, so that they cannot be its fields'."""

_MODULES = sorted(
    path.relative_to(_ROOT).as_posix()
    for each in _PACKAGES
    for path in (_ROOT / each).rglob("*.py")
)


@cache
def _text(module: str) -> str:
    return (_ROOT / module).read_text()


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name not in _PUBLIC


def _reaches(text: str) -> list[str]:
    """Return the private names of other modules that a module uses."""
    tree = ast.parse(text)
    imported: set[str] = set()
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            parts = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            if (node.module or "").split(".")[0] in _PACKAGES:
                found += [part for part in parts if _is_private(part)]
                imported |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            imported |= {
                alias.asname or alias.name
                for alias in node.names
                if alias.name.split(".")[0] in _PACKAGES
            }
    found += [
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in imported
        and _is_private(node.attr)
    ]
    return found


def test_no_module_is_longer_than_can_be_read_but_the_hot_loop() -> None:
    lengths = {module: _text(module).count("\n") for module in _MODULES}
    assert {name for name, lines in lengths.items() if lines > _MOST_LINES} <= {_HOT_LOOP}


def test_no_module_reaches_into_anothers_private_members() -> None:
    assert {module: found for module in _MODULES if (found := _reaches(_text(module)))} == {}


@pytest.mark.parametrize(
    "text",
    [
        "from deid.plan import _rules",
        "from daemon._hidden import known",
        "from deid import plan\nplan._rules()",
        "from deid.plan import Plan as P\nP._rules",
    ],
)
def test_reaching_into_private_members_is_noticed(text: str) -> None:
    assert _reaches(text)
