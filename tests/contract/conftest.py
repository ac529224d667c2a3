"""The engines that every suite here is run over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.store.embedded import EMBEDDED
from tests.document_engine import DOCUMENTS

if TYPE_CHECKING:
    from daemon.store.ports import Engine


@pytest.fixture(params=[EMBEDDED, DOCUMENTS], ids=["embedded", "documents"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Return what keeps rows and blobs: the service's own, and one that is different on purpose."""
    found: Engine = request.param
    return found
