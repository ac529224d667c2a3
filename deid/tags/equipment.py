"""Attributes of equipment, products and protocols: their values are the same in many patients' instances.

Days of them must not move with a patient's, nor their UIDs join patients (`deid.tags.rules`).
"""

from __future__ import annotations

from typing import Final

OF_PROTOCOLS: Final = frozenset(
    {
        0x00141020, 0x00143076, 0x00143077, 0x00144076, 0x00144078, 0x0014407C, 0x0014407E, 0x00181200,
        0x00181201, 0x00181202, 0x00181203, 0x00181204, 0x00181205, 0x0018700C, 0x0018700E, 0x0044000B,
        0x0072000A,
    }
)  # fmt: skip
"""Days and times of equipment, products and protocols, which many patients share."""
EQUIPMENT_UIDS: Final = frozenset(
    {0x00080014, 0x00089123, 0x00181002, 0x00200200, 0x00281199, 0x00281214, 0x00880140, 0x0040E011}
)
"""UIDs of what many patients share: creators, devices, synchronisation frames, palettes, media, places."""

OF_MAKERS: Final = frozenset(
    {
        0x00080070, 0x00081090, 0x00181016, 0x00181018, 0x00181019, 0x00181020, 0x00181022, 0x00180024,
        0x00181160, 0x00181180, 0x00181210, 0x00181250, 0x00181251, 0x00187006, 0x0018702A, 0x0018702B,
        0x00189005, 0x00189041, 0x00189051, 0x00541101, 0x00541103, 0x00541105,
    }
)  # fmt: skip
"""Texts that makers of devices and software write: names, versions, coils, kernels, sequences, methods.

What the Basic Profile keeps of them (`deid.tags.recognition`) stays where text is cleaned, too. Days in them
do not move: when a version was released is known, and would tell by how much.
"""
