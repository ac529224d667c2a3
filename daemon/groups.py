"""What a task group's errors mean to whoever waited for it.

``except*`` is not used to raise something else: until 3.11.4 Python wraps what is raised inside it in a
group of its own, and Debian 12 has 3.11.2.
"""

from __future__ import annotations


def first_of(
    errors: BaseExceptionGroup[BaseException], *kinds: type[BaseException]
) -> BaseException | None:
    """Return the first error when all of them are of these kinds, else None."""
    _, others = errors.split(kinds)
    if others is not None:
        return None
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
