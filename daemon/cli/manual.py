"""``dicomveil manual``: the manual page, made from the same descriptions as ``--help``."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING

from daemon.cli import exit_codes

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "manual"
HELP = "print the manual page, for man"
EXAMPLES = (
    ("manual | man -l -", "read it"),
    ("manual > ~/.local/share/man/man1/dicomveil.1", "install it for yourself"),
    ("manual > dicomveil.1", "keep it in a file"),
)
_EXAMPLE = re.compile(r"^  (dicomveil .*)\n      (.*)$", re.MULTILINE)
_EXIT_STATUS = (
    (exit_codes.OK, "done"),
    (exit_codes.FAILED, "failed; a line on standard error says why"),
    (exit_codes.USAGE, "wrong usage"),
    (
        exit_codes.SOME_REFUSED,
        "done, but some instances were refused (deid), or damage was found (fsck)",
    ),
    (exit_codes.NOTHING_DONE, "nothing done, as no instance was found (deid, reidentify)"),
    (exit_codes.CONFIGURATION, "wrong configuration; nothing was started"),
)
_FILES = (
    (
        "dicomveil.toml, /etc/dicomveil/dicomveil.toml",
        "the configuration, where --config names no other",
    ),
    ("~/.local/state/dicomveil/site.key", "the site key of a user who has named none"),
    ("DIR/refused.jsonl", "what deid refused, by input number"),
)
_ENVIRONMENT = (
    ("DICOMVEIL_CONFIG", "the configuration file"),
    ("DICOMVEIL_STATE_DIR, DICOMVEIL_SECTION__KEY", "go before the configuration file"),
)


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Describe no arguments: there are none."""


def run(options: argparse.Namespace) -> int:
    """Print the page."""
    sys.stdout.write("\n".join(page(options.described)) + "\n")
    return exit_codes.OK


def page(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the page's lines, in the macros of man(7)."""
    yield '.TH DICOMVEIL 1 "" "dicomveil" "User Commands"'
    yield from (".SH NAME", f"dicomveil \\- {_escaped(parser.description or '')}")
    yield from (".SH SYNOPSIS", ".B dicomveil", "COMMAND [ARGUMENT ...]")
    yield ".SH COMMANDS"
    for name, sub in _subparsers(parser):
        yield from _command(name, sub)
    yield from (".SH EXAMPLES", *_examples(parser))
    yield ".SH EXIT STATUS"
    for code, meaning in _EXIT_STATUS:
        yield from (".TP", f".B {code}", _escaped(meaning))
    for title, rows in (("FILES", _FILES), ("ENVIRONMENT", _ENVIRONMENT)):
        yield f".SH {title}"
        for name, meaning in rows:
            yield from (".TP", f".I {_escaped(name)}", _escaped(meaning))


def _command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f".SS {name}"
    yield _escaped(parser.description or "")
    yield from (".PP", ".nf", _escaped(_usage(parser)), ".fi")
    yield from _arguments(parser)
    for action, inner in _subparsers(parser):
        yield from (".PP", f".B {name} {action}", _escaped(inner.description or ""))
        yield from (".PP", ".nf", _escaped(_usage(inner)), ".fi")
        yield from _arguments(inner)
    yield from (".PP", "Examples:", *_examples(parser))


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to ask
        if isinstance(action, argparse._SubParsersAction) or action.dest == "help":  # noqa: SLF001
            continue
        value = (
            ""
            if action.nargs == 0
            else str(action.metavar or _choices(action) or action.dest.upper())
        )
        name = ", ".join(f"{option} {value}".strip() for option in action.option_strings) or value
        yield from (".TP", f".B {_escaped(name)}", _escaped(action.help or ""))


def _choices(action: argparse.Action) -> str:
    return "{" + ",".join(map(str, action.choices)) + "}" if action.choices else ""


def _examples(parser: argparse.ArgumentParser) -> Iterator[str]:
    for command, meaning in _EXAMPLE.findall(parser.epilog or ""):
        yield from (".TP", f".B {_escaped(command)}", _escaped(meaning))


def _usage(parser: argparse.ArgumentParser) -> str:
    return re.sub(r"^usage: ", "", parser.format_usage()).rstrip()


def _subparsers(
    parser: argparse.ArgumentParser,
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            yield from action.choices.items()


def _escaped(text: str) -> str:
    """Return text in which nothing is a request or an escape of roff."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("%%", "%")
    return "\n".join(f"\\&{line}" if line[:1] in {".", "'"} else line for line in text.split("\n"))
