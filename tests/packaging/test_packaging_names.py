"""Our import names belong to us in this environment, and the distribution carries what it needs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ("config", "daemon", "deid", "dicomweb")


@pytest.mark.parametrize("name", NAMES)
def test_no_other_distribution_provides_our_names(name: str) -> None:
    owners = set()
    for distribution in metadata.distributions():
        top_level = (distribution.read_text("top_level.txt") or "").split()
        files = {file.parts[0].removesuffix(".py") for file in distribution.files or ()}
        if name in files or name in top_level:
            owners.add(distribution.metadata["Name"])
    assert owners <= {"dicomveil"}


@pytest.mark.parametrize("name", NAMES)
def test_our_names_are_imported_from_here(name: str) -> None:
    script = f"import {name}; print({name}.__file__)"
    run = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.append({str(ROOT)!r}); {script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(run.stdout.strip()).parent == ROOT / name


def test_no_top_level_name_hides_a_standard_module() -> None:
    assert not set(NAMES) & sys.stdlib_module_names


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # The build back end looks for its program on the path.
    binaries = Path(sys.executable).parent
    subprocess.run(
        [
            sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
            "--disable-pip-version-check", "--wheel-dir", str(folder), str(ROOT),
        ],
        check=True,
        env={"PATH": f"{binaries}:/usr/bin:/bin", "HOME": str(folder)},
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_carries_data_files_and_nothing_that_is_not_ours(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "config/default.toml" in names
    assert "config/deidentifiers/basic.json" in names
    assert "deid/tables/e11.csv" in names
    pages = ROOT / "daemon" / "pages"
    shown = {
        str(path.relative_to(ROOT))
        for part in ("templates", "static")
        for path in (pages / part).iterdir()
    }
    assert {"daemon/pages/templates/base.html", "daemon/pages/static/htmx.min.js"} <= shown
    assert shown <= set(names)
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.startswith("dicomveil-")} == set(NAMES)
    assert not [name for name in names if "__pycache__" in name]


def test_the_installed_wheel_runs_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    # A fresh environment that borrows the packages of this one, but not our own from the checkout.
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    (site,) = environment.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    borrowed = next(path for path in map(Path, sys.path) if (path / "pydicom").is_dir())
    (site / "borrowed.pth").write_text(f"import sys; sys.path.append({str(borrowed)!r})\n")
    program = environment / "bin" / "dicomveil"
    program.write_text(f"#!{environment}/bin/python -I\nfrom daemon.cli.main import main\nmain()\n")
    program.chmod(0o755)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin"},
        )

    version = run("--version")
    assert version.stdout.startswith("dicomveil 0.")
    where = subprocess.run(
        [environment / "bin" / "python", "-I", "-c", "import daemon; print(daemon.__file__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(environment)
    checked = run("check-config")
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_entry_point_is_the_command_line() -> None:
    scripts = (ROOT / "pyproject.toml").read_text()
    assert 'dicomveil = "daemon.cli.main:main"' in scripts


def test_every_run_package_is_in_both_locks_with_a_hash() -> None:
    run_in = (ROOT / "requirements" / "run.in").read_text().splitlines()
    wanted = [line.strip() for line in run_in if line.strip() and not line.startswith("#")]
    for lock in ("run.lock", "dev.lock"):
        text = (ROOT / "requirements" / lock).read_text()
        missing = [
            name for name in wanted if f"\n{name}==" not in f"\n{text}" and f"\n{name}[" not in text
        ]
        assert missing == []
        pinned = [line for line in text.splitlines() if "==" in line and not line.startswith(" ")]
        assert text.count("--hash=sha256:") >= len(pinned)


def test_the_locks_name_no_address_to_download_from() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        text = lock.read_text()
        assert "://" not in text
        assert "--index-url" not in text


def test_both_locks_pin_the_same_versions() -> None:
    def pins(lock: str) -> set[str]:
        text = (ROOT / "requirements" / lock).read_text()
        return {line.split(" ")[0] for line in text.splitlines() if "==" in line[:60]}

    run = {pin for pin in pins("run.lock") if not pin.startswith("#")}
    assert run <= pins("dev.lock")
