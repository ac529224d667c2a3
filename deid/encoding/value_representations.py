"""Value representations: how their headers are encoded, and what kind of value they hold (PS3.5 6.2, 7.1.2)."""

from __future__ import annotations

from typing import Final

LONG_VRS: Final = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
"""With a 32-bit length after two reserved bytes (PS3.5 Table 7.1-1)."""
SHORT_VRS: Final = frozenset(
    (
        b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN",
        b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US",
    )
)  # fmt: skip
"""With a 16-bit length (PS3.5 Table 7.1-2)."""
FIXED_NUMBERS: Final = frozenset({"AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})
"""Binary numbers and tags, most often one or a few."""
NUMBERS: Final = FIXED_NUMBERS | {"OD", "OF", "OL", "OV", "OW"}
"""Values that are numbers of fixed size, one or many: cut short, they are none."""
BINARY: Final = NUMBERS | {"OB", "SQ"}
"""Values that hold no text of their own."""
BLOBS: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
"""Values whose structure only their attribute tells; of a private element only its maker knows it."""
