"""Which directory entries of a watched folder, and of all folders below it, are files to take."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from daemon.receive.watch.descriptors import FOLDER_FLAGS, signature
from daemon.receive.watch.settling import Found

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPORARY_SUFFIXES = (
    ".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".download",
    ".writing", ".uploading",
)  # fmt: skip
_TEMPORARY_STARTS = (".", "~")
_DEEPEST = 64
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


def files_below(folder: int, way: tuple[str, ...], passed_over: set[int]) -> Iterator[Found]:
    """Give what lies in an open folder and below it: not what is hidden, nor what is unfinished by its name.

    Parameters
    ----------
    way
        The names of the folders from the root to this one.
    passed_over
        Told the error numbers of what cannot be looked into; ENAMETOOLONG is too deep.
    """
    below = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith(_TEMPORARY_STARTS):
                continue
            if entry.is_dir(follow_symlinks=False):
                below.append(name)
                continue
            if name.lower().endswith(TEMPORARY_SUFFIXES):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError as error:
                passed_over.add(error.errno or 0)
                continue
            yield Found(way, name, signature(status), status.st_mode)
    if below and len(way) >= _DEEPEST:
        passed_over.add(errno.ENAMETOOLONG)
        return
    for name in below:
        try:
            inner = os.open(name, FOLDER_FLAGS, dir_fd=folder)
        except OSError as error:
            if error.errno not in _GONE:
                passed_over.add(error.errno or 0)
            continue
        try:
            yield from files_below(inner, (*way, name), passed_over)
        except OSError as error:
            passed_over.add(error.errno or 0)
        finally:
            os.close(inner)
