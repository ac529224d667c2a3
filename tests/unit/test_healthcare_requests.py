"""What requests to the Healthcare API may say: names, masks, addresses of files, sizes of pages."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from daemon.healthcare import calls, names, paging, resource_steps, store_settings, transfers
from daemon.healthcare.errors import (
    ApiError,
    FailedPrecondition,
    InvalidArgument,
    PermissionDenied,
)
from daemon.healthcare.files import AllowedFiles, made_folder, opened
from daemon.healthcare.wildcards import Wildcards, plain_part
from daemon.healthcare.work import field_of, without_requests
from daemon.pipeline import fhir_reading
from daemon.store.rows import StoreKind

if TYPE_CHECKING:
    from pathlib import Path

MARK = "Zqxwurm"
KNOWN = ("name", "labels", "streamConfigs", "notificationConfig", "version")

# -- names --


@pytest.mark.parametrize("given", ["", ".", "..", "a b", "a/b", "Ü", "a\n", "x" * 257, "%41"])
def test_an_id_that_no_address_could_name_is_refused(given: str) -> None:
    with pytest.raises(InvalidArgument):
        names.dataset_id(given)
    with pytest.raises(InvalidArgument):
        names.store_id(given, "dicomStoreId")


@pytest.mark.parametrize("given", ["a", "A.b_c-9", "...", ".a", "x" * 256])
def test_an_id_that_an_address_can_name_is_taken(given: str) -> None:
    assert names.dataset_id(given) == names.store_id(given, "dicomStoreId") == given


# -- pages --


@pytest.mark.parametrize("given", ["-1", "1e3", " 1", "1_0", "\u0661", "+1", "", MARK])
def test_a_size_of_pages_that_is_no_number_is_refused(given: str) -> None:
    with pytest.raises(InvalidArgument, match="pageSize"):
        paging.size({"pageSize": given})


@pytest.mark.parametrize(
    ("given", "most"),
    [("0", 100), ("7", 7), ("007", 7), ("1001", 1000), ("9" * 5000, 1000), ("0" * 5000, 100)],
)
def test_a_size_of_pages_is_cut_to_what_is_given_at_most(given: str, most: int) -> None:
    assert paging.size({"pageSize": given}) == most


# -- masks --


def patched(before: dict[str, Any], given: dict[str, Any], mask: str) -> dict[str, Any]:
    fields = store_settings.masked(mask, KNOWN)
    return store_settings.patched(StoreKind.DICOM, before, given, fields)


def test_a_mask_that_names_no_field_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidArgument, match='did you mean "labels"') as caught:
        store_settings.masked("label", KNOWN)
    with pytest.raises(InvalidArgument) as other:
        store_settings.masked(f"labels,{MARK}", KNOWN)
    assert MARK not in str(other.value) + str(caught.value)


def test_a_mask_changes_the_one_label_that_it_names() -> None:
    before = {"labels": {"a": "1", "b_c": "2"}}
    assert patched(before, {"labels": {"a": "9", "b_c": "9"}}, "labels.b_c") == {
        "labels": {"a": "1", "b_c": "9"}
    }
    assert patched(before, {}, "labels.a") == {"labels": {"b_c": "2"}}
    assert patched({"labels": {"a": "1"}}, {}, "labels.a") == {}
    assert patched({}, {"labels": {"a": "1"}}, "labels.a") == {"labels": {"a": "1"}}


def test_a_mask_names_fields_in_either_way_of_writing_and_leaves_others_alone() -> None:
    before = {"labels": {"a": "1"}, "notificationConfig": {"sendForBulkImport": True}}
    after = patched(before, {}, "notification_config.send_for_bulk_import")
    assert after == {"labels": {"a": "1"}}
    assert patched(before, {"labels": {}}, "") == {**before, "labels": {}}
    assert patched(before, {"name": MARK}, "name") == before


def test_a_list_has_no_fields_that_a_mask_could_name() -> None:
    with pytest.raises(InvalidArgument, match="streamConfigs"):
        patched({"streamConfigs": [{}]}, {}, "streamConfigs.x")


@pytest.mark.parametrize("zone", ["Europe/Vienna", "UTC", "America/Argentina/Buenos_Aires"])
def test_a_time_zone_is_kept(zone: str) -> None:
    assert store_settings.of_dataset({"timeZone": zone}) == {"timeZone": zone}


@pytest.mark.parametrize("zone", [MARK, "America", "../x", "/etc/passwd", "Not/A/Zone", "a\0b"])
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidArgument, match="timeZone") as caught:
        store_settings.of_dataset({"timeZone": zone})
    assert zone not in str(caught.value)


# -- configurations --


def test_a_result_depends_neither_on_who_is_told_nor_on_where_it_is_made() -> None:
    kept = {"dicom": {"filterProfile": "X"}, "fhir": {}}
    given = {**kept, "useRegionalDataProcessing": True, "operation_metadata": {}}
    assert json.loads(without_requests(given)) == kept


def test_a_field_is_found_in_either_way_of_writing() -> None:
    given = {"operation_metadata": {"fhirOutput": {"fhir_store": "s"}}}
    assert field_of(given, "operationMetadata", "fhirOutput", "fhirStore") == "s"
    assert field_of(given, "operationMetadata", "other", "fhirStore") is None
    assert field_of(None, "operationMetadata") is None
    assert field_of({"operationMetadata": []}, "operationMetadata", "fhirOutput") is None


# -- addresses of files --


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("file:///FOLDER/a%00", InvalidArgument),
        ("file:///FOLDER/a#b", InvalidArgument),
        ("file:///FOLDER/a?b", InvalidArgument),
        ("file://[::/x", InvalidArgument),
        ("file://host/FOLDER/a", InvalidArgument),
        ("gs://bucket/a", InvalidArgument),
        ("FOLDER/a", InvalidArgument),
        ("file:///FOLDER/../a", PermissionDenied),
        ("file:///FOLDER/%2e%2e/a", PermissionDenied),
        ("file:///FOLDER/around/a", PermissionDenied),
        ("file:///FOLDER/out/a", PermissionDenied),
        ("file:a", PermissionDenied),
        ("file:///FOLDER/" + "x" * 5000, FailedPrecondition),
        ("file:///FOLDER/none", FailedPrecondition),
        ("file:///FOLDER/folder", FailedPrecondition),
        ("file:///FOLDER/pipe", FailedPrecondition),
        ("file:///FOLDER/latin", FailedPrecondition),
    ],
)
def test_an_address_that_names_no_file_for_us_is_refused_without_its_text(
    tmp_path: Path, address: str, error: type[ApiError]
) -> None:
    allowed = tmp_path / MARK
    allowed.mkdir()
    (allowed / "folder").mkdir()
    (allowed / "around").symlink_to("around")
    (allowed / "out").symlink_to(tmp_path)
    (allowed / "latin").write_bytes(b"\xff")
    # Nobody writes into it: to open it as a file is would take for ever.
    os.mkfifo(allowed / "pipe")
    files = AllowedFiles([allowed])
    with pytest.raises(error) as caught:
        files.read(address.replace("/FOLDER", str(allowed)), "field")
    assert MARK not in str(caught.value)


def test_what_became_a_link_since_it_was_allowed_is_not_read(tmp_path: Path) -> None:
    allowed, secret = tmp_path / "allowed", tmp_path / "secret"
    allowed.mkdir()
    secret.write_text("content")
    (allowed / "a").write_text("content")
    found = AllowedFiles([allowed]).path((allowed / "a").as_uri(), "field")
    os.close(opened(found))
    (allowed / "a").unlink()
    (allowed / "a").symlink_to(secret)
    with pytest.raises(OSError, match="symbolic links"):
        opened(found)


def test_an_address_names_a_file_whose_name_is_percent_encoded(tmp_path: Path) -> None:
    (tmp_path / "a #?%41.txt").write_text("content")
    files = AllowedFiles([tmp_path])
    assert files.read(f"{tmp_path.as_uri()}/a%20%23%3F%2541.txt", "field") == "content"
    assert files.read((tmp_path / "a #?%41.txt").as_uri(), "field") == "content"


def test_an_address_names_a_file_whose_name_is_in_no_encoding(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"M\xfcller")
    path.write_text("content")
    assert AllowedFiles([tmp_path]).read(f"{tmp_path.as_uri()}/M%FCller", "field") == "content"
    assert Wildcards("M%FC*").match(path.name)
    assert not Wildcards("M%FB*").match(path.name)


def test_a_file_of_paths_has_nothing_but_paths_and_each_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("/studies/1.2\n\n studies/1.2/series/3/ \n/studies/1.2\n")
    files = AllowedFiles([tmp_path])
    found = files.paths((tmp_path / "a").as_uri(), "field")
    assert found == ("studies/1.2", "studies/1.2/series/3")
    for wrong in (
        "/series/1",
        f"/studies/{MARK}",
        "/studies/1/instances/2",
        "/studies/1/series/2/3",
    ):
        (tmp_path / "a").write_text(f"/studies/1.2\n{wrong}\n")
        with pytest.raises(InvalidArgument, match="line 2") as caught:
            files.paths((tmp_path / "a").as_uri(), "field")
        assert MARK not in str(caught.value)


def test_a_file_is_read_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.healthcare.files.MOST_BYTES", 10)
    files = AllowedFiles([tmp_path])
    (tmp_path / "a").write_text("x" * 10)
    assert files.read((tmp_path / "a").as_uri(), "field") == "x" * 10
    (tmp_path / "a").write_text("x" * 11)
    with pytest.raises(FailedPrecondition, match="more than 10 bytes"):
        files.read((tmp_path / "a").as_uri(), "field")


def test_a_folder_is_made_for_its_owner_alone_with_those_above_it(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        made_folder(tmp_path / "a" / "b" / "c")
        made_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    for name in ("a", "a/b", "a/b/c"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        made_folder(tmp_path / "file")


# -- wildcards --


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*", "a.dcm"),
        ("*.dcm", "a.dcm"),
        ("*.dcm", ".dcm"),
        ("**", "a/b/c.dcm"),
        ("**.dcm", "a/b/c.dcm"),
        ("**/c.dcm", "a/b/c.dcm"),
        ("a/*/c.dcm", "a/b/c.dcm"),
        ("a/?/c.dcm", "a/b/c.dcm"),
        ("a*b*c", "aXbbXbc"),
        ("***", "a/b"),
        ("%2A[a-z].dcm", "*[a-z].dcm"),
        ("a%20b*", "a b.dcm"),
        ("%C3%BC?", "ü\n"),
    ],
)
def test_a_path_is_meant_by_a_pattern(pattern: str, path: str) -> None:
    assert Wildcards(pattern).match(path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*", "a/b.dcm"),
        ("?", "/"),
        ("?", "ab"),
        ("*.dcm", "a.dcmx"),
        ("a/*/c.dcm", "a/b/b/c.dcm"),
        ("**/c.dcm", "c.dcm"),
        ("%2A.dcm", "a.dcm"),
        (".*", "ab"),
        ("*a", ""),
    ],
)
def test_a_path_is_not_meant_by_a_pattern(pattern: str, path: str) -> None:
    assert not Wildcards(pattern).match(path)


def test_no_pattern_takes_for_ever() -> None:
    # A backtracking matcher would not come back from this one.
    assert not Wildcards("*a" * 40 + "x").match("a" * 200)
    assert Wildcards("*a" * 40).match("a" * 200)


def test_what_all_paths_lie_in_is_what_stands_before_the_first_wildcard() -> None:
    assert plain_part("file:///a/b/c*.dcm") == "file:///a/b"
    assert plain_part("file:///a/**/c?.dcm") == "file:///a"
    assert plain_part("file:///a/b.dcm") is None


# -- words and parameters --


def test_a_query_is_read_in_either_way_of_writing() -> None:
    pairs = [("page_size", "7"), ("pageToken", "x"), ("update_mask", "labels"), ("alt", "json")]
    assert calls.parameters([*pairs, ("access_token", MARK), ("prettyPrint", "false")]) == {
        "pageSize": "7",
        "pageToken": "x",
        "updateMask": "labels",
    }


def test_a_word_that_is_no_choice_of_a_store_is_refused() -> None:
    def told(word: str) -> dict[str, Any]:
        given = {"version": "R4", "complexDataTypeReferenceParsing": word}
        return store_settings.of_store(StoreKind.FHIR, given)

    assert told("DISABLED")["complexDataTypeReferenceParsing"] == "DISABLED"
    for word in (MARK, "enabled", ""):
        with pytest.raises(InvalidArgument, match="complexDataTypeReferenceParsing") as refused:
            told(word)
        assert MARK not in str(refused.value)


def test_an_export_names_types_that_there_are() -> None:
    assert transfers.types_of("Patient, Observation,") == ["Patient", "Observation"]
    assert transfers.types_of("") == []
    for given in ("Patients", "patient", f"Patient,{MARK}", "Patient;Observation"):
        with pytest.raises(InvalidArgument, match="_type") as refused:
            transfers.types_of(given)
        assert MARK not in str(refused.value)


def test_an_export_of_instances_is_asked_for_in_the_form_they_have() -> None:
    for given in ("", "application/dicom", "application/dicom; transfer-syntax=*"):
        transfers.check_media_type(given)
    for given in ("image/jpeg", "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50", MARK):
        with pytest.raises(InvalidArgument, match="mimeType"):
            transfers.check_media_type(given)


def test_what_has_no_address_of_fhir_is_not_imported() -> None:
    def imported(*told: tuple[str, Any]) -> tuple[list[str], str]:
        entries = [{"resource": {"resourceType": kind, "id": given}} for kind, given in told]
        text = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
        made = resource_steps.made_of(7, fhir_reading.read_document(text.encode(), {}))
        return [each.id for each in made.read], made.reason

    long = "x" * 64
    kept = ["a", "A.b-9", long, "7"]
    assert imported(*(("Patient", each) for each in kept)) == (kept, "")
    for odd in ("a b", "a/b", "../x", "x" * 65, "ä", "a_b", "", "a\n"):
        assert imported(("Patient", "ok"), ("Patient", odd)) == (["ok"], "malformed"), odd
    assert imported(("Patient", "ok"), ("Patients", "x")) == (["ok"], "resource_not_listed")
    assert imported(("Patient", "a b"), ("Foo", "x")) == ([], "malformed")
