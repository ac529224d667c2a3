"""The viewer's package comes whole or not at all, and writes nowhere else."""

from __future__ import annotations

import os
import tarfile
from typing import TYPE_CHECKING

import pytest

from daemon.viewer.errors import PackageRefused, ViewerRefused
from daemon.viewer.fetching import fetch
from daemon.viewer.installation import install, installed
from daemon.viewer.unpacking import Limits
from tests.viewer_package import FILES, PAGE, folder, tarball

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _tree(path: Path) -> set[str]:
    return {str(each.relative_to(path)) for each in path.rglob("*")}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "state" / "viewer"


def test_a_package_as_npm_packs_it_is_installed(tmp_path: Path, place: Path) -> None:
    made = install(tarball(tmp_path / "ohif.tgz"), place)
    assert made.version == "3.1.4"
    assert not made.is_pinned
    assert set(made.files) == set(FILES)
    assert installed(place) == made


def test_a_folder_with_a_build_is_installed(tmp_path: Path, place: Path) -> None:
    made = install(folder(tmp_path / "dist"), place)
    assert set(made.files) == set(FILES)
    assert (made.folder / "assets/tile.png").read_bytes() == FILES["assets/tile.png"]
    assert (tmp_path / "dist" / "app.bundle.css").read_bytes() == FILES["app.bundle.css"]


def test_scripts_look_for_their_parts_beside_the_page(tmp_path: Path, place: Path) -> None:
    made = install(tarball(tmp_path / "ohif.tgz"), place)
    script = (made.folder / "app.bundle.0123456789abcdef.js").read_text()
    assert 'p = "/"' not in script
    assert "document.baseURI" in script
    assert script.endswith(";\nrun();\n")
    style = (made.folder / "app.bundle.css").read_text()
    assert style == "@font-face{src:url(a.woff2)} a{background:url(data:x)}"
    adapted = {name for name, file in made.files.items() if file.is_adapted}
    assert adapted == {"app.bundle.0123456789abcdef.js", "app.bundle.css"}
    assert (made.folder / "index.html").read_text() == PAGE


@pytest.mark.parametrize("package", [tarball, folder])
def test_what_is_installed_is_closed_to_others(
    tmp_path: Path, place: Path, package: Callable[[Path], Path]
) -> None:
    usual = os.umask(0o022)
    try:
        made = install(package(tmp_path / "ohif"), place)
        before = _open_to_others(place.parent)
        (made.folder / "sub").chmod(0o755)
        (made.folder / "sub" / "page.html").chmod(0o644)
        made.folder.chmod(0o755)
        install(tmp_path / "ohif", place)
    finally:
        os.umask(usual)
    assert before == []
    assert _open_to_others(place.parent) == []


def _open_to_others(folder: Path) -> list[str]:
    """Name what `fsck` would."""
    return [
        str(path.relative_to(folder))
        for path in (folder, *folder.rglob("*"))
        if path.stat().st_mode & 0o077
    ]


@pytest.mark.parametrize(
    "script",
    ['r.p="/",r.b=1', 'e.p="/";', '__webpack_require__.p = "/";'],
    ids=["short", "end", "long"],
)
def test_shortened_scripts_are_found_too(tmp_path: Path, place: Path, script: str) -> None:
    files = FILES | {"app.bundle.0.js": script.encode()}
    made = install(tarball(tmp_path / "ohif.tgz", files), place)
    assert made.files["app.bundle.0.js"].is_adapted


@pytest.mark.parametrize(
    "script",
    ['r.p="/viewer/";', 'x.path="/";', 'a={p:"/"}', 'map.p==="/"'],
    ids=["own", "path", "key", "asks"],
)
def test_what_only_looks_like_it_stays(tmp_path: Path, place: Path, script: str) -> None:
    files = FILES | {"app.bundle.0.js": script.encode()}
    made = install(tarball(tmp_path / "ohif.tgz", files), place)
    assert (made.folder / "app.bundle.0.js").read_text() == script


@pytest.mark.parametrize(
    "name",
    ["../outside", "/outside", "package/../../outside", "package\\..\\outside", "package/a\nb"],
    ids=["up", "root", "up from within", "backslash", "line"],
)
def test_an_entry_that_would_lie_outside_is_refused(tmp_path: Path, place: Path, name: str) -> None:
    install(folder(tmp_path / "dist"), place)
    before = _tree(tmp_path)
    evil = tarball(tmp_path / "evil.tgz", FILES, tarfile.TarInfo(name))
    with pytest.raises(PackageRefused):
        install(evil, place)
    assert _tree(tmp_path) == before | {"evil.tgz"}


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_an_entry_that_is_no_file_is_refused(tmp_path: Path, place: Path, kind: bytes) -> None:
    entry = tarfile.TarInfo("package/dist/x")
    entry.type, entry.linkname = kind, "../../../etc/passwd"
    with pytest.raises(PackageRefused, match="link or a device"):
        install(tarball(tmp_path / "evil.tgz", FILES, entry), place)
    assert installed(place) is None


def test_a_link_in_a_folder_is_refused(tmp_path: Path, place: Path) -> None:
    source = folder(tmp_path / "dist")
    (source / "secret.js").symlink_to("/etc/hostname")
    with pytest.raises(PackageRefused, match="link or a device"):
        install(source, place)


def test_a_file_that_comes_twice_is_refused(tmp_path: Path, place: Path) -> None:
    again = tarfile.TarInfo("package/dist/index.html")
    with pytest.raises(PackageRefused, match="two entries"):
        install(tarball(tmp_path / "twice.tgz", FILES, again), place)


def test_a_bomb_is_refused_at_the_limit(tmp_path: Path, place: Path) -> None:
    bomb = tarball(tmp_path / "bomb.tgz", FILES | {"zeros.bin": bytes(8 << 20)})
    assert bomb.stat().st_size < 64 << 10
    with pytest.raises(PackageRefused, match="bytes"):
        install(bomb, place, Limits(bytes=1 << 20))
    with pytest.raises(PackageRefused, match="entries"):
        install(bomb, place, Limits(files=3))
    assert not any(each.is_dir() for each in place.iterdir())


@pytest.mark.parametrize("content", [b"", b"<html>no tarball</html>", b"\x1f\x8b\x08damaged"])
def test_what_is_no_package_is_refused(tmp_path: Path, place: Path, content: bytes) -> None:
    (tmp_path / "x.tgz").write_bytes(content)
    with pytest.raises(PackageRefused):
        install(tmp_path / "x.tgz", place)


def test_a_package_cut_short_is_refused(tmp_path: Path, place: Path) -> None:
    whole = tarball(tmp_path / "ohif.tgz", FILES | {"random.bin": os.urandom(4 << 20)}).read_bytes()
    (tmp_path / "cut.tgz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PackageRefused):
        install(tmp_path / "cut.tgz", place)


def test_another_package_than_the_viewer_is_refused(tmp_path: Path, place: Path) -> None:
    with pytest.raises(PackageRefused, match="not OHIF"):
        install(tarball(tmp_path / "x.tgz", {"index.html": b"hello"}), place)


def test_a_refusal_leaves_what_was_installed(tmp_path: Path, place: Path) -> None:
    before = install(tarball(tmp_path / "ohif.tgz"), place)
    with pytest.raises(PackageRefused):
        install(tarball(tmp_path / "x.tgz", {"index.html": b"hello"}), place)
    assert installed(place) == before
    assert {each.name for each in place.iterdir()} == {"installed.json", before.folder.name}


def test_another_release_takes_the_place_of_the_first(tmp_path: Path, place: Path) -> None:
    install(tarball(tmp_path / "ohif.tgz"), place)
    later = install(tarball(tmp_path / "later.tgz", FILES | {"new.js": b"1"}), place)
    assert installed(place) == later
    assert {each.name for each in place.iterdir()} == {"installed.json", later.folder.name}


def test_the_same_release_again_is_not_taken_away_under_readers(
    tmp_path: Path, place: Path
) -> None:
    first = install(tarball(tmp_path / "ohif.tgz"), place)
    inode = (first.folder / "index.html").stat().st_ino
    again = install(tarball(tmp_path / "ohif.tgz"), place)
    assert (again.folder / "index.html").stat().st_ino == inode


def test_what_a_killed_installation_left_is_removed(tmp_path: Path, place: Path) -> None:
    (place / "new-1234" / "package").mkdir(parents=True)
    install(tarball(tmp_path / "ohif.tgz"), place)
    assert not (place / "new-1234").exists()


def test_two_installations_do_not_run_at_once(tmp_path: Path, place: Path) -> None:
    import fcntl  # noqa: PLC0415

    place.mkdir(parents=True)
    other = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ViewerRefused, match="under way"):
            install(tarball(tmp_path / "ohif.tgz"), place)
    finally:
        os.close(other)


def test_an_installation_with_a_file_missing_is_none(tmp_path: Path, place: Path) -> None:
    made = install(tarball(tmp_path / "ohif.tgz"), place)
    (made.folder / "app.bundle.css").unlink()
    assert installed(place) is None
    install(tarball(tmp_path / "ohif.tgz"), place)
    assert installed(place) == made


def test_a_table_that_names_another_folder_is_none(tmp_path: Path, place: Path) -> None:
    made = install(tarball(tmp_path / "ohif.tgz"), place)
    table = place / "installed.json"
    table.write_text(table.read_text().replace(made.folder.name, "../../etc"))
    assert installed(place) is None


def test_what_npm_gets_is_compared_with_what_was_pinned(tmp_path: Path) -> None:
    npm = tmp_path / "npm"
    packed = tarball(tmp_path / "other.tgz")
    npm.write_text(
        f'#!/bin/sh\nwhile [ "$1" != --pack-destination ]; do shift; done\ncp "{packed}" "$2/ohif.tgz"\n'
    )
    npm.chmod(0o755)
    (tmp_path / "into").mkdir()
    with pytest.raises(PackageRefused, match="not the package"):
        fetch(tmp_path / "into", npm=str(npm))


def test_without_npm_it_says_what_else_can_be_done(tmp_path: Path) -> None:
    with pytest.raises(ViewerRefused, match="--from"):
        fetch(tmp_path, npm="npm-that-is-not-there")
    failing = tmp_path / "npm"
    failing.write_text("#!/bin/sh\nexit 7\n")
    failing.chmod(0o755)
    with pytest.raises(ViewerRefused, match=r"exit 7.*--from"):
        fetch(tmp_path, npm=str(failing))
