"""Why there is no picture."""

from __future__ import annotations


class NoPicture(Exception):
    """What is stored cannot be drawn; the text names an attribute or a limit, never a value."""


class OutsideImage(NoPicture):
    """What was asked to be shown is nowhere in the image."""
