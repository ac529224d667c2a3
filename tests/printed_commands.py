"""Commands as the documents print them: in fenced blocks, one after the other, and in sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.service import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_SHELL = {"sh", "bash", "shell", "console"}
_COMMENT = re.compile(r"<!-- (file|not run): (.*?) -->\Z")
_PROGRAMS = {
    "dicomveil", "make", "openssl", "storescu", "echoscu", "dcmsend", "findscu", "curl", "gcloud", "pip",
    "python", "python3", ".venv/bin/python", ".venv/bin/dicomveil", "systemctl", "sudo", "cp", "mkdir", "apt",
    "apt-get", "docker", "npm", "chmod", "journalctl",
}  # fmt: skip
_INLINE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes
    ----------
    file
        The name under which the reader saves it, if it is not run.
    not_run
        Why nobody runs it here.
    """

    page: str
    line: int
    language: str
    text: str
    file: str = ""
    not_run: str = ""

    @property
    def is_shell(self) -> bool:
        """Whether it is to be typed."""
        return self.language in _SHELL

    @property
    def commands(self) -> list[str]:
        """What is typed, line by line; lines that continue are one."""
        joined = self.text.replace("\\\n", " ").splitlines()
        return [line for line in joined if line.strip() and not line.lstrip().startswith("#")]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, and what is indented as one that has a command in it."""
    name = str(page.relative_to(ROOT))
    fence: tuple[int, str] | None = None
    held: list[str] = []
    above = {"file": "", "not run": ""}
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        if line.startswith("```"):
            if fence is None:
                fence, held = (number, line[3:].strip()), []
                continue
            yield Block(name, *fence, "\n".join(held), above["file"], above["not run"])
            fence, above = None, {"file": "", "not run": ""}
        elif fence is not None:
            held.append(line)
        elif match := _COMMENT.match(line):
            above[match[1]] = match[2]
        elif line.startswith("    ") and _is_command(line.strip()):
            yield Block(name, number, "indented", line.strip())


def inline(page: Path) -> Iterator[str]:
    """Yield the commands in the middle of a page's sentences and tables."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for found in _INLINE.findall(text):
        if _is_command(found) and " " in found:
            yield found


def _is_command(text: str) -> bool:
    return text.split(" ", maxsplit=1)[0] in _PROGRAMS
