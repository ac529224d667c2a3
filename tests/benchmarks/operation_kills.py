"""An operation over 2000 instances and 500 resources: killed five times, and cancelled at a quarter.

``python -m tests.benchmarks.operation_kills`` prints what came of both. The bytes are compared with those of an
undisturbed run, and counters with what is in the destination.
"""

from __future__ import annotations

import itertools
import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.healthcare_client import client, done, make_dataset, make_store, search
from tests.integration.test_healthcare_kill import begin, content, filled
from tests.service import RunningDaemon, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTANCES: Final = 2000
RESOURCES: Final = 500
_KILLS: Final = 5
_WAIT_S: Final = 1800.0
_BASIC: Final = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}


def _counter(service: Any, operation: dict[str, Any]) -> dict[str, int]:
    operations = service.projects().locations().datasets().operations()
    found = operations.get(name=operation["name"]).execute()
    return {name: int(count) for name, count in found["metadata"]["counter"].items()}


def _until(daemon: RunningDaemon, operation: dict[str, Any], wanted: int) -> None:
    def is_there() -> bool:
        with client(daemon.http) as service:
            counter = _counter(service, operation)
        return sum(counter.get(name, 0) for name in ("success", "failure")) >= wanted

    wait_until(is_there, what=f"{wanted} are done", deadline_s=_WAIT_S)


def _ended(daemon: RunningDaemon, operation: dict[str, Any], total: int) -> dict[str, Any]:
    _until(daemon, operation, total)
    with client(daemon.http) as service:
        return done(service, operation)


def _kill(daemon: RunningDaemon, source: str) -> Iterator[str]:
    target, total = f"{source}-clean", INSTANCES + RESOURCES
    with client(daemon.http) as service:
        operation = begin(service, source, target)
    randomly = random.Random(41)
    for number in range(_KILLS):
        _until(daemon, operation, (number + 1) * total // (_KILLS + 2))
        time.sleep(randomly.random())
        daemon.kill()
        daemon.start()
    ended = _ended(daemon, operation, total)
    yield f"killed {_KILLS} times: {ended['metadata']['counter']}, {'response' in ended=}"
    with client(daemon.http) as service:
        disturbed = content(daemon, service, target)
        service.projects().locations().datasets().delete(name=target).execute()
        again = begin(service, source, target)
    _ended(daemon, again, total)
    with client(daemon.http) as service:
        is_same = content(daemon, service, target) == disturbed
    yield f"{len(disturbed)} different results, as in an undisturbed run: {is_same}"


def _cancel(daemon: RunningDaemon, source: str) -> Iterator[str]:
    with client(daemon.http) as service:
        datasets = service.projects().locations().datasets()
        target = make_store(service, make_dataset(service, "stopped"), "cancelled")
        body = {"destinationStore": target, "config": _BASIC}
        images = f"{source}/dicomStores/images"
        operation = datasets.dicomStores().deidentify(sourceStore=images, body=body).execute()
    _until(daemon, operation, INSTANCES // 4)
    with client(daemon.http) as service:
        datasets = service.projects().locations().datasets()
        began = time.monotonic()
        datasets.operations().cancel(name=operation["name"], body={}).execute()
        ended = done(service, operation)
        seconds = time.monotonic() - began
        there = len(search(service, target, "instances", "&limit=5000"))
        yield (
            f"cancelled: code {ended['error']['code']} after {seconds:.1f} s, counters"
            f" {ended['metadata']['counter']}, {there} in the destination"
        )
        again = datasets.dicomStores().deidentify(sourceStore=images, body=body).execute()
    ended = _ended(daemon, again, INSTANCES)
    with client(daemon.http) as service:
        uids = [
            each["00080018"]["Value"][0]
            for each in search(service, target, "instances", "&limit=5000")
        ]
    yield f"a new one: {ended['metadata']['counter']}, {len(uids)} there, {len(set(uids))} different"


def main() -> None:
    """Print what came of both."""
    with tempfile.TemporaryDirectory(prefix="dicomveil-operations-") as place:
        folder = Path(place)
        daemon = RunningDaemon(folder / "state", folder, settings="[workers]\ncount = 2\n")
        daemon.start()
        try:
            with client(daemon.http) as service:
                source = filled(service, INSTANCES, RESOURCES)
            for line in itertools.chain(_cancel(daemon, source), _kill(daemon, source)):
                print(line, flush=True)
        finally:
            daemon.stop()


if __name__ == "__main__":
    main()
