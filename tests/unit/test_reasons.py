"""Every reason code is explained, to operators at the command line and in the documents."""

from __future__ import annotations

import re
from pathlib import Path

from daemon.batch.inputs import UNREADABLE
from daemon.healthcare.transfer_steps import UNWRITABLE
from daemon.pipeline.ties import CONFLICTING_TIES, CONFLICTING_VERSIONS
from daemon.reasons import REASONS
from daemon.receive.archive import ArchiveReason
from daemon.receive.faults import Fault
from daemon.receive.watch.reasons import WatchReason
from daemon.store.settling import BLOB_MISSING, CONFLICT
from daemon.store.sidecars import UNASSOCIATED
from daemon.workers.reasons import WorkerReason
from deid.errors import Reason

DOCUMENT = Path(__file__).parents[2] / "docs" / "reasons.md"


def test_every_code_that_is_given_has_an_explanation_and_no_other() -> None:
    codes = {
        code.value
        for kind in (Reason, WorkerReason, WatchReason, ArchiveReason, Fault)
        for code in kind
    }
    of_stores = {BLOB_MISSING, CONFLICT, CONFLICTING_TIES, CONFLICTING_VERSIONS, UNASSOCIATED}
    assert set(REASONS) == {*codes, *of_stores, UNREADABLE, UNWRITABLE}


def test_the_document_is_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert rows == [(code, advice.means, advice.then) for code, advice in REASONS.items()]
