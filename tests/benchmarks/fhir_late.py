"""``python -m tests.benchmarks.fhir_late``: a name that only a resource tells, and that comes after its images.

A study is stored whose texts hold a name that no header tells. Then its Patient is dropped. Printed is how long
some instance that is served still holds the name, and how often one could not be had meanwhile.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pydicom

from daemon.cli.output import print_line
from tests.factories import PATIENTS, encoded, make_ct
from tests.service import RunningDaemon
from tests.sidecar_samples import make_resources

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MOST_S: Final = 10
_NAME: Final = "Small"
_GIVE_UP_S: Final = 120
_PAUSE_S: Final = 0.1
_SETTINGS: Final = """
[workers]
count = 2
[deidentifiers.default.config.dicom]
filterProfile = "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"
[deidentifiers.default.config.fhir]
[deidentifiers.default.config.dicomveil]
options = ["clean_descriptors"]
"""


def measured(instances: int) -> tuple[float, int, int]:
    """Return seconds, how often the study was asked for, and how often an instance was missing."""
    with tempfile.TemporaryDirectory(prefix="fhir-late-", dir="/tmp") as name:
        folder = Path(name)
        inbox = folder / "inbox"
        inbox.mkdir()
        daemon = RunningDaemon(folder / "state", folder, inbox=inbox, settings=_SETTINGS)
        daemon.start()
        try:
            study = [make_ct(PATIENTS[7], instance=n, rows=256) for n in range(1, instances + 1)]
            for number, each in enumerate(study):
                each.StudyDescription = f"Thorax {_NAME} nodule"
                _drop(inbox, f"{number}.dcm", encoded(each))
            daemon.wait_until_settled(instances, deadline_s=_GIVE_UP_S)
            return _told_late(daemon, inbox, study[0])
        finally:
            daemon.stop()


def _told_late(daemon: RunningDaemon, inbox: Path, instance: Dataset) -> tuple[float, int, int]:
    found = daemon.instances("deid")
    where = [
        [each[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")] for each in found
    ]
    resources = make_resources(instance, PATIENTS[7], "late")
    resources[0]["name"] = [{"family": _NAME, "given": ["Ada"]}]
    bundle = {"resourceType": "Bundle", "type": "collection"}
    content = json.dumps({**bundle, "entry": [{"resource": each} for each in resources]}).encode()
    _drop(inbox, "late.json", content)
    started = time.monotonic()
    asked, missing, told = 0, 0, [_NAME]
    while any(_NAME in each for each in told) and time.monotonic() - started < _GIVE_UP_S:
        time.sleep(_PAUSE_S)
        told = _descriptions(daemon, where[0][0])
        asked += 1
        missing += len(told) != len(where)
    spent = time.monotonic() - started
    missing += sum(_holds_name(daemon, each) for each in where)  # none may hold it any more
    return spent, asked, missing


def _descriptions(daemon: RunningDaemon, study: str) -> list[str]:
    status, body = daemon.get(f"/dicomweb/deid/studies/{study}/metadata")
    assert status == 200
    return [str(each.get("00081030", {}).get("Value", "")) for each in json.loads(body)]


def _holds_name(daemon: RunningDaemon, where: list[str]) -> bool:
    dataset = pydicom.dcmread(io.BytesIO(daemon.retrieve(*where)))
    assert len(dataset.PixelData) == 2 * 256 * 256  # whole, whichever of the two it is
    return _NAME in str(dataset.get("StudyDescription", ""))


def _drop(inbox: Path, name: str, content: bytes) -> None:
    unfinished = inbox / f".{name}"
    unfinished.write_bytes(content)
    unfinished.rename(inbox / name)


def main() -> int:
    """Measure; end with 1 where it took too long or something was missing."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.fhir_late", description=__doc__
    )
    parser.add_argument("--instances", type=int, default=500)
    options = parser.parse_args()
    spent, asked, missing = measured(options.instances)
    print_line(
        f"{options.instances} instances: the name is gone {spent:.1f} s after its resource was dropped"
        f" (at most {MOST_S}); asked {asked} times, missing {missing}"
    )
    return int(spent > MOST_S or missing > 0)


if __name__ == "__main__":
    sys.exit(main())
