"""What people decide of refused instances: what it does, and what is kept of it. Every engine answers alike."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from daemon.records import Ruling, State
from daemon.store import deciding, redo
from daemon.store.deciding import Release, Retry
from daemon.store.decision_rows import Choice, Decider, Decision, Place
from daemon.store.stores import Stores
from deid.ports import DrawnBox
from tests import store_samples
from tests.store_samples import DECIDER, element, make_instance, settle, store, work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from daemon.records import Receipt, StoredInstance
    from daemon.store.deciding import Act
    from daemon.store.ports import Engine
    from daemon.store.queries import Changed

NOW = 1_700_000_000.0
BOX = DrawnBox(0, 4, 8, 100, 20)
PIXELS = "too_much_text"


@pytest.fixture
async def stores(tmp_path: Path, engine: Engine) -> AsyncIterator[Stores]:
    opened = await Stores.open(tmp_path / "state", engine=engine)
    yield opened
    await opened.close()


def picture(number: int = 1, *, rows: int = 64, columns: int = 128) -> StoredInstance:
    """Return an instance with a picture of that size, and three frames."""
    instance = make_instance(number)
    attributes = json.loads(instance.metadata) | {
        "00280008": element("IS", 3),
        "00280010": element("US", rows),
        "00280011": element("US", columns),
    }
    return replace(instance, metadata=json.dumps(attributes).encode())


async def refused(stores: Stores, number: int = 1, reason: str = PIXELS) -> Receipt:
    return await store(stores, picture(number), state=State.QUARANTINED, reason=reason)


def decide(stores: Stores, act: Act, *receipts: Receipt) -> Changed:
    with stores.engine.session(stores.layout) as session:
        return deciding.in_batches(session, act, [each.id for each in receipts], now=NOW)


def decisions(stores: Stores, receipt: Receipt | None = None, **page: int) -> list[Decision]:
    limit, offset = page.get("limit", 100), page.get("offset", 0)
    with stores.engine.session(stores.layout) as session:
        return session.decisions.page(None if receipt is None else receipt.id, limit, offset)


async def ruling_of(stores: Stores, receipt: Receipt) -> Ruling | None:
    """Return what a worker is told of an instance that waits."""
    (due,) = await stores.receipts.due(1, [])
    assert due.id == receipt.id
    job = stores.receipts.job(due)
    assert job.ruling == due.ruling
    return job.ruling


async def test_a_release_lets_it_wait_with_its_boxes(stores: Stores) -> None:
    receipt = await refused(stores)
    assert decide(stores, Release(DECIDER, (BOX,)), receipt).changed == [receipt.id]
    assert await ruling_of(stores, receipt) == Ruling("", (BOX,))


async def test_one_of_which_nothing_was_decided_waits_without_a_ruling(stores: Stores) -> None:
    receipt = await store_samples.receive(stores)
    assert await ruling_of(stores, receipt) is None


async def test_each_decision_is_kept_with_all_that_was_said(stores: Stores) -> None:
    receipt, other = await refused(stores, 1), await refused(stores, 2, "malformed")
    reviewer = Decider(Place.PAGE, "J. Reviewer")
    decide(stores, Release(reviewer, (BOX,), "research"), receipt)
    decide(stores, Retry(DECIDER), other)
    kept = decisions(stores)
    assert [replace(each, id=0) for each in kept] == [
        Decision(other.id, NOW, DECIDER, Choice.RETRY, "malformed", Ruling()),
        Decision(receipt.id, NOW, reviewer, Choice.RELEASE, PIXELS, Ruling("research", (BOX,))),
    ]
    assert kept[0].id > kept[1].id > 0
    assert [each.receipt_id for each in decisions(stores, receipt)] == [receipt.id]
    assert [each.receipt_id for each in decisions(stores, limit=1, offset=1)] == [receipt.id]


async def test_a_ruling_holds_when_it_is_done_again(stores: Stores) -> None:
    receipt = await refused(stores)
    decide(stores, Release(DECIDER, (BOX,), "research"), receipt)
    await settle(stores, [work(stores, receipt, picture())])
    with stores.engine.session(stores.layout) as session:
        assert redo.redo(session, [receipt.id]).changed == [receipt.id]
    assert await ruling_of(stores, receipt) == Ruling("research", (BOX,))


async def again(stores: Stores, receipt: Receipt, reason: str = PIXELS) -> None:
    """Refuse it once more."""
    result = work(stores, receipt, picture(), state=State.QUARANTINED, reason=reason)
    await settle(stores, [result])


async def test_a_later_decision_adds_to_the_earlier_one(stores: Stores) -> None:
    receipt = await refused(stores)
    decide(stores, Release(DECIDER, (BOX,)), receipt)
    await again(stores, receipt, "residual_identifier")
    decide(stores, Retry(DECIDER), receipt)
    assert await ruling_of(stores, receipt) == Ruling("", (BOX,))
    await again(stores, receipt)
    decide(stores, Retry(DECIDER, "research"), receipt)
    assert await ruling_of(stores, receipt) == Ruling("research", (BOX,))
    await again(stores, receipt)
    lower = BOX._replace(top=40)
    decide(stores, Release(DECIDER, (lower,)), receipt)
    assert await ruling_of(stores, receipt) == Ruling("research", (lower,))


async def test_what_was_decided_can_be_taken_back(stores: Stores) -> None:
    receipt = await refused(stores)
    decide(stores, Release(DECIDER, (BOX,), "research"), receipt)
    await again(stores, receipt)
    decide(stores, Retry(DECIDER, as_configured=True), receipt)
    assert await ruling_of(stores, receipt) is None


async def test_only_what_is_about_pixels_alone_is_released(stores: Stores) -> None:
    others = ("malformed", "residual_identifier", "document_not_cleaned")
    of_pixels = ("pixels_not_cleaned", "screen_capture", "too_much_text")
    receipts = [
        await refused(stores, number, reason)
        for number, reason in enumerate((*others, *of_pixels), 1)
    ]
    changed = decide(stores, Release(DECIDER, (BOX,)), *receipts)
    assert changed.changed == [each.id for each in receipts[3:]]
    assert list(changed.not_allowed.values()) == [
        f"{reason} is not about pixels alone, and boxes do not release it" for reason in others
    ]
    assert {each.receipt_id for each in decisions(stores)} == set(changed.changed)
    assert [each.id for each in await stores.receipts.due(9, [])] == changed.changed


async def test_a_box_has_to_lie_in_the_picture(stores: Stores) -> None:
    receipt = await refused(stores)
    for change in ({"frame": 4}, {"left": 128}, {"top": 64}, {"width": 0}, {"height": 0}):
        act = Release(DECIDER, (BOX, BOX._replace(**change)))
        assert decide(stores, act, receipt).not_allowed == {
            receipt.id: "box 2 lies outside the picture (128 x 64, frames 3)"
        }
    reaching_out = BOX._replace(frame=3, left=127, top=63)
    assert decide(stores, Release(DECIDER, (reaching_out,)), receipt).changed == [receipt.id]


async def test_what_has_no_picture_is_not_released(stores: Stores) -> None:
    receipt = await store(stores, make_instance(1), state=State.QUARANTINED, reason=PIXELS)
    changed = decide(stores, Release(DECIDER, (BOX,)), receipt)
    assert changed.not_allowed == {receipt.id: "it has no picture to draw boxes on"}


async def test_what_is_not_refused_is_passed_over_and_nothing_is_kept(stores: Stores) -> None:
    stored = await store(stores, picture())
    act: Any
    for act in (Release(DECIDER, (BOX,)), Retry(DECIDER, "research")):
        assert decide(stores, act, stored).passed_over == [stored.id]
    assert decisions(stores) == []


async def test_a_discard_is_kept_too_and_its_ruling_ends(stores: Stores) -> None:
    receipt = await refused(stores)
    with stores.engine.session(stores.layout) as session:
        store_samples.discard(session, stores, [receipt.id])
    assert [each.choice for each in decisions(stores, receipt)] == [Choice.DISCARD]
    assert not stores.stores.blobs_of(stores.stores.source).has(receipt.id)


async def test_a_decision_and_what_it_does_are_one_transaction(stores: Stores) -> None:
    receipt = await refused(stores)

    def decide_and_fail(session: Any) -> None:
        deciding.decide(session, Release(DECIDER, (BOX,)), [receipt.id])
        raise RuntimeError("the writer failed")

    with pytest.raises(RuntimeError):
        await stores.database.write(decide_and_fail)
    assert decisions(stores) == []
    assert await stores.receipts.due(1, []) == []


async def test_what_was_decided_outlasts_the_process(
    stores: Stores, engine: Engine, tmp_path: Path
) -> None:
    receipt = await refused(stores)
    decide(stores, Release(DECIDER, (BOX,)), receipt)
    await stores.close()
    reopened = await Stores.open(tmp_path / "state", engine=engine)
    assert await ruling_of(reopened, receipt) == Ruling("", (BOX,))
    await reopened.close()


def test_a_release_needs_a_box_and_takes_so_many() -> None:
    with pytest.raises(deciding.DecisionInvalid):
        deciding.checked_boxes([])
    with pytest.raises(deciding.DecisionInvalid):
        deciding.checked_boxes([BOX] * (deciding.MOST_BOXES + 1))
    assert deciding.checked_boxes([BOX] * deciding.MOST_BOXES)


@pytest.mark.parametrize("name", ["x" * 65, "two\nlines", "\x1b[31m"])
def test_a_reviewer_has_a_name_that_can_be_printed(name: str) -> None:
    with pytest.raises(deciding.DecisionInvalid):
        deciding.checked_reviewer(name)
    assert deciding.checked_reviewer(" J. Reviewer ") == "J. Reviewer"
