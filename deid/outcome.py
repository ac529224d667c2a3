"""What was done to an instance, free of original values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from deid.encoding.header import tag_name
from deid.tags.actions import Action

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deid.ports import PixelRegion


@dataclass(frozen=True, slots=True)
class Outcome:
    """The record of one de-identification.

    Attributes
    ----------
    actions
        ``tag << 8 | Action`` to how often it was applied, at any depth.
    regions
        Pixel regions that were filled.
    residuals
        Paths at which a known identifier was found after the first pass and removed.
    warnings
        Leniencies and notes, as codes.
    """

    deidentifier_key_id: str
    actions: Mapping[int, int]
    regions: tuple[PixelRegion, ...] = ()
    residuals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    pixels_examined: bool = False

    def to_json(self) -> bytes:
        """Return the record as JSON: elements as ``[tag, action, count]`` in tag order."""
        return orjson.dumps(
            {
                "key_id": self.deidentifier_key_id,
                "elements": [
                    [tag_name(key >> 8), _WORDS[key & 0xFF], count]
                    for key, count in sorted(self.actions.items())
                ],
                "regions": [
                    {
                        "frame": region.frame,
                        "box": [region.left, region.top, region.width, region.height],
                        "why": region.why,
                    }
                    for region in self.regions
                ],
                "residuals": self.residuals,
                "warnings": self.warnings,
                "pixels_examined": self.pixels_examined,
            }
        )


_WORDS = {
    action.value: {
        Action.DROP: "removed",
        Action.EMPTY: "emptied",
        Action.DUMMY: "dummied",
        Action.REPLACE_UID: "replaced",
        Action.PSEUDONYM: "pseudonymised",
        Action.TOKEN: "tokenised",
        Action.SHIFT: "shifted",
        Action.CLEAN: "cleaned",
        Action.CAP_AGE: "capped",
        Action.DOCUMENT: "document_replaced",
        Action.MARKER: "set",
        Action.DESCRIBE: "table_cleaned",
        Action.TABLE: "table_cleaned",
        Action.UNRECOGNISED: "dummied",
    }.get(action, action.name.lower())
    for action in Action
}
