"""Every command that a document prints does what it says, in a folder as a newcomer has it."""

from __future__ import annotations

import argparse
import importlib.util
import re
import shlex
import shutil
from typing import TYPE_CHECKING

import pytest

from daemon.cli import main
from tests.printed_commands import PAGES, Block, blocks, inline
from tests.sandbox import Sandbox
from tests.service import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sandbox import Serving

_BLOCKS = [block for page in PAGES for block in blocks(page)]
_TYPED = sorted({block.page for block in _BLOCKS if block.is_shell and not block.not_run})
_INLINE = sorted({(str(page.relative_to(ROOT)), found) for page in PAGES for found in inline(page)})
_NOT_RUN = 7
_OF_GCLOUD = {block.page for block in _BLOCKS if not block.not_run and "gcloud " in block.text}
_NEEDS_GCLOUD = pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed")
_PLACEHOLDERS = {
    "ID": "0123", "CODE": "not_dicom", "NAME": "basic", "FILE": "scans", "IN": "scans", "DIR": "out",
    "N": "2", "PEM": "trustee.pem", "STUDY_UID": "1.2.3", "URL": "http://localhost", "REVISION": "main",
    "FOLDER": "scans",
    "WORK": "tags", "OUT.png": "out.png", "SAMPLE.dcm": "ultrasound.dcm", "NAME|FILE.json": "basic",
}  # fmt: skip


def test_what_is_not_run_says_why_and_is_counted() -> None:
    left = [block for block in _BLOCKS if block.not_run]
    for block in left:
        print(f"{block.page}:{block.line} is not run: {block.not_run}")
    assert len(left) == _NOT_RUN
    assert all(block.is_shell for block in left)


def test_commands_stand_in_fenced_blocks_that_can_be_run() -> None:
    assert [f"{each.page}:{each.line}" for each in _BLOCKS if each.language == "indented"] == []
    assert len(_TYPED) >= 4
    assert sum(len(block.commands) for block in _BLOCKS if block.is_shell) > 30


@pytest.mark.peer("storescu", "genisoimage")
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=_NEEDS_GCLOUD if page in _OF_GCLOUD else ()) for page in _TYPED],
)
def test_what_a_page_has_typed_works_from_top_to_bottom(page: str, disk_path: Path) -> None:
    sandbox = Sandbox(disk_path)
    with sandbox.serving() as serving:
        for block in _BLOCKS:
            if block.page != page or block.not_run:
                continue
            if block.file:
                (sandbox.work / block.file).write_text(block.text + "\n")
            elif block.is_shell:
                for command in block.commands:
                    _type(sandbox, serving, command, block)


def _type(sandbox: Sandbox, serving: Serving, command: str, block: Block) -> None:
    if command.startswith("export "):
        sandbox.export(sandbox.with_ports(command))
        return
    if re.search(r"\bdicomveil serve\b", command):
        serving.start(command)
        return
    run = sandbox.run(sandbox.with_ports(command))
    assert run.returncode == 0, f"{block.page}:{block.line}: {command}\n{run.stdout}{run.stderr}"


@pytest.mark.parametrize(("page", "command"), _INLINE)
def test_a_command_in_a_sentence_is_one(page: str, command: str) -> None:
    program, *words = _words(command)
    if program == "dicomveil" and _is_named_only(words):
        return
    if program == "dicomveil":
        main.parser().parse_args(words)
    elif program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert words[0] in targets
    elif program.endswith("python") and "-m" in words:
        name = words[words.index("-m") + 1]
        assert importlib.util.find_spec(name) is not None
    elif "pytest" in words:
        assert (ROOT / words[-1]).exists()
    else:
        assert program in {"storescu", "cp", "pip", "openssl", "gcloud", "npm"}


def _is_named_only(words: list[str]) -> bool:
    """Whether a command is spoken of: its name, and that of an action, without arguments."""
    parser = main.parser()
    for word in words:
        found = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
        if not found or word not in found[0].choices:
            return False
        parser = found[0].choices[word]
    return True


def _words(command: str) -> list[str]:
    """Return a command with something in the place of what it leaves open."""
    command = re.sub(r"\[[^]]*\]|\.\.\.", "", command).strip()
    words = [_PLACEHOLDERS.get(word, word) for word in shlex.split(command)]
    return [word.split("|")[0] for word in words]
