"""What was done to a document of resources, free of original values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class FhirOutcome:
    """The record of one de-identification.

    Attributes
    ----------
    actions
        How often what was done, by an element's path in its type's definition and the action's word.
    residuals
        Paths at which a known identifier was found after the first pass and removed.
    """

    deidentifier_key_id: str
    actions: Mapping[tuple[str, str], int]
    residuals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """Return the record as JSON: elements as ``[path, action, count]`` in order of their paths."""
        return orjson.dumps(
            {
                "key_id": self.deidentifier_key_id,
                "elements": [
                    [path, action, count] for (path, action), count in sorted(self.actions.items())
                ],
                "residuals": self.residuals,
                "warnings": self.warnings,
            }
        )
