"""What can happen to one data element."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Action(IntEnum):
    """The verbs of the engine; `explain` and the outcome record use their names."""

    KEEP = 0
    """Copied as encoded."""
    CHECK = 1
    """Text that no table names: kept when everything in it is recognised, else replaced as `fallback` says."""
    DROP = 2
    """Removed (X)."""
    EMPTY = 3
    """Zero length (Z)."""
    DUMMY = 4
    """A dummy value that fits the VR (D)."""
    REPLACE_UID = 5
    """A keyed replacement UID (U)."""
    PSEUDONYM = 6
    """The patient's keyed pseudonym."""
    TOKEN = 7
    """A keyed token that stands for another identifier."""
    SHIFT = 8
    """A date moved by the patient's shift; times stay (Retain Longitudinal with Modified Dates)."""
    CLEAN = 9
    """Text with what identifies taken out of it (C)."""
    CAP_AGE = 10
    """An age, with those over 89 years made 90 (Retain Patient Characteristics)."""
    RECURSE = 11
    """A sequence: the same rules apply to each item."""
    RECURSE_DUMMY = 12
    """A sequence whose structure stays and whose contents become dummies (D)."""
    PIXELS = 13
    """Pixel Data."""
    DOCUMENT = 14
    """An encapsulated document, replaced by an empty one of its kind."""
    CHARACTER_SET = 15
    """Specific Character Set: kept when every term is a defined one."""
    PRIVATE_CREATOR = 16
    """A private creator: kept when an element of its block is."""
    PRIVATE = 17
    """A private element: kept only when its creator's block says it is safe."""
    ITEM_END = 18
    """An Item Delimitation Item."""
    KEEP_REGISTERED_UID = 19
    """A UID kept when the standard registers it, else replaced."""
    MARKER = 20
    """An attribute that we set ourselves; the original is dropped."""
    UNRECOGNISED = 23
    """A required text that was not recognised: dummies in place of the values that are not."""
    DESCRIBE = 24
    """The descriptor of a lookup table: kept as CHECK does, and remembered for the data behind it."""
    TABLE = 25
    """The data of a lookup table: kept as CHECK does, without what stands behind the entries."""
    REFUSE = 22
    """An element that cannot be here (group 0000 or 0002 inside a data set)."""


KIND_MASK: Final = 0x3F
LONG_FORM: Final = 0x40
KNOWN: Final = 0x80
"""The original identifies: it is remembered when the element does not stay."""
FALLBACK_SHIFT: Final = 8
"""Bits 8 and up of an action word hold the fallback action of CHECK and CLEAN."""
