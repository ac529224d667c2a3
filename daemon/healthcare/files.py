"""Files that a request may name: in folders that the site's configuration allows, as ``file://`` addresses."""

from __future__ import annotations

import errno
import os
import re
import stat
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from daemon.healthcare.errors import FailedPrecondition, InvalidArgument, PermissionDenied

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MOST_BYTES: Final = 64 * 1024 * 1024
_PATH: Final = re.compile(
    r"/?studies/[0-9.]{1,64}(?:/series/[0-9.]{1,64}(?:/instances/[0-9.]{1,64})?)?"
)


def opened(path: Path) -> int:
    """Open a regular file; what is none, or a link, raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError
    return descriptor


def made_folder(path: Path) -> None:
    """Make a folder with all above it that are not there, for their owner alone; raises `OSError`."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "not a folder")


class AllowedFiles:
    """Reads what lies below the allowed folders, and nothing beside them."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)

    def path(self, address: str, field: str) -> Path:
        """Return the path that an address names.

        Raises
        ------
        InvalidArgument
            If it is no ``file://`` address.
        PermissionDenied
            If no allowed folder holds it. Whether there is such a file is not told.
        """
        try:
            parts = urlsplit(address)
        except ValueError:
            raise InvalidArgument(f"{field} is no address") from None
        if parts.scheme != "file" or parts.netloc not in {"", "localhost"}:
            raise InvalidArgument(
                f"{field}: there is no Google Cloud Storage here. Put the file into a folder that"
                " healthcare.folders of the configuration names, and give its address as file:///..."
            )
        if "?" in address or "#" in address:
            raise InvalidArgument(f"{field}: of a file's name, ? is written as %3F and # as %23")
        given = unquote(
            parts.path, errors="surrogateescape"
        )  # names are bytes, in whatever encoding
        if "\0" in given:
            raise InvalidArgument(f"{field}: no file's name has such a character")
        for folder in self._folders:
            root = folder.resolve()
            try:
                found = (root / given).resolve() if given.startswith("/") else None
            except (OSError, RuntimeError):  # links that go round
                continue
            if found is not None and found.is_relative_to(root):
                return found
        raise PermissionDenied(
            f"{field}: healthcare.folders of the configuration names no folder that this lies in"
        )

    def read(self, address: str, field: str) -> str:
        """Return the text of a file; raises as `path`, and `FailedPrecondition` when it cannot be read."""
        path = self.path(address, field)
        try:
            with os.fdopen(opened(path), "rb") as file:
                content = file.read(MOST_BYTES + 1)
            if len(content) > MOST_BYTES:
                raise FailedPrecondition(f"{field}: the file has more than {MOST_BYTES} bytes")
            return content.decode("utf-8")
        except OSError as error:
            raise FailedPrecondition(f"{field}: the file cannot be read") from error
        except UnicodeDecodeError as error:
            raise FailedPrecondition(f"{field}: the file is not UTF-8") from error

    def paths(self, address: str, field: str) -> tuple[str, ...]:
        """Return paths of studies, series and instances, which a file has a line each; raises as `read`."""
        lines = [
            line.strip().strip("/")
            for line in self.read(address, field).splitlines()
            if line.strip()
        ]
        for number, line in enumerate(lines, 1):
            if not _PATH.fullmatch(line):
                raise InvalidArgument(
                    f"{field}: line {number} is not /studies/U[/series/U[/instances/U]]"
                )
        return tuple(dict.fromkeys(lines))
