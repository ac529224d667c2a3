"""What people and programs read from the commands."""

from __future__ import annotations

import io
import json

import pytest

from daemon.cli import output


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def table(stream: io.StringIO, **more: str) -> str:
    rows = [("CT1", 7, None), ("a\x1b[2J\nb", 1234, "x")]
    output.print_table(("sender", "count", "note"), rows, stream=stream, **more)
    return stream.getvalue()


def test_a_pipe_gets_columns_of_plain_text() -> None:
    assert [line.split() for line in table(io.StringIO()).splitlines()[:2]] == [
        ["sender", "count", "note"],
        ["CT1", "7"],
    ]


def test_a_terminal_gets_a_drawn_table() -> None:
    assert "─" in table(Terminal())


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_what_a_sender_chose_cannot_steer_the_terminal(stream: io.StringIO) -> None:
    assert "\x1b[2J" not in table(stream)


def test_what_a_sender_chose_is_not_markup() -> None:
    stream = Terminal()
    output.print_table(("sender",), [("[red]CT[/red]",)], stream=stream)
    assert "[red]CT[/red]" in stream.getvalue()


def test_a_titled_table_without_rows_is_left_out() -> None:
    stream = io.StringIO()
    output.print_table(("a",), [], title="Findings", stream=stream)
    assert stream.getvalue() == ""


def test_a_list_without_rows_shows_its_headings() -> None:
    stream = io.StringIO()
    output.print_table(("id", "reason"), [], stream=stream)
    assert stream.getvalue() == "id  reason\n"


def test_json_is_ascii_whatever_is_in_it() -> None:
    stream = io.StringIO()
    output.print_json({"ae": "\x9b\u202eX"}, stream)
    assert stream.getvalue().isascii()
    assert json.loads(stream.getvalue()) == {"ae": "\x9b\u202eX"}


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (12_345_678, "12.3 MB"),
        (5 * 10**15, "5000.0 TB"),
    ],
)
def test_sizes_are_told_in_decimal_units(count: int, words: str) -> None:
    assert output.size(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (1.25, "1.2 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3700, "1 h 1 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_spans_are_told_in_their_two_largest_units(seconds: float, words: str) -> None:
    assert output.duration(seconds) == words
