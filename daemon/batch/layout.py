"""Where an instance lies below the output folder: by identifiers, flat, or as its input lay, in new folders."""

from __future__ import annotations

import csv
import io
import os
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from daemon.batch.errors import BatchRefused
from daemon.batch.naming import RESOURCES, safe_component, safe_resource_name
from daemon.batch.records import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from daemon.batch.inputs import Input

TOP: Final = "."
"""What a rename map calls the folder that the user named."""
_NAME = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?")
_PREFIX = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,31}")
_MOST_BYTES = 64 << 20


class Layout(StrEnum):
    """What the folders are made of."""

    BY_IDENTIFIERS = "patient/study/series"
    FLAT = "flat"
    KEEP = "keep"


@dataclass(slots=True)
class Names:
    """How one run names what it writes.

    Attributes
    ----------
    prefix
        Stands before each name in the output folder itself.
    renamed
        For `Layout.KEEP`: new folders by original ones, both relative, with strokes.
    missing
        Original folders without a new name, as far as they were seen.
    """

    layout: Layout = Layout.BY_IDENTIFIERS
    prefix: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    def see(self, source: Input) -> None:
        """Note an input whose folder has no new name."""
        if self.layout is Layout.KEEP and not source.skip and not source.refuse:
            folder = folder_of(source)
            if folder not in self.renamed:
                self.missing.add(folder)

    def way(self, identifiers: tuple[str, str, str, str], source: Input) -> tuple[str, ...]:
        """Return folders and name for the replacements of patient, study, series and instance."""
        *folders, name = map(safe_component, identifiers)
        if self.layout is Layout.FLAT:
            folders = []
        elif self.layout is Layout.KEEP:
            new = self.renamed[folder_of(source)]
            folders = [] if new == TOP else new.split("/")
        first, *rest = [*folders, f"{name}.dcm"]
        return (f"{self.prefix}{first}", *rest)

    def way_of_resources(self, patient: str, name: str, source: Input) -> tuple[str, ...]:
        """Return folders and name for a file of FHIR resources, by its patient's replacement."""
        folders = [safe_component(patient), RESOURCES]
        if self.layout is Layout.FLAT:
            folders = []
        elif self.layout is Layout.KEEP:
            new = self.renamed[folder_of(source)]
            folders = [] if new == TOP else new.split("/")
        first, *rest = [*folders, safe_resource_name(name)]
        return (f"{self.prefix}{first}", *rest)

    def decides(self) -> bytes:
        """Return what decides about names, for comparison."""
        told = [self.layout.value, self.prefix, sorted(self.renamed.items())]
        return repr(told).encode("utf-8", "surrogatepass")


def folder_of(source: Input) -> str:
    """Return the folder of an input below the one that the user named; an archive counts as a folder."""
    inner = os.path.dirname(source.member_name) if source.member is not None else ""  # noqa: PTH120
    outer = source.path if source.member is not None else os.path.dirname(source.path)  # noqa: PTH120
    way = os.path.normpath(os.path.join(os.path.relpath(outer, source.base), inner))  # noqa: PTH118
    return printable(way)


def check_prefix(prefix: str) -> str:
    """Return a prefix that may stand before a name. Raises `BatchRefused`."""
    if prefix and not _PREFIX.fullmatch(prefix):
        raise BatchRefused(
            f"--prefix {prefix} may have letters, digits, '_', '.' and '-' only, up to 32, and begins with one"
            " of the first three"
        )
    return prefix


def read_renamed(path: Path) -> dict[str, str]:
    """Return a rename map: a CSV table with the columns ``folder`` and ``name``.

    Raises
    ------
    BatchRefused
        If it cannot be read, or a name is none that every file system takes.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BatchRefused(f"{path} is too large to be a rename map")
        content = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BatchRefused(f"{path} cannot be read as a table in UTF-8") from error
    rows = csv.DictReader(io.StringIO(content))
    if not {"folder", "name"} <= set(rows.fieldnames or ()):
        raise BatchRefused(f"{path} needs the columns folder and name in its first line")
    renamed: dict[str, str] = {}
    spelled: dict[str, str] = {}
    for row in rows:
        folder, name = (row["folder"] or "").strip("/") or TOP, (row["name"] or "").strip("/")
        if not name:
            continue
        parts = [] if name == TOP else name.split("/")
        if not all(_NAME.fullmatch(part) and not _is_taken(part) for part in parts):
            raise BatchRefused(
                f"{path}, line {rows.line_num}: the new name may have letters, digits, '_', '-' and '.' only,"
                " up to 64 between strokes"
            )
        if spelled.setdefault(name.casefold(), name) != name:
            raise BatchRefused(
                f"{path}, line {rows.line_num}: the new name differs from an earlier one in case only"
            )
        renamed[folder] = name
    return renamed


def ask_for_names(path: Path, missing: set[str]) -> BatchRefused:
    """Write down the folders that have no new name yet, for the user to fill in; return what to tell them."""
    target = path if not path.exists() else path.with_name(f"{path.stem}.missing.csv")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(target, flags, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            os.fchmod(file.fileno(), 0o600)
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("folder", "name"))
            table.writerows((folder, "") for folder in sorted(missing))
    except OSError as error:
        return BatchRefused(f"{target} cannot be written: {error.strerror}")
    return BatchRefused(
        f"{len(missing)} folders of the input have no new name; they stand in {target} (readable by you alone):"
        f" fill in the column name{'' if target == path else f' and add the lines to {path}'}, and run again"
    )


def _is_taken(part: str) -> bool:
    return part.startswith(".") or safe_component(part.upper()) != part.upper()
