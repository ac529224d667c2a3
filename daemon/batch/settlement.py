"""What became of each input, told to everybody who was promised to hear of it, in the order of the inputs."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from daemon.batch.naming import RESOURCES
from daemon.batch.records import printable
from daemon.batch.request import BatchState

if TYPE_CHECKING:
    from daemon.batch.dry import DryFolder
    from daemon.batch.inputs import Input
    from daemon.batch.journal import Done, Journal
    from daemon.batch.layout import Names
    from daemon.batch.output import OutputFolder
    from daemon.batch.quarantine import QuarantineFolder
    from daemon.batch.records import Records
    from daemon.batch.refusals import Refusals
    from daemon.batch.request import BatchRequest
    from daemon.batch.sources import Sources

CONFLICT: Final = "conflict"
IDENTIFIERS: Final = ("patient_id", "study_uid", "series_uid", "sop_instance_uid")
REPORT: Final = (
    "number", "input", "member", "state", "reason", "where", "output", "deidentifier", "method",
    "warnings", "quarantine_id",
)  # fmt: skip
CROSSWALK: Final = (
    "number", "input", "member", "output",
    "old_patient_id", "new_patient_id",
    "old_study_instance_uid", "new_study_instance_uid",
    "old_series_instance_uid", "new_series_instance_uid",
    "old_sop_instance_uid", "new_sop_instance_uid",
    "old_accession_number", "new_accession_number",
    "date_shift_days", "time_shift_s",
)  # fmt: skip


@dataclass(slots=True)
class Settled:
    """An input and what a worker says of it.

    Attributes
    ----------
    part
        What was written for it, in the output folder.
    known
        What its study tells of people.
    done
        What an earlier run wrote for it, which is still there.
    """

    source: Input
    answer: dict[str, Any]
    part: str = ""
    known: tuple[tuple[str, str], ...] = ()
    done: Done | None = None


@dataclass(slots=True)
class Settlement:
    """Gives files their names, and keeps the books of one run.

    Attributes
    ----------
    number
        Of the input that was settled last; the first is 1.
    resumed
        How many were found as an earlier run had left them.
    still_identifies
        Whether what is written says who patients are, as the configuration has it.
    """

    request: BatchRequest
    warnings: tuple[str, ...]
    output: OutputFolder | DryFolder
    names: Names
    journal: Journal | None
    report: Records
    crosswalk: Records
    refusals: Refusals | None
    quarantine: QuarantineFolder
    sources: Sources
    number: int = 0
    resumed: int = 0
    still_identifies: bool = False
    states: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def settle(self, settled: Settled) -> None:
        """Settle one input.

        Raises
        ------
        BatchFailed, OSError
            When something cannot be written.
        """
        self.number += 1
        answer, where_to = settled.answer, ""
        if is_clean(answer):
            answer, where_to = self._placed(settled)
        state, reason = answer["state"], answer.get("reason", "")
        record = self._of_input(settled.source) | {
            "state": state,
            "reason": reason,
            "where": answer.get("where", ""),
            "output": where_to,
            "deidentifier": self.request.deidentifier,
            "method": answer.get("method", []),
            "warnings": self.warnings,
        }
        if state == BatchState.REFUSED:
            record |= self._set_aside(settled.source, reason, answer.get("where", ""))
        self.report.add(record)
        self.states[state] += 1
        if reason:
            self.reasons[state][reason] += 1

    def finish(self) -> None:
        """Make what was settled durable. Raises OSError."""
        if self.refusals is not None:
            self.refusals.finish()
        self.quarantine.finish()

    def _placed(self, settled: Settled) -> tuple[dict[str, Any], str]:
        """Return the answer as it stands after the file was given its name, and the name."""
        answer, source, done = settled.answer, settled.source, settled.done
        way = done.way if done is not None else self.way(answer, source)
        clash = ""
        if done is not None and self.journal is not None:
            self.journal.output.claim(way)
            self.resumed += 1
        else:
            clash = self.output.place(settled.part or answer.get("digest", ""), way)
        if clash == CONFLICT:
            return refused(CONFLICT), ""
        if clash:
            answer = {**answer, "state": BatchState.DUPLICATE.value}
        elif done is None and self.journal is not None:
            self.journal.add(source, settled.known, way, answer["method"])
        if self.still_identifies and not clash:
            answer = {**answer, "state": BatchState.REWRITTEN.value}
        name = "/".join(way)
        traced = answer.get("crosswalk")
        if isinstance(traced, dict):
            told = {column: traced[column] for column in CROSSWALK if column in traced}
            self.crosswalk.add(self._of_input(source) | {"output": name} | told)
        return answer, name

    def way(self, answer: dict[str, Any], source: Input) -> tuple[str, ...]:
        """Return the name that an instance gets, with its folders."""
        patient, study, series, instance = (str(answer[each]) for each in IDENTIFIERS)
        if study == RESOURCES:
            return self.names.way_of_resources(patient, instance, source)
        return self.names.way((patient, study, series, instance), source)

    def _of_input(self, source: Input) -> dict[str, object]:
        told: dict[str, object] = {"number": self.number, "input": printable(source.path)}
        if source.member is not None:
            told["member"] = printable(source.member_name)
        return told

    def _set_aside(self, source: Input, reason: str, where: str) -> dict[str, object]:
        """Tell why an input was refused, in the output folder and, where that was asked for, beside a copy."""
        if self.refusals is not None:
            self.refusals.add(self.number, reason, where)
        document: dict[str, object] = {
            "reason": reason,
            "where": where,
            "deidentifier": self.request.deidentifier,
        }
        quarantine_id = self.quarantine.copy(source, self.sources, document)
        return {"quarantine_id": quarantine_id} if quarantine_id else {}


def refused(reason: str, where: str = "") -> dict[str, Any]:
    """Return the answer of an input that is refused."""
    return {"state": BatchState.REFUSED.value, "reason": str(reason), "where": where}


def is_clean(answer: dict[str, Any]) -> bool:
    """Whether an answer tells of an instance that may have a name."""
    return answer["state"] in {BatchState.DEIDENTIFIED.value, BatchState.REWRITTEN.value}
