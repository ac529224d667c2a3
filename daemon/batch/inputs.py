"""Finding the inputs, in an order that depends neither on the disk nor on the workers."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daemon.batch.errors import BatchRefused
from daemon.errors import Refused
from daemon.receive.archive import Archive, ArchiveLimits, ArchiveReason, Entry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

_PREFIX_AT = 128
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_DICOM_SUFFIXES = (".dcm", ".dicom", ".dic", ".ima")
NOT_REGULAR = "not_regular"
UNREADABLE = "unreadable"
LINK = "symbolic_link"

Place = tuple[int, int]
"""Device and inode."""


@dataclass(frozen=True, slots=True)
class Input:
    """One file, or one entry of an archive.

    Attributes
    ----------
    path
        As found from what the user named; it may name a patient.
    base
        The folder that the user named, or that of the file that was named.
    member
        The entry's place in the archive's directory; None for a file.
    skip, refuse
        Why it is not looked at (and passed by, or refused); empty otherwise.
    can_be_copied
        Whether its bytes can be copied into a quarantine.
    is_named_dicom
        Whether its name claims to be DICOM.
    archive_suffix
        Of an archive that was refused as a whole, such as ``.zip``.
    """

    path: str
    size: int = 0
    base: str = ""
    member: int | None = None
    member_name: str = ""
    skip: str = ""
    refuse: str = ""
    can_be_copied: bool = True
    is_named_dicom: bool = False
    archive_suffix: str = ""


def contains(folder: Path, path: Path) -> bool:
    """Return whether a path is a folder or lies in it, links followed."""
    resolved, inner = folder.resolve(), path.resolve()
    return resolved == inner or resolved in inner.parents


def check_inputs(inputs: Sequence[Path], out: Path | None) -> list[Path]:
    """Return the inputs in the order they will be walked.

    Raises
    ------
    BatchRefused
        If one is missing, or is the output folder or inside it.
    """
    if not inputs:
        raise BatchRefused("no input was named")
    for path in inputs:
        try:
            path.stat()
        except PermissionError:
            continue  # refused as unreadable when its turn comes
        except OSError as error:
            if path.is_symlink():
                raise BatchRefused(f"{path} is a link to what does not exist") from error
            raise BatchRefused(f"{path} does not exist") from error
        if out is not None and contains(out, path):
            raise BatchRefused(f"{path} is inside the output folder {out}; name another --out")
    return sorted({path.absolute() for path in inputs}, key=os.fsencode)


def walk(
    inputs: Sequence[Path], apart: Collection[Place], limits: ArchiveLimits
) -> Iterator[Input]:
    """Give every input below the named ones.

    Links to files are followed, links to folders are reported and not followed.

    Parameters
    ----------
    apart
        Folders and files that are no inputs where they lie inside one: what the run writes to.
    """
    for named in inputs:
        base = str(named if named.is_dir() else named.parent)
        waiting = [str(named)]
        while waiting:
            path = waiting.pop()
            try:
                status = os.stat(path)  # noqa: PTH116 - strings here: there may be millions
            except OSError:
                is_link = os.path.islink(path)  # noqa: PTH114
                yield Input(path, base=base, skip=LINK) if is_link else _unreadable(path, base)
                continue
            if (status.st_dev, status.st_ino) in apart:
                continue
            if not stat.S_ISDIR(status.st_mode):
                yield from _file(path, base, status, limits)
                continue
            if path != str(named) and os.path.islink(path):  # noqa: PTH114
                yield Input(path, base=base, skip=LINK)
                continue
            try:
                names = os.listdir(path)  # noqa: PTH208
            except OSError:
                yield _unreadable(path, base)
                continue
            names.sort(key=os.fsencode, reverse=True)
            waiting += [os.path.join(path, name) for name in names]  # noqa: PTH118


def _file(path: str, base: str, status: os.stat_result, limits: ArchiveLimits) -> Iterator[Input]:
    if not stat.S_ISREG(status.st_mode):
        yield Input(path, base=base, skip=NOT_REGULAR)
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        yield _unreadable(path, base)
        return
    try:
        start = os.pread(descriptor, _PREFIX_AT + 4, 0)
    except OSError:
        yield _unreadable(path, base)
        return
    finally:
        os.close(descriptor)
    if start.startswith(_ZIP_STARTS) and start[_PREFIX_AT:] != b"DICM":
        yield from _archive(path, base, status.st_size, limits)
        return
    yield Input(path, status.st_size, base, is_named_dicom=path.lower().endswith(_DICOM_SUFFIXES))


def _archive(path: str, base: str, size: int, limits: ArchiveLimits) -> Iterator[Input]:
    try:
        with open(path, "rb") as file, Archive(file, limits) as archive:  # noqa: PTH123
            entries = list(archive.entries(hidden=True))
    except Refused as refusal:
        yield Input(path, size, base, refuse=refusal.reason, archive_suffix=".zip")
        return
    except OSError:
        yield _unreadable(path, base)
        return
    for entry in entries:
        yield _member(path, base, entry)


def _member(path: str, base: str, entry: Entry) -> Input:
    is_link = entry.reason == ArchiveReason.NOT_REGULAR
    return Input(
        path,
        entry.size,
        base,
        entry.index,
        entry.name,
        skip=NOT_REGULAR if is_link else "",
        refuse="" if is_link else entry.reason,
        can_be_copied=not entry.reason,
        is_named_dicom=entry.name.lower().endswith(_DICOM_SUFFIXES),
    )


def _unreadable(path: str, base: str) -> Input:
    return Input(path, base=base, refuse=UNREADABLE, can_be_copied=False)
