"""Checks: a section of PS3.18, a name, and what is asked and looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from tests.black_box.asking import Answer
    from tests.black_box.site import Site


@dataclass(frozen=True)
class Check:
    """One thing that is tried.

    Attributes
    ----------
    run
        Raises AssertionError, or anything, where the server does not do it.
    is_required
        Whether the standard says "shall" of it; else it is an option, or HTTP's.
    """

    section: str
    name: str
    run: Callable[[Site], None]
    is_required: bool = True


@dataclass(frozen=True)
class Result:
    """What came of a check: nothing, or why it failed."""

    check: Check
    failure: str = ""


def run_all(checks: Iterable[Check], site: Site) -> list[Result]:
    """Run checks in their order."""
    results = []
    for check in checks:
        try:
            check.run(site)
        except Exception as error:  # noqa: BLE001 - whatever happens is the check's failure
            results.append(Result(check, f"{type(error).__name__}: {error}"[:300]))
        else:
            results.append(Result(check))
    return results


def expect(answer: Answer, status: int | Collection[int] = 200, kind: str = "") -> Answer:
    """Return the answer if it has the status and media type."""
    wanted = {status} if isinstance(status, int) else set(status)
    assert answer.status in wanted, f"status {answer.status}, not {sorted(wanted)}"
    if kind:
        assert answer.kind == kind, f"media type {answer.kind}, not {kind}"
    return answer
