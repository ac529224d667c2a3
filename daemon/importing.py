"""Packages without what they load beside themselves where that is installed."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def without(package: str) -> Iterator[None]:
    """Let what is imported meanwhile find no such package; afterwards it is there as it was.

    Only for the top of a module: another thread that imports it meanwhile would not find it either.

    Parameters
    ----------
    package
        One that what is imported asks for and can do without.
    """
    nothing_loaded = object()
    before = sys.modules.get(package, nothing_loaded)
    # As Python marks what cannot be imported.
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]
        if before is not nothing_loaded:
            sys.modules[package] = before  # type: ignore[assignment]
