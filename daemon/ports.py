"""What the parts of the daemon ask of each other.

Receivers see `Spool`, the pipeline sees `Receipts`; `daemon.store` keeps both. What the web services ask of a
store is in `dicomweb.ports`. One process, one event loop; every coroutine here may be cancelled, and what it
promised before cancellation stays promised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from daemon.records import Comparison, Job, Origin, Receipt, Result


class SpoolFile(Protocol):
    """One instance being received. Exactly one of `commit` and `abort` ends it."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes (blocking, straight to the file). Raises `SpoolFull` past a limit."""

    async def commit(self) -> Receipt:
        """Make it durable: rename, file fsync, folder fsync, row commit. Returns only then.

        Waiting commits are grouped: names first, so that the first flush commits them all. Raises
        `SpoolFull` (disk or quota) or `StoreUnavailable`; then nothing is left behind and the peer must
        not be told that it was stored.
        """

    def abort(self) -> None:
        """Forget it and remove the partial file. Safe to call after a failed commit, and twice."""


class Spool(Protocol):
    """Where received instances wait, durably."""

    def open(self, origin: Origin) -> SpoolFile:
        """Start receiving one instance. Raises `SpoolFull` when the bounded queue or disk is full."""

    async def adopt(self, path: Path, origin: Origin) -> Receipt:
        """Take an existing regular file on the same file system by rename, durably, without copying.

        The rename happens after fsync of the file; on failure the file is back where it was.
        Raises `CrossDevice` when it cannot be renamed (then copy through `open`).
        """


class Receipts(Protocol):
    """The receipts table as the pipeline uses it."""

    async def due(self, limit: int, exclude: Sequence[str]) -> list[Receipt]:
        """Return receipts waiting to be processed now, oldest first, without those named."""

    async def begin(self, receipt_ids: Sequence[str]) -> None:
        """Count an attempt, durably, before a worker sees the instance."""

    async def settle(self, results: Sequence[Result]) -> Sequence[Comparison]:
        """Apply results: blobs first (outputs flushed, rename, folder fsync), then rows, one transaction.

        Decides duplicates and conflicts by the source index. Repeating it changes nothing. Returns what must be
        compared first, one for each result concerned: these are not settled, and are to be given again with
        `Result.compared`.
        """

    async def take_pieces(self, receipt_id: str, count: int) -> None:
        """Keep the resources of a large file, which a worker wrote in so many pieces, before it is settled.

        Repeating it changes nothing.
        """

    async def postpone(self, receipt_id: str, reason: str, delay_s: float) -> None:
        """Count a worker that it killed, and try again no sooner than `delay_s` from now.

        `reason` is kept in the receipt, so that a later `due` tells what stopped it the last time. With
        that there is an answer: the attempts that were begun without any are counted anew.
        """

    async def release(self, receipt_ids: Sequence[str]) -> None:
        """Take back the attempt that `begin` counted: the work was given up through no fault of theirs."""

    def job(self, receipt: Receipt) -> Job:
        """Return the worker's job: where the source blob is and where the output goes."""

    def is_rushed(self) -> bool:
        """Tell whether instances are arriving so fast that they should not be disturbed."""

    def job_arrived(self) -> object:
        """Return an awaitable that ends when something may have become due (or after a second)."""
