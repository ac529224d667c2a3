"""``dicomveil reidentify``: put originals back that were sealed for the holder of a private key."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli import exit_codes, output
from daemon.cli.errors import UsageError

if TYPE_CHECKING:
    import argparse

NAME = "reidentify"
HELP = "restore originals from Encrypted Attributes, with the private key they were sealed for"

_ABOUT = """\
Restore the original attributes of de-identified files whose configuration named a certificate under
dicomveil.encryptedAttributes (PS3.15 E.1.2). The result identifies the patient: DIR is made 0700."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.description = _ABOUT
    parser.add_argument("inputs", nargs="+", type=Path, metavar="FILE", help="a de-identified file")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write")
    parser.add_argument(
        "--private-key", type=Path, required=True, metavar="PEM", help="the recipient's RSA key"
    )
    parser.add_argument(
        "--certificate", type=Path, required=True, metavar="PEM", help="the recipient's certificate"
    )


def run(options: argparse.Namespace) -> int:
    """Restore each file under its own name; go on after one that cannot be restored."""
    from deid.tags.encrypted import NotReidentifiable, reidentify  # noqa: PLC0415

    try:
        key, certificate = options.private_key.read_bytes(), options.certificate.read_bytes()
        options.out.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from error
    failed = 0
    for file in options.inputs:
        try:
            restored = reidentify(file.read_bytes(), key, certificate)
            _write(options.out / file.name, restored)
        except NotReidentifiable as error:
            failed += 1
            output.print_line(f"dicomveil: {file}: {error}", sys.stderr)
        except FileExistsError:
            failed += 1
            there = f"{options.out / file.name} exists already; name another --out or remove it"
            output.print_line(f"dicomveil: {file}: {there}", sys.stderr)
        except OSError as error:
            failed += 1
            output.print_line(f"dicomveil: {file}: {error.strerror}", sys.stderr)
    output.print_line(f"{len(options.inputs) - failed} restored, {failed} failed")
    return exit_codes.FAILED if failed else exit_codes.OK


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
