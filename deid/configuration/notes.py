"""What reading a configuration notes on the way: problems, and what was leniently understood."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from deid.text.info_types import ALIASES, INFO_TYPES
from deid.text.site_patterns import PatternInvalid, compile_site_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable


class Notes:
    """What every section notes, and the checks that several sections make.

    Parameters
    ----------
    problems
        Grows by a sentence for each thing that is wrong.

    Attributes
    ----------
    warnings
        A code (`deid.configuration.leniencies`), a colon and the JSON path.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        self.warnings: list[str] = []

    def warn(self, code: str, path: str) -> None:
        """Note that something was leniently understood."""
        self.warnings.append(f"{code}: {path}")

    def pattern(self, path: str, pattern: str, groups: tuple[int, ...], name: str) -> bool:
        """Whether a pattern can be used, with these groups; note why not."""
        try:
            compiled = compile_site_pattern(pattern)
        except PatternInvalid as error:
            self.problems.append(f"{path}.pattern is not a regular expression of RE2: {error}")
            return False
        if compiled.match(""):
            self.problems.append(f"{path}.pattern matches the empty text; make it match something")
            return False
        if any(not 0 <= group <= compiled.groups for group in groups):
            self.problems.append(f"{path}.{name} names a group that the pattern does not have")
            return False
        return True

    def info_types(
        self,
        path: str,
        given: list[str],
        names: Iterable[str] = (),
        *,
        excluding: bool = False,
    ) -> frozenset[str]:
        """Return the infoTypes that a list names; note those that are unknown here."""
        known = {*INFO_TYPES, *names}
        chosen: set[str] = set()
        for index, name in enumerate(given):
            if name in known:
                chosen.add(name)
            elif name in ALIASES and not excluding:
                chosen.add(ALIASES[name])
                self.warn("wider_info_type", f"{path}[{index}]")
            elif name in ALIASES:
                self.problems.append(
                    f"{path}[{index}]: what is found here is {ALIASES[name]}, which is wider; exclude"
                    " that to leave all of it"
                )
            else:
                near = difflib.get_close_matches(name.upper(), [*known, *ALIASES], 1, 0.5)
                hint = f"did you mean {near[0]}?" if near else f"valid: {', '.join(sorted(known))}"
                self.problems.append(
                    f"{path}[{index}] is no infoType that is detected here; {hint}"
                )
        return frozenset(chosen)
