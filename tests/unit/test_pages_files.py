"""What is shipped to browsers is what the document says, and allows nothing inline."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "daemon" / "pages"
TEMPLATES = sorted((PAGES / "templates").glob("*.html"))


def test_the_files_of_others_are_those_that_the_document_names() -> None:
    named = dict(
        re.findall(
            r"^\| `([\w.]+)` \|.*\| `([0-9a-f]{64})` \|$",
            (ROOT / "docs/pages.md").read_text(),
            re.MULTILINE,
        )
    )
    assert {name.partition(".")[0] for name in named} == {"htmx", "uplot"}
    for name, digest in named.items():
        assert hashlib.sha256((PAGES / "static" / name).read_bytes()).hexdigest() == digest, name
        assert (PAGES / "static" / f"{name.partition('.')[0]}.LICENSE.txt").exists()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_holds_what_the_policy_forbids(template: Path) -> None:
    text = template.read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"\|\s*safe|autoescape\s+false|Markup", text)
    assert "//" not in re.sub(r"\{#.*?#\}", "", text), "addresses of other hosts"
