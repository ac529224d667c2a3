"""Archives as ``dicomveil deid`` meets them: made by the usual programs, damaged, hostile."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import resource
import struct
import subprocess
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from daemon.batch.archives.iso_directories import iso_members
from daemon.batch.archives.tar_headers import tar_members
from daemon.batch.inputs import Input, walk
from daemon.batch.sources import Sources, place_of
from daemon.errors import Refused
from daemon.receive.archive import WHOLE, ArchiveLimits
from tests.factories import PATIENTS, ct_file, encoded, make_ct
from tests.folders import Deid, DeidHere

if TYPE_CHECKING:
    from pathlib import Path

    from daemon.batch.archives.stretches import Member, ReadAt

LIMITS = ArchiveLimits()


@pytest.fixture
def deid(disk_path: Path) -> Deid:
    deid = DeidHere(disk_path)
    (deid.inputs / "a" / "ct.dcm").unlink()
    return deid


def instances(count: int) -> dict[str, bytes]:
    """Return files of instances by path, some without preamble or suffix, and a note."""
    found = {}
    for number in range(count):
        patient = PATIENTS[number % 2]
        content = ct_file(patient, study=1 + number % 2, instance=number)
        found[f"DOE^JANE/p{'x' * (number * 40)}/{number}.dcm"] = content
    found["DOE^JANE/bare"] = _bare(ct_file(instance=77))
    found["readme.txt"] = b"hello"
    found["empty"] = b""
    return found


def _bare(content: bytes) -> bytes:
    (meta_bytes,) = struct.unpack_from("<I", content, 140)
    return content[144 + meta_bytes :]


def lay_out(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def tar(folder: Path, files: dict[str, bytes], *arguments: str) -> bytes:
    """Return what GNU tar makes of the files."""
    lay_out(folder / "tree", files)
    made = subprocess.run(
        ["tar", "-c", "--sort=name", *arguments, "-C", folder / "tree", "."],
        check=True,
        stdout=subprocess.PIPE,
    )
    return made.stdout


def records(deid: Deid, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    report = deid.folder / "report.json"
    run = deid(deid.inputs, "--out", "out", "--key-file", deid.key, "--report", report, *arguments)
    assert "Traceback" not in run.stderr
    return run.returncode, json.loads(report.read_text()), run.stderr


def outputs(deid: Deid, out: str = "out") -> dict[str, bytes]:
    folder = deid.folder / out
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.dcm")}


_EXPECTED: dict[object, dict[str, bytes]] = {}


def expected(deid: Deid, files: dict[str, bytes]) -> dict[str, bytes]:
    """Return what the files give when they lie in a folder; the same files are run once for all tests."""
    asked = tuple(sorted(files.items()))
    if asked not in _EXPECTED:
        lay_out(deid.folder / "plain", files)
        run = deid(deid.folder / "plain", "--out", "expected", "--key-file", deid.key)
        assert run.returncode == 0, run.stderr
        _EXPECTED[asked] = outputs(deid, "expected")
    return _EXPECTED[asked]


class TestEntered:
    @pytest.mark.parametrize(
        "arguments",
        [["--format=ustar"], ["--format=pax"], ["--format=gnu"], ["-z"], ["--format=v7"]],
    )
    def test_a_tar_gives_what_its_files_give(self, deid: Deid, arguments: list[str]) -> None:
        files = instances(4)
        if "v7" in arguments[0] or "ustar" in arguments[0]:
            files = {name.replace("x" * 40, "x"): content for name, content in files.items()}
        name = "DOE.tgz" if "-z" in arguments else "DOE.tar"
        (deid.inputs / name).write_bytes(tar(deid.folder, files, *arguments))
        code, told, stderr = records(deid)
        assert code == 0, stderr
        assert outputs(deid) == expected(deid, files)
        assert len(outputs(deid)) == 5
        assert {each["member"].removeprefix("./") for each in told} == set(files)
        assert "DOE" not in stderr

    def test_a_gzip_file_gives_the_instance_in_it(self, deid: Deid) -> None:
        files = {"1.dcm": encoded(make_ct()), "2": encoded(make_ct(instance=2))}
        for name, content in files.items():
            (deid.inputs / f"{name}.gz").write_bytes(gzip.compress(content))
        (deid.inputs / "picture.nii.gz").write_bytes(gzip.compress(bytes(5_000_000)))
        code, told, _ = records(deid)
        assert code == 0
        assert outputs(deid) == expected(deid, files)
        assert [each["state"] for each in told] == ["deidentified", "deidentified", "skipped"]

    @pytest.mark.peer("genisoimage")
    @pytest.mark.parametrize("arguments", [[], ["-r"], ["-J", "-r"], ["-iso-level", "3"], ["-udf"]])
    def test_an_image_of_a_disc_gives_what_its_files_give(
        self, deid: Deid, arguments: list[str]
    ) -> None:
        files = {f"DICOM/S{n}/IM{n}": ct_file(instance=n) for n in range(40)}
        files["DICOM/deeper/and/deeper/IM"] = _bare(ct_file(instance=77))
        files["README.TXT"] = b"hello"
        lay_out(deid.folder / "tree", files)
        subprocess.run(
            [
                "genisoimage",
                "-quiet",
                *arguments,
                "-o",
                deid.inputs / "disc.iso",
                deid.folder / "tree",
            ],
            check=True,
            capture_output=True,
        )
        code, told, stderr = records(deid)
        assert code == 0, stderr
        assert outputs(deid) == expected(deid, files)
        assert len(outputs(deid)) == 41
        assert [each["reason"] for each in told if each["state"] == "skipped"] == ["not_dicom"]

    def test_joined_archives_are_read_to_the_last(self, deid: Deid) -> None:
        first = tar(deid.folder / "1", {"a.dcm": encoded(make_ct(instance=1))})
        second = tar(deid.folder / "2", {"b.dcm": encoded(make_ct(instance=2))})
        (deid.inputs / "both.tar").write_bytes(first + second)
        assert records(deid)[0] == 0
        assert len(outputs(deid)) == 2

    def test_text_is_cleaned_of_what_other_members_of_a_packed_tar_tell(self, deid: Deid) -> None:
        speaks, names = make_ct(instance=1), make_ct(instance=2)
        speaks.PatientName, speaks.PatientComments = "", "told by kwurzelbaum, lungs clear"
        names.PatientName, names.PatientID = "Kwurzelbaum^Ottokar", speaks.PatientID
        files = {"a.dcm": encoded(speaks), "z.dcm": encoded(names)}
        (deid.inputs / "both.tar.gz").write_bytes(tar(deid.folder, files, "-z"))
        (deid.folder / "own.json").write_text(
            '{"dicom": {"filterProfile": "DEIDENTIFY_TAG_CONTENTS"}, "text": {}}'
        )
        code, told, _ = records(deid, "--deid-config", "own.json")
        assert [each["state"] for each in told if each["state"] != "refused"]
        assert code in {0, 3}
        content = b"".join(outputs(deid).values())
        assert b"lungs clear" in content
        assert b"urzelbaum" not in content

    def test_nothing_of_a_packed_tar_is_left_where_it_was_laid_out(self, deid: Deid) -> None:
        files = {f"{n}.dcm": encoded(make_ct(instance=n)) for n in range(3)}
        for number in range(5):
            packed = tar(deid.folder, files, "-z")
            (deid.inputs / f"{number}.tar.gz").write_bytes(packed)
        before = _open_files()
        walked = [*walk([deid.inputs], set(), LIMITS, str(deid.folder))]
        assert len(walked) == 15
        assert _open_files() == before + 5
        sources = Sources(LIMITS)
        with sources.open(place_of(walked[7])) as reader:
            assert reader.read(1 << 20) == files["1.dcm"]
        del walked
        assert _open_files() == before
        assert not list(deid.folder.glob(".dicomveil*"))


class TestNotEntered:
    @pytest.mark.parametrize(
        "start",
        [
            b"7z\xbc\xaf\x27\x1c",
            b"Rar!\x1a\x07\x01",
            b"BZh91AY&SY",
            b"\xfd7zXZ\x00",
            b"\x28\xb5\x2f\xfd",
        ],
        ids=["7z", "rar", "bz2", "xz", "zst"],
    )
    def test_what_is_not_read_is_named_and_nothing_is_done(self, deid: Deid, start: bytes) -> None:
        (deid.inputs / "DOE").write_bytes(start.ljust(3000, b"\x01"))
        code, told, stderr = records(deid)
        assert code == 4
        assert told[0]["reason"] == "archive_not_read"
        assert "only packed files of a kind that is not read" in stderr

    @pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.gz"])
    def test_an_archive_without_an_instance_is_nothing_done(self, deid: Deid, name: str) -> None:
        content = tar(deid.folder, {"a.txt": b"hello"}) if "tar" in name else b"hello"
        (deid.inputs / name).write_bytes(gzip.compress(content) if "gz" in name else content)
        assert records(deid)[0] == 4

    @pytest.mark.peer("genisoimage")
    def test_a_disc_without_an_instance_is_nothing_done(self, deid: Deid) -> None:
        lay_out(deid.folder / "tree", {"a.txt": b"hello"})
        made = ["genisoimage", "-quiet", "-o", "in/disc.iso", "tree"]
        subprocess.run(made, cwd=deid.folder, check=True, capture_output=True)
        assert records(deid)[0] == 4

    def test_archives_in_archives_are_refused(self, deid: Deid) -> None:
        inner = tar(deid.folder, {"x.dcm": encoded(make_ct())})
        packed = {
            "inner.tar": inner,
            "inner.tgz": gzip.compress(inner),
            "x.dcm.gz": gzip.compress(encoded(make_ct())),
            "inner.zip": _zipped({"x.dcm": b"x"}),
            "inner.7z": b"7z\xbc\xaf\x27\x1c".ljust(600, b"\0"),
            "picture.nii.gz": gzip.compress(bytes(4000)),
        }
        (deid.inputs / "outer.tar").write_bytes(tar(deid.folder / "outer", packed))
        (deid.inputs / "outer.zip").write_bytes(_zipped(packed))
        code, told, _ = records(deid)
        assert code == 3
        reasons = {
            (each["input"][-3:], each["member"].removeprefix("./")): each["reason"] for each in told
        }
        for outer in ("tar", "zip"):
            assert reasons.pop((outer, "picture.nii.gz")) == "not_dicom"
        assert len(reasons) == 10
        assert set(reasons.values()) == {"archive_nested"}


class TestHostile:
    def test_links_devices_and_ways_out_are_no_files_of_ours(self, deid: Deid) -> None:
        buffer = io.BytesIO()
        secret = deid.folder / "secret.dcm"
        secret.write_bytes(encoded(make_ct(instance=5)))
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, kind in (
                ("soft", tarfile.SYMTYPE),
                ("hard", tarfile.LNKTYPE),
                ("pipe", tarfile.FIFOTYPE),
                ("dev", tarfile.CHRTYPE),
            ):
                info = tarfile.TarInfo(f"{name}.dcm")
                info.type, info.linkname = kind, str(secret)
                archive.addfile(info)
            for number, name in enumerate(
                ("../../../out/climbed.dcm", "/etc/climbed.dcm", "a/../../b.dcm")
            ):
                content = encoded(make_ct(instance=number))
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        (deid.inputs / "x.tar").write_bytes(buffer.getvalue())
        code, told, _ = records(deid)
        assert code == 0
        assert [each["reason"] for each in told if each["state"] == "skipped"] == [
            "not_regular"
        ] * 4
        assert len(outputs(deid)) == 3
        assert not list(deid.folder.rglob("*climbed*"))

    @pytest.mark.parametrize("name", ["bomb.gz", "bomb.dcm.gz", "bomb.tar.gz"])
    def test_a_bomb_is_refused_before_it_fills_anything(self, deid: Deid, name: str) -> None:
        start = encoded(make_ct())
        if "tar" in name:
            info = tarfile.TarInfo("x.dcm")
            info.size = len(start) + (3 << 30)
            start = info.tobuf() + start
        with gzip.open(deid.inputs / name, "wb", compresslevel=9) as file:
            file.write(start)
            for _ in range(300):
                file.write(bytes(1 << 20))
        code, told, _ = records(deid)
        assert code == 3
        assert told[0]["reason"] == "archive_bomb"
        assert outputs(deid) == {}

    def test_headers_that_claim_much_take_no_memory(self, deid: Deid) -> None:
        for number, kind in enumerate((b"x", b"g", b"L", b"K", b"0", b"S")):
            info = tarfile.TarInfo("x")
            info.type, info.size = kind, 1 << 33
            (deid.inputs / f"{number}.tar").write_bytes(
                info.tobuf(tarfile.GNU_FORMAT) + bytes(2048)
            )
        code, told, _ = records(deid)
        assert code == 3
        assert {each["reason"] for each in told} == {"archive_broken"}

    def test_sparse_members_and_continued_ones_are_refused_by_name(self, deid: Deid) -> None:
        sparse = deid.folder / "tree" / "sparse.dcm"
        sparse.parent.mkdir()
        with sparse.open("wb") as file:
            file.truncate(1 << 20)
            file.seek(1 << 19)
            file.write(b"x" * 5000)
        for kind in ("gnu", "pax"):
            made = subprocess.run(
                ["tar", "-c", "-S", f"--format={kind}", "-C", sparse.parent, "."],
                check=True, stdout=subprocess.PIPE,
            )  # fmt: skip
            assert len(made.stdout) < 1 << 19
            (deid.inputs / f"{kind}.tar").write_bytes(made.stdout)
        code, told, _ = records(deid)
        assert code == 3
        assert [each["reason"] for each in told] == ["archive_method"] * 2

    def test_an_archive_that_is_cut_off_gives_nothing(self, deid: Deid) -> None:
        whole = tar(deid.folder, {f"{n}.dcm": encoded(make_ct(instance=n)) for n in range(4)})
        (deid.inputs / "a.tar").write_bytes(whole[:3000])
        (deid.inputs / "b.tgz").write_bytes(gzip.compress(whole)[:-200])
        (deid.inputs / "c.gz").write_bytes(gzip.compress(encoded(make_ct()))[:-9])
        code, told, _ = records(deid)
        assert code == 3
        assert {each["reason"] for each in told} == {"archive_broken"}
        assert len(told) == 3
        assert outputs(deid) == {}

    def test_no_room_to_lay_out_an_archive_ends_the_run_and_says_so(self, deid: Deid) -> None:
        noise = random.Random(1).randbytes(4 << 20)
        (deid.inputs / "a.tar.gz").write_bytes(tar(deid.folder, {"a.dcm": noise}, "-z"))
        run = deid(
            deid.inputs, "--out", "out", "--key-file", deid.key,
            preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
        )  # fmt: skip
        assert run.returncode == 1
        assert "out cannot be written to: File too large" in run.stderr


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def _zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _reading(content: bytes) -> ReadAt:
    return lambda offset, count: content[offset : offset + count]


def _iso(folder: Path) -> bytes:
    lay_out(folder / "tree", {f"D{n % 3}/F{n}": bytes([n]) * 100 for n in range(9)})
    made = ["genisoimage", "-quiet", "-r", "-o", "x.iso", "tree"]
    subprocess.run(made, cwd=folder, check=True, capture_output=True)
    return (folder / "x.iso").read_bytes()


def _list(listing: Any, content: bytes) -> list[Member]:
    return list(listing(_reading(content), len(content), LIMITS))


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_tar_is_read_within_itself_or_refused(tmp_path: Path, seed: int) -> None:
    files = {f"{n}": bytes([n]) * (n * 300) for n in range(9)} | {"y" * 200: b"long"}
    _damaged(tar_members, tar(tmp_path, files, "--format=pax"), seed)
    _damaged(tar_members, tar(tmp_path, files, "--format=gnu"), seed)


@pytest.mark.peer("genisoimage")
@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_image_is_read_within_itself_or_refused(tmp_path: Path, seed: int) -> None:
    _damaged(iso_members, _iso(tmp_path), seed)


def _damaged(listing: Any, whole: bytes, seed: int) -> None:
    assert len([each for each in _list(listing, whole) if not each.reason]) >= 9
    chance = random.Random(seed)
    first = 16 * 2048 if listing is iso_members else 0
    interesting = [at for at in range(first, len(whole)) if whole[at]] or [0]
    reasons = set()
    for _ in range(400):
        content = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 8))):
            at = chance.choice(interesting) + chance.choice((0, 0, 1, -1))
            content[at % len(content)] = chance.choice((0, 1, 0x80, 0xFF, chance.randrange(256)))
        if chance.random() < 0.2:
            del content[chance.randrange(first, len(content)) :]
        try:
            members = _list(listing, bytes(content))
        except Refused as refusal:
            reasons.add(refusal.reason)
            continue
        for member in members:
            for offset, count in member.stretches:
                assert 0 <= offset <= offset + count <= len(content)
    assert reasons <= {*WHOLE, "archive_not_read"}


@pytest.mark.peer("genisoimage")
def test_an_image_whose_files_share_their_bytes_beyond_all_bounds_is_a_bomb(tmp_path: Path) -> None:
    image = bytearray(_iso(tmp_path))
    at = image.index(b"F0")
    for _ in range(9):
        start = image.index(b"F", at) - 33
        struct.pack_into("<I", image, start + 10, 0xFFFFFF00)
        at = start + 40
        if b";1" not in image[at : at + 200]:
            break
    with pytest.raises(Refused, match="archive_bomb"):
        _list(iso_members, bytes(image))


@pytest.mark.peer("genisoimage")
def test_an_image_whose_folders_hold_each_other_ends(tmp_path: Path) -> None:
    image = bytearray(_iso(tmp_path))
    (root,) = struct.unpack_from("<I", image, 16 * 2048 + 158)
    at = image.index(b"D0", root * 2048) - 33
    struct.pack_into("<I", image, at + 2, root)
    names = [each.name for each in _list(iso_members, bytes(image))]
    assert len(names) == 6


def test_a_file_of_a_level_3_image_may_lie_in_several_parts() -> None:
    block = 2048
    parts = [(block * 20, block), (block * 22, block), (block * 24, 100)]
    descriptor = bytearray(block)
    descriptor[0:6] = b"\x01CD001"
    struct.pack_into("<H", descriptor, 128, block)
    descriptor[156:190] = _record_of(19, block, 0x02, b"\x00")
    root = b"".join(
        _record_of(offset // block, count, 0x80 if at < 2 else 0, b"BIG;1")
        for at, (offset, count) in enumerate(parts)
    )
    image = bytearray(block * 25)
    image[16 * block : 17 * block] = descriptor
    image[17 * block : 17 * block + 6] = b"\xffCD001"
    image[19 * block : 19 * block + len(root)] = root
    (member,) = _list(iso_members, bytes(image))
    assert (member.name, member.size, member.reason) == ("BIG", 2 * block + 100, "")
    assert member.stretches == tuple(parts)


def _record_of(block: int, count: int, flags: int, name: bytes) -> bytes:
    length = 33 + len(name) + (len(name) + 1) % 2
    record = bytearray(length)
    record[0] = length
    struct.pack_into("<I", record, 2, block)
    struct.pack_into("<I", record, 10, count)
    record[25], record[32] = flags, len(name)
    record[33 : 33 + len(name)] = name
    return bytes(record)


def test_an_input_of_a_walk_that_only_counts_is_the_same_as_one_that_reads(disk_path: Path) -> None:
    folder = disk_path / "in"
    lay_out(folder, {"a.dcm": encoded(make_ct())})
    (folder / "b.tgz").write_bytes(tar(disk_path, instances(3), "-z"))
    (folder / "c.tar").write_bytes(tar(disk_path, instances(3)))

    def told(each: Input) -> tuple[str, int | None, str, int]:
        return each.path, each.member, each.member_name, each.size

    counted = [told(each) for each in walk([folder], set(), LIMITS, None)]
    assert counted == [told(each) for each in walk([folder], set(), LIMITS, str(disk_path))]
    assert len(counted) == 13
