"""What became of everything that was acknowledged."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from daemon.records import State
from daemon.store.journal import SETTLED
from tests.crash.readers import is_whole
from tests.scu import dataset_of
from tests.service import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from daemon.store.rows import Arrival
    from tests.crash.senders import Supply
    from tests.service import RunningDaemon

_PATIENCE_S = 300.0


@dataclass(frozen=True)
class Account:
    """Each a number that has to be 0.

    Attributes
    ----------
    lost
        Acknowledged, and not in both stores.
    torn
        Served, and not whole; or, in the source, not what was sent.
    twice
        There more often than once: in a store, or in the destination and in quarantine.
    left
        Files that belong to nobody: half-received, half-written, half-taken, refused, laid aside.
    quarantined
        Put aside, though nothing was wrong with them.
    findings
        What `dicomveil fsck` has to say.
    """

    lost: int
    torn: int
    twice: int
    left: int
    quarantined: int
    findings: int

    @property
    def is_clean(self) -> bool:
        """Whether all of them are 0."""
        return not any(vars(self).values())


def _done(found: Sequence[Arrival]) -> int:
    return sum(entry.state in SETTLED for entry in found)


def settled(
    daemon: RunningDaemon, supply: Supply, patience_s: float = _PATIENCE_S
) -> list[Arrival]:
    """Wait until all is done, or nothing has been for so long; return what became of it."""
    found: list[Arrival] = []

    def is_done() -> bool:
        assert daemon.inbox is not None
        found[:] = daemon.journal()
        return (
            not list(daemon.inbox.glob("*.dcm"))
            and all(entry.state in SETTLED for entry in found)
            and {entry.original_uid for entry in found} >= set(supply.contents)
        )

    def has_gone_on(before: int) -> bool:
        return is_done() or _done(found) > before

    with suppress(AssertionError):  # what is missing then is counted
        while not is_done():
            going_on = partial(has_gone_on, _done(found))
            wait_until(going_on, what="something more is settled", deadline_s=patience_s)
    return found


def account_for(
    daemon: RunningDaemon,
    supply: Supply,
    torn_before: int = 0,
    *,
    patience_s: float = _PATIENCE_S,
) -> Account:
    """Compare both stores with what was sent; ends with `dicomveil fsck`."""
    journal = settled(daemon, supply, patience_s)
    everything = set(supply.contents)
    aside = [entry for entry in journal if entry.state not in {State.STORED, State.DUPLICATE}]
    replaced = daemon.replaced()
    source = daemon.instances("source")
    destination = [_uid(each) for each in daemon.instances("deid")]
    lost = everything - set(replaced) | everything - {_uid(each) for each in source}
    lost |= {uid for uid, place in replaced.items() if place[2] not in destination}
    torn = sum(
        not is_whole(_served(daemon, *place, "deid"), place[2]) for place in replaced.values()
    ) + sum(not _is_as_sent(daemon, each, supply) for each in source)
    findings = 0 if daemon.command("fsck").returncode == 0 else 1
    return Account(
        lost=len(lost),
        torn=torn + torn_before,
        twice=len(doubled(journal, [_uid(each) for each in source], destination)),
        left=len(leftovers(daemon.state_dir, daemon.inbox)),
        quarantined=len(aside),
        findings=findings,
    )


def doubled(
    journal: Iterable[Arrival], source: Iterable[str], destination: Iterable[str]
) -> set[str]:
    """Return UIDs that a store shows twice, or that were stored and something else, too."""
    ended = (entry.original_uid for entry in journal if entry.state is not State.DUPLICATE)
    return {
        uid
        for uids in (ended, source, destination)
        for uid, count in Counter(uids).items()
        if count > 1
    }


def leftovers(state_dir: Path, inbox: Path | None) -> list[str]:
    """Return the names of files that belong to nobody."""
    folders = [state_dir / name for name in ("spool", "work", "lost+found")]
    folders += [inbox] if inbox else []
    return [path.name for folder in folders for path in folder.rglob("*") if path.is_file()]


def _is_as_sent(daemon: RunningDaemon, match: dict[str, Any], supply: Supply) -> bool:
    """Tell whether the source serves the data set that was sent, byte by byte."""
    uid = _uid(match)
    study, series = (match[tag]["Value"][0] for tag in ("0020000D", "0020000E"))
    served = _served(daemon, study, series, uid, "source")
    return dataset_of(served) == dataset_of(supply.contents[uid])


def _served(daemon: RunningDaemon, study: str, series: str, uid: str, store: str) -> bytes:
    """Return what is answered for an instance that is listed; nothing when that is an error."""
    try:
        return daemon.retrieve(study, series, uid, store)
    except AssertionError:
        return b""


def _uid(match: dict[str, Any]) -> str:
    return str(match["00080018"]["Value"][0])
