"""How files of our making name their implementation (PS3.10 7.1, PS3.7 D.3.3.2)."""

from __future__ import annotations

from typing import Final

# UUID-derived (PS3.5 B.2), made once.
CLASS_UID: Final = "2.25.165066066858494226619458859510232202552"
VERSION_NAME: Final = "DICOMVEIL_0_1"
