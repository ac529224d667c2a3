"""Documents within resources: what is text is cleaned where text is looked into; the rest goes."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final

from deid.fhir.leaves import cleaned

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.fhir.run import Run

_TEXTS: Final = frozenset({"text/plain", "text/markdown", "text/x-markdown"})
"""Types without markup, in which no name hides between what is shown."""
_MOST: Final = 1 << 22


def with_text(path: str) -> Callable[[dict[str, Any], dict[str, Any], Run], dict[str, Any]]:
    """Return what puts the cleaned text of an Attachment or a Binary back."""
    where = f"{path}.data"

    def after(value: dict[str, Any], out: dict[str, Any], run: Run) -> dict[str, Any]:
        data, kind = value.get("data"), value.get("contentType")
        if not run.plan.inspects or not isinstance(data, str) or not isinstance(kind, str):
            return out
        if kind.split(";")[0].strip().lower() not in _TEXTS or len(data) > _MOST:
            return out
        try:
            text = base64.b64decode(data, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            return out
        left = cleaned(where, text, run)
        if left is not None:
            out["data"] = base64.b64encode(left.encode()).decode("ascii")
        return out

    return after
