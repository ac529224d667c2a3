"""The program on a terminal: progress, interruption, completion, help, the manual page."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import TYPE_CHECKING

import pexpect
import pytest

from daemon.cli import main, manual
from tests.commands import typed
from tests.conftest import program
from tests.factories import ct_file
from tests.folders import standing_still
from tests.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

_DEADLINE_S = 240.0
# Each once: what a command says first may be what the program says first.
_EXAMPLES = list(
    dict.fromkeys(
        f"dicomveil {command}" for each in (main, *main.COMMANDS) for command, _ in each.EXAMPLES
    )
)
_ASKS_A_SERVICE = [command for command in _EXAMPLES if "deidentify-store" in command]
_OF_A_SHELL = set("|<>&;$~*?`\n")


@pytest.fixture
def sandbox(disk_path: Path) -> Sandbox:
    return Sandbox(disk_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"))
    sandbox.start_state()
    sandbox.run("dicomveil deid scans --out clean --deid-config sealed.json")
    (made,) = list((sandbox.work / "clean").rglob("*.dcm"))[:1]
    made.rename(sandbox.work / "clean" / "1.dcm")
    return sandbox


def spawn(sandbox: Sandbox, command: str, *arguments: str) -> pexpect.spawn[str]:
    return pexpect.spawn(
        command,
        list(arguments),
        cwd=str(sandbox.work),
        env=sandbox.environment,
        dimensions=(40, 160),
        timeout=_DEADLINE_S,
        encoding="utf-8",
    )


def many(sandbox: Sandbox, count: int) -> None:
    for path in (sandbox.work / "scans").iterdir():
        path.unlink()
    for number in range(count):
        content = ct_file(instance=number, rows=64)
        (sandbox.work / "scans" / f"MUELLER {number}.dcm").write_bytes(content)
    (sandbox.work / "scans" / "MUELLER cut.dcm").write_bytes(content[:500])


class TestProgress:
    def test_it_has_a_true_total_a_rate_the_time_left_and_what_was_refused(
        self, sandbox: Sandbox
    ) -> None:
        many(sandbox, 400)
        child = spawn(sandbox, "dicomveil", "deid", "scans", "--out", "clean")
        told = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", child.read())
        child.wait()
        shown = re.findall(r"(\d+)/(\d+) \d+(?:\.\d)?/s, \d+:\d\d left, (\d+) refused", told)
        done = [int(each[0]) for each in shown]
        assert len(set(done)) > 1
        assert done == sorted(done)
        assert {each[1] for each in shown} == {"401"}
        assert "400 de-identified, 0 duplicates, 1 refused" in told
        assert child.exitstatus == 3

    def test_it_names_no_input_and_leaves_the_cursor(self, sandbox: Sandbox) -> None:
        many(sandbox, 100)
        child = spawn(sandbox, "dicomveil", "deid", "scans", "--out", "clean")
        told = child.read()
        assert "MUELLER" not in told
        assert told.rindex("\x1b[?25h") > told.rindex("\x1b[?25l")

    def test_ctrl_c_says_how_to_go_on_and_leaves_the_cursor(self, sandbox: Sandbox) -> None:
        many(sandbox, 150)
        asked = ("deid", "scans", "--out", "clean")
        child = spawn(sandbox, sys.executable, *standing_still(100), *asked)
        child.expect(r"[1-9]\d*/151")
        child.sendintr()
        child.expect("with --resume goes on")
        told = child.before + child.read()
        child.wait()
        assert child.exitstatus == 130
        assert "\x1b[?25h" in told
        child = spawn(sandbox, "dicomveil", "deid", "scans", "--out", "clean", "--resume")
        child.expect(r"\d+ done earlier")
        child.expect(r"\d+ de-identified \(\d+ of them earlier\)")
        child.expect(pexpect.EOF)


class TestCompletion:
    def shell(self, sandbox: Sandbox, name: str) -> pexpect.spawn[str]:
        made = sandbox.run(f"dicomveil completion {name} > completion")
        assert made.returncode == 0, made.stderr
        if name == "bash":
            child = spawn(sandbox, "bash", "--norc", "--noprofile", "-i")
            child.sendline("PS1='ready> '; bind 'set enable-bracketed-paste off'")
            child.expect("ready> $")
            child.sendline("source completion; echo sour''ced")
        else:
            child = spawn(sandbox, "zsh", "-f", "-i")
            child.sendline(
                "PS1='ready> '; mkdir -p f; cp completion f/_dicomveil; fpath=($PWD/f $fpath)"
            )
            child.sendline(
                "autoload -Uz compinit; compinit -u -D; setopt noalwayslastprompt; echo sour''ced"
            )
        child.expect("sourced")
        child.expect("ready> ")
        return child

    @pytest.mark.peer("bash")
    @pytest.mark.parametrize(
        ("typed", "completed"),
        [
            ("dicomveil quar", "quarantine "),
            ("dicomveil quarantine dis", "discard "),
            ("dicomveil deid --cross", "crosswalk "),
            ("dicomveil deid sca", "scans"),
            ("dicomveil reasons pixels_not", "pixels_not_cleaned "),
            ("dicomveil explain research_i", "research_imaging "),
            ("dicomveil deid --layout fl", "flat "),
        ],
    )
    def test_bash_completes(self, shared: Sandbox, typed: str, completed: str) -> None:
        child = self.shell(shared, "bash")
        child.send(f"{typed}\t")
        child.expect_exact(completed)
        child.close(force=True)

    @pytest.mark.peer("zsh")
    @pytest.mark.parametrize(
        ("typed", "completed"),
        [("dicomveil quar", "quarantine"), ("dicomveil deid --cross", "--crosswalk")],
    )
    def test_zsh_completes(self, shared: Sandbox, typed: str, completed: str) -> None:
        child = self.shell(shared, "zsh")
        child.send(f"{typed}\t")
        child.expect_exact(completed)
        child.close(force=True)


def _without_a_shell(sandbox: Sandbox, command: str) -> subprocess.CompletedProcess[str]:
    """Run what needs no shell in this process: most examples take less time than a process of the program."""
    _program, *arguments = shlex.split(command)
    return typed(*arguments, folder=sandbox.work, environment=sandbox.environment)


@pytest.fixture(scope="class")
def served(shared: Sandbox) -> Iterator[Sandbox]:
    """Let a service serve that has a dataset with two stores of each kind."""
    with shared.serving() as serving:
        serving.start("dicomveil serve")
        root = f"http://127.0.0.1:{shared.environment['DICOMVEIL_HTTP__PORT']}/v1/projects/local/locations/local"
        _made(f"{root}/datasets?datasetId=hospital", {})
        for kind, body in (("dicom", {}), ("fhir", {"version": "R4"})):
            for name in ("received", "clean"):
                _made(f"{root}/datasets/hospital/{kind}Stores?{kind}StoreId={name}", body)
        yield shared


def _made(address: str, body: dict[str, str]) -> None:
    """Make something that may be there already."""
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(address, json.dumps(body).encode(), headers)
    try:
        urllib.request.urlopen(asked, timeout=240).close()
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.CONFLICT:
            raise


class TestHelp:
    @pytest.mark.parametrize("command", main.COMMANDS, ids=lambda each: each.NAME)
    def test_each_has_three_examples(self, command: ModuleType) -> None:
        text = _help(command.NAME)
        assert len(command.EXAMPLES) >= 3
        assert [line for line, _ in command.EXAMPLES if f"dicomveil {line}" not in text] == []

    def test_actions_of_commands_have_them_too(self) -> None:
        assert "examples:" in _help("quarantine", "list")
        assert "examples:" in _help("key", "show")

    @pytest.mark.parametrize("command", [each for each in _EXAMPLES if each not in _ASKS_A_SERVICE])
    def test_each_example_does_what_it_says(self, shared: Sandbox, command: str) -> None:
        serves = re.search(r"\bserve\b", command) is not None
        if "man -l" in command and program("man") is None:
            pytest.skip("man is not installed")
        if "deid" in command.split():
            shared.run("rm -rf clean.before && mv clean clean.before")
        try:
            run = (
                shared.run(command, serves=serves)
                if serves or set(command) & _OF_A_SHELL
                else _without_a_shell(shared, command)
            )
        finally:
            shared.run("test -d clean.before && rm -rf clean && mv clean.before clean")
        _assert_it_did_what_it_says(command, run)


class TestBesideAService:
    @pytest.mark.parametrize("command", _ASKS_A_SERVICE)
    def test_each_example_does_what_it_says(self, served: Sandbox, command: str) -> None:
        _assert_it_did_what_it_says(command, served.run(command))


def _assert_it_did_what_it_says(command: str, run: subprocess.CompletedProcess[str]) -> None:
    serves = re.search(r"\bserve\b", command) is not None
    told = run.stdout + run.stderr
    assert run.returncode not in {2, 78}, told
    assert "Traceback" not in told
    assert "unexpected:" not in told
    nothing_there = (
        "redo ",
        "retry",
        "discard",
        "operations show",
        "operations cancel",
        "deidentify-store",
        "viewer install",  # whether npm gets anything here is not ours
    )
    allowed = (
        {0, 1} if any(word in command for word in nothing_there) else {0, 130} if serves else {0}
    )
    assert run.returncode in allowed, told


class TestManual:
    @pytest.fixture
    def page(self) -> str:
        return "\n".join(manual.page(main.parser())) + "\n"

    def test_it_names_every_command_and_every_option(self, page: str) -> None:
        plain = page.replace("\\-", "-")
        for name, option in _options():
            assert option in plain, name

    @pytest.mark.peer("mandoc")
    def test_mandoc_finds_no_fault(self, page: str) -> None:
        checked = subprocess.run(
            ["mandoc", "-Tlint", "-W", "error"],
            input=page, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert checked.stdout == ""

    @pytest.mark.peer("man")
    def test_man_shows_it(self, page: str, tmp_path: Path) -> None:
        (tmp_path / "dicomveil.1").write_text(page)
        shown = subprocess.run(
            ["man", "--warnings", "-l", tmp_path / "dicomveil.1"],
            capture_output=True, text=True, check=True,
            env={"PATH": "/usr/bin:/bin", "MANWIDTH": "100", "LANG": "C.UTF-8"},
        )  # fmt: skip
        assert shown.stderr == ""
        assert "--crosswalk FILE" in shown.stdout
        assert "{patient/study/series,flat,keep}" in shown.stdout


def _help(*command: str) -> str:
    parser = main.parser()
    for name in command:
        (actions,) = (
            each for each in parser._actions if each.choices and each.dest == "==SUPPRESS=="
        )
        parser = actions.choices[name]  # type: ignore[index]
    return parser.format_help()


def _options() -> Iterator[tuple[str, str]]:
    for command in main.COMMANDS:
        for option in re.findall(r"--[a-z-]+", _help(command.NAME).split("examples:")[0]):
            if option != "--help":
                yield command.NAME, option
        yield command.NAME, command.NAME


def test_every_example_is_one_line_of_shell() -> None:
    assert all(shlex.split(command)[0] == "dicomveil" for command in _EXAMPLES)
    assert len(_EXAMPLES) >= 3 * len(main.COMMANDS)
