"""What the documents point at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.mutants.breaks import breaks

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])
SOURCES = sorted(
    path for room in ("config", "daemon", "deid", "dicomweb") for path in ROOT.joinpath(room).rglob("*.py")
)  # fmt: skip
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_PATH = re.compile(r"`{1,2}((?:config|daemon|deid|dicomweb|docs|systemd|tests)/[\w./*-]+)`{1,2}")
_TEST = re.compile(r"`(test_[\w*]+(?:\.py)?)`")
_NAME = re.compile(r"`((?:config|daemon|deid|dicomweb)(?:\.\w+)+)`")


def _identity(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_identity)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = [link for link in _LINK.findall(page.read_text()) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", [*PAGES, *SOURCES], ids=_identity)
def test_every_file_that_is_named_exists(page: Path) -> None:
    paths = _PATH.findall(page.read_text())
    assert [path for path in paths if not list(ROOT.glob(path.rstrip("/")))] == []


@pytest.mark.parametrize("page", PAGES, ids=_identity)
def test_every_test_that_is_named_exists(page: Path) -> None:
    names = _TEST.findall(page.read_text())
    assert [name for name in names if not list(ROOT.glob(f"tests/**/{name}"))] == []


@pytest.mark.parametrize("page", [*PAGES, *SOURCES], ids=_identity)
def test_every_name_in_the_code_that_is_named_exists(page: Path) -> None:
    assert [name for name in _NAME.findall(page.read_text()) if not _is_there(name)] == []


def test_the_index_lists_every_document() -> None:
    index = (DOCS / "index.md").read_text()
    listed = {(DOCS / link).resolve() for link in _LINK.findall(index) if "://" not in link}
    assert [path for path in DOCS.rglob("*.md") if path not in listed] == [DOCS / "index.md"]


def test_every_break_that_is_listed_can_be_made() -> None:
    """As `tests/unit/test_mutants.py` says in detail; here for whoever changes code and runs little."""
    problems = []
    for each in breaks():
        try:
            each.made_in((ROOT / each.file).read_text())
        except (OSError, ValueError) as error:
            problems.append(str(error))
    assert problems == []


def _is_there(name: str) -> bool:
    """Tell whether a dotted name is a module, or stands in one: as a word after ``def``, ``class`` or alone."""
    parts = name.split(".")
    for depth in range(len(parts), 0, -1):
        base = ROOT.joinpath(*parts[:depth])
        module = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
        if module.is_file():
            source = module.read_text()
            return all(re.search(rf"\b{part}\b", source) for part in parts[depth:])
    return False
