"""Bits that samples do not use, found without a library, as most runs do in less than it takes to load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import Literal

_WITHOUT_LIBRARY: Final = 1 << 25


@dataclass(slots=True)
class Patience:
    """How many bytes of samples a process still looks through before it loads numpy.

    Loading it takes twice as long as all of them.
    """

    bytes_left: int = _WITHOUT_LIBRARY

    def lasts(self, size: int) -> bool:
        """Take so many bytes from it, and tell whether there were as many."""
        self.bytes_left -= size
        return self.bytes_left >= 0


patience: Final = Patience()
"""This process's."""


def bits_of_any(samples: bytes, size: int, order: Literal["big", "little"]) -> int:
    """Return the bits that any sample has, with nothing but large numbers.

    Parameters
    ----------
    samples
        Whole samples of `size` bytes, in byte order `order`.
    """
    together, width = int.from_bytes(samples, "little"), len(samples) // size
    while width > 1:
        # The upper half upon the lower, which is the longer one of an odd number.
        width -= width // 2
        bits = 8 * size * width
        together = together >> bits | together & (1 << bits) - 1
    return int.from_bytes(together.to_bytes(size, "little"), order)
