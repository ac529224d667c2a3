"""The commands as an operator types them, on a real state folder."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from os.path import commonpath
from pathlib import Path
from typing import Any

import pytest

from daemon.reasons import REASONS
from daemon.records import Origin, Receiver, Result, State
from daemon.store.files.blobs import FileBlobs
from daemon.store.stores import Stores
from tests.commands import typed

ROOT = Path(__file__).parents[2]
HEADER_LINES = 1


class Command:
    """``dicomveil`` in a child process, without a terminal."""

    def __init__(self, folder: Path, state_dir: Path) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DICOMVEIL_STATE_DIR": str(state_dir),
        }

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "daemon", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
            stdin=subprocess.DEVNULL,
            env=self.environment,
        )

    def json(self, *arguments: str) -> Any:
        run = self(*arguments, "--json")
        assert run.stderr == ""
        return json.loads(run.stdout)


class InThisProcess(Command):
    """The same without a process of its own, where it could not tell any difference."""

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return typed(*arguments, folder=self.folder, environment=self.environment)


@pytest.fixture
def run(tmp_path: Path, state_dir: Path) -> Command:
    return Command(tmp_path, state_dir)


@pytest.fixture
def here(tmp_path: Path, state_dir: Path) -> Command:
    return InThisProcess(tmp_path, state_dir)


@pytest.fixture
def refused(state_dir: Path) -> list[str]:
    """Two quarantined instances, one unrouted and one that waits; returns the ids in that order."""

    async def fill() -> list[str]:
        stores = await Stores.open(state_dir)
        ids = []
        for size in (1, 2, 3, 4):
            file = stores.spool.open(Origin(Receiver.DIMSE, "CT1", "VEIL", "10.0.0.1"))
            file.write(b"x" * size)
            ids.append((await file.commit()).id)
        await stores.receipts.begin(ids[:3])
        await stores.receipts.settle(
            [
                Result(ids[0], State.QUARANTINED, "not_dicom", "offset 128"),
                Result(ids[1], State.QUARANTINED, "truncated"),
                Result(ids[2], State.QUARANTINED, "not_dicom"),
            ]
        )
        await stores.close()
        return ids

    return asyncio.run(fill())


class TestUsage:
    def test_help_names_every_command(self, run: Command) -> None:
        shown = run("--help")
        commands = ["serve", "check-config", "deid", "status", "quarantine", "explain", "fsck"]
        assert shown.returncode == 0
        assert [name for name in commands if name not in shown.stdout] == []

    def test_help_does_not_load_what_the_commands_need(self, run: Command) -> None:
        script = (
            "import sys; from daemon.cli import main; main.parser().format_help(); "
            "print([m for m in ('pydicom', 'numpy', 'pydantic', 'structlog', 'rich') "
            "if m in sys.modules])"
        )
        shown = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env=run.environment,
        )
        assert shown.stdout.strip() == "[]"

    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["sing"],
            ["status", "--sing"],
            ["stat"],
            ["quarantine"],
            ["quarantine", "retry"],
            ["quarantine", "retry", "--all", "0123"],
            ["quarantine", "retry", "--all", "--deidentifier", "nobody"],
            ["quarantine", "release", "--all"],
            ["quarantine", "release", "--all", "--blank", "1:2,3"],
            ["explain", "no-such-deidentifier"],
            ["deid"],
        ],
    )
    def test_wrong_usage_ends_with_2(
        self, here: Command, refused: list[str], arguments: list[str]
    ) -> None:
        assert here(*arguments).returncode == 2

    def test_an_unknown_deidentifier_is_answered_with_the_nearest(self, here: Command) -> None:
        assert "did you mean basic?" in here("explain", "basik").stderr
        assert "there are basic, default, keep_all_pixels_only" in here("explain", "x").stderr

    def test_what_is_wrong_with_a_configuration_is_said_with_its_name(
        self, here: Command, tmp_path: Path
    ) -> None:
        (tmp_path / "own.json").write_text('{"dicom": {"filterProfil": "X"}}')
        explained = here("explain", "own.json")
        assert explained.returncode == 78
        assert "own.json: dicom.filterProfil is not a known field" in explained.stderr


class TestConfiguration:
    @pytest.mark.parametrize(
        "command", [["status"], ["fsck"], ["serve"], ["quarantine", "list"], ["check-config"]]
    )
    def test_a_wrong_configuration_ends_every_command_with_78(
        self, run: Command, tmp_path: Path, command: list[str]
    ) -> None:
        (tmp_path / "dicomveil.toml").write_text("[dimse]\nprot = 1\n")
        ended = run(*command)
        assert ended.returncode == 78
        assert "dimse.prot" in ended.stderr
        assert "did you mean dimse.port?" in ended.stderr

    def test_what_is_missing_at_the_end_of_a_file_is_said_to_be_there(
        self, here: Command, tmp_path: Path
    ) -> None:
        (tmp_path / "dicomveil.toml").write_text("a = [")
        assert here("check-config").stderr.endswith(" at the end of the file\n")

    def test_check_config_names_every_problem_as_json(self, here: Command, tmp_path: Path) -> None:
        (tmp_path / "dicomveil.toml").write_text("[dimse]\nprot = 1\nport = true\n")
        checked = here.json("check-config")
        assert not checked["ok"]
        assert {problem["key"] for problem in checked["problems"]} == {"dimse.prot", "dimse.port"}

    def test_check_config_asks_the_engine_about_each_deidentifier(
        self, here: Command, tmp_path: Path
    ) -> None:
        (tmp_path / "own.json").write_text('{"dicom": {"filterProfil": "X"}}')
        (tmp_path / "dicomveil.toml").write_text(
            '[deidentifiers.default]\nconfig = "basic"\n[deidentifiers.own]\nconfig = "own.json"\n'
        )
        ended = here("check-config")
        assert ended.returncode == 78
        assert "deidentifiers.own.config" in ended.stderr
        assert "dicom.filterProfile" in ended.stderr

    def test_check_config_says_what_is_not_covered_and_what_was_leniently_understood(
        self, here: Command, tmp_path: Path
    ) -> None:
        body = {"destinationStore": "s", "config": {"dicomTagConfig": {}}}
        (tmp_path / "body.json").write_text(json.dumps(body))
        (tmp_path / "dicomveil.toml").write_text(
            '[deidentifiers.default]\nconfig = "body.json"\n[deidentifiers.resources.config.fhir]\n'
        )
        ended = here("check-config")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert (
            "deidentifiers.default.config: config stands in the body of a request" in ended.stdout
        )
        assert "deidentifiers.resources.config: the configuration has neither dicom" in ended.stdout
        assert len(here.json("check-config")["notes"]) == 2

    def test_check_config_reads_the_key_file(self, here: Command, tmp_path: Path) -> None:
        key = tmp_path / "key"
        key.write_bytes(bytes(range(32)))
        key.chmod(0o644)
        (tmp_path / "dicomveil.toml").write_text('[key]\nfile = "key"\n')
        ended = here("check-config")
        assert ended.returncode == 78
        assert "key.file" in ended.stderr

    def test_check_config_says_what_runs_when_nothing_is_wrong(self, here: Command) -> None:
        ended = here("check-config")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "DICOMVEIL at 127.0.0.1:11112" in ended.stdout

    def test_check_config_says_which_watched_folder_is_not_there(
        self, here: Command, tmp_path: Path
    ) -> None:
        (tmp_path / "here").mkdir()
        (tmp_path / "dicomveil.toml").write_text(
            '[[watch]]\npath = "here"\n[[watch]]\npath = "gone"\n'
        )
        ended = here("check-config")
        assert ended.returncode == 0
        assert "here (delete)" in ended.stdout
        assert "gone (delete; not there now" in ended.stdout


class TestStatus:
    def test_it_counts_states_reasons_and_what_waits(
        self, here: Command, refused: list[str]
    ) -> None:
        status = here.json("status")
        assert status["states"]["quarantined"] == 3
        assert status["states"]["received"] == 1
        assert status["quarantine"] == {"not_dicom": 2, "truncated": 1}
        assert not status["running"]

    def test_it_is_readable_in_a_pipe(self, run: Command, refused: list[str]) -> None:
        lines = run("status").stdout.splitlines()
        assert "quarantined          3" in lines
        assert "\x1b" not in "".join(lines)

    def test_it_tells_whether_a_service_runs(self, run: Command, state_dir: Path) -> None:
        async def look_while_open() -> Any:
            stores = await Stores.open(state_dir)
            try:
                return await asyncio.to_thread(run.json, "status")
            finally:
                await stores.close()

        assert asyncio.run(look_while_open())["running"]

    def test_without_state_it_says_so(self, here: Command) -> None:
        ended = here("status")
        assert ended.returncode == 1
        assert "holds no state" in ended.stderr


class TestReasons:
    def test_one_is_explained_without_the_documents(self, here: Command) -> None:
        told = here("reasons", "pixels_not_cleaned")
        assert told.returncode == 0
        assert REASONS["pixels_not_cleaned"].means in told.stdout
        assert REASONS["pixels_not_cleaned"].then in told.stdout

    def test_all_are_listed(self, here: Command) -> None:
        told = here("reasons").stdout
        assert [code for code in REASONS if f"{code}\n" not in told] == []
        assert set(here.json("reasons")) == set(REASONS)

    def test_one_that_does_not_exist_is_answered_with_the_nearest(self, here: Command) -> None:
        told = here("reasons", "pixel_not_cleaned")
        assert told.returncode == 2
        assert "did you mean pixels_not_cleaned?" in told.stderr
        assert "`dicomveil reasons` lists them" in here("reasons", "x").stderr


class TestQuarantine:
    def test_list_shows_why_and_where(self, here: Command, refused: list[str]) -> None:
        listed = here.json("quarantine", "list")
        assert [entry["id"] for entry in listed] == refused[:3]
        assert listed[0]["reason"] == "not_dicom"
        assert listed[0]["where"] == "offset 128"
        assert listed[0]["calling_ae"] == "CT1"

    def test_list_is_cut_by_reason_and_number(self, here: Command, refused: list[str]) -> None:
        assert len(here.json("quarantine", "list", "--reason", "truncated")) == 1
        assert len(here.json("quarantine", "list", "--limit", "2")) == 2
        assert len(here.json("quarantine", "list", "--limit", "2", "--offset", "2")) == 1

    def test_list_says_when_there_are_more(self, here: Command, refused: list[str]) -> None:
        ended = here("quarantine", "list", "--limit", "2")
        assert len(ended.stdout.splitlines()) == HEADER_LINES + 2
        assert "--offset 2" in ended.stderr

    def test_show_takes_the_beginning_of_an_id(self, here: Command, refused: list[str]) -> None:
        shown = here.json("quarantine", "show", refused[1])
        assert shown["reason"] == "truncated"
        assert here("quarantine", "show", "").returncode == 2

    def test_show_tells_none_from_several(self, here: Command, refused: list[str]) -> None:
        common = commonpath(refused)
        several = here("quarantine", "show", common)
        assert several.returncode == 2
        assert f"several identifiers begin with {common}; give more of it" in several.stderr
        none = here("quarantine", "show", "zz")
        assert none.returncode == 2
        assert "no identifier begins with zz" in none.stderr
        assert "no identifier begins with zz" in here("quarantine", "retry", "zz").stderr

    def test_show_says_what_the_reason_means_and_what_to_do(
        self, here: Command, refused: list[str]
    ) -> None:
        shown = here("quarantine", "show", refused[1]).stdout
        assert REASONS["truncated"].means in shown
        assert REASONS["truncated"].then in shown

    def test_a_reason_that_does_not_exist_is_answered_with_the_nearest(
        self, here: Command, refused: list[str]
    ) -> None:
        for action in (["list"], ["retry", "--all"], ["discard", "--all", "--yes"]):
            ended = here("quarantine", *action, "--reason", "truncatd")
            assert ended.returncode == 2
            assert "did you mean truncated?" in ended.stderr

    def test_retry_lets_it_wait_again(self, here: Command, refused: list[str]) -> None:
        assert here("quarantine", "retry", refused[0]).returncode == 0
        assert [entry["id"] for entry in here.json("quarantine", "list")] == refused[1:3]
        assert here.json("status")["states"]["received"] == 2

    def test_retry_of_everything_with_one_reason(self, here: Command, refused: list[str]) -> None:
        assert here("quarantine", "retry", "--all", "--reason", "not_dicom").returncode == 0
        assert [entry["id"] for entry in here.json("quarantine", "list")] == [refused[1]]

    def test_what_is_not_about_pixels_is_not_released(
        self, here: Command, refused: list[str]
    ) -> None:
        ended = here("quarantine", "release", refused[1], "--blank", "0,0,5,5")
        assert ended.returncode == 1
        assert f"{refused[1][:12]}: truncated is not about pixels alone" in ended.stderr
        assert here.json("quarantine", "decisions") == []

    def test_discard_asks_and_does_nothing_where_nobody_can_answer(
        self, here: Command, refused: list[str]
    ) -> None:
        ended = here("quarantine", "discard", refused[0])
        assert ended.returncode == 2
        assert "--yes" in ended.stderr
        assert len(here.json("quarantine", "list")) == 3

    def test_discard_removes_the_bytes_and_keeps_the_receipt(
        self, here: Command, refused: list[str], state_dir: Path
    ) -> None:
        blob = FileBlobs(state_dir / "source").path_of(refused[0])
        assert blob.exists()
        assert here("quarantine", "discard", refused[0], "--yes").returncode == 0
        assert not blob.exists()
        assert here.json("status")["states"]["discarded"] == 1

    def test_retry_of_what_is_not_refused_fails(self, here: Command, refused: list[str]) -> None:
        assert here("quarantine", "retry", refused[3]).returncode == 1

    def test_it_works_while_the_service_runs(
        self, run: Command, refused: list[str], state_dir: Path
    ) -> None:
        async def retry_while_open() -> int:
            stores = await Stores.open(state_dir)
            try:
                await asyncio.to_thread(run, "quarantine", "retry", refused[0])
                return len(await stores.receipts.due(10, []))
            finally:
                await stores.close()

        assert asyncio.run(retry_while_open()) == 2


class TestFsck:
    def test_a_whole_state_ends_with_0(self, run: Command, refused: list[str]) -> None:
        assert run("fsck").returncode == 0

    def test_a_state_folder_in_use_is_not_repaired_and_is_named(
        self, run: Command, state_dir: Path
    ) -> None:
        async def repair_while_open() -> subprocess.CompletedProcess[str]:
            stores = await Stores.open(state_dir)
            try:
                return await asyncio.to_thread(run, "fsck", "--repair")
            finally:
                await stores.close()

        ended = asyncio.run(repair_while_open())
        assert ended.returncode == 1
        assert f"is using {state_dir}; stop it first" in ended.stderr

    def test_damage_ends_with_3_until_it_is_repaired(
        self, here: Command, refused: list[str], state_dir: Path
    ) -> None:
        orphan = FileBlobs(state_dir / "source").path_of("0" * 32)
        orphan.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        orphan.touch(0o600)
        ended = here("fsck")
        assert ended.returncode == 3
        assert "blob_without_row" in ended.stdout
        assert here("fsck", "--repair").returncode == 0
        assert here("fsck").returncode == 0

    def test_findings_are_told_as_json(
        self, here: Command, refused: list[str], state_dir: Path
    ) -> None:
        FileBlobs(state_dir / "source").path_of(refused[0]).unlink()
        report = here.json("fsck")
        assert [finding["kind"] for finding in report["findings"]] == ["blob_missing"]
