"""Finding the inputs, in an order that depends neither on the disk nor on the workers."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.batch.errors import BatchRefused
from daemon.errors import Refused
from daemon.receive.archive import Archive, ArchiveLimits, ArchiveReason, Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PREFIX_AT = 128
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_DICOM_SUFFIXES = (".dcm", ".dicom", ".dic", ".ima")
NOT_REGULAR = "not_regular"
UNREADABLE = "unreadable"
LINK = "symbolic_link"


@dataclass(frozen=True, slots=True)
class Input:
    """One file, or one entry of an archive.

    Attributes
    ----------
    path
        As found from what the user named; it may name a patient.
    member
        The entry's place in the archive's directory; None for a file.
    skip, refuse
        Why it is not looked at (and passed by, or put in quarantine); empty otherwise.
    can_be_copied
        Whether its bytes can be put in quarantine.
    is_named_dicom
        Whether its name claims to be DICOM.
    is_archive
        Whether it is a zip archive that was refused as a whole.
    """

    path: str
    size: int = 0
    member: int | None = None
    member_name: str = ""
    skip: str = ""
    refuse: str = ""
    can_be_copied: bool = True
    is_named_dicom: bool = False
    is_archive: bool = False


def check_inputs(inputs: Sequence[Path], out: Path) -> list[Path]:
    """Return the inputs in the order they will be walked.

    Raises
    ------
    BatchRefused
        If one is missing, or is the output folder or inside it.
    """
    if not inputs:
        raise BatchRefused("no input was named")
    resolved_out = out.resolve()
    for path in inputs:
        if not path.exists():
            raise BatchRefused(f"{path} does not exist")
        resolved = path.resolve()
        if resolved == resolved_out or resolved_out in resolved.parents:
            raise BatchRefused(f"{path} is inside the output folder")
    return sorted({path.absolute() for path in inputs}, key=os.fsencode)


def walk(inputs: Sequence[Path], out: Path, limits: ArchiveLimits) -> Iterator[Input]:
    """Give every input below the named ones; the output folder is left out where it lies inside.

    Links to files are followed, links to folders are reported and not followed.
    """
    status = out.stat()
    for path in inputs:
        yield from _walk(str(path), (status.st_dev, status.st_ino), limits, named=True)


def _walk(
    path: str, out: tuple[int, int], limits: ArchiveLimits, *, named: bool = False
) -> Iterator[Input]:
    try:
        status = os.stat(path)  # noqa: PTH116 - strings here: there may be millions
    except OSError:
        reason = LINK if Path(path).is_symlink() else UNREADABLE
        yield _unreadable(path) if reason == UNREADABLE else Input(path, skip=reason)
        return
    if not stat.S_ISDIR(status.st_mode):
        yield from _file(path, status, limits)
        return
    if (status.st_dev, status.st_ino) == out:
        return
    if not named and Path(path).is_symlink():
        yield Input(path, skip=LINK)
        return
    try:
        names = os.listdir(path)  # noqa: PTH208
    except OSError:
        yield _unreadable(path)
        return
    for name in sorted(names, key=os.fsencode):
        yield from _walk(os.path.join(path, name), out, limits)  # noqa: PTH118


def _file(path: str, status: os.stat_result, limits: ArchiveLimits) -> Iterator[Input]:
    if not stat.S_ISREG(status.st_mode):
        yield Input(path, skip=NOT_REGULAR)
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        yield _unreadable(path)
        return
    try:
        start = os.pread(descriptor, _PREFIX_AT + 4, 0)
    except OSError:
        yield _unreadable(path)
        return
    finally:
        os.close(descriptor)
    if start.startswith(_ZIP_STARTS) and start[_PREFIX_AT:] != b"DICM":
        yield from _archive(path, status.st_size, limits)
        return
    yield Input(path, status.st_size, is_named_dicom=path.lower().endswith(_DICOM_SUFFIXES))


def _archive(path: str, size: int, limits: ArchiveLimits) -> Iterator[Input]:
    try:
        with open(path, "rb") as file, Archive(file, limits) as archive:  # noqa: PTH123
            entries = list(archive.entries(hidden=True))
    except Refused as refusal:
        yield Input(path, size, refuse=refusal.reason, is_archive=True)
        return
    except OSError:
        yield _unreadable(path)
        return
    for entry in entries:
        yield _member(path, entry)


def _member(path: str, entry: Entry) -> Input:
    is_link = entry.reason == ArchiveReason.NOT_REGULAR
    return Input(
        path,
        entry.size,
        entry.index,
        entry.name,
        skip=NOT_REGULAR if is_link else "",
        refuse="" if is_link else entry.reason,
        can_be_copied=not entry.reason,
        is_named_dicom=entry.name.lower().endswith(_DICOM_SUFFIXES),
    )


def _unreadable(path: str) -> Input:
    return Input(path, refuse=UNREADABLE, can_be_copied=False)
