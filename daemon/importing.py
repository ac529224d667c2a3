"""Packages without what they load beside themselves where that is installed."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def without(*packages: str) -> Iterator[None]:
    """Let what is imported meanwhile find no such packages; afterwards they are there as they were.

    Only for the top of a module, or for a process that has one thread yet: another thread that imports
    them meanwhile would not find them either.

    Parameters
    ----------
    packages
        What is imported asks for them and can do without.
    """
    nothing_loaded = object()
    before = {package: sys.modules.get(package, nothing_loaded) for package in packages}
    # As Python marks what cannot be imported.
    sys.modules.update(dict.fromkeys(packages))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for package, loaded in before.items():
            del sys.modules[package]
            if loaded is not nothing_loaded:
                sys.modules[package] = loaded  # type: ignore[assignment]
