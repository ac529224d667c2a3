"""A client of the FHIR services that sees every header and every error."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

FHIR_JSON = "application/fhir+json"


@dataclass(frozen=True)
class Answer:
    """What was answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def ids(self) -> list[str]:
        """The ids of the resources in a Bundle."""
        return [each["resource"]["id"] for each in self.json.get("entry", [])]

    def link(self, relation: str) -> str:
        """Return a link of a Bundle, or nothing."""
        links = {each["relation"]: each["url"] for each in self.json.get("link", [])}
        return str(links.get(relation, ""))


@dataclass(frozen=True)
class FhirPeer:
    """Talks to one store."""

    address: str

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        media_type: str = FHIR_JSON,
    ) -> Answer:
        """Send a request; `path` may be a whole address, `body` bytes or what JSON can say."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        address = path if path.startswith("http") else f"{self.address}{path}"
        request = urllib.request.Request(
            address,
            data=data,
            method=method,
            headers={
                "Accept": FHIR_JSON,
                **({"Content-Type": media_type} if data is not None else {}),
                **(headers or {}),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=240) as response:
                return Answer(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def get(self, path: str, **parameters: str) -> Answer:
        """Read or search."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        return self.ask("GET", f"{path}{query}")

    def create(self, resource: dict[str, Any], **headers: str) -> Answer:
        """Create a resource."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", f"/{resource['resourceType']}", resource, headers=named)

    def update(self, resource: dict[str, Any], **headers: str) -> Answer:
        """Update a resource, or create it under its id."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        path = f"/{resource['resourceType']}/{resource['id']}"
        return self.ask("PUT", path, resource, headers=named)
