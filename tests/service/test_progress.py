"""How far work is: a line now and then in a log, a bar on a terminal, nothing for what is quick."""

from __future__ import annotations

import io
import re

import pytest

from service.progress import EVERY, Reporter


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def logged(total: int | None, seconds: float, steps: int, unit: str = "frame") -> list[str]:
    """The lines of a piece of work of `steps` units that takes so many seconds."""
    clock, stream = Clock(), io.StringIO()
    with Reporter(stream, clock).progress("scoring", total, unit) as tick:
        for _ in range(steps):
            clock.now += seconds / steps
            tick(1)
    return stream.getvalue().splitlines()


def test_a_log_gets_a_line_every_ten_seconds() -> None:
    assert EVERY == 10
    lines = logged(400, 35.0, 280)
    assert len(lines) == 3
    assert lines[0] == "scoring: 80 of 400 frames (20%), 8 frames/s, 00:40 left"


def test_quick_work_is_not_mentioned() -> None:
    assert logged(100, 9.0, 72) == []


def test_work_of_unknown_length_shows_amount_and_rate() -> None:
    assert logged(None, 11.0, 88)[0] == "scoring: 80 frames, 8 frames/s"


def test_a_length_that_was_claimed_too_short_is_not_believed() -> None:
    assert logged(50, 11.0, 88)[0] == "scoring: 80 frames, 8 frames/s"


def test_the_unit_is_named() -> None:
    assert logged(220, 22.0, 110, "step")[0].startswith("scoring: 50 of 220 steps (23%), 5 steps/s")


def test_a_terminal_gets_a_bar_with_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.progress.DELAY", 0.0)
    stream = Terminal()
    with Reporter(stream).progress("learning", 100, "step") as tick:
        for _ in range(50):
            tick(1)
        drawn = stream.getvalue()
    assert "learning:" in drawn
    assert re.search(r"\d+/100 \[\d\d:\d\d<[\d:?]+, +[\d.?]+ steps?/s\]|\d+/100 \[.*\]", drawn)


def test_a_bar_for_quick_work_is_never_drawn() -> None:
    stream = Terminal()
    with Reporter(stream).progress("scoring", 3) as tick:
        tick(3)
    assert "scoring" not in stream.getvalue()


def test_messages_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    Reporter().say("a word")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "a word\n")


def test_an_error_inside_passes_through() -> None:
    def fail() -> None:
        with Reporter(Terminal()).progress("scoring", 3):
            raise KeyError("x")

    with pytest.raises(KeyError):
        fail()
