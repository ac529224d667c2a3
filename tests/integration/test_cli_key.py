"""A key that is lost or replaced is never taken in silence."""

from __future__ import annotations

import re
import secrets
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.integration.test_cli_commands import InThisProcess
from tests.service import RunningDaemon, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a state folder in which a daemon has run."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "state").mkdir(mode=0o700)
    with running(folder, folder / "state", is_prepared=True):
        pass
    return folder / "state"


@pytest.fixture
def daemon(disk_path: Path, served: Path) -> Iterator[RunningDaemon]:
    """Return a service that is not running, on a copy of that folder."""
    state_dir = shutil.copytree(served, disk_path / "state")
    daemon = RunningDaemon(state_dir=state_dir, folder=disk_path, is_prepared=True)
    yield daemon
    daemon.stop()
    daemon.assert_no_traceback()


@pytest.fixture
def key(tmp_path: Path, daemon: RunningDaemon) -> InThisProcess:
    """Return the commands on the folder, in this process."""
    return InThisProcess(tmp_path, daemon.state_dir)


def refusal(daemon: RunningDaemon) -> str:
    """Start a daemon that cannot start; return what it says."""
    with pytest.raises(AssertionError):
        daemon.start()
    return daemon.log


def test_another_key_does_not_start(key: InThisProcess, daemon: RunningDaemon) -> None:
    (daemon.state_dir / "site.key").write_bytes(secrets.token_bytes(32))

    assert "is not the one that made what is stored here" in refusal(daemon)
    shown = key("key", "show")
    assert shown.returncode == 1
    assert len(set(re.findall(r"\b[0-9a-f]{8}\b", shown.stdout))) == 2


def test_a_lost_key_is_not_made_anew(key: InThisProcess, daemon: RunningDaemon) -> None:
    path = daemon.state_dir / "site.key"
    path.unlink()

    assert "is missing, but instances were received with it" in refusal(daemon)
    assert not path.exists()
    made = key("key", "new")
    assert made.returncode == 0, made.stderr
    daemon.start()


def test_a_new_key_keeps_the_earlier_one(key: InThisProcess, daemon: RunningDaemon) -> None:
    path = daemon.state_dir / "site.key"
    earlier = path.read_bytes()
    earlier_id = key.json("key", "show")["key_id"]

    made = key("key", "new")

    assert made.returncode == 0, made.stderr
    kept = path.with_name(f"site.key.{earlier_id}")
    assert kept.read_bytes() == earlier
    assert path.stat().st_mode & 0o777 == kept.stat().st_mode & 0o777 == 0o600
    shown = key.json("key", "show")
    assert shown["key_id"] == shown["stored_by"] != earlier_id
    back = key("key", "import", str(kept))
    assert back.returncode == 0, back.stderr
    assert path.read_bytes() == earlier
    daemon.start()


def test_a_configured_key_is_put_there_by_hand(key: InThisProcess, tmp_path: Path) -> None:
    configured = tmp_path / "hospital.key"
    configured.write_bytes(secrets.token_bytes(32))
    configured.chmod(0o600)
    key.environment["DICOMVEIL_KEY__FILE"] = str(configured)

    assert "put the key there" in key("key", "new").stderr
    other = tmp_path / "other.key"
    shutil.copy(configured, other)
    other.chmod(0o600)
    assert "put the key there" in key("key", "import", str(other)).stderr
    accepted = key("key", "import", str(configured))
    assert accepted.returncode == 0, accepted.stderr
    shown = key.json("key", "show")
    assert shown["key_id"] == shown["stored_by"]


def test_a_key_is_not_changed_under_a_running_service(
    key: InThisProcess, daemon: RunningDaemon
) -> None:
    daemon.start()
    refused = key("key", "new")
    assert refused.returncode == 1
    assert "stop it first" in refused.stderr


def test_a_credential_of_the_service_is_known_to_the_commands(
    key: InThisProcess, daemon: RunningDaemon, tmp_path: Path
) -> None:
    path = daemon.state_dir / "site.key"
    shutil.copy(path, tmp_path / "dicomveil.key")
    daemon.environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    path.write_bytes(secrets.token_bytes(32))  # where the commands would look
    daemon.start()
    assert "which this command does not see" in key("key", "show").stdout
    daemon.stop()
    assert key("key", "new").returncode == 1

    shutil.copy(tmp_path / "dicomveil.key", path)
    daemon.environment = {}
    daemon.start()
    assert key.json("key", "show")["file"] == str(path)
