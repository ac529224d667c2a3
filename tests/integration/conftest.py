"""What several integration tests share, as it takes longer to start than most of them take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from daemon.rendering.pictures import Pictures
from tests.dicomweb_service import LIMITS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def imaging() -> AsyncIterator[Pictures]:
    """Draw and decode in one process for all tests that set it no limits of their own."""
    async with Pictures(LIMITS) as found:
        yield found
