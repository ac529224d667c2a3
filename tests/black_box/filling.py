"""What the checks need to find on a server, stored into it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from daemon.synthetic.collection import demonstration_instances
from daemon.synthetic.encodings import encoded
from tests.black_box.asking import Client
from tests.black_box.checks import expect
from tests.black_box.storing import KIND, body_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# Nothing that is likely to have text in its pixels, so that cleaning it takes no time.
_LEFT_OUT = ("US", "secondary", "CR", "DX", "XA", "encapsulated", "HTJ2K")


def contents() -> Iterator[bytes]:
    """Yield the files."""
    for each in demonstration_instances():
        if not each.kind.startswith(_LEFT_OUT):
            yield encoded(each.dataset)


def fill(root: str) -> int:
    """Store the files, and return how many there are; returns when they can be found."""
    files = list(contents())
    with Client(root.rstrip("/")) as client:
        for file in files:
            body = body_of(file)
            answer = client.ask(
                "/studies", "application/dicom+json", method="POST", body=body, Content_Type=KIND
            )
            expect(answer, {200, 202})
        for _ in range(600):
            if len(client.ask("/instances?limit=500").json) >= len(files):
                return len(files)
            time.sleep(0.1)
    raise AssertionError("what was stored is not found")
