"""Every reason code is explained, to operators at the command line and in the documents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from daemon.batch.inputs import UNREADABLE
from daemon.healthcare.transfer_steps import UNWRITABLE
from daemon.pipeline.ties import CONFLICTING_TIES, CONFLICTING_VERSIONS
from daemon.reasons import OF_OPERATIONS, REASONS, remedy_of_operation
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


def test_the_document_has_what_is_to_be_done_about_operations() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert dict(re.findall(r"^- `(\w+)`: (.+)$", text, re.MULTILINE)) == dict(OF_OPERATIONS)


@pytest.mark.parametrize("code", REASONS)
def test_nothing_is_offered_of_what_an_operation_refused_that_cannot_be_done(code: str) -> None:
    remedy = remedy_of_operation(code)
    assert remedy
    assert not re.search(
        r"\b(retry|release|discard|[Rr]oute)\b|by hand|dicomveil quarantine", remedy
    )


def test_a_reason_of_an_operation_that_is_not_known_has_no_remedy() -> None:
    assert remedy_of_operation("no such reason") == ""
