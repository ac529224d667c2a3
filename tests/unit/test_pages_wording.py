"""How pages write numbers and times."""

from __future__ import annotations

import pytest

from daemon.pages import wording


@pytest.mark.parametrize(
    ("count", "written"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (52_345, "52 kB"), (7.2e15, "7200 TB")],
)
def test_sizes_have_a_unit(count: float, written: str) -> None:
    assert wording.size(count) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.4, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (7260, "2 h 1 min"), (90_000, "1 d 1 h")],
)
def test_durations_have_two_units(seconds: float, written: str) -> None:
    assert wording.duration(seconds) == written


@pytest.mark.parametrize(
    ("rate", "written"), [(0, "0"), (0.126, "0.13"), (2.5, "2.5"), (99.6, "100")]
)
def test_rates_say_no_more_than_they_know(rate: float, written: str) -> None:
    assert wording.rate(rate) == written


def test_what_stands_between_backticks_is_code_and_nothing_is_markup() -> None:
    assert wording.marked("set `a < b` & <i>") == "set <code>a &lt; b</code> &amp; &lt;i&gt;"


def test_instants_are_utc() -> None:
    assert wording.instant(0) == "1970-01-01 00:00:00 UTC"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("\u202eevil\u202c", "[U+202E]evil[U+202C]"),
        ("a\u2066b", "a[U+2066]b"),
        ("Doe\u200b^Jane\ufeff", "Doe[U+200B]^Jane[U+FEFF]"),
        ("x\U000e0041\x9b31m\x00", "x[U+E0041][U+009B]31m[U+0000]"),
    ],
)
def test_what_would_not_be_seen_is_shown(written: str, shown: str) -> None:
    assert wording.seen(written) == shown


@pytest.mark.parametrize(
    "name",
    [
        "Müller^Jürgen", "山田^太郎", "홍^길동", "כהן^דוד", "علی\u200cرضا^محمدی", "क्\u200dष^राम",  # noqa: RUF001
        "line\none\ttab\r\n", "a\u00a0b", "שלום\u200e (1)",
    ],
)  # fmt: skip
def test_what_scripts_are_written_with_stays(name: str) -> None:
    assert wording.seen(name) == name


def test_only_text_is_looked_at() -> None:
    assert wording.seen(12) == 12
    assert wording.seen(wording.marked("\u202e")) == "\u202e"
