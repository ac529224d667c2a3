"""``dicomveil key``: which key made what, as an operator is told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from daemon.records import Origin, Receipt, Receiver
from daemon.store import witnesses
from daemon.store.embedded import EMBEDDED
from daemon.store.layout import Layout
from deid.identity.keys import SiteKey
from tests.commands import typed

if TYPE_CHECKING:
    from pathlib import Path

SECRET = bytes(range(32))
FIRST = SiteKey(SECRET).id


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """Make a state in which a service with a key of its own has run, and received nothing."""
    state_dir = tmp_path / "state"
    state_dir.mkdir(mode=0o700)
    write(state_dir / "site.key", SECRET)
    EMBEDDED.prepare(Layout(state_dir))
    with EMBEDDED.session(Layout(state_dir)) as session, session.atomically():
        witnesses.refuse_other_key(session, FIRST)
    return state_dir


def write(path: Path, secret: bytes) -> Path:
    path.write_bytes(secret)
    path.chmod(0o600)
    return path


def receive(state_dir: Path) -> None:
    with EMBEDDED.session(Layout(state_dir)) as session, session.atomically():
        session.receipts.insert(Receipt("a", Origin(Receiver.STOW), 1.0, 10))


def lines(state_dir: Path, *arguments: str | Path) -> list[str]:
    """Run a command that succeeds; return what it prints."""
    environment = {"DICOMVEIL_STATE_DIR": str(state_dir), "HOME": str(state_dir.parent)}
    run = typed(*arguments, folder=state_dir.parent, environment=environment)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout.splitlines()


def test_after_a_change_the_earlier_key_is_still_told(state_dir: Path) -> None:
    receive(state_dir)
    assert lines(state_dir, "key", "show")[1:] == [f"what is stored was made with key {FIRST}"]

    (new,) = re.findall(r"the site key is (\w+) now", lines(state_dir, "key", "new")[-1])

    assert lines(state_dir, "key", "show") == [
        f"{state_dir}/site.key: key {new}",
        f"what was stored before the key was changed was made with key {FIRST}",
        f"what is stored from then on is made with key {new}",
    ]
    lines(state_dir, "key", "import", f"{state_dir}/site.key.{FIRST}")
    assert lines(state_dir, "key", "show") == [
        f"{state_dir}/site.key: key {FIRST}",
        f"what was stored before the key was changed was made with keys {FIRST}, {new}",
        f"what is stored from then on is made with key {FIRST}",
    ]
    lines(state_dir, "key", "new")
    shown = lines(state_dir, "key", "show")[1]
    assert shown == f"what was stored before the key was changed was made with keys {new}, {FIRST}"


def test_a_key_that_made_nothing_is_not_told(state_dir: Path) -> None:
    lines(state_dir, "key", "new")
    shown = lines(state_dir, "key", "show")
    assert len(shown) == 2
    assert FIRST not in shown[1]
