"""One run of the check, and of the repair where that was asked for.

Checking is possible while the daemon runs; repairing is not.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from daemon.errors import StoreUnavailable
from daemon.store.embedded import EMBEDDED
from daemon.store.files.folders import refusal
from daemon.store.fsck.checking import Check
from daemon.store.fsck.repairing import Repair
from daemon.store.layout import Layout, StateLock
from daemon.store.store_set import StoreSet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from daemon.store.fsck.findings import Report
    from daemon.store.ports import Engine


def check(
    state_dir: Path,
    *,
    repair: bool = False,
    digests: bool = True,
    now: float | None = None,
    engine: Engine = EMBEDDED,
    progress: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Compare every row with its file and every file with its row.

    Parameters
    ----------
    repair
        Also repair what was found. No daemon may run meanwhile.
    digests
        Whether to read every blob and compare its SHA-256; otherwise only sizes are compared.
    progress
        Called now and then with the report so far.

    Raises
    ------
    StoreUnavailable
        If there is no state folder, or `repair` is asked for while a daemon runs.
    SchemaTooNew
        If a newer program wrote the database.
    """
    layout = Layout(state_dir)
    if not engine.exists(layout):
        raise StoreUnavailable(f"{state_dir} holds no state of dicomveil (see state_dir)")
    lock = _lock(layout, needed=repair)
    try:
        with engine.session(layout, query_only=not repair) as session:
            stores = StoreSet(engine, layout, session)
            run = Check(session, stores, layout, is_alone=lock is not None, digests=digests)
            report = run.run(progress)
            if repair:
                mend = Repair(session, stores, layout, time.time() if now is None else now)
                report.findings = [mend.repair(finding) for finding in report.findings]
    except OSError as error:
        raise refusal(error) from error
    finally:
        if lock is not None:
            lock.release()
    return report


def _lock(layout: Layout, *, needed: bool) -> StateLock | None:
    try:
        return StateLock(layout.lock)
    except StoreUnavailable:
        if needed:
            raise
        return None
