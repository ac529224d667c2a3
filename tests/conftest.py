"""What tests of every kind share: outside programs, keys, state folders, a real daemon."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import settings

from deid.identity.keys import SiteKey
from tests.service import RunningDaemon, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist import remote, scheduler

REQUIRED_PEERS = {
    "storescu", "storescp", "echoscu", "dcmdump", "dcmodify", "dcmconv", "dcmdjpeg", "dcmcjpeg",
    "dcmcrle", "dcmdrle", "dcmcjpls", "dcmdjpls", "dcmftest", "dcm2json", "dcm2xml", "dcmj2pnm",
    "dciodvfy", "gdcmanon", "gdcmconv", "gdcminfo", "gdcmdump", "tesseract",
    "strace", "cc", "genisoimage", "chromium", "zsh", "mandoc",
}  # fmt: skip
"""Programs of dcmtk, dicom3tools, libgdcm-tools, tesseract-ocr; some named as their packages; a C compiler."""

ARTIFACTS = os.environ.get("TEST_ARTIFACTS", "")
"""Folder for what people look at after a run. What begins with DICOMVEIL_ would be a setting to a service."""

# Whatever the machine is busy with, the same examples are tried, and none fails by the time that it took.
settings.load_profile("ci")

_SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/sbin"


def program(name: str) -> str | None:
    """Return the path of an outside program, looking where servers are installed too."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_FOLDERS}")


def pytest_sessionstart() -> None:
    """Let no garbage be collected while tests are: it would look through all of them again and again."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage again, but look at nothing that stays for the whole run."""
    gc.freeze()
    gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose peer is missing; under CI=true a required peer must not be missing."""
    for marker in item.iter_markers("peer"):
        for name in marker.args:
            if program(name):
                continue
            if os.environ.get("CI") == "true" and name in REQUIRED_PEERS:
                pytest.fail(f"{name} is required here and is not installed", pytrace=False)
            pytest.skip(f"{name} is not installed")


_TOGETHER = {
    "tests/integration/test_adversarial_readers.py": "the corpus",
    "tests/property/test_output_digests.py": "the corpus",
    "tests/unit/test_adversarial_corpus.py": "the corpus",
}
"""Files whose tests run in one process: they share what it makes once, and takes long to make."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(
    config: pytest.Config, log: remote.Producer
) -> scheduler.Scheduling | None:
    """Give each file to one process, and files that belong together to the same: all of a browser, too."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling  # noqa: PLC0415 - nothing without several processes

    class FilesTogether(LoadFileScheduling):  # type: ignore[misc] # it has no types
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            is_page = file.startswith("tests/browser/")
            return "the browser" if is_page else _TOGETHER.get(file, file)

    return FilesTogether(config, log)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Undo what a test, or the code it runs, has set up for the log."""
    before = structlog.get_config().copy()
    yield
    structlog.configure(**before)


@pytest.fixture
def site_key() -> SiteKey:
    """Return a fixed key, so that expected replacements can be computed."""
    return SiteKey(bytes(range(32)))


@pytest.fixture
def disk_path(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Make a folder on a real disk: durability means nothing on a memory file system."""
    base = Path(os.environ.get("DICOMVEIL_TEST_DISK") or _real_disk())
    base.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="t-", dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def state_dir(disk_path: Path) -> Path:
    """Make a state folder that only its owner can enter, not yet filled."""
    folder = disk_path / "state"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def running_daemon(disk_path: Path, state_dir: Path) -> Iterator[RunningDaemon]:
    """Run the real daemon as a child process with one watched folder; end it by SIGTERM."""
    with running(disk_path, state_dir) as daemon:
        yield daemon


@pytest.fixture
def forked_daemon(disk_path: Path, state_dir: Path) -> Iterator[RunningDaemon]:
    """Run it as a fork of a process that has loaded it, where no test asks how it starts (`tests.prepared`)."""
    with running(disk_path, state_dir, is_prepared=True) as daemon:
        yield daemon


def _real_disk() -> Path:
    """Return the usual temporary folder, or one on a disk where that is in memory."""
    usual = Path(tempfile.gettempdir())
    mounts = Path("/proc/mounts")
    if mounts.exists():
        on_memory = {
            line.split()[1]
            for line in mounts.read_text().splitlines()
            if line.split()[2] == "tmpfs"
        }
        if any(Path(mount) in (usual, *usual.parents) for mount in on_memory):
            return Path("/var/tmp/dicomveil-tests")
    return usual / "dicomveil-tests"
