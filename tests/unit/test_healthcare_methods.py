"""Which method of the API a request means, by Google's own documents."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from daemon.healthcare import bodies
from daemon.healthcare.errors import InvalidArgument
from daemon.healthcare.methods import VERSIONS, meant, methods
from tests.healthcare_tables import FOLDER, TABLES, document
from tests.healthcare_tables import methods as documented

ROOT = Path(__file__).parents[2]
NAMES = [(version, name) for version in VERSIONS for name in documented(version)]


RULE = re.search(r"location ~ (\S+) \{", (ROOT / "docs/pages.md").read_text("utf-8"))


@pytest.mark.parametrize("file", TABLES)
def test_a_table_is_what_the_discovery_documents_say(file: str) -> None:
    assert (FOLDER / file).read_text("utf-8") == TABLES[file]()


def test_both_versions_have_as_many_methods_as_their_documents() -> None:
    assert {
        version: sum(version in each.versions for each in methods()) for version in VERSIONS
    } == {"v1": 154, "v1beta1": 170}


def test_every_documented_path_means_its_method_or_one_that_answers_the_same_path() -> None:
    for version, name in NAMES:
        verb, path = documented(version)[name]
        filled = re.sub(r"\{[^}]*\}", "a.b-1", path)
        found = meant(version, verb, filled)
        assert found is not None, name
        assert found.method.verb == verb
        assert re.sub(r"\{[^}]*\}", "{}", path).startswith(found.method.path.split("{}")[0])
        # The same address may be two methods' (Binary-read and read): then the one that says more.
        assert found.method.name == name or found.method.path.count("{}") <= path.count("{")


@pytest.mark.parametrize(
    ("verb", "path", "name"),
    [
        ("POST", "projects/p/locations/l/datasets/d:deidentify", "deidentify"),
        ("GET", "projects/p/locations/l/datasets/d", "get"),
        (
            "GET",
            "projects/p/locations/l/datasets/d/dicomStores/s/dicomWeb/studies/1.2/series/3/instances/4/bulkdata/a/b/c",
            "dicomStores.studies.series.instances.bulkdata.retrieveBulkdata",
        ),
        (
            "GET",
            "projects/p/locations/l/datasets/d/dicomStores/s/dicomWeb/studies/1.2:getStudyMetrics",
            "dicomStores.dicomWeb.studies.getStudyMetrics",
        ),
        ("POST", "projects/p/locations/l/datasets/d/operations/7:cancel", "operations.cancel"),
        ("POST", "projects/example.com:p/locations/l/datasets/d:deidentify", "deidentify"),
        ("GET", "projects/example.com:p/locations/l/datasets/d", "get"),
    ],
)
def test_a_verb_after_a_colon_is_no_part_of_a_name(verb: str, path: str, name: str) -> None:
    found = meant("v1", verb, path)
    assert found is not None
    assert found.method.name == f"projects.locations.datasets.{name}"


@pytest.mark.parametrize("path", ["", "projects", "projects/p/locations/l/datasets/d:fly", "x/y"])
def test_a_path_that_no_document_has_means_nothing(path: str) -> None:
    assert meant("v1", "GET", path) is None


def test_a_method_of_the_beta_is_none_of_v1() -> None:
    path = "projects/p/locations/l/datasets/d/fhirStores/f:executeCohort"
    assert meant("v1", "POST", path) is None
    assert meant("v1beta1", "POST", path) is not None


# -- bodies --


def test_a_field_that_a_message_does_not_have_is_named_with_the_nearest() -> None:
    with pytest.raises(InvalidArgument, match=r'"lables".*Did you mean "labels"') as caught:
        bodies.checked("v1", "DicomStore", {"lables": {"a": "b"}})
    assert caught.value.details[0]["fieldViolations"][0]["field"] == "lables"


def test_of_very_many_mistakes_in_a_body_the_first_are_told() -> None:
    with pytest.raises(InvalidArgument) as caught:
        bodies.checked("v1", "DicomStore", {f"x{number}": 1 for number in range(1000)})
    (detail,) = caught.value.details
    assert len(detail["fieldViolations"]) == 25


def test_of_very_many_mistakes_in_a_list_the_first_are_told() -> None:
    with pytest.raises(InvalidArgument) as caught:
        bodies.checked("v1", "DicomStore", {"streamConfigs": [1] * 1000, "labels": 1})
    (detail,) = caught.value.details
    assert len(detail["fieldViolations"]) == 25


def test_an_unknown_name_that_may_be_anything_is_not_repeated() -> None:
    with pytest.raises(InvalidArgument) as caught:
        bodies.checked("v1", "Dataset", {"Zqxwurm^Ottilienz": 1})
    assert "Zqxwurm" not in str(caught.value) + str(caught.value.details)


def test_what_is_false_zero_or_null_is_like_what_is_not_there() -> None:
    body = {"notificationConfig": {"sendForBulkImport": False}, "labels": None, "name": ""}
    assert bodies.checked("v1", "DicomStore", body) == {"notificationConfig": {}}


def test_what_is_empty_is_so_only_where_it_is_of_the_kind_of_its_field() -> None:
    body = {"name": "", "labels": {}, "streamConfigs": [], "notificationConfig": 0}
    assert bodies.checked("v1", "DicomStore", body) == {}
    with pytest.raises(InvalidArgument, match="Invalid value"):
        bodies.checked("v1", "DeidentifyDicomStoreRequest", {"config": []})


def test_names_in_snake_case_are_those_in_camel_case() -> None:
    assert bodies.checked("v1", "Dataset", {"time_zone": "UTC"}) == {"timeZone": "UTC"}


def test_names_that_begin_with_an_underscore_are_known() -> None:
    said = {"_type": "Patient", "_since": "2020-01-01T00:00:00Z"}
    assert bodies.checked("v1", "ExportResourcesRequest", said) == said


@pytest.mark.parametrize(
    "body",
    [
        {"labels": "x"},
        {"name": 7},
        {"streamConfigs": {"a": 1}},
        {"streamConfigs": {}},
        {"streamConfigs": ""},
        {"notificationConfig": []},
        {"notificationConfig": ""},
        {"labels": []},
        {"name": []},
        {"name": {}},
    ],
)
def test_a_value_of_another_kind_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match="Invalid value"):
        bodies.checked("v1", "DicomStore", body)


def test_single_quotes_are_understood_as_tutorials_print_them() -> None:
    assert bodies.parsed(b"{'timeZone': 'UTC'}") == {"timeZone": "UTC"}


@pytest.mark.parametrize("body", [b"[1]", b"{", b"\xff", b"7", b'{"a": "\\ud800"}'])
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidArgument):
        bodies.parsed(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"timeZone": "UTC", "timeZone": "UTC"}',
        b'{"config": {"dicom": {"keepList": {}, "keepList": {}}}}',
        b"{'a': {'b': 1, 'b': 1}}",
    ],
)
def test_a_name_that_an_object_gives_twice_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidArgument):
        bodies.parsed(body)


def test_a_name_given_twice_is_found_at_once_among_very_many() -> None:
    """Comparing each with all others would take minutes, in which nobody else is answered."""
    names = ",".join(f'"{number}":0' for number in range(300_000))
    with pytest.raises(InvalidArgument, match="twice"):
        bodies.parsed(f'{{{names},"z":0,"z":0}}'.encode())


@pytest.mark.parametrize("quote", ["'", '"'])
def test_text_that_is_not_closed_is_looked_at_once(quote: str) -> None:
    """Looking from each escaped quote to the end would take hours, in which nobody else is answered."""
    for end in ("", "\\"):
        text = f"{{'a': 1, {quote}" + f"\\{quote}" * 500_000 + end
        with pytest.raises(InvalidArgument):
            bodies.parsed(text.encode())


def test_all_fields_of_a_dataset_are_known() -> None:
    fields = document("v1")["schemas"]["Dataset"]["properties"]
    assert set(fields) == set(bodies.messages("v1")["Dataset"])


@pytest.mark.parametrize("store", ["source", "deid"])
def test_the_rule_for_proxies_shuts_every_method_of_the_source_and_none_of_the_result(
    store: str,
) -> None:
    assert RULE is not None
    of_stores = 0
    for version, name in NAMES:
        verb, path = documented(version)[name]
        kind = re.search(r"(?:dicomStores|fhirStores)/\{", path)
        if kind is None:
            continue
        of_stores += 1
        begun = re.sub(r"\{[^}]*\}", "a", path[: kind.end() - 1])
        rest = re.sub(r"\{[^}]*\}", "b.1", path[kind.end() :].partition("}")[2])
        address = f"/{version}/{begun}{store}{rest}"
        is_shut = re.search(RULE[1], address) is not None
        assert is_shut == (store == "source" or address.endswith(":deidentify")), (verb, address)
    assert of_stores > 150


@pytest.mark.parametrize(
    ("address", "is_shut"),
    [
        ("/dicomweb/source/studies", True),
        ("/fhir/source", True),
        ("/source/compare/1.2", True),
        ("/source/quarantine/review", True),
        ("/v1/projects/local/locations/local/datasets/default:deidentify", True),
        (
            "/v1/projects/local/locations/local/datasets/dry-runs/dicomStores/t/dicomWeb/studies",
            True,
        ),
        ("/dicomweb/deid/studies", False),
        ("/deidentify", False),
        ("/compare/1.2/header", False),
        ("/v1/projects/local/locations/local/datasets/default/operations/1:failures", False),
        ("/v1/projects/local/locations/local/datasets/default/dicomStores/resources", False),
        ("/static/sources.css", False),
    ],
)
def test_the_rule_for_proxies_shuts_what_is_identified_alone(address: str, is_shut: bool) -> None:
    assert RULE is not None
    assert (re.search(RULE[1], address) is not None) == is_shut
