"""What the service says of itself in files, also where the disk takes none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from daemon.observe.run_folder import WATCHING, RunFolder

if TYPE_CHECKING:
    from pathlib import Path


def test_what_the_disk_refuses_is_said_once_and_written_when_it_can_be(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    (tmp_path / "run").touch()
    with structlog.testing.capture_logs() as events:
        folder.keep(WATCHING, {"/srv/inbox": 1})
        folder.keep(WATCHING, {"/srv/inbox": 2})
        folder.remove(WATCHING)
    assert [each["event"] for each in events] == ["run_file_not_written"]
    assert folder.read(WATCHING) is None
    (tmp_path / "run").unlink()
    folder.keep(WATCHING, {"/srv/inbox": 2})
    assert folder.read(WATCHING) == {"/srv/inbox": 2}


def test_what_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.keep(WATCHING, {"/srv/inbox": 1})
    written = (tmp_path / "run" / WATCHING).stat()
    folder.keep(WATCHING, {"/srv/inbox": 1})
    assert (tmp_path / "run" / WATCHING).stat().st_ino == written.st_ino
    folder.remove(WATCHING)
    folder.keep(WATCHING, {"/srv/inbox": 1})
    assert folder.read(WATCHING) == {"/srv/inbox": 1}
