"""A state that an earlier version wrote: this one answers the same from it, and can be gone back from."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from daemon.errors import StoreUnavailable
from daemon.store import fsck
from daemon.store.embedded import EMBEDDED
from daemon.store.layout import Layout
from daemon.store.rows import Role
from daemon.store.stores import Stores
from dicomweb.ports import Query
from tests.integration import earlier_state
from tests.store_samples import make_instance, store

EARLIER = "7beb5fa"
ROOT = Path(__file__).parents[2]
NO_HISTORY = f"this is not a clone with the history back to {EARLIER}"


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay out the sources of the earlier version."""
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", EARLIER], capture_output=True, check=False
    )
    if archive.returncode:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(NO_HISTORY)
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    shutil.copy(earlier_state.__file__, folder / "earlier_state.py")
    return folder


@pytest.fixture(scope="module")
def made(earlier: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Have the earlier version make a state."""
    state_dir = tmp_path_factory.mktemp("made") / "state"
    run(earlier, "make", state_dir)
    return state_dir


@pytest.fixture
def state_dir(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "state"))


def run(earlier: Path, what: str, state_dir: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(earlier)}
    done = subprocess.run(
        [sys.executable, "-m", "earlier_state", what, str(state_dir)],
        cwd=earlier,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1] if done.stdout else ""


async def told(state_dir: Path) -> dict[str, Any]:
    return await earlier_state.tell(state_dir)


def copies(state_dir: Path) -> list[Path]:
    return sorted(state_dir.glob("dicomveil.sqlite.before-*"))


def in_any_order(told: dict[str, Any]) -> dict[str, Any]:
    """Return what was told, sorted: the earlier version answered the oldest study first."""
    return {
        what: sorted(
            (sorted(each, key=json.dumps) if isinstance(each, list) else each for each in answers),
            key=json.dumps,
        )
        for what, answers in told.items()
    }


async def test_it_answers_what_the_earlier_version_answered(earlier: Path, state_dir: Path) -> None:
    before = json.loads(run(earlier, "tell", state_dir))
    assert len(before["due"]) == 2
    assert len(before["source"]) > 30
    after = await told(state_dir)
    assert in_any_order(after) == in_any_order(before)
    assert fsck.check(state_dir).findings == []


async def test_identifiers_of_a_study_are_still_known(state_dir: Path) -> None:
    with sqlite3.connect(state_dir / "dicomveil.sqlite") as old:
        rows = old.execute(
            "SELECT s.StudyInstanceUID, k.info_type, k.value FROM source_identifiers k"
            " JOIN source_studies s ON s.id = k.study_id"
        ).fetchall()
    old.close()
    assert rows
    await told(state_dir)
    with EMBEDDED.session(Layout(state_dir), query_only=True) as session:
        source = next(store for store in session.stores.all() if store.role is Role.SOURCE)
        for study_uid, *identifier in rows:
            assert tuple(identifier) in session.identifiers.known(source, study_uid, "", 1000)


async def test_its_copy_leads_back(earlier: Path, state_dir: Path) -> None:
    before = json.loads(run(earlier, "tell", state_dir))
    await told(state_dir)
    (copy,) = copies(state_dir)
    assert copy.stat().st_mode & 0o777 == 0o600
    for suffix in ("-wal", "-shm"):
        (state_dir / f"dicomveil.sqlite{suffix}").unlink(missing_ok=True)
    copy.rename(state_dir / "dicomveil.sqlite")
    assert json.loads(run(earlier, "tell", state_dir)) == before
    assert in_any_order(await told(state_dir)) == in_any_order(before)


async def test_the_copy_stays_until_the_next_start(state_dir: Path) -> None:
    await told(state_dir)
    assert len(copies(state_dir)) == 1
    await told(state_dir)
    assert copies(state_dir) == []


async def test_a_migration_that_fails_leaves_everything_as_it_was(
    earlier: Path, state_dir: Path
) -> None:
    with sqlite3.connect(state_dir / "dicomveil.sqlite") as old:
        old.execute("UPDATE source_instances SET digest = 'not hexadecimal' WHERE id = 7")
    old.close()
    before = json.loads(run(earlier, "tell", state_dir))
    with pytest.raises(StoreUnavailable):
        await told(state_dir)
    assert json.loads(run(earlier, "tell", state_dir)) == before


async def test_what_no_instance_tells_any_more_is_forgotten(tmp_path: Path) -> None:
    """Until then a study went on telling what instances had told that had long been replaced."""
    stores = await Stores.open(tmp_path / "state")
    for number, description in ((1, ""), (2, "LATER")):
        await store(stores, make_instance(number, StudyDescription=description))
    await stores.close()
    with sqlite3.connect(tmp_path / "state" / "dicomveil.sqlite") as old:
        old.execute("UPDATE studies SET StudyDescription = '', PatientID = 'STALE'")
        (stale,) = old.execute("SELECT attributes FROM study_json").fetchone()
        old.execute("UPDATE study_json SET attributes = ?", (stale.replace(b"P-1", b"STALE"),))
        old.execute("DELETE FROM _sqlite_migrations WHERE name = 'told_by_what_is_there'")
    old.close()
    stores = await Stores.open(tmp_path / "state")
    for key, value, found in (
        ("PatientID", "STALE", 0), ("PatientID", "P-1", 1), ("StudyDescription", "LATER", 1)
    ):  # fmt: skip
        query = Query("study", {key: [value]}, None, fuzzy=False, limit=9, offset=0)
        answers = await stores.source.search(query)
        assert len(answers) == found, key
        assert b"STALE" not in b"".join(each.attributes + each.defaults for each in answers)
    await stores.close()
