"""What is done about each finding, so that nothing is lost by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.pipeline.states import check_damage
from daemon.records import State
from daemon.store.fsck.findings import Finding, Kind
from daemon.store.queries import remove_garbage
from daemon.store.recovery import is_lost, mark_missing, receive_returned, take_in
from daemon.store.rows import Garbage, Place
from daemon.store.settling import BLOB_DAMAGED, BLOB_MISSING
from daemon.store.visibility import hide

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.store.layout import Layout
    from daemon.store.ports import Session
    from daemon.store.rows import Entry, Store
    from daemon.store.store_set import StoreSet

_ID_LENGTH: Final = 32


class Repair:
    """Repairs findings one by one, each in a transaction of its own."""

    def __init__(self, session: Session, stores: StoreSet, layout: Layout, now: float) -> None:
        self._session = session
        self._stores = stores
        self._layout = layout
        self._now = now

    def repair(self, finding: Finding) -> Finding:
        """Return the finding with what was done about it."""
        actions: dict[Kind, Callable[[Finding], str]] = {
            Kind.DATABASE_DAMAGED: lambda _: "",
            Kind.SPOOL_ORPHAN: self._take_in,
            Kind.PARTIAL_FILE: self._remove_partial_file,
            Kind.BLOB_MISSING: self._mark_missing,
            Kind.OUTPUT_MISSING: self._mark_output_lost,
            Kind.BLOB_DAMAGED: self._set_damaged_aside,
            Kind.OUTPUT_DAMAGED: self._mark_output_lost,
            Kind.BLOB_WITHOUT_ROW: self._settle_stray_blob,
            Kind.COUNTS_WRONG: self._recount,
            Kind.TALLIES_WRONG: self._tally_again,
            Kind.OPEN_TO_OTHERS: self._close_to_others,
        }
        done = actions[finding.kind](finding)
        return Finding(finding.kind, finding.store, finding.subject, done)

    def _take_in(self, finding: Finding) -> str:
        path = self._layout.spool / finding.subject
        if take_in(self._session, self._layout, path, self._now):
            return "received again"
        return "moved to lost+found"

    def _remove_partial_file(self, finding: Finding) -> str:
        (self._layout.spool / finding.subject).unlink(missing_ok=True)
        return "removed"

    def _mark_missing(self, finding: Finding) -> str:
        store = self._stores.named(finding.store)
        if not store.role:
            return self._forget_row(store, int(finding.subject))
        return self._lose_source(finding.subject, BLOB_MISSING)

    def _forget_row(self, store: Store, number: int, *, set_aside: bool = False) -> str:
        """Take an instance out of a store that somebody made: nothing could bring it back."""
        page = self._session.instances.page(store, number - 1, 1)
        if not page or page[0].id != number:
            return "gone already"
        if set_aside:
            self._blob_to_lost(store, page[0].blob)
        with self._session.atomically():
            hide(self._session, self._stores, page[0])
        return (
            "moved to lost+found, taken out of the index" if set_aside else "taken out of the index"
        )

    def _set_damaged_aside(self, finding: Finding) -> str:
        store = self._stores.named(finding.store)
        if not store.role:
            return self._forget_row(store, int(finding.subject), set_aside=True)
        source = self._stores.source
        self._blob_to_lost(source, finding.subject)
        return "moved to lost+found, " + self._lose_source(finding.subject, BLOB_DAMAGED)

    def _lose_source(self, receipt_id: str, reason: str) -> str:
        """Write down that the received bytes of a receipt are gone."""
        state = self._entry(receipt_id).receipt.state
        with self._session.atomically():
            if state in {State.STORED, State.QUARANTINED}:
                # What became of it stays true; only the source can be shown no longer.
                self._hide(self._stores.source, receipt_id)
                self._session.receipts.change(
                    receipt_id, place=Place.GONE, reason=reason, changed_at=self._now
                )
                return "taken out of the source index"
            check_damage(state, State.QUARANTINED)
            mark_missing(self._session, self._stores, receipt_id, self._now, reason)
        return f"quarantined as {reason}"

    def _mark_output_lost(self, finding: Finding) -> str:
        """Hide the output and quarantine its receipt, from where a retry can make the output again."""
        receipt_id = finding.subject
        entry = self._entry(receipt_id)
        state = entry.receipt.state
        reason = BLOB_MISSING if finding.kind is Kind.OUTPUT_MISSING else BLOB_DAMAGED
        garbage: list[Garbage] = []
        if entry.place is Place.GONE:  # nothing else is left of it, damaged as it is
            for row in self._session.instances.of_receipt(self._stores.destination, receipt_id):
                self._blob_to_lost(self._stores.destination, row.blob)
        with self._session.atomically():
            for blob in self._hide(self._stores.destination, receipt_id):
                garbage.append(Garbage(self._stores.destination.id, blob))
                self._session.garbage.add(garbage[-1])
            if state is State.STORED:
                check_damage(state, State.QUARANTINED)
                self._session.receipts.change(
                    receipt_id, state=State.QUARANTINED, reason=reason, changed_at=self._now
                )
        remove_garbage(self._session, self._stores, garbage)
        return f"quarantined as {reason}" if state is State.STORED else "taken out of the index"

    def _settle_stray_blob(self, finding: Finding) -> str:
        store = self._stores.named(finding.store)
        receipt_id = finding.subject[:_ID_LENGTH]
        entry = self._session.receipts.get(receipt_id) if store.role else None
        if entry is None:
            self._blob_to_lost(store, finding.subject)
            return "moved to lost+found"
        if store is self._stores.source and is_lost(entry):
            receive_returned(self._session, entry.receipt, Place.SOURCE, self._now)
            return "received again"
        if is_lost(entry):  # a result that nothing could be made from again
            self._blob_to_lost(store, finding.subject)
            return "moved to lost+found"
        remove_garbage(self._session, self._stores, [Garbage(store.id, finding.subject)])
        return "removed"

    def _recount(self, finding: Finding) -> str:
        with self._session.atomically():
            self._session.instances.recount(int(finding.subject))
        return "counted again"

    def _tally_again(self, _: Finding) -> str:
        with self._session.atomically():
            self._session.figures.count_again()
        return "counted again"

    def _close_to_others(self, finding: Finding) -> str:
        path = self._layout.state_dir / finding.subject
        path.chmod(path.stat().st_mode & 0o700)
        return "rights taken away"

    def _hide(self, store: Store, receipt_id: str) -> list[str]:
        found = self._session.instances.of_receipt(store, receipt_id)
        for indexed in found:
            hide(self._session, self._stores, indexed)
        return [indexed.blob for indexed in found]

    def _entry(self, receipt_id: str) -> Entry:
        entry = self._session.receipts.get(receipt_id)
        assert entry is not None
        return entry

    def _blob_to_lost(self, store: Store, name: str) -> None:
        called = self._stores.called(store)
        self._stores.blobs_of(store).set_aside(name, self._layout.lost / f"{called}-{name}")
