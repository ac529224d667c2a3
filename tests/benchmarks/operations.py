"""Instances that arrive beside operations: how long until they are acknowledged, and until they have a result.

``python -m tests.benchmarks.operations`` prints both for an idle service and for one with 20 operations, in one
run.
"""

from __future__ import annotations

import io
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pydicom

from tests.factories import encoded, make_ct
from tests.healthcare_client import (
    OURS,
    client,
    make_dataset,
    make_store,
    search,
    store_instance,
)
from tests.scu import PlainScu, dataset_of
from tests.service import RunningDaemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPERATIONS: Final = 20
_INSTANCES: Final = 150
_SENT: Final = 40
_PAUSE_S: Final = 0.1
_CONFIG: Final = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}


@dataclass
class Seen:
    """Seconds until acknowledged, and until found in the destination, of each instance."""

    acknowledged: list[float] = field(default_factory=list)
    found: list[float] = field(default_factory=list)

    def row(self, name: str) -> str:
        """Return a line of the table."""
        return (
            f"| {name} | {max(self.acknowledged):.3f} | {statistics.median(self.found):.2f}"
            f" | {max(self.found):.2f} |"
        )


def _send(daemon: RunningDaemon, service: Any, first: int) -> Seen:
    seen = Seen()
    deid = f"{OURS}/dicomStores/deid"
    for number in range(first, first + _SENT):
        content = encoded(make_ct(study=1000 + number, instance=number, rows=64))
        uid = str(pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True).SOPInstanceUID)
        there = len(search(service, deid, "instances", "&limit=5000"))
        began = time.perf_counter()
        with PlainScu(daemon.dimse_port) as scu:
            assert scu.store(dataset_of(content), uid.encode()) == 0
        seen.acknowledged.append(time.perf_counter() - began)
        wait_until(
            lambda there=there: len(search(service, deid, "instances", "&limit=5000")) > there,  # type: ignore[misc]
            what="the instance is in the destination",
        )
        seen.found.append(time.perf_counter() - began)
        time.sleep(_PAUSE_S)
    return seen


def _begun(service: Any) -> Iterator[dict[str, Any]]:
    dataset = make_dataset(service, "full")
    source = make_store(service, dataset, "source")
    for number in range(_INSTANCES):
        store_instance(service, source, encoded(make_ct(study=1 + number % 9, instance=number + 1)))
    stores = service.projects().locations().datasets().dicomStores()
    for number in range(_OPERATIONS):
        target = make_store(service, dataset, f"target-{number}")
        body = {"destinationStore": target, "config": _CONFIG}
        yield stores.deidentify(sourceStore=source, body=body).execute()


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="healthcare-") as folder:
        daemon = RunningDaemon(Path(folder) / "state", Path(folder), workers=0)
        daemon.start()
        try:
            with client(daemon.http) as service:
                idle = _send(daemon, service, 1)
                operations = list(_begun(service))
                busy = _send(daemon, service, 1 + _SENT)
                get = service.projects().locations().datasets().operations().get
                running = sum("done" not in get(name=each["name"]).execute() for each in operations)
        finally:
            daemon.stop()
    print(
        "| service | acknowledged after, most, s | in the destination after, median, s | most, s |"
    )
    print("|---|---|---|---|")
    print(idle.row("idle"))
    print(busy.row(f"with {_OPERATIONS} operations, {running} of them to the end"))


if __name__ == "__main__":
    main()
