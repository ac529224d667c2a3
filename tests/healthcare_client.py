"""The Cloud Healthcare API's own client for Python, pointed at a daemon of ours."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from google.auth.credentials import AnonymousCredentials
from googleapiclient import discovery

from tests.service import wait_until

DATASETS = "projects/my-proj/locations/us-central1"
OURS = "projects/local/locations/local/datasets/default"


def client(address: str, version: str = "v1") -> Any:
    """Return what ``googleapiclient.discovery.build`` makes of the document that comes with it."""
    return discovery.build(
        "healthcare",
        version,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        cache_discovery=False,
        static_discovery=True,
        client_options={"api_endpoint": address},
    )


@dataclass(frozen=True)
class Answer:
    """A response, whole."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def ask(address: str, verb: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    """Send a request as it is; errors are answers."""
    request = urllib.request.Request(
        address,
        data=body,
        method=verb,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return Answer(response.status, response.read(), dict(response.headers))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read(), dict(error.headers))


def done(service: Any, operation: dict[str, Any]) -> dict[str, Any]:
    """Poll an operation as people do, until it says that it is done."""
    operations = service.projects().locations().datasets().operations()
    found = operation

    def is_done() -> bool:
        nonlocal found
        found = operations.get(name=operation["name"]).execute()
        return "done" in found

    wait_until(is_done, what="the operation is done")
    return found
