"""What becomes of a result: duplicates, conflicts, what is visible. Policy only, over `daemon.store.ports`.

Everything here happens in one transaction of the engine, after the files were moved
(`daemon.store.receipts`). What turns out not to be needed is listed as garbage in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from daemon.errors import StoreUnavailable
from daemon.pipeline.states import DONE, WAITING, check_move
from daemon.records import Result, State
from daemon.store.rows import Garbage, Place
from daemon.store.sidecars import Sidecars
from daemon.store.visibility import delete, hide

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from daemon.records import Output, Receipt, StoredInstance
    from daemon.store.ports import Session
    from daemon.store.rows import IndexedInstance, Store
    from daemon.store.store_set import StoreSet

log = structlog.get_logger(__name__)

BLOB_MISSING: Final = "blob_missing"
BLOB_DAMAGED: Final = "blob_damaged"
CONFLICT: Final = "conflict"
REPLACED: Final = "replaced"
_DIGEST_IN_NAME: Final = 16
READ_GRACE_S: Final = 600.0
"""How long the blob of an output stays after another took its place: readers of the old one finish."""


class ConflictPolicy(StrEnum):
    """What becomes of an instance whose SOP Instance UID is already there with other content."""

    QUARANTINE = "quarantine"
    REPLACE = "replace"
    KEEP_FIRST = "keep_first"


def output_blob(receipt_id: str, output: StoredInstance) -> str:
    """Return the name of a destination blob: the receipt and the content."""
    return f"{receipt_id}-{output.digest[:_DIGEST_IN_NAME]}"


@dataclass(frozen=True, slots=True)
class Settled:
    """What a transaction made of one result."""

    state: State | None
    reason: str
    garbage: tuple[Garbage, ...]


class Undecided(Exception):
    """Raised where a SOP Instance UID is there already with other bytes, and nobody has compared the two.

    Nothing of the result is kept.
    """

    def __init__(self, store_id: int, blob: str, earlier_blob: str) -> None:
        super().__init__(store_id, blob, earlier_blob)
        self.store_id = store_id
        self.blob = blob
        self.earlier_blob = earlier_blob


class There(NamedTuple):
    """Which of a result's files are in their stores."""

    source: bool
    outputs: bool


class SettlingPolicy:
    """How results are settled.

    Parameters
    ----------
    stores
        Source and destination, and their blobs.
    conflict
        What becomes of other content under a SOP Instance UID that is there already.
    """

    def __init__(self, stores: StoreSet, conflict: ConflictPolicy) -> None:
        self._stores = stores
        self._conflict = conflict
        self._sidecars = Sidecars(stores)

    def settle(self, session: Session, result: Result, there: There, now: float) -> Settled:
        """Settle one result, in the transaction of the session.

        Raises
        ------
        Undecided
            When two files have to be compared first.
        """
        entry = session.receipts.get(result.receipt_id)
        settling = _Settling(session, self._stores, result, now)
        if entry is None or entry.receipt.state not in WAITING:
            settling.drop_unused_outputs()
            return settling.settled(None)
        state = entry.receipt.state
        if not there.source:
            return settling.without_source(state)
        if result.state is State.STORED and not there.outputs:
            raise StoreUnavailable("the output of a worker is missing")
        if result.sidecar is not None:
            return self._take_sidecar(session, settling, entry.receipt)
        if result.source is None:
            return settling.finish(state, result.state, result.reason)
        return self._settle_instance(settling, state, result.source)

    def show(self, session: Session, receipt_id: str, source: StoredInstance) -> None:
        """Make an instance visible in the source ahead of its result, in the transaction of the session.

        Not when it has ended meanwhile, and not when its SOP Instance UID is there already: what becomes of
        duplicates and conflicts is decided when it is settled.
        """
        entry = session.receipts.get(receipt_id)
        if entry is None or entry.receipt.state not in WAITING:
            return
        settling = _Settling(session, self._stores, Result(receipt_id, State.RECEIVED), 0.0)
        if settling.earlier(self._stores.source, source) is None:
            settling.show_source(source)

    def _take_sidecar(self, session: Session, settling: _Settling, receipt: Receipt) -> Settled:
        """Let the resources of a file be those of the source store.

        The file stays: a lost database is made anew from what lies in the source (`fsck --reindex`).
        """
        sidecar = settling.result.sidecar
        assert sidecar is not None
        resources = [each.resource for each in sidecar.entries if each.resource is not None]
        self._sidecars.take(session, resources, receipt.origin, receipt.received_at)
        return settling.finish(receipt.state, State.STORED)

    def _settle_instance(
        self, settling: _Settling, state: State, source: StoredInstance
    ) -> Settled:
        earlier = settling.earlier(self._stores.source, source)
        is_same = earlier is not None and self._is_same(
            settling, earlier, source, blob=settling.result.receipt_id
        )
        if earlier is not None and is_same:
            if not settling.brings_a_route_to(earlier):
                if self._has_its_files(settling, earlier):
                    return settling.as_duplicate(state, earlier)
                log.error("stored_file_missing", receipt_id=earlier.receipt_id)
            settling.replace(earlier)
        elif earlier is not None:
            replaces = self._conflict is ConflictPolicy.REPLACE and settling.may_replace(earlier)
            if self._conflict is ConflictPolicy.KEEP_FIRST:
                return settling.as_duplicate(state, earlier, CONFLICT)
            if not replaces:
                return settling.as_conflict(state, earlier)
            settling.replace(earlier)
        if settling.result.state is not State.STORED:
            settling.show_source(source)
            return settling.finish(state, settling.result.state, settling.result.reason)
        return self._settle_outputs(settling, state, source)

    def _is_same(
        self, settling: _Settling, earlier: IndexedInstance, instance: StoredInstance, *, blob: str
    ) -> bool:
        """Tell whether two files hold the same data set: by its digest, or as they were found when compared."""
        if (earlier.study_uid, earlier.series_uid) != (instance.study_uid, instance.series_uid):
            return False
        if earlier.dataset_digest == instance.dataset_digest:
            return True
        for each in settling.result.compared:
            if (each.blob, each.earlier_blob) == (blob, earlier.blob):
                return each.are_alike
        if not self._stores.blobs[earlier.store_id].has(earlier.blob):
            return False
        raise Undecided(earlier.store_id, blob, earlier.blob)

    def _has_its_files(self, settling: _Settling, earlier: IndexedInstance) -> bool:
        """Tell whether an instance is still there, in both stores: a row alone is none, nor is a part."""
        return all(
            self._stores.blobs[each.store_id].size(each.blob) == each.size
            for each in (earlier, *settling.outputs_of(earlier))
        )

    def _settle_outputs(self, settling: _Settling, state: State, source: StoredInstance) -> Settled:
        """Make all outputs of a result visible, or none."""
        outputs = settling.result.outputs
        others = [
            (output, settling.earlier(self._stores.destination, output.instance))
            for output in outputs
        ]
        same = {
            earlier.blob
            for output, earlier in others
            if earlier is not None
            and self._is_same(
                settling,
                earlier,
                output.instance,
                blob=output_blob(settling.result.receipt_id, output.instance),
            )
        }
        conflicting = [
            earlier for _, earlier in others if earlier is not None and earlier.blob not in same
        ]
        is_one_twice = len({output.instance.sop_instance_uid for output in outputs}) < len(outputs)
        if is_one_twice or (conflicting and self._conflict is not ConflictPolicy.REPLACE):
            related = conflicting[0].receipt_id if conflicting else ""
            # What is done again was the first itself: it is kept.
            is_first = settling.has_outputs or not conflicting
            if self._conflict is ConflictPolicy.KEEP_FIRST and not is_first:
                return settling.as_duplicate(state, conflicting[0], CONFLICT)
            settling.show_source(source)
            return settling.finish(state, State.QUARANTINED, CONFLICT, related=related)
        settling.hide_outputs(but=[output.instance for output in outputs])
        for output, earlier in others:
            if earlier is None:
                settling.show_output(output)
            elif earlier.blob in same:
                settling.share_output(earlier)
            else:
                settling.replace(earlier)
                settling.show_output(output)
        settling.show_source(source)
        return settling.finish(state, State.STORED)


class _Settling:
    """The rows of one result, inside the writer's transaction."""

    def __init__(self, session: Session, stores: StoreSet, result: Result, now: float) -> None:
        self.result = result
        self._session = session
        self._stores = stores
        self._source = stores.source
        self._destination = stores.destination
        self._in_use = stores.in_use
        self._now = now
        self._garbage: list[Garbage] = []

    def settled(self, state: State | None, reason: str = "") -> Settled:
        return Settled(state, reason, tuple(self._garbage))

    def earlier(self, store: Store, instance: StoredInstance) -> IndexedInstance | None:
        """Return the instance that has this SOP Instance UID already, unless it came of this receipt."""
        found = self._session.instances.find(store, instance.sop_instance_uid)
        return None if found is None or found.receipt_id == self.result.receipt_id else found

    def outputs_of(self, earlier: IndexedInstance) -> list[IndexedInstance]:
        """Return what the destination shows of an earlier instance."""
        return self._session.instances.of_receipt(self._destination, earlier.receipt_id)

    @property
    def has_outputs(self) -> bool:
        """Whether the destination shows something of this receipt already: it is done again."""
        return bool(self._session.instances.of_receipt(self._destination, self.result.receipt_id))

    def finish(
        self,
        state: State,
        goal: State,
        reason: str = "",
        *,
        place: Place = Place.SOURCE,
        related: str = "",
    ) -> Settled:
        """Move the receipt to its goal, and keep its outcome."""
        check_move(state, goal)
        result = self.result
        self._session.receipts.change(
            result.receipt_id,
            state=goal,
            reason=reason,
            where=result.where if reason == result.reason else "",
            route=result.route,
            deidentifier=result.deidentifier,
            place=place,
            related=related,
            not_before=0.0,
            changed_at=self._now,
        )
        outcome = result.outcome if goal is result.state else b""
        self._session.receipts.set_outcome(result.receipt_id, outcome)
        if goal is not State.STORED:
            self.hide_outputs()
        self.drop_unused_outputs()
        return self.settled(goal, reason)

    def without_source(self, state: State) -> Settled:
        """End a receipt whose file is gone: loudly, in quarantine.

        What was made of it before goes out of sight and stays on the disk: it may be all that is left.
        """
        for store in self._in_use:
            for each in self._session.instances.of_receipt(store, self.result.receipt_id):
                hide(self._session, self._stores, each)
        return self.finish(state, State.QUARANTINED, BLOB_MISSING, place=Place.GONE)

    def as_duplicate(self, state: State, earlier: IndexedInstance, reason: str = "") -> Settled:
        """End it as one that is there already, which stays as it is."""
        self._hide(self._source)
        self._drop(self._source, self.result.receipt_id)
        return self.finish(
            state, State.DUPLICATE, reason, place=Place.GONE, related=earlier.receipt_id
        )

    def as_conflict(self, state: State, earlier: IndexedInstance) -> Settled:
        """Keep it apart: its bytes in the source store, but not in the index."""
        self._hide(self._source)
        if self.result.state is State.STORED:
            return self.finish(state, State.QUARANTINED, CONFLICT, related=earlier.receipt_id)
        return self.finish(state, self.result.state, self.result.reason, related=earlier.receipt_id)

    def may_replace(self, earlier: IndexedInstance) -> bool:
        """Tell whether it may take the earlier one's place.

        Not, if it goes no further itself while the earlier one's output is visible: source and
        destination would then tell of different instances.
        """
        return self.result.state is State.STORED or not self.outputs_of(earlier)

    def brings_a_route_to(self, earlier: IndexedInstance) -> bool:
        """Tell whether no route matched an earlier one, and one does now: it was never judged."""
        entry = self._session.receipts.get(earlier.receipt_id)
        return (
            entry is not None
            and entry.receipt.state is State.UNROUTED
            and self.result.state is not State.UNROUTED
        )

    def replace(self, earlier: IndexedInstance) -> None:
        """Take the earlier instance out of both stores; its receipt tells by which it was replaced."""
        for store in self._in_use:
            self._hide(store, earlier.receipt_id)
        self._drop(self._source, earlier.receipt_id)
        entry = self._session.receipts.get(earlier.receipt_id)
        assert entry is not None
        state = entry.receipt.state
        if state not in DONE:
            check_move(state, State.DISCARDED)
            state = State.DISCARDED
        self._session.receipts.change(
            earlier.receipt_id,
            state=state,
            reason=REPLACED,
            place=Place.GONE,
            related=self.result.receipt_id,
            changed_at=self._now,
        )

    def show_source(self, source: StoredInstance) -> None:
        """Make it visible in the source store, unless it is from an earlier attempt."""
        receipt_id = self.result.receipt_id
        if not self._session.instances.of_receipt(self._source, receipt_id):
            self._session.instances.add(
                self._source, source, blob=receipt_id, receipt_id=receipt_id
            )
        self._session.identifiers.add(
            self._source, source.study_uid, source.patient, source.identifiers
        )
        if not source.patient:
            self._session.identifiers.note_unnamed(self._source, source.study_uid)

    def show_output(self, output: Output) -> None:
        """Make an output visible in the destination, unless it is from an earlier attempt."""
        receipt_id = self.result.receipt_id
        blob = output_blob(receipt_id, output.instance)
        if self._session.instances.is_referenced(self._destination.id, blob):
            return
        self._session.garbage.remove([Garbage(self._destination.id, blob)])
        self._session.instances.add(
            self._destination,
            output.instance,
            blob=blob,
            receipt_id=receipt_id,
            deidentifier=output.deidentifier,
        )

    def share_output(self, earlier: IndexedInstance) -> None:
        """Take over a visible output of the same content, made from an instance removed since."""
        self._session.instances.assign(earlier, self.result.receipt_id)

    def hide_outputs(self, *, but: Sequence[StoredInstance] = ()) -> None:
        """Make sure that the destination shows nothing of this receipt but these."""
        kept = {output_blob(self.result.receipt_id, instance) for instance in but}
        self._hide(self._destination, but=kept)

    def drop_unused_outputs(self) -> None:
        """List the worker's outputs as garbage unless a row points at them."""
        for output in self.result.outputs:
            blob = output_blob(self.result.receipt_id, output.instance)
            if not self._session.instances.is_referenced(self._destination.id, blob):
                self._drop(self._destination, blob)

    def _hide(
        self, store: Store, receipt_id: str | None = None, *, but: Collection[str] = ()
    ) -> None:
        """Take what a store shows of a receipt out of it; who reads an output now may finish."""
        found = self._session.instances.of_receipt(store, receipt_id or self.result.receipt_id)
        for each in found:
            if each.blob not in but:
                if store is not self._destination:
                    hide(self._session, self._stores, each)
                else:
                    delete(self._session, self._stores, each)
                    piece = Garbage(store.id, each.blob)
                    self._session.garbage.add(piece, removable_at=self._now + READ_GRACE_S)

    def _drop(self, store: Store, blob: str) -> None:
        piece = Garbage(store.id, blob)
        self._session.garbage.add(piece)
        self._garbage.append(piece)
