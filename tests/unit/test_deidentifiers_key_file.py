"""The key file: what is read, what is made, what is refused."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from config.settings import Key, Settings
from daemon.cli import deid
from daemon.deidentifiers.key_file import credential_key_file, ensure_key_file, read_key_file
from daemon.deidentifiers.site_key import site_key
from deid.errors import KeyRefused

if TYPE_CHECKING:
    from pathlib import Path

SECRET = bytes(range(32))


def write(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("content", [SECRET, SECRET.hex().encode(), SECRET.hex().encode() + b"\n"])
def test_raw_bytes_and_hexadecimal_digits_are_read(tmp_path: Path, content: bytes) -> None:
    assert read_key_file(write(tmp_path / "key", content)) == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_open_to_others_is_refused_by_name(tmp_path: Path, mode: int) -> None:
    with pytest.raises(KeyRefused, match=r"key.*chmod 600"):
        read_key_file(write(tmp_path / "key", SECRET, mode))


@pytest.mark.parametrize(
    "content",
    [b"", SECRET[:31], SECRET + b"\n\n\n", b"z" * 64, b"\x00" * 32, SECRET.hex().encode()[:62]],
)
def test_what_is_no_key_is_refused_without_being_quoted(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(KeyRefused) as refused:
        read_key_file(write(tmp_path / "key", content))
    assert "key" in str(refused.value)
    assert content == b"" or content.decode("latin-1") not in str(refused.value)


def test_a_missing_file_a_folder_and_a_fifo_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path in (tmp_path / "missing", tmp_path, tmp_path / "fifo"):
        with pytest.raises(KeyRefused):
            read_key_file(path)


def test_a_key_is_made_once_and_then_read(tmp_path: Path) -> None:
    path = tmp_path / "dicomveil.key"
    made = ensure_key_file(path)
    assert len(made) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_nlink == 1
    assert ensure_key_file(path) == made
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_exists_is_never_replaced(tmp_path: Path) -> None:
    path = write(tmp_path / "key", b"too short")
    with pytest.raises(KeyRefused):
        ensure_key_file(path)
    assert path.read_bytes() == b"too short"


def test_a_key_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyRefused, match="cannot be made"):
        ensure_key_file(tmp_path / "missing" / "key")


def test_the_credential_of_the_service_manager_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert credential_key_file() is None
    # As systemd leaves it: group read stands for the mask of an access control list.
    path = write(tmp_path / "dicomveil.key", SECRET, 0o440)
    assert credential_key_file() == path
    assert read_key_file(path) == SECRET
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert credential_key_file() is None
    with pytest.raises(KeyRefused):
        read_key_file(path)


@pytest.mark.parametrize("is_configured", [True, False])
@pytest.mark.parametrize("is_credential", [True, False])
@pytest.mark.parametrize("is_in_state", [True, False])
def test_the_service_and_the_commands_use_the_same_key(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_configured: bool,
    is_credential: bool,
    is_in_state: bool,
) -> None:
    state_dir, credentials = tmp_path / "state", tmp_path / "credentials"
    state_dir.mkdir()
    credentials.mkdir()
    secrets = {name: bytes(range(number, number + 32)) for number, name in enumerate("abcd")}
    configured = write(tmp_path / "configured.key", secrets["a"]) if is_configured else None
    if is_credential:
        write(credentials / "dicomveil.key", secrets["b"], 0o400)
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    if is_in_state:
        write(state_dir / "site.key", secrets["c"])
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    settings = Settings(state_dir=state_dir, key=Key(file=configured))

    used = deid.site_key(None, settings, os.environ).secret
    first = [is_configured, is_credential, is_in_state, True].index(True)
    if first < 3:
        assert used == secrets["abc"[first]]
        assert site_key(settings).secret == used
    else:  # no service was ever here: a key of the user's own
        assert (tmp_path / "home" / "dicomveil" / "site.key").read_bytes() == used
    named = write(tmp_path / "named.key", secrets["d"])
    assert deid.site_key(named, settings, os.environ).secret == secrets["d"]
