"""``make crash``: kill the service again and again, and print what was lost, torn, there twice, or left.

Ends with 1 when anything was. The same seed kills in the same order, though never at the same instruction.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from daemon.cli.output import print_line
from tests.crash.killing import Killing
from tests.service import RunningDaemon


def main() -> int:
    """Kill as often as was asked for, and print the account."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    base = os.environ.get("DICOMVEIL_TEST_DISK")
    folder = Path(tempfile.mkdtemp(prefix="dicomveil-crash-", dir=base))
    is_clean = _run(folder, options.kills, options.seed)
    if is_clean:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print_line(f"state and log are in {folder}")
    return int(not is_clean)


def _run(folder: Path, kills: int, seed: int) -> bool:
    """Print the account; tell whether all is as it has to be."""
    inbox, state_dir = folder / "inbox", folder / "state"
    inbox.mkdir()
    state_dir.mkdir(mode=0o700)
    daemon = RunningDaemon(state_dir=state_dir, folder=folder, inbox=inbox, workers=0)
    began = time.monotonic()
    daemon.start()
    killing = Killing(daemon, seed)

    def tell(number: int) -> None:
        if number % 10 == 0:
            sent = len(killing.supply.acknowledged)
            print_line(f"{number} kills, {sent} acknowledged", sys.stderr)

    try:
        account = killing.run(kills, tell)
    finally:
        daemon.stop()
    tracebacks = daemon.log.count("Traceback (most recent call last)")
    by_door = ", ".join(f"{door} {count}" for door, count in killing.supply.by_door().items())
    kinds = ", ".join(f"{who} {count}" for who, count in killing.counts.items())
    print_line(f"kills {kills} ({kinds}), seed {seed}")
    print_line(f"acknowledged {len(killing.supply.acknowledged)} ({by_door})")
    print_line(f"retrieved meanwhile {killing.reader.reads}")
    print_line(", ".join(f"{name} {count}" for name, count in vars(account).items()))
    print_line(f"tracebacks {tracebacks}, {time.monotonic() - began:.0f} s")
    return account.is_clean and not tracebacks


if __name__ == "__main__":
    sys.exit(main())
