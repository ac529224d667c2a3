"""One run of the check, and of the repair where that was asked for.

Checking is possible while the daemon runs; repairing is not.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from daemon.errors import DatabaseDamaged, StoreUnavailable
from daemon.store.embedded import EMBEDDED
from daemon.store.files.folders import refusal
from daemon.store.fsck.checking import Check
from daemon.store.fsck.findings import Finding, Kind, Report
from daemon.store.fsck.reindexing import Reindex
from daemon.store.fsck.repairing import Repair
from daemon.store.layout import Layout, StateLock, is_locked
from daemon.store.store_set import StoreSet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
    # Who only looks keeps nobody from starting: reading all may take hours.
    lock = StateLock(layout.lock) if repair else None
    is_alone = lock is not None or not is_locked(layout)
    report = Report()
    try:
        report.findings += _damage(engine, layout, repair=repair)
        if any(not finding.repaired for finding in report.findings):
            return report  # what the rows say is worth nothing
        with engine.session(layout, query_only=not repair) as session:
            stores = StoreSet(engine, layout, session)
            run = Check(session, stores, layout, report, is_alone=is_alone, digests=digests)
            run.run(progress)
            if is_alone and lock is None and is_locked(layout):
                run.withdraw_what_others_explain()
            if repair:
                mend = Repair(session, stores, layout, time.time() if now is None else now)
                # Rights first: other repairs give files other names.
                report.findings.sort(key=lambda each: each.kind is not Kind.OPEN_TO_OTHERS)
                report.findings = [
                    finding if finding.repaired else mend.repair(finding)
                    for finding in report.findings
                ]
    except DatabaseDamaged as error:
        report.findings.append(Finding(Kind.DATABASE_DAMAGED, "", str(error)))
    except OSError as error:
        raise refusal(error) from error
    finally:
        if lock is not None:
            lock.release()
    return report


def reindex(
    state_dir: Path, *, now: float | None = None, engine: Engine = EMBEDDED
) -> tuple[list[Finding], str]:
    """Take blobs back into stores from which their rows are gone.

    A database that is missing is made, and one that is damaged beyond its indexes is set aside first.

    Returns
    -------
    tuple
        What was taken back, and under which name the damaged database lies now; empty if there was none.

    Raises
    ------
    StoreUnavailable
        If there is no state folder, or a daemon runs.
    """
    layout = Layout(state_dir)
    if not state_dir.is_dir():
        raise StoreUnavailable(f"{state_dir} holds no state of dicomveil (see state_dir)")
    lock = StateLock(layout.lock)
    aside = ""
    try:
        if engine.exists(layout) and any(
            not finding.repaired for finding in _damage(engine, layout, repair=True)
        ):
            aside = engine.set_aside(layout)
        engine.prepare(layout)
        with engine.session(layout) as session:
            stores = StoreSet(engine, layout, session)
            found = list(Reindex(session, stores, time.time() if now is None else now).run())
    except OSError as error:
        raise refusal(error) from error
    finally:
        lock.release()
    return found, aside


def _damage(engine: Engine, layout: Layout, *, repair: bool) -> list[Finding]:
    """Return what is wrong with the database itself, after making its indexes anew where that helps."""
    problems = engine.problems(layout, thorough=True)
    done = ""
    if problems and repair:
        with suppress(StoreUnavailable):
            engine.rebuild_indexes(layout)
            done = "" if engine.problems(layout, thorough=True) else "indexes made anew"
    return [Finding(Kind.DATABASE_DAMAGED, "", problem, done) for problem in problems]
