"""Numbers of rows that tell whose they are: the store in the upper bits, a count in the lower.

Rows of one store lie together in their table by that, in the order of storing.
"""

from __future__ import annotations

from typing import Final

FIRST_ID_BITS: Final = 40
"""Room for a million million rows of each store, and for eight million stores."""


def bounds(store_id: int) -> tuple[int, int]:
    """Return the lowest and the highest number that a row of a store may have."""
    first = store_id << FIRST_ID_BITS
    return first, first | (1 << FIRST_ID_BITS) - 1
