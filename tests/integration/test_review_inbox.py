"""One bad sub-folder must not stop a watched folder."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import structlog.testing

from config.settings import Watch
from daemon.receive.watch.claims import Claim, Wait
from daemon.receive.watch.folder import WatchedFolder
from daemon.receive.watch.inbox import Inbox
from daemon.store.stores import Stores
from tests.factories import encoded, make_ct
from tests.service import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NOBODY = 65534


@contextmanager
def _without_privileges(folder: Path) -> Iterator[None]:
    """Run as somebody whom permissions bind, as the service does."""
    if os.geteuid():
        yield
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, _NOBODY, _NOBODY)
    # The test's folder, a test process's, the run's and the user's.
    for above in folder.parents[:4]:
        above.chmod(above.stat().st_mode | 0o011)
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def _settings(folder: Path) -> Watch:
    return Watch(path=folder, settle_s=0.0, scan_interval_s=0.1)


def test_files_beside_a_folder_that_cannot_be_searched_are_found(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    for name in ("a locked", "b open"):
        (inbox / name).mkdir(parents=True)
        (inbox / name / "1.dcm").write_bytes(b"x")
    (inbox / "a locked").chmod(0o600)  # names can be read, nothing more
    (inbox / "c closed").mkdir(mode=0o000)
    with _without_privileges(inbox):
        found = list(Inbox(_settings(inbox)).scan())
    (inbox / "a locked").chmod(0o700)
    assert [(each.folder, each.name) for each in found] == [(("b open",), "1.dcm")]


def test_no_beginning_of_an_instance_is_refused_before_the_rest_may_have_come(
    tmp_path: Path,
) -> None:
    """Of a writer that nobody sees, as one by NFS, or that closes the file between two pieces.

    What is renamed away gets the rest where nobody looks for it; or the rest comes alone, under the old name.
    """
    inbox, content = Inbox(_settings(tmp_path)), encoded(make_ct(rows=1))
    start = content.index(b"\xe0\x7f\x10\x00")  # Pixel Data (7FE0,0010)
    assert start > 1000
    file = tmp_path / "1.dcm"
    for size in range(start):
        file.write_bytes(content[:size])
        (found,) = inbox.scan()
        claim = inbox.claim(found, patient=True, stood_still_s=30.0)
        if isinstance(claim, Claim):
            assert (size, claim.refuse) == (size, "")
            inbox.put_back(claim)
            claim.close()
        else:
            assert claim is Wait.INCOMPLETE
    for short in (b"", content[:100]):
        file.write_bytes(short)
        (found,) = inbox.scan()
        claim = inbox.claim(found, patient=False)
        assert isinstance(claim, Claim)
        assert claim.refuse == "not_dicom"
        claim.close()


async def test_a_folder_too_deep_to_be_looked_into_is_complained_of(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    deepest = inbox.joinpath(*["d"] * 70)
    deepest.mkdir(parents=True)
    content = encoded(make_ct())
    (deepest / "1.dcm").write_bytes(content)
    (inbox / "2.dcm").write_bytes(content)
    stores = await Stores.open(tmp_path / "state")
    folder = WatchedFolder(_settings(inbox), stores.spool, record_path=tmp_path / "record")
    with structlog.testing.capture_logs() as events:
        await folder.start()
        await asyncio.to_thread(
            wait_until,
            lambda: (
                not (inbox / "2.dcm").exists()
                and any(event["event"] == "watch_subfolder_passed_over" for event in events)
            ),
            what="the other file is taken and the folder complained of",
        )
        await folder.stop()
    await stores.close()
    assert (deepest / "1.dcm").exists()


async def test_a_record_that_fails_for_a_while_does_not_end_the_receiver(tmp_path: Path) -> None:
    inbox, record = tmp_path / "inbox", tmp_path / "record"
    inbox.mkdir()
    stores = await Stores.open(tmp_path / "state")
    settings = _settings(inbox).model_copy(update={"after": "keep"})
    folder = WatchedFolder(settings, stores.spool, record_path=record)
    with structlog.testing.capture_logs() as events:
        await folder.start()
        with closing(sqlite3.connect(record)) as meddler:
            meddler.execute("alter table taken rename to away")
            (inbox / "1.dcm").write_bytes(encoded(make_ct()))
            await asyncio.to_thread(
                wait_until,
                lambda: any(event["event"] == "watch_scan_failed" for event in events),
                what="a scan has failed",
            )
            meddler.execute("alter table away rename to taken")
        await asyncio.to_thread(
            wait_until, lambda: len(list(stores.layout.spool.iterdir())) == 1, what="it is taken"
        )
        await folder.stop()
    await stores.close()
