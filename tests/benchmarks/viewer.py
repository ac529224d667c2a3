"""``python -m tests.benchmarks.viewer``: OHIF on a CT of many slices, from its address to its last slice.

The slices go in by STOW-RS. The result is opened in Chromium at the address that pages link to; printed are the
seconds until the first slice is drawn, and until each has been shown once, one after the other.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

from daemon.cli.output import print_line
from daemon.viewer.installation import place_in
from tests.benchmarks.receive import multipart, post
from tests.benchmarks.servers import Server
from tests.browsers import launched
from tests.factories import many_ct
from tests.integration.test_viewer_ohif import SHOW_ALL, Viewed, opened
from tests.service import RunningDaemon
from tests.viewer_package import installed_once

_DEADLINE_S = 1200.0


def main() -> int:
    """Measure one study of one series."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.viewer", description=__doc__)
    parser.add_argument("--slices", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=512)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dicomveil-ohif-") as name:
        folder = Path(name)
        (folder / "state").mkdir(mode=0o700)
        place_in(folder / "state").symlink_to(installed_once())
        daemon = RunningDaemon(state_dir=folder / "state", folder=folder, workers=0)
        daemon.start()
        try:
            _measure(daemon, options.slices, options.rows)
        finally:
            daemon.stop()
    return 0


def _measure(daemon: RunningDaemon, slices: int, rows: int) -> None:
    assert daemon.process is not None
    server = Server(
        daemon.process.pid, "DICOMVEIL", daemon.dimse_port, int(daemon.addresses["http"][1])
    )
    post(server, list(many_ct(slices, rows=rows, per_study=slices, seed=5)), 2, multipart)
    daemon.wait_until_settled(slices, deadline_s=_DEADLINE_S)
    with urllib.request.urlopen(f"{daemon.http}/dicomweb/deid/studies") as answer:
        (study,) = json.load(answer)
    with sync_playwright() as playwright:
        browser = launched(playwright)
        viewed = Viewed(daemon.http, browser.new_context(viewport={"width": 1400, "height": 900}))
        address = f"viewer?StudyInstanceUIDs={study['0020000D']['Value'][0]}&datasources=deid"
        started = time.perf_counter()
        with viewed.page(address) as page:
            opened(page)
            first = time.perf_counter() - started
            page.set_default_timeout(_DEADLINE_S * 1000)
            shown = page.evaluate(SHOW_ALL)
            every = time.perf_counter() - started
        browser.close()
    assert shown == slices
    print_line(
        f"{slices} slices of {rows} x {rows}: the first after {first:.1f} s, all after {every:.1f} s"
    )


if __name__ == "__main__":
    raise SystemExit(main())
