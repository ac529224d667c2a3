"""The package from the npm registry, by its name; which registry, the operator's npm knows."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from daemon.viewer.errors import PackageNotFetched, PackageRefused
from daemon.viewer.release import PACKAGE, VERSION, is_pinned

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE_S: Final = 900.0
_OTHERWISE: Final = (
    "bring the package's file here and give it: dicomveil viewer install --from FILE"
)


def fetch(folder: Path, *, npm: str = "npm") -> Path:
    """Have npm lay the tarball of the pinned release into a folder, and return its path.

    Nothing of the package is run, and none of what it depends on is fetched.

    Raises
    ------
    PackageNotFetched
        If there is no npm, or it does not get it.
    PackageRefused
        If what came is not what was pinned.
    """
    program = shutil.which(npm)
    if program is None:
        raise PackageNotFetched(f"npm is not installed here; install it, or {_OTHERWISE}")
    wanted = f"{PACKAGE}@{VERSION}"
    command = [program, "pack", wanted, "--ignore-scripts", "--silent", "--pack-destination"]
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and nothing from outside
            [*command, str(folder)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_PATIENCE_S,
        )
    except subprocess.TimeoutExpired as error:
        raise PackageNotFetched(f"npm did not get {wanted} within 15 minutes") from error
    found = sorted(folder.glob("*.tgz"))
    if done.returncode or len(found) != 1:
        raise PackageNotFetched(
            f"npm did not get {wanted} (exit {done.returncode}); try `npm view {wanted}`, or {_OTHERWISE}"
        )
    if not is_pinned(found[0]):
        raise PackageRefused(
            f"what npm got as {wanted} is not the package that this version was tested with"
        )
    return found[0]
