"""Names as they are spoken."""

from __future__ import annotations

from typing import Final

from deid.text.folding import words

_TITLES: Final = words(
    """
    dr dres prof mr mrs ms miss mx sir dame lady lord rev hon herr frau hr fr mme mlle m md do phd dphil mbbs
    mbchb frcr mrcp frcs facr facs rn np pa rt dds dmd pharmd dpm od jr sr ii iii iv esq med univ habil dipl
    mudr judr phdr ing doc mgr bc priv doz pd
    """
)


def without_titles(name: str) -> str:
    """Return a name as it is spoken without titles and degrees, which name nobody."""
    return " ".join(
        part for part in name.split() if part.strip(".,;()").replace(".", "").lower() not in _TITLES
    )
