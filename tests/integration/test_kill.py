"""SIGKILL at any moment: nothing acknowledged is missing, half-written or there twice (see `make crash`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.records import State
from daemon.store.rows import Arrival
from tests.crash.account import account_for, doubled
from tests.crash.killing import Killing
from tests.crash.senders import DOORS, Supply

if TYPE_CHECKING:
    from tests.service import RunningDaemon

KILLS = 12


def test_kills_during_a_send_lose_tear_double_and_leave_nothing(
    running_daemon: RunningDaemon,
) -> None:
    killing = Killing(running_daemon, seed=20261120)
    account = killing.run(KILLS)
    assert account.is_clean, account
    assert min(killing.supply.by_door().values()) > 0


def test_the_account_notices_what_is_lost_torn_twice_or_left(
    forked_daemon: RunningDaemon,
) -> None:
    supply = Supply(seed=5)
    for door in [each(forked_daemon) for each in DOORS]:
        uid = supply.take()
        assert uid is not None
        assert door.send(uid, supply.contents[uid])
        supply.note(uid, door.name, is_acknowledged=True)
        door.close()
    assert account_for(forked_daemon, supply).is_clean

    state_dir = forked_daemon.state_dir
    torn = next((state_dir / "deid").rglob("*.dcm"))
    torn.write_bytes(torn.read_bytes()[:-100])
    (state_dir / "work" / "left").touch()
    assert supply.take() is not None  # never sent
    account = account_for(forked_daemon, supply, patience_s=1)
    assert (account.lost, account.torn, account.left, account.findings) == (1, 1, 1, 1)


def test_what_is_stored_twice_or_stored_and_put_aside_counts_as_twice() -> None:
    def arrival(uid: str, state: State) -> Arrival:
        return Arrival(1, "dimse", state, "", "", uid, "", "")

    stored, again = arrival("1.2", State.STORED), arrival("1.2", State.DUPLICATE)
    assert doubled([stored, again], ["1.2"], ["2.25.1"]) == set()
    assert doubled([stored, stored], ["1.2"], ["2.25.1"]) == {"1.2"}
    assert doubled([stored, arrival("1.2", State.QUARANTINED)], ["1.2"], []) == {"1.2"}
    assert doubled([stored], ["1.2", "1.2"], ["2.25.1", "2.25.1"]) == {"1.2", "2.25.1"}
