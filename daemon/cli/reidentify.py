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
    from collections.abc import Iterator, Sequence

NAME = "reidentify"
HELP = "restore originals from Encrypted Attributes, with the private key they were sealed for"
EXAMPLES = (
    (
        "reidentify clean --out originals --private-key trustee.key --certificate trustee.pem",
        "a folder",
    ),
    (
        "reidentify clean/1.dcm --out one --private-key trustee.key --certificate trustee.pem",
        "one file",
    ),
    (
        "deid scans --out clean --deid-config sealed.json",
        "what seals, if sealed.json names the certificate under encryptedAttributes",
    ),
)

_ABOUT = """\
Restore the original attributes of de-identified files whose configuration named a certificate under
dicomveil.encryptedAttributes (PS3.15 E.1.2). The result identifies the patient: DIR is made 0700."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.description = _ABOUT
    parser.add_argument(
        "inputs",
        nargs="+",
        type=Path,
        metavar="IN",
        help="a de-identified file, or a folder of them",
    )
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
    restored = failed = 0
    for file, name in _files(options.inputs, options.out):
        target = options.out / name
        try:
            _write(target, reidentify(file.read_bytes(), key, certificate))
            restored += 1
            continue
        except NotReidentifiable as error:
            why = str(error)
        except FileExistsError:
            why = f"{target} exists already; name another --out or remove it"
        except OSError as error:
            why = str(error.strerror)
        failed += 1
        output.print_line(f"dicomveil: {file}: {why}", sys.stderr)
    output.print_line(f"{restored} restored, {failed} failed")
    if not restored and not failed:
        output.print_line("dicomveil: there is no DICOM file in what was named", sys.stderr)
        return exit_codes.NOTHING_DONE
    return exit_codes.FAILED if failed else exit_codes.OK


def _files(inputs: Sequence[Path], out: Path) -> Iterator[tuple[Path, Path]]:
    """Give each file that is named, and each DICOM file below a folder that is, with its name below `out`."""
    for path in inputs:
        if not path.is_dir():
            yield path, Path(path.name)
            continue
        for folder, folders, names in os.walk(path):
            here = Path(folder)
            folders[:] = sorted(each for each in folders if not _is_same(here / each, out))
            for name in sorted(names):
                file = here / name
                if _is_dicom(file):
                    yield file, file.relative_to(path)


def _is_same(folder: Path, out: Path) -> bool:
    return folder.resolve() == out.resolve()


def _is_dicom(file: Path) -> bool:
    """Whether a file in a folder is DICOM; what cannot be read is named later, as what was named is."""
    if file.is_symlink() or not file.is_file():
        return False
    try:
        with file.open("rb") as opened:
            return opened.read(132)[128:] == b"DICM"
    except OSError:
        return True


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
