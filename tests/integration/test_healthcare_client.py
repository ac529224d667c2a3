"""The Healthcare API as Google's own client uses it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.healthcare_client import ask
from tests.healthcare_tables import methods
from tests.service import RunningDaemon

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    folder = tmp_path_factory.mktemp("healthcare")
    running = RunningDaemon(folder / "state", folder, settings="[workers]\ncount = 1\n")
    running.start()
    yield running
    running.stop()


def enveloped(body: Any) -> bool:
    """Tell whether an error is as Google's: in its envelope, or a FHIR service's own."""
    if body.get("resourceType") == "OperationOutcome":
        return True
    return {"code", "message", "status"} <= set(body["error"])


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_every_method_of_the_document_is_answered_none_as_an_unknown_route(
    daemon: RunningDaemon, version: str
) -> None:
    for name, (verb, path) in methods(version).items():
        address = f"{daemon.http}/{version}/" + re.sub(r"\{[^}]*\}", "made-up.1", path)
        body = b"{}" if verb in {"POST", "PUT", "PATCH"} else None
        answer = ask(f"{address}?alt=json", verb, body, Content_Type="application/json")
        assert answer.status < 500 or answer.status == 501, (name, answer)
        if answer.status >= 400:
            assert enveloped(answer.json), (name, answer)
            said = str(answer.json)
            assert "no such method or path" not in said, name
            if answer.status == 501:
                assert name in said, (name, said)


@pytest.mark.parametrize("path", ["/v1", "/v1/projects", "/v1/operators/x", "/v1beta1/x:y"])
def test_what_is_no_method_is_not_found_in_the_envelope(daemon: RunningDaemon, path: str) -> None:
    answer = ask(f"{daemon.http}{path}")
    assert answer.status == 404
    assert answer.json["error"]["status"] == "NOT_FOUND"
