"""A package of the viewer's shape, a few files small, and the real one where npm gets it."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

import pytest

from daemon.viewer import installation
from daemon.viewer.errors import PackageNotFetched
from daemon.viewer.fetching import fetch
from daemon.viewer.release import VERSION, is_pinned
from tests.conftest import program

PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="UTF-8">'
    '<meta name="msapplication-TileImage" content="/assets/tile.png">'
    '<script>window.PUBLIC_URL="/"</script><link rel="manifest" href="/manifest.json">'
    '<script src="/app-config.js"></script><script>function load(n){return import(n)}</script>'
    '<script defer src="/app.bundle.0123456789abcdef.js"></script>'
    '<link href="//other.example/x.css" rel="stylesheet"></head><body><div id="root"></div></body></html>'
)
FILES = {
    "index.html": PAGE.encode(),
    "app.bundle.0123456789abcdef.js": b'__webpack_require__.p = "/";\nrun();\n',
    "7.bundle.fedcba9876543210.js": b"part();\n",
    "app.bundle.css": b"@font-face{src:url(/a.woff2)} a{background:url(data:x)}",
    "assets/tile.png": b"\x89PNG",
    "app-config.js": b"window.config = {};\n",
    "sub/page.html": b"<p>another page</p>",
}


def tarball(
    path: Path,
    files: dict[str, bytes] | None = None,
    *more: tarfile.TarInfo,
    top: str = "package/dist/",
) -> Path:
    """Write a package as npm packs one; `more` are entries without content."""
    contents = FILES if files is None else files
    with tarfile.open(path, "w:gz") as archive:
        named = {f"{top}{name}": content for name, content in contents.items()}
        for name, content in {"package/package.json": b'{"version": "3.1.4"}', **named}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for entry in more:
            archive.addfile(entry)
    return path


def folder(path: Path) -> Path:
    """Write the same files as a build leaves them."""
    for name, content in FILES.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return path


def installed_once() -> Path:
    """Return where OHIF is installed by the code of now, in a folder that later runs find."""
    sources = sorted(Path(installation.__file__).parent.glob("*.py"))
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    place = _cache() / f"viewer-{key}"
    if installation.installed(place) is None:
        for other in _cache().glob("viewer-*"):
            shutil.rmtree(other)
        installation.install(_real_package(), place)
    return place


def _cache() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "dicomveil-tests"


def _real_package() -> Path:
    """Return OHIF's own package; npm gets it once, into a folder that later runs find.

    Without npm, or where npm gets nothing, the test is skipped with the reason; with CI=true npm must be there.
    """
    cache = _cache()
    kept = cache / f"ohif-app-{VERSION}.tgz"
    if kept.is_file() and is_pinned(kept):
        return kept
    if program("npm") is None and os.environ.get("CI") == "true":
        pytest.fail("npm is required here and is not installed", pytrace=False)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        try:
            fetch(Path(folder)).replace(kept)
        except PackageNotFetched as error:
            print(f"OHIF is not looked at: {error}")
            pytest.skip(str(error))
    return kept
