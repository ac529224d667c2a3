"""The last hour in figures."""

from __future__ import annotations

from daemon.observe.history import History, Sample


def sample(at: float, received: int = 0, settled: int = 0, waiting: int = 0) -> Sample:
    return Sample(at, received, settled, waiting, 0.0)


def test_rates_are_what_was_added_since_the_sample_before() -> None:
    history = History(interval_s=10)
    for each in (sample(0), sample(10, 50, 20, 30), sample(30, 50, 60, 0)):
        history.note(each)
    columns = history.columns()
    assert columns["at"] == [10, 30]
    assert columns["received"] == [5, 0]
    assert columns["settled"] == [2, 2]
    assert columns["waiting"] == [30, 0]


def test_samples_that_come_too_soon_are_left_out() -> None:
    history = History(interval_s=10)
    for at in range(25):
        history.note(sample(at))
    assert history.columns()["at"] == [10, 20]


def test_no_more_than_an_hour_is_kept() -> None:
    history = History(interval_s=1, samples=4)
    for at in range(100):
        history.note(sample(at))
    assert history.columns()["at"] == [97, 98, 99]


def test_what_becomes_less_is_no_negative_rate() -> None:
    history = History(interval_s=1)
    history.note(sample(0, received=5))
    history.note(sample(1, received=3))
    assert history.columns()["received"] == [0]


def test_a_clock_that_was_set_back_begins_anew() -> None:
    history = History(interval_s=1)
    for at in (100, 101, 5, 6):
        history.note(sample(at))
    assert history.columns()["at"] == [6]
