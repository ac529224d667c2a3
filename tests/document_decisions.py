"""Decisions of people, of `tests.document_engine`."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from daemon.records import Ruling
from daemon.store.decision_rows import Choice, Decider, Decision, Place
from deid.ports import DrawnBox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.documents import Documents


class DocumentDecisions:
    """Implements `daemon.store.decision_rows.DecisionRows`."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def add(self, decision: Decision) -> None:
        number = self._documents.next_number("decision")
        self._documents.put("decision", f"{number:012}", asdict(replace(decision, id=number)))

    def page(self, receipt_id: str | None, limit: int, offset: int) -> list[Decision]:
        found = [_decision(body) for body in self._documents.all("decision")]
        found = [each for each in found if receipt_id in {None, each.receipt_id}]
        return sorted(found, key=lambda each: -each.id)[offset : offset + limit]

    def in_force(self, receipt_ids: Sequence[str]) -> dict[str, Ruling]:
        latest = {
            each.receipt_id: each.ruling
            for each in reversed(self.page(None, 1 << 62, 0))
            if each.receipt_id in receipt_ids
        }
        return {receipt_id: ruling for receipt_id, ruling in latest.items() if ruling}


def _decision(body: Any) -> Decision:
    decider, ruling = body["decider"], body["ruling"]
    drawn = tuple(DrawnBox(*box) for box in ruling["drawn"])
    return Decision(
        **{
            **body,
            "decider": Decider(Place(decider["place"]), decider["reviewer"]),
            "choice": Choice(body["choice"]),
            "ruling": Ruling(ruling["deidentifier"], drawn),
        }
    )
