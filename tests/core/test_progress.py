"""Progress says what, how far, how fast and how long yet, in lines that are few."""

from __future__ import annotations

import logging

import pytest

from passk.core.progress import Progress, duration


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that a test sets: clock[0] is now."""
    now = [100.0]
    monkeypatch.setattr("passk.core.progress.time.monotonic", lambda: now[0])
    return now


def test_lines_are_few_and_say_rate_and_time_left(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with Progress("sample x", "responses") as progress:
        clock[0] += 30  # loading
        for done in range(1, 101):
            progress(done, 100)
            clock[0] += 0.5
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "sample x: 11/100 responses, 2.2/s, 40 s left"
    assert lines[-1].startswith("sample x: 100/100 responses, 2/s, done in 50 s")
    assert len(lines) == 10


def failing() -> None:
    """Work that ends in an error."""
    with Progress("x", "y") as progress:
        progress(1, 2)
        raise ValueError("no")


def test_work_that_failed_says_no_last_word(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(ValueError, match="no"):
        failing()
    assert not caplog.records


def test_a_resumed_job_counts_its_own_rate_alone(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with Progress("x", "rows") as progress:
        progress(901, 1000)
        clock[0] += 10
        progress(920, 1000)
    assert "920/1000 rows, 2/s, 40 s left" in caplog.records[0].getMessage()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3725, "1 h 2 min"), (1e6, "277 h 46 min")],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text
