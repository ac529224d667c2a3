"""The list of breaks fits the code, so that `make mutants` tells something."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from tests.mutants.breaks import ROOT, Break, breaks, promises
from tests.mutants.page import PAGE, page

BREAKS = breaks()


def _identity(one: Break) -> str:
    return f"{one.file}: {one.says}"


@pytest.mark.parametrize("one", BREAKS, ids=_identity)
def test_a_break_can_be_made_in_the_code_as_it_is(one: Break) -> None:
    whole = (ROOT / one.file).read_text()
    broken = one.made_in(whole)
    assert broken != whole
    if one.file.endswith(".py"):
        ast.parse(broken)


@pytest.mark.parametrize("one", BREAKS, ids=_identity)
def test_the_tests_of_a_break_are_there(one: Break) -> None:
    assert one.tests
    for test in one.tests:
        file, _, name = test.partition("::")
        text = (ROOT / file).read_text()
        assert not name or f"def {name.partition('[')[0]}(" in text, test


def test_each_promise_is_touched_by_at_least_five_breaks_of_sixty() -> None:
    touched = Counter(each.promise for each in BREAKS)
    assert len(BREAKS) >= 60
    assert sorted(touched) == list(range(1, len(promises()) + 1))
    assert min(touched.values()) >= 5


def test_no_break_is_listed_twice() -> None:
    assert len({(each.file, each.old, each.new) for each in BREAKS}) == len(BREAKS)


def test_the_page_is_as_the_list_says() -> None:
    assert PAGE.read_text() == page(), "run `make reference`"


def test_text_that_is_not_there_or_there_twice_is_no_break() -> None:
    one = Break("a.py", "nothing", 1, "old", "new", ())
    assert one.made_in("the old text") == "the new text"
    for text in ("the text", "old and old"):
        with pytest.raises(ValueError, match="times"):
            one.made_in(text)
