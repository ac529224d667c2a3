"""What a site's own verbs do to an element, by its tag and VR."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deid.tags.actions import FALLBACK_SHIFT, Action

if TYPE_CHECKING:
    from collections.abc import Callable

PRIMARY_UIDS: Final = frozenset({0x0020000D, 0x0020000E, 0x00080018})
CONTENT_VRS: Final = frozenset({"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UT", "DA", "DT", "AS"})
"""What DEIDENTIFY_TAG_CONTENTS inspects."""


def _regenerate(tag: int, vr: str) -> int | None:
    if vr != "UI":
        return None
    return Action.REPLACE_UID if tag in PRIMARY_UIDS else Action.KEEP_REGISTERED_UID


def _reset(tag: int, vr: str) -> int | None:
    if vr == "UI":
        return _regenerate(tag, vr)
    return Action.RECURSE_DUMMY if vr == "SQ" else Action.DUMMY


# The verbs of overrides by tag and VR; None where a verb does not apply and the next rule decides. A kept
# sequence is kept as a sequence: its items go through the same rules.
VERBS: Final[dict[str, Callable[[int, str], int | None]]] = {
    "keep": lambda _tag, vr: Action.RECURSE if vr == "SQ" else Action.KEEP,
    "empty": lambda _tag, _vr: Action.EMPTY,
    "delete": lambda _tag, _vr: Action.DROP,
    "reset": _reset,
    "clean_text": lambda _tag, vr: (
        Action.CLEAN | Action.EMPTY << FALLBACK_SHIFT if vr in CONTENT_VRS else None
    ),
    "recurse": lambda _tag, vr: Action.RECURSE if vr == "SQ" else None,
    "regen_uid": _regenerate,
    "clean_image": lambda _tag, _vr: None,
}
