"""What is said when the system refuses an address."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from daemon.errors import AddressRefused

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def listening(section: str, host: str, port: int) -> Iterator[None]:
    """Say of which address the system refused it, and where that is configured."""
    try:
        yield
    except OSError as error:
        # What a name server answers has numbers of its own, and below 0.
        number = error.errno or 0
        why = os.strerror(number) if number > 0 else error.strerror or "no such address"
        raise AddressRefused(section, host, port, why) from error
