"""Requests and answers, as plain as they are on the wire."""

from __future__ import annotations

import gzip
import http.client
import io
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode, urljoin, urlsplit

import orjson
import pydicom
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydicom.dataset import FileDataset


@dataclass(frozen=True)
class Answer:
    """One answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        """The media type without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @cached_property
    def json(self) -> Any:
        """The body as JSON; nothing where there is no body."""
        body = self.body
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        return orjson.loads(body) if body else []

    @cached_property
    def parts(self) -> list[Part]:
        """The parts of a multipart body (RFC 2046 5.1)."""
        match = re.search(r'boundary="?([^";]+)', self.headers.get("content-type", ""))
        assert match is not None, "no boundary"
        found = []
        for each in (b"\r\n" + self.body).split(b"\r\n--" + match[1].encode())[1:]:
            if each.startswith(b"--"):
                break
            head, _, content = each.partition(b"\r\n\r\n")
            lines = head.decode("ascii").strip().split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
            }
            found.append(Part(headers, content))
        return found

    @property
    def dataset(self) -> FileDataset:
        """The body as a Part 10 file."""
        return pydicom.dcmread(io.BytesIO(self.body))

    @property
    def picture(self) -> Image.Image:
        """The body as a picture, loaded."""
        return picture_of(self.body)


@dataclass(frozen=True)
class Part:
    """One part of a multipart body."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        """The media type without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def dataset(self) -> FileDataset:
        """The body as a Part 10 file."""
        return pydicom.dcmread(io.BytesIO(self.body))


def picture_of(body: bytes) -> Image.Image:
    """Return a picture, loaded."""
    opened = Image.open(io.BytesIO(body))
    opened.load()
    return opened


@dataclass
class Client:
    """Asks one service."""

    root: str
    _connection: http.client.HTTPConnection | None = field(default=None, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ask(
        self,
        path: str,
        accept: str | None = "*/*",
        *,
        method: str = "GET",
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        **headers: str,
    ) -> Answer:
        """Ask for a path below the root, or a whole address."""
        address = path if "://" in path else self.root + path
        split = urlsplit(urljoin(self.root, address))
        target = split.path + (f"?{split.query}" if split.query else "")
        if query:
            target += ("&" if split.query else "?") + urlencode(query)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if accept is not None:
            sent["Accept"] = accept
        for attempt in (1, 2):
            if self._connection is None:
                assert split.hostname is not None
                self._connection = http.client.HTTPConnection(
                    split.hostname, split.port, timeout=60
                )
            try:
                self._connection.request(method, target, body=body, headers=sent)
                response = self._connection.getresponse()
                content = response.read()
                found = {name.lower(): value for name, value in response.getheaders()}
                return Answer(response.status, found, content)
            except (http.client.HTTPException, ConnectionError):
                self.close()
                if attempt == 2:
                    raise
        raise AssertionError
