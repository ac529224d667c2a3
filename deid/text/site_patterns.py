"""Regular expressions that a site writes: RE2's, as the Healthcare API's are.

RE2 takes time in proportion to the text, whatever the pattern: no pattern of a site can hold up an instance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import re


class PatternInvalid(ValueError):
    """A pattern that RE2 does not understand; the message is RE2's own."""


def compile_site_pattern(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Compile a site's pattern (RE2 syntax); what is returned is used as `re`'s patterns are.

    Raises
    ------
    PatternInvalid
        When it is not one, or asks for look-around or references back, which RE2 does not have.
    """
    # Slow to import, and most sites write no pattern.
    import re2  # noqa: PLC0415

    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.log_errors = False
    try:
        return cast("re.Pattern[str]", re2.compile(pattern, options))
    except re2.error as error:
        said = error.args[0] if error.args else ""
        raise PatternInvalid(said.decode() if isinstance(said, bytes) else str(said)) from error
