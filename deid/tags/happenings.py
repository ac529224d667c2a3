"""What can happen to a data element, and what carries it out.

Where `Action` says what a rule decides, this table says how. Structure is not here: sequences, pixels, private
blocks and delimiters are the walk's (`deid.tags.walk`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deid.tags import replacements
from deid.tags.actions import Action

if TYPE_CHECKING:
    from collections.abc import Callable

    from deid.tags.passage import Original

HAPPENINGS: Final[dict[int, Callable[[Original], bytes | None]]] = {
    int(Action.KEEP): replacements.kept_unless_known,
    int(Action.CHECK): replacements.checked_unless_known,
    int(Action.UNRECOGNISED): replacements.unrecognised,
    int(Action.DROP): replacements.removed,
    int(Action.EMPTY): replacements.emptied,
    int(Action.DUMMY): replacements.dummied,
    int(Action.REPLACE_UID): replacements.uids_replaced,
    int(Action.KEEP_REGISTERED_UID): replacements.registered_kept,
    int(Action.PSEUDONYM): replacements.pseudonymised,
    int(Action.TOKEN): replacements.tokenised,
    int(Action.SHIFT): replacements.shifted,
    int(Action.CAP_AGE): replacements.aged,
    int(Action.CLEAN): replacements.cleaned,
    int(Action.CHARACTER_SET): replacements.character_set_kept,
    int(Action.DESCRIBE): replacements.described,
    int(Action.TABLE): replacements.trimmed,
    int(Action.DOCUMENT): replacements.blanked,
}
