"""A pixel cleaner that is made when a first instance asks for it.

The picture libraries take a third of the start of a short run, and most instances are looked at by nobody.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deid.ports import CleanedPixels, OverlayPlane, PixelCleaner, PixelInstance


class DeferredCleaner:
    """Implements `deid.ports.PixelCleaner` by another one.

    Parameters
    ----------
    make
        Makes that one; whatever may be wrong with a configuration has been said before.
    knows_phrases
        As that one has it.
    """

    def __init__(self, make: Callable[[], PixelCleaner], *, knows_phrases: bool) -> None:
        self._make = make
        self.knows_phrases = knows_phrases

    @cached_property
    def _made(self) -> PixelCleaner:
        return self._make()

    def clean(self, instance: PixelInstance) -> CleanedPixels:
        """Return what to write; raises as the cleaner that is made."""
        return self._made.clean(instance)

    def check(self, attributes: Mapping[str, Any]) -> None:
        """Refuse what that cleaner refuses."""
        self._made.check(attributes)

    def clean_overlay(self, plane: OverlayPlane) -> bytes | None:
        """Return what that cleaner returns."""
        return self._made.clean_overlay(plane)
