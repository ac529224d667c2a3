"""``dicomveil key``: which key made what, as an operator is told."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from daemon.observe.run_folder import ADDRESSES, RunFolder
from daemon.records import Origin, Receipt, Receiver
from daemon.store import witnesses
from daemon.store.embedded import EMBEDDED
from daemon.store.layout import Layout
from daemon.synthetic.encodings import encoded
from deid.identity.keys import SiteKey
from tests.commands import typed
from tests.factories import make_ct
from tests.free_ports import free_ports

if TYPE_CHECKING:
    import subprocess
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


@pytest.fixture
def credential(state_dir: Path) -> Path:
    """Give the service its key as a credential instead; return the file that the unit names."""
    (state_dir / "site.key").unlink()
    with EMBEDDED.session(Layout(state_dir)) as session, session.atomically():
        witnesses.remember_credential(session, is_credential=True)
    folder = state_dir.parent / "etc"
    folder.mkdir()
    return write(folder / "dicomveil.key", SECRET)


def receive(state_dir: Path) -> None:
    with EMBEDDED.session(Layout(state_dir)) as session, session.atomically():
        session.receipts.insert(Receipt("a", Origin(Receiver.STOW), 1.0, 10))


def run(state_dir: Path, *arguments: str | Path, **more: Path) -> subprocess.CompletedProcess[str]:
    environment = {"DICOMVEIL_STATE_DIR": state_dir, "HOME": state_dir.parent, **more}
    told = {name: str(value) for name, value in environment.items()}
    return typed(*arguments, folder=state_dir.parent, environment=told)


def lines(state_dir: Path, *arguments: str | Path, **more: Path) -> list[str]:
    """Run a command that succeeds; return what it prints."""
    found = run(state_dir, *arguments, **more)
    assert (found.returncode, found.stderr) == (0, "")
    return found.stdout.splitlines()


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


def test_a_credential_is_told_where_it_is_not_seen(state_dir: Path, credential: Path) -> None:
    assert lines(state_dir, "key", "show") == [
        "the service has its key as the credential dicomveil.key of systemd, which this command does not see",
        f"what is stored was made with key {FIRST}",
    ]
    shown = json.loads("".join(lines(state_dir, "key", "show", "--json")))
    assert shown == {"file": None, "key_id": None, "stored_by": FIRST, "earlier": []}
    seen = lines(state_dir, "key", "show", CREDENTIALS_DIRECTORY=credential.parent)
    assert seen[0] == f"{credential}: key {FIRST}"
    named = lines(state_dir, "key", "show", DICOMVEIL_KEY__FILE=credential)
    assert named[0] == f"{credential}: key {FIRST}"


def test_no_other_key_is_made_beside_a_credential(state_dir: Path, credential: Path) -> None:
    for environment in ({}, {"CREDENTIALS_DIRECTORY": credential.parent}):
        refused = run(state_dir, "key", "new", **environment)
        assert refused.returncode == 1
        assert "LoadCredential=" in refused.stderr
    assert credential.read_bytes() == SECRET
    assert not (state_dir / "site.key").exists()
    assert lines(state_dir, "key", "show")[1].endswith(FIRST)


def test_another_credential_is_accepted_and_stays_where_it_is(
    state_dir: Path, credential: Path
) -> None:
    other = SiteKey(bytes(range(7, 39)))
    write(credential, other.secret)
    accepted = lines(state_dir, "key", "import", credential)
    assert accepted == [f"the site key is {other.id} now"]
    assert not (state_dir / "site.key").exists()
    assert lines(state_dir, "key", "show")[1].endswith(other.id)


def test_a_key_in_the_state_folder_is_seen_again_once_there_is_no_credential(
    state_dir: Path, credential: Path
) -> None:
    credential.rename(state_dir / "site.key")
    with EMBEDDED.session(Layout(state_dir)) as session, session.atomically():
        witnesses.remember_credential(session, is_credential=False)
    assert lines(state_dir, "key", "show")[0] == f"{state_dir}/site.key: key {FIRST}"
    assert len(lines(state_dir, "key", "new")) == 2


def test_a_folder_is_not_done_with_another_key_than_the_service_has(
    state_dir: Path, credential: Path
) -> None:
    source = state_dir.parent / "one.dcm"
    source.write_bytes(encoded(make_ct()))
    arguments = ("deid", source, "--dry-run")

    refused = run(state_dir, *arguments)
    assert refused.returncode == 1
    assert f"made with key {FIRST}" in refused.stderr
    assert "credential dicomveil.key" in refused.stderr
    assert "--key-file" in refused.stderr
    own = state_dir.parent / ".local" / "state" / "dicomveil" / "site.key"
    assert not own.exists()

    own.parent.mkdir(parents=True)
    write(own, bytes(range(7, 39)))
    assert run(state_dir, *arguments).returncode == 1
    write(state_dir / "site.key", bytes(range(7, 39)))
    assert run(state_dir, *arguments).returncode == 1

    for more, environment in (
        (("--key-file", own), {}),
        (("--key-file", credential), {}),
        ((), {"DICOMVEIL_KEY__FILE": own}),
        ((), {"CREDENTIALS_DIRECTORY": credential.parent}),
    ):
        done = run(state_dir, *arguments, *more, **environment)
        assert done.returncode == 0, done.stderr
    write(state_dir / "site.key", SECRET)
    assert run(state_dir, *arguments).returncode == 0


def test_a_folder_is_not_done_with_a_new_key_where_the_key_of_the_service_is_lost(
    state_dir: Path,
) -> None:
    (state_dir / "site.key").unlink()
    (state_dir.parent / "one.dcm").write_bytes(encoded(make_ct()))
    refused = run(state_dir, "deid", "one.dcm", "--dry-run")
    assert refused.returncode == 1
    assert "that key is not in its place" in refused.stderr


def test_a_folder_is_done_where_nothing_can_be_known_of_a_service(state_dir: Path) -> None:
    Layout(state_dir).database.write_bytes(b"no database" * 1000)
    (state_dir.parent / "one.dcm").write_bytes(encoded(make_ct()))
    done = run(state_dir, "deid", "one.dcm", "--dry-run")
    assert done.returncode == 0
    assert f"which key made what {state_dir} stores cannot be told" in done.stderr


def test_no_mapping_is_begun_without_the_key_of_the_service(
    state_dir: Path, credential: Path
) -> None:
    """Nothing listens there: what is begun is refused in other words."""
    (port,) = free_ports()
    RunFolder(state_dir).write(ADDRESSES, {"http": ["127.0.0.1", port]})
    mapping = state_dir.parent / "who.csv"
    arguments = (
        "deidentify-store",
        "d/dicomStores/source",
        "d/dicomStores/b",
        "--mapping",
        mapping,
    )
    refused = run(state_dir, *arguments)
    assert refused.returncode == 1
    assert f"has its key ({FIRST}) as the credential" in refused.stderr
    assert not mapping.exists()
    assert "has its key" not in run(state_dir, *arguments, DICOMVEIL_KEY__FILE=credential).stderr
