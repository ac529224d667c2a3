"""Tags only: processor time per CT, wall time and memory for one large multi-frame."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pydicom

from daemon.workers.writing import write_segments
from deid import SiteKey, compile_plan, deidentify
from tests.benchmarks import measure
from tests.benchmarks.table import Row
from tests.factories import encoded, make_enhanced_mr, many_ct

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid import Plan

CT_INSTANCES = 300
FRAMES, FRAME_ROWS = 400, 512
BASIC = {"dicom": {"filterProfile": "ATTRIBUTE_CONFIDENTIALITY_BASIC_PROFILE"}}
_BYTES_PER_MB = 1e6


def one_ct(folder: Path, rounds: int) -> Row:
    """Measure processor time for each 0.5 MB CT: in memory of one process, and as programs."""
    row = Row(
        "tag-only, 0.5 MB CT, processor time per instance",
        "ms",
        "below gdcmanon, at most 0.3 of pydicom's read and save",
    )
    inputs = folder / "in"
    inputs.mkdir(parents=True)
    for number, content in enumerate(many_ct(CT_INSTANCES)):
        (inputs / f"{number:04d}.dcm").write_bytes(content)
    files = sorted(inputs.iterdir())
    key = folder / "key"
    _write_key(key)
    certificate = _certificate(folder)
    out = folder / "out"
    plan = compile_plan(BASIC, SiteKey(key.read_bytes())).prepare()
    ways: list[tuple[str, bool, Callable[[], measure.Cost]]] = [
        ("dicomveil, in process", True, lambda: measure.here(lambda: _ours(files, out, plan))),
        ("dicomveil deid FOLDER", True, lambda: measure.run(_command(inputs, out, key))),
        ("pydicom read and save", False, lambda: measure.here(lambda: _pydicom(files, out))),
        ("cp -r FOLDER", False, lambda: measure.run(["cp", "-r", inputs, out / "copy"])),
    ]
    if certificate:
        gdcm: list[str | Path] = [
            "gdcmanon",
            "-e",
            "-c",
            certificate,
            "-r",
            "-i",
            inputs,
            "-o",
            out,
        ]
        ways.insert(3, ("gdcmanon FOLDER", False, lambda: measure.run(gdcm)))
    for _ in range(rounds):
        for name, is_ours, work in ways:
            _fresh(out)
            cost = work()
            measure.expect(_outputs(out), len(files), name)
            contender = row.contender(name, is_ours=is_ours)
            contender.values.append(1000 * cost.cpu_s / len(files))
            contender.notes["wall ms"] = 1000 * cost.wall_s / len(files)
            if cost.peak_mb:
                contender.notes["peak MB"] = cost.peak_mb
    shutil.rmtree(folder)
    return row


def multi_frame(folder: Path, rounds: int) -> Row:
    """Measure wall time for one multi-frame instance of about 200 MB, and memory above idle."""
    row = Row(
        "tag-only, 200 MB multi-frame, wall time", "s", "at most 2 x cp; memory 64 MB above idle"
    )
    folder.mkdir(parents=True)
    source = folder / "large.dcm"
    _write_large(source)
    key = folder / "key"
    _write_key(key)
    certificate = _certificate(folder)
    out = folder / "out"
    module = ["-m", "tests.benchmarks.tags"]
    script: list[str | Path] = [sys.executable, *module, source, out / "large.dcm", key]
    for _ in range(rounds):
        _fresh(out)
        said = subprocess.run(script, capture_output=True, check=True, text=True)
        figures = json.loads(said.stdout)
        measure.expect(_outputs(out), 1, "dicomveil, in process")
        ours = row.contender("dicomveil, in process", is_ours=True)
        ours.values.append(figures["wall_s"])
        ours.notes["MB above idle"] = figures["grew_mb"]
        commands: list[tuple[str, bool, list[str | Path]]] = [
            ("dicomveil deid FILE", True, _command(source, out, key)),
            ("cp FILE", False, ["cp", source, out / "large.dcm"]),
        ]
        if certificate:
            gdcm: list[str | Path] = ["gdcmanon", "-e", "-c", certificate, "-i", source]
            commands.append(("gdcmanon FILE", False, [*gdcm, "-o", out / "large.dcm"]))
        for name, is_ours, command in commands:
            _fresh(out)
            cost = measure.run(command)
            measure.expect(_outputs(out), 1, name)
            contender = row.contender(name, is_ours=is_ours)
            contender.values.append(cost.wall_s)
            contender.notes["peak MB"] = cost.peak_mb
    shutil.rmtree(folder)
    return row


def _ours(files: list[Path], out: Path, plan: Plan) -> None:
    for path in files:
        _deidentify(path, out / path.name, plan)


def _deidentify(source: Path, output: Path, plan: Plan) -> None:
    """Do what a worker does with one file, without flushing (nobody else here flushes either)."""
    fd_in = os.open(source, os.O_RDONLY)
    fd_out = os.open(output, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        with mmap.mmap(fd_in, 0, access=mmap.ACCESS_READ) as buffer:
            write_segments(fd_out, buffer, deidentify(buffer, plan).segments)
    finally:
        os.close(fd_out)
        os.close(fd_in)


def _outputs(folder: Path) -> int:
    """Count the instances that came out; what was put in quarantine does not count."""
    return sum(
        path.is_file() and path.stat().st_size > 0 and ".quarantine" not in path.parts
        for path in folder.rglob("*.dcm")
    )


def _pydicom(files: list[Path], out: Path) -> None:
    for path in files:
        pydicom.dcmread(path).save_as(out / path.name)


def _command(source: Path, out: Path, key: Path) -> list[str | Path]:
    program: list[str | Path] = [
        sys.executable,
        "-m",
        "daemon",
        "deid",
        source,
        "--out",
        out / "veiled",
    ]
    return [*program, "--key-file", key, "--jobs", "1"]


def _certificate(folder: Path) -> Path | None:
    """Make the certificate that gdcmanon needs; None when gdcmanon or openssl is not here."""
    if not (shutil.which("gdcmanon") and shutil.which("openssl")):
        return None
    path = folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "rsa.pem",
         "-out", path, "-days", "2", "-subj", "/CN=benchmark"],
        capture_output=True, check=True,
    )  # fmt: skip
    return path


def _write_key(path: Path) -> None:
    path.write_bytes(bytes(range(32)))
    path.chmod(0o600)


def _write_large(path: Path) -> None:
    dataset = make_enhanced_mr(rows=FRAME_ROWS, frames=1)
    frame = np.frombuffer(dataset.PixelData, "<u2")
    group = dataset.PerFrameFunctionalGroupsSequence[0]
    dataset.NumberOfFrames = FRAMES
    dataset.PerFrameFunctionalGroupsSequence = [group] * FRAMES
    dataset.PixelData = np.tile(frame, FRAMES).tobytes()
    path.write_bytes(encoded(dataset))


def _fresh(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _report(source: Path, out: Path, key: Path) -> None:
    """De-identify one file as a worker does; print wall time and by how much memory grew."""
    plan = compile_plan(BASIC, SiteKey(key.read_bytes())).prepare()
    idle = measure.private_mb(os.getpid())
    with measure.MemoryWatch(os.getpid()) as watch:
        started = time.perf_counter()
        _deidentify(source, out, plan)
        wall = time.perf_counter() - started
    print(json.dumps({"wall_s": wall, "grew_mb": watch.peak_mb - idle}))


if __name__ == "__main__":
    _report(*map(Path, sys.argv[1:4]))
