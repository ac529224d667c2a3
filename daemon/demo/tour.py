"""The first tour: send a few instances through each way in and show what became of them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import aiohttp

from daemon.cli import output
from daemon.demo.resources import show_resources
from daemon.demo.senders import WAYS, drop_files, send_by_dimse, send_by_stow
from daemon.records import Receiver, State
from daemon.store.journal import SETTLED, read_journal
from daemon.synthetic.collection import demonstration_instances

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path
    from typing import TextIO

    from pydicom.dataset import Dataset

    from daemon.demo.service import Addresses
    from daemon.store.rows import Arrival
    from daemon.synthetic.collection import Demonstration

_SETTLE_DEADLINE_S: Final = 120.0
_POLL_S: Final = 0.2
_ANSWER_S: Final = 30.0
_DRAWN_IN: Final = "US"
"""The modality whose demonstration instances have a name drawn in."""
_TOLD_STUDY: Final = "CT, "
"""How the instances are called of whose study FHIR resources tell."""


@dataclass(slots=True)
class Tour:
    """What was sent by which way, and how far it is."""

    state_dir: Path
    stream: TextIO
    sent: list[tuple[Demonstration, Receiver]] = field(default_factory=list)
    refused: int = 0

    async def run(self, addresses: Addresses, inbox: Path) -> None:
        """Send everything, wait until all of it has settled, and print the table."""
        shares: dict[Receiver, list[Demonstration]] = {receiver: [] for receiver in WAYS}
        for number, entry in enumerate(await asyncio.to_thread(_all_instances)):
            shares[list(WAYS)[number % len(WAYS)]].append(entry)
        total = sum(map(len, shares.values()))
        line = ProgressLine(self.stream, total)
        for receiver, entries in shares.items():
            datasets = [entry.dataset for entry in entries]
            answers = _send(receiver, datasets, addresses, inbox)
            position = 0
            async for is_accepted in answers:
                self.sent.append((entries[position], receiver))
                self.refused += not is_accepted
                position += 1
                line.show(len(self.sent), self._settled(), f"sending by {WAYS[receiver]}")
            line.rest()
        deadline = time.monotonic() + _SETTLE_DEADLINE_S
        while (settled := self._settled()) < total - self.refused and time.monotonic() < deadline:
            line.show(total, settled, "de-identifying")
            await asyncio.sleep(_POLL_S)
        line.show(total, self._settled(), "done")
        line.end()
        self._print_table()
        study = [each.dataset for each, _ in self.sent if each.kind.startswith(_TOLD_STUDY)]
        await show_resources(study, addresses, inbox, self.stream)

    def _settled(self) -> int:
        return sum(entry.state in SETTLED for entry in read_journal(self.state_dir))

    def _print_table(self) -> None:
        found = {entry.original_uid: entry for entry in read_journal(self.state_dir)}
        rows = [
            (
                demonstration.kind,
                WAYS[receiver],
                *became(found.get(demonstration.dataset.SOPInstanceUID)),
            )
            for demonstration, receiver in self.sent
        ]
        output.print_table(
            ("What was sent", "by", "became", "as patient, or why not"),
            rows,
            title="What came in and what became of it",
            stream=self.stream,
        )


async def _send(
    receiver: Receiver, datasets: Sequence[Dataset], addresses: Addresses, inbox: Path
) -> AsyncIterator[bool]:
    if receiver is Receiver.DIMSE:
        answers = send_by_dimse(datasets, addresses)
    elif receiver is Receiver.STOW:
        answers = send_by_stow(datasets, addresses)
    else:
        answers = drop_files(datasets, inbox)
    async for answer in answers:
        yield answer


async def shown_study(addresses: Addresses) -> str:
    """Return the study whose result has a drawn name no more; empty where there is none."""
    timeout = aiohttp.ClientTimeout(total=_ANSWER_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        address = f"{addresses.base}/dicomweb/deid/studies?ModalitiesInStudy={_DRAWN_IN}&limit=1"
        async with session.get(address) as response:
            found = await response.json(content_type="application/dicom+json")
    return str(found[0]["0020000D"]["Value"][0]) if found else ""


def _all_instances() -> list[Demonstration]:
    return list(demonstration_instances())


def became(entry: Arrival | None) -> tuple[str, str]:
    """Return the state in a word, and the pseudonym or the reason."""
    if entry is None:
        return "not received", ""
    if entry.state is State.STORED:
        return str(entry.state), entry.patient_id
    return str(entry.state), f"{entry.reason} {entry.where}".strip()


@dataclass(slots=True)
class ProgressLine:
    """One line that is written over on a terminal; elsewhere a line at each step that matters."""

    stream: TextIO
    total: int
    latest: str = ""

    def show(self, sent: int, settled: int, doing: str) -> None:
        """Say how far it is."""
        self.latest = f"{sent}/{self.total} sent, {settled}/{self.total} settled: {doing}"
        if self.stream.isatty():
            self.stream.write(f"\r\x1b[K{self.latest}")
            self.stream.flush()

    def rest(self) -> None:
        """End a step."""
        if not self.stream.isatty():
            output.print_line(self.latest, self.stream)
            self.stream.flush()

    def end(self) -> None:
        """Say the last of it and begin a new line."""
        output.print_line("" if self.stream.isatty() else self.latest, self.stream)
        self.stream.flush()
