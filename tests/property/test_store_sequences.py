"""Whatever is sent, settled, retried and discarded in whatever order: each ends exactly once."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from daemon.pipeline.states import RE_EXAMINE
from daemon.records import State
from daemon.store import fsck, queries, redo
from daemon.store.embedded import EMBEDDED
from daemon.store.rows import Place, Role
from daemon.store.settling import ConflictPolicy
from daemon.store.stores import Stores
from dicomweb.ports import Query
from tests import store_samples
from tests.document_engine import DOCUMENTS
from tests.store_samples import file_of, make_instance, receive, settle, veiled, work

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextlib import AbstractContextManager

    from daemon.records import Receipt, StoredInstance
    from daemon.store.ports import Engine, Session
    from daemon.store.rows import Entry

NUMBERS = st.integers(1, 4)
CONTENTS = st.sampled_from(["a", "b"])
ANSWERS = st.sampled_from([State.STORED, State.STORED, State.QUARANTINED, State.UNROUTED])
EVERYTHING = Query("instance", {}, None, fuzzy=False, limit=1000, offset=0)


@dataclass
class Sent:
    """What the model knows of a receipt."""

    receipt: Receipt
    instance: StoredInstance
    state: State = State.RECEIVED


class StoreSequences(RuleBasedStateMachine):
    """Does to real stores what users, workers and operators do; remembers what must come of it."""

    engine: Engine = EMBEDDED

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="store-sequences-"))
        self.runner = asyncio.Runner()
        self.sent: dict[str, Sent] = {}
        self.stores: Stores

    def run(self, work_to_do: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work_to_do)

    @initialize(policy=st.sampled_from(ConflictPolicy))
    def open(self, policy: ConflictPolicy) -> None:
        self.policy = policy
        self.stores = self.run(
            Stores.open(self.folder / "state", conflict=policy, engine=self.engine)
        )

    @rule(number=NUMBERS, content=CONTENTS)
    def send(self, number: int, content: str) -> None:
        instance = make_instance(number, content=content)
        receipt = self.run(receive(self.stores, file_of(instance)))
        self.sent[receipt.id] = Sent(receipt, instance)

    def waiting(self) -> list[Sent]:
        return [sent for sent in self.sent.values() if sent.state is State.RECEIVED]

    @precondition(lambda self: self.waiting())
    @rule(data=st.data(), answer=ANSWERS, repeat=st.booleans())
    def settle(self, data: st.DataObject, answer: State, repeat: bool) -> None:
        batch = data.draw(st.lists(st.sampled_from(self.waiting()), min_size=1, unique_by=id))
        results = [
            work(self.stores, sent.receipt, sent.instance, state=answer, reason="asked")
            for sent in batch
        ]
        self.run(settle(self.stores, results))
        if repeat:
            self.run(settle(self.stores, results))
        self.take_over_states()

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        sent = data.draw(st.sampled_from(list(self.sent.values())))
        with self.session() as session:
            changed = store_samples.retry(session, [sent.receipt.id])
        assert bool(changed.changed) == (sent.state in queries.REFUSED)
        self.take_over_states()

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def discard(self, data: st.DataObject) -> None:
        sent = data.draw(st.sampled_from(list(self.sent.values())))
        with self.session() as session:
            changed = store_samples.discard(session, self.stores, [sent.receipt.id])
        assert bool(changed.changed) == (sent.state in queries.REFUSED)
        self.take_over_states()

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def do_again(self, data: st.DataObject) -> None:
        sent = data.draw(st.sampled_from(list(self.sent.values())))
        with self.session() as session:
            changed = redo.redo(session, [sent.receipt.id])
        assert bool(changed.changed) == (sent.state is State.STORED and not changed.missing)
        self.take_over_states()

    @rule()
    def restart(self) -> None:
        self.run(self.stores.close())
        self.stores = self.run(
            Stores.open(self.folder / "state", conflict=self.policy, engine=self.engine)
        )
        assert self.stores.recovered.missing == 0

    def session(self) -> AbstractContextManager[Session]:
        return self.stores.engine.session(self.stores.layout)

    def rows(self) -> dict[str, Entry]:
        with self.session() as session:
            return {entry.receipt.id: entry for entry in session.receipts.page(0, 10_000)}

    def take_over_states(self) -> None:
        for receipt_id, row in self.rows().items():
            self.sent[receipt_id].state = row.receipt.state

    def visible(self, store: Role) -> list[str]:
        index = self.stores.source if store is Role.SOURCE else self.stores.destination
        matches = self.run(index.search(EVERYTHING))
        return [orjson.loads(match.defaults)["00080018"]["Value"][0] for match in matches]

    @invariant()
    def every_receipt_is_known(self) -> None:
        if self.sent:
            assert set(self.rows()) == set(self.sent)

    @invariant()
    def no_instance_is_visible_twice(self) -> None:
        if self.sent:
            for store in (Role.SOURCE, Role.DESTINATION):
                uids = self.visible(store)
                assert len(uids) == len(set(uids))

    @invariant()
    def exactly_the_stored_are_in_the_destination(self) -> None:
        if self.sent:
            rows = self.rows()
            stored = [
                veiled(sent.instance).sop_instance_uid
                for sent in self.sent.values()
                if rows[sent.receipt.id].place is Place.SOURCE
                and (
                    sent.state is State.STORED or rows[sent.receipt.id].receipt.reason == RE_EXAMINE
                )
            ]
            assert sorted(self.visible(Role.DESTINATION)) == sorted(stored)

    @invariant()
    def what_is_not_finished_has_its_bytes(self) -> None:
        for sent in self.sent.values():
            if sent.state in {State.RECEIVED, State.UNROUTED, State.QUARANTINED}:
                data = self.stores.receipts.job(sent.receipt).source.read_bytes()
                assert data == file_of(sent.instance)

    @invariant()
    def a_duplicate_names_one_that_has_or_had_its_content(self) -> None:
        if self.sent:
            for receipt_id, row in self.rows().items():
                if row.receipt.state is State.DUPLICATE and row.receipt.reason != "conflict":
                    first = self.sent[row.related].instance
                    assert first.dataset_digest == self.sent[receipt_id].instance.dataset_digest

    def teardown(self) -> None:
        if hasattr(self, "stores"):
            self.run(self.stores.close())
            assert fsck.check(self.folder / "state", engine=self.engine).findings == []
        self.runner.close()
        shutil.rmtree(self.folder)


class OtherEngineSequences(StoreSequences):
    """The same over the other engine."""

    engine = DOCUMENTS


StoreSequences.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
OtherEngineSequences.TestCase.settings = StoreSequences.TestCase.settings
TestStoreSequences = StoreSequences.TestCase
TestOtherEngineSequences = OtherEngineSequences.TestCase
